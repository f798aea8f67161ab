"""The time of a search over all orders of six models, and how its front compares with every fixed order's.

    python -m tests.benchmarks.orders_study [MODELS [QUERIES]]

Prints the time of `search_orders`, and of all orders, each searched by itself: how many have a point that the front
over all orders does not dominate, by how much accuracy at most, and whether any has a larger hypervolume.
"""

import sys
import time
from itertools import permutations

import numpy as np

import dyce_search as ds

PRICE = np.array([1.0, 3, 9, 20, 40, 80])


def cascade(n_models: int, n_samples: int, seed: int = 1) -> ds.ExitRecords:
    """Models that know half a unit more each, at prices that differ by query."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=n_samples)
    skill = 0.5 * np.arange(n_models)[:, None]
    score = hard + 0.7 * rng.normal(size=(n_models, n_samples)) < skill
    confidence = 1 / (1 + np.exp(hard - skill + 0.7 * rng.normal(size=score.shape)))
    price = PRICE[:n_models, None] * rng.gamma(2, 0.5, score.shape)
    names = [f"model{m}" for m in range(n_models)]
    return ds.ExitRecords.from_cascade(price=price, confidence=confidence, score=score, names=names, unit="cents")


def reached(front: ds.ParetoFront, cost: np.ndarray) -> np.ndarray:
    """The accuracy of a front at some costs; below all, -1."""
    index = np.searchsorted(front.cost, cost * (1 + 1e-12), side="right") - 1
    return np.where(index >= 0, front.accuracy[np.maximum(index, 0)], -1)


def main(n_models: int = 6, n_samples: int = 10_000) -> None:
    ds.search_orders(cascade(n_models, 200), scores="observed")  # compiles
    records = cascade(n_models, n_samples)
    for options in ({"scores": "observed"}, {}):
        started = time.perf_counter()
        front = ds.search_orders(records, **options)
        print(f"search_orders({options}): {time.perf_counter() - started:.2f} s, {front}", flush=True)
    front = ds.search_orders(records, scores="observed").front
    whole, above, most, points, better = front.hypervolume(reference=(2.0, 0.0)), 0, 0.0, 0, 0
    started = time.perf_counter()
    every = list(permutations(records.layout.names))
    for order in every:
        alone = ds.search(ds.in_order(records, order), scores="observed")
        short = alone.accuracy - reached(front, alone.cost)
        above += bool((short > 1e-12).any())
        points += int((short > 1e-12).sum())
        most = max(most, float(short.max()))
        relative = ds.Curve.hypervolume(alone, reference=(2.0 * records.costs.baseline / alone.costs.baseline, 0.0))
        scale = alone.costs.baseline / records.costs.baseline * alone.baseline_accuracy / records.baseline_accuracy
        better += relative * scale > whole
    print(
        f"{len(every)} orders by themselves: {time.perf_counter() - started:.0f} s; {above} have a point that is not "
        f"dominated ({points / len(every):.1f} points on average), by {100 * most:.2f} points of accuracy at most; "
        f"{better} have a larger hypervolume"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
