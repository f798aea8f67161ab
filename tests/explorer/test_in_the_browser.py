"""The explorer in a browser: it selects what `select` does, gives configurations that load, and keeps to itself."""

import json
import re
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.evaluation.cost_tails import SHARES
from dyce_search.evaluation.lookup import index_of
from dyce_search.wording import quantity

EVIL = '</script><script>window.broken = 1</script><img src=x onerror="window.broken = 2">'
LONG = "a_name_without_any_place_to_break_it_" * 6

# Sets limits one after another and returns the selected points: [[row, kind or null, text], ...] each.
SELECT = """
const root = document.querySelector(".explorer");
const tell = (node, event) => node.dispatchEvent(new Event(event));
return arguments[0].map((limits) => {
  root.querySelectorAll("[data-field=on]").forEach((box) => { box.checked = false; });
  for (const [row, kind, text, share] of limits) {
    const field = (name) => root.querySelector(`[data-limit="${row}"] [data-field="${name}"]`);
    if (kind) { field("kind").value = kind; }
    if (share) { field("share").value = share; }
    field("text").value = text;
    field("on").checked = true;
    tell(field("text"), "input");
  }
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  return [root.dataset.index, part("config").value, part("python").textContent];
});
"""
CELLS = """
return [...document.querySelectorAll(arguments[0])].map((row) => [...row.cells].map((cell) => cell.textContent));
"""
CHOOSE = """
for (const [name, value] of Object.entries(arguments[0])) {
  const field = document.querySelector(`[data-view=${name}]`);
  field.value = value;
  field.dispatchEvent(new Event("change"));
}
"""
ROWS = {"max_accuracy_drop": "accuracy", "min_accuracy": "accuracy", "max_relative_cost": "cost", "max_cost": "cost"}


def written(name: str, limit: float) -> str:
    """A limit as a person writes it on the page, to the last bit: drops in points, accuracies in percent."""
    places = 2 if ROWS.get(name) == "accuracy" else 0
    return format(Decimal(repr(float(limit))).scaleb(places), "f")


def row_of(name: str, limit: float, share: float = 0.01) -> list[str | None]:
    if name == "max_sample_cost":
        return ["sample", None, written(name, limit), f"{share:g}"]
    return [ROWS[name], name, written(name, limit), None]


def selected(browser, asked: list[dict[str, float]], share: float = 0.01) -> list[list[str]]:
    return browser.run(SELECT, [[row_of(name, limit, share) for name, limit in limits.items()] for limits in asked])


def expected(front: ds.ParetoFront, limits: dict[str, float], share: float = 0.01) -> str:
    try:
        return str(index_of(front, front.select(**limits, share=share).config))
    except ds.InfeasibleError:
        return ""


def near(values: np.ndarray, rng: np.random.Generator, count: int) -> list[float]:
    """Limits at points, a bit beside them, at the edge of what rounding admits, and anywhere."""
    drawn = rng.choice(np.unique(values), count)
    edges = [
        lambda x: x, lambda x: np.nextafter(x, -np.inf), lambda x: np.nextafter(x, np.inf), lambda x: x - 1e-12,
        lambda x: x + 1e-12, lambda x: x * (1 - 1e-12), lambda x: x * (1 - 1e-7), lambda x: round(x, 4),
        lambda x: x + rng.normal(0, 0.01) * values.std(),
    ]  # fmt: skip
    return [float(edges[k % len(edges)](value)) for k, value in enumerate(drawn)]


@pytest.fixture(scope="module")
def halves() -> tuple[ds.ExitRecords, ds.ExitRecords]:
    search, test = ds.load_example("search"), ds.load_example("test")
    return search.subset(np.arange(2500)), test.subset(np.arange(4000))


@pytest.fixture(scope="module")
def front(halves) -> ds.ParetoFront:
    return ds.search(halves[0], effort="fast")


@pytest.fixture(scope="module")
def certified(front, halves) -> ds.CertifiedPoint:
    return front.certify(halves[1], max_accuracy_drop=0.04)


