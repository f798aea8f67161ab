"""Cautious scores: what a search maximises that keeps close to the final exit."""

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import real
from dyce_search.errors import RecordsError

FloatArray = npt.NDArray[np.float32]

MOST = 0.25  # caution on FEW samples or fewer
FEW = 2500
DEAREST = 1_000_000  # caution: float32 cannot tell scores beside more


def default_caution(n_samples: int) -> float:
    """The caution for a search on so many samples: .25 up to 2,500, then falling with their number.

    It guards against luck, of which there is less on more samples, and costs accuracy where early exits truly are as
    good as the final one.

    Example:
        >>> default_caution(100), default_caution(2500), default_caution(10_000)
        (0.25, 0.25, 0.0625)
    """
    return MOST * min(1.0, FEW / n_samples)


def checked_caution(caution: float) -> float:
    """A caution that somebody asks for.

    Raises:
        RecordsError: no number from 0 to 1,000,000.
    """
    what = f"be a finite number >= 0, at most {DEAREST:,}"
    return real(caution, "caution", RecordsError, what, lambda value: 0 <= value <= DEAREST)


def cautious_scores(expected: FloatArray, score: FloatArray, caution: float) -> FloatArray:
    """Expected scores, less a price for every sample on which an exit and the final exit differ, either way.

    `expected - caution * |score - score of the final exit|`. A configuration's mean of these is its expected accuracy
    less `caution` times its disagreement with the whole network. They are not clipped: the mean must stay that
    difference, so they may be as low as -caution. The final exit's scores are not changed.

    Args:
        expected: (E, N) float32, see `expected_scores`; or the observed scores.
        score: (E, N) float32 in [0, 1], as observed, the final exit last.
        caution: at least 0; `default_caution` is a good one.

    Returns:
        (E, N) float32.

    Raises:
        RecordsError: shapes that differ, a caution that is out of range.

    Example:
        >>> cautious_scores(np.float32([[0.5, 0.25], [1, 0.5]]), np.float32([[1, 0], [1, 1]]), 0.5).tolist()
        [[0.5, -0.25], [1.0, 0.5]]
    """
    if np.shape(expected) != np.shape(score):
        raise RecordsError(f"expected must have the shape of score, {np.shape(score)}, got {np.shape(expected)}")
    caution = checked_caution(caution)
    result = np.empty(np.shape(score), np.float32)
    for row, likely, observed in zip(result, expected, score, strict=True):
        np.subtract(observed, score[-1], out=row)
        np.abs(row, out=row)
        np.multiply(row, np.float32(-caution), out=row)
        row += likely
    return result
