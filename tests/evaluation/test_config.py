"""Configurations: meaning, checks, equality, files, and thresholds between confidences."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.evaluation.config import leaves, threshold_between

FLOAT32 = st.floats(width=32, allow_nan=False)


@pytest.mark.parametrize(
    ("candidate", "threshold", "message"),
    [
        ([0, 1], [0.5], "one entry per position each, got 2 and 1"),
        ([], [], "one entry per position each, got 0 and 0"),
        ([0, -2], [0, 0], r"candidate must be -1 \(none\) or an index >= 0, got -2"),
        ([0, 0], [0.5, np.nan], "threshold must not be NaN, got NaN at position 1"),
        ([0.5], [0], "candidate must hold whole numbers, got 0.5"),
        ([np.inf], [0], "candidate must hold whole numbers, got inf"),
        (["a"], [0], "candidate must hold whole numbers, got dtype"),
        (np.array([2**64 - 1], np.uint64), [0], "candidate must fit into 64 signed bits"),
        (0, [0], "candidate must have 1 axes, got 0"),
        ([[0]], [[0]], "candidate must have 1 axes, got 2"),
        ([0], ["high"], "threshold must be numeric"),
        ([0], None, "threshold must be a rectangular array of numbers"),
    ],
)
def test_bad_configurations_are_refused(candidate, threshold, message):
    with pytest.raises(ds.ConfigError, match=message):
        ds.ExitConfig(candidate=candidate, threshold=threshold)


def test_exits_are_flat_indices(costs):
    config = ds.ExitConfig(candidate=[1, 0], threshold=[0, 0])
    assert config.exits(costs).tolist() == [1, 2]
    assert ds.ExitConfig(candidate=[-1, 0], threshold=[0, 0]).exits(costs).tolist() == [-1, 2]
    assert (config.n_exits, ds.ExitConfig.none(2).n_exits) == (2, 0)


def test_a_config_for_another_network_is_refused(costs):
    with pytest.raises(ds.ConfigError, match="has 1 positions, the network 2: it belongs to another network"):
        ds.ExitConfig.none(1).exits(costs)
    with pytest.raises(ds.ConfigError, match="position 0 has candidates 0 to 1, the configuration enables 2"):
        ds.ExitConfig(candidate=[2, 0], threshold=[0, 0]).exits(costs)


def test_arrays_are_frozen_copies():
    candidate, threshold = np.array([0, 1]), np.array([0.5, 0.5], np.float32)
    config = ds.ExitConfig(candidate=candidate, threshold=threshold)
    candidate[0], threshold[0] = 7, 7
    assert config == ds.ExitConfig(candidate=[0, 1], threshold=[0.5, 0.5])
    with pytest.raises(ValueError, match="read-only"):
        config.candidate[0] = 7


def test_equality_ignores_thresholds_that_have_no_effect():
    one = ds.ExitConfig(candidate=[-1, 0], threshold=[0.3, 0.0])
    same = ds.ExitConfig(candidate=[-1, 0], threshold=[9.0, -0.0])
    assert one == same
    assert hash(one) == hash(same)
    assert one != ds.ExitConfig(candidate=[-1, 0], threshold=[0.3, 0.1])
    assert one != ds.ExitConfig(candidate=[0, 0], threshold=[0.3, 0.0])
    assert one != ds.ExitConfig(candidate=[-1, 0, -1], threshold=[0.3, 0.0, 0.0])
    assert one != 5


@given(st.lists(st.tuples(st.integers(-1, 3), FLOAT32), min_size=1, max_size=5))
def test_files_round_trip_to_the_bit(tmp_path_factory, entries):
    candidate, threshold = zip(*entries, strict=True)
    config = ds.ExitConfig(candidate=candidate, threshold=threshold)
    path = tmp_path_factory.mktemp("config") / "config.json"
    config.save(path)
    loaded = ds.ExitConfig.load(path)
    assert loaded.candidate.tobytes() == config.candidate.tobytes()
    assert loaded.threshold.tobytes() == config.threshold.tobytes()


def test_the_file_is_readable(tmp_path):
    ds.ExitConfig(candidate=[-1, 0, 2], threshold=[0, 0.9, -np.inf]).save(tmp_path / "config.json")
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "format": "dyce_search.config",
        "version": 1,
        "candidate": [-1, 0, 2],
        "threshold": [0.0, 0.9, "-inf"],
    }
    assert len((tmp_path / "config.json").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"format": "dyce_search.front"}, ds.FileFormatError, "is not a dyce_search.config file"),
        ({"format": None}, ds.FileFormatError, "is not a dyce_search.config file"),
        ({"version": 2}, ds.FileFormatError, "has format version 2, this release reads 1"),
        ({"version": None}, ds.FileFormatError, "has format version None, this release reads 1"),
        ({"candidate": None}, ds.FileFormatError, "lacks the key 'candidate'; it has 'format'"),
        ({"threshold": None}, ds.FileFormatError, "lacks the key 'threshold'"),
        ({"threshold": ["x"]}, ds.ConfigError, "threshold must be a list of numbers"),
        ({"threshold": 3}, ds.ConfigError, "threshold must be a list of numbers"),
        ({"threshold": ["nan"]}, ds.ConfigError, "threshold must not be NaN"),
        ({"candidate": ["x"]}, ds.ConfigError, "candidate must hold whole numbers"),
        ({"candidate": {}}, ds.ConfigError, "candidate must be a rectangular array"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, error, message):
    content = {"format": "dyce_search.config", "version": 1, "candidate": [0], "threshold": [0.5], **change}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    with pytest.raises(error, match=message):
        ds.ExitConfig.load(path)


@given(FLOAT32.filter(np.isfinite), FLOAT32.filter(np.isfinite))
def test_a_threshold_between_parts_its_neighbours(one, other):
    low, high = sorted([np.float32(one), np.float32(other)])
    if low == high:
        return
    threshold = threshold_between(low, high)
    assert threshold.dtype == np.float32
    assert leaves(high, threshold)
    assert not leaves(low, threshold)


def test_a_threshold_between_is_half_way():
    assert threshold_between([0.0, -1.0], [1.0, 0.0]).tolist() == [0.5, -0.5]


def test_a_threshold_between_next_numbers_is_the_lower():
    first = np.float32(0.5)
    second = np.nextafter(first, np.float32(1))
    third = np.nextafter(second, np.float32(1))  # half-way to the second rounds down, to the third up: both must not
    assert threshold_between([first, second], [second, third]).tolist() == [first, second]


def test_leaving_is_strict():
    at = np.float32(0.5)
    assert leaves(np.nextafter(at, np.float32(1)), at)
    assert not leaves(at, at)
    assert not leaves(np.float32(0.0), np.float32(-0.0))
