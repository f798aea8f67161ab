"""Costs in milliseconds, measured on the machine that is to serve."""

import contextlib
from time import perf_counter
from typing import Any

import numpy as np
import torch

from dyce_search.arrays import require_type
from dyce_search.errors import CostsError, ModelError
from dyce_search.records.costs import ExitCosts
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import device_of, observing


def measure_latency(
    model: EarlyExitModel, example_input: torch.Tensor, *, repeats: int = 30, warmup: int = 5
) -> ExitCosts:
    """Measures the milliseconds of one sample: the backbone up to each position, each head, the whole model.

    Medians over passes of one batch in eval mode, divided by its size. Each pass is timed as a whole and read off at
    every position, so the costs never fall along the backbone. They hold for this batch size, this number of threads
    and a machine that does nothing else meanwhile.

    Args:
        model: to measure.
        example_input: (B, ...) a batch as the model will serve it.
        repeats: passes that are timed.
        warmup: passes before them that are not.

    Returns:
        Costs in ms. The final exit's own head is part of the whole model.

    Raises:
        CostsError: fewer than one pass to time, or a warm-up below 0.

    Example:
        >>> backbone = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> model = EarlyExitModel(backbone, heads={"1": {"linear": torch.nn.Linear(8, 3)}})
        >>> costs = measure_latency(model, torch.zeros(2, 4), repeats=3)
        >>> costs.unit, len(costs.backbone)
        ('ms', 2)
    """
    require_type(model, EarlyExitModel, "model", ModelError)
    require_type(example_input, torch.Tensor, "example_input", ModelError)
    if repeats < 1 or warmup < 0:
        raise CostsError(f"repeats must be >= 1 and warmup >= 0, got {repeats} and {warmup}")
    synchronize = getattr(torch, device_of(model).type).synchronize  # work on a GPU runs beside Python
    times: list[float] = []

    def read(*_hook: Any) -> None:
        synchronize()
        times.append(perf_counter())

    with observing(model), contextlib.ExitStack() as hooks:
        for name in model.positions:
            hooks.callback(model.backbone.get_submodule(name).register_forward_hook(read).remove)
        for run in range(warmup + repeats):
            if run == warmup:
                times.clear()
            read()
            features, _ = model.features(example_input)
            read()
            for exit_index, (position, _) in enumerate(model.exits):
                model.heads[exit_index](features[position])
                read()
    since = np.reshape(times, (repeats, -1)) * 1000 / len(example_input)
    whole = len(model.positions) + 1
    backbone = np.median(since[:, 1 : whole + 1] - since[:, :1], axis=0)
    return model.exit_costs(backbone, np.median(np.diff(since[:, whole:], axis=1), axis=0), "ms")
