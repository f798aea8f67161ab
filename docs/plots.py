"""Draws the pictures of how-it-works.md and keeping-promises.md: `python docs/plots.py`, some minutes."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import dyce_search as ds
from dyce_search.drawing.style import COLORS

FOLDER = Path(__file__).parent
WAYS = {"observed": COLORS[1], "expected": COLORS[0]}
SIZES = (250, 500, 1_000, 2_500, 5_000, 10_000)
SEEDS = 5
SHOWN = 2_500  # samples searched on, in the picture of promises


def pooled() -> ds.ExitRecords:
    """The example records, both parts in one."""
    parts = ds.load_example("search"), ds.load_example("test")
    return ds.ExitRecords(
        confidence=np.hstack([part.confidence for part in parts]),
        score=np.hstack([part.score for part in parts]),
        costs=parts[0].costs,
    )


def main() -> None:
    """Searches on random samples of the example records, measures on 10,000 others."""
    records, fronts, volumes = pooled(), {}, {way: np.empty((len(SIZES), SEEDS)) for way in WAYS}
    for row, size in enumerate(SIZES):
        for seed in range(SEEDS):
            order = np.random.default_rng([seed, size]).permutation(records.n_samples)
            seen, others = records.subset(order[:size]), records.subset(order[size : size + 10_000])
            for way in WAYS:
                front = ds.search(seen, scores=way, progress=False)
                held = front.evaluate(others)
                volumes[way][row, seed] = held.hypervolume()
                if size == SHOWN and seed == 0:
                    fronts[way] = front, held
    print({way: found.mean(axis=1).round(4).tolist() for way, found in volumes.items()})
    promises(fronts)
    samples(volumes)
    evidence()


def promises(fronts: dict[str, tuple[ds.ParetoFront, ds.Curve]]) -> None:
    """Drop delivered against drop promised, before and after."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharex=True, sharey=True, layout="constrained")
    for ax, (way, (front, held)) in zip(axes, fronts.items(), strict=True):
        ax.plot(100 * front.accuracy_drop, 100 * held.accuracy_drop, ".", ms=3, color=WAYS[way])
        ax.plot([-1, 6], [-1, 6], color="black", lw=0.8, ls=":")
        ax.set(title=f'scores="{way}"', xlabel="accuracy drop promised (points)", xlim=(-1, 4), ylim=(-1, 6))
        ax.grid(alpha=0.25)
    axes[0].set_ylabel("delivered on other samples (points)")
    figure.savefig(FOLDER / "promises.png", dpi=100)


def samples(volumes: dict[str, np.ndarray]) -> None:
    """Held-out hypervolume by samples searched on: the mean of the splits, and all of them."""
    figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for way, found in volumes.items():
        ax.semilogx(SIZES, found.mean(axis=1), "o-", color=WAYS[way], label=f'scores="{way}"')
        ax.fill_between(SIZES, found.min(axis=1), found.max(axis=1), color=WAYS[way], alpha=0.2, lw=0)
    ax.set(xlabel="samples searched on", ylabel="hypervolume on other samples")
    ax.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.legend()
    figure.savefig(FOLDER / "samples.png", dpi=100)


def evidence() -> None:
    """What a monitor sees before and after the inputs get harder at sample 10,000."""
    calibration, rest = ds.load_example().split(0.4, seed=0)
    point = ds.search(calibration).select(max_accuracy_drop=0.01)
    monitor = ds.DriftMonitor(point, calibration, max_accuracy_drop=0.01)
    position = ds.evaluate(rest, point.config, per_sample=True).exit_position
    taken = point.config.route(rest.confidence)
    own, full = rest.score[taken, np.arange(rest.n_samples)], rest.score[-1]
    rng, every = np.random.default_rng(0), np.arange(rest.n_samples)
    late = every[position == position.max()]
    for start in range(0, 20_000, 500):
        index = rng.choice(every, 500)
        if start >= 10_000:
            index[:10] = rng.choice(late, 10)  # two points more go to the end
        monitor.update(position[index])
        monitor.label(own[index[::10]], full[index[::10]])
    ax = monitor.plot()
    ax.axvline(10_000, color="0.5", lw=0.8)
    ax.figure.set_size_inches(6, 3.6)
    ax.figure.savefig(FOLDER / "drift.png", dpi=100)


if __name__ == "__main__":
    main()
