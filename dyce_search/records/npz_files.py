"""The two `.npz` formats of records, as plain arrays."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.errors import DyceError, FileFormatError, RecordsError
from dyce_search.files import PathLike, check_header, entry, write_atomically
from dyce_search.records.costs import ExitCosts

FORMAT, VERSION = "dyce_search.records", 1
Arrays = dict[str, npt.NDArray[Any]]


def write_arrays(path: PathLike, arrays: Arrays, costs: ExitCosts, provenance: str, *, compress: bool) -> None:
    """Writes this library's format: see `ExitRecords.save`."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "unit": costs.unit,
        "names": list(costs.names),
        "provenance": provenance,
    }
    score = arrays["score"]
    if all(np.all((row == 0) | (row == 1)) and not np.signbit(row).any() for row in score):
        arrays = {**arrays, "score": score.astype(np.uint8)}  # right or wrong: a quarter of the space
    write = np.savez_compressed if compress else np.savez
    write_atomically(
        path,
        lambda stream: write(
            stream,
            header=np.frombuffer(json.dumps(header).encode(), np.uint8),
            backbone=costs.backbone,
            head=costs.head,
            position=costs.position,
            **arrays,  # type: ignore[arg-type]
        ),
    )


def read_arrays(path: PathLike, costs: ExitCosts | None, confidence: object) -> tuple[Arrays, ExitCosts, str]:
    """Reads either format: the arrays that `ExitRecords` takes, the costs, the provenance.

    Raises:
        FileFormatError: see `load_records`.
        RecordsError: arrays of DyCE's format that do not fit together.
    """
    try:
        with open(path, "rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            names = set(archive.files)
            if "header" in names:
                return _read_own(archive, names, path, costs)
            if {"label", "preds", "confs"} <= names:
                return *_read_dyce(archive, path, costs, confidence), f"DyCE records {path}"
    except DyceError:
        raise
    except Exception as cause:  # a damaged archive makes zipfile and NumPy fail in a dozen ways
        raise FileFormatError(f"cannot read {path}: {_reason(cause)}") from cause
    raise FileFormatError(
        f"{path} is in no known format: it needs 'label', 'preds' and 'confs' (DyCE), or what "
        f"ExitRecords.save writes; it has {', '.join(sorted(names)) or 'nothing'}"
    )


def _reason(cause: Exception) -> str:
    if "pickle" in str(cause).lower():
        return "it holds pickled objects; pickles can run code and are never loaded: save plain arrays"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return f"the file is truncated or damaged ({cause}): fetch or write it anew"


def _array(archive: Any, name: str) -> npt.NDArray[Any]:
    found = archive[name]
    if not isinstance(found, np.ndarray):
        raise ValueError(f"its entry {name!r} is no array")
    return found


def _read_own(archive: Any, names: set[str], path: PathLike, costs: ExitCosts | None) -> tuple[Arrays, ExitCosts, str]:
    try:
        header = json.loads(_array(archive, "header").tobytes().decode())
    except (json.JSONDecodeError, UnicodeDecodeError) as cause:
        raise FileFormatError(f"{path} has a damaged header: {cause}") from cause
    check_header(header, FORMAT, VERSION, path)
    missing = {"confidence", "score", "backbone", "head", "position"} - names
    if missing:
        raise FileFormatError(f"{path} lacks the arrays {', '.join(sorted(missing))}")
    if costs is None:
        costs = ExitCosts(
            **{name: _array(archive, name) for name in ("backbone", "head", "position")},
            unit=entry(header, "unit", path),
            names=entry(header, "names", path),
        )
    wanted = ("confidence", "score", "label", "prediction", "group")
    return (
        {name: _array(archive, name) for name in wanted if name in names},
        costs,
        str(entry(header, "provenance", path)),
    )


def _read_dyce(archive: Any, path: PathLike, costs: ExitCosts | None, confidence: object) -> tuple[Arrays, ExitCosts]:
    if costs is None:
        raise FileFormatError(
            f"{path} is in DyCE's format, which has no costs: pass costs= (its JSON of MACs), "
            "--costs on the command line"
        )
    label, predictions, confidences = (_array(archive, name) for name in ("label", "preds", "confs"))
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
    arrays = {"confidence": measured, "score": prediction == label, "label": label, "prediction": prediction}
    return arrays, costs
