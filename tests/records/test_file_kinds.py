"""Files that are no records: the message says what they seem to be, and what to do."""

import json
import pickle

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.records.file_kinds import kind_of

COSTS = ds.ExitCosts(backbone=[1.0, 2.0], head=[0.5, 0.0], position=[0, 1])
KINDS = {
    "text": [b"sample,exit\n", "ünïcode".encode(), ("ü" * 4096).encode(), b"x" + ("ü" * 4096).encode()],
    "json": [b"{}", b' \n {"a": 1}', b"[1]"],
    "parquet": [b"PAR1..."],
    "gzip": [b"\x1f\x8b\x08"],
    "npz": [b"PK\x03\x04", b"PK\x05\x06" + bytes(18)],
    "npy": [b"\x93NUMPY\x01"],
    "pickle": [pickle.dumps({}), pickle.dumps({}, 2)],
    "torch": [b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."],
    "empty": [b"", b" \n"],
    "foreign text": [b"caf\xe9,1\n", "confidence".encode("utf-16"), b"abc\xff def"],
    "unknown": [b"a\0b", b"\x01\xff", b"abc\xff\x02"],
}


@pytest.mark.parametrize(("kind", "content"), [(kind, content) for kind in KINDS for content in KINDS[kind]])
def test_files_are_known_by_their_first_bytes(kind, content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    assert kind_of(tmp_path / "file") == kind


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(COSTS.to_dict()), r"these are costs, records are needed: pass it as costs= \(--costs\), and"),
        ('{"head": [], "backbone": {"macs": []}}', "these are costs, records are needed"),
        ('{"format": "dyce_search.front"}', r"this is a front, records are needed: ParetoFront\.load reads it; name"),
        ('{"format": "dyce_search.config"}', r"this is a configuration, records are needed: ExitConfig\.load reads it"),
        ('{"a": 1}', r"is JSON, not records: records are read from \.npz, \.csv, \.parquet, and from the \.pth of"),
        ("[1, 2", "is JSON, not records"),
        ("", "is empty: write or fetch it anew"),
        ("a\0b", "is damaged, or of no known kind: records are read from"),
    ],
)
def test_what_is_no_record_is_named(content, message, tmp_path):
    (tmp_path / "file").write_text(content)
    with pytest.raises(ds.FileFormatError, match=f"file:? {message}"):
        ds.load_records(tmp_path / "file", costs=COSTS)


def test_swapped_arguments_are_named(tmp_path, records):
    records.save(tmp_path / "records.npz")
    (tmp_path / "macs.json").write_text(json.dumps(COSTS.to_dict()))
    with pytest.raises(ds.FileFormatError, match=r"macs\.json: these are costs, records are needed: pass it as costs="):
        ds.load_records(tmp_path / "macs.json", costs=tmp_path / "records.npz")
    with pytest.raises(ds.FileFormatError, match=r"these are records, costs are needed: are the arguments swapped"):
        ds.load_records(tmp_path / "records.npz", costs=tmp_path / "records.npz")


def test_part_is_for_files_that_have_parts(tmp_path, records):
    records.save(tmp_path / "records.npz")
    with pytest.raises(ds.RecordsError, match=r"part must be 'val' or 'test', for MSDNet's \.pth only, got 'test'"):
        ds.load_records(tmp_path / "records.npz", part="test")


def test_a_single_array_is_named(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ds.FileFormatError, match=r"holds a single array: records are an \.npz with several"):
        ds.load_records(tmp_path / "array.npy")
