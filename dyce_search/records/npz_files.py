"""This library's records in an `.npz`, as plain arrays; and which of the two `.npz` formats a file has."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.arrays import require_finite_rows, whole_numbers
from dyce_search.errors import DyceError, FileFormatError, RecordsError
from dyce_search.files import PathLike, check_header, entry, write_atomically
from dyce_search.records.checks import require_score_rows
from dyce_search.records.costs import ExitCosts
from dyce_search.records.dyce_files import read_predictions
from dyce_search.records.sample_costs import SampleCosts
from dyce_search.records.stored_arrays import StoredArray, stored_array

if TYPE_CHECKING:
    from dyce_search.records.records import ExitRecords

FORMAT, VERSION, OLDER = "dyce_search.records", 2, (1,)
OPTIONAL = ("label", "prediction", "group")
SAMPLE_COSTS = ("sample_backbone", "sample_head", "most_backbone", "most_head")  # all of them, or none
Arrays = dict[str, Any]  # arrays, by argument


class Content(NamedTuple):
    """What a file of records holds: the arguments of `ExitRecords`, as they are.

    Attributes:
        arrays: by name: confidence, score and those that are optional; large ones that stay in the file as
            `StoredArray`s.
        costs: of the file, or those that replace them.
        source: where the records come from.
        measure: of confidence, None where it is unknown.
        temperature: (E,) of the exits, or None.
    """

    arrays: Arrays
    costs: ExitCosts | SampleCosts
    source: str
    measure: str | None
    temperature: list[float] | None


def write_records(path: PathLike, records: "ExitRecords", *, compress: bool, half: bool) -> None:
    """Writes this library's format: see `ExitRecords.save`.

    Raises:
        RecordsError: confidences that float16 cannot hold.
        FileFormatError: the folder cannot be written.
    """
    every = {name: getattr(records, name) for name in ("confidence", "score", *OPTIONAL)}
    arrays = {name: value for name, value in every.items() if value is not None}
    costs = records.costs if records.sample_costs is None else records.sample_costs
    if half:
        arrays = {**arrays, "confidence": _halved(arrays["confidence"])}
    mean = costs
    if isinstance(costs, SampleCosts):
        by_sample = (costs.backbone, costs.head, costs.most.backbone, costs.most.head)
        arrays, mean = arrays | dict(zip(SAMPLE_COSTS, by_sample, strict=True)), costs.mean
    header = {
        "format": FORMAT,
        "version": VERSION,
        "unit": costs.unit,
        "names": list(costs.names),
        "measure": records.measure,
        "temperature": None if records.temperature is None else records.temperature.tolist(),
        "source": records.source,
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
            backbone=mean.backbone,
            head=mean.head,
            position=mean.position,
            **arrays,
        ),
    )


def _halved(confidence: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    halved = np.empty(confidence.shape, np.float16)
    for exit_index, (row, whole) in enumerate(zip(halved, confidence, strict=True)):
        with np.errstate(over="ignore"):
            row[:] = whole
        if not np.isfinite(row).all():
            raise RecordsError(
                f"confidences beyond 65,504 do not fit into float16, got {np.abs(whole).max():g} at exit "
                f"{exit_index}: save them without half=True"
            )
    return halved


def read_arrays(
    path: PathLike, costs: ExitCosts | SampleCosts | None, confidence: object, *, in_memory: bool = True
) -> Content:
    """Reads this library's format, or DyCE's.

    Args:
        path: the file.
        costs: in place of the file's, or of DyCE's format, which has none.
        confidence: of DyCE's format.
        in_memory: False leaves the large arrays of this library's format in the file, as `StoredArray`s.

    Raises:
        FileFormatError: see `load_records`.
        RecordsError: arrays of DyCE's format that do not fit together; a confidence for this library's.
        ConfigError: costs of other exits than the file's.
    """
    try:
        with open(path, "rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            names = set(archive.files)
            if not in_memory and "header" not in names:
                raise FileFormatError(
                    f"{path} was not written by records.save, and can only be read as a whole: leave out "
                    "in_memory=False, or load it once and save it with compress=False"
                )
            if "header" in names:
                if confidence is not None:
                    raise RecordsError(
                        f"{path} holds confidences as they are, got confidence={confidence!r}: leave it out"
                    )
                return _read_own(archive, names, path, costs, in_memory)
            if {"label", "preds", "confs"} <= names:
                if costs is None:
                    raise FileFormatError(
                        f"{path} is in DyCE's format, which has no costs: pass costs= (its JSON of MACs), "
                        "--costs on the command line"
                    )
                confidence = "max_prob" if confidence is None else confidence
                wanted = {name: _array(archive, name) for name in ("label", "preds", "confs")}
                return Content(
                    arrays=read_predictions(wanted, path, confidence),
                    costs=costs,
                    source=f"DyCE records {path}",
                    measure=str(confidence),
                    temperature=None,
                )
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


def _left_in_file(archive: Any, name: str, path: PathLike) -> StoredArray:
    """A large array, read through once to check it."""

    def require(rows: Iterable[npt.NDArray[Any]]) -> None:
        if name == "confidence":
            with np.errstate(over="ignore"):
                require_finite_rows((row.astype(np.float32, copy=False) for row in rows), name, RecordsError)
        elif name == "score":
            require_score_rows(rows)
        else:
            for row in rows:
                whole_numbers(row, name, RecordsError, ndim=1)

    return stored_array(path, archive.zip, name, require)


def _read_own(
    archive: Any, names: set[str], path: PathLike, costs: ExitCosts | SampleCosts | None, in_memory: bool
) -> Content:
    try:
        header = json.loads(_array(archive, "header").tobytes().decode())
    except (json.JSONDecodeError, UnicodeDecodeError) as cause:
        raise FileFormatError(f"{path} has a damaged header: {cause}") from cause
    version = check_header(header, FORMAT, (VERSION, *OLDER), path)
    missing = {"confidence", "score", "backbone", "head", "position"} - names
    if missing:
        raise FileFormatError(f"{path} lacks the arrays {', '.join(sorted(missing))}")
    mean = ExitCosts(
        **{name: _array(archive, name) for name in ("backbone", "head", "position")},
        unit=entry(header, "unit", path),
        names=entry(header, "names", path),
    )
    by_sample = names & set(SAMPLE_COSTS)
    if by_sample and not in_memory and costs is None:
        raise RecordsError(
            f"{path} holds costs that differ by sample, which need memory: leave out in_memory=False, or pass others"
        )
    own = _sample_costs(archive, names, path, mean) if by_sample and in_memory else mean
    if costs is not None:  # in place of the file's, for the same exits
        own = replace(costs, names=own.layout.joined(costs.layout, f"the file {path}", "costs").names)
    arrays: dict[str, Any] = {}
    for name in ("confidence", "score", *OPTIONAL):
        if name in names:
            large = not in_memory and name in ("confidence", "score", "prediction")
            arrays[name] = _left_in_file(archive, name, path) if large else _array(archive, name)
    return Content(
        arrays=arrays,
        costs=own,
        source=str(entry(header, "provenance" if version == 1 else "source", path)),
        measure=None if version == 1 else entry(header, "measure", path),  # version 1 did not know it
        temperature=None if version == 1 else entry(header, "temperature", path),
    )


def _sample_costs(archive: Any, names: set[str], path: PathLike, mean: ExitCosts) -> SampleCosts:
    missing = set(SAMPLE_COSTS) - names
    if missing:
        raise FileFormatError(f"{path} lacks the arrays {', '.join(sorted(missing))}")
    most = replace(mean, backbone=_array(archive, "most_backbone"), head=_array(archive, "most_head"))
    return SampleCosts(
        backbone=_array(archive, "sample_backbone"),
        head=_array(archive, "sample_head"),
        position=mean.position,
        unit=mean.unit,
        names=mean.names,
        most=most,
    ).with_exact_mean(mean)
