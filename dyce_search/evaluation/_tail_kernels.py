"""The compiled loops of `cost_tails`: what every sample pays, and the largest of it."""

import numpy as np

from dyce_search.compiled import inlined, loop, part
from dyce_search.evaluation import config

leaves = inlined(config.leaves)

BINS = 2048  # of a histogram in which ranks are found; then the entries of their bins are sorted


@part
def fill_paid(confidence, charges, exits, threshold, flight, paid, heads):  # type: ignore[no-untyped-def]
    """Fills paid (N,) with what each sample pays under one configuration; flight (N,) and heads (N,) are scratch."""
    n_positions, n = len(exits), len(paid)
    going = n
    for i in range(n):
        flight[i] = i
        heads[i] = 0.0
    for p in range(n_positions):
        e = exits[p]
        if e < 0:
            continue
        stay = 0
        for j in range(going):
            i = flight[j]
            heads[i] += charges.head[e, i]
            paid[i] = charges.backbone[p, i] + heads[i]
            flight[stay] = i
            stay += not leaves(confidence[e, i], threshold[p])
        going = stay
    for j in range(going):
        i = flight[j]
        paid[i] = charges.backbone[n_positions, i] + heads[i] + charges.head[-1, i]


@part
def largest(values, ranks, codes, inside, found):  # type: ignore[no-untyped-def]
    """Fills found (S,) with the entries of values (N,) that have the ranks (S,), rising; 0 is the largest.

    Only what shares a bin of a histogram with a rank is sorted. Codes (N,) uint16 and inside (N,) are scratch.
    """
    low, high = values.min(), values.max()
    if high == low:
        found[:] = high
        return
    scale = (BINS - 1) / (high - low)
    size = np.zeros(BINS, np.int64)
    for i in range(len(values)):
        codes[i] = int((high - values[i]) * scale)
        size[codes[i]] += 1
    stop = np.cumsum(size)
    wanted = np.searchsorted(stop, ranks, side="right")  # the bin of each rank
    place = np.full(BINS, -1, np.int64)
    filled = 0
    for b in wanted:
        if place[b] < 0:
            place[b] = filled
            filled += size[b]
    for i in range(len(values)):
        at = place[codes[i]]
        if at >= 0:
            inside[at] = values[i]
            place[codes[i]] = at + 1
    sorted_bin = -1
    for k in range(len(ranks)):
        b = wanted[k]
        first = place[b] - size[b]
        if b != sorted_bin:
            inside[first : place[b]].sort()
            sorted_bin = b
        found[k] = inside[first + stop[b] - 1 - ranks[k]]


@loop
def fill_tails(confidence, charges, exits, threshold, first, stop, ranks, tails):  # type: ignore[no-untyped-def]
    """Fills tails (F, S) for the configurations first .. stop - 1."""
    n = confidence.shape[1]
    flight, paid, heads = np.empty(n, np.int32), np.empty(n, np.float64), np.empty(n, np.float64)
    codes = np.empty(n, np.uint16)
    for f in range(first, stop):
        fill_paid(confidence, charges, exits[f], threshold[f], flight, paid, heads)
        largest(paid, ranks, codes, heads, tails[f])


@loop
def count_over(confidence, charges, exits, threshold, first, stop, most, over):  # type: ignore[no-untyped-def]
    """Fills over (F,) with how many samples pay more than `most`, for the configurations first .. stop - 1."""
    n = confidence.shape[1]
    flight, paid, heads = np.empty(n, np.int32), np.empty(n, np.float64), np.empty(n, np.float64)
    for f in range(first, stop):
        fill_paid(confidence, charges, exits[f], threshold[f], flight, paid, heads)
        over[f] = np.count_nonzero(paid > most)
