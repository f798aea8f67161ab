"""The vocabulary of limits, written once: their names and words, what they admit, and what comes closest."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import real
from dyce_search.errors import DyceError, FrontError, InfeasibleError
from dyce_search.wording import number, points

FloatArray = npt.NDArray[np.float64]

USUAL_DROPS = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.05)  # of accuracy, absolute, for which tables give the cost
FEW_DROPS = (0.0, 0.005, 0.01, 0.02)  # the same, where a table has little room
SAMPLE_ROUNDING = 1e-7  # costs of samples are kept in float32: 0.1 + 0.2 must not break a limit of 0.3
ROUNDING = 1e-12  # 0.93 - 0.92 is 0.010000000000000009: a limit of 0.01 must still admit it


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a point can be asked to keep.

    Attributes:
        name: of the argument: "max_..." or "min_...".
        words: what is limited, for people.
        meaning: of the number, for people.
        hint: what to know where the number is refused as a promise.
        of_points: whether the points of a front have the figure: its name is that of the limit without "max_".
        on_cost: whether it limits cost; else accuracy, or what stands for it.
        of_samples: whether it limits what single samples cost, with a share of them that may cost more.
        against_baseline: whether it says how a point compares with the whole network on the same samples.
        rounding: by which figures may miss it: relative for cost, absolute for accuracy.
    """

    name: str
    words: str
    meaning: str
    hint: str
    of_points: bool = True
    on_cost: bool = False
    of_samples: bool = False
    against_baseline: bool = False
    rounding: float = ROUNDING

    @property
    def figure(self) -> str:
        """Name of what is limited, as points and curves have it."""
        return self.name.removeprefix("max_").removeprefix("min_")

    @property
    def is_most(self) -> bool:
        """Whether the figure may be that large at most; else it must be that large at least."""
        return self.name.startswith("max_")

    @property
    def claim(self) -> str:
        """Words before the number: "accuracy drop at most"."""
        return f"{self.words} at {'most' if self.is_most else 'least'}"

    def shown(self, value: float, unit: str | None = None) -> str:
        """A number of this kind for people: drops of accuracy in points, costs that are not relative in their unit."""
        if self.name == "max_accuracy_drop":
            return points(value)
        counted = unit if self.on_cost and self.figure != "relative_cost" else None
        return number(value) if counted is None else f"{number(value)} {counted}"

    def admits(self, figure: FloatArray, limit: float) -> npt.NDArray[np.bool_]:
        """(F,) which figures (F,) keep the limit, within rounding: absolute for accuracy, relative for cost."""
        slack = abs(limit) * self.rounding if self.on_cost else self.rounding
        kept: npt.NDArray[np.bool_] = figure <= limit + slack if self.is_most else figure >= limit - slack
        return kept


LIMITS = {
    limit.name: limit
    for limit in (
        Limit(
            name="max_accuracy_drop",
            words="accuracy drop",
            meaning="below the final exit alone, absolute: 0.005 is half a point",
            hint="0.01 is one point, and no number of samples proves that there is no drop at all",
            against_baseline=True,
        ),
        Limit(name="min_accuracy", words="accuracy", meaning="from 0 to 1", hint="it is a share of the samples"),
        Limit(
            name="min_agreement",
            words="agreement with the full network",
            meaning="with the answers of the whole model; 0 to 1",
            hint="it is a share of the samples",
            of_points=False,
            against_baseline=True,
        ),
        Limit(
            name="max_cost",
            words="cost",
            meaning="mean cost of a sample, in the unit of the costs",
            hint="it has the unit of the costs",
            on_cost=True,
        ),
        Limit(
            name="max_relative_cost",
            words="relative cost",
            meaning="1 is the whole model",
            hint="1 is the whole network",
            on_cost=True,
            against_baseline=True,
        ),
        Limit(
            name="max_sample_cost",
            words="cost of a sample",
            meaning="what each sample may cost, but for a share of them, in the unit of the costs",
            hint="it has the unit of the costs",
            on_cost=True,
            of_samples=True,
            rounding=SAMPLE_ROUNDING,
        ),
    )
}
POINT_LIMITS = tuple(name for name, limit in LIMITS.items() if limit.of_points)
COST_LIMITS = tuple(name for name, limit in LIMITS.items() if limit.on_cost)
MEAN_COST_LIMITS = tuple(name for name in COST_LIMITS if not LIMITS[name].of_samples)


def asked_for(limits: Mapping[str, float | None], what: str) -> dict[str, float]:
    """The limits that were given, by name.

    Args:
        limits: by name; None where there is none.
        what: needs them, for the message.

    Raises:
        FrontError: there is none.
    """
    asked = {name: limit for name, limit in limits.items() if limit is not None}
    if not asked:
        raise FrontError(f"{what} needs a limit: {one_or_more(limits)}")
    return asked


def one_or_more(names: Iterable[str]) -> str:
    """What to choose from, in words."""
    return f"one or more of {', '.join(names)}"


