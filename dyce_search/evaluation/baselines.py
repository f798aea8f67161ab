"""Baselines that papers compare with and that are no search: static exits and patience; `oracle` has the bound.

Exit by entropy or by margin needs nothing here: they are confidence measures, to be searched as usual
(`ExitRecords.from_logits(..., confidence="entropy")`, `load_records(..., confidence="margin")`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import is_whole, real, require_type, shown, text
from dyce_search.arrays import numbers, read_only, restore, to_numpy
from dyce_search.errors import FrontError, RecordsError
from dyce_search.evaluation.cost_tails import cost_tails
from dyce_search.evaluation.curve import Curve, dominated_area
from dyce_search.evaluation.evaluate import measured, non_dominated
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.records.sample_costs import differing
from dyce_search.wording import line

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RulePoints:
    """What a rule that is no configuration reaches: F settings of it, with what they measured.

    It can be drawn beside a front: `front.plot(others={"patience": points})`.

    Attributes:
        name: of the rule.
        costs: of the network.
        setting: by name, (F,) what each point was set to, for example the patience k.
        accuracy: (F,) float64, mean score.
        cost: (F,) float64, mean cost of a sample, in the unit of the costs.
        baseline_accuracy: of the final exit alone.

    Raises:
        FrontError: arrays of different lengths.
    """

    name: str
    costs: ExitCosts
    setting: Mapping[str, npt.NDArray[Any]]
    accuracy: FloatArray
    cost: FloatArray
    baseline_accuracy: float

    def __post_init__(self) -> None:
        """Checks and freezes the arrays."""
        for name in ("accuracy", "cost"):
            values = numbers(getattr(self, name), name, FrontError, dtype=np.float64, ndim=1, copy=True)
            object.__setattr__(self, name, values)
        require_type(self.costs, ExitCosts, "costs", FrontError)
        text(self.name, "name", FrontError)
        real(self.baseline_accuracy, "baseline_accuracy", FrontError, "be a finite number")
        require_type(self.setting, Mapping, "setting", FrontError)
        setting = {}
        for name, values in self.setting.items():
            settings = to_numpy(values, f"setting {shown(name)}", FrontError)
            setting[name] = read_only(settings, settings.dtype, copy=True)
        object.__setattr__(self, "setting", setting)
        shapes = [self.accuracy.shape, self.cost.shape, *(values.shape for values in setting.values())]
        if len(set(shapes)) != 1 or self.cost.ndim != 1:
            raise FrontError(f"accuracy, cost and settings must all have shape (F,), got {shapes}")

    __setstate__ = restore

    def __len__(self) -> int:
        """F, the number of points."""
        return len(self.cost)

    def __repr__(self) -> str:
        """One line: the rule, its size and its range."""
        if not len(self):
            return line("RulePoints", repr(self.name), "no point")
        return line(
            "RulePoints",
            repr(self.name),
            f"{len(self):,} points",
            f"relative cost {self.relative_cost.min():.4f} to {self.relative_cost.max():.4f}",
            f"accuracy {self.accuracy.min():.4f} to {self.accuracy.max():.4f}",
        )

    @property
    def relative_cost(self) -> FloatArray:
        """(F,) cost / cost of the final exit alone."""
        return self.cost / self.costs.baseline

    @property
    def accuracy_drop(self) -> FloatArray:
        """(F,) accuracy of the final exit alone - accuracy."""
        return self.baseline_accuracy - self.accuracy

    def non_dominated(self) -> Self:
        """The points that no other dominates, by rising cost; of equal ones the first."""
        kept = non_dominated(self.cost, self.accuracy)
        return type(self)(
            name=self.name,
            costs=self.costs,
            setting={name: values[kept] for name, values in self.setting.items()},
            accuracy=self.accuracy[kept],
            cost=self.cost[kept],
            baseline_accuracy=self.baseline_accuracy,
        )

    def hypervolume(self, *, reference: tuple[float, float] = (1.0, 0.0)) -> float:
        """Area that the points dominate, see `Curve.hypervolume`.

        Args:
            reference: (relative cost, relative accuracy) of the corner.

        Raises:
            FrontError: see there.
        """
        return dominated_area(self.relative_cost, self.accuracy, self.baseline_accuracy, reference)

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row a point: the settings, then cost, relative_cost, accuracy, accuracy_drop."""
        import pandas as pd

        names = ("cost", "relative_cost", "accuracy", "accuracy_drop")
        return pd.DataFrame({**self.setting, **{name: getattr(self, name) for name in names}})


def static_exits(records: ExitRecords) -> Curve:
    """Each exit alone: every sample leaves there.

    What one would have by training a smaller network that ends there, without any decision at run time.

    Args:
        records: to measure on.

    Returns:
        E points in the order of the exits, the final exit (no configuration at all, the baseline) last. A curve, not
        a front.

    Raises:
        RecordsError: `records` is something else.

    Example:
        >>> import dyce_search as ds
        >>> curve = ds.static_exits(ds.load_example())
        >>> len(curve), float(curve.relative_cost[-1])
        (46, 1.0)
    """
    require_records(records)
    costs = records.costs
    exits = np.full((costs.n_exits, costs.n_positions), -1, np.int32)
    alone = np.arange(costs.n_exits - 1)
    exits[alone, costs.position[:-1]] = alone
    threshold = np.where(exits >= 0, np.float32(-np.inf), np.float32(0))
    batch, differs, count = measured(records, exits, threshold, differences=True)
    return Curve(
        costs=costs,
        candidate=records.layout.candidates(exits),
        layout=records.layout,
        threshold=threshold,
        accuracy=batch.accuracy,
        cost=batch.cost,
        disagreement=differs,
        cost_tail=cost_tails(records, exits, threshold, count),
        exit_accuracy=records.exit_accuracy,
        n_samples=records.n_samples,
        records_digest=records.digest,
    )


