"""The house style, in one place: two themes, which hold while something is drawn and no longer, and literal text."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axes._base import _AxesBase

P = ParamSpec("P")
T = TypeVar("T")

# Okabe and Ito 2008: told apart by colour-blind readers, and by their lightness in print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# The same hues on a dark ground: those that are too dark for it are lightened, black is white.
DARK_COLORS = ("#56B4E9", "#FF8A4C", "#2CC79B", "#E3A0C4", "#F0B93A", "#9BD3F5", "#FFFFFF")
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MOST_LETTERS = 36  # of a name that somebody gave
NARROW = 3.6  # inches: axes of less have the width of a printed column, or less


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """What a picture is drawn with.

    Attributes:
        paper: colour of the ground.
        ink: of lines, marks and text that belong to no series.
        muted: of what stands behind: single exits, each point under a smooth line.
        grid: of the grid.
        colors: of series, in order.
        star: of the point that is marked.
    """

    paper: str
    ink: str
    muted: str
    grid: str
    colors: tuple[str, ...]
    star: str

    def color(self, k: int) -> str:
        """Of the series k; after the last one they begin again."""
        return self.colors[k % len(self.colors)]

    def settings(self, *, narrow: bool) -> dict[Any, Any]:
        """For `matplotlib.rc_context`; text is smaller where axes are narrow."""
        return {
            "font.size": 8.0 if narrow else 9.5,
            "text.color": self.ink,
            "text.usetex": False,
            "figure.facecolor": self.paper,
            "axes.facecolor": self.paper,
            "axes.edgecolor": self.ink,
            "axes.labelcolor": self.ink,
            "axes.linewidth": 0.8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": False,  # which pictures have one, and along which axis, they say
            "axes.titlesize": "medium",
            "axes.titlelocation": "left",
            "grid.color": self.grid,
            "grid.linewidth": 0.6,
            "grid.linestyle": "-",
            "grid.alpha": 1.0,
            "xtick.color": self.ink,
            "ytick.color": self.ink,
            "xtick.labelcolor": self.ink,
            "ytick.labelcolor": self.ink,
            "xtick.labelsize": "small",
            "ytick.labelsize": "small",
            "xtick.direction": "out",
            "ytick.direction": "out",
            "lines.linewidth": 1.8,
            "lines.solid_capstyle": "round",
            "legend.frameon": False,
            "legend.fontsize": "small",
            "legend.labelcolor": None,  # that of text
            "patch.edgecolor": self.ink,
            "hatch.color": self.ink,
        }


PRINT = Theme(paper="#FFFFFF", ink="#000000", muted="#8C8C8C", grid="#E6E6E6", colors=COLORS, star="#E69F00")
DARK = Theme(paper="#14171C", ink="#ECEEF1", muted="#7F8791", grid="#2C323A", colors=DARK_COLORS, star="#F0E442")
THEMES = {"print": PRINT, "dark": DARK}


def theme_of(ax: "Axes") -> Theme:
    """The theme for axes on this ground: `DARK` where it is darker than middle grey, whoever made them."""
    from matplotlib.colors import to_rgba

    ground = to_rgba(ax.get_facecolor())
    if ground[3] < 0.5:  # the figure shows through
        ground = to_rgba(ax.get_figure(root=True).get_facecolor())  # type: ignore[union-attr]
    red, green, blue, alpha = ground
    return DARK if alpha >= 0.5 and 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else PRINT


def is_narrow(ax: "Axes") -> bool:
    """Whether the axes have the width of a printed column or less."""
    return inches(ax)[0] < NARROW


def inches(ax: "Axes") -> tuple[float, float]:
    """Width and height of the axes."""
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    return float(box.width / dpi), float(box.height / dpi)


def in_house_style(draw: "Callable[Concatenate[Axes, P], T]") -> "Callable[Concatenate[Axes, P], T]":
    """Lets a function draw in the theme of the axes that it is given, and makes what it wrote literal."""

    @wraps(draw)
    def drawn(ax: "Axes", /, *args: P.args, **options: P.kwargs) -> T:
        from matplotlib import rc_context

        keep_style(ax)  # before it is another one's
        with rc_context(theme_of(ax).settings(narrow=is_narrow(ax))):
            result = draw(ax, *args, **options)
            for child in ax.child_axes:
                keep_style(child)
        take_literally(ax)
        return result

    return drawn


def keep_style(ax: "_AxesBase") -> None:
    """Makes what Matplotlib would make when it draws, under whatever settings hold by then: ticks, and their size.

    Later ticks are copies of the first one of an axis; how many there are depends on the size of their labels.
    """
    for axis in (ax.xaxis, ax.yaxis):
        major, minor = axis.get_major_ticks(1)[0], axis.get_minor_ticks(1)[0]
        axis.set_tick_params(which="major", labelsize=major.label1.get_fontsize())
        axis.set_tick_params(which="minor", labelsize=minor.label1.get_fontsize())


def take_literally(ax: "Axes") -> None:
    """Nothing that is written on these axes is mathematics or TeX, whatever names somebody gave to exits or groups.

    But for numbers of ticks, which Matplotlib writes, and what is not written yet, such as a title.
    """
    from matplotlib.text import Text
    from matplotlib.ticker import FixedLocator

    axes = [axis for part in (ax, *ax.child_axes) for axis in (part.xaxis, part.yaxis)]
    numbers = {
        label
        for axis in axes
        if not isinstance(axis.get_major_locator(), FixedLocator)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
    }
    for text in ax.findobj(Text):
        assert isinstance(text, Text)
        text.set_usetex(False)
        if "$" in text.get_text() and text not in numbers:
            text.set_parse_math(False)


def short(name: object, most: int = MOST_LETTERS) -> str:
    """A name on one line, its middle left out where it is long, as its ends tell most.

    Example:
        >>> short("backbone.stages.3.blocks.17.attention/linear", 24)
        'backbone.st…ntion/linear'
    """
    text = " ".join(str(name).split())
    return text if len(text) <= most else f"{text[: (most - 1) // 2]}…{text[len(text) - most // 2 :]}"
