"""Draws diagnostics of exits and fronts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.drawing import axes
from dyce_search.drawing.style import MARKERS, STYLES, in_house_style, inches, is_narrow, keep_style, short, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]

SLICES = 60  # of cost, over which a stacked picture averages
SEEN = 0.002  # share of the samples from which on an exit's accuracy has to be in view
DEEPEST_DROP = 0.05  # drops above this, and a fifth of it below 0, are not in view: nobody ships them


@in_house_style
def draw_optimism(ax: "Axes", promised: FloatArray, delivered: FloatArray, smooth: FloatArray) -> None:
    """Draws the drop delivered over the drop promised.

    Args:
        ax: to draw on.
        promised: (F,) drop on the samples searched on, 0.01 is one point.
        delivered: (F,) drop on others.
        smooth: (F,) delivered, without the noise of single points.
    """
    look, shrink = theme_of(ax), _shrink(ax)
    order = np.argsort(promised, kind="stable")
    order = order[(promised[order] <= DEEPEST_DROP) & (promised[order] >= -DEEPEST_DROP / 5)]
    order = order if len(order) else np.argsort(promised, kind="stable")
    x, y, line = 100 * promised[order], 100 * delivered[order], 100 * smooth[order]
    ends = np.array([x.min(), x.max()])
    shown = ax.plot(ends, ends, color=look.ink, lw=1.0 * shrink, ls=":", label="as promised", zorder=2)
    shown += ax.plot(x, y, ".", color=look.muted, ms=4 * shrink, label="each point, held-out", zorder=1)
    shown += ax.plot(x, line, color=look.colors[1], lw=2.0 * shrink, label="smooth, held-out", zorder=3)
    ax.set(xlabel="accuracy drop promised (points)", ylabel="drop delivered (points)")
    ax.grid(True)
    ax.legend(handles=shown, loc="upper left", fontsize=_small(ax))


@in_house_style
def draw_band(ax: "Axes", cost: FloatArray, drop: FloatArray, bounds: FloatArray, *, level: float) -> None:
    """Draws the accuracy drop over relative cost, in its band.

    Args:
        ax: to draw on.
        cost: (F,) relative cost.
        drop: (F,) accuracy drop.
        bounds: (2, F) of the drop.
        level: share of the resamples within the bounds.
    """
    look, shrink = theme_of(ax), _shrink(ax)
    order = np.argsort(cost, kind="stable")
    inside = order[drop[order] <= DEEPEST_DROP]
    order = inside if len(inside) > 1 else order
    shown: list[Any] = ax.plot(
        cost[order], 100 * drop[order], color=look.colors[0], lw=1.5 * shrink, label="these samples", zorder=3
    )
    shown.append(
        ax.fill_between(
            cost[order], 100 * bounds[0, order], 100 * bounds[1, order], color=look.colors[0], alpha=0.25, lw=0,
            zorder=2, label=f"{100 * level:g} % of resamples",
        )
    )  # fmt: skip
    ax.axhline(0, color=look.ink, lw=0.6, ls=":", zorder=1)
    ax.set(xlabel="mean cost, relative", ylabel="accuracy drop (points)")
    ax.grid(True)
    ax.legend(handles=shown, loc="upper right", fontsize=_small(ax))


@in_house_style
def draw_reliability(ax: "Axes", exits: Mapping[str, tuple[FloatArray, FloatArray, FloatArray]]) -> None:
    """Draws reliability diagrams: accuracy over confidence, dots by the share of the samples.

    Args:
        ax: to draw on.
        exits: by label, (confidence (B,), accuracy (B,), share of the samples (B,)); NaN in empty bins.
    """
    look, shrink = theme_of(ax), _shrink(ax)
    shown: list[Any] = ax.plot(
        [0, 100], [0, 100], color=look.ink, lw=1.0 * shrink, ls=":", label="calibrated", zorder=1
    )
    for k, (label, (confidence, accuracy, share)) in enumerate(exits.items()):
        full = share > 0
        color, marker = look.color(k), MARKERS[k % len(MARKERS)]
        ax.plot(
            100 * confidence[full], 100 * accuracy[full], color=color, lw=1.5 * shrink,
            ls=STYLES[k % len(STYLES)], zorder=3,
        )  # fmt: skip
        ax.scatter(
            100 * confidence[full], 100 * accuracy[full], s=(6 + 150 * share[full]) * shrink**2, marker=marker,
            color=color, edgecolors=look.paper, linewidths=0.5, zorder=4,
        )  # fmt: skip
        shown += ax.plot(
            [],
            [],
            color=color,
            marker=marker,
            ms=5 * shrink,
            lw=1.5 * shrink,
            ls=STYLES[k % len(STYLES)],
            label=short(label, 44),
        )
    low = min(float(np.nanmin(np.append(confidence, accuracy))) for confidence, accuracy, _ in exits.values())
    low = 100 * max(0.0, np.floor(10 * low - 0.5) / 10)
    ax.set(xlabel="confidence (%)", ylabel="accuracy (%)", xlim=(low, 102), ylim=(low, 102))
    ax.grid(True)
    ax.legend(handles=shown, loc="upper left", fontsize=_small(ax))


@in_house_style
def draw_per_exit(
    ax: "Axes", lines: Mapping[str, tuple[FloatArray, FloatArray]], *, ylabel: str, xlabel: str = "position"
) -> None:
    """Draws a figure of each exit along the backbone, one line a type.

    Args:
        ax: to draw on.
        lines: by name, (position (K,), value (K,)); NaN leaves a gap.
        ylabel: what the values are.
        xlabel: what the exits are counted by.
    """
    from matplotlib.ticker import MaxNLocator

    look, shrink = theme_of(ax), _shrink(ax)
    shown = []
    for k, (name, (at, value)) in enumerate(lines.items()):
        shown += ax.plot(
            at, value, color=look.color(k), marker=MARKERS[k % len(MARKERS)], ms=5 * shrink, lw=1.5 * shrink,
            ls=STYLES[k % len(STYLES)], label=short(name),
        )  # fmt: skip
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(True)
    axes.add_legend(ax, shown)


@in_house_style
def draw_flow(ax: "Axes", cost: FloatArray, share: FloatArray) -> None:
    """Draws who leaves where along a front, stacked: early positions at the bottom, the final exit at the top.

    Lightness falls from position to position (the colour map cividis, made for colour-blind readers), so the order
    survives print in grey. Neighbouring points may use different exits: of more than 60, means over slices of cost
    are drawn.

    Args:
        ax: to draw on.
        cost: (F,) relative cost.
        share: (F, P+1) share of the samples that leaves at each position, the final exit last.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    look, narrow = theme_of(ax), _shrink(ax) < 1
    x, share = _slices(cost, share)
    ends = share.shape[1]
    colors = colormaps["cividis_r"](np.linspace(0, 1, ends))
    ax.stackplot(x, 100 * share.T, colors=colors, lw=0.3 if ends <= 20 else 0, edgecolor=look.paper)
    ax.set(xlabel="mean cost, relative", ylabel="samples that leave (%)", xlim=(x[0], x[-1]), ylim=(0, 100))
    bounds = np.arange(ends + 1) - 0.5
    scale = ScalarMappable(BoundaryNorm(bounds, ends), ListedColormap(colors))
    bar = ax.figure.colorbar(scale, ax=ax, pad=0.02, spacing="uniform")
    step = int(np.ceil(ends / (5 if narrow else 9)))
    ticks = [p for p in range(0, ends - 1, step) if ends - 1 - p >= step / 2 or p == 0]
    bar.set_ticks([*ticks, ends - 1], labels=[*map(str, ticks), "final"])
    bar.ax.tick_params(labelsize=_small(ax), length=0)
    bar.set_label("position", fontsize=_small(ax))
    keep_style(bar.ax)


