"""From the outputs of a network, logits or probabilities, to the arrays of records."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import length
from dyce_search.arrays import numbers, to_numpy, whole_numbers
from dyce_search.errors import RecordsError
from dyce_search.records.confidence import Measure, as_two_classes, find_measure, softmax
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

    label = checked_labels(labels)
    return _arrays(outputs_by_exit(probs, "probs", label, n_exits), label, n_exits, confidence, checked)


def arrays_from_logits(
    logits: Any, labels: Any, n_exits: int, confidence: str | Measure, temperature: npt.ArrayLike | None
) -> Arrays:
    """`confidence`, `score`, `label` and `prediction` of logits: see `ExitRecords.from_logits`.

    Raises:
        RecordsError: shapes that do not fit, labels outside the classes, probabilities, NaN, temperatures <= 0.
    """
    heat = checked_temperature(temperature, n_exits, RecordsError)
    heats = np.ones(n_exits) if heat is None else heat

    def measured(values: npt.NDArray[Any], exit_index: int) -> npt.NDArray[np.float32]:
        require_logits(values, exit_index, "use from_probs for probabilities")
        return softmax(values, float(heats[exit_index]))

    label = checked_labels(labels)
    return _arrays(outputs_by_exit(logits, "logits", label, n_exits), label, n_exits, confidence, measured)


def checked_labels(labels: Any) -> npt.NDArray[Any]:
    """(N,) whole numbers.

    Raises:
        RecordsError: they are something else.
    """
    return whole_numbers(labels, "labels", RecordsError, ndim=1)


def outputs_by_exit(
    outputs: Any, name: str, label: npt.NDArray[Any], n_exits: int | None = None
) -> Iterator[npt.NDArray[Any]]:
    """The outputs (N, C) of one exit after the other, C at least 2: no temporary of the size of all of them.

    One column alone is that of the second of two classes: its logit against 0, or its probability.

    Args:
        outputs: (E, N, C) real, or E arrays (N, C); -inf is a class that is ruled out.
        name: of the argument: "logits" or "probs".
        label: (N,) integers.
        n_exits: E, as the costs have; None for any number but 0.

    Raises:
        RecordsError: shapes that do not fit, labels outside the classes, NaN or +inf, rows of nothing but -inf.
    """
    size = length(outputs)
    if n_exits is None and size < 1:
        raise RecordsError(f"{name} must have shape (E, N, C) with one or more exits, got none")
    if n_exits is not None and size != n_exits:
        found = type(outputs).__name__ if size < 0 else str(size)
        raise RecordsError(f"{name} must have shape (E, N, C) with E = {n_exits} as the costs have, got {found}")
    if isinstance(outputs, np.ma.MaskedArray) or not hasattr(outputs, "__getitem__") or hasattr(outputs, "keys"):
        outputs = to_numpy(outputs, name, RecordsError)
    for e in range(size):
        yield _outputs_of(outputs[e], e, name, label)


def _outputs_of(given: Any, e: int, name: str, label: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The outputs (N, C) of exit e: see `outputs_by_exit`."""
    values = to_numpy(given, f"{name}[{e}]", RecordsError)
    if values.dtype.kind not in "biuf":
        raise RecordsError(f"{name} must be numeric, got dtype {values.dtype}")
    if values.ndim != 2 or values.shape[0] != len(label) or values.shape[1] < 1:
        raise RecordsError(f"{name}[{e}] must have shape (N, C) = ({len(label)}, C), got {values.shape}")
    if not len(label):
        return values
    most = values.max(axis=1)  # NaN where a row has any
    if not np.isfinite(most).all():
        sample = int(np.flatnonzero(~np.isfinite(most))[0])
        what = "nothing but -inf" if np.isneginf(most[sample]) else f"{most[sample]}"
        ruled_out = ", or -inf for a class that is ruled out" if name == "logits" else ""
        raise RecordsError(
            f"{name} must be finite{ruled_out}, got {what} from exit {e} at sample {sample}: leave such samples "
            "out, or mend the network"
        )
    values = as_two_classes(values, probs=name == "probs")
    if label.min() < 0 or label.max() >= values.shape[1]:
        raise RecordsError(f"labels must lie in [0, C) = [0, {values.shape[1]}), got {label.min()} to {label.max()}")
    return values


def require_logits(values: npt.NDArray[Any], exit_index: int, instead: str) -> None:
    """Checks that outputs (N, C) of an exit are no probabilities already: a softmax of those makes all exits unsure.

    Args:
        values: the outputs.
        exit_index: of the exit, for the message.
        instead: what to do with probabilities.

    Raises:
        RecordsError: no row is negative anywhere, and all sum to 1, or to 100, as nearly as `from_probs` asks.
    """
    if values.shape[0] and (are_probs(values) or are_probs(values / 100)):
        raise RecordsError(
            f"logits must be raw outputs, got probabilities (>= 0, rows sum to 1) from exit {exit_index}: {instead}"
        )


def are_probs(values: npt.NDArray[Any]) -> bool:
    """Whether (N, C) outputs are class probabilities: none negative, and each row sums to 1, within 0.01.

    Example:
        >>> are_probs(np.array([[0.25, 0.75]])), are_probs(np.array([[0.25, 2.0]]))
        (True, False)
    """
    if not values.size:
        return True
    return not (values.min() < 0 or abs(values.sum(axis=1, dtype=np.float64) - 1).max() > 1e-2)


def _arrays(
    outputs: Iterator[npt.NDArray[Any]],
    label: npt.NDArray[Any],
    n_exits: int,
    confidence: str | Measure,
    to_probs: ToProbs,
) -> Arrays:
    measure, n_samples = find_measure(confidence), len(label)
    confidences = np.empty((n_exits, n_samples), np.float32)
    predictions = np.empty((n_exits, n_samples), np.int32)
    for e, values in enumerate(outputs):
        predictions[e] = values.argmax(axis=1)
        measured = numbers(measure(to_probs(values, e)), "confidence", RecordsError, dtype=np.float32, ndim=1)
        if measured.shape != (n_samples,):
            raise RecordsError(f"the confidence measure must return shape (N,) = ({n_samples},), got {measured.shape}")
        confidences[e] = measured
    score = (predictions == label).astype(np.float32)
    return {"confidence": confidences, "score": score, "label": label, "prediction": predictions}
