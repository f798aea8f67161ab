"""What a picture of a curve shows: the curves, the points that are named, and what they are called."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import real, require_type, shown
from dyce_search.drawing.style import short
from dyce_search.errors import FrontError
from dyce_search.evaluation.lookup import rows_of
from dyce_search.evaluation.same_costs import require_one_unit
from dyce_search.records.costs import ExitCosts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dyce_search.drawing.trade_off import Mark, Series
    from dyce_search.evaluation.curve import Curve, OperatingPoint

FloatArray = npt.NDArray[np.float64]


class Drawable(Protocol):
    """What can be drawn beside a curve: other curves, and points of rules that are no configurations."""

    @property
    def relative_cost(self) -> FloatArray:
        """(F,) cost / cost of the final exit alone."""

    @property
    def accuracy(self) -> FloatArray:
        """(F,) mean score."""


def drawables(others: Mapping[str, Drawable] | None, costs: ExitCosts) -> dict[str, Drawable]:
    """What to draw beside a curve of these costs, checked.

    Raises:
        FrontError: it is no mapping, or holds what cannot be drawn.
        CostsError: a curve with costs in another unit, as the axis has one.
    """
    require_type({} if others is None else others, Mapping, "others", FrontError)
    found = dict(others or {})
    for name, curve in found.items():
        if not (hasattr(curve, "relative_cost") and hasattr(curve, "accuracy")):
            kind = type(curve).__name__
            raise FrontError(
                f"others must hold fronts, curves or points of rules by name, got {kind} for {shown(name)}"
            )
        theirs = costs_of(curve)
        if theirs is not None:
            require_one_unit(costs, theirs, "this curve", f"others[{shown(name)}]")
    return found


def costs_of(curve: Drawable) -> ExitCosts | None:
    """What relative costs of a curve are made of; None where it does not say."""
    found = getattr(getattr(curve, "front", curve), "costs", None)  # of a front over orders, of its front
    return found if isinstance(found, ExitCosts) else None


def require_drop_limit(drop_limit: object) -> None:
    """For the largest drop that a picture shows.

    Raises:
        FrontError: it is outside (0, 1], and not None.
    """
    if drop_limit is not None:
        what, hint = "lie in (0, 1] or be None", "0.05 is five points"
        real(drop_limit, "drop_limit", FrontError, what, lambda limit: 0 < limit <= 1, hint=hint)


def draw_curve(
    ax: "Axes",
    curve: "Curve",
    label: str,
    others: Mapping[str, Drawable],
    held_out: "Curve | None",
    points: Sequence[tuple[str, "OperatingPoint"]],
    *,
    static_exits: bool,
    drop_limit: float | None,
) -> None:
    """Draws a curve beside others, see `Curve.plot`, whose options these are.

    Args:
        ax: to draw on.
        curve: the front.
        label: what it is called.
        others: by name.
        held_out: the same configurations on other samples, or None.
        points: to name, with their names.
        static_exits: whether exits used alone are drawn.
        drop_limit: of the view.
    """
    from dyce_search.drawing.trade_off import draw_trade_off

    if len(points) == 2 and points[0][1].config == points[1][1].config:
        points = [(" and ".join(name for name, _ in points), points[0][1])]
    drawn = [curve, *others.values(), *([] if held_out is None else [held_out])]
    mixed = len({str(getattr(one, "scores", "observed")) for one in drawn}) > 1
    base, costs = curve.baseline_accuracy, curve.costs
    curves = [series_of(label if held_out is None else f"{label}: promised", curve, base, mixed=mixed)]
    curves += [series_of(name, other, base, mixed=mixed) for name, other in others.items()]
    draw_trade_off(
        ax,
        curves,
        held_out=None if held_out is None else series_of(f"{label}: delivered", held_out, base, mixed=mixed),
        static=(costs.alone[:-1] / costs.baseline, base - curve.exit_accuracy[:-1]) if static_exits else None,
        marks=[_mark(name, point, curve, held_out) for name, point in points],
        unit=costs.unit,
        scores=None if mixed else curve.scores,
        drop_limit=drop_limit,
    )


def series_of(name: str, curve: Drawable, baseline: float, *, mixed: bool) -> "Series":
    """A curve as it is drawn.

    Args:
        name: for the legend.
        curve: with a `baseline_accuracy` of its own, or not.
        baseline: accuracy of the final exit alone, where the curve does not know it.
        mixed: whether the legend has to say of which scores it is.
    """
    from dyce_search.drawing.trade_off import Series

    kind = f" ({getattr(curve, 'scores', 'observed')})" if mixed else ""
    return Series(
        name=f"{short(name)}{kind}",
        cost=curve.relative_cost,
        accuracy=curve.accuracy,
        baseline=float(getattr(curve, "baseline_accuracy", baseline)),
    )


def _mark(name: str, point: "OperatingPoint", curve: "Curve", held_out: "Curve | None") -> "Mark":
    """A point with its figures on the curve, wherever it was measured, and on the held-out samples."""
    from dyce_search.drawing.trade_off import Mark

    same = rows_of(curve, point.config)
    here = curve[int(same.argmax())] if same.any() else point
    there = held_out[int(same.argmax())] if held_out is not None and same.any() else None
    return Mark(
        name=name,
        promised=(here.relative_cost, here.accuracy_drop),
        delivered=None if there is None else (there.relative_cost, there.accuracy_drop),
    )