@in_house_style
def draw_profile(
    ax: "Axes",
    position: npt.NDArray[np.int64],
    share: FloatArray,
    accuracy: FloatArray,
    final_accuracy: FloatArray,
) -> None:
    """Draws, for those who leave at each exit, its accuracy and the final exit's; larger dots for more samples.

    Of an exit where next to nobody leaves, accuracy says nothing: it does not widen the view.

    Args:
        ax: to draw on.
        position: (K,) of the exits, the final exit last.
        share: (K,) of the samples.
        accuracy: (K,) of those who leave; NaN where nobody does.
        final_accuracy: (K,) of the final exit on the same samples.
    """
    look, shrink = theme_of(ax), _shrink(ax)
    at = np.arange(len(position))
    size = (12 + 300 * share) * shrink**2
    ax.vlines(at, 100 * accuracy, 100 * final_accuracy, color=look.muted, lw=1.2 * shrink, zorder=1)
    ax.scatter(at, 100 * final_accuracy, s=size, facecolors=look.paper, edgecolors=look.ink, linewidths=1, zorder=2)
    ax.scatter(at, 100 * accuracy, s=size, color=look.colors[0], alpha=0.85, zorder=3)
    shown = [
        *ax.plot([], [], "o", color=look.colors[0], ms=6 * shrink, label="the exit where they leave"),
        *ax.plot([], [], "o", mfc=look.paper, mec=look.ink, ms=6 * shrink, label="the final exit on the same"),
    ]
    step = int(np.ceil(len(at) / (6 if shrink < 1 else 14)))
    kept = [k for k in range(0, len(at) - 1, step) if len(at) - 1 - k >= step]
    ax.set_xticks([*kept, at[-1]], [*(str(position[k]) for k in kept), "final"])
    ax.set(xlabel="position where the samples leave (dots by their share)", ylabel="accuracy of these (%)")
    if shrink < 1:
        ax.set_xlabel("position (dots by share)")
    ax.grid(True)
    seen = (share >= SEEN) & ~np.isnan(accuracy)
    if seen.any():
        both = 100 * np.concatenate([accuracy[seen], final_accuracy[seen]])
        room = 0.12 * max(float(np.ptp(both)), 2.0)
        ax.set_ylim(both.min() - room, both.max() + room)
    ax.legend(handles=shown, loc="best", fontsize=_small(ax))


