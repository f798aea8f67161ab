"""Layouts: who stands where, what confidences measure, and which ones fit together."""

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import dyce_search as ds

PLAIN = ds.ExitLayout(position=[0, 0, 1, 2])
NAMED = replace(PLAIN, names=["a/linear", "a/mlp", "b/linear", "final"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": []}, "position must rise from 0 to P = 0"),
        ({"position": [0, 2]}, r"position must rise from 0 to P = 2 without gaps, got \[0, 2\]"),
        ({"position": [0, 1, 0]}, "position must rise from 0"),
        ({"position": [0, 1, 1]}, "position must name the final exit, P = 1, exactly once"),
        ({"position": [0]}, "exactly once, as the last entry, P >= 1"),
        ({"position": [0.5, 1]}, "position must hold whole numbers, got 0.5"),
        ({"names": "abcd"}, "names must be a sequence of strings, got str"),
        ({"names": ["a"]}, "names must have one entry per candidate, 4, got 1"),
        ({"measure": 3}, "measure must be the name of a confidence measure, or None, got 3"),
        ({"measure": ""}, "measure must be the name of a confidence measure"),
        ({"temperature": [1, 2]}, "temperature must be one number > 0, or one for each of the 4 exits"),
        ({"temperature": 0}, "temperature must be one number > 0"),
        ({"temperature": [1, 1, np.nan, 1]}, "temperature must be one number > 0"),
        ({"temperature": "hot"}, "temperature must be one number > 0"),
    ],
)
def test_bad_layouts_are_refused(change, message):
    with pytest.raises(ds.ConfigError, match=message):
        ds.ExitLayout(**{"position": [0, 0, 1, 2], **change})


def test_what_it_knows():
    assert (PLAIN.n_positions, PLAIN.n_exits) == (2, 4)
    assert PLAIN.names == ("type0", "type1", "type0", "final")
    assert NAMED.types == ("linear", "mlp", "linear", "final")
    assert (PLAIN.first.tolist(), PLAIN.n_candidates.tolist()) == ([0, 2, 3], [2, 1])
    assert replace(PLAIN, temperature=1.0).temperature is None
    assert replace(PLAIN, temperature=2).temperatures.tolist() == [2, 2, 2, 2]
    known = replace(NAMED, measure="margin", temperature=[1, 2, 3, 4])
    assert known.network == NAMED
    assert NAMED.network is NAMED
    assert known != NAMED
    assert (pickle.loads(pickle.dumps(known)), hash(known)) == (known, hash(replace(known)))
    assert ds.ExitLayout(**known.to_dict()) == known
    with pytest.raises(ValueError, match="read-only"):
        known.temperature[0] = 5


def test_flat_indices_and_back():
    candidate = np.array([[1, 0], [-1, 0], [0, -1], [-1, -1]])
    exits = PLAIN.exits(candidate)
    assert exits.tolist() == [[1, 2], [-1, 2], [0, -1], [-1, -1]]
    assert exits.dtype == np.int32
    assert PLAIN.candidates(exits).tolist() == candidate.tolist()
    with pytest.raises(ds.ConfigError, match="has 3 positions, the network 2: it belongs to another network"):
        PLAIN.exits([0, 0, 0])
    with pytest.raises(ds.ConfigError, match="position 1 has candidates 0 to 0, the configuration enables 1"):
        PLAIN.exits([[0, 0], [0, 1]])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PLAIN, NAMED),  # names that nobody gave
        (replace(PLAIN, names=["linear", "mlp", "linear", "final"]), NAMED),  # those of types
        (replace(PLAIN, names=["linear", "mlp", "linear", "head"]), NAMED),
        (NAMED, replace(NAMED, measure="margin")),  # an unknown measure
        (NAMED, replace(NAMED, measure="margin", temperature=2)),
        (replace(NAMED, temperature=2), replace(NAMED, measure="margin", temperature=2)),
        (replace(NAMED, temperature=1.3), replace(NAMED, temperature=np.float32(1.3))),
    ],
)
def test_what_is_unknown_fits(one, other):
    assert one.differences(other) == other.differences(one) == []
    known = one.joined(other, "one", "the other")
    assert known == other.joined(one, "the other", "one") or known.temperature is not None
    assert known.measure == (one.measure or other.measure)
    assert known.names == NAMED.names or one.names[-1] == "head"


