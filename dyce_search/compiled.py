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

# Ways in that nobody uses; Numba's annotations leave these options out.
NO_WAY_FROM_C: dict[str, Any] = {"no_cfunc_wrapper": True}
NO_WAY_IN: dict[str, Any] = {"no_cfunc_wrapper": True, "no_cpython_wrapper": True}

part = njit(error_model="numpy", **NO_WAY_IN)
"""Decorates a part of loops, which Python cannot call; without a way in it takes half the time to compile."""

inlined = njit(inline="always", error_model="numpy")
"""Decorates an expression that is put where it is called."""


def loop(function: Callable[..., Any]) -> Any:
    """Decorates a loop that Python calls."""
    options = {"nogil": True, "error_model": "numpy", **NO_WAY_FROM_C}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError as cause:  # "cannot cache function ...: no locator available for file ..."
        if "no locator available" not in str(cause):
            raise
    _warn()
    return njit(**options)(function)


@cache
def _warn() -> None:
    """Says once that there is no cache."""
    warnings.warn(
        "compiled loops cannot be kept, as neither the folder of dyce_search nor one of the user's can be written to: "
        "every process compiles them anew, which takes far longer than a search. Set NUMBA_CACHE_DIR to a folder that "
        "can be written to",
        stacklevel=2,
    )
