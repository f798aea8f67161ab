"""Archives: looked at before they are unpacked."""

import gzip
import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.records import archives
from tests.fuzz.test_files import dyce_arrays, own_arrays

PASS = r"pass max_bytes= if you trust the file$"


def bomb(path, size=300 * 2**20):
    """A small archive whose confidences unpack to many zeros."""
    arrays = own_arrays()
    del arrays["confidence"]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, array)
        with archive.open("confidence.npy", "w", force_zip64=True) as entry:
            shape = (4, size // 16)
            np.lib.format.write_array_header_1_0(entry, {"descr": "<f4", "fortran_order": False, "shape": shape})
            for _ in range(size // 2**20):
                entry.write(bytes(2**20))
    path.write_bytes(stream.getvalue())


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_before_it_is(tmp_path, monkeypatch):
    path = tmp_path / "records.npz"
    bomb(path)
    assert path.stat().st_size < 2**19
    monkeypatch.setattr(zipfile.ZipFile, "open", None)  # nothing is unpacked
    said = r"unpacks to 314,\d{3},\d{3} bytes or more, and may unpack to 268,435,456: " + PASS
    with pytest.raises(ds.FileFormatError, match=said):
        ds.load_records(path)


def test_the_limit_can_be_moved(tmp_path):
    path = tmp_path / "records.npz"
    np.savez(path, **own_arrays())
    with pytest.raises(ds.FileFormatError, match="and may unpack to 1,000: " + PASS):
        ds.load_records(path, max_bytes=1000)
    assert ds.load_records(path, max_bytes=10**6).n_samples == 30
    bomb(path)
    with pytest.raises(ds.RecordsError, match=r"records\.npz: .* must have"):  # read, and of another length
        ds.load_records(path, max_bytes=2**30)


@pytest.mark.parametrize("max_bytes", [0, -1, 1.5, True, "1 GB", float("nan")])
def test_a_limit_that_is_none(tmp_path, max_bytes):
    for call in (ds.load_records, ds.load_cascade):
        with pytest.raises(ds.FileFormatError, match="max_bytes must be a whole number >= 1, got"):
            call(tmp_path / "file", max_bytes=max_bytes)


def test_a_log_packed_by_gzip(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREELY", 10**5)
    path = tmp_path / "log.jsonl.gz"
    row = {"query": 1, "model": "a", "score": 1, "confidence": 0.5, "cost": 1, "prompt": "x" * 10**4}
    path.write_bytes(gzip.compress(b"\n".join([json.dumps(row).encode()] * 30)))
    with pytest.raises(ds.FileFormatError, match=r"log.jsonl.gz unpacks to .* bytes or more.*" + PASS):
        ds.load_cascade(path)
    with pytest.raises(ds.RecordsError, match="needs two or more models"):
        ds.load_cascade(path, max_bytes=10**9)


def test_a_table_packed_by_gzip(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREELY", 10**5)
    path = tmp_path / "records.csv.gz"
    rows = ["confidence_0,confidence_1,score_0,score_1", *["0.5,0.75,0,1"] * 10**5]
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    costs = ds.ExitCosts(backbone=[1, 2], head=[0, 0], position=[0, 1])
    monkeypatch.setattr(archives, "TIMES", 2)
    with pytest.raises(ds.FileFormatError, match=r"records.csv.gz unpacks to .* bytes or more.*" + PASS):
        ds.load_records(path, costs=costs)
    assert ds.load_records(path, costs=costs, max_bytes=2 * 10**6).n_samples == 10**5
    log = tmp_path / "log.csv.gz"
    log.write_bytes(path.read_bytes())
    with pytest.raises(ds.FileFormatError, match=r"log.csv.gz unpacks to .* bytes or more.*" + PASS):
        ds.load_cascade(log)


def test_the_error_of_a_large_file_survives_a_process():
    error = archives.TooLargeError("a.npz", 5000, 10)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(error.asking_for("--max-bytes")).endswith("may unpack to 10: pass --max-bytes if you trust the file")


@pytest.mark.parametrize("compress", [True, False])
def test_a_header_that_promises_more_than_there_is(tmp_path, compress):
    """No memory is taken for it: 4 TB."""
    path, stream = tmp_path / "records.npz", io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, array in own_arrays().items():
            with archive.open(f"{name}.npy", "w") as entry:
                if name == "confidence":
                    header = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
                    np.lib.format.write_array_header_1_0(entry, header)
                    entry.write(array.tobytes())
                else:
                    np.lib.format.write_array(entry, array)
    path.write_bytes(stream.getvalue())
    with pytest.raises(ds.FileFormatError, match="'confidence' has another size than its shape"):
        ds.load_records(path)


def test_two_entries_of_the_same_name(tmp_path):
    path = tmp_path / "records.npz"
    np.savez(path, **own_arrays())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("score.npy", "another")
    with pytest.raises(ds.FileFormatError, match="it has two entries of the same name"):
        ds.load_records(path)


def test_an_array_of_another_version(tmp_path):
    path = tmp_path / "records.npz"
    stream = io.BytesIO()
    np.savez(stream, **dyce_arrays())
    content = stream.getvalue().replace(b"\x93NUMPY\x01\x00", b"\x93NUMPY\x07\x00")
    path.write_bytes(content)
    with pytest.raises(ds.FileFormatError, match="truncated or damaged"):
        ds.load_records(path, costs=ds.ExitCosts(backbone=[1, 2, 4], head=[0, 0, 0, 0], position=[0, 0, 1, 2]))
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("label", "preds", "confs"):
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x07\x00" + struct.pack("<I", 5))
    with pytest.raises(ds.FileFormatError, match="its entry 'label' has version"):
        ds.load_records(path, costs=ds.ExitCosts(backbone=[1, 2, 4], head=[0, 0, 0, 0], position=[0, 0, 1, 2]))


def test_no_memory_is_an_error_of_ours(tmp_path, monkeypatch):
    path = tmp_path / "records.npz"
    np.savez(path, **own_arrays())

    def no_memory(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(np.lib.format, "read_array", no_memory)
    with pytest.raises(ds.FileFormatError, match="there is not enough memory for it"):
        ds.load_records(path)
