"""The order in which points of a front are tested, fixed by the figures of the search alone."""

import math

import numpy as np
import numpy.typing as npt

from dyce_search.certify.asked import Asked
from dyce_search.evaluation.cost_tails import SHARES, is_over
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.limits import MEAN_COST_LIMITS

FloatArray = npt.NDArray[np.float64]

LIKELY = 0.9  # how likely a test should be passed by a point that is what the search says, for it to be tried


def order_of_tests(front: Curve, asked: Asked, n_samples: int) -> npt.NDArray[np.int64]:
    """Indices of points in the order of their tests.

    Accuracy is safest at the dear end, cost at the cheap end. With limits on both, the walk goes from the dear end to
    the cheap one over the points that are likely to pass the tests of cost, as one that does not would end the
    sequence. What single samples cost need not rise with the mean. Where cost alone is limited, points go by the share
    of the samples above the limit, as the search knows it, and then by mean cost.

    Args:
        front: with the figures of the search.
        asked: what is to be certified.
        n_samples: of the calibration.
    """
    order = np.arange(len(front))
    if asked.on_cost_alone:
        if "max_sample_cost" not in asked.limits:
            return order
        return np.lexsort((order, _shares_over(front, asked.limits["max_sample_cost"])))
    if "max_sample_cost" in asked.limits:
        order = _likely(front, asked, n_samples)
    ceilings = [
        asked.limits[name] / (front.costs.baseline if name == "max_cost" else 1)
        for name in MEAN_COST_LIMITS
        if name in asked.limits
    ]
    if ceilings:
        enough = (front.relative_cost + _reserve(front, asked.alpha, n_samples))[order] <= min(ceilings)
        order = order[enough] if enough.any() else order[:1]
    return order[::-1]


def _reserve(front: Curve, alpha: float, n_samples: int) -> FloatArray:
    """(F,) how far below a limit a mean cost, relative, should be for its test to be `LIKELY` passed.

    What a betting test takes, about Bernstein's inequality, and the luck of both sets: the search knows the cost of a
    point from its own samples. Where it does not know how costs spread, they are taken for anything up to the baseline.
    """
    from scipy.stats import norm

    above = front.cost_tail / front.costs.baseline
    if np.isnan(above).any():
        spread, most = np.full(len(front), 0.5), np.ones(len(front))
    else:  # samples between two of the shares cost no more than the dearest of them
        with np.errstate(over="ignore", invalid="ignore"):  # far beyond all limits: infinite, or NaN, is not enough
            square = above**2 @ np.diff([*SHARES, 1.0]) - front.relative_cost**2
        spread, most = np.sqrt(np.maximum(square, 0)), above[:, 0]
    evidence = math.log(1 / alpha)
    luck = float(norm.ppf(LIKELY)) * math.sqrt(1 / n_samples + 1 / front.n_samples)
    return spread * (math.sqrt(2 * evidence / n_samples) + luck) + most * evidence / (3 * n_samples)


def _likely(front: Curve, asked: Asked, n_samples: int) -> npt.NDArray[np.int64]:
    """Points of which the search says that a test is likely to be passed; where there is none, the safest.

    The search saw only so many samples, and chose by them: of the share above the limit an upper bound is taken.
    """
    from scipy.stats import beta, binom

    fails = int(binom.ppf(asked.alpha, n_samples, asked.share))  # so many above the limit pass, or one less
    while fails >= 0 and binom.cdf(fails, n_samples, asked.share) > asked.alpha:
        fails -= 1
    over = _shares_over(front, asked.limits["max_sample_cost"])
    most = beta.ppf(LIKELY, np.floor(over * front.n_samples) + 1, np.ceil((1 - over) * front.n_samples) + 1e-9)
    likely = np.flatnonzero(binom.cdf(fails, n_samples, most) >= LIKELY)
    return likely if likely.size else np.array([int(over.argmin())])


def _shares_over(front: Curve, limit: float) -> FloatArray:
    """(F,) the least of the known shares that is at least the share of the samples that cost more than a limit."""
    front.cost_within(0.0)  # refuses a front that does not know
    kept = ~is_over(front.cost_tail, limit)
    first = np.where(kept.any(axis=1), kept.argmax(axis=1), len(SHARES))
    shares: FloatArray = np.append(SHARES, 1.0)[first]
    return shares
