"""Exact evaluation, held to the slow twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.evaluation.evaluate import evaluate_arrays, non_dominated, prices
from tests import oracles
from tests.strategies import exit_configs, exit_records, records_and_configs

ONE_NUMBER = ("accuracy", "cost", "relative_cost", "accuracy_drop")


def assert_same(evaluation, expected):
    for name in ONE_NUMBER:
        assert getattr(evaluation, name) == expected[name], name
    for name in ("exit_share", "exit_accuracy"):
        np.testing.assert_array_equal(getattr(evaluation, name), expected[name])


@settings(max_examples=500)
@given(records_and_configs(max_configs=1))
def test_evaluate_equals_the_slow_twin_exactly(drawn):
    records, (config,) = drawn
    evaluation = ds.evaluate(records, config, per_sample=True)
    expected = oracles.evaluate(records, config)
    assert_same(evaluation, expected)
    np.testing.assert_array_equal(evaluation.exit_position, expected["exit_position"])


@settings(max_examples=500)
@given(records_and_configs(max_configs=8))
def test_the_batch_equals_the_slow_twin_exactly(drawn):
    records, configs = drawn
    batch = ds.evaluate_many(records, configs)
    assert len(batch) == len(configs)
    for f, config in enumerate(configs):
        expected = oracles.evaluate(records, config)
        for name in (*ONE_NUMBER, "exit_share", "exit_accuracy"):
            np.testing.assert_array_equal(getattr(batch, name)[f], expected[name], err_msg=name)


def random_configs(records, n, seed=0):
    rng = np.random.default_rng(seed)
    configs = []
    for _ in range(n):
        candidate = rng.integers(-1, records.costs.n_candidates)
        configs.append(ds.ExitConfig(candidate=candidate, threshold=rng.random(len(candidate)) * 1.2))
    return configs


def test_many_samples_pass_the_block_of_the_kernel_unharmed(example):
    configs = random_configs(example, 40)
    batch = ds.evaluate_many(example, configs)
    for f in (0, 13, 39):
        where = ds.evaluate(example, configs[f], per_sample=True).exit_position
        flat = configs[f].exits(example.layout)
        exits = np.array([*flat, example.n_exits - 1])[where]
        assert batch.accuracy[f] == example.score[exits, np.arange(example.n_samples)].sum(dtype=np.float64) / 15000
        paid = prices(example.costs, flat[None])[0]
        assert batch.cost[f] == paid[where].sum() / 15000
        np.testing.assert_array_equal(batch.exit_share[f], np.bincount(where, minlength=16) / 15000)


def test_a_block_of_samples_that_have_all_left_adds_nothing_and_loses_nothing():
    costs = ds.ExitCosts(backbone=[1, 2, 4], head=[0, 0, 0], position=[0, 1, 2])
    first = np.where(np.arange(20000) < 5000, 0, 1)  # from 5,000 on everybody leaves at once
    score = np.stack([np.full(20000, 0.25), np.full(20000, 0.5), np.ones(20000)])
    records = ds.ExitRecords(confidence=[first, np.arange(20000) % 2, np.zeros(20000)], score=score, costs=costs)
    evaluation = ds.evaluate(records, ds.ExitConfig(candidate=[0, 0], threshold=[0.5, 0.5]))
    assert (evaluation.exit_share * 20000).tolist() == [15000, 2500, 2500]
    assert evaluation.exit_accuracy.tolist() == [0.25, 0.5, 1]
    assert evaluation.accuracy == (15000 * 0.25 + 2500 * 0.5 + 2500) / 20000


def test_many_samples_leave_where_the_plain_loop_says(example):
    few = example.subset(np.arange(0, 15000, 60))
    for config in random_configs(few, 5, seed=1):
        assert_same(ds.evaluate(few, config), oracles.evaluate(few, config))


def test_one_and_many_agree_to_the_bit_where_sums_are_not_exact(records):
    configs = random_configs(records, 50)
    batch = ds.evaluate_many(records, configs)
    for f, config in enumerate(configs):
        one = ds.evaluate(records, config)
        assert [getattr(one, name) for name in ONE_NUMBER] == [getattr(batch, name)[f] for name in ONE_NUMBER]


def test_the_order_of_the_batch_does_not_matter(records):
    configs = random_configs(records, 30)
    there, back = ds.evaluate_many(records, configs), ds.evaluate_many(records, configs[::-1])
    np.testing.assert_array_equal(there.accuracy, back.accuracy[::-1])
    np.testing.assert_array_equal(there.exit_accuracy, back.exit_accuracy[::-1])


def test_all_off_is_the_baseline_to_the_bit(records):
    evaluation = ds.evaluate(records, ds.ExitConfig.none(2))
    assert evaluation.accuracy == records.baseline_accuracy
    assert (evaluation.cost, evaluation.relative_cost, evaluation.accuracy_drop) == (4.0, 1.0, 0.0)
    assert evaluation.exit_share.tolist() == [0, 0, 1]
    assert np.isnan(evaluation.exit_accuracy[:2]).all()


@given(st.data())
def test_minus_infinity_lets_everybody_leave_and_infinity_nobody(data):
    records = data.draw(exit_records())
    costs = records.costs
    everybody = ds.ExitConfig(
        candidate=[0] + [-1] * (costs.n_positions - 1), threshold=[-np.inf] + [0] * (costs.n_positions - 1)
    )
    evaluation = ds.evaluate(records, everybody)
    assert evaluation.exit_share[0] == 1
    assert (evaluation.accuracy, evaluation.cost) == (records.exit_accuracy[0], costs.alone[0])
    nobody = ds.ExitConfig(candidate=everybody.candidate, threshold=[np.inf] * costs.n_positions)
    assert ds.evaluate(records, nobody).exit_share[-1] == 1
    assert ds.evaluate(records, nobody).cost == costs.baseline + costs.head[0]


def test_a_confidence_at_the_threshold_stays():
    costs = ds.ExitCosts(backbone=[1, 4], head=[0, 0], position=[0, 1])
    records = ds.ExitRecords(confidence=[[0.1, 0.5, 0.0], [0, 0, 0]], score=np.ones((2, 3)), costs=costs)

    def leaving(threshold):
        return ds.evaluate(records, ds.ExitConfig(candidate=[0], threshold=[threshold])).exit_share[0] * 3

    assert leaving(0.1) == 1  # 0.1 is rounded to float32 on both sides
    assert leaving(np.nextafter(np.float32(0.1), np.float32(0))) == 2
    assert leaving(0.0) == leaving(-0.0) == 2


def test_heads_of_all_enabled_exits_before_are_paid(records):
    config = ds.ExitConfig(candidate=[0, 0], threshold=[np.inf, -np.inf])
    assert ds.evaluate(records, config).cost == 2.0 + 0.5 + 0.5


def test_no_configuration_gives_an_empty_batch(records):
    assert len(ds.evaluate_many(records, [])) == 0


@given(st.data())
def test_arrays_and_configurations_measure_the_same(data):
    records = data.draw(exit_records())
    config = data.draw(exit_configs(records))
    exits = config.exits(records.layout)[None].astype(np.int64)
    by_arrays = evaluate_arrays(records, exits, config.threshold[None].astype(np.float64))
    assert by_arrays.accuracy[0] == ds.evaluate(records, config).accuracy


def test_inputs_stay_as_they_are(records):
    config = ds.ExitConfig(candidate=[1, 0], threshold=[0.5, 0.5])
    before = (records.confidence.tobytes(), records.score.tobytes(), config.threshold.tobytes())
    ds.evaluate_many(records, [config, config])
    assert before == (records.confidence.tobytes(), records.score.tobytes(), config.threshold.tobytes())


def test_a_config_for_another_network_is_refused(records):
    with pytest.raises(ds.ConfigError, match="has 3 positions, the network 2: it belongs to another network"):
        ds.evaluate(records, ds.ExitConfig.none(3))
    with pytest.raises(ds.ConfigError, match="position 1 has candidates 0 to 0, the configuration enables 1"):
        ds.evaluate(records, ds.ExitConfig(candidate=[0, 1], threshold=[0, 0]))


def test_wrong_arguments_are_named(records):
    with pytest.raises(ds.RecordsError, match="must be an ExitRecords, got ExitConfig"):
        ds.evaluate(ds.ExitConfig.none(2), records)
    with pytest.raises(ds.ConfigError, match=r"config must be an ExitConfig, got dict: a point has one as .config"):
        ds.evaluate(records, {})
    with pytest.raises(ds.ConfigError, match="got a single one"):
        ds.evaluate_many(records, ds.ExitConfig.none(2))
    with pytest.raises(ds.ConfigError, match=r"must have shape \(F, P\) = \(F, 2\), got \(1, 3\)"):
        evaluate_arrays(records, np.full((1, 3), -1, np.int32), np.zeros((1, 3), np.float32))
    with pytest.raises(ds.ConfigError, match="flat index of one of its candidates"):
        evaluate_arrays(records, np.array([[2, -1]], np.int32), np.zeros((1, 2), np.float32))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_non_dominated_equals_the_slow_twin(points):
    cost, accuracy = np.array(points, np.float64).reshape(-1, 2).T
    kept = non_dominated(cost, accuracy)
    found = list(zip(cost[kept], accuracy[kept], strict=True))
    assert found == sorted(
        {(c, a) for c, a in points if not any((x <= c and y >= a) and (x, y) != (c, a) for x, y in points)}
    )
    assert all(points.index((int(cost[k]), int(accuracy[k]))) == k for k in kept)  # of equal ones the first
