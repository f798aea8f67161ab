"""Who leaves where, with what score, and which groups pay: for every configuration of a curve."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arrays import read_only, restore
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.outcomes import outcomes
from dyce_search.records.records import ExitRecords

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_GROUPS = 8  # that are kept of each configuration, those that lose most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupAccounts:
    """The groups or classes that lose most, under each of F configurations: K of G, the largest drop first.

    Attributes:
        by: "group" or "label".
        name: (G,) of all groups, in rising order.
        n_samples: (G,) int64.
        which: (F, K) int64, index of the group.
        accuracy_drop: (F, K) below the final exit's accuracy on the same samples.
        standard_error: (F, K) of the drop, from the paired differences; NaN for a single sample.
    """

    by: str
    name: npt.NDArray[Any]
    n_samples: IntArray
    which: IntArray
    accuracy_drop: FloatArray
    standard_error: FloatArray

    __setstate__ = restore


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accounts:
    """What happens to N samples at each of P positions and at the final exit, under each of F configurations.

    Attributes:
        left: (F, P+1) int64, how many leave there.
        score: (F, P+1) sum of their scores.
        final: (F, P+1) sum of the scores that the final exit has on the same samples.
        groups: that lose most; None for records without groups and labels.
    """

    left: IntArray
    score: FloatArray
    final: FloatArray
    groups: GroupAccounts | None

    __setstate__ = restore

    @classmethod
    def of(cls, curve: Curve, records: ExitRecords) -> Self:
        """Follows every sample through every configuration of a curve.

        Args:
            curve: whose configurations these are.
            records: to measure on, of the same exits.
        """
        ends = records.costs.n_positions + 1
        left = np.empty((len(curve), ends), np.int64)
        score, final = np.empty((len(curve), ends)), np.empty((len(curve), ends))
        parts = records.label if records.group is None else records.group
        tally = None if parts is None else _Tally(len(curve), parts)
        last = records.score[-1].astype(np.float64)
        for k, (exits, threshold) in enumerate(zip(curve.exits, curve.threshold, strict=True)):
            found = outcomes(records, exits, threshold)
            left[k] = np.bincount(found.position, minlength=ends)
            score[k] = np.bincount(found.position, weights=found.score, minlength=ends)
            final[k] = np.bincount(found.position, weights=last, minlength=ends)
            if tally is not None:
                tally.add(k, last - found.score)
        return cls(
            left=read_only(left, np.int64),
            score=read_only(score, np.float64),
            final=read_only(final, np.float64),
            groups=None if tally is None else tally.accounts("label" if records.group is None else "group"),
        )


class _Tally:
    """Adds up what groups lose, one configuration after another.

    Args:
        n_points: F, the number of configurations.
        parts: (N,) the group of each sample.
    """

    def __init__(self, n_points: int, parts: npt.NDArray[Any]) -> None:
        self.names, self.part, self.count = np.unique(parts, return_inverse=True, return_counts=True)
        kept = (n_points, min(MOST_GROUPS, len(self.names)))
        self.which, self.drop, self.error = np.empty(kept, np.int64), np.empty(kept), np.empty(kept)

    def add(self, k: int, lost: FloatArray) -> None:
        """The scores (N,) that samples lose under configuration k."""
        n_groups = len(self.names)
        drop = np.bincount(self.part, weights=lost, minlength=n_groups) / self.count
        worst = np.argsort(-drop, kind="stable")[: self.which.shape[1]]
        spread = np.bincount(self.part, weights=(lost - drop[self.part]) ** 2, minlength=n_groups)[worst]
        count = self.count[worst].astype(np.float64)
        square = np.divide(spread, count * (count - 1), out=np.full(len(worst), np.nan), where=count > 1)
        self.which[k], self.drop[k], self.error[k] = worst, drop[worst], np.sqrt(square)

    def accounts(self, by: str) -> GroupAccounts:
        """All of them, of groups or of labels."""
        return GroupAccounts(
            by=by,
            name=read_only(self.names, self.names.dtype),
            n_samples=read_only(self.count, np.int64),
            which=read_only(self.which, np.int64),
            accuracy_drop=read_only(self.drop, np.float64),
            standard_error=read_only(self.error, np.float64),
        )
