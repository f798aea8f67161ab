"""What DyCE's two solvers share: the scalar search at every exit, and a configuration that grows from no exits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from dyce_search.solvers.run import Exits, Run, Thresholds
from dyce_search.solvers.trade_off import Line, TradeOff

LAMBDAS: Sequence[float] = tuple(np.linspace(0.5, 1.0, 51))


@contextmanager
def growing(run: Run) -> Iterator[tuple[Exits, Thresholds]]:
    """Exits (P,) and thresholds (P,) to be filled in, at first none; what they have become is proposed at the end.

    Where the budget ends, what was decided by then is a configuration too.
    """
    n_positions = run.records.costs.n_positions
    exits, threshold = np.full(n_positions, -1, np.int32), np.zeros(n_positions, np.float32)
    try:
        yield exits, threshold
    finally:
        run.propose(exits[None], threshold[None])


def best_threshold(run: Run, line: Line, e: int, trade_off: TradeOff, weight: float) -> tuple[float, np.float32]:
    """J and threshold where `scipy.optimize.fminbound` stops for candidate `e`.

    It searches [0, 1], as DyCE does; where confidences lie elsewhere, the range that they span.

    Raises:
        StopSearch: the budget is spent.
    """
    from scipy.optimize import fminbound

    confidence, accuracy, cost = line.with_exit(e)
    values = trade_off(weight, accuracy, cost)
    row = run.records.confidence[e]
    low, high = float(row.min()), float(row.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0

    def objective(threshold: float) -> float:
        run.spend()
        leaving = len(confidence) - np.searchsorted(confidence, np.float32(threshold), side="right")
        return float(values[leaving])

    threshold, value, _, _ = fminbound(objective, low, high, full_output=True, disp=0)
    return float(value), np.float32(threshold)
