"""Diagnostics against twins that go sample by sample, and their pictures."""

import math
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.analysis.optimism import smooth
from dyce_search.drawing import axes
from dyce_search.expected import searched
from tests import observed, oracles
from tests.drawing.test_plot import require_nothing_cut_off, require_ticks_apart
from tests.strategies import exit_configs, exit_records


@pytest.fixture(scope="module")
def halves():
    return ds.load_example().subset(np.arange(6000)).split(0.5, seed=0)


@pytest.fixture(scope="module")
def front(halves):
    return observed.search(halves[0], effort="fast", progress=False)


def few_points(front, every=40):
    """Some points of a front, as a front."""
    kept = slice(0, None, every)
    return ds.ParetoFront(
        costs=front.costs,
        candidate=front.candidate[kept],
        threshold=front.threshold[kept],
        accuracy=front.accuracy[kept],
        cost=front.cost[kept],
        exit_accuracy=front.exit_accuracy,
        n_samples=front.n_samples,
        records_digest=front.records_digest,
    )


class TestOptimism:
    def test_is_what_evaluate_says(self, front, halves):
        result = ds.optimism(front, halves[1])
        for f in (0, len(front) // 2, len(front) - 1):
            there = ds.evaluate(halves[1], front[f].config)
            assert result.promised_drop[f] == front[f].accuracy_drop
            assert result.delivered_drop[f] == there.accuracy_drop
            assert result.delivered_cost[f] == there.relative_cost
        assert result.gap == pytest.approx(result.delivered_drop - result.promised_drop)
        accurate = result.promised_drop < 0.02
        assert 0.002 < result.gap[accurate].mean() < 0.03  # 3,000 samples: about a point too much is promised
        assert (result.n_search, result.n_held_out) == (3000, 3000)
        assert list(result.to_frame().columns)[-2:] == ["gap", "smooth_gap"]

    def test_needs_other_samples(self, front, halves):
        with pytest.raises(ds.FrontError, match=r"held_out must hold other samples .* got the same ones"):
            ds.optimism(front, halves[0])

    def test_needs_a_front_and_records_of_its_network(self, front, halves, records):
        with pytest.raises(ds.ConfigError, match="they belong to another network"):
            ds.optimism(front, records)
        with pytest.raises(ds.FrontError, match="front must be a ParetoFront, got Curve"):
            ds.optimism(front.evaluate(halves[1]), halves[1])
        with pytest.raises(ds.RecordsError, match="held_out must be an ExitRecords, got NoneType"):
            ds.optimism(front, None)

    @given(
        st.lists(st.tuples(st.integers(1, 40), st.integers(-5, 5)), min_size=1, max_size=20),
        st.lists(st.integers(1, 40), min_size=1, max_size=5),
    )
    def test_smooth_is_a_mean_over_neighbours(self, points, wanted):
        key, values = np.array(points, float).T
        found = smooth(key, values, np.array(wanted, float))
        for at, value in zip(wanted, found, strict=True):
            near = [v for k, v in points if at * (1 - 0.1) <= k <= at * (1 + 0.1)]
            if near:
                assert value == pytest.approx(sum(near) / len(near), abs=1e-12)
            else:
                closest = min(abs(k - at) for k, _ in points)
                assert value in {v for k, v in points if abs(k - at) == closest}


class TestBand:
    def resampled(self, front, records, resamples, seed, groups=None):
        """The same draws, each as records of its own, measured by `evaluate`."""
        rng = np.random.default_rng(seed)
        groups = np.arange(records.n_samples) if groups is None else groups
        names = np.unique(groups)
        for _ in range(resamples):
            drawn = names[rng.integers(0, len(names), len(names))]
            index = np.concatenate([np.flatnonzero(groups == name) for name in drawn])
            yield front.evaluate(records.subset(index))

    @pytest.mark.parametrize("grouped", [False, True])
    def test_equals_measuring_every_resample(self, front, halves, grouped):
        some = few_points(front)
        groups = np.array([f"scene {i // 7}" for i in range(500)]) if grouped else None
        part = halves[1].subset(np.arange(500))
        records = ds.ExitRecords(confidence=part.confidence, score=part.score, costs=part.costs, group=groups)
        band = ds.bootstrap_band(some, records, level=0.8, resamples=30, seed=5)
        curves = list(self.resampled(some, records, 30, 5, groups))
        for found, values in (
            (band.accuracy_bounds, [curve.accuracy for curve in curves]),
            (band.drop_bounds, [curve.accuracy_drop for curve in curves]),
            (band.relative_cost_bounds, [curve.relative_cost for curve in curves]),
        ):
            np.testing.assert_allclose(found, np.quantile(values, (0.1, 0.9), axis=0), atol=2e-6)

    def test_blocks_change_nothing(self, front, halves, monkeypatch):
        whole = ds.bootstrap_band(few_points(front), halves[1])
        monkeypatch.setattr(sys.modules["dyce_search.analysis.optimism"], "BLOCK_BYTES", 8 * 3000 * 2)
        blocks = ds.bootstrap_band(few_points(front), halves[1])
        np.testing.assert_allclose(blocks.drop_bounds, whole.drop_bounds, atol=5e-6)  # float32 sums

    def test_the_final_exit_alone_never_drops(self, halves):
        none = ds.ParetoFront.from_configs(halves[0], [ds.ExitConfig.none(15)])
        band = ds.bootstrap_band(none, halves[1])
        assert band.drop_bounds.tolist() == [[0], [0]]
        assert np.ptp(band.accuracy_bounds) > 0.005

    def test_holds_the_figures_and_narrows_with_the_drop(self, front, halves):
        band = ds.bootstrap_band(front, halves[1])
        assert (band.accuracy_bounds[0] <= band.accuracy).all()
        assert (band.accuracy <= band.accuracy_bounds[1]).all()
        assert np.ptp(band.drop_bounds[:, -1]) < np.ptp(band.accuracy_bounds[:, -1])
        frame = band.to_frame()
        assert frame["accuracy_drop_low"].tolist() == band.drop_bounds[0].tolist()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"level": 1}, r"level must lie in \(0, 1\), got 1"),
            ({"level": "most"}, r"level must lie in \(0, 1\)"),
            ({"resamples": 1}, "resamples must be a whole number >= 2, got 1"),
            ({"seed": "x"}, "seed must be a whole number >= 0, got 'x'"),
        ],
    )
    def test_bad_options(self, front, halves, options, message):
        with pytest.raises(ds.FrontError, match=message):
            ds.bootstrap_band(front, halves[1], **options)


