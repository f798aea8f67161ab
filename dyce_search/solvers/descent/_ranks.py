"""The compiled loops that turn confidences into ranks: a radix sort, and codes of two bytes."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from dyce_search.compiled import inlined, loop, part

DIGIT = 11  # bits a pass of the radix sort


class Sorting(NamedTuple):
    """Room to sort N values.

    Attributes:
        key: (N,) uint32.
        order: (N,) int32, rising and stable once they are sorted.
        other_key: (N,) uint32.
        other_order: (N,) int32.
        counts: (3, 2^DIGIT) int64.
    """

    key: npt.NDArray[np.uint32]
    order: npt.NDArray[np.int32]
    other_key: npt.NDArray[np.uint32]
    other_order: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, n: int) -> Self:
        """For so many values."""
        keys, orders = np.empty((2, n), np.uint32), np.empty((2, n), np.int32)
        return cls(keys[0], orders[0], keys[1], orders[1], np.empty((3, 1 << DIGIT), np.int64))


@inlined
def between(low, high):  # type: ignore[no-untyped-def]
    """`config.threshold_between`, for two float32 numbers."""
    middle = np.float32((np.float64(low) + np.float64(high)) / 2)
    return middle if middle < high else low


@part
def sort(bits, sorting):  # type: ignore[no-untyped-def]
    """Sorts float32 values, given their bits (N,) uint32, by an LSD radix sort.

    Floats compare like their bits read as integers once negative ones are flipped and the sign bit is inverted.
    """
    key, order, other_key, other_order, counts = sorting
    n = len(bits)
    mask = (1 << DIGIT) - 1
    for digit in range(3):
        for v in range(mask + 1):
            counts[digit, v] = 0
    for i in range(n):
        k = bits[i]
        if k == 0x80000000:
            k = np.uint32(0)  # -0.0 equals 0.0
        k = ~k if k & 0x80000000 else k | np.uint32(0x80000000)
        key[i] = k
        counts[0, k & mask] += 1
        counts[1, (k >> DIGIT) & mask] += 1
        counts[2, k >> (2 * DIGIT)] += 1
    for digit in range(3):
        total = 0
        for v in range(mask + 1):
            here = counts[digit, v]
            counts[digit, v] = total
            total += here
    for i in range(n):
        k = key[i]
        slot = counts[0, k & mask]
        counts[0, k & mask] += 1
        other_key[slot] = k
        order[slot] = i
    for j in range(n):
        k = other_key[j]
        slot = counts[1, (k >> DIGIT) & mask]
        counts[1, (k >> DIGIT) & mask] += 1
        key[slot] = k
        other_order[slot] = order[j]
    for j in range(n):
        k = key[j]
        slot = counts[2, k >> (2 * DIGIT)]
        counts[2, k >> (2 * DIGIT)] += 1
        order[slot] = other_order[j]


@loop
def encode(confidence, bits, score, sorting, codes, edges):  # type: ignore[no-untyped-def]
    """Fills codes (N,) uint16 and edges (B,) float32 of one exit; returns whether its scores are all 0 or 1.

    A code is 2 * bin + (score > 0.5). Bins are of equal size in rank and never part equal confidences. Leaving from
    bin b upwards is leaving above the threshold edges[b]; edges[0] is -inf.

    Args:
        confidence: (N,) float32.
        bits: (N,) uint32, the same.
        score: (N,) float32.
        sorting: `Sorting`.
        codes: filled.
        edges: filled.
    """
    n, n_bins = len(confidence), len(edges)
    sort(bits, sorting)
    order = sorting.order
    binary = True
    previous_bin = -1
    b = 0
    for j in range(n):
        i = order[j]
        if j == 0 or confidence[i] > confidence[order[j - 1]]:
            b = j * n_bins // n
            if b > previous_bin:
                edge = np.float32(-np.inf)
                if j > 0:
                    edge = between(confidence[order[j - 1]], confidence[i])
                for c in range(previous_bin + 1, b + 1):
                    edges[c] = edge
                previous_bin = b
        s = score[i]
        codes[i] = 2 * b + (s > 0.5)
        binary = binary and (s == 0.0 or s == 1.0)
    for c in range(previous_bin + 1, n_bins):
        edges[c] = np.float32(np.inf)
    return binary