@pytest.fixture(scope="module")
def page(front, halves, certified, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    others = {"exit shares": ds.search(halves[0], solver="exit_shares"), "patience": ds.patience(halves[1])}
    front.explore(path, held_out=halves[1], certificate=certified, others=others)
    return path


@pytest.mark.parametrize("name", [*ROWS, "max_sample_cost"])
def test_the_point_is_that_of_select_at_fifty_limits(opened, front, name) -> None:
    rng = np.random.default_rng(5)
    share = SHARES[5] if name == "max_sample_cost" else 0.01
    figure = name.removeprefix("max_").removeprefix("min_")
    values = front.cost_within(share) if name == "max_sample_cost" else getattr(front, figure)
    limits = [{name: limit} for limit in near(values, rng, 50)]
    found = selected(opened, limits, share)
    assert [index for index, _, _ in found] == [expected(front, one, share) for one in limits]
    assert len({index for index, _, _ in found}) > 15 or name == "max_sample_cost"


def test_limits_may_be_combined(opened, front) -> None:
    rng = np.random.default_rng(6)
    names = ["max_accuracy_drop", "max_relative_cost", "max_sample_cost"]
    figures = {name: getattr(front, name.removeprefix("max_")) for name in names[:2]} | {
        names[2]: front.cost_within(0.01)
    }
    limits = [{name: float(rng.choice(figures[name])) for name in names if rng.random() < 0.7} for _ in range(50)]
    limits = [one for one in limits if one]
    found = [index for index, _, _ in selected(opened, limits)]
    assert found == [expected(front, one) for one in limits]
    assert "" in found
    assert len(set(found)) > 10


def test_every_configuration_loads_as_it_is(opened, front, certified) -> None:
    limits = [{"max_accuracy_drop": float(drop)} for drop in front.accuracy_drop[::7]]
    for (index, text, _), asked in zip(selected(opened, limits), limits, strict=True):
        point = front.select(**asked)
        content = json.loads(text)
        assert ds.ExitConfig.from_dict(content) == point.config
        assert ds.ExitConfig.from_dict(content).layout == front.layout
        if int(index) != index_of(front, certified.config):
            assert content == point.config.to_dict()


def test_any_double_comes_through(opened) -> None:
    rng = np.random.default_rng(8)
    for name, drawn in {
        "max_accuracy_drop": 0.05 + 10.0 ** rng.uniform(-9, -0.1, 60),
        "max_cost": 10.0 ** rng.uniform(7, 30, 60),
        "max_relative_cost": rng.uniform(0.5, 2, 60),
    }.items():
        lines = [line for _, _, line in selected(opened, [{name: float(limit)} for limit in drawn])]
        assert [float(line.split("=")[-1].rstrip(")")) for line in lines] == drawn.tolist()


def test_the_line_of_python_gives_the_same_point(opened, front) -> None:
    limits = [
        {"max_accuracy_drop": 0.007}, {"min_accuracy": 0.91, "max_relative_cost": 0.29}, {"max_cost": 2.5e6},
        {"max_accuracy_drop": float(front.accuracy_drop[40])}, {"max_sample_cost": 1.2e7}, {"max_accuracy_drop": 1e-7},
    ]  # fmt: skip
    for index, _, line in selected(opened, limits, 0.05):
        names: dict[str, object] = {"front": front}
        exec(line, names)
        assert str(index_of(front, names["point"].config)) == index


def test_the_download_is_a_file_of_the_library(opened, front, tmp_path) -> None:
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    opened.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    selected(opened, [{"max_accuracy_drop": 0.02}])
    opened.one("[data-part=download]").click()
    path = tmp_path / "config.json"
    for _ in range(100):
        if path.exists():
            break
        time.sleep(0.05)
    point = front.select(max_accuracy_drop=0.02)
    point.config.save(tmp_path / "saved.json")
    assert path.read_text() == (tmp_path / "saved.json").read_text()
    assert ds.ExitConfig.load(path) == point.config


def test_the_certified_point_gives_its_certificate(opened, front, certified) -> None:
    opened.one("[data-act=certified]").click()
    assert opened.run("return document.querySelector('.explorer').dataset.index") == str(
        index_of(front, certified.config)
    )
    text = opened.one("[data-part=config]").get_property("value")
    found = ds.CertifiedPoint.from_dict(json.loads(text))
    assert found == certified
    assert found.certificate == certified.certificate
    assert str(certified.certificate).splitlines()[0] in opened.text("[data-part=certificate]")


def test_thresholds_of_any_size_and_temperatures_survive(browser, tmp_path) -> None:
    layout = ds.ExitLayout(
        position=[0, 0, 1, 2], names=["a", "b", "a", "end"], measure="entropy", temperature=[1.5, 2, 1, 1]
    )
    costs = ds.ExitCosts(backbone=[1.0, 2.0, 4.0], head=[0.5, 0.25, 0.5, 0.0], position=layout.position, unit="ms")
    thresholds = [-np.inf, np.inf, 0.1, 1.0, -0.0, 1e-30, 3.4e38, -1.1754944e-38, 1 / 3, 16777217, 2.5e-45, 123456.79]
    count = len(thresholds)
    front = ds.ParetoFront(
        costs=costs, layout=layout, candidate=[[k % 2, 0] for k in range(count)],
        threshold=[[value, -value] for value in thresholds], accuracy=np.linspace(0.5, 0.9, count),
        cost=np.linspace(2, 3, count), exit_accuracy=[0.5, 0.5, 0.6, 0.9], n_samples=10, records_digest="0" * 64,
    )  # fmt: skip
    front.explore(tmp_path / "bare.html", max_accuracy_drop=0.5)
    browser.open(tmp_path / "bare.html")
    limits = [{"max_accuracy_drop": float(drop)} for drop in front.accuracy_drop]
    for k, (index, text, _) in enumerate(selected(browser, limits)):
        assert index == str(k)
        assert ds.ExitConfig.from_dict(json.loads(text)) == front[k].config
        assert json.loads(text) == front[k].config.to_dict()
    assert not browser.one("[data-limit=sample]").is_displayed()  # it does not know what samples cost
    assert browser.complaints() == []


@pytest.mark.filterwarnings("ignore:the held-out records are the samples searched on")
def test_costs_that_differ_by_sample_have_a_budget(browser, tmp_path) -> None:
    rng = np.random.default_rng(0)
    n = 400
    sure = rng.random((3, n))
    costs = ds.SampleCosts(
        backbone=np.cumsum(rng.gamma(2, 1e-4, (3, n)), axis=0), head=np.zeros((3, n)), position=[0, 1, 2], unit="$"
    )
    records = ds.ExitRecords(confidence=sure, score=rng.random((3, n)) < 0.5 + 0.5 * sure, costs=costs)
    front = ds.search(records)
    front.explore(tmp_path / "costs.html", held_out=records, max_accuracy_drop=-0.5)
    browser.open(tmp_path / "costs.html")
    assert "optimistic" in browser.text("[data-part=alert]")
    assert browser.one(".explorer").get_attribute("data-index") != ""  # the limit was beyond reach, so it was moved
    limits = [{"max_sample_cost": limit} for limit in near(front.cost_within(0.1), rng, 50)]
    found = [index for index, _, _ in selected(browser, limits, 0.1)]
    assert found == [expected(front, one, 0.1) for one in limits]
    assert len(set(found)) > 5
    assert browser.complaints() == []


def test_the_panels_say_what_the_profiles_say(opened, front, halves) -> None:
    ((index, _, _),) = selected(opened, [{"max_accuracy_drop": 0.02}])
    point, test = front[int(index)], halves[1]
    profile, worst = ds.exit_profile(test, point.config), ds.worst_groups(test, point.config)
    cells = opened.run(CELLS, "[data-part=exits] tbody tr")
    dash, minus = "\u2013", "\u2212"
    for k, row in enumerate(cells):
        assert row[1] == profile.name[k]
        assert row[4] == f"{100 * profile.share[k]:.2f} %"
        if profile.share[k]:
            assert float(row[5].split()[0]) == pytest.approx(100 * profile.accuracy[k], abs=0.0051)
            assert float(row[6].split()[0]) == pytest.approx(100 * profile.final_accuracy[k], abs=0.0051)
        else:
            assert row[5] == dash
        assert float(row[7].replace(minus, "-")) == pytest.approx(100 * profile.drop[k], abs=0.0051)
        assert float(row[3]) == pytest.approx(profile.relative_cost[k], abs=5.1e-5)
    groups = opened.run(CELLS, "[data-part=groups] tbody tr")
    assert [row[0] for row in groups] == [f"class {name}" for name in worst.name[:8]]
    assert float(groups[0][2]) == pytest.approx(100 * worst.accuracy_drop[0], abs=0.0051)
    figures = {name: row for name, *row in opened.run(CELLS, "[data-part=figures] tbody tr")}
    assert figures["mean cost"][0] == quantity(point.cost, "MACs")
    assert figures["dearest sample costs"][0] == quantity(front.cost_within(0)[int(index)], "MACs")
    words = opened.text("[data-part=headline]")
    assert f"drop {100 * point.accuracy_drop:.2f} points at relative cost {point.relative_cost:.4f}" in words
    delivered = ds.evaluate(test, point.config)
    assert f"held-out samples get drop {100 * delivered.accuracy_drop:.2f} points" in words
    time.sleep(0.5)  # what is spoken waits until the hand rests
    assert opened.text("[data-part=spoken]") == words


def test_two_points_stand_side_by_side(opened, front) -> None:
    selected(opened, [{"max_accuracy_drop": 0.01}])
    opened.one("[data-act=pin]").click()
    selected(opened, [{"max_accuracy_drop": 0.03}])
    opened.one("[data-act=pin]").click()
    one, two = (front.select(max_accuracy_drop=drop) for drop in (0.01, 0.03))
    text = opened.text("[data-part=pins]")
    for point in (one, two):
        assert f"{100 * point.accuracy_drop:.2f} points" in text
        assert f"{point.relative_cost:.4f}" in text
    assert len(opened.driver.find_elements("css selector", ".pinned-card .bars")) == 2
    opened.one(".pinned-card button").click()
    assert opened.one(".explorer").get_attribute("data-index") == str(index_of(front, one.config))
    opened.one("button[aria-label='Unpin pinned point A']").click()
    assert len(opened.driver.find_elements("css selector", ".pinned-card")) == 1


@pytest.mark.parametrize("up", ["drop", "accuracy"])
@pytest.mark.parametrize("across", ["relative", "cost", "saved"])
def test_a_limit_is_dragged_and_a_point_is_clicked(opened, front, up, across) -> None:
    from selenium.webdriver import ActionChains

    opened.run(CHOOSE, {"y": up, "x": across})
    knob = opened.one(".grip.up .reach")
    ActionChains(opened.driver, duration=0).move_to_element(knob).click_and_hold().move_by_offset(
        0, 60
    ).release().perform()
    limit = opened.one("[data-limit=accuracy] [data-field=text]").get_property("value")
    assert 0.015 < float(limit) / 100 < 0.05
    assert opened.one(".explorer").get_attribute("data-index") == expected(
        front, {"max_accuracy_drop": float(limit + "e-2")}
    )
    spot = opened.run(
        "const own = document.querySelector('.curve.own').getPointAtLength(900); const box = "
        "document.querySelector('.plot').getBoundingClientRect(); return [box.left + own.x, box.top + own.y];"
    )
    mouse = ActionChains(opened.driver, duration=0)
    mouse.w3c_actions.pointer_action.move_to_location(*map(int, spot))
    mouse.w3c_actions.pointer_action.click()
    mouse.perform()
    line: dict[str, object] = {"front": front}
    exec(opened.text("[data-part=python]"), line)
    index = int(opened.one(".explorer").get_attribute("data-index"))
    assert line["point"].config == front[index].config


def test_a_finger_drags_a_limit_on_a_phone(opened, front) -> None:
    opened.resize(400, 800)
    opened.run("document.querySelector('.grip.up .reach').scrollIntoView({block: 'center'})")
    opened.settle()
    place = opened.run(
        "const box = document.querySelector('.grip.up .reach').getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + box.height / 2]"
    )
    top = opened.run("return scrollY")
    for kind, down in (("touchStart", 0), ("touchMove", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", None)):
        points = [] if down is None else [{"x": place[0], "y": place[1] + down}]
        opened.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    limit = opened.one("[data-limit=accuracy] [data-field=text]").get_property("value")
    assert float(limit) > 2
    assert opened.run("return scrollY") == top
    assert opened.one(".explorer").get_attribute("data-index") == expected(
        front, {"max_accuracy_drop": float(limit + "e-2")}
    )


def test_every_control_is_reached_by_the_keyboard_and_has_a_name(opened) -> None:
    from selenium.webdriver import Keys

    shown = opened.run(
        "return [...document.querySelectorAll('button, select, input, summary, a[href], [tabindex=\"0\"]')]"
        ".filter((node) => !node.disabled && node.checkVisibility()).length"
    )
    body = opened.one("body")
    reached = set()
    for _ in range(shown + 2):
        opened.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(opened.driver.switch_to.active_element.id)
    assert len(reached - {body.id}) == shown
    tree = opened.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"button", "slider", "checkbox", "combobox", "textbox", "link", "image", "region"}
    parts = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert {role for role, _ in parts} == roles
    assert [part for part in parts if not part[1].strip()] == []


def test_arrows_move_the_limit(opened, front) -> None:
    from selenium.webdriver import Keys

    slider = opened.one("[data-limit=accuracy] [data-field=slider]")
    slider.send_keys(Keys.ARROW_RIGHT)
    slider.send_keys(Keys.ARROW_RIGHT)
    assert opened.one("[data-limit=accuracy] [data-field=text]").get_property("value") == "1.02"
    assert slider.get_attribute("aria-valuetext") == "1.02 points"
    assert opened.one(".explorer").get_attribute("data-index") == expected(front, {"max_accuracy_drop": 0.0102})
    before = int(opened.one(".explorer").get_attribute("data-index"))
    opened.one("[data-act=cheaper]").send_keys(Keys.ENTER)
    cheaper = int(opened.one(".explorer").get_attribute("data-index"))
    opened.one("[data-act=dearer]").send_keys(Keys.ENTER)
    after = int(opened.one(".explorer").get_attribute("data-index"))
    assert cheaper < before == after


@pytest.mark.parametrize(
    ("text", "limit"),
    [("0,5", 0.005), ("0.7", 0.007), ("7e-1", 0.007), (" 1 ", 0.01), ("\u22120.1", -0.001), (".5", 0.005)],
)
def test_numbers_are_read_as_people_write_them(opened, front, text, limit) -> None:
    found = opened.run(SELECT, [[["accuracy", "max_accuracy_drop", text, None]]])[0]
    assert found[0] == expected(front, {"max_accuracy_drop": limit})
    assert not found[2] or found[2].endswith(f"max_accuracy_drop={limit})")


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "0.5 points", "--1", "1e999"])
def test_what_is_no_number_selects_nothing_and_says_so(opened, text) -> None:
    assert opened.run(SELECT, [[["accuracy", "max_accuracy_drop", text, None]]])[0] == ["", "", ""]
    assert "is no number" in opened.text("[data-part=headline]")
    assert opened.one("[data-limit=accuracy] [data-field=text]").get_attribute("aria-invalid") == "true"


