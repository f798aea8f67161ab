"""How far each exit's confidence can be trusted: reliability, AUROC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import real, whole
from dyce_search.arrays import read_only, restore, whole_numbers
from dyce_search.errors import RecordsError
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.wording import one_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]

MOST_BINS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reliability:
    """How often each exit is right, by how sure it says it is: the data of reliability diagrams.

    Attributes:
        costs: of the network; names the exits.
        edges: (B+1,) bounds of the bins of confidence; a bin holds its upper bound.
        count: (E, B) int64, samples in each bin.
        confidence: (E, B) their mean confidence; NaN in an empty bin.
        accuracy: (E, B) their mean score; NaN in an empty bin.
        ece: (E,) expected calibration error: mean distance of accuracy from confidence over the bins, weighted by
            samples. 0 is best.
        mean_confidence: (E,).
        exit_accuracy: (E,) mean score; below the mean confidence where an exit is too sure.
    """

    costs: ExitCosts
    edges: FloatArray
    count: npt.NDArray[np.int64]
    confidence: FloatArray
    accuracy: FloatArray
    ece: FloatArray
    mean_confidence: FloatArray
    exit_accuracy: FloatArray

    __repr__ = one_line
    __setstate__ = restore

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row an exit: position, name, accuracy, mean_confidence, over_confidence, ece."""
        return _exit_frame(
            self.costs,
            accuracy=self.exit_accuracy,
            mean_confidence=self.mean_confidence,
            over_confidence=self.mean_confidence - self.exit_accuracy,
            ece=self.ece,
        )

    def plot(self, ax: "Axes | None" = None, *, exits: Sequence[int] | None = None) -> "Axes":
        """Draws the reliability diagram of some exits: accuracy against confidence, larger dots for more samples.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.
            exits: flat indices, -1 is the final exit; None is one of the first position, one half-way, and the final.

        Returns:
            The axes.

        Raises:
            RecordsError: no such exit.
        """
        from dyce_search.drawing import axes, diagnostics

        costs = self.costs
        chosen = _exits_to_show(costs)
        if exits is not None:
            given = whole_numbers(exits, "exits", RecordsError, ndim=1)
            if not given.size or given.min() < -costs.n_exits or given.max() >= costs.n_exits:
                raise RecordsError(
                    f"exits must be one or more indices from 0 to {costs.n_exits - 1} (-1 is the final exit), "
                    f"got {given.tolist()[:6]}"
                )
            chosen = [range(costs.n_exits)[e] for e in given]
        ax = axes.given_or_new(ax)
        diagnostics.draw_reliability(
            ax,
            {
                f"{_exit_label(costs, e)} (ECE {100 * self.ece[e]:.1f} %)": (
                    self.confidence[e],
                    self.accuracy[e],
                    self.count[e] / self.count[e].sum(),
                )
                for e in chosen
            },
        )
        return ax


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitAuroc:
    """How well each exit's confidence tells its right answers from its wrong ones.

    Attributes:
        costs: of the network; names the exits.
        auroc: (E,) probability that a right answer is surer than a wrong one, ties counting half: 0.5 is chance, 1
            perfect; NaN where all answers are right, or all wrong.
        n_right: (E,) int64, right answers.
        n_samples: N.
    """

    costs: ExitCosts
    auroc: FloatArray
    n_right: npt.NDArray[np.int64]
    n_samples: int

    __repr__ = one_line
    __setstate__ = restore

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row an exit: position, name, accuracy (share that is right), auroc."""
        return _exit_frame(self.costs, accuracy=self.n_right / self.n_samples, auroc=self.auroc)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the AUROC along the backbone, a line for each type of exit.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, diagnostics

        ax = axes.given_or_new(ax)
        diagnostics.draw_per_exit(ax, by_type(self.costs, self.auroc), ylabel="AUROC of being right")
        return ax


def reliability(records: ExitRecords, *, bins: int = 15) -> Reliability:
    """Compares what exits say with what they do: accuracy by confidence, and the expected calibration error.

    A threshold search needs no calibrated confidences, only well ordered ones (see `exit_auroc`). Calibration matters
    where confidences are compared between exits, or are shown to somebody.

    Args:
        records: with confidences that are probabilities, in [0, 1].
        bins: of equal width.

    Raises:
        RecordsError: confidences outside [0, 1], a bad number of bins.

    Reference: Guo 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599.

    Example:
        >>> import dyce_search as ds
        >>> result = ds.reliability(ds.load_example("test"))
        >>> result.ece.shape, bool(result.ece.max() < 0.1)
        ((46,), True)
    """
    require_records(records)
    edges = bin_edges(bins)
    low, high = float(records.confidence.min()), float(records.confidence.max())
    if low < 0 or high > 1:
        raise RecordsError(
            f"confidence must be a probability in [0, 1] to be compared with accuracy, got {low:g} to {high:g}: "
            "build the records with confidence='max_prob'"
        )
    tables = [in_bins(row, score, edges) for row, score in zip(records.confidence, records.score, strict=True)]
    count, sure, right = (np.stack(rows) for rows in zip(*tables, strict=True))
    return Reliability(
        costs=records.costs,
        edges=read_only(edges, np.float64),
        count=read_only(count, np.int64),
        confidence=read_only(_ratio(sure, count), np.float64),
        accuracy=read_only(_ratio(right, count), np.float64),
        ece=read_only(np.abs(sure - right).sum(axis=1) / records.n_samples, np.float64),
        mean_confidence=read_only(sure.sum(axis=1) / records.n_samples, np.float64),
        exit_accuracy=records.exit_accuracy,
    )


def exit_auroc(records: ExitRecords, *, right_from: float = 0.5) -> ExitAuroc:
    """Measures how well each exit's confidence ranks its right answers above its wrong ones.

    This is what a threshold can use: an exit with a higher AUROC lets go of more samples at the same loss.

    Args:
        records: to measure on.
        right_from: a score of at least this counts as right.

    Raises:
        RecordsError: `right_from` outside (0, 1].

    Reference: the rank formula of Mann and Whitney 1947, with mid-ranks for ties.

    Example:
        >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
        >>> records = ExitRecords(confidence=[[0.9, 0.2, 0.4], [0.8] * 3], score=[[1, 0, 1], [1, 0, 1]], costs=costs)
        >>> exit_auroc(records).auroc.tolist()
        [1.0, 0.5]
    """
    require_records(records)
    real(right_from, "right_from", RecordsError, "lie in (0, 1]", lambda value: 0 < value <= 1, hint="scores do")
    right = records.score >= np.float32(right_from)
    areas = [_auroc(row, hit) for row, hit in zip(records.confidence, right, strict=True)]
    return ExitAuroc(
        costs=records.costs,
        auroc=read_only(np.array(areas), np.float64),
        n_right=read_only(right.sum(axis=1), np.int64),
        n_samples=records.n_samples,
    )


def by_type(costs: ExitCosts, values: FloatArray) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Values (E,) as lines along the backbone: by the exits' types, positions and values; the final exit last."""
    types = np.array(costs.types)
    lines = {}
    for name in dict.fromkeys(costs.types[:-1]):
        own = np.flatnonzero(types[:-1] == name)
        lines[name] = (costs.position[own].astype(np.float64), values[own])
    lines["final exit"] = (costs.position[-1:].astype(np.float64), values[-1:])
    return lines


