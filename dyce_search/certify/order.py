"""The order in which points of a front are tested, fixed by the figures of the search alone."""

import math

import numpy as np
import numpy.typing as npt

from dyce_search.certify.asked import Asked
from dyce_search.evaluation.cost_tails import SHARES, is_over
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.limits import MEAN_COST_LIMITS

LIKELY = 0.9  # how likely a test should be passed by a point that is what the search says, for it to be tried


def test_order(front: Curve, asked: Asked, n_samples: int) -> npt.NDArray[np.int64]:
    """Indices of points in the order of their tests.

    Accuracy is safest at the dear end, cost at the cheap end. With limits on both, the walk goes from the dearest point
    that leaves as much reserve on mean cost as Hoeffding's inequality asks for to the cheap end. What single samples
    cost need not rise with the mean. Where cost alone is limited, points go by the share of the samples above the
    limit, as the search knows it, and then by mean cost; beside a limit on accuracy, only points take part that are
    likely to keep it, as one that does not would end the sequence.

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
        reserve = math.sqrt(math.log(1 / asked.alpha) / (2 * n_samples))
        order = order[: max(1, int(np.sum(front.relative_cost[order] <= min(ceilings) - reserve)))]
    return order[::-1]


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


def _shares_over(front: Curve, limit: float) -> npt.NDArray[np.float64]:
    """(F,) the least of the known shares that is at least the share of the samples that cost more than a limit."""
    front.cost_within(0.0)  # refuses a front that does not know
    kept = ~is_over(front.cost_tail, limit)
    first = np.where(kept.any(axis=1), kept.argmax(axis=1), len(SHARES))
    shares: npt.NDArray[np.float64] = np.append(SHARES, 1.0)[first]
    return shares
