"""How numbers and values are written for people: the one place for reprs, tables, cards, pages and messages."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

LONGEST = 160  # characters of a repr
PREFIXES = ("", "k", "M", "G", "T", "P", "E")
COUNTED = frozenset(  # units of which there are many, so that people write prefixes; of seconds or money they do not
    {"macs", "flops", "multiply-adds", "operations", "ops", "cycles", "tokens", "parameters", "params", "bytes"}
)


def number(value: float) -> str:
    """Four digits that count, and commas between thousands.

    Example:
        >>> number(2576821.905), number(0.176161), number(3.0), number(float("nan"))
        ('2,576,822', '0.1762', '3', 'nan')
    """
    exact = float(value)
    return f"{exact:,.0f}" if 1000 <= abs(exact) < 1e15 else f"{exact:.4g}"


def quantity(value: float, unit: str) -> str:
    """A cost with its unit; of what is counted in millions, three digits and a prefix.

    Example:
        >>> quantity(2576821.905, "MACs"), quantity(250, "MACs"), quantity(1234.5, "ms")
        ('2.58 M MACs', '250 MACs', '1,234 ms')
    """
    size = abs(float(value))
    if unit.lower() not in COUNTED or not 999.5 <= size < 1e21:
        return f"{number(value)} {unit}".rstrip()
    power = min(int(math.log10(float(f"{size:.2e}")) // 3), len(PREFIXES) - 1)
    return f"{float(value) / 1000**power:.3g} {PREFIXES[power]} {unit}"


def plural(count: int, noun: str) -> str:
    """So many of them.

    Example:
        >>> plural(1, "exit"), plural(15000, "sample")
        ('1 exit', '15,000 samples')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def exits_at(exits: int, positions: int) -> str:
    """How large a network or a configuration is.

    Example:
        >>> exits_at(1, 2)
        '1 exit at 2 positions'
    """
    return f"{plural(exits, 'exit')} at {plural(positions, 'position')}"


def points(drop: float, *, signed: bool = False) -> str:
    """A drop of accuracy, in points of a hundred.

    Example:
        >>> points(0.005), points(-0.0012, signed=True)
        ('0.50 points', '-0.12 points')
    """
    return f"{100 * drop:{'+' if signed else ''}.2f} points"


def percent(share: float) -> str:
    """A share of the samples, to three digits.

    Example:
        >>> percent(0.07254), percent(1), percent(0)
        ('7.25 %', '100 %', '0 %')
    """
    return f"{100 * float(share):.3g} %"


def one_line(value: Any) -> str:
    """The repr of a dataclass: one line of at most 160 characters; of arrays shape and range, of tensors their shape.

    Example:
        >>> import numpy as np
        >>> @dataclasses.dataclass
        ... class Found:
        ...     name: str
        ...     loss: object
        >>> one_line(Found("a", np.array([0.5, np.nan, 2.25])))
        "Found(name='a', loss=(3,) 0.5 to 2.25)"
    """
    shown = [field.name for field in dataclasses.fields(value) if field.repr]
    return line(type(value).__name__, *(f"{name}={_short(getattr(value, name))}" for name in shown))


def line(name: str, *parts: str) -> str:
    """`name(parts)`, of at most 160 characters: what has no room is left out, and an ellipsis says so."""
    text = printable(f"{name}({', '.join(parts)})")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2].rstrip(', ')}…)"


def printable(text: str) -> str:
    r"""Text of one line: names come from users, and terminals obey what is in them.

    Example:
        >>> printable("two\nlines")
        'two·lines'
    """
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "·" for letter in text)


def _short(value: Any) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:39]}…")
    if value is None or isinstance(value, (bool, int)):
        return repr(value)
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return _array(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_short(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, (tuple, list)):
        if len(value) > 4 or any(dataclasses.is_dataclass(entry) for entry in value):
            return f"{len(value)} of {type(value[0]).__name__}"
        return f"({', '.join(map(_short, value))})"
    return type(value).__name__ if dataclasses.is_dataclass(value) else repr(value)


def _array(value: Any) -> str:
    shape, kind = str(tuple(value.shape)), getattr(value.dtype, "kind", "O")  # a tensor may be on a GPU: left there
    if kind not in "iuf":
        return shape
    if value.shape == ():
        return number(value.item())
    known = value[value == value]
    return f"{shape} {number(known.min())} to {number(known.max())}" if known.size else shape