class TestProfile:
    @given(st.data())
    def test_equals_the_slow_twin(self, data):
        records = data.draw(exit_records())
        config = data.draw(exit_configs(records))
        profile = ds.exit_profile(records, config)
        left = [oracles.leave(records, config, i) for i in range(records.n_samples)]
        for k, p in enumerate(profile.position.tolist()):
            there = [i for i, (position, _, _) in enumerate(left) if position == p]
            assert profile.share[k] == len(there) / records.n_samples
            if there:
                assert profile.accuracy[k] == sum(left[i][1] for i in there) / len(there)
                assert profile.final_accuracy[k] == sum(float(records.score[-1, i]) for i in there) / len(there)
                assert profile.relative_cost[k] == pytest.approx(left[there[0]][2] / records.costs.baseline)
            else:
                assert math.isnan(profile.accuracy[k])
        assert profile.drop.sum() == pytest.approx(ds.evaluate(records, config).accuracy_drop, abs=1e-12)

    def test_names_and_table(self, front, halves):
        point = front.select(max_accuracy_drop=0.01)
        profile = ds.exit_profile(halves[1], point.config)
        assert len(profile.name) == point.config.n_exits + 1
        assert profile.name[-1] == "final"
        assert profile.to_frame()["share"].sum() == pytest.approx(1)


