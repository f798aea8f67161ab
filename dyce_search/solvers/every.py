"""Every configuration on a grid of thresholds, one chunk after another."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.config import threshold_between
from dyce_search.records.records import ExitRecords

CHUNK = 1 << 14  # configurations at a time

Options = list[list[tuple[int, np.float32]]]


def options_of(records: ExitRecords, levels: int, each: Callable[[range], Iterable[int]] = iter) -> Options:
    """Of each position: none, and each candidate with each threshold of its grid.

    Args:
        records: with the confidences.
        levels: thresholds per candidate, see `grid`.
        each: iterates over exits, as `Run.timely` does.
    """
    first = records.costs.first
    return [
        [
            (-1, np.float32(0)),
            *((e, level) for e in each(range(first[p], first[p + 1])) for level in grid(records.confidence[e], levels)),
        ]
        for p in range(records.costs.n_positions)
    ]


def size_of(options: Options) -> int:
    """How many configurations there are."""
    return math.prod(map(len, options))


def chunks_of(options: Options) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
    """Exits and thresholds (F, P) of all configurations, F at most `CHUNK`."""
    every = itertools.product(*options)
    while chunk := list(itertools.islice(every, CHUNK)):
        flat = np.array(chunk, np.float64)
        yield flat[:, :, 0].astype(np.int32), flat[:, :, 1].astype(np.float32)


def grid(confidence: npt.NDArray[np.float32], levels: int) -> npt.NDArray[np.float32]:
    """At most `levels` thresholds, rising from -inf, each half-way between neighbouring confidences."""
    values, counts = np.unique(confidence, return_counts=True)
    cuts = np.arange(len(values))  # leave from this distinct value upwards
    if len(values) > levels:
        below = np.cumsum(counts) - counts
        cuts = np.unique(np.searchsorted(below, np.arange(levels) * len(confidence) / levels))
    inner = cuts[cuts > 0]
    return np.concatenate([[np.float32(-np.inf)], threshold_between(values[inner - 1], values[inner])]).astype(
        np.float32
    )
