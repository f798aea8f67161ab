"""What exits are worth: the loss without them, the gain of perfect decisions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from dyce_search.analysis.optimism import measured_on
from dyce_search.arguments import choice
from dyce_search.arrays import frame_of, read_only, restore
from dyce_search.errors import FrontError, RecordsError, SolverError
from dyce_search.evaluation.baselines import RulePoints, static_exits
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.limits import LIMITS, require_drop
from dyce_search.evaluation.oracle import oracle
from dyce_search.evaluation.same_costs import warn_if_other_costs
from dyce_search.expected.searched import SearchedScores
from dyce_search.fingerprints import fingerprint, warn_if_seen
from dyce_search.front.front import ParetoFront
from dyce_search.parallel import run_all
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.records.sample_costs import SampleCosts
from dyce_search.search import search
from dyce_search.solvers.budget import check_budget
from dyce_search.wording import one_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarginalValue:
    """What a front loses without some of the exits.

    Attributes:
        without: (K,) what was taken away: "position 3", "position 3, linear" or "linear".
        loss: (K,) hypervolume that the front loses, of the search that may use all exits; about 0 for exits that
            others replace. Searches are heuristic, so small losses may come out negative.
        extra_cost: (K,) relative cost by which the cheapest point within `max_accuracy_drop` gets dearer. Hypervolume
            weighs the cheap end of the front most, this the end that is used.
        hypervolume: of the front with all exits.
        max_accuracy_drop: of `extra_cost`.
    """

    without: tuple[str, ...]
    loss: FloatArray
    extra_cost: FloatArray
    hypervolume: float
    max_accuracy_drop: float

    __repr__ = one_line
    __setstate__ = restore

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row for each that was taken away, in order: without, loss, extra_cost."""
        import pandas as pd

        return pd.DataFrame({"without": self.without, "loss": self.loss, "extra_cost": self.extra_cost})

    def plot(self, ax: "Axes | None" = None, *, show: Literal["extra_cost", "loss"] = "extra_cost") -> "Axes":
        """Draws the extra costs, or the losses, as bars, in order.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.
            show: "extra_cost" or "loss".

        Returns:
            The axes.

        Raises:
            FrontError: `show` is something else.
        """
        from dyce_search.drawing import axes, diagnostics

        choice(show, ("extra_cost", "loss"), "show", FrontError)
        ax = axes.given_or_new(ax)
        wanted = f"extra cost at a {100 * self.max_accuracy_drop:g}-point drop (%)"
        diagnostics.draw_bars(
            ax,
            self.without,
            100 * getattr(self, show),
            xlabel="hypervolume lost (%)" if show == "loss" else wanted,
        )
        return ax


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OracleGap:
    """How much of what exits could gain a front gains: between exits without any decision and perfect decisions.

    Attributes:
        relative_cost: (F,) of the points.
        accuracy: (F,) of the points.
        static_accuracy: (F,) the best that exits used alone, or tossing a coin between two, reach at this cost; NaN
            below the cheapest.
        oracle_accuracy: (F,) what the per-sample oracle reaches at this cost; NaN below its cheapest.
        share_closed: of the hypervolume between these two; 1 would be the oracle.
        oracle: its points.
    """

    relative_cost: FloatArray
    accuracy: FloatArray
    static_accuracy: FloatArray
    oracle_accuracy: FloatArray
    share_closed: float
    oracle: RulePoints

    __repr__ = one_line
    __setstate__ = restore

    @property
    def closed(self) -> FloatArray:
        """(F,) share of the gap in accuracy that is closed at each point; NaN where there is no gap."""
        gap = self.oracle_accuracy - self.static_accuracy
        gain = self.accuracy - self.static_accuracy
        closed: FloatArray = np.divide(gain, gap, out=np.full(len(gap), np.nan), where=gap > 0)
        return closed

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row a point: relative_cost, accuracy, static_accuracy, oracle_accuracy, closed."""
        names = ("relative_cost", "accuracy", "static_accuracy", "oracle_accuracy", "closed")
        return frame_of(self, names)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the three accuracies against relative cost.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, diagnostics

        ax = axes.given_or_new(ax)
        lines = {
            "front": self.accuracy,
            "per-sample oracle": self.oracle_accuracy,
            "exits used alone": self.static_accuracy,
        }
        diagnostics.draw_gap(ax, self.relative_cost, lines)
        return ax


def marginal_value(
    records: ExitRecords,
    *,
    by: Literal["position", "exit", "type"] = "position",
    held_out: ExitRecords | None = None,
    max_accuracy_drop: float = 0.01,
    effort: Literal["fast", "default", "high"] = "fast",
    seed: int = 0,
    n_jobs: int | None = None,
) -> MarginalValue:
    """Searches again without each position, exit or type of exit: what the front loses is what they are worth.

    All searches maximise the scores that are expected from the confidences of all exits.

    Args:
        records: to search on.
        by: what is taken away at a time: all exits of a position, a single exit, or all exits of a name.
        held_out: other samples, to measure the fronts on; None is on those searched on.
        max_accuracy_drop: of the configurations whose costs are compared, below the final exit alone.
        effort: of each search, see `coordinate_descent`.
        seed: of each search.
        n_jobs: searches at once, see `search_many`.

    Raises:
        RecordsError: `records`, `held_out` or `by` is something else.
        FrontError: a limit on the drop that is below 0.
        ConfigError: `held_out` is of other exits, or of confidences of another measure or temperature.
        CostsError: `held_out` has costs in another unit.

    Example:
        >>> import dyce_search as ds
        >>> value = ds.marginal_value(ds.synthetic_records(2000, positions=3, types=2))
        >>> value.without, bool(value.loss.max() > 0)
        (('position 0', 'position 1', 'position 2'), True)
    """
    require_records(records)
    if held_out is not None:
        require_records(held_out, "held_out")
        records.layout.joined(held_out.layout, "records", "held_out")
        warn_if_other_costs(records.costs, held_out, "records", "held-out records", stacklevel=3)
        warn_if_seen(records.digest, fingerprint(records.confidence), held_out, "held-out records", stacklevel=2)
    require_drop(max_accuracy_drop)
    if max_accuracy_drop < 0:
        raise FrontError(f"max_accuracy_drop must be a number >= 0, got {max_accuracy_drop:g}: 0.01 is one point")
    choice(effort, ("fast", "default", "high"), "effort", SolverError)
    check_budget(seed, None, None)
    choice(by, ("position", "exit", "type"), "by", RecordsError)
    costs = records.costs
    removed = _removals(costs, by)
    kept = [np.setdiff1d(np.arange(costs.n_exits), exits) for exits in removed.values()]
    possible = [exits for exits in kept if len(exits) > 1]  # else only the baseline is left
    made = SearchedScores.of(records, "expected", None, effort="fast" if effort == "fast" else "default")
    records, scores = made.records, made.accuracy.score  # from the confidences of all exits
    options = {"effort": effort, "seed": seed, "progress": False, "caution": made.caution}
    parts = [np.arange(costs.n_exits), *possible]
    calls = [((_with_exits(records, exits),), {**options, "scores": scores[exits]}) for exits in parts]
    fronts = run_all(search, calls, n_jobs)
    curves: list[Curve] = list(fronts)
    if held_out is not None:
        curves[0] = fronts[0].evaluate(held_out)
        for k, exits in enumerate(possible, start=1):
            curves[k] = fronts[k].evaluate(_with_exits(held_out, exits))
    volume = [curve.hypervolume() for curve in curves]
    cost = [_cheapest(curve, max_accuracy_drop) for curve in curves]
    some_left = [len(exits) > 1 for exits in kept]
    index = np.cumsum(some_left)
    without_volume = np.where(some_left, np.array(volume)[index], 0.0)
    without_cost = np.where(some_left, np.array(cost)[index], 1.0)
    return MarginalValue(
        without=tuple(removed),
        loss=read_only(volume[0] - without_volume, np.float64),
        extra_cost=read_only(without_cost - cost[0], np.float64),
        hypervolume=volume[0],
        max_accuracy_drop=float(max_accuracy_drop),
    )


def oracle_gap(front: ParetoFront, records: ExitRecords) -> OracleGap:
    """Measures how much of the gap to perfect decisions a front closes.

    The lower end are exits used alone (`static_exits`), which decide nothing; the upper end is the per-sample oracle
    (`oracle`), which knows the labels and which no front reaches.

    Args:
        front: its configurations are measured.
        records: to measure on, of the same network; not those of the search.

    Raises:
        FrontError: no front.
        ConfigError: records of other exits, or of confidences of another measure or temperature.
        RecordsError: `records` is something else.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), solver="exit_shares")
        >>> 0 < ds.oracle_gap(front, ds.load_example("test")).share_closed < 1
        True
    """
    curve = measured_on(front, records)
    best, alone = oracle(records), static_exits(records)
    hull_cost, hull_accuracy = _upper_hull(alone.relative_cost, alone.accuracy)
    at = curve.relative_cost
    low, high = alone.hypervolume(), best.hypervolume()
    return OracleGap(
        relative_cost=read_only(at, np.float64),
        accuracy=read_only(curve.accuracy, np.float64),
        static_accuracy=read_only(_reach(at, hull_cost, hull_accuracy), np.float64),
        oracle_accuracy=read_only(_reach(at, best.relative_cost, best.accuracy), np.float64),
        share_closed=(curve.hypervolume() - low) / (high - low) if high > low else float("nan"),
        oracle=best,
    )


def _removals(costs: ExitCosts, by: str) -> dict[str, IntArray]:
    """By name, the flat indices of what is taken away at a time."""
    before_final = np.arange(costs.n_exits - 1)
    if by == "position":
        return {f"position {p}": before_final[costs.position[:-1] == p] for p in range(costs.n_positions)}
    if by == "exit":
        rank = before_final - costs.first[costs.position[:-1]]
        labels = [f"position {costs.position[e]}, {costs.names[e]}" for e in before_final]
        unique = len(set(labels)) == len(labels)
        return {label if unique else f"{label} ({rank[e]})": before_final[e : e + 1] for e, label in enumerate(labels)}
    types = np.array(costs.types[:-1])
    return {name: np.flatnonzero(types == name) for name in dict.fromkeys(costs.types[:-1])}


def _with_exits(records: ExitRecords, exits: IntArray) -> ExitRecords:
    """The records of some exits only (K,), the final one among them; positions without any exit go."""
    costs = records.costs
    positions, position = np.unique(costs.position[exits], return_inverse=True)
    charged = records.sample_costs
    parts: dict[str, Any] = {
        name: getattr(costs if charged is None else charged, name)[rows]
        for name, rows in (("backbone", positions), ("head", exits))
    }
    parts |= {"position": position, "unit": costs.unit, "names": tuple(costs.names[e] for e in exits)}
    return ExitRecords(
        confidence=records.confidence[exits],
        score=records.score[exits],
        costs=ExitCosts(**parts) if charged is None else SampleCosts(**parts),
        measure=records.measure,
        temperature=None if records.temperature is None else records.temperature[exits],
    )


def _cheapest(curve: Curve, max_accuracy_drop: float) -> float:
    """Relative cost of the cheapest point within the drop; the final exit alone is always one."""
    within = LIMITS["max_accuracy_drop"].admits(curve.accuracy_drop, max_accuracy_drop)
    return float(curve.relative_cost[within].min(initial=1.0))


def _upper_hull(cost: FloatArray, accuracy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The upper concave hull of points, by rising cost, as far as it rises."""
    hull: list[tuple[float, float]] = []
    for c, a in sorted(zip(cost.tolist(), accuracy.tolist(), strict=True), key=lambda point: (point[0], -point[1])):
        if hull and a <= hull[-1][1]:
            continue
        while len(hull) > 1 and (hull[-1][1] - hull[-2][1]) * (c - hull[-2][0]) <= (a - hull[-2][1]) * (
            hull[-1][0] - hull[-2][0]
        ):
            hull.pop()
        hull.append((c, a))
    return np.array(hull).T[0], np.array(hull).T[1]


def _reach(at: FloatArray, cost: FloatArray, accuracy: FloatArray) -> FloatArray:
    """Accuracy on the straight lines between points, at some costs; NaN below the cheapest."""
    reached: FloatArray = np.interp(at, cost, accuracy)
    return np.where(at >= cost[0], reached, np.nan)
