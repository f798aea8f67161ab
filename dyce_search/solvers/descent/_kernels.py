"""The compiled loops of coordinate descent: one descent, which archives every threshold that it prices."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from dyce_search.solvers.descent._lines import LEAST_GAIN, MOST_BINS, Leaving, price, unpack, value_of


class Flow(NamedTuple):
    """Who arrives where under a choice of exits. `arrive` fills it.

    Attributes:
        samples: (P+1, N) int32; row 0 holds all samples, row l those that l exits let pass, rising.
        size: (P+1,) samples in each row.
        row: (P+1,) the row of those that arrive at a position.
        heads: (P+1,) int64, cost of the heads before a position.
        left_score: (P+1,) float64, sum over those that left before a position.
        left_cost: (P+1,) int64, the same for their costs.
    """

    samples: Any
    size: Any
    row: Any
    heads: Any
    left_score: Any
    left_cost: Any


class Onward(NamedTuple):
    """What becomes of a sample that goes on past the position at hand. `go_home` starts it, `commit` keeps it true.

    Attributes:
        place: (N,) uint16, 2 * position where it will leave + (right).
        score: (N,) float32, its score there; (0,) where scores are 0/1.
        cost: (P+1,) int64, what is paid for leaving at a later position, but for the heads before the one at hand.
    """

    place: Any
    score: Any
    cost: Any


@njit(nogil=True, cache=True)
def descend(coded, score, objective, choice, archive, max_sweeps, max_lines):  # type: ignore[no-untyped-def]
    """Coordinate descent on J, from a choice of exits and cuts, which changes in place.

    Each sweep goes from the last position to the first. There, with the rest fixed, a sample that arrives either
    leaves, or goes on to a known outcome. Histograms over bins of what leaving changes, added up from the surest bin
    down, price every threshold of every candidate; each price goes to the archive.

    Args:
        coded: `Coded`, the records.
        score: (E, N) float32, or None where scores are 0/1 and the codes hold them.
        objective: `Objective`.
        choice: `Choice`.
        archive: `Archive`, which takes over what is better.
        max_sweeps: limit.
        max_lines: limit of lines (one candidate, priced at all its thresholds).

    Returns:
        J, number of lines.
    """
    flow, onward, leaving = scratch(coded, score)
    exits, cuts = choice.exits, choice.cuts
    lines = 0
    value = np.inf
    settled = -1  # the last position that changed: when a sweep comes back to it unchanged, no change helps
    for _sweep in range(max_sweeps):
        arrive(coded, score, choice, flow)
        total_score, total_cost = go_home(coded, score, flow, onward)
        value = value_of(objective, total_score, total_cost)
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
            rest_score, rest_cost = go_on(p, coded, score, flow, onward, leaving)
            none = value_of(objective, rest_score, rest_cost)
            best, best_exit, best_cut = price(
                p, none, (rest_score, rest_cost), coded, score, objective, flow, leaving, choice, archive
            )
            if best < value - LEAST_GAIN:
                changed = p
                value = best
                exits[p], cuts[p] = best_exit, best_cut
            elif exits[p] >= 0 and none <= value + LEAST_GAIN:
                changed = p
                value = none
                exits[p] = -1
            if exits[p] >= 0:
                commit(p, coded, score, choice, onward)
        if changed < 0:
            break
        settled = changed
    return value, lines


@njit(nogil=True, cache=True)
def scratch(coded, score):  # type: ignore[no-untyped-def]
    """Room for one descent."""
    n_positions = len(coded.first) - 1
    n = coded.codes.shape[1]
    n_scores = 0 if score is None else n
    flow = Flow(
        np.empty((n_positions + 1, n), np.int32), np.empty(n_positions + 1, np.int64),
        np.empty(n_positions + 1, np.int64), np.zeros(n_positions + 1, np.int64),
        np.zeros(n_positions + 1), np.zeros(n_positions + 1, np.int64),
    )  # fmt: skip
    onward = Onward(np.empty(n, np.uint16), np.empty(n_scores, np.float32), np.empty(n_positions + 1, np.int64))
    leaving = Leaving(
        np.empty(n, np.int64), np.empty(n_scores), np.zeros(MOST_BINS, np.int64),
        np.zeros(0 if score is None else MOST_BINS),
    )  # fmt: skip
    return flow, onward, leaving


@njit(nogil=True, cache=True)
def arrive(coded, score, choice, flow):  # type: ignore[no-untyped-def]
    """Sends all samples through a choice of exits, and notes who arrives where."""
    samples, size, level = flow.samples, flow.size, flow.row
    left_score, left_cost, heads = flow.left_score, flow.left_cost, flow.heads
    n = samples.shape[1]
    for i in range(n):
        samples[0, i] = i
    size[0] = n
    level[0] = 0
    for p in range(len(level) - 1):
        e = choice.exits[p]
        here = samples[level[p]]
        m = size[level[p]]
        left_score[p + 1], left_cost[p + 1] = left_score[p], left_cost[p]
        heads[p + 1] = heads[p]
        level[p + 1] = level[p]
        if e < 0 or m == 0:
            continue
        level[p + 1] += 1
        heads[p + 1] += coded.head[e]
        limit = 2 * choice.cuts[p]
        row = coded.codes[e]
        on = samples[level[p + 1]]
        stay = 0
        total = 0.0
        for j in range(m):
            i = here[j]
            c = row[i]
            out = c >= limit
            on[stay] = i
            stay += not out
            if score is None:
                total += out * (c & 1)
            elif out:
                total += score[e, i]
        size[level[p + 1]] = stay
        left_score[p + 1] += total
        left_cost[p + 1] += (m - stay) * (coded.backbone[p] + heads[p + 1])


@njit(nogil=True, cache=True)
def go_home(coded, score, flow, onward):  # type: ignore[no-untyped-def]
    """Sets the outcome of everybody to the final exit's. Returns sums of score and cost of the whole choice."""
    place, codes = onward.place, coded.codes
    n_positions = len(onward.cost) - 1
    final = codes.shape[0] - 1
    here = flow.samples[flow.row[n_positions]]
    m = flow.size[flow.row[n_positions]]
    total = 0.0
    for j in range(m):
        total += np.float64(codes[final, here[j]] & 1) if score is None else score[final, here[j]]
    onward.cost[n_positions] = coded.backbone[n_positions] + coded.head[final]
    for i in range(len(place)):
        place[i] = 2 * n_positions + (codes[final, i] & 1)
        if score is not None:
            onward.score[i] = score[final, i]
    cost = flow.left_cost[n_positions] + m * (onward.cost[n_positions] + flow.heads[n_positions])
    return flow.left_score[n_positions] + total, cost


