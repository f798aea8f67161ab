"""What the page of a front holds: every figure, to the bit where it decides, and against the slow functions."""

import base64
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.drawing.style import COLORS, DARK_COLORS
from dyce_search.explorer.accounts import MOST_GROUPS, Accounts
from dyce_search.explorer.content import explorer_content
from dyce_search.explorer.packing import packed, packed_repeats, packed_sums
from dyce_search.explorer.view import SCRIPTS, data_block, page_head
from tests.strategies import records_and_configs

DATA = Path(__file__).parents[2] / "data"


def unpacked(entry):
    return np.frombuffer(base64.b64decode(entry["data"]), "<" + entry["type"])


@given(st.lists(st.floats(width=32)), st.lists(st.floats()), st.lists(st.integers(0, 2**32 - 1)))
def test_arrays_come_back_as_they_were(singles, doubles, integers):
    for array in (np.array(singles, np.float32), np.array(doubles, np.float64), np.array(integers, np.int64)):
        found = unpacked(packed(array))
        assert found.astype(array.dtype).tobytes() == array.tobytes()
    finite = np.nan_to_num(np.array(doubles, np.float64))
    repeats = packed_repeats(finite)
    assert unpacked(repeats["values"])[unpacked(repeats["which"])].tolist() == finite.tolist()


def test_sums_of_right_answers_take_few_bytes():
    assert packed_sums(np.array([3.0, 200.0]))["type"] == "u1"
    assert packed_sums(np.array([3.0, 0.5]))["type"] == "f4"


@given(records_and_configs(by_sample=False))
def test_accounts_are_those_of_the_profiles(drawn):
    records, configs = drawn
    front = ds.ParetoFront.from_configs(records, configs)
    accounts = Accounts.of(front, records)
    for k, point in enumerate(front):
        profile = ds.exit_profile(records, point.config)
        used = profile.position
        assert accounts.left[k].sum() == records.n_samples
        np.testing.assert_array_equal(accounts.left[k][used] / records.n_samples, profile.share)
        there = accounts.left[k][used] > 0
        means = (accounts.score[k][used][there], accounts.final[k][used][there])
        for sums, mean in zip(means, (profile.accuracy[there], profile.final_accuracy[there]), strict=True):
            np.testing.assert_allclose(sums / accounts.left[k][used][there], mean, rtol=1e-12)


@pytest.mark.parametrize("by", ["group", "label"])
def test_groups_are_the_worst_ones(small_example, by):
    rng = np.random.default_rng(0)
    parts = {by: rng.integers(0, 12, small_example.n_samples)}
    records = ds.ExitRecords(
        confidence=small_example.confidence, score=small_example.score, costs=small_example.costs, **parts
    )
    front = ds.search(small_example, solver="exit_shares")
    groups = Accounts.of(front.evaluate(records), records).groups
    assert groups.by == by
    for k in range(0, len(front), 5):
        worst = ds.worst_groups(records, front[k].config)
        assert groups.name[groups.which[k]].tolist() == worst.name[:MOST_GROUPS].tolist()
        assert groups.n_samples[groups.which[k]].tolist() == worst.n_samples[:MOST_GROUPS].tolist()
        np.testing.assert_allclose(groups.accuracy_drop[k], worst.accuracy_drop[:MOST_GROUPS])
        np.testing.assert_allclose(groups.standard_error[k], worst.standard_error[:MOST_GROUPS])


def test_groups_come_before_labels(records):
    config = ds.ExitConfig(candidate=[0, 0], threshold=[0.5, 0.5])
    front = ds.ParetoFront.from_configs(records, [config])
    assert Accounts.of(front, records).groups.by == "group"


@pytest.mark.parametrize("name", ["fashion_resnet15", "fashion_efficientnet_lite0"])
def test_files_are_small(name, tmp_path):
    """Both record sets that come with the repository, the larger half of each as the held-out one."""
    costs = DATA / f"{name}_macs.json"
    search, test = (ds.load_records(DATA / f"{name}_{part}.npz", costs=costs) for part in ("search", "test"))
    front = ds.search(test, effort="fast")
    front.explore(tmp_path / "plain.html")
    front.explore(tmp_path / "held.html", held_out=search)
    sizes = [(tmp_path / page).stat().st_size for page in ("plain.html", "held.html")]
    assert sizes[0] < 1e6
    assert sizes[1] < 2e6


