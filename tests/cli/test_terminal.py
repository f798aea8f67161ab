"""On a terminal no line is wider than it is; in a pipe nothing is folded, whatever COLUMNS says."""

import argparse
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.cli import main, parser
from dyce_search.cli.parser import folded_command
from dyce_search.cli.screen import folded, width
from dyce_search.cli.tables import table

if os.name != "posix":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

import termios

from .terminal import on_a_terminal

COMMANDS = {
    "info": ["info", "test.npz"],
    "split": ["split", "test.npz", "--out", "a.npz", "b.npz"],
    "search": ["search", "search.npz", "--test", "test.npz", "--solver", "exit_shares", "--out", "found.json"],
    "select": ["select", "front.json", "--max-accuracy-drop", "3pt", "--out", "point.json"],
    "certify": ["certify", "front.json", "test.npz", "--max-accuracy-drop", "5pt", "--max-cost", "9M"],
    "check": ["check", "certified.json", "later.npz"],
    "recertify": ["recertify", "certified.json", "front.json", "test.npz"],
    "evaluate": ["evaluate", "config.json", "test.npz"],
    "compare": [
        *("compare", "search.npz", "--test", "test.npz", "--solvers", "same_threshold,exit_shares"),
        *("--max-evaluations", "20", "--seeds", "2"),
    ],
    "report": ["report", "front.json", "test.npz", "--max-accuracy-drop", "5pt", "--out", "report.html"],
    "explore": ["explore", "front.json", "test.npz", "--out", "explore.html"],
    "demo": ["demo", "--out", "demo"],
}
MISTAKES = [
    ["search", "search.npz", "--efort", "fast"],
    ["select", "front.json"],
    ["select", "front.json", "--max-accuracy-drop", "1"],
    ["select", "front.json", "--max-relative-cost", "0.0001", "--min-accuracy", "0.99"],
    ["evaluate", "front.json", "test.npz"],
    ["search", "search.npz", "--solver", "magic"],
]


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parsers of all commands, by name."""
    (action,) = (entry for entry in parser()._actions if isinstance(entry, argparse._SubParsersAction))
    return dict(action.choices)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records, a front, a configuration and a certified one."""
    place = tmp_path_factory.mktemp("terminal")
    for part in ("search", "test"):
        ds.load_example(part).subset(np.arange(1500)).save(place / f"{part}.npz")
    ds.load_example("test").subset(np.arange(1500, 3000)).save(place / "later.npz")
    front = ds.search(ds.load_records(place / "search.npz"), solver="exit_shares")
    front.save(place / "front.json")
    front[len(front) // 2].config.save(place / "config.json")
    front.certify(ds.load_records(place / "test.npz"), max_accuracy_drop=0.1).save(place / "certified.json")
    return place


@pytest.mark.parametrize(
    ("command", "columns"),
    [*((name, 80) for name in sorted(commands())), *((name, 60) for name in ("certify", "compare")), ("evaluate", 40)],
)
def test_no_line_of_a_command_is_wrapped(command: str, columns: int, folder: Path) -> None:
    status, lines = on_a_terminal(columns, *COMMANDS[command], folder=folder)
    assert status == 0 or (command, status) == ("check", 4), lines  # too few samples
    assert max(map(len, lines)) <= columns, lines
    assert any(lines)


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_no_line_of_a_mistake_is_wrapped(arguments: list[str], folder: Path) -> None:
    status, lines = on_a_terminal(80, *arguments, folder=folder)
    assert status == (5 if "0.0001" in arguments else 2)  # no point keeps that one
    assert max(map(len, lines)) <= 80, lines
    assert any("error: " in line for line in lines)


@pytest.mark.parametrize("command", ["", *sorted(commands())])
def test_no_line_of_help_is_wrapped(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for columns in (80, 60):
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit):
            main([*command.split(), "--help"])
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= columns, lines


def test_help_knows_the_terminal() -> None:
    status, lines = on_a_terminal(66, "certify", "--help", folder=Path.cwd())
    assert status == 0
    assert 56 < max(map(len, lines)) <= 66, lines


def test_a_pipe_is_not_folded(folder: Path) -> None:
    def printed(columns: str) -> str:
        environment = os.environ | {"COLUMNS": columns, "PYTHONPATH": os.pathsep.join(sys.path)}
        arguments = [sys.executable, "-m", "dyce_search", *COMMANDS["compare"]]
        done = subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=folder, env=environment)
        return done.stdout

    wide = printed("40")
    header = next(line for line in wide.splitlines() if line.startswith("solver"))
    assert header.split()[-4:] == ["points", "seconds", "evaluations", "stopped"]
    assert "no room" not in wide


READERS = [name for name, entry in commands().items() if any(action.metavar == "RECORDS" for action in entry._actions)]


