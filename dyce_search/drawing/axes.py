"""Axes, legends and files: what all pictures share. Colours are in `style`."""

import io
import os
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import choice, real, require_type
from dyce_search.drawing.style import NARROW, THEMES, inches, is_narrow, keep_style
from dyce_search.errors import FrontError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]


def new_axes(width: float = 6.4, height: float = 4.4, *, theme: Literal["print", "dark"] = "print") -> "Axes":
    """Axes of a new figure, to draw on: `front.plot(ds.new_axes(theme="dark"))`.

    Pictures follow the ground that they are drawn on, so axes of one's own on a dark ground get light lines as well.
    In a notebook the figure is pyplot's, so it is shown, and closed, when the cell ends, as any other. Elsewhere it is
    known to no window manager, so it need not be closed.

    Args:
        width: of the figure, in inches.
        height: of the figure, in inches.
        theme: "print", black on white, or "dark", light on nearly black.

    Returns:
        The axes; `ax.figure.savefig("front.png")` writes the picture.

    Raises:
        FrontError: a size that is no number above 0, another theme.

    Example:
        >>> import dyce_search as ds
        >>> ds.new_axes(3.3, 2.5, theme="dark").figure.get_size_inches().tolist()
        [3.3, 2.5]
    """
    for name, size in (("width", width), ("height", height)):
        what, hint = "be a number of inches above 0", "6.4 fills a notebook"
        real(size, name, FrontError, what, lambda inches: 0 < inches < 1000, hint=hint)
    choice(theme, THEMES, "theme", FrontError, hint="leave it out for print")
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    look: dict[str, Any] = {
        "figsize": (width, height), "layout": "constrained", "facecolor": THEMES[theme].paper,
    }  # fmt: skip
    if "inline" in os.environ.get("MPLBACKEND", ""):  # which a notebook's kernel sets
        import matplotlib.pyplot as plt

        figure = plt.figure(**look)  # outside of the style, as the first one makes settings that are to stay
    else:
        figure = Figure(**look)
        FigureCanvasAgg(figure)
    with rc_context(THEMES[theme].settings(narrow=0.775 * width < NARROW)):  # the axes' part of the width at first
        ax: Axes = figure.add_subplot()
        keep_style(ax)
    return ax


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


def to_png(ax: "Axes", *, colors: int | None = None) -> bytes:
    """The figure of these axes as a PNG file, 150 dots an inch. It is closed: a notebook does not show it as well.

    Args:
        ax: of the figure.
        colors: of a palette, at most 256, which is enough for lines and text and takes a third of the bytes.
    """
    stream = io.BytesIO()
    figure = ax.get_figure(root=True)
    figure.savefig(stream, format="png", dpi=150)  # type: ignore[union-attr]
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    return stream.getvalue() if colors is None else _with_palette(stream, colors)


def _with_palette(png: IO[bytes], colors: int) -> bytes:
    from PIL import Image

    with Image.open(png) as picture:
        few = picture.convert("RGB").quantize(colors, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    few.save(stream, format="png", optimize=True)
    return stream.getvalue()


def add_legend(ax: "Axes", shown: Sequence[Any]) -> None:
    """A legend below the axes, in as many columns as its names leave room for."""
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    narrow = is_narrow(ax)
    widths = [
        len(str(entry.get_label())) * (0.038 if narrow else 0.053) + (0.28 if narrow else 0.35) for entry in shown
    ]
    columns = next(n for n in (4, 3, 2, 1) if n == 1 or _wide(widths, n) < 1.15 * inches(ax)[0])
    under_label = ScaledTranslation(0, -0.045 * rcParams["font.size"], ax.figure.dpi_scale_trans)  # inches
    ax.legend(
        handles=shown, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=ax.transAxes + under_label,
        ncols=columns, columnspacing=1.2, labelspacing=0.3, borderpad=0, handlelength=1.6 if narrow else 2.0,
        fontsize="x-small" if narrow else "small",
    )  # fmt: skip


def _wide(widths: Sequence[float], columns: int) -> float:
    """Inches that a legend of entries of these widths takes in so many columns, which differ by one row at most."""
    return sum(float(max(column, default=0)) + 0.13 for column in np.array_split(widths, columns) if len(column))


def step_of(cost: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """(K,) values of stairs at these costs: of the last of the points (F,) that costs no more; NaN before the first.

    Example:
        >>> step_of(np.array([1.0, 2.0]), np.array([5.0, 7.0]), np.array([0.5, 1.0, 3.0])).tolist()
        [nan, 5.0, 7.0]
    """
    place = np.searchsorted(cost, at, side="right") - 1
    return np.where(place >= 0, values[np.maximum(place, 0)], np.nan)
