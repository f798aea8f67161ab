"""What files once said in silence, or with an error of Python's own: each case by its name."""

import json
from dataclasses import replace

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.certify.certificate import Certificate, CertifiedLimit
from dyce_search.json_files import read_json
from dyce_search.provenance import Provenance
from tests.fuzz import test_files as files


def written(tmp_path, content, name="file.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def changed(content, place, value):
    """A copy with one entry replaced, where the place is ("points", 0, "cost")."""
    copy = json.loads(json.dumps(content))
    parent = copy
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    return copy


FRONT = files.front_2()
POINT = {key: value for key, value in files.example_point().to_dict().items() if key != "digest"}  # as of before
CONFIG = POINT | {}
CONFIG = {key: value for key, value in POINT.items() if key not in ("calibration", "certificate")}
COSTS = files.COSTS.to_dict()


class TestSilent:
    """Accepted once."""

    @pytest.mark.parametrize("value", [None, True, [0], 0.0, "0", -1])
    def test_positions_that_are_none(self, tmp_path, value):
        for content, place, load in (
            (CONFIG, ("exits", 0, "position"), ds.ExitConfig.load),
            (FRONT, ("points", 0, "position", 0), ds.ParetoFront.load),
            (COSTS, ("position", 0), ds.ExitCosts.load),
            (CONFIG, ("layout", "position", 0), ds.ExitConfig.load),
        ):
            path = written(tmp_path, changed(content, place, value))
            with pytest.raises(ds.FileFormatError, match=r"file\.json is damaged: Expected .* - at `\$"):
                load(path)

    def test_candidate_minus_one_and_a_half(self, tmp_path):
        path = written(tmp_path, {**files.CONFIG_1, "candidate": [-1.5, 0, 2]})
        with pytest.raises(ds.FileFormatError, match=r"Expected `int`, got `float` - at `\$.candidate\[0\]`"):
            ds.ExitConfig.load(path)

    def test_a_threshold_that_is_a_text(self, tmp_path):
        for content, load in (
            ({**files.CONFIG_1, "threshold": "12"}, ds.ExitConfig.load),
            (changed(FRONT, ("points", 1, "threshold"), "12"), ds.ParetoFront.load),
            (changed(CONFIG, ("exits", 0, "threshold"), "12"), ds.ExitConfig.load),
        ):
            with pytest.raises(ds.FileFormatError, match=r"got `str`|Invalid enum value '12'"):
                load(written(tmp_path, content))

    @pytest.mark.parametrize(
        ("place", "value", "message"),
        [
            (("points", 0, "cost"), -1, "cost must be finite and >= 0, got -1 at point 0"),
            (("points", 0, "accuracy"), -0.1, r"accuracy must be in \[0, 1\], got -0.1 at point 0"),
            (("points", 0, "accuracy"), 1.5, r"accuracy must be in \[0, 1\], got 1.5 at point 0"),
            (("exit_accuracy", 2), -0.5, r"exit_accuracy must be in \[0, 1\], got -0.5 at point 2"),
            (("points", 0, "disagreement"), 2, r"disagreement must be in \[0, 1\], got 2 at point 0"),
            (("points", 0, "cost_tail", 0), -1, "cost_tail must be finite and >= 0, got -1 at point 0"),
            (("points", 0, "cost_tail", 0), 0, "cost_tail must fall as the share"),
            (("points", 0, "cost_tail"), [1], r"a point's cost_tail must have \d+ numbers"),
            (("records", "n_samples"), -3, "n_samples must be a whole number >= 1, got -3"),
            (("records", "n_samples"), 0, "n_samples must be a whole number >= 1, got 0"),
            (("records", "marks"), ["garbage"], "marks of 16 hexadecimal digits, got 'garbage'"),
            (("records", "marks"), ["0123456789abcdeg"], "marks of 16 hexadecimal digits, got '0123456789abcdeg'"),
            (("provenance", "seconds"), -1, "seconds of a front's provenance must be a number >= 0, got -1"),
            (("provenance", "evaluations"), -1, "evaluations of a front's provenance must be a whole number >= 0"),
            (("provenance", "stop_reason"), "tired", "stop_reason must be 'converged', 'optimal'"),
            (("provenance", "scores"), "liked", "scores must be 'expected', 'observed' or 'own', got 'liked'"),
            (("provenance", "expected"), {"model": 1}, "unknown field `model` - at `\\$.provenance.expected`"),
            (("points", 0, "cost"), 1e-3, "cost must be from .* got 0.001 at point 0"),
            (("points", -1, "cost"), 1e9, "cost must be from .* got 1e.09 at point"),
            (("cost_tail_shares", 0), -1, "cost_tail_shares must be shares from 0 to below 1, rising"),
            (("cost_tail_shares", 0), 0.9, "cost_tail_shares must be shares from 0 to below 1, rising"),
            (("records", "digest"), "", "records_digest must be of 64 hexadecimal digits.* got ''"),
            (("records", "digest"), "garbage", "records_digest must be of 64 hexadecimal digits.* got 'garbage'"),
            (("costs", "head", 0), -0.5, "head must be finite and >= 0"),
            (("version",), True, "has format version True, this release reads 1 and 2"),
        ],
    )
    def test_figures_that_no_records_have(self, tmp_path, place, value, message):
        with pytest.raises(ds.FileFormatError, match=rf"file\.json.*{message}"):
            ds.ParetoFront.load(written(tmp_path, changed(FRONT, place, value)))

    @pytest.mark.parametrize(
        ("place", "value", "message"),
        [
            (("certificate", "confidence"), None, r"Expected `float`, got `null` - at `\$.certificate.confidence`"),
            (("certificate", "confidence"), 5, r"confidence must lie in \(0, 1\), got 5"),
            (("certificate", "limits"), [], r"Expected `array` of length >= 1 - at `\$.certificate.limits`, got \[\]"),
            (("certificate", "limits", 0, "name"), "max_joy", "must be 'max_accuracy_drop'.*got 'max_joy'"),
            (("certificate", "limits", 0, "limit"), -1, r"max_accuracy_drop must lie in \(0, 1\), got -1"),
            (("certificate", "limits", 0, "p_value"), 0.4, "must have p-values up to 0.05, got 0.4"),
            (("certificate", "limits", 0, "p_value"), 7, "p_value of max_accuracy_drop must be a number from 0 to 1"),
            (("certificate", "limits", 0, "measured"), 1e9, "measured of max_accuracy_drop must be a number from -1"),
            (("certificate", "limits", 0, "share"), 0.5, "max_accuracy_drop must have no share of samples"),
            (("certificate", "limits", 1, "share"), None, "max_sample_cost must have a share of samples.*got None"),
            (("certificate", "limits", 1, "name"), "max_accuracy_drop", r"in \(0, 1\)|each once"),
            (("certificate", "limits", 0, "bound"), 0.5, "bound of max_accuracy_drop must lie between"),
            (("certificate", "limits", 0, "measured"), 0.045, "bound of max_accuracy_drop must lie between"),
            (("certificate", "limits", 1, "bound"), 1, "bound of max_sample_cost must lie between"),
            (("certificate", "limits", 0, "most"), 3, "max_accuracy_drop must not rest on the most that a sample"),
            (("certificate", "records_digest"), "garbage", "records_digest must be of 64 hexadecimal digits"),
            (("certificate", "search_digest"), "", "search_digest must be of 64 hexadecimal digits"),
            (("certificate", "n_samples"), 0, "n_samples must be a whole number >= 1, got 0"),
            (("certificate", "n_groups"), 501, "n_groups must be at most n_samples, 500, got 501"),
            (("certificate", "n_tested"), -1, "n_tested must be a whole number >= 1"),
            (("calibration", "accuracy"), -0.5, "accuracy must be a number from 0 to 1, got -0.5"),
            (("calibration", "cost"), -2, "cost must be a number from 0"),
        ],
    )
    def test_certificates_that_promise_nothing(self, tmp_path, place, value, message):
        path = written(tmp_path, changed(POINT, place, value))
        with pytest.raises(ds.FileFormatError, match=rf"file\.json is damaged: .*{message}"):
            ds.CertifiedPoint.load(path)

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (("exits",), []),
            (("exits", 0, "threshold"), 0.1),
            (("certificate", "confidence"), 0.9),
            (("certificate", "n_samples"), 5_000),
            (("certificate", "limits", 0, "limit"), 0.04),
            (("calibration", "accuracy"), 0.5),
            (("digest",), "0" * 64),
            (("digest",), None),
        ],
    )
    def test_certified_points_that_were_changed_by_hand(self, tmp_path, place, value):
        content = json.loads(json.dumps(files.example_point().to_dict()))
        assert ds.CertifiedPoint.load(written(tmp_path, content)).config == files.example_point().config
        path = written(tmp_path, changed(content, place, value))
        for load in (ds.CertifiedPoint.load, ds.ExitConfig.load):
            with pytest.raises(ds.FileFormatError, match=r"changed since it was written|Expected `str`"):
                load(path)

    def test_the_same_limit_twice(self, tmp_path):
        content = changed(POINT, ("certificate", "limits"), [POINT["certificate"]["limits"][0]] * 2)
        with pytest.raises(ds.FileFormatError, match="one or more limits, each once, got max_accuracy_drop, max_accur"):
            ds.CertifiedPoint.load(written(tmp_path, content))

    @pytest.mark.parametrize(
        ("text", "load"),
        [
            ('{"position": [0, 1], "backbone": [1, 2], "head": [0, 0], "head": [1, 1]}', ds.ExitCosts.load),
            (json.dumps(FRONT)[:-1] + ', "points": []}', ds.ParetoFront.load),
            (json.dumps(POINT)[:-1] + ', "certificate": null}', ds.CertifiedPoint.load),
            (json.dumps(CONFIG).replace('"candidate"', '"position": 0, "candidate"', 1), ds.ExitConfig.load),
        ],
    )
    def test_a_key_that_is_there_twice(self, tmp_path, text, load):
        with pytest.raises(ds.FileFormatError, match=r"is not valid JSON: the key '.*' is there more than once"):
            load(written(tmp_path, text))

    def test_an_unknown_key_of_costs(self, tmp_path):
        path = written(tmp_path, {**COSTS, "name": ["a"]})
        with pytest.raises(ds.FileFormatError, match="Object contains unknown field `name`"):
            ds.ExitCosts.load(path)

    @pytest.mark.parametrize("key", ["unit", "names", "measure", "temperature", "source", "version"])
    @pytest.mark.parametrize("value", [True, 5, [[1]], {"a": 1}])
    def test_a_header_of_records_of_other_types(self, tmp_path, key, value):
        path = tmp_path / "records.npz"
        files.with_header(path, json.dumps({**files.HEADER, key: value}).encode())
        with pytest.raises(ds.FileFormatError, match=rf"records\.npz .*({key}|version)"):
            ds.load_records(path)