def test_what_both_know_together():
    """What one side knows is not lost where the other does not: it goes on with whatever was checked."""
    heat = replace(PLAIN, measure="entropy", temperature=2)
    assert PLAIN.joined(heat, "a", "b") == heat.joined(PLAIN, "b", "a") == heat
    assert NAMED.joined(heat, "a", "b") == replace(NAMED, measure="entropy", temperature=2)
    types = replace(PLAIN, names=["linear", "mlp", "linear", "final"])
    assert types.joined(NAMED, "a", "b").names == NAMED.names


def test_a_temperature_counts_where_the_measure_is_unknown():
    told, plain = replace(NAMED, temperature=4), replace(NAMED, measure="max_prob")
    with pytest.raises(ds.ConfigError, match="the temperature of exit 0 is 4 for the records, 1 for the model"):
        told.joined(plain, "the records", "the model")


@pytest.mark.parametrize("wrong", [5, "x", None])
def test_something_else_is_refused(wrong, costs, example):
    config = ds.ExitConfig(candidate=[0] * 15, threshold=[0.5] * 15)
    with pytest.raises(ds.ConfigError, match="other must be an ExitLayout, got"):
        PLAIN.differences(wrong)
    with pytest.raises(ds.ConfigError, match="layout must be an ExitLayout, got"):
        config.exits(wrong)
    with pytest.raises(ds.ConfigError, match=r"layout must be an ExitLayout, got ExitCosts: pass its \.layout"):
        config.route(example.confidence, layout=example.costs)
    with pytest.raises(ds.ConfigError, match="candidate must hold whole numbers, got dtype float64"):
        PLAIN.exits([0.5, 0.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"position": [0, 1, 1, 2]},
            "the records has exit 1 at position 0, the model exit 1 at position 1; they belong",
        ),
        ({"position": [0, 1], "names": (), "temperature": None}, "has 4 exits at 2 positions, the model 2 exits at 1"),
        (
            {"names": ["a/linear", "a/mlp", "c/linear", "final"]},
            "exit 2 is called 'b/linear' by the records, 'c/linear'",
        ),
        (
            {"names": ["linear", "conv", "mlp", "final"]},
            r"exit 1 is called 'a/mlp' .*'conv' by the model \(2 exits differ",
        ),
        ({"measure": "margin"}, "confidences are 'entropy' for the records, 'margin' for the model; build both with"),
        ({"temperature": [1, 1, 2, 1]}, "the temperature of exit 2 is 3 for the records, 2 for the model; build both"),
        ({"temperature": None}, r"the temperature of exit 0 is 3 for the records, 1 for the model \(4 exits differ\)"),
    ],
)
def test_what_contradicts_is_named(change, message):
    heat = [1, 1, 3, 1] if isinstance(change.get("temperature"), list) else 3
    known = replace(NAMED, measure="entropy", temperature=heat)
    other = replace(known, **change)
    with pytest.raises(ds.ConfigError, match=message):
        known.joined(other, "the records", "the model")
    assert other.differences(known)


