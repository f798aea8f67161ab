"""The files of DyCE's released code: an `.npz` of predictions, and a JSON of MACs. As plain arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown
from dyce_search.arrays import numbers
from dyce_search.errors import CostsError, FileFormatError, RecordsError
from dyce_search.files import PathLike, entry

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


def read_macs(content: Any, path: PathLike) -> dict[str, Any]:
    """What `ExitCosts` takes, of the content of a JSON of MACs: see `ExitCosts.load`.

    Raises:
        FileFormatError: a key is missing.
        CostsError: numbers that do not fit together.
    """
    heads = entry(content, "head", path)
    backbone = _macs(entry(content, "backbone", path), "backbone macs", path)
    if not isinstance(heads, list) or not heads:
        raise FileFormatError(f"{path}: 'head' must be a list with an entry per head type")
    macs = [_macs(head, f"macs of head {index}", path) for index, head in enumerate(heads)]
    n_positions = len(backbone) - 1
    for index, per_position in enumerate(macs):
        if len(per_position) != n_positions + 1:
            raise CostsError(
                f"{path}: macs of head {index} must have {n_positions + 1} entries as the backbone has "
                f"(one per position, then 0 for the final exit), got {len(per_position)}"
            )
        if per_position[-1] != 0:
            raise CostsError(
                f"{path}: macs of head {index} must end with 0 for the final exit, got {per_position[-1]:g}: "
                "the backbone's last entry already is the whole model"
            )
    if "shared" in content:
        shared = _macs(content["shared"], "shared macs", path)
        if len(shared) != n_positions + 1:
            raise CostsError(f"{path}: shared macs must have {n_positions + 1} entries, got {len(shared)}")
        backbone = backbone + shared
    names = [str(head.get("name", f"type{index}")) for index, head in enumerate(heads)]
    return {
        "backbone": backbone,
        "head": np.append(np.stack(macs, axis=1)[:-1].ravel(), 0.0),
        "position": np.append(np.repeat(np.arange(n_positions), len(heads)), n_positions),
        "names": (*(names * n_positions), "final"),
    }


def _macs(part: Any, name: str, path: PathLike) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = numbers(entry(part, "macs", path), name, CostsError, dtype=np.float64, ndim=1)
    return found
