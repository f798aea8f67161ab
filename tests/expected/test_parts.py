"""Ranks, mixing and caution, against slow twins and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.stats import norm, rankdata

import dyce_search as ds
from dyce_search.expected import mixing, normal_ranks
from dyce_search.expected.caution import cautious_scores
from dyce_search.expected.normal_ranks import NormalRanks


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.lists(st.integers(-4, 4), min_size=1, max_size=5))
def test_normal_ranks(values, others):
    row = np.array([values], np.float32)
    ranks = NormalRanks.of(row)
    n = len(values)
    np.testing.assert_allclose(ranks(row)[0], norm.ppf((rankdata(values) - 0.5) / n), rtol=1e-5, atol=1e-6)
    found = ranks(np.array([others], np.float32))[0]
    for value, score in zip(others, found, strict=True):
        share = (np.sum(np.less(values, value)) + np.sum(np.equal(values, value)) / 2) / n
        np.testing.assert_allclose(score, norm.ppf(np.clip(share, 0.25 / n, 1 - 0.25 / n)), rtol=1e-5, atol=1e-6)


def test_knots_of_many_confidences(monkeypatch):
    """Ranks are right to the distance of two knots, and exact where many confidences are equal."""
    monkeypatch.setattr(normal_ranks, "KNOTS", 50)
    rng = np.random.default_rng(0)
    row = np.append(rng.normal(size=3000), np.full(1000, 5)).astype(np.float32)[None]
    ranks = NormalRanks.of(row)
    assert len(ranks.values[0]) <= 50
    found = norm.cdf(ranks(row)[0])
    np.testing.assert_allclose(found, (rankdata(row[0]) - 0.5) / 4000, atol=1 / 50)
    np.testing.assert_allclose(found[-1000:], 0.875, atol=1e-6)
    order = np.argsort(row[0])
    assert np.all(np.diff(found[order]) >= 0)
    assert len(np.unique(found)) > 70


@given(
    st.lists(st.tuples(st.floats(-2, 3, width=32), st.integers(0, 8)), min_size=1, max_size=30),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_mixed_keeps_means(pairs, weight):
    predicted = np.array([[p for p, _ in pairs]], np.float32)
    score = np.array([[s / 8 for _, s in pairs]], np.float32)
    result = mixing.mixed(predicted.copy(), score, weight)
    assert result.min() >= 0
    assert result.max() <= 1
    assert abs(result.mean(dtype=np.float64) - score.mean(dtype=np.float64)) < 1e-7


def test_mixed_by_hand():
    predicted, score = np.float32([[0.5, 0.5, 1.5, -0.5]]), np.float32([[1, 0, 1, 1]])
    np.testing.assert_allclose(mixing.mixed(predicted, score, 1.0), [[1, 1, 1, 0]], atol=1e-6)


def test_stack_is_least_squares():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3, 50)).astype(np.float32)
    score = 0.25 * first + 0.5 * second + np.float32([[1], [2], [3]])  # the means do not matter
    np.testing.assert_allclose(mixing.stack(score, [first, second]), [0.25, 0.5], atol=1e-5)
    np.testing.assert_allclose(mixing.stack(score - first, [first, second])[0], 0, atol=1e-6)
    np.testing.assert_allclose(sum(mixing.stack(score, [second, second])), 0.5, atol=0.1)
    assert mixing.stack(score, [np.zeros_like(first)]) == (0.0,)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_none_negative_is_as_close_as_scipy_comes(size):
    rng = np.random.default_rng(size)
    for repeat in range(100):
        columns, target = rng.normal(size=(size, size)), rng.normal(size=size)
        if repeat % 5 == 0:
            columns[:, -1] = columns[:, 0]
        weights = mixing.none_negative(columns, target)
        assert (weights >= 0).all()
        assert np.linalg.norm(columns @ weights - target) == pytest.approx(nnls(columns, target)[1], abs=1e-9)


def test_trust():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(20, 4000)).astype(np.float32)
    truth = norm.cdf(normal)
    score = (rng.random(truth.shape) < truth).astype(np.float32)
    right, wrong = truth.astype(np.float32), np.full_like(score, 0.5)
    assert mixing.trust(normal, score, right) > 0.8
    assert mixing.trust(normal, score, wrong) < 0.05
    assert mixing.trust(normal, score, wrong, more=10) < mixing.trust(normal, score, wrong)
    assert mixing.trust(normal, score, score) == 1


def test_trust_by_hand():
    """One cell of four: variance 1/3, sum of residuals 2, so 4/4 where 1/3 was to be expected."""
    normal = np.zeros((1, 4), np.float32)
    score, predicted = np.float32([[1, 1, 0, 0]]), np.zeros((1, 4), np.float32)
    assert mixing.trust(normal, score, predicted) == pytest.approx(1 / 3)
    assert mixing.trust(normal, score, predicted, more=4) == pytest.approx((1 / 3) / (1 / 3 + 4 * 2 / 3))


def test_caution():
    rng = np.random.default_rng(0)
    expected, score = rng.random((2, 4, 30)).astype(np.float32)
    kept = expected.copy(), score.copy()
    cautious = cautious_scores(expected, score, 0.3)
    np.testing.assert_allclose(cautious, expected - 0.3 * np.abs(score - score[-1]), atol=1e-6)
    np.testing.assert_array_equal(cautious[-1], expected[-1])
    np.testing.assert_array_equal(cautious_scores(expected, score, 0), expected)
    assert cautious.dtype == np.float32
    assert cautious_scores(np.zeros_like(score), score, 1).min() < 0  # not clipped
    np.testing.assert_array_equal((expected, score), kept)


@pytest.mark.parametrize("caution", [-0.1, np.nan, np.inf, "much"])
def test_bad_caution(caution):
    with pytest.raises(ds.RecordsError, match=r"caution must be a finite number >= 0, .*got"):
        cautious_scores(np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32), caution)


def test_shapes_differ():
    with pytest.raises(ds.RecordsError, match=r"expected must have the shape of score, \(2, 3\), got \(3, 2\)"):
        cautious_scores(np.zeros((3, 2), np.float32), np.zeros((2, 3), np.float32), 0.1)
