"""What the documentation calls, a type checker accepts; what is wrong, it finds."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dyce_search as ds

DOCUMENTED = """
from typing import assert_type

import numpy as np
import numpy.typing as npt

import dyce_search as ds

costs = ds.ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1], unit="ms", names=["early", "final"])
costs = ds.ExitCosts(backbone=np.array([1, 4]), head=(0.5, 0.0), position=range(2))
records = ds.ExitRecords(confidence=[[0.9, 0.2], [0.8, 0.7]], score=[[True, False], [True, True]], costs=costs)
records = ds.ExitRecords(
    confidence=np.zeros((2, 2)), score=np.ones((2, 2)), costs=costs, label=[0, 1], group=["a", "b"]
)
records = ds.ExitRecords.from_logits([[[2.0, 0.0]], [[0.0, 3.0]]], [1], costs=costs)
records = ds.ExitRecords.from_cascade(price=[1.0, 10.0], confidence=[[0.9], [0.8]], prediction=[[1], [1]], label=[1])
records = ds.load_records("logits_single.pth", costs="flops.pth", part="test")
part, rest = records.split(0.5, seed=0)
config = ds.ExitConfig(candidate=[-1, 0, 2], threshold=[0.0, 0.9, 0.8])
config = ds.ExitConfig(candidate=np.array([0]), threshold=np.array([0.5]))
front = ds.search(records, max_accuracy_drop=0.005)
point = front.select(max_accuracy_drop=0.01)
assert_type(ds.evaluate(records, point.config).accuracy, float)

# what is kept are arrays, and is said to be
assert_type(config.candidate, npt.NDArray[np.int64])
assert_type(config.threshold, npt.NDArray[np.float32])
assert_type(records.score, npt.NDArray[np.float32])
assert_type(costs.head, npt.NDArray[np.float64])
assert_type(costs.names, tuple[str, ...])
"""

MISTAKES = """
import dyce_search as ds

ds.ExitConfig(candidate=[0])
ds.ExitConfig([0], [0.5])
ds.ExitConfig(candidate=[0], threshold=[0.5], thresholds=[0.5])
ds.ExitRecords(confidence=[[0.5]], score=[[1]], costs={"backbone": [1.0]})
ds.ExitCosts(backbone=[1.0, 2.0], head=[0.0, 0.0], position=[0, 1], unit=3)
ds.ExitCosts(backbone=[1.0, 2.0], head=[0.0, 0.0], position=[0, 1]).head = [1.0, 0.0]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all snippets, so that the package is read once."""
    pytest.importorskip("mypy")
    return tmp_path_factory.mktemp("mypy")


def errors(folder: Path, code: str) -> list[str]:
    """What mypy --strict says of `code`, a line each."""
    (folder / "snippet.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file", "", "snippet.py"]
    package = Path(ds.__file__).parents[1]
    done = subprocess.run(
        [*command, "--cache-dir", str(folder / "cache"), "--follow-imports", "silent"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(package), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("snippet.py")]


def test_documented_calls_pass(folder: Path) -> None:
    assert errors(folder, DOCUMENTED) == []


def test_mistakes_are_found(folder: Path) -> None:
    found = {int(line.split(":")[1]) for line in errors(folder, MISTAKES)}
    wanted = [number for number, line in enumerate(MISTAKES.splitlines(), 1) if line.startswith("ds.")]
    assert sorted(found) == wanted


@pytest.mark.parametrize("value", [ds.ExitCosts, ds.ExitRecords, ds.ExitConfig])
def test_the_declared_constructors_are_the_real_ones(value: Any) -> None:
    """The ones under TYPE_CHECKING have the names and defaults of those that the dataclass writes."""
    tree = ast.parse(inspect.cleandoc(inspect.getsource(value)))
    (declared,) = (node.args for node in ast.walk(tree) if getattr(node, "name", "") == "__init__")
    assert [arg.arg for arg in declared.args] == ["self"]
    given = [
        (arg.arg, inspect.Parameter.empty if default is None else ast.literal_eval(default))
        for arg, default in zip(declared.kwonlyargs, declared.kw_defaults, strict=True)
    ]
    real = list(inspect.signature(value).parameters.values())
    assert given == [(parameter.name, parameter.default) for parameter in real]
    assert {parameter.kind for parameter in real} == {inspect.Parameter.KEYWORD_ONLY}