@pytest.mark.parametrize(
    ("name", "text"), [("max_accuracy_drop", "100"), ("max_accuracy_drop", "-100"), ("min_accuracy", "101")]
)
def test_what_select_refuses_selects_nothing(opened, front, name, text) -> None:
    with pytest.raises(ds.FrontError):
        front.select(**{name: float(text) / 100})
    assert opened.run(SELECT, [[["accuracy", name, text, None]]])[0] == ["", "", ""]
    assert f"\u201c{text}\u201d is out of range" in opened.text("[data-part=headline]")


def test_limits_beyond_reach_say_what_is_closest(opened, front) -> None:
    assert selected(opened, [{"max_accuracy_drop": -0.5}])[0][0] == ""
    words = opened.text("[data-part=headline]")
    assert words.startswith("No point of this front is within these limits. The most accurate has drop ")
    assert f"relative cost {front.relative_cost[front.accuracy_drop.argmin()]:.4f}" in words
    opened.run("document.querySelectorAll('[data-field=on]').forEach((box) => { if (box.checked) box.click(); })")
    assert "No limit is set" in opened.text("[data-part=headline]")


def test_layers_and_views(opened) -> None:
    names = opened.run(
        "return [...document.querySelectorAll('[data-part=layers] label')].map((one) => one.textContent)"
    )
    assert names == [
        "front, expected", "held-out, observed", "exit shares", "patience, observed", "one exit for everybody",
        "certified point", "final exit alone",
    ]  # fmt: skip
    count = "return document.querySelectorAll('.plot .curve').length"
    assert opened.run(count) == 4
    opened.run("document.querySelectorAll('[data-part=layers] input')[1].click()")
    assert opened.run(count) == 3
    opened.run(CHOOSE, {"region": "all"})
    assert "NaN" not in opened.run("return document.querySelector('.plot').outerHTML")


