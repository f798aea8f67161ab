"""Runs compiled loops side by side, on plain threads: they let go of the interpreter's lock.

Numba's own parallel loops are not used: starting their threads changes how many PyTorch uses in the same process.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


def n_threads() -> int:
    """How many threads to use: one a core, or as the environment variable NUMBA_NUM_THREADS says."""
    import numba

    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def side_by_side(function: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
    """`map` on `n_threads` threads, results in order; an interrupt waits only for what runs already."""
    jobs = list(zip(*arguments, strict=True))
    threads = min(n_threads(), len(jobs))
    if threads <= 1:
        return [function(*job) for job in jobs]
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(function, *zip(*jobs, strict=True)))
    finally:
        pool.shutdown(cancel_futures=True)


def parts_of(size: int) -> npt.NDArray[np.int64]:
    """(K+1,) bounds of K parts of so many things, some for each thread, for `side_by_side`."""
    return np.linspace(0, size, max(1, min(size, 8 * n_threads())) + 1).astype(np.int64)
