"""Where the command line writes: outputs that are full, closed or of few characters, and files that are in use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Records whose costs are in \u00b5J, and a front of them."""
    place = tmp_path_factory.mktemp("streams")
    costs = ds.ExitCosts(backbone=[1.0, 2.0, 4.0], head=[0.5, 0.25, 0.0], position=[0, 1, 2], unit="\u00b5J")
    rng = np.random.default_rng(0)
    records = ds.ExitRecords(
        confidence=rng.random((3, 200), np.float32), score=rng.integers(0, 2, (3, 200)), costs=costs
    )
    records.save(place / "records.npz")
    ds.search(records, solver="same_threshold", scores="observed").save(place / "front.json")
    return place


def run(folder, *arguments, out=subprocess.PIPE, **environment):
    """The program as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "dyce_search", *arguments],
        stdout=out,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(ds.__file__).parents[1]), "PYTHONUNBUFFERED": "", **environment},
        check=False,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252:strict"},
    ],
)
def test_a_unit_that_the_terminal_cannot_show(folder, environment):
    done = run(folder, "select", "front.json", "--max-relative-cost", "0.9", out=subprocess.DEVNULL, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    shown = run(folder, "info", "records.npz", PYTHONIOENCODING="ascii").stdout
    assert "\\xb5J" in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [("info", "records.npz"), ("--version",), ("info", "--help")])
def test_a_full_output_is_one_line(folder, arguments):
    with open("/dev/full", "w") as full:
        done = run(folder, *arguments, out=full)
    assert done.returncode == 2
    assert done.stderr == "dyce-search: error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("points", 0, "cost"), "1e999"),
        (("points", 0, "cost"), "1" + "0" * 400),
        (("points", 0, "accuracy"), "1e300"),
        (("costs", "backbone", 0), "1e308"),
        (("points", 0, "threshold"), "[1e300]"),
        (("exit_accuracy", 0), "-1e308"),
    ],
)
def test_huge_numbers_in_a_front_are_one_line(folder, tmp_path, capsys, place, value):
    content = json.loads((folder / "front.json").read_text())
    parent = content
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = "HERE"
    (tmp_path / "front.json").write_text(json.dumps(content).replace('"HERE"', value))
    assert main(["select", str(tmp_path / "front.json"), "--max-relative-cost", "0.9"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "front.json" in error


class TestFilesInUse:
    """Nothing is written over what is read, or over what was just written."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["search", "records.npz", "--out", "a", "--csv", "./a"], "--out and --csv must name different files"),
            (["search", "records.npz", "--csv", "a.png", "--plot", "a.png"], "--csv and --plot must name different"),
            (["search", "records.npz", "--out", "records.npz"], "RECORDS and --out must name different files"),
            (["search", "records.npz", "--test", "t", "--out", "t"], "--test and --out must name different files"),
            (["info", "records.npz", "--costs", "c", "--out", "c"], "--costs and --out must name different files"),
            (["select", "front.json", "--max-cost", "1", "--out", "front.json"], "FRONT and --out must name"),
            (["select", "front.json", "--max-cost", "1", "--out", "link.json"], "FRONT and --out must name"),
            (["certify", "front.json", "records.npz", "--max-cost", "1", "--out", "records.npz"], "RECORDS and --out"),
            (["evaluate", "config.json", "records.npz", "--out", "config.json"], "CONFIG and --out must name"),
            (["report", "front.json", "records.npz", "--out", "front.json"], "FRONT and --out must name different"),
            (["split", "records.npz", "--out", "a", "records.npz"], "RECORDS and --out must name different files"),
            (["split", "records.npz", "--out", "a", "./a"], "--out and --out must name different files"),
        ],
    )
    def test_is_refused(self, folder, monkeypatch, capsys, arguments, said):
        monkeypatch.chdir(folder)
        if os.name != "nt" and not Path("link.json").exists():
            Path("link.json").symlink_to("front.json")
        before = Path("records.npz").read_bytes(), Path("front.json").read_bytes()
        with pytest.raises(SystemExit) as leaving:
            main(arguments)
        assert leaving.value.code == 2
        assert said in " ".join(capsys.readouterr().err.split())
        assert (Path("records.npz").read_bytes(), Path("front.json").read_bytes()) == before

    def test_nowhere_may_be_named_twice(self, folder, monkeypatch, capsys):
        monkeypatch.chdir(folder)
        arguments = ["search", "records.npz", "--solver", "exit_shares", "--scores", "observed"]
        assert main([*arguments, "--out", os.devnull, "--csv", os.devnull]) == 0
        assert not os.path.isfile(os.devnull)

    def test_recertify_writes_over_the_old_certificate(self, folder, tmp_path, monkeypatch, capsys):
        """Its CONFIG may be its --out: that is what it is for."""
        from dyce_search.cli.output import require_apart
        from dyce_search.cli.program import parser

        options = parser().parse_args(["recertify", "c.json", "front.json", "new.npz", "--out", "c.json"])
        require_apart(options)


def test_warnings_are_lines_like_errors(folder):
    """Here of a certificate that is checked on the samples it is of."""
    limits = ["--max-accuracy-drop", "0.9", "--confidence", "0.1"]
    records = ds.load_records(folder / "records.npz")
    shifted = ds.ExitRecords(confidence=records.confidence[:, ::-1] / 3, score=records.score, costs=records.costs)
    shifted.save(folder / "others.npz")
    assert run(folder, "certify", "front.json", "others.npz", *limits, "--out", "point.json").returncode == 0
    done = run(folder, "check", "point.json", "others.npz")
    assert done.stderr.startswith("dyce-search: warning: these are the very records that the point was certified on")
    assert done.stderr.count("\n") == 1
