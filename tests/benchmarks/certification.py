"""Does a certificate hold, and what does it cost? Simulated on synthetic samples so many that the truth is known."""

from dataclasses import dataclass, replace

import numpy as np

import dyce_search as ds

LIMIT = 0.01  # one point
SEARCHED = 5_000  # samples to search on


def population(n=1_000_000, positions=6, types=2, graded=False, seed=5):
    """Records to draw from; with `graded`, a right answer scores 0.5 to 1 and a wrong one 0 to 0.5."""
    records = ds.synthetic_records(n, positions, types, seed=seed)
    if not graded:
        return records
    rng = np.random.default_rng(seed)
    grade = rng.random(n, dtype=np.float32) / 2  # of the sample, the same at every exit
    score = np.empty_like(records.score)
    for row, right in zip(score, records.score, strict=True):
        row[:] = right / 2 + (grade + rng.random(n, dtype=np.float32) / 2) / 2
    return ds.ExitRecords(confidence=records.confidence, score=score, costs=records.costs)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a way to choose a point came to over many splits: shares of the runs, and means over the others."""

    violations: float  # break the limit in deployment
    nothing: float  # no point was chosen
    drop: float
    relative_cost: float


@dataclass(frozen=True, kw_only=True)
class Split:
    """One random split: a front of the search part, calibration samples, and what remains for deployment."""

    everything: ds.ExitRecords
    used: ds.ExitRecords
    front: ds.ParetoFront
    calibration: ds.ExitRecords

    @classmethod
    def draw(cls, everything, seed, n_calibration, n_search=SEARCHED, scores="expected"):
        """Search on some samples, keep others for the calibration."""
        rng = np.random.default_rng([seed, n_search])
        chosen = rng.choice(everything.n_samples, n_search + n_calibration, replace=False)
        used = everything.subset(chosen)
        front = ds.search(used.subset(np.arange(n_search)), effort="fast", progress=False, scores=scores)
        rest = np.arange(n_search, used.n_samples)
        return cls(everything=everything, used=used, front=front, calibration=used.subset(rest))

    def deployed(self, configs):
        """(drop (F,), relative cost (F,)) of configurations on all samples that were not drawn."""
        n, m = self.everything.n_samples, self.used.n_samples
        whole, drawn = (ds.evaluate_many(records, configs) for records in (self.everything, self.used))
        drop = (n * whole.accuracy_drop - m * drawn.accuracy_drop) / (n - m)
        return drop, (n * whole.relative_cost - m * drawn.relative_cost) / (n - m)

    def certify(self, **options):
        """The certified point, or None."""
        try:
            return self.front.certify(self.calibration, **options)
        except ds.InfeasibleError:
            return None


def violations(everything, runs, n_calibration, choices, n_search=SEARCHED, scores="expected"):
    """How often each way to choose breaks the limit in deployment.

    Args:
        everything: the population.
        runs: number of splits.
        n_calibration: samples.
        choices: name -> function of a Split that returns a point or None.
        n_search: samples to search on.
        scores: that the search maximises.

    Returns:
        name -> Outcome.
    """
    drops = {name: [] for name in choices}
    costs = {name: [] for name in choices}
    for seed in range(runs):
        split = Split.draw(everything, seed, n_calibration, n_search, scores)
        points = {name: choose(split) for name, choose in choices.items()}
        found = {name: point for name, point in points.items() if point is not None}
        if found:
            for name, drop, cost in zip(
                found, *split.deployed([point.config for point in found.values()]), strict=True
            ):
                drops[name].append(drop)
                costs[name].append(cost)
    return {
        name: Outcome(
            violations=float(np.sum(np.array(drops[name]) > LIMIT)) / runs,
            nothing=1 - len(drops[name]) / runs,
            drop=float(np.mean(drops[name])),
            relative_cost=float(np.mean(costs[name])),
        )
        for name in choices
    }


def naive(split):
    """The cheapest point within the limit on the samples searched on."""
    return split.front.select(max_accuracy_drop=LIMIT)


def held_out(split):
    """The cheapest point within the limit on the calibration samples: honest samples, but chosen by them."""
    curve = split.front.evaluate(split.calibration)
    within = np.flatnonzero(curve.accuracy_drop <= LIMIT)
    return curve[int(within[np.argmin(curve.cost[within])])] if len(within) else None


def certified(confidence, **options):
    """A choice: what `certify` returns."""
    return lambda split: split.certify(max_accuracy_drop=LIMIT, confidence=confidence, **options)


def overpaid(everything, runs, sizes, **options):
    """What a certificate costs beyond knowing the truth, for several numbers of calibration samples.

    Returns:
        (runs, sizes) relative cost of the certified point / that of the cheapest point of the front that keeps the
        limit in deployment; infinite where nothing could be certified.
    """
    ratios = np.full((runs, len(sizes)), np.inf)
    for seed in range(runs):
        split = Split.draw(everything, seed, max(sizes))
        near = [point.config for point in split.front if -0.02 <= point.accuracy_drop <= 0.02]
        drop, cost = split.deployed(near)
        cheapest = cost[drop <= LIMIT].min()
        for k, n in enumerate(sizes):
            part = replace(split, calibration=split.calibration.subset(np.arange(n)))
            point = part.certify(max_accuracy_drop=LIMIT, **options)
            if point is not None:
                ratios[seed, k] = split.deployed([point.config])[1][0] / cheapest
    return ratios
