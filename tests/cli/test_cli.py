"""The command line: what it prints, writes and returns, and one line for each mistake."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.cli import main
from dyce_search.cli.tables import operating_points, table
from dyce_search.evaluation.limits import FEW_DROPS
from dyce_search.expected import searched
from dyce_search.expected.scores import ScoreOrigin
from dyce_search.provenance import Provenance
from dyce_search.search import SOLVERS

DATA = Path(__file__).parents[2] / "data"
COSTS = str(DATA / "fashion_resnet15_macs.json")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small records of both halves, in this library's format."""
    folder = tmp_path_factory.mktemp("records")
    for part in ("search", "test"):
        ds.load_example(part).subset(np.arange(2000)).save(folder / f"{part}.npz")
    return folder


@pytest.fixture(scope="module")
def front_file(files: Path) -> str:
    ds.search(ds.load_records(files / "search.npz"), solver="exit_shares").save(files / "front.json")
    return str(files / "front.json")


def failure(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> str:
    """The one line that a mistake gives, without its prefix."""
    assert main(arguments) == status
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.endswith("\n")
    assert error.startswith("dyce-search: error: ")
    return error.removeprefix("dyce-search: error: ").rstrip()


def misuse(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is wrong with a command line, below the usage of the command."""
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    usage, error = capsys.readouterr().err.rsplit("error: ", 1)
    assert usage.startswith(f"usage: dyce-search {arguments[0]} ")
    assert usage.endswith(f"dyce-search {arguments[0]}: ")
    return error.rstrip()


def test_info_of_dyce_records(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(DATA / "fashion_resnet15_test.npz"), "--costs", COSTS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "samples     10,000" in lines
    assert "exits       46 at 15 positions, the final exit included" in lines
    assert "baseline    0.9293 at 14.6 M MACs" in lines
    assert "also holds  label, prediction" in lines
    positions = [line.split()[0] for line in lines[lines.index("") + 3 :]]
    assert positions == [*map(str, range(15)), "final"]


def test_info_of_own_records_needs_no_costs(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(files / "search.npz")]) == 0
    assert "samples     2,000" in capsys.readouterr().out


def test_search_writes_what_was_asked_for(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, table_file, picture = tmp_path / "front.json", tmp_path / "front.csv", tmp_path / "front.pdf"
    arguments = ["search", str(files / "search.npz"), "--test", str(files / "test.npz"), "--solver", "exit_shares"]
    assert main([*arguments, "--out", str(out), "--csv", str(table_file), "--plot", str(picture)]) == 0
    printed = capsys.readouterr().out

    front = ds.ParetoFront.load(out)
    records = ds.load_records(files / "search.npz")
    assert list(front) == list(ds.search(records, solver="exit_shares"))
    held = front.evaluate(ds.load_records(files / "test.npz"))
    with table_file.open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["cost"]) for row in rows] == front.cost.tolist()
    assert [float(row["test_accuracy"]) for row in rows] == held.accuracy.tolist()
    assert picture.read_bytes().startswith(b"%PDF")

    point = front.select(max_accuracy_drop=0.01)
    on_test = next(there for here, there in zip(front, held, strict=True) if here == point)
    row = next(line for line in printed.splitlines() if line.startswith("<= 1.00 points"))
    assert row.split()[3:] == [
        f"{point.relative_cost:.4f}",
        str(point.config.n_exits),
        f"{100 * on_test.accuracy_drop:+.2f}",
        "points",
        f"{on_test.relative_cost:.4f}",
    ]
    for path in (out, table_file, picture):
        assert f"wrote {path}" in printed


def test_search_passes_its_options_on(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "front.json"
    arguments = ["search", str(files / "search.npz"), "--solver", "exit_shares", "--seed", "7", "--out", str(out)]
    assert main([*arguments, "--max-evaluations", "5"]) == 0
    how = ds.ParetoFront.load(out).provenance
    assert (how.solver, how.seed, how.evaluations, how.stop_reason) == ("exit_shares", 7, 5, "budget")


@pytest.mark.parametrize(
    ("asked", "how"),
    [([], ("expected", 0.25)), (["--scores", "observed"], ("observed", 0)), (["--caution", "0.1"], ("expected", 0.1))],
)
def test_search_takes_scores_and_caution(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], how: tuple[str, float]
) -> None:
    out = tmp_path / "front.json"
    arguments = ["search", str(files / "search.npz"), "--solver", "exit_shares", "--out", str(out)]
    assert main([*arguments, *asked]) == 0
    found = ds.ParetoFront.load(out).provenance
    assert (found.scores, found.caution) == how
    printed = capsys.readouterr().out
    assert f"{how[0]} drop" in printed
    made = str(ScoreOrigin(**found.expected)) if found.expected else "observed scores, on the samples searched on"
    assert f"figures are means of {made}" in printed


def test_search_on_a_part_says_so(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched, "PART", 100)
    n_samples = ds.load_records(files / "search.npz").n_samples
    assert main(["search", str(files / "search.npz"), "--solver", "exit_shares"]) == 0
    assert f"searched on 100 random samples of {n_samples:,}" in capsys.readouterr().out
    assert main(["search", str(files / "search.npz"), "--solver", "exit_shares", "--scores", "observed"]) == 0
    assert "random samples" not in capsys.readouterr().out


def test_compare_shows_both_kinds_of_scores(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", str(files / "search.npz"), "--solvers", "exit_shares", "--scores", "both"]
    assert main([*arguments, "--max-evaluations", "20"]) == 0
    printed = capsys.readouterr().out
    assert all(f"exit_shares, {kind}" in printed for kind in ("expected", "observed"))


def test_search_on_its_own_test_records_says_so(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = str(files / "search.npz")
    assert main(["search", same, "--test", same, "--solver", "exit_shares"]) == 0
    printed = capsys.readouterr().out
    assert "the test records are the samples searched on" in printed
    assert "Nothing was written" in printed


def test_select_prints_and_writes_the_point(
    front_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "config.json"
    assert main(["select", front_file, "--max-accuracy-drop", "0.01", "--out", str(out)]) == 0
    point = ds.ParetoFront.load(front_file).select(max_accuracy_drop=0.01)
    assert ds.ExitConfig.load(out) == point.config
    printed = capsys.readouterr().out
    assert f"relative cost  {point.relative_cost:.4f}" in printed
    assert "expected ones, of a search on 2,000 samples" in printed


@pytest.mark.parametrize(
    ("option", "name", "limit"),
    [
        ("--min-accuracy", "min_accuracy", 0.9),
        ("--max-cost", "max_cost", 4e6),
        ("--max-relative-cost", "max_relative_cost", 0.3),
    ],
)
def test_select_knows_every_limit(front_file: str, tmp_path: Path, option: str, name: str, limit: float) -> None:
    out = tmp_path / "config.json"
    assert main(["select", front_file, option, str(limit), "--out", str(out)]) == 0
    assert ds.ExitConfig.load(out) == ds.ParetoFront.load(front_file).select(**{name: limit}).config


def test_certify_prints_and_writes_the_point(
    files: Path, front_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "config.json"
    arguments = ["certify", front_file, str(files / "test.npz"), "--max-accuracy-drop", "0.03", "--min-accuracy", "0.8"]
    assert main([*arguments, "--confidence", "0.9", "--method", "betting", "--out", str(out)]) == 0
    front, calibration = ds.ParetoFront.load(front_file), ds.load_records(files / "test.npz")
    point = front.certify(calibration, max_accuracy_drop=0.03, min_accuracy=0.8, confidence=0.9, method="betting")
    assert ds.CertifiedPoint.load(out) == point
    assert ds.ExitConfig.load(out) == point.config
    printed = capsys.readouterr().out
    assert str(point.certificate) in printed
    assert f"relative cost  {point.relative_cost:.4f}" in printed
    assert f"wrote {out}  (the configuration, with its certificate)" in printed
    assert main(["evaluate", str(out), str(files / "test.npz")]) == 0  # it is an ordinary configuration
    assert f"accuracy       {point.accuracy:.4f}" in capsys.readouterr().out


def test_certify_errors(files: Path, front_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    searched, others = str(files / "search.npz"), str(files / "test.npz")
    limit = ("--max-accuracy-drop", "0.01")
    assert "are the samples that the front was searched on" in failure(capsys, "certify", front_file, searched, *limit)
    assert misuse(capsys, "certify", front_file, others) == (
        "certify needs a limit: one or more of --max-accuracy-drop, --min-accuracy, --max-cost, --max-relative-cost, "
        "--max-sample-cost, --min-agreement"
    )
    assert "must lie in (0, 1), got -0.1" in failure(
        capsys, "certify", front_file, others, "--max-accuracy-drop", "-0.1"
    )
    assert "confidence must lie in (0, 1), got 95" in failure(
        capsys, "certify", front_file, others, *limit, "--confidence", "95"
    )
    missing = str(tmp_path / "missing" / "config.json")
    assert "there is no folder" in failure(capsys, "certify", front_file, "nowhere.npz", *limit, "--out", missing)


def test_evaluate_prints_the_exact_figures(
    files: Path, front_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ds.ParetoFront.load(front_file).select(max_accuracy_drop=0.01).config
    config.save(tmp_path / "config.json")
    assert main(["evaluate", str(tmp_path / "config.json"), str(files / "test.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    result = ds.evaluate(ds.load_records(files / "test.npz"), config)
    assert f"accuracy       {result.accuracy:.4f}  (drop {100 * result.accuracy_drop:+.2f} points)" in lines
    shares = [float(line.split("%")[0].split()[-1]) for line in lines if " % " in line]
    on = [*np.flatnonzero(config.candidate >= 0), config.n_positions]
    np.testing.assert_allclose(shares, 100 * result.exit_share[on], atol=0.00501)


def test_evaluate_shows_everybody_for_minus_infinity(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ds.ExitConfig(candidate=[-1, 1] + [-1] * 13, threshold=[-np.inf] * 15).save(tmp_path / "config.json")
    assert main(["evaluate", str(tmp_path / "config.json"), str(files / "test.npz")]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("1 "))
    assert "gap2_mlp64  everybody" in row
    assert "100.00 %" in row


def test_demo_ends_with_operating_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    front = ds.ParetoFront.load("demo/front.json")
    assert [line.split(" points")[0] for line in printed.splitlines()[-4:]] == [
        "<= 0.00",
        "<= 0.50",
        "<= 1.00",
        "<= 2.00",
    ]
    assert printed.endswith(operating_points(front, front.evaluate(ds.load_example("test")), FEW_DROPS) + "\n")
    assert ds.ExitConfig.load("demo/config.json") == front.select(max_accuracy_drop=0.005).config
    assert Path("dyce-search-demo.png").read_bytes().startswith(b"\x89PNG")
    assert f"wrote {tmp_path / 'dyce-search-demo.png'}  (the picture)\n" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "dyce-search-demo.png"]
    assert len(Path("demo/front.csv").read_text().splitlines()) == len(front) + 1
    for name in ("front.json", "front.csv", "config.json", "explorer.html"):
        assert f"wrote {Path('demo') / name}" in printed


def test_demo_writes_all_to_the_folder_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--out", "there"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert sorted(path.name for path in Path("there").iterdir()) == [
        "config.json",
        "explorer.html",
        "front.csv",
        "front.json",
        "front.png",
    ]


def test_missing_costs_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    message = failure(capsys, "info", str(DATA / "fashion_resnet15_test.npz"))
    assert message.endswith("which has no costs: pass costs= (its JSON of MACs), --costs on the command line")


def test_missing_files(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = str(files / "search.npz")
    assert failure(capsys, "info", "nowhere.npz") == "cannot read nowhere.npz: No such file or directory"
    assert failure(capsys, "info", records, "--costs", "no.json") == "cannot read no.json: No such file or directory"
    assert failure(capsys, "search", records, "--test", "no.npz") == "cannot read no.npz: No such file or directory"
    assert "cannot read no.json" in failure(capsys, "select", "no.json", "--min-accuracy", "0.5")
    assert "cannot read no.json" in failure(capsys, "evaluate", "no.json", records)
    assert "cannot read" in failure(capsys, "info", str(files))


def test_targets_are_checked_before_the_search(
    files: Path, front_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    records = str(files / "nowhere.npz")  # would fail, were it read first
    missing = str(files / "missing" / "front.json")
    assert failure(capsys, "search", records, "--out", missing) == (
        f"cannot write {missing}: there is no folder {files / 'missing'}, make it first"
    )
    assert failure(capsys, "search", records, "--csv", str(files)) == (
        f"cannot write {files}: it is a folder, name a file"
    )
    assert misuse(capsys, "search", records, "--plot", "front.gif") == (
        "--plot needs a name that ends in .png, .pdf, .svg, got front.gif"
    )
    assert "there is no folder" in failure(capsys, "select", front_file, "--min-accuracy", "0.5", "--out", missing)


def test_bad_options_of_search(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = str(files / "search.npz")
    unknown = failure(capsys, "search", records, "--solver", "magic")
    assert unknown == f"unknown solver 'magic': use one of {', '.join(SOLVERS)}, or a callable"
    assert "max_seconds" in failure(capsys, "search", records, "--max-seconds", "-1")
    assert "max_evaluations" in failure(capsys, "search", records, "--max-evaluations", "0")
    assert "seed" in failure(capsys, "search", records, "--seed", "-1")


def test_select_errors(front_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert misuse(capsys, "select", front_file) == (
        "select needs a limit: one or more of --max-accuracy-drop, --min-accuracy, --max-cost, --max-relative-cost, "
        "--max-sample-cost"
    )
    best = ds.ParetoFront.load(front_file)[-1]
    assert failure(capsys, "select", front_file, "--min-accuracy", "0.999", status=5) == (
        f"no point of this front satisfies min_accuracy=0.999; the most accurate has {best}"
    )


def test_files_of_another_kind(
    files: Path, front_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = str(files / "search.npz")
    assert failure(capsys, "evaluate", front_file, records) == (
        f"{front_file}: this is a front, a configuration is needed: "
        f"dyce-search select {front_file} --max-accuracy-drop 0.01 --out config.json"
    )
    assert failure(capsys, "select", records, "--min-accuracy", "0.5") == (
        f"{records}: these are records, a front is needed: dyce-search search {records} --out front.json"
    )
    assert "these are costs, a front is needed" in failure(capsys, "select", COSTS, "--min-accuracy", "0.5")
    assert "are the arguments swapped?" in failure(capsys, "info", records, "--costs", records)
    ds.ExitConfig.none(3).save(tmp_path / "config.json")
    assert "the configuration has 3 positions, the network 15" in failure(
        capsys, "evaluate", str(tmp_path / "config.json"), records
    )


def test_demo_needs_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert failure(capsys, "demo", "--out", str(tmp_path / "file")) == (
        f"cannot make the folder {tmp_path / 'file'}: File exists"
    )


@pytest.mark.parametrize("arguments", [[], ["fly"], ["--fly"]])
def test_usage_errors_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    assert "usage: dyce-search [-h] [--version] COMMAND ...\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search"], "the following arguments are required: RECORDS"),
        (["search", "r.npz", "--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["search", "r.npz", "--efort", "fast"], r"unrecognized arguments: --efort fast \(is it --effort\?\)"),
        (["search", "r.npz", "--effort", "most"], "argument --effort: invalid choice: 'most'"),
        (["search", "r.npz", "--lambdas", "0.5;0.9"], "'0.5;0.9' is no list of weights"),
        (["info", "r.npz", "more"], "unrecognized arguments: more$"),
        (["compare", "r.npz", "--seeds", "0"], "--seeds must be a whole number >= 1, got 0"),
        (["compare", "r.npz", "--solvers", "nsga2", "--effort", "fast"], "none of these solvers takes --effort: nsga2"),
        (["select", "f.json", "--max-accuracy-drop", "1"], "1 would be 100 points: write 1pt for points, 0.01 is one"),
        (["select", "f.json", "--max-accuracy-drop", "1%"], "'1%' may mean points or a share of the accuracy"),
        (["select", "f.json", "--max-accuracy-drop", "1ms"], "'1ms' is no drop of accuracy: write 0.01, or 1pt"),
        (["select", "f.json", "--max-accuracy-drop", "1.2.3"], "'1.2.3' is no number"),
        (["select", "f.json", "--max-accuracy-drop", "nan"], "'nan' is no number"),
        (["report", "f.json", "r.npz", "--out", "r.html", "--max-accuracy-drop", "2"], "2 would be 200 points"),
        (["select", "f.json", "--min-accuracy", "90pt"], "'90pt' is no share: write 0.3, or 30%"),
        (["select", "f.json", "--max-cost", "3ms"], "'3ms' is no cost: write a number in the unit of the costs"),
        (["select", "f.json", "--max-cost", "1e99999999"], "'1e99999999' is too large"),
        (["info", "r.npz", "--max-bytes", "4G"], "'4G' is no number of bytes: write 4GiB, 500MB or 1000000"),
        (["info", "r.npz", "--max-bytes", "0.5"], "'0.5' must be 1 byte or more, and less than 8 EiB"),
        (["info", "r.npz", "--max-bytes", "9e6TiB"], "'9e6TiB' must be 1 byte or more, and less than 8 EiB"),
        (["info", "r.npz", "--max-bytes", "-1kB"], "expected one argument"),
    ],
)
def test_usage_errors_show_the_usage_of_the_command(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert re.search(message, misuse(capsys, *arguments))


def test_limits_are_taken_as_people_write_them(
    front_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def selected(*limit: str) -> ds.ExitConfig:
        assert main(["select", front_file, *limit, "--out", str(tmp_path / "config.json")]) == 0
        return ds.ExitConfig.load(tmp_path / "config.json")

    drop = "--max-accuracy-drop"
    assert selected(drop, "0.01") == selected(drop, "1pt") == selected(drop, "1 point") == selected(drop, "1e-2")
    assert selected("--max-relative-cost", "0.3") == selected("--max-relative-cost", "30%")
    assert selected("--max-cost", "4000000") == selected("--max-cost", "4M") == selected("--max-cost", "4000k")


def test_search_passes_effort_and_lambdas_on(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "front.json"
    records = str(files / "search.npz")
    assert main(["search", records, "--effort", "fast", "--lambdas", "0.5,0.9", "--out", str(out)]) == 0
    assert ds.ParetoFront.load(out).provenance.options["effort"] == "fast"
    assert ds.ParetoFront.load(out).provenance.options["lambdas"] == [0.5, 0.9]


def test_compare_gives_options_to_those_who_take_them(files: Path, tmp_path: Path) -> None:
    arguments = ["compare", str(files / "search.npz"), "--solvers", "exit_shares,single_pass", "--lambdas", "0.9"]
    assert main([*arguments, "--max-evaluations", "20", "--seed", "5", "--out", str(tmp_path)]) == 0
    fronts = {path.stem: ds.ParetoFront.load(path).provenance for path in (tmp_path / "fronts").iterdir()}
    assert {name: how.options for name, how in fronts.items()} == {
        "exit_shares_seed5": {},
        "single_pass_seed5": {"lambdas": [0.9]},
    }


def test_confidence_is_computed_from_probabilities_and_read_off_the_front(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(4), size=(46, 400)).astype(np.float32)
    top = np.argsort(-probs, axis=2)
    confs = np.take_along_axis(probs, top, axis=2)
    for name, part in (("search", slice(0, 200)), ("test", slice(200, 400))):
        label = np.arange(200)[:, None] % 4
        np.savez(tmp_path / f"{name}.npz", preds=top[:, part, :2], confs=confs[:, part, :2], label=label)
    searched, others, front = (str(tmp_path / name) for name in ("search.npz", "test.npz", "front.json"))
    known = ["--costs", COSTS]
    margin = ["--confidence", "margin", "--solver", "exit_shares"]
    assert main(["search", searched, *known, *margin, "--test", others, "--out", front]) == 0
    assert ds.ParetoFront.load(front).layout.measure == "margin"
    config = str(tmp_path / "config.json")
    assert main(["select", front, "--max-relative-cost", "0.5", "--out", config]) == 0
    assert main(["evaluate", config, others, *known]) == 0  # of the same margins, without being told
    assert main(["info", others, *known, "--confidence", "margin"]) == 0
    assert "measure     margin" in capsys.readouterr().out
    assert "got 'entropy'" in failure(capsys, "info", others, *known, "--confidence", "entropy")


@pytest.mark.parametrize("command", ["info", "search", "select", "certify", "evaluate", "explore", "demo"])
def test_help_has_an_example_for_every_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([command, "--help"])
    assert leaving.value.code == 0
    assert f"example:\n  dyce-search {command}" in capsys.readouterr().out


def test_interrupted_search_still_writes(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(run: ds.Run) -> None:
        run.evaluate(*run.arrays([ds.ExitConfig(candidate=[2] + [-1] * 14, threshold=[0.9] * 15)]))
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "dyce_search.cli.searches.search", lambda records, solver, **options: ds.search(records, solver=stopped)
    )
    out = tmp_path / "front.json"
    assert main(["search", str(files / "search.npz"), "--out", str(out)]) == 130
    assert "stopped: interrupted" in capsys.readouterr().out
    front = ds.ParetoFront.load(out)
    assert front.provenance.stop_reason == "interrupted"
    assert len(front) == 2  # what was found, and the baseline


def test_interrupt_elsewhere_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dyce_search.cli.arguments.kind_of", stopped)
    assert main(["info", "records.npz"]) == 130
    assert capsys.readouterr().err == "dyce-search: interrupted\n"


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_a_real_interrupt_of_a_real_process(tmp_path: Path) -> None:
    out = tmp_path / "front.json"
    arguments = ["search", str(DATA / "fashion_resnet15_search.npz"), "--costs", COSTS, "--solver", "iterative"]
    code = (  # as `-m` does, but takes interrupts, which a shell's background jobs ignore, and compiles before
        "import runpy, signal, dyce_search as ds; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        "ds.search(ds.load_example().subset(range(100)), solver='iterative', lambdas=[0.9]); "
        "runpy.run_module('dyce_search', run_name='__main__', alter_sys=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code, *arguments, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("search on 15,000 samples")
        with pytest.raises(subprocess.TimeoutExpired):  # let it get into the search, which takes far longer
            process.wait(1.5)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130
    assert "Traceback" not in error
    assert ds.ParetoFront.load(out).provenance.stop_reason == "interrupted"


@pytest.mark.skipif(os.name != "posix", reason="closes a POSIX pipe")
def test_a_reader_that_leaves_early_is_no_error(files: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "dyce_search", "info", str(files / "search.npz")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 0


def test_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"dyce-search {ds.__version__}\n"


def test_table_aligns_columns() -> None:
    assert table(["a", "bb"], [["long", "1"]]).splitlines() == ["a     bb", "--------", "long   1"]


def test_operating_points_without_a_point_within_the_limit() -> None:
    records = ds.load_example("test").subset(np.arange(100))
    none = ds.ExitConfig.none(15)
    first = ds.ExitConfig(candidate=[0] + [-1] * 14, threshold=[-np.inf] * 15)
    front = ds.ParetoFront.from_configs(records, [first], provenance=Provenance(solver="test"))
    assert operating_points(front, None, (0.0,)).splitlines()[-1].split() == ["<=", "0.00", "points", "-", "-"]
    both = ds.ParetoFront.from_configs(records, [first, none])
    assert operating_points(both, None, (0.0,)).splitlines()[-1].split()[-2:] == ["1.0000", "0"]


def test_saved_front_is_plain_json(front_file: str) -> None:
    assert json.loads(Path(front_file).read_text())["format"] == "dyce_search.front"


def test_budgets_of_single_samples(
    files: Path, front_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, test = str(files / "search.npz"), str(files / "test.npz")
    out = str(tmp_path / "within.json")
    budget = 0.9 * ds.load_records(records).costs.baseline
    assert main(["search", records, "--max-sample-cost", str(budget), "--share", "0.05", "--out", out]) == 0
    front = ds.ParetoFront.load(out)
    assert front.cost_within(0.05).max() <= budget
    assert main(["select", front_file, "--max-sample-cost", str(budget), "--share", "0.05"]) == 0
    assert main(["certify", out, test, "--max-sample-cost", str(budget), "--share", "0.1"]) == 0
    assert "for all but 10 %" in capsys.readouterr().out
    assert "share must lie in" in failure(
        capsys, "select", front_file, "--max-sample-cost", str(budget), "--share", "2"
    )


@pytest.fixture(scope="module")
def certified(files: Path, front_file: str) -> str:
    path = str(files / "certified.json")
    assert main(["certify", front_file, str(files / "test.npz"), "--max-accuracy-drop", "0.03", "--out", path]) == 0
    return path


@pytest.mark.parametrize("command", ["info", "select", "evaluate", "certify", "check", "recertify"])
@pytest.mark.filterwarnings("always:these are the very records")
def test_json_is_all_that_is_printed(
    files: Path, front_file: str, certified: str, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    test = str(files / "test.npz")
    arguments = {
        "info": [test],
        "select": [front_file, "--max-accuracy-drop", "0.02"],
        "evaluate": [certified, test],
        "certify": [front_file, test, "--max-accuracy-drop", "0.03"],
        "check": [certified, test],
        "recertify": [certified, front_file, test],
    }[command]
    assert main([command, *arguments, "--json"]) == 0
    printed = capsys.readouterr()
    content = json.loads(printed.out)
    assert ("dyce-search: warning: these are the very records" in printed.err) == (command == "check")
    records, config = ds.load_records(test), ds.ExitConfig.load(certified)
    if command == "info":
        assert content["baseline_accuracy"] == records.baseline_accuracy
        assert [entry["accuracy"] for entry in content["exits"]] == records.exit_accuracy.tolist()
    elif command == "evaluate":
        assert content["accuracy"] == ds.evaluate(records, config).accuracy
        assert len(content["exit_share"]) == records.costs.n_positions + 1
    elif command == "check":
        assert content["verdict"] == "held"
    elif command == "select":
        assert content["accuracy_drop"] <= 0.02
        assert content["scores"] == "expected"
    else:
        assert content["config"] == json.loads(json.dumps(config.to_dict()))
        assert content["certificate"]["limits"][0]["limit"] == 0.03


def test_info_and_evaluate_write_json(
    files: Path, certified: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = str(files / "test.npz")
    assert main(["info", test, "--out", str(tmp_path / "info.json")]) == 0
    assert main(["evaluate", certified, test, "--out", str(tmp_path / "figures.json")]) == 0
    assert capsys.readouterr().out.count("wrote ") == 2
    assert json.loads((tmp_path / "info.json").read_text())["n_samples"] == 2000
    figures = json.loads((tmp_path / "figures.json").read_text())
    measured = ds.evaluate(ds.load_records(test), ds.ExitConfig.load(certified))
    assert figures["exit_share"] == measured.exit_share.tolist()
    assert figures["cost"] == measured.cost


@pytest.mark.parametrize("shares", [["0.2", "0.3"], ["0.2,30%"]])
def test_split_writes_the_parts_that_the_library_makes(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], shares: list[str]
) -> None:
    paths = [str(tmp_path / f"{name}.npz") for name in "abc"]
    records = str(files / "test.npz")
    assert main(["split", records, "--shares", *shares, "--seed", "5", "--out", *paths]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"wrote {paths[0]}  (400 samples)"
    for path, part in zip(paths, ds.load_records(records).split(0.2, 0.3, seed=5), strict=True):
        assert ds.load_records(path).digest == part.digest
    assert "needs 2 files" in misuse(capsys, "split", records, "--out", paths[0])
    assert "different files" in misuse(capsys, "split", records, "--out", paths[0], paths[0])
    assert "fractions" in failure(capsys, "split", records, "--shares", "1.5", "--out", *paths[:2])


@pytest.mark.filterwarnings("always:these are the very records")
def test_check_says_what_the_status_says(
    files: Path, certified: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = ds.load_records(files / "test.npz")
    worse = records.score.copy()
    worse[:-1, np.random.default_rng(0).random(records.n_samples) < 0.1] = 0
    broken = ds.ExitRecords(confidence=records.confidence, score=worse, costs=records.costs, measure=records.measure)
    broken.save(tmp_path / "worse.npz")
    records.subset(np.arange(60)).save(tmp_path / "few.npz")
    out = str(tmp_path / "check.json")
    for name, status, word in (("worse", 3, "broken"), ("few", 4, "too few samples")):
        assert main(["check", certified, str(tmp_path / f"{name}.npz"), "--out", out]) == status
        assert capsys.readouterr().out.startswith(f"{word}, on ")
        assert json.loads(Path(out).read_text())["verdict"] == word
    assert main(["check", certified, str(files / "test.npz")]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("held, certified anew, on 2,000 samples:")
    assert printed.err.startswith("dyce-search: warning: these are the very records")


def test_check_needs_a_certificate_and_the_same_layout(
    files: Path, front_file: str, certified: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = str(tmp_path / "plain.json")
    assert main(["select", front_file, "--max-accuracy-drop", "0.02", "--out", plain]) == 0
    assert "certificate" in failure(capsys, "check", plain, str(files / "test.npz"))
    ds.synthetic_records(50, positions=3, types=1).save(tmp_path / "other.npz")
    assert "positions" in failure(capsys, "check", certified, str(tmp_path / "other.npz"))


def test_recertify_writes_the_next_point(
    files: Path, front_file: str, certified: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "next.json")
    assert main(["recertify", certified, front_file, str(files / "test.npz"), "--out", out]) == 0
    assert ds.CertifiedPoint.load(out) == ds.CertifiedPoint.load(certified)  # the same samples, so the same point
    assert "searched on" in failure(capsys, "recertify", certified, front_file, str(files / "search.npz"))


def test_explore_writes_what_the_method_writes(
    files: Path, front_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    front, test = ds.ParetoFront.load(front_file), ds.load_records(files / "test.npz")
    certified = front.certify(test, max_accuracy_drop=0.05)
    certified.save(tmp_path / "config.json")
    out, same, other = (tmp_path / f"{name}.html" for name in ("out", "same", "other"))
    assert main(["explore", front_file, "--out", str(out)]) == 0
    assert f"wrote {out}  (the explorer, one page to open in a browser)" in capsys.readouterr().out
    front.explore(same)
    assert out.read_bytes() == same.read_bytes()
    more = ["--certificate", str(tmp_path / "config.json"), "--title", "ours", "--max-accuracy-drop", "0.02"]
    more += ["--drop-limit", "0.1", "--other", front_file]
    assert main(["explore", front_file, str(files / "test.npz"), "--out", str(out), *more]) == 0
    front.explore(
        other, held_out=test, certificate=certified, others={"front": front}, title="ours", max_accuracy_drop=0.02,
        drop_limit=0.1,
    )  # fmt: skip
    assert out.read_bytes() == other.read_bytes()


def test_a_front_over_orders_is_explored_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"query": n, "model": name, "score": n % 7 < good, "confidence": n % 5 / 4, "cost": cost}
        for n in range(210)
        for name, cost, good in (("small", 1, 3), ("other", 2, 6), ("large", 9, 7))
    ]
    search, test = ds.load_cascade(rows).split(0.5, seed=0)
    front = ds.search_orders(search)
    path, records, out, same = (str(tmp_path / name) for name in ("front.json", "test.npz", "out.html", "same.html"))
    front.save(path)
    test.save(records)
    assert main(["explore", path, records, "--out", out]) == 0
    front.explore(same, held_out=test)
    assert Path(out).read_bytes() == Path(same).read_bytes()
    for command in ([path, "--max-accuracy-drop", "0.1"], [path, records, "--max-accuracy-drop", "0.1"]):
        said = failure(capsys, "select" if len(command) == 3 else "certify", *command)
        assert "holds a front over the orders of a cascade" in said
        assert "ds.OrderedFront.load(" in said


def test_explore_takes_other_fronts_of_different_names(
    front_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["explore", front_file, "--out", str(tmp_path / "x.html"), "--other", front_file, front_file]
    assert failure(capsys, *arguments) == "--other must name files of different names, got front, front: rename one"
    assert "there is no folder" in failure(capsys, "explore", front_file, "--out", str(tmp_path / "no" / "x.html"))
