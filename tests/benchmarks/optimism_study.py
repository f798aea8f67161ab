"""Remedies against optimism, tried on many splits: what was built in and what was dropped.

A remedy returns configurations with the drops that it promises. All are measured on the samples that it did not see.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import beta

import dyce_search as ds
from dyce_search.evaluation.evaluate import evaluate_arrays
from tests.benchmarks.measure import table

TARGET = 0.01  # the accuracy drop that an engineer asks for
USED = (-0.002, 0.03)  # promised drops of points that are compared with what they deliver


class Promise(NamedTuple):
    """Configurations (F, P) by arrays, with the drop and the relative cost (F,) that a remedy promises."""

    exits: np.ndarray
    threshold: np.ndarray
    drop: np.ndarray
    cost: np.ndarray


def plain(records: ds.ExitRecords) -> Promise:
    """The search as it is."""
    return of_front(ds.search(records, progress=False))


def levels(min_samples: int) -> Callable[[ds.ExitRecords], Promise]:
    """Thresholds at least so many samples apart: built in as `search(min_samples=...)`."""
    return lambda records: of_front(ds.search(records, progress=False, min_samples=min_samples))


def cross_fitted(**options: int) -> Callable[[ds.ExitRecords], Promise]:
    """Figures corrected by cross-validation: built in as `cross_fitted`."""

    def promise(records: ds.ExitRecords) -> Promise:
        fitted = ds.cross_fitted(records, **options)
        return of_front(fitted.front)._replace(drop=fitted.expected_drop, cost=fitted.expected_cost)

    return promise


def few_leave(least: int) -> Callable[[ds.ExitRecords], Promise]:
    """Exits where fewer samples leave are switched off, the least used first; dropped."""

    def promise(records: ds.ExitRecords) -> Promise:
        found = of_front(ds.search(records, progress=False))
        exits = found.exits.copy()
        while True:
            count = np.rint(evaluate_arrays(records, exits, found.threshold).exit_share * records.n_samples)[:, :-1]
            count = np.where(exits >= 0, count, np.inf)
            rows = np.flatnonzero(count.min(axis=1) < least)
            if not rows.size:
                return non_dominated(measured(records, exits, found.threshold))
            exits[rows, count[rows].argmin(axis=1)] = -1

    return promise


def beta_quantile(quantile: float) -> Callable[[ds.ExitRecords], Promise]:
    """The accuracy of those who leave at each exit by a low quantile of its Beta posterior, as DyCE offers; dropped."""

    def lower(right: np.ndarray, count: np.ndarray) -> np.ndarray:
        return beta.ppf(quantile, right + 1, count - right + 1)

    def promise(records: ds.ExitRecords) -> Promise:
        found = of_front(ds.search(records, progress=False))
        batch = evaluate_arrays(records, found.exits, found.threshold)
        count = batch.exit_share * records.n_samples
        right = np.nan_to_num(batch.exit_accuracy) * count
        accuracy = (batch.exit_share * lower(right, count)).sum(axis=1)
        n = records.n_samples
        baseline = float(lower(np.array(records.baseline_accuracy * n), np.array(n)))
        return non_dominated(found._replace(drop=baseline - accuracy))

    return promise


def bagged(bags: int) -> Callable[[ds.ExitRecords], Promise]:
    """Fronts of bootstrap samples, each measured out of its bag, the best of all by that; dropped."""

    def promise(records: ds.ExitRecords) -> Promise:
        rng, n = np.random.default_rng(0), records.n_samples
        parts = []
        for _ in range(bags):
            drawn = rng.integers(0, n, n)
            found = of_front(ds.search(records.subset(drawn), progress=False, effort="fast"))
            left_out = records.subset(np.setdiff1d(np.arange(n), drawn))
            parts.append(measured(left_out, found.exits, found.threshold))
        return non_dominated(Promise(*(np.concatenate(columns) for columns in zip(*parts, strict=True))))

    return promise


REMEDIES = {
    "search": plain,
    "min_samples=50": levels(50),
    "min_samples=200": levels(200),
    "min_samples=400": levels(400),
    "exits of < 20 samples off": few_leave(20),
    "Beta quantile 0.05": beta_quantile(0.05),
    "Beta quantile 0.25": beta_quantile(0.25),
    "bagged, 10": bagged(10),
    "cross_fitted, 5 folds": cross_fitted(folds=5),
    "cross_fitted, 10 folds": cross_fitted(folds=10),
    "cross_fitted, 10, min_samples=200": cross_fitted(folds=10, min_samples=200),
}


def of_front(front: ds.ParetoFront) -> Promise:
    """A front's own promise."""
    exits = np.where(front.candidate >= 0, front.costs.first[:-1] + front.candidate, -1).astype(np.int32)
    return Promise(exits, front.threshold, front.accuracy_drop, front.relative_cost)


