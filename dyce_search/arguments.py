"""Checks of single arguments, written once: numbers, words, switches, functions, sequences of this library's types.

Each names the argument, what it must be and what was found, whatever was found: `shown` keeps messages short.
"""

import math
from collections.abc import Callable, Iterable, Sized
from typing import Any, TypeVar

import numpy as np

from dyce_search.errors import DyceError

T = TypeVar("T")
LARGEST = 2**63 - 1  # of whole numbers: what 64 signed bits hold
FEW = 1000  # above which a largest number is said only to who exceeds it
WORDS = {str: "string", int: "whole number"}
LONGEST = 80  # characters of a value in a message


def shown(value: object) -> str:
    """A value for messages, of a few characters; its type where it cannot be written.

    Example:
        >>> shown([1, 2]), shown("a" * 100)[-5:], shown(10**5000)
        ('[1, 2]', 'aa...', 'a value of type int')
    """
    try:
        text = " ".join(repr(value.item() if isinstance(value, np.generic) else value).split())
    except Exception:  # an integer of more than 4,300 digits, an object that cannot show itself
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def is_whole(value: object) -> bool:
    """Whether it is a single whole number, of Python or of NumPy; True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a single real number within the range of float64, of Python or of NumPy; NaN and infinities are."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    try:
        float(value)
    except OverflowError:  # 10**400
        return False
    return True


def whole(
    value: object, name: str, error: type[DyceError], *, least: int = 0, most: int = LARGEST, hint: str = ""
) -> int:
    """A whole number from `least` to `most`.

    Raises:
        DyceError: of the type `error`: it is something else.

    Example:
        >>> whole(np.int32(3), "seed", DyceError)
        3
    """
    if not is_whole(value) or not least <= value <= most:  # type: ignore[operator]  # it is whole
        too_large = is_whole(value) and value > most  # type: ignore[operator]
        limits = f">= {least}" if most > FEW and not too_large else f"from {least} to {most:,}"
        raise error(f"{name} must be a whole number {limits}, got {shown(value)}{hint and f': {hint}'}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def real(
    value: object,
    name: str,
    error: type[DyceError],
    what: str,
    within: Callable[[float], bool] = math.isfinite,
    *,
    hint: str = "",
) -> float:
    """A real number for which `within` is true.

    Args:
        value: to check.
        name: of the argument.
        error: to raise.
        what: it must be, in words: "lie in (0, 1)".
        within: of a float, whether it is in range; comparisons refuse NaN.
        hint: what to do.

    Raises:
        DyceError: of the type `error`: it is something else.

    Example:
        >>> real(0.5, "level", DyceError, "lie in (0, 1)", lambda level: 0 < level < 1)
        0.5
    """
    if not is_number(value) or not within(float(value)):  # type: ignore[arg-type]  # it is a number
        raise error(f"{name} must {what}, got {shown(value)}{hint and f': {hint}'}")
    return float(value)  # type: ignore[arg-type]


def flag(value: object, name: str, error: type[DyceError]) -> bool:
    """True or False.

    Raises:
        DyceError: of the type `error`: it is something else, such as the word "no", which counts as true elsewhere.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise error(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def text(value: object, name: str, error: type[DyceError]) -> str:
    """A string.

    Raises:
        DyceError: of the type `error`: it is something else.
    """
    if not isinstance(value, str):
        raise error(f"{name} must be a string, got {shown(value)}")
    return str(value)


def choice(value: object, known: Iterable[str], name: str, error: type[DyceError], *, hint: str = "") -> str:
    """One of some words.

    Raises:
        DyceError: of the type `error`: it is something else; the message lists the words.

    Example:
        >>> choice("fast", ("fast", "default"), "effort", DyceError)
        'fast'
    """
    words = list(known)
    if not isinstance(value, str) or value not in words:
        either = " or ".join(filter(None, [", ".join(map(repr, words[:-1])), repr(words[-1])]))
        raise error(f"{name} must be {either}, got {shown(value)}{hint and f': {hint}'}")
    return str(value)


def function(value: object, name: str, error: type[DyceError]) -> None:
    """For arguments that are called.

    Raises:
        DyceError: of the type `error`: it cannot be.
    """
    if not callable(value):
        raise error(f"{name} must be a function, got {shown(value)}")


def require_type(value: object, kind: type, name: str, error: type[DyceError], *, hint: str = "") -> None:
    """For functions that are given a value of this library's types; names the argument where it is something else."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise error(f"{name} must be {article} {kind.__name__}, got {type(value).__name__}{hint and f': {hint}'}")


def several(values: Any, kind: type[T], name: str, error: type[DyceError]) -> list[T]:
    """The values of an iterable, all of one type.

    Raises:
        DyceError: of the type `error`: it is no iterable, or something else is in it; says at which place.

    Example:
        >>> several(range(2), int, "seeds", DyceError)
        [0, 1]
    """
    article, one = "an" if kind.__name__[0] in "AEIOU" else "a", WORDS.get(kind, kind.__name__)
    if not has_entries(values) or isinstance(values, (str, bytes, kind)):
        raise error(f"{name} must be a sequence of {one}{'s' * (kind in WORDS)}, got {type(values).__name__}")
    found = list(values)
    for place, value in enumerate(found):
        if not isinstance(value, kind):
            raise error(f"each of {name} must be {article} {one}, got {type(value).__name__} at {place}")
    return found


def iterable(value: object, name: str, error: type[DyceError]) -> None:
    """For arguments that are gone through once, such as loaders.

    Raises:
        DyceError: of the type `error`: it cannot be gone through, or is text.
    """
    if not has_entries(value) or isinstance(value, (str, bytes)):
        raise error(f"{name} must be something to iterate over, got {shown(value)}")


def has_entries(value: object) -> bool:
    """Whether it can be iterated over, as arrays and tensors without axes cannot."""
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) != 0


def length(value: object) -> int:
    """How many entries a value has; -1 where it has no length, as arrays and tensors without axes have none."""
    if not isinstance(value, Sized) or getattr(value, "ndim", 1) == 0:
        return -1
    return len(value)
