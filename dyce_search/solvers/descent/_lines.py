"""The compiled loops that price lines: one exit at all its cuts, while the rest of a choice stays as it is.

Costs are whole numbers, so that their sums are exact in any order; a change of cost and one of a 0/1 score share one
64-bit number, the score in its lower `shift` bits. Numba compiles the named tuples away. `score` stands beside them
because only a plain argument that is None takes its branches out of the compiled code.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

LEAST_GAIN = 1e-11  # of J; below this a change is rounding, and could go on for ever
MOST_BINS = 1 << 15  # a code has two bytes: 15 bits of bin, one of score


class Leaving(NamedTuple):
    """What leaving at the position at hand changes. `go_on` fills it for the samples, `count` for the bins.

    Attributes:
        change: (N,) int64, cost and score of each that arrives, but for its score here.
        score: (N,) float64, its score when it goes on; (0,) where scores are 0/1.
        bins: (B,) int64, sums of `change` and of 0/1 scores; zeros between two lines.
        score_bins: (B,) float64, sums of changes of score; (0,) where scores are 0/1.
    """

    change: Any
    score: Any
    bins: Any
    score_bins: Any


class Line(NamedTuple):
    """The cuts low + step * b, b = top .. 0, of one exit.

    Attributes:
        position: where it stands.
        exit: the exit.
        top: bin of the dearest cut.
        low: cut of bin 0.
        step: cuts a bin.
    """

    position: int
    exit: int
    top: int
    low: int
    step: int


@njit(inline="always")
def value_of(objective, score, cost):  # type: ignore[no-untyped-def]
    """J of sums over the samples, see `Objective`."""
    return objective.price * cost - objective.gain * score + objective.curb * (cost - objective.goal) ** 2


@njit(inline="always")
def unpack(packed, shift):  # type: ignore[no-untyped-def]
    """Cost and 0/1 score that share a number."""
    low_bits = (np.int64(1) << shift) - 1
    score = packed & low_bits
    if score >= np.int64(1) << (shift - 1):
        score -= low_bits + 1
    return (packed - score) >> shift, score


@njit(nogil=True, cache=True)
def price(p, none, rest, coded, score, objective, flow, leaving, choice, archive):  # type: ignore[no-untyped-def]
    """Prices every candidate at position p, at every 2^coarse-th cut, then all cuts around the best one.

    Args:
        p: the position; the other arguments as in `descend`.
        none: J without an exit there.
        rest: sums of score and cost then.
        coded, score, objective, flow, leaving, choice, archive: as in `descend`.

    Returns:
        J of the best exit and cut, -1 where none is best, its cut.
    """
    m = flow.size[flow.row[p]]
    here = flow.samples[flow.row[p]][:m]
    coarse = coded.coarse
    best, best_exit, best_cut = none, -1, 0
    above = np.int64(0), 0.0  # what the samples change that leave above the best cut's bin
    for e in range(coded.first[p], coded.first[p + 1]):
        top = count(e, here, coded.codes, score, coarse + 1, leaving)
        line = Line(p, e, top, 0, 1 << coarse)
        paid = rest[0], rest[1] + m * coded.head[e]
        found, cut, above_cut = scan(
            line, (np.int64(0), 0.0), paid, best, score, leaving, objective, choice, archive, coded.shift
        )
        if found < best:
            best, best_exit, best_cut, above = found, e, cut, above_cut
    if best_exit >= 0 and coarse > 0:
        low = max(best_cut - (1 << coarse), 0)
        top = best_cut + (1 << coarse) - 1 - low
        count_some(best_exit, here, coded.codes, score, low, top, leaving)
        line = Line(p, best_exit, top, low, 1)
        paid = rest[0], rest[1] + m * coded.head[best_exit]
        found, cut, _ = scan(line, above, paid, best, score, leaving, objective, choice, archive, coded.shift)
        if found < best:
            best, best_cut = found, cut
    return best, best_exit, best_cut


@njit(nogil=True, cache=True)
def count(e, here, codes, score, wide, leaving):  # type: ignore[no-untyped-def]
    """Adds up by bin, of 2^(wide - 1) cuts each, what leaving changes. Returns the highest bin.

    Args:
        e: the exit.
        here: (M,) samples that arrive.
        codes: (E, N) uint16; score: (E, N) or None, as in `descend`.
        wide: bits of a code below its bin.
        leaving: `Leaving`.
    """
    change, on_score, bins, score_bins = leaving.change, leaving.score, leaving.bins, leaving.score_bins
    row = codes[e]
    m = len(here)
    top = 0
    if score is not None:
        own = score[e]
        for j in range(m):
            i = here[j]
            b = row[i] >> wide
            bins[b] += change[j]
            score_bins[b] += own[i] - on_score[j]
            top = max(top, b)
        return top
    if m == len(row):  # everybody, in order
        for i in range(m):
            c = row[i]
            bins[c >> wide] += change[i] + (c & 1)
            top = max(top, c)
    else:
        for j in range(m):
            c = row[here[j]]
            bins[c >> wide] += change[j] + (c & 1)
            top = max(top, c)
    return top >> wide


@njit(nogil=True, cache=True)
def count_some(e, here, codes, score, low, top, leaving):  # type: ignore[no-untyped-def]
    """The same by single cuts, from cut `low` to `low + top`."""
    change, on_score, bins, score_bins = leaving.change, leaving.score, leaving.bins, leaving.score_bins
    row = codes[e]
    for j in range(len(here)):
        i = here[j]
        b = np.int64(row[i] >> 1) - low
        if 0 <= b <= top:
            if score is None:
                bins[b] += change[j] + (row[i] & 1)
            else:
                bins[b] += change[j]
                score_bins[b] += score[e, i] - on_score[j]


@njit(nogil=True, cache=True)
def scan(line, above, rest, best, score, leaving, objective, choice, archive, shift):  # type: ignore[no-untyped-def]
    """Prices the cuts of a line, offers each to the archive, and empties the bins.

    Args:
        line: `Line`.
        above: what the samples change by leaving that are above its top bin, packed; their score.
        rest: sums of score and cost when nobody leaves at the line's exit.
        best: J to beat.
        score, leaving, objective, choice, archive, shift: as in `descend`.

    Returns:
        J of the best cut if it is below `best`, else `best`; the cut; what leaving changes above its bin.
    """
    bins, score_bins = leaving.bins, leaving.score_bins
    kept_score, kept_cost, kept_exits, kept_cuts = archive.score, archive.cost, archive.exits, archive.cuts
    exits, cuts = choice.exits, choice.cuts
    change, score_change = above
    best_cut, best_above = 0, above
    for b in range(line.top, -1, -1):
        here = bins[b]
        if here == 0 and (score is None or score_bins[b] == 0.0):
            continue
        before = change, score_change
        change += here
        bins[b] = 0
        cost, right = unpack(change, shift)
        if score is None:
            sum_score = rest[0] + right
        else:
            score_change += score_bins[b]
            score_bins[b] = 0.0
            sum_score = rest[0] + score_change
        sum_cost = rest[1] + cost
        priced = value_of(objective, sum_score, sum_cost)
        cut = line.low + line.step * b
        if priced < best:
            best, best_cut, best_above = priced, cut, before
        bucket = int((sum_cost - archive.low) * archive.scale)
        if 0 <= bucket < len(kept_score) and (
            sum_score > kept_score[bucket] or (sum_score == kept_score[bucket] and sum_cost < kept_cost[bucket])
        ):
            kept_score[bucket], kept_cost[bucket] = sum_score, sum_cost
            for q in range(len(exits)):
                kept_exits[bucket, q] = exits[q]
                kept_cuts[bucket, q] = cuts[q]
            kept_exits[bucket, line.position] = line.exit
            kept_cuts[bucket, line.position] = cut
    return best, best_cut, best_above
