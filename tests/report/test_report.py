"""The report: one page that holds everything, says what is certified and warns of what is not."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.cli import main
from dyce_search.evaluation.lookup import index_of
from dyce_search.explorer.view import View
from dyce_search.report import html as html_page

VOID = {"meta", "img", "br", "input"}


class Page(HTMLParser):
    """Checks that tags are closed in order, and gathers what the page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.links: dict[str, str] = {}
        self.words: list[str] = []
        self.classes: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if "src" in found:
            self.sources.append(found["src"])
        if "href" in found:
            self.links[found.get("download", "")] = found["href"]
        self.classes.append(found.get("class", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def halves() -> tuple[ds.ExitRecords, ds.ExitRecords]:
    search, test = ds.load_example("search"), ds.load_example("test")
    return search.subset(np.arange(3000)), test.subset(np.arange(4000))


@pytest.fixture(scope="module")
def front(halves: tuple[ds.ExitRecords, ds.ExitRecords]) -> ds.ParetoFront:
    return ds.search(halves[0], solver="exit_shares")


@pytest.fixture(scope="module")
def certified(
    front: ds.ParetoFront, halves: tuple[ds.ExitRecords, ds.ExitRecords], tmp_path_factory: pytest.TempPathFactory
) -> tuple[ds.OperatingPoint, Path]:
    path = tmp_path_factory.mktemp("report") / "report.html"
    return ds.report(front, halves[1], path, max_accuracy_drop=0.03), path


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws the pictures as always, but leaves their pixels out, which take most of the time of a report."""
    monkeypatch.setattr(html_page.axes, "to_png", lambda ax, *, colors: b"")


def test_the_page_loads_nothing_and_is_well_formed(certified: tuple[ds.OperatingPoint, Path]) -> None:
    page = read(certified[1])
    assert len(page.sources) == 20  # each picture light and dark
    for source in page.sources:
        assert source.startswith("data:image/png;base64,")
        assert base64.b64decode(source.split(",")[1]).startswith(b"\x89PNG")
    assert all(link.startswith("data:") for link in page.links.values())
    text = certified[1].read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|<link|@import|url\([^#]|src=\"(?!data:)", text)
    assert f"Written by dyce_search {ds.__version__}." in page.text


def test_the_first_figure_is_the_explorer_and_in_print_a_picture(
    browser, certified: tuple[ds.OperatingPoint, Path], front: ds.ParetoFront
) -> None:
    browser.open(certified[1], width=1100)
    selected = index_of(front, certified[0].config)
    assert browser.one(".explorer").get_attribute("data-index") == str(selected)
    assert "Certificate" in browser.text("[data-part=certificate]")
    assert browser.one(".explorer").is_displayed()
    assert not browser.one(".printed").is_displayed()
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.one(".explorer").is_displayed()
    assert browser.one(".printed").is_displayed()
    assert browser.complaints() == []
    assert browser.requests() == []


def test_pictures_have_the_colours_of_the_page(browser, certified: tuple[ds.OperatingPoint, Path]) -> None:
    shown = (
        "return [...document.querySelectorAll('figure img')].filter((one) => one.checkVisibility())"
        ".map((one) => one.className)"
    )
    for dark in (False, True):
        browser.open(certified[1], width=1000, dark=dark)
        before, after = ("dark", "light") if dark else ("light", "dark")
        assert browser.run(shown) == 9 * [before]  # but for the first, which is for print
        browser.one("[data-act=theme]").click()
        assert browser.run(shown) == 9 * [after]
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert browser.run(shown) == 10 * ["light"]


def test_pictures_stand_on_the_paper_of_the_page(browser, certified: tuple[ds.OperatingPoint, Path]) -> None:
    """The first dot of each is of the colour of the page, so that no box is seen."""
    corner = (
        "return [...document.querySelectorAll('figure img')].filter((one) => one.checkVisibility()).map((one) => {"
        "const canvas = document.createElement('canvas'); const pen = canvas.getContext('2d');"
        "pen.drawImage(one, 0, 0); return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3); })"
    )
    for dark, paper in ((False, [255, 255, 255]), (True, [20, 23, 28])):
        browser.open(certified[1], width=1000, dark=dark)
        assert browser.run(corner) == 9 * [paper]
        assert (
            browser.run("return getComputedStyle(document.body).backgroundColor")
            == f"rgb({', '.join(map(str, paper))})"
        )


def test_the_page_is_small(certified: tuple[ds.OperatingPoint, Path]) -> None:
    assert certified[1].stat().st_size < 1e6


@pytest.mark.parametrize("width", [400, 1000, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_every_width(browser, certified: tuple[ds.OperatingPoint, Path], width: int, dark: bool) -> None:
    browser.open(certified[1], width=width, dark=dark)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    cut = browser.run(
        "return [...document.querySelectorAll('table')].filter((table) => table.scrollWidth > table.parentElement"
        ".clientWidth && getComputedStyle(table.parentElement).overflowX !== 'auto').length"
    )
    assert cut == 0
    frames = browser.run("return [...document.querySelectorAll('.scroll')].map((one) => [one.tabIndex, one.ariaLabel])")
    assert all(index == 0 and label for index, label in frames)


def test_the_certified_point_is_that_of_certify(
    certified: tuple[ds.OperatingPoint, Path], front: ds.ParetoFront, halves: tuple[ds.ExitRecords, ds.ExitRecords]
) -> None:
    point, path = certified
    assert point == front.certify(halves[1], max_accuracy_drop=0.03, confidence=0.95)
    page = read(path)
    assert isinstance(point, ds.CertifiedPoint)
    assert "Certified: an accuracy drop of at most 3 points with 95 % confidence." in page.text
    assert " ".join(str(point.certificate).split()) in page.text
    assert "box warning" not in page.classes
    assert f"costs {100 * point.relative_cost:.2f} % of the whole network" in page.text
    assert f"an accuracy drop of {100 * point.accuracy_drop:+.2f} points" in page.text


def test_the_configuration_can_be_taken_from_the_page(
    certified: tuple[ds.OperatingPoint, Path], tmp_path: Path
) -> None:
    point, path = certified
    content = base64.b64decode(read(path).links["config.json"].split(",")[1])
    (tmp_path / "config.json").write_bytes(content)
    assert ds.ExitConfig.load(tmp_path / "config.json") == point.config
    assert json.loads(content)["format"] == "dyce_search.config"


def test_the_same_input_gives_the_same_page(
    certified: tuple[ds.OperatingPoint, Path],
    front: ds.ParetoFront,
    halves: tuple[ds.ExitRecords, ds.ExitRecords],
    tmp_path: Path,
) -> None:
    ds.report(front, halves[1], tmp_path / "again.html", max_accuracy_drop=0.03)
    assert (tmp_path / "again.html").read_bytes() == certified[1].read_bytes()


@pytest.mark.usefixtures("unrendered")
def test_what_cannot_be_certified_is_not(
    front: ds.ParetoFront, halves: tuple[ds.ExitRecords, ds.ExitRecords], tmp_path: Path
) -> None:
    few = halves[1].subset(np.arange(40))
    point = ds.report(front, few, tmp_path / "report.html", confidence=0.9999)
    assert point == front.select(max_accuracy_drop=0.01)
    page = read(tmp_path / "report.html")
    assert "Not certified: an accuracy drop of at most 1 point with 99.99 % confidence." in page.text
    with pytest.raises(ds.InfeasibleError) as reason:
        front.certify(few, max_accuracy_drop=0.01, confidence=0.9999)
    assert " ".join(str(reason.value).split()) in page.text
    assert page.classes.count("box warning") == 1


@pytest.mark.usefixtures("unrendered")
def test_the_samples_searched_on_are_flagged(
    front: ds.ParetoFront, halves: tuple[ds.ExitRecords, ds.ExitRecords], tmp_path: Path
) -> None:
    small = halves[0].subset(np.arange(500))
    own = ds.search(small, solver="exit_shares")
    point = ds.report(own, small, tmp_path / "report.html", search=small)
    assert not isinstance(point, ds.CertifiedPoint)
    page = read(tmp_path / "report.html")
    assert "All figures here are optimistic" in page.text
    assert "Not certified" in page.text
    assert "held-out" not in page.text.replace("held-out samples. Other", "")
    assert page.classes.count("box warning") == 2


@pytest.mark.usefixtures("unrendered")
def test_search_records_show_what_positions_are_worth(
    halves: tuple[ds.ExitRecords, ds.ExitRecords], tmp_path: Path
) -> None:
    small = halves[0].subset(np.arange(500))
    own = ds.search(small, solver="exit_shares")
    ds.report(own, halves[1], tmp_path / "report.html", search=small, max_accuracy_drop=0.03)
    assert "What it costs to do without a position" in read(tmp_path / "report.html").text


def test_records_without_labels_or_probabilities(tmp_path: Path) -> None:
    records = ds.synthetic_records(1500, positions=3, types=2, seed=1)
    odd = ds.ExitRecords(
        confidence=10 * records.confidence - 3, score=records.score, costs=records.costs, source="<b>& co"
    )
    search, held_out = odd.split(0.5, seed=0)
    ds.report(ds.search(search, effort="fast"), held_out, tmp_path / "report.html", max_accuracy_drop=0.1)
    page = read(tmp_path / "report.html")
    assert "<b>& co" in page.text
    assert len(page.sources) == 16  # neither classes nor calibration


def test_bad_input(
    front: ds.ParetoFront, halves: tuple[ds.ExitRecords, ds.ExitRecords], records: ds.ExitRecords, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    with pytest.raises(ds.FrontError, match="front must be a ParetoFront, got str"):
        ds.report("front.json", halves[1], path)  # type: ignore[arg-type]
    with pytest.raises(ds.ConfigError, match="another network"):
        ds.report(front, records, path)
    with pytest.raises(
        ds.RecordsError, match="search must hold the records that the front was searched on, got others"
    ):
        ds.report(front, halves[1], path, search=halves[1])
    with pytest.raises(ds.FrontError, match=r"confidence must lie in \(0, 1\), got 3"):
        ds.report(front, halves[0], path, confidence=3)  # where nothing is certified it matters as much
    with pytest.raises(ds.FileFormatError, match="cannot write"):
        ds.report(front, halves[1], tmp_path / "nowhere" / "report.html", max_accuracy_drop=0.03)
    assert list(tmp_path.iterdir()) == []


def test_pieces_escape_what_they_are_given() -> None:
    text = html_page.page(
        "a <b>",
        [
            html_page.heading("<i>"),
            html_page.paragraph("x & y"),
            html_page.box("<u>", more="<s>\nline"),
            html_page.table("<label>", ["<th>"], [["<td>"]]),
            html_page.download('"quoted".json', "<a>", "{}"),
            html_page.footer("<f>"),
        ],
        View(style="", body="", script=""),
    )
    page = Page(text)
    assert all(words in page.text for words in ("a <b>", "<i>", "x & y", "<u>", "<s>", "<th>", "<td>", "<a>", "<f>"))
    assert list(page.links) == ['"quoted".json']


@pytest.fixture(scope="module")
def files(
    front: ds.ParetoFront,
    halves: tuple[ds.ExitRecords, ds.ExitRecords],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("files")
    front.save(folder / "front.json")
    halves[1].save(folder / "test.npz")
    return folder


def test_the_command_writes_the_same_page(
    files: Path, certified: tuple[ds.OperatingPoint, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = files / "report.html"
    arguments = ["report", str(files / "front.json"), str(files / "test.npz"), "--out", str(out)]
    assert main([*arguments, "--max-accuracy-drop", "0.03"]) == 0
    assert out.read_bytes() == certified[1].read_bytes()
    printed = capsys.readouterr().out
    assert printed.startswith(f"certified: {certified[0]}")
    assert f"wrote {out}" in printed


def test_mistakes_on_the_command_line_give_one_line(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["report", str(files / "front.json"), str(files / "test.npz")]
    assert main([*arguments, "--out", str(files / "none" / "report.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert main([*arguments, "--out", str(files / "r.html"), "--confidence", "2"]) == 2
    assert "confidence must" in capsys.readouterr().err
