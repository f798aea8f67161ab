"""The best front over orders and subsets of models: held to the search of every order by itself."""

import math
from dataclasses import replace
from itertools import permutations

import hypothesis.extra.numpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.orders.stages import are_stages, sequence_of, staged
from tests import oracles

NAMES = ("small", "medium", "large", "huge", "vast", "last")


def cascade(n_models=3, n_samples=400, seed=0, by_sample=True, **optional):
    """Models of rising price of which some are better than dearer ones, and each is good at something."""
    rng = np.random.default_rng(seed)
    hard, kind = rng.normal(size=n_samples), rng.integers(0, 2, n_samples)
    skill = np.array([0.0, 0.9, 0.6, 1.2, 1.5, 1.4])[:n_models, None]
    skill = skill + 0.8 * (kind == np.arange(n_models)[:, None] % 2)
    margin = skill - hard + 0.6 * rng.normal(size=(n_models, n_samples))
    confidence = 1 / (1 + np.exp(-margin - 0.5 * rng.normal(size=margin.shape)))
    price = np.array([1.0, 2, 6, 15, 30, 60])[:n_models]
    if by_sample:
        price = price[:, None] * np.round(4 * rng.gamma(4, 0.25, (n_models, n_samples)) + 1) / 4
    return ds.ExitRecords.from_cascade(
        price=price, confidence=confidence, score=margin > 0, names=NAMES[:n_models], unit="cents", **optional
    )


def reached(front, cost):
    """The accuracy of a front at some costs; below all, -1."""
    index = np.searchsorted(front.cost, cost * (1 + 1e-12), side="right") - 1
    return np.where(index >= 0, front.accuracy[np.maximum(index, 0)], -1)


class TestFront:
    @pytest.mark.parametrize("n_models", [2, 3, 4])
    @pytest.mark.parametrize("by_sample", [True, False])
    def test_dominates_the_front_of_every_order(self, n_models, by_sample):
        records = cascade(n_models, 300, seed=n_models, by_sample=by_sample)
        found = ds.search_orders(records, scores="observed").front
        for order in permutations(NAMES[:n_models]):
            alone = ds.search(ds.in_order(records, order), scores="observed")
            assert np.all(reached(found, alone.cost) >= alone.accuracy - 1e-12), order

    def test_is_brute_force_over_orders_on_small_problems(self):
        for seed in range(8):
            records = cascade(3, 5, seed=seed)
            points = []
            for size in (2, 3):
                for order in permutations(NAMES[:3], size):
                    own = ds.in_order(records, order)
                    every = [*oracles.every_config(own), ds.ExitConfig.none(size - 1)]
                    points += [oracles.evaluate(own, config) for config in every]
            best = oracles.non_dominated([(point["cost"], point["accuracy"]) for point in points])
            found = ds.search_orders(records, scores="observed")
            np.testing.assert_allclose(oracles.points(found.front), best, rtol=1e-12)

    def test_five_models_come_close_to_every_order(self):
        records = cascade(5, 300, seed=1)
        found = ds.search_orders(records, scores="observed")
        gap = []
        for order in list(permutations(NAMES[:5]))[::15]:
            alone = ds.search(ds.in_order(records, order), scores="observed")
            gap.append((alone.accuracy - reached(found.front, alone.cost)).max())
        assert max(gap) <= 3 / 300  # three queries

    def test_the_same_seed_gives_the_same_front(self):
        records = cascade(5, 200)
        one, other = (ds.search_orders(records, seed=3, effort="fast") for _ in range(2))
        np.testing.assert_array_equal(one.front.cost, other.front.cost)
        assert one.orders == other.orders


def brute_force(records, limit, share):
    """The non-dominated (cost, accuracy) of all configurations of all orders and subsets that keep a limit."""
    allowed, points = math.floor(share * records.n_samples + 1e-9), []
    names = records.layout.names
    for size in range(2, len(names) + 1):
        for order in permutations(names, size):
            own = ds.in_order(records, order)
            for config in [*oracles.every_config(own), ds.ExitConfig.none(size - 1)]:
                result = oracles.evaluate(own, config)
                if sum(cost > limit for cost in result["sample_cost"]) <= allowed:
                    points.append((result["cost"], result["accuracy"]))
    return oracles.non_dominated(points)


