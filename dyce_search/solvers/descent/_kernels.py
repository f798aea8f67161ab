"""The compiled loops of coordinate descent: one descent, which archives every threshold that it prices."""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from dyce_search.compiled import loop, part
from dyce_search.solvers.descent._lines import (
    LEAST_GAIN,
    MOST_BINS,
    backbone_of,
    head_of,
    price,
    unpack,
    value_of,
)


class Flow(NamedTuple):
    """Who arrives where under a choice of exits, and what becomes of them: room for one descent.

    Attributes:
        samples: (P+1, N) int32; row 0 holds all samples, row l those that l exits let pass, rising.
        size: (P+1,) samples in each row.
        row: (P+1,) the row of those that arrive at a position.
        heads: (P+1,) int64, what those that arrive at a position have paid for heads before it, in all.
        left_score: (P+1,) int64, sum over those that left before a position.
        left_cost: (P+1,) int64, the same for their costs.
        spent: (N,) int64, what each sample has paid for heads; (0,) where costs are the same for all.
        onward: (N,) int64, what becomes of a sample that goes on past the position at hand, its score and what it pays,
            but for the heads before that position, packed; `commit` keeps it true.
        change: (N,) int64, what leaving at the position at hand changes for each that arrives, but for its score here.
        bins: (B,) int64, sums of what leaving changes; zeros between two lines.
        over: (1,) bool, set from outside once the time is over.
    """

    samples: Any
    size: Any
    row: Any
    heads: Any
    left_score: Any
    left_cost: Any
    spent: Any
    onward: Any
    change: Any
    bins: Any
    over: Any

    @classmethod
    def of(cls, n_positions: int, n: int, by_sample: bool, over: npt.NDArray[np.bool_]) -> Self:
        """For so many positions and samples."""
        size, row, heads, left_score, left_cost = np.zeros((5, n_positions + 1), np.int64)
        onward, change = np.empty((2, n), np.int64)
        return cls(
            samples=np.empty((n_positions + 1, n), np.int32),
            size=size,
            row=row,
            heads=heads,
            left_score=left_score,
            left_cost=left_cost,
            spent=np.empty(n if by_sample else 0, np.int64),
            onward=onward,
            change=change,
            bins=np.zeros(MOST_BINS, np.int64),
            over=over,
        )


@loop
def descend(coded, scores, costs, objective, choice, archive, flow, max_sweeps, max_lines):  # type: ignore[no-untyped-def]
    """Coordinate descent on J, from a choice of exits and cuts, which changes in place.

    Each sweep goes from the last position to the first. There, with the rest fixed, a sample that arrives either
    leaves, or goes on to a known outcome. Histograms over bins of what leaving changes, added up from the surest bin
    down, price every threshold of every candidate; each price goes to the archive.

    Args:
        coded: `Coded`, the records.
        scores: `Scores`.
        costs: `WholeCosts` of each sample, or None where they are the same for all.
        objective: `Objective`.
        choice: `Choice`.
        archive: `Archive`, which takes over what is better.
        flow: `Flow`.
        max_sweeps: limit.
        max_lines: limit of lines (one candidate, priced at all its thresholds).

    Returns:
        J, number of lines.
    """
    exits, cuts = choice.exits, choice.cuts
    last, final = len(exits), len(coded.codes) - 1
    lines = 0
    value = np.inf
    settled = -1  # the last position that changed: when a sweep comes back to it unchanged, no change helps
    for _sweep in range(max_sweeps):
        arrive(coded, scores, costs, choice, flow)
        commit(last, final, np.int64(0), coded, scores, costs, flow.onward)  # everybody goes on to the final exit
        value = value_of(objective, coded.step, go_on(last, coded, costs, flow))
        changed = -1
        for p in range(last - 1, -1, -1):
            if p == settled and changed < 0:
                return value, lines
            if flow.size[flow.row[p]] == 0:
                exits[p] = -1  # nobody comes here: an exit would do nothing
                continue
            candidates = coded.first[p + 1] - coded.first[p]
            if lines + candidates > max_lines or flow.over[0]:
                return value, lines
            lines += candidates
            rest = go_on(p, coded, costs, flow)
            none = value_of(objective, coded.step, rest)
            best, best_exit, best_cut = price(p, rest, coded, scores, costs, objective, flow, choice, archive)
            if best < value - LEAST_GAIN:
                changed = p
                value = best
                exits[p], cuts[p] = best_exit, best_cut
            elif exits[p] >= 0 and none <= value + LEAST_GAIN:
                changed = p
                value = none
                exits[p] = -1
            if exits[p] >= 0:
                commit(p, np.int64(exits[p]), 2 * cuts[p], coded, scores, costs, flow.onward)
        if changed < 0:
            break
        settled = changed
    return value, lines


