"""Records as coordinate descent sees them: ranks in bins, costs as whole numbers."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.records.records import ExitRecords
from dyce_search.solvers.descent._kernels import descend, polish
from dyce_search.solvers.descent._ranks import encode
from dyce_search.solvers.descent.archive import Archive
from dyce_search.solvers.trade_off import TradeOff
from dyce_search.threads import n_threads, side_by_side

Exits = npt.NDArray[np.int32]
Cuts = npt.NDArray[np.int32]


class Objective(NamedTuple):
    """J = price * cost - gain * score + curb * (cost - goal)^2, of sums over the samples; lower is better."""

    gain: float
    price: float
    curb: float = 0.0
    goal: float = 0.0

    def __call__(self, archive: Archive) -> npt.NDArray[np.float64]:
        """J of every bucket of an archive, infinite where it is empty."""
        value = self.price * archive.cost - self.gain * archive.score + self.curb * (archive.cost - self.goal) ** 2
        return np.where(archive.score > -np.inf, value, np.inf)


class Problem:
    """The codes of some records (2 bytes an entry) and their costs as whole numbers.

    Confidences are replaced by their rank in `bins` bins of equal size; equal confidences share a bin, so that with
    as many bins as samples nothing is lost. Costs are rounded to whole numbers, as fine as 64-bit sums allow (1e-6 of
    the baseline for a million samples, far finer for fewer), so that sums do not depend on their order.
    """

    def __init__(self, records: ExitRecords, bins: int) -> None:
        """Encodes the records, exit by exit, on all threads."""
        costs = records.costs
        n_exits, n = records.confidence.shape
        finest = min(n, 1 << 15)
        self.coarse = max(0, (-(-finest // bins) - 1).bit_length())
        self.records = records
        self.n = n
        self.first = costs.first
        self.codes = np.empty((n_exits, n), np.uint16)
        self.edges = np.empty((n_exits, finest), np.float32)
        binary = np.ones(n_exits, bool)
        parts = np.linspace(0, n_exits, 4 * n_threads() + 1).astype(int)

        def encode_some(first: int, stop: int) -> None:
            encode(records.confidence, records.score, first, stop, self.codes, self.edges, binary)

        side_by_side(encode_some, parts[:-1], parts[1:])
        self.score = None if binary.all() else records.score
        self._set_costs()

    def _set_costs(self) -> None:
        costs = self.records.costs
        self.shift = self.n.bit_length() + 1
        dearest = costs.baseline + np.maximum.reduceat(costs.head, self.first).sum()
        self.unit = 2.0 ** min(62 - self.shift, 52) / (2 * self.n * dearest)  # whole numbers per unit of cost
        self.backbone = np.round(costs.backbone * self.unit).astype(np.int64)
        self.head = np.round(costs.head * self.unit).astype(np.int64)
        self.low = self.n * int((self.backbone[costs.position] + self.head).min())
        self.high = self.n * (dearest * self.unit + 1)
        self.trade_off = TradeOff.of(self.records)

    def sample(self, index: npt.NDArray[np.intp]) -> "Problem":
        """The problem of some samples, in the same bins."""
        new = object.__new__(Problem)
        new.records = self.records
        new.n = len(index)
        new.first, new.edges, new.coarse = self.first, self.edges, self.coarse
        new.codes = np.ascontiguousarray(self.codes[:, index])
        new.score = None if self.score is None else np.ascontiguousarray(self.score[:, index])
        new._set_costs()
        return new

    def at_lambda(self, weight: float) -> Objective:
        """The objective of `TradeOff` at lambda = weight."""
        span = self.trade_off
        return Objective(
            gain=weight / span.accuracy_span / self.n, price=(1 - weight) / span.cost_span / self.unit / self.n
        )

    def descend(
        self, objective: Objective, exits: Exits, cuts: Cuts, archive: Archive, max_sweeps: int, max_lines: float
    ) -> tuple[float, int]:
        """Descends from exits and cuts (P,), which are changed in place. Returns J and the number of lines."""
        value, lines = descend(
            self.codes, self.coarse, self.score, self.first, self.backbone, self.head, *objective, exits, cuts,
            max_sweeps, int(min(max_lines, 1 << 62)), archive.score, archive.cost, archive.exits, archive.cuts,
            archive.low, archive.scale, self.shift,
        )  # fmt: skip
        return float(value), int(lines)

    def polish(self, objective: Objective, exits: Exits, cuts: Cuts) -> npt.NDArray[np.float32]:
        """The thresholds (P,) of a configuration, each moved to the best place near its cut, in the true order."""
        threshold = self.thresholds(exits, cuts)
        records = self.records
        polish(
            records.confidence, records.score, self.codes, self.edges, self.backbone, self.head,
            *objective, exits, cuts, threshold,
        )  # fmt: skip
        return threshold

    def cheapest(self) -> tuple[Exits, npt.NDArray[np.float32]]:
        """Exits and thresholds (1, P) of the cheapest configuration: everybody leaves at one exit."""
        cheapest = int(np.lexsort((-self.records.exit_accuracy, self.records.costs.alone))[0])
        exits = np.full((1, len(self.first) - 1), -1, np.int32)
        if cheapest < self.first[-1]:
            exits[0, self.records.costs.position[cheapest]] = cheapest
        return exits, np.where(exits >= 0, np.float32(-np.inf), np.float32(0))

    def thresholds(
        self, exits: npt.NDArray[np.signedinteger], cuts: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.float32]:
        """The thresholds of cuts, of any shape; 0 where there is no exit."""
        return np.where(exits >= 0, self.edges[exits, cuts], np.float32(0))