def patience(
    records: ExitRecords, *, k: int | Sequence[int] | None = None, type: int | str | None = None
) -> RulePoints:
    """PABEE: a sample leaves once k exits in a row have given the same answer, however sure they are.

    All exits of one type run, one a position, until the sample leaves; whoever never sees k equal answers leaves at
    the final exit, whose answer does not count. So k = 1 is the first exit for everybody. (The paper's patience t
    counts repetitions: t = k - 1.)

    Cost of a sample that leaves at p: backbone[p] + the heads of that type at positions <= p, all of which ran.

    Args:
        records: with `prediction`, what each exit answered.
        k: one or more whole numbers >= 1; None is every k from 1 to the number of exits of the type.
        type: which exits run: k-th candidate of each position that has so many (from 0), or the name
            (`records.costs.types`); None is each type by number in turn.

    Returns:
        A point for each type and k, in this order, with the settings `type` and `k`. A k that is above the number of
        exits of a type has no point there, as nobody could leave.

    Raises:
        RecordsError: records without predictions, a type that no position has, a bad k.

    Reference: Zhou 2020, "BERT Loses Patience", arXiv 2006.04152.

    Example:
        >>> import dyce_search as ds
        >>> points = ds.patience(ds.load_example(), type=0)
        >>> points.setting["k"][:3].tolist(), bool((points.relative_cost[1:] > points.relative_cost[:-1]).all())
        ([1, 2, 3], True)
    """
    require_records(records)
    if records.prediction is None:
        raise RecordsError(
            "patience compares the exits' answers, which these records lack: build them with prediction=, or with "
            "ExitRecords.from_logits"
        )
    rules = _exits_of_types(records.costs, type)
    most = max(len(exits) for exits in rules.values())
    wanted = np.arange(1, most + 1) if k is None else _patience_values(k, most)
    accuracy, cost, types, ks = [], [], [], []
    for name, exits in rules.items():
        per_k = _patience_points(records, exits)
        for value in wanted[wanted <= len(exits)]:
            accuracy.append(per_k[0][value - 1])
            cost.append(per_k[1][value - 1])
            types.append(name)
            ks.append(value)
    return RulePoints(
        name="patience",
        costs=records.costs,
        setting={"type": np.array(types), "k": np.array(ks, np.int64)},
        accuracy=np.array(accuracy),
        cost=np.array(cost),
        baseline_accuracy=records.baseline_accuracy,
    )


def _patience_points(records: ExitRecords, exits: IntArray) -> tuple[FloatArray, FloatArray]:
    """Accuracy and cost (M,) of k = 1 .. M with the M exits of one type, in one pass over them.

    A run of equal answers grows by one exit at a time, so a sample reaches each k at one exit, or never.
    """
    assert records.prediction is not None
    costs, n = records.costs, records.n_samples
    most = len(exits)
    paid = costs.backbone[costs.position[exits]] + np.cumsum(costs.head[exits])
    charged = differing(records.sample_costs)
    heads = np.zeros(n)
    score, cost, left = np.zeros(most + 1), np.zeros(most + 1), np.zeros(most + 1, np.int64)
    run, longest = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for j, e in enumerate(exits):
        same = records.prediction[e] == records.prediction[exits[j - 1]] if j else np.zeros(n, bool)
        run = np.where(same, run + 1, 1)
        leaving = run > longest
        longest[leaving] = run[leaving]
        counts = np.bincount(run[leaving], minlength=most + 1)
        score += np.bincount(run[leaving], weights=records.score[e, leaving], minlength=most + 1)
        if charged is None:
            cost += counts * paid[j]
        else:
            heads += charged.head[e]
            there = (heads + charged.backbone[costs.position[e]])[leaving]
            cost += np.bincount(run[leaving], weights=there, minlength=most + 1)
        left += counts
    stay = np.bincount(longest, weights=records.score[-1], minlength=most + 1)
    score += np.cumsum(stay) - stay  # whoever's longest run is shorter than k
    if charged is None:
        cost += (n - left) * (costs.baseline + costs.head[exits].sum())
    else:
        beyond = np.bincount(longest, weights=heads + charged.baseline, minlength=most + 1)
        cost += np.cumsum(beyond) - beyond
    return score[1:] / n, cost[1:] / n


def _exits_of_types(costs: ExitCosts, type: int | str | None) -> dict[Any, IntArray]:
    """By type, the flat indices of its exits, one a position, in order."""
    rank = np.arange(costs.n_exits - 1) - costs.first[costs.position[:-1]]
    if type is None:
        return {int(k): np.flatnonzero(rank == k) for k in range(int(rank.max()) + 1)}
    if isinstance(type, str):
        named = np.flatnonzero(np.array(costs.types[:-1]) == type)
        if not named.size:
            known = ", ".join(dict.fromkeys(costs.types[:-1]))
            raise RecordsError(f"no exit is of type {type!r}: use one of {known}, or a number")
        _, first = np.unique(costs.position[named], return_index=True)
        return {type: named[first]}
    if not is_whole(type) or not 0 <= type <= rank.max():
        raise RecordsError(f"type must be a name or a whole number from 0 to {rank.max()}, got {shown(type)}")
    return {int(type): np.flatnonzero(rank == type)}


def _patience_values(k: int | Sequence[int], most: int) -> IntArray:
    values: IntArray = np.atleast_1d(to_numpy(k, "k", RecordsError))
    if values.dtype.kind not in "iu" or values.ndim != 1 or not values.size or values.min() < 1 or values.max() > most:
        raise RecordsError(
            f"k must be one or more whole numbers from 1 to the number of exits of a type, {most}, got {shown(k)}"
        )
    return values
