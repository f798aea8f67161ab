"""Extremely randomised trees that predict all exits' scores at once, out of fold.

After Geurts 2006, with three changes: a cut is the confidence of a random sample, so that only order matters; trees
are grown to explain a few random sums of the scores instead of all of them (Joly 2014, arXiv 1404.3581); and a tree is
grown on a random half of the units, its twin on the other half, so that every sample is out of half of the trees.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from dyce_search.threads import side_by_side

if TYPE_CHECKING:
    from dyce_search.expected._forest_kernels import Tree

FloatArray = npt.NDArray[np.float32]

PAIRS = 20  # of twins: as many trees again
MANY_EXITS, FEWER_PAIRS = 100, 10  # with so many exits the ridge does better, and trees take longer
LEAST = 8  # samples of a leaf
TRIES = 8  # random splits at a node
DIRECTIONS = 8  # random sums of the scores, which the trees are grown to explain
BLOCK = 2048  # samples predicted at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """A grown forest: what it predicts out of fold, and for other samples.

    Attributes:
        trees: all of them, twins side by side.
        out_of_fold: (E, N) float32, each sample by the trees that were grown without its unit.
    """

    trees: tuple["Tree", ...]
    out_of_fold: FloatArray

    @classmethod
    def fit(
        cls, confidence: FloatArray, score: FloatArray, unit: npt.NDArray[np.integer], rng: np.random.Generator
    ) -> Self:
        """Grows it.

        Args:
            confidence: (E, N) float32.
            score: (E, N) float32.
            unit: (N,) 0 to U - 1, at least two: samples of one unit are never parted by the halves.
            rng: of the halves and of the trees.
        """
        from dyce_search.expected._forest_kernels import add_tree

        by_sample = np.ascontiguousarray(score.T)
        target = random_directions(by_sample, rng)
        n_units = int(unit.max()) + 1
        pairs = PAIRS if len(confidence) <= MANY_EXITS else FEWER_PAIRS
        halves = np.stack([rng.permutation(n_units) % 2 for _ in range(pairs)])[:, unit]
        half_of = [half == side for half in halves for side in (0, 1)]
        seeds = rng.integers(1 << 63, size=len(half_of), dtype=np.uint64)

        def one(half: npt.NDArray[np.bool_], seed: np.uint64) -> "Tree":
            return grown(confidence, by_sample, target, np.flatnonzero(half).astype(np.int32), seed)

        trees = side_by_side(one, half_of, seeds)
        total = np.zeros_like(by_sample)

        def predict(first: int) -> None:
            block = slice(first, first + BLOCK)
            for half, tree in zip(half_of, trees, strict=True):
                out = (first + np.flatnonzero(~half[block])).astype(np.int32)
                add_tree(confidence, out, tree, total, 0)

        side_by_side(predict, range(0, len(total), BLOCK))
        return cls(trees=tuple(trees), out_of_fold=np.ascontiguousarray(total.T) / np.float32(pairs))

    def predict(self, confidence: FloatArray) -> FloatArray:
        """(E, M) float32, for other samples of confidence (E, M), by all trees."""
        from dyce_search.expected._forest_kernels import add_tree

        result = np.empty(confidence.shape, np.float32)

        def some(first: int) -> None:
            sample = np.arange(first, min(first + BLOCK, confidence.shape[1]), dtype=np.int32)
            total = np.zeros((len(sample), len(confidence)), np.float32)
            for tree in self.trees:
                add_tree(confidence, sample, tree, total, first)
            result[:, first : first + BLOCK] = total.T / np.float32(len(self.trees))

        side_by_side(some, range(0, confidence.shape[1], BLOCK))
        return result


def grown(
    confidence: FloatArray, by_sample: FloatArray, target: FloatArray, member: npt.NDArray[np.int32], seed: np.uint64
) -> "Tree":
    """A tree grown on some samples (M,)."""
    from dyce_search.expected._forest_kernels import Scratch, Tree, grow

    size, dims = len(member), target.shape[1]
    leaves = max(size // LEAST, 1)
    tree = Tree(
        feature=np.empty(2 * size, np.int32),
        cut=np.empty(2 * size, np.float32),
        child=np.empty(2 * size, np.int32),
        mean=np.empty((leaves, by_sample.shape[1]), np.float32),
    )
    scratch = Scratch(
        first=np.empty(2 * size, np.int32),
        stop=np.empty(2 * size, np.int32),
        total=np.empty(dims, np.float32),
        left=np.empty(dims, np.float32),
    )
    nodes, leaves = grow(confidence, by_sample, target, member, seed, LEAST, TRIES, scratch, tree)
    return Tree(
        tree.feature[:nodes].copy(), tree.cut[:nodes].copy(), tree.child[:nodes].copy(), tree.mean[:leaves].copy()
    )


def random_directions(by_sample: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(N, D) float32, sums of scores (N, E) with random signs: what varies together is seen, in few columns."""
    n_exits = by_sample.shape[1]
    signs = rng.choice(np.array([-1, 1], np.float32), (n_exits, min(DIRECTIONS, n_exits)))
    return np.ascontiguousarray(by_sample @ signs)
