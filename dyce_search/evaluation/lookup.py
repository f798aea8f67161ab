"""Where a configuration stands in a curve."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dyce_search.errors import FrontError
from dyce_search.evaluation.config import ExitConfig

if TYPE_CHECKING:
    from dyce_search.evaluation.curve import Curve


def index_of(curve: "Curve", config: ExitConfig) -> int:
    """Where a configuration stands in a curve.

    Args:
        curve: of the same network.
        config: of one of its points.

    Raises:
        FrontError: the curve has no such configuration.
    """
    same = rows_of(curve, config)
    if not same.any():
        raise FrontError("this is the configuration of none of these points: take one of the front's own")
    return int(same.argmax())


def rows_of(curve: "Curve", config: ExitConfig) -> npt.NDArray[np.bool_]:
    """(F,) which configurations of a curve this one is.

    Args:
        curve: of the same network, or of another one, where it is none.
        config: to look for.
    """
    on = config.candidate >= 0
    if len(on) != curve.costs.n_positions:
        return np.zeros(len(curve), dtype=bool)
    same = (curve.candidate == config.candidate).all(axis=1)
    return same & (curve.threshold == config.threshold)[:, on].all(axis=1)  # type: ignore[no-any-return]
