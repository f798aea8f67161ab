"""Costs that differ from sample to sample: tokens of a language model, length of a sequence, measured milliseconds."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import require_type, several
from dyce_search.arrays import checked_index, numbers, restore, to_numpy
from dyce_search.errors import CostsError
from dyce_search.records.costs import ExitCosts
from dyce_search.records.layout import ExitLayout
from dyce_search.wording import exits_at, line, number, plural, quantity

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleCosts:
    """Costs of E candidate exits at P positions on each of N samples, the final exit last.

    A sample that leaves at position p has paid `backbone[p]` and the heads of all enabled candidates at positions up to
    p, all from its own column. The cost of a configuration is the mean over the samples.

    Attributes:
        backbone: (P+1, N) float32, cumulative cost of each sample up to each position, never falling along the
            positions; the last row is the whole model.
        head: (E, N) float32, cost of each candidate alone, >= 0. The final exit's is usually 0.
        position: (E,) int64, position of each candidate in rising order; the final exit's is P.
        unit: what the numbers count.
        names: (E,) what the candidates are called.
        most: the most that any sample can cost, samples not seen among them: a token limit times a price. Promises
            about a mean cost rest on it (`ParetoFront.certify`). Where none is given it is the dearest of these
            samples, for every part of the network, and subsets keep it.
        mean: the mean costs, what `records.costs` is then.
        is_constant: whether every sample costs the same: then `mean` says it all, and exactly.
        layout: who stands where: position and names.

    Arrays that are float32 already, memory-mapped files among them, are not copied.

    Raises:
        CostsError: shapes that do not fit, costs that are negative or not finite (says of which sample), costs that
            fall along the backbone, mean costs that are none (see `ExitCosts`), a `most` that a sample exceeds.

    Example:
        >>> costs = SampleCosts(backbone=[[0, 0], [10, 30]], head=[[1, 2], [0, 0]], position=[0, 1], unit="tokens")
        >>> costs.n_samples, costs.mean.baseline, costs.mean.head.tolist()
        (2, 20.0, [1.5, 0.0])
    """

    backbone: FloatArray
    head: FloatArray
    position: npt.NDArray[np.int64]
    unit: str = "MACs"
    names: tuple[str, ...] = ()
    most: ExitCosts = None  # type: ignore[assignment]  # never None once it is made
    mean: ExitCosts = field(init=False, repr=False)
    is_constant: bool = field(init=False, repr=False)
    layout: ExitLayout = field(init=False, repr=False)

    if TYPE_CHECKING:  # what may be passed is wider than what is kept; the dataclass writes the real one

        def __init__(
            self,
            *,
            backbone: npt.ArrayLike,
            head: npt.ArrayLike,
            position: npt.ArrayLike,
            unit: str = "MACs",
            names: Iterable[str] = (),
            most: ExitCosts | None = None,
        ) -> None:
            """Takes whatever `np.asarray` takes; the attributes say what is kept."""

    def __post_init__(self) -> None:
        """Checks and freezes the arrays."""
        given = [to_numpy(getattr(self, name), name, CostsError) for name in ("backbone", "head")]
        kept = [
            numbers(array, name, CostsError, dtype=np.float32, ndim=2)
            for array, name in zip(given, ("backbone", "head"), strict=True)
        ]
        _check_rows(*kept)
        means, dearest = zip(*(_means_and_dearest(*rows) for rows in zip(given, kept, strict=True)), strict=True)
        who: dict[str, Any] = {"position": self.position, "unit": self.unit, "names": self.names}
        mean = ExitCosts(backbone=np.maximum.accumulate(means[0]), head=means[1], **who)
        found = ExitCosts(backbone=dearest[0], head=dearest[1], **who)
        if self.most is not None:
            _check_most(self.most, found)
        for name, value in (
            ("backbone", kept[0]),
            ("head", kept[1]),
            ("position", mean.position),
            ("unit", mean.unit),
            ("names", mean.names),
            ("most", found if self.most is None else self.most),
            ("mean", mean),
            ("is_constant", all(bool(np.all(row == row[0])) for rows in kept for row in rows)),
            ("layout", mean.layout),
        ):
            object.__setattr__(self, name, value)

    __setstate__ = restore

    def __repr__(self) -> str:
        """One line: sizes, and the baseline's cost."""
        final = self.backbone[-1] + self.head[-1]
        sizes = f"{plural(self.n_samples, 'sample')}, {exits_at(self.n_exits, self.n_positions)}"
        mean = quantity(self.mean.baseline, self.unit)
        return line("SampleCosts", sizes, f"whole model {number(final.min())} to {number(final.max())}, mean {mean}")

    @property
    def n_positions(self) -> int:
        """P, the number of positions before the final exit."""
        return len(self.backbone) - 1

    @property
    def n_exits(self) -> int:
        """E, the number of candidates, the final exit included."""
        return len(self.head)

    @property
    def n_samples(self) -> int:
        """N, the number of samples."""
        return int(self.head.shape[1])

    @property
    def baseline(self) -> npt.NDArray[np.float64]:
        """(N,) cost of each sample at the final exit alone, without any other exit."""
        final: npt.NDArray[np.float64] = self.backbone[-1].astype(np.float64) + self.head[-1]
        return final

    def subset(self, index: npt.ArrayLike) -> Self:
        """The costs of some samples, in the order of `index`.

        Args:
            index: (M,) integers in [-N, N), or (N,) booleans.

        Raises:
            CostsError: an index out of range, a mask of the wrong length, no sample left.
        """
        chosen = checked_index(index, self.n_samples, CostsError)
        part = replace(self, backbone=self.backbone[:, chosen], head=self.head[:, chosen])
        return part.with_exact_mean(self.mean) if self.is_constant else part

    @classmethod
    def cascade(cls, price: npt.ArrayLike, *, unit: str = "MACs", names: Iterable[str] = ()) -> Self:
        """Costs of a cascade of whole models, see `ExitCosts.cascade`, with a price for each model and sample.

        Args:
            price: (M, N) >= 0, the full price of each of M >= 2 models on each sample; the last model's must not be 0
                on all.
            unit: what the prices count.
            names: (M,) of the models.

        Raises:
            CostsError: fewer than two models, or prices that are negative or not finite (says whose).

        Example:
            >>> costs = SampleCosts.cascade([[1, 2], [10, 30]], unit="cents", names=["small", "large"])
            >>> costs.mean.baseline, costs.mean.alone.tolist()
            (20.0, [1.5, 20.0])
        """
        prices = numbers(price, "price", CostsError, dtype=np.float64, ndim=2)
        who = tuple(several(names, str, "names", CostsError))
        if len(prices) < 2:
            raise CostsError(f"price must have one row for each of two or more models, got {len(prices)}")
        bad = np.argwhere(~(np.isfinite(prices) & (prices >= 0)))
        if len(bad):
            m, sample = bad[0].tolist()
            named = f" ({who[m]})" if m < len(who) else ""
            raise CostsError(
                f"price must be finite and >= 0, got {prices[m, sample]:g} for model {m}{named} on sample {sample} "
                f"({len(bad)} such prices): mend them or drop those samples"
            )
        if not prices[-1].any():
            raise CostsError("price must end with the last model's, above 0, got only 0: relative costs have no base")
        last = np.zeros(prices.shape)
        last[-1] = prices[-1]
        return cls(backbone=last, head=prices - last, position=np.arange(len(prices)), unit=unit, names=who)

    def with_exact_mean(self, known: ExitCosts) -> Self:
        """The same costs; where they are constant, and float32 rounded them, with the mean as it is known to be.

        Args:
            known: costs of the same exits, more exact than float32.

        Raises:
            CostsError: it is something else.
        """
        require_type(known, ExitCosts, "known", CostsError)
        same = all(
            np.array_equal(np.float32(getattr(known, name)), np.float32(getattr(self.mean, name)))
            for name in ("backbone", "head")
        )
        if not (same and self.is_constant):
            return self
        exact = replace(self)
        object.__setattr__(exact, "mean", replace(self.mean, backbone=known.backbone, head=known.head))
        return exact


