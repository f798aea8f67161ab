"""Accuracy and cost as one number, and what one position's threshold does to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown
from dyce_search.arrays import numbers
from dyce_search.errors import SolverError
from dyce_search.evaluation.outcomes import outcomes, paid_at, prices
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import SampleCosts, differing
from dyce_search.solvers.run import Run

ROUNDING = 1e-9  # np.arange(0.5, 1.01, 0.01) ends at 1.0000000000000004
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOff:
    """J = lambda * (1 - accuracy) + (1 - lambda) * cost, both min-max normalised; lower is better.

    Accuracy is normalised by [first candidate at position 0, final exit], cost by [backbone at position 0, final
    exit], as DyCE does (Wang 2024, arXiv 2403.01695, Eq. 8 and the released code). A range that is empty or
    upside down counts as 1.

    Attributes:
        accuracy_low: of the first candidate.
        accuracy_span: from there to the final exit.
        cost_low: of the backbone up to position 0.
        cost_span: from there to the final exit.
    """

    accuracy_low: float
    accuracy_span: float
    cost_low: float
    cost_span: float

    @classmethod
    def of(cls, records: ExitRecords) -> "TradeOff":
        """The normalisation that belongs to some records."""
        low = float(records.exit_accuracy[0])
        cost_low = float(records.costs.backbone[0])
        accuracy_span, cost_span = records.baseline_accuracy - low, records.costs.baseline - cost_low
        return cls(
            accuracy_low=low,
            accuracy_span=accuracy_span if accuracy_span > 0 else 1.0,
            cost_low=cost_low,
            cost_span=cost_span if cost_span > 0 else 1.0,
        )

    def __call__(self, weight: float, accuracy: Any, cost: Any) -> Any:
        """J at lambda = `weight`, for numbers or arrays."""
        return (
            weight * (1 - (accuracy - self.accuracy_low) / self.accuracy_span)
            + (1 - weight) * (cost - self.cost_low) / self.cost_span
        )


def check_lambdas(lambdas: Sequence[float]) -> list[float]:
    """The weights as floats; those within 1e-9 of 0 or 1, as sums of steps are, as 0 or 1.

    Raises:
        SolverError: none given, or one outside [0, 1].
    """
    given = numbers(lambdas, "lambdas", SolverError, dtype=np.float64, ndim=1).tolist()
    weights = [next((end for end in (0.0, 1.0) if abs(weight - end) <= ROUNDING), weight) for weight in given]
    if not weights or not all(0 <= weight <= 1 for weight in weights):
        raise SolverError(f"lambdas must be one or more numbers in [0, 1], got {shown(lambdas)}")
    return weights


class Lines:
    """Prices every threshold at one position while the rest of a configuration stays as it is.

    With the rest fixed, a sample that arrives at position p either leaves there or goes on to a known outcome. In
    order of falling confidence, prefix sums of the differences give accuracy and cost for any number of leavers.
    """

    def __init__(self, run: Run) -> None:
        """Sorts every exit's samples once: (E, N) int32.

        Raises:
            StopSearch: the time is over.
        """
        records = self.records = run.records
        self._charged = differing(records.sample_costs)
        rows = run.timely(records.confidence)
        self._order = np.stack([np.argsort(-row, kind="stable").astype(np.int32) for row in rows])

    def at(self, exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32], position: int) -> "Line":
        """The line at one position of a configuration, exits and threshold (P,)."""
        records = self.records
        without = exits.copy()
        without[position] = -1
        going_on = outcomes(records, without, threshold)
        if self._charged is None:
            paid: Any = float(prices(records.costs, without[None])[0][position])
        else:
            paid = paid_at(records, without, np.full(records.n_samples, position))
        return Line(
            records=records,
            order=self._order,
            position=position,
            arriving=going_on.position > position,
            score=going_on.score.astype(np.float64),
            cost=going_on.cost,
            saved=going_on.cost - paid,
            charged=self._charged,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """Outcomes at one position; see `Lines`.

    Attributes:
        records: the records.
        order: (E, N) samples by falling confidence.
        position: the position.
        arriving: (N,) bool, samples that get there.
        score: (N,) what each sample scores when it does not leave there.
        cost: (N,) what it pays then.
        saved: (N,) how much less it pays when it leaves there, but for the head.
        charged: the costs of each sample, where they differ.
    """

    records: ExitRecords
    order: npt.NDArray[np.int32]
    position: int
    arriving: npt.NDArray[np.bool_]
    score: FloatArray
    cost: FloatArray
    saved: FloatArray
    charged: SampleCosts | None

    def without(self) -> tuple[float, float]:
        """Accuracy and cost with no exit at the position."""
        n = self.records.n_samples
        return float(self.score.sum() / n), float(self.cost.sum() / n)

    def with_exit(self, e: int) -> tuple[npt.NDArray[np.float32], FloatArray, FloatArray]:
        """Confidences (M,) of the arriving samples, rising; accuracy and cost (M+1,) with the surest 0..M leaving."""
        records = self.records
        samples = self.order[e][self.arriving[self.order[e]]]
        if self.charged is None:
            heads = float(records.costs.head[e]) * len(samples)
        else:
            heads = float(self.charged.head[e, samples].sum(dtype=np.float64))
        score = np.concatenate([[0.0], np.cumsum(records.score[e, samples] - self.score[samples])])
        cost = np.concatenate([[0.0], np.cumsum(-self.saved[samples])])
        n = records.n_samples
        return (
            records.confidence[e, samples][::-1],
            (self.score.sum() + score) / n,
            (self.cost.sum() + heads + cost) / n,
        )
