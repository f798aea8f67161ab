"""What each exit costs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import text
from dyce_search.arrays import numbers, read_only, restore, whole_numbers
from dyce_search.errors import CostsError
from dyce_search.files import PathLike, named, require_path
from dyce_search.json_files import of_type, read_json, write_json
from dyce_search.records.layout import ExitLayout, check_positions, checked_names, require_text
from dyce_search.records.wrong_files import needing
from dyce_search.wording import exits_at, line, quantity

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST = 1e140  # of all costs together, and its inverse the least: far from the ends of float64, squares too


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitCosts:
    """Costs of a backbone with P positions and E candidate exits, the final exit last.

    A sample that leaves at position p has paid `backbone[p]` and the heads of all enabled candidates
    at positions up to p. Costs may have any unit that adds up: MACs, milliseconds, joules, money.

    Attributes:
        backbone: (P+1,) float64, cumulative cost up to each position, never falling; the last entry is
            the whole model.
        head: (E,) float64, cost of each candidate alone, >= 0. The final exit's is usually 0, as the
            whole model includes it.
        position: (E,) int64, position of each candidate in rising order; the final exit's is P.
        unit: what the numbers count. "MACs" are multiply-adds, not FLOPs.
        names: (E,) of the candidates: types, which may repeat from position to position, or "place/type".
        layout: who stands where: position and names, for confidences of any kind.

    Raises:
        CostsError: shapes that do not fit, costs that fall along the backbone, negative or infinite costs,
            a position without candidates, candidates out of order.

    Example:
        >>> costs = ExitCosts(backbone=[1.0, 2.0, 4.0], head=[0.1, 0.2, 0.1, 0.0], position=[0, 0, 1, 2])
        >>> costs.n_positions, costs.n_exits, costs.baseline
        (2, 4, 4.0)
    """

    backbone: FloatArray
    head: FloatArray
    position: IntArray
    unit: str = "MACs"
    names: tuple[str, ...] = ()
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
        ) -> None:
            """Takes whatever `np.asarray` takes; the attributes say what is kept."""

    def __post_init__(self) -> None:
        """Checks and freezes the arrays."""
        backbone = numbers(self.backbone, "backbone", CostsError, dtype=np.float64, ndim=1, copy=True)
        head = numbers(self.head, "head", CostsError, dtype=np.float64, ndim=1, copy=True)
        position = read_only(whole_numbers(self.position, "position", CostsError, ndim=1), np.int64, copy=True)
        _check_values(backbone, "backbone")
        _check_values(head, "head")
        if len(backbone) < 2:
            raise CostsError(
                f"backbone must have P+1 >= 2 entries, one per position and the whole model last, got {len(backbone)}"
            )
        falls = np.flatnonzero(np.diff(backbone) < 0)
        if falls.size:
            p = int(falls[0])
            raise CostsError(
                f"backbone must be cumulative and never fall, got {backbone[p]:g} at position {p} and "
                f"{backbone[p + 1]:g} at {p + 1}: pass np.cumsum of the costs of the parts"
            )
        whole_model = backbone[-1] + (head[-1] if len(head) else 0)
        if whole_model <= 0:
            raise CostsError("the whole model must cost more than 0: relative costs would be undefined")
        with np.errstate(over="ignore"):
            dearest = backbone[-1] + head.sum()
        if whole_model < 1 / MOST or dearest > MOST:
            raise CostsError(
                f"the whole model must cost at least {1 / MOST:g}, and with all heads at most {MOST:g}, so that sums "
                f"and squares over samples stay within float64, got {whole_model:g} and {dearest:g}: count in another "
                "unit"
            )
        if len(position) != len(head):
            raise CostsError(
                f"position must have one entry per candidate, {len(head)} as head has, got {len(position)}"
            )
        check_positions(position, len(backbone) - 1, CostsError)
        names = checked_names(self.names, position, CostsError)
        require_text(text(self.unit, "unit", CostsError), "unit", CostsError)
        layout = ExitLayout(position=position, names=names)
        for name, value in (
            ("backbone", backbone),
            ("head", head),
            ("position", layout.position),
            ("unit", self.unit),
            ("names", names),
            ("layout", layout),
        ):
            object.__setattr__(self, name, value)

    __setstate__ = restore

    def __repr__(self) -> str:
        """One line: sizes, and what the whole model costs."""
        sizes = exits_at(self.n_exits, self.n_positions)
        return line("ExitCosts", sizes, f"whole model {quantity(self.baseline, self.unit)}")

    def __eq__(self, other: object) -> bool:
        """Equal when every number, the unit and the names are."""
        if not isinstance(other, ExitCosts):
            return NotImplemented
        return (
            np.array_equal(self.backbone, other.backbone)
            and np.array_equal(self.head, other.head)
            and np.array_equal(self.position, other.position)
            and (self.unit, self.names) == (other.unit, other.names)
        )

    def __hash__(self) -> int:
        """Agrees with equality."""
        return hash((self.backbone.tobytes(), self.head.tobytes(), self.position.tobytes(), self.unit, self.names))

    @property
    def n_positions(self) -> int:
        """P, the number of positions before the final exit."""
        return len(self.backbone) - 1

    @property
    def n_exits(self) -> int:
        """E, the number of candidates, the final exit included."""
        return len(self.head)

    @property
    def types(self) -> tuple[str, ...]:
        """(E,) of which type each candidate is: its name, or what follows the last slash, as in "layer1.0/linear"."""
        return self.layout.types

    @property
    def first(self) -> IntArray:
        """(P+1,) flat index of the first candidate of each position, then that of the final exit."""
        return self.layout.first

    @property
    def n_candidates(self) -> IntArray:
        """(P,) number of candidates at each position."""
        return self.layout.n_candidates

    @property
    def baseline(self) -> float:
        """Cost of the final exit alone, without any other exit."""
        return float(self.backbone[-1] + self.head[-1])

    @property
    def alone(self) -> FloatArray:
        """(E,) cost of each candidate when it is the only one and every sample leaves there."""
        return self.backbone[self.position] + self.head

    def to_dict(self) -> dict[str, Any]:
        """Plain lists for JSON; `from_dict` reads them back exactly."""
        return {
            "unit": self.unit,
            "names": list(self.names),
            "backbone": self.backbone.tolist(),
            "head": self.head.tolist(),
            "position": self.position.tolist(),
        }

    @classmethod
    def from_dict(cls, content: Any, path: PathLike = "costs") -> Self:
        """Reads what `to_dict` wrote, or a person: "unit" and "names" may be left out.

        Args:
            content: the dictionary.
            path: of the file that it comes from, for messages.

        Raises:
            FileFormatError: a key is missing or unknown, or something is of another type.
            CostsError: the numbers do not fit together.
        """
        from msgspec.structs import asdict

        from dyce_search.records.costs_file import CostsFile

        require_path(path)
        found = of_type(content, CostsFile, path)
        with named(path):
            return cls(**asdict(found))

    def save(self, path: PathLike) -> None:
        """Writes `to_dict` as JSON, atomically; `load` gives back equal costs, bit for bit.

        Args:
            path: the file.

        Raises:
            FileFormatError: the folder cannot be written.
        """
        write_json(path, self.to_dict())

    @classmethod
    def cascade(cls, price: npt.ArrayLike, *, unit: str = "MACs", names: Iterable[str] = ()) -> Self:
        """Costs of a cascade of whole models that share nothing, small to large; the last one is the baseline.

        Whoever goes on has paid for the models used so far, and a model that is not used costs nothing. So the price of
        a model is the cost of its candidate, and the backbone between them is free up to the last model.

        Args:
            price: (M,) >= 0, the full price of each of M >= 2 models; the last must be above 0.
            unit: what the prices count.
            names: (M,) of the models.

        Raises:
            CostsError: fewer than two models, or prices that are negative or infinite.

        Reference: Viola 2001; FrugalGPT (Chen 2023, arXiv 2305.05176) for the prices of language models.

        Example:
            >>> costs = ExitCosts.cascade([1.0, 5.0, 20.0], unit="cents")
            >>> costs.baseline, costs.alone.tolist()
            (20.0, [1.0, 5.0, 20.0])
        """
        prices = numbers(price, "price", CostsError, dtype=np.float64, ndim=1)
        _check_values(prices, "price")
        if len(prices) < 2:
            raise CostsError(f"price must have one entry for each of two or more models, got {len(prices)}")
        if not prices[-1]:
            raise CostsError("price must end with the last model's, above 0, got 0: relative costs would be undefined")
        last = np.append(np.zeros(len(prices) - 1), prices[-1])
        return cls(backbone=last, head=prices - last, position=np.arange(len(prices)), unit=unit, names=names)

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Reads costs from DyCE's JSON of MACs, or from what `save` wrote.

        DyCE's file has `{"head": [{"name", "macs"}], "backbone": {"name", "macs", "ori_macs"}}` with one head type
        an entry, P+1 numbers each; an optional `{"shared": {"macs"}}`, work of the exits that is done whether
        or not a sample leaves, is added to the backbone, once.

        Args:
            path: the file.

        Raises:
            FileFormatError: no such file, no JSON, a key that is missing, or something of another type.
            CostsError: the numbers do not fit together.
        """
        with needing("costs", path), named(path):
            content = read_json(path)
            if isinstance(content, dict) and "position" in content:
                return cls.from_dict(content, path)
            from dyce_search.records.macs_file import read_macs

            return cls(**read_macs(content, path))


def _check_values(values: FloatArray, name: str) -> None:
    if not np.all(np.isfinite(values)) or np.any(values < 0):
        bad = int(np.flatnonzero(~(np.isfinite(values) & (values >= 0)))[0])
        raise CostsError(f"{name} must be finite and >= 0, got {values[bad]} at index {bad}")