class TestWhoCarriesOne:
    def test_costs_and_bare_records(self, costs):
        assert costs.layout.position.tolist() == costs.position.tolist()
        assert costs.layout.names == costs.names
        records = ds.ExitRecords(confidence=np.zeros((4, 3)), score=np.ones((4, 3)), costs=costs)
        assert records.layout == costs.layout
        told = ds.ExitRecords(
            confidence=np.zeros((4, 3)), score=np.ones((4, 3)), costs=costs, measure="energy", temperature=2.0
        )
        assert (told.layout.measure, told.temperature.tolist()) == ("energy", [2, 2, 2, 2])
        assert told.subset([0]).layout == told.layout
        assert [part.layout for part in told.split(0.5, seed=0)] == [told.layout] * 2
        with pytest.raises(ds.RecordsError, match="measure must be the name of a confidence measure, or None, got 7"):
            replace(told, measure=7)
        with pytest.raises(ds.RecordsError, match="temperature must be one number > 0"):
            replace(told, temperature=-1)

    def test_records_of_outputs(self, costs):
        logits = np.random.default_rng(0).normal(size=(4, 5, 3))
        records = ds.ExitRecords.from_logits(logits, [0, 1, 2, 0, 1], costs=costs, confidence="entropy", temperature=2)
        assert records.layout == replace(costs.layout, measure="entropy", temperature=2)
        probs = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
        assert ds.ExitRecords.from_probs(probs, [0, 1, 2, 0, 1], costs=costs).measure == "max_prob"

        def energy(probs):
            return probs[:, 0]

        assert ds.ExitRecords.from_probs(probs, [0, 1, 2, 0, 1], costs=costs, confidence=energy).measure == "energy"

        def margin(probs):
            return probs[:, 0]

        own = ds.ExitRecords.from_probs(probs, [0, 1, 2, 0, 1], costs=costs, confidence=margin).measure
        assert own == f"{__name__}.margin"  # not taken for the package's

        def powered(power):
            return lambda probs: probs[:, 0] ** power

        def one(probs, power=1):
            return probs[:, 0] ** power

        class Power:
            def __init__(self, power):
                self.power = power

            def __call__(self, probs):
                return probs[:, 0] ** self.power

        pairs = [(powered(1), powered(2)), (partial(one, power=1), partial(one, power=2)), (Power(1), Power(2))]
        for pair in pairs:
            names = [ds.ExitRecords.from_probs(probs, [0, 1, 2, 0, 1], costs=costs, confidence=p).measure for p in pair]
            assert names[0] != names[1], names
        assert names == ["Power(power=1)", "Power(power=2)"]
        lambdas = [lambda probs: probs[:, 0], lambda probs: probs[:, 1]]
        names = {
            ds.ExitRecords.from_probs(probs, [0, 1, 2, 0, 1], costs=costs, confidence=one).measure for one in lambdas
        }
        assert all(name.startswith("<lambda> of test_layout.py, line ") for name in names)

    def test_the_example_and_files(self, example, tmp_path):
        assert example.measure == "max_prob"
        few = replace(example.subset(range(50)), temperature=1.5)
        few.save(tmp_path / "records.npz")
        assert ds.load_records(tmp_path / "records.npz").layout == few.layout

    def test_fronts_points_and_certificates(self, example, tmp_path):
        search, calibration = (replace(part, temperature=1.5) for part in example.split(0.5, seed=0))
        front = ds.search(search, solver="exit_shares")
        assert front.layout is search.layout
        assert front[0].config.layout == front.select(max_accuracy_drop=0.01).config.layout == search.layout
        front.save(tmp_path / "front.json")
        assert ds.ParetoFront.load(tmp_path / "front.json").layout == search.layout
        point = front.certify(calibration, max_accuracy_drop=0.03)
        assert point.certificate.layout == point.config.layout == search.layout
        point.save(tmp_path / "config.json")
        assert ds.CertifiedPoint.load(tmp_path / "config.json").certificate == point.certificate
        assert ds.ExitConfig.load(tmp_path / "config.json").layout == search.layout
        assert front.evaluate(calibration).layout == front.merge(front).layout == search.layout
        assert ds.static_exits(search).layout == search.layout


