"""What coordinate descent keeps of all the configurations that it prices."""

from typing import Self

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.evaluate import non_dominated


class Archive:
    """The best configuration in each of K equal buckets of cost.

    Attributes:
        score: (K,) float64, sum of scores over the samples; -inf where a bucket is empty.
        cost: (K,) int64, sum of costs, in the whole numbers of `Problem`.
        exits: (K, P) int16, enabled candidates, -1 for none.
        cuts: (K, P) uint16, the first bin that leaves.
        low: sum of costs where bucket 0 starts.
        scale: buckets per unit of cost.
    """

    def __init__(self, n_buckets: int, n_positions: int, low: float, high: float) -> None:
        """An empty archive for sums of costs in [low, high)."""
        self.score = np.full(n_buckets, -np.inf)
        self.cost = np.zeros(n_buckets, np.int64)
        self.exits = np.full((n_buckets, n_positions), -1, np.int16)
        self.cuts = np.zeros((n_buckets, n_positions), np.uint16)
        self.low = float(low)
        self.scale = n_buckets / max(high - low, 1.0)

    def copy(self) -> Self:
        """An independent archive with the same content."""
        new = object.__new__(type(self))
        for name, value in vars(self).items():
            setattr(new, name, value.copy() if isinstance(value, np.ndarray) else value)
        return new

    def take(self, other: "Archive") -> None:
        """Takes over what is better in another archive of the same range."""
        better = (other.score > self.score) | ((other.score == self.score) & (other.cost < self.cost))
        for name in ("score", "cost", "exits", "cuts"):
            getattr(self, name)[better] = getattr(other, name)[better]

    def ranged(self, low: float, high: float) -> "Archive":
        """The same content in buckets over another range; what is dearer than `high` is dropped."""
        new = Archive(*self.exits.shape, low, high)
        used = np.flatnonzero(self.score > -np.inf)
        bucket = np.floor((self.cost[used] - new.low) * new.scale).astype(np.int64)
        inside = (bucket >= 0) & (bucket < len(self.score))
        used, bucket = used[inside], bucket[inside]
        best_first = np.lexsort((self.cost[used], -self.score[used]))
        filled, first = np.unique(bucket[best_first], return_index=True)
        source = used[best_first[first]]
        for name in ("score", "cost", "exits", "cuts"):
            getattr(new, name)[filled] = getattr(self, name)[source]
        return new

    def front(self) -> npt.NDArray[np.intp]:
        """Indices of the buckets that no cheaper one beats, in order of cost."""
        used = np.flatnonzero(self.score > -np.inf)
        front: npt.NDArray[np.intp] = used[non_dominated(self.cost[used], self.score[used])]
        return front
