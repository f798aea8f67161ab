"""Draws what a monitor has seen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dyce_search.drawing.axes import COLORS, STYLES, given_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]


def draw_evidence(n: FloatArray, evidence: Mapping[str, FloatArray], alarm: float, ax: "Axes | None") -> "Axes":
    """Draws evidence against the number of samples, on a logarithmic scale.

    Args:
        n: (M,) samples served.
        evidence: by name, (M,) each, above 0.
        alarm: where there is one.
        ax: to draw on; a new figure for None.
    """
    ax = given_or_new(ax)
    for (name, values), color, style in zip(evidence.items(), COLORS, STYLES, strict=False):
        ax.plot(n, np.maximum(values, 1e-6), color=color, ls=style, lw=1.6, label=name)
    ax.axhline(alarm, color="black", lw=1.0, ls=":", label=f"alarm at {alarm:g}")
    ax.set(xlabel="samples served", ylabel="evidence (e-value)", yscale="log", ylim=(1e-3, 1e4 * alarm))
    ax.grid(alpha=0.25)
    ax.legend(loc="upper left")
    return ax