def bin_edges(bins: int) -> FloatArray:
    """(B+1,) bounds of bins of equal width on [0, 1].

    Raises:
        RecordsError: no whole number from 1 to 100,000.
    """
    return np.linspace(0, 1, whole(bins, "bins", RecordsError, least=1, most=MOST_BINS) + 1)


def in_bins(
    confidence: npt.NDArray[Any], score: npt.NDArray[Any], edges: FloatArray
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
    """Per bin (B,): how many samples, and their sums of confidence and of score."""
    inside = np.searchsorted(edges[1:-1], confidence, side="left")
    n = len(edges) - 1
    return (
        np.bincount(inside, minlength=n).astype(np.int64),
        np.bincount(inside, weights=confidence, minlength=n).astype(np.float64),
        np.bincount(inside, weights=score, minlength=n).astype(np.float64),
    )


def _auroc(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> float:
    n_right = int(right.sum())
    n_wrong = len(right) - n_right
    if not n_right or not n_wrong:
        return float("nan")
    _, level, count = np.unique(confidence, return_inverse=True, return_counts=True)
    doubled_rank = 2 * np.cumsum(count) - count + 1  # mid-ranks from 1, doubled: whole numbers, so sums are exact
    doubled_wins = int(doubled_rank[level[right]].sum()) - n_right * (n_right + 1)
    return doubled_wins / (2 * n_right * n_wrong)


def _ratio(total: FloatArray, count: npt.NDArray[np.int64]) -> FloatArray:
    mean: FloatArray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _exit_label(costs: ExitCosts, e: int) -> str:
    return "final exit" if e == costs.n_exits - 1 else f"position {costs.position[e]}, {costs.names[e]}"


def _exits_to_show(costs: ExitCosts) -> list[int]:
    first = costs.first
    return sorted({int(first[0]), int(first[costs.n_positions // 2]), costs.n_exits - 1})


def _exit_frame(costs: ExitCosts, **columns: npt.NDArray[Any]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({"position": costs.position, "name": costs.names, **columns})
