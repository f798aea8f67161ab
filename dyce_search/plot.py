"""Draws arrays on Matplotlib axes. Imports nothing of this package; never shows, never touches rcParams."""

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
STYLES = ("-", "--", "-.", ":")


def new_axes(width: float = 6.4, height: float = 4.4) -> "Axes":
    """Axes of a new figure (inches) that is known to no window manager, so it need not be closed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def draw_trade_off(
    ax: "Axes",
    curves: Mapping[str, Points],
    *,
    baseline: float,
    static: Points | None = None,
    held_out: Points | None = None,
    selected: tuple[float, float] | None = None,
    unit: str = "MACs",
) -> None:
    """Draws accuracy (in %) against relative cost.

    Args:
        ax: to draw on.
        curves: by name, (relative_cost (F,), accuracy (F,)) in rising order of cost; drawn as stairs.
        baseline: accuracy of the final exit alone, which is at relative cost 1.
        static: (relative_cost, accuracy) of exits used alone, drawn as points.
        held_out: the first curve's configurations measured on other records.
        selected: (relative_cost, accuracy) to mark.
        unit: of the costs.
    """
    low = min(min(_at(accuracy, 0) for _, accuracy in curves.values()), baseline)
    if static is not None:
        ax.plot(static[0], 100 * static[1], "x", color="0.55", ms=5, label="one exit for everybody", zorder=1)
        # the front is the subject: weak exits alone must not squeeze it into the top of the picture
        low = max(min(low, float(static[1].min())), baseline - 1.6 * (baseline - low) - 0.005)
    for k, (name, (cost, accuracy)) in enumerate(curves.items()):
        style = {"color": COLORS[k % len(COLORS)], "ls": STYLES[k // len(COLORS) % len(STYLES)]}
        ax.step(cost, 100 * accuracy, where="post", lw=1.8, label=name, zorder=3, **style)  # type: ignore[arg-type]
    if held_out is not None:
        order = np.argsort(held_out[0], kind="stable")
        ax.plot(
            held_out[0][order], 100 * held_out[1][order], color=COLORS[0], lw=1, alpha=0.6, ls=(0, (3, 1.5)),
            label="same configurations, held-out", zorder=2,
        )  # fmt: skip
        low = min(low, float(held_out[1].min()))
    ax.plot(1, 100 * baseline, "s", color="black", ms=6, label="final exit alone", zorder=4)
    ax.axhline(100 * baseline, color="black", lw=0.6, ls=":", zorder=1)
    if selected is not None:
        ax.plot(selected[0], 100 * selected[1], "*", color="#E69F00", mec="black", ms=14, label="selected", zorder=5)
    top = max(max(float(accuracy.max()) for _, accuracy in curves.values()), baseline)
    room = 0.04 * max(top - low, 0.005)
    ax.set(
        xlabel=f"mean cost, relative to the whole model ({unit})",
        ylabel="accuracy (%)",
        xlim=(0, 1.03),
        ylim=(100 * (low - room), 100 * (top + 2 * room)),
    )
    ax.grid(alpha=0.25)
    ax.legend(loc="lower right", frameon=True, fontsize="small")


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
    kinds = list(dict.fromkeys(name for name in names if name is not None))
    for p, name in enumerate([*names, "final exit"]):
        if name is None:
            continue
        color = "0.35" if p == n_positions else COLORS[kinds.index(name) % len(COLORS)]
        first = p == n_positions or [*names].index(name) == p
        ax.bar(p, 100 * exit_share[p], color=color, label=name if first else None, width=0.75)
        if p < n_positions:
            shown = "all" if np.isneginf(threshold[p]) else f"> {threshold[p]:.3g}"
            ax.annotate(
                shown, (p, 100 * exit_share[p]), xytext=(0, 3), textcoords="offset points",
                ha="center", va="bottom", rotation=90, fontsize="x-small",
            )  # fmt: skip
    ax.set(
        xlabel="position (in brackets: cost of leaving there, relative to the whole model)",
        ylabel="samples that leave (%)",
        xlim=(-0.7, n_positions + 0.7),
        ylim=(0, 100 * float(exit_share.max()) * 1.3),
    )
    used = [p for p, name in enumerate(names) if name is not None]
    ax.set_xticks([*used, n_positions])
    labels = [f"{p}\n({relative_cost[p]:.2f})" for p in used] + [f"final\n({relative_cost[-1]:.2f})"]
    ax.set_xticklabels(labels, fontsize="x-small" if len(labels) > 12 else "small")
    ax.grid(axis="y", alpha=0.25)
    ax.set_axisbelow(True)
    ax.legend(fontsize="small")


def _at(values: FloatArray, index: int) -> float:
    return float(values[index])
