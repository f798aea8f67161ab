"""Every configuration on a grid of thresholds: the proven optimum for few positions."""

import numpy as np

from dyce_search.arguments import whole
from dyce_search.errors import SolverError
from dyce_search.evaluation.evaluate import BatchEvaluation, evaluate_arrays, non_dominated
from dyce_search.solvers.every import CHUNK, chunks_of, options_of, size_of
from dyce_search.solvers.run import Run


def exhaustive(run: Run, *, levels: int = 10, max_configurations: int = 2_000_000) -> None:
    """Measures every configuration whose thresholds lie on a grid; the front is the optimum over that grid.

    At each position: none, or each candidate with each of its grid's thresholds. A grid has `levels` thresholds that
    let equal shares of the samples leave, -inf (everybody) among them; where an exit has no more distinct
    confidences than that, it has them all, and the result is the optimum over all configurations. A configuration
    is one evaluation; within the budget the stop reason is "optimal".

    Args:
        run: the search.
        levels: thresholds per candidate.
        max_configurations: refuse to start on more than these.

    Raises:
        SolverError: too many configurations (the message gives their number), or levels below 1.

    Example:
        >>> import dyce_search as ds
        >>> records = ds.synthetic_records(500, positions=3, types=1, seed=0)
        >>> ds.search(records, solver="exhaustive", levels=5).provenance.stop_reason
        'optimal'
    """
    whole(levels, "levels", SolverError, least=1)
    whole(max_configurations, "max_configurations", SolverError, least=1)
    options = options_of(run.records, levels, run.timely)
    size = size_of(options)
    if size > max_configurations:
        raise SolverError(
            f"exhaustive search over {len(options)} positions with {levels} levels would measure {size:,} "
            f"configurations, more than max_configurations={max_configurations:,}: lower levels, use fewer "
            "exits, or use solver='coordinate_descent'"
        )
    every = chunks_of(options)
    for _ in run.bar(range(-(-size // CHUNK)), "exhaustive"):
        exits_here, threshold = next(every)
        run.spend(len(exits_here))
        parts = run.timely(run.parts_of(len(exits_here)))
        measured = BatchEvaluation.joined([evaluate_arrays(run.records, exits_here[k], threshold[k]) for k in parts])
        kept = np.flatnonzero(run.admits(exits_here, threshold, measured))
        best = kept[non_dominated(measured.cost[kept], measured.accuracy[kept])]
        figures = measured.cost[best], measured.accuracy[best]
        run.propose(exits_here[best], threshold[best], figures)
    run.declare_optimal()
