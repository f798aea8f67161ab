"""What solvers hand in, checked, and when they did."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import require_type, several
from dyce_search.arrays import numbers
from dyce_search.errors import ConfigError, SolverError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.evaluate import BatchEvaluation
from dyce_search.records.layout import ExitLayout

FloatArray = npt.NDArray[np.float64]


@dataclass(slots=True, kw_only=True, eq=False)
class HandIn:
    """Configurations that came at once, and when: the raw material of fronts and of anytime curves.

    Attributes:
        exits: (F, P) int32.
        threshold: (F, P) float32.
        figures: (2, F) cost and accuracy; None until they are measured.
        seconds: since the start of the search.
        evaluations: booked by then, these configurations' included.
    """

    exits: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    figures: FloatArray | None = None
    seconds: float = 0.0
    evaluations: int = 0

    @property
    def size(self) -> int:
        """How many configurations they are."""
        return len(self.exits)

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Drops all others, before they are measured."""
        self.exits, self.threshold = self.exits[rows], self.threshold[rows]


def joined(parts: Iterable[HandIn]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Exits and thresholds (F, P) of one or more parts, one after the other."""
    exits, threshold = zip(*((part.exits, part.threshold) for part in parts), strict=True)
    return np.concatenate(exits), np.concatenate(threshold)


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
