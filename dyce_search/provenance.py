"""How a front came about."""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dyce_search.arguments import choice, real, require_type, shown, text, whole
from dyce_search.errors import FrontError
from dyce_search.wording import one_line

STOP_REASONS = ("converged", "optimal", "budget", "interrupted")
SCORES = ("expected", "observed", "own")


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
        scores: what was maximised, and what accuracy is the mean of: "expected" scores (`expected_scores`), those
            "observed", or an array of one's "own".
        caution: weight of the disagreement with the whole network against the accuracy.
        expected: how expected scores came about (`ScoreOrigin`): weights, loss out of fold, samples learned from.
        versions: of Python and of the libraries that decide the result.

    Raises:
        FrontError: a reason to stop or scores that there are not, numbers below 0.
    """

    solver: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    seconds: float = 0.0
    evaluations: int = 0
    stop_reason: str = "converged"
    scores: str = "observed"
    caution: float = 0.0
    expected: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(
        default_factory=lambda: {"python": platform.python_version(), "numpy": np.__version__}
    )

    def __post_init__(self) -> None:
        """Checks what is known of every search."""
        text(self.solver, "solver", FrontError)
        for name, known in (("stop_reason", STOP_REASONS), ("scores", SCORES)):
            choice(getattr(self, name), known, name, FrontError)
        for name in ("options", "expected", "versions"):
            value = getattr(self, name)
            require_type(value, Mapping, name, FrontError)
            if not _plain(value):
                raise FrontError(f"{name} of a front's provenance must be what JSON can keep, got {shown(value)}")
        for version in self.versions.values():
            text(version, "each of versions", FrontError)
        if self.seed is not None:
            whole(self.seed, "seed of a front's provenance", FrontError)
        whole(self.evaluations, "evaluations of a front's provenance", FrontError)
        for name in ("seconds", "caution"):
            what = "be a number >= 0"
            real(
                getattr(self, name),
                f"{name} of a front's provenance",
                FrontError,
                what,
                lambda size: 0 <= size < math.inf,
            )

    __repr__ = one_line


def _plain(value: Mapping[str, Any]) -> bool:
    try:
        json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError):
        return False
    except RecursionError:  # files say so, where they are written
        return True
    return all(isinstance(key, str) for key in value)
