"""What a limit means on calibration samples, and the test of it."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from dyce_search.certify.asked import Asked
from dyce_search.certify.p_values import (
    FARTHEST,
    betting_p_value,
    binomial_p_value,
    hoeffding_bentkus_p_value,
    paired_p_value,
)
from dyce_search.errors import RecordsError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.cost_tails import is_over
from dyce_search.evaluation.limits import MEAN_COST_LIMITS
from dyce_search.evaluation.outcomes import outcomes, prices
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import differing

FloatArray = npt.NDArray[np.float64]

HALVINGS = 40  # of the interval in which a bound lies
FAR = 1e9  # the largest gain, relative to what is possible
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
        unit: (N,) float64 >= 0, or None, which is 1: what `floor` counts on each sample. A mean cost relative to the
            mean baseline is at most r where the mean of r * baseline - cost is at least 0.
        largest_unit: the largest possible one.
    """

    name: str
    floor: float
    alpha: float
    value: FloatArray
    low: float
    high: float
    group: npt.NDArray[np.int64] | None
    method: str
    unit: FloatArray | None = None
    largest_unit: float = 1.0

    @property
    def mean(self) -> float:
        """Of the values, in the unit that `floor` counts."""
        whole = 1.0 if self.unit is None else float(self.unit.mean())
        return float(self.value.mean()) / whole

    @property
    def p_value(self) -> float:
        """Of the claim that the mean is at least `floor`."""
        return self._p_value_at(self.floor)

    def _p_value_at(self, floor: float) -> float:
        if self.unit is None and floor <= self.low:
            return 0.0
        n = len(self.value)
        if self.method == "exact binomial":
            return binomial_p_value(int(np.count_nonzero(self.value)), n, floor)
        if self.method == "exact paired":
            lost, gained = int(np.count_nonzero(self.value < 0)), int(np.count_nonzero(self.value > 0))
            return paired_p_value(lost, gained, n, -floor, alpha=self.alpha)
        gain, worst, span = self._gain(floor), *self._range(floor)
        if worst >= 0:
            return 0.0
        if self.method == "betting":
            return betting_p_value(gain, worst=worst, alpha=self.alpha)
        return hoeffding_bentkus_p_value(float(gain.mean() - worst) / span, len(gain), -worst / span)

    def _gain(self, floor: float) -> FloatArray:
        """(N,) value - floor; or (G,) its sums over groups, as a share of the largest: independent, and no wider.

        Where `floor` is far below all that is possible, gains are taken for less than they are, which no test minds.
        """
        with np.errstate(over="ignore"):
            gain = self.value - (floor if self.unit is None else floor * self.unit)
            gain = gain if self.group is None else np.bincount(self.group, gain) / np.bincount(self.group).max()
        return np.minimum(gain, self._most(floor))

    def _most(self, floor: float) -> float:
        """What gains are taken for at most, so that sums of their squares are finite."""
        return min(FAR * max(-self._worst(floor), self.high - self.low), FARTHEST)

    def _worst(self, floor: float) -> float:
        """The least possible gain."""
        return self.low - floor if self.unit is None else self.low + min(0.0, -floor * self.largest_unit)

    def _range(self, floor: float) -> tuple[float, float]:
        """The least possible gain, and how far the largest one is from it."""
        worst = self._worst(floor)
        if self.unit is None:
            return worst, self.high - self.low
        return worst, min(self.high + max(0.0, -floor * self.largest_unit), self._most(floor)) - worst

    def bound(self) -> float:
        """The highest floor that is confirmed too, once `floor` is. A drop below 0 is never claimed."""
        best = 0.0 if self.name == "max_accuracy_drop" else self.high
        passed, failed = self.floor, max(self.floor, min(best, self.mean))
        reach = max(self.high - self.low, abs(self.high), abs(self.low)) or 1.0
        while failed - reach > passed:  # far below all that is possible, from where halving would not come near
            if self._p_value_at(failed - reach) <= self.alpha:
                passed = failed - reach
            reach *= 4
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

        if self._worst(self.floor) >= 0:
            return 0.0
        gain = self._gain(self.floor)
        margin = float(gain.mean())
        if margin <= 0:
            return math.inf
        variance = self._range(self.floor)[1] ** 2 / 4 if self.method == "Hoeffding-Bentkus" else float(np.var(gain))
        quantile = float(norm.isf(self.alpha)) ** 2 if self.method.startswith("exact") else 2 * math.log(1 / self.alpha)
        return quantile * variance / margin**2

    def least(self) -> int:
        """The least number of samples that can confirm `floor` if none is worse than with the whole network.

        Not above `MOST_SAMPLES`.
        """
        ideal = 0.0 if self.name == "max_accuracy_drop" else self.high

        def enough(n: int) -> bool:
            unit = None if self.unit is None else np.full(n, self.unit.mean())
            return replace(self, value=np.full(n, ideal), group=None, unit=unit).p_value <= self.alpha

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
        asked: what is to be certified.
        group: (N,) int64, 0 .. G-1, or None.
        right_or_wrong: whether every score is 0 or 1.
    """

    records: ExitRecords
    asked: Asked
    group: npt.NDArray[np.int64] | None
    right_or_wrong: bool

    @classmethod
    def of(cls, records: ExitRecords, asked: Asked) -> Self:
        """Looks once at what is the same for all configurations.

        Raises:
            RecordsError: a limit on agreement, and no predictions.
        """
        if "min_agreement" in asked.limits and records.prediction is None:
            raise RecordsError("min_agreement needs records with prediction (E, N), these have none")
        return cls(
            records=records,
            asked=asked,
            group=None if records.group is None else np.unique(records.group, return_inverse=True)[1],
            right_or_wrong=all(bool(np.all((row == 0) | (row == 1))) for row in records.score),
        )

    @property
    def n_groups(self) -> int | None:
        """How many independent groups the samples come in; None where each is one."""
        return None if self.group is None else int(self.group.max()) + 1

    def tests(self, config: ExitConfig) -> list[LimitTest]:
        """One test a limit."""
        records = self.records
        exits = config.exits(records.layout)
        found = outcomes(records, exits, config.threshold)
        tests = []
        for name, limit in self.asked.limits.items():
            if name in MEAN_COST_LIMITS:
                tests.append(self._of_mean_cost(name, limit, config, found.cost))
            elif name == "max_sample_cost":
                within = ~is_over(found.cost, limit)
                tests.append(self._test(name, 1 - self.asked.share, within, 0, 1, "exact binomial"))
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

    def _of_mean_cost(self, name: str, limit: float, config: ExitConfig, cost: FloatArray) -> LimitTest:
        """Costs are between the least and the most that a sample can pay at all, whoever is in the calibration."""
        charged, costs = differing(self.records.sample_costs), self.records.costs
        exits = config.exits(self.records.layout)
        relative = name == "max_relative_cost"
        if charged is None:
            unit = costs.baseline if relative else 1
            possible = prices(costs, exits[None])[0] / unit
            return self._test(name, -limit, -(cost / unit), -possible.max(), -possible.min(), "")
        everybody = np.append((exits >= 0) & np.isneginf(config.threshold), True)  # nobody comes past the first of them
        most = float(prices(charged.most, exits[None])[0][: int(everybody.argmax()) + 1].max())
        test = self._test(name, -limit, -cost, -most, 0.0, "")
        return replace(test, unit=charged.baseline, largest_unit=charged.most.baseline) if relative else test

    def _test(
        self, name: str, floor: float, value: npt.NDArray[np.generic], low: float, high: float, exact: str
    ) -> LimitTest:
        used = exact if exact and self.group is None else "betting"
        method = self.asked.method
        return LimitTest(
            name=name,
            floor=floor,
            alpha=self.asked.alpha,
            value=value.astype(np.float64),
            low=float(low),
            high=float(high),
            group=self.group,
            method=used if method == "auto" else method.replace("hoeffding_bentkus", "Hoeffding-Bentkus"),
        )
