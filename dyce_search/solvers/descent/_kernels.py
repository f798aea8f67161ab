"""The compiled loops of coordinate descent: one descent, which archives every threshold that it prices."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from dyce_search.solvers.descent._lines import (
    LEAST_GAIN,
    MOST_BINS,
    Leaving,
    backbone_of,
    head_of,
    own_score,
    price,
    unpack,
    value_of,
)


class Flow(NamedTuple):
    """Who arrives where under a choice of exits. `arrive` fills it.

    Attributes:
        samples: (P+1, N) int32; row 0 holds all samples, row l those that l exits let pass, rising.
        size: (P+1,) samples in each row.
        row: (P+1,) the row of those that arrive at a position.
        heads: (P+1,) int64, what those that arrive at a position have paid for heads before it, in all.
        left_score: (P+1,) int64, sum over those that left before a position.
        left_cost: (P+1,) int64, the same for their costs.
        spent: (N,) int64, what each sample has paid for heads; (0,) where costs are the same for all.
    """

    samples: Any
    size: Any
    row: Any
    heads: Any
    left_score: Any
    left_cost: Any
    spent: Any


@njit(nogil=True, cache=True)
def descend(coded, score, costs, objective, choice, archive, max_sweeps, max_lines):  # type: ignore[no-untyped-def]
    """Coordinate descent on J, from a choice of exits and cuts, which changes in place.

    Each sweep goes from the last position to the first. There, with the rest fixed, a sample that arrives either
    leaves, or goes on to a known outcome. Histograms over bins of what leaving changes, added up from the surest bin
    down, price every threshold of every candidate; each price goes to the archive.

    Args:
        coded: `Coded`, the records.
        score: (E, N) int16, or None where scores are 0/1 and the codes hold them.
        costs: `WholeCosts` of each sample, or None where they are the same for all.
        objective: `Objective`.
        choice: `Choice`.
        archive: `Archive`, which takes over what is better.
        max_sweeps: limit.
        max_lines: limit of lines (one candidate, priced at all its thresholds).

    Returns:
        J, number of lines.
    """
    flow, leaving, onward = scratch(coded, costs)
    exits, cuts = choice.exits, choice.cuts
    lines = 0
    value = np.inf
    settled = -1  # the last position that changed: when a sweep comes back to it unchanged, no change helps
    for _sweep in range(max_sweeps):
        arrive(coded, score, costs, choice, flow)
        value = value_of(objective, coded.step, go_home(coded, score, costs, flow, onward))
        changed = -1
        for p in range(len(exits) - 1, -1, -1):
            if p == settled and changed < 0:
                return value, lines
            if flow.size[flow.row[p]] == 0:
                exits[p] = -1  # nobody comes here: an exit would do nothing
                continue
            candidates = coded.first[p + 1] - coded.first[p]
            if lines + candidates > max_lines:
                return value, lines
            lines += candidates
            rest = go_on(p, coded, costs, flow, onward, leaving)
            none = value_of(objective, coded.step, rest)
            best, best_exit, best_cut = price(p, rest, coded, score, costs, objective, flow, leaving, choice, archive)
            if best < value - LEAST_GAIN:
                changed = p
                value = best
                exits[p], cuts[p] = best_exit, best_cut
            elif exits[p] >= 0 and none <= value + LEAST_GAIN:
                changed = p
                value = none
                exits[p] = -1
            if exits[p] >= 0:
                commit(p, coded, score, costs, choice, onward)
        if changed < 0:
            break
        settled = changed
    return value, lines


@njit(nogil=True, cache=True)
def scratch(coded, costs):  # type: ignore[no-untyped-def]
    """Room for one descent: `Flow`, `Leaving`, and onward (N,) int64.

    `onward` is what becomes of a sample that goes on past the position at hand, its score and what it pays, but for
    the heads before that position, packed; `go_home` starts it, `commit` keeps it true.
    """
    n_positions = len(coded.first) - 1
    n = coded.codes.shape[1]
    flow = Flow(
        np.empty((n_positions + 1, n), np.int32), np.empty(n_positions + 1, np.int64),
        np.empty(n_positions + 1, np.int64), np.zeros(n_positions + 1, np.int64),
        np.zeros(n_positions + 1, np.int64), np.zeros(n_positions + 1, np.int64),
        np.empty(0 if costs is None else n, np.int64),
    )  # fmt: skip
    return flow, Leaving(np.empty(n, np.int64), np.zeros(MOST_BINS, np.int64)), np.empty(n, np.int64)


@njit(nogil=True, cache=True)
def arrive(coded, score, costs, choice, flow):  # type: ignore[no-untyped-def]
    """Sends all samples through a choice of exits, and notes who arrives where."""
    samples, size, level, spent = flow.samples, flow.size, flow.row, flow.spent
    left_score, left_cost = flow.left_score, flow.left_cost
    n = samples.shape[1]
    for i in range(n):
        samples[0, i] = i
    spent[:] = 0
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
            c = row[i]
            out = c >= limit
            on[stay] = i
            stay += not out
            total += out * own_score(score, c, e, i)
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


@njit(nogil=True, cache=True)
def go_home(coded, score, costs, flow, onward):  # type: ignore[no-untyped-def]
    """Has everybody go on to the final exit. Returns sums of score and cost of the whole choice."""
    last = len(flow.row) - 1
    final = len(coded.codes) - 1
    for i in range(len(onward)):
        paid = backbone_of(coded, costs, last, i) + head_of(coded, costs, final, i)
        onward[i] = (paid << coded.shift) + own_score(score, coded.codes[final, i], final, i)
    return waiting(last, coded, flow, onward)


@njit(inline="always")
def waiting(p, coded, flow, onward):  # type: ignore[no-untyped-def]
    """Sums of score and cost over all samples when all that arrive at position p go on."""
    here = flow.samples[flow.row[p]]
    total = np.int64(0)
    for j in range(flow.size[flow.row[p]]):
        total += onward[here[j]]
    cost, score = unpack(total, coded.shift)
    return flow.left_score[p] + score, flow.left_cost[p] + flow.heads[p] + cost


@njit(nogil=True, cache=True)
def go_on(p, coded, costs, flow, onward, leaving):  # type: ignore[no-untyped-def]
    """What each sample that arrives at position p would change by leaving.

    Returns:
        Sums of score and cost when all that arrive go on.
    """
    here = flow.samples[flow.row[p]]
    change = leaving.change
    for j in range(flow.size[flow.row[p]]):
        i = here[j]
        change[j] = (backbone_of(coded, costs, p, i) << coded.shift) - onward[i]
    return waiting(p, coded, flow, onward)


@njit(nogil=True, cache=True)
def commit(p, coded, score, costs, choice, onward):  # type: ignore[no-untyped-def]
    """Has the samples leave at position p that its exit and cut let leave; all that come by pay for its head."""
    e = choice.exits[p]
    limit = 2 * choice.cuts[p]
    row = coded.codes[e]
    for i in range(len(onward)):
        c = row[i]
        stop = (backbone_of(coded, costs, p, i) << coded.shift) + own_score(score, c, e, i)
        onward[i] = (stop if c >= limit else onward[i]) + (head_of(coded, costs, e, i) << coded.shift)
