"""Arrays as text that a browser reads back bit for bit."""

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

UNSIGNED = (np.uint8, np.uint16, np.uint32)


def packed(array: npt.NDArray[Any]) -> dict[str, str]:
    """The bytes of an array, in order and little-endian, with their type, as `unpacked` of figures.js reads them.

    Args:
        array: (...) float32 or float64, or integers from 0 to 4,294,967,295, which take as few bytes as they need.

    Example:
        >>> packed(np.array([1, 300])), packed(np.array([0.5]))
        ({'type': 'u2', 'data': 'AQAsAQ=='}, {'type': 'f8', 'data': 'AAAAAAAA4D8='})
    """
    if array.dtype.kind in "iu":
        most = int(array.max(initial=0))
        array = array.astype(next(kind for kind in UNSIGNED if most <= np.iinfo(kind).max))
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {"type": f"{array.dtype.kind}{array.dtype.itemsize}", "data": base64.b64encode(little.tobytes()).decode()}


def packed_sums(array: npt.NDArray[np.float64]) -> dict[str, str]:
    """Sums of scores: as integers where all answers are right or wrong, else in float32, which is enough to show."""
    whole = bool(np.all(array == np.rint(array)))
    return packed(array.astype(np.int64) if whole else array.astype(np.float32))


def packed_repeats(array: npt.NDArray[np.float64]) -> dict[str, Any]:
    """An array of which many entries are equal: its different values, and for each entry which of them it is."""
    values, which = np.unique(array, return_inverse=True)
    return {"values": packed(values), "which": packed(which.ravel())}
