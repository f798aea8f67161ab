"""What a certificate costs and how often it breaks its limit, on real records: many certification sets for each front.

    python -m tests.benchmarks.certified_study [--sets NAME ...] [--parts SEARCH+CERTIFY ...] [--fronts K] [--draws D]

A set is pooled and some of it searched, anew for each front. The rest, whose means are then known exactly, is the
population: certification samples are drawn from it *with replacement*, so that they are independent draws from what
the promise is about, many times for each front. So 1,000 splits cost 50 searches; they are 50 independent fronts, not
1,000, but the level of a certificate is a statement for each front, whatever it is.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import dyce_search as ds
from dyce_search.certify.p_values import paired_p_value
from dyce_search.evaluation.evaluate import evaluate_arrays
from dyce_search.evaluation.outcomes import outcomes
from tests.benchmarks.expected_study import DATA, pooled
from tests.benchmarks.measure import table

LIMIT, ALPHA = 0.01, 0.05  # one point; the default confidence is .95
SETS = {
    "resnet15": {"name": "fashion_resnet15"},
    "resnet15 margin": {"name": "fashion_resnet15", "confidence": "margin"},
    "efficientnet": {"name": "fashion_efficientnet_lite0"},
    "efficientnet margin": {"name": "fashion_efficientnet_lite0", "confidence": "margin"},
}
AT_ONCE = 64  # points of a walk that are looked at together
SHIFTS = np.arange(3, -2, -0.05)  # of all thresholds together, in normal scores
RESERVES = np.arange(6, -3, -0.25)  # of thinned walks: anticipated reserves, in standard errors


class Points(NamedTuple):
    """Configurations in the order of their tests, safest first."""

    exits: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]

    def some(self, index: npt.NDArray[np.intp]) -> "Points":
        return Points(self.exits[index], self.threshold[index])


def dear_first(front: ds.ParetoFront) -> Points:
    """The order of `certify`."""
    return Points(front.exits[::-1], front.threshold[::-1])


def reserve(front: ds.ParetoFront, n: int) -> npt.NDArray[np.float64]:
    """(F,) by how many standard errors of a test on `n` samples each point keeps the limit, as the search sees it."""
    error = np.sqrt(np.maximum(front.disagreement, 1e-4) / n)
    return (LIMIT - front.accuracy_drop) / error


def thinned(front: ds.ParetoFront, n: int) -> Points:
    """The cheapest point for each of a few anticipated reserves: fewer tests, so fewer chances to stop by accident."""
    ahead = reserve(front, n)
    index = [int(np.argmax(ahead >= level)) for level in RESERVES if (ahead >= level).any()]
    return dear_first(front).some(len(front) - 1 - np.array(list(dict.fromkeys(index)), np.intp))


def by_reserve(front: ds.ParetoFront, n: int) -> Points:
    """All points by their anticipated p-value, the surest first; of what passes the cheapest counts."""
    order = np.argsort(-reserve(front, n), kind="stable")
    return Points(front.exits[order], front.threshold[order])


def nested(front: ds.ParetoFront, searched: ds.ExitRecords, n: int, ahead: float) -> Points:
    """One family: the point where the walk should end, all its thresholds moved together in normal scores."""
    within = reserve(front, n) >= ahead
    base = int(np.argmax(within)) if within.any() else len(front) - 1
    exits, threshold = front.exits[base], front.threshold[base]
    rows = np.full((len(SHIFTS), len(exits)), 0, np.float32)
    normal = NormalDist()
    for p in np.flatnonzero(exits >= 0):
        confidence = np.sort(searched.confidence[exits[p]])
        m = len(confidence)
        share = (np.searchsorted(confidence, threshold[p], side="right") + 0.5) / (m + 1)
        moved = np.array([normal.cdf(normal.inv_cdf(share) + shift) for shift in SHIFTS]) * (m + 1) - 0.5
        above = np.clip(np.round(moved).astype(int), 0, m)  # so many samples do not leave
        padded = np.concatenate([[-np.inf], confidence, [np.inf]])
        rows[:, p] = np.where(
            above == 0, -np.inf, np.where(above == m, np.inf, (padded[above] + padded[above + 1]) / 2)
        )
        rows[np.argmin(np.abs(SHIFTS)), p] = threshold[p]
    return Points(np.tile(exits, (len(SHIFTS), 1)).astype(np.int32), rows)


def points(ways: list[str], searched: ds.ExitRecords, n: int) -> Iterator[tuple[str, Points]]:
    """What is walked along, by name."""
    shared: dict[str, ds.ParetoFront] = {}

    def front(which: str) -> ds.ParetoFront:
        if which not in shared:
            options = {
                "observed": {"scores": "observed"},
                "caution 0": {"caution": 0},
                "caution .25": {"caution": 0.25},
            }
            shared[which] = ds.search(searched, progress=False, **options.get(which, {}))
        return shared[which]

    for way in ways:
        if way in ("observed", "expected", "caution 0", "caution .25"):
            yield way, dear_first(front(way))
        elif way == "thinned":
            yield way, thinned(front("expected"), n)
        elif way == "by reserve":
            yield way, by_reserve(front("expected"), n)
        else:
            yield way, nested(front("expected"), searched, n, float(way.removeprefix("nested ")))


WAYS = ["observed", "expected", "caution 0", "caution .25", "thinned", "by reserve", "nested 1.7", "nested 0.7"]


class Known(NamedTuple):
    """What some points do on a population."""

    drop: npt.NDArray[np.float64]  # (F,)
    cost: npt.NDArray[np.float64]  # (F,) relative

    @classmethod
    def of(cls, population: ds.ExitRecords, some: Points) -> "Known":
        measured = evaluate_arrays(population, some.exits, some.threshold)
        return cls(measured.accuracy_drop, measured.relative_cost)


def signs(population: ds.ExitRecords, some: Points) -> npt.NDArray[np.int8]:
    """(F, M) score less that of the final exit."""
    sign = np.empty((len(some.exits), population.n_samples), np.int8)
    for row, exits, threshold in zip(sign, some.exits, some.threshold, strict=True):
        row[:] = outcomes(population, exits, threshold).score - population.score[-1]
    return sign


@cache
def most_lost(differ: int, n: int) -> int:
    """The largest `lost - gained` that passes the exact paired test; below -differ where none does."""
    low, high = -differ - 1, int(np.floor(n * LIMIT)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        lost = (differ + middle) / 2
        passes = paired_p_value(int(np.floor(lost)), differ - int(np.floor(lost)), n, LIMIT, alpha=ALPHA) <= ALPHA
        low, high = (middle, high) if passes else (low, middle)
    return low


def passed(population: ds.ExitRecords, some: Points, count: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """(F, D) whether each test, and every one before it, passes on D draws with `count` (M, D) of each sample."""
    passes = np.zeros((len(some.exits), count.shape[1]), bool)
    size = count.sum(axis=0).astype(int).tolist()
    alive = np.ones(count.shape[1], bool)
    for start in range(0, len(passes), AT_ONCE):
        block = np.arange(start, min(start + AT_ONCE, len(passes)))
        sign = signs(population, some.some(block))
        lost, gained = ((sign == which).astype(np.float32) @ count for which in (-1, 1))
        for at, minus, plus in zip(block, lost.astype(int).tolist(), gained.astype(int).tolist(), strict=True):
            alive &= [a - b <= most_lost(a + b, n) for a, b, n in zip(minus, plus, size, strict=True)]
            passes[at] = alive
        if not alive.any():
            break
    return passes


class Result(NamedTuple):
    """Of one draw."""

    broken: bool  # the drop on the population is above the limit
    broken_on_rest: bool  # drawn without replacement, on the samples that were not drawn
    nothing: bool
    cost: float  # relative, on the population; of the network where nothing
    extra: float  # cost over that of the cheapest point that truly keeps the limit, less 1; the network where nothing


def chosen(found: Known, passes: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """(D,) the cheapest that passed; -1 where nothing did."""
    cost = np.where(passes, found.cost[:, None], np.inf)
    return np.where(passes.any(axis=0), np.argmin(cost, axis=0), -1)


def draws_of(m: int, n: int, draws: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(M, 2 D) how often each sample is drawn: D times with replacement, then D times without, at most half of them."""
    replaced = [np.bincount(rng.integers(0, m, n), minlength=m) for _ in range(draws)]
    apart = [np.bincount(rng.permutation(m)[: min(n, m // 2)], minlength=m) for _ in range(draws)]
    return np.stack([*replaced, *apart], axis=1).astype(np.float32)


def results(
    population: ds.ExitRecords, some: Points, found: Known, best: float, count: npt.NDArray[np.float32]
) -> list[Result]:
    at = chosen(found, passed(population, some, count))
    draws = count.shape[1] // 2
    made = []
    for d, (point, other) in enumerate(zip(at[:draws], at[draws:], strict=True)):
        on_rest = 0.0
        if other >= 0:
            sign = signs(population, some.some(np.array([other])))[0]
            on_rest = -float(sign[count[:, draws + d] == 0].mean())
        cost = float(found.cost[point]) if point >= 0 else 1.0
        made.append(
            Result(
                broken=bool(point >= 0 and found.drop[point] > LIMIT + 1e-12),
                broken_on_rest=on_rest > LIMIT,
                nothing=bool(point < 0),
                cost=cost,
                extra=cost / best - 1,
            )
        )
    return made


def require_same(some: Points, population: ds.ExitRecords, front: ds.ParetoFront, n: int) -> None:
    """That the walk here is that of `certify`."""
    draw = np.random.default_rng(0).integers(0, population.n_samples, n)
    count = np.bincount(draw, minlength=population.n_samples).astype(np.float32)[:, None]
    last = int(passed(population, some, count)[:, 0].sum()) - 1
    try:
        point = front.certify(population.subset(draw), max_accuracy_drop=LIMIT)
    except ds.InfeasibleError:
        assert last < 0
        return
    np.testing.assert_array_equal(point.config.threshold, some.threshold[last])
    np.testing.assert_array_equal(point.config.exits(front.layout), some.exits[last])


def study(
    records: ds.ExitRecords, n_search: int, n_certify: int, fronts: int, draws: int, ways: list[str]
) -> dict[str, list[list[Result]]]:
    """Results of each way, a list a front."""
    found: dict[str, list[list[Result]]] = {way: [] for way in ways}
    for seed in range(fronts):
        order = np.random.default_rng([seed, n_search]).permutation(records.n_samples)
        searched, population = records.subset(order[:n_search]), records.subset(order[n_search:])
        walks = dict(points(ways, searched, n_certify))
        if not seed and "expected" in ways:
            require_same(walks["expected"], population, ds.search(searched, progress=False), n_certify)
        truth = {way: Known.of(population, some) for way, some in walks.items()}
        best = min(
            float(np.min(truth[way].cost[truth[way].drop <= LIMIT], initial=1.0))
            for way in ways
            if way in ("observed", "expected")
        )
        count = draws_of(population.n_samples, n_certify, draws, np.random.default_rng([seed, n_certify, 1]))
        for way, some in walks.items():
            found[way].append(results(population, some, truth[way], best, count))
    return found


HEADER = [
    "way",
    "breaks the limit, %",
    "on the rest, %",
    "nothing, %",
    "relative cost",
    "extra cost, %",
    "+-",
    "where something, %",
]


def rows_of(found: dict[str, list[list[Result]]]) -> list[list[object]]:
    """Means over all draws; the standard error is over the fronts."""
    rows: list[list[object]] = []
    for way, some in found.items():
        every = [one for of_front in some for one in of_front]
        extra = np.array([np.mean([one.extra for one in of_front]) for of_front in some])
        error = extra.std(ddof=1) / len(extra) ** 0.5 if len(extra) > 1 else np.nan
        shares = [
            f"{100 * np.mean([getattr(one, name) for one in every]):.1f}"
            for name in ("broken", "broken_on_rest", "nothing")
        ]
        certified = [one.extra for one in every if not one.nothing]
        cost = f"{np.mean([one.cost for one in every]):.4f}"
        where = f"{100 * np.mean(certified):.1f}" if certified else "-"
        rows.append([way, *shares, cost, f"{100 * extra.mean():.1f}", f"{100 * error:.1f}", where])
    return rows


def tables(
    sets: list[str], parts: list[tuple[int, int]], fronts: int, draws: int, ways: list[str], data: Path = DATA
) -> Iterator[str]:
    """A table for each set and sizes, as soon as it is there."""
    make: Callable[..., ds.ExitRecords] = pooled
    for name in sets:
        records = make(**SETS[name], folder=data)
        for n_search, n_certify in parts:
            if n_search > 0.6 * records.n_samples:
                continue
            found = study(records, n_search, n_certify, fronts, draws, ways)
            title = f"{name}, {n_search:,} to search on + {n_certify:,} to certify on, {fronts} fronts x {draws} draws"
            yield f"{title}\n\n{table(HEADER, rows_of(found))}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["resnet15", "efficientnet"])
    parser.add_argument("--parts", nargs="+", default=["8000+8000", "2000+2000"])
    parser.add_argument("--fronts", type=int, default=50)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--ways", nargs="+", default=WAYS)
    parser.add_argument("--data", type=Path, default=DATA, help="where the records are; margins need the top two")
    chosen_options = parser.parse_args()
    sizes = [tuple(map(int, part.split("+"))) for part in chosen_options.parts]
    for text in tables(
        chosen_options.sets,
        sizes,
        chosen_options.fronts,
        chosen_options.draws,
        chosen_options.ways,
        chosen_options.data,
    ):
        print(f"\n{text}", flush=True)
