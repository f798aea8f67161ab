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
from dyce_search.drawing import axes, configs, curves


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
    assert labels(ax) == ["front", "final exit alone"]
    cost, accuracy = line(ax, "front")
    assert cost == front.relative_cost.tolist()
    assert accuracy == (100 * front.accuracy).tolist()
    assert line(ax, "final exit alone") == ([1], [100 * front.baseline_accuracy])


def test_front_draws_all_that_is_asked_for(front: ds.ParetoFront, held_out: ds.Curve, records: ds.ExitRecords) -> None:
    point = front.select(max_accuracy_drop=0.01)
    other = ds.search(records, solver="same_threshold")
    ax = front.plot(label="shares", others={"one threshold": other}, held_out=held_out, selected=point)
    assert labels(ax) == [
        "shares",
        "one threshold",
        "shares, held-out (observed)",
        "selected",
        "final exit alone",
        "final exit alone, held-out",
        "one exit for everybody",
    ]
    assert line(ax, "selected") == ([point.relative_cost], [100 * point.accuracy])
    assert sorted(line(ax, "shares, held-out (observed)")[1]) == pytest.approx(sorted(100 * held_out.accuracy))
    assert line(ax, "final exit alone, held-out") == ([1], [100 * held_out.baseline_accuracy])
    cost, accuracy = line(ax, "one exit for everybody")
    assert cost == (records.costs.alone[:-1] / records.costs.baseline).tolist()
    assert accuracy == (100 * front.exit_accuracy[:-1]).tolist()
    np.testing.assert_allclose(accuracy, 100 * records.exit_accuracy[:-1], rtol=1e-6)
    assert ax.get_ylabel() == "accuracy, expected (%)"


def test_curves_of_other_scores_say_so(front: ds.ParetoFront, held_out: ds.Curve) -> None:
    ax = front.plot(label="mine", others={"there": held_out}, static_exits=False)
    assert ax.get_ylabel() == "accuracy (%)"
    assert [line.get_label() for line in ax.get_lines()[:2]] == ["mine (expected)", "there (observed)"]


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
    assert ax.get_ylabel() == "accuracy, observed (%)"


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


def test_view_starts_where_the_curve_turns() -> None:
    cliff = (np.array([0.1, 0.11, 0.3]), np.array([0.2, 0.8, 0.9]))
    low, high = curves.view({"front": cliff}, baseline=0.9, static=None, held_out_baseline=None)
    assert 0.79 < low < 0.8
    assert 0.9 < high < 0.91


def test_view_holds_the_held_out_final_exit_and_some_weak_exits() -> None:
    curve = (np.array([0.2, 0.5]), np.array([0.8, 0.9]))
    weak = (np.array([0.3]), np.array([0.1]))
    low, high = curves.view({"front": curve}, baseline=0.9, static=weak, held_out_baseline=0.95)
    assert 0.69 < low < 0.71  # 60 % of 0.15 below 0.8, and a margin
    assert high > 0.95


def test_one_point_has_a_view() -> None:
    point = (np.array([1.0]), np.array([0.9]))
    low, high = curves.view({"front": point}, baseline=0.9, static=None, held_out_baseline=None)
    assert low < 0.9 < high


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
