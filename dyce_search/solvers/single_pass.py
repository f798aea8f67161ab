"""DyCE's single pass: position by position, never looking back."""

from collections.abc import Sequence

from dyce_search.solvers.fminbound import LAMBDAS, best_threshold, growing
from dyce_search.solvers.run import Run
from dyce_search.solvers.trade_off import Lines, TradeOff, check_lambdas


def single_pass(run: Run, *, lambdas: Sequence[float] = LAMBDAS) -> None:
    """Goes through the positions once per lambda; at each, keeps the candidate that lowers J most, or none.

    While a position is decided, later exits are still off. The threshold of every candidate comes from
    `scipy.optimize.fminbound`, a scalar search for smooth unimodal functions; J is a step function, so that local
    minima are part of the method. Ties go to "none". A threshold that is tried counts as one evaluation.

    Unlike the released code, "shared" costs are counted once (in `ExitCosts`), and the front is the non-dominated
    set of the records searched on: nothing is chosen on test records.

    Args:
        run: the search.
        lambdas: weights of accuracy in J, in [0, 1]; 0.5 to 1.0 in steps of 0.01 by default.

    Raises:
        SolverError: lambdas outside [0, 1].

    Reference: Wang 2024, "DyCE", arXiv 2403.01695, Algorithm 1.
    """
    weights = check_lambdas(lambdas)
    first, lines, trade_off = run.records.costs.first, Lines(run), TradeOff.of(run.records)
    for weight in run.bar(weights, "single_pass"):
        with growing(run) as (exits, threshold):
            for p in range(len(exits)):
                line = lines.at(exits, threshold, p)
                best = trade_off(weight, *line.without())
                for e in range(first[p], first[p + 1]):
                    value, level = best_threshold(run, line, e, trade_off, weight)
                    if value < best:
                        best, exits[p], threshold[p] = value, e, level
