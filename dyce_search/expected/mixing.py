"""How predictions are joined, mixed with what was observed, and kept at its mean."""

import itertools

import numpy as np
import numpy.typing as npt

from dyce_search.threads import side_by_side

FloatArray = npt.NDArray[np.float32]

CELLS = 20  # parts of equal size along an exit's confidences, in which predictions are held against observations
FEW = 2500  # samples above which there are more parts, by the root of their number: thresholds are told apart finer
CELL = 8  # samples of such a part, at least
STEPS = 200  # of the search for a shift, at most; bisection alone needs about 60


def stack(score: FloatArray, predictions: list[FloatArray]) -> tuple[float, ...]:
    """Weights of predictions: those of least squares, none negative (stacking, Wolpert 1992; Breiman 1996).

    Each exit's mean is taken off first, as it is put back afterwards.

    Args:
        score: (E, N) float32, as observed.
        predictions: each (E, N) float32, out of fold.
    """
    size = len(predictions)
    columns = [*predictions, score]

    def sums(rows: tuple[FloatArray, ...]) -> npt.NDArray[np.float64]:
        centred = np.stack(rows).astype(np.float64)
        centred -= centred.mean(axis=1, keepdims=True)
        return centred @ centred.T

    total = np.sum(side_by_side(sums, list(zip(*columns, strict=True))), axis=0)
    values, vectors = np.linalg.eigh(total[:size, :size])
    root = np.sqrt(np.maximum(values, 0))
    safe = np.where(root > 1e-9 * max(root[-1], 1e-9), root, np.inf)
    weights = none_negative(root[:, None] * vectors.T, (vectors.T @ total[:size, size]) / safe)
    return tuple(float(weight) for weight in weights)


def none_negative(columns: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights (K,) >= 0 of a few columns (M, K), whose weighted sum is closest to the target (M,).

    The best weights are those of plain least squares on the columns that count, so every choice of them is tried.
    `scipy.optimize.nnls` does so for any number; loading it takes longer than a fast search.
    """
    size = columns.shape[1]
    best, closest = np.zeros(size), float(target @ target)
    for chosen in itertools.product([False, True], repeat=size):
        weights = np.zeros(size)
        weights[list(chosen)] = np.linalg.lstsq(columns[:, chosen], target, rcond=None)[0]
        off = target - columns @ weights
        if (weights >= 0).all() and off @ off < closest:
            best, closest = weights, float(off @ off)
    return best


def trust(normal: FloatArray, score: FloatArray, predicted: FloatArray, more: float = 1.0) -> float:
    """The weight of predictions against observations, in [0, 1], by what chance alone explains of their differences.

    The samples are cut into `CELLS` parts or more along each exit's confidences. In a part of m samples the mean
    observed score has the variance v / m around the truth, v that of the residuals within; the mean prediction may be
    biased there. The squared mean residual is v / m + bias^2 on average, which gives the bias, and the best mixture of
    both has the weight (v / m) / (v / m + bias^2), summed over parts and exits. More samples, or worse predictions,
    and what was observed counts for more.

    Args:
        normal: (E, N) float32, normal scores of the confidences.
        score: (E, N) float32, as observed.
        predicted: (E, N) float32, out of fold, each exit's mean that of its scores.
        more: how many times as many samples the weight is for.
    """
    from scipy.special import ndtri

    n_samples = normal.shape[1]
    cells = CELLS * max(more * n_samples / FEW, 1.0) ** 0.5
    cells = int(np.clip(n_samples // CELL, 1, cells))
    edges = np.asarray(ndtri(np.arange(1, cells) / cells), np.float32)
    parts = side_by_side(residual_sums, normal, score, predicted, [edges] * len(score))
    chance, seen = np.sum(parts, axis=0)
    bias = max(float(seen - chance), 0.0) * more
    return 1.0 if bias == 0 else float(chance / (chance + bias))


def residual_sums(
    normal: FloatArray, score: FloatArray, predicted: FloatArray, edges: FloatArray
) -> tuple[float, float]:
    """Over the parts of one exit's samples: (sum of variances of the residuals, sum of (sum of residuals)^2 / m).

    Args:
        normal: (N,) float32, by which the samples are parted.
        score: (N,) float32.
        predicted: (N,) float32.
        edges: (C - 1,) float32, rising, where a part ends.
    """
    part = np.searchsorted(edges, normal)
    residual = score.astype(np.float64) - predicted
    count = np.bincount(part)
    total, square = np.bincount(part, residual), np.bincount(part, residual * residual)
    several = count > 1
    count, total, square = count[several], total[several], square[several]
    seen = total * total / count
    chance = np.maximum(square - seen, 0) / (count - 1)
    return in_order(chance), in_order(seen)


def in_order(values: npt.NDArray[np.floating]) -> float:
    """The sum of values (N,), one after the other, in float64."""
    return float(np.add.accumulate(values, dtype=np.float64)[-1]) if len(values) else 0.0


def mixed(predicted: FloatArray, score: FloatArray, weight: float) -> FloatArray:
    """`weight * predicted + (1 - weight) * score`, in place of the predictions, in [0, 1].

    Predictions are shifted first, exit by exit, so that after clipping to [0, 1] their mean is that of the scores.

    Args:
        predicted: (E, N) float32, overwritten.
        score: (E, N) float32 in [0, 1].
        weight: in [0, 1].
    """
    side_by_side(_mix, predicted, score, [float(weight)] * len(score))
    return predicted


def _mix(predicted: FloatArray, score: FloatArray, weight: float) -> None:
    """The same for one exit (N,).

    The clipped mean rises with the shift, piecewise linearly: Newton's steps within a shrinking bracket end on it.
    """
    from dyce_search.expected._mixing_kernels import clipped_sum

    goal = in_order(score)
    low, high = -float(predicted.max()), 1.0 - float(predicted.min())  # everything is 0, everything is 1
    shift = min(max(0.0, low), high)
    for _ in range(STEPS):
        total, inside = clipped_sum(predicted, shift)
        gap = goal - total
        if abs(gap) <= 1e-12 * len(predicted):
            break
        if gap > 0:
            low = shift
        else:
            high = shift
        middle = (low + high) / 2
        if middle <= low or middle >= high:
            break
        step = shift + gap / inside if inside else middle
        shift = step if low < step < high else middle
    shifted = np.clip(predicted.astype(np.float64) + shift, 0, 1)
    predicted[:] = weight * shifted + (1 - weight) * score.astype(np.float64)
