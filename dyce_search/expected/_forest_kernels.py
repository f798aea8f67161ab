"""The compiled loops of the forest: grow a random tree, and add up what trees predict.

Trees compare confidences with each other and nothing else, so that a rising transformation changes nothing.
"""

import numpy as np
from numba import njit


@njit(inline="always")
def draw(state):  # type: ignore[no-untyped-def]
    """The next random number of 64 bits; `state` (1,) uint64 moves on (splitmix64, Steele 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(inline="always")
def below(state, bound):  # type: ignore[no-untyped-def]
    """A random whole number in [0, bound), bound < 2^31."""
    return np.int64((draw(state) >> np.uint64(33)) * np.uint64(bound) >> np.uint64(31))


@njit(nogil=True, cache=True)
def grow(confidence, target, member, seed, least, tries, feature, cut, child, leaf):  # type: ignore[no-untyped-def]
    """Grows one tree on some samples; returns its numbers of nodes and of leaves.

    A node tries random splits: the confidence of a random exit on a random sample of the node. It takes the one that
    explains most of the targets' variance, and is a leaf where none leaves `least` samples on both sides.

    Args:
        confidence: (E, N) float32.
        target: (N, D) float32, whose variance is to be explained.
        member: (M,) int32, the samples to grow on; reordered, leaf by leaf.
        seed: uint64.
        least: samples of a leaf, at least.
        tries: splits tried at a node.
        feature: (2M,) int32, filled with the exit asked at each node, -1 at a leaf.
        cut: (2M,) float32, filled: a sample with a confidence above it goes right.
        child: (2M,) int32, filled with the left child, the right one follows; at a leaf, its number.
        leaf: (M, 2) int32, filled with where each leaf's samples begin and end in `member`.
    """
    state = np.full(1, seed, np.uint64)
    dims = target.shape[1]
    n_exits = len(confidence)
    first, stop = np.zeros(len(feature), np.int32), np.zeros(len(feature), np.int32)
    stop[0] = len(member)
    total, left = np.empty(dims, np.float32), np.empty(dims, np.float32)
    nodes, leaves, node = 1, 0, 0
    while node < nodes:  # breadth first
        a, b = first[node], stop[node]
        size = b - a
        best, best_exit, best_cut = np.float32(-1.0), -1, np.float32(0.0)
        if size >= 2 * least:
            total[:] = 0
            for j in range(a, b):
                for d in range(dims):
                    total[d] += target[member[j], d]
            for _ in range(tries):
                e = below(state, n_exits)
                values = confidence[e]
                at = values[member[a + below(state, size)]]
                left[:] = 0
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
            leaf[leaves, 0], leaf[leaves, 1] = a, b
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


@njit(nogil=True, cache=True)
def leaf_means(score, member, leaf, mean):  # type: ignore[no-untyped-def]
    """Fills mean (L, E) float32 with the mean scores of each leaf's samples; score is (N, E) float32."""
    n_exits = score.shape[1]
    for k in range(len(leaf)):
        a, b = leaf[k]
        for e in range(n_exits):
            mean[k, e] = 0
        for j in range(a, b):
            i = member[j]
            for e in range(n_exits):
                mean[k, e] += score[i, e]
        for e in range(n_exits):
            mean[k, e] /= np.float32(b - a)


@njit(nogil=True, cache=True)
def add_tree(confidence, sample, feature, cut, child, mean, total, first):  # type: ignore[no-untyped-def]
    """Adds one tree's predictions for samples (M,) int32 to rows sample - first of total (., E) float32."""
    n_exits = mean.shape[1]
    for i in sample:
        node = 0
        while feature[node] >= 0:
            node = child[node] + (1 if confidence[feature[node], i] > cut[node] else 0)
        k = child[node]
        for e in range(n_exits):
            total[i - first, e] += mean[k, e]