def test_nothing_in_a_name_ends_the_data_or_begins_a_tag():
    block = data_block({"</script>": "<!--<script>&amp;\u2028\ud800"})
    assert len(re.findall("[<>&]", block.removeprefix('<script type="application/json" id="explorer-data">'))) == 2
    assert block.isascii()


def test_a_page_may_run_what_it_holds_and_load_nothing():
    head = page_head("<b>", ["a{}"], [])
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in head
    assert "script-src 'none'; base-uri 'none'; form-action 'none'" in head
    assert "<title>&lt;b&gt;</title>" in head
    assert "script-src 'sha256-" in page_head("", [], ["x"])


def test_the_colours_are_those_of_the_figures():
    style = files("dyce_search.explorer").joinpath("theme.css").read_text()
    assert [colour for colour in COLORS[:6] + DARK_COLORS[:6] if colour.lower() not in style] == []


def test_scripts_write_no_html_and_name_nothing_outside():
    for name in SCRIPTS:
        text = files("dyce_search.explorer").joinpath(f"{name}.js").read_text()
        assert text.isascii()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(|XMLHttp", text)
        assert [url for url in re.findall(r"https?://[^\"']+", text) if url != "http://www.w3.org/2000/svg"] == []
        assert len(text.splitlines()) <= 400


@pytest.fixture(scope="module")
def front(small_example):
    return ds.search(small_example, solver="exit_shares")


def test_a_curve_without_tails_or_disagreement_says_so(front):
    bare = ds.ParetoFront(
        costs=front.costs, candidate=front.candidate, threshold=front.threshold, accuracy=front.accuracy,
        cost=front.cost, exit_accuracy=front.exit_accuracy, n_samples=front.n_samples, records_digest="0" * 64,
    )  # fmt: skip
    content = explorer_content(
        bare, held_out=None, certificate=None, others=None, max_accuracy_drop=0.01, drop_limit=0.05
    )
    assert content["points"]["tail"] is None
    assert content["points"]["disagreement"] is None


def test_mistakes_are_named(front, small_example, records, tmp_path):
    path = tmp_path / "explorer.html"
    with pytest.raises(ds.RecordsError, match="held_out must be an ExitRecords, got str"):
        front.explore(path, held_out="test.npz")
    with pytest.raises(ds.ConfigError, match="another network"):
        front.explore(path, held_out=records)
    with pytest.raises(ds.FrontError, match="certificate must be a CertifiedPoint, got OperatingPoint"):
        front.explore(path, certificate=front[0])
    with pytest.raises(ds.FrontError, match="others must be a Mapping, got list"):
        front.explore(path, others=[front])
    with pytest.raises(ds.FrontError, match="fronts, curves or points of rules by name, got int for 'a'"):
        front.explore(path, others={"a": 3})
    with pytest.raises(ds.FrontError, match="title must be a str, got int"):
        front.explore(path, title=3)
    for limit in (np.nan, "1", True, None):
        with pytest.raises(ds.FrontError, match="max_accuracy_drop must be a number below 1, got"):
            front.explore(path, max_accuracy_drop=limit)
    with pytest.raises(ds.FrontError, match=r"drop_limit must be above 0, got 0: 0\.05"):
        front.explore(path, drop_limit=0)
    with pytest.raises(ds.FileFormatError, match="path must be a str"):
        front.explore(3)
    with pytest.raises(ds.FileFormatError, match="cannot write"):
        front.explore(tmp_path / "nowhere" / "explorer.html")
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_of_another_front_is_refused(tmp_path):
    search, calibration = ds.synthetic_records(4000, positions=3, types=1, seed=0).split(0.5, seed=0)
    front, other = (ds.search(search, solver=solver) for solver in ("exit_shares", "same_threshold"))
    point = other.certify(calibration, max_accuracy_drop=0.2)
    with pytest.raises(ds.FrontError, match="of a configuration of this front, got another one"):
        front.explore(tmp_path / "explorer.html", certificate=point)
    with pytest.raises(ds.ConfigError, match="another network"):
        ds.search(ds.load_example("test"), solver="exit_shares").explore(tmp_path / "x.html", certificate=point)
