"""Costs as whole numbers, so that their sums do not depend on their order."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import SampleCosts, differing

ONE_COST = 30  # bits of what one sample pays, at most: they are kept in 32


class WholeCosts(NamedTuple):
    """What each sample pays, in whole numbers. A named tuple, which Numba compiles away.

    Attributes:
        backbone: (P+1, N) int32, up to each position.
        head: (E, N) int32.
    """

    backbone: npt.NDArray[np.int32]
    head: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prices:
    """Costs in whole numbers, as fine as sums over the samples may be.

    Attributes:
        unit: whole numbers per unit of cost.
        backbone: (P+1,) int64, up to each position; of the mean sample, where costs differ.
        head: (E,) int64, likewise.
        by_sample: what each sample pays, where costs differ; else None.
        low: least sum of costs over the samples.
        high: above every sum of costs.
    """

    unit: float
    backbone: npt.NDArray[np.int64]
    head: npt.NDArray[np.int64]
    by_sample: WholeCosts | None
    low: int
    high: float

    @classmethod
    def of(cls, records: ExitRecords, bits: int, index: npt.NDArray[np.intp] | None = None) -> Self:
        """Those of some records.

        Args:
            records: whose costs count.
            bits: for a sum of costs over the samples, its sign included.
            index: (M,) the samples; None for all.
        """
        charged = differing(records.sample_costs)
        if charged is None:
            return cls._alike(records.costs, bits, records.n_samples if index is None else len(index))
        return cls._by_sample(charged if index is None else charged.subset(index), bits)

    @classmethod
    def _alike(cls, costs: ExitCosts, bits: int, n: int) -> Self:
        """Costs that are the same for all of n samples."""
        dearest = costs.baseline + np.maximum.reduceat(costs.head, costs.first).sum()
        unit = 2.0 ** min(bits, 52) / (2 * n * dearest)
        backbone, head = _whole(costs.backbone, unit), _whole(costs.head, unit)
        low, high = n * int((backbone[costs.position] + head).min()), n * (dearest * unit + 1)
        return cls(unit=unit, backbone=backbone, head=head, by_sample=None, low=low, high=float(high))

    @classmethod
    def _by_sample(cls, costs: SampleCosts, bits: int) -> Self:
        """Costs that differ by sample."""
        mean, n = costs.mean, costs.n_samples
        dearest = costs.baseline
        for first, stop in zip(mean.first[:-1], mean.first[1:], strict=True):
            dearest += costs.head[first:stop].max(axis=0)
        unit = min(2.0 ** min(bits, 52) / (2 * n), 2.0**ONE_COST) / float(dearest.max())
        whole = WholeCosts(_rows(costs.backbone, unit), _rows(costs.head, unit))
        least = np.full(n, np.iinfo(np.int64).max)
        for e, p in enumerate(mean.position):
            np.minimum(least, whole.backbone[p].astype(np.int64) + whole.head[e], out=least)
        return cls(
            unit=unit,
            backbone=_whole(mean.backbone, unit),
            head=_whole(mean.head, unit),
            by_sample=whole,
            low=int(least.sum()),
            high=float(dearest.sum() * unit + n),
        )


def _whole(costs: npt.NDArray[np.float64], unit: float) -> npt.NDArray[np.int64]:
    return np.round(costs * unit).astype(np.int64)


def _rows(costs: npt.NDArray[np.float32], unit: float) -> npt.NDArray[np.int32]:
    """The same for costs by sample, row by row, so that little memory is used."""
    rows = np.empty(costs.shape, np.int32)
    for row, own in zip(rows, costs, strict=True):
        row[:] = np.round(own * unit)
    return rows
