"""The per-sample oracle: what no rule reaches that decides without the labels."""

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import whole
from dyce_search.arrays import whole_numbers
from dyce_search.errors import RecordsError
from dyce_search.evaluation.baselines import RulePoints
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.records.sample_costs import differing

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def oracle(records: ExitRecords, *, exits: npt.ArrayLike | None = None, max_points: int = 1000) -> RulePoints:
    """The per-sample oracle: a bound that no threshold rule reaches, and no rule that decides without the labels.

    An ideal router knows, before anything runs, how well each exit will answer each sample. It sends a sample to one
    exit e and pays `backbone[position of e] + head[e]`: that one head, no other. At a price of lambda a unit of
    cost it chooses the exit with the best score - lambda * cost. Sweeping lambda from infinity to 0 gives the curve:
    first everybody leaves where leaving is cheapest, at last everybody at the cheapest of the exits that answer best
    for that sample (with scores of 0 and 1: the cheapest exit that is right, or the cheapest of all where none is).

    Computed exactly: each sample's exits have an upper concave hull of score over cost; its steps, those of all
    samples together, are taken by falling gain per cost, equal gains at once. No assignment of samples to exits lies
    above the straight lines between the points. As every configuration pays at least for the exit where a sample
    leaves, the same holds for every configuration.

    Args:
        records: to measure on.
        exits: (M,) flat indices of the candidates that may be used (0 to E-1; -1 is the final exit); None is all.
        max_points: of a longer curve, as float scores give, so many points are kept, evenly spaced in cost.

    Returns:
        Points by rising cost with the setting `price`: lambda, in accuracy per unit of relative cost, down to which
        steps are taken; infinite for the first point.

    Raises:
        RecordsError: no such exit, a bad `max_points`.

    Example:
        >>> import dyce_search as ds
        >>> records = ds.load_example()
        >>> bool(ds.oracle(records).accuracy[-1] > records.baseline_accuracy)
        True
    """
    require_records(records)
    whole(max_points, "max_points", RecordsError, least=2)
    allowed = _allowed_exits(records.costs, exits)
    charged = differing(records.sample_costs)
    if charged is None:
        paid = records.costs.alone[allowed]
        order = np.argsort(paid, kind="stable")
        start_score, rise, run = _hull_steps(records.score, allowed[order], paid[order])
        start_cost = records.n_samples * paid[order[0]]
    else:
        price = charged.backbone[records.costs.position[allowed]].astype(np.float64) + charged.head[allowed]
        start_score, rise, run = _hull_steps_by_sample(records.score[allowed], price)
        start_cost = price.min(axis=0).sum()
    slope = rise / run
    by_slope = np.argsort(-slope, kind="stable")
    slope, rise, run = slope[by_slope], rise[by_slope], run[by_slope]
    last = np.flatnonzero(np.append(slope[1:] != slope[:-1], True)) if slope.size else np.empty(0, np.int64)
    score = np.append(0.0, np.cumsum(rise)[last]) + start_score.sum(dtype=np.float64)
    cost = np.append(0.0, np.cumsum(run)[last]) + start_cost
    worth = np.append(np.inf, slope[last] * records.costs.baseline)
    if len(cost) > max_points:
        even = np.linspace(cost[0], cost[-1], max_points)
        kept = np.unique(np.append(np.searchsorted(cost, even[:-1]), len(cost) - 1))
        score, cost, worth = score[kept], cost[kept], worth[kept]
    return RulePoints(
        name="per-sample oracle (a bound)",
        costs=records.costs,
        setting={"price": worth},
        accuracy=score / records.n_samples,
        cost=cost / records.n_samples,
        baseline_accuracy=records.baseline_accuracy,
    )


def _hull_steps(
    score: npt.NDArray[np.float32], exits: IntArray, paid: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Steps of every sample's upper concave hull of score over cost.

    Args:
        score: (E, N) of all exits.
        exits: (M,) those that may be used, by rising cost.
        paid: (M,) their costs.

    Returns:
        (N,) score at the lowest cost, and for all steps of all samples together the rise of score and of cost.
    """
    start = score[exits[0]].astype(np.float64)
    for e in exits[1:][paid[1:] == paid[0]]:  # of the exits that are equally cheap the best
        start = np.maximum(start, score[e])
    here, at = start.copy(), np.full(len(start), paid[0])
    rises, runs = [], []
    going = np.arange(len(start))
    while going.size:
        best = np.zeros(going.size)
        target = np.full(going.size, -1)
        for k, e in enumerate(exits):  # the steepest next step; of equally steep ones the longest
            run = paid[k] - at[going]
            rise = score[e, going] - here[going]
            slope = np.divide(rise, run, out=np.zeros(going.size), where=(run > 0) & (rise > 0))
            better = (slope > 0) & (slope >= best)
            best[better], target[better] = slope[better], k
        moves = target >= 0
        going, target = going[moves], target[moves]
        rises.append(score[exits[target], going] - here[going])
        runs.append(paid[target] - at[going])
        here[going], at[going] = score[exits[target], going], paid[target]
    return start, np.concatenate([np.empty(0), *rises]), np.concatenate([np.empty(0), *runs])


def _hull_steps_by_sample(
    score: npt.NDArray[np.float32], paid: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """`_hull_steps` where every sample has costs of its own.

    Args:
        score: (M, N) of the exits that may be used.
        paid: (M, N) their costs.
    """
    at = paid.min(axis=0)
    here = np.where(paid == at, score, -np.inf).max(axis=0).astype(np.float64)  # of equally cheap exits the best
    start = here.copy()
    rises, runs, going = [], [], np.arange(score.shape[1])
    while going.size:
        run, rise = paid[:, going] - at[going], score[:, going] - here[going]
        slope = np.divide(rise, run, out=np.zeros(run.shape), where=(run > 0) & (rise > 0))
        steepest = slope.max(axis=0)
        target = np.where(slope == steepest, run, -1).argmax(axis=0)  # of equally steep steps the longest
        moves = steepest > 0
        step = (target[moves], np.flatnonzero(moves))
        rises.append(rise[step])
        runs.append(run[step])
        going = going[moves]
        here[going], at[going] = score[target[moves], going], paid[target[moves], going]
    return start, np.concatenate([np.empty(0), *rises]), np.concatenate([np.empty(0), *runs])


def _allowed_exits(costs: ExitCosts, exits: npt.ArrayLike | None) -> IntArray:
    if exits is None:
        return np.arange(costs.n_exits)
    chosen = whole_numbers(exits, "exits", RecordsError, ndim=1)
    if not chosen.size or chosen.min() < -costs.n_exits or chosen.max() >= costs.n_exits:
        raise RecordsError(
            f"exits must be one or more indices from 0 to {costs.n_exits - 1} (-1 is the final exit), "
            f"got {chosen.tolist()}"
        )
    return np.unique(chosen % costs.n_exits)
