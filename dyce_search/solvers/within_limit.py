"""From what a solver found to configurations that keep a limit on what single samples cost.

Whatever a solver found is made to keep the limit: at each exit, whoever could not afford the next one leaves. What has
become of it is improved by moves at single positions: another candidate or none, another threshold, and what follows is
held to the limit again. Where there are few configurations, all of them are measured.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from dyce_search.errors import InfeasibleError
from dyce_search.evaluation.evaluate import evaluate_arrays, non_dominated
from dyce_search.records.records import ExitRecords
from dyce_search.solvers.budget import Clock
from dyce_search.solvers.every import chunks_of, grid, options_of
from dyce_search.solvers.sample_limit import Exits, Holder, SampleLimit, Thresholds
from dyce_search.wording import percent

Found = tuple[Exits, Thresholds]

FEW = 1 << 17  # configurations, all of which are measured
MEASURED = 1 << 26  # their number times that of the samples, at most
ROUNDS = 3  # of moves
MOVES = 1 << 14  # configurations of a round, about; times samples at most `WORK`
WORK = 1 << 27
LEVELS = 24  # thresholds that a move tries
STARTS = 400  # points that are made to keep the limit, and about so many that are improved
AT_ONCE = 1 << 22  # configurations x samples between two looks at the clock


def within_limit(records: ExitRecords, exits: Exits, threshold: Thresholds, limit: SampleLimit, clock: Clock) -> Found:
    """Configurations that keep a limit, none of which is dominated by another, by rising cost.

    Args:
        records: with the scores that are to be maximised.
        exits: (F, P) int32, what a solver found.
        threshold: (F, P) float32.
        limit: that all must keep.
        clock: of the search; in its overtime, each exit alone is measured, and what was found is made to keep the limit
            as far as there is time.

    Raises:
        InfeasibleError: no configuration keeps it; says what is closest.
    """
    kept = Kept(records, limit, clock)
    kept.measure(*_alone(records), whatever_the_time=True)
    kept.measure(exits, threshold)
    if are_few(records):
        for chunk in chunks_of(options_of(records, records.n_samples)):
            kept.measure(*chunk)
    else:
        kept.hold(*some_of((exits, threshold), STARTS))
        for number in range(ROUNDS if len(kept.exits) else 0):
            for moved in _moves(records, (kept.exits, kept.threshold), number):
                kept.measure(*moved)
                kept.hold(*moved)
                if clock.overtime <= 0:
                    break
    if not len(kept.exits):
        raise InfeasibleError(_nothing(records, limit))
    return kept.exits, kept.threshold


class Kept:
    """Configurations that keep a limit, none of which is dominated by another, by rising cost.

    Attributes:
        exits: (F, P) int32.
        threshold: (F, P) float32.
    """

    def __init__(self, records: ExitRecords, limit: SampleLimit, clock: Clock) -> None:
        """None so far."""
        self.records, self.limit, self.clock = records, limit, clock
        self.exits = np.empty((0, records.costs.n_positions), np.int32)
        self.threshold = np.empty(self.exits.shape, np.float32)
        self._figures = np.empty((2, 0))  # cost and accuracy
        self._holder = Holder(records, limit)

    def measure(self, exits: Exits, threshold: Thresholds, *, whatever_the_time: bool = False) -> None:
        """Takes those of some configurations (M, P) that belong to it, as long as there is time."""
        for some in self._parts(len(exits)):
            if whatever_the_time or self.clock.overtime > 0:
                self._take(exits[some], threshold[some])

    def hold(self, exits: Exits, threshold: Thresholds) -> None:
        """The same, made to keep the limit: with and without making use of the share that may cost more."""
        for spend in (False, True) if self.limit.allowed(self.records) else (False,):
            for some in self._parts(len(exits)):
                if self.clock.overtime > 0:
                    self._take(exits[some], self._holder(exits[some], threshold[some], spend))

    def _parts(self, size: int) -> list[slice]:
        step = max(1, AT_ONCE // self.records.n_samples)
        return [slice(first, first + step) for first in range(0, size, step)]

    def _take(self, exits: Exits, threshold: Thresholds) -> None:
        measured = evaluate_arrays(self.records, exits, threshold)
        over = self.limit.over(self.records, exits, threshold, measured)
        good = np.flatnonzero(over <= self.limit.allowed(self.records))
        figures = np.concatenate([self._figures, np.stack([measured.cost, measured.accuracy])[:, good]], axis=1)
        best = non_dominated(*figures)
        self._figures = figures[:, best]
        self.exits = np.concatenate([self.exits, exits[good]])[best]
        self.threshold = np.concatenate([self.threshold, threshold[good]])[best]


def are_few(records: ExitRecords) -> bool:
    """Whether all configurations that differ can be measured."""
    size, most = 1, min(FEW, MEASURED // records.n_samples)
    for first, stop in pairwise(records.costs.first):
        size *= 1 + sum(len(np.unique(row)) for row in records.confidence[first:stop])
        if size > most:
            return False
    return True


def _moves(records: ExitRecords, best: Found, number: int) -> Iterator[Found]:
    """Other choices at single positions of points all along the front, the thresholds shifted from round to round.

    Yields:
        those of each position.
    """
    exits, threshold = best
    costs = records.costs
    per_point = costs.n_positions + (costs.n_exits - 1) * LEVELS
    most = min(MOVES, max(per_point, WORK // records.n_samples))
    exits, threshold = some_of(best, max(1, most // per_point))
    for p in range(costs.n_positions):
        choices: list[tuple[int, np.float32]] = [(-1, np.float32(0))]
        for e in range(costs.first[p], costs.first[p + 1]):
            levels = grid(records.confidence[e], (number + 1) * LEVELS)
            choices += [(e, level) for level in (levels[0], *levels[1 + number :: number + 1])]
        exits_here, levels_here = (np.array(column) for column in zip(*choices, strict=True))
        moved = np.repeat(exits[None], len(choices), axis=0), np.repeat(threshold[None], len(choices), axis=0)
        moved[0][:, :, p], moved[1][:, :, p] = exits_here[:, None], levels_here[:, None]
        yield moved[0].reshape(-1, costs.n_positions), moved[1].reshape(-1, costs.n_positions)


def some_of(found: Found, most: int) -> Found:
    """At most so many, evenly chosen."""
    index = np.unique(np.linspace(0, len(found[0]) - 1, most).astype(np.int64))
    return found[0][index], found[1][index]


def _alone(records: ExitRecords) -> Found:
    """(E, P) each exit alone, where everybody leaves; the final one, which is none at all, last."""
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
        f"at exit {closest} ({records.costs.names[closest]}) alone, costs more for {percent(over[closest])} of the "
        "samples: raise the limit or the share"
    )
