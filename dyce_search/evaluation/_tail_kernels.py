"""The compiled loops of `cost_tails`: what every sample pays, and the largest of it."""

import numpy as np
from numba import njit

from dyce_search.evaluation import config

leaves = njit(inline="always")(config.leaves)

BINS = 2048  # of a histogram in which a rank is found; then the entries of its bin are sorted


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def largest(values, ranks, found):  # type: ignore[no-untyped-def]
    """Fills found (S,) with the entries of values (N,) that have the ranks (S,), rising; 0 is the largest."""
    low, high = values.min(), values.max()
    if high == low:
        found[:] = high
        return
    scale = (BINS - 1) / (high - low)
    size = np.zeros(BINS, np.int64)
    for value in values:
        size[int((high - value) * scale)] += 1
    stop = np.cumsum(size)
    k = 0
    while k < len(ranks):
        b = np.searchsorted(stop, ranks[k], side="right")
        inside = np.empty(size[b], np.float64)
        taken = 0
        for value in values:
            if int((high - value) * scale) == b:
                inside[taken] = value
                taken += 1
        inside.sort()
        while k < len(ranks) and ranks[k] < stop[b]:
            found[k] = inside[stop[b] - 1 - ranks[k]]
            k += 1


@njit(nogil=True, cache=True)
def fill_tails(confidence, charges, exits, threshold, first, stop, ranks, tails):  # type: ignore[no-untyped-def]
    """Fills tails (F, S) for the configurations first .. stop - 1."""
    n = confidence.shape[1]
    flight, paid, heads = np.empty(n, np.int64), np.empty(n, np.float64), np.empty(n, np.float64)
    for f in range(first, stop):
        fill_paid(confidence, charges, exits[f], threshold[f], flight, paid, heads)
        largest(paid, ranks, tails[f])


@njit(nogil=True, cache=True)
def count_over(confidence, charges, exits, threshold, first, stop, most, over):  # type: ignore[no-untyped-def]
    """Fills over (F,) with how many samples pay more than `most`, for the configurations first .. stop - 1."""
    n = confidence.shape[1]
    flight, paid, heads = np.empty(n, np.int64), np.empty(n, np.float64), np.empty(n, np.float64)
    for f in range(first, stop):
        fill_paid(confidence, charges, exits[f], threshold[f], flight, paid, heads)
        over[f] = np.count_nonzero(paid > most)
