"""The compiled loops over one exit's predictions and scores."""

import numpy as np
from numba import njit

STEPS = 200  # of the search for a shift, at most; bisection alone needs about 60


@njit(nogil=True, cache=True)
def residual_sums(normal, score, predicted, edges):  # type: ignore[no-untyped-def]
    """Over the parts of one exit's samples: (sum of variances of the residuals, sum of (sum of residuals)^2 / m).

    Args:
        normal: (N,) float32, by which the samples are parted.
        score: (N,) float32.
        predicted: (N,) float32.
        edges: (C - 1,) float32, rising, where a part ends.
    """
    cells = len(edges) + 1
    count, total, square = np.zeros(cells), np.zeros(cells), np.zeros(cells)
    for i in range(len(normal)):
        c = np.searchsorted(edges, normal[i])
        residual = np.float64(score[i]) - np.float64(predicted[i])
        count[c] += 1
        total[c] += residual
        square[c] += residual * residual
    chance, seen = 0.0, 0.0
    for c in range(cells):
        if count[c] > 1:
            between = total[c] * total[c] / count[c]
            chance += max(square[c] - between, 0.0) / (count[c] - 1)
            seen += between
    return chance, seen


@njit(inline="always")
def clipped(value):  # type: ignore[no-untyped-def]
    """In [0, 1]."""
    return min(max(value, 0.0), 1.0)


@njit(nogil=True, cache=True)
def mix(predicted, score, weight):  # type: ignore[no-untyped-def]
    """Shifts predictions (N,) to the mean of the scores (N,), clips and mixes them, in place.

    The clipped mean rises with the shift, piecewise linearly: Newton's steps within a shrinking bracket end on it.
    """
    n = len(predicted)
    goal, lowest, highest = 0.0, np.inf, -np.inf
    for i in range(n):
        goal += np.float64(score[i])
        lowest = min(lowest, np.float64(predicted[i]))
        highest = max(highest, np.float64(predicted[i]))
    low, high = -highest, 1.0 - lowest  # everything is 0, everything is 1
    shift = min(max(0.0, low), high)
    for _ in range(STEPS):
        total, free = 0.0, 0
        for i in range(n):
            value = np.float64(predicted[i]) + shift
            total += clipped(value)
            free += 0.0 < value < 1.0
        gap = goal - total
        if abs(gap) <= 1e-12 * n:
            break
        if gap > 0:
            low = shift
        else:
            high = shift
        middle = (low + high) / 2
        if middle <= low or middle >= high:
            break
        step = shift + gap / free if free else middle
        shift = step if low < step < high else middle
    for i in range(n):
        value = clipped(np.float64(predicted[i]) + shift)
        predicted[i] = np.float32(weight * value + (1 - weight) * np.float64(score[i]))
