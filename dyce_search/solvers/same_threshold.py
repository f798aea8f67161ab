"""One global threshold over all exits of one type: the baseline of most early-exit papers."""

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.config import threshold_between
from dyce_search.evaluation.evaluate import non_dominated
from dyce_search.evaluation.outcomes import paid_everywhere
from dyce_search.records.sample_costs import differing
from dyce_search.solvers.run import Run

MAX_LEVELS = 2000  # of one type that are handed in


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
    records = run.records
    costs = records.costs
    for k in range(int(costs.n_candidates.max())):
        has_type = costs.n_candidates > k
        run.spend(int(np.count_nonzero(has_type)))
        exits = np.where(has_type, costs.first[:-1] + k, -1).astype(np.int32)
        levels, accuracy, cost = all_levels(run, exits)
        best = non_dominated(cost, accuracy)
        if len(best) > MAX_LEVELS:
            best = best[np.linspace(0, len(best) - 1, MAX_LEVELS).astype(np.int64)]
        kept = levels[best]
        run.propose(np.tile(exits, (len(kept), 1)), np.repeat(kept[:, None], costs.n_positions, axis=1))


def all_levels(
    run: Run, exits: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Thresholds (L,), accuracy (L,) and cost (L,) at every distinct level of one global threshold."""
    records = run.records
    paid = paid_everywhere(records, exits)
    highest = np.full(records.n_samples, -np.inf, np.float32)  # confidence up to here: the sample leaves above it
    events = []
    for p, e in enumerate(exits):
        if e < 0:
            continue
        higher = np.flatnonzero(records.confidence[e] > highest)
        events.append((records.confidence[e, higher], higher, np.full(len(higher), p), paid[p, higher]))
        highest[higher] = records.confidence[e, higher]
    level, sample, position, cost = (np.concatenate(part) for part in zip(*events, strict=True))
    # As the threshold falls below `level`, the sample moves to `position` from where its next higher event put it.
    order = np.lexsort((-position, -level))
    level, sample, position, cost = level[order], sample[order], position[order], cost[order]
    score = records.score[exits[position], sample].astype(np.float64)
    by_sample = np.argsort(sample, kind="stable")
    first = np.concatenate([[True], np.diff(sample[by_sample]) > 0])
    before_score, before_cost = np.empty(len(level)), np.empty(len(level))
    before_score[by_sample] = np.where(first, records.score[-1, sample[by_sample]], np.roll(score[by_sample], 1))
    before_cost[by_sample] = np.where(first, paid[-1, sample[by_sample]], np.roll(cost[by_sample], 1))
    whole = paid[-1, 0] * records.n_samples if differing(records.sample_costs) is None else paid[-1].sum()
    ends = np.flatnonzero(np.diff(level) < 0)  # last event of each level but the lowest
    total_score = records.score[-1].sum(dtype=np.float64) + np.cumsum(score - before_score)
    total_cost = whole + np.cumsum(cost - before_cost)
    thresholds = threshold_between(level[ends + 1], level[ends])
    pick = np.append(ends, len(level) - 1)
    return (
        np.append(thresholds, np.float32(-np.inf)),
        total_score[pick] / records.n_samples,
        total_cost[pick] / records.n_samples,
    )
