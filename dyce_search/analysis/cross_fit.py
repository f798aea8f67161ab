"""`cross_fitted`: a front with honest figures from the search's own samples."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.analysis.optimism import smooth
from dyce_search.arrays import read_only, restore
from dyce_search.errors import RecordsError
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.evaluation.limits import asked_for, choose, require_finite
from dyce_search.front.front import ParetoFront
from dyce_search.parallel import search_many
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.records.splits import split_indices

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossFit:
    """A front and what its points can be expected to do on other samples; an estimate, no guarantee.

    Attributes:
        front: of a search on all samples, with the figures that it promises.
        expected_drop: (F,) accuracy drop to expect of each point on other samples.
        expected_cost: (F,) relative cost to expect.
        folds: in how many parts the samples were split.
    """

    front: ParetoFront
    expected_drop: FloatArray
    expected_cost: FloatArray
    folds: int

    __setstate__ = restore

    def select(
        self, *, max_accuracy_drop: float | None = None, max_relative_cost: float | None = None
    ) -> OperatingPoint:
        """The best point within limits on what is expected: the cheapest where the drop is limited, else the best.

        Args:
            max_accuracy_drop: below the final exit alone, absolute: 0.005 is half a point. May be negative.
            max_relative_cost: relative to the final exit alone.

        Returns:
            The configuration with the figures to expect. For a guarantee, certify the front on other samples.

        Raises:
            InfeasibleError: no point is expected to be within the limits; the message says what comes closest.
            FrontError: no limit given, or one that is not a number.
        """
        limits = {"max_accuracy_drop": max_accuracy_drop, "max_relative_cost": max_relative_cost}
        asked = asked_for(limits, "select")
        require_finite(asked)
        index = choose(
            asked,
            {"accuracy_drop": self.expected_drop, "relative_cost": self.expected_cost},
            failing="no point of this front is expected to satisfy",
            offer=lambda who, index: f"expected of {who}: {self._point(index)}",
        )
        return self._point(index)

    def _point(self, index: int) -> OperatingPoint:
        drop, cost = float(self.expected_drop[index]), float(self.expected_cost[index])
        return OperatingPoint(
            config=self.front[index].config,
            accuracy=self.front.baseline_accuracy - drop,
            cost=cost * self.front.costs.baseline,
            relative_cost=cost,
            accuracy_drop=drop,
        )

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row a point: relative_cost, accuracy_drop, expected_cost, expected_drop."""
        import pandas as pd

        return pd.DataFrame(
            {
                "relative_cost": self.front.relative_cost,
                "accuracy_drop": self.front.accuracy_drop,
                "expected_cost": self.expected_cost,
                "expected_drop": self.expected_drop,
            }
        )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws accuracy against relative cost, as promised and as expected.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, diagnostics

        ax = axes.given_or_new(ax)
        baseline = self.front.baseline_accuracy
        lines = {"as searched": baseline - self.front.accuracy_drop, "to expect": baseline - self.expected_drop}
        diagnostics.draw_gap(ax, self.front.relative_cost, lines)
        return ax


def cross_fitted(
    records: ExitRecords, *, folds: int = 10, seed: int = 0, n_jobs: int | None = None, **options: Any
) -> CrossFit:
    """Searches, and finds out by cross-validation how much too good the front's figures are: no sample is given away.

    The samples are split into folds, by label and by group as `ExitRecords.split` does. For each fold, a front is
    searched on all others and measured on it: what that front promised too much, in accuracy and in cost, is an honest
    sample of the optimism. Its mean over the folds, as a function of cost (over the points up to 10 % cheaper or
    dearer), is added to the figures of the front of all samples. The fronts of the folds saw fewer samples, so the
    estimate errs on the safe side by a little. Choosing among many points by estimates adds a little optimism again,
    which is not corrected: `ParetoFront.certify` gives a guarantee, on other samples.

    Args:
        records: to search on.
        folds: 2 or more; each takes a search.
        seed: of the folds and of every search.
        n_jobs: searches at once, see `search_many`.
        options: of `search`: the solver, its budget and its own.

    Raises:
        RecordsError: `records` is something else; folds that are out of range or would be empty.
        SolverError: see `search`.

    Reference: the idea of cross-fitting (Chernozhukov 2018, arXiv 1608.00060), applied to a front; Stone 1974 for
    cross-validation.

    Example:
        >>> import dyce_search as ds
        >>> fitted = ds.cross_fitted(ds.load_example(), folds=3, effort="fast")
        >>> point = fitted.select(max_accuracy_drop=0.01)
        >>> bool(point.relative_cost > fitted.front.select(max_accuracy_drop=0.01).relative_cost)
        True
    """
    require_records(records)
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or not 2 <= folds <= records.n_samples:
        raise RecordsError(
            f"folds must be a whole number from 2 to the number of samples, {records.n_samples:,}, got {folds!r}"
        )
    parts = split_indices(records.n_samples, [1 / folds] * (folds - 1), seed, label=records.label, group=records.group)
    others = [np.setdiff1d(np.arange(records.n_samples), part) for part in parts]
    sets = [records, *(records.subset(index) for index in others)]
    whole, *fronts = search_many(sets, n_jobs=n_jobs, seed=seed, progress=False, **options)
    at = whole.relative_cost
    drop_gap, cost_gap = np.zeros(len(whole)), np.zeros(len(whole))
    for front, part in zip(fronts, parts, strict=True):
        held = front.evaluate(records.subset(part))
        drop_gap += smooth(front.relative_cost, held.accuracy_drop - front.accuracy_drop, at)
        cost_gap += smooth(front.relative_cost, held.relative_cost - front.relative_cost, at)
    return CrossFit(
        front=whole,
        expected_drop=read_only(whole.accuracy_drop + drop_gap / folds, np.float64),
        expected_cost=read_only(at + cost_gap / folds, np.float64),
        folds=int(folds),
    )
