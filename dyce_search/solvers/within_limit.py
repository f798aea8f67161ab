"""From what a solver found to configurations that keep a limit on what single samples cost.

Whatever a solver found is made to keep the limit: at each exit, whoever could not afford the next one leaves. What has
become of it is improved by moves at single positions: another candidate or none, another threshold, and what follows is
held to the limit again. Where there are few configurations, all of them are measured.
"""

import numpy as np
import numpy.typing as npt

from dyce_search.errors import InfeasibleError
from dyce_search.evaluation.evaluate import evaluate_arrays, non_dominated
from dyce_search.records.records import ExitRecords
from dyce_search.solvers.every import chunks_of, grid, options_of, size_of
from dyce_search.solvers.sample_limit import Exits, SampleLimit, Thresholds

FloatArray = npt.NDArray[np.float64]
Found = tuple[Exits, Thresholds]

FEW = 1 << 17  # configurations, all of which are measured
MEASURED = 1 << 26  # their number times that of the samples, at most
ROUNDS = 3  # of moves
MOVES = 1 << 14  # configurations of a round, about; times samples at most `WORK`
WORK = 1 << 27
LEVELS = 24  # thresholds that a move tries
STARTS = 400  # points that are made to keep the limit, and about so many that are improved


def within_limit(records: ExitRecords, exits: Exits, threshold: Thresholds, limit: SampleLimit) -> Found:
    """Configurations that keep a limit, none of which is dominated by another, by rising cost.

    Args:
        records: with the scores that are to be maximised.
        exits: (F, P) int32, what a solver found.
        threshold: (F, P) float32.
        limit: that all must keep.

    Raises:
        InfeasibleError: no configuration keeps it; says what is closest.
    """
    options = options_of(records, records.n_samples)
    size = size_of(options)
    if size <= FEW and size * records.n_samples <= MEASURED:
        best = _none(records)
        for chunk in chunks_of(options):
            best = _best(records, _joined(best, chunk), limit)
    else:
        best = _best(records, _alone(records), limit)
        best = _best(records, _joined(best, (exits, threshold)), limit)
        best = _best(records, _joined(best, _held(records, _some((exits, threshold), STARTS), limit)), limit)
        for number in range(ROUNDS if len(best[0]) else 0):
            moved = _moves(records, best, number)
            best = _best(records, _joined(best, moved, _held(records, moved, limit)), limit)
    if not len(best[0]):
        raise InfeasibleError(_nothing(records, limit))
    return best


def _best(records: ExitRecords, found: Found, limit: SampleLimit) -> Found:
    """Those that keep the limit and that no other dominates."""
    exits, threshold = found
    measured = evaluate_arrays(records, exits, threshold)
    kept = np.flatnonzero(limit.over(records, exits, threshold, measured) <= limit.allowed(records))
    kept = kept[non_dominated(measured.cost[kept], measured.accuracy[kept])]
    return exits[kept], threshold[kept]


def _held(records: ExitRecords, found: Found, limit: SampleLimit) -> Found:
    """The same, held to the limit: with and without making use of the share that may cost more."""
    exits, threshold = found
    ways = (False, True) if limit.allowed(records) else (False,)
    return np.tile(exits, (len(ways), 1)), np.concatenate(
        [limit.held(records, exits, threshold, spend) for spend in ways]
    )


def _moves(records: ExitRecords, best: Found, number: int) -> Found:
    """Other choices at single positions of points all along the front, the thresholds shifted from round to round."""
    exits, threshold = best
    costs = records.costs
    per_point = costs.n_positions + (costs.n_exits - 1) * LEVELS
    most = min(MOVES, max(per_point, WORK // records.n_samples))
    exits, threshold = _some(best, max(1, most // per_point))
    every_exits, every_threshold = [], []
    for p in range(costs.n_positions):
        choices: list[tuple[int, np.float32]] = [(-1, np.float32(0))]
        for e in range(costs.first[p], costs.first[p + 1]):
            levels = grid(records.confidence[e], (number + 1) * LEVELS)
            choices += [(e, level) for level in (levels[0], *levels[1 + number :: number + 1])]
        for e, level in choices:
            changed, moved = exits.copy(), threshold.copy()
            changed[:, p], moved[:, p] = e, level
            every_exits.append(changed)
            every_threshold.append(moved)
    return np.concatenate(every_exits), np.concatenate(every_threshold)


def _some(found: Found, most: int) -> Found:
    """At most so many, evenly chosen."""
    index = np.unique(np.linspace(0, len(found[0]) - 1, most).astype(np.int64))
    return found[0][index], found[1][index]


def _joined(*found: Found) -> Found:
    exits, threshold = zip(*found, strict=True)
    return np.concatenate(exits), np.concatenate(threshold)


def _none(records: ExitRecords) -> Found:
    """No exit at all."""
    none = np.full((1, records.costs.n_positions), -1, np.int32)
    return none, np.zeros(none.shape, np.float32)


def _alone(records: ExitRecords) -> Found:
    """(E, P) each exit alone, where everybody leaves; the final one last."""
    exits = np.full((records.n_exits, records.costs.n_positions), -1, np.int32)
    every = np.arange(records.n_exits - 1)
    exits[every, records.costs.position[:-1]] = every
    return exits, np.where(exits >= 0, np.float32(-np.inf), np.float32(0))


def _nothing(records: ExitRecords, limit: SampleLimit) -> str:
    exits, threshold = _alone(records)
    over = limit.over(records, exits, threshold, evaluate_arrays(records, exits, threshold)) / records.n_samples
    closest = int(over.argmin())
    return (
        f"no configuration satisfies max_sample_cost={limit.most:.10g}, share={limit.share:g}; the closest, everybody "
        f"at exit {closest} ({records.costs.names[closest]}) alone, costs more for {100 * over[closest]:.3g} % of the "
        "samples: raise the limit or the share"
    )
