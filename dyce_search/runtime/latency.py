"""Costs in milliseconds, measured on the machine that is to serve."""

from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dyce_search.arguments import require_type, shown, whole
from dyce_search.arrays import numbers
from dyce_search.errors import CostsError, ModelError
from dyce_search.records.costs import ExitCosts
from dyce_search.runtime.inputs import as_call
from dyce_search.runtime.metering import costs_of, metered
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import device_of, observing

MOST_PASSES = 1_000_000


def measure_latency(
    model: EarlyExitModel,
    example_input: Any,
    *,
    exit_share: npt.ArrayLike | None = None,
    repeats: int = 30,
    warmup: int = 5,
) -> ExitCosts:
    """Measures the milliseconds of one sample: the backbone up to each position, each exit, the whole model.

    Medians over passes of one batch in eval mode, of each part divided by the samples that go through it. They are
    passes as in service, stages and confidences included. They hold for this batch size, this number of threads and a
    machine that does nothing else meanwhile.

    A part takes longer for each sample where few are left in the batch. By default all samples go through to the end;
    with `exit_share` of a configuration, the costs are those of batches that thin out as under it. So: search on the
    default costs, measure again with the shares of the point that you like, search again.

    Args:
        model: to measure.
        example_input: a batch as the model will serve it: (B, ...), a tuple or a mapping.
        exit_share: (P+1,) share of the samples that leaves at each position and at the end, sum 1, as `evaluate` gives
            it. Which samples leave does not matter; one at least goes on.
        repeats: passes that are timed.
        warmup: passes before them that are not.

    Returns:
        Costs in ms. The final exit's own head is part of the whole model.

    Raises:
        CostsError: fewer than one pass to time, a warm-up below 0, shares of another network or that are none, or
            shares for a model of which nobody leaves the batch before the end.

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
        model.features(*call.args, **call.named)  # whatever has to be built
        rows = _rows(model, call.samples, exit_share)
        passes = [metered(model, call, read, rows) for _ in range(warmup + repeats)][warmup:]
    backbone, head = (np.median(times, axis=0) for times in zip(*passes, strict=True))
    return costs_of(model, np.maximum.accumulate(backbone), head, "ms")


def _rows(model: EarlyExitModel, samples: int, exit_share: npt.ArrayLike | None) -> list[int]:
    """(P+1,) how many samples of a batch get to each position and to the end."""
    whole = [samples] * (len(model.positions) + 1)
    if exit_share is None:
        return whole
    share = numbers(exit_share, "exit_share", CostsError, dtype=np.float64, ndim=1)
    if share.shape != (len(whole),) or not (share >= 0).all() or abs(share.sum() - 1) > 1e-6:
        raise CostsError(
            f"exit_share must have shape (P+1,) = ({len(whole)},), not below 0 and with sum 1, got "
            f"{shown(exit_share)}: take it from evaluate(records, config).exit_share"
        )
    if not model.compacts:
        raise CostsError("exit_share needs a model that can be cut, in which samples leave the batch: leave it out")
    reach = 1 - np.concatenate([[0.0], np.cumsum(share[:-1])])
    return [max(1, round(part * samples)) for part in reach.tolist()]