class TestSampleLimit:
    """Within a limit on what single samples cost."""

    @settings(max_examples=15)
    @given(st.data())
    def test_is_brute_force_over_orders_on_small_problems(self, data):
        n_models, n_samples = data.draw(st.sampled_from([(2, 5), (3, 4)]))
        shape = (n_models, n_samples)
        numbers = hypothesis.extra.numpy.arrays(np.int64, shape, elements=st.integers(0, 3))
        price = 1 + data.draw(numbers)
        records = ds.ExitRecords.from_cascade(
            price=price if data.draw(st.booleans()) else price[:, 0],
            confidence=data.draw(numbers),
            score=data.draw(numbers) / 3,
            names=NAMES[:n_models],
        )
        limit, share = data.draw(st.integers(1, 9)) + 0.5, data.draw(st.sampled_from([0, 0.25, 0.5]))
        expected = brute_force(records, limit, share)
        if not expected:
            with pytest.raises(ds.InfeasibleError, match=r"no configuration satisfies max_sample_cost=.*alone"):
                ds.search_orders(records, scores="observed", max_sample_cost=limit, share=share)
            return
        front = ds.search_orders(records, scores="observed", max_sample_cost=limit, share=share)
        np.testing.assert_allclose(oracles.points(front.front), expected, rtol=1e-12)
        for point in front:
            paid = ds.evaluate(ds.in_order(records, point.models), point.config, per_sample=True).sample_cost
            assert (paid > limit).sum() <= math.floor(share * n_samples + 1e-9)

    @pytest.mark.parametrize(("n_models", "share"), [(3, 0.0), (4, 0.02), (5, 0.05)])
    def test_keeps_the_limit_and_is_as_good_as_orders_by_themselves(self, n_models, share):
        records = cascade(n_models, 300, seed=n_models)
        limit = float(np.quantile(records.sample_costs.baseline, 0.3))
        front = ds.search_orders(records, scores="observed", max_sample_cost=limit, share=share, effort="fast")
        options = front.front.provenance.options
        assert options == {"effort": "fast", "max_sample_cost": limit, "share": share}
        assert len({point.order for point in front}) > 1
        for point in front:
            paid = ds.evaluate(ds.in_order(records, point.models), point.config, per_sample=True).sample_cost
            assert (paid > limit).sum() <= share * 300
            assert len(set(point.order)) == len(point.order)
        best = front.select(max_sample_cost=limit, share=share)
        assert best.accuracy == front.accuracy[-1]
        for order in list(permutations(NAMES[:n_models]))[::17]:
            own = ds.in_order(records, order)
            alone = ds.search(own, scores="observed", max_sample_cost=limit, share=share, effort="fast")
            assert np.all(reached(front.front, alone.cost) >= alone.accuracy - (3 / 300 if n_models > 4 else 1e-12))

    def test_of_expected_scores_in_little_time(self):
        records = cascade(4, 600, seed=5)
        limit = float(np.quantile(records.sample_costs.baseline, 0.5))
        options = {"max_sample_cost": limit, "effort": "fast"}
        for budget in ({}, {"max_evaluations": 1}, {"max_seconds": 0.001}):
            front = ds.search_orders(records, **options, **budget)
            assert front.scores == "expected"
            assert front.front.cost_within(0).max() <= limit * (1 + 1e-7)

    def test_limits_that_are_none(self):
        records = cascade(3, 50)
        with pytest.raises(ds.SolverError, match="max_sample_cost must be a finite number above 0"):
            ds.search_orders(records, max_sample_cost=0)
        with pytest.raises(ds.FrontError, match=r"share must lie in \[0, 1\)"):
            ds.search_orders(records, max_sample_cost=5, share=1)
        with pytest.raises(ds.InfeasibleError, match=r"everybody at exit 0 \(small\) alone"):
            ds.search_orders(cascade(6, 200), max_sample_cost=0.01, effort="fast")


@pytest.fixture(scope="module")
def found():
    """A cascade and its front."""
    records = cascade(4, 500, seed=2)
    return records, ds.search_orders(records, scores="observed")


