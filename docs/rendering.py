"""Two turns that text takes on its way into the documentation; loaded by MkDocs, see mkdocs.yml."""

import html
import re
from typing import Any

import griffe
from latex2mathml.converter import convert

TEX = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', flags=re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """TeX becomes MathML, so that pages need no script and nothing from elsewhere; broken TeX fails the build."""

    def mathml(found: re.Match[str]) -> str:
        return convert(html.unescape(found["tex"]), display="block" if found["tag"] == "div" else "inline")

    return TEX.sub(mathml, content)


class Docstrings(griffe.Extension):
    """What pages need otherwise than `help` does."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Examples become code, as the parser knows their plural only; "See the class" stays out of the class."""
        if obj.docstring is None:
            return
        if obj.name == "__init__" and obj.docstring.value.startswith("See "):
            obj.docstring = None
        else:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
