"""The scalar search that DyCE puts at every exit; shared by its two solvers."""

import numpy as np

from dyce_search.solvers.run import Run
from dyce_search.solvers.trade_off import Line, TradeOff


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
