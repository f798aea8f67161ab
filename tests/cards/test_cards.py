"""What notebooks show: whole HTML, every text escaped, colours of the page, no Matplotlib."""

import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.cards import svg

HOSTILE = "<script>alert('&')</script>\"$$"


def named(records: ds.ExitRecords, name: str) -> ds.ExitRecords:
    """The same records with exits, a unit, a measure and a source of that name."""
    costs = ds.ExitCosts(
        backbone=records.costs.backbone,
        head=records.costs.head,
        position=records.costs.position,
        unit=name,
        names=[name] * records.n_exits,
    )
    return ds.ExitRecords(
        confidence=records.confidence, score=records.score, costs=costs, measure=name, source=name, group=records.group
    )


def shown(name: str) -> dict[str, Any]:
    """An object of every type that has a card, its texts being `name`."""
    searched, other = (named(ds.load_example(part).subset(np.arange(600)), name) for part in ("search", "test"))
    front = ds.search(searched, solver="exit_shares", scores="observed")
    point = front.certify(other, max_accuracy_drop=0.2, max_relative_cost=1.1)
    rows = [
        {"query": n, "model": f"{name}{m}", "score": n % 7 < good, "confidence": n % 5 / 4, "cost": m}
        for n in range(70)
        for m, good in ((1, 3), (2, 6), (9, 7))
    ]
    return {
        "ExitRecords": searched,
        "ParetoFront": front,
        "Curve": front.evaluate(other),
        "OperatingPoint": front[0],
        "CertifiedPoint": point,
        "Certificate": point.certificate,
        "Evaluation": ds.evaluate(other, front[-1].config),
        "Comparison": ds.compare(searched, solvers={name: "same_threshold", "b": "exit_shares"}, max_evaluations=9),
        "OrderedFront": ds.search_orders(ds.load_cascade(rows), effort="fast"),
    }


@pytest.fixture(scope="module")
def cards() -> dict[str, str]:
    return {kind: value._repr_html_() for kind, value in shown(HOSTILE).items()}


def test_cards_are_whole_and_small(cards: dict[str, str]) -> None:
    for kind, card in cards.items():
        root = ElementTree.fromstring(card)  # which takes nothing that is not closed
        assert root.tag == "div"
        assert "".join(root.itertext()).startswith(kind)
        assert len(card) < 20_000
        pictures = list(root.iter("svg"))
        assert pictures, kind
        for picture in pictures:
            assert picture.get("role") == "img"
            assert picture.get("aria-label")
        assert list(root.iter("table"))


def test_texts_are_escaped(cards: dict[str, str]) -> None:
    for kind, card in cards.items():
        assert "<script" not in card, kind
    for kind in ("ExitRecords", "ParetoFront", "OperatingPoint", "CertifiedPoint", "Comparison"):
        assert "&lt;script&gt;" in cards[kind], kind


def test_colours_are_those_of_the_page(cards: dict[str, str]) -> None:
    for kind, card in cards.items():
        for text in ElementTree.fromstring(card).iter():
            assert text.get("fill") in (None, "none", "currentColor", svg.BLUE, svg.ORANGE), kind
        assert "color:#" not in card.replace(" ", "")
        assert "background:none" in card


def test_cards_say_what_matters(records: ds.ExitRecords) -> None:
    text = "".join(ElementTree.fromstring(records._repr_html_()).itertext())
    assert "samples40exits4 at 2 positions" in text
    assert "at 4 MACs" in text
    front = ds.ParetoFront.from_configs(records, [ds.ExitConfig.none(2)])
    assert "<circle" in front._repr_html_()  # a line of one point would not be seen
    config = ds.ExitConfig(candidate=[1, 0], threshold=[-np.inf, 0.5], layout=records.layout)
    card = "".join(ElementTree.fromstring(ds.evaluate(records, config)._repr_html_()).itertext())
    assert "0100 %" in card  # all leave at position 0
    assert "nan" not in card
    bare = ds.OperatingPoint(config=ds.ExitConfig(candidate=[1], threshold=[0.5]), **FIGURES)
    assert "candidate 1" in bare._repr_html_()


FIGURES = {"accuracy": 0.5, "cost": 1.0, "relative_cost": 0.5, "accuracy_drop": 0.1}


def test_a_curve_without_points_has_a_card(costs: ds.ExitCosts) -> None:
    none = np.empty((0, 2))
    curve = ds.Curve(
        costs=costs, candidate=none.astype(np.int64), threshold=none, accuracy=none[:, 0], cost=none[:, 0],
        exit_accuracy=np.ones(4), n_samples=1, records_digest="0" * 64,
    )  # fmt: skip
    assert "points" in curve._repr_html_()


def test_cards_need_no_matplotlib() -> None:
    code = (
        "import sys, numpy as np, dyce_search as ds; r = ds.load_example().subset(np.arange(99)); r._repr_html_(); "
        "ds.ParetoFront.from_configs(r, [ds.ExitConfig.none(15)])._repr_html_(); print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
