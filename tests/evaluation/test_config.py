"""Configurations: meaning, checks, equality, files, and thresholds between confidences."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.evaluation.config import leaves, threshold_between
from tests import oracles
from tests.strategies import records_and_configs

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
    assert config.exits(costs.layout).tolist() == [1, 2]
    assert ds.ExitConfig(candidate=[-1, 0], threshold=[0, 0]).exits(costs.layout).tolist() == [-1, 2]
    assert (config.n_exits, ds.ExitConfig.none(2).n_exits) == (2, 0)


def test_a_config_for_another_network_is_refused(costs):
    with pytest.raises(ds.ConfigError, match="has 1 positions, the network 2: it belongs to another network"):
        ds.ExitConfig.none(1).exits(costs.layout)
    with pytest.raises(ds.ConfigError, match="position 0 has candidates 0 to 1, the configuration enables 2"):
        ds.ExitConfig(candidate=[2, 0], threshold=[0, 0]).exits(costs.layout)


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
    on = config.candidate >= 0
    assert loaded.candidate.tobytes() == config.candidate.tobytes()
    assert loaded.threshold[on].tobytes() == config.threshold[on].tobytes()


LAYOUT = ds.ExitLayout(
    position=[0, 1, 2, 2, 2, 3],
    names=["a/linear", "b/linear", "c/linear", "c/mlp", "c/conv", "final"],
    measure="entropy",
    temperature=[1, 1.5, 1, 1, 2.5, 1],
)


def test_the_file_is_readable(tmp_path):
    """Who reviews it sees which exits are enabled, by name, and what their thresholds are compared with."""
    path = tmp_path / "config.json"
    config = ds.ExitConfig(candidate=[-1, 0, 2], threshold=[0, 0.9, -np.inf], layout=LAYOUT)
    config.save(path)
    assert json.loads(path.read_text()) == {
        "format": "dyce_search.config",
        "version": 2,
        "n_positions": 3,
        "exits": [
            {"position": 1, "candidate": 0, "threshold": 0.9, "name": "b/linear", "temperature": 1.5},
            {"position": 2, "candidate": 2, "threshold": "-inf", "name": "c/conv", "temperature": 2.5},
        ],
        "layout": {
            "measure": "entropy",
            "temperature": [1, 1.5, 1, 1, 2.5, 1],
            "position": [0, 1, 2, 2, 2, 3],
            "names": ["a/linear", "b/linear", "c/linear", "c/mlp", "c/conv", "final"],
        },
    }
    lines = path.read_text().splitlines()
    assert len(lines) == 15  # one for each exit
    assert '  {"position": 1, "candidate": 0, "threshold": 0.9, "name": "b/linear", "temperature": 1.5},' in lines
    assert ds.ExitConfig.load(path) == config
    assert ds.ExitConfig.load(path).layout == LAYOUT


def test_bare_numbers_stay_possible(tmp_path):
    path = tmp_path / "config.json"
    ds.ExitConfig(candidate=[-1, 0, 2], threshold=[0, 0.9, -np.inf]).save(path)
    assert json.loads(path.read_text())["exits"][0] == {"position": 1, "candidate": 0, "threshold": 0.9}
    assert ds.ExitConfig.load(path).layout is None


def test_files_of_version_1_are_read_with_an_unknown_measure(tmp_path):
    path = tmp_path / "config.json"
    content = {"format": "dyce_search.config", "version": 1, "candidate": [-1, 0, 2], "threshold": [0.0, 0.9, "-inf"]}
    path.write_text(json.dumps(content))
    loaded = ds.ExitConfig.load(path)
    assert loaded == ds.ExitConfig(candidate=[-1, 0, 2], threshold=[0, 0.9, -np.inf])
    assert loaded.layout is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_positions": 2}, r"exits must be at different positions from 0 to 1, rising, got \[1, 2\]"),
        ({"exits": [{"position": 1, "candidate": 0, "threshold": 0.9}] * 2}, r"different positions .* got \[1, 1\]"),
        ({"exits": [{"position": 1, "candidate": 0, "threshold": True}]}, r"got `bool` - at `\$.exits\[0\].threshold`"),
        (
            {"exits": [{"position": 1, "candidate": -1.5, "threshold": 0}]},
            r"got `float` - at `\$.exits\[0\].candidate`",
        ),
        ({"exits": [{"position": 1, "candidate": 0, "threshold": 0.9, "name": "a"}]}, "'b/linear' with temp.*'a' with"),
        ({"exits": [{"position": 1, "candidate": 0, "threshold": 0.9, "temperature": 2}]}, "contradicts itself"),
        ({"measure": "margin"}, "unknown field `measure`"),
        ({"layout": None}, "it names exits or temperatures, but its layout is missing"),
        ({"n_positions": 10**12}, r"Expected `int` <= 1048576 - at `\$.n_positions`"),
        ({"layout": {"position": [0, 1]}}, r"missing required field `measure` - at `\$.layout`"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, change, message):
    path = tmp_path / "config.json"
    config = ds.ExitConfig(candidate=[-1, 0, 2], threshold=[0, 0.9, -np.inf], layout=LAYOUT)
    path.write_text(json.dumps({**config.to_dict(), **change}))
    with pytest.raises(ds.FileFormatError, match=message):
        ds.ExitConfig.load(path)


def test_numbers_beyond_their_range_are_refused(tmp_path):
    path = tmp_path / "config.json"
    text = '{"format": "dyce_search.config", "version": 1, "candidate": [0], "threshold": [%s]}'
    path.write_text(text % "1e999")
    with pytest.raises(ds.FileFormatError, match="1e999 is beyond the range of float64"):
        ds.ExitConfig.load(path)
    path.write_text(text % "1e300")
    with pytest.raises(ds.ConfigError, match=r"threshold must fit into float32, got 1e\+300"):
        ds.ExitConfig.load(path)


class TestRoute:
    """Where samples leave, from confidences alone."""

    @given(st.data())
    def test_equals_the_slow_twin(self, data):
        records, configs = data.draw(records_and_configs())
        config = configs[0]
        route = config.route(records.confidence, layout=records.layout)
        for i in range(records.n_samples):
            position, _, _ = oracles.leave(records, config, i)
            exits = [*config.exits(records.layout), records.n_exits - 1]
            assert route[i] == exits[position]

    def test_a_configuration_of_a_search_needs_no_layout(self, example):
        point = ds.search(example.subset(range(500)), solver="exit_shares")[3]
        route = point.config.route(example.confidence)
        evaluation = ds.evaluate(example, point.config, per_sample=True)
        assert np.array_equal(example.costs.position[route], evaluation.exit_position)

    def test_what_is_missing_is_named(self):
        bare = ds.ExitConfig(candidate=[0, 0, 2], threshold=[0, 0, 0])
        with pytest.raises(ds.ConfigError, match="does not say which exits it enables: pass layout="):
            bare.route(np.zeros((6, 3)))
        with pytest.raises(ds.RecordsError, match=r"must have a row for each exit, \(6, N\), got \(5, 3\)"):
            bare.route(np.zeros((5, 3)), layout=LAYOUT)
        confidence = np.zeros((6, 3))
        confidence[2, 1] = confidence[4, 2] = np.nan  # the exit at row 2 is not enabled
        with pytest.raises(ds.RecordsError, match="got NaN from exit 4 at sample 2"):
            bare.route(confidence, layout=LAYOUT)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"format": "dyce_search.front"},
            ds.FileFormatError,
            "this is a front, a configuration is needed",
        ),
        ({"format": None}, ds.FileFormatError, "is not a dyce_search.config file"),
        ({"version": 3}, ds.FileFormatError, "has format version 3, this release reads 1 and 2"),
        ({"version": None}, ds.FileFormatError, "has format version None, this release reads 1 and 2"),
        ({"candidate": None}, ds.FileFormatError, "missing required field `candidate`"),
        ({"threshold": None}, ds.FileFormatError, "missing required field `threshold`"),
        ({"threshold": ["x"]}, ds.FileFormatError, r"Invalid enum value 'x' - at `\$.threshold\[0\]`"),
        ({"threshold": 3}, ds.FileFormatError, r"Expected `array`, got `int` - at `\$.threshold`"),
        ({"threshold": ["nan"]}, ds.FileFormatError, "Invalid enum value 'nan'"),
        ({"threshold": "12"}, ds.FileFormatError, "Expected `array`, got `str`"),
        ({"candidate": ["x"]}, ds.FileFormatError, "Expected `int`, got `str`"),
        ({"candidate": [-1.5]}, ds.FileFormatError, "Expected `int`, got `float`"),
        ({"candidate": {}}, ds.FileFormatError, "Expected `array`, got `object`"),
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


class TestLoop:
    """Deciding one sample at a time, and rules for gateways."""

    LAYOUT = ds.ExitLayout(position=[0, 1, 2, 3], names=["a", "b", "c", "person"])

    def test_leaves_is_the_rule_of_the_package(self):
        config = ds.ExitConfig(candidate=[0, -1, 0], threshold=[0.5, 0.0, -np.inf])
        found = [config.leaves(0, sure) for sure in (0.5, np.nextafter(np.float32(0.5), np.float32(1)), -np.inf, 2)]
        assert found == [False, True, False, True]
        assert not config.leaves(1)  # not asked
        assert config.leaves(2)  # everybody
        assert config.leaves(3)  # whoever is left
        assert config.leaves(np.int64(0), np.float64(0.7))

    @pytest.mark.parametrize(
        ("position", "confidence", "message"),
        [
            (4, 0.5, "position must be a whole number from 0 to 3, got 4"),
            (-1, 0.5, "position must be a whole number from 0 to 3, got -1"),
            ("a", 0.5, "position must be a whole number from 0 to 3, got 'a'"),
            (0, None, "confidence must be a number at position 0, got None: say -inf"),
            (0, np.nan, "confidence must be a number at position 0, got nan: say -inf"),
            (0, [0.5], "confidence at position 0 must have 0 axes, got 1"),
        ],
    )
    def test_bad_questions_are_refused(self, position, confidence, message):
        config = ds.ExitConfig(candidate=[0, -1, 0], threshold=[0.5, 0.0, -np.inf])
        with pytest.raises(ds.ConfigError, match=message):
            config.leaves(position, confidence)

    @pytest.mark.parametrize(
        ("candidate", "threshold", "rules"),
        [
            ([0, -1, 0], [0.5, 0, 0.25], [("a", 0.5, "c"), ("c", 0.25, "person"), ("person", None, None)]),
            ([0, 0, 0], [0.5, -np.inf, 0.25], [("a", 0.5, "b"), ("b", None, None)]),
            ([-1, -1, -1], [0, 0, 0], [("person", None, None)]),
            ([0, -1, -1], [np.inf, 0, 0], [("a", "inf", "person"), ("person", None, None)]),
        ],
    )
    def test_rules_are_plain_json(self, candidate, threshold, rules):
        config = ds.ExitConfig(candidate=candidate, threshold=threshold, layout=self.LAYOUT)
        found = config.to_rules()
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert [(rule["model"], rule["threshold"], rule["next"]) for rule in found] == rules

    def test_a_gateway_that_follows_the_rules_does_what_route_does(self):
        rng = np.random.default_rng(0)
        confidence = rng.random((4, 200), np.float32)
        for _ in range(20):
            candidate = rng.integers(-1, 1, 3)
            config = ds.ExitConfig(candidate=candidate, threshold=rng.random(3, np.float32), layout=self.LAYOUT)
            rules = {rule["model"]: rule for rule in config.to_rules()}
            names = list(self.LAYOUT.names)
            for i in range(200):
                model = config.to_rules()[0]["model"]
                while rules[model]["threshold"] is not None:
                    if float(confidence[names.index(model), i]) > rules[model]["threshold"]:
                        break
                    model = rules[model]["next"]
                assert names.index(model) == config.route(confidence)[i]

    def test_rules_need_names(self):
        with pytest.raises(ds.ConfigError, match="does not know its models"):
            ds.ExitConfig.none(2).to_rules()
