"""Tests of one mean: is it at least so much, with so much confidence?

All of them are valid for every number of samples, without any approximation by a normal distribution: where the
claim is false, a p-value is at most `alpha` with probability at most `alpha`. The samples must be independent draws
from what the claim is about. SciPy is imported where it is needed.
"""

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

NUISANCE_SHARE = 0.05  # of alpha, spent on the rate of discordant pairs; anything from 0.01 to 0.2 does about as well
LARGEST_BET = 0.9  # of the bet that one worst sample would ruin
FARTHEST = 1e140  # the largest gain, either way, of which squares are summed
SHUFFLE = 20100  # seed of the order in which samples are bet on: nobody may choose it


def binomial_p_value(successes: int, n: int, floor: float) -> float:
    """Exact test of "the rate of successes is at least `floor`": the one-sided test of Clopper and Pearson 1934.

    Args:
        successes: how many of the samples.
        n: samples.
        floor: in (0, 1).

    Returns:
        P(Binomial(n, floor) >= successes).

    Example:
        >>> round(binomial_p_value(10, 10, 0.75), 6) == round(0.75**10, 6)
        True
    """
    from scipy.stats import binom

    return float(binom.sf(successes - 1, n, floor))


def paired_p_value(lost: int, gained: int, n: int, max_drop: float, *, alpha: float) -> float:
    """Exact test of "the drop is at most `max_drop`" from paired answers, each right or wrong.

    The drop is the mean of differences in {-1, 0, 1}. Its test needs to know how many pairs differ at all, their rate
    r: Berger and Boos 1994 take the upper limit R of an exact confidence interval for r at level 1 - g and pay g for
    it, here `g = NUISANCE_SHARE * alpha`. With S = lost - gained the p-value is `g + sup P(S <= s; r)` over r <= R and
    a drop of `max_drop`. The supremum is at R exactly: the derivative of P(S <= s; r) in r is n / 2 times the rise of
    the probability of S' (S of n - 1 pairs) from s to s + 1. For r <= 1/2 the generating function of S' has real
    roots, so S' is a sum of independent 0/1 variables up to a shift, its mode is within one of its mean (Darroch
    1964), and it still rises at s where `s + 1 <= floor((n - 1) * max_drop)`; nearer to the limit the result is 1.
    The same roots make S the difference of two independent binomials, which gives the probability. For R > 1/2
    Hoeffding's inequality takes the place of the supremum.

    Args:
        lost: pairs in which the full network is right and the configuration wrong.
        gained: pairs the other way round.
        n: all pairs.
        max_drop: in (0, 1).
        alpha: in (0, 1), the level at which the p-value will be used.

    Example:
        >>> paired_p_value(16, 12, 2000, 0.01, alpha=0.05) < 0.05 < paired_p_value(20, 12, 2000, 0.01, alpha=0.05)
        True
    """
    from scipy.stats import beta, binom

    s, differ, spent = lost - gained, lost + gained, NUISANCE_SHARE * alpha
    if s + 1 > math.floor((n - 1) * max_drop):
        return 1.0
    rate = float(beta.isf(spent, differ + 1, n - differ)) if differ < n else 1.0
    if rate < max_drop:  # fewer pairs differ than would have to
        return spent
    if rate > 0.5:
        return min(1.0, spent + math.exp(-n * (max_drop - s / n) ** 2 / 2))
    root = math.sqrt(1 + max_drop**2 - 2 * rate)
    minus = (rate - max_drop) / (1 - max_drop + root)  # S = Binomial(n, minus + max_drop) - Binomial(n, minus)
    spread = 40 + 10 * math.sqrt(n * minus)
    low, high = max(0, math.floor(n * minus - spread)), min(n, math.ceil(n * minus + spread))
    j = np.arange(low, high + 1)
    inside = float(binom.pmf(j, n, minus) @ binom.cdf(s + j, n, minus + max_drop))
    outside = float(binom.cdf(low - 1, n, minus) + binom.sf(high, n, minus))
    return min(1.0, spent + inside + outside)


def betting_p_value(gain: FloatArray, *, worst: float, alpha: float) -> float:
    """Test of "the mean gain is at least 0" for any gains that cannot be below `worst`, by betting.

    Who bets a share of the wealth on each gain being positive, at odds that are fair if the mean is no higher than 0,
    becomes ever 1 / p times as rich with probability p at most (Ville 1939). The bets are those of Waudby-Smith and
    Ramdas 2023 (arXiv 2010.09686, equations 15 and 26, for samples of fixed number): inverse to the deviation of the
    gains before, so a small variance is made use of. Gains are taken in a shuffled order, always the same.

    Args:
        gain: (n,) float64, each >= `worst`.
        worst: the least possible gain, below 0.
        alpha: in (0, 1), the level for which the bets are sized.

    Example:
        >>> betting_p_value(np.full(400, 0.05), worst=-0.45, alpha=0.05) < 1e-3
        True
    """
    if worst < -FARTHEST:  # the unit does not matter, but squares must be finite
        gain, worst = gain / -worst, -1.0
    n = len(gain)
    bet_on = gain[np.random.default_rng(SHUFFLE).permutation(n)]
    seen = np.arange(2, n + 2)  # one gain of 0 that deviates by half the worst is as if it had been seen before
    mean = np.cumsum(bet_on) / seen
    variance = ((worst / 2) ** 2 + np.cumsum((bet_on - mean) ** 2)) / seen
    before = np.concatenate([[(worst / 2) ** 2], variance[:-1]])
    share = np.minimum(np.sqrt(2 * math.log(1 / alpha) / (n * before)), LARGEST_BET / -worst)
    wealth = np.cumsum(np.log1p(share * bet_on))
    return math.exp(-max(0.0, float(wealth.max())))


def hoeffding_bentkus_p_value(mean: float, n: int, floor: float) -> float:
    """Test of "the mean is at least `floor`" for values in [0, 1]: the tighter of Hoeffding's and Bentkus's bounds.

    The p-value of Bates et al. 2021 (arXiv 2101.02703), which Learn then Test uses; it ignores the variance.

    Args:
        mean: of the samples, in [0, 1].
        n: samples.
        floor: in (0, 1).

    Example:
        >>> hoeffding_bentkus_p_value(1.0, 100, 0.95) < 0.02
        True
    """
    from scipy.stats import binom

    if mean <= floor:
        return 1.0
    loss, limit = 1 - mean, 1 - floor
    divergence = (1 - loss) * math.log((1 - loss) / (1 - limit)) + (loss * math.log(loss / limit) if loss else 0.0)
    few = math.ceil(n * loss - 1e-9)  # 3.0000000000000004 losses are 3
    return min(1.0, math.exp(-n * divergence), math.e * float(binom.cdf(few, n, limit)))
