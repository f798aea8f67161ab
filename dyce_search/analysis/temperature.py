"""Temperatures that calibrate exits, fitted on held-out logits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.analysis.calibration import bin_edges, in_bins
from dyce_search.arrays import frame_of, read_only, restore, to_numpy, whole_numbers
from dyce_search.errors import RecordsError
from dyce_search.wording import one_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]

COLDEST, HOTTEST = 0.01, 100.0  # temperatures are sought between these


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Temperatures:
    """Temperatures that make each exit's probabilities fit best, and what they change.

    Attributes:
        temperature: (E,) float64, > 0: divide the exit's logits by it. Above 1 where the exit was too sure.
        nll_before: (E,) mean negative log-likelihood of the labels, in nats, as the logits are.
        nll_after: (E,) the same with the temperatures.
        ece_before: (E,) expected calibration error of the top probability, as the logits are.
        ece_after: (E,) the same with the temperatures.
    """

    temperature: FloatArray
    nll_before: FloatArray
    nll_after: FloatArray
    ece_before: FloatArray
    ece_after: FloatArray

    __repr__ = one_line
    __setstate__ = restore

    def to_frame(self) -> "pd.DataFrame":
        """A pandas DataFrame, one row an exit: temperature, nll_before, nll_after, ece_before, ece_after."""
        names = ("temperature", "nll_before", "nll_after", "ece_before", "ece_after")
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
        logits: (E, N, C) real, or a sequence of E arrays (N, C). Tensors are taken too.
        labels: (N,) integers in [0, C).
        bins: of the calibration error, of equal width.

    Returns:
        Temperatures between 0.01 and 100. An exit that is always right has no optimum and gets 0.01.

    Raises:
        RecordsError: shapes that do not fit, labels outside the classes, logits that are not finite, bad `bins`.

    Reference: Guo 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = rng.integers(0, 3, 2000)
        >>> logits = rng.normal(size=(1, 2000, 3)) + np.eye(3)[labels]  # the true posterior's: log-odds are 1 * logit
        >>> bool(abs(fit_temperatures(5 * logits, labels).temperature[0] - 5) < 0.5)
        True
    """
    label = whole_numbers(labels, "labels", RecordsError, ndim=1)
    if not label.size:
        raise RecordsError("labels must have at least one sample, got none")
    if not hasattr(logits, "__len__") or not len(logits):
        raise RecordsError("logits must have shape (E, N, C) with one or more exits, got none")
    edges = bin_edges(bins)
    columns: list[tuple[float, ...]] = []
    for e in range(len(logits)):  # exit by exit: no temporary of the size of all logits
        values = to_numpy(logits[e], f"logits[{e}]", RecordsError)
        if values.ndim != 2 or len(values) != len(label) or values.dtype.kind not in "biuf":
            raise RecordsError(
                f"logits[{e}] must be numbers of shape (N, C) = ({len(label)}, C), got {values.shape}, {values.dtype}"
            )
        if label.min() < 0 or label.max() >= values.shape[1]:
            raise RecordsError(
                f"labels must lie in [0, C) = [0, {values.shape[1]}), got {label.min()} to {label.max()}"
            )
        if not np.isfinite(values).all():
            raise RecordsError(f"logits must be finite, which exit {e} is not")
        gap = values - values.max(axis=1, keepdims=True).astype(np.float64)
        heat = _fit_temperature(gap, label)
        columns.append((heat, *_fit(gap, label, 1.0, edges), *_fit(gap, label, heat, edges)))
    heats, nll_before, ece_before, nll_after, ece_after = np.array(columns).T
    return Temperatures(
        temperature=read_only(heats, np.float64),
        nll_before=read_only(nll_before, np.float64),
        nll_after=read_only(nll_after, np.float64),
        ece_before=read_only(ece_before, np.float64),
        ece_after=read_only(ece_after, np.float64),
    )


def _fit_temperature(gap: FloatArray, label: npt.NDArray[Any]) -> float:
    """The root of d NLL / d beta, beta = 1 / temperature, which rises with beta: the mean logit minus the label's."""
    from scipy.optimize import brentq

    own = gap[np.arange(len(label)), label].mean()

    def slope(log_heat: float) -> float:
        weight = np.exp(gap * np.exp(-log_heat))
        return float(((weight * gap).sum(axis=1) / weight.sum(axis=1)).mean() - own)

    cold, hot = np.log(COLDEST), np.log(HOTTEST)
    if slope(cold) <= 0:
        return COLDEST
    if slope(hot) >= 0:
        return HOTTEST
    return float(np.exp(brentq(slope, cold, hot, xtol=1e-6)))


def _fit(gap: FloatArray, label: npt.NDArray[Any], heat: float, edges: FloatArray) -> tuple[float, float]:
    """Mean negative log-likelihood and expected calibration error at a temperature."""
    scaled = gap / heat
    total = np.log(np.exp(scaled).sum(axis=1))
    _, sure, right = in_bins(np.exp(-total), gap.argmax(axis=1) == label, edges)
    return float((total - scaled[np.arange(len(label)), label]).mean()), float(np.abs(sure - right).sum() / len(label))
