"""Draws arrays on Matplotlib axes. Imports nothing of this package; never shows, never touches rcParams."""

import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
Points = tuple[FloatArray, FloatArray]

# Okabe and Ito 2008: told apart by colour-blind readers, and by their lightness in print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MOST_INSIDE = 7  # entries of a legend that stands in the axes
STYLES = ("-", "--", "-.", ":")


def new_axes(width: float = 6.4, height: float = 4.4) -> "Axes":
    """Axes of a new figure (inches).

    In a notebook the figure is pyplot's, so it is shown, and closed, when the cell ends, as any other. Elsewhere it is
    known to no window manager, so it need not be closed.
    """
    if "inline" in os.environ.get("MPLBACKEND", ""):  # which a notebook's kernel sets
        import matplotlib.pyplot as plt

        return plt.figure(figsize=(width, height), layout="constrained").add_subplot()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def to_png(ax: "Axes") -> bytes:
    """The figure of these axes as a PNG file, 150 dots an inch. It is closed: a notebook does not show it as well."""
    stream = io.BytesIO()
    figure = ax.get_figure(root=True)
    figure.savefig(stream, format="png", dpi=150)  # type: ignore[union-attr]
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    return stream.getvalue()


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
            label=f"{next(iter(curves))}, held-out", zorder=3,
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
    ax.set(xlabel=f"mean cost, relative ({unit})", ylabel="accuracy (%)", xlim=(0, 1.03), ylim=(100 * low, 100 * high))
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


def add_legend(ax: "Axes", shown: Sequence[Any], *, inside: bool) -> None:
    """A legend in the lower right corner, or below the axes in columns."""
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    narrow = is_narrow(ax)
    look: dict[str, Any] = {
        "handles": shown,
        "fontsize": "xx-small" if narrow else "small",
        "handlelength": 1.6 if narrow else 2.0,
    }
    if inside:
        ax.legend(loc="lower right", framealpha=0.9, **look)
        return
    under_label = ScaledTranslation(0, -0.045 * rcParams["font.size"], ax.figure.dpi_scale_trans)  # inches
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=ax.transAxes + under_label,
        ncols=2 if narrow else 3, frameon=False, columnspacing=1, labelspacing=0.3, borderpad=0, **look,
    )  # fmt: skip


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


def draw_config(
    ax: "Axes",
    *,
    names: Sequence[str | None],
    threshold: npt.NDArray[Any],
    exit_share: FloatArray,
    relative_cost: FloatArray,
) -> None:
    """Draws what a configuration does: bars for who leaves where, with each threshold written above.

    Args:
        ax: to draw on.
        names: (P,) the enabled candidate of each position, None where there is none.
        threshold: (P,) float32.
        exit_share: (P+1,) share of the samples that leaves at each position.
        relative_cost: (P+1,) what a sample has paid that leaves there, relative to the whole model.
    """
    n_positions = len(names)
    width, height = _inches(ax)
    slot = width / (n_positions + 1.4)  # inches for each bar: what is written depends on it
    kinds = list(dict.fromkeys(name for name in names if name is not None))
    for p, name in enumerate([*names, "final exit"]):
        if name is None:
            continue
        color = "0.35" if p == n_positions else COLORS[kinds.index(name) % len(COLORS)]
        first = p == n_positions or [*names].index(name) == p
        ax.bar(p, 100 * exit_share[p], color=color, label=name if first else None, width=0.75)
        if p < n_positions and slot > 0.08:
            shown = "all" if np.isneginf(threshold[p]) else f"> {threshold[p]:.3g}"
            ax.annotate(
                shown, (p, 100 * exit_share[p]), xytext=(0, 2), textcoords="offset points",
                ha="center", va="bottom", rotation=90, fontsize="x-small" if slot > 0.2 else "xx-small",
            )  # fmt: skip
    used = [p for p, name in enumerate(names) if name is not None]
    if slot > 0.28:
        labels = [f"{p}\n({relative_cost[p]:.2f})" for p in used] + [f"final\n({relative_cost[-1]:.2f})"]
        xlabel = "position (in brackets: relative cost of leaving there)"
    else:
        costs = _apart([*used, n_positions], 0.34 / slot)
        top = ax.secondary_xaxis("top")
        top.set_xticks(costs, [f"{relative_cost[p]:.2f}" for p in costs], fontsize="x-small")
        top.set_xlabel("relative cost of leaving there", fontsize="x-small")
        used = _apart([*used, n_positions], 0.22 / slot)[:-1]
        labels = [*map(str, used), "final"]
        xlabel = "position"
    ax.set(
        xlabel=xlabel,
        ylabel="samples that leave (%)",
        xlim=(-0.7, n_positions + 0.7),
        ylim=(0, 100 * float(exit_share.max()) * height / max(height - 0.65, height / 2)),  # room for one threshold
    )
    ax.set_xticks([*used, n_positions], labels, fontsize="small" if slot > 0.4 else "x-small")
    ax.set_yticks([tick for tick in ax.get_yticks() if tick <= 100])
    ax.grid(axis="y", alpha=0.25)
    ax.set_axisbelow(True)
    ax.legend(loc="best", fontsize="xx-small" if is_narrow(ax) else "small")


def _apart(positions: Sequence[int], distance: float) -> list[int]:
    """The last position, and of those before it as many as stay apart, from the first on."""
    kept: list[int] = []
    for p in positions[:-1]:
        if (not kept or p - kept[-1] >= distance) and positions[-1] - p >= distance:
            kept.append(p)
    return [*kept, positions[-1]]


def is_narrow(ax: "Axes") -> bool:
    """Whether the axes have the width of a printed column or less."""
    return _inches(ax)[0] < 3.6


def _inches(ax: "Axes") -> tuple[float, float]:
    """Width and height of the axes."""
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    return float(box.width / dpi), float(box.height / dpi)