def measured(records: ds.ExitRecords, exits: np.ndarray, threshold: np.ndarray) -> Promise:
    """The promise that some records make."""
    batch = evaluate_arrays(records, exits, threshold)
    return Promise(exits, threshold, batch.accuracy_drop, batch.relative_cost)


def non_dominated(promise: Promise) -> Promise:
    """The points that no other dominates by what is promised, by rising cost."""
    order = np.lexsort((promise.drop, promise.cost))
    least = np.minimum.accumulate(promise.drop[order])
    kept = order[np.append(True, least[1:] < least[:-1])]
    return Promise(*(column[kept] for column in promise))


def figures(promise: Promise, held_out: ds.ExitRecords) -> dict[str, float]:
    """What a promise is worth on other samples."""
    there = measured(held_out, promise.exits, promise.threshold)
    used = (promise.drop >= USED[0]) & (promise.drop <= USED[1])
    error = (there.drop - promise.drop)[used]
    asked = np.flatnonzero(promise.drop <= TARGET + 1e-12)
    drop, cost = 0.0, 1.0  # the final exit alone, where nothing is promised
    if asked.size:
        chosen = asked[promise.cost[asked].argmin()]
        drop, cost = float(there.drop[chosen]), float(there.cost[chosen])
    curve = ds.RulePoints(
        name="",
        costs=held_out.costs,
        setting={},
        accuracy=held_out.baseline_accuracy - there.drop,
        cost=there.cost * held_out.costs.baseline,
        baseline_accuracy=held_out.baseline_accuracy,
    )
    return {
        "hypervolume": curve.hypervolume(),
        "cost at a true point": float(there.cost[there.drop <= TARGET].min(initial=1.0)),
        "gap": float(error.mean()) if error.size else 0.0,
        "error": float(np.abs(error).mean()) if error.size else 0.0,
        "delivered": drop,
        "cost": cost,
        "violates": float(drop > TARGET),
    }


def study(pool: ds.ExitRecords, n: int, splits: int) -> str:
    """A table: every remedy on the same splits, search on n samples and measure on all others."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in REMEDIES}
    for split in range(splits):
        order = np.random.default_rng([split, n]).permutation(pool.n_samples)
        records, held_out = pool.subset(order[:n]), pool.subset(order[n:])
        for name, remedy in REMEDIES.items():
            found[name].append(figures(remedy(records), held_out))
    rows: list[list[object]] = []
    for name, entries in found.items():

        def column(key: str, name: str = name) -> np.ndarray:
            return np.array([entry[key] for entry in found[name]])

        better = 1e4 * (column("hypervolume") - column("hypervolume", "search"))
        cheaper = 100 * (column("cost at a true point") / column("cost at a true point", "search") - 1)
        rows.append(
            [
                name,
                with_error(better) if name != "search" else f"{column('hypervolume').mean():.4f}",
                with_error(cheaper) if name != "search" else f"{column('cost at a true point').mean():.4f}",
                with_error(100 * column("gap")),
                f"{100 * column('error').mean():.2f}",
                f"{100 * column('delivered').mean():.2f}",
                f"{100 * column('violates').mean():.0f} %",
                f"{column('cost').mean():.4f}",
            ]
        )
        assert len(entries) == splits
    header = [
        "remedy",
        "held-out hypervolume (1e-4)",
        "cost at a true drop of 1 point (%)",
        "delivered - promised (points)",
        "distance",
        "asked for 1 point: delivers",
        "more than 1",
        "relative cost",
    ]
    return table(header, rows)


def with_error(differences: np.ndarray) -> str:
    """Mean and standard error of paired differences."""
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{differences.mean():+.2f} ± {error:.2f}"


def both_parts() -> ds.ExitRecords:
    """The bundled records, both parts in one: 25,000 samples that trained nothing."""
    parts = ds.load_example("search"), ds.load_example("test")
    return ds.ExitRecords(
        confidence=np.concatenate([part.confidence for part in parts], axis=1),
        score=np.concatenate([part.score for part in parts], axis=1),
        costs=parts[0].costs,
    )


def optimism() -> str:
    """Promised against delivered, for several remedies. First row as it is, others as paired differences from it."""
    bundled = both_parts()
    cases = {
        "bundled, searched on 7,500 of 25,000, 20 splits": (bundled, 7_500, 20),
        "bundled, searched on 2,500 of 25,000, 20 splits": (bundled, 2_500, 20),
        "synthetic, 15 positions x 3, searched on 7,500 of 60,000, 10 splits": (
            ds.synthetic_records(60_000, 15, 3, seed=3),
            7_500,
            10,
        ),
    }
    return "\n\n".join(f"{title}\n\n{study(*case)}" for title, case in cases.items())
