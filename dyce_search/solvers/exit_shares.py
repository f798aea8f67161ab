"""MSDNet's budgeted setting: geometric shares of the samples leave at the exits of one type."""

import numpy as np

from dyce_search.arguments import whole
from dyce_search.errors import SolverError
from dyce_search.evaluation.config import threshold_between
from dyce_search.solvers.run import Run


def exit_shares(run: Run, *, settings: int = 39) -> None:
    """Sends a share q^k (normalised) of all samples to the k-th exit, for q = 0.05, 0.10, ..., up to settings / 20.

    For each exit type (the k-th candidate of each position that has one), thresholds are set position by position
    on the samples still in flight, so that each exit gets its share, the surest first. One setting of one type is
    one evaluation.

    Args:
        run: the search.
        settings: number of values of q, 39 as in MSDNet's released code.

    Raises:
        SolverError: settings below 1.

    Reference: Huang 2018, "Multi-Scale Dense Networks", arXiv 1703.09844, section 5.2.
    """
    whole(settings, "settings", SolverError, least=1)
    records = run.records
    costs = records.costs
    for k in range(int(costs.n_candidates.max())):
        used = np.flatnonzero(costs.n_candidates > k)
        for setting in range(1, settings + 1):
            log_shares = np.log(setting / 20) * np.arange(1, len(used) + 2)
            shares = np.exp(log_shares - log_shares.max())
            leaving = np.floor(shares / shares.sum() * records.n_samples).astype(np.int64)
            exits = np.full((1, costs.n_positions), -1, np.int32)
            threshold = np.zeros(exits.shape, np.float32)
            flying = np.arange(records.n_samples)
            for position, wanted in run.timely(zip(used, leaving[:-1], strict=True)):
                e = int(costs.first[position] + k)
                confidence = records.confidence[e, flying]
                if not 0 < wanted <= len(flying):
                    continue
                level = cut(confidence, int(wanted))
                exits[0, position], threshold[0, position] = e, level
                flying = flying[~(confidence > level)]
            run.evaluate(exits, threshold)


def cut(confidence: np.ndarray[tuple[int], np.dtype[np.float32]], wanted: int) -> np.float32:
    """The threshold above which the `wanted` surest lie, and all that tie with the last of them."""
    last = -np.partition(-confidence, wanted - 1)[wanted - 1]
    below = confidence[confidence < last]
    return np.float32(threshold_between(below.max(), last)) if below.size else np.float32(-np.inf)
