"""What the dearest samples pay under a configuration: the tail of its costs."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.limits import SAMPLE_ROUNDING
from dyce_search.evaluation.outcomes import prices
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import SampleCosts, differing
from dyce_search.records.stored import AnyRecords, StoredRecords
from dyce_search.threads import parts_of, side_by_side

FloatArray = npt.NDArray[np.float64]

SHARES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Shares of the samples for which curves keep the cost that no more than so many exceed; 0 is the dearest sample."""


def allowed(share: float, n_samples: int) -> int:
    """How many of so many samples a share is, rounded down; 0.29 * 100 is 28.999999999999996, which is 29."""
    return math.floor(share * n_samples + 1e-9)


def tail_of(cost: FloatArray, share: float) -> float:
    """The least of the costs (N,) that at most this share of them exceeds.

    Example:
        >>> tail_of(np.array([1.0, 5.0, 2.0, 3.0]), 0.25), tail_of(np.array([1.0, 5.0, 2.0, 3.0]), 0.0)
        (3.0, 5.0)
    """
    rank = len(cost) - 1 - allowed(share, len(cost))
    return float(np.partition(cost, rank)[rank])


def cost_tails(
    records: AnyRecords, exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32], count: npt.NDArray[np.int64]
) -> FloatArray:
    """(F, S) the cost that at most each of `SHARES` of the samples exceeds, under F configurations.

    Args:
        records: to measure on.
        exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none.
        threshold: (F, P) float32.
        count: (F, P+1) how many samples leave at each position; only needed where they all cost the same.
    """
    ranks = np.array([allowed(share, records.n_samples) for share in SHARES])
    if not isinstance(records, StoredRecords):
        charged = differing(records.sample_costs)
        if charged is not None:
            return _of_samples(records.confidence, charged, exits, threshold, ranks)
    return _of_prices(prices(records.costs, exits), count, ranks)


def _of_prices(paid: FloatArray, count: npt.NDArray[np.int64], ranks: npt.NDArray[np.int64]) -> FloatArray:
    """Of prices (F, P+1) and how many samples pay them: the dearest first, until enough have paid."""
    order = np.argsort(-paid, axis=1, kind="stable")
    so_far = np.cumsum(np.take_along_axis(count, order, axis=1), axis=1)
    falling = np.take_along_axis(paid, order, axis=1)
    tails = np.empty((len(paid), len(ranks)))
    for k, rank in enumerate(ranks):
        tails[:, k] = falling[np.arange(len(paid)), (so_far > rank).argmax(axis=1)]
    return tails


def _of_samples(
    confidence: npt.NDArray[np.float32],
    charged: SampleCosts,
    exits: npt.NDArray[np.int32],
    threshold: npt.NDArray[np.float32],
    ranks: npt.NDArray[np.int64],
) -> FloatArray:
    from dyce_search.evaluation._kernels import Charges
    from dyce_search.evaluation._tail_kernels import fill_tails

    tails = np.empty((len(exits), len(ranks)))
    charges = Charges(charged.backbone, charged.head)

    def fill(first: int, stop: int) -> None:
        fill_tails(confidence, charges, exits, threshold, first, stop, ranks, tails)

    bounds = parts_of(len(exits))
    side_by_side(fill, bounds[:-1], bounds[1:])
    return tails


def samples_over(
    records: ExitRecords,
    exits: npt.NDArray[np.int32],
    threshold: npt.NDArray[np.float32],
    count: npt.NDArray[np.int64],
    limit: float,
) -> npt.NDArray[np.int64]:
    """(F,) how many samples cost more than a limit under F configurations.

    Args:
        records: to measure on.
        exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none.
        threshold: (F, P) float32.
        count: (F, P+1) as in `cost_tails`.
        limit: in the unit of the costs; see `is_over`.
    """
    charged = differing(records.sample_costs)
    if charged is None:
        total: npt.NDArray[np.int64] = np.where(is_over(prices(records.costs, exits), limit), count, 0).sum(axis=1)
        return total
    from dyce_search.evaluation._kernels import Charges
    from dyce_search.evaluation._tail_kernels import count_over

    over = np.empty(len(exits), np.int64)
    charges = Charges(charged.backbone, charged.head)

    def fill(first: int, stop: int) -> None:
        count_over(records.confidence, charges, exits, threshold, first, stop, limit * (1 + SAMPLE_ROUNDING), over)

    bounds = parts_of(len(exits))
    side_by_side(fill, bounds[:-1], bounds[1:])
    return over


def is_over(cost: Any, limit: float) -> Any:
    """Which costs are above a limit, by more than float32 rounds: 0.1 + 0.2 is not above 0.3."""
    return cost > limit * (1 + SAMPLE_ROUNDING)