@part
def arrive(coded, scores, costs, choice, flow):  # type: ignore[no-untyped-def]
    """Sends all samples through a choice of exits, and notes who arrives where."""
    samples, size, level, spent = flow.samples, flow.size, flow.row, flow.spent
    left_score, left_cost = flow.left_score, flow.left_cost
    n = samples.shape[1]
    for i in range(n):
        samples[0, i] = i
    for i in range(len(spent)):
        spent[i] = 0
    size[0] = n
    level[0] = 0
    heads = np.int64(0)
    for p in range(len(level) - 1):
        e = choice.exits[p]
        here = samples[level[p]]
        m = size[level[p]]
        left_score[p + 1], left_cost[p + 1] = left_score[p], left_cost[p]
        flow.heads[p + 1] = flow.heads[p]
        level[p + 1] = level[p]
        if e < 0 or m == 0:
            continue
        level[p + 1] += 1
        limit = 2 * choice.cuts[p]
        row = coded.codes[e]
        on = samples[level[p + 1]]
        stay = 0
        total = np.int64(0)
        for j in range(m):
            i = here[j]
            out = row[i] >= limit
            on[stay] = i
            stay += not out
            total += out * (scores.values[e, i] & scores.mask)
        size[level[p + 1]] = stay
        left_score[p + 1] += total
        if costs is None:
            heads += coded.head[e]
            left_cost[p + 1] += (m - stay) * (coded.backbone[p] + heads)
            flow.heads[p + 1] = stay * heads
            continue
        paid, kept = np.int64(0), np.int64(0)
        for j in range(m):
            i = here[j]
            spent[i] += costs.head[e, i]
            out = row[i] >= limit
            paid += out * (costs.backbone[p, i] + spent[i])
            kept += (not out) * spent[i]
        left_cost[p + 1] += paid
        flow.heads[p + 1] = kept


@part
def go_on(p, coded, costs, flow):  # type: ignore[no-untyped-def]
    """What each sample that arrives at position p would change by leaving.

    Returns:
        Sums of score and cost when all that arrive go on.
    """
    here, onward, change = flow.samples[flow.row[p]], flow.onward, flow.change
    total = np.int64(0)
    for j in range(flow.size[flow.row[p]]):
        i = here[j]
        total += onward[i]
        change[j] = (backbone_of(coded, costs, p, np.int64(i)) << coded.shift) - onward[i]
    score, cost = unpack(total, coded.shift)
    return flow.left_score[p] + score, flow.left_cost[p] + flow.heads[p] + cost


@part
def commit(p, e, limit, coded, scores, costs, onward):  # type: ignore[no-untyped-def]
    """Has the samples leave at exit e of position p whose codes reach a limit; all that come by pay for its head."""
    row, values, mask = coded.codes[e], scores.values[e], scores.mask
    for i in range(len(onward)):
        stop = (backbone_of(coded, costs, p, i) << coded.shift) + (values[i] & mask)
        onward[i] = (stop if row[i] >= limit else onward[i]) + (head_of(coded, costs, e, i) << coded.shift)
