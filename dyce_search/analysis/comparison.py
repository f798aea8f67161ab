"""`Comparison`: what several solvers reached under one budget, as a table, pictures, files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import choice
from dyce_search.arrays import restore
from dyce_search.errors import FileFormatError, FrontError, SolverError
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.drawn import Drawable, drawables, require_drop_limit, series_of
from dyce_search.evaluation.limits import FEW_DROPS
from dyce_search.files import PathLike, require_path, write_atomically
from dyce_search.front.front import ParetoFront
from dyce_search.wording import line, one_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedSearch:
    """One search of a comparison.

    Attributes:
        solver: its label.
        seed: of this search.
        front: what it found, measured on the records searched on; its provenance has time and evaluations.
        test: the same configurations on the test records, or None.
        seconds: (T,) float64, wall-clock time since the start at each point of the anytime curve.
        evaluations: (T,) int64, evaluations booked by then.
        hypervolume: (T,) float64, of everything handed in by then, by the scores that were searched: expected ones are
            lowered by caution, so it ends below that of `front`.
    """

    solver: str
    seed: int
    front: ParetoFront
    test: Curve | None
    seconds: FloatArray
    evaluations: IntArray
    hypervolume: FloatArray

    __repr__ = one_line
    __setstate__ = restore


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """What several solvers reached under one budget.

    Attributes:
        searches: one for each solver and seed, solvers in the order given.
        seeds: with which each solver ran.
        max_evaluations: budget of each search, or None.
        max_seconds: budget of each search, or None.
    """

    searches: tuple[ComparedSearch, ...]
    seeds: tuple[int, ...]
    max_evaluations: int | None
    max_seconds: float | None

    def __repr__(self) -> str:
        """One line: what was compared and who has the largest hypervolume."""
        best = self.solvers[0]
        return line(
            "Comparison",
            f"{len(self.solvers)} solvers x {len(self.seeds)} seeds",
            f"budget {self.budget}",
            f"largest hypervolume {self._hypervolume(best):.4f} by {best}",
        )

    def _repr_html_(self) -> str:
        """A table and a picture, for notebooks."""
        from dyce_search.cards.cards import comparison_card

        return comparison_card(self)

    @property
    def budget(self) -> str:
        """The budget of each search, in words."""
        parts = [f"{self.max_evaluations:,} evaluations"] if self.max_evaluations is not None else []
        parts += [f"{self.max_seconds:g} s"] if self.max_seconds is not None else []
        return " and ".join(parts)

    @property
    def solvers(self) -> list[str]:
        """The labels, largest median hypervolume first: on the test records where there are some, else as promised."""
        labels = dict.fromkeys(entry.solver for entry in self.searches)
        return sorted(labels, key=lambda label: -self._hypervolume(label))

    @property
    def fronts(self) -> dict[str, ParetoFront]:
        """By solver, in the order of `solvers`, the front of the seed with the median hypervolume (of two the lower).

        All of them are in `searches`.
        """
        return {label: self._median_search(label).front for label in self.solvers}

    def of(self, solver: str) -> list[ComparedSearch]:
        """The searches of one solver, by seed.

        Args:
            solver: its name, or the label that it was given.

        Raises:
            SolverError: it did not take part.
        """
        known = dict.fromkeys(entry.solver for entry in self.searches)
        choice(solver, known, "solver of this comparison", SolverError)
        return [entry for entry in self.searches if entry.solver == solver]

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame with one row a solver, in the order of `solvers`.

        Columns: `solver`; with test records `test_hypervolume` with `_low` and `_high` (median, least and largest of
        the seeds; see `Curve.hypervolume`), what the configurations deliver; `hypervolume` likewise, what the fronts
        promise; `scores`, whether they promise expected or observed figures; medians of `relative_cost_at_0`, `_0.5`,
        `_1` and `_2`, the least cost for an accuracy drop up to so many points, as promised; medians of `points`,
        `seconds` and `evaluations`; `seeds`, how many; `stopped`, why.
        """
        import pandas as pd

        rows = []
        for label in self.solvers:
            entries = self.of(label)
            row: dict[str, Any] = {"solver": label}
            tested = [entry.test.hypervolume() for entry in entries if entry.test is not None]
            row |= _spread("test_hypervolume", tested) if tested else {}
            row |= _spread("hypervolume", [entry.front.hypervolume() for entry in entries])
            row["scores"] = entries[0].front.scores
            for drop in FEW_DROPS:
                costs = [entry.front.select(max_accuracy_drop=drop).relative_cost for entry in entries]
                row[f"relative_cost_at_{100 * drop:g}"] = float(np.median(costs))
            how = [entry.front.provenance for entry in entries]
            row["points"] = float(np.median([len(entry.front) for entry in entries]))
            row["seconds"] = float(np.median([found.seconds for found in how]))
            row["evaluations"] = float(np.median([found.evaluations for found in how]))
            row["seeds"] = len(entries)
            row["stopped"] = ", ".join(dict.fromkeys(found.stop_reason for found in how))
            rows.append(row)
        return pd.DataFrame(rows)

    def anytime(self) -> "pd.DataFrame":
        """The anytime curves: a DataFrame with columns solver, seed, seconds, evaluations, hypervolume.

        A row says what would have been reached had the search been stopped there. Solvers that hand in what they
        found only at their end (`coordinate_descent` prices thresholds in bulk and keeps an archive) have no points
        before it: their curve is one step, although stopping them earlier would have given something.
        """
        import pandas as pd

        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "solver": entry.solver,
                        "seed": entry.seed,
                        "seconds": entry.seconds,
                        "evaluations": entry.evaluations,
                        "hypervolume": entry.hypervolume,
                    }
                )
                for entry in self.searches
            ],
            ignore_index=True,
        )

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        others: Mapping[str, Drawable] | None = None,
        drop_limit: float | None = 0.05,
    ) -> "Axes":
        """Draws how much accuracy each of `fronts` loses against the best of them at the same cost: a panel each.

        Figures are those promised, on the records searched on. The best solver of `solvers` comes first. All panels
        have one scale; what goes more than twice as far as the median solver does is cut off.

        Args:
            ax: Matplotlib axes to draw on; new ones when None. They become the frame of the panels
                (`ax.child_axes`).
            others: more to compare with, by name, for example `{"oracle": oracle(records)}`; each has a panel.
            drop_limit: costs at which even the best front drops more are out of view; None shows all.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes
        from dyce_search.drawing.comparison import draw_fronts

        require_drop_limit(drop_limit)
        fronts = self.fronts
        first = next(iter(fronts.values()))
        base, drawn = first.baseline_accuracy, drawables(others, first.costs)
        rows = -(-(len(fronts) + len(drawn)) // 3)
        ax = axes.new_axes(6.4, max(3.0, 1.0 + 0.95 * rows)) if ax is None else axes.given_or_new(ax)
        draw_fronts(
            ax,
            [series_of(name, front, base, mixed=False) for name, front in fronts.items()],
            [series_of(name, curve, base, mixed=False) for name, curve in drawn.items()],
            drop_limit=drop_limit,
        )
        return ax

    def plot_anytime(
        self, ax: "Axes | None" = None, *, over: Literal["evaluations", "seconds"] = "evaluations"
    ) -> "Axes":
        """Draws the hypervolume that was reached over evaluations or seconds: the median of the seeds in their range.

        A dot marks where a solver ended. See `anytime` on solvers that hand in only at their end.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.
            over: "evaluations" or "seconds".

        Returns:
            The axes.

        Raises:
            FrontError: `over` is something else.
        """
        from dyce_search.drawing import axes
        from dyce_search.drawing.comparison import draw_anytime

        choice(over, ("evaluations", "seconds"), "over", FrontError)
        curves = {}
        for label in self.solvers:
            entries = self.of(label)
            at = np.unique(np.concatenate([getattr(entry, over) for entry in entries])).astype(np.float64)
            reached = [
                entry.hypervolume[np.searchsorted(getattr(entry, over), at, side="right") - 1] for entry in entries
            ]
            low, middle, high = np.quantile(reached, (0, 0.5, 1), axis=0)
            curves[label] = (at, middle, low, high)
        ax = axes.given_or_new(ax)
        draw_anytime(ax, curves, xlabel="evaluations" if over == "evaluations" else "time (s)")
        return ax

    def save(self, folder: PathLike) -> None:
        """Writes a folder: comparison.csv, anytime.csv, fronts/SOLVER_seedN.json, and three pictures as PNG.

        Args:
            folder: is made where it is missing.

        Raises:
            FileFormatError: the folder cannot be made or written.
        """
        from dyce_search.drawing import axes

        require_path(folder, "folder")
        place = Path(folder)
        try:
            (place / "fronts").mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise FileFormatError(f"cannot make the folder {place / 'fronts'}: {cause.strerror}") from cause
        for name, frame in (("comparison", self.to_frame()), ("anytime", self.anytime())):
            _write(place / f"{name}.csv", frame.to_csv(index=False).encode())
        names = _file_names(list(dict.fromkeys(entry.solver for entry in self.searches)))
        for entry in self.searches:
            entry.front.save(place / "fronts" / f"{names[entry.solver]}_seed{entry.seed}.json")
        pictures = {
            "fronts": self.plot(),
            "anytime_evaluations": self.plot_anytime(over="evaluations"),
            "anytime_seconds": self.plot_anytime(over="seconds"),
        }
        for name, ax in pictures.items():
            _write(place / f"{name}.png", axes.to_png(ax))

    def _hypervolume(self, label: str) -> float:
        return float(np.median([_judged(entry) for entry in self.of(label)]))

    def _median_search(self, label: str) -> ComparedSearch:
        entries = sorted(self.of(label), key=_judged)
        return entries[(len(entries) - 1) // 2]


def _judged(entry: ComparedSearch) -> float:
    """The hypervolume by which a search is judged: on the test records where there are some."""
    return (entry.front if entry.test is None else entry.test).hypervolume()


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {name: float(np.median(values)), f"{name}_low": min(values), f"{name}_high": max(values)}


def _file_names(labels: Sequence[str]) -> dict[str, str]:
    """Names that any file system takes, one a label."""
    safe = [re.sub(r"[^A-Za-z0-9.-]+", "_", label).strip("._") or "solver" for label in labels]
    if len({name.lower() for name in safe}) < len(safe):
        safe = [f"{k}_{name}" for k, name in enumerate(safe)]
    return dict(zip(labels, safe, strict=True))


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda stream: stream.write(content))
