"""What coordinate descent keeps of all the choices that it prices, and the front among them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.evaluate import non_dominated

BUCKETS = 2048  # along the cost axis: the most points that a front can have (1,024: -0.3 on all 15,000 samples of the
# example, 8,192: +0.1, time x1.1); twice as many where measuring them costs little (not: 0.0 on 2,500, +0.7 on 1,000)
ROOM = 1.1  # that `trimmed` leaves above the cost of the most accurate choice (1: -0.4 / +0.1, 2: -0.2 / +0.1)


def index_type(n_exits: int) -> npt.DTypeLike:
    """The smallest type in which an archive keeps the flat indices of so many exits."""
    return np.int16 if n_exits <= np.iinfo(np.int16).max else np.int32


class Choice(NamedTuple):
    """Exits and their cuts, for one configuration (P,) or several (F, P).

    Attributes:
        exits: (P,) flat index of the enabled candidate at each position, -1 for none.
        cuts: (P,) the first bin that leaves.
    """

    exits: npt.NDArray[np.signedinteger]
    cuts: npt.NDArray[np.integer]

    def copy(self) -> "Choice":
        """The same in int32, for the kernels to change."""
        return Choice(self.exits.astype(np.int32), self.cuts.astype(np.int32))


class Archive(NamedTuple):
    """The best choice in each of K equal buckets of cost. A named tuple, so that compiled loops take it as it is.

    Attributes:
        score: (K,) float64, sum of scores over the samples; -inf where a bucket is empty.
        cost: (K,) int64, sum of costs, in the whole numbers of `Problem`.
        exits: (K, P) int16, or int32 where there are more candidates than that holds; enabled ones, -1 for none.
        cuts: (K, P) uint16, the first bin that leaves.
        low: sum of costs where bucket 0 starts.
        scale: buckets per unit of cost.
    """

    score: npt.NDArray[np.float64]
    cost: npt.NDArray[np.int64]
    exits: npt.NDArray[np.signedinteger]
    cuts: npt.NDArray[np.uint16]
    low: float
    scale: float

    @classmethod
    def empty(
        cls, n_buckets: int, n_positions: int, low: float, high: float, index: npt.DTypeLike = np.int16
    ) -> "Archive":
        """An empty archive for sums of costs in [low, high); `index` is the type of `exits`, see `index_type`."""
        return cls(
            score=np.full(n_buckets, -np.inf),
            cost=np.zeros(n_buckets, np.int64),
            exits=np.full((n_buckets, n_positions), -1, index),
            cuts=np.zeros((n_buckets, n_positions), np.uint16),
            low=float(low),
            scale=float(n_buckets / max(high - low, 1.0)),
        )

    def copy(self) -> "Archive":
        """An independent archive with the same content."""
        return self._replace(
            score=self.score.copy(), cost=self.cost.copy(), exits=self.exits.copy(), cuts=self.cuts.copy()
        )

    @property
    def _arrays(self) -> tuple[npt.NDArray[np.generic], ...]:
        return self.score, self.cost, self.exits, self.cuts

    def choice(self, bucket: int | list[int] | npt.NDArray[np.intp]) -> Choice:
        """A copy of what one bucket holds, or several."""
        return Choice(self.exits[bucket], self.cuts[bucket]).copy()

    def take(self, other: "Archive") -> None:
        """Takes over what is better in another archive of the same range."""
        better = (other.score > self.score) | ((other.score == self.score) & (other.cost < self.cost))
        for own, theirs in zip(self._arrays, other._arrays, strict=True):
            own[better] = theirs[better]

    def ranged(self, low: float, high: float) -> "Archive":
        """The same content in buckets over another range; what is dearer than `high` is dropped."""
        new = Archive.empty(len(self.exits), self.exits.shape[1], low, high, self.exits.dtype)
        used = np.flatnonzero(self.score > -np.inf)
        bucket = np.floor((self.cost[used] - new.low) * new.scale).astype(np.int64)
        inside = (bucket >= 0) & (bucket < len(self.score))
        used, bucket = used[inside], bucket[inside]
        best_first = np.lexsort((self.cost[used], -self.score[used]))
        filled, first = np.unique(bucket[best_first], return_index=True)
        source = used[best_first[first]]
        for array, old in zip(new._arrays, self._arrays, strict=True):
            array[filled] = old[source]
        return new

    def trimmed(self) -> "Archive":
        """The same, spread up to a little above the most accurate choice's cost; hardly anything dearer is of use."""
        return self.ranged(self.low, ROOM * float(self.cost[int(self.score.argmax())]))

    def front(self) -> npt.NDArray[np.intp]:
        """Indices of the buckets that no cheaper one beats, in order of cost."""
        used = np.flatnonzero(self.score > -np.inf)
        front: npt.NDArray[np.intp] = used[non_dominated(self.cost[used], self.score[used])]
        return front
