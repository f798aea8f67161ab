"""Pieces of one self-contained HTML page: text, tables, pictures as data."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from dyce_search.drawing import axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE = """
body { font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; }
h2 { font-size: 1.25rem; margin-top: 2.4rem; border-bottom: 1px solid #ccc; padding-bottom: .2rem; }
p { max-width: 46rem; }
.lead { color: #555; margin-top: 0; }
.box { border-left: 5px solid #0072B2; background: #eef5fa; padding: .6rem 1rem; margin: 1rem 0; max-width: 46rem; }
.box.warning { border-color: #D55E00; background: #fdf1e8; }
.box pre { margin: .4rem 0 0; font: .85rem/1.4 ui-monospace, Consolas, monospace; white-space: pre-wrap; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1.2rem; }
figure { margin: 0; }
figure img { width: 100%; height: auto; }
figcaption { font-size: .88rem; color: #444; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: 1rem 0; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #e2e2e2; white-space: nowrap;
         font-variant-numeric: tabular-nums; }
th { border-bottom: 2px solid #999; font-weight: 600; }
th.left, td.left { text-align: left; }
th:first-child, td:first-child { padding-left: 0; }
@media print { h2 { break-after: avoid; } figure, .box { break-inside: avoid; } }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document of parts that are HTML already."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


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


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table of text; the first `left` columns are aligned to the left, the others to the right.

    Example:
        >>> table(["exit", "share"], [["a & b", "7 %"]]).count("<tr>"), "a &amp; b" in table(["x"], [["a & b"]])
        (2, True)
    """

    def line(cells: Sequence[str], tag: str) -> str:
        words = [' class="left"' if k < left else "" for k in range(len(cells))]
        return "".join(f"<{tag}{word}>{escape(cell)}</{tag}>" for cell, word in zip(cells, words, strict=True))

    body = "\n".join(f"<tr>{text}</tr>" for text in [line(header, "th"), *(line(row, "td") for row in rows)])
    return f'<div class="scroll"><table>\n{body}\n</table></div>'


def figure(ax: "Axes", caption: str) -> str:
    """A picture, part of the page, with what it shows in words."""
    data = base64.b64encode(axes.to_png(ax)).decode()
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def side_by_side(figures: Iterable[str]) -> str:
    """Pictures in two columns where there is room."""
    return '<div class="figures">\n' + "\n".join(figures) + "\n</div>"


def download(name: str, text: str, content: str) -> str:
    """A link that saves `content`, which is part of the page, as a JSON file."""
    data = base64.b64encode(content.encode()).decode()
    return f'<p><a download="{escape(name)}" href="data:application/json;base64,{data}">{escape(text)}</a></p>'
