"""Who leaves where, with what score, at what cost: sample by sample, for one configuration."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.config import leaves
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import differing

FloatArray = npt.NDArray[np.float64]


class Outcomes(NamedTuple):
    """What a configuration does to each of N samples.

    Attributes:
        position: (N,) int64, where each sample leaves, P for the final exit.
        exit: (N,) int64, flat index of the exit where it leaves, E-1 for the final exit.
        score: (N,) float32, of that exit on the sample.
        cost: (N,) float64, what it has paid there, in the unit of the costs.
    """

    position: npt.NDArray[np.int64]
    exit: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]
    cost: FloatArray


def outcomes(records: ExitRecords, exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32]) -> Outcomes:
    """Follows every sample of some records through one configuration.

    Args:
        records: to follow.
        exits: (P,) int32, flat index of the enabled candidate at each position, -1 for none (`ExitConfig.exits`).
        threshold: (P,) float32.
    """
    position = np.full(records.n_samples, len(exits), np.int64)
    for p in np.flatnonzero(exits >= 0)[::-1]:  # from the last on, so that the first that lets go has the last word
        position[leaves(records.confidence[exits[p]], threshold[p])] = p
    taken = np.append(exits, records.n_exits - 1).astype(np.int64)[position]
    return Outcomes(
        position=position,
        exit=taken,
        score=records.score[taken, np.arange(records.n_samples)],
        cost=paid_at(records, exits, position),
    )


def paid_at(records: ExitRecords, exits: npt.NDArray[np.int32], position: npt.NDArray[np.int64]) -> FloatArray:
    """(N,) what every sample has paid that leaves at its position (N,), P for the final exit.

    Args:
        records: of the samples.
        exits: (P,) int32, flat index of the enabled candidate at each position, -1 for none.
        position: (N,) int64.
    """
    charged = differing(records.sample_costs)
    if charged is None:
        constant: FloatArray = prices(records.costs, exits[None])[0][position]
        return constant
    paid = np.zeros(len(position))
    for p in np.flatnonzero(exits >= 0):
        paid += np.where(position >= p, charged.head[exits[p]], np.float32(0))
    paid += charged.backbone[position, np.arange(len(position))]
    paid[position == charged.n_positions] += charged.head[-1, position == charged.n_positions]
    return paid


def paid_everywhere(records: ExitRecords, exits: npt.NDArray[np.int32]) -> FloatArray:
    """(P+1, N) what every sample has paid if it leaves at each position, under a configuration's `exits` (P,).

    Takes no memory where costs are the same for every sample.
    """
    charged = differing(records.sample_costs)
    if charged is None:
        return np.broadcast_to(prices(records.costs, exits[None]).T, (len(exits) + 1, records.n_samples))
    paid = np.empty((len(exits) + 1, records.n_samples))
    heads = np.zeros(records.n_samples)
    for p, e in enumerate(exits):
        if e >= 0:
            heads += charged.head[e]
        np.add(heads, charged.backbone[p], out=paid[p])
    np.add(heads, charged.baseline, out=paid[-1])
    return paid


def paid_there(records: ExitRecords, exits: npt.NDArray[np.int32], position: npt.NDArray[np.int64]) -> FloatArray:
    """(P+1,) mean of what those have paid that leave at each position; where nobody does, of what all would pay.

    Args:
        records: of the samples.
        exits: (P,) int32, flat index of the enabled candidate at each position, -1 for none.
        position: (N,) int64, where each sample leaves.
    """
    usual: FloatArray = prices(records.costs, exits[None])[0]
    if differing(records.sample_costs) is None:
        return usual
    count = np.bincount(position, minlength=len(usual))
    total = np.bincount(position, weights=paid_at(records, exits, position), minlength=len(usual))
    return np.divide(total, count, out=usual, where=count > 0)


def prices(costs: ExitCosts, exits: npt.NDArray[np.int32]) -> FloatArray:
    """(F, P+1) what a sample has paid that leaves at each position, under configurations `exits` (F, P).

    Where costs differ by sample, and these are their means, it is what the average sample would pay there.
    """
    heads = np.where(exits >= 0, costs.head[exits], 0.0)
    paid = np.empty((len(exits), costs.n_positions + 1))
    paid[:, :-1] = costs.backbone[:-1] + np.cumsum(heads, axis=1)
    paid[:, -1] = costs.baseline + heads.sum(axis=1)
    return paid
