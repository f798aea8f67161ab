"""The documentation as it is built, in a browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WIDTH = 1300  # pixels of a window on a laptop, with the page's columns at both sides of the text
TOO_WIDE = """
const article = document.querySelector("article");
return [...article.querySelectorAll("table:not([class])")].filter((table) => {
  let box = table;
  while (box !== article && !/auto|scroll/.test(getComputedStyle(box).overflowX)) box = box.parentElement;
  const edge = article.getBoundingClientRect().right;
  return box.scrollWidth > box.clientWidth || table.getBoundingClientRect().right > edge + 1;
}).map((table) => table.querySelector("tr").textContent.trim().slice(0, 60));
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built documentation."""
    pytest.importorskip("mkdocs", reason="needs mkdocs: pip install 'dyce_search[docs]'")
    folder = tmp_path_factory.mktemp("docs") / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    subprocess.run(build, check=True, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    return folder


def test_no_table_scrolls_sideways(site, browser):
    pages = [page for page in sorted(site.rglob("*.html")) if "<table>" in page.read_text(encoding="utf-8")]
    assert len(pages) > 8  # listings of code are tables of a class
    for page in pages:
        browser.open(page, width=WIDTH)
        assert browser.run(TOO_WIDE) == [], page.name
        assert browser.run("return document.documentElement.scrollWidth") <= WIDTH, page.name
    browser.run("document.querySelector('article td').innerHTML = `<code>${'wide'.repeat(100)}</code>`")
    assert len(browser.run(TOO_WIDE)) == 1  # it would have been seen
