"""Figures that some records can have: for curves that are made by hand or read from files."""

import numpy as np
import numpy.typing as npt

from dyce_search.errors import FrontError
from dyce_search.records.costs import ExitCosts

FloatArray = npt.NDArray[np.float64]
ROUNDING = 1e-5  # relative; of costs by sample, which are float32


def require_all(values: FloatArray, good: npt.NDArray[np.bool_], needed: str) -> None:
    """Figures, (F,) or (F, S), all of which must be good.

    Raises:
        FrontError: one is not; names the first.
    """
    if not good.all():
        place = np.unravel_index(int(np.argmin(good)), good.shape)
        raise FrontError(f"{needed}, got {values[place]:g} at point {int(place[0])}")


def require_possible(cost: FloatArray, exits: npt.NDArray[np.int32], costs: ExitCosts) -> None:
    """Mean costs (F,): nobody pays less than at the first exit that is enabled, nor more than at the final one.

    Args:
        cost: of each configuration.
        exits: (F, P) flat index of the enabled candidate at each position, -1 for none.
        costs: of the network.

    Raises:
        FrontError: a cost that those exits cannot have.
    """
    on = exits >= 0
    most = costs.baseline + np.where(on, costs.head[exits], 0.0).sum(axis=1)
    first = exits[np.arange(len(exits)), np.argmax(on, axis=1)]
    least = np.where(on.any(axis=1), costs.alone[first], costs.baseline)
    bad = np.flatnonzero((cost < least * (1 - ROUNDING)) | (cost > most * (1 + ROUNDING)))
    if bad.size:
        f = int(bad[0])
        raise FrontError(
            f"cost must be from {least[f]:g}, where the first enabled exit is, to {most[f]:g}, where the final one is, "
            f"got {cost[f]:g} at point {f}"
        )
