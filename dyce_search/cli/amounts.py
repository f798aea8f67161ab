"""Amounts as people write them on the command line: points of accuracy, shares, costs with a prefix."""

import re
import sys
from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation

PREFIXES = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12}
SIZES = {"": 1, "b": 1}
SIZES |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)}
SIZES |= {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)}
MOST = 2**63 - 1  # bytes of a file
LARGEST = Decimal(sys.float_info.max)


def drop(text: str) -> float:
    """A drop of accuracy: absolute, or in points.

    Raises:
        ArgumentTypeError: no number; one from 1 on, which would be a hundred points; per cent, of whatever.

    Example:
        >>> drop("0.005"), drop("0.5pt"), drop("1 point")
        (0.005, 0.005, 0.01)
    """
    amount, unit = _parts(text)
    if unit == "%":
        raise ArgumentTypeError(f"{text!r} may mean points or a share of the accuracy: write {amount}pt for points")
    if unit in ("pt", "pts", "pp", "point", "points"):
        return float(amount / 100)
    if unit:
        raise ArgumentTypeError(f"{text!r} is no drop of accuracy: write 0.01, or 1pt for one point")
    if abs(amount) >= 1:
        raise ArgumentTypeError(f"{text} would be {100 * amount} points: write {amount}pt for points, 0.01 is one")
    return float(amount)


def share(text: str) -> float:
    """A share, or a relative cost: as a number, where 1 is the whole, or in per cent.

    Raises:
        ArgumentTypeError: neither of them.

    Example:
        >>> share("0.95"), share("95%")
        (0.95, 0.95)
    """
    amount, unit = _parts(text)
    if unit not in ("", "%"):
        raise ArgumentTypeError(f"{text!r} is no share: write 0.3, or 30%")
    return float(amount / 100 if unit else amount)


def shares(text: str) -> list[float]:
    """Several of them, with commas between.

    Raises:
        ArgumentTypeError: something that is no share.

    Example:
        >>> shares("0.2,30%")
        [0.2, 0.3]
    """
    return [share(part) for part in text.split(",")]


def cost(text: str) -> float:
    """A cost, in the unit of the costs; k, M, G and T are thousands, millions and so on.

    Raises:
        ArgumentTypeError: no number, or another prefix.

    Example:
        >>> cost("2.5M"), cost("250")
        (2500000.0, 250.0)
    """
    amount, unit = _parts(text)
    if unit not in PREFIXES:
        raise ArgumentTypeError(f"{text!r} is no cost: write a number in the unit of the costs, as 2500000 or 2.5M")
    return float(amount.scaleb(PREFIXES[unit]))


def size(text: str) -> int:
    """Bytes: kB, MB, GB and TB are powers of 1,000, KiB, MiB, GiB and TiB of 1,024; in any case.

    Raises:
        ArgumentTypeError: no number, another unit, less than a byte, or more than any file has.

    Example:
        >>> size("4GiB"), size("500MB"), size("1000")
        (4294967296, 500000000, 1000)
    """
    amount, unit = _parts(text)
    if unit.lower() not in SIZES:
        raise ArgumentTypeError(f"{text!r} is no number of bytes: write 4GiB, 500MB or 1000000")
    found = amount * SIZES[unit.lower()]
    if not 1 <= found <= MOST:
        raise ArgumentTypeError(f"{text!r} must be 1 byte or more, and less than 8 EiB: write 4GiB, 500MB or 1000000")
    return int(found)


def lambdas(text: str) -> list[float]:
    """Weights of accuracy, with commas between them.

    Raises:
        ArgumentTypeError: something that is no number.

    Example:
        >>> lambdas("0.5,0.9")
        [0.5, 0.9]
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no list of weights: write numbers in [0, 1], as 0.5,0.9") from None


def _parts(text: str) -> tuple[Decimal, str]:
    """The number, exact, and what stands behind it."""
    match = re.fullmatch(r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z%]*)", text.strip())
    try:
        if match is None:
            raise ArgumentTypeError(f"{text!r} is no number")
        amount = Decimal(match[1])
    except InvalidOperation:
        raise ArgumentTypeError(f"{text!r} is no number") from None
    if amount.copy_abs() > LARGEST:
        raise ArgumentTypeError(f"{text!r} is too large: the largest number is 1.8e308")
    return amount, match[2]
