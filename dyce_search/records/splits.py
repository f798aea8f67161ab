"""Dividing samples into parts at random: stratified by label, groups kept together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import is_number, shown, whole
from dyce_search.errors import RecordsError

IntArray = npt.NDArray[np.int64]


def split_indices(
    n_samples: int,
    fractions: Sequence[float],
    seed: int,
    *,
    label: npt.NDArray[Any] | None = None,
    group: npt.NDArray[Any] | None = None,
) -> list[IntArray]:
    """The samples of each part, in rising order: see `ExitRecords.split`.

    Args:
        n_samples: N.
        fractions: of the parts but the last, which is the rest; each in (0, 1), together below 1.
        seed: of the shuffle.
        label: (N,) by which to stratify, where there are no groups.
        group: (N,) whose members stay together.

    Raises:
        RecordsError: fractions that do not fit, a bad seed, or a part that would be empty.

    Example:
        >>> [len(part) for part in split_indices(10, (0.5, 0.2), seed=0)]
        [5, 2, 3]
    """
    are_numbers = all(is_number(fraction) for fraction in fractions)
    if not (fractions and are_numbers and all(0 < f < 1 for f in fractions) and sum(fractions) < 1):
        raise RecordsError(
            f"fractions must each lie in (0, 1) and sum to less than 1 (the rest is the last part), "
            f"got {shown(fractions)}"
        )
    rng = np.random.default_rng(whole(seed, "seed", RecordsError))
    part = _label_parts(n_samples, label, fractions, rng) if group is None else _group_parts(group, fractions, rng)
    indices = [np.flatnonzero(part == k) for k in range(len(fractions) + 1)]
    for k, index in enumerate(indices):
        if not index.size:
            raise RecordsError(
                f"part {k} of the split would be empty: {n_samples} samples"
                f"{' in too few groups' if group is not None else ''} cannot be split by {fractions}"
            )
    return indices


def _label_parts(
    n_samples: int, label: npt.NDArray[Any] | None, fractions: Sequence[float], rng: np.random.Generator
) -> IntArray:
    """(N,) part of each sample. Each part takes evenly spaced turns along the labels, so it is stratified."""
    rest = rng.permutation(n_samples)
    if label is not None:
        rest = rest[np.argsort(label[rest], kind="stable")]
    part = np.full(n_samples, len(fractions))
    for k, fraction in enumerate(fractions):
        size = min(round(fraction * n_samples), len(rest))
        turns = np.diff(np.arange(len(rest) + 1) * size // max(len(rest), 1)) > 0
        part[rest[turns]] = k
        rest = rest[~turns]
    return part


def _group_parts(groups: npt.NDArray[Any], fractions: Sequence[float], rng: np.random.Generator) -> IntArray:
    """(N,) part of each sample, whole groups at a time, in random order, until each part has its share."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    part_of_group = np.empty(len(sizes), np.int64)
    part_of_group[order] = np.searchsorted(np.cumsum(fractions) * len(groups), middle, side="right")
    part: IntArray = part_of_group[group]
    return part
