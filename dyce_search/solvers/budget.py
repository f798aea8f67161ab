"""What all searches share: a seed, a budget, how a solver is told that it is spent, and a progress bar."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import iterable, real, text, whole
from dyce_search.errors import SolverError
from dyce_search.evaluation.evaluate import evaluate_arrays
from dyce_search.records.records import ExitRecords

T = TypeVar("T")

TRIED = 8  # configurations by which the time to measure one is taken
FEWEST = 16  # that are measured after the time is over, however long it takes
GRACE = 0.25  # seconds to measure what was found, at least; else as long as the search was given


class StopSearch(Exception):  # noqa: N818 (it ends a search, it is no error)
    """Raised in a solver when its budget is spent; `Run.carry_out` catches it and keeps what was found."""


class Clock:
    """When a search began, and when its time is over.

    All counts from the start, what comes before the solver (scores to expect) too; half of the time is the solver's in
    any case. What it found is measured afterwards, which may take as long again.

    Attributes:
        over: (1,) bool, set as soon as the solver's time is over: for compiled loops, which cannot look at a clock.
    """

    def __init__(self, max_seconds: float | None) -> None:
        """Starts it; None sets no limit."""
        self.over = np.zeros(1, np.bool_)
        self._most = np.inf if max_seconds is None else max_seconds
        self._started = self._began = time.perf_counter()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self._most < np.inf

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._started

    @property
    def left(self) -> float:
        """Seconds left to the solver; infinite without a limit."""
        return self._most - (time.perf_counter() - self._began) if self.is_limited else np.inf

    @property
    def overtime(self) -> float:
        """Seconds left to measure what was found; infinite without a limit."""
        return self.left + max(self._most, GRACE)

    @contextmanager
    def running(self) -> Iterator[None]:
        """While the solver runs: it ends by `left`, and `over` says so."""
        if not self.is_limited:
            yield
            return
        self._began = max(self._started, time.perf_counter() - self._most / 2)
        timer = threading.Timer(min(max(self.left, 0.0), threading.TIMEOUT_MAX), self.over.fill, [True])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def check_budget(seed: int, max_evaluations: int | None, max_seconds: float | None) -> None:
    """Checks what all solvers share.

    Raises:
        SolverError: a seed or a budget that is out of range.
    """
    whole(seed, "seed", SolverError)
    if max_evaluations is not None:
        whole(max_evaluations, "max_evaluations", SolverError, least=1)
    if max_seconds is not None:
        real(max_seconds, "max_seconds", SolverError, "be above 0", lambda seconds: seconds > 0)


def timely(steps: Iterable[T], require: Callable[[], None]) -> Iterator[T]:
    """The steps, as long as `require` raises nothing before each.

    Raises:
        SolverError: nothing to iterate over.
    """
    iterable(steps, "steps", SolverError)

    def each() -> Iterator[T]:
        for step in steps:
            require()
            yield step

    return each()


def spread_over(
    records: ExitRecords, exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32], seconds: float
) -> npt.NDArray[np.int64]:
    """Which of F configurations, exits and threshold (F, P), can be measured in so many seconds: evenly spread ones."""
    size = len(exits)
    if size <= FEWEST:
        return np.arange(size)
    some = np.linspace(0, size - 1, TRIED).astype(np.int64)
    evaluate_arrays(records, exits[some[:1]], threshold[some[:1]])  # compiles, where nothing was measured yet
    started = time.perf_counter()
    evaluate_arrays(records, exits[some], threshold[some])
    each = max(time.perf_counter() - started, 1e-9) / TRIED  # coarse clocks may stand still
    most = max(FEWEST, int(max(seconds, GRACE) / 2 / each))  # half: they are measured twice
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(np.int64))


def bar_over(steps: Iterable[T], what: str, total: int | None, *, drawn: bool) -> Iterable[T]:
    """The steps, behind a progress bar where one is to be drawn, see `Run.bar`.

    Raises:
        SolverError: nothing to iterate over, or a total that is no whole number.
    """
    from tqdm import tqdm

    iterable(steps, "steps", SolverError)
    text(what, "what", SolverError)
    if total is not None:
        whole(total, "total", SolverError)
    bar: Iterable[T] = tqdm(steps, desc=what, total=total, disable=not drawn, leave=False)
    return bar
