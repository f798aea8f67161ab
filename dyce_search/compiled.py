"""How loops are compiled: by Numba, when they are first called with arrays of some type, and kept in a cache on disk.

Compiling takes far longer than a search. Most of it is for what loops call, so they call next to nothing: each NumPy
function used inside would be compiled along with them, some for a second. Arrays are made and sorted by the callers.
"""

from typing import Any

from numba import njit

# Ways in that nobody uses; Numba's annotations leave these options out.
NO_WAY_FROM_C: dict[str, Any] = {"no_cfunc_wrapper": True}
NO_WAY_IN: dict[str, Any] = {"no_cfunc_wrapper": True, "no_cpython_wrapper": True}

loop = njit(nogil=True, cache=True, error_model="numpy", **NO_WAY_FROM_C)
"""Decorates a loop that Python calls."""

part = njit(error_model="numpy", **NO_WAY_IN)
"""Decorates a part of loops, which Python cannot call; without a way in it takes half the time to compile."""

inlined = njit(inline="always", error_model="numpy")
"""Decorates an expression that is put where it is called."""
