"""How loops are compiled: by Numba, when they are first called with arrays of some type, and kept in a cache on disk.

Compiling takes far longer than a search. Most of it is for what loops call, so they call next to nothing: each NumPy
function used inside would be compiled along with them, some for a second. Arrays are made and sorted by the callers.

Where there is no place for the cache, as in an installation that nobody may write to for a user without a home, each
process compiles anew, and a warning says how to give it one.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from numba import njit

FAST: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def loop(function: Callable[..., Any]) -> Any:
    """Decorates a loop that Python calls."""
    try:
        return njit(cache=True, **FAST)(function)
    except RuntimeError as cause:  # "cannot cache function ...: no locator available for file ..."
        if "no locator available" not in str(cause):
            raise
    _warn()
    return njit(**FAST)(function)


@cache
def _warn() -> None:
    """Says once that there is no cache."""
    warnings.warn(
        "compiled loops cannot be kept, as neither the folder of dyce_search nor one of the user's can be written to: "
        "every process compiles them anew, which takes far longer than a search. Set NUMBA_CACHE_DIR to a folder that "
        "can be written to",
        stacklevel=2,
    )
