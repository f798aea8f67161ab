"""The compiled loops of the forest: grow a random tree, and add up what trees predict.

Trees compare confidences with each other and nothing else, so that a rising transformation changes nothing.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.compiled import loop, part

STEP = np.uint64(0x9E3779B97F4A7C15)  # from one state of the random numbers to the next (splitmix64, Steele 2014)


class Tree(NamedTuple):
    """A random tree of K nodes and L leaves; `grow` fills the first rows of larger arrays.

    Attributes:
        feature: (K,) int32, the exit asked at each node, -1 at a leaf.
        cut: (K,) float32, a sample with a confidence above it goes right.
        child: (K,) int32, the left child, the right one follows; at a leaf, its number.
        mean: (L, E) float32, mean scores of the samples of each leaf.
    """

    feature: npt.NDArray[np.int32]
    cut: npt.NDArray[np.float32]
    child: npt.NDArray[np.int32]
    mean: npt.NDArray[np.float32]


class Scratch(NamedTuple):
    """Room for `grow`.

    Attributes:
        first: (2M,) int32, where each node's samples begin in `member`.
        stop: (2M,) int32, where they end.
        total: (D,) float32, sums of the targets over a node.
        left: (D,) float32, and over those that go left.
    """

    first: npt.NDArray[np.int32]
    stop: npt.NDArray[np.int32]
    total: npt.NDArray[np.float32]
    left: npt.NDArray[np.float32]


@part
def below(bound, state):  # type: ignore[no-untyped-def]
    """The random whole number in [0, bound), bound < 2^31, of a state (uint64)."""
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.int64((z >> np.uint64(33)) * np.uint64(bound) >> np.uint64(31))


@loop
def grow(confidence, score, target, member, state, least, tries, scratch, tree):  # type: ignore[no-untyped-def]
    """Grows one tree on some samples; returns its numbers of nodes and of leaves.

    A node tries random splits: the confidence of a random exit on a random sample of the node. It takes the one that
    explains most of the targets' variance, and is a leaf where none leaves `least` samples on both sides.

    Args:
        confidence: (E, N) float32.
        score: (N, E) float32, whose means the tree predicts.
        target: (N, D) float32, whose variance is to be explained.
        member: (M,) int32, the samples to grow on; reordered, leaf by leaf.
        state: uint64, of the random numbers.
        least: samples of a leaf, at least.
        tries: splits tried at a node.
        scratch: `Scratch`.
        tree: `Tree` of 2M nodes and M / least leaves, at least one of each; filled.
    """
    feature, cut, child, mean = tree.feature, tree.cut, tree.child, tree.mean
    first, stop, total, left = scratch.first, scratch.stop, scratch.total, scratch.left
    dims = target.shape[1]
    n_exits = len(confidence)
    first[0], stop[0] = 0, len(member)
    nodes, leaves, node = 1, 0, 0
    while node < nodes:  # breadth first
        a, b = first[node], stop[node]
        size = b - a
        best, best_exit, best_cut = np.float32(-1.0), -1, np.float32(0.0)
        if size >= 2 * least:
            for d in range(dims):
                total[d] = 0
            for j in range(a, b):
                for d in range(dims):
                    total[d] += target[member[j], d]
            for _ in range(tries):
                state += STEP
                e = below(n_exits, state)
                state += STEP
                values = confidence[e]
                at = values[member[a + below(size, state)]]
                for d in range(dims):
                    left[d] = 0
                count = 0
                for j in range(a, b):
                    i = member[j]
                    if values[i] <= at:
                        count += 1
                        for d in range(dims):
                            left[d] += target[i, d]
                if count < least or size - count < least:
                    continue
                inside, outside = np.float32(0.0), np.float32(0.0)
                for d in range(dims):
                    inside += left[d] * left[d]
                    outside += (total[d] - left[d]) * (total[d] - left[d])
                gain = inside / np.float32(count) + outside / np.float32(size - count)
                if gain > best:
                    best, best_exit, best_cut = gain, e, at
        feature[node] = best_exit
        cut[node] = best_cut
        if best_exit < 0:
            child[node] = leaves
            for e in range(n_exits):
                mean[leaves, e] = 0
            for j in range(a, b):
                i = member[j]
                for e in range(n_exits):
                    mean[leaves, e] += score[i, e]
            for e in range(n_exits):
                mean[leaves, e] /= np.float32(size)
            leaves += 1
        else:
            values = confidence[best_exit]
            low, high = a, b - 1
            while low <= high:
                if values[member[low]] <= best_cut:
                    low += 1
                else:
                    member[low], member[high] = member[high], member[low]
                    high -= 1
            child[node] = nodes
            first[nodes], stop[nodes] = a, low
            first[nodes + 1], stop[nodes + 1] = low, b
            nodes += 2
        node += 1
    return nodes, leaves


@loop
def add_tree(confidence, sample, tree, total, first):  # type: ignore[no-untyped-def]
    """Adds one tree's predictions for samples (M,) int32 to rows sample - first of total (., E) float32."""
    feature, cut, child, mean = tree.feature, tree.cut, tree.child, tree.mean
    n_exits = mean.shape[1]
    for j in range(len(sample)):
        i = sample[j]
        node = 0
        while feature[node] >= 0:
            node = child[node] + (1 if confidence[feature[node], i] > cut[node] else 0)
        k = child[node]
        for e in range(n_exits):
            total[i - first, e] += mean[k, e]
