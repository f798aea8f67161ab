"""How loops are compiled: by Numba, when they are first called with arrays of some type, and kept in a cache on disk.

Compiling takes far longer than a search. Most of it is for what loops call, so they call next to nothing: each NumPy
function used inside would be compiled along with them, some for a second. Arrays are made and sorted by the callers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba import njit
from numba.core import event

# Ways in that nobody uses; Numba's annotations leave these options out.
NO_WAY_FROM_C: dict[str, Any] = {"no_cfunc_wrapper": True}
NO_WAY_IN: dict[str, Any] = {"no_cfunc_wrapper": True, "no_cpython_wrapper": True}

loop = njit(nogil=True, cache=True, error_model="numpy", **NO_WAY_FROM_C)
"""Decorates a loop that Python calls."""

part = njit(error_model="numpy", **NO_WAY_IN)
"""Decorates a part of loops, which Python cannot call; without a way in it takes half the time to compile."""

inlined = njit(inline="always", error_model="numpy")
"""Decorates an expression that is put where it is called."""


@contextmanager
def when_compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Calls a function once, as soon as something is compiled within this context; not if all comes from the cache.

    Args:
        tell: is called before the compiling, on the thread that compiles.
    """
    with event.install_listener("numba:compile", _Once(tell)):
        yield


class _Once(event.Listener):
    """Calls a function at the first event."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell: Callable[[], None] | None = tell

    def on_start(self, event: Any) -> None:
        tell, self.tell = self.tell, None
        if tell is not None:
            tell()

    def on_end(self, event: Any) -> None:
        pass
