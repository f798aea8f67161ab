import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.expected import scores
from dyce_search.expected.scores import MOST_FITTED, Learned, ScoreOrigin, expected_scores, expected_with_origin
from tests.strategies import exit_records


def made(confidence, score, group=None):
    """Records of exits that cost one after the other."""
    n_exits = len(confidence)
    costs = ds.ExitCosts(backbone=np.arange(1, n_exits + 1), head=np.zeros(n_exits), position=np.arange(n_exits))
    return ds.ExitRecords(confidence=confidence, score=score, costs=costs, group=group)


def drawn(n_exits, n_samples, seed=0, binary=True):
    """Scores that confidences tell something about."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(size=n_samples)
    confidence = ease + rng.normal(size=(n_exits, n_samples))
    chance = 1 / (1 + np.exp(-2 * ease - np.linspace(-1, 1, n_exits)[:, None]))
    score = rng.random((n_exits, n_samples)) < chance if binary else chance * rng.random((n_exits, n_samples))
    return made(confidence.astype(np.float32), score.astype(np.float32))


def means(array):
    return array.mean(axis=1, dtype=np.float64)


def test_shape_type_and_range(small_example):
    expected = expected_scores(small_example)
    assert expected.shape == small_example.score.shape
    assert expected.dtype == np.float32
    assert expected.min() >= 0
    assert expected.max() <= 1
    assert expected.flags.c_contiguous


@settings(max_examples=60)
@given(records=exit_records(max_samples=12), seed=st.integers(0, 3), effort=st.sampled_from(["default", "fast"]))
def test_any_records_keep_their_means(records, seed, effort):
    expected, origin = expected_with_origin(records, seed=seed, effort=effort)
    assert np.isfinite(expected).all()
    assert expected.min() >= 0
    assert expected.max() <= 1
    assert np.abs(means(expected) - means(records.score)).max() < 1e-7
    assert 0 <= origin.weight <= 1


@pytest.mark.parametrize("n_samples", [500, 2500])
@pytest.mark.parametrize("effort", ["default", "fast"])
def test_means_of_real_records(example, n_samples, effort):
    records = example.subset(np.arange(n_samples))
    expected = expected_scores(records, effort=effort)
    assert np.abs(means(expected) - means(records.score)).max() < 1e-8


def test_predicts_better_than_the_means(example):
    _, origin = expected_with_origin(example.subset(np.arange(1000)))
    assert origin.loss < 0.75 * origin.loss_of_means
    assert 0 < origin.weight < 1
    assert origin.fitted == 1000


def test_is_nearer_to_the_truth_than_what_was_observed():
    rng = np.random.default_rng(1)
    ease = rng.normal(size=2000)
    confidence = np.stack([ease + 0.3 * rng.normal(size=2000) for _ in range(4)]).astype(np.float32)
    truth = np.stack([1 / (1 + np.exp(-shift - 2 * ease)) for shift in (-1, 0, 1, 2)])
    records = made(confidence, (rng.random(truth.shape) < truth).astype(np.float32))
    expected = expected_scores(records)
    assert np.mean((expected - truth) ** 2) < 0.2 * np.mean((records.score - truth) ** 2)


def test_inputs_stay(small_example):
    confidence, score = small_example.confidence.copy(), small_example.score.copy()
    expected_scores(small_example)
    np.testing.assert_array_equal(small_example.confidence, confidence)
    np.testing.assert_array_equal(small_example.score, score)


def test_same_seed_same_scores_and_another_seed_others(small_example):
    first, again, other = (expected_scores(small_example, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


PRINT_DIGEST = """
import hashlib, dyce_search as ds
from dyce_search.expected import scores
from dyce_search.expected.scores import expected_scores
records = ds.load_example().subset(range(3000))
print(hashlib.sha256(expected_scores(records, most_fitted=2500)).hexdigest())
"""


def test_number_of_threads_changes_nothing():
    digests = []
    for threads in ("1", "2", "3"):
        environment = os.environ | {"NUMBA_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        run = subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        digests.append(run.stdout.strip())
    assert digests[0]
    assert digests == digests[:1] * 3


@pytest.mark.parametrize("effort", ["default", "fast"])
@pytest.mark.parametrize("most_fitted", [MOST_FITTED, 200])
def test_rising_transformations_change_nothing(small_example, effort, most_fitted):
    values = np.unique(small_example.confidence)
    rank = np.searchsorted(values, small_example.confidence)
    bent = np.stack([(k + 1) * row + np.square(row / 1000) - 17 * k for k, row in enumerate(rank)]).astype(np.float32)
    options = {"effort": effort, "most_fitted": most_fitted}
    np.testing.assert_array_equal(
        expected_scores(small_example, **options), expected_scores(replace(small_example, confidence=bent), **options)
    )


def test_minus_zero_is_zero():
    records = drawn(3, 60)
    rounded = np.abs(np.round(records.confidence))
    signed = np.where((rounded == 0) & (np.arange(60) % 2 == 0), np.float32(-0.0), rounded)
    plain, other = (expected_scores(replace(records, confidence=some)) for some in (rounded, signed))
    np.testing.assert_array_equal(plain, other)


def test_equal_samples_are_predicted_alike():
    """Two samples with the same confidences in the part that is only predicted."""
    records = drawn(4, 400)
    doubled = made(np.tile(records.confidence, 2), np.tile(records.score, 2))
    learned, _ = Learned.of(records.confidence, records.score, np.arange(400), "default", np.random.default_rng(0))
    nobody = np.arange(0), np.empty((len(doubled.confidence), 0), np.float32)
    predicted = learned.completed(doubled.confidence, *nobody)
    np.testing.assert_array_equal(predicted[:, :400], predicted[:, 400:])


@pytest.mark.parametrize("value", [0.0, 1.0, 0.25])
def test_constant_scores_stay(value):
    records = made(drawn(3, 50).confidence, np.full((3, 50), value, np.float32))
    np.testing.assert_allclose(expected_scores(records), value, atol=1e-7)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 5, 9, 17])
@pytest.mark.parametrize("n_exits", [2, 3])
def test_few_samples(n_exits, n_samples):
    records = drawn(n_exits, n_samples)
    expected = expected_scores(records)
    assert np.abs(means(expected) - means(records.score)).max() < 1e-7


def test_one_sample_and_one_group_are_as_observed():
    for records in (drawn(3, 1), replace(drawn(3, 30), group=np.zeros(30, int))):
        expected, origin = expected_with_origin(records)
        np.testing.assert_array_equal(expected, records.score)
        assert str(origin) == "observed scores"
        assert origin.weight == 0


def test_constant_confidences_give_the_means():
    records = made(np.zeros((3, 200), np.float32), drawn(3, 200).score)
    expected, origin = expected_with_origin(records, weight=1.0)
    assert origin.weight == 1
    np.testing.assert_allclose(expected, np.broadcast_to(means(records.score)[:, None], (3, 200)), atol=0.03)


def test_one_exit_constant():
    records = drawn(3, 300)
    confidence = records.confidence.copy()
    confidence[1] = 7
    expected = expected_scores(replace(records, confidence=confidence))
    assert np.abs(means(expected) - means(records.score)).max() < 1e-7


def test_one_exit_beside_the_final_one():
    records = drawn(2, 100)
    assert np.abs(means(expected_scores(records)) - means(records.score)).max() < 1e-7


def test_bounded_scores():
    records = drawn(4, 500, binary=False)
    expected, origin = expected_with_origin(records)
    assert np.abs(means(expected) - means(records.score)).max() < 1e-7
    assert origin.loss < origin.loss_of_means


def test_part_is_learned_from_and_the_rest_predicted(example):
    records = example.subset(np.arange(3000))
    expected, origin = expected_with_origin(records, most_fitted=1000)
    _, whole = expected_with_origin(records)
    assert origin.fitted == 1000
    assert origin.weight < 1
    assert np.abs(means(expected) - means(records.score)).max() < 1e-7
    assert whole.fitted == 3000


def test_where_luck_is_small_the_scores_are_as_observed(example, monkeypatch):
    monkeypatch.setattr(scores, "LEAST_WEIGHT", 0.99)
    records = example.subset(np.arange(1000))
    expected, origin = expected_with_origin(records, most_fitted=500)
    np.testing.assert_array_equal(expected, records.score)
    assert origin == ScoreOrigin()
    assert expected_with_origin(records, most_fitted=500, weight=0.5)[1].weight == 0.5


def test_weight_falls_as_samples_are_added(example):
    weights = [expected_with_origin(example.subset(np.arange(n)))[1].weight for n in (500, 3000, 15_000)]
    assert weights[0] > weights[1] > weights[2]


def test_weight_of_ones_own(small_example):
    np.testing.assert_array_equal(expected_scores(small_example, weight=0.0), small_example.score)
    whole, half = (expected_scores(small_example, weight=weight) for weight in (1.0, 0.5))
    np.testing.assert_allclose(half, (whole + small_example.score) / 2, atol=1e-6)


def test_origin_reads_well(example):
    text = str(expected_with_origin(example.subset(np.arange(400)))[1])
    assert text.count("squared error") == 1
    assert "learned from 400 samples" in text
    assert str(ScoreOrigin()) == "observed scores"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
        ({"most_fitted": 1}, "most_fitted must be a whole number >= 2, got 1"),
        ({"weight": 2}, r"weight must lie in \[0, 1\], got 2"),
        ({"effort": "high"}, "must be 'fast' or 'default', got 'high'"),
    ],
)
def test_bad_options(small_example, option, message):
    with pytest.raises(ds.RecordsError, match=message):
        expected_scores(small_example, **option)
