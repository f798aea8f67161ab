"""What a cascade of whole models answered, as the arrays of records: with gaps, strings and prices by query."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown
from dyce_search.arrays import numbers, require_length, to_numpy
from dyce_search.errors import RecordsError
from dyce_search.records.checks import require_one_length
from dyce_search.records.costs import ExitCosts
from dyce_search.records.frames import score_of
from dyce_search.records.sample_costs import SampleCosts

LOWEST = np.finfo(np.float32).min  # what stands for a confidence of -inf


def cascade_arrays(
    *, price: Any, confidence: Any, score: Any, prediction: Any, label: Any, unit: str, names: Sequence[str]
) -> dict[str, Any]:
    """The arguments of `ExitRecords`: see `ExitRecords.from_cascade`.

    Raises:
        RecordsError: models with different numbers of samples, NaN, neither scores nor predictions and labels.
        CostsError: prices that are negative, or fewer than two.
    """
    for name, rows in (("price", price), ("confidence", confidence), ("score", score), ("prediction", prediction)):
        require_one_length([row for row in rows if row is not None] if _is_list(rows) else rows, name)
    who = tuple(map(str, names))
    prediction, label = _coded(prediction, label)
    if score is None:
        if prediction is None or label is None:
            raise RecordsError("a cascade needs score, or prediction and label, got neither: pass one of the two")
        score = score_of(prediction, label)
    score = _numbers(score, "score", who)
    return {
        "confidence": _confidences(confidence, score.shape, who),
        "score": score,
        "costs": cascade_costs(price, unit=unit, names=who),
        "prediction": prediction,
        "label": label,
    }


def cascade_costs(price: Any, *, unit: str, names: Sequence[str] = ()) -> ExitCosts | SampleCosts:
    """The costs of a cascade, of prices (M,), or (M, N) where they differ by sample.

    Raises:
        CostsError: prices that are negative or not finite, or fewer than two.
    """
    given = to_numpy(price, "price", RecordsError)
    if given.ndim < 2:
        return ExitCosts.cascade(given, unit=unit, names=names)
    return SampleCosts.cascade(given, unit=unit, names=names)


def model_of(m: int, names: Sequence[str]) -> str:
    """A model, for messages."""
    return f"model {m} ({names[m]})" if m < len(names) else f"model {m}"


def _confidences(confidence: Any, shape: tuple[int, ...], names: Sequence[str]) -> npt.NDArray[np.float32]:
    """(M, N): a last row that is missing is 0, and -inf the lowest finite number.

    Raises:
        RecordsError: NaN or +inf before the last model, another shape than the scores'.
    """
    rows = list(confidence if _is_list(confidence) else _numbers(confidence, "confidence", names))
    if len(rows) == shape[0] - 1:
        rows.append(None)
    if len(rows) != shape[0]:
        raise RecordsError(f"score must have the shape of confidence, {(len(rows), *shape[1:])}, got {shape}")
    sure = np.empty(shape)
    for m, row in enumerate(rows):
        if row is None and m < len(rows) - 1:
            raise RecordsError(
                f"confidence must be given for every model but the last, got none of {model_of(m, names)}"
            )
        given = np.zeros(shape[1]) if row is None else row
        values = numbers(given, f"confidence of {model_of(m, names)}", RecordsError, dtype=np.float64, ndim=1)
        require_length(values, f"confidence of {model_of(m, names)}", shape[1], RecordsError)
        sure[m] = values
    sure = np.where(np.isneginf(sure), LOWEST, sure)
    bad = np.argwhere(~np.isfinite(sure[:-1]))
    if len(bad):
        m, sample = bad[0].tolist()
        raise RecordsError(
            f"confidence must be a number or -inf, which is 'not from this model', got {sure[m, sample]} from "
            f"{model_of(m, names)} on sample {sample} ({len(bad)} such answers): say -inf, or drop the sample"
        )
    sure[-1] = np.where(np.isfinite(sure[-1]), sure[-1], 0)  # nobody asks the last one
    with np.errstate(over="ignore"):  # infinity is refused with the records
        return sure.astype(np.float32)


def _numbers(rows: Any, name: str, names: Sequence[str]) -> npt.NDArray[np.float64]:
    array = to_numpy(rows, name, RecordsError)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise RecordsError(
            f"{name} must be numbers (M, N), a row for each model, got shape {array.shape}, dtype {array.dtype}"
        )
    values = array.astype(np.float64)
    if name == "score" and np.isnan(values).any():
        m, sample = np.argwhere(np.isnan(values))[0].tolist()
        raise RecordsError(
            f"score must lie in [0, 1], got NaN from {model_of(m, names)} on sample {sample}: judge it first, or drop "
            "the sample"
        )
    return values


def _coded(prediction: Any, label: Any) -> tuple[Any, Any]:
    """Answers and labels that are strings as numbers, the same for the same; others as they are.

    Raises:
        RecordsError: strings and numbers mixed, or answers that are missing.
    """
    parts = (("prediction", prediction), ("label", label))
    given = {name: _objects(value, name) for name, value in parts if value is not None}
    if not any(isinstance(entry, str) for array in given.values() for entry in array.ravel()):
        return prediction, label
    for name, array in given.items():
        odd = [index for index, entry in enumerate(array.ravel().tolist()) if not isinstance(entry, str)]
        if odd:
            entry = array.ravel().tolist()[odd[0]]
            raise RecordsError(
                f"{name} must hold strings where one of prediction and label does, got {shown(entry)} at entry "
                f"{odd[0]}: turn all into strings, or all into whole numbers"
            )
    every = np.concatenate([array.ravel().astype(str) for array in given.values()])
    codes, found, start = np.unique(every, return_inverse=True)[1].reshape(-1), {}, 0
    for name, array in given.items():
        found[name] = codes[start : start + array.size].reshape(array.shape)
        start += array.size
    return found.get("prediction"), found.get("label")


def _objects(value: Any, name: str) -> npt.NDArray[Any]:
    """Answers as they are, (M, N) or (N,): NumPy would turn 1 beside "a" into "1".

    Raises:
        RecordsError: they are no rectangular array.
    """
    if hasattr(value, "detach") or (_is_list(value) and any(hasattr(row, "detach") for row in value)):
        return to_numpy(value, name, RecordsError)
    rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in value] if _is_list(value) else value
    try:
        return np.asarray(rows, object)
    except (TypeError, ValueError) as cause:
        raise RecordsError(f"{name} must have one entry per sample: {cause}") from cause


def _is_list(rows: Any) -> bool:
    return isinstance(rows, (list, tuple))
