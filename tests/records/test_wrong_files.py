"""Every kind of file in the place of every other one: the message says what it is, what is needed and what to do."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dyce_search as ds
from dyce_search.records.wrong_files import content_of, require_plain_table
from dyce_search.serving.bundle_file import read_manifest

DATA = Path(__file__).parents[2] / "data"
WORDS = {
    "records.npz": "these are records",
    "dyce.npz": "these are records, as DyCE writes them",
    "records.csv": "this is a table",
    "log.jsonl": "this is a log, an object a line",
    "log.jsonl.gz": "this is a log, an object a line",
    "macs.json": "these are costs",
    "costs.json": "these are costs",
    "front.json": "this is a front",
    "config.json": "this is a configuration",
    "certified.json": "this is a certified configuration",
    "bundle": "this is a bundle, the folder of a model to serve",
}
READERS = {
    "a front": ds.ParetoFront.load,
    "a configuration": ds.ExitConfig.load,
    "a certified configuration": ds.CertifiedPoint.load,
    "costs": ds.ExitCosts.load,
    "a bundle": read_manifest,
}
RIGHT = {  # what each of them reads
    "a front": {"front.json"},
    "a configuration": {"config.json", "certified.json"},
    "a certified configuration": {"certified.json"},
    "costs": {"macs.json", "costs.json"},
    "a bundle": {"bundle"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of every kind."""
    place = tmp_path_factory.mktemp("kinds")
    records = ds.load_example("test").subset(np.arange(300))
    records.save(place / "records.npz")
    (place / "dyce.npz").write_bytes((DATA / "fashion_resnet15_test.npz").read_bytes())
    (place / "records.csv").write_text("sample,exit,confidence,score\n0,0,0.5,1\n")
    rows = [{"query": n, "model": m, "score": 1, "confidence": 0.5, "cost": 1} for n in range(3) for m in "ab"]
    text = "\n".join(map(json.dumps, rows))
    (place / "log.jsonl").write_text(text)
    (place / "log.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (place / "macs.json").write_bytes((DATA / "fashion_resnet15_macs.json").read_bytes())
    records.costs.save(place / "costs.json")
    front = ds.search(records, solver="exit_shares", scores="observed")
    front.save(place / "front.json")
    front[0].config.save(place / "config.json")
    front.certify(ds.load_example().subset(np.arange(500)), max_accuracy_drop=0.2).save(place / "certified.json")
    (place / "bundle").mkdir()
    (place / "bundle" / "manifest.json").write_text('{"format": "dyce_search.bundle"}')
    return place


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("needed", READERS)
def test_each_reader_names_what_it_got_instead(folder: Path, needed: str, name: str) -> None:
    if name in RIGHT[needed]:
        return
    verb = "are" if needed == "costs" else "is"
    with pytest.raises(ds.FileFormatError) as caught:
        READERS[needed](folder / name)
    assert str(caught.value).startswith(f"{folder / name}: {WORDS[name]}, {needed} {verb} needed: ")


@pytest.mark.parametrize("name", sorted(set(WORDS) - {"records.npz", "dyce.npz", "records.csv", "bundle"}))
def test_records_are_not_read_from_other_files(folder: Path, name: str) -> None:
    with pytest.raises(ds.DyceError, match=re.escape(f"{folder / name}: {WORDS[name]}, records are needed: ")):
        ds.load_records(folder / name, costs=folder / "macs.json")


def test_a_folder_is_no_records(folder: Path) -> None:
    with pytest.raises(ds.FileFormatError, match="Is a directory: this is a bundle, a file is needed"):
        ds.load_records(folder / "bundle")


@pytest.mark.parametrize(
    ("reader", "name", "advice"),
    [
        ("a front", "records.npz", "dyce-search search {} --out front.json"),
        ("a front", "config.json", "name the file that `dyce-search search --out` wrote"),
        ("a configuration", "front.json", "dyce-search select {} --max-accuracy-drop 0.01 --out config.json"),
        (
            "a configuration",
            "records.csv",
            "dyce-search search {} --out front.json, then dyce-search select",
        ),
        (
            "a certified configuration",
            "config.json",
            "dyce-search certify front.json calibration.npz --max-accuracy-drop 0.01 --out {}",
        ),
        (
            "a certified configuration",
            "front.json",
            "dyce-search certify {} calibration.npz --max-accuracy-drop 0.01 --out config.json",
        ),
        ("costs", "records.npz", "are the arguments swapped?"),
        ("a front", "log.jsonl", "ds.load_cascade reads a cascade's log"),
    ],
)
def test_the_advice_leads_from_one_to_the_other(folder: Path, reader: str, name: str, advice: str) -> None:
    with pytest.raises(ds.FileFormatError, match=re.escape(f" needed: {advice.format(folder / name)}")):
        READERS[reader](folder / name)


def test_what_is_of_no_known_kind_is_left_to_its_reader(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"format": "somebody.else"}')
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    for name in ("other.json", "cut.gz", "cut.npz", "arrays.npz", "nowhere.json"):
        assert content_of(tmp_path / name) is None
    with pytest.raises(ds.FileFormatError, match="cannot read"):
        ds.ParetoFront.load(tmp_path / "nowhere.json")
    with pytest.raises(ds.FileFormatError, match=r"is not a dyce_search\.front file"):
        ds.ParetoFront.load(tmp_path / "other.json")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", b"sample;exit;confidence;score\n0;0;0,5;1\n", "semicolons between its columns, commas are needed"),
        ("r.csv", b"sample\texit\n0\t0\n", r"tabs between its columns, commas are needed: name it \.tsv"),
        ("r.tsv", b"sample,exit\n0,0\n", r"commas between its columns, \.tsv needs tabs: name it \.csv"),
        ("r.csv", b"sample,exit\n" + b"0,0\n" * 5000 + b"caf\xe9,0\n", r"is text, but not in UTF-8 \(byte 0xE9\)"),
    ],
)
def test_tables_that_only_look_like_csv(
    tmp_path: Path, costs: ds.ExitCosts, name: str, content: bytes, message: str, packed: bool
) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ds.FileFormatError, match=message):
        ds.load_records(path, costs=costs)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_text_in_another_encoding_is_named(tmp_path: Path, costs: ds.ExitCosts, encoding: str) -> None:
    (tmp_path / "r.csv").write_bytes("sämple,exit\n".encode(encoding))
    with pytest.raises(ds.FileFormatError, match=r"is text, but not in UTF-8.*: save it as 'CSV UTF-8'"):
        ds.load_records(tmp_path / "r.csv", costs=costs)


def test_the_advice_for_semicolons_works(tmp_path: Path, records: ds.ExitRecords, costs: ds.ExitCosts) -> None:
    rows = [
        {"sample": n, "exit": e, "confidence": records.confidence[e, n], "score": records.score[e, n]}
        for n in range(5)
        for e in range(4)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "r.csv", sep=";", decimal=",", index=False)
    with pytest.raises(ds.FileFormatError) as caught:
        ds.load_records(tmp_path / "r.csv", costs=costs)
    advice = str(caught.value).split("as by ")[1].replace("'records.csv'", repr(str(tmp_path / "mended.csv")))
    exec(advice, {"pandas": pd})
    assert ds.load_records(tmp_path / "mended.csv", costs=costs).n_samples == 5


def test_a_mark_before_utf8_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"\xef\xbb\xbfsample,exit\n")
    require_plain_table(tmp_path / "r.csv")
