"""A card of HTML: a title, a table, a picture. Every text is escaped; colours are those of the page, light or dark."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

BOX = "display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start;font-size:.9em"
TABLE = "border-collapse:collapse;margin:.3em 0;color:inherit;background:none"
CELL = "padding:.1em .8em .1em 0;text-align:{};white-space:nowrap;border:none;font-variant-numeric:tabular-nums"


def card(title: str, *parts: str) -> str:
    """A title above parts that are HTML already, side by side where there is room."""
    return f'<div><strong>{escape(title)}</strong><div style="{BOX}">{"".join(parts)}</div></div>'


def facts(rows: Mapping[str, str]) -> str:
    """A table of names and what they are.

    Example:
        >>> "&lt;b&gt;" in facts({"name": "<b>"})
        True
    """
    return table((), rows.items(), left=2)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table of text; the first `left` columns are aligned to the left, the others to the right.

    Args:
        header: what stands above the columns, or nothing.
        rows: of cells.
        left: how many columns are text.
    """
    text, figures = (f'style="{CELL.format(side)}"' for side in ("left", "right"))
    return f'<table style="{TABLE}">{lines(header, rows, lambda column: text if column < left else figures)}</table>'


def lines(header: Sequence[str], rows: Iterable[Sequence[str]], look: Callable[[int], str]) -> str:
    """What is in a table of text.

    Args:
        header: what stands above the columns, or nothing.
        rows: of cells.
        look: the attributes of the cells of a column, by its number; notebooks have no style sheet for cards, pages do.

    Example:
        >>> lines((), [["a & b", "7 %"]], lambda column: "" if column else 'class="left"')
        '<tbody><tr><td class="left">a &amp; b</td><td>7 %</td></tr></tbody>'
    """

    def line(cells: Sequence[str], tag: str) -> str:
        tags = [f"{tag} {look(k)}".strip() for k in range(len(cells))]
        return "".join(f"<{begin}>{escape(cell)}</{tag}>" for begin, cell in zip(tags, cells, strict=True))

    head = f"<thead><tr>{line(header, 'th')}</tr></thead>" if header else ""
    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"{head}<tbody>{body}</tbody>"
