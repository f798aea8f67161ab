"""Exact evaluation of one or many configurations."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import flag, real, require_type, several
from dyce_search.arrays import numbers, read_only, whole_numbers
from dyce_search.errors import ConfigError, FrontError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.cost_tails import is_over, tail_of
from dyce_search.evaluation.departures import departures
from dyce_search.evaluation.outcomes import outcomes, prices
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.records.stored import AnyRecords, require_any_records
from dyce_search.wording import line, one_line, percent, points

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """What one configuration does on some records.

    Attributes:
        accuracy: mean score of the exits where the samples left, in [0, 1].
        cost: mean cost of a sample, in the unit of the costs.
        relative_cost: cost / cost of the final exit alone.
        accuracy_drop: accuracy of the final exit alone - accuracy; below 0 where the configuration is better.
        exit_share: (P+1,) float64, share of the samples that leaves at each position, the final exit last.
        exit_accuracy: (P+1,) float64, mean score of those that left there; NaN where nobody did.
        sample_cost: (N,) float64, what each sample paid, in the unit of the costs; `cost` is its mean.
        exit_position: (N,) int64, where each sample left, P for the final exit; None unless asked for.
    """

    accuracy: float
    cost: float
    relative_cost: float
    accuracy_drop: float
    exit_share: FloatArray
    exit_accuracy: FloatArray
    sample_cost: FloatArray
    exit_position: npt.NDArray[np.int64] | None = None

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"accuracy {self.accuracy:.4f} (drop {points(self.accuracy_drop, signed=True)}) at relative cost "
            f"{self.relative_cost:.4f}, {percent(self.exit_share[-1])} reach the final exit"
        )

    def __repr__(self) -> str:
        """One line: the figures and on how many samples."""
        return line("Evaluation", str(self), f"{len(self.sample_cost):,} samples")

    def _repr_html_(self) -> str:
        """A table and a picture, for notebooks."""
        from dyce_search.cards.cards import evaluation_card

        return evaluation_card(self)

    def cost_quantile(self, share: float) -> float:
        """The least cost that at least this share of the samples does not exceed.

        Args:
            share: in [0, 1]; 0.99 is the 99th percentile, 1 the dearest sample.

        Raises:
            FrontError: it is something else.

        Example:
            >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
            >>> records = ExitRecords(confidence=[[0.9, 0.2], [0.8, 0.7]], score=[[1, 0], [1, 1]], costs=costs)
            >>> evaluation = evaluate(records, ExitConfig(candidate=[0], threshold=[0.5]))
            >>> evaluation.cost_quantile(0.5), evaluation.cost_quantile(0.99), evaluation.over_budget(2.0)
            (1.5, 4.5, 0.5)
        """
        least = real(share, "share", FrontError, "lie in [0, 1]", lambda value: 0 <= value <= 1)
        return tail_of(self.sample_cost, 1 - least) if least else float(self.sample_cost.min())

    def over_budget(self, budget: float) -> float:
        """Share of the samples that cost more than a budget, by more than float32 rounds.

        Args:
            budget: in the unit of the costs.

        Raises:
            FrontError: no number.
        """
        most = real(budget, "budget", FrontError, "be a number, in the unit of the costs", lambda value: value == value)
        return float(np.mean(is_over(self.sample_cost, most)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchEvaluation:
    """What F configurations do on some records; see `Evaluation` for the fields.

    Attributes:
        accuracy: (F,) float64.
        cost: (F,) float64.
        relative_cost: (F,) float64.
        accuracy_drop: (F,) float64.
        exit_share: (F, P+1) float64.
        exit_accuracy: (F, P+1) float64.
    """

    accuracy: FloatArray
    cost: FloatArray
    relative_cost: FloatArray
    accuracy_drop: FloatArray
    exit_share: FloatArray
    exit_accuracy: FloatArray

    __repr__ = one_line

    def __len__(self) -> int:
        """F, the number of configurations."""
        return len(self.cost)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """One of several, in order.

        Args:
            parts: one or more, of the same records.

        Raises:
            ConfigError: none, something else, or parts of networks with other numbers of positions.
        """
        if not several(parts, BatchEvaluation, "parts", ConfigError):
            raise ConfigError("parts must be one or more, got none")
        ends = {part.exit_share.shape[1:] for part in parts}
        if len(ends) > 1:
            raise ConfigError(f"parts must be of the same records, got exit shares of shapes (F, ...) = {sorted(ends)}")
        return cls(**{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)})


def evaluate(records: ExitRecords, config: ExitConfig, *, per_sample: bool = False) -> Evaluation:
    """Measures one configuration exactly.

    Args:
        records: to measure on.
        config: whose positions and candidates fit the records.
        per_sample: also return where each sample leaves, `exit_position` (N,).

    Raises:
        ConfigError: the configuration belongs to other exits, or to confidences of another measure or temperature.

    Example:
        >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
        >>> records = ExitRecords(confidence=[[0.9, 0.2], [0.8, 0.7]], score=[[1, 0], [1, 1]], costs=costs)
        >>> evaluation = evaluate(records, ExitConfig(candidate=[0], threshold=[0.5]))
        >>> evaluation.accuracy, evaluation.cost  # one leaves at 1.5, the other pays 4.5
        (1.0, 3.0)
    """
    flag(per_sample, "per_sample", ConfigError)
    require_records(records)
    hint = "a point has one as .config, and front.evaluate(records) measures all of a front"
    require_type(config, ExitConfig, "config", ConfigError, hint=hint)
    batch = evaluate_many(records, [config])
    found = outcomes(records, config.exits(records.layout, "the records"), config.threshold)
    return Evaluation(
        accuracy=float(batch.accuracy[0]),
        cost=float(batch.cost[0]),
        relative_cost=float(batch.relative_cost[0]),
        accuracy_drop=float(batch.accuracy_drop[0]),
        exit_share=batch.exit_share[0],
        exit_accuracy=batch.exit_accuracy[0],
        sample_cost=read_only(found.cost, np.float64),
        exit_position=found.position if per_sample else None,
    )


def evaluate_many(records: AnyRecords, configs: Sequence[ExitConfig]) -> BatchEvaluation:
    """Measures many configurations at once, in parallel; each result equals `evaluate`'s to the bit.

    Args:
        records: to measure on; those that stay in their file are read 65,536 samples at a time.
        configs: F configurations; none is fine.

    Raises:
        RecordsError: `records` is something else.
        ConfigError: a configuration belongs to another network.

    Example:
        >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
        >>> records = ExitRecords(confidence=[[0.9, 0.2], [0.8, 0.7]], score=[[1, 0], [1, 1]], costs=costs)
        >>> evaluate_many(records, [ExitConfig.none(1), ExitConfig(candidate=[0], threshold=[0.5])]).cost.tolist()
        [4.0, 3.0]
    """
    require_any_records(records)
    if isinstance(configs, ExitConfig):
        raise ConfigError("configs must be a sequence of ExitConfig, got a single one: use evaluate")
    found = several(configs, ExitConfig, "configs", ConfigError)
    shape = (len(found), records.costs.n_positions)
    exits, threshold = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
    for f, config in enumerate(found):
        exits[f], threshold[f] = config.exits(records.layout, "the records"), config.threshold
    return evaluate_arrays(records, exits, threshold)


def evaluate_arrays(
    records: AnyRecords, exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32]
) -> BatchEvaluation:
    """`evaluate_many` for configurations that are arrays already, as solvers have them.

    Args:
        records: to measure on.
        exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none (`ExitConfig.exits`).
        threshold: (F, P) float32.

    Raises:
        ConfigError: shapes that do not fit, or an exit that is not at its position.
    """
    return measured(records, exits, threshold).batch


class Measured(NamedTuple):
    """What F configurations do on some records, and what curves keep of it beside.

    Attributes:
        batch: accuracies, costs and who leaves where.
        disagreement: (F,) float64, how far they differ from the whole network: mean |score - score of the final
            exit|. With scores of 0 and 1 it is the share of the samples on which one of the two is right and the
            other wrong. Empty unless asked for.
        left: (F, P+1) int64, how many samples leave at each position.
    """

    batch: BatchEvaluation
    disagreement: FloatArray
    left: npt.NDArray[np.int64]


def measured(
    records: AnyRecords,
    exits: npt.NDArray[np.int32],
    threshold: npt.NDArray[np.float32],
    *,
    observed: npt.NDArray[np.float32] | None = None,
    differences: bool = False,
) -> Measured:
    """`evaluate_arrays`, and on demand the disagreements in the same pass.

    Args:
        records: to measure on; those that stay in their file are read block by block.
        exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none.
        threshold: (F, P) float32.
        differences: whether disagreements are wanted.
        observed: (E, N) float32, the scores that may disagree; None is those of the records.

    Raises:
        ConfigError: shapes that do not fit, or an exit that is not at its position.
    """
    costs, n = records.costs, records.n_samples
    exits, threshold = checked_configs(exits, threshold, costs)
    count, score_sum, cost_sum, differ_sum = departures(
        records, exits, threshold, observed=observed, differences=differences
    )
    accuracy = score_sum.sum(axis=1) / n
    cost = (cost_sum if cost_sum.size else count * prices(costs, exits)).sum(axis=1) / n
    batch = BatchEvaluation(
        accuracy=accuracy,
        cost=cost,
        relative_cost=cost / costs.baseline,
        accuracy_drop=records.baseline_accuracy - accuracy,
        exit_share=count / n,
        exit_accuracy=np.divide(score_sum, count, out=np.full(count.shape, np.nan), where=count > 0),
    )
    return Measured(batch, differ_sum.sum(axis=1) / n, count)


def non_dominated(cost: FloatArray | npt.NDArray[np.int64], accuracy: FloatArray) -> npt.NDArray[np.intp]:
    """Indices of the points (F,) that no other dominates, by rising cost; of equal points the first."""
    order = np.lexsort((-accuracy, cost))
    reached = np.maximum.accumulate(np.concatenate([[-np.inf], accuracy[order]]))
    kept: npt.NDArray[np.intp] = order[accuracy[order] > reached[:-1]]
    return kept


def checked_configs(
    exits: npt.ArrayLike, threshold: npt.ArrayLike, costs: ExitCosts
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Configurations as arrays (F, P), int32 and float32; those that are such arrays are not copied.

    Raises:
        ConfigError: other shapes, an exit that is not at its position, a threshold that is NaN.
    """
    if not (isinstance(exits, np.ndarray) and exits.dtype == np.int32 and exits.ndim == 2):
        given = whole_numbers(exits, "exits", ConfigError, ndim=2).astype(np.int64)
        exits = given.clip(-2, costs.n_exits).astype(np.int32)  # what is out of range stays so
    if not (isinstance(threshold, np.ndarray) and threshold.dtype == np.float32):
        threshold = np.array(numbers(threshold, "threshold", ConfigError, dtype=np.float32, ndim=2))
    expected = (len(exits), costs.n_positions)
    if exits.shape != expected or threshold.shape != expected:
        raise ConfigError(
            f"exits and threshold must have shape (F, P) = (F, {costs.n_positions}), "
            f"got {exits.shape} and {threshold.shape}"
        )
    on = exits >= 0
    wrong = (exits < -1) | (exits >= costs.first[1:]) | (on & (exits < costs.first[:-1]))
    if wrong.any():
        f, p = np.argwhere(wrong)[0].tolist()
        raise ConfigError(
            "exits must hold, at each position, the flat index of one of its candidates, or -1, "
            f"got {exits[f, p]} at position {p} of configuration {f}"
        )
    if np.isnan(threshold[on]).any():
        f, p = np.argwhere(on & np.isnan(threshold))[0].tolist()
        raise ConfigError(f"threshold must not be NaN, got NaN at position {p} of configuration {f}")
    return exits, threshold