class TestPoints:
    def test_every_point_is_what_its_own_order_measures(self, found):
        records, front = found
        assert len({point.order for point in front}) > 3
        for point in front:
            own = ds.in_order(records, point.models)
            measured = ds.evaluate(own, point.config)
            assert (point.accuracy, point.cost) == pytest.approx((measured.accuracy, measured.cost), rel=1e-12)
            asked = [rule["model"] for rule in point.config.to_rules()]
            assert tuple(asked) == point.order
            assert len(set(asked)) == len(asked)

    def test_costs_are_relative_to_the_last_model_of_the_records(self, found):
        records, front = found
        assert front[0].relative_cost == pytest.approx(front[0].cost / records.costs.baseline)
        assert front.front.baseline_accuracy == records.baseline_accuracy

    def test_select_table_and_file(self, found, tmp_path):
        front = found[1]
        point = front.select(max_accuracy_drop=0.02)
        assert point.accuracy_drop <= 0.02 + 1e-12
        assert str(point).startswith(f"{' > '.join(point.order)}: accuracy ")
        frame = front.to_frame()
        assert frame["order"].tolist() == [" > ".join(order) for order in front.orders]
        front.save(tmp_path / "front.json")
        loaded = ds.OrderedFront.load(tmp_path / "front.json")
        assert loaded.orders == front.orders
        assert list(loaded)[3] == front[3]
        assert repr(front).startswith(f"OrderedFront({len(front)} points in ")
        assert front.hypervolume() == front.front.hypervolume()
        assert front.plot().get_ylabel()

    @pytest.mark.parametrize("backbone", [[0, 0, 5], [1, 2, 7]])
    def test_a_front_in_a_fixed_order_is_refused(self, backbone, tmp_path):
        costs = ds.ExitCosts(backbone=backbone, head=[1, 2, 3, 5, 0], position=[0, 0, 1, 1, 2], names=[*"ababb"])
        rng = np.random.default_rng(0)
        records = ds.ExitRecords(confidence=rng.random((5, 40)), score=rng.random((5, 40)), costs=costs)
        front = ds.search(records, solver="exit_shares")
        front.save(tmp_path / "front.json")
        with pytest.raises(ds.FrontError, match="got one in a fixed order, of 5 exits at 2 positions: use it as it is"):
            ds.OrderedFront(front=front)
        with pytest.raises(ds.FileFormatError, match=r"front\.json holds a front in a fixed order.*ParetoFront\.load"):
            ds.OrderedFront.load(tmp_path / "front.json")

    @pytest.mark.parametrize("n_models", [2, 3, 5])
    @pytest.mark.parametrize("by_sample", [True, False])
    def test_stages_are_known_by_their_costs(self, n_models, by_sample, tmp_path):
        records = cascade(n_models, 400, seed=n_models, by_sample=by_sample)
        assert not are_stages(records.costs)
        ds.search_orders(records, effort="fast", max_evaluations=200).save(tmp_path / "front.json")
        assert are_stages(ds.OrderedFront.load(tmp_path / "front.json").front.costs)

    def test_every_point_is_found_by_its_configuration(self, found):
        front = found[1]
        assert [front.index_of(point.config) for point in front] == list(range(len(front)))
        np.testing.assert_array_equal(front.accuracy, front.front.accuracy)
        np.testing.assert_array_equal(front.relative_cost, front.front.relative_cost)
        assert front.scores == "observed"
        for other in (ds.ExitConfig.none(3), ds.ExitConfig(candidate=[0], threshold=[0.123])):
            with pytest.raises(ds.FrontError, match="this is the configuration of none of these points"):
                front.index_of(other)
        with pytest.raises(ds.FrontError, match="config must be an ExitConfig, got"):
            front.index_of(front[0])

    def test_it_is_drawn_beside_other_curves(self, found):
        records, front = found
        ax = ds.search(records, solver="exit_shares").plot(others={"any order": front})
        assert "any order" in str(
            [text.get_text() for text in ax.figure.findobj(match=lambda one: hasattr(one, "get_text"))]
        )

    def test_evaluate_and_certify_on_others(self):
        search, calibration = cascade(3, 3000, seed=4).split(0.5, seed=0)
        front = ds.search_orders(search, effort="fast")
        held = front.evaluate(calibration)
        point = front.certify(calibration, max_accuracy_drop=0.05)
        labels = {text for line in front.plot(certified=point).lines if "certified" in (text := line.get_label())}
        promised = front[front.index_of(point.config)]  # its figures on this front, not those of the calibration
        assert labels == {f"certified: cost {promised.relative_cost:.3f}, drop {100 * promised.accuracy_drop:.2f}"}
        own = ds.in_order(calibration, point.config.layout.names)
        measured = ds.evaluate(own, point.config)
        assert (point.accuracy, point.cost) == pytest.approx((measured.accuracy, measured.cost))
        assert point.certificate.layout == point.config.layout
        assert len(held) == len(front)

    def test_a_single_model_stands_alone(self):
        records = cascade(3, 50)
        wide = staged(records)
        for model in range(3):
            candidate, threshold = [-1] * 3, [0.0] * 3
            candidate[1], threshold[1] = (-1, 0.0) if model == 2 else (model, -np.inf)
            front = ds.OrderedFront(
                front=ds.ParetoFront.from_configs(wide, [ds.ExitConfig(candidate=candidate, threshold=threshold)])
            )
            (point,) = front
            assert point.order == (NAMES[model],)
            assert ds.evaluate(ds.in_order(records, point.models), point.config).cost == pytest.approx(
                records.costs.alone[model]
            )


