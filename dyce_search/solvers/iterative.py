"""DyCE's iterative search: the best single change, again and again."""

from collections.abc import Sequence

import numpy as np

from dyce_search.solvers.fminbound import LAMBDAS, best_threshold, growing
from dyce_search.solvers.run import Exits, Run, Thresholds
from dyce_search.solvers.trade_off import Lines, TradeOff, check_lambdas

LEAST_GAIN = 1e-12  # below this a change is rounding, and could go on for ever


def iterative(run: Run, *, lambdas: Sequence[float] = LAMBDAS) -> None:
    """From no exits, per lambda: tries every change of one position, applies the best, until none lowers J.

    A change is: another candidate with a threshold from `scipy.optimize.fminbound`, or none. Ties go to "none" and
    to no change. A threshold that is tried counts as one evaluation.

    Unlike the released code, both costs that are compared are normalised, "shared" costs are counted once (in
    `ExitCosts`), and the front is the non-dominated set of the records searched on.

    Args:
        run: the search.
        lambdas: weights of accuracy in J, in [0, 1]; 0.5 to 1.0 in steps of 0.01 by default.

    Raises:
        SolverError: lambdas outside [0, 1].

    Reference: Wang 2024, "DyCE", arXiv 2403.01695, Algorithm 2.
    """
    weights = check_lambdas(lambdas)
    lines, trade_off = Lines(run), TradeOff.of(run.records)
    for weight in run.bar(weights, "iterative"):
        with growing(run) as (exits, threshold):
            value = np.inf
            while (found := best_change(run, lines, trade_off, weight, (exits, threshold), value)) is not None:
                value, p, exits[p], threshold[p] = found


def best_change(
    run: Run, lines: Lines, trade_off: TradeOff, weight: float, config: tuple[Exits, Thresholds], value: float
) -> tuple[float, int, int, np.float32] | None:
    """The single change that lowers J the most: J, position, exit (-1 for none) and threshold; None if none does.

    Args:
        run: the search.
        lines: of its records.
        trade_off: of its records.
        weight: lambda.
        config: exits (P,) and thresholds (P,) as they are.
        value: J as it is.
    """
    first, change = run.records.costs.first, None
    best = value - LEAST_GAIN
    for p in range(len(first) - 1):
        line = lines.at(*config, p)
        without = trade_off(weight, *line.without())
        if without < best:
            best, change = without, (p, -1, np.float32(0))
        for e in range(first[p], first[p + 1]):
            found, level = best_threshold(run, line, e, trade_off, weight)
            if found < best:
                best, change = found, (p, e, level)
    return None if change is None else (best, *change)
