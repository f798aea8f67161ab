"""The records of DyCE's released code, an `.npz` of predictions, as plain arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown
from dyce_search.errors import RecordsError
from dyce_search.files import PathLike

ROUNDING = 1e-6  # by which a probability may be above the one before it
MORE_THAN_ALL = 1e-2  # by which the probabilities of some classes may add up to more than 1
Arrays = dict[str, npt.NDArray[Any]]


def read_predictions(archive: Any, path: PathLike, confidence: object) -> Arrays:
    """The arrays that `ExitRecords` takes, of an open `.npz` with `label`, `preds` and `confs`: see `load_records`.

    Raises:
        RecordsError: arrays that do not fit together, or a confidence that they do not hold.
    """
    label, predictions, confidences = archive["label"], archive["preds"], archive["confs"]
    if predictions.ndim != 3 or predictions.shape != confidences.shape or not predictions.shape[2]:
        raise RecordsError(
            f"{path}: preds and confs must have the same shape (E, N, K), "
            f"got {predictions.shape} and {confidences.shape}"
        )
    if label.size != predictions.shape[1]:
        raise RecordsError(f"{path}: label must have N = {predictions.shape[1]} entries, got {label.size}")
    if isinstance(confidence, str) and confidence == "max_prob":
        measured = confidences[:, :, 0]
    elif isinstance(confidence, str) and confidence == "margin" and predictions.shape[2] >= 2:
        measured = confidences[:, :, 0] - confidences[:, :, 1]
    else:
        raise RecordsError(
            f"confidence must be 'max_prob', or 'margin' where the top two are recorded (K = {predictions.shape[2]} "
            f"here), got {shown(confidence)}: DyCE's format holds no other probabilities"
        )
    _require_top_classes(confidences, path)
    label = label.ravel()
    prediction = np.ascontiguousarray(predictions[:, :, 0])
    return {"confidence": measured, "score": prediction == label, "label": label, "prediction": prediction}


def _require_top_classes(confidences: npt.NDArray[Any], path: PathLike) -> None:
    """Checks that (E, N, K) are probabilities, and that the likeliest class comes first, exit by exit.

    Raises:
        RecordsError: it does not.
    """
    for exit_index, values in enumerate(confidences):
        odd = (values.min(axis=1) < 0) | (values.sum(axis=1, dtype=np.float64) > 1 + MORE_THAN_ALL)
        if odd.any():
            sample = int(odd.argmax())
            raise RecordsError(
                f"{path}: confs must be the probabilities of the likeliest classes, got {values[sample, :4].tolist()} "
                f"at exit {exit_index}, sample {sample}: take the softmax of raw outputs first"
            )
        rises = np.any(values[:, 1:] > values[:, :-1] + ROUNDING, axis=1)
        if rises.any():
            sample = int(rises.argmax())
            raise RecordsError(
                f"{path}: confs and preds must have the likeliest class first, got {values[sample, :4].tolist()} at "
                f"exit {exit_index}, sample {sample}: turn both round along their last axis"
            )
