"""Says, the first time that loops are compiled on a machine, that this is what takes the time.

Numba tells when it compiles, and tells nothing when it finds what was compiled in its cache, so a search that starts at
once says nothing. Where nobody watches, the line goes to the log `dyce_search` alone.
"""

import builtins
import logging
import sys
import threading
from typing import Any

MESSAGE = "dyce_search: compiling the search for this machine"
KEPT = "; it is kept for the next"
LOG = logging.getLogger("dyce_search")
_lock, _waiting = threading.Lock(), True


def announce_compiling(needed: Any, shown: bool | None = None) -> None:
    """Says in one line that loops are compiled: now, where one that is needed never was, else when one is; but once.

    Args:
        needed: a loop that will be called for sure.
        shown: whether on standard error, too; None is where somebody watches: on a terminal and in a notebook.
    """
    global _waiting
    with _lock:
        if not _waiting:
            return
        _waiting = False
    seen = is_watched() if shown is None else shown
    message = MESSAGE + KEPT * hasattr(getattr(needed, "_cache", None), "_cache_file")
    if not is_compiled(needed):
        say(message, seen)
        return
    from numba.core import event

    class Announcement(event.Listener):
        """Says it when the compiler starts, in whichever thread, and then keeps quiet."""

        def on_start(self, event: Any) -> None:
            """Numba compiles a function: perhaps one of this package."""
            if event.data["dispatcher"].py_func.__module__.startswith("dyce_search.") and not said.is_set():
                said.set()
                say(message, seen)

        def on_end(self, event: Any) -> None:
            """Numba has compiled it."""

    said = threading.Event()
    event.register("numba:compile", Announcement())  # type: ignore[no-untyped-call]


def is_compiled(loop: Any) -> bool:
    """Whether a loop was ever compiled: in this process, or in Numba's cache of this code; True where nothing tells."""
    try:
        return bool(loop.overloads or loop._cache._cache_file._load_index())  # of this file, as Numba has it
    except Exception:  # another release of Numba, no cache, no compiling at all
        return True


def say(message: str, shown: bool) -> None:
    """Puts a line into the log, and above the bars of progress."""
    LOG.info(message)
    if shown:
        from tqdm import tqdm

        tqdm.write(message, file=sys.stderr)


def is_watched() -> bool:
    """Whether a person sees standard error: on a terminal, and in a notebook."""
    shell = getattr(builtins, "get_ipython", None)
    return sys.stderr.isatty() or (shell is not None and hasattr(shell(), "kernel"))
