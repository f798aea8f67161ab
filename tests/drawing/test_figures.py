"""Every picture, with 15 and 50 positions, in a notebook and in a column of print: no text overlaps another."""

from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text

import dyce_search as ds
from dyce_search.drawing import axes

SIZES = {"notebook": (6.4, 4.8), "column": (3.3, 2.5)}
NAMES = (
    *(
        "front",
        "front, others",
        "comparison",
        "anytime",
        "anytime in seconds",
        "configuration",
        "configuration, few exits",
    ),
    *("exit flow", "exit profile", "reliability", "auroc", "optimism", "band", "oracle gap"),
    *("marginal value", "worst groups", "temperatures"),
)


@cache
def halves(positions):
    """Records of a real network, or of a large one, in two parts."""
    if positions == 15:
        return ds.load_example().subset(np.arange(4000)).split(0.5, seed=0)
    records = ds.synthetic_records(1000, positions=positions, types=3)  # texts are as long with more samples
    return replace(records, group=np.array([f"hospital {k % 17}" for k in range(1000)])).split(0.5, seed=0)


@cache
def drawings(positions):
    """By name, a function that takes axes, draws and returns them."""
    search, test = halves(positions)
    front = ds.search(search, effort="fast")
    point, few = front.select(max_accuracy_drop=0.01), ds.search(search, solver="exit_shares")[5].config
    others = [p for p in range(positions) if p % 5]
    few = ds.ExitConfig(
        candidate=np.where(np.isin(range(positions), others), -1, few.candidate), threshold=few.threshold
    )
    solvers = ["coordinate_descent", "same_threshold", "exit_shares", "random"]
    compared = ds.compare(search, solvers=solvers, max_evaluations=200, seeds=[0, 1])
    logits = np.random.default_rng(0).normal(size=(search.n_exits, 200, 4)) * 3
    temperatures = ds.fit_temperatures(logits, np.arange(200) % 4)
    value = ds.marginal_value(search.subset(np.arange(60)), effort="fast")  # names as long, in a fifth of the time
    return {
        "front": lambda ax: front.plot(
            ax, held_out=front.evaluate(test), selected=point, certified=front.select(max_accuracy_drop=0.005)
        ),
        "front, others": lambda ax: front.plot(ax, others=compared.fronts, static_exits=False),
        "comparison": compared.plot,
        "anytime": compared.plot_anytime,
        "anytime in seconds": lambda ax: compared.plot_anytime(ax, over="seconds"),
        "configuration": lambda ax: ds.plot_config(test, point.config, ax),
        "configuration, few exits": lambda ax: ds.plot_config(test, few, ax),
        "exit flow": ds.exit_flow(front, test).plot,
        "exit profile": ds.exit_profile(test, point.config).plot,
        "reliability": ds.reliability(test).plot,
        "auroc": ds.exit_auroc(test).plot,
        "optimism": ds.optimism(front, test).plot,
        "band": ds.bootstrap_band(front, test, resamples=20, level=0.8).plot,
        "oracle gap": ds.oracle_gap(front, test).plot,
        "marginal value": value.plot,
        "worst groups": ds.worst_groups(test, point.config).plot,
        "temperatures": temperatures.plot,
    }


def texts(figure):
    """All texts of a figure that can be seen."""
    found = []
    for ax in [part for whole in figure.axes for part in (whole, *whole.child_axes)]:
        ticks = {text for child in ax.child_axes for text in child.findobj(Text)}
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                ticks |= {tick.label1, tick.label2}
                if low <= tick.get_loc() <= high:
                    found += [label for label in (tick.label1, tick.label2) if label.get_visible()]
        found += [text for text in ax.findobj(Text) if text not in ticks]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def overlaps(ax):
    """Pairs of texts whose boxes overlap, by more than a pixel."""
    figure = ax.get_figure(root=True)
    figure.canvas.draw()
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in texts(figure)]  # without arrows
    return [
        (one, other)
        for (one, box), (other, place) in combinations(boxes, 2)
        if min(box.x1, place.x1) - max(box.x0, place.x0) > 1 and min(box.y1, place.y1) - max(box.y0, place.y0) > 1
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("positions", [15, 50])
def test_no_text_overlaps_another(name, size, positions):
    ax = axes.new_axes(*SIZES[size])
    assert drawings(positions)[name](ax) is ax
    assert overlaps(ax) == []
    assert ax.get_xlabel()
    assert ax.get_ylabel() or ax.get_yticklabels()


def test_overlapping_texts_are_found():
    ax = axes.new_axes()
    ax.text(0.5, 0.5, "one")
    ax.text(0.51, 0.5, "other")
    ax.text(0.51, 0.9, "far away")
    assert overlaps(ax) == [("one", "other")]
