"""The compiled loops that price lines: one exit at all its cuts, while the rest of a choice stays as it is.

Costs and scores are whole numbers, so that their sums are exact in any order; a change of cost and one of score share
one 64-bit number, the score in its lower `shift` bits. Numba compiles the named tuples away. `costs` stand beside them
because only a plain argument that is None takes its branches out of the compiled code. Numbers of exits and samples
are passed on as int64, so that each part is compiled once.
"""

from typing import Any, NamedTuple

import numpy as np

from dyce_search.compiled import part

LEAST_GAIN = 1e-11  # of J; below this a change is rounding, and could go on for ever
MOST_BINS = 1 << 15  # a code has two bytes: 15 bits of bin, one of score


class Scores(NamedTuple):
    """Scores as whole numbers.

    Attributes:
        values: (E, N) int16; of 0/1 scores the codes, whose last bit is the score.
        mask: 1 for such codes, else -1.
    """

    values: Any
    mask: int


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


@part
def value_of(objective, step, sums):  # type: ignore[no-untyped-def]
    """J of sums over the samples (whole numbers of score, of cost), see `Objective`; `step` is the score of 1."""
    score, cost = sums[0] * step, sums[1]
    off = cost - objective.goal
    return objective.price * cost - objective.gain * score + objective.curb * (off * off)


@part
def backbone_of(coded, costs, p, i):  # type: ignore[no-untyped-def]
    """What sample i pays for the backbone up to position p."""
    if costs is None:
        return np.int64(coded.backbone[p])
    return np.int64(costs.backbone[p, i])


@part
def head_of(coded, costs, e, i):  # type: ignore[no-untyped-def]
    """What sample i pays for the head of exit e."""
    if costs is None:
        return np.int64(coded.head[e])
    return np.int64(costs.head[e, i])


@part
def unpack(packed, shift):  # type: ignore[no-untyped-def]
    """Score and cost that share a number."""
    low_bits = (np.int64(1) << shift) - 1
    score = packed & low_bits
    if score >= np.int64(1) << (shift - 1):
        score -= low_bits + 1
    return score, (packed - score) >> shift


@part
def price(p, rest, coded, scores, costs, objective, flow, choice, archive):  # type: ignore[no-untyped-def]
    """Prices every candidate at position p, at every 2^coarse-th cut, then all cuts around the best one.

    Args:
        p: the position; the other arguments as in `descend`.
        rest: sums of score and cost without an exit there.
        coded, scores, costs, objective, flow, choice, archive: as in `descend`.

    Returns:
        J of the best exit and cut, -1 where none is best, its cut.
    """
    here = flow.samples[flow.row[p]][: flow.size[flow.row[p]]]
    coarse = coded.coarse
    best, best_exit, best_cut = value_of(objective, coded.step, rest), np.int64(-1), 0
    above, paid = np.int64(0), rest  # of the best exit: what leaving changes above its cut's bin; sums without leaving
    for e in range(coded.first[p], coded.first[p + 1]):
        top = count(e, here, coded.codes, scores, coarse + 1, flow.change, flow.bins)
        line = Line(p, e, top, 0, 1 << coarse)
        with_head = rest[0], rest[1] + heads_of(coded, costs, e, here)
        found, cut, above_cut = scan(line, np.int64(0), with_head, best, coded, flow.bins, objective, choice, archive)
        if found < best:
            best, best_exit, best_cut, above, paid = found, e, cut, above_cut, with_head
    if best_exit >= 0 and coarse > 0:
        low = best_cut - (1 << coarse) if best_cut > 1 << coarse else 0
        top = best_cut + (1 << coarse) - 1 - low
        count_some(best_exit, here, coded.codes, scores, low, top, flow.change, flow.bins)
        line = Line(p, best_exit, top, low, 1)
        found, cut, _ = scan(line, above, paid, best, coded, flow.bins, objective, choice, archive)
        if found < best:
            best, best_cut = found, cut
    return best, best_exit, best_cut


@part
def heads_of(coded, costs, e, here):  # type: ignore[no-untyped-def]
    """What the samples (M,) that arrive pay for the head of exit e, in all."""
    if costs is None:
        return len(here) * coded.head[e]
    total = np.int64(0)
    for j in range(len(here)):
        total += costs.head[e, here[j]]
    return total


@part
def count(e, here, codes, scores, wide, change, bins):  # type: ignore[no-untyped-def]
    """Adds up by bin, of 2^(wide - 1) cuts each, what leaving changes. Returns the highest bin.

    Args:
        e: the exit.
        here: (M,) samples that arrive.
        codes: (E, N) uint16; scores: `Scores`, as in `descend`.
        wide: bits of a code below its bin.
        change: (M,) int64 and bins (B,) int64, see `Flow`.
    """
    row, values, mask = codes[e], scores.values[e], scores.mask
    m = len(here)
    top = 0
    if m == len(row):  # everybody, in order
        for i in range(m):
            c = row[i]
            bins[c >> wide] += change[i] + (values[i] & mask)
            top = c if c > top else top
    else:
        for j in range(m):
            i = here[j]
            c = row[i]
            bins[c >> wide] += change[j] + (values[i] & mask)
            top = c if c > top else top
    return top >> wide


@part
def count_some(e, here, codes, scores, low, top, change, bins):  # type: ignore[no-untyped-def]
    """The same by single cuts, from cut `low` to `low + top`."""
    row, values, mask = codes[e], scores.values[e], scores.mask
    for j in range(len(here)):
        i = here[j]
        b = np.int64(row[i] >> 1) - low
        if 0 <= b <= top:
            bins[b] += change[j] + (values[i] & mask)


@part
def scan(line, above, rest, best, coded, bins, objective, choice, archive):  # type: ignore[no-untyped-def]
    """Prices the cuts of a line, offers each to the archive, and empties the bins.

    Args:
        line: `Line`.
        above: what the samples change by leaving that are above its top bin, packed.
        rest: sums of score and cost when nobody leaves at the line's exit.
        best: J to beat.
        bins: see `Flow`.
        coded, objective, choice, archive: as in `descend`.

    Returns:
        J of the best cut if it is below `best`, else `best`; the cut; what leaving changes above its bin.
    """
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
        score, cost = unpack(change, coded.shift)
        sums = rest[0] + score, rest[1] + cost
        priced = value_of(objective, coded.step, sums)
        cut = line.low + line.step * b
        if priced < best:
            best, best_cut, best_above = priced, cut, before
        sum_score, sum_cost = sums[0] * coded.step, sums[1]
        bucket = np.int64((sum_cost - archive.low) * archive.scale)
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
