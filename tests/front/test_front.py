"""Fronts: non-dominated, selected from, measured elsewhere, merged, saved."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

import dyce_search as ds
from dyce_search.provenance import Provenance
from tests import observed, oracles
from tests.strategies import records_and_configs

COSTS = ds.ExitCosts(backbone=[1.0, 10.0], head=[0.0, 0.0], position=[0, 1])


def make_front(cost, accuracy, baseline=1.0):
    """A front with given figures, as if measured."""
    n = len(cost)
    return ds.ParetoFront(
        costs=COSTS, candidate=[[0]] * n, threshold=[[k / 8] for k in range(n)], accuracy=accuracy, cost=cost,
        exit_accuracy=[0.25, baseline], n_samples=100, records_digest="0" * 64,
    )  # fmt: skip


@pytest.fixture
def front():
    """Relative cost 0.1, 0.2, 0.4, 0.8 at accuracy 0.5, 0.7, 0.85, 0.95; the baseline has 0.9."""
    return make_front([1.0, 2.0, 4.0, 8.0], [0.5, 0.7, 0.85, 0.95], baseline=0.9)


@settings(max_examples=200)
@given(records_and_configs(max_configs=8))
def test_from_configs_keeps_what_no_other_dominates(drawn):
    records, configs = drawn
    front = ds.ParetoFront.from_configs(records, configs)
    measured = [oracles.evaluate(records, config) for config in configs]
    assert oracles.points(front) == oracles.non_dominated([(one["cost"], one["accuracy"]) for one in measured])
    for point in front:
        twin = oracles.evaluate(records, point.config)
        for name in ("cost", "accuracy", "relative_cost", "accuracy_drop"):
            assert getattr(point, name) == twin[name]
        first = [(one["cost"], one["accuracy"]) for one in measured].index((point.cost, point.accuracy))
        assert point.config == configs[first]


def test_bad_fronts_are_refused(records):
    with pytest.raises(ds.FrontError, match="needs at least one configuration"):
        ds.ParetoFront.from_configs(records, [])
    with pytest.raises(ds.FrontError, match="must have at least one point"):
        replace_points(0)
    for cost, accuracy in (([1, 1], [0.5, 0.6]), ([1, 2], [0.5, 0.5]), ([2, 1], [0.5, 0.6]), ([1, 2], [0.6, 0.5])):
        with pytest.raises(ds.FrontError, match="must both rise strictly"):
            make_front(cost, accuracy)
    with pytest.raises(ds.FrontError, match="accuracy must not be NaN"):
        make_front([1, 2], [0.5, np.nan])
    with pytest.raises(ds.FrontError, match=r"accuracy must have shape \(2,\), got \(3,\)"):
        make_front([1, 2], [0.5, 0.6, 0.7])
    with pytest.raises(ds.FrontError, match="index of one of its candidates, or -1"):
        replace(make_front([1], [0.5]), candidate=[[1]])


def replace_points(n):
    """A front cut to its first n points."""
    front = make_front([1.0], [0.5])
    fields = ("candidate", "threshold", "accuracy", "cost", "disagreement", "cost_tail")
    return replace(front, **{name: getattr(front, name)[:n] for name in fields})


class TestPoints:
    def test_points_carry_their_figures(self, front):
        assert len(front) == len(list(front)) == 4
        point = front[-1]
        assert point == front[3]
        assert (point.accuracy, point.cost, point.relative_cost) == (0.95, 8.0, 0.8)
        assert point.accuracy_drop == pytest.approx(-0.05)
        assert point.config == ds.ExitConfig(candidate=[0], threshold=[3 / 8])
        with pytest.raises(IndexError, match="index 4 is out of range for 4 points"):
            front[4]
        with pytest.raises(IndexError):
            front[-5]

    def test_arrays_are_frozen_copies(self):
        cost = np.array([1.0, 2.0])
        front = make_front(cost, [0.5, 0.6])
        cost[0] = 5
        assert front.cost[0] == 1
        with pytest.raises(ValueError, match="read-only"):
            front.cost[0] = 5

    def test_the_table_has_a_row_a_configuration(self, front):
        frame = front.to_frame()
        names = ["cost", "relative_cost", "accuracy", "accuracy_drop", "disagreement", "n_exits", "scores"]
        assert list(frame.columns) == names
        assert set(frame["scores"]) == {"observed"}
        assert frame["cost"].tolist() == [1, 2, 4, 8]
        assert frame["n_exits"].tolist() == [1] * 4
        np.testing.assert_allclose(frame["accuracy_drop"], [0.4, 0.2, 0.05, -0.05])

    def test_it_describes_itself(self, front):
        assert "relative cost 0.1000 to 0.8000, observed accuracy 0.5000 to 0.9500, by hand" in repr(front)
        assert str(front[2]) == "accuracy 0.8500 (drop +5.00 points) at relative cost 0.4000, 1 exit"


class TestSelect:
    @pytest.mark.parametrize(
        ("limits", "cost"),
        [
            ({"max_accuracy_drop": 0.1}, 4),
            ({"max_accuracy_drop": 0.05}, 4),  # 0.9 - 0.85 is a little more in floating point
            ({"max_accuracy_drop": 0.049}, 8),
            ({"max_accuracy_drop": -0.05}, 8),
            ({"max_accuracy_drop": 0.99}, 1),
            ({"min_accuracy": 0.7}, 2),
            ({"min_accuracy": 0.71}, 4),
            ({"min_accuracy": 0}, 1),
            ({"max_cost": 4}, 4),
            ({"max_cost": 3.9}, 2),
            ({"max_cost": 1000}, 8),
            ({"max_relative_cost": 0.2}, 2),
            ({"max_relative_cost": 0.19}, 1),
            ({"max_relative_cost": 1}, 8),
            ({"max_cost": 4, "max_relative_cost": 0.3}, 2),
            ({"max_cost": 2, "max_relative_cost": 0.5}, 2),
            ({"min_accuracy": 0.6, "max_accuracy_drop": 0.1}, 4),
            ({"min_accuracy": 0.9, "max_accuracy_drop": 0.3}, 8),
            ({"min_accuracy": 0.6, "max_cost": 5}, 2),
            ({"max_accuracy_drop": 0.1, "max_relative_cost": 0.4}, 4),
            ({"max_accuracy_drop": 0.3, "min_accuracy": 0.6, "max_cost": 9, "max_relative_cost": 0.9}, 2),
        ],
    )
    def test_each_limit_and_combinations(self, front, limits, cost):
        assert front.select(**limits).cost == cost

    @pytest.mark.parametrize(
        ("limits", "message"),
        [
            (
                {"max_accuracy_drop": -0.06},
                r"satisfies max_accuracy_drop=-0.06; the most accurate has accuracy 0.9500 ",
            ),
            ({"min_accuracy": 0.96}, r"min_accuracy=0.96; the most accurate has .*at relative cost 0.8000"),
            ({"max_cost": 0.5}, r"max_cost=0.5; the cheapest has accuracy 0.5000 .* relative cost 0.1000.*cost 1 MACs"),
            ({"max_relative_cost": 0.05}, r"max_relative_cost=0.05; the cheapest has accuracy 0.5000"),
            (
                {"min_accuracy": 0.8, "max_cost": 3},
                r"min_accuracy=0.8, max_cost=3; the cheapest that is accurate enough has accuracy 0.8500 .*; "
                r"the most accurate that is cheap enough has accuracy 0.7000",
            ),
            ({"min_accuracy": 1, "max_cost": 0}, r"the most accurate has accuracy 0.9500 .*; the cheapest has acc"),
        ],
    )
    def test_what_cannot_be_had_names_the_closest_point(self, front, limits, message):
        with pytest.raises(ds.InfeasibleError, match=message):
            front.select(**limits)

    @pytest.mark.parametrize("limits", [{"max_cost": np.nan}, {"max_cost": np.inf}, {"min_accuracy": "high"}])
    def test_bad_limits_are_refused(self, front, limits):
        with pytest.raises(ds.FrontError, match="must be a finite number, got"):
            front.select(**limits)

    @pytest.mark.parametrize(
        ("limits", "message"),
        [
            (
                {"max_accuracy_drop": 1},
                "max_accuracy_drop must be a number below 1, got 1: it is absolute, 0.01 is one",
            ),
            ({"max_accuracy_drop": np.float64(1.0)}, "below 1, got 1.0: it is absolute"),
            ({"max_accuracy_drop": -2}, "below 1, got -2"),
            ({"max_accuracy_drop": 1, "max_cost": 3}, "below 1, got 1"),
            ({"min_accuracy": 93}, "min_accuracy must be at most 1, got 93: it is a share of the samples, so 0.93?"),
            ({"min_accuracy": True}, "min_accuracy must be a finite number, got True"),
            ({"max_cost": np.float64("nan")}, "max_cost must be a finite number, got nan"),
        ],
    )
    def test_points_and_per_cent_are_not_taken_in_silence(self, front, limits, message):
        with pytest.raises(ds.FrontError, match=message):
            front.select(**limits)

    def test_no_limit_is_refused(self, front):
        with pytest.raises(ds.FrontError, match="select needs a limit: one or more of max_accuracy_drop, min_accuracy"):
            front.select()


class TestHypervolume:
    def test_rectangles(self, front):
        steps = [(0.1, 0.5), (0.2, 0.7), (0.4, 0.85), (0.8, 0.95)]
        right = [0.2, 0.4, 0.8, 1.0]
        area = sum((end - cost) * accuracy / 0.9 for (cost, accuracy), end in zip(steps, right, strict=True))
        assert front.hypervolume() == pytest.approx(area, rel=1e-12)

    def test_one_point_and_the_corner(self):
        front = make_front([2.5], [0.5])
        assert front.hypervolume() == pytest.approx(0.75 * 0.5)
        assert front.hypervolume(reference=(0.5, 0.25)) == pytest.approx(0.25 * 0.25)
        assert front.hypervolume(reference=(0.25, 0.0)) == 0

    def test_points_beyond_the_corner_count_nothing(self):
        dear = ds.ExitCosts(backbone=[1.0, 10.0], head=[0.0, 15.0, 0.0], position=[0, 0, 1])
        front = replace(
            make_front([2.5, 5.0], [0.5, 0.9]), costs=dear, layout=dear.layout, candidate=[[0], [1]], cost=[2.5, 20.0],
            exit_accuracy=[0.25, 0.5, 1.0],
        )  # fmt: skip
        assert front.hypervolume() == pytest.approx(0.75 * 0.5)

    def test_bad_corners_are_refused(self, front):
        for corner in (1.0, (1,), (1, 2, 3), (np.nan, 0), ("a", "b")):
            with pytest.raises(ds.FrontError, match="reference must"):
                front.hypervolume(reference=corner)
        with pytest.raises(ds.FrontError, match="relative to the baseline accuracy, which is 0 here"):
            make_front([1], [0.5], baseline=0).hypervolume()


class TestElsewhere:
    def test_length_and_order_stay(self, example):
        train, test = example.subset(np.arange(500)), example.subset(np.arange(500, 900))
        front = observed.search(train, solver="same_threshold")
        held = front.evaluate(test)
        assert type(held) is ds.Curve
        assert len(held) == len(front)
        for index in (0, len(front) // 2, -1):
            assert held[index].config == front[index].config
            assert held[index].accuracy == ds.evaluate(test, front[index].config).accuracy
        assert held.baseline_accuracy == test.baseline_accuracy
        np.testing.assert_array_equal(front.evaluate(train).accuracy, front.accuracy)
        np.testing.assert_array_equal(front.evaluate(train).cost, front.cost)

    def test_another_network_is_refused(self, front, records):
        with pytest.raises(ds.ConfigError, match="the front has 2 exits at 1 position, the records 4 exits at 2"):
            front.evaluate(records)
        with pytest.raises(ds.RecordsError, match="must be an ExitRecords, got str"):
            front.evaluate("test.npz")


class TestMerge:
    def test_is_the_front_of_all_configurations(self, example):
        records = example.subset(np.arange(300))
        fronts = [observed.search(records, solver=solver) for solver in ("same_threshold", "exit_shares")]
        merged = fronts[0].merge(fronts[1])
        assert oracles.points(merged) == oracles.non_dominated(oracles.points(fronts[0]) + oracles.points(fronts[1]))
        np.testing.assert_array_equal(merged.evaluate(records).accuracy, merged.accuracy)
        assert merged.provenance.solver == "same_threshold + exit_shares"
        assert merged.provenance.evaluations == sum(front.provenance.evaluations for front in fronts)
        assert [one["solver"] for one in merged.provenance.options["merged"]] == ["same_threshold", "exit_shares"]

    def test_fronts_of_other_records_are_refused(self, front):
        with pytest.raises(ds.FrontError, match="must be measured on the same records, these are not: use ParetoFront"):
            front.merge(replace(front, records_digest="1" * 64))
        with pytest.raises(ds.FrontError, match="only fronts can be merged, got Curve"):
            front.merge(curve_of(front))


def curve_of(front):
    """The same points as a curve."""
    fields = ("costs", "candidate", "threshold", "accuracy", "cost", "exit_accuracy", "n_samples", "records_digest")
    return ds.Curve(**{name: getattr(front, name) for name in fields})


class TestFiles:
    def test_round_trips_to_the_bit(self, records, tmp_path):
        rng = np.random.default_rng(0)
        configs = [
            ds.ExitConfig(candidate=rng.integers(-1, [2, 1]), threshold=rng.random(2, np.float32)) for _ in range(60)
        ]
        configs += [ds.ExitConfig(candidate=[1, -1], threshold=[-np.inf, 0]), ds.ExitConfig.none(2)]
        origin = Provenance(solver="x", options={"lambdas": [0.1]}, seed=3, seconds=0.1, evaluations=7)
        front = ds.ParetoFront.from_configs(records, configs, provenance=origin)
        assert len(front) > 3
        front.save(tmp_path / "front.json")
        loaded = ds.ParetoFront.load(tmp_path / "front.json")
        for name in ("candidate", "threshold", "accuracy", "cost", "exit_accuracy"):
            one, other = getattr(front, name), getattr(loaded, name)
            assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes()), name
        assert (loaded.costs, loaded.provenance) == (front.costs, origin)
        assert (loaded.n_samples, loaded.records_digest) == (40, records.digest)
        assert loaded.merge(front).cost.tolist() == front.cost.tolist()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"format": "dyce_search.other"}, "is not a dyce_search.front file: its 'format' entry is"),
            ({"version": 99}, "has format version 99, this release reads 1 and 2"),
            ({"points": None}, "is damaged: Object missing required field `points`"),
            ({"costs": None}, "missing required field `costs`"),
            ({"provenance": None}, "missing required field `provenance`"),
            ({"provenance": {"by": "me"}}, "is damaged"),
            ({"points": [{"cost": 1}]}, r"missing required field `accuracy` - at `\$.points\[0\]`"),
            ({"points": []}, "is damaged: a front must have at least one point"),
            ({"points": 5}, "is damaged"),
            (
                {"points": [{"cost": 1, "accuracy": 1, "position": [0], "candidate": [0, 0], "threshold": [0, 0]}]},
                r"as many positions, candidates and thresholds, got \(1, 2, 2\)",
            ),
            (
                {"points": [{"cost": 1, "accuracy": 1, "position": [1, 0], "candidate": [0, 0], "threshold": [0, 0]}]},
                r"a point's positions must be from 0 to 0, rising, got \[1, 0\]",
            ),
            ({"records": {"digest": "x"}}, r"missing required field `n_samples` - at `\$.records`"),
        ],
    )
    def test_damaged_files_are_refused(self, front, tmp_path, change, message):
        path = tmp_path / "front.json"
        front.save(path)
        content = {**json.loads(path.read_text()), **change}
        path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
        with pytest.raises(ds.FileFormatError, match=message):
            ds.ParetoFront.load(path)
