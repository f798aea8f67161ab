"""A sample's own score, and those of its group, have no part in what is predicted for it."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dyce_search.expected import forest, ridge
from dyce_search.expected.normal_ranks import NormalRanks
from dyce_search.expected.units import folds_of, some_of, units_of
from tests.expected.test_expected_scores import drawn


def ridge_out_of_fold(records, unit, score=None):
    ranks = NormalRanks.of(records.confidence)
    score = records.score if score is None else score
    return ridge.Ridge.fit(ranks, ranks(records.confidence), score, unit, np.random.default_rng(0)).out_of_fold


def forest_out_of_fold(records, unit, score=None):
    score = records.score if score is None else score
    return forest.Forest.fit(records.confidence, score, unit, np.random.default_rng(0)).out_of_fold


@pytest.mark.parametrize("grouped", [False, True])
def test_forest(grouped):
    records = drawn(5, 120)
    unit = np.arange(120) // 6 if grouped else np.arange(120)
    before = forest_out_of_fold(records, unit)
    for changed in (0, 7, 19):
        own = unit == changed
        score = records.score.copy()
        score[:, own] = 1 - score[:, own]
        after = forest_out_of_fold(records, unit, score)
        assert_array_equal(before[:, own], after[:, own])
        assert np.any(before[:, ~own] != after[:, ~own])


@pytest.mark.parametrize("grouped", [False, True])
def test_ridge(grouped, monkeypatch):
    monkeypatch.setattr(ridge, "STRENGTHS", (100.0,))  # which alone is chosen by all scores
    records = drawn(5, 120)
    unit = np.arange(120) // 6 if grouped else np.arange(120)
    before = ridge_out_of_fold(records, unit)
    for changed in (0, 7, 19):
        own = unit == changed
        score = records.score.copy()
        score[:, own] = 1 - score[:, own]
        after = ridge_out_of_fold(records, unit, score)
        np.testing.assert_allclose(before[:, own], after[:, own], atol=2e-6)  # a difference of sums, rounded
        assert np.abs(before[:, ~own] - after[:, ~own]).max() > 1e-3


def test_ridge_is_that_of_the_other_folds(monkeypatch):
    """The slow twin: features and normal equations by hand, fold by fold."""
    monkeypatch.setattr(ridge, "STRENGTHS", (10.0,))
    records = drawn(4, 90)
    unit = np.arange(90)
    fitted = ridge_out_of_fold(records, unit)
    fold = folds_of(unit, ridge.FOLDS, np.random.default_rng(0))
    features = ridge.design(NormalRanks.of(records.confidence)(records.confidence)).astype(np.float64)
    penalty = np.diag([ridge.INTERCEPT, *[10.0] * (len(features) - 1)])
    for k in range(ridge.FOLDS):
        others, own = features[:, fold != k], features[:, fold == k]
        coefficient = np.linalg.solve(others @ others.T + penalty, others @ records.score[:, fold != k].T)
        np.testing.assert_allclose(fitted[:, fold == k], coefficient.T @ own, atol=1e-4)


def test_ridge_takes_the_strength_of_the_least_loss():
    records = drawn(6, 200)
    unit = np.arange(200)
    ranks = NormalRanks.of(records.confidence)
    normal = ranks(records.confidence)
    losses = {}
    strengths = ridge.STRENGTHS
    chosen = ridge.Ridge.fit(ranks, normal, records.score, unit, np.random.default_rng(0)).strength
    for strength in strengths:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ridge, "STRENGTHS", (strength,))
            losses[strength] = np.mean((ridge_out_of_fold(records, unit) - records.score) ** 2)
    assert chosen == min(losses, key=losses.get)


def test_every_sample_is_out_of_half_of_the_trees():
    """Where every tree is a single leaf, a prediction is the mean over the halves that a sample is not in."""
    records = drawn(3, 10)  # too few to split
    unit = np.arange(10)
    rng = np.random.default_rng(5)
    fitted = forest.Forest.fit(records.confidence, records.score, unit, np.random.default_rng(5)).out_of_fold
    forest.random_directions(np.ascontiguousarray(records.score.T), rng)
    halves = np.stack([rng.permutation(10) % 2 for _ in range(forest.PAIRS)])
    for i in range(10):
        parts = [records.score[:, half != half[i]].mean(axis=1) for half in halves]
        np.testing.assert_allclose(fitted[:, i], np.mean(parts, axis=0), atol=1e-6)


def test_units():
    assert_array_equal(units_of(None, 3), [0, 1, 2])
    assert_array_equal(units_of(np.array(["b", "a", "b"]), 3), [1, 0, 1])


def test_folds_hold_units_together_and_are_of_equal_size():
    unit = np.repeat(np.arange(25), 4)
    fold = folds_of(unit, 10, np.random.default_rng(0))
    assert all(len(set(fold[unit == k])) == 1 for k in range(25))
    assert set(np.bincount(fold[::4])) == {2, 3}
    assert_array_equal(np.unique(folds_of(np.arange(3), 10, np.random.default_rng(0))), [0, 1, 2])


def test_some_are_whole_units():
    unit = np.repeat(np.arange(30), 5)
    chosen = some_of(unit, 42, np.random.default_rng(0))
    assert len(chosen) == 40
    assert set(np.bincount(unit[chosen], minlength=30)) == {0, 5}
    assert_array_equal(some_of(unit, 1000, np.random.default_rng(0)), np.arange(150))
    assert len(some_of(np.repeat([0, 1], 50), 2, np.random.default_rng(0))) == 100
