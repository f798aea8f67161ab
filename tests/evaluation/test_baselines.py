"""Static exits, patience and the oracle, held to slow twins; pickling of what they and records are made of."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dyce_search as ds
from tests import oracles
from tests.strategies import exit_configs, exit_records


def with_answers(records: ds.ExitRecords, classes: int = 2, seed: int = 0) -> ds.ExitRecords:
    answers = np.random.default_rng(seed).integers(0, classes, records.score.shape)
    return ds.ExitRecords(confidence=records.confidence, score=records.score, costs=records.costs, prediction=answers)


class TestStaticExits:
    @settings(max_examples=40)
    @given(exit_records())
    def test_each_is_what_evaluate_says(self, records: ds.ExitRecords) -> None:
        curve = ds.static_exits(records)
        assert len(curve) == records.n_exits
        np.testing.assert_array_equal(curve.accuracy, records.exit_accuracy)
        np.testing.assert_allclose(curve.cost, records.costs.alone, rtol=1e-15)
        for point in curve:
            slow = oracles.evaluate(records, point.config)
            assert (point.accuracy, point.cost) == (slow["accuracy"], slow["cost"])

    def test_the_last_is_the_baseline(self, records: ds.ExitRecords) -> None:
        last = ds.static_exits(records)[-1]
        assert last.config == ds.ExitConfig.none(2)
        assert (last.relative_cost, last.accuracy_drop) == (1, 0)

    def test_something_else_than_records(self) -> None:
        for function in (ds.static_exits, ds.patience, ds.oracle):
            with pytest.raises(ds.RecordsError, match="records must be an ExitRecords, got str"):
                function("records.npz")


class TestPatience:
    @settings(max_examples=80)
    @given(exit_records(), st.integers(1, 3), st.integers(0, 5))
    def test_agrees_with_its_slow_twin(self, records: ds.ExitRecords, classes: int, seed: int) -> None:
        records = with_answers(records, classes, seed)
        points = ds.patience(records)
        expected = []
        for kind in range(int(records.costs.n_candidates.max())):
            places = range(records.costs.n_positions)
            at = [oracles.candidates(records.costs, p) for p in places]
            exits = [found[kind] for found in at if len(found) > kind]
            expected += [(kind, k, *oracles.patience(records, exits, k)) for k in range(1, len(exits) + 1)]
        found = zip(points.setting["type"], points.setting["k"], points.cost, points.accuracy, strict=True)
        assert [tuple(map(float, point)) for point in found] == expected

    def test_by_hand(self) -> None:
        costs = ds.ExitCosts(backbone=[1, 2, 3, 10], head=[0.5] * 3 + [0], position=[0, 1, 2, 3])
        answers = [[7, 7, 7, 7], [7, 8, 8, 7], [7, 8, 9, 8], [7, 8, 9, 8]]
        score = np.equal(answers, [7, 8, 9, 8])
        records = ds.ExitRecords(confidence=np.zeros((4, 4)), score=score, costs=costs, prediction=answers)
        points = ds.patience(records)
        assert points.setting["k"].tolist() == [1, 2, 3]
        # k = 2: samples 0 and 3 leave at position 1, sample 1 at position 2, sample 2 goes on to the end
        assert (4 * points.cost).tolist() == [6.0, 3.0 + 4.5 + 11.5 + 3.0, 4.5 + 3 * 11.5]
        assert (4 * points.accuracy).tolist() == [1, 3, 4]

    def test_type_by_name_and_by_number(self, example: ds.ExitRecords) -> None:
        every, named = ds.patience(example), ds.patience(example, type=example.costs.names[1])
        assert set(named.setting["type"]) == {example.costs.names[1]}
        second = every.setting["type"] == 1
        np.testing.assert_array_equal(named.cost, every.cost[second])
        np.testing.assert_array_equal(ds.patience(example, type=1).accuracy, every.accuracy[second])

    def test_chosen_k(self, example: ds.ExitRecords) -> None:
        points = ds.patience(example, k=[4, 2], type=0)
        assert points.setting["k"].tolist() == [4, 2]
        assert ds.patience(example, k=4, type=0).cost[0] == points.cost[0]

    def test_needs_answers(self, example: ds.ExitRecords) -> None:
        bare = ds.ExitRecords(confidence=example.confidence, score=example.score, costs=example.costs)
        with pytest.raises(ds.RecordsError, match="patience compares the exits' answers, which these records lack"):
            ds.patience(bare)

    @pytest.mark.parametrize("k", [0, -1, 16, [], [1, 20], 1.5, "two", [[1]]])
    def test_bad_k(self, example: ds.ExitRecords, k: object) -> None:
        with pytest.raises(ds.RecordsError, match=r"k must be one or more whole numbers from 1 to the number of .* 15"):
            ds.patience(example, k=k)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("transformer", "no exit is of type 'transformer': use one of .*, or a number"),
            (3, "type must be a name or a whole number from 0 to 2, got 3"),
            (-1, "from 0 to 2, got -1"),
            (True, "from 0 to 2, got True"),
            (0.5, "from 0 to 2, got 0.5"),
        ],
    )
    def test_bad_type(self, example: ds.ExitRecords, kind: object, message: str) -> None:
        with pytest.raises(ds.RecordsError, match=message):
            ds.patience(example, type=kind)  # type: ignore[arg-type]


class TestOracle:
    @settings(max_examples=60)
    @given(exit_records(max_positions=2, max_candidates=2, max_samples=4))
    def test_is_the_hull_of_every_assignment(self, records: ds.ExitRecords) -> None:
        bound = ds.oracle(records)
        reached = oracles.every_assignment(records, range(records.n_exits))
        for cost, accuracy in zip(bound.cost, bound.accuracy, strict=True):
            assert any((cost, accuracy) == pytest.approx(point, abs=1e-9) for point in reached)
        assert min(cost for cost, _ in reached) == pytest.approx(bound.cost[0])
        assert max(accuracy for _, accuracy in reached) == pytest.approx(bound.accuracy[-1])
        for cost, accuracy in reached:
            assert accuracy <= np.interp(cost, bound.cost, bound.accuracy) + 1e-9

    @settings(max_examples=60)
    @given(st.data())
    def test_no_configuration_is_above_it(self, data: st.DataObject) -> None:
        records = data.draw(exit_records())
        bound = ds.oracle(records)
        point = ds.evaluate(records, data.draw(exit_configs(records)))
        assert point.cost >= bound.cost[0] - 1e-9
        assert point.accuracy <= np.interp(point.cost, bound.cost, bound.accuracy) + 1e-9

    def test_no_front_is_above_it_on_real_records(self, example: ds.ExitRecords) -> None:
        front, bound = ds.search(example, solver="exit_shares"), ds.oracle(example)
        assert np.all(front.accuracy < np.interp(front.cost, bound.cost, bound.accuracy))
        assert bound.hypervolume() > front.hypervolume()
        assert "bound" in bound.name

    def test_right_or_wrong_ends_at_the_cheapest_right_exit(self, example: ds.ExitRecords) -> None:
        bound, paid = ds.oracle(example), example.costs.alone
        right = example.score > 0
        cheapest = [min(paid[right[:, i]], default=paid.min()) for i in range(example.n_samples)]
        assert bound.cost[-1] == pytest.approx(np.mean(cheapest))
        assert bound.accuracy[-1] == right.any(axis=0).mean()

    def test_curve_is_concave_and_its_prices_are_the_slopes(self, records: ds.ExitRecords) -> None:
        bound = ds.oracle(records)
        slope = np.diff(bound.accuracy) / np.diff(bound.relative_cost)
        assert np.all(np.diff(slope) < 1e-9)
        assert bound.setting["price"][0] == np.inf
        np.testing.assert_allclose(bound.setting["price"][1:], slope, rtol=1e-6)

    def test_only_some_exits(self, records: ds.ExitRecords) -> None:
        bound = ds.oracle(records, exits=[2, -1])
        small = oracles.every_assignment(records.subset(np.arange(6)), [2, 3])
        of_six = ds.oracle(records.subset(np.arange(6)), exits=[2, -1])
        assert max(accuracy for _, accuracy in small) == pytest.approx(of_six.accuracy[-1])
        assert bound.cost[0] == records.costs.alone[2]
        only = ds.oracle(records, exits=[-1])
        assert (only.cost.tolist(), only.accuracy.tolist()) == ([4.0], [pytest.approx(records.baseline_accuracy)])

    def test_a_long_curve_is_thinned(self) -> None:
        rng = np.random.default_rng(0)
        costs = ds.ExitCosts(backbone=[1, 2, 3], head=[0.1, 0.1, 0], position=[0, 1, 2])
        records = ds.ExitRecords(confidence=np.zeros((3, 4000)), score=rng.random((3, 4000)), costs=costs)
        long, short = ds.oracle(records, max_points=10**6), ds.oracle(records, max_points=50)
        assert len(long) > 3000
        assert 40 < len(short) <= 50
        assert {*short.cost} <= {*long.cost}
        assert (short.cost[0], short.cost[-1]) == (long.cost[0], long.cost[-1])

    def test_bad_arguments(self, records: ds.ExitRecords) -> None:
        for exits in ([], [4], [-5]):
            with pytest.raises(ds.RecordsError, match="exits must be one or more indices from 0 to 3"):
                ds.oracle(records, exits=exits)
        with pytest.raises(ds.RecordsError, match="exits must hold whole numbers"):
            ds.oracle(records, exits=[0.5])
        for points in (1, 2.5, "all"):
            with pytest.raises(ds.RecordsError, match="max_points must be a whole number >= 2"):
                ds.oracle(records, max_points=points)  # type: ignore[arg-type]


class TestRulePoints:
    def test_table_and_figures(self, records: ds.ExitRecords) -> None:
        points = ds.patience(records)
        frame = points.to_frame()
        assert list(frame.columns) == ["type", "k", "cost", "relative_cost", "accuracy", "accuracy_drop"]
        np.testing.assert_array_equal(frame["accuracy_drop"], records.baseline_accuracy - points.accuracy)
        np.testing.assert_array_equal(frame["relative_cost"], points.cost / 4)
        assert repr(points).startswith(f"RulePoints('patience', {len(points)} points, relative cost ")

    @settings(max_examples=40)
    @given(exit_records())
    def test_non_dominated(self, records: ds.ExitRecords) -> None:
        points = ds.patience(with_answers(records)).non_dominated()
        everything = ds.patience(with_answers(records))
        expected = oracles.non_dominated(list(zip(everything.cost, everything.accuracy, strict=True)))
        assert list(zip(points.cost, points.accuracy, strict=True)) == expected
        for k, setting in enumerate(zip(points.setting["type"], points.setting["k"], strict=True)):
            same = (everything.setting["type"] == setting[0]) & (everything.setting["k"] == setting[1])
            assert everything.cost[same].tolist() == [points.cost[k]]

    def test_hypervolume_of_two_points(self, costs: ds.ExitCosts) -> None:
        points = ds.RulePoints(
            name="by hand", costs=costs, setting={}, accuracy=[0.4, 0.8], cost=[1, 2], baseline_accuracy=0.8
        )
        assert points.hypervolume() == pytest.approx(0.25 * 0.5 + 0.5 * 1)

    def test_shapes_must_fit(self, costs: ds.ExitCosts) -> None:
        with pytest.raises(ds.FrontError, match=r"must all have shape \(F,\), got \[\(2,\), \(1,\), \(3,\)\]"):
            ds.RulePoints(
                name="x", costs=costs, setting={"k": [1, 2, 3]}, accuracy=[0, 1], cost=[1], baseline_accuracy=1
            )

    def test_drawn_beside_a_front(self, records: ds.ExitRecords) -> None:
        front = ds.search(records, solver="exit_shares")
        ax = front.plot(others={"oracle": ds.oracle(records), "patience": ds.patience(records).non_dominated()})
        names = {text.get_text() for text in ax.get_legend().get_texts()}
        assert {"front (expected)", "oracle (observed)", "patience (observed)"} <= names


@pytest.mark.parametrize("copied", [lambda thing: pickle.loads(pickle.dumps(thing)), copy.deepcopy, copy.copy])
def test_copies_stay_read_only(records: ds.ExitRecords, copied: object) -> None:
    front = ds.search(records, solver="exit_shares")
    digest = records.digest
    for thing in (records, records.costs, front, front[0].config, ds.oracle(records), front.evaluate(records)):
        again = copied(thing)  # type: ignore[operator]
        assert type(again) is type(thing)
        for name in ("confidence", "score", "label", "prediction", "group", "head", "candidate", "threshold", "cost"):
            if isinstance(getattr(thing, name, None), np.ndarray):
                np.testing.assert_array_equal(getattr(again, name), getattr(thing, name))
                assert not getattr(again, name).flags.writeable
    again = copied(records)  # type: ignore[operator]
    assert again.digest == digest
    assert not again.exit_accuracy.flags.writeable
    assert list(ds.search(again, solver="exit_shares")) == list(front)
