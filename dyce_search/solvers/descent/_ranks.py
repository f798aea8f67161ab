"""The compiled loops that turn confidences into ranks: a radix sort, and codes of two bytes."""

import numpy as np
from numba import njit

DIGIT = 11  # bits a pass of the radix sort


@njit(inline="always")
def between(low, high):  # type: ignore[no-untyped-def]
    """`config.threshold_between`, for two float32 numbers."""
    middle = np.float32((np.float64(low) + np.float64(high)) / 2)
    return middle if middle < high else low


@njit(nogil=True, cache=True)
def sort_keys(values, key, order, other_key, other_order, count):  # type: ignore[no-untyped-def]
    """Sorts float32 values by an LSD radix sort; afterwards order (N,) int32 is stable and rising.

    Floats compare like their bits read as integers once negative ones are flipped and the sign bit is inverted.
    """
    n = len(values)
    bits = values.view(np.uint32)
    mask = (1 << DIGIT) - 1
    count[:] = 0
    for i in range(n):
        k = bits[i]
        if k == 0x80000000:
            k = np.uint32(0)  # -0.0 equals 0.0
        k = ~k if k & 0x80000000 else k | np.uint32(0x80000000)
        key[i] = k
        count[0, k & mask] += 1
        count[1, (k >> DIGIT) & mask] += 1
        count[2, k >> (2 * DIGIT)] += 1
    for digit in range(3):
        total = 0
        for v in range(mask + 1):
            here = count[digit, v]
            count[digit, v] = total
            total += here
    for i in range(n):
        k = key[i]
        slot = count[0, k & mask]
        count[0, k & mask] += 1
        other_key[slot] = k
        other_order[slot] = i
    for j in range(n):
        k = other_key[j]
        slot = count[1, (k >> DIGIT) & mask]
        count[1, (k >> DIGIT) & mask] += 1
        key[slot] = k
        order[slot] = other_order[j]
    for j in range(n):
        k = key[j]
        slot = count[2, k >> (2 * DIGIT)]
        count[2, k >> (2 * DIGIT)] += 1
        other_order[slot] = order[j]
    order[:] = other_order


@njit(nogil=True, cache=True)
def encode(confidence, score, first_exit, stop_exit, codes, edges, binary):  # type: ignore[no-untyped-def]
    """Fills codes (E, N) uint16 and edges (E, B) float32 for some exits; `binary` (E,) tells 0/1 scores.

    A code is 2 * bin + (score > 0.5). Bins are of equal size in rank and never part equal confidences. Leaving from
    bin b upwards is leaving above the threshold edges[e, b]; edges[e, 0] is -inf.
    """
    n = confidence.shape[1]
    n_bins = edges.shape[1]
    key, other_key = np.empty(n, np.uint32), np.empty(n, np.uint32)
    order, other_order = np.empty(n, np.int32), np.empty(n, np.int32)
    count = np.empty((3, 1 << DIGIT), np.int64)
    for e in range(first_exit, stop_exit):
        values = confidence[e]
        sort_keys(values, key, order, other_key, other_order, count)
        previous_bin = -1
        b = 0
        for j in range(n):
            i = order[j]
            if j == 0 or values[i] > values[order[j - 1]]:
                b = j * n_bins // n
                if b > previous_bin:
                    edge = np.float32(-np.inf)
                    if j > 0:
                        edge = between(values[order[j - 1]], values[i])
                    for c in range(previous_bin + 1, b + 1):
                        edges[e, c] = edge
                    previous_bin = b
            s = score[e, i]
            codes[e, i] = 2 * b + (s > 0.5)
            if s != 0.0 and s != 1.0:
                binary[e] = False
        for c in range(previous_bin + 1, n_bins):
            edges[e, c] = np.float32(np.inf)
