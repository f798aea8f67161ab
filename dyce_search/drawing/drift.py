"""Draws what a monitor has seen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dyce_search.drawing.style import STYLES, in_house_style, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]


@in_house_style
def draw_evidence(ax: "Axes", n: FloatArray, evidence: Mapping[str, FloatArray], alarm: float) -> None:
    """Draws evidence against the number of samples, on a logarithmic scale.

    Args:
        ax: to draw on.
        n: (M,) samples served.
        evidence: by name, (M,) each, above 0.
        alarm: where there is one.
    """
    look = theme_of(ax)
    for k, ((name, values), style) in enumerate(zip(evidence.items(), STYLES, strict=False)):
        ax.plot(n, np.maximum(values, 1e-6), color=look.color(k), ls=style, lw=1.6, label=name)
    ax.axhline(alarm, color=look.ink, lw=1.0, ls=":", label=f"alarm at {alarm:g}")
    ax.set(xlabel="samples served", ylabel="evidence (e-value)", yscale="log", ylim=(1e-3, 1e4 * alarm))
    ax.grid(True)
    ax.legend(loc="upper left")
