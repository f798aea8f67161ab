"""What a limit means on calibration samples, and the test of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from dyce_search.certify.p_values import betting_p_value, binomial_p_value, hoeffding_bentkus_p_value, paired_p_value
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.limits import COST_LIMITS
from dyce_search.evaluation.outcomes import outcomes, prices
from dyce_search.records.records import ExitRecords

FloatArray = npt.NDArray[np.float64]
Method = Literal["auto", "betting", "hoeffding_bentkus"]

HALVINGS = 40  # of the interval in which a bound lies
MOST_SAMPLES = 2**22  # beyond which nobody needs to know how many more it takes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LimitTest:
    """One figure of one configuration on every sample, larger being better, and the claim on its mean.

    Attributes:
        name: of the limit.
        floor: what the mean must reach. A largest drop of 0.01 is a floor of -0.01 under minus the drop.
        alpha: 1 - confidence.
        value: (N,) float64 in [low, high].
        low: the least possible value.
        high: the largest possible value.
        group: (N,) int64, 0 .. G-1, or None; only samples of different groups are independent.
        method: "exact binomial", "exact paired", "betting" or "Hoeffding-Bentkus".
    """

    name: str
    floor: float
    alpha: float
    value: FloatArray
    low: float
    high: float
    group: npt.NDArray[np.int64] | None
    method: str

    @property
    def mean(self) -> float:
        """Of the values."""
        return float(self.value.mean())

    @property
    def p_value(self) -> float:
        """Of the claim that the mean is at least `floor`."""
        return self._p_value_at(self.floor)

    def _p_value_at(self, floor: float) -> float:
        if floor <= self.low:
            return 0.0
        n = len(self.value)
        if self.method == "exact binomial":
            return binomial_p_value(int(np.count_nonzero(self.value)), n, floor)
        if self.method == "exact paired":
            lost, gained = int(np.count_nonzero(self.value < 0)), int(np.count_nonzero(self.value > 0))
            return paired_p_value(lost, gained, n, -floor, alpha=self.alpha)
        gain, worst = self._gain(floor), self.low - floor
        if self.method == "betting":
            return betting_p_value(gain, worst=worst, alpha=self.alpha)
        span = self.high - self.low
        return hoeffding_bentkus_p_value(float(gain.mean() - worst) / span, len(gain), -worst / span)

    def _gain(self, floor: float) -> FloatArray:
        """(N,) value - floor; or (G,) its sums over groups, as a share of the largest: independent, and no wider."""
        gain = self.value - floor
        return gain if self.group is None else np.bincount(self.group, gain) / np.bincount(self.group).max()

    def bound(self) -> float:
        """The highest floor that is confirmed too, once `floor` is. A drop below 0 is never claimed."""
        best = 0.0 if self.name == "max_accuracy_drop" else self.high
        passed, failed = self.floor, max(self.floor, min(best, self.mean))
        for _ in range(HALVINGS):
            middle = (passed + failed) / 2
            if self._p_value_at(middle) <= self.alpha:
                passed = middle
            else:
                failed = middle
        return passed

    def needed(self) -> float:
        """About how many samples (groups, where there are any) like these would confirm `floor`; inf if none would.

        By the normal approximation, so 0 where the samples do not vary: see `least` too.
        """
        from scipy.stats import norm

        gain = self._gain(self.floor)
        margin = float(gain.mean())
        if margin <= 0:
            return math.inf
        variance = (self.high - self.low) ** 2 / 4 if self.method == "Hoeffding-Bentkus" else float(np.var(gain))
        quantile = float(norm.isf(self.alpha)) ** 2 if self.method.startswith("exact") else 2 * math.log(1 / self.alpha)
        return quantile * variance / margin**2

    def least(self) -> int:
        """The least number of samples that can confirm `floor` if none is worse than with the whole network.

        Not above `MOST_SAMPLES`.
        """
        ideal = 0.0 if self.name == "max_accuracy_drop" else self.high

        def enough(n: int) -> bool:
            test = LimitTest(
                name=self.name,
                floor=self.floor,
                alpha=self.alpha,
                value=np.full(n, ideal),
                low=self.low,
                high=self.high,
                group=None,
                method=self.method,
            )
            return test.p_value <= self.alpha

        too_few, n = 0, 1
        while n < MOST_SAMPLES and not enough(n):
            too_few, n = n, 2 * n
        while n - too_few > 1:
            middle = (too_few + n) // 2
            too_few, n = (too_few, middle) if enough(middle) else (middle, n)
        return n


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """Records to certify on, with what is to be certified.

    Attributes:
        records: the samples.
        limits: by name; see `ParetoFront.certify`.
        alpha: 1 - confidence.
        method: "auto" takes the exact test where there is one, and betting elsewhere.
        group: (N,) int64, 0 .. G-1, or None.
        right_or_wrong: whether every score is 0 or 1.
    """

    records: ExitRecords
    limits: Mapping[str, float]
    alpha: float
    method: Method
    group: npt.NDArray[np.int64] | None
    right_or_wrong: bool

    @classmethod
    def of(cls, records: ExitRecords, limits: Mapping[str, float], alpha: float, method: Method) -> Self:
        """Looks once at what is the same for all configurations."""
        return cls(
            records=records,
            limits=limits,
            alpha=alpha,
            method=method,
            group=None if records.group is None else np.unique(records.group, return_inverse=True)[1],
            right_or_wrong=all(bool(np.all((row == 0) | (row == 1))) for row in records.score),
        )

    def tests(self, config: ExitConfig) -> list[LimitTest]:
        """One test a limit."""
        records, costs = self.records, self.records.costs
        exits = config.exits(records.layout)
        found = outcomes(records, exits, config.threshold)
        tests = []
        for name, limit in self.limits.items():
            if name in COST_LIMITS:
                unit = costs.baseline if name == "max_relative_cost" else 1
                possible = prices(costs, exits[None])[0] / unit
                tests.append(self._test(name, -limit, -(found.cost / unit), -possible.max(), -possible.min(), ""))
            elif name == "min_agreement" and records.prediction is not None:
                same = records.prediction[found.exit, np.arange(records.n_samples)] == records.prediction[-1]
                tests.append(self._test(name, limit, same, 0, 1, "exact binomial"))
            elif name == "min_accuracy":
                exact = "exact binomial" if self.right_or_wrong else ""
                tests.append(self._test(name, limit, found.score, 0, 1, exact))
            elif name == "max_accuracy_drop":
                gained = found.score.astype(np.float64) - records.score[-1]
                exact = "exact paired" if self.right_or_wrong else ""
                tests.append(self._test(name, -limit, gained, -1, 1, exact))
        return tests

    def _test(
        self, name: str, floor: float, value: npt.NDArray[np.generic], low: float, high: float, exact: str
    ) -> LimitTest:
        used = exact if exact and self.group is None else "betting"
        return LimitTest(
            name=name,
            floor=floor,
            alpha=self.alpha,
            value=value.astype(np.float64),
            low=float(low),
            high=float(high),
            group=self.group,
            method=used if self.method == "auto" else self.method.replace("hoeffding_bentkus", "Hoeffding-Bentkus"),
        )
