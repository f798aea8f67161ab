"""What expected scores and caution bring, on samples that the search has not seen: many splits of real records.

    python -m tests.benchmarks.expected_study [--sets NAME ...] [--sizes N ...] [--seeds K] [--ways WAY ...]

A set is pooled and split at random anew for each seed: a search on n samples, everything measured on the rest.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import dyce_search as ds
from dyce_search.expected.caution import default_caution
from dyce_search.expected.scores import expected_with_origin
from tests.benchmarks.measure import table

DATA = Path(__file__).parents[2] / "data"
SIZES = (250, 500, 2_500, 7_500, 15_000)
LIMITS = (0.0025, 0.005, 0.01)  # true relative drops
PROMISED = 0.03  # points of the front that promise at most this drop are held to their promise
HELD = 10_000  # samples that are measured on, at most


class Way(NamedTuple):
    """A way to search: the expected scores' effort ("" for observed ones) and weight, and the caution."""

    effort: str = "default"
    weight: float | None = None
    caution: float | None = None  # None: `default_caution`


WAYS = {
    "plain": Way(effort="", caution=0),
    "plain, caution .25": Way(effort="", caution=0.25),
    "default": Way(),
    "caution 0": Way(caution=0),
    "caution .12": Way(caution=0.12),
    "caution .25": Way(caution=0.25),
    "caution .5": Way(caution=0.5),
    "ridge alone": Way(effort="fast", caution=0.25),
    "w = .5": Way(weight=0.5, caution=0.25),
    "w = 1": Way(weight=1.0, caution=0.25),
}


def pooled(name: str, folder: Path = DATA, **options: str) -> ds.ExitRecords:
    """A bundled set, search and test together, each kept once."""
    parts = [
        ds.load_records(folder / f"{name}_{part}.npz", costs=folder / f"{name}_macs.json", **options)
        for part in ("search", "test")
    ]
    return ds.ExitRecords(
        confidence=np.hstack([part.confidence for part in parts]),
        score=np.hstack([part.score for part in parts]),
        costs=parts[0].costs,
    )


def every_third(records: ds.ExitRecords) -> ds.ExitRecords:
    """Every third position alone: few exits, as a cascade has."""
    costs = records.costs
    positions = range(1, costs.n_positions, 3)
    kept = [*np.flatnonzero(np.isin(costs.position, positions)), costs.n_exits - 1]
    fewer = ds.ExitCosts(
        backbone=costs.backbone[[*positions, -1]],
        head=costs.head[kept],
        position=np.unique(costs.position[kept], return_inverse=True)[1],
    )
    return ds.ExitRecords(confidence=records.confidence[kept], score=records.score[kept], costs=fewer)


SETS = {
    "resnet15": lambda: pooled("fashion_resnet15"),
    "efficientnet": lambda: pooled("fashion_efficientnet_lite0"),
    "efficientnet margin": lambda: pooled("fashion_efficientnet_lite0", confidence="margin"),
    "few exits": lambda: every_third(pooled("fashion_resnet15")),
    "synthetic": lambda: ds.synthetic_records(60_000, 50, 5, seed=3),
}


class Outcome(NamedTuple):
    """Of one way on one split."""

    hypervolume: float
    error: float  # mean absolute difference of delivered and promised drop, points
    bias: float  # mean of delivered less promised drop, points
    costs: tuple[float, ...]  # relative, of true drops within LIMITS
    weight: float
    seconds: float  # of the expected scores
    search_seconds: float


def outcome(records: ds.ExitRecords, rest: ds.ExitRecords, way: Way, effort: str) -> Outcome:
    """Searches on some samples, measures on the rest."""
    start = time.perf_counter()
    expected, weight = records.score, 0.0
    if way.effort:
        expected, origin = expected_with_origin(records, effort=way.effort, weight=way.weight)
        weight = origin.weight
    seconds = time.perf_counter() - start
    caution = default_caution(records.n_samples) if way.caution is None else way.caution
    start = time.perf_counter()
    front = ds.search(records, scores=expected, caution=caution, progress=False, effort=effort)
    search_seconds = time.perf_counter() - start
    promised = front.accuracy_drop
    held = front.evaluate(rest)
    gap = 100 * (held.accuracy_drop - promised)[promised <= PROMISED]
    relative = held.accuracy_drop / rest.baseline_accuracy
    costs = tuple(float(np.min(held.relative_cost[relative <= limit], initial=1.0)) for limit in LIMITS)
    return Outcome(
        held.hypervolume(),
        float(np.mean(np.abs(gap))) if len(gap) else np.nan,
        float(np.mean(gap)) if len(gap) else np.nan,
        costs,
        weight,
        seconds,
        search_seconds,
    )


