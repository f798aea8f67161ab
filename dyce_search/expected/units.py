"""Which samples belong together, and how they are parted at random."""

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.intp]


def units_of(group: npt.NDArray[np.generic] | None, n_samples: int) -> IntArray:
    """(N,) 0 to U - 1: samples of one group are one unit, every other sample is its own."""
    if group is None:
        return np.arange(n_samples)
    unit: IntArray = np.unique(group, return_inverse=True)[1].reshape(-1)
    return unit


def folds_of(unit: IntArray, folds: int, rng: np.random.Generator) -> IntArray:
    """(N,) 0 to K - 1: units dealt at random into `folds` folds, or as many as there are units."""
    n_units = int(unit.max()) + 1
    dealt: IntArray = (rng.permutation(n_units) % min(folds, n_units))[unit]
    return dealt


def some_of(unit: IntArray, most: int, rng: np.random.Generator) -> IntArray:
    """Rising indices of at most `most` random samples, whole units of them; all samples where there are no more."""
    if len(unit) <= most:
        return np.arange(len(unit))
    sizes = np.bincount(unit)
    order = rng.permutation(len(sizes))
    within = np.cumsum(sizes[order]) <= most
    within[:2] = True  # so that there is something to learn from, however large the units
    chosen = np.zeros(len(sizes), bool)
    chosen[order[within]] = True
    return np.flatnonzero(chosen[unit])
