"""A front over the orders and subsets of a cascade's models; its points say which order they use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import require_type
from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.errors import FileFormatError, FrontError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import Curve, OperatingPoint
from dyce_search.evaluation.drawn import Drawable
from dyce_search.evaluation.lookup import index_of
from dyce_search.files import PathLike
from dyce_search.front.front import ParetoFront
from dyce_search.orders.stages import are_stages, sequence_of, staged
from dyce_search.records.layout import ExitLayout
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.wording import line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OrderedPoint(OperatingPoint):
    """A configuration of some models in some order, with what it measured.

    Drops and relative costs are against the last model of the records searched on, whichever models a point asks; what
    `evaluate` says of the records of `models` is against the last of these.

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

    Raises:
        FrontError: a front of something else, whose configurations say no order.
    """

    front: ParetoFront

    def __post_init__(self) -> None:
        """Checks that the configurations say an order."""
        require_type(self.front, ParetoFront, "front", FrontError)
        costs = self.front.costs
        if not are_stages(costs):
            raise FrontError(
                "front must be one over the orders of a cascade, as search_orders finds it, got one in a fixed order, "
                f"of {costs.n_exits} exits at {costs.n_positions} positions: use it as it is, a ParetoFront"
            )

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
    def accuracy(self) -> npt.NDArray[np.float64]:
        """(F,) mean score, rising; as the front's scores say."""
        return self.front.accuracy

    @property
    def relative_cost(self) -> npt.NDArray[np.float64]:
        """(F,) mean cost, relative to the last model of the records alone, rising."""
        return self.front.relative_cost

    @property
    def scores(self) -> str:
        """What accuracy is the mean of: "observed" scores, "expected" ones or one's "own"."""
        return self.front.scores

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
        _, models, config = self._own(point.config)
        baseline = None if models[-1] == self.names[-1] else self.names[-1]
        certificate = replace(point.certificate, layout=config.layout, baseline=baseline)
        return replace(point, config=config, certificate=certificate)

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row a configuration: `order`, as "small > large", then as `ParetoFront.to_frame`."""
        frame = self.front.to_frame()
        frame.insert(0, "order", [" > ".join(order) for order in self.orders])
        return frame.drop(columns="n_exits")

    def index_of(self, config: ExitConfig) -> int:
        """Where a configuration stands in this front.

        Args:
            config: of a point, of the models that it asks.

        Raises:
            FrontError: the front has no such configuration.
        """
        require_type(config, ExitConfig, "config", FrontError)
        names = None if config.layout is None else config.layout.names
        for index, point in enumerate(self):
            if point.models == names and point.config == config:
                return index
        raise FrontError("this is the configuration of none of these points: take one of the front's own")

    def explore(
        self,
        path: PathLike,
        *,
        held_out: ExitRecords | None = None,
        certificate: CertifiedPoint | None = None,
        others: Mapping[str, Drawable] | None = None,
        title: str | None = None,
        max_accuracy_drop: float = 0.01,
        drop_limit: float = 0.05,
    ) -> None:
        """Writes one HTML page to look at this front, choose a point by its limits and take its configuration away.

        It is the page of `ParetoFront.explore`. A point says which models it asks in which order; its `config.json` is
        that of `point.config`.

        Args:
            path: to write, atomically.
            held_out: of the cascade, samples that the search did not see, in the order of those searched on.
            certificate: what `certify` returned.
            others: more curves to compare with, by name: fronts, curves, or points of rules.
            title: of the page.
            max_accuracy_drop: the limit that the page begins with, absolute: 0.01 is one point.
            drop_limit: the page begins with a view of drops up to this one, absolute.

        Raises:
            FrontError: a certificate of another configuration, others that are no curves, limits that are no numbers.
            CostsError: `held_out` or one of `others` has costs in another unit.
            ConfigError: records of other models, or of confidences of another measure or temperature.
            RecordsError: `held_out` is something else, or no cascade.
            FileFormatError: the file cannot be written.
        """
        from dyce_search.explorer.page import write_explorer

        if held_out is not None:
            require_records(held_out, "held_out")
        write_explorer(
            self.front,
            path,
            held_out=None if held_out is None else staged(held_out),
            certificate=certificate,
            others=others,
            title=title,
            max_accuracy_drop=max_accuracy_drop,
            drop_limit=drop_limit,
            models=self,
        )

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
        for name in ("selected", "certified"):
            if isinstance(point := options.get(name), OperatingPoint):
                options[name] = self.front[self.index_of(point.config)]
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
        front = front_in(path)
        if isinstance(front, cls):
            return front
        raise FileFormatError(f"{path} holds a front in a fixed order, not one over orders: ParetoFront.load reads it")

    def _own(self, config: ExitConfig) -> tuple[tuple[str, ...], tuple[str, ...], ExitConfig]:
        """The order, the models and the configuration of these alone, of one of stages."""
        layout, size = self.front.layout, len(self.names)
        exits = config.exits(layout)
        sequence = sequence_of(exits, config.threshold, size)
        used, kept = sequence, config.threshold[exits >= 0][: len(sequence) - 1]
        if len(sequence) == 1:
            used, kept = (*sequence, (sequence[0] + 1) % size), np.full(1, -np.inf, np.float32)
        heat = layout.temperature
        own = ExitLayout(
            position=np.arange(len(used)),
            names=[self.names[m] for m in used],
            measure=layout.measure,
            temperature=None if heat is None else heat[list(used)],
        )
        order, models = (tuple(self.names[m] for m in some) for some in (sequence, used))
        return order, models, ExitConfig(candidate=np.zeros(len(kept), np.int64), threshold=kept, layout=own)


def front_in(path: PathLike) -> ParetoFront | OrderedFront:
    """The front that a file holds, over the orders of a cascade or in a fixed order.

    Args:
        path: that `save` of either wrote.

    Raises:
        FileFormatError: no such file, or one of another kind.
    """
    front = ParetoFront.load(path)
    return OrderedFront(front=front) if are_stages(front.costs) else front