def split(records: ds.ExitRecords, size: int, seed: int) -> tuple[ds.ExitRecords, ds.ExitRecords]:
    """So many random samples to search on, and the rest, at most HELD of it."""
    order = np.random.default_rng([seed, size]).permutation(records.n_samples)
    return records.subset(order[:size]), records.subset(order[size : size + HELD])


def floor(records: ds.ExitRecords, size: int, seeds: int) -> float:
    """The gap of configurations that were found on yet other samples, so that no luck of a search is in it.

    Their drop on `size` samples against that on as many others as are left, points, over those below PROMISED: what no
    promise from so many samples can be rid of, whatever the search.
    """
    gaps = []
    for seed in range(seeds):
        order = np.random.default_rng([seed, size]).permutation(records.n_samples)
        others = min(HELD, (records.n_samples - size) // 2)
        parts = np.split(order[: size + 2 * others], [size, size + others])
        own, held, third = (records.subset(part) for part in parts)
        front = ds.search(third, progress=False)
        promised, delivered = front.evaluate(own).accuracy_drop, front.evaluate(held).accuracy_drop
        gaps.append(100 * np.mean(np.abs(delivered - promised)[promised <= PROMISED]))
    return float(np.mean(gaps))


def rows_of(outcomes: dict[str, list[Outcome]]) -> list[list[str]]:
    """A row a way: means over the splits, the hypervolume as the gain over the first way, with its standard error."""
    first = np.array([one.hypervolume for one in next(iter(outcomes.values()))])
    rows = []
    for name, some in outcomes.items():
        volume = np.array([one.hypervolume for one in some])
        gain = volume - first
        error = gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else np.nan
        costs = np.mean([one.costs for one in some], axis=0)
        rows.append(
            [
                name,
                f"{volume.mean():.4f}",
                f"{gain.mean():+.4f} +- {error:.4f}",
                f"{np.nanmean([one.error for one in some]):.2f}",
                f"{np.nanmean([one.bias for one in some]):+.2f}",
                *(f"{cost:.3f}" for cost in costs),
                f"{np.mean([one.weight for one in some]):.2f}",
                f"{np.median([one.seconds for one in some]):.2f}",
                f"{np.median([one.search_seconds for one in some]):.2f}",
            ]
        )
    return rows


HEADER = ["way", "hypervolume", "gain", "|error|", "error", "<= .25 %", "<= .5 %", "<= 1 %", "w", "s", "s search"]


def expected() -> str:
    """Observed scores against expected ones with caution, the default, measured on samples not searched on. An hour."""
    return "\n\n".join(study(list(SETS)[:4], list(SIZES), 5, ["plain", "default"], "default"))


def measured(
    sets: list[str], sizes: list[int], seeds: int, ways: list[str], effort: str = "default"
) -> Iterator[tuple[str, int, dict[str, list[Outcome]]]]:
    """Outcomes of each way for each set and size, as soon as they are there; no size above 65 % of a set."""
    for name in sets:
        records = SETS[name]()
        for size in sizes:
            if size > 0.65 * records.n_samples:
                continue
            outcomes: dict[str, list[Outcome]] = {way: [] for way in ways}
            for seed in range(seeds):
                searched, rest = split(records, size, seed)
                for way in ways:
                    outcomes[way].append(outcome(searched, rest, WAYS[way], effort))
            yield name, size, outcomes


def study(sets: list[str], sizes: list[int], seeds: int, ways: list[str], effort: str) -> Iterator[str]:
    """A table for each set and size."""
    for name, size, outcomes in measured(sets, sizes, seeds, ways, effort):
        title = f"{name}, {size:,} to search on, {seeds} seeds"
        yield f"{title}\n\n{table(HEADER, rows_of(outcomes))}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS)[:4])
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--effort", default="default", help="of the search")
    parser.add_argument("--floor", action="store_true", help="only what no promise from so many samples can be rid of")
    chosen = parser.parse_args()
    if chosen.floor:
        rows = [[name, size, floor(SETS[name](), size, chosen.seeds)] for name in chosen.sets for size in chosen.sizes]
        print(table(["set", "samples", "gap of configurations found elsewhere, points"], rows))
        raise SystemExit
    for text in study(chosen.sets, chosen.sizes, chosen.seeds, chosen.ways, chosen.effort):
        print(f"\n{text}", flush=True)
