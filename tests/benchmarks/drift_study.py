"""False alarms and delays of `DriftMonitor`, beside a z-test on a window, over many simulated lives.

    python -m tests.benchmarks.drift_study [--lives N] [--samples N]

Samples are drawn with replacement from real records, calibration and service alike, so that without a change the claim
"nothing has changed" is true. A tenth of the samples served is labelled.
"""

import argparse
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

import dyce_search as ds
from tests.benchmarks.expected_study import pooled
from tests.benchmarks.measure import table

CALIBRATION, BATCH, LABELLED, CHANGE, WINDOW = 5_000, 1_000, 10, 20_000, 1_000
LIMIT, ALPHA = 0.01, 0.05


class Served(NamedTuple):
    """What a configuration does to every sample of the records."""

    position: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]
    score: npt.NDArray[np.float64]
    full: npt.NDArray[np.float64]


def served(records: ds.ExitRecords, config: ds.ExitConfig) -> Served:
    """Follows all samples through it."""
    position = ds.evaluate(records, config, per_sample=True).exit_position
    taken, every = config.route(records.confidence), np.arange(records.n_samples)
    score, full = records.score[taken, every].astype(float), records.score[-1].astype(float)
    return Served(position, records.confidence[taken, every], score, full)


class Window:
    """A z-test on the last `WINDOW` labelled samples, looked at after every batch, as people do."""

    def __init__(self) -> None:
        self.seen = np.empty(0)

    def label(self, own: npt.NDArray[np.float64], full: npt.NDArray[np.float64]) -> bool:
        """Whether the drop in the window is above the limit, at the level ALPHA."""
        self.seen = np.append(self.seen, full - own)[-WINDOW:]
        error = self.seen.std(ddof=1) / len(self.seen) ** 0.5
        return len(self.seen) == WINDOW and self.seen.mean() - LIMIT > norm.isf(ALPHA) * error


class Shift(NamedTuple):
    """What changes at sample `CHANGE`: so many more samples that stay to the end, or that are answered wrongly."""

    harder: float = 0.0
    wrong: float = 0.0


def life(records: ds.ExitRecords, point: ds.OperatingPoint, does: Served, shift: Shift, n: int, seed: int) -> list[int]:
    """The samples after which drift, a broken promise, and the window's z-test were reported; n + 1 where never."""
    rng = np.random.default_rng([seed, 1])
    monitor = ds.DriftMonitor(
        point, records.subset(rng.integers(0, records.n_samples, CALIBRATION)), max_accuracy_drop=LIMIT, alpha=ALPHA
    )
    window, late = Window(), np.flatnonzero(does.position == does.position.max())
    found = [n + 1] * 3
    for start in range(0, n, BATCH):
        index = rng.integers(0, records.n_samples, BATCH)
        own, full = does.score[index], does.full[index]
        if start >= CHANGE:
            early = does.position[index] < does.position.max()
            moved = early & (rng.random(BATCH) < shift.harder / early.mean())
            index[moved] = rng.choice(late, moved.sum())
            own, full = does.score[index], does.full[index]
            own = np.where(rng.random(BATCH) < shift.wrong / own.mean(), 0.0, own)
        monitor.update(does.position[index], does.confidence[index])
        monitor.label(own[::LABELLED], full[::LABELLED])
        drift, broken = monitor._wealth()
        reported = drift >= 1 / ALPHA, broken >= 1 / ALPHA, window.label(own[::LABELLED], full[::LABELLED])
        found = [min(now, start + BATCH) if hit else now for now, hit in zip(found, reported, strict=True)]
        if max(found) <= n:
            break
    return found


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lives", type=int, default=1_000)
    parser.add_argument("--delays", type=int, default=100, help="lives for each shift")
    parser.add_argument("--samples", type=int, default=100_000)
    options = parser.parse_args()
    records = pooled("fashion_resnet15")
    front = ds.search(records, scores="observed")
    point = front.select(max_accuracy_drop=LIMIT)  # at its very limit on the records it is drawn from: the hardest case
    does = served(records, point.config)
    print(f"{point}; drop {100 * (does.full - does.score).mean():.3f} points, limit {100 * LIMIT:g}")
    never = options.samples + 1
    lives = np.array([life(records, point, does, Shift(), options.samples, k) for k in range(options.lives)])
    rows = [
        [name, f"{np.mean(alarms < never):.3f}"]
        for name, alarms in zip(("drift", "promise", "z-test"), lives.T, strict=True)
    ]
    print(table(["alarms without a change", f"share of {options.lives:,} lives of {options.samples:,}"], rows))
    rows = []
    for points in (0.01, 0.02, 0.05):
        for name, shift, column in (("stay to the end", Shift(harder=points), 0), ("wrong", Shift(wrong=points), 1)):
            found = np.array(
                [life(records, point, does, shift, options.samples, 10_000 + k) for k in range(options.delays)]
            )
            for who, which in (("monitor", column), *((("z-test", 2),) if column else ())):
                delay = found[found[:, which] > CHANGE][:, which] - CHANGE
                early, missed = np.mean(found[:, which] <= CHANGE), np.mean(found[:, which] == never)
                median = "-" if not len(delay) else f"{np.median(delay):,.0f}"
                rows.append([f"{100 * points:g} points more {name}", who, median, f"{missed:.2f}", f"{early:.2f}"])
    print(table(["change", "by", "median delay, samples", "never", "before it"], rows))


if __name__ == "__main__":
    main()
