"""The records of DyCE's released code, an `.npz` of predictions, as plain arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.errors import RecordsError
from dyce_search.files import PathLike

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
    if confidence == "max_prob":
        measured = confidences[:, :, 0]
    elif confidence == "margin" and predictions.shape[2] >= 2:
        measured = confidences[:, :, 0] - confidences[:, :, 1]
    else:
        raise RecordsError(
            f"confidence must be 'max_prob', or 'margin' where the top two are recorded (K = {predictions.shape[2]} "
            f"here), got {confidence!r}: DyCE's format holds no other probabilities"
        )
    label = label.ravel()
    prediction = np.ascontiguousarray(predictions[:, :, 0])
    return {"confidence": measured, "score": prediction == label, "label": label, "prediction": prediction}
