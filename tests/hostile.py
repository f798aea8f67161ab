"""What people pass by mistake, and what no annotation lets through."""

import collections.abc
import datetime
import os
import types
import typing
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt


class Nameless:
    """Something of another library, which cannot show itself."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


def circle() -> list[Any]:
    """A list in itself."""
    inside: list[Any] = []
    inside.append(inside)
    return inside


def values() -> dict[str, Any]:
    """By name; nothing in it is ever changed."""
    found = {
        "text": "x", "no text": "", "none": None, "three": 3, "minus one": -1, "zero": 0, "half": 2.5, "nan": np.nan,
        "infinity": np.inf, "minus infinity": -np.inf, "true": True, "beyond 64 bits": 2**64, "400 digits": 10**400,
        "6,000 digits": 10**6000, "int64": np.int64(2**62), "float128": np.longdouble("1e4000"), "1e308": 1e308,
        "complex": 1 + 2j, "bytes": b"x", "object": object(), "nameless": Nameless(), "no list": [], "list": [1, 2],
        "ragged": [[1], [2, 3]], "texts": ["a", "b"], "nones": [None, None], "dict": {"a": 1}, "no dict": {},
        "mixed dict": {1: [2], "a": None}, "set": {1}, "function": len, "class": int, "module": np, "circle": circle(),
        "NUL": "\0", "surrogate": "\ud800", "date": datetime.datetime(2026, 1, 1), "decimal": Decimal("1e9999"),
        "generator": (n for n in ()), "array of nothing": np.empty((0, 3)), "scalar array": np.array(1.0),
        "huge integers": np.array([2**63], np.uint64), "array of nan": np.full((4, 60), np.nan),
        "objects": np.array([{}, []], object), "masked": np.ma.masked_greater(np.ones((2, 2)), 0), "times":
        np.array(["2026-01-01", "NaT"], "datetime64[ns]"), "strings": np.array([["a"], ["b"]]), "five axes":
        np.ones((1, 1, 1, 1, 1)), "numbers with a 400-digit one": [1, 10**400], "complex numbers": np.ones(2) * 1j,
    }  # fmt: skip
    if find_spec("torch"):
        torch = import_module("torch")
        found |= {
            "meta": torch.empty((4, 60), device="meta"),
            "sparse": torch.eye(2).to_sparse(),
            "scalar tensor": torch.tensor(1.0),
        }
    if find_spec("polars"):
        found["polars"] = import_module("polars").DataFrame({"a": [[1], None]})
    pandas = import_module("pandas")
    found["frame"] = pandas.DataFrame({10**5000: [1], "confidence_0": [{}]})
    return found


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is what an annotation asks for, as far as a glance tells; what it does not know fits."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or kind is None or isinstance(kind, (str, typing.TypeVar)):
        return kind is not None or value is None
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return type(None) in inside or None in inside
        if len(inside) > 5 and complex in inside:  # npt.ArrayLike
            return not isinstance(value, (dict, set, types.ModuleType, Nameless)) and type(value) is not object
        return any(fits(value, one) for one in inside)
    if origin is typing.Literal:
        return isinstance(value, str) and value in inside
    if kind is type(None):
        return value is None
    if kind is bool:
        return isinstance(value, (bool, np.bool_))
    if kind is int:
        return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, complex))
    if origin is np.ndarray:
        return fits(value, npt.ArrayLike)
    if origin is os.PathLike:
        return isinstance(value, os.PathLike)
    if origin in (tuple, list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection):
        return isinstance(value, collections.abc.Iterable) and not isinstance(value, (str, bytes))
    if origin in (dict, collections.abc.Mapping):
        return isinstance(value, collections.abc.Mapping)
    if origin is collections.abc.Callable:
        return callable(value)
    return not isinstance(kind, type) or isinstance(value, kind)