class TestRaw:
    """Errors of Python's own once."""

    @pytest.mark.parametrize(
        ("number", "message"),
        [
            ("1" + "0" * 400, r"Number out of range - at `\$.head\[0\]`"),
            ("1e999", "1e999 is beyond the range of float64"),
            ("-1e400", "-1e400 is beyond the range of float64"),
            ("NaN", "NaN is no JSON number"),
            ("null", r"Expected `float`, got `null` - at `\$.head\[0\]`"),
            ('"5"', r"Expected `float`, got `str` - at `\$.head\[0\]`"),
            ("[]", r"Expected `float`, got `array` - at `\$.head\[0\]`"),
            ("9" * 5000, "is not valid JSON: Exceeds the limit"),
        ],
    )
    def test_numbers_that_are_none(self, tmp_path, number, message):
        path = written(tmp_path, f'{{"backbone": [1, 2], "head": [{number}, 0], "position": [0, 1]}}')
        with pytest.raises(ds.FileFormatError, match=rf"file\.json .*{message}"):
            ds.ExitCosts.load(path)

    @pytest.mark.parametrize("content", [[], 5, None, "x", {}, [{}]])
    def test_a_file_that_is_no_object(self, tmp_path, content):
        path = written(tmp_path, content)
        for load in (ds.ParetoFront.load, ds.ExitConfig.load, ds.CertifiedPoint.load, ds.ExitCosts.load):
            with pytest.raises(ds.FileFormatError, match=r"file\.json"):
                load(path)

    def test_what_was_found_is_said(self, tmp_path):
        path = written(tmp_path, changed(FRONT, ("points", 0, "position"), [-7]))
        with pytest.raises(
            ds.FileFormatError,
            match=r"file\.json is damaged: Expected `int` >= 0 - at `\$.points\[0\].position\[0\]`, got -7: write",
        ):
            ds.ParetoFront.load(path)
        long = changed(CONFIG, ("n_positions",), 10**30)
        with pytest.raises(ds.FileFormatError, match=r"`\$.n_positions`, got 1000000000000000000000000000000: write"):
            ds.ExitConfig.load(written(tmp_path, long))

    @pytest.mark.parametrize("text", [r'"\ud800"', r'"a\uDfffb"', r'{"\udead": 1}'])
    def test_half_a_surrogate_pair(self, tmp_path, text):
        with pytest.raises(ds.FileFormatError, match="half a surrogate pair is no text"):
            read_json(written(tmp_path, text))
        assert read_json(written(tmp_path, r'"\ud83d\ude00"')) == "\U0001f600"

    def test_what_is_nested_too_deeply(self, tmp_path):
        deep = {}
        for _ in range(400):
            deep = {"a": deep}
        front = ds.ParetoFront.load(written(tmp_path, changed(FRONT, ("provenance", "options"), deep)))
        assert front.provenance.options == deep
        nested = []
        for _ in range(100_000):
            nested = [nested]
        origin = replace(front.provenance, options={"a": nested})
        with pytest.raises(ds.FileFormatError, match=r"cannot write .*nested too deeply for JSON"):
            replace(front, provenance=origin).save(tmp_path / "deep.json")

    def test_a_position_far_away_takes_no_memory(self):
        with pytest.raises(ds.ConfigError, match=r"P = 2147483648 without gaps, got \[0, 1, 2147483648\]"):
            ds.ExitLayout(position=[0, 1, 2**31])


