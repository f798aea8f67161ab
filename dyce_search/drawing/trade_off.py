"""Draws a trade-off: what a front promises, what it delivers, and the points that are named."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.drawing.axes import add_legend, step_of
from dyce_search.drawing.style import STYLES, Theme, in_house_style, inches, is_narrow, short, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
Points = tuple[FloatArray, FloatArray]

FLAT = 0.02  # a curve has ended where it has come so near to its best, as a part of the drops in view
INSET = (0.56, 0.1, 0.42, 0.46)  # left, bottom, width, height, as parts of the axes
SYMBOLS = {"certified": ("D", 7.0)}  # and sizes in points; others are stars
SMALLEST_INSET = (3.6, 2.2)  # inches of axes that have room for one


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points measured on one set of samples.

    Attributes:
        name: for the legend.
        cost: (F,) relative cost.
        accuracy: (F,) in [0, 1].
        baseline: accuracy of the final exit alone on the same samples.
    """

    name: str
    cost: FloatArray
    accuracy: FloatArray
    baseline: float

    @property
    def drop(self) -> FloatArray:
        """(F,) of accuracy below the final exit alone, absolute."""
        return self.baseline - self.accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point with a name.

    Attributes:
        name: what it is: "selected", "certified".
        promised: its relative cost and its accuracy drop, on the samples searched on.
        delivered: both on held-out samples, or None.
    """

    name: str
    promised: tuple[float, float]
    delivered: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What is in view: from the cheapest to the dearest relative cost, from the least to the largest drop."""

    cheapest: float
    dearest: float
    least: float
    largest: float


@in_house_style
def draw_trade_off(
    ax: "Axes",
    curves: Sequence[Series],
    *,
    held_out: Series | None = None,
    static: Points | None = None,
    marks: Sequence[Mark] = (),
    unit: str = "MACs",
    scores: str | None = None,
    drop_limit: float | None = 0.05,
) -> None:
    """Draws the accuracy drop over relative cost; no drop is at the top, so that up is better.

    Args:
        ax: to draw on.
        curves: drawn as stairs; the first is the front, in rising order of cost.
        held_out: the first curve's configurations measured on other samples: the gap between them is shaded.
        static: (relative cost, drop) of exits used alone, drawn as points.
        marks: points to name.
        unit: of the costs.
        scores: what the accuracies are means of; None where that differs.
        drop_limit: larger drops are out of view, and an inset shows the whole where there is room; None shows all.
    """
    look, narrow = theme_of(ax), is_narrow(ax)
    seen = region([*curves, *([] if held_out is None else [held_out])], marks, drop_limit)
    if drop_limit is None:
        seen = whole(curves, static, seen)
    shown = _draw_series(ax, curves, held_out, look, 0.7 if narrow else 1.0)
    if static is not None:
        shown += ax.plot(
            static[0], 100 * static[1], "x", color=look.muted, ms=4 if narrow else 5, zorder=2,
            label="one exit for everybody",
        )  # fmt: skip
    shown.append(ax.axhline(0, color=look.ink, lw=0.8, ls=":", zorder=1, label=_final_exit(curves[0], held_out)))
    if seen.dearest >= 1:
        ax.plot(1, 0, "s", color=look.ink, ms=4 if narrow else 6, zorder=5)
    ax.set(
        xlabel=f"mean cost, relative ({short(unit, 20)})",
        ylabel=f"{'drop' if narrow else 'accuracy drop'}{'' if scores is None else f', {scores}'} (points)",
        xlim=(seen.cheapest, seen.dearest),
        ylim=(100 * seen.largest, 100 * seen.least),
    )
    ax.grid(True)
    if drop_limit is not None and all(size >= least for size, least in zip(inches(ax), SMALLEST_INSET, strict=True)):
        drawn = [*curves, *([] if held_out is None else [held_out])]
        if not any(_enters_inset(curve, seen) for curve in drawn):
            _draw_whole(ax, curves, held_out, static, seen, look)
    shown += _draw_marks(ax, marks, look)
    add_legend(ax, shown)