def test_costs_are_drawn_where_they_are(browser, front, halves, tmp_path) -> None:
    """Of a network that costs twice as much, half of it was drawn as half of this front's network."""
    costs = replace(front.costs, backbone=2 * front.costs.backbone, head=2 * front.costs.head)
    twice = front.evaluate(replace(halves[0], costs=costs))
    once = front.evaluate(halves[0])
    front.explore(tmp_path / "page.html", others={"once": once, "twice": twice})
    browser.open(tmp_path / "page.html")
    path = "return document.querySelector(`.plot .curve.${arguments[0]}`).getAttribute('d')"
    for across, times in (("relative", 1), ("cost", 2)):
        browser.run(CHOOSE, {"x": across, "region": "all"})
        drawn = (re.findall(r"[MH]([-.\d]+)", browser.run(path, look)) for look in ("look-2", "look-3"))
        one, other = (np.array(found, np.float64) for found in drawn)
        assert (other - other[0]) == pytest.approx(times * (one - one[0]), abs=0.4)


def test_light_and_dark(browser, page) -> None:
    back = "return getComputedStyle(document.body).backgroundColor"
    browser.open(page, dark=True)
    dark = browser.run(back)
    browser.one("[data-act=theme]").click()
    light = browser.run(back)
    assert light == "rgb(255, 255, 255)" != dark
    browser.open(page, dark=False)
    assert browser.run(back) == light
    browser.one("[data-act=theme]").click()
    assert browser.run(back) == dark


