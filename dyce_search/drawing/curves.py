"""Draws trade-offs and anytime curves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.drawing.axes import COLORS, STYLES, add_legend, is_narrow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
Points = tuple[FloatArray, FloatArray]

MOST_INSIDE = 7  # entries of a legend that stands in the axes


def draw_trade_off(
    ax: "Axes",
    curves: Mapping[str, Points],
    *,
    baseline: float,
    static: Points | None = None,
    held_out: Points | None = None,
    held_out_baseline: float | None = None,
    selected: tuple[float, float] | None = None,
    unit: str = "MACs",
    scores: str | None = None,
) -> None:
    """Draws accuracy (in %) against relative cost.

    The view shows where the curves turn: a steep fall at their cheap end, and weak exits, may leave it below.

    Args:
        ax: to draw on.
        curves: by name, (relative_cost (F,), accuracy (F,)) in rising order of cost; drawn as stairs.
        baseline: accuracy of the final exit alone, which is at relative cost 1.
        static: (relative_cost, accuracy) of exits used alone, drawn as points.
        held_out: the first curve's configurations measured on other records.
        held_out_baseline: accuracy of the final exit alone on those.
        selected: (relative_cost, accuracy) to mark.
        unit: of the costs.
        scores: what the curves' accuracies are means of; None where that differs.
    """
    narrow = is_narrow(ax)
    shrink = 0.7 if narrow else 1.0
    shown = []
    for k, (name, (cost, accuracy)) in enumerate(curves.items()):
        style: dict[str, Any] = {"color": COLORS[k % len(COLORS)], "ls": STYLES[k // len(COLORS) % len(STYLES)]}
        shown += ax.step(cost, 100 * accuracy, where="post", lw=1.8 * shrink, label=name, zorder=4 - k / 100, **style)
    if held_out is not None:
        order = np.argsort(held_out[0], kind="stable")
        shown += ax.plot(
            held_out[0][order], 100 * held_out[1][order], color=COLORS[0], lw=1.2 * shrink, ls=(0, (3, 1.2)),
            label=f"{next(iter(curves))}, held-out (observed)", zorder=3,
        )  # fmt: skip
    if selected is not None:
        shown += ax.plot(
            selected[0], 100 * selected[1], "*", color="#E69F00", mec="black", mew=0.8, ms=13 * shrink,
            label="selected", zorder=6,
        )  # fmt: skip
    shown += ax.plot(1, 100 * baseline, "s", color="black", ms=6 * shrink, label="final exit alone", zorder=5)
    ax.axhline(100 * baseline, color="black", lw=0.6, ls=":", zorder=1)
    if held_out_baseline is not None:
        shown += ax.plot(
            1, 100 * held_out_baseline, "s", mfc="white", mec="black", ms=6 * shrink,
            label="final exit alone, held-out", zorder=5,
        )  # fmt: skip
    if static is not None:
        shown += ax.plot(
            static[0], 100 * static[1], "x", color="0.55", ms=5 * shrink, label="one exit for everybody", zorder=2
        )
    low, high = view(curves, baseline=baseline, static=static, held_out_baseline=held_out_baseline)
    ax.set(
        xlabel=f"mean cost, relative ({unit})",
        ylabel="accuracy (%)" if scores is None else f"accuracy, {scores} (%)",
        xlim=(0, 1.03),
        ylim=(100 * low, 100 * high),
    )
    ax.grid(alpha=0.25)
    corner = [*curves.values(), *([] if static is None else [static])]
    free = not any(_enters_corner(points, low + 0.5 * (high - low)) for points in corner)
    add_legend(ax, shown, inside=free and len(shown) <= MOST_INSIDE)


def _enters_corner(points: Points, height: float) -> bool:
    """Whether points, or the stairs through them, come into the lower right quarter: below an accuracy, above 0.5."""
    cost, accuracy = points
    after = np.append(cost[1:], cost[-1:])
    return bool(np.any((after > 0.5) & (cost <= 1) & (accuracy < height)))


def draw_anytime(
    ax: "Axes", curves: Mapping[str, tuple[FloatArray, FloatArray, FloatArray, FloatArray]], *, xlabel: str
) -> None:
    """Draws the hypervolume that searches reached over time, time on a logarithmic axis.

    The view holds where they ended and, below that, as much again. What was reached early may be below it, and so may
    a search that ended more than three times as far below the best as the median one.

    Args:
        ax: to draw on.
        curves: by name, (time (T,), median, least and largest hypervolume (T,)), time rising.
        xlabel: what time is measured in.
    """
    from matplotlib.ticker import NullFormatter

    shrink = 0.7 if is_narrow(ax) else 1.0
    shown: list[Any] = []
    for k, (name, (time, middle, low, high)) in enumerate(curves.items()):
        style: dict[str, Any] = {"color": COLORS[k % len(COLORS)], "ls": STYLES[k // len(COLORS) % len(STYLES)]}
        above = time > 0  # a logarithmic axis has no zero: each curve rises from there at its first later time
        begin = int(np.argmax(above))
        rise = float(middle[max(begin - 1, 0)])
        shown += ax.step(
            np.append(time[begin], time[above]), np.append(rise, middle[above]), where="post",
            lw=1.8 * shrink, label=name, zorder=4 - k / 100, **style,
        )  # fmt: skip
        ax.plot(time[-1:], middle[-1:], "o", color=style["color"], ms=5 * shrink, zorder=5)
        if np.any(high > low):
            ax.fill_between(
                time[above], low[above], high[above], step="post", color=style["color"], alpha=0.15, lw=0, zorder=2
            )
    ends = [float(middle[-1]) for _, middle, _, _ in curves.values()]
    top = max(float(high.max()) for _, _, _, high in curves.values())
    span = max(2 * min(top - min(ends), 3 * (top - float(np.median(ends)))), 0.02)
    bottom = max(0.0, top - span)
    ax.set(xscale="log", xlabel=xlabel, ylabel="hypervolume", ylim=(bottom, top + 0.05 * span))
    seen = [time[(time > 0) & (high > bottom)] for time, _, _, high in curves.values()]
    first = min(float(at[0]) for at in seen if len(at))
    ax.set_xlim(left=min(0.7 * first, max(float(time[-1]) for time, _, _, _ in curves.values()) / 20))
    ax.xaxis.set_minor_formatter(NullFormatter())  # a decade at least is in view, and has its labels
    ax.grid(alpha=0.25)
    add_legend(ax, shown, inside=False)


def view(
    curves: Mapping[str, Points], *, baseline: float, static: Points | None, held_out_baseline: float | None
) -> tuple[float, float]:
    """Lowest and highest accuracy to show: from where the curves turn, with the legend's room below.

    A curve may begin with a cliff (much accuracy for next to no cost), so the first 0.02 of relative cost do not
    count. The exits used alone add at most 60 % to that range.
    """
    bases = [baseline] if held_out_baseline is None else [baseline, held_out_baseline]
    turns = [accuracy[np.searchsorted(cost, cost[0] + 0.02, side="right") - 1] for cost, accuracy in curves.values()]
    high = max(*bases, *(float(accuracy.max()) for _, accuracy in curves.values()))
    low = min(*bases, *(float(turn) for turn in turns))
    if static is not None:
        low = max(min(low, float(static[1].min())), low - 0.6 * (high - low))
    room = 0.06 * max(high - low, 0.005)
    return low - room, high + room