def _check_rows(backbone: FloatArray, head: FloatArray) -> None:
    """Row by row, so that mapped files are not read into memory."""
    if backbone.shape[1] != head.shape[1] or not head.shape[1]:
        raise CostsError(
            "backbone (P+1, N) and head (E, N) must have the same N >= 1 samples, "
            f"got {backbone.shape} and {head.shape}"
        )
    for name, rows in (("backbone", backbone), ("head", head)):
        for index, row in enumerate(rows):
            if not (row.min() >= 0 and np.isfinite(row.max())):
                sample = int(np.flatnonzero(~(np.isfinite(row) & (row >= 0)))[0])
                raise CostsError(
                    f"{name} must be finite and >= 0, got {row[sample]:g} in row {index}, sample {sample}: "
                    "mend it or drop the sample"
                )
    for p in range(len(backbone) - 1):
        falls = backbone[p + 1] < backbone[p]
        if falls.any():
            sample = int(falls.argmax())
            raise CostsError(
                f"backbone must be cumulative and never fall, got {backbone[p, sample]:g} at position {p} and "
                f"{backbone[p + 1, sample]:g} at {p + 1} for sample {sample}: pass np.cumsum(parts, axis=0)"
            )


def _means_and_dearest(
    given: npt.NDArray[Any], kept: FloatArray
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and largest entry of each row; of a row of equal entries both are that entry as it was given."""
    mean, dearest = np.empty(len(kept)), np.empty(len(kept))
    for index, (raw, row) in enumerate(zip(given, kept, strict=True)):
        equal = bool(np.all(row == row[0])) and (raw.dtype == np.float32 or bool(np.all(raw == raw[0])))
        mean[index] = raw[0] if equal else row.mean(dtype=np.float64)
        dearest[index] = raw[0] if equal else row.max()
    return mean, dearest


def _check_most(most: ExitCosts, found: ExitCosts) -> None:
    if not isinstance(most, ExitCosts):
        raise CostsError(f"most must be an ExitCosts, the most that a sample can cost, got {type(most).__name__}")
    if not np.array_equal(most.position, found.position):
        raise CostsError("most must be of the same exits, at the same positions")
    if most.unit != found.unit:
        raise CostsError(f"most must be in the unit of the costs, {found.unit!r}, got {most.unit!r}: pass it unit=")
    for name in ("backbone", "head"):
        limit, dearest = getattr(most, name), getattr(found, name)
        over = np.flatnonzero(np.float32(limit) < np.float32(dearest))
        if over.size:
            index = int(over[0])
            raise CostsError(
                f"most must be at least what the samples cost, got {limit[index]:g} for row {index} of {name}, where a "
                f"sample costs {dearest[index]:g}: raise it"
            )


def differing(costs: SampleCosts | None) -> SampleCosts | None:
    """Sample costs where they truly differ from sample to sample; None where one number an exit says it all.

    Args:
        costs: of some records, None where they have constant ones.
    """
    return None if costs is None or costs.is_constant else costs
