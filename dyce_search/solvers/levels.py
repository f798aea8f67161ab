"""Coarse confidences: thresholds that no few samples decide."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from dyce_search.errors import SolverError
from dyce_search.evaluation.config import threshold_between
from dyce_search.records.records import ExitRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Records whose confidences are rounded down to levels of many samples each, and the way back.

    A threshold on them parts whole levels, so at least `min_samples` samples lie between any two thresholds of an
    exit, and as many beyond the last on either side. That leaves a search less room to fit the samples.

    Attributes:
        records: with rounded confidences; scores and costs are the same.
        bounds: for each exit (K-1,) thresholds of the true confidences between its K levels, rising.
        floors: for each exit (K,) the least true confidence of each level: what the rounded ones are.
    """

    records: ExitRecords
    bounds: tuple[npt.NDArray[np.float32], ...]
    floors: tuple[npt.NDArray[np.float32], ...]

    @classmethod
    def of(cls, records: ExitRecords, min_samples: int) -> Self:
        """Levels of at least `min_samples` samples each; samples that tie share one.

        Raises:
            SolverError: no whole number from 1 to the number of samples.
        """
        whole = isinstance(min_samples, (int, np.integer)) and not isinstance(min_samples, bool)
        if not whole or not 1 <= min_samples <= records.n_samples:
            raise SolverError(
                f"min_samples must be a whole number from 1 to the number of samples, {records.n_samples:,}, "
                f"got {min_samples!r}"
            )
        rounded = np.empty_like(records.confidence)
        bounds, floors = [], []
        for e, row in enumerate(records.confidence):
            ordered = np.sort(row)
            start = _level_starts(ordered, int(min_samples))
            floors.append(ordered[start])
            bounds.append(threshold_between(ordered[start[1:] - 1], ordered[start[1:]]))
            rounded[e] = ordered[start][np.searchsorted(ordered[start], row, side="right") - 1]
        return cls(records=replace(records, confidence=rounded), bounds=tuple(bounds), floors=tuple(floors))

    def thresholds(self, exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Thresholds (F, P) for the true confidences by which the same samples leave as by those for the rounded ones.

        Args:
            exits: (F, P) flat index of the enabled candidate at each position, -1 for none.
            threshold: (F, P) of the rounded confidences.
        """
        true = threshold.copy()
        for e in np.unique(exits[exits >= 0]):
            at = exits == e
            stay = np.searchsorted(self.floors[e], threshold[at], side="right")  # levels that do not leave
            true[at] = np.concatenate([[np.float32(-np.inf)], self.bounds[e], [np.float32(np.inf)]])[stay]
        return true


def _level_starts(ordered: npt.NDArray[np.float32], min_samples: int) -> npt.NDArray[np.int64]:
    """Where levels of rising values (N,) begin: each as small as it may be, ties in one, the rest in the last."""
    runs = np.append(0, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)
    starts = [0]
    while True:
        after = int(np.searchsorted(runs, starts[-1] + min_samples))
        if after == len(runs) or len(ordered) - runs[after] < min_samples:
            return np.array(starts)
        starts.append(int(runs[after]))