def in_words(asked: Mapping[str, float], share: float = 0.0) -> str:
    """What was asked for, as it was written; with the share of the samples that may cost more, where one was."""
    said = [f"{name}={limit:.10g}" for name, limit in asked.items()]
    return ", ".join(said + [f"share={share:g}"] * any(LIMITS[name].of_samples for name in asked))


def require_share(share: float, *, provable: bool = False) -> None:
    """For the share of the samples that may cost more than a limit.

    Args:
        share: in [0, 1).
        provable: whether it must be above 0.

    Raises:
        FrontError: it is something else.
    """
    hint = "0.01 lets one sample in a hundred cost more"
    real(share, "share", FrontError, "lie in [0, 1)", lambda value: 0 <= value < 1, hint=hint)
    if provable and share == 0:
        raise FrontError(
            "share must be above 0 to be proven, got 0: no number of samples proves that none will ever cost more; "
            "0.01 is one in a hundred"
        )


def require_finite(asked: Mapping[str, float]) -> None:
    """For limits on figures that are known: any number will do, but for accuracies in per cent.

    Raises:
        FrontError: one that is no finite number, an accuracy above 1, a drop from 1 on.
    """
    for name, limit in asked.items():
        real(limit, name, FrontError, "be a finite number")
        if name == "max_accuracy_drop":
            require_drop(limit)
        elif not LIMITS[name].on_cost and limit > 1:
            raise FrontError(f"{name} must be at most 1, got {limit:g}: {LIMITS[name].hint}, so {limit / 100:g}?")


def require_drop(drop: float, name: str = "max_accuracy_drop", error: type[DyceError] = FrontError) -> None:
    """For a drop of accuracy: absolute, so that one from 1 on is surely meant in points.

    Raises:
        error: no number, or one from 1 on, either way.
    """
    hint = "it is absolute, 0.01 is one point"
    real(drop, name, error, "be a number below 1", lambda value: abs(value) < 1, hint=hint)


def require_provable(asked: Mapping[str, float]) -> None:
    """For limits that are to be proven: on accuracy in (0, 1), on cost above 0.

    Raises:
        FrontError: one that is not.
    """
    for name, limit in asked.items():
        on_cost = LIMITS[name].on_cost
        interval = "be a finite number above 0" if on_cost else "lie in (0, 1)"
        real(limit, name, FrontError, interval, _above_0 if on_cost else _share, hint=LIMITS[name].hint)


def require_confidence(confidence: float) -> None:
    """For the confidence with which limits are to be proven.

    Raises:
        FrontError: no number in (0, 1).
    """
    hint = "at 0.95, one calibration in twenty errs"
    real(confidence, "confidence", FrontError, "lie in (0, 1)", _share, hint=hint)


def require_number(value: object, name: str, low: float, high: float) -> None:
    """For a figure that must lie in an interval.

    Args:
        value: any.
        name: of the figure, for the message.
        low: the least that it may be.
        high: the most; finite.

    Raises:
        FrontError: no number, or none between.
    """
    real(value, name, FrontError, f"be a number from {low:g} to {high:g}", lambda figure: low <= figure <= high)


def _above_0(value: float) -> bool:
    return 0 < value < math.inf


def _share(value: float) -> bool:
    return 0 < value < 1


def choose(
    asked: Mapping[str, float],
    figures: Mapping[str, FloatArray],
    *,
    failing: str,
    offer: Callable[[str, int], str],
    share: float = 0.0,
) -> int:
    """Index of the best point within limits: the cheapest where accuracy is limited, else the most accurate.

    Args:
        asked: limits by name, one or more, finite.
        figures: (F,) of the points, by the limits' `figure`; `accuracy_drop` and `relative_cost` at least.
        failing: how the message begins where there is none: "no point of this front satisfies".
        offer: says what a point has, from who it is ("the cheapest") and its index.
        share: of the samples, that may cost more than `max_sample_cost`; only for the message.

    Raises:
        InfeasibleError: no point is within all limits; the message says what the closest ones offer.
    """
    drop, cost = figures["accuracy_drop"], figures["relative_cost"]
    accurate, cheap = np.ones(len(cost), np.bool_), np.ones(len(cost), np.bool_)
    for name, value in asked.items():
        enough = cheap if LIMITS[name].on_cost else accurate
        enough &= LIMITS[name].admits(figures[LIMITS[name].figure], value)
    within = accurate & cheap
    if not within.any():
        offers = ([] if accurate.any() else [("the most accurate", int(drop.argmin()))]) + (
            [] if cheap.any() else [("the cheapest", int(cost.argmin()))]
        )
        offers = offers or [
            ("the cheapest that is accurate enough", _least(cost, accurate)),
            ("the most accurate that is cheap enough", _least(drop, cheap)),
        ]
        found = "; ".join(offer(who, index) for who, index in offers)
        raise InfeasibleError(f"{failing} {in_words(asked, share)}; {found}")
    return _least(drop if asked.keys() <= set(COST_LIMITS) else cost, within)


def _least(key: FloatArray, among: npt.NDArray[np.bool_]) -> int:
    """Index of the least key of some points; the first of equal ones."""
    return int(np.where(among, key, np.inf).argmin())
