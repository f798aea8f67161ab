"""A figure that is watched while a configuration serves, and between what its mean should be."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dyce_search.certify.bets import Bets

FloatArray = npt.NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Watched:
    """One figure that is watched, and the claims on it.

    Attributes:
        what: it is, for people.
        low: the mean must not be below it, as far as is known; None where only too much counts.
        high: the mean must not be above it.
        least: the least that a sample can have.
        most: the most that a sample can have.
        n: samples seen.
        total: of their figures.
        bets: against each claim: its sign, its bound, and who bets.
    """

    what: str
    low: float | None
    high: float
    least: float
    most: float
    n: int = 0
    total: float = 0.0
    bets: list[tuple[float, float, Bets]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Bets against too much, and too little where that counts; a claim that nothing can break is no claim."""
        if self.high < self.most:
            self.bets.append((1.0, self.high, Bets(worst=self.least - self.high)))
        if self.low is not None and self.low > self.least:
            self.bets.append((-1.0, self.low, Bets(worst=self.low - self.most)))

    def see(self, value: FloatArray, count: npt.NDArray[np.integer]) -> None:
        """Takes note of figures (M,) and how often each occurs."""
        self.n += int(count.sum())
        self.total += float(value @ count)
        for sign, bound, bets in self.bets:
            bets.bet(sign * (value - bound), count)

    @property
    def wealth(self) -> float:
        """Of those who bet against the claims, on average; 1 at first."""
        return float(np.mean([bets.wealth for _, _, bets in self.bets])) if self.bets else 1.0

    @property
    def mean(self) -> float:
        """Of the samples seen; NaN before the first."""
        return self.total / self.n if self.n else float("nan")


def exact_interval(successes: int, n: int, error: float) -> tuple[float, float]:
    """In which a rate lies, each end with this error: Clopper and Pearson 1934."""
    from scipy.stats import beta

    low = float(beta.ppf(error, successes, n - successes + 1)) if successes else 0.0
    high = float(beta.isf(error, successes + 1, n - successes)) if successes < n else 1.0
    return low, high


def upper_mean(value: FloatArray, most: float, error: float) -> float:
    """Above which the mean of values in [0, most] is not, with this error: Maurer and Pontil 2009, theorem 4."""
    n = len(value)
    if n < 2:
        return most
    logarithm = math.log(2 / error)
    spread = math.sqrt(2 * float(value.var(ddof=1)) * logarithm / n)
    return min(most, float(value.mean()) + spread + 7 * most * logarithm / (3 * (n - 1)))


def ranks_among(confidence: FloatArray, known: npt.NDArray[np.float32]) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Shares of the known ones below each confidence, half of those that equal it; and once each."""
    if not len(known):
        return np.full(len(confidence), 0.5), np.ones(len(confidence), np.int64)
    below, upto = (np.searchsorted(known, confidence.astype(np.float32), side=side) for side in ("left", "right"))
    return (below + upto) / (2 * len(known)), np.ones(len(confidence), np.int64)
