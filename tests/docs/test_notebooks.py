"""The notebooks as they are committed. `make test` also runs them, by nbmake in quick mode."""

import re
from pathlib import Path

import jupytext
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ELSEWHERE = re.compile(r"(?<![\w.])/(?:home|work|tmp|root|var|opt|Users)/|site-packages|\.venv")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def code_cells(path):
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def texts(cell):
    """What a cell printed, and what it gave back as text."""
    for output in cell.outputs:
        yield output.get("text") or output.get("data", {}).get("text/plain", "")


def test_there_are_seven():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"0{number}" for number in range(1, 8)]


def test_notebook_and_script_are_in_step(path):
    notebook, script = (
        [(cell.cell_type, cell.source) for cell in jupytext.read(file).cells]
        for file in (path, path.with_suffix(".py"))
    )
    assert notebook == script, "run `make notebooks`"


def test_was_run_from_top_to_bottom(code_cells):
    assert [cell.execution_count for cell in code_cells] == list(range(1, len(code_cells) + 1))


def test_outputs_have_no_errors_and_no_warnings(code_cells):
    kinds = {(output.output_type, output.get("name")) for cell in code_cells for output in cell.outputs}
    assert kinds <= {("stream", "stdout"), ("display_data", None), ("execute_result", None)}


def test_outputs_name_no_place_on_a_machine(code_cells):
    found = [text for cell in code_cells for text in texts(cell) if ELSEWHERE.search(text)]
    assert found == []


def test_has_pictures_and_every_picture_is_one(code_cells):
    shown = [output.data for cell in code_cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(shown) >= 2
    drawing = [cell for cell in code_cells if re.search(r"^ax = ", cell.source, re.MULTILINE)]
    assert all(sum("image/png" in output.get("data", {}) for output in cell.outputs) == 1 for cell in drawing)


def test_is_no_longer_than_a_short_story(path, code_cells):
    assert path.stat().st_size < 1_000_000
    assert max(len(cell.source.splitlines()) for cell in code_cells) <= 40
