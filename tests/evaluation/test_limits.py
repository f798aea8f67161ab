"""The vocabulary of limits: whoever takes limits takes these, and they admit what they say."""

import inspect

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.evaluation.limits import COST_LIMITS, LIMITS, POINT_LIMITS, choose


def limits_of(function: object) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name.startswith(("max_", "min_"))]  # type: ignore[arg-type]


def test_whoever_takes_limits_takes_these() -> None:
    assert limits_of(ds.ParetoFront.certify) == list(LIMITS)
    assert limits_of(ds.ParetoFront.select) == list(POINT_LIMITS)
    assert COST_LIMITS == ("max_cost", "max_relative_cost", "max_sample_cost")


def test_points_have_what_their_limits_limit() -> None:
    point = ds.search(ds.load_example().subset(np.arange(100)), solver="same_threshold")[0]
    for name in POINT_LIMITS:
        if LIMITS[name].of_samples:  # a front knows it, of many shares of the samples
            continue
        assert isinstance(getattr(point, LIMITS[name].figure), float)


def test_words_and_numbers() -> None:
    assert LIMITS["max_accuracy_drop"].claim == "accuracy drop at most"
    assert LIMITS["min_agreement"].claim == "agreement with the full network at least"
    assert LIMITS["max_accuracy_drop"].shown(0.0125) == "1.25 points"
    assert LIMITS["max_cost"].shown(1234567) == "1,234,567"
    assert LIMITS["max_relative_cost"].shown(0.25) == "0.25"


@pytest.mark.parametrize(
    ("name", "limit", "figure", "kept"),
    [
        ("max_accuracy_drop", 0.01, 0.93 - 0.92, True),
        ("max_accuracy_drop", 0.01, 0.0101, False),
        ("max_accuracy_drop", 0.0, 1e-13, True),
        ("min_accuracy", 0.9, 0.9 - 1e-13, True),
        ("min_accuracy", 0.9, 0.8999, False),
        ("max_cost", 1e9, 1e9 + 1e-4, True),
        ("max_cost", 1e9, 1e9 + 1, False),
        ("max_relative_cost", 0.0, 1e-13, False),
    ],
)
def test_rounding_is_absolute_for_accuracy_and_relative_for_cost(
    name: str, limit: float, figure: float, kept: bool
) -> None:
    assert LIMITS[name].admits(np.array([figure]), limit).tolist() == [kept]


def test_choice_does_not_need_sorted_points() -> None:
    figures = {"accuracy_drop": np.array([0.02, 0.0, 0.01]), "relative_cost": np.array([0.5, 0.9, 0.4])}

    def chosen(**asked: float) -> int:
        return choose(asked, figures, failing="nobody has", offer=lambda who, index: f"{who}: {index}")

    assert chosen(max_accuracy_drop=0.02) == 2
    assert chosen(max_relative_cost=0.6) == 2
    assert chosen(max_relative_cost=1) == 1
    assert chosen(max_relative_cost=1, max_accuracy_drop=0.005) == 1
    with pytest.raises(ds.InfeasibleError, match=r"^nobody has max_relative_cost=0.1; the cheapest: 2$"):
        chosen(max_relative_cost=0.1)
    with pytest.raises(ds.InfeasibleError, match=r"; the cheapest that is accurate enough: 1; the most .* enough: 2$"):
        chosen(max_accuracy_drop=0.005, max_relative_cost=0.6)
