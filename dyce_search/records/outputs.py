"""From the outputs of a network, logits or probabilities, to the arrays of records."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arrays import numbers, to_numpy, whole_numbers
from dyce_search.errors import RecordsError
from dyce_search.records.confidence import Measure, find_measure, softmax
from dyce_search.records.layout import checked_temperature

Arrays = dict[str, Any]  # arrays, by argument
ToProbs = Callable[[npt.NDArray[Any], int], npt.NDArray[np.float32]]


def arrays_from_probs(probs: Any, labels: Any, n_exits: int, confidence: str | Measure) -> Arrays:
    """`confidence`, `score`, `label` and `prediction` of class probabilities: see `ExitRecords.from_probs`.

    Raises:
        RecordsError: shapes that do not fit, labels outside the classes, probabilities that do not sum to 1.
    """

    def checked(values: npt.NDArray[Any], exit_index: int) -> npt.NDArray[np.float32]:
        if not are_probs(values):
            raise RecordsError(
                f"probs must be >= 0 with rows that sum to 1, which exit {exit_index} does not: "
                "use from_logits for raw outputs"
            )
        return values.astype(np.float32)

    return _arrays(probs, "probs", labels, n_exits, confidence, checked)


def arrays_from_logits(
    logits: Any, labels: Any, n_exits: int, confidence: str | Measure, temperature: npt.ArrayLike
) -> Arrays:
    """`confidence`, `score`, `label` and `prediction` of logits: see `ExitRecords.from_logits`.

    Raises:
        RecordsError: shapes that do not fit, labels outside the classes, temperatures <= 0.
    """
    heat = checked_temperature(temperature, n_exits, RecordsError)
    heats = np.ones(n_exits) if heat is None else heat
    return _arrays(logits, "logits", labels, n_exits, confidence, lambda values, e: softmax(values, float(heats[e])))


def are_probs(values: npt.NDArray[Any]) -> bool:
    """Whether (N, C) outputs are class probabilities: none negative, and each row sums to 1, within 0.01.

    Example:
        >>> are_probs(np.array([[0.25, 0.75]])), are_probs(np.array([[0.25, 2.0]]))
        (True, False)
    """
    return not values.size or not (values.min() < 0 or abs(values.sum(axis=1, dtype=np.float64) - 1).max() > 1e-2)


def _arrays(outputs: Any, name: str, labels: Any, n_exits: int, confidence: str | Measure, to_probs: ToProbs) -> Arrays:
    measure = find_measure(confidence)
    label = whole_numbers(labels, "labels", RecordsError, ndim=1)
    n_samples = len(label)
    if not hasattr(outputs, "__len__") or len(outputs) != n_exits:
        found = str(len(outputs)) if hasattr(outputs, "__len__") else type(outputs).__name__
        raise RecordsError(f"{name} must have shape (E, N, C) with E = {n_exits} as the costs have, got {found}")
    confidences = np.empty((n_exits, n_samples), np.float32)
    predictions = np.empty((n_exits, n_samples), np.int32)
    for e in range(n_exits):  # exit by exit: no temporary of the size of all outputs
        values = to_numpy(outputs[e], f"{name}[{e}]", RecordsError)
        if values.dtype.kind not in "biuf":
            raise RecordsError(f"{name} must be numeric, got dtype {values.dtype}")
        if values.ndim != 2 or values.shape[0] != n_samples or values.shape[1] < 1:
            raise RecordsError(f"{name}[{e}] must have shape (N, C) = ({n_samples}, C), got {values.shape}")
        if not np.isfinite(values).all():
            raise RecordsError(f"{name} must be finite, which exit {e} is not")
        if n_samples and (label.min() < 0 or label.max() >= values.shape[1]):
            raise RecordsError(
                f"labels must lie in [0, C) = [0, {values.shape[1]}), got {label.min()} to {label.max()}"
            )
        predictions[e] = values.argmax(axis=1)
        measured = numbers(measure(to_probs(values, e)), "confidence", RecordsError, dtype=np.float32, ndim=1)
        if measured.shape != (n_samples,):
            raise RecordsError(f"the confidence measure must return shape (N,) = ({n_samples},), got {measured.shape}")
        confidences[e] = measured
    score = (predictions == label).astype(np.float32)
    return {"confidence": confidences, "score": score, "label": label, "prediction": predictions}
