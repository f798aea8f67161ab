"""docs/measurements.md: every table of it is one, and every section is there and says how to repeat it."""

import re
from pathlib import Path

import pytest

from dyce_search.search import SOLVERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "measurements.md").read_text(encoding="utf-8")
SECTIONS = [part.split("\n", 1) for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]]
HEADINGS = [heading for heading, _ in SECTIONS]
TABLES = [
    (heading, table) for heading, text in SECTIONS for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
]


def cells(row):
    assert row.startswith("|"), row
    assert row.endswith("|"), row
    return [cell.strip() for cell in row[1:-1].split("|")]


def slug(heading):
    """What MkDocs and GitHub call a heading in a link."""
    return re.sub(r"[^\w-]+", "-", heading.lower()).strip("-")


def test_every_section_is_there_once():
    assert HEADINGS == [
        "Quality and time on real records",
        "The same budget for every solver",
        "Time",
        "Near the optimum",
        "Expected scores",
        "Certificates",
        "Models",
        "The runtime",
        "A bundle in ONNX Runtime",
    ]
    bodies = [text for _, text in SECTIONS]
    paragraphs = [part for text in bodies for part in text.split("\n\n") if len(part) > 80]
    assert len(set(paragraphs)) == len(paragraphs)


@pytest.mark.parametrize(("heading", "text"), SECTIONS, ids=HEADINGS)
def test_every_section_says_how_to_repeat_it(heading, text):
    """And begins as a sentence does."""
    (command,) = re.findall(r"^    python -m tests\.benchmarks (.+)$", text, flags=re.MULTILINE)
    known = (ROOT / "tests" / "benchmarks" / "__main__.py").read_text(encoding="utf-8")
    assert all(f'    "{name}": ' in known for name in command.split())
    assert re.match(r"\n    python .*\n\n(?:[A-Z][a-z]|\d)", text)


def test_there_are_tables():
    assert {heading for heading, _ in TABLES} == set(HEADINGS) - {"Near the optimum"}


@pytest.mark.parametrize("table", [table for _, table in TABLES], ids=[slug(name) for name, _ in TABLES])
def test_every_table_can_be_read(table):
    """As many cells in each row, a rule below the header, a header for each column, a name for each row."""
    header, rule, *rows = map(cells, table.splitlines())
    assert rows
    assert all(re.fullmatch(r":?-+:?", cell) for cell in rule)
    assert {len(row) for row in (rule, *rows)} == {len(header)}
    assert all(header)
    assert all(row[0] for row in rows)
    assert len({tuple(row) for row in rows}) == len(rows)
    known = {name for row in rows for name in re.findall(r"^`(\w+)`", row[0])}
    if header[0] == "solver":
        assert known <= set(SOLVERS)
        assert all(re.search(r"\d", cell) for row in rows for cell in row[1:])


def test_links_within_the_page_lead_somewhere():
    targets = re.findall(r"\]\(#([^)]+)\)", PAGE)
    assert targets
    assert set(targets) <= set(map(slug, HEADINGS))
