"""Every configuration on a grid of thresholds: the proven optimum for few positions."""

import itertools
import math

import numpy as np
import numpy.typing as npt

from dyce_search.errors import SolverError
from dyce_search.evaluation.config import threshold_between
from dyce_search.evaluation.evaluate import evaluate_arrays, non_dominated
from dyce_search.solvers.run import Run

CHUNK = 1 << 14  # configurations measured at a time


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
    if levels < 1:
        raise SolverError(f"levels must be at least 1, got {levels}")
    costs = run.records.costs
    choices: list[list[tuple[int, np.float32]]] = []
    for p in range(costs.n_positions):
        exits = range(int(costs.first[p]), int(costs.first[p + 1]))
        choices.append(
            [(-1, np.float32(0)), *((e, level) for e in exits for level in grid(run.records.confidence[e], levels))]
        )
    size = math.prod(len(options) for options in choices)
    if size > max_configurations:
        raise SolverError(
            f"exhaustive search over {costs.n_positions} positions with {levels} levels would measure {size:,} "
            f"configurations, more than max_configurations={max_configurations:,}: lower levels, use fewer "
            "exits, or use solver='coordinate_descent'"
        )
    every = itertools.product(*choices)
    for _ in run.bar(range(-(-size // CHUNK)), "exhaustive"):
        chunk = list(itertools.islice(every, CHUNK))
        run.spend(len(chunk))
        flat = np.array(chunk, np.float64)
        exits_here, threshold = flat[:, :, 0].astype(np.int32), flat[:, :, 1].astype(np.float32)
        measured = evaluate_arrays(run.records, exits_here, threshold)
        best = non_dominated(measured.cost, measured.accuracy)
        figures = measured.cost[best], measured.accuracy[best]
        run.propose(exits_here[best], threshold[best], figures)
    run.declare_optimal()


def grid(confidence: npt.NDArray[np.float32], levels: int) -> npt.NDArray[np.float32]:
    """At most `levels` thresholds, rising from -inf, each half-way between neighbouring confidences."""
    values, counts = np.unique(confidence, return_counts=True)
    cuts = np.arange(len(values))  # leave from this distinct value upwards
    if len(values) > levels:
        below = np.cumsum(counts) - counts
        cuts = np.unique(np.searchsorted(below, np.arange(levels) * len(confidence) / levels))
    inner = cuts[cuts > 0]
    return np.concatenate([[np.float32(-np.inf)], threshold_between(values[inner - 1], values[inner])]).astype(
        np.float32
    )
