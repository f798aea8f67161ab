"""Costs in milliseconds, measured on the machine that is to serve."""

from time import perf_counter
from typing import Any

import numpy as np
import torch

from dyce_search.arguments import require_type, whole
from dyce_search.errors import CostsError, ModelError
from dyce_search.records.costs import ExitCosts
from dyce_search.runtime.inputs import as_call
from dyce_search.runtime.metering import costs_of, metered
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import device_of, observing

MOST_PASSES = 1_000_000


def measure_latency(model: EarlyExitModel, example_input: Any, *, repeats: int = 30, warmup: int = 5) -> ExitCosts:
    """Measures the milliseconds of one sample: the backbone up to each position, each exit, the whole model.

    Medians over passes of one batch in eval mode, divided by its size. They are passes as in service, stages and
    confidences included, which all samples go through to the end. They hold for this batch size, this number of
    threads and a machine that does nothing else meanwhile.

    Args:
        model: to measure.
        example_input: a batch as the model will serve it: (B, ...), a tuple or a mapping.
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
    whole(repeats, "repeats", CostsError, least=1, most=MOST_PASSES)
    whole(warmup, "warmup", CostsError, most=MOST_PASSES)
    device = device_of(model)
    call, synchronize = as_call(example_input, "example_input").on(device), getattr(torch, device.type).synchronize

    def read() -> float:
        synchronize()  # work on a GPU runs beside Python
        return perf_counter() * 1000

    with observing(model):
        passes = [metered(model, call, read) for _ in range(warmup + repeats)][warmup:]
    backbone, head = (np.median(times, axis=0) / call.samples for times in zip(*passes, strict=True))
    return costs_of(model, np.maximum.accumulate(backbone), head, "ms")
