"""Pieces of one self-contained HTML page: text, tables, pictures as data."""

import base64
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from dyce_search.cards.html import lines
from dyce_search.drawing import axes
from dyce_search.explorer.view import View, page_head

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (6.4, 4.0)  # inches of a picture
COLORS = 255  # of a picture
GROUNDS: dict[str, Literal["print", "dark"]] = {"light": "print", "dark": "dark"}


def page(title: str, parts: Iterable[str], view: View) -> str:
    """A whole document of parts that are HTML already; one of them is the body of the view."""
    style = files("dyce_search.report").joinpath("report.css").read_text(encoding="utf-8")
    head = page_head(title, [view.style, style], [view.script])
    body = "\n".join(parts)
    return f"{head}<body>\n<h1>{escape(title)}</h1>\n{body}\n<script>{view.script}</script>\n</body>\n</html>\n"


def heading(text: str) -> str:
    """A section's title."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, *, kind: str = "") -> str:
    """Text; of a `kind` of the style sheet."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def box(text: str, *, more: str = "", warning: bool = False) -> str:
    """A box that stands out, with lines of `more` kept as they are."""
    lines = f"<pre>{escape(more)}</pre>" if more else ""
    return f'<div class="{"box warning" if warning else "box"}">{escape(text)}{lines}</div>'


def table(label: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table of text; the first `left` columns are aligned to the left, the others to the right.

    Example:
        >>> text = table("exits", ["exit", "share"], [["a & b", "7 %"]])
        >>> text.count("<tr>"), "a &amp; b" in text
        (2, True)
    """
    inside = lines(header, rows, lambda column: 'class="left"' if column < left else "")
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table>{inside}</table></div>'


def figure(draw: "Callable[[Axes], object]", caption: str, *, size: tuple[float, float] = SIZE, kind: str = "") -> str:
    """A picture, part of the page, with what it shows in words.

    It is drawn twice, light and dark; the page shows the one that its colours ask for, and prints the light one.

    Args:
        draw: draws it on axes.
        caption: what it shows.
        size: in inches.
        kind: of the style sheet.
    """
    text = escape(caption)
    look = f' class="{kind}"' if kind else ""
    pictures = "".join(
        f'<img class="{name}" alt="{text}" src="data:image/png;base64,{_drawn(draw, size, theme)}">'
        for name, theme in GROUNDS.items()
    )
    return f"<figure{look}>{pictures}<figcaption>{text}</figcaption></figure>"


def _drawn(draw: "Callable[[Axes], object]", size: tuple[float, float], theme: Literal["print", "dark"]) -> str:
    ax = axes.new_axes(*size, theme=theme)
    draw(ax)
    return base64.b64encode(axes.to_png(ax, colors=COLORS)).decode()


def side_by_side(figures: Iterable[str]) -> str:
    """Pictures in two columns where there is room."""
    return '<div class="figures">\n' + "\n".join(figures) + "\n</div>"


def download(name: str, text: str, content: str) -> str:
    """A link that saves `content`, which is part of the page, as a JSON file."""
    data = base64.b64encode(content.encode()).decode()
    return f'<p><a download="{escape(name)}" href="data:application/json;base64,{data}">{escape(text)}</a></p>'


def footer(text: str) -> str:
    """The last line of the page."""
    return f"<footer>{escape(text)}</footer>"
