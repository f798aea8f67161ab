"""Temperatures that calibrate exits, fitted on held-out logits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.analysis.calibration import bin_edges, in_bins
from dyce_search.arrays import frame_of, read_only, restore
from dyce_search.errors import RecordsError
from dyce_search.records.outputs import checked_labels, outputs_by_exit, require_logits
from dyce_search.wording import one_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]

COLDEST, HOTTEST = 0.01, 100.0  # temperatures are sought between these, times the scale of the logits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Temperatures:
    """Temperatures that make each exit's probabilities fit best, and what they change.

    Attributes:
        temperature: (E,) float64, > 0: divide the exit's logits by it. Above 1 where the exit was too sure.
        at_bound: (E,) bool, whether no temperature between the bounds fits best, as for an exit that is always right:
            then it is the bound, and worth a look.
        nll_before: (E,) mean negative log-likelihood of the labels, in nats, as the logits are.
        nll_after: (E,) the same with the temperatures.
        ece_before: (E,) expected calibration error of the top probability, as the logits are.
        ece_after: (E,) the same with the temperatures.
    """

    temperature: FloatArray
    at_bound: npt.NDArray[np.bool_]
    nll_before: FloatArray
    nll_after: FloatArray
    ece_before: FloatArray
    ece_after: FloatArray

    __repr__ = one_line
    __setstate__ = restore

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row an exit: temperature, at_bound, nll_before, nll_after, ece_before, ece_after."""
        names = ("temperature", "at_bound", "nll_before", "nll_after", "ece_before", "ece_after")
        return frame_of(self, names)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws each exit's calibration error before and after.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, diagnostics

        ax = axes.given_or_new(ax)
        at = np.arange(len(self.temperature), dtype=np.float64)
        lines = {"as recorded": (at, 100 * self.ece_before), "with temperatures": (at, 100 * self.ece_after)}
        diagnostics.draw_per_exit(ax, lines, ylabel="calibration error, ECE (%)", xlabel="exit")
        ax.set_ylim(bottom=0)
        return ax


def fit_temperatures(logits: Any, labels: Any, *, bins: int = 15) -> Temperatures:
    """Fits one temperature an exit, by maximum likelihood, on samples that trained nothing.

    The likelihood has a single optimum, found as the root of its derivative. Temperatures change no answer, but they
    do change the order of samples by confidence, and so what a threshold can do. Use them as
    `ExitRecords.from_logits(..., temperature=fitted.temperature)`.

    Args:
        logits: (E, N, C) real, or a sequence of E arrays (N, C), as `ExitRecords.from_logits` takes them: -inf is a
            class that is ruled out. Tensors are taken too.
        labels: (N,) integers in [0, C).
        bins: of the calibration error, of equal width.

    Returns:
        Temperatures from a hundredth to a hundred times the exit's own scale, the root mean square of its logits below
        each sample's largest; logits times 1,000 have temperatures times 1,000. An exit that is always right, or
        hopeless, has no optimum in between: `at_bound` says so. Where all classes have the same logits it is 1.

    Raises:
        RecordsError: shapes that do not fit, labels outside the classes or ruled out, NaN, probabilities, bad `bins`.

    Reference: Guo 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = rng.integers(0, 3, 2000)
        >>> logits = rng.normal(size=(1, 2000, 3)) + np.eye(3)[labels]  # the true posterior's: log-odds are 1 * logit
        >>> bool(abs(fit_temperatures(5 * logits, labels).temperature[0] - 5) < 0.5)
        True
    """
    label = checked_labels(labels)
    if not label.size:
        raise RecordsError("labels must have at least one sample, got none")
    edges = bin_edges(bins)
    columns: list[tuple[float, ...]] = []
    for e, values in enumerate(outputs_by_exit(logits, "logits", label)):
        require_logits(values, e, "pass what they were made of, or their logarithms")
        with np.errstate(over="ignore"):  # a gap beyond the range of float64 is -inf: probability 0
            gap = values - values.max(axis=1, keepdims=True).astype(np.float64)
        own = gap[np.arange(len(label)), label]
        if np.isneginf(own).any():
            raise RecordsError(
                f"logits must not rule out a sample's own class, got -inf for it from exit {e} at sample "
                f"{int(np.isneginf(own).argmax())}: no temperature makes that likely, leave such samples out"
            )
        heat, at_bound = _fit_temperature(gap, label)
        columns.append((heat, at_bound, *_fit(gap, label, 1.0, edges), *_fit(gap, label, heat, edges)))
    heats, at_bounds, nll_before, ece_before, nll_after, ece_after = np.array(columns).T
    return Temperatures(
        temperature=read_only(heats, np.float64),
        at_bound=read_only(at_bounds, np.bool_),
        nll_before=read_only(nll_before, np.float64),
        nll_after=read_only(nll_after, np.float64),
        ece_before=read_only(ece_before, np.float64),
        ece_after=read_only(ece_after, np.float64),
    )


def _fit_temperature(gap: FloatArray, label: npt.NDArray[Any]) -> tuple[float, bool]:
    """The root of d NLL / d beta, beta = 1 / temperature, which rises with beta: the mean logit minus the label's.

    Returns:
        The temperature, and whether it is a bound, as there is no root between the bounds.
    """
    from scipy.optimize import brentq

    scale = _scale(gap)
    if scale == 0:
        return 1.0, False
    unit = gap / scale
    finite = np.maximum(unit, np.finfo(np.float64).min)  # -inf has no weight, and 0 * -inf would be NaN
    own = unit[np.arange(len(label)), label].mean()

    def slope(log_heat: float) -> float:
        weight = np.exp(unit * np.exp(-log_heat))
        return float(((weight * finite).sum(axis=1) / weight.sum(axis=1)).mean() - own)

    cold, hot = np.log(COLDEST), np.log(HOTTEST)
    if slope(cold) <= 0:
        return COLDEST * scale, True
    if slope(hot) >= 0:
        return HOTTEST * scale, True
    return float(np.exp(brentq(slope, cold, hot, xtol=1e-6))) * scale, False


def _scale(gap: FloatArray) -> float:
    """The root mean square of finite logits below each sample's largest; 0 where all are equal."""
    finite = gap[np.isfinite(gap)]
    least = float(-finite.min())
    return least * float(np.sqrt(np.mean(np.square(finite / least)))) if least else 0.0


def _fit(gap: FloatArray, label: npt.NDArray[Any], heat: float, edges: FloatArray) -> tuple[float, float]:
    """Mean negative log-likelihood and expected calibration error at a temperature."""
    scaled = gap / heat
    total = np.log(np.exp(scaled).sum(axis=1))
    _, sure, right = in_bins(np.exp(-total), gap.argmax(axis=1) == label, edges)
    return float((total - scaled[np.arange(len(label)), label]).mean()), float(np.abs(sure - right).sum() / len(label))
