"""A limit on what single samples may cost: who breaks it, and how a configuration is made to keep it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import real
from dyce_search.errors import SolverError
from dyce_search.evaluation.config import threshold_between
from dyce_search.evaluation.cost_tails import allowed, is_over, samples_over
from dyce_search.evaluation.evaluate import BatchEvaluation
from dyce_search.evaluation.limits import require_share
from dyce_search.expected.searched import with_scores
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import differing
from dyce_search.threads import parts_of, side_by_side

Exits = npt.NDArray[np.int32]
Thresholds = npt.NDArray[np.float32]

PENALTY = np.float32(1.0)  # of score, for leaving where that alone costs too much


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLimit:
    """No more than a share of the samples may cost more than this.

    Attributes:
        most: in the unit of the costs.
        share: in [0, 1).
    """

    most: float
    share: float

    @classmethod
    def of(cls, max_sample_cost: float | None, share: float) -> Self | None:
        """Checks the limit of a search; None where there is none.

        Raises:
            SolverError: no finite number above 0.
            FrontError: a share outside [0, 1).
        """
        require_share(share)
        if max_sample_cost is None:
            return None
        what = "be a finite number above 0, in the unit of the costs"
        most = real(max_sample_cost, "max_sample_cost", SolverError, what, lambda value: 0 < value < np.inf)
        return cls(most=most, share=float(share))

    def allowed(self, records: ExitRecords) -> int:
        """How many of the samples may cost more."""
        return allowed(self.share, records.n_samples)

    def over(
        self, records: ExitRecords, exits: Exits, threshold: Thresholds, measured: BatchEvaluation
    ) -> npt.NDArray[np.int64]:
        """(F,) how many samples cost more under F configurations (F, P), which `evaluate_arrays` has measured."""
        count = np.rint(measured.exit_share * records.n_samples).astype(np.int64)
        return samples_over(records, exits, threshold, count, self.most)

    def guiding(self, records: ExitRecords) -> ExitRecords:
        """The records with lower scores where an exit alone costs a sample too much, to lead a search elsewhere."""
        charged, costs = differing(records.sample_costs), records.costs
        score = np.array(records.score)
        for e, p in enumerate(costs.position):
            alone = costs.alone[e] if charged is None else charged.backbone[p].astype(np.float64) + charged.head[e]
            score[e, np.broadcast_to(is_over(alone, self.most), records.n_samples)] -= PENALTY
        return with_scores(records, score)


class Holder:
    """Makes configurations keep a limit."""

    def __init__(self, records: ExitRecords, limit: SampleLimit) -> None:
        """Lays out what each sample pays; the confidences of an exit are sorted when it is first asked for."""
        from dyce_search.evaluation._kernels import Charges

        self.records, self.limit = records, limit
        charged, costs, n = differing(records.sample_costs), records.costs, records.n_samples
        if charged is None:
            every = (np.repeat(row.astype(np.float32)[:, None], n, axis=1) for row in (costs.backbone, costs.head))
            self._charges = Charges(*every)
        else:
            self._charges = Charges(charged.backbone, charged.head)
        self._rising: dict[int, npt.NDArray[np.float32]] = {}

    def __call__(self, exits: Exits, threshold: Thresholds, spend: bool) -> Thresholds:
        """Lower thresholds (F, P) for the same exits: whoever could not afford the next exit leaves.

        Costs never fall along a sample's way: whoever cannot afford the next enabled exit affords none after it. Where
        nobody who arrives can go on, everybody leaves (-inf).

        Args:
            exits: (F, P).
            threshold: (F, P).
            spend: let the least sure go on all the same, from the first exit on, as many as the share allows.
        """
        from dyce_search.solvers._hold_kernels import hold

        level = np.full(exits.shape, np.nan, np.float32)
        bounds = parts_of(len(exits))
        spare, most = self.limit.allowed(self.records) if spend else 0, self.limit.most * (1 + 1e-7)

        def fill(first: int, stop: int) -> None:
            hold(self.records.confidence, self._charges, exits, threshold, first, stop, most, spare, level)

        side_by_side(fill, bounds[:-1], bounds[1:])
        return self._placed(exits, threshold, level)

    def _placed(self, exits: Exits, threshold: Thresholds, level: Thresholds) -> Thresholds:
        """Thresholds half-way below the least confidence that has to leave; NaN is no change, -inf everybody."""
        held = threshold.copy()
        for e in np.unique(exits[exits >= 0]).tolist():
            here = (exits == e) & ~np.isnan(level)
            if not here.any():
                continue
            if e not in self._rising:
                self._rising[e] = np.unique(self.records.confidence[e])
            values, wanted = self._rising[e], level[here]
            at = np.searchsorted(values, wanted)
            below = values[np.maximum(at - 1, 0)]
            placed = np.where(np.isinf(wanted) | (at == 0), np.float32(-np.inf), threshold_between(below, wanted))
            held[here] = np.minimum(held[here], placed)
        return held
