"""What the arrays of records must be."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import length
from dyce_search.arrays import numbers, require_finite_rows, require_length, to_numpy, whole_numbers
from dyce_search.errors import RecordsError
from dyce_search.records.costs import ExitCosts
from dyce_search.records.sample_costs import SampleCosts

FloatArray = npt.NDArray[np.float32]


def checked_answers(confidence: Any, score: Any, n_exits: int) -> tuple[FloatArray, FloatArray]:
    """Both as (E, N) float32, read-only.

    Raises:
        RecordsError: wrong or transposed shapes, no samples, NaN or infinite confidences, scores outside [0, 1].
    """
    confidence = numbers(confidence, "confidence", RecordsError, dtype=np.float32, ndim=2)
    score = numbers(score, "score", RecordsError, dtype=np.float32, ndim=2)
    require_answer_shapes(confidence.shape, score.shape, n_exits)
    require_finite_rows(confidence, "confidence", RecordsError)
    require_score_rows(score)
    return confidence, score


def require_answer_shapes(confidence: tuple[int, ...], score: tuple[int, ...], n_exits: int) -> None:
    """Checks the shapes of confidences and scores, two axes each.

    Raises:
        RecordsError: they are not (E, N) both, or there are no samples.
    """
    if confidence[0] != n_exits:
        expected = f"confidence must have one row per candidate, (E, N) = ({n_exits}, N)"
        hint = (
            "transpose it, exits come first"
            if confidence[1] == n_exits
            else f"the costs describe {n_exits} candidates, the final exit included"
        )
        raise RecordsError(f"{expected}, got {confidence}: {hint}")
    if confidence[1] == 0:
        raise RecordsError("records must have at least one sample, got confidence of shape (E, 0)")
    if score != confidence:
        hint = ": transpose it, exits come first" if score == confidence[::-1] else ""
        raise RecordsError(f"score must have the shape of confidence, {confidence}, got {score}{hint}")


def require_score_rows(rows: Iterable[npt.NDArray[Any]]) -> None:
    """Checks scores row by row.

    Raises:
        RecordsError: one outside [0, 1], or NaN.
    """
    for exit_index, row in enumerate(rows):
        if not (row.min() >= 0 and row.max() <= 1):
            sample = int(np.flatnonzero(~((row >= 0) & (row <= 1)))[0])
            raise RecordsError(
                f"score must lie in [0, 1], got {row[sample]} at exit {exit_index}, sample {sample}: scale it first"
            )


def require_costs(costs: Any) -> None:
    """Checks that these are costs.

    Raises:
        RecordsError: they are something else.
    """
    if not isinstance(costs, (ExitCosts, SampleCosts)):
        raise RecordsError(
            f"costs must be an ExitCosts, got {type(costs).__name__}: or a SampleCosts, where they differ by sample"
        )


def parted_costs(costs: Any, sample_costs: Any) -> tuple[ExitCosts, SampleCosts | None]:
    """The mean costs and, where they differ by sample, the sample costs, from whichever was given.

    Raises:
        RecordsError: no costs, or two that contradict each other.
    """
    require_costs(costs)
    if isinstance(costs, SampleCosts):
        return costs.mean, costs
    if sample_costs is not None and not (isinstance(sample_costs, SampleCosts) and sample_costs.mean == costs):
        raise RecordsError(
            "costs must be the means of sample_costs, got others: pass a SampleCosts as costs=, and sample_costs=None "
            "where every sample costs the same"
        )
    return costs, sample_costs


def checked_label(label: Any, n_samples: int) -> npt.NDArray[Any]:
    """(N,) integers, read-only.

    Raises:
        RecordsError: they are no whole numbers, or not one per sample.
    """
    checked = whole_numbers(label, "label", RecordsError, ndim=1)
    require_length(checked, "label", n_samples, RecordsError)
    return checked


def checked_prediction(prediction: Any, n_exits: int, n_samples: int) -> npt.NDArray[Any]:
    """(E, N) integers, read-only.

    Raises:
        RecordsError: they are no whole numbers, or of another shape.
    """
    checked = whole_numbers(prediction, "prediction", RecordsError, ndim=2)
    if checked.shape != (n_exits, n_samples):
        raise RecordsError(f"prediction must have shape (E, N) = ({n_exits}, {n_samples}), got {checked.shape}")
    return checked


def checked_group(group: Any, n_samples: int) -> npt.NDArray[Any]:
    """(N,) integers or strings, a read-only copy.

    Raises:
        RecordsError: they are neither, or not one per sample.
    """
    checked = to_numpy(_strings(group), "group", RecordsError)
    if checked.ndim != 1 or checked.dtype.kind not in "iuUSb":
        raise RecordsError(f"group must be (N,) integers or strings, got shape {checked.shape}, dtype {checked.dtype}")
    require_length(checked, "group", n_samples, RecordsError)
    checked = checked.copy()
    checked.flags.writeable = False
    return checked


def require_one_length(rows: Any, name: str) -> None:
    """Checks that a sequence of rows, one for each model, is not ragged.

    Raises:
        RecordsError: the models have answered different numbers of samples.
    """
    sizes = [length(row) for row in rows if length(row) >= 0] if isinstance(rows, (list, tuple)) else []
    if len(set(sizes)) > 1:
        raise RecordsError(
            f"{name} must have one entry per sample for every model, got {sizes}: run all models on the same samples"
        )


def _strings(group: Any) -> Any:
    """Strings that come as Python objects, as pandas has them, as an array of strings; the rest as it is."""
    entries = np.asarray(group) if hasattr(group, "__array__") and not hasattr(group, "detach") else None
    if entries is not None and entries.dtype == object and all(isinstance(entry, str) for entry in entries.flat):
        return entries.astype(str)
    return group