class TestStages:
    @settings(max_examples=60)
    @given(st.permutations(range(3)), st.lists(st.sampled_from([-np.inf, 0.2, 0.5, 0.8]), min_size=2, max_size=2))
    def test_an_order_is_a_configuration_of_stages(self, order, thresholds):
        records = cascade(3, 40)
        own = ds.in_order(records, [NAMES[m] for m in order])
        expected = ds.evaluate(own, ds.ExitConfig(candidate=[0, 0], threshold=thresholds))
        candidate, level = list(order), [*thresholds, -np.inf]
        found = ds.evaluate(staged(records), ds.ExitConfig(candidate=candidate, threshold=level))
        assert (found.accuracy, found.cost) == pytest.approx((expected.accuracy, expected.cost), rel=1e-12)
        stops = [k for k, threshold in enumerate(thresholds) if threshold == -np.inf]
        asked = order[: stops[0] + 1] if stops else order
        assert sequence_of(staged(records).layout.exits(candidate), np.float32(level), 3) == tuple(asked)

    def test_everything_of_the_records_comes_along(self):
        rng = np.random.default_rng(0)
        answers = rng.integers(0, 3, (3, 40))
        records = cascade(3, 40, prediction=answers, label=answers[2], group=np.arange(40) // 2, measure="judge")
        own = ds.in_order(records, ["large", "small"])
        assert own.layout.names == ("large", "small")
        assert own.measure == "judge"
        np.testing.assert_array_equal(own.prediction, answers[[2, 0]])
        np.testing.assert_array_equal(own.group, records.group)
        np.testing.assert_array_equal(own.score, records.score[[2, 0]])

    @pytest.mark.parametrize("models", [["small"], ["small", "small"], ["small", "tiny"], "small"])
    def test_models_that_are_none_are_refused(self, models):
        with pytest.raises(ds.RecordsError, match="models must be two or more different ones of small, medium, large"):
            ds.in_order(cascade(3, 10), models)

    def test_models_without_names_are_numbered(self):
        records = ds.ExitRecords.from_cascade(price=[1, 2, 3], confidence=np.zeros((3, 4)), score=np.ones((3, 4)))
        assert ds.in_order(records, ["model 2", "model 0"]).costs.alone.tolist() == [3, 1]

    def test_what_is_no_cascade_is_refused(self, records, example):
        for one in (records, example.subset(np.arange(50))):
            with pytest.raises(ds.RecordsError, match="only whole models can change places"):
                ds.search_orders(one)

    def test_too_many_models_are_refused(self):
        many = ds.ExitRecords.from_cascade(price=np.arange(1, 8), confidence=np.zeros((7, 4)), score=np.ones((7, 4)))
        with pytest.raises(ds.RecordsError, match="search_orders takes up to 6 models, got 7"):
            ds.search_orders(many)


def test_a_budget_ends_it():
    front = ds.search_orders(cascade(4, 200), max_evaluations=50, scores="observed")
    assert front.front.provenance.evaluations <= 50
    assert front.front.provenance.stop_reason == "budget"
    assert front.front.provenance.solver == "all_orders"


def test_inputs_are_not_changed():
    records = cascade(3, 60)
    before = records.digest
    ds.search_orders(records, effort="fast")
    assert replace(records).digest == before
