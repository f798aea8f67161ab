"""What is said while loops are compiled: once, in time, and only where they are."""

import importlib.util
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from numba.core import event

from dyce_search import announcement
from dyce_search.announcement import KEPT, MESSAGE, announce_compiling, is_compiled, is_watched

CODE = "from numba import njit\n\n\n@njit(cache=True)\ndef double(value):\n    return 2 * value\n"


def loop_of(path: Path) -> Any:
    """The loop of a module, loaded anew."""
    spec = importlib.util.spec_from_file_location("loops", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.double


@pytest.fixture
def loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with a loop that was never compiled, in a process that has not said anything yet."""
    monkeypatch.setattr(announcement, "_waiting", True)
    (tmp_path / "loops.py").write_text(CODE)
    return tmp_path / "loops.py"


def test_a_loop_is_compiled_once_it_was_called_here_or_before(loops: Path) -> None:
    first = loop_of(loops)
    assert not is_compiled(first)
    assert first(2) == 4
    assert is_compiled(first)
    assert is_compiled(loop_of(loops))  # of the cache
    loops.write_text(CODE.replace("2 *", "33 *"))  # other code: what is in the cache does not count
    assert not is_compiled(loop_of(loops))
    assert is_compiled(len)  # where nothing tells, nothing is said


def test_it_is_said_at_once_where_nothing_was_ever_compiled(
    loops: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dyce_search")
    announce_compiling(loop_of(loops), shown=True)
    assert capsys.readouterr().err.rstrip().endswith(MESSAGE + KEPT)
    assert caplog.messages == [MESSAGE + KEPT]
    announce_compiling(loop_of(loops), shown=True)
    assert capsys.readouterr().err == ""


def test_it_is_said_when_another_loop_of_the_package_is_compiled(
    loops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop_of(loops)(1)
    announce_compiling(loop_of(loops), shown=True)
    assert capsys.readouterr().err == ""  # warm, as far as is known
    for name, said in (("somebody.else", False), ("dyce_search.evaluation", True), ("dyce_search.solvers", False)):
        data = {"dispatcher": SimpleNamespace(py_func=SimpleNamespace(__module__=name))}
        with event.trigger_event("numba:compile", data=data):
            assert (MESSAGE in capsys.readouterr().err) == said


def test_nothing_is_shown_where_nobody_watches(
    loops: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_watched()
    announce_compiling(loop_of(loops))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("builtins.get_ipython", lambda: SimpleNamespace(kernel=None), raising=False)
    assert is_watched()
    monkeypatch.delattr("builtins.get_ipython")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert is_watched()


def test_the_line_fits_a_terminal() -> None:
    assert len(MESSAGE + KEPT) < 80


def test_nothing_is_promised_where_nothing_is_kept(loops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loops.write_text(CODE.replace("cache=True", ""))
    announce_compiling(loop_of(loops), shown=True)
    with event.trigger_event("numba:compile", data={"dispatcher": SimpleNamespace(py_func=announce_compiling)}):
        assert capsys.readouterr().err.rstrip().endswith(MESSAGE)
