"""The screen: how wide it is, and text that keeps to it. Pipes and files have no width, so lines stay whole there."""

import os
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

TOGETHER = re.compile(r" (?==)|(?<==) |(?<=\d) (?=%|points?\b|[kMGT]? ?MACs\b)")  # spaces where no line is folded
NARROWEST = 20  # columns; below that nothing can be read anyway
USUAL = 80  # columns of a terminal that does not say how many it has


def width(stream: TextIO | None = None) -> int | None:
    """Columns of the terminal that a stream goes to, standard output by default; None for a pipe or a file."""
    stream = sys.stdout if stream is None else stream
    if not stream.isatty():
        return None
    asked = os.environ.get("COLUMNS", "")
    try:
        columns = int(asked) if asked.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except OSError:  # a terminal that does not say
        columns = 0
    return max(NARROWEST, columns or USUAL)


def folded(text: str, columns: int | None, hang: int = 2) -> str:
    r"""Text whose lines are folded between words; what follows a fold is indented by `hang` more than its line.

    Example:
        >>> print(folded("wrote front.json  (the front)\n  next", 16))
        wrote front.json
          (the front)
          next
    """
    if columns is None:
        return text
    lines = []
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        lines += textwrap.wrap(
            TOGETHER.sub("\u00a0", line),
            columns,
            subsequent_indent=" " * min(indent + hang, columns // 2),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return "\n".join(lines).replace("\u00a0", " ")


def say(text: str = "") -> None:
    """Prints text on standard output, folded where it is a terminal; sentences without an indent."""
    is_prose = text.rstrip().endswith((".", ":")) and "\n  " not in text
    print(folded(text, width(), hang=0 if is_prose else 2))


def complain(text: str) -> None:
    """Prints text on standard error, folded where it is a terminal."""
    print(folded(text, width(sys.stderr)), file=sys.stderr)


def say_facts(facts: dict[str, str], pad: int) -> None:
    """Prints facts, each after its name, in two columns."""
    for name, fact in facts.items():
        print(folded(f"{name:<{pad}}{fact}", width(), hang=pad))


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Within, warnings are lines on standard error as errors are, without the lines of code that they are from."""

    def show(message: Warning | str, *place: Any, **more: Any) -> None:
        complain(f"dyce-search: warning: {' '.join(str(message).split())}")

    before = warnings.showwarning
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
