"""How a front came about."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a front came about; the same fields for every solver.

    Attributes:
        solver: its name, or the callable's.
        options: those that differ from the defaults.
        seed: of the random generator.
        seconds: wall-clock time of the search.
        evaluations: configurations, or single exits of one, that were measured against all samples.
        stop_reason: "converged", "optimal" (with a proof), "budget" or "interrupted".
        versions: of Python and of the libraries that decide the result.
    """

    solver: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    seconds: float = 0.0
    evaluations: int = 0
    stop_reason: str = "converged"
    versions: Mapping[str, str] = field(
        default_factory=lambda: {"python": platform.python_version(), "numpy": np.__version__}
    )
