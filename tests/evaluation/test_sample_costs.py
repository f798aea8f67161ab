"""Costs that differ by sample, held to the slow twins; and to constant costs, where they are constant."""

import numpy as np
import pytest
from hypothesis import given, settings

import dyce_search as ds
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
    records = constant(example)
    assert records.sample_costs.is_constant
    assert records.costs == example.costs
    for solver in ("coordinate_descent", "same_threshold", "exit_shares"):
        one, other = (ds.search(each, solver=solver) for each in (example, records))
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

    @settings(max_examples=100)
    @given(exit_records(max_positions=2, max_candidates=2, max_samples=5, by_sample=True))
    def test_exhaustive_is_brute_force(self, records):
        front = observed.search(records, solver="exhaustive")
        assert oracles.points(front) == oracles.front(records, oracles.every_config(records))

    @pytest.mark.parametrize("solver", ["coordinate_descent", "nsga2", "differential_evolution", "exit_shares"])
    @settings(max_examples=20)
    @given(records=exit_records(max_positions=2, by_sample=True))
    def test_every_point_has_the_figures_of_the_slow_twin(self, solver, records):
        front = observed.search(records, solver=solver, max_evaluations=60)
        for point in front:
            expected = oracles.evaluate(records, point.config)
            assert (point.accuracy, point.cost) == (expected["accuracy"], expected["cost"])
