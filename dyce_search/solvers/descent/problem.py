"""Records as coordinate descent sees them: ranks in bins, costs as whole numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.records.records import ExitRecords
from dyce_search.solvers.descent._kernels import Flow, descend
from dyce_search.solvers.descent._lines import MOST_BINS, Scores
from dyce_search.solvers.descent._polish import polish
from dyce_search.solvers.descent._ranks import Sorting, encode
from dyce_search.solvers.descent.archive import Archive, Choice
from dyce_search.solvers.descent.objective import Objective
from dyce_search.solvers.descent.prices import Prices, WholeCosts
from dyce_search.solvers.trade_off import TradeOff
from dyce_search.threads import n_threads, side_by_side


class Coded(NamedTuple):
    """What the compiled loops need of some records. A named tuple, which Numba compiles away.

    Attributes:
        codes: (E, N) uint16, see `encode`.
        coarse: lines price every 2^coarse-th cut, then all cuts around the best one.
        first: (P+1,) first candidate of each position, then the final exit.
        backbone: (P+1,) int64, see `Prices`.
        head: (E,) int64, see `Prices`.
        shift: bits for a sum of scores, its sign included.
        step: the score of one whole number, a power of two.
    """

    codes: npt.NDArray[np.uint16]
    coarse: int
    first: npt.NDArray[np.int64]
    backbone: npt.NDArray[np.int64]
    head: npt.NDArray[np.int64]
    shift: int
    step: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """The codes of some records (2 bytes an entry), and their scores and costs as whole numbers.

    Confidences are replaced by their rank in bins of equal size, at most 32,768; equal confidences share a bin, so
    that with as many bins as samples nothing is lost. Costs, and scores that are not 0/1, are rounded to whole numbers,
    as fine as 64-bit sums of both allow, so that sums do not depend on their order. With 0/1 scores costs are exact to
    1e-6 of the baseline for a million samples and far better for fewer; with others each gets half of the bits that are
    left, 13 for 65,536 samples.

    Attributes:
        records: where it comes from; of a sample, the whole.
        coded: for the compiled loops.
        edges: (E, B) float32, the threshold of each cut.
        score: (E, N) int16, in steps of `coded.step`, or None where scores are 0/1 and the codes hold them.
        costs: what each sample pays, where costs differ by sample; else None, and `coded` has them.
        unit: whole numbers per unit of cost.
        low: least sum of costs.
        high: above every sum of costs.
        trade_off: how DyCE normalises accuracy and cost.
    """

    records: ExitRecords
    coded: Coded
    edges: npt.NDArray[np.float32]
    score: npt.NDArray[np.int16] | None
    costs: WholeCosts | None
    unit: float
    low: int
    high: float
    trade_off: TradeOff

    @classmethod
    def of(cls, records: ExitRecords, bins: int, look: Callable[[], None] = lambda: None) -> "Problem":
        """Encodes the records, exit by exit, on all threads; lines price about `bins` cuts first.

        Args:
            records: to search on.
            bins: cuts that lines price first.
            look: is called before each exit, such as `Run.require`, which looks at the clock; what it raises ends it.
        """
        n_exits, n = records.confidence.shape
        finest = min(n, MOST_BINS)
        codes = np.empty((n_exits, n), np.uint16)
        edges = np.empty((n_exits, finest), np.float32)
        binary = np.ones(n_exits, bool)
        parts = np.linspace(0, n_exits, 4 * n_threads() + 1).astype(int)
        keys = records.confidence.view(np.uint32)

        def encode_some(first: int, stop: int) -> None:
            sorting = Sorting.of(n)
            for e in range(first, stop):
                look()
                rows = records.confidence[e], keys[e], records.score[e], sorting, codes[e], edges[e]
                binary[e] = encode(*rows)

        side_by_side(encode_some, parts[:-1], parts[1:])
        coarse = max(0, (-(-finest // bins) - 1).bit_length())
        if binary.all():
            return cls._priced(records, codes, coarse, edges)
        bits = min(15, (60 - 2 * n.bit_length()) // 2)
        score, step = in_steps(records.score, bits)
        return cls._priced(records, codes, coarse, edges, score=score, step=step, bits=bits)

    @classmethod
    def _priced(
        cls,
        records: ExitRecords,
        codes: npt.NDArray[np.uint16],
        coarse: int,
        edges: npt.NDArray[np.float32],
        *,
        index: npt.NDArray[np.intp] | None = None,
        score: npt.NDArray[np.int16] | None = None,
        step: float = 1.0,
        bits: int = 0,
    ) -> "Problem":
        """Adds the costs, as fine as the number of samples and the bits of a score allow."""
        shift = codes.shape[1].bit_length() + 1 + bits
        prices = Prices.of(records, 62 - shift, index)
        return cls(
            records=records,
            coded=Coded(codes, coarse, records.costs.first, prices.backbone, prices.head, shift, step),
            edges=edges,
            score=score,
            costs=prices.by_sample,
            unit=prices.unit,
            low=prices.low,
            high=prices.high,
            trade_off=TradeOff.of(records),
        )

    def sample(self, index: npt.NDArray[np.intp]) -> "Problem":
        """The problem of some samples (M,), in the same bins; of 0/1 scores."""
        codes = np.ascontiguousarray(self.coded.codes[:, index])
        return self._priced(self.records, codes, self.coded.coarse, self.edges, index=index)

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.coded.codes.shape[1])

    @property
    def n_positions(self) -> int:
        """Number of positions."""
        return len(self.coded.first) - 1

    @property
    def is_exact(self) -> bool:
        """Whether it loses nothing of its records: the bins are the samples."""
        return bool(self.n == self.edges.shape[1])

    def at_lambda(self, weight: float) -> Objective:
        """The objective of `TradeOff` at lambda = weight."""
        span = self.trade_off
        return Objective(
            gain=weight / span.accuracy_span / self.n, price=(1 - weight) / span.cost_span / self.unit / self.n
        )

    def no_exits(self) -> Choice:
        """Where the first descents start."""
        return Choice(np.full(self.n_positions, -1, np.int32), np.zeros(self.n_positions, np.int32))

    def descend(
        self,
        objective: Objective,
        choice: Choice,
        archive: Archive,
        max_sweeps: int,
        max_lines: float,
        over: npt.NDArray[np.bool_],
    ) -> tuple[float, int]:
        """Descends from a choice (P,) in int32, which is changed in place, until `over` (1,) is set, see `alarm`.

        Returns:
            J, number of lines.
        """
        most = int(min(max_lines, 1 << 62))
        flow = Flow.of(self.n_positions, self.n, by_sample=self.costs is not None, over=over)
        value, lines = descend(self.coded, self._scores, self.costs, objective, choice, archive, flow, max_sweeps, most)
        return float(value), int(lines)

    @property
    def _scores(self) -> Scores:
        """For the compiled loops: beside the codes, or in them."""
        return Scores(self.coded.codes.view(np.int16), 1) if self.score is None else Scores(self.score, -1)

    def polish(self, objective: Objective, choice: Choice) -> npt.NDArray[np.float32]:
        """The thresholds (P,) of a choice, each moved to the best place near its cut, in the true order."""
        threshold = self.thresholds(choice)
        confidence, score = self.records.confidence, self.records.score
        polish(confidence, score, self.coded, self.costs, self.edges, objective, choice, threshold)
        return threshold

    def cheapest(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Exits and thresholds (1, P) of the cheapest configuration: everybody leaves at one exit."""
        cheapest = int(np.lexsort((-self.records.exit_accuracy, self.records.costs.alone))[0])
        exits = np.full((1, self.n_positions), -1, np.int32)
        if cheapest < self.coded.first[-1]:
            exits[0, self.records.costs.position[cheapest]] = cheapest
        return exits, np.where(exits >= 0, np.float32(-np.inf), np.float32(0))

    def thresholds(self, choice: Choice) -> npt.NDArray[np.float32]:
        """The thresholds of a choice's cuts, in its shape; 0 where there is no exit."""
        return np.where(choice.exits >= 0, self.edges[choice.exits, choice.cuts], np.float32(0))


def in_steps(score: npt.NDArray[np.float32], bits: int) -> tuple[npt.NDArray[np.int16], float]:
    """Scores (E, N) as multiples of a step, a power of two; neither they nor their differences need more bits."""
    least, most = min(float(row.min()) for row in score), max(float(row.max()) for row in score)
    largest = max(most - least, most, -least)
    step = 2.0 ** math.ceil(math.log2(largest / (2**bits - 1)))
    whole = np.empty(score.shape, np.int16)
    for row, own in zip(whole, score, strict=True):
        row[:] = np.rint(own * np.float32(1 / step))
    return whole, step
