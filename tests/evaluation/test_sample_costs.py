"""Costs that differ by sample, held to the slow twins; and to constant costs, where they are constant."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.evaluation.cost_tails import SHARES
from tests import observed, oracles
from tests.strategies import exit_records, records_and_configs


def constant(records, **change):
    """The same records, with the same costs written out for every sample."""
    costs, n = records.costs, records.n_samples
    written = ds.SampleCosts(
        backbone=np.repeat(costs.backbone[:, None], n, axis=1),
        head=np.repeat(costs.head[:, None], n, axis=1),
        position=costs.position,
        unit=costs.unit,
        names=costs.names,
    )
    return ds.ExitRecords(confidence=records.confidence, score=records.score, costs=written, **change)


def differing(records, seed=0):
    """The same records, with whole costs that differ by sample and say something about the confidence."""
    rng = np.random.default_rng(seed)
    costs, n = records.costs, records.n_samples
    size = rng.integers(1, 9, n) + np.rint(4 * (1 - records.confidence[0]))
    backbone = np.cumsum(np.diff(costs.backbone / 1e4, prepend=0).round()[:, None] * size, axis=0)
    head = (costs.head / 1e3).round()[:, None] * rng.integers(1, 9, n)
    written = ds.SampleCosts(backbone=backbone, head=head, position=costs.position)
    return ds.ExitRecords(confidence=records.confidence, score=records.score, costs=written)


def no_thirds(records):
    """Whether means are exact, so that equal trade-offs are equal in floating point too."""
    return records.n_samples != 3


@settings(max_examples=500)
@given(records_and_configs(max_configs=8, by_sample=True))
def test_every_figure_equals_the_slow_twin(drawn):
    records, configs = drawn
    batch = ds.evaluate_many(records, configs)
    for f, config in enumerate(configs):
        expected, one = oracles.evaluate(records, config), ds.evaluate(records, config, per_sample=True)
        for name in ("accuracy", "cost", "accuracy_drop", "exit_share", "exit_accuracy"):
            np.testing.assert_array_equal(getattr(batch, name)[f], expected[name], err_msg=name)
        assert batch.relative_cost[f] == pytest.approx(expected["relative_cost"], rel=1e-15)
        for name in ("sample_cost", "exit_position"):
            np.testing.assert_array_equal(getattr(one, name), expected[name], err_msg=name)
        assert one.cost == batch.cost[f] == one.sample_cost.sum() / records.n_samples


def test_many_samples_pass_the_block_of_the_kernel_unharmed(example):
    records = differing(example)
    rng = np.random.default_rng(1)
    configs = [ds.ExitConfig(candidate=rng.integers(-1, 3, 15), threshold=rng.random(15) * 1.2) for _ in range(30)]
    configs += [ds.ExitConfig(candidate=configs[0].candidate, threshold=[*configs[0].threshold[:-1], 0.5])]
    batch = ds.evaluate_many(records, configs)
    for f, config in enumerate(configs):
        one = ds.evaluate(records, config, per_sample=True)
        assert one.cost == batch.cost[f] == one.sample_cost.sum() / 15000
        for i in range(0, 15000, 997):
            position, _, paid = oracles.leave(records, config, i)
            assert (one.exit_position[i], one.sample_cost[i]) == (position, paid)


def test_constant_costs_are_priced_as_constant_ones_to_the_bit(example):
    plain = example.subset(np.arange(3000))
    records = constant(plain)
    assert records.sample_costs.is_constant
    assert records.costs == plain.costs
    for solver in ("coordinate_descent", "same_threshold", "exit_shares"):
        one, other = (ds.search(each, solver=solver) for each in (plain, records))
        for name in ("cost", "accuracy", "candidate", "threshold", "disagreement"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_what_float32_rounds_is_exact_where_costs_are_constant(tmp_path):
    costs = ds.ExitCosts(backbone=[0.1, 0.7], head=[1 / 3, 0], position=[0, 1])
    rng = np.random.default_rng(0)
    plain = ds.ExitRecords(confidence=rng.random((2, 9)), score=rng.integers(0, 2, (2, 9)), costs=costs)
    records = constant(plain)
    records.save(tmp_path / "records.npz")
    for each in (records, records.subset([3, 1, 4]), ds.load_records(tmp_path / "records.npz")):
        assert each.costs == costs
    config = ds.ExitConfig(candidate=[0], threshold=[0.5])
    assert ds.evaluate(records, config).cost == ds.evaluate(plain, config).cost


class TestSolvers:
    """Every figure of a front is the slow twin's; those that have twins find the same configurations."""

    @settings(max_examples=150)
    @given(exit_records(by_sample=True))
    def test_same_threshold(self, records):
        front = observed.search(records, solver="same_threshold")
        assert oracles.points(front) == oracles.front(records, oracles.same_threshold(records))

    @settings(max_examples=12)
    @given(exit_records(levels=("ties",), max_samples=6, by_sample=True))
    def test_single_pass(self, records):
        front = observed.search(records, solver="single_pass", lambdas=[0.625])
        assert oracles.points(front) == oracles.front(records, oracles.single_pass(records, [0.625]))

    @settings(max_examples=12)
    @given(exit_records(levels=("ties",), max_positions=2, max_samples=4, by_sample=True).filter(no_thirds))
    def test_iterative(self, records):
        front = observed.search(records, solver="iterative", lambdas=[0.625])
        assert oracles.points(front) == oracles.front(records, oracles.iterative(records, [0.625]))

    @settings(max_examples=500)
    @given(exit_records(max_positions=2, max_candidates=2, max_samples=4, by_sample=True))
    def test_exhaustive_is_brute_force(self, records):
        front = observed.search(records, solver="exhaustive")
        assert oracles.points(front) == oracles.front(records, oracles.every_config(records))

    @settings(max_examples=200)
    @given(records=exit_records(by_sample=True))
    def test_every_point_of_the_default_has_the_figures_of_the_slow_twin(self, records):
        for point in observed.search(records):
            expected = oracles.evaluate(records, point.config)
            assert (point.accuracy, point.cost) == (expected["accuracy"], expected["cost"])

    @pytest.mark.parametrize("solver", ["nsga2", "differential_evolution", "exit_shares"])
    @settings(max_examples=20)
    @given(records=exit_records(max_positions=2, by_sample=True))
    def test_every_point_has_the_figures_of_the_slow_twin(self, solver, records):
        front = observed.search(records, solver=solver, max_evaluations=60)
        for point in front:
            expected = oracles.evaluate(records, point.config)
            assert (point.accuracy, point.cost) == (expected["accuracy"], expected["cost"])


