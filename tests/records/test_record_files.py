"""Record files, in this library's format and in DyCE's."""

import json
from dataclasses import replace

import numpy as np
import pytest

import dyce_search as ds


class TestOwnFormat:
    @pytest.mark.parametrize("compress", [True, False])
    @pytest.mark.parametrize("scores", ["floats", "right or wrong", "minus zero"])
    def test_round_trips_to_the_bit(self, records, tmp_path, compress, scores):
        score = {"floats": records.score, "right or wrong": records.score > 0.5, "minus zero": -0.0 * records.score}[
            scores
        ]
        records = replace(records, score=score)
        records.save(tmp_path / "records", compress=compress)  # no ending is added
        loaded = ds.load_records(tmp_path / "records")
        for name in ("confidence", "score", "label", "prediction", "group"):
            one, other = getattr(records, name), getattr(loaded, name)
            assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes()), name
        assert (loaded.costs, loaded.source, loaded.digest) == (records.costs, records.source, records.digest)

    def test_what_is_absent_stays_absent(self, costs, tmp_path):
        ds.ExitRecords(confidence=np.full((4, 5), 0.5), score=np.ones((4, 5)), costs=costs).save(
            tmp_path / "records.npz"
        )
        loaded = ds.load_records(tmp_path / "records.npz")
        assert loaded.label is loaded.prediction is loaded.group is None

    def test_costs_can_be_replaced(self, records, tmp_path):
        records.save(tmp_path / "records.npz")
        measured = replace(records.costs, backbone=[3, 5, 9], unit="ms")
        assert ds.load_records(tmp_path / "records.npz", costs=measured).costs == measured
        with pytest.raises(ds.ConfigError, match="has 4 exits at 2 positions, costs 2 exits at 1 position"):
            ds.load_records(tmp_path / "records.npz", costs=ds.ExitCosts(backbone=[1, 2], head=[0, 0], position=[0, 1]))

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ({"format": "other"}, "is not a dyce_search.records file: its 'format' entry is 'other'"),
            ({"version": 3}, "has format version 3, this release reads 1 and 2"),
            ({"version": True}, "has format version True, this release reads 1 and 2"),
            ({"measure": None}, "missing required field `measure`"),
            ({"unit": None}, "missing required field `unit`"),
            ({"names": None}, "missing required field `names`"),
        ],
    )
    def test_another_version_or_a_missing_key_is_refused(self, records, tmp_path, header, message):
        records.save(tmp_path / "records.npz")
        with np.load(tmp_path / "records.npz") as archive:
            arrays = dict(archive)
        content = {**json.loads(arrays["header"].tobytes()), **header}
        content = {key: value for key, value in content.items() if header.get(key, "kept") is not None}
        arrays["header"] = np.frombuffer(json.dumps(content).encode(), np.uint8)
        np.savez(tmp_path / "changed.npz", **arrays)
        with pytest.raises(ds.FileFormatError, match=message):
            ds.load_records(tmp_path / "changed.npz")

    def test_a_missing_array_is_named(self, records, tmp_path):
        records.save(tmp_path / "records.npz")
        with np.load(tmp_path / "records.npz") as archive:
            arrays = dict(archive)
        del arrays["score"], arrays["head"]
        np.savez(tmp_path / "changed.npz", **arrays)
        with pytest.raises(ds.FileFormatError, match="lacks the arrays head, score"):
            ds.load_records(tmp_path / "changed.npz")


class TestDyceFormat:
    def write(self, path, **change):
        rng = np.random.default_rng(0)
        arrays = {
            "label": rng.integers(0, 3, (5, 1)).astype(np.int16),
            "preds": rng.integers(0, 3, (4, 5, 2)).astype(np.int16),
            "confs": -np.sort(-rng.random((4, 5, 2)).astype(np.float32) / 2, axis=2),
            **change,
        }
        np.savez(path, **arrays)
        return arrays

    def test_top_one_is_read(self, costs, tmp_path):
        arrays = self.write(tmp_path / "dyce.npz")
        records = ds.load_records(tmp_path / "dyce.npz", costs=costs)
        np.testing.assert_array_equal(records.confidence, arrays["confs"][:, :, 0])
        np.testing.assert_array_equal(records.score, arrays["preds"][:, :, 0] == arrays["label"][:, 0])
        np.testing.assert_array_equal(records.label, arrays["label"][:, 0])
        np.testing.assert_array_equal(records.prediction, arrays["preds"][:, :, 0])
        margin = ds.load_records(tmp_path / "dyce.npz", costs=costs, confidence="margin")
        np.testing.assert_array_equal(margin.confidence, arrays["confs"][:, :, 0] - arrays["confs"][:, :, 1])

    def test_the_costs_may_be_a_file(self, tmp_path):
        self.write(tmp_path / "dyce.npz", preds=np.zeros((5, 5, 1), np.int16), confs=np.zeros((5, 5, 1), np.float32))
        heads = [{"name": name, "macs": [1, 2, 0]} for name in ("small", "large")]
        macs = {"head": heads, "backbone": {"macs": [10, 20, 40]}, "shared": {"macs": [1, 1, 2]}}
        (tmp_path / "macs.json").write_text(json.dumps(macs))
        records = ds.load_records(tmp_path / "dyce.npz", costs=tmp_path / "macs.json")
        assert records.costs.backbone.tolist() == [11, 21, 42]
        assert ds.evaluate(records, ds.ExitConfig.none(2)).cost == 42

    @pytest.mark.parametrize(
        ("change", "options", "error", "message"),
        [
            ({}, {"costs": None}, ds.FileFormatError, "which has no costs: pass costs="),
            (
                {},
                {"confidence": "entropy"},
                ds.RecordsError,
                "confidence must be 'max_prob', or 'margin'.*got 'entropy'",
            ),
            ({"label": np.zeros(4, np.int16)}, {}, ds.RecordsError, "label must have N = 5 entries, got 4"),
            ({"preds": np.zeros((4, 5), np.int16)}, {}, ds.RecordsError, r"preds and confs must have the same shape"),
            ({"preds": np.zeros((4, 6, 2), np.int16)}, {}, ds.RecordsError, r"got \(4, 6, 2\) and \(4, 5, 2\)"),
            ({"confs": np.full((4, 5, 2), np.nan)}, {}, ds.RecordsError, "confidence must be finite"),
        ],
    )
    def test_bad_files_are_refused(self, costs, tmp_path, change, options, error, message):
        self.write(tmp_path / "dyce.npz", **change)
        with pytest.raises(error, match=message):
            ds.load_records(tmp_path / "dyce.npz", **{"costs": costs, **options})
