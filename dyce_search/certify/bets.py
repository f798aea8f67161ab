"""Wealth of a gambler who bets against a claim, and may look at it after every bet."""

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SIZES = np.geomspace(0.9, 0.9 / 512, 10)  # of bets, as shares of the one that a worst sample would ruin
EARLY = 1000  # samples over which the first half of the stakes is laid, about


class Bets:
    """Evidence against "the mean of these values is at most 0", valid whenever it is looked at.

    If the claim holds, of any life of any length the wealth reaches `1 / alpha` with probability `alpha` at most
    (Ville 1939). Values are bet on at ten sizes side by side, as it is not known how far the mean will be above 0
    (Waudby-Smith and Ramdas 2023, arXiv 2010.09686); and not all at once, but some of the stake at a time, as it is not
    known when it begins: what is laid late has lost nothing before (a mixture over the times of change, as in Shin,
    Ramdas and Rinaldo 2022, arXiv 2203.03532). The values need not be independent of each other: the claim is on each
    one's mean, given those before.

    Example:
        >>> bets = Bets(worst=-0.5)
        >>> bets.bet(np.array([0.5, -0.5]), np.array([80, 20]))  # 80 of 100 values are 0.5
        >>> bets.wealth > 1000
        True
    """

    def __init__(self, worst: float) -> None:
        """Lays the stake of 1.

        Args:
            worst: the least possible value, below 0.
        """
        self.n = 0
        self._size = SIZES / -worst
        self._log_wealth = np.full(len(SIZES), -np.inf)

    def bet(self, value: FloatArray, count: npt.NDArray[np.integer] | None = None) -> None:
        """Bets on some values, at sizes that were fixed before they were seen.

        Args:
            value: (M,) float64, none below the worst.
            count: (M,) how often each occurs; None is once.
        """
        times = np.ones(len(value), np.int64) if count is None else count
        n = self.n + int(times.sum())
        if n == self.n:
            return
        gained = np.log1p(np.multiply.outer(self._size, value)) @ times
        self._log_wealth = np.logaddexp(self._log_wealth, math.log(_laid(n) - _laid(self.n))) + gained
        self.n = n

    @property
    def wealth(self) -> float:
        """Of the stake of 1; what is not laid yet counts."""
        return float(np.exp(np.minimum(self._log_wealth, 600)).mean()) + 1 - _laid(self.n)


def _laid(n: int) -> float:
    """How much of the stake is laid after n samples: ever less in a thousand of them, but never nothing."""
    return 1 - 1 / (1 + math.log1p(n / EARLY))
