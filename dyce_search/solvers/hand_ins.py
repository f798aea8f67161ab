"""What solvers hand in, checked, and when they did."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import require_type, several
from dyce_search.arrays import numbers
from dyce_search.errors import ConfigError, SolverError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.evaluate import BatchEvaluation
from dyce_search.records.layout import ExitLayout

FloatArray = npt.NDArray[np.float64]


class HandIn(NamedTuple):
    """When configurations were handed in: the raw material of anytime curves.

    Attributes:
        seconds: since the start of the search.
        evaluations: booked by then, these configurations' included.
        size: how many configurations came.
    """

    seconds: float
    evaluations: int
    size: int


def checked_figures(figures: tuple[FloatArray, FloatArray] | None, size: int) -> FloatArray | None:
    """Cost and accuracy (2, F) of F configurations; None where they were not measured.

    Raises:
        SolverError: another shape.
    """
    if figures is None:
        return None
    measured = np.array(numbers(figures, "figures", SolverError, dtype=np.float64, ndim=2))
    if measured.shape != (2, size):
        raise SolverError(f"figures must be cost and accuracy of {size} configurations, got {measured.shape}")
    return measured


def require_measured(measured: BatchEvaluation, size: int) -> None:
    """For functions that are given what F configurations measured.

    Raises:
        SolverError: it is something else, or of others.
    """
    require_type(measured, BatchEvaluation, "measured", SolverError)
    if len(measured) != size:
        raise SolverError(f"measured must be of {size} configurations, got {len(measured)}")


def arrays_of(
    configs: Iterable[ExitConfig], layout: ExitLayout
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Exits and thresholds (F, P) of configurations of a network.

    Raises:
        ConfigError: something else, or one that belongs to another network.
    """
    found = several(configs, ExitConfig, "configs", ConfigError)
    shape = (len(found), layout.n_positions)
    exits = [config.exits(layout) for config in found]
    threshold = [config.threshold for config in found]
    return np.array(exits, np.int32).reshape(shape), np.array(threshold, np.float32).reshape(shape)