@pytest.mark.parametrize("command", READERS)
def test_what_files_may_unpack_to_is_an_option_of_every_command_that_reads_them(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`max_bytes=` is that of Python, and no option of the command line."""
    monkeypatch.chdir(folder)
    for limit in ("1kB", "1000"):
        assert main([*COMMANDS[command], "--max-bytes", limit]) == 2
        said = capsys.readouterr().err
        assert "npz unpacks to" in said
        assert said.endswith("and may unpack to 1,000: pass --max-bytes if you trust the file\n")
        assert "max_bytes" not in said
    assert main([*COMMANDS[command], "--max-bytes", "0.5GiB"]) in (0, 4)


def test_commands_that_read_records() -> None:
    assert set(commands()) - set(READERS) == {"demo", "select"}


@pytest.mark.parametrize(("command", "option"), [("search", "--test"), ("compare", "--test"), ("report", "--search")])
def test_other_files_of_records_may_unpack_to_no_more(
    command: str, option: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    ds.load_example("test").save("large.npz")
    size = (folder / "large.npz").stat().st_size
    assert main([*COMMANDS[command], option, "large.npz", "--max-bytes", str(size)]) == 2
    assert "large.npz unpacks to" in capsys.readouterr().err


@given(st.integers(24, 120), st.lists(st.integers(1, 40), min_size=4, max_size=4), st.integers(1, 3))
def test_tables_keep_to_any_width(width: int, lengths: list[int], left: int) -> None:
    header = ["name", "a long header of words", "| third", "last"]
    row = ["x" * size for size in lengths[:left]] + ["1" * min(size, 7) for size in lengths[left:]]
    text = table(
        header, [row, row], left=left, width=width, spare=["last", "| third", "a long header of words"][: 4 - left]
    )
    if left == 1:
        assert max(map(len, text.splitlines())) <= width
    lines = text.splitlines()
    rule = next(k for k, line in enumerate(lines) if set(line) == {"-"})
    assert lines[rule + 1] == lines[rule + 2]


def test_a_table_with_room_is_as_in_a_pipe() -> None:
    rows = [["final", "1", "0.5"], ["a", "22", "0.25"]]
    assert table(["exit", "n", "| cost"], rows, width=80) == table(["exit", "n", "| cost"], rows)


def test_names_do_not_command_the_terminal() -> None:
    text = table(["exit", "n"], [["a\n\x1b[2Jb", "1"]], width=80)
    assert text.splitlines()[-1] == "a··[2Jb  1"


def test_narrow_tables_say_what_is_missing() -> None:
    text = table(["exit", "samples", "| cost"], [["a" * 12, "100", "0.5"]], width=24, spare=["| cost"])
    assert text.splitlines() == ["exit          samples", "-" * 21, "aaaaaaaaaaaa      100", "(no room here for: cost)"]
    assert table(["exit", "n"], [["a long name", "1"]], width=12).splitlines()[-1] == "a lo…name  1"


@given(st.text("ab =.%\n", max_size=80), st.integers(20, 60))
def test_folding_keeps_every_word(text: str, columns: int) -> None:
    shown = folded(text, columns)
    assert shown.split() == text.split()
    together = text.replace(" = ", "=").replace(" =", "=").replace("= ", "=")
    if max(map(len, together.replace("\n", " ").split()), default=0) < columns // 4 and "=" not in text:
        assert max(map(len, shown.split("\n"))) <= columns
    assert folded(text, None) == text


def test_the_width_is_that_of_the_terminal_that_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    master, slave = os.openpty()
    with open(slave, "w") as stream:
        termios.tcsetwinsize(stream.fileno(), (50, 47))
        assert width(stream) == 47
        termios.tcsetwinsize(stream.fileno(), (0, 0))
        assert width(stream) == 80
        monkeypatch.setenv("COLUMNS", "10")
        assert width(stream) == 20
    os.close(master)
    with open(os.devnull, "w") as stream:
        assert width(stream) is None


def test_equations_and_units_stay_together() -> None:
    text = "measured 0.92 points, p = 0.03, of 14.6 M MACs and 95 % of them, exact paired test"
    for columns in range(24, 80):
        shown = folded(text, columns)
        for part in ("0.92 points", "p = 0.03", "95 %"):
            assert part in shown


@pytest.mark.parametrize("columns", [36, 50, 78])
def test_a_folded_command_is_the_same_command(columns: int) -> None:
    command = "  dyce-search certify front.json calibration.npz --costs macs.json --max-accuracy-drop 0.01 --out a.json"
    shown = folded_command(command, columns)
    assert shown.replace("\\\n", " ").split() == command.split()
    lines = shown.split("\n")
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert max(map(len, lines)) <= max(columns, 42)
    for before, after in itertools.pairwise(lines):
        assert not before.rstrip(" \\").endswith("--costs")
        assert after.strip()
