"""The records of DyCE's released code, an `.npz` of predictions, as plain arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown
from dyce_search.errors import RecordsError
from dyce_search.files import PathLike

ROUNDING = 1e-6  # by which a probability may be above the one before it
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
    _require_falling(confidences, path)
    label = label.ravel()
    prediction = np.ascontiguousarray(predictions[:, :, 0])
    return {"confidence": measured, "score": prediction == label, "label": label, "prediction": prediction}


def _require_falling(confidences: npt.NDArray[Any], path: PathLike) -> None:
    """Checks that the likeliest class comes first in (E, N, K), exit by exit.

    Raises:
        RecordsError: it does not.
    """
    for exit_index, values in enumerate(confidences):
        rises = np.any(values[:, 1:] > values[:, :-1] + ROUNDING, axis=1)
        if rises.any():
            sample = int(rises.argmax())
            raise RecordsError(
                f"{path}: confs and preds must have the likeliest class first, got {values[sample, :4].tolist()} at "
                f"exit {exit_index}, sample {sample}: turn both round along their last axis"
            )
