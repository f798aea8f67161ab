"""`search(min_samples=...)`: coarse confidences part the samples as the thresholds that come back do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.cli import main
from dyce_search.solvers.levels import Levels
from tests.strategies import exit_configs, exit_records


@given(st.data())
def test_levels_are_as_small_as_they_may_be(data):
    records = data.draw(exit_records())
    least = data.draw(st.integers(1, records.n_samples))
    levels = Levels.of(records, least)
    for e, row in enumerate(records.confidence.tolist()):
        expected, level = [], []  # from the least sure on: a level closes once it and the rest are large enough
        for value in sorted(set(row)):
            if level and len(level) >= least and sum(v >= value for v in row) >= least:
                expected.append(level)
                level = []
            level += [v for v in row if v == value]
        expected.append(level)
        assert levels.floors[e].tolist() == [min(level) for level in expected]
        assert len(levels.bounds[e]) == len(expected) - 1
        for bound, below, above in zip(levels.bounds[e].tolist(), expected, expected[1:], strict=False):
            assert max(below) <= bound < min(above)
        floor_of = {value: min(level) for level in expected for value in level}
        assert levels.records.confidence[e].tolist() == [floor_of[value] for value in row]
        assert len(expected) == 1 or min(map(len, expected)) >= least


@given(st.data())
def test_the_same_samples_leave(data):
    records = data.draw(exit_records())
    levels = Levels.of(records, data.draw(st.integers(1, records.n_samples)))
    configs = data.draw(st.lists(exit_configs(records), min_size=1, max_size=4))
    exits = np.stack([config.exits(records.layout) for config in configs])
    true = levels.thresholds(exits, np.stack([config.threshold for config in configs]))
    for config, threshold in zip(configs, true, strict=True):
        rounded = ds.evaluate(levels.records, config, per_sample=True)
        meant = ds.evaluate(records, ds.ExitConfig(candidate=config.candidate, threshold=threshold), per_sample=True)
        assert meant.exit_position.tolist() == rounded.exit_position.tolist()


@pytest.mark.parametrize("solver", ["coordinate_descent", "exit_shares", "exhaustive", "nsga2"])
def test_thresholds_are_many_samples_apart(small_example, solver):
    before = small_example.confidence.copy()
    options = {"max_evaluations": 60} if solver == "nsga2" else {}
    front = ds.search(small_example, solver=solver, min_samples=40, progress=False, **options)
    measured = ds.evaluate_many(small_example, [point.config for point in front])
    assert front.cost.tolist() == measured.cost.tolist()
    assert front.accuracy.tolist() == measured.accuracy.tolist()
    assert front.provenance.options["min_samples"] == 40
    assert front.records_digest == small_example.digest
    np.testing.assert_array_equal(small_example.confidence, before)
    first = small_example.costs.first
    for p in range(3):
        for k in range(small_example.costs.n_candidates[p]):
            used = np.unique(front.threshold[front.candidate[:, p] == k, p])
            row = small_example.confidence[first[p] + k]
            between = np.histogram(row, np.unique([-np.inf, *used, np.inf]))[0]
            assert len(between) == 1 or between.min() >= 40


def test_one_sample_a_level_changes_nothing(small_example):
    plain, levelled = ds.search(small_example), ds.search(small_example, min_samples=1)
    assert levelled.cost.tolist() == plain.cost.tolist()
    assert levelled.accuracy.tolist() == plain.accuracy.tolist()


def test_all_samples_a_level_leaves_all_or_nothing(small_example):
    front = ds.search(small_example, min_samples=small_example.n_samples)
    shares = ds.evaluate_many(small_example, [point.config for point in front]).exit_share
    assert set(shares.ravel().tolist()) == {0, 1}


@pytest.mark.parametrize("min_samples", [0, 301, 1.5, True, "few"])
def test_bad_min_samples(small_example, min_samples):
    with pytest.raises(ds.SolverError, match="min_samples must be a whole number from 1 to the number of samples, 300"):
        ds.search(small_example, min_samples=min_samples)


def test_on_the_command_line(small_example, tmp_path, capsys):
    small_example.save(tmp_path / "records.npz")
    out = tmp_path / "front.json"
    assert main(["search", str(tmp_path / "records.npz"), "--min-samples", "50", "--out", str(out)]) == 0
    front = ds.ParetoFront.load(out)
    assert front.provenance.options["min_samples"] == 50
    assert list(front) == list(ds.search(small_example, min_samples=50))
    assert "wrote" in capsys.readouterr().out
