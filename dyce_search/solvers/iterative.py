"""DyCE's iterative search: the best single change, again and again."""

from collections.abc import Sequence

import numpy as np

from dyce_search.solvers.fminbound import best_threshold
from dyce_search.solvers.run import Run
from dyce_search.solvers.trade_off import Lines, TradeOff, check_lambdas

LEAST_GAIN = 1e-12  # below this a change is rounding, and could go on for ever


def iterative(run: Run, *, lambdas: Sequence[float] = tuple(np.linspace(0.5, 1.0, 51))) -> None:
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
    costs, lines, trade_off = run.records.costs, Lines(run.records), TradeOff.of(run.records)
    for weight in run.bar(weights, "iterative"):
        exits = np.full(costs.n_positions, -1, np.int32)
        threshold = np.zeros(costs.n_positions, np.float32)
        value = np.inf
        try:
            while True:
                change: tuple[int, int, np.float32] | None = None
                best = value - LEAST_GAIN
                for p in range(costs.n_positions):
                    line = lines.at(exits, threshold, p)
                    without = trade_off(weight, *line.without())
                    if without < best:
                        best, change = without, (p, -1, np.float32(0))
                    for e in range(costs.first[p], costs.first[p + 1]):
                        found, level = best_threshold(run, line, e, trade_off, weight)
                        if found < best:
                            best, change = found, (p, e, level)
                if change is None:
                    break
                value = best
                exits[change[0]], threshold[change[0]] = change[1:]
        finally:  # where the budget ends, what was decided by then is a configuration too
            run.propose(exits[None], threshold[None])
