"""Pictures: what is drawn, that nothing is cut off, and that no global state is touched."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

import dyce_search as ds
from dyce_search.drawing import axes, configs
from dyce_search.drawing.trade_off import Mark, Series, region


@pytest.fixture(scope="module")
def records() -> ds.ExitRecords:
    return ds.load_example().subset(np.arange(2000))


@pytest.fixture(scope="module")
def front(records: ds.ExitRecords) -> ds.ParetoFront:
    return ds.search(records, solver="exit_shares")


@pytest.fixture(scope="module")
def held_out(front: ds.ParetoFront) -> ds.Curve:
    return front.evaluate(ds.load_example("test"))


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def line(ax: Axes, label: str) -> tuple[list[float], list[float]]:
    found = next(line for line in ax.get_lines() if line.get_label() == label)
    return list(found.get_xdata()), list(found.get_ydata())


def tick_labels(axis: Axis) -> list[Text]:
    """Those that are in view."""
    low, high = axis.get_view_interval()
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def require_nothing_cut_off(ax: Axes) -> None:
    """Axis labels, tick labels, legend and notes lie within the figure, the legend and the notes within the axes."""
    figure = ax.figure
    figure.canvas.draw()
    texts = [ax.xaxis.label, ax.yaxis.label, *tick_labels(ax.xaxis), *tick_labels(ax.yaxis)]
    for text in texts:
        box = text.get_window_extent()
        assert figure.bbox.x0 - 1 <= box.x0, text
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert figure.bbox.y0 - 1 <= box.y0, text
        assert box.y1 <= figure.bbox.y1 + 1, text
    for inside in (ax.get_legend(), *ax.texts):
        assert inside is not None
        box, frame = inside.get_window_extent(), ax.get_window_extent()
        assert frame.x0 - 1 <= box.x0, inside
        assert box.x1 <= frame.x1 + 1, inside
        assert box.y1 <= frame.y1 + 1, inside


def require_ticks_apart(ax: Axes) -> None:
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in tick_labels(ax.xaxis)]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_front_draws_the_figures_it_has(front: ds.ParetoFront) -> None:
    ax = front.plot(static_exits=False)
    assert labels(ax) == ["front", "final exit alone (93.3 %)"]
    cost, drop = line(ax, "front")
    assert cost == front.relative_cost.tolist()
    assert drop == pytest.approx((100 * front.accuracy_drop).tolist())
    low, high = ax.get_ylim()
    assert low > high  # no drop is at the top
    assert 5 < low < 5.5
    assert -1 < high < 0


def test_front_draws_all_that_is_asked_for(front: ds.ParetoFront, held_out: ds.Curve, records: ds.ExitRecords) -> None:
    point = front.select(max_accuracy_drop=0.01)
    other = ds.search(records, solver="same_threshold")
    safe = front.select(max_accuracy_drop=0.002)
    ax = front.plot(label="shares", others={"one threshold": other}, held_out=held_out, selected=point, certified=safe)
    row, certain = [next(k for k, one in enumerate(front) if one == found) for found in (point, safe)]
    assert labels(ax) == [
        "shares: promised (expected)",
        "shares: delivered (observed)",
        "one threshold (expected)",
        "one exit for everybody",
        "final exit alone (93.3 %, held-out 92.9 %)",
        *(
            f"{name}: cost {one.relative_cost:.3f}, drop {100 * one.accuracy_drop:.2f}, "
            f"delivered {100 * held_out[k].accuracy_drop:.2f}"
            for name, one, k in (("selected", point, row), ("certified", safe, certain))
        ),
    ]
    assert {text.get_text() for text in ax.texts} == {"selected", "certified"}
    assert line(ax, labels(ax)[5]) == ([point.relative_cost], [100 * point.accuracy_drop])
    assert sorted(line(ax, "shares: delivered (observed)")[1]) == pytest.approx(sorted(100 * held_out.accuracy_drop))
    cost, drop = line(ax, "one exit for everybody")
    assert cost == (records.costs.alone[:-1] / records.costs.baseline).tolist()
    assert drop == pytest.approx((100 * (front.baseline_accuracy - front.exit_accuracy[:-1])).tolist())
    assert ax.get_ylabel() == "accuracy drop (points)"
    assert len(ax.collections) == 1  # the gap


def test_a_certified_point_is_named_with_its_figures_of_the_front(front: ds.ParetoFront, held_out: ds.Curve) -> None:
    calibration, others = ds.load_example("test").split(0.5, seed=0)
    point = front.certify(calibration, max_accuracy_drop=0.03)
    ax = front.plot(certified=point, held_out=front.evaluate(others))
    here = next(one for one in front if one.config == point.config)
    assert here.accuracy_drop != point.accuracy_drop
    assert f"certified: cost {here.relative_cost:.3f}, drop {100 * here.accuracy_drop:.2f}, " in labels(ax)[-1]
    assert labels(front.plot(certified=point, selected=here))[-1].startswith("selected and certified: cost ")


def test_a_point_of_elsewhere_has_its_own_figures(front: ds.ParetoFront, held_out: ds.Curve) -> None:
    point = ds.evaluate(ds.load_example("test"), ds.ExitConfig.none(15))
    other = ds.ParetoFront.from_configs(ds.load_example("test"), [ds.ExitConfig.none(15)])[0]
    assert other.cost == point.cost
    assert labels(front.plot(selected=other, held_out=held_out))[-1] == "selected: cost 1.000, drop 0.00"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop_limit": 5}, r"drop_limit must lie in \(0, 1\] or be None, got 5: 0.05 is five points"),
        ({"drop_limit": "x"}, r"drop_limit must lie in \(0, 1\]"),
        ({"held_out": 3}, r"held_out must be a Curve, got int: front.evaluate\(records\) measures them"),
        ({"selected": 3}, "selected must be an OperatingPoint, got int: select and certify give one"),
        ({"certified": "x"}, "certified must be an OperatingPoint, got str"),
    ],
)
def test_wrong_options(front: ds.ParetoFront, options: dict[str, object], message: str) -> None:
    with pytest.raises(ds.FrontError, match=message):
        front.plot(**options)  # type: ignore[arg-type]


def test_held_out_figures_of_another_front(front: ds.ParetoFront) -> None:
    other = ds.ParetoFront.from_configs(ds.load_example("test"), [ds.ExitConfig.none(15)])
    with pytest.raises(
        ds.FrontError, match=r"held_out must have the \d+ configurations of this curve, got 1: front.ev"
    ):
        front.plot(held_out=other)


def test_an_inset_shows_the_whole_where_there_is_room(front: ds.ParetoFront) -> None:
    ax = front.plot()
    (inset,) = ax.child_axes
    assert inset.get_xlim()[0] == 0
    assert inset.get_xlim()[1] > 1
    assert inset.get_ylim()[0] > 100 * (front.baseline_accuracy - front.exit_accuracy.min())
    assert front.plot(axes.new_axes(3.3, 2.5)).child_axes == []
    everything = front.plot(drop_limit=None)
    assert everything.child_axes == []
    assert everything.get_xlim()[1] > 1
    assert everything.get_ylim()[0] > 100 * (front.baseline_accuracy - front.exit_accuracy.min())


def test_no_inset_covers_a_curve(front: ds.ParetoFront) -> None:
    """A front that rises late runs through its corner."""
    costs = front.costs
    late = ds.RulePoints(
        name="late", costs=costs, setting={}, cost=np.array([0.1, 0.25, 0.28, 0.6]) * costs.baseline,
        accuracy=front.baseline_accuracy - np.array([0.049, 0.048, 0.03, 0]), baseline_accuracy=front.baseline_accuracy,
    )  # fmt: skip
    assert front.plot(others={"late": late}).child_axes == []


def test_curves_of_other_scores_say_so(front: ds.ParetoFront, held_out: ds.Curve) -> None:
    ax = front.plot(label="mine", others={"there": held_out}, static_exits=False)
    assert ax.get_ylabel() == "accuracy drop (points)"
    assert [line.get_label() for line in ax.get_lines()[:2]] == ["mine (expected)", "there (observed)"]
    assert line(ax, "there (observed)")[1] == pytest.approx(
        (100 * held_out.accuracy_drop).tolist()
    )  # its own final exit


def test_curves_of_one_name_are_all_drawn(front: ds.ParetoFront) -> None:
    assert labels(front.plot(others={"front": front}, static_exits=False))[:2] == ["front", "front"]


def test_curves_have_different_colours_and_styles(front: ds.ParetoFront) -> None:
    ax = front.plot(others={str(k): front for k in range(9)}, static_exits=False)
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.get_lines()[:10]}
    assert len(looks) == 10


def test_unit_is_on_the_axis(records: ds.ExitRecords) -> None:
    costs = records.costs
    timed = ds.ExitCosts(backbone=costs.backbone, head=costs.head, position=costs.position, unit="ms")
    timed_records = ds.ExitRecords(confidence=records.confidence, score=records.score, costs=timed)
    ax = ds.ParetoFront.from_configs(timed_records, [ds.ExitConfig.none(15)]).plot()
    assert ax.get_xlabel() == "mean cost, relative (ms)"
    assert ax.get_ylabel() == "accuracy drop, observed (points)"


@pytest.mark.parametrize("size", [(6.4, 4.4), (3.3, 2.5)])
def test_front_fits_notebook_and_column(
    front: ds.ParetoFront, held_out: ds.Curve, records: ds.ExitRecords, size: tuple[float, float]
) -> None:
    ax = axes.new_axes(*size)
    others = {"one threshold": ds.search(records, solver="same_threshold")}
    drawn = front.plot(ax, others=others, held_out=held_out, selected=front.select(max_accuracy_drop=0.01))
    assert drawn is ax
    require_nothing_cut_off(ax)
    require_ticks_apart(ax)


def series(cost: list[float], drop: list[float]) -> Series:
    return Series(name="x", cost=np.array(cost), accuracy=0.9 - np.array(drop), baseline=0.9)


def test_the_region_is_where_points_are_chosen() -> None:
    """From where the curve comes within the limit to where it has become flat."""
    curve = series([0.05, 0.1, 0.2, 0.3, 0.9], [0.3, 0.049, 0.01, 0.0003, 0.0])
    seen = region([curve], (), 0.05)
    assert 0.09 < seen.cheapest < 0.1
    assert 0.3 < seen.dearest < 0.33
    assert 0.049 < seen.largest < 0.052
    assert -0.004 < seen.least < 0
    assert region([curve], (), None).largest > 0.3


def test_marks_are_in_the_region() -> None:
    curve = series([0.1, 0.2], [0.04, 0.0])
    far = Mark(name="selected", promised=(0.8, 0.06), delivered=(0.02, -0.03))
    seen = region([curve], [far], 0.05)
    assert seen.cheapest < 0.02
    assert seen.dearest > 0.8
    assert seen.least < -0.03
    assert seen.largest > 0.06


def test_curves_beyond_the_limit_do_not_count_but_where_all_are() -> None:
    good, bad = series([0.1, 0.2], [0.04, 0.0]), series([0.05, 0.9], [0.4, 0.3])
    assert region([good, bad], (), 0.05) == region([good], (), 0.05)
    assert region([bad], (), 0.05).largest > 0.4


def test_one_point_has_a_region() -> None:
    seen = region([series([1.0], [0.0])], (), 0.05)
    assert seen.cheapest < 1 < seen.dearest
    assert seen.least < 0 < seen.largest


def test_config_draws_shares_thresholds_and_costs(records: ds.ExitRecords) -> None:
    config = ds.ExitConfig(candidate=[2, -1, 1] + [-1] * 12, threshold=[0.75, 0, -np.inf] + [0.0] * 12)
    ax = ds.plot_config(records, config)
    result = ds.evaluate(records, config)
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(100 * result.exit_share[[0, 2, 15]])
    assert [text.get_text() for text in ax.texts] == ["> 0.75", "all"]
    assert labels(ax) == ["conv32_linear", "gap2_mlp64", "final exit"]
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks == ["0\n(0.08)", "2\n(0.20)", "final\n(1.02)"]


@pytest.mark.parametrize("size", [(6.4, 4.4), (3.3, 2.5)])
@pytest.mark.parametrize("everybody", [False, True])
def test_config_of_15_exits_fits_notebook_and_column(
    records: ds.ExitRecords, size: tuple[float, float], everybody: bool
) -> None:
    threshold = np.linspace(0.999, 0.501, 15)
    config = ds.ExitConfig(candidate=np.arange(15) % 3, threshold=threshold - 2 * everybody)
    ax = axes.new_axes(*size)
    assert ds.plot_config(records, config, ax) is ax
    require_nothing_cut_off(ax)
    require_ticks_apart(ax)


@pytest.mark.parametrize("size", [(6.4, 4.4), (3.3, 2.5)])
def test_config_of_50_positions_fits(size: tuple[float, float]) -> None:
    ax = axes.new_axes(*size)
    share = np.linspace(2, 1, 51)
    configs.draw_config(
        ax,
        names=[None if p % 7 == 6 else f"type{p % 3}" for p in range(50)],
        threshold=np.linspace(0.999, 0.001, 50, dtype=np.float32),
        exit_share=share / share.sum(),
        relative_cost=np.linspace(0.1, 1.1, 51),
    )
    require_nothing_cut_off(ax)
    require_ticks_apart(ax)


def test_exits_of_a_model_are_told_apart_by_type(records: ds.ExitRecords) -> None:
    costs = records.costs
    names = [f"blocks.{p}/{name}" for p, name in zip(costs.position[:-1], costs.names[:-1], strict=True)] + ["final"]
    named = ds.ExitCosts(backbone=costs.backbone, head=costs.head, position=costs.position, names=names)
    assert named.types == costs.names
    named_records = ds.ExitRecords(confidence=records.confidence, score=records.score, costs=named)
    config = ds.ExitConfig(candidate=[2, -1, 1, 2] + [-1] * 11, threshold=[0.75] * 15)
    assert labels(ds.plot_config(named_records, config)) == ["conv32_linear", "gap2_mlp64", "final exit"]
    assert ds.marginal_value(named_records, by="type", effort="fast").without == (
        "gap_linear",
        "gap2_mlp64",
        "conv32_linear",
    )
    assert labels(ds.exit_auroc(named_records).plot()) == ["gap_linear", "gap2_mlp64", "conv32_linear", "final exit"]


def test_config_without_exits(records: ds.ExitRecords) -> None:
    ax = ds.plot_config(records, ds.ExitConfig.none(15))
    assert [bar.get_height() for bar in ax.patches] == [100]
    assert labels(ax) == ["final exit"]


def test_config_of_another_network(records: ds.ExitRecords) -> None:
    with pytest.raises(ds.ConfigError, match="the configuration has 3 positions, the network 15"):
        ds.plot_config(records, ds.ExitConfig.none(3))


def test_no_global_state_is_touched(front: ds.ParetoFront, records: ds.ExitRecords) -> None:
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    front.plot()
    ds.plot_config(records, front[0].config)
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_a_notebook_shows_each_picture_once(monkeypatch: pytest.MonkeyPatch, front: ds.ParetoFront) -> None:
    import matplotlib.pyplot as plt

    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a kernel does
    plt.switch_backend("agg")
    try:
        ax = front.plot()
        assert plt.get_fignums() == [1]  # which the notebook shows when the cell ends
        assert ax.figure is plt.figure(1)
        assert axes.to_png(ax).startswith(b"\x89PNG")  # as for a report, which shows it itself
        assert plt.get_fignums() == []
    finally:
        plt.close("all")


def test_draws_on_a_part_of_a_figure(front: ds.ParetoFront, records: ds.ExitRecords) -> None:
    left, right = Figure(figsize=(9, 3), layout="constrained").subfigures(1, 2)
    ax = left.subplots()
    assert front.plot(ax) is ax
    ax = right.subplots()
    assert ds.plot_config(records, front[0].config, ax) is ax