class TestSilentBefore:
    """Confidences of another kind, or other exits, were taken without a word wherever the shapes agreed."""

    def test_another_measure(self, example):
        front = ds.search(example, solver="exit_shares")
        other = replace(example, measure="entropy")
        for measure in (front.evaluate, lambda records: ds.evaluate(records, front[0].config)):
            with pytest.raises(ds.ConfigError, match=r"confidences are 'max_prob' for .*, 'entropy' for"):
                measure(other)

    def test_another_temperature(self, example):
        front = ds.search(example, solver="exit_shares")
        with pytest.raises(ds.ConfigError, match="the temperature of exit 0 is 1 for the front, 2 for the records"):
            front.evaluate(replace(example, temperature=2))

    def test_other_names(self, example):
        front = ds.search(example, solver="exit_shares")
        names = tuple(name.replace("gap_linear", "tiny") for name in example.costs.names)
        other = replace(example, costs=replace(example.costs, names=names))
        with pytest.raises(ds.ConfigError, match=r"exit 0 is called 'gap_linear' by the front, 'tiny' by the records"):
            front.evaluate(other)
        with pytest.raises(ds.ConfigError, match=r"exit 0 is called 'gap_linear' by the configuration, 'tiny' by"):
            ds.evaluate(other, front[0].config)

    def test_a_known_measure_is_not_lost_to_an_unknown_one(self, example):
        """A front of bare arrays, certified on records that know what their confidences are."""
        search, calibration = example.split(0.5, seed=0)
        bare = ds.search(replace(search, measure=None), solver="exit_shares")
        assert bare.layout.measure is None
        assert bare.evaluate(calibration).layout.measure == "max_prob"
        point = bare.certify(calibration, max_accuracy_drop=0.03)
        assert point.certificate.layout.measure == point.config.layout.measure == "max_prob"

    def test_merged_fronts(self, example):
        """The same digest, as it holds neither measure nor temperature."""
        known = ds.search(example, solver="exit_shares")
        bare = ds.search(replace(example, measure=None), solver="same_threshold")
        assert bare.merge(known).layout == known.merge(bare).layout == known.layout
        with pytest.raises(ds.ConfigError, match="'entropy' for the first front, 'max_prob' for front 1"):
            ds.search(replace(example, measure="entropy"), solver="exit_shares").merge(known)

    def test_costs_that_replace_those_of_a_file(self, records, tmp_path):
        path = tmp_path / "records.npz"
        names = ["a/linear", "a/mlp", "b/linear", "final"]
        replace(records, costs=replace(records.costs, names=names)).save(path)
        milliseconds = ds.ExitCosts(backbone=[3, 5, 9], head=[0, 0, 0, 0], position=[0, 0, 1, 2], unit="ms")
        assert ds.load_records(path, costs=milliseconds).layout.names == tuple(names)
        with pytest.raises(ds.ConfigError, match=r"the file .* has 4 exits at 2 positions, costs 4 exits at 3"):
            ds.load_records(path, costs=ds.ExitCosts(backbone=[1, 2, 3, 4], head=[0] * 4, position=[0, 1, 2, 3]))
        with pytest.raises(ds.ConfigError, match=r"exit 0 is called 'a/linear' by the file .*'q' by costs"):
            ds.load_records(path, costs=replace(milliseconds, names=["q", "w", "e", "final"]))

    def test_what_a_file_does_not_say(self, records, tmp_path):
        path, table = tmp_path / "records.npz", tmp_path / "table.csv"
        records.save(path)
        assert ds.load_records(path, measure="entropy").measure == "entropy"
        replace(records, measure="margin").save(path)
        with pytest.raises(ds.RecordsError, match=r"measure must be that of .*, 'margin', got 'entropy': leave it out"):
            ds.load_records(path, measure="entropy")
        with pytest.raises(ds.RecordsError, match="holds confidences as they are, got confidence='entropy'"):
            ds.load_records(path, confidence="entropy")
        table.write_text("confidence_0,confidence_1,score_0,score_1\n0.5,0.9,1,1\n")
        costs = ds.ExitCosts(backbone=[1, 2], head=[0, 0], position=[0, 1])
        assert ds.load_records(table, costs=costs, measure="entropy").measure == "entropy"
        with pytest.raises(ds.RecordsError, match="holds confidences as they are, got confidence='margin': say"):
            ds.load_records(table, costs=costs, confidence="margin")

    def test_other_places_that_take_both(self, example):
        small = example.subset(range(600))
        other = replace(small, measure="entropy")
        front = ds.search(small, solver="exit_shares")
        config = front[2].config
        for wrong in (
            lambda: ds.exit_profile(other, config),
            lambda: ds.worst_groups(other, config),
            lambda: ds.plot_config(other, config),
            lambda: ds.exit_flow(front, other),
            lambda: ds.optimism(front, other),
            lambda: ds.bootstrap_band(front, other),
            lambda: front.certify(other, max_accuracy_drop=0.1),
            lambda: ds.compare(small, test=other, solvers=["exit_shares"]),
            lambda: ds.search(other, solver="nsga2", warm_start=front, max_evaluations=10),
            lambda: ds.ParetoFront.from_configs(other, [config]),
        ):
            with pytest.raises(ds.ConfigError, match="confidences are"):
                wrong()
