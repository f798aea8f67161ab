"""What a drop in accuracy buys: rows of a table, for whoever prints one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dyce_search.errors import InfeasibleError
from dyce_search.evaluation.curve import Curve, OperatingPoint
from dyce_search.evaluation.limits import USUAL_DROPS
from dyce_search.evaluation.lookup import index_of
from dyce_search.front.front import ParetoFront


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRow:
    """The cheapest point of a front within a drop in accuracy.

    Attributes:
        most: the largest drop, absolute: 0.01 is one point.
        point: with the figures of the records searched on; None where no point is within.
        elsewhere: the same configuration on other records; None without those.
    """

    most: float
    point: OperatingPoint | None
    elsewhere: OperatingPoint | None


def points_by_drop(
    front: ParetoFront, elsewhere: Curve | None, drops: Sequence[float] = USUAL_DROPS
) -> Iterator[DropRow]:
    """A row for each drop, in order.

    Args:
        front: what a search returned.
        elsewhere: `front.evaluate` of other records, or None.
        drops: absolute, 0.01 is one point.
    """
    for drop in drops:
        try:
            point = front.select(max_accuracy_drop=drop)
        except InfeasibleError:
            yield DropRow(most=drop, point=None, elsewhere=None)
            continue
        there = None if elsewhere is None else elsewhere[index_of(front, point.config)]
        yield DropRow(most=drop, point=point, elsewhere=there)
