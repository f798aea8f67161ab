"""How far a front's figures can be trusted: held-out figures, bootstrap bands."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import real, whole
from dyce_search.arrays import frame_of, read_only, restore
from dyce_search.errors import FrontError, RecordsError
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.outcomes import outcomes
from dyce_search.evaluation.same_costs import warn_if_other_costs
from dyce_search.fingerprints import share_seen
from dyce_search.front.front import ParetoFront
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.wording import one_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]

MOST_RESAMPLES = 1_000_000
WINDOW = 0.1  # a smooth figure is the mean over the points up to 10 % cheaper or dearer
BLOCK_BYTES = 1 << 26  # of per-sample outcomes at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optimism:
    """What a front promises on the samples searched on, against what it delivers on others.

    Attributes:
        relative_cost: (F,) of the points on the samples searched on.
        promised_drop: (F,) accuracy drop on the samples searched on.
        delivered_drop: (F,) accuracy drop on the others, below the final exit's accuracy there.
        delivered_cost: (F,) relative cost there.
        smooth_gap: (F,) delivered - promised drop, the mean over the points of about the same cost (+-10 %): single
            points are noisy.
        n_search: samples searched on.
        n_held_out: other samples.
    """

    relative_cost: FloatArray
    promised_drop: FloatArray
    delivered_drop: FloatArray
    delivered_cost: FloatArray
    smooth_gap: FloatArray
    n_search: int
    n_held_out: int

    __repr__ = one_line
    __setstate__ = restore

    @property
    def gap(self) -> FloatArray:
        """(F,) delivered - promised drop: above 0 where the front promised too much."""
        return self.delivered_drop - self.promised_drop

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row a point: the costs, the drops, their gap and the smooth gap."""
        names = ("relative_cost", "promised_drop", "delivered_cost", "delivered_drop", "gap", "smooth_gap")
        return frame_of(self, names)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the drop delivered against the drop promised, each point and the smooth curve.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, diagnostics

        ax = axes.given_or_new(ax)
        diagnostics.draw_optimism(ax, self.promised_drop, self.delivered_drop, self.promised_drop + self.smooth_gap)
        return ax


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """How much the figures of a curve owe to which samples they were measured on.

    Bounds hold point by point, not for all points at once.

    Attributes:
        relative_cost: (F,) on the samples as they are.
        accuracy: (F,) likewise.
        relative_cost_bounds: (2, F) lower and upper.
        accuracy_bounds: (2, F) lower and upper.
        drop_bounds: (2, F) of the accuracy drop, with the final exit alone measured on the same resampled samples:
            far narrower than `accuracy_bounds`.
        baseline_accuracy: of the final exit alone.
        level: share of the resamples within the bounds.
        resamples: how many there were.
    """

    relative_cost: FloatArray
    accuracy: FloatArray
    relative_cost_bounds: FloatArray
    accuracy_bounds: FloatArray
    drop_bounds: FloatArray
    baseline_accuracy: float
    level: float
    resamples: int

    __repr__ = one_line
    __setstate__ = restore

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row a point: relative_cost, accuracy, accuracy_drop, each with `_low` and `_high`."""
        import pandas as pd

        columns = {
            "relative_cost": (self.relative_cost, self.relative_cost_bounds),
            "accuracy": (self.accuracy, self.accuracy_bounds),
            "accuracy_drop": (self.baseline_accuracy - self.accuracy, self.drop_bounds),
        }
        return pd.DataFrame(
            {
                f"{name}{end}": values
                for name, (value, (low, high)) in columns.items()
                for end, values in (("", value), ("_low", low), ("_high", high))
            }
        )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the accuracy drop against relative cost, in its band.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, diagnostics

        ax = axes.given_or_new(ax)
        diagnostics.draw_band(
            ax, self.relative_cost, self.baseline_accuracy - self.accuracy, self.drop_bounds, level=self.level
        )
        return ax


def optimism(front: ParetoFront, held_out: ExitRecords) -> Optimism:
    """Measures a front on samples that it was not searched on: what was promised, what is delivered.

    Args:
        front: what a search returned.
        held_out: other samples of the same network.

    Raises:
        FrontError: the samples are those searched on.
        ConfigError: records of other exits, or of confidences of another measure or temperature.
        CostsError: records with costs in another unit.
        RecordsError: `held_out` is something else.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), solver="exit_shares", scores="observed")
        >>> result = ds.optimism(front, ds.load_example("test"))
        >>> bool(result.gap.mean() > 0)  # thresholds fit the samples that they were chosen on best
        True
    """
    held = measured_on(front, held_out, "held_out")
    warn_if_other_costs(front.costs, held_out, "the front", "held_out", stacklevel=3)
    if share_seen(front.records_digest, front.fingerprint, held_out):
        raise FrontError(
            "held_out must hold other samples than the front was searched on, got the same ones or some of them, where "
            "every front keeps its promise: pass records of other samples, or split yours before the search"
        )
    gap = held.accuracy_drop - front.accuracy_drop
    return Optimism(
        relative_cost=read_only(front.relative_cost, np.float64),
        promised_drop=read_only(front.accuracy_drop, np.float64),
        delivered_drop=read_only(held.accuracy_drop, np.float64),
        delivered_cost=read_only(held.relative_cost, np.float64),
        smooth_gap=read_only(smooth(front.relative_cost, gap, front.relative_cost), np.float64),
        n_search=front.n_samples,
        n_held_out=held.n_samples,
    )


def bootstrap_band(
    front: ParetoFront, records: ExitRecords, *, level: float = 0.95, resamples: int = 200, seed: int = 0
) -> Band:
    """Measures a front's configurations on samples drawn anew from some records, with replacement, many times.

    The band says how far other samples of this size would move the figures. It knows nothing of the search: on the
    samples searched on it is around figures that are too good (see `optimism`), so pass others. Samples of one `group`
    are drawn together.

    Args:
        front: its configurations are measured.
        records: of the same network.
        level: share of the resamples that the bounds hold, in (0, 1).
        resamples: 2 or more.
        seed: of the resampling.

    Raises:
        FrontError: a level, a number of resamples or a seed out of range.
        ConfigError: records of other exits, or of confidences of another measure or temperature.
        RecordsError: `records` is something else, or has fewer than 1 / (1 - level) samples, or groups of them: so few
            would give bounds that are far too narrow.

    Reference: the percentile bootstrap of Efron 1979, point by point.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), solver="exit_shares")
        >>> band = ds.bootstrap_band(front, ds.load_example("test"))
        >>> low, high = band.drop_bounds
        >>> bool((low <= high).all())
        True
    """
    hint = "0.95 holds 95 % of the resamples"
    real(level, "level", FrontError, "lie in (0, 1)", lambda value: 0 < value < 1, hint=hint)
    whole(resamples, "resamples", FrontError, least=2, most=MOST_RESAMPLES)
    whole(seed, "seed", FrontError)
    held = measured_on(front, records)
    require_units(records, level)
    weight = _resampled(records, resamples, np.random.default_rng(seed))
    accuracy, cost = np.empty((len(front), resamples)), np.empty((len(front), resamples))
    step = max(1, BLOCK_BYTES // (8 * records.n_samples))
    for start in range(0, len(front), step):
        block = slice(start, start + step)
        score, paid = _outcomes_of(held, records, block)
        accuracy[block], cost[block] = score @ weight, paid @ weight
    drop = records.score[-1] @ weight - accuracy
    ends = ((1 - level) / 2, (1 + level) / 2)
    return Band(
        relative_cost=read_only(held.relative_cost, np.float64),
        accuracy=read_only(held.accuracy, np.float64),
        relative_cost_bounds=read_only(np.quantile(cost, ends, axis=1), np.float64),
        accuracy_bounds=read_only(np.quantile(accuracy, ends, axis=1), np.float64),
        drop_bounds=read_only(np.quantile(drop, ends, axis=1), np.float64),
        baseline_accuracy=held.baseline_accuracy,
        level=float(level),
        resamples=int(resamples),
    )


def n_units(records: ExitRecords) -> int:
    """How many independent units the records hold: their groups, else their samples."""
    return records.n_samples if records.group is None else len(np.unique(records.group))


def require_units(records: ExitRecords, level: float) -> None:
    """Checks that there are enough to draw from for bounds at a level.

    Raises:
        RecordsError: fewer than 1 / (1 - level).
    """
    least, found = max(2, round(1 / (1 - level))), n_units(records)
    if found < least:
        what = "samples" if records.group is None else "groups of samples"
        raise RecordsError(
            f"records must have {least:,} {what} or more for bounds at level {level:g}, got {found:,}: the bounds "
            "would be far too narrow; take more, or a lower level"
        )


def measured_on(front: ParetoFront, records: ExitRecords, name: str = "records") -> Curve:
    """The front itself where its figures are of these records, as observed; else its configurations measured there.

    Raises:
        FrontError: no front.
        ConfigError: records of other exits, or of confidences of another measure or temperature.
        RecordsError: `records` is something else.
    """
    if not isinstance(front, ParetoFront):
        raise FrontError(f"front must be a ParetoFront, got {type(front).__name__}: pass what a search returned")
    require_records(records, name)
    front.layout.joined(records.layout, "the front", "the records")
    known = front.scores == "observed" and records.digest == front.records_digest
    return front if known else front.evaluate(records)


def smooth(key: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Mean of values (F,) over the keys (F,) within 10 % of each of `at` (M,); of the nearest one where there is none.

    Example:
        >>> smooth(np.array([1.0, 1.05, 2.0]), np.array([0.0, 1.0, 5.0]), np.array([1.0, 3.0])).tolist()
        [0.5, 5.0]
    """
    order = np.argsort(key, kind="stable")
    ordered, total = key[order], np.append(0.0, np.cumsum(values[order]))
    start = np.searchsorted(ordered, at * (1 - WINDOW), side="left")
    stop = np.searchsorted(ordered, at * (1 + WINDOW), side="right")
    nearest = np.abs(at[:, None] - ordered[None]).argmin(axis=1) if np.any(start == stop) else start
    start, stop = np.where(start == stop, nearest, start), np.where(start == stop, nearest + 1, stop)
    mean: FloatArray = (total[stop] - total[start]) / (stop - start)
    return mean


def _resampled(records: ExitRecords, resamples: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(N, B) weight of each sample in each resample; each column sums to 1."""
    n_groups, group = records.n_samples, None
    if records.group is not None:
        names, group = np.unique(records.group, return_inverse=True)
        n_groups = len(names)
    drawn = np.empty((n_groups, resamples), np.float32)
    for b in range(resamples):
        drawn[:, b] = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)
    weight: npt.NDArray[np.float32] = drawn if group is None else drawn[group]
    weight /= weight.sum(axis=0, dtype=np.float64).astype(np.float32)
    return weight


def _outcomes_of(
    curve: Curve, records: ExitRecords, points: slice
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Score and relative cost (M, N) of every sample under some points of a curve that was measured on the records."""
    exits, threshold = curve.exits[points], curve.threshold[points]
    found = [outcomes(records, *config) for config in zip(exits, threshold, strict=True)]
    return (
        np.stack([each.score for each in found]),
        np.stack([(each.cost / records.costs.baseline).astype(np.float32) for each in found]),
    )
