"""Confidences as normal scores: their ranks, bent to a normal distribution."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from dyce_search.threads import side_by_side

FloatArray = npt.NDArray[np.float32]

KNOTS = 2048  # confidences of an exit that are told apart, at most; those between two knots share a score


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalRanks:
    """The map from each exit's confidence to its normal score, learned on some samples.

    A confidence's rank is the share of those samples that lie below it, plus half the share that equals it; its
    normal score is the standard normal quantile there. Only the order matters: a rising transformation of an exit's
    confidences changes nothing. Ties share a score.

    Attributes:
        values: for each exit, its distinct confidences, rising, float32; of very many, knots of equal distance in
            rank.
        scores: for each exit, the normal scores of what lies below its first value, at it, between it and the next,
            and so on, float32, twice as many as values, plus one.
    """

    values: tuple[FloatArray, ...]
    scores: tuple[FloatArray, ...]

    @classmethod
    def of(cls, confidence: FloatArray) -> Self:
        """Learns it.

        Args:
            confidence: (E, N) float32.
        """
        n_samples = confidence.shape[1]
        quantile = _normal_quantiles(n_samples)
        pairs = side_by_side(lambda row: _knots(row, quantile), confidence)
        return cls(values=tuple(values for values, _ in pairs), scores=tuple(scores for _, scores in pairs))

    def __call__(self, confidence: FloatArray) -> FloatArray:
        """(E, M) float32, the normal scores of confidences (E, M), those learned on or others."""
        from dyce_search.expected._rank_kernels import look_up

        result = np.empty(confidence.shape, np.float32)
        side_by_side(look_up, confidence, self.values, self.scores, result)
        return result

    def block(self, confidence: FloatArray) -> FloatArray:
        """The same on the calling thread alone."""
        from dyce_search.expected._rank_kernels import look_up

        result = np.empty(confidence.shape, np.float32)
        for arrays in zip(confidence, self.values, self.scores, result, strict=True):
            look_up(*arrays)
        return result


def _normal_quantiles(n_samples: int) -> FloatArray:
    """(2N + 1,) standard normal quantiles of k / 2N; the ends are as far out as half a sample."""
    from scipy.special import ndtri

    steps = np.arange(2 * n_samples + 1, dtype=np.float64)
    steps[0], steps[-1] = 0.5, 2 * n_samples - 0.5
    return np.asarray(ndtri(steps / (2 * n_samples)), np.float32)


def _knots(row: FloatArray, quantile: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The knots among the confidences of one exit (N,), and the scores at and between them."""
    values, counts = np.unique(row, return_counts=True)
    stop = np.cumsum(counts)
    if len(values) > KNOTS:
        kept = np.unique(np.searchsorted(stop, np.arange(KNOTS) * len(row) // KNOTS, side="right"))
        values, counts, stop = values[kept], counts[kept], stop[kept]
    start = stop - counts
    scores = np.empty(2 * len(values) + 1, np.float32)
    scores[1::2] = quantile[start + stop]
    scores[::2] = quantile[np.append(start, len(row)) + np.insert(stop, 0, 0)]
    return values, scores
