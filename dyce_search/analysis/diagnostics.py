"""What the exits of a configuration do, along a front, and whom it fails."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from dyce_search.analysis.optimism import measured_on
from dyce_search.arguments import choice, whole
from dyce_search.arrays import frame_of, read_only, restore
from dyce_search.errors import FrontError, RecordsError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.evaluate import evaluate, evaluate_arrays
from dyce_search.evaluation.outcomes import outcomes, paid_there
from dyce_search.front.front import ParetoFront
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.wording import one_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitProfile:
    """What the exits of one configuration do: K of them, in order, the final exit last.

    Attributes:
        position: (K,) int64.
        name: (K,) of the candidates.
        share: (K,) share of the samples that leaves there.
        accuracy: (K,) mean score of those; NaN where nobody leaves.
        final_accuracy: (K,) mean score that the final exit would have had on the same samples; NaN likewise.
        relative_cost: (K,) what they have paid, relative to the final exit alone; their mean, where costs differ by
            sample.
    """

    position: IntArray
    name: tuple[str, ...]
    share: FloatArray
    accuracy: FloatArray
    final_accuracy: FloatArray
    relative_cost: FloatArray

    __repr__ = one_line
    __setstate__ = restore

    @property
    def drop(self) -> FloatArray:
        """(K,) what leaving there costs in accuracy over all samples: these add up to the accuracy drop."""
        lost: FloatArray = np.where(self.share > 0, self.share * (self.final_accuracy - self.accuracy), 0.0)
        return lost

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row an exit: position, name, relative_cost, share, accuracy, final_accuracy, drop."""
        names = ("position", "name", "relative_cost", "share", "accuracy", "final_accuracy", "drop")
        return frame_of(self, names)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the accuracy of those who leave at each exit and what the final exit would have had; dots by share.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, diagnostics

        ax = axes.given_or_new(ax)
        diagnostics.draw_profile(ax, self.position, self.share, self.accuracy, self.final_accuracy)
        return ax


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitFlow:
    """How many samples leave where, along a front.

    Attributes:
        relative_cost: (F,) of the points.
        accuracy_drop: (F,) of the points.
        share: (F, P+1) share of the samples that leaves at each position, the final exit last.
        accuracy: (F, P+1) mean score of those; NaN where nobody leaves.
    """

    relative_cost: FloatArray
    accuracy_drop: FloatArray
    share: FloatArray
    accuracy: FloatArray

    __repr__ = one_line
    __setstate__ = restore

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, a row for each point and position: point, relative_cost, position, share, accuracy."""
        import pandas as pd

        points, ends = self.share.shape
        return pd.DataFrame(
            {
                "point": np.repeat(np.arange(points), ends),
                "relative_cost": np.repeat(self.relative_cost, ends),
                "position": np.tile(np.arange(ends), points),
                "share": self.share.ravel(),
                "accuracy": self.accuracy.ravel(),
            }
        )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the shares stacked along the front, early positions at the bottom and light, the final exit dark.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, diagnostics

        ax = axes.given_or_new(ax)
        diagnostics.draw_flow(ax, self.relative_cost, self.share)
        return ax


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupDrops:
    """What a configuration does to each group or class; K of them, the largest accuracy drop first.

    Attributes:
        by: "group" or "label".
        name: (K,) the groups or classes.
        n_samples: (K,) int64.
        accuracy: (K,) mean score under the configuration.
        accuracy_drop: (K,) below the final exit's on the same samples.
        standard_error: (K,) of the drop, from the paired differences; NaN for a single sample.
        relative_cost: (K,) mean cost.
        overall_drop: over all samples.
    """

    by: str
    name: npt.NDArray[Any]
    n_samples: IntArray
    accuracy: FloatArray
    accuracy_drop: FloatArray
    standard_error: FloatArray
    relative_cost: FloatArray
    overall_drop: float

    __repr__ = one_line
    __setstate__ = restore

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row a group, the worst first: all fields but the overall drop."""
        import pandas as pd

        names = ("n_samples", "accuracy", "accuracy_drop", "standard_error", "relative_cost")
        return pd.DataFrame({self.by: self.name, **{name: getattr(self, name) for name in names}})

    def plot(self, ax: "Axes | None" = None, *, most: int = 12) -> "Axes":
        """Draws the drops of the worst groups with their standard errors, and the overall drop as a line.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.
            most: so many groups.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, diagnostics

        whole(most, "most", FrontError, least=1)
        ax = axes.given_or_new(ax)
        diagnostics.draw_bars(
            ax,
            [f"{self.by} {name}" if self.by == "label" else str(name) for name in self.name[:most]],
            100 * self.accuracy_drop[:most],
            errors=100 * np.nan_to_num(self.standard_error[:most]),
            line=100 * self.overall_drop,
            line_label="all samples",
            xlabel="accuracy drop (points)",
        )
        return ax


def exit_profile(records: ExitRecords, config: ExitConfig) -> ExitProfile:
    """Measures what every exit of a configuration does, against the final exit on the same samples.

    Args:
        records: to measure on.
        config: whose positions and candidates fit the records.

    Raises:
        ConfigError: the configuration belongs to another network.

    Example:
        >>> import dyce_search as ds
        >>> config = ds.ExitConfig(candidate=[2] + [-1] * 14, threshold=[0.9] + [0.0] * 14)
        >>> profile = ds.exit_profile(ds.load_example(), config)
        >>> profile.name, profile.share.round(2).tolist()
        (('conv32_linear', 'final'), [0.62, 0.38])
    """
    result = evaluate(records, config)
    costs, exits = records.costs, config.exits(records.layout)
    used = np.append(np.flatnonzero(exits >= 0), costs.n_positions)
    position = outcomes(records, exits, config.threshold).position
    sums = np.bincount(position, weights=records.score[-1], minlength=costs.n_positions + 1)
    there = np.rint(result.exit_share * records.n_samples)
    final = np.divide(sums, there, out=np.full(len(sums), np.nan), where=there > 0)
    return ExitProfile(
        position=read_only(used, np.int64),
        name=tuple(costs.names[e] for e in [*exits[exits >= 0], -1]),
        share=read_only(result.exit_share[used], np.float64),
        accuracy=read_only(result.exit_accuracy[used], np.float64),
        final_accuracy=read_only(final[used], np.float64),
        relative_cost=read_only(paid_there(records, exits, position)[used] / costs.baseline, np.float64),
    )


def exit_flow(front: ParetoFront, records: ExitRecords) -> ExitFlow:
    """Measures how many samples leave where, for every point of a front.

    Args:
        front: its configurations are measured.
        records: of the same network.

    Raises:
        FrontError: no front.
        ConfigError: records of other exits, or of confidences of another measure or temperature.
        RecordsError: `records` is something else.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), solver="exit_shares")
        >>> flow = ds.exit_flow(front, ds.load_example("test"))
        >>> flow.share.shape == (len(front), 16) and bool(abs(flow.share.sum(axis=1) - 1).max() < 1e-12)
        True
    """
    curve = measured_on(front, records)
    measured = evaluate_arrays(records, curve.exits, curve.threshold)
    return ExitFlow(
        relative_cost=read_only(measured.relative_cost, np.float64),
        accuracy_drop=read_only(measured.accuracy_drop, np.float64),
        share=read_only(measured.exit_share, np.float64),
        accuracy=read_only(measured.exit_accuracy, np.float64),
    )


def worst_groups(
    records: ExitRecords, config: ExitConfig, *, by: Literal["group", "label"] | None = None
) -> GroupDrops:
    """Measures what a configuration does to each group or class: a small drop overall may be a large one for some.

    Args:
        records: with `group` or `label`.
        config: whose positions and candidates fit the records.
        by: what to part the samples by; None is `group` where there is one, else `label`.

    Raises:
        RecordsError: records without the one that is asked for.
        ConfigError: the configuration belongs to another network.

    Example:
        >>> import dyce_search as ds
        >>> config = ds.ExitConfig(candidate=[2] + [-1] * 14, threshold=[0.5] + [0.0] * 14)
        >>> drops = ds.worst_groups(ds.load_example("test"), config)
        >>> int(drops.name[0]), bool(drops.accuracy_drop[0] > drops.overall_drop)  # class 6: shirts
        (6, True)
    """
    require_records(records)
    if by is None:
        by = "group" if records.group is not None else "label"
    choice(by, ("group", "label"), "by", RecordsError)
    parts = records.group if by == "group" else records.label
    if parts is None:
        raise RecordsError(f"these records have no {by}: build them with {by}=, one entry a sample")
    overall = evaluate(records, config)
    found = outcomes(records, config.exits(records.layout), config.threshold)
    score, paid = found.score.astype(np.float64), found.cost / records.costs.baseline
    lost = records.score[-1] - score
    names, part, count = np.unique(parts, return_inverse=True, return_counts=True)

    def mean(values: FloatArray) -> FloatArray:
        total: FloatArray = np.bincount(part, weights=values) / count
        return total

    drop = mean(lost)
    spread = np.bincount(part, weights=(lost - drop[part]) ** 2)
    error = np.sqrt(np.divide(spread, count * (count - 1.0), out=np.full(len(count), np.nan), where=count > 1))
    worst = np.argsort(-drop, kind="stable")
    return GroupDrops(
        by=by,
        name=read_only(names[worst], names.dtype),
        n_samples=read_only(count[worst], np.int64),
        accuracy=read_only(mean(score)[worst], np.float64),
        accuracy_drop=read_only(drop[worst], np.float64),
        standard_error=read_only(error[worst], np.float64),
        relative_cost=read_only(mean(paid)[worst], np.float64),
        overall_drop=overall.accuracy_drop,
    )