@njit(nogil=True, cache=True)
def go_on(p, coded, score, flow, onward, leaving):  # type: ignore[no-untyped-def]
    """What each sample that arrives at position p would change by leaving.

    Returns:
        Sums of score and cost when all that arrive go on.
    """
    change, on_score = leaving.change, leaving.score
    place, place_score, place_cost = onward.place, onward.score, onward.cost
    shift, spent = coded.shift, coded.backbone[p]
    here = flow.samples[flow.row[p]]
    m = flow.size[flow.row[p]]
    table = np.zeros(2 * len(place_cost), np.int64)
    for k in range(p + 1, len(place_cost)):
        table[2 * k] = (spent - place_cost[k]) << shift
        table[2 * k + 1] = table[2 * k] - 1
    total = np.int64(0)
    total_score = 0.0
    for j in range(m):
        i = here[j]
        v = place[i]
        if score is None:
            change[j] = table[v]
        else:
            change[j] = table[v & ~1]
            on_score[j] = place_score[i]
            total_score += place_score[i]
        total += change[j]
    cost, right = unpack(total, shift)
    return flow.left_score[p] + total_score - right, flow.left_cost[p] + m * (flow.heads[p] + spent) - cost


@njit(nogil=True, cache=True)
def commit(p, coded, score, choice, onward):  # type: ignore[no-untyped-def]
    """Has the samples leave at position p that its exit and cut let leave."""
    place = onward.place
    e = choice.exits[p]
    for k in range(p + 1, len(onward.cost)):
        onward.cost[k] += coded.head[e]
    onward.cost[p] = coded.backbone[p] + coded.head[e]
    limit = 2 * choice.cuts[p]
    row = coded.codes[e]
    for i in range(len(place)):
        c = row[i]
        place[i] = 2 * p + (c & 1) if c >= limit else place[i]
    if score is not None:
        for i in range(len(place)):
            onward.score[i] = score[e, i] if row[i] >= limit else onward.score[i]
