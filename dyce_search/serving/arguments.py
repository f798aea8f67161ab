"""What stands in the brackets of a call, checked against what a bundle takes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dyce_search.arrays import to_numpy
from dyce_search.errors import ModelError
from dyce_search.serving.bundle_file import BundleFile, InputEntry
from dyce_search.serving.sessions import Array, Board

BATCH = "batch"


def board_of(manifest: BundleFile, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Board, int]:
    """The values that the first stage finds, and the number of samples.

    Raises:
        ModelError: arguments that are unknown, missing or of another shape or type, an empty batch.
    """
    alone = inputs[0] if len(inputs) == 1 and not named else None
    if isinstance(alone, Mapping):
        inputs, named = (), alone
    elif isinstance(alone, (tuple, list)):
        inputs = tuple(alone)
    given = dict(zip([entry.name for entry in manifest.inputs], inputs, strict=False))
    names = [entry.name for entry in manifest.inputs]
    twice, unknown = [n for n in named if n in given], [n for n in named if n not in names]
    missing = [name for name in names if name not in given and name not in named]
    if twice or unknown or missing or len(inputs) > len(names):
        raise ModelError(
            f"the model takes {', '.join(map(repr, names))}, got {len(inputs)} arguments by place and "
            f"{', '.join(map(repr, named)) or 'none'} by name: what was no tensor at the export is part of the stages"
        )
    given |= named
    sizes: dict[str, tuple[int, str]] = {}
    board = {entry.value: _checked(given[entry.name], entry, sizes) for entry in manifest.inputs}
    board |= {one.value: np.empty(board[one.input].shape[one.axis], np.bool_) for one in manifest.sizes}
    return board, sizes[BATCH][0]


def _cast(array: Array, dtype: np.dtype[Any], name: str) -> Array:
    """Numbers in another type of their kind: floats beyond its range become infinite, integers stay what they are.

    Raises:
        ModelError: integers that do not fit.
    """
    if dtype.kind in "iu" and array.size and not np.can_cast(array.dtype, dtype):
        limits = np.iinfo(dtype)
        if array.min() < limits.min or array.max() > limits.max:
            raise ModelError(f"{name} must fit into {dtype}, got {array.min()} to {array.max()}")
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def _checked(value: Any, entry: InputEntry, sizes: dict[str, tuple[int, str]]) -> Array:
    """An argument in the type that stages take; notes the sizes that vary.

    Raises:
        ModelError: another type or shape, or sizes that differ from those of other arguments.
    """
    array, dtype = to_numpy(value, entry.name, ModelError), np.dtype(entry.dtype)
    if array.dtype != dtype:
        if array.dtype.kind != dtype.kind and not np.can_cast(array.dtype, dtype):
            raise ModelError(f"{entry.name} must be {entry.dtype}, got {array.dtype}: convert it")
        array = _cast(array, dtype, entry.name)
    letters = ("B" if size == BATCH else "any" if isinstance(size, str) else str(size) for size in entry.shape)
    shape = ", ".join(letters)
    if array.ndim != len(entry.shape) or any(
        isinstance(size, int) and size != found for size, found in zip(entry.shape, array.shape, strict=True)
    ):
        raise ModelError(f"{entry.name} must have shape ({shape}), got {array.shape}")
    for size, found in zip(entry.shape, array.shape, strict=True):
        if isinstance(size, str):
            known, other = sizes.setdefault(size, (found, entry.name))
            if found != known:
                raise ModelError(
                    f"{entry.name} must have shape ({shape}), its sizes those of {other}, got {array.shape}"
                )
            if found < 1:
                raise ModelError(f"{entry.name} must have one or more samples, got shape {array.shape}")
    return array