@pytest.mark.filterwarnings("ignore:the held-out records are the samples searched on")
def test_names_are_text_and_long_ones_leave_a_phone_its_width(browser, tmp_path) -> None:
    records = ds.synthetic_records(800, positions=2, types=2, seed=0)
    costs = ds.ExitCosts(
        backbone=records.costs.backbone, head=records.costs.head, position=records.costs.position, unit=EVIL,
        names=[EVIL, LONG, "$$", "\u202e\u2028'\"`", "end"],
    )  # fmt: skip
    named = ds.ExitRecords(
        confidence=records.confidence, score=records.score, costs=costs,
        group=np.array([EVIL, LONG] * 400), source=EVIL,
    )  # fmt: skip
    front = ds.search(named, solver="exit_shares")
    front.explore(tmp_path / "names.html", held_out=named, others={EVIL: front, LONG: front}, title=EVIL + LONG)
    browser.open(tmp_path / "names.html", width=400)
    browser.one("[data-act=pin]").click()
    assert browser.run("return window.broken") is None
    assert browser.run("return document.images.length") == 0
    assert browser.driver.title.startswith(EVIL)
    assert EVIL in browser.text("[data-part=groups]")
    assert EVIL in browser.text("[data-part=layers]")
    assert EVIL in browser.one("[data-part=config]").get_property("value").replace('\\"', '"')
    for width in (400, 320, 1000, 1400):
        browser.resize(width, 800)
        assert browser.run("return document.documentElement.scrollWidth - innerWidth") <= 0, width
    assert browser.complaints() == []
    assert browser.requests() == []


def test_the_page_may_not_ask_for_anything(browser, page) -> None:
    browser.open(page)
    answer = browser.driver.execute_async_script(
        "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done('sent'), () => done('refused'))"
    )
    assert answer == "refused"
    assert any("Content Security Policy" in line for line in browser.complaints())
