"""What the README and data/README.md say holds."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.cli.tables import operating_points
from dyce_search.evaluation.limits import FEW_DROPS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DATA_README = (ROOT / "data" / "README.md").read_text(encoding="utf-8")


def test_python_block_runs_as_it_stands(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^accuracy 0\.9\d+ .* at relative cost 0\.\d+, \d+ exits$", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^on test: accuracy 0\.9\d+, relative cost 0\.\d+$", done.stdout, flags=re.MULTILINE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "front.png"]


def test_table_is_the_demo_s() -> None:
    """Within what another version of a library may change."""
    front = ds.search(ds.load_example())
    shown = operating_points(front, front.evaluate(ds.load_example("test")), FEW_DROPS).splitlines()
    written = [line.strip() for line in README.splitlines() if line.startswith(("    <=", "    expected drop"))]
    assert written[0] == shown[0]
    assert len(written) == len(shown) - 1

    def figures(line: str) -> list[float]:
        limit, cost, _, drop, test_cost = re.findall(r"[-+]?\d+(?:\.\d+)?", line)
        return [float(limit) / 100, float(cost), float(drop) / 100, float(test_cost)]

    for promised, measured in zip(written[1:], shown[2:], strict=True):
        assert figures(promised) == pytest.approx(figures(measured), abs=0.003)


def test_links_lead_somewhere() -> None:
    for text, folder in ((README, ROOT), (DATA_README, ROOT / "data")):
        targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("http")]
        assert all((folder / target.split("#")[0]).exists() for target in targets), targets


def test_first_thing_is_the_two_commands() -> None:
    commands = [line.strip().split("#")[0].strip() for line in README.splitlines() if line.startswith("    ")]
    assert commands[:2] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("setup", "demo", "test", "lint", "bench"):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_checksums_of_the_example_data() -> None:
    rows = re.findall(r"\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|", DATA_README)
    assert {name for name, _ in rows} == {
        path.name for kind in ("fashion_*", "digits_*") for path in (ROOT / "data").glob(kind)
    }
    for name, checksum in rows:
        assert hashlib.sha256((ROOT / "data" / name).read_bytes()).hexdigest() == checksum, name


@pytest.mark.parametrize(("part", "samples", "accuracy"), [("search", 15_000, "93.15"), ("test", 10_000, "92.93")])
def test_what_is_said_of_the_example_data(part: str, samples: int, accuracy: str) -> None:
    with np.load(ROOT / "data" / f"fashion_resnet15_{part}.npz", allow_pickle=False) as arrays:
        found = {name: (arrays[name].shape, str(arrays[name].dtype)) for name in ("label", "preds", "confs")}
    assert found == {
        "label": ((samples, 1), "int16"),
        "preds": ((46, samples, 1), "int16"),
        "confs": ((46, samples, 1), "float32"),
    }
    records = ds.load_example(part)
    assert f"{100 * records.baseline_accuracy:.2f} % of {part}" in DATA_README
    assert f"{100 * records.baseline_accuracy:.2f}" == accuracy


@pytest.mark.parametrize(("part", "samples", "accuracy"), [("search", 3_000, "85.33"), ("test", 2_000, "84.25")])
def test_what_is_said_of_the_second_set(part: str, samples: int, accuracy: str) -> None:
    stem = ROOT / "data" / "fashion_efficientnet_lite0"
    records = ds.load_records(f"{stem}_{part}.npz", costs=f"{stem}_macs.json")
    assert (records.n_samples, records.n_exits, records.costs.baseline) == (samples, 49, 31_352_192)
    assert f"{100 * records.baseline_accuracy:.2f}" == accuracy
    assert f"{accuracy} % of {part}" in DATA_README
    if part == "search":
        assert records.exit_accuracy.max() > 0.92
    assert ds.search(records).accuracy_drop.min() < -0.05
    margin = ds.load_records(f"{stem}_{part}.npz", costs=f"{stem}_macs.json", confidence="margin")  # of the top two
    assert (margin.confidence <= records.confidence).all()
