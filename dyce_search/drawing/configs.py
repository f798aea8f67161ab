"""Draws what one configuration does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.drawing.style import in_house_style, inches, is_narrow, short, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]


@in_house_style
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
    look, n_positions = theme_of(ax), len(names)
    width, height = inches(ax)
    slot = width / (n_positions + 1.4)  # inches for each bar: what is written depends on it
    kinds = list(dict.fromkeys(name for name in names if name is not None))
    for p, name in enumerate([*names, "final exit"]):
        if name is None:
            continue
        color = look.muted if p == n_positions else look.color(kinds.index(name))
        first = p == n_positions or [*names].index(name) == p
        ax.bar(p, 100 * exit_share[p], color=color, label=short(name) if first else None, width=0.75)
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
    ax.grid(True, axis="y")
    ax.legend(loc="best", fontsize="x-small" if is_narrow(ax) else "small")


def _apart(positions: Sequence[int], distance: float) -> list[int]:
    """The last position, and of those before it as many as stay apart, from the first on."""
    kept: list[int] = []
    for p in positions[:-1]:
        if (not kept or p - kept[-1] >= distance) and positions[-1] - p >= distance:
            kept.append(p)
    return [*kept, positions[-1]]
