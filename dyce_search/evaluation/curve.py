"""Configurations with what they measured: points and curves."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import flag, is_whole, length, require_type, shown, text, whole
from dyce_search.arrays import frame_of, numbers, restore, to_numpy, whole_numbers
from dyce_search.errors import FrontError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.cost_tails import SHARES
from dyce_search.evaluation.drawn import Drawable, draw_curve, drawables, require_drop_limit
from dyce_search.evaluation.figures import require_all, require_possible
from dyce_search.evaluation.limits import require_number, require_share
from dyce_search.evaluation.same_costs import require_one_unit
from dyce_search.fingerprints import require_digest
from dyce_search.records.costs import ExitCosts
from dyce_search.records.layout import ExitLayout, require_layout
from dyce_search.wording import line, plural, points

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]


TAIL_COLUMNS = {"cost_p50": 0.5, "cost_p95": 0.05, "cost_p99": 0.01, "cost_max": 0.0}  # of tables: share above


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """One configuration of a curve, with what it measured.

    Attributes:
        config: the configuration.
        accuracy: mean score, in [0, 1].
        cost: mean cost of a sample, in the unit of the costs.
        relative_cost: cost / cost of the final exit alone.
        accuracy_drop: accuracy of the final exit alone - accuracy, absolute: 0.005 is half a point.
        disagreement: mean |score - score of the final exit| over the samples: with scores of 0 and 1 the share on
            which one of the two is right and the other wrong; None where it was not measured.

    Raises:
        FrontError: figures that records cannot have.
    """

    config: ExitConfig
    accuracy: float
    cost: float
    relative_cost: float
    accuracy_drop: float
    disagreement: float | None = None

    def __post_init__(self) -> None:
        """Checks that the figures are ones that records can have."""
        require_type(self.config, ExitConfig, "config", FrontError)
        if self.disagreement is not None:
            require_number(self.disagreement, "disagreement", 0, 1)
        require_number(self.accuracy, "accuracy", 0, 1)
        require_number(self.accuracy_drop, "accuracy_drop", -1, 1)
        for name in ("cost", "relative_cost"):
            require_number(getattr(self, name), name, 0, sys.float_info.max)

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"accuracy {self.accuracy:.4f} (drop {points(self.accuracy_drop, signed=True)}) at relative cost "
            f"{self.relative_cost:.4f}, {plural(self.config.n_exits, 'exit')}"
        )

    def __repr__(self) -> str:
        """One line: the figures."""
        return line(type(self).__name__, str(self))

    def _repr_html_(self) -> str:
        """A table and a picture, for notebooks."""
        from dyce_search.cards.cards import point_card

        return point_card(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """F configurations and what they measured on one set of records, in a fixed order.

    `ParetoFront.evaluate` returns one: the configurations of a front, measured elsewhere. It need not be monotone.

    Attributes:
        costs: of the network.
        candidate: (F, P) int64, see `ExitConfig`.
        threshold: (F, P) float32; 0 where no candidate is enabled.
        accuracy: (F,) float64, mean score.
        cost: (F,) float64, mean cost of a sample.
        exit_accuracy: (E,) float64, accuracy of each candidate used alone; the last is the baseline.
        n_samples: how many samples the figures rest on.
        records_digest: which samples these were, or were taken from (`ExitRecords.digest`).
        disagreement: (F,) float64, how far each differs from the whole network, see `OperatingPoint`; NaN where it was
            not measured.
        cost_tail: (F, S) float64, the cost that at most each of `cost_tails.SHARES` of the samples exceeds; NaN where
            it was not measured. See `cost_within`.
        scores: what accuracy is the mean of: "observed" scores, "expected" ones or one's "own" (`Provenance`).
        layout: which exits these are and what their confidences measure, as the records' was; every configuration
            carries it. Where none is given it is that of the costs.

    Raises:
        FrontError: shapes that do not fit together, candidates that the network does not have, NaN, accuracies outside
            [0, 1], costs that are negative or infinite, no samples.
        ConfigError: a layout of other exits than the costs'.
    """

    costs: ExitCosts
    candidate: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float32]
    accuracy: FloatArray
    cost: FloatArray
    exit_accuracy: FloatArray
    n_samples: int
    records_digest: str
    disagreement: FloatArray = None  # type: ignore[assignment]  # nor this one None once it is made
    cost_tail: FloatArray = None  # type: ignore[assignment]
    scores: str = "observed"
    layout: ExitLayout = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Checks and freezes the arrays."""
        require_type(self.costs, ExitCosts, "costs", FrontError)
        if self.layout is None:
            object.__setattr__(self, "layout", self.costs.layout)
        require_layout(self.layout, "layout")
        self.layout.joined(self.costs.layout, "the layout", "the costs")
        n_points, n_positions = length(self.cost), self.costs.n_positions
        if n_points < 0:
            raise FrontError(f"cost must have shape (F,), got {shown(self.cost)}")
        if self.disagreement is None:
            object.__setattr__(self, "disagreement", np.full(n_points, np.nan))
        if self.cost_tail is None:
            object.__setattr__(self, "cost_tail", np.full((n_points, len(SHARES)), np.nan))
        shapes = {
            "candidate": (n_points, n_positions),
            "threshold": (n_points, n_positions),
            "accuracy": (n_points,),
            "cost": (n_points,),
            "disagreement": (n_points,),
            "cost_tail": (n_points, len(SHARES)),
            "exit_accuracy": (self.costs.n_exits,),
        }
        for name, shape in shapes.items():
            array = to_numpy(getattr(self, name), name, FrontError)
            if array.shape != shape:
                raise FrontError(f"{name} must have shape {shape}, got {array.shape}")
            if name == "candidate":
                array = whole_numbers(array, name, FrontError, ndim=2)
            elif name == "threshold":
                array = np.where(self.candidate >= 0, array, np.float32(0))
            dtype = {"candidate": np.int64, "threshold": np.float32}.get(name, np.float64)
            kept = numbers(array, name, FrontError, dtype=dtype, ndim=len(shape), copy=True)
            object.__setattr__(self, name, kept)
        whole(self.n_samples, "n_samples", FrontError, least=1)
        require_digest(self.records_digest, "records_digest")
        text(self.scores, "scores", FrontError)
        if np.any(self.candidate < -1) or np.any(self.candidate >= self.costs.n_candidates):
            raise FrontError("candidate must hold, per position, the index of one of its candidates, or -1 for none")
        self._check_figures()

    def _check_figures(self) -> None:
        """Checks that all figures are ones that records can have."""
        for name in ("threshold", "accuracy", "exit_accuracy"):
            if np.isnan(getattr(self, name)).any():
                raise FrontError(f"{name} must not be NaN")
        for name in ("accuracy", "exit_accuracy", "disagreement"):
            values = getattr(self, name)
            require_all(values, ((values >= 0) & (values <= 1)) | np.isnan(values), f"{name} must be in [0, 1]")
        largest = np.finfo(np.float64).max * min(self.costs.baseline, 1.0)  # so that relative costs are finite too
        require_all(self.cost, (self.cost >= 0) & (self.cost <= largest), "cost must be finite and >= 0")
        require_possible(self.cost, self.exits, self.costs)
        known = self.cost_tail[~np.isnan(self.cost_tail).any(axis=1)]
        require_all(known, (known >= 0) & (known < np.inf), "cost_tail must be finite and >= 0")
        if np.any(np.diff(known, axis=1) > 0):
            raise FrontError("cost_tail must fall as the share of the samples that may cost more grows")

    __setstate__ = restore

    def __repr__(self) -> str:
        """One line: size, range and on how many samples."""
        return line("Curve", self._range() if len(self) else "no point", f"{self.n_samples:,} samples")

    def _repr_html_(self) -> str:
        """A table and a picture, for notebooks."""
        from dyce_search.cards.cards import curve_card

        return curve_card(self)

    def _range(self) -> str:
        return (
            f"{len(self):,} points, relative cost {self.relative_cost.min():.4f} to {self.relative_cost.max():.4f}, "
            f"{self.scores} accuracy {self.accuracy.min():.4f} to {self.accuracy.max():.4f}"
        )

    def __len__(self) -> int:
        """F, the number of configurations."""
        return len(self.cost)

    def __getitem__(self, index: int) -> OperatingPoint:
        """One configuration with its figures; negative indices count from the end."""
        if not is_whole(index):
            raise TypeError(f"index must be a whole number, got {shown(index)}")
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {shown(index)} is out of range for {len(self)} points")
        return OperatingPoint(
            config=ExitConfig(candidate=self.candidate[index], threshold=self.threshold[index], layout=self.layout),
            accuracy=float(self.accuracy[index]),
            cost=float(self.cost[index]),
            relative_cost=float(self.relative_cost[index]),
            accuracy_drop=float(self.accuracy_drop[index]),
            disagreement=None if np.isnan(self.disagreement[index]) else float(self.disagreement[index]),
        )

    def __iter__(self) -> Iterator[OperatingPoint]:
        """The points, in order."""
        return (self[index] for index in range(len(self)))

    @property
    def exits(self) -> npt.NDArray[np.int32]:
        """(F, P) flat index of the enabled candidate at each position, -1 for none."""
        return self.layout.exits(self.candidate)

    @property
    def baseline_accuracy(self) -> float:
        """Accuracy of the final exit alone."""
        return float(self.exit_accuracy[-1])

    @property
    def relative_cost(self) -> FloatArray:
        """(F,) cost / cost of the final exit alone."""
        return self.cost / self.costs.baseline

    @property
    def accuracy_drop(self) -> FloatArray:
        """(F,) accuracy of the final exit alone - accuracy."""
        return self.baseline_accuracy - self.accuracy

    @property
    def n_exits(self) -> npt.NDArray[np.int64]:
        """(F,) number of enabled exits, the final exit not counted."""
        counts: npt.NDArray[np.int64] = (self.candidate >= 0).sum(axis=1, dtype=np.int64)
        return counts

    def cost_within(self, share: float) -> FloatArray:
        """(F,) the cost that at most this share of the samples exceeds, under each configuration.

        Args:
            share: in [0, 1). Curves keep the costs of some shares (`dyce_search.evaluation.cost_tails.SHARES`: 0,
                0.1 %, 0.2 %, 0.5 %, 1 % to 5 %, 10 % and so on); of a share between two of them it is that of the
                smaller one, so never too low.

        Raises:
            FrontError: a share that is out of range, or the curve is of a file that has no such costs.
        """
        require_share(share)
        if np.isnan(self.cost_tail).any():
            raise FrontError(
                "this curve does not know what single samples cost, as it was made without: measure it anew, as in "
                "ParetoFront.from_configs(records, [point.config for point in front])"
            )
        return self.cost_tail[:, np.searchsorted(SHARES, share + 1e-9, side="right") - 1]

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row a configuration in this order.

        Columns: cost, relative_cost, accuracy, accuracy_drop, disagreement, n_exits, and scores, which says whether
        accuracy is the mean of scores that are expected or observed; then, where it is known, what single samples cost:
        cost_p50, cost_p95, cost_p99, the costs that half of the samples, 95 % and 99 % do not exceed, and cost_max, of
        the dearest.
        """
        names = ("cost", "relative_cost", "accuracy", "accuracy_drop", "disagreement", "n_exits")
        frame = frame_of(self, names).assign(scores=self.scores)
        if np.isnan(self.cost_tail).any():
            return frame
        return frame.assign(**{name: self.cost_within(share) for name, share in TAIL_COLUMNS.items()})

    def hypervolume(self, *, reference: tuple[float, float] = (1.0, 0.0)) -> float:
        """Area that the points dominate, in relative cost x relative accuracy (accuracy / baseline accuracy).

        Args:
            reference: (relative cost, relative accuracy) of the corner; points beyond it count nothing. The
                default, baseline cost and zero accuracy, gives about 1 for exits that are free and perfect.

        Raises:
            FrontError: the baseline accuracy is 0, so that relative accuracy is undefined; a reference that
                is no pair of finite numbers.

        Reference: Zitzler and Thiele 1998; computed by moocore.

        Example:
            >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.0, 0.0], position=[0, 1])
            >>> Curve(costs=costs, candidate=[[0]], threshold=[[0.0]], accuracy=[0.5], cost=[1.0],
            ...       exit_accuracy=[0.5, 1.0], n_samples=1, records_digest=64 * "0").hypervolume()
            0.375
        """
        return dominated_area(self.relative_cost, self.accuracy, self.baseline_accuracy, reference)

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        label: str | None = None,
        others: Mapping[str, Drawable] | None = None,
        held_out: "Curve | None" = None,
        selected: OperatingPoint | None = None,
        certified: OperatingPoint | None = None,
        static_exits: bool = True,
        drop_limit: float | None = 0.05,
    ) -> "Axes":
        """Draws the accuracy drop against relative cost, where operating points are chosen; an inset shows the whole.

        No drop is at the top, so up is better. Each curve's drop is below the final exit alone on the samples that it
        was measured on, so a promise and what comes of it can be compared. The axis says which scores drops are of;
        the legend does where curves differ in that. Never shows the picture and never changes global settings.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.
            label: what this curve is called in the legend.
            others: more curves to compare with, by name: fronts, curves, or points of rules (`patience`, `oracle`).
            held_out: the same configurations, measured on other records: what is delivered. The gap to what is
                promised is shaded.
            selected: a point of this curve to name.
            certified: another one, which `ParetoFront.certify` returned.
            static_exits: also draw each candidate used alone, for every sample.
            drop_limit: drops above it, absolute, are out of view: 0.05 are five points. None shows everything.

        Returns:
            The axes.

        Raises:
            FrontError: other things than these; a limit outside (0, 1]; `held_out` has other configurations.
            ConfigError: a point of other exits, or of confidences of another measure or temperature.
            CostsError: `held_out` or one of `others` has costs in another unit.
        """
        from dyce_search.drawing import axes

        require_drop_limit(drop_limit)
        if label is not None:
            text(label, "label", FrontError)
        flag(static_exits, "static_exits", FrontError)
        if held_out is not None:
            measures = "front.evaluate(records) measures them"
            require_type(held_out, Curve, "held_out", FrontError, hint=measures)
            if len(held_out) != len(self):
                raise FrontError(
                    f"held_out must have the {len(self):,} configurations of this curve, got {len(held_out):,}: "
                    f"{measures}"
                )
            if not all(np.array_equal(getattr(self, name), getattr(held_out, name)) for name in ("exits", "threshold")):
                raise FrontError(f"held_out must have the configurations of this curve, got as many others: {measures}")
            require_one_unit(self.costs, held_out.costs, "this curve", "held_out")
        points = [(name, one) for name, one in (("selected", selected), ("certified", certified)) if one is not None]
        for name, point in points:
            require_type(point, OperatingPoint, name, FrontError, hint="select and certify give one")
            point.config.exits(self.layout, "this curve")
        drawn = drawables(others, self.costs)
        ax = axes.given_or_new(ax)
        draw_curve(
            ax, self, label or "front", drawn, held_out, points, static_exits=static_exits, drop_limit=drop_limit
        )
        return ax


def dominated_area(
    relative_cost: FloatArray, accuracy: FloatArray, baseline_accuracy: float, reference: tuple[float, float]
) -> float:
    """The hypervolume of points (F,), see `Curve.hypervolume`.

    Raises:
        FrontError: see there.
    """
    import moocore

    if baseline_accuracy == 0:
        raise FrontError("the hypervolume is relative to the baseline accuracy, which is 0 here")
    corner = numbers(reference, "reference", FrontError, dtype=np.float64, ndim=1)
    if corner.shape != (2,) or not np.isfinite(corner).all():
        raise FrontError(f"reference must be (relative cost, relative accuracy), got {shown(reference)}")
    points = np.column_stack([relative_cost, accuracy / baseline_accuracy])
    return float(moocore.hypervolume(points, ref=corner, maximise=[False, True]))
