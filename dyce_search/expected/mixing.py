"""How predictions are joined, mixed with what was observed, and kept at its mean."""

import numpy as np
import numpy.typing as npt

from dyce_search.threads import side_by_side

FloatArray = npt.NDArray[np.float32]

CELLS = 20  # parts of equal size along an exit's confidences, in which predictions are held against observations
FEW = 2500  # samples above which there are more parts, by the root of their number: thresholds are told apart finer
CELL = 8  # samples of such a part, at least


def stack(score: FloatArray, predictions: list[FloatArray]) -> tuple[float, ...]:
    """Weights of predictions: those of least squares, none negative (stacking, Wolpert 1992; Breiman 1996).

    Each exit's mean is taken off first, as it is put back afterwards.

    Args:
        score: (E, N) float32, as observed.
        predictions: each (E, N) float32, out of fold.
    """
    from scipy.optimize import nnls

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
    weights, _ = nnls(root[:, None] * vectors.T, (vectors.T @ total[:size, size]) / safe)
    return tuple(float(weight) for weight in weights)


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

    from dyce_search.expected._mixing_kernels import residual_sums

    n_samples = normal.shape[1]
    cells = CELLS * max(more * n_samples / FEW, 1.0) ** 0.5
    cells = int(np.clip(n_samples // CELL, 1, cells))
    edges = np.asarray(ndtri(np.arange(1, cells) / cells), np.float32)
    parts = side_by_side(residual_sums, normal, score, predicted, [edges] * len(score))
    chance, seen = np.sum(parts, axis=0)
    bias = max(float(seen - chance), 0.0) * more
    return 1.0 if bias == 0 else float(chance / (chance + bias))


def mixed(predicted: FloatArray, score: FloatArray, weight: float) -> FloatArray:
    """`weight * predicted + (1 - weight) * score`, in place of the predictions, in [0, 1].

    Predictions are shifted first, exit by exit, so that after clipping to [0, 1] their mean is that of the scores.

    Args:
        predicted: (E, N) float32, overwritten.
        score: (E, N) float32 in [0, 1].
        weight: in [0, 1].
    """
    from dyce_search.expected._mixing_kernels import mix

    side_by_side(mix, predicted, score, [float(weight)] * len(score))
    return predicted
