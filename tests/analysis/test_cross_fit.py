"""Cross-fitted fronts: the figures to expect, against a twin that does the folds by hand."""

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.records.splits import split_indices
from dyce_search.records.synthetic import synthetic_records


@pytest.fixture(scope="module")
def records() -> ds.ExitRecords:
    return ds.load_example().subset(np.arange(1200))


@pytest.fixture(scope="module")
def fitted(records: ds.ExitRecords) -> ds.CrossFit:
    return ds.cross_fitted(records, folds=3, seed=4, solver="exit_shares")


def test_equals_the_folds_by_hand(records: ds.ExitRecords, fitted: ds.CrossFit) -> None:
    whole = ds.search(records, solver="exit_shares", seed=4)
    parts = split_indices(1200, [1 / 3, 1 / 3], 4, label=records.label)
    others = [records.subset(np.setdiff1d(np.arange(1200), part)) for part in parts]
    fronts = [list(ds.search(other, solver="exit_shares", seed=4)) for other in others]
    assert list(fitted.front) == list(whole)
    for f, point in enumerate(whole):
        drops, costs = [], []
        for front, part in zip(fronts, parts, strict=True):
            near = [p for p in front if 0.9 * point.relative_cost <= p.relative_cost <= 1.1 * point.relative_cost]
            near = near or [min(front, key=lambda p: abs(p.relative_cost - point.relative_cost))]
            there = [ds.evaluate(records.subset(part), p.config) for p in near]
            pairs = list(zip(there, near, strict=True))
            drops.append(np.mean([t.accuracy_drop - p.accuracy_drop for t, p in pairs]))
            costs.append(np.mean([t.relative_cost - p.relative_cost for t, p in pairs]))
        assert fitted.expected_drop[f] == pytest.approx(point.accuracy_drop + np.mean(drops), abs=1e-12)
        assert fitted.expected_cost[f] == pytest.approx(point.relative_cost + np.mean(costs), abs=1e-12)


def test_expects_what_other_samples_deliver() -> None:
    """Over a few searches on 1,500 samples each, the mean error is far below what the fronts promise too much."""
    large = synthetic_records(30_000, positions=8, types=2, seed=5)
    held_out = large.subset(np.arange(15_000, 30_000))
    promised, expected = [], []
    for k in range(5):
        result = ds.cross_fitted(large.subset(np.arange(1500 * k, 1500 * (k + 1))), folds=5, effort="fast", seed=k)
        there = result.front.evaluate(held_out).accuracy_drop
        near = (result.front.accuracy_drop > -0.01) & (result.front.accuracy_drop < 0.03)
        promised.append(np.mean((there - result.front.accuracy_drop)[near]))
        expected.append(np.mean((there - result.expected_drop)[near]))
    assert np.mean(promised) > 0.008
    assert abs(np.mean(expected)) < 0.4 * np.mean(promised)


def test_select_goes_by_what_is_expected(fitted: ds.CrossFit) -> None:
    limit = float(np.median(fitted.expected_drop))
    point = fitted.select(max_accuracy_drop=limit)
    within = fitted.expected_drop <= limit + 1e-12
    assert point.relative_cost == fitted.expected_cost[within].min()
    assert point.accuracy_drop <= limit + 1e-12
    assert point.accuracy == pytest.approx(fitted.front.baseline_accuracy - point.accuracy_drop)
    assert point.cost == pytest.approx(point.relative_cost * fitted.front.costs.baseline)
    assert any(point.config == other.config for other in fitted.front)
    cheap = fitted.select(max_relative_cost=0.3)
    assert cheap.accuracy_drop == fitted.expected_drop[fitted.expected_cost <= 0.3].min()
    both = fitted.select(max_relative_cost=0.3, max_accuracy_drop=cheap.accuracy_drop)
    assert both.relative_cost <= cheap.relative_cost


def test_select_says_what_comes_closest(fitted: ds.CrossFit) -> None:
    with pytest.raises(ds.InfeasibleError, match=r"expected to satisfy max_accuracy_drop=-0.5; expected of the most"):
        fitted.select(max_accuracy_drop=-0.5)
    with pytest.raises(ds.InfeasibleError, match=r"max_relative_cost=0\.001"):
        fitted.select(max_relative_cost=0.001)
    with pytest.raises(ds.FrontError, match="select needs a limit"):
        fitted.select()
    with pytest.raises(ds.FrontError, match="limits must be finite numbers"):
        fitted.select(max_accuracy_drop=float("nan"))


def test_table_and_picture(fitted: ds.CrossFit) -> None:
    frame = fitted.to_frame()
    assert list(frame.columns) == ["relative_cost", "accuracy_drop", "expected_cost", "expected_drop"]
    assert len(frame) == len(fitted.front)
    assert [line.get_label() for line in fitted.plot().get_lines()] == ["as searched", "to expect"]


def test_groups_stay_together(records: ds.ExitRecords) -> None:
    """Every sample comes twice, in one group: folds that parted twins would see no optimism at all."""
    twice = np.repeat(np.arange(400), 2)
    doubled = records.subset(twice)

    def gap(group: np.ndarray | None) -> float:
        grouped = ds.ExitRecords(confidence=doubled.confidence, score=doubled.score, costs=doubled.costs, group=group)
        result = ds.cross_fitted(grouped, folds=4, effort="fast")
        return float(np.mean(result.expected_drop - result.front.accuracy_drop))

    assert gap(twice) > gap(None)


@pytest.mark.parametrize("folds", [1, 1201, 2.5, True, "ten"])
def test_bad_folds(records: ds.ExitRecords, folds: int) -> None:
    with pytest.raises(ds.RecordsError, match=r"folds must be a whole number from 2 to the number of samples, 1,200"):
        ds.cross_fitted(records, folds=folds)


def test_bad_input(records: ds.ExitRecords) -> None:
    with pytest.raises(ds.RecordsError, match="records must be an ExitRecords, got NoneType"):
        ds.cross_fitted(None)  # type: ignore[arg-type]
    with pytest.raises(ds.SolverError, match="does not take the option 'folder'"):
        ds.cross_fitted(records, folder=3)
