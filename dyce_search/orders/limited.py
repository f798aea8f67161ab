"""Orders within a limit on what single samples cost: what keeps it of what a search found."""

import numpy as np

from dyce_search.errors import InfeasibleError
from dyce_search.evaluation.evaluate import non_dominated
from dyce_search.records.records import ExitRecords
from dyce_search.solvers.budget import Clock
from dyce_search.solvers.run import Run
from dyce_search.solvers.sample_limit import SampleLimit
from dyce_search.solvers.within_limit import STARTS, Found, Kept, are_few, some_of, within_limit


def best_of(run: Run) -> Found:
    """What was handed in to a run that keeps its limit and that nothing else of it dominates, by rising cost."""
    exits, threshold = run.found()
    if run.limit is None:
        best = non_dominated(*run.figures())
        return exits[best], threshold[best]
    kept = Kept(run.records, run.limit, run.clock)
    kept.measure(exits, threshold, whatever_the_time=True)
    return kept.exits, kept.threshold


def each_alone(n_models: int) -> Found:
    """(M, M) each model alone, as stages."""
    exits = np.full((n_models, n_models), -1, np.int32)
    exits[:, 0] = np.arange(n_models)
    return exits, np.where(exits >= 0, np.float32(-np.inf), np.float32(0))


def kept_of(records: ExitRecords, found: Found, limit: SampleLimit, clock: Clock, *, thorough: bool) -> Found:
    """What has become of the configurations of one order that were made to keep a limit; maybe nothing.

    Args:
        records: of the models in this order.
        found: by a search.
        limit: that all must keep.
        clock: of the search.
        thorough: improve it as `search` does, which takes seconds. Few configurations are all measured in any case.
    """
    if thorough or are_few(records):
        try:
            return within_limit(records, *found, limit, clock)
        except InfeasibleError:
            return found[0][:0], found[1][:0]
    kept = Kept(records, limit, clock)
    kept.measure(*found)
    kept.hold(*some_of(found, STARTS))
    return kept.exits, kept.threshold
