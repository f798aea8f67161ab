"""Draws the pictures of the pages.

`python docs/plots.py gallery` runs the code of gallery.md, `python docs/plots.py` also draws those of how-it-works.md
and keeping-promises.md, which takes some minutes.
"""

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import dyce_search as ds
from dyce_search.drawing.style import COLORS, PRINT

FOLDER = Path(__file__).parent
WAYS = {"observed": COLORS[1], "expected": COLORS[0]}
SIZES = (250, 500, 1_000, 2_500, 5_000, 10_000)
SEEDS = 5
SHOWN = 2_500  # samples searched on, in the picture of promises


def blocks(page: str) -> Iterator[tuple[str, str | None]]:
    """Each block of Python on a page, and the picture that comes next, or None."""
    for found in re.finditer(r"^```python\n(.*?)^```$(?:\s+!\[[^\]]*\]\(([^)]+)\))?", page, re.DOTALL | re.MULTILINE):
        yield found[1], found[2]


def gallery() -> None:
    """Runs the page, and keeps the axes `ax` of each block as the picture that comes after it.

    The block that drew it is part of each file, so a test can tell whether page and picture belong together.
    """
    names: dict[str, object] = {}
    for source, picture in blocks((FOLDER / "gallery.md").read_text(encoding="utf-8")):
        exec(source, names)
        if picture is not None:
            save(names["ax"], FOLDER / picture, source)


def save(ax: Axes, path: Path, source: str = "") -> None:
    """A small PNG: 128 colours are enough for lines."""
    stream = io.BytesIO()
    ax.get_figure(root=True).savefig(stream, format="png", dpi=110)
    about = PngInfo()
    about.add_text("Description", source)
    image = Image.open(stream).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.save(path, optimize=True, pnginfo=about)


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
    with rc_context(PRINT.settings(narrow=False)):
        promises(fronts)
        samples(volumes)
    evidence()


def promises(fronts: dict[str, tuple[ds.ParetoFront, ds.Curve]]) -> None:
    """Drop delivered against drop promised, before and after."""
    axes = Figure(figsize=(8, 3.6), layout="constrained").subplots(1, 2, sharex=True, sharey=True)
    for ax, (way, (front, held)) in zip(axes, fronts.items(), strict=True):
        ax.plot(100 * front.accuracy_drop, 100 * held.accuracy_drop, ".", ms=3, color=WAYS[way])
        ax.plot([-1, 6], [-1, 6], color="black", lw=0.8, ls=":")
        ax.set(title=f'scores="{way}"', xlabel="accuracy drop promised (points)", xlim=(-1, 4), ylim=(-1, 6))
        ax.grid(True)
    axes[0].set_ylabel("delivered on other samples (points)")
    save(axes[0], FOLDER / "promises.png")


def samples(volumes: dict[str, np.ndarray]) -> None:
    """Held-out hypervolume by samples searched on: the mean of the splits, and all of them."""
    ax = Figure(figsize=(6, 3.6), layout="constrained").subplots()
    for way, found in volumes.items():
        ax.semilogx(SIZES, found.mean(axis=1), "o-", color=WAYS[way], label=f'scores="{way}"')
        ax.fill_between(SIZES, found.min(axis=1), found.max(axis=1), color=WAYS[way], alpha=0.2, lw=0)
    ax.set(xlabel="samples searched on", ylabel="hypervolume on other samples")
    ax.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
    ax.minorticks_off()
    ax.grid(True)
    ax.legend()
    save(ax, FOLDER / "samples.png")


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
    ax = monitor.plot(ds.new_axes(6, 3.6))
    ax.axvline(10_000, color=PRINT.muted, lw=0.8)
    save(ax, FOLDER / "drift.png")


if __name__ == "__main__":
    gallery()
    if sys.argv[1:] != ["gallery"]:
        main()
