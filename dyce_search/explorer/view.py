"""The view as pieces of HTML: its style, its controls, its data and its script; and what a page with it may do."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

STYLES = ("theme", "explorer", "chart")
SCRIPTS = ("figures", "front", "layers", "chart", "panels", "pins", "limits", "controls")  # each knows those before it


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a page needs to show a front.

    Attributes:
        style: CSS, for the head.
        body: HTML of the controls, with the data.
        script: JavaScript, for the end of the page.
    """

    style: str
    body: str
    script: str


def view_of(content: Mapping[str, Any]) -> View:
    """The view of what `explorer_content` gave."""
    return View(
        style="".join(_part(f"{name}.css") for name in STYLES),
        body=_part("explorer.html") + data_block(content),
        script=_script(),
    )


def data_block(content: Mapping[str, Any]) -> str:
    """JSON as a part of a page, in plain ASCII: nothing in a name ends the block or begins a tag.

    Example:
        >>> data_block({"name": "</script>"}).count("</script>")
        1
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return f'<script type="application/json" id="explorer-data">{text}</script>'


def page_head(title: str, styles: Iterable[str], scripts: Iterable[str]) -> str:
    """The head of a page that may run these styles and scripts and nothing else, and may load nothing.

    Args:
        title: of the page.
        styles: CSS, each for an element of its own.
        scripts: what the page will run, as its script elements hold it, to the letter.
    """
    styles, scripts = tuple(styles), tuple(scripts)
    rules = [
        "default-src 'none'",
        "img-src data:",
        " ".join(["style-src", *map(_mark, styles)]),
        " ".join(["script-src", *map(_mark, scripts)]) if scripts else "script-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n" + "\n".join(f"<style>{style}</style>" for style in styles) + "\n</head>\n"
    )


def _mark(text: str) -> str:
    """By which a browser recognises a style or a script that it may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _script() -> str:
    parts = "\n".join(_part(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();'


@cache
def _part(name: str) -> str:
    return files("dyce_search.explorer").joinpath(name).read_text(encoding="utf-8")
