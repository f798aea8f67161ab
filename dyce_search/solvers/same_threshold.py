"""One global threshold over all exits of one type: the baseline of most early-exit papers."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.config import threshold_between
from dyce_search.evaluation.evaluate import non_dominated
from dyce_search.evaluation.outcomes import paid_everywhere
from dyce_search.records.records import ExitRecords
from dyce_search.solvers.run import Run

FloatArray = npt.NDArray[np.float64]
Levels = npt.NDArray[np.float32]
Found = tuple[Levels, FloatArray, FloatArray]  # levels, and accuracy and cost where all above them have moved

MAX_LEVELS = 2000  # of one type that are handed in
AT_ONCE = 1 << 19  # confidences that are looked at, or events that are sorted, between two looks at the clock


def same_threshold(run: Run) -> None:
    """Enables one exit type at every position that has it, with the same threshold everywhere.

    Type k is the k-th candidate of each position. Every distinct confidence is tried as the threshold: as it falls,
    a sample moves from one exit to an earlier one only where its confidence is the highest so far, so sorting these
    events gives accuracy and cost at all levels at once. Each exit of a type counts as one evaluation. Of a type with
    more than 2,000 non-dominated levels, so many are handed in, evenly chosen, the first and last among them: every
    point of a front is measured again, which takes far longer than the sweep.

    Args:
        run: the search.
    """
    costs = run.records.costs
    for k in range(int(costs.n_candidates.max())):
        has_type = costs.n_candidates > k
        run.spend(int(np.count_nonzero(has_type)))
        exits = np.where(has_type, costs.first[:-1] + k, -1).astype(np.int32)
        found: list[Found] = []
        try:
            for some in run.timely(all_levels(run, exits)):
                found.append(some)
        finally:  # also where the time is over
            if found:
                _hand_in(run, exits, found)


def _hand_in(run: Run, exits: npt.NDArray[np.int32], found: list[Found]) -> None:
    level, accuracy, cost = (np.concatenate(part) for part in zip(*found, strict=True))
    thresholds = np.append(threshold_between(level[1:], level[:-1]), np.float32(-np.inf)).astype(np.float32)
    best = non_dominated(cost, accuracy)
    if len(best) > MAX_LEVELS:
        best = best[np.linspace(0, len(best) - 1, MAX_LEVELS).astype(np.int64)]
    kept, figures = thresholds[best], (cost[best], accuracy[best])
    run.propose(np.tile(exits, (len(kept), 1)), np.repeat(kept[:, None], len(exits), axis=1), figures)


class Events(NamedTuple):
    """What happens as the threshold falls: M samples that move to an earlier exit, the surest first.

    Attributes:
        level: (M,) float32, confidence of each there: it moves once the threshold is below.
        score: (M,) float64, by which its score rises.
        cost: (M,) float64, by which its cost does.
    """

    level: Levels
    score: FloatArray
    cost: FloatArray

    @classmethod
    def joined(cls, parts: list["Events"]) -> "Events":
        """Those of several, sorted anew."""
        level, score, cost = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(-level, kind="stable")
        return cls(level[order], score[order], cost[order])

    def between(self, high: np.float32, low: np.float32) -> "Events":
        """Those with a level up to `high`, and above `low`."""
        first, stop = np.searchsorted(-self.level, np.array([-high, -low], np.float32))
        return Events(self.level[first:stop], self.score[first:stop], self.cost[first:stop])


def all_levels(run: Run, exits: npt.NDArray[np.int32]) -> Iterator[Found]:
    """Every distinct level (L,) of one global threshold from the surest down, accuracy (L,) and cost (L,), in pieces.

    They are those with a threshold just below the level.

    Raises:
        StopSearch: the time is over.
    """
    n_samples = run.records.n_samples
    paid = paid_everywhere(run.records, exits)
    step = max(1, AT_ONCE // len(exits))
    some = [slice(first, first + step) for first in range(0, n_samples, step)]
    parts = [_events(run.records, exits, paid[:, samples], samples) for samples in run.timely(some)]
    score, cost = float(run.records.score[-1].sum(dtype=np.float64)), float(paid[-1].sum())
    for high, low in _ranges(parts):
        events = Events.joined([part.between(high, low) for part in parts])
        total_score, total_cost = score + np.cumsum(events.score), cost + np.cumsum(events.cost)
        ends = np.append(np.flatnonzero(np.diff(events.level) < 0), len(events.level) - 1)  # the last of each level
        yield events.level[ends], total_score[ends] / n_samples, total_cost[ends] / n_samples
        score, cost = float(total_score[-1]), float(total_cost[-1])


def _events(records: ExitRecords, exits: npt.NDArray[np.int32], paid: FloatArray, samples: slice) -> Events:
    """The events of some samples, which all begin at the final exit, and pay (P+1, M) when they leave at a position."""
    used = np.flatnonzero(exits >= 0)
    confidence = records.confidence[exits[used], samples]
    highest = np.maximum.accumulate(confidence, axis=0)
    moves = np.ones(confidence.shape, np.bool_)  # where no earlier exit is as sure
    moves[1:] = confidence[1:] > highest[:-1]
    score, cost = records.score[-1, samples].astype(np.float64), paid[-1]
    gained, saved = np.empty(moves.shape), np.empty(moves.shape)
    for k in range(len(used))[::-1]:  # from the last on: before it moves here, a sample is where it moved to before
        own_score, own_cost = records.score[exits[used[k]], samples], paid[used[k]]
        gained[k], saved[k] = own_score - score, own_cost - cost
        score, cost = np.where(moves[k], own_score, score), np.where(moves[k], own_cost, cost)
    return Events.joined([Events(confidence[moves], gained[moves], saved[moves])])


def _ranges(parts: list[Events]) -> Iterator[tuple[np.float32, np.float32]]:
    """Ranges of levels with about `AT_ONCE` events each, (high, low], from the surest down; each has some."""
    size = sum(len(part.level) for part in parts)
    some = np.unique(np.concatenate([part.level[::64] for part in parts]))[::-1]
    cuts = some[np.linspace(0, len(some) - 1, max(1, round(size / AT_ONCE)) + 1).astype(np.int64)[1:-1]]
    lowest = min(part.level[-1] for part in parts)
    bounds = [max(part.level[0] for part in parts), *(cut for cut in np.unique(cuts)[::-1] if cut > lowest), -np.inf]
    for high, low in pairwise(bounds):
        if high > low:
            yield high, np.float32(low)
