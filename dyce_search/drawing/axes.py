"""Axes, legends, colours and files: what all pictures share."""

import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dyce_search.arguments import require_type
from dyce_search.errors import FrontError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito 2008: told apart by colour-blind readers, and by their lightness in print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
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


def given_or_new(ax: "Axes | None") -> "Axes":
    """The axes that somebody passed, or those of a new figure for None.

    Raises:
        FrontError: it is something else.
    """
    if ax is None:
        return new_axes()
    from matplotlib.axes import Axes

    require_type(ax, Axes, "ax", FrontError)
    return ax


def to_png(ax: "Axes") -> bytes:
    """The figure of these axes as a PNG file, 150 dots an inch. It is closed: a notebook does not show it as well."""
    stream = io.BytesIO()
    figure = ax.get_figure(root=True)
    figure.savefig(stream, format="png", dpi=150)  # type: ignore[union-attr]
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    return stream.getvalue()


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


def is_narrow(ax: "Axes") -> bool:
    """Whether the axes have the width of a printed column or less."""
    return inches(ax)[0] < 3.6


def inches(ax: "Axes") -> tuple[float, float]:
    """Width and height of the axes."""
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    return float(box.width / dpi), float(box.height / dpi)
