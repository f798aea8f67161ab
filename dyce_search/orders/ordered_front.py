"""A front over the orders and subsets of a cascade's models; its points say which order they use."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import Curve, OperatingPoint
from dyce_search.evaluation.lookup import index_of
from dyce_search.files import PathLike
from dyce_search.front.front import ParetoFront
from dyce_search.orders.stages import sequence_of, staged
from dyce_search.records.layout import ExitLayout
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.wording import line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OrderedPoint(OperatingPoint):
    """A configuration of some models in some order, with what it measured.

    Attributes:
        config: fits the records of `models` in this order, `in_order(records, point.models)`, and says from which
            confidence on the answer of each stands.
        order: names of the models that are asked, one after another.
        models: the same, two at least: where only one model is asked, another one stands beside it that nobody asks.
    """

    order: tuple[str, ...]
    models: tuple[str, ...]

    def __str__(self) -> str:
        """One line for people."""
        return f"{' > '.join(self.order)}: {OperatingPoint.__str__(self)}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrderedFront:
    """Non-dominated configurations over all orders and subsets of a cascade's models, by rising cost.

    Costs are relative to the last model of the records alone, whatever a point's order.

    Attributes:
        front: the same points as configurations of stages: at each stage any of the models, then the last one.
    """

    front: ParetoFront

    def __len__(self) -> int:
        """F, the number of configurations."""
        return len(self.front)

    def __getitem__(self, index: int) -> OrderedPoint:
        """One configuration with its order and figures; negative indices count from the end."""
        point = self.front[index]
        order, models, config = self._own(point.config)
        return OrderedPoint(
            config=config,
            accuracy=point.accuracy,
            cost=point.cost,
            relative_cost=point.relative_cost,
            accuracy_drop=point.accuracy_drop,
            disagreement=point.disagreement,
            order=order,
            models=models,
        )

    def __iter__(self) -> Iterator[OrderedPoint]:
        """The points, in order of cost."""
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        """One line: size, range and how many orders."""
        front = self.front
        return line(
            "OrderedFront",
            f"{len(self):,} points in {len(set(self.orders))} orders",
            f"relative cost {front.relative_cost[0]:.4f} to {front.relative_cost[-1]:.4f}",
            f"{front.scores} accuracy {front.accuracy[0]:.4f} to {front.accuracy[-1]:.4f}",
            f"models {', '.join(self.names)}",
        )

    def _repr_html_(self) -> str:
        """A table and a picture, for notebooks."""
        from dyce_search.cards.cards import front_card

        return front_card(self.front, "OrderedFront")

    @property
    def names(self) -> tuple[str, ...]:
        """(M,) of the models, in the order of the records."""
        return self.front.layout.names[: self.front.costs.n_positions]

    @property
    def orders(self) -> list[tuple[str, ...]]:
        """(F,) which models each point asks, one after another."""
        exits, size = self.front.exits, len(self.names)
        found = (sequence_of(*config, size) for config in zip(exits, self.front.threshold, strict=True))
        return [tuple(self.names[m] for m in sequence) for sequence in found]

    def select(self, **limits: Any) -> OrderedPoint:
        """The best point within limits: the cheapest where accuracy is limited, else the most accurate.

        Args:
            limits: of `ParetoFront.select`.

        Raises:
            InfeasibleError: no point is within all limits.
            FrontError: no limit given, or one that is not a number.
        """
        return self[index_of(self.front, self.front.select(**limits).config)]

    def evaluate(self, records: ExitRecords) -> Curve:
        """Measures the same configurations on other records of the same models.

        Args:
            records: of the cascade, in the order of those searched on.

        Returns:
            As many points in the same order, see `ParetoFront.evaluate`.
        """
        return self.front.evaluate(staged(records))

    def certify(self, calibration: ExitRecords, **limits: Any) -> CertifiedPoint:
        """The best point that keeps its limits with a guarantee, see `ParetoFront.certify`.

        Args:
            calibration: records of other samples, of the same models in the same order as those searched on.
            limits: and `share`, `confidence` and `method`, of `ParetoFront.certify`.

        Returns:
            A point whose configuration is of the models that it asks: `point.config.layout.names` are their names.
        """
        require_records(calibration, "calibration")
        point = self.front.certify(staged(calibration), **limits)
        config = self._own(point.config)[2]
        return replace(point, config=config, certificate=replace(point.certificate, layout=config.layout))

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row a configuration: `order`, as "small > large", then as `ParetoFront.to_frame`."""
        frame = self.front.to_frame()
        frame.insert(0, "order", [" > ".join(order) for order in self.orders])
        return frame.drop(columns="n_exits")

    def hypervolume(self, *, reference: tuple[float, float] = (1.0, 0.0)) -> float:
        """Area that the points dominate, see `Curve.hypervolume`.

        Args:
            reference: (relative cost, relative accuracy) of the corner.
        """
        return self.front.hypervolume(reference=reference)

    def plot(self, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Draws accuracy against relative cost, see `Curve.plot`.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.
            options: of `Curve.plot`.
        """
        return self.front.plot(ax, **options)

    def save(self, path: PathLike) -> None:
        """Writes versioned JSON, atomically, as `ParetoFront.save` does.

        Args:
            path: the file.
        """
        self.front.save(path)

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Reads a file that `save` wrote.

        Args:
            path: the file.

        Raises:
            FileFormatError: no such file, or one of another kind.
        """
        return cls(front=ParetoFront.load(path))

    def _own(self, config: ExitConfig) -> tuple[tuple[str, ...], tuple[str, ...], ExitConfig]:
        """The order, the models and the configuration of these alone, of one of stages."""
        layout, size = self.front.layout, len(self.names)
        exits = config.exits(layout)
        sequence = sequence_of(exits, config.threshold, size)
        kept = config.threshold[exits >= 0][: max(1, len(sequence) - 1)]
        order = tuple(self.names[m] for m in sequence)
        used = sequence if len(sequence) > 1 else (*sequence, (sequence[0] + 1) % size)
        if len(sequence) == 1:
            kept = np.full(1, -np.inf, np.float32)
        heat = layout.temperature
        own = ExitLayout(
            position=np.arange(len(used)),
            names=[self.names[m] for m in used],
            measure=layout.measure,
            temperature=None if heat is None else heat[list(used)],
        )
        models = tuple(self.names[m] for m in used)
        return order, models, ExitConfig(candidate=np.zeros(len(kept), np.int64), threshold=kept, layout=own)