class TestTails:
    """What the dearest samples pay."""

    @settings(max_examples=300)
    @given(records_and_configs(by_sample=True), st.sampled_from([0, 0.001, 0.1, 0.15, 0.25, 0.29, 0.5, 0.6]))
    def test_curves_know_what_all_but_a_share_pays(self, drawn, share):
        records, configs = drawn
        self.check(records, configs, share)

    @settings(max_examples=300)
    @given(records_and_configs(), st.sampled_from([0, 0.001, 0.1, 0.15, 0.25, 0.29, 0.5, 0.6]))
    def test_of_constant_costs_too(self, drawn, share):
        records, configs = drawn
        self.check(records, configs, share)

    def check(self, records, configs, share):
        front = ds.ParetoFront.from_configs(records, configs)
        kept = max(known for known in SHARES if known <= share)
        for curve in (front, front.evaluate(records)):
            for f, point in enumerate(curve):
                paid = sorted(oracles.evaluate(records, point.config)["sample_cost"], reverse=True)
                assert curve.cost_within(share)[f] == paid[math.floor(kept * len(paid) + 1e-9)]
                over = sum(cost > curve.cost_within(share)[f] for cost in paid) / len(paid)
                assert over <= share
                one = ds.evaluate(records, point.config)
                assert one.cost_quantile(1 - kept) == curve.cost_within(kept)[f]
                assert one.over_budget(paid[-1]) == sum(cost > paid[-1] for cost in paid) / len(paid)

    def test_many_samples_and_few_prices(self, example):
        records = differing(example)
        front = observed.search(records, solver="exit_shares")
        for f in (0, len(front) // 2, len(front) - 1):
            one = ds.evaluate(records, front[f].config)
            paid = np.sort(one.sample_cost)[::-1]
            assert front.cost_tail[f].tolist() == [paid[math.floor(share * 15000 + 1e-9)] for share in SHARES]
            for share in (0.0, 0.01, 0.3):
                assert one.over_budget(front.cost_within(share)[f]) <= share
        frame = front.to_frame()
        assert frame["cost_p99"].tolist() == front.cost_within(0.01).tolist()
        assert frame["cost_max"].tolist() == front.cost_within(0).tolist()

    def test_a_file_keeps_them_and_fronts_are_merged_with_them(self, example, tmp_path):
        records = differing(example)
        one, other = (observed.search(records, solver=solver) for solver in ("exit_shares", "same_threshold"))
        one.save(tmp_path / "front.json")
        np.testing.assert_array_equal(ds.ParetoFront.load(tmp_path / "front.json").cost_tail, one.cost_tail)
        merged = one.merge(other)
        again = merged.evaluate(records.subset(np.arange(15000)))
        np.testing.assert_array_equal(merged.cost_tail, again.cost_tail)

    def test_select_takes_the_best_within_a_budget(self, example):
        records = differing(example)
        front = observed.search(records, solver="exit_shares")
        budget, share = float(np.median(front.cost_within(0.01))), 0.01
        point = front.select(max_sample_cost=budget, share=share)
        within = [each for each in front if ds.evaluate(records, each.config).over_budget(budget) <= share]
        assert 0 < len(within) < len(front)
        assert point == max(within, key=lambda each: each.accuracy)
        cheapest = front.select(max_sample_cost=budget, max_accuracy_drop=0.05)
        assert cheapest == min((each for each in within if each.accuracy_drop <= 0.05), key=lambda each: each.cost)
        with pytest.raises(ds.InfeasibleError, match=r"max_sample_cost=1, share=0.01; the cheapest has .* at most"):
            front.select(max_sample_cost=1)
        for bad in (-0.1, 1, "x", True):
            with pytest.raises(ds.FrontError, match=r"share must lie in \[0, 1\)"):
                front.select(max_sample_cost=1, share=bad)

    def test_a_front_of_bare_figures_does_not_know(self, small_example):
        front = replace(ds.search(small_example, solver="exit_shares"), cost_tail=None)
        with pytest.raises(ds.FrontError, match="this curve does not know what single samples cost"):
            front.select(max_sample_cost=1e7)
        assert "cost_max" not in front.to_frame()

    def test_float32_does_not_break_a_limit(self):
        costs = ds.SampleCosts(backbone=[[0.1, 0.2], [0.3, 0.6]], head=[[0.2, 0.1], [0, 0]], position=[0, 1])
        records = ds.ExitRecords(confidence=np.zeros((2, 2)), score=np.ones((2, 2)), costs=costs)
        one = ds.evaluate(records, ds.ExitConfig(candidate=[0], threshold=[-np.inf]))
        assert one.sample_cost.max() > 0.3
        assert one.over_budget(0.3) == 0
        assert one.over_budget(0.2999) == 1
        for bad in (None, np.nan, "x"):
            with pytest.raises(ds.FrontError, match="budget must be a number"):
                one.over_budget(bad)
        with pytest.raises(ds.FrontError, match="share must lie in"):
            one.cost_quantile(1.5)
        assert one.cost_quantile(0) == one.sample_cost.min()


class TestBaselines:
    """Rules that are no configurations pay by sample too."""

    @settings(max_examples=60)
    @given(exit_records(max_positions=2, max_candidates=2, max_samples=4, by_sample=True))
    def test_nothing_that_can_be_assigned_lies_above_the_oracle(self, records):
        found = ds.oracle(records)
        n, every = records.n_samples, set()
        for chosen in itertools.product(range(records.n_exits), repeat=n):
            backbones = [oracles.paid(records, i, records.costs.position[e], "backbone") for i, e in enumerate(chosen)]
            heads = [oracles.paid(records, i, e, "head") for i, e in enumerate(chosen)]
            right = sum(float(records.score[e, i]) for i, e in enumerate(chosen))
            every.add(((sum(backbones) + sum(heads)) / n, right / n))
        np.testing.assert_allclose(found.cost[0], min(cost for cost, _ in every))
        assert found.accuracy[-1] == pytest.approx(max(accuracy for _, accuracy in every))
        for point in zip(found.cost, found.accuracy, strict=True):
            assert min(abs(point[0] - c) + abs(point[1] - a) for c, a in every) < 1e-12
        for cost, accuracy in every:
            assert accuracy <= np.interp(cost, found.cost, found.accuracy) + 1e-12

    @settings(max_examples=100)
    @given(exit_records(max_samples=8, by_sample=True), st.integers(1, 3), st.randoms(use_true_random=False))
    def test_patience_is_walked_sample_by_sample(self, records, k, random):
        prediction = [[random.randint(0, 1) for _ in range(records.n_samples)] for _ in range(records.n_exits)]
        records = replace(records, prediction=prediction)
        exits = [int(first) for first in records.costs.first[:-1]]
        if k > len(exits):
            return
        point = ds.patience(records, k=k, type=0)
        assert (point.cost[0], point.accuracy[0]) == self.patience(records, exits, k)

    def patience(self, records, exits, k):
        total_cost = total_score = 0.0
        for i in range(records.n_samples):
            heads = 0.0
            for j, e in enumerate(exits):
                heads += oracles.paid(records, i, e, "head")
                answers = {int(records.prediction[each, i]) for each in exits[max(0, j - k + 1) : j + 1]}
                if j >= k - 1 and len(answers) == 1:
                    cost = oracles.paid(records, i, records.costs.position[e], "backbone") + heads
                    score = float(records.score[e, i])
                    break
            else:
                cost = oracles.paid(records, i, -1, "backbone") + heads + oracles.paid(records, i, -1, "head")
                score = float(records.score[-1, i])
            total_cost += cost
            total_score += score
        return total_cost / records.n_samples, total_score / records.n_samples

    def test_constant_costs_give_the_same_bound(self, example):
        few = example.subset(np.arange(500))
        one, other = ds.oracle(few), ds.oracle(differing(few))
        same = ds.oracle(constant(few))
        np.testing.assert_array_equal(one.cost, same.cost)
        assert other.accuracy[-1] == pytest.approx(one.accuracy[-1])

    def test_diagnostics_say_what_those_paid_that_left_there(self, example):
        records = differing(example.subset(np.arange(2000)))
        config = ds.search(records, effort="fast").select(max_accuracy_drop=0.02).config
        profile, one = ds.exit_profile(records, config), ds.evaluate(records, config, per_sample=True)
        for p, share, relative in zip(profile.position, profile.share, profile.relative_cost, strict=True):
            if share:
                expected = one.sample_cost[one.exit_position == p].mean() / records.costs.baseline
                assert relative == pytest.approx(expected)
        assert profile.share @ profile.relative_cost == pytest.approx(one.relative_cost)

    def test_the_value_of_exits_is_priced_by_sample(self, example):
        records = differing(example.subset(np.arange(600)))
        frame = ds.marginal_value(records, effort="fast", by="type").to_frame()
        assert len(frame) == 3
