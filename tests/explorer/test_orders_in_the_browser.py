"""The explorer of orders: points say which models they ask, and give the configurations of these models."""

import json
from pathlib import Path

import numpy as np
import pytest

import dyce_search as ds
from tests.explorer.test_in_the_browser import CELLS, selected
from tests.orders.test_search_orders import NAMES, cascade

EVIL = '</script><script>window.broken = 1</script><img src=x onerror="window.broken = 2">'
DASH, ASKED = "\u2013", " \u203a "


@pytest.fixture(scope="module")
def parts():
    """Samples to search on, to certify on, to report on."""
    return cascade(4, 2400, seed=4, label=np.arange(2400) % 3).split(0.3, 0.4, seed=0)


@pytest.fixture(scope="module")
def front(parts) -> ds.OrderedFront:
    return ds.search_orders(parts[0], effort="fast")


@pytest.fixture(scope="module")
def certified(front, parts) -> ds.CertifiedPoint:
    return front.certify(parts[1], max_accuracy_drop=0.06)


@pytest.fixture(scope="module")
def page(front, parts, certified, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("orders") / "explorer.html"
    others = {"as they stand": ds.search(parts[0], solver="exit_shares"), "itself": front}
    front.explore(path, held_out=parts[2], certificate=certified, others=others)
    return path


def test_every_point_gives_its_order_and_its_own_configuration(opened, front, parts, certified) -> None:
    certain = front.index_of(certified.config)
    seen = set()
    for i in range(0, len(front), 3):
        point = front[i]
        ((index, text, line),) = selected(opened, [{"max_accuracy_drop": float(point.accuracy_drop)}])
        chosen = front[int(index)]
        assert chosen.config == front.select(max_accuracy_drop=point.accuracy_drop).config
        names: dict[str, object] = {"front": front}
        exec(line, names)
        assert names["point"] == chosen
        if int(index) == certain:
            continue
        assert json.loads(text) == chosen.config.to_dict()
        own = ds.in_order(parts[0], chosen.models)
        assert ds.evaluate(own, ds.ExitConfig.from_dict(json.loads(text))).cost == pytest.approx(chosen.cost)
        assert f", {ASKED.join(chosen.order)}: expected drop " in opened.text("[data-part=headline]")
        seen.add(chosen.order)
    assert {len(order) for order in seen} >= {1, 2, 3}
    assert any(order[-1] != NAMES[3] for order in seen)


def test_the_panels_say_what_the_own_order_measures(opened, front, parts) -> None:
    for drop in (0.2, 0.05, 0.0):
        ((index, _, _),) = selected(opened, [{"max_accuracy_drop": drop}])
        point = front[int(index)]
        own = ds.in_order(parts[2], point.models)
        profile = ds.exit_profile(own, point.config)
        cells = opened.run(CELLS, "[data-part=exits] tbody tr")
        assert [row[:2] for row in cells] == [[str(k), name] for k, name in enumerate(point.order, start=1)]
        assert cells[-1][2] == DASH
        final = parts[2].score[-1]
        where = point.config.route(own.confidence)
        for k, row in enumerate(cells):
            assert row[4] == f"{100 * profile.share[k]:.2f} %"
            if profile.share[k]:
                assert float(row[5].split()[0]) == pytest.approx(100 * profile.accuracy[k], abs=0.0051)
                assert float(row[6].split()[0]) == pytest.approx(100 * final[where == k].mean(), abs=0.0051)
            paid = sum(parts[0].costs.alone[NAMES.index(name)] for name in point.order[: k + 1])
            assert float(row[3]) == pytest.approx(paid / parts[0].costs.baseline, abs=5.1e-5)
        figures = {name: row for name, *row in opened.run(CELLS, "[data-part=figures] tbody tr")}
        held = front.evaluate(parts[2])
        assert float(figures["relative cost"][1]) == pytest.approx(held.relative_cost[int(index)], abs=5.1e-5)
        assert "disagrees with huge" in figures
    groups = opened.run(CELLS, "[data-part=groups] tbody tr")
    assert sorted(row[0] for row in groups) == ["class 0", "class 1", "class 2"]


def test_the_certified_point_gives_its_certificate(opened, front, certified) -> None:
    opened.one("[data-act=certified]").click()
    index = int(opened.one(".explorer").get_attribute("data-index"))
    assert index == front.index_of(certified.config)
    text = opened.one("[data-part=config]").get_property("value")
    assert ds.CertifiedPoint.from_dict(json.loads(text)) == certified


def test_it_speaks_of_models(opened) -> None:
    opened.one("[data-act=pin]").click()
    text = opened.run("return document.querySelector('.explorer').innerText")
    assert "huge alone costs" in text
    assert "Which model answers" in text
    assert "models asked" in text
    assert "exit" not in text.replace("Early-exit", "")
    assert "network" not in text


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone(browser, page, dark) -> None:
    browser.open(page, width=400, height=800, dark=dark)
    assert browser.run("return document.documentElement.scrollWidth") <= 400
    assert browser.complaints() == []


def test_names_of_any_kind_and_temperatures(browser, tmp_path) -> None:
    plain = cascade(3, 200, seed=1, by_sample=False)
    long = "a_name_without_any_place_to_break_it_" * 6
    layout = ds.ExitLayout(position=[0, 1, 2], names=[EVIL, long, "c"], measure="margin", temperature=[1.5, 2, 0.7])
    costs = ds.ExitCosts.cascade(plain.costs.alone, names=layout.names)
    records = ds.ExitRecords(
        confidence=plain.confidence, score=plain.score, costs=costs, measure="margin", temperature=layout.temperature
    )
    front = ds.search_orders(records, scores="observed")
    front.explore(tmp_path / "names.html", title=EVIL)
    browser.open(tmp_path / "names.html", width=400)
    for i in range(len(front)):
        ((index, text, _),) = selected(browser, [{"max_accuracy_drop": float(front[i].accuracy_drop)}])
        assert json.loads(text) == front[int(index)].config.to_dict()
    assert browser.run("return [window.broken, document.querySelectorAll('img').length]") == [None, 0]
    assert browser.run("return document.documentElement.scrollWidth") <= 400
    assert browser.complaints() == []


def test_mistakes_are_named(front, parts, certified, records, tmp_path) -> None:
    path = tmp_path / "explorer.html"
    with pytest.raises(ds.RecordsError, match="held_out must be an ExitRecords, got str"):
        front.explore(path, held_out="test.npz")
    with pytest.raises(ds.RecordsError, match="only whole models can change places"):
        front.explore(path, held_out=records)
    with pytest.raises(ds.ConfigError, match="17 exits at 4 positions, the records 10 exits"):
        front.explore(path, held_out=ds.in_order(parts[2], NAMES[:3]))
    with pytest.raises(ds.FrontError, match="of a configuration of this front, got another one"):
        ds.search_orders(cascade(3, 200), effort="fast").explore(path, certificate=certified)
    with pytest.raises(ds.FrontError, match="certificate must be a CertifiedPoint, got OrderedPoint"):
        front.explore(path, certificate=front[0])
    assert list(tmp_path.iterdir()) == []
