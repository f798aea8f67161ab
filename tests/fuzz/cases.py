"""How many cases a fuzz suite tries: few with the other tests, all of them by `make fuzz`."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

FILES = 40_000  # of the suite of files, by which `make fuzz` counts
ASKED = os.environ.get("DYCE_SEARCH_FUZZ")  # how many files; None with the other tests
ALL = bool(ASKED)  # whether that is what is tried
SEED = 20261126  # of every suite: the same cases for everybody


def fuzz(few: int, every: int) -> Callable[[Any], Any]:
    """A test with so many examples, drawn from `SEED`.

    Args:
        few: where DYCE_SEARCH_FUZZ is not set.
        every: where it is 40,000, as `make fuzz` has it; in proportion for others.
    """
    size = max(1, round(every * float(ASKED) / FILES)) if ASKED else few
    chosen = settings(
        max_examples=size,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    return lambda test: seed(SEED)(chosen(test))