class TestByHand:
    """The same for objects made by hand."""

    def test_names_are_text(self):
        for names in (["a", "b\0", "c"], ["a", "\ud800", "c"]):
            with pytest.raises(ds.ConfigError, match="names must"):
                ds.ExitLayout(position=[0, 1, 2], names=names)
        with pytest.raises(ds.ConfigError, match=r"measure must be text, got '.ud800', half a surrogate pair"):
            ds.ExitLayout(position=[0, 1], measure="\ud800")
        with pytest.raises(ds.CostsError, match="unit must not have NUL in it"):
            ds.ExitCosts(backbone=[1, 2], head=[0, 0], position=[0, 1], unit="m\0s")

    def test_a_source_that_is_no_text_is_kept_as_far_as_it_is(self, records, tmp_path):
        odd = replace(records, source="caf\udce9")
        odd.save(tmp_path / "records.npz")
        assert ds.load_records(tmp_path / "records.npz").source == odd.source == "caf\\udce9"

    def test_a_front(self):
        front = files.example_front()
        for change, message in (
            ({"accuracy": front.accuracy + 1}, r"accuracy must be in \[0, 1\]"),
            ({"cost": -front.cost[::-1]}, "cost must be finite and >= 0"),
            ({"cost": np.append(front.cost[:-1], np.inf)}, "cost must be finite and >= 0, got inf"),
            ({"n_samples": 2.5}, "n_samples must be a whole number >= 1, got 2.5"),
            ({"n_samples": True}, "n_samples must be a whole number >= 1, got True"),
            ({"fingerprint": ("0" * 16, 5)}, "each of fingerprint must be a string, got int at 1"),
        ):
            with pytest.raises(ds.FrontError, match=message):
                replace(front, **change)

    def test_provenance(self):
        with pytest.raises(ds.FrontError, match="caution of a front's provenance must be a number >= 0, got nan"):
            Provenance(solver="x", caution=np.nan)
        for options in ({"a": np.nan}, {"a": object()}, {1: 2}, {"a": {1, 2}}):
            with pytest.raises(ds.FrontError, match="options of a front's provenance must be what JSON can keep"):
                Provenance(solver="x", options=options)
        with pytest.raises(ds.FrontError, match="each of versions must be a string, got 2"):
            Provenance(solver="x", versions={"numpy": 2})

    def test_a_certificate(self):
        limit = CertifiedLimit(name="min_accuracy", limit=0.9, measured=0.95, bound=0.93, p_value=0.01, method="x")
        counts = {
            "n_samples": 10,
            "n_groups": None,
            "n_tested": 1,
            "records_digest": "a" * 64,
            "search_digest": "b" * 64,
        }
        assert Certificate(limits=(limit,), confidence=0.99, **counts).p_value == 0.01
        with pytest.raises(ds.FrontError, match="each once, got none"):
            Certificate(limits=(), confidence=0.95, **counts)
        with pytest.raises(ds.FrontError, match=r"p-values up to 0.001, got 0.01"):
            Certificate(limits=(limit,), confidence=0.999, **counts)
        with pytest.raises(ds.FrontError, match="the method of min_accuracy must be a string, got None"):
            replace(limit, method=None)
        with pytest.raises(ds.ConfigError, match="layout must be an ExitLayout"):
            Certificate(limits=(limit,), confidence=0.99, layout="x", **counts)
