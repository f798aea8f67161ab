"""What `search` and `compare` maximise: expected, observed or one's own scores, with caution, for every solver."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

import dyce_search as ds
from dyce_search.expected import searched
from dyce_search.expected.searched import SearchedScores
from dyce_search.search import SOLVERS
from tests import oracles
from tests.strategies import exit_records


def slowly(records, scores, configs):
    """(2, F) accuracy in some scores and disagreement with the final exit, sample by sample."""
    tables = [replace(records, score=scores), replace(records, score=np.abs(records.score - records.score[-1]))]
    return np.array([[oracles.evaluate(table, config)["accuracy"] for config in configs] for table in tables])


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_searches_on_expected_scores(small_example, solver):
    front = ds.search(small_example, solver=solver, max_evaluations=400, progress=False)
    how = front.provenance
    assert (front.scores, how.scores, how.caution) == ("expected", "expected", 0.25)
    some = slice(None, None, -(-len(front) // 20))
    figures = slowly(small_example, ds.expected_scores(small_example), [point.config for point in front][some])
    np.testing.assert_allclose([front.accuracy[some], front.disagreement[some]], figures, atol=1e-6)
    assert np.all(np.diff(front.cost) > 0)
    assert np.all(np.diff(front.cautious_accuracy) > 0)
    assert how.expected["loss"] < how.expected["loss_of_means"]


@settings(max_examples=25)
@given(exit_records(max_positions=2, max_candidates=2, max_samples=6))
def test_exhaustive_finds_the_front_of_cautious_scores(records):
    front = ds.search(records, solver="exhaustive", scores="observed", caution=0.5, progress=False)
    configs = list(oracles.every_config(records))
    accuracy, disagreement = slowly(records, records.score, configs)
    cost = [oracles.evaluate(records, config)["cost"] for config in configs]
    best = oracles.non_dominated(list(zip(cost, accuracy - disagreement / 2, strict=True)))
    np.testing.assert_allclose(np.column_stack([front.cost, front.cautious_accuracy]), best, atol=1e-6)


def test_observed_scores_are_as_evaluated_and_without_caution(small_example):
    front = ds.search(small_example, scores="observed", progress=False)
    assert (front.scores, front.provenance.caution, front.provenance.expected) == ("observed", 0.0, {})
    np.testing.assert_array_equal(front.evaluate(small_example).accuracy, front.accuracy)
    few = list(front)[::20]
    disagreement = slowly(small_example, small_example.score, [point.config for point in few])[1]
    assert [point.disagreement for point in few] == pytest.approx(disagreement)


def test_scores_of_ones_own(small_example):
    own = np.sqrt(small_example.confidence - small_example.confidence.min())
    own = (own / own.max()).astype(np.float32)
    front = ds.search(small_example, scores=own, progress=False)
    assert (front.scores, front.provenance.caution) == ("own", 0.0)
    few = list(front)[::20]
    accuracy = slowly(small_example, own, [point.config for point in few])[0]
    assert [point.accuracy for point in few] == pytest.approx(accuracy, abs=1e-6)


def test_scores_as_observed_are_the_observed_ones(small_example):
    given, observed = (
        ds.search(small_example, scores=scores, progress=False) for scores in (small_example.score, "observed")
    )
    np.testing.assert_array_equal(given.accuracy, observed.accuracy)
    np.testing.assert_array_equal(given.threshold, observed.threshold)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scores": "likely"}, "scores must be 'expected', 'observed' or \\(E, N\\)"),
        ({"scores": np.zeros((2, 3))}, "scores must have the shape of records.score"),
        ({"scores": None}, "scores"),
        ({"caution": -0.1}, "caution must be a finite number >= 0"),
        ({"caution": "much"}, "caution must be a finite number >= 0"),
        ({"caution": float("nan")}, "caution must be a finite number >= 0"),
    ],
)
def test_bad_scores_and_caution(small_example, options, message):
    with pytest.raises(ds.RecordsError, match=message):
        ds.search(small_example, progress=False, **options)


@pytest.mark.parametrize("level", [-0.1, 1.1, np.nan])
def test_scores_out_of_range(small_example, level):
    with pytest.raises(ds.RecordsError, match="scores"):
        ds.search(small_example, scores=np.full(small_example.score.shape, level), progress=False)


def test_seeds_search_the_same_scores(small_example):
    fronts = [
        ds.search(small_example, solver="random", seed=seed, max_evaluations=50, progress=False) for seed in (0, 1)
    ]
    assert fronts[0].provenance.expected == fronts[1].provenance.expected
    assert len(fronts[0].merge(fronts[1])) >= 1


def test_fronts_of_other_scores_do_not_merge(small_example):
    expected, observed = (
        ds.search(small_example, scores=scores, progress=False) for scores in ("expected", "observed")
    )
    with pytest.raises(ds.FrontError, match="must be measured in the same scores"):
        expected.merge(observed)


def test_files_and_tables_say_which_scores(small_example, tmp_path):
    front = ds.search(small_example, progress=False)
    front.save(tmp_path / "front.json")
    loaded = ds.ParetoFront.load(tmp_path / "front.json")
    assert loaded.provenance == front.provenance
    assert loaded.scores == "expected"
    np.testing.assert_array_equal(loaded.disagreement, front.disagreement)
    frame = front.to_frame()
    assert set(frame["scores"]) == {"expected"}
    np.testing.assert_array_equal(frame["disagreement"], front.disagreement)
    assert front[0].disagreement == front.disagreement[0]
    assert front.evaluate(small_example).scores == "observed"


def test_a_part_of_many_samples_is_searched(example, monkeypatch):
    monkeypatch.setattr(searched, "PART", 1000)
    front = ds.search(example, solver="same_threshold", progress=False)
    assert front.n_samples == 1000
    assert ds.search(example, solver="same_threshold", scores="observed", progress=False).n_samples == 15_000
    with pytest.raises(ds.RecordsError, match="are the samples that the front was searched on"):
        front.certify(example, max_accuracy_drop=0.01)
    assert front.records_digest == example.digest  # by which reports and gauges know what was searched
    assert ds.search(example.subset(range(2000)), solver="same_threshold", progress=False).n_samples == 2000


def test_gauges_measure_what_was_observed(small_example):
    """Also on the samples searched on, where the front itself has expected figures."""
    front = ds.search(small_example, progress=False)
    gap = ds.oracle_gap(front, small_example)
    np.testing.assert_array_equal(gap.accuracy, front.evaluate(small_example).accuracy)
    assert np.any(gap.accuracy != front.accuracy)


def test_a_part_keeps_groups_whole(records, monkeypatch):
    monkeypatch.setattr(searched, "PART", 11)
    part = SearchedScores.of(records, "expected", None).records
    assert part.n_samples == 10
    assert np.all(np.unique(part.group, return_counts=True)[1] == 2)


def test_interrupted_before_the_search(small_example, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(searched, "expected_with_origin", interrupted)
    front = ds.search(small_example, progress=False)
    assert (front.provenance.stop_reason, front.scores) == ("interrupted", "observed")
    assert len(front) == 1


def test_promises_come_closer(example):
    """On 2,500 samples of the example, the promised drop is nearer to what its other samples deliver."""
    gap = {}
    searched_on, rest = example.subset(range(2500)), example.subset(range(2500, 15_000))
    for scores in ("expected", "observed"):
        front = ds.search(searched_on, scores=scores, effort="fast", progress=False)
        held = front.evaluate(rest)
        some = front.accuracy_drop <= 0.03
        gap[scores] = np.mean(np.abs(held.accuracy_drop - front.accuracy_drop)[some])
    assert gap["expected"] < gap["observed"] / 2


def test_compare_shows_both(small_example):
    records, test = small_example.split(0.5, seed=0)
    comparison = ds.compare(
        records, solvers=["same_threshold", "random"], scores=["expected", "observed"], max_evaluations=60,
        test=test, progress=False,
    )  # fmt: skip
    fronts = {search.solver: search.front.scores for search in comparison.searches}
    assert fronts == {
        f"{solver}, {scores}": scores for solver in ("same_threshold", "random") for scores in ("expected", "observed")
    }


@pytest.mark.parametrize("scores", ["likely", [], ["expected", "expected"], 5, None])
def test_compare_refuses_other_scores(small_example, scores):
    with pytest.raises(ds.SolverError, match="scores must be 'expected', 'observed' or a list of both"):
        ds.compare(small_example, scores=scores)
