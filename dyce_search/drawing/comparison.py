"""Draws comparisons: fronts against the best of them, and what searches reached over time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.drawing.axes import add_legend, step_of
from dyce_search.drawing.style import STYLES, in_house_style, inches, is_narrow, short, theme_of
from dyce_search.drawing.trade_off import Series, region

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]

PANEL = 1.4  # inches that a panel is wide at least; in a column of print 0.7
GAPS = (0.14, 0.26)  # inches between panels: beside each other, above each other with a name between


@in_house_style
def draw_fronts(
    ax: "Axes", fronts: Sequence[Series], others: Sequence[Series] = (), *, drop_limit: float | None = 0.05
) -> None:
    """Draws how far each front stays below the best of all at the same cost: a panel each, in the order given.

    In view is what a front without the panels would show, see `trade_off.region`. The scale is the same everywhere;
    a curve that goes more than
    twice as far as the median front does is cut off.

    Args:
        ax: that becomes the frame of the panels.
        fronts: measured on the same samples.
        others: rules to compare with, each with a panel; the best is of the fronts alone.
        drop_limit: costs at which the best front drops more are out of view; None shows all.
    """
    look = theme_of(ax)
    costs = np.unique(np.concatenate([one.cost for one in fronts]))
    best = np.fmin.reduce([_drops_within(one, costs) for one in fronts])
    envelope = Series(name="best", cost=costs, accuracy=fronts[0].baseline - best, baseline=fronts[0].baseline)
    seen = region([envelope], (), drop_limit)
    at = np.union1d(costs, np.linspace(max(costs[0], seen.cheapest), seen.dearest, 400))
    at = at[(at >= seen.cheapest) & (at <= seen.dearest)]
    best = step_of(costs, best, at)
    lost = [100 * (_drops_within(one, at) - best) for one in (*fronts, *others)]
    worst = [float(np.nanmax(values, initial=0.0)) for values in lost[: len(fronts)]]
    bottom = max(min(max(worst), 2 * float(np.median(worst))), 0.2)
    top = max(min(float(np.nanmin(values, initial=0.0)) for values in lost), -bottom)
    columns, panels = _panels(ax, len(lost))
    for k, (panel, one, values) in enumerate(zip(panels, (*fronts, *others), lost, strict=True)):
        color = look.colors[0] if k < len(fronts) else look.colors[1]
        panel.axhline(0, color=look.ink, lw=0.8, zorder=3)
        panel.fill_between(at, 0, values, color=color, alpha=0.25, lw=0, zorder=2)
        panel.plot(at, values, color=color, lw=1.3, zorder=4)
        room = 0.08 * (bottom - top)
        panel.set(xlim=(seen.cheapest, seen.dearest), ylim=(bottom + room, top - room))
        letters = int(inches(panel)[0] / (0.058 if is_narrow(ax) else 0.068))
        panel.set_title(short(one.name, letters), fontsize="small", pad=2)
        panel.tick_params(
            labelsize="x-small", length=2, pad=2, labelleft=k % columns == 0, labelbottom=k + columns >= len(lost)
        )
        panel.locator_params(nbins=3 if is_narrow(ax) else 4)
        panel.grid(True)
    ax.set(xlabel="mean cost, relative", ylabel="points below the best front", xticks=[], yticks=[])


def _drops_within(series: Series, at: FloatArray) -> FloatArray:
    """The least drop of the points that cost no more, (K,) of these costs; NaN where there is none."""
    order = np.argsort(series.cost, kind="stable")
    return step_of(series.cost[order], np.minimum.accumulate(series.drop[order]), at)


def _panels(ax: "Axes", count: int) -> "tuple[int, list[Axes]]":
    """Makes the axes a frame around panels, and returns how many are beside each other and all of them, row by row."""
    width, height = inches(ax)
    rows = -(-count // max(1, min(count, int(width // (PANEL / 2 if is_narrow(ax) else PANEL)))))
    columns = -(-count // rows)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.patch.set_alpha(0)
    ax.xaxis.labelpad, ax.yaxis.labelpad = 15, 25
    across, down = GAPS[0] / width, min(GAPS[1] / height, 0.5 / rows)
    wide, high = (1 - (columns - 1) * across) / columns, (1 - rows * down) / rows
    places = [(k % columns, k // columns) for k in range(count)]
    panels = [ax.inset_axes((x * (wide + across), 1 - (y + 1) * (high + down), wide, high)) for x, y in places]
    for panel in panels:
        panel.patch.set_visible(False)
    return columns, panels


@in_house_style
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

    look, shrink = theme_of(ax), 0.7 if is_narrow(ax) else 1.0
    shown: list[Any] = []
    for k, (name, (time, middle, low, high)) in enumerate(curves.items()):
        style: dict[str, Any] = {"color": look.color(k), "ls": STYLES[k // len(look.colors) % len(STYLES)]}
        above = time > 0  # a logarithmic axis has no zero: each curve rises from there at its first later time
        begin = int(np.argmax(above))
        rise = float(middle[max(begin - 1, 0)])
        shown += ax.step(
            np.append(time[begin], time[above]), np.append(rise, middle[above]), where="post",
            lw=1.8 * shrink, label=short(name), zorder=4 - k / 100, **style,
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
    ax.set(xscale="log", xlabel=xlabel, ylabel="hypervolume, as searched", ylim=(bottom, top + 0.05 * span))
    seen = [time[(time > 0) & (high > bottom)] for time, _, _, high in curves.values()]
    first = min(float(at[0]) for at in seen if len(at))
    ax.set_xlim(left=min(0.7 * first, max(float(time[-1]) for time, _, _, _ in curves.values()) / 20))
    ax.xaxis.set_minor_formatter(NullFormatter())  # a decade at least is in view, and has its labels
    ax.grid(True)
    add_legend(ax, shown)