def region(series: Sequence[Series], marks: Sequence[Mark], drop_limit: float | None) -> Region:
    """The region where operating points are chosen.

    It begins where a curve comes within the limit, and ends where all have become flat, by how little more they would
    gain, see `FLAT`; for others than the first it is at most twice as wide as for that one. Marks are in it. Curves
    that never come within the limit do not count; where all of them do not, all do.
    """
    limit = np.inf if drop_limit is None else drop_limit
    within = [curve for curve in series if (curve.drop <= limit).any()] or list(series)
    if within[0].drop.min() > limit:
        limit = np.inf
    inside = [curve.drop <= limit for curve in within]
    at = [mark.promised for mark in marks] + [mark.delivered for mark in marks if mark.delivered is not None]
    drops = [0.0, *(float(curve.drop.min()) for curve in within), *(drop for _, drop in at)]
    largest = max([*drops, *(float(curve.drop[keep].max()) for curve, keep in zip(within, inside, strict=True))])
    if drop_limit is not None and limit < np.inf:
        largest = max(min(largest, limit), *drops)
    height = max(largest - min(drops), 0.002)
    ends = [float(curve.cost[curve.drop <= curve.drop.min() + FLAT * height].min()) for curve in within]
    starts = [float(curve.cost[keep].min()) for curve, keep in zip(within, inside, strict=True)]
    cheapest = min(starts + [cost for cost, _ in at])
    dearest = max(ends[0], min(max(ends), 2 * ends[0] - cheapest), *(cost for cost, _ in at))
    width = max(dearest - cheapest, 0.02)
    return Region(
        cheapest=max(0.0, cheapest - 0.04 * width),
        dearest=dearest + 0.12 * width,
        least=min(drops) - 0.06 * height,
        largest=largest + 0.04 * height,
    )


def whole(series: Sequence[Series], static: Points | None, seen: Region) -> Region:
    """The region with everything in it: all costs from 0 to that of the final exit alone, all drops."""
    points = [*((curve.cost, curve.drop) for curve in series), *([] if static is None else [static])]
    points = [(cost, drop) for cost, drop in points if len(cost)]
    dearest = max(1.0, *(float(cost.max()) for cost, _ in points))
    largest = max(seen.largest, *(float(drop.max()) for _, drop in points))
    least = min(seen.least, *(float(drop.min()) for _, drop in points))
    room = 0.04 * (largest - least)
    return Region(cheapest=0.0, dearest=1.03 * dearest, least=least - room, largest=largest + room)


def _draw_series(
    ax: "Axes", curves: Sequence[Series], held_out: Series | None, look: Theme, shrink: float
) -> list[Any]:
    """The curves, and the gap between what the first promises and what it delivers."""
    shown: list[Any] = []
    for k, curve in enumerate(curves):
        color, style = _color_and_style(k, held_out, look)
        order = np.argsort(curve.cost, kind="stable")
        shown += ax.step(
            curve.cost[order], 100 * curve.drop[order], where="post", lw=1.9 * shrink, color=color, ls=style,
            zorder=4 + k / 100, label=curve.name,
        )  # fmt: skip
        if k or held_out is None:
            continue
        order = np.argsort(held_out.cost, kind="stable")
        cost, drop = held_out.cost[order], 100 * held_out.drop[order]
        shown += ax.plot(cost, drop, lw=1.1 * shrink, color=look.colors[1], zorder=3.9, label=held_out.name)
        low, high = max(curve.cost[0], cost[0]), min(curve.cost[-1], cost[-1])
        at = np.unique(np.clip(np.concatenate([curve.cost, cost, np.linspace(low, high, 500)]), low, high))
        promise = 100 * step_of(curve.cost, curve.drop, at)
        ax.fill_between(at, promise, np.interp(at, cost, drop), color=look.colors[1], alpha=0.22, lw=0, zorder=3)
    return shown


def _color_and_style(k: int, held_out: Series | None, look: Theme) -> tuple[str, str]:
    """Of the curve k: both differ, so one that lies on another is seen. The second colour is what is delivered."""
    return look.color(k if held_out is None or k == 0 else k + 1), STYLES[k % len(STYLES)]


def _final_exit(front: Series, held_out: Series | None) -> str:
    here = f"final exit alone ({100 * front.baseline:.1f} %"
    return f"{here})" if held_out is None else f"{here}, held-out {100 * held_out.baseline:.1f} %)"


