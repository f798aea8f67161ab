"""Confidence measures against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.records.confidence import entropy, find_measure, margin, max_prob, softmax

LOGITS = st.lists(st.lists(st.floats(-30, 30), min_size=3, max_size=3), min_size=1, max_size=4).map(np.array)


@given(LOGITS, st.floats(0.25, 4))
def test_softmax_is_the_definition(logits, temperature):
    for row, probs in zip(logits, softmax(logits, temperature), strict=True):
        weights = [math.exp((value - max(row)) / temperature) for value in row]
        np.testing.assert_allclose(probs, np.array(weights) / sum(weights), rtol=1e-5, atol=1e-7)


@given(LOGITS)
def test_measures_are_the_definitions(logits):
    probs = softmax(logits)
    for row, *found in zip(probs, max_prob(probs), margin(probs), entropy(probs), strict=True):
        first, second = sorted(row.tolist(), reverse=True)[:2]
        uncertainty = -sum(p * math.log(p) for p in row.tolist() if p > 0)
        np.testing.assert_allclose(found, [first, first - second, 1 - uncertainty / math.log(3)], rtol=1e-4, atol=1e-5)
        assert all(0 <= value <= 1 for value in found)


def test_higher_is_surer():
    probs = np.array([[0.5, 0.3, 0.2], [0.8, 0.1, 0.1], [1.0, 0.0, 0.0]], np.float32)
    for measure in (max_prob, margin, entropy):
        assert np.all(np.diff(measure(probs)) > 0), measure.__name__


def test_extremes_are_numbers():
    huge = np.array([[1e300, -1e300, 0.0], [-1e300, -1e300, -1e300]])
    np.testing.assert_array_equal(softmax(huge)[0], [1, 0, 0])
    np.testing.assert_allclose(softmax(huge)[1], [1 / 3] * 3)
    assert entropy(softmax(huge))[0] == 1


def test_inputs_stay_as_they_are():
    logits = np.array([[1.0, 2.0]], np.float32)
    logits.flags.writeable = False
    probs = softmax(logits)
    probs.flags.writeable = False
    for measure in (max_prob, margin, entropy):
        measure(probs)
    assert logits.tolist() == [[1, 2]]


@pytest.mark.parametrize("measure", [margin, entropy])
def test_one_class_has_no_margin_and_no_entropy(measure):
    with pytest.raises(ds.RecordsError, match="needs two or more classes, got 1"):
        measure(np.ones((3, 1), np.float32))


def test_measures_are_found_by_name():
    assert find_measure("margin") is margin
    assert find_measure(max) is max
    with pytest.raises(ds.RecordsError, match="unknown confidence 'gap': use one of max_prob, margin, entropy, or a"):
        find_measure("gap")