@in_house_style
def draw_bars(
    ax: "Axes",
    labels: Sequence[str],
    values: FloatArray,
    *,
    xlabel: str,
    errors: FloatArray | None = None,
    line: float | None = None,
    line_label: str = "",
) -> None:
    """Draws horizontal bars, the first at the top.

    Args:
        ax: to draw on.
        labels: (K,) what the bars are.
        values: (K,) their lengths.
        xlabel: what the values are.
        errors: (K,) standard errors, or None.
        line: a value to compare with, or None.
        line_label: what it is.
    """
    look, shrink = theme_of(ax), _shrink(ax)
    at = np.arange(len(labels))
    crowd = len(labels) / inches(ax)[1]  # bars an inch
    ax.barh(
        at, values, color=look.colors[0], height=0.7, xerr=errors, error_kw={"lw": 1.0 * shrink, "ecolor": look.ink}
    )
    ax.axvline(0, color=look.ink, lw=0.8)
    if line is not None:
        shown = ax.axvline(line, color=look.colors[1], lw=1.5 * shrink, ls="--", label=line_label)
        ax.legend(handles=[shown], loc="lower right", fontsize=_small(ax))
    step = int(np.ceil(crowd / 9))
    ax.set_yticks(
        at[::step],
        [short(label, 18 if shrink < 1 else 30) for label in labels[::step]],
        fontsize=_small(ax) if crowd < 5 else "xx-small",
    )
    ax.invert_yaxis()
    ax.set_xlabel(xlabel)
    ax.grid(True, axis="x")


@in_house_style
def draw_gap(ax: "Axes", cost: FloatArray, lines: Mapping[str, FloatArray]) -> None:
    """Draws accuracies over relative cost.

    Args:
        ax: to draw on.
        cost: (F,) relative cost.
        lines: by name, accuracy (F,); NaN leaves a gap.
    """
    look, shrink = theme_of(ax), _shrink(ax)
    order = np.argsort(cost, kind="stable")
    shown = []
    for k, (name, accuracy) in enumerate(lines.items()):
        shown += ax.plot(
            cost[order],
            100 * accuracy[order],
            color=look.color(k),
            ls=STYLES[k % len(STYLES)],
            lw=1.8 * shrink,
            label=name,
        )
    turn = np.searchsorted(cost[order], cost[order][0] + 0.02)
    least = [float(np.nanmin(accuracy[order][turn:], initial=1.0)) for accuracy in lines.values()]
    ax.set(xlabel="mean cost, relative", ylabel="accuracy (%)", ylim=(100 * (min(least) - 0.01), None))
    ax.grid(True)
    axes.add_legend(ax, shown)


def _slices(cost: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points by rising cost, as they are or as means over SLICES slices of cost; one point as two."""
    if len(cost) == 1:
        return cost[0] + np.array([-0.01, 0.01]), np.repeat(share, 2, axis=0)
    if len(cost) > SLICES:
        low, width = cost.min(), (cost.max() - cost.min()) / SLICES
        inside = np.minimum(((cost - low) / width).astype(np.int64), SLICES - 1)
        used, inside, count = np.unique(inside, return_inverse=True, return_counts=True)
        total = np.zeros((len(used), share.shape[1]))
        np.add.at(total, inside, share)
        return low + (used + 0.5) * width, total / count[:, None]
    order = np.argsort(cost, kind="stable")
    return cost[order], share[order]


def _shrink(ax: "Axes") -> float:
    """What line widths and markers are multiplied by."""
    return 0.7 if is_narrow(ax) else 1.0


def _small(ax: "Axes") -> str:
    return "x-small" if is_narrow(ax) else "small"
