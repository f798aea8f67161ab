"""docs/gallery.md: each picture is what the code above it draws, and all pictures are there."""

import re
from pathlib import Path

import pytest
from PIL import Image

import dyce_search as ds

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")
FOUND = re.findall(r"^```python\n(.*?)^```$(?:\s+!\[([^\]]*)\]\(([^)]+)\))?", PAGE, flags=re.DOTALL | re.MULTILINE)
PICTURES = [(source, path) for source, _, path in FOUND if path]


@pytest.mark.parametrize(("source", "path"), PICTURES, ids=[Path(path).stem for _, path in PICTURES])
def test_a_picture_was_drawn_by_the_code_above_it(source: str, path: str) -> None:
    """Which is part of the file; `test_docs_pages.py` runs the page."""
    with Image.open(DOCS / path) as image:
        assert image.text["Description"] == source, "run `python docs/plots.py gallery`"
        assert image.format == "PNG"
    assert (DOCS / path).stat().st_size < 50_000


def test_every_figure_has_code_and_words() -> None:
    assert [path for source, _, path in FOUND if re.search(r"^ax = ", source, re.MULTILINE) and not path] == []
    assert all(alternative for _, alternative, path in FOUND if path)
    assert sorted(path for _, path in PICTURES) == sorted(
        path.relative_to(DOCS).as_posix() for path in (DOCS / "gallery").iterdir()
    )
    after = re.findall(r"^!\[[^\n]*\n\n([^\n]*)", PAGE, flags=re.MULTILINE)
    assert len(after) == len(PICTURES)
    assert all(re.match(r"[A-Z`]", words) for words in after)


def test_every_function_that_draws_is_in_the_gallery() -> None:
    """By the function that makes what is drawn."""
    makers = {
        "bootstrap_band", "compare", "exit_auroc", "exit_flow", "exit_profile", "fit_temperatures", "marginal_value",
        "optimism", "oracle_gap", "plot_config", "reliability", "search", "worst_groups", "DriftMonitor", "new_axes",
    }  # fmt: skip
    assert makers <= set(ds.__all__)
    assert makers <= set(re.findall(r"\bds\.(\w+)\(", PAGE))
    assert {".plot(", ".plot_anytime("} <= set(re.findall(r"\.\w+\(", PAGE))
