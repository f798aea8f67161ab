"""The compiled loop of `evaluate`: who leaves where, for many configurations at once."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from dyce_search.evaluation import config

leaves = njit(inline="always")(config.leaves)

BLOCK = 8192  # samples at a time, so that the lists of those in flight stay in cache


class Charges(NamedTuple):
    """Costs that differ by sample, as the kernel takes them: backbone (P+1, N) and head (E, N), float32."""

    backbone: npt.NDArray[np.float32]
    head: npt.NDArray[np.float32]


class Sums(NamedTuple):
    """Over the samples that leave at each position, under F configurations.

    Attributes:
        left: (F, P+1) int64, how many they are.
        score: (F, P+1) float64, sums of their scores.
        cost: (F, P+1) float64, sums of what they pay; (0, 0) where it is the same for all.
        differ: (F, P+1) float64, sums of the differences from the final exit's scores; (0, 0) unless asked for.
    """

    left: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    cost: npt.NDArray[np.float64]
    differ: npt.NDArray[np.float64]


@njit(nogil=True, cache=True)
def leave_counts(confidence, score, observed, charges, exits, threshold, first, stop, sums):  # type: ignore[no-untyped-def]
    """Adds samples to the `Sums` of the configurations first .. stop - 1, which may hold those of others before them.

    Where there are `charges`, it adds to the sums of costs, where there are `observed` scores, (E, N) float32, to
    those of their differences; where they are None, that is compiled away.

    The configurations are sorted by rows. Neighbours that agree up to a position share the work up to there:
    `flight[p]` keeps the samples still in flight before position p. Only those are touched. Scores are added up one by
    one in the order of the samples, so sums equal those of a plain loop to the bit. Costs are added up likewise;
    `paid[p]` keeps what the samples in `flight[p]` have paid for heads.
    """
    count, score_sum, cost_sum, differ_sum = sums.left, sums.score, sums.cost, sums.differ
    n_samples = confidence.shape[1]
    n_positions = exits.shape[1]
    final = confidence.shape[0] - 1
    flight = np.empty((n_positions + 1, BLOCK), np.int32)  # row 0: everybody
    row = np.zeros(n_positions + 1, np.int64)  # row of `flight` in force before each position
    size = np.zeros(n_positions + 1, np.int64)
    gone = np.empty(BLOCK, np.int32)
    leaving = np.zeros(n_positions + 1, np.int64)  # of this block, at each position
    sum_to_here = np.zeros(n_positions + 1, np.float64)  # of scores, up to and with this block
    if charges is not None:
        paid = np.zeros((n_positions + 1, BLOCK), np.float64)
        gone_paid = np.empty(BLOCK, np.float64)
        cost_to_here = np.zeros(n_positions + 1, np.float64)
    if observed is not None:
        differ_to_here = np.zeros(n_positions + 1, np.float64)
    for start in range(0, n_samples, BLOCK):
        size[0] = min(BLOCK, n_samples - start)
        for j in range(size[0]):
            flight[0, j] = start + j
        for f in range(first, stop):
            p = 0
            if f > first:
                while (
                    p < n_positions
                    and exits[f, p] == exits[f - 1, p]
                    and (exits[f, p] < 0 or threshold[f, p] == threshold[f - 1, p])
                ):
                    p += 1
            for q in range(p, n_positions):
                e = exits[f, q]
                source = row[q]
                if e < 0 or size[source] == 0:
                    row[q + 1] = source
                    sum_to_here[q] = score_sum[f, q]
                    leaving[q] = 0
                    if charges is not None:
                        cost_to_here[q] = cost_sum[f, q]
                    if observed is not None:
                        differ_to_here[q] = differ_sum[f, q]
                    continue
                limit = threshold[f, q]
                stay = 0
                left = 0
                for j in range(size[source]):
                    i = flight[source, j]
                    out = leaves(confidence[e, i], limit)
                    if charges is not None:
                        heads = paid[source, j] + charges.head[e, i]
                        paid[q + 1, stay] = heads
                        gone_paid[left] = heads
                    flight[q + 1, stay] = i
                    gone[left] = i
                    left += out
                    stay += not out
                total = score_sum[f, q]
                for j in range(left):
                    total += score[e, gone[j]]
                row[q + 1] = q + 1
                size[q + 1] = stay
                sum_to_here[q] = total
                leaving[q] = left
                if charges is not None:
                    cost = cost_sum[f, q]
                    for j in range(left):
                        cost += charges.backbone[q, gone[j]] + gone_paid[j]
                    cost_to_here[q] = cost
                if observed is not None:
                    differ = differ_sum[f, q]
                    for j in range(left):
                        i = gone[j]
                        differ += abs(observed[e, i] - observed[final, i])
                    differ_to_here[q] = differ
            if p < n_positions or f == first:
                source = row[n_positions]
                total = score_sum[f, n_positions]
                for j in range(size[source]):
                    total += score[final, flight[source, j]]
                sum_to_here[n_positions] = total
                leaving[n_positions] = size[source]
                if charges is not None:
                    cost = cost_sum[f, n_positions]
                    for j in range(size[source]):
                        i = flight[source, j]
                        cost += charges.backbone[n_positions, i] + paid[source, j] + charges.head[final, i]
                    cost_to_here[n_positions] = cost
            for q in range(n_positions + 1):
                count[f, q] += leaving[q]
                score_sum[f, q] = sum_to_here[q]
                if charges is not None:
                    cost_sum[f, q] = cost_to_here[q]
                if observed is not None:
                    differ_sum[f, q] = differ_to_here[q]


@njit(cache=True)
def leave_positions(confidence, exits, threshold, position):  # type: ignore[no-untyped-def]
    """Fills position (N,) with where each sample leaves under one configuration, exits and threshold (P,)."""
    n_positions = len(exits)
    position[:] = n_positions
    for p in range(n_positions):
        e = exits[p]
        if e >= 0:
            for i in range(len(position)):
                if position[i] == n_positions and leaves(confidence[e, i], threshold[p]):
                    position[i] = p
