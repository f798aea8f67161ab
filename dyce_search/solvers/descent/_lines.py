"""The compiled loops that price lines: one exit at all its cuts, while the rest of a choice stays as it is.

Costs and scores are whole numbers, so that their sums are exact in any order; a change of cost and one of score share
one 64-bit number, the score in its lower `shift` bits. Numba compiles the named tuples away. `score` and `costs` stand
beside them because only a plain argument that is None takes its branches out of the compiled code.
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
        bins: (B,) int64, sums of what leaving changes; zeros between two lines.
    """

    change: Any
    bins: Any


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
def value_of(objective, step, sums):  # type: ignore[no-untyped-def]
    """J of sums over the samples (whole numbers of score, of cost), see `Objective`; `step` is the score of 1."""
    score, cost = sums[0] * step, sums[1]
    return objective.price * cost - objective.gain * score + objective.curb * (cost - objective.goal) ** 2


@njit(nogil=True, cache=True)
def own_score(score, code, e, i):  # type: ignore[no-untyped-def]
    """The score of exit e on sample i, whose code is `code`."""
    if score is None:
        return np.int64(code & 1)
    return np.int64(score[e, i])


@njit(nogil=True, cache=True)
def backbone_of(coded, costs, p, i):  # type: ignore[no-untyped-def]
    """What sample i pays for the backbone up to position p."""
    if costs is None:
        return np.int64(coded.backbone[p])
    return np.int64(costs.backbone[p, i])


@njit(nogil=True, cache=True)
def head_of(coded, costs, e, i):  # type: ignore[no-untyped-def]
    """What sample i pays for the head of exit e."""
    if costs is None:
        return np.int64(coded.head[e])
    return np.int64(costs.head[e, i])


@njit(inline="always")
def unpack(packed, shift):  # type: ignore[no-untyped-def]
    """Cost and score that share a number."""
    low_bits = (np.int64(1) << shift) - 1
    score = packed & low_bits
    if score >= np.int64(1) << (shift - 1):
        score -= low_bits + 1
    return (packed - score) >> shift, score


@njit(nogil=True, cache=True)
def price(p, rest, coded, score, costs, objective, flow, leaving, choice, archive):  # type: ignore[no-untyped-def]
    """Prices every candidate at position p, at every 2^coarse-th cut, then all cuts around the best one.

    Args:
        p: the position; the other arguments as in `descend`.
        rest: sums of score and cost without an exit there.
        coded, score, costs, objective, flow, leaving, choice, archive: as in `descend`.

    Returns:
        J of the best exit and cut, -1 where none is best, its cut.
    """
    here = flow.samples[flow.row[p]][: flow.size[flow.row[p]]]
    coarse = coded.coarse
    best, best_exit, best_cut = value_of(objective, coded.step, rest), -1, 0
    above = np.int64(0)  # what the samples change that leave above the best cut's bin
    for e in range(coded.first[p], coded.first[p + 1]):
        top = count(e, here, coded.codes, score, coarse + 1, leaving)
        line = Line(p, e, top, 0, 1 << coarse)
        paid = rest[0], rest[1] + heads_of(coded, costs, e, here)
        found, cut, above_cut = scan(line, np.int64(0), paid, best, coded, leaving, objective, choice, archive)
        if found < best:
            best, best_exit, best_cut, above = found, e, cut, above_cut
    if best_exit >= 0 and coarse > 0:
        low = max(best_cut - (1 << coarse), 0)
        top = best_cut + (1 << coarse) - 1 - low
        count_some(best_exit, here, coded.codes, score, low, top, leaving)
        line = Line(p, best_exit, top, low, 1)
        paid = rest[0], rest[1] + heads_of(coded, costs, best_exit, here)
        found, cut, _ = scan(line, above, paid, best, coded, leaving, objective, choice, archive)
        if found < best:
            best, best_cut = found, cut
    return best, best_exit, best_cut


@njit(nogil=True, cache=True)
def heads_of(coded, costs, e, here):  # type: ignore[no-untyped-def]
    """What the samples (M,) that arrive pay for the head of exit e, in all."""
    if costs is None:
        return len(here) * coded.head[e]
    total = np.int64(0)
    for j in range(len(here)):
        total += costs.head[e, here[j]]
    return total


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
    change, bins = leaving.change, leaving.bins
    row = codes[e]
    m = len(here)
    top = 0
    if m == len(row):  # everybody, in order
        for i in range(m):
            c = row[i]
            bins[c >> wide] += change[i] + own_score(score, c, e, i)
            top = max(top, c)
    else:
        for j in range(m):
            i = here[j]
            c = row[i]
            bins[c >> wide] += change[j] + own_score(score, c, e, i)
            top = max(top, c)
    return top >> wide


@njit(nogil=True, cache=True)
def count_some(e, here, codes, score, low, top, leaving):  # type: ignore[no-untyped-def]
    """The same by single cuts, from cut `low` to `low + top`."""
    change, bins = leaving.change, leaving.bins
    row = codes[e]
    for j in range(len(here)):
        i = here[j]
        b = np.int64(row[i] >> 1) - low
        if 0 <= b <= top:
            bins[b] += change[j] + own_score(score, row[i], e, i)


@njit(nogil=True, cache=True)
def scan(line, above, rest, best, coded, leaving, objective, choice, archive):  # type: ignore[no-untyped-def]
    """Prices the cuts of a line, offers each to the archive, and empties the bins.

    Args:
        line: `Line`.
        above: what the samples change by leaving that are above its top bin, packed.
        rest: sums of score and cost when nobody leaves at the line's exit.
        best: J to beat.
        coded, leaving, objective, choice, archive: as in `descend`.

    Returns:
        J of the best cut if it is below `best`, else `best`; the cut; what leaving changes above its bin.
    """
    bins = leaving.bins
    kept_score, kept_cost, kept_exits, kept_cuts = archive.score, archive.cost, archive.exits, archive.cuts
    exits, cuts = choice.exits, choice.cuts
    change = above
    best_cut, best_above = 0, above
    for b in range(line.top, -1, -1):
        here = bins[b]
        if here == 0:
            continue
        before = change
        change += here
        bins[b] = 0
        cost, score = unpack(change, coded.shift)
        sums = rest[0] + score, rest[1] + cost
        priced = value_of(objective, coded.step, sums)
        cut = line.low + line.step * b
        if priced < best:
            best, best_cut, best_above = priced, cut, before
        sum_score, sum_cost = sums[0] * coded.step, sums[1]
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