class TestFlow:
    def test_equals_evaluate(self, front, halves):
        flow = ds.exit_flow(front, halves[1])
        for f in (0, len(front) // 2, len(front) - 1):
            there = ds.evaluate(halves[1], front[f].config)
            np.testing.assert_array_equal(flow.share[f], there.exit_share)
            np.testing.assert_array_equal(flow.accuracy[f], there.exit_accuracy)
        frame = flow.to_frame()
        assert len(frame) == 16 * len(front)
        assert frame.groupby("point")["share"].sum().tolist() == pytest.approx([1] * len(front))

    def test_on_the_samples_searched_on(self, front, halves):
        np.testing.assert_array_equal(ds.exit_flow(front, halves[0]).relative_cost, front.relative_cost)


class TestGroups:
    @given(st.data())
    def test_equals_the_slow_twin(self, data):
        drawn = data.draw(exit_records())
        label = data.draw(st.lists(st.integers(0, 2), min_size=drawn.n_samples, max_size=drawn.n_samples))
        records = ds.ExitRecords(confidence=drawn.confidence, score=drawn.score, costs=drawn.costs, label=label)
        config = data.draw(exit_configs(records))
        result = ds.worst_groups(records, config)
        assert sorted(result.name.tolist()) == sorted(set(label))
        assert (np.diff(result.accuracy_drop) <= 0).all()
        for k, name in enumerate(result.name.tolist()):
            own = [i for i, entry in enumerate(label) if entry == name]
            left = [oracles.leave(records, config, i) for i in own]
            lost = [float(records.score[-1, i]) - right for i, (_, right, _) in zip(own, left, strict=True)]
            assert result.n_samples[k] == len(own)
            assert result.accuracy[k] == pytest.approx(sum(right for _, right, _ in left) / len(own))
            assert result.accuracy_drop[k] == pytest.approx(sum(lost) / len(own), abs=1e-12)
            paid = sum(cost for _, _, cost in left) / len(own)
            assert result.relative_cost[k] == pytest.approx(paid / records.costs.baseline)
            if len(own) > 1:
                expected = np.std(lost, ddof=1) / math.sqrt(len(own))
                assert result.standard_error[k] == pytest.approx(expected, abs=1e-12)
            else:
                assert math.isnan(result.standard_error[k])

    def test_groups_come_first_and_may_be_strings(self, records):
        config = ds.ExitConfig(candidate=[0, 0], threshold=[0.5, 0.5])
        result = ds.worst_groups(records, config)
        assert (result.by, len(result.name)) == ("group", 20)
        assert set(result.name.tolist()) == {f"scene {i}" for i in range(20)}
        assert ds.worst_groups(records, config, by="label").to_frame().columns[0] == "label"

    def test_what_cannot_be_parted(self, records, small_example):
        with pytest.raises(ds.RecordsError, match="these records have no label: build them with label="):
            ds.worst_groups(small_example, ds.ExitConfig.none(3))
        with pytest.raises(ds.RecordsError, match="by must be 'group' or 'label', got 'class'"):
            ds.worst_groups(records, ds.ExitConfig.none(2), by="class")


class TestMarginalValue:
    def test_equals_a_search_without_the_exits(self, small_example):
        value = ds.marginal_value(small_example)
        assert value.without == ("position 0", "position 1", "position 2")
        kept = [2, 3, 4, 5]  # position 0 has the first two exits
        costs = small_example.costs
        rest = ds.ExitRecords(
            confidence=small_example.confidence[kept],
            score=small_example.score[kept],
            costs=ds.ExitCosts(backbone=costs.backbone[1:], head=costs.head[kept], position=[0, 1, 1, 2]),
        )
        expected = ds.expected_scores(small_example, effort="fast")
        front = ds.search(rest, scores=expected[kept], caution=0.25, effort="fast")
        whole = ds.search(small_example, effort="fast")
        assert value.hypervolume == whole.hypervolume()
        assert value.loss[0] == whole.hypervolume() - front.hypervolume()
        dear, cheap = (found.select(max_accuracy_drop=0.01).relative_cost for found in (front, whole))
        assert value.extra_cost[0] == dear - cheap
        assert value.to_frame()["loss"].tolist() == value.loss.tolist()

    @pytest.mark.parametrize("n_samples", [1, 300])
    def test_searches_what_search_does(self, small_example, monkeypatch, n_samples):
        """Also where a part of the samples is searched, and where nothing can be learned."""
        monkeypatch.setattr(searched, "PART", 100)
        records = small_example.subset(range(n_samples))
        whole = ds.search(records, effort="fast")
        assert ds.marginal_value(records).hypervolume == whole.hypervolume()
        assert whole.n_samples == min(n_samples, 100)

    def test_by_exit_and_by_type(self, halves, small_example):
        costs = small_example.costs
        by_exit = ds.marginal_value(small_example, by="exit")
        assert by_exit.without == tuple(
            f"position {p}, {name}" for p, name in zip(costs.position[:-1], costs.names[:-1], strict=True)
        )
        by_type = ds.marginal_value(halves[0], by="type")
        assert by_type.without == ("gap_linear", "gap2_mlp64", "conv32_linear")

    def test_without_the_only_position_nothing_is_left(self):
        records = ds.synthetic_records(500, positions=1, types=2, seed=0)
        value = ds.marginal_value(records)
        assert value.loss.tolist() == [value.hypervolume]
        cheapest = ds.search(records, effort="fast").select(max_accuracy_drop=0.01)
        assert value.extra_cost.tolist() == [1 - cheapest.relative_cost]

    def test_a_twin_of_an_exit_is_worth_nothing(self):
        records = ds.synthetic_records(500, positions=1, types=1, seed=0)
        costs = ds.ExitCosts(
            backbone=records.costs.backbone,
            head=records.costs.head[[0, 0, 1]],
            position=[0, 0, 1],
            names=["a", "a", "b"],
        )
        doubled = ds.ExitRecords(confidence=records.confidence[[0, 0, 1]], score=records.score[[0, 0, 1]], costs=costs)
        value = ds.marginal_value(doubled, by="exit")
        assert value.without == ("position 0, a (0)", "position 0, a (1)")
        assert value.loss == pytest.approx([0, 0], abs=1e-12)

    def test_held_out(self, halves):
        records, held_out = (part.subset(np.arange(1000)) for part in halves)
        value = ds.marginal_value(records, by="type", held_out=held_out)
        front = ds.search(records, effort="fast")
        assert value.hypervolume == front.evaluate(held_out).hypervolume()
        assert (value.loss < value.hypervolume).all()

    def test_bad_options(self, small_example, records):
        with pytest.raises(ds.RecordsError, match="by must be 'position', 'exit' or 'type', got 'layer'"):
            ds.marginal_value(small_example, by="layer")
        with pytest.raises(ds.ConfigError, match="another network"):
            ds.marginal_value(small_example, held_out=records)
        with pytest.raises(ds.FrontError, match=r"max_accuracy_drop must be a number >= 0, got -0.1"):
            ds.marginal_value(small_example, max_accuracy_drop=-0.1)
        with pytest.raises(ds.FrontError, match="show must be 'extra_cost' or 'loss', got 'cost'"):
            ds.marginal_value(small_example).plot(show="cost")


class TestOracleGap:
    def test_lies_between_the_exits_alone_and_the_oracle(self, front, halves):
        gap = ds.oracle_gap(front, halves[1])
        known = ~np.isnan(gap.static_accuracy)
        assert known.mean() > 0.5
        assert (gap.static_accuracy[known] <= gap.oracle_accuracy[known] + 1e-12).all()
        assert (gap.accuracy <= gap.oracle_accuracy + 1e-12).all()
        low, high = ds.static_exits(halves[1]).hypervolume(), ds.oracle(halves[1]).hypervolume()
        held = front.evaluate(halves[1]).hypervolume()
        assert gap.share_closed == pytest.approx((held - low) / (high - low))
        assert gap.to_frame()["closed"].tolist() == pytest.approx(gap.closed.tolist(), nan_ok=True)

    def test_tossing_a_coin_between_two_exits(self, front, halves):
        gap, alone = ds.oracle_gap(front, halves[1]), ds.static_exits(halves[1])
        points = list(zip(alone.relative_cost.tolist(), alone.accuracy.tolist(), strict=True))
        for f in range(0, len(front), 60):
            at = float(gap.relative_cost[f])
            tosses = [
                a + (b - a) * (at - c) / (d - c) if d > c else max(a, b)
                for c, a in points
                for d, b in points
                if c <= at <= d
            ]
            tosses += [a for c, a in points if c <= at]
            if tosses:
                assert gap.static_accuracy[f] == pytest.approx(max(tosses), abs=1e-12)
            else:
                assert math.isnan(gap.static_accuracy[f])


@pytest.fixture(scope="module")
def pictures(front, halves):
    """By name, what draws each diagnostic of a real front."""
    search, test = halves
    config = front.select(max_accuracy_drop=0.01).config
    return {
        "optimism": ds.optimism(front, test).plot,
        "band": ds.bootstrap_band(front, test).plot,
        "flow": ds.exit_flow(front, test).plot,
        "profile": ds.exit_profile(test, config).plot,
        "groups": ds.worst_groups(test, config).plot,
        "marginal": ds.marginal_value(search.subset(np.arange(500)), n_jobs=1).plot,
        "gap": ds.oracle_gap(front, test).plot,
        "reliability": ds.reliability(test).plot,
        "auroc": ds.exit_auroc(test).plot,
    }


NAMES = ("optimism", "band", "flow", "profile", "groups", "marginal", "gap", "reliability", "auroc")


@pytest.mark.parametrize("size", [(6.4, 4.4), (3.3, 2.5)])
@pytest.mark.parametrize("name", NAMES)
def test_picture_fits_notebook_and_column(pictures, name, size):
    ax = axes.new_axes(*size)
    assert pictures[name](ax) is ax
    if name in ("marginal", "groups"):  # bars, whose names are long
        ax.figure.canvas.draw()
        names = [label for label in ax.get_yticklabels() if label.get_text()]
        for label in [ax.xaxis.label, *names]:
            box = label.get_window_extent()
            assert ax.figure.bbox.x0 - 1 <= box.x0
            assert box.x1 <= ax.figure.bbox.x1 + 1
        boxes = sorted((label.get_window_extent() for label in names), key=lambda box: box.y0)
        assert all(lower.y1 < upper.y0 + 1 for lower, upper in pairwise(boxes))
        return
    require_ticks_apart(ax)
    legend = ax.get_legend()
    if name in ("flow", "auroc"):  # a colour bar; a legend below the axes
        for artist in [ax.xaxis.label, ax.yaxis.label, *([legend] if legend else [])]:
            box = artist.get_window_extent()
            assert -1 <= box.x0 < box.x1 <= ax.figure.bbox.x1 + 1
            assert -1 <= box.y0 < box.y1 <= ax.figure.bbox.y1 + 1
    else:
        require_nothing_cut_off(ax)


@pytest.mark.parametrize("name", NAMES)
def test_picture_makes_its_own_axes_and_touches_nothing_global(pictures, name):
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    assert pictures[name]().get_xlabel()
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_flow_stacks_to_a_hundred(front, halves):
    ax = ds.exit_flow(front, halves[1]).plot()
    top = ax.collections[-1].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(100)
    assert len(ax.collections) == 16


def test_flow_of_many_points_is_drawn_as_means_over_slices(front, halves):
    flow = ds.exit_flow(front, halves[1])
    bottom = flow.plot().collections[0].get_paths()[0].vertices
    low, high = flow.relative_cost.min(), flow.relative_cost.max()
    bounds = np.linspace(low, high, 61)
    for k in (0, 30, 59):
        inside = (flow.relative_cost >= bounds[k]) & (flow.relative_cost < bounds[k + 1] + (k == 59))
        if inside.any():
            at = np.isclose(bottom[:, 0], (bounds[k] + bounds[k + 1]) / 2)
            assert bottom[at, 1].max() == pytest.approx(100 * flow.share[inside, 0].mean())


def test_flow_of_one_point(halves):
    none = ds.ParetoFront.from_configs(halves[0], [ds.ExitConfig.none(15)])
    assert len(ds.exit_flow(none, halves[1]).plot().collections) == 16
