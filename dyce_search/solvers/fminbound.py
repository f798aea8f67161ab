"""The scalar search that DyCE puts at every exit; shared by its two solvers."""

import numpy as np

from dyce_search.solvers.run import Run, StopSearch
from dyce_search.solvers.trade_off import Line, TradeOff


def best_threshold(run: Run, line: Line, e: int, trade_off: TradeOff, weight: float) -> tuple[float, np.float32]:
    """J and threshold where `scipy.optimize.fminbound` stops for candidate `e`.

    It searches [0, 1], as DyCE does; where confidences lie elsewhere, the range that they span.

    Raises:
        StopSearch: the budget is spent.
    """
    from scipy.optimize import fminbound

    if run.evaluations_left < 1 or run.seconds_left < 0:
        raise StopSearch
    confidence, accuracy, cost = line.with_exit(e)
    values = trade_off(weight, accuracy, cost)
    row = run.records.confidence[e]
    low, high = min(0.0, float(row.min())), max(1.0, float(row.max()))
    if not 0 <= row.min() <= row.max() <= 1:
        low, high = float(row.min()), float(row.max())

    def objective(threshold: float) -> float:
        leaving = len(confidence) - np.searchsorted(confidence, np.float32(threshold), side="right")
        return float(values[leaving])

    threshold, value, _, tried = fminbound(
        objective, low, high, full_output=True, maxfun=int(min(500, run.evaluations_left))
    )
    run.evaluations += tried
    return float(value), np.float32(threshold)