def _draw_marks(ax: "Axes", marks: Sequence[Mark], look: Theme) -> list[Any]:
    """Marks with a line to what they deliver, and their names below them, where no curve is."""
    narrow, shown = is_narrow(ax), []
    for mark in marks:
        cost, drop = mark.promised
        symbol, size = SYMBOLS.get(mark.name, ("*", 13.0))
        style: dict[str, Any] = {"ls": "", "mec": look.ink, "mew": 0.8, "zorder": 6}
        words = f"{mark.name}: cost {cost:.3f}, drop {_points(drop)}"
        if mark.delivered is not None:
            there, lost = mark.delivered
            ax.plot([cost, there], [100 * drop, 100 * lost], color=look.ink, lw=0.8, zorder=5)
            ax.plot(there, 100 * lost, "o", color=look.colors[1], ms=3.5 if narrow else 5, **style)
            words += f", delivered {_points(lost)}"
        size = 0.75 * size if narrow else size
        shown += ax.plot(cost, 100 * drop, symbol, ms=size, color=look.star, label=words, **style)
    _name_marks(ax, marks, look)
    return shown


def _name_marks(ax: "Axes", marks: Sequence[Mark], look: Theme) -> None:
    """Names with lines to their marks: each below its own, or below the name of a dearer mark that is near."""
    from matplotlib.text import OffsetFrom

    cheapest, dearest = ax.get_xlim()
    style: dict[str, Any] = {"va": "top", "fontsize": "x-small" if is_narrow(ax) else "small", "zorder": 7}
    before, name = np.inf, None
    for mark in sorted(marks, key=lambda mark: -mark.promised[0]):
        cost, drop = mark.promised
        if name is None or before - cost > 0.4 * (dearest - cheapest):
            left = cost > dearest - 0.25 * (dearest - cheapest)
            place: dict[str, Any] = {"xytext": (-14 if left else 22, -20), "textcoords": "offset points"}
        else:
            place = {"xytext": (0, -2), "textcoords": OffsetFrom(name, (float(left), 0), unit="points")}
        lowest = drop if mark.delivered is None else max(drop, mark.delivered[1])
        line = {"arrowstyle": "-", "color": look.ink, "lw": 0.6, "shrinkA": 1, "shrinkB": 4}
        line["relpos"] = (float(left), 0.5)  # of the name, where the line begins
        name = ax.annotate(
            mark.name, (cost, 100 * lowest), ha="right" if left else "left", arrowprops=line, **place, **style
        )
        before = cost


def _points(drop: float) -> str:
    return f"{100 * drop + 0.0:.2f}"


def _enters_inset(curve: Series, seen: Region) -> bool:
    """Whether the stairs come into the corner where the inset would be."""
    left, bottom, width, height = INSET
    x = (curve.cost - seen.cheapest) / (seen.dearest - seen.cheapest)
    y = (seen.largest - curve.drop) / (seen.largest - seen.least)
    after = np.append(x[1:], x[-1])
    return bool(np.any((after > left - 0.02) & (x < left + width) & (y > 0) & (y < bottom + height + 0.02)))


def _draw_whole(
    ax: "Axes", curves: Sequence[Series], held_out: Series | None, static: Points | None, seen: Region, look: Theme
) -> None:
    """An inset with everything, and a frame around what the axes show."""
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import MaxNLocator

    inset = ax.inset_axes(INSET, zorder=5, facecolor=ax.get_facecolor())
    _draw_series(inset, curves, held_out, look, 0.6)
    if static is not None:
        inset.plot(static[0], 100 * static[1], "x", color=look.muted, ms=2.5, mew=0.7, zorder=2)
    inset.plot(1, 0, "s", color=look.ink, ms=3.5, zorder=5)
    full = whole(curves, static, seen)
    inset.set(xlim=(full.cheapest, full.dearest), ylim=(100 * full.largest, 100 * full.least))
    corner = (seen.cheapest, 100 * seen.least)
    inset.add_patch(
        Rectangle(
            corner, seen.dearest - seen.cheapest, 100 * (seen.largest - seen.least), fill=False, lw=0.7,
            edgecolor=look.ink, zorder=6,
        )
    )  # fmt: skip
    inset.set_title("the whole", fontsize="x-small", pad=2)
    inset.tick_params(labelsize="xx-small", length=2, pad=1.5)
    inset.xaxis.set_major_locator(MaxNLocator(4))
    inset.yaxis.set_major_locator(MaxNLocator(4))
