"""Random changes that start a descent elsewhere."""

import numpy as np

from dyce_search.solvers.descent.archive import Choice
from dyce_search.solvers.descent.problem import Problem

SWITCHED_OFF = (
    0.5  # largest share of exits that a kick switches off, each draws its own (0.2: 0.0 / -1.6, 1: 0.0 / 0.0)
)
SET_ANEW = 10  # of so many positions, or of all if there are more, one is set at random (none: 0.0 / +0.1, but -0.3 on
# 1,000 samples with 3 and with 8 positions)


def kick(problem: Problem, choice: Choice, rng: np.random.Generator) -> None:
    """Switches off some exits of a choice (P,), and sets some others at random, in place."""
    exits, cuts = choice
    n_positions = len(exits)
    exits[rng.random(n_positions) < rng.uniform(0, SWITCHED_OFF)] = -1
    some = rng.random(n_positions) < 1 / max(n_positions, SET_ANEW)
    first = problem.coded.first
    exits[some] = rng.integers(first[:-1], first[1:])[some]
    cuts[some] = rng.integers(0, problem.edges.shape[1], n_positions)[some]
