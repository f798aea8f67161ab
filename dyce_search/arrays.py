"""Checking what users pass, turning it into read-only NumPy arrays, and arrays into tables."""

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.errors import DyceError

if TYPE_CHECKING:
    import pandas as pd


def to_numpy(value: Any, name: str, error: type[DyceError]) -> npt.NDArray[Any]:
    """Converts an array-like, or a PyTorch tensor on any device, without importing torch.

    Raises:
        DyceError: of the type `error`: a tensor without data, entries that are masked, what is no rectangular array.
    """
    if getattr(value, "is_meta", False):
        raise error(f"{name} must hold data, got a tensor on the device 'meta', which has a shape alone")
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise error(
            f"{name} must have every entry, got {int(np.ma.getmaskarray(value).sum())} that are masked: fill them in, "
            "or leave those samples out"
        )
    try:
        array = np.asarray(_plain(value, name, error))
    except DyceError:
        raise
    except Exception as cause:  # of NumPy, of torch (sparse, nested), of whoever has an __array__ of its own
        raise error(f"{name} must be a rectangular array of numbers: {cause}") from cause
    if array.dtype == object:
        raise error(f"{name} must be a rectangular array of numbers, got an array of Python objects")
    if array.dtype == np.longdouble:
        with np.errstate(over="ignore"):  # what is beyond float64 is infinite, and refused as such
            return array.astype(np.float64)
    return array


def _plain(value: Any, name: str, error: type[DyceError]) -> Any:
    """A tensor, or a list of them, as NumPy takes it."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        return value.float() if str(value.dtype) == "torch.bfloat16" else value  # NumPy has no such type
    if isinstance(value, (list, tuple)) and any(_is_own_kind(item) for item in value):
        return [to_numpy(item, name, error) for item in value]
    return value


def _is_own_kind(item: Any) -> bool:
    """Whether NumPy alone would read it amiss: a tensor, or an array with a mask."""
    return hasattr(item, "detach") or isinstance(item, np.ma.MaskedArray)


def read_only(array: npt.NDArray[Any], dtype: npt.DTypeLike, *, copy: bool = False) -> npt.NDArray[Any]:
    """A C-contiguous, read-only array of `dtype`; without `copy` only type or layout force one.

    Large arrays are not copied. Small ones are, so that a caller may go on changing what was passed in.
    """
    kept = np.array(array, dtype=dtype, order="C") if copy else np.ascontiguousarray(array, dtype=dtype)
    view = kept.view()
    view.flags.writeable = False
    return view


def numbers(
    value: Any, name: str, error: type[DyceError], *, dtype: npt.DTypeLike, ndim: int, copy: bool = False
) -> npt.NDArray[Any]:
    """A read-only numeric array with `ndim` axes, or an error that names what was found."""
    array = to_numpy(value, name, error)
    if array.dtype.kind not in "biuf":
        raise error(f"{name} must be numeric, got dtype {array.dtype}")
    if array.ndim != ndim:
        raise error(f"{name} must have {ndim} axes, got {array.ndim} (shape {array.shape})")
    with np.errstate(over="ignore"):
        return read_only(array, dtype, copy=copy)


def whole_numbers(value: Any, name: str, error: type[DyceError], *, ndim: int, copy: bool = False) -> npt.NDArray[Any]:
    """A read-only integer array with `ndim` axes; floats are taken when they are whole."""
    array = to_numpy(value, name, error)
    if array.dtype.kind not in "iu":
        if array.dtype.kind not in "bf":
            raise error(f"{name} must hold whole numbers, got dtype {array.dtype}")
        values = array.astype(np.float64).ravel()
        odd = values[~((abs(values) < 2.0**63) & (values == np.floor(values)))]
        if odd.size:
            raise error(f"{name} must hold whole numbers, got {odd[0]}")
        array = array.astype(np.int64)
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise error(f"{name} must fit into 64 signed bits, got {array.max()}")
    if array.ndim != ndim:
        raise error(f"{name} must have {ndim} axes, got {array.ndim} (shape {array.shape})")
    return read_only(array, array.dtype, copy=copy)


def checked_index(index: Any, n_samples: int, error: type[DyceError]) -> npt.NDArray[Any]:
    """(M,) integers in [-N, N), of integers or of a mask (N,).

    Raises:
        DyceError: of the type `error`: an index out of range, a mask of the wrong length, no sample left.
    """
    chosen = to_numpy(index, "index", error)
    if chosen.ndim != 1 or (chosen.dtype.kind not in "iub" and chosen.size):
        raise error(f"index must be (M,) integers or (N,) booleans, got shape {chosen.shape}, dtype {chosen.dtype}")
    if chosen.dtype.kind == "b":
        require_length(chosen, "a boolean index", n_samples, error)
        chosen = np.flatnonzero(chosen)
    if not chosen.size:
        raise error("index selects no sample: records must have at least one")
    if chosen.min() < -n_samples or chosen.max() >= n_samples:
        raise error(f"index must lie in [-{n_samples}, {n_samples}), got {chosen.tolist()[:3]}...")
    return chosen


def require_length(array: npt.NDArray[Any], name: str, n_samples: int, error: type[DyceError]) -> None:
    """Checks that there is one entry per sample.

    Raises:
        DyceError: of the type `error`: there is not.
    """
    if len(array) != n_samples:
        raise error(f"{name} must have one entry per sample, {n_samples}, got {len(array)}")


def require_finite_rows(rows: Iterable[npt.NDArray[Any]], name: str, error: type[DyceError]) -> None:
    """Checks row by row, so that no temporary of the size of all rows is made."""
    for index, row in enumerate(rows):
        if not (np.isfinite(row.min()) and np.isfinite(row.max())):
            sample = int(np.flatnonzero(~np.isfinite(row))[0])
            raise error(
                f"{name} must be finite in float32, got {row[sample]} at exit {index}, sample {sample}: "
                "drop such samples or mend the model that made them"
            )


def ordered_mean(values: npt.NDArray[np.float32]) -> float:
    """Adds up (N,) in order, in float64, as `evaluate` does: the same mean to the bit."""
    ones = np.count_nonzero(values)
    if ones == values.sum(dtype=np.float64):  # only zeros and ones: any order will do
        return ones / len(values)
    return float(np.add.accumulate(values, dtype=np.float64)[-1] / len(values))


def restore(frozen: Any, state: list[Any]) -> None:
    """The `__setstate__` of the frozen dataclasses with arrays, so that what was pickled comes back read-only.

    Pickle forgets that arrays are read-only. It matters for more than safety: compiled loops are kept for read-only
    arrays, and would be compiled again for others in each process that gets a copy.

    Args:
        frozen: the instance to fill.
        state: values of its fields, in order, as dataclasses with slots are pickled.
    """
    for field, value in zip(fields(frozen), state, strict=True):
        object.__setattr__(frozen, field.name, _frozen_again(value))


def _frozen_again(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        view = value.view(np.ndarray)
        view.flags.writeable = False
        return view
    if isinstance(value, dict):
        return {key: _frozen_again(entry) for key, entry in value.items()}
    return value


def frame_of(value: Any, names: tuple[str, ...]) -> "pd.DataFrame":
    """A pandas DataFrame whose columns are these attributes, arrays of one length."""
    import pandas as pd

    return pd.DataFrame({name: getattr(value, name) for name in names})
