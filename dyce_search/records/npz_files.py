"""This library's records in an `.npz`, as plain arrays; and which of the two `.npz` formats a file has."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.arrays import require_finite_rows, whole_numbers
from dyce_search.errors import FileFormatError, RecordsError
from dyce_search.files import PathLike, write_atomically
from dyce_search.records.archives import Archive, opened
from dyce_search.records.checks import require_score_rows
from dyce_search.records.costs import ExitCosts
from dyce_search.records.dyce_files import read_predictions
from dyce_search.records.sample_costs import SampleCosts
from dyce_search.records.stored_arrays import StoredArray, stored_array

if TYPE_CHECKING:
    from dyce_search.records.records import ExitRecords

DYCE = ("label", "preds", "confs")
COSTS = ("backbone", "head", "position")
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
    from dyce_search.records.npz_header import header_bytes

    every = {name: getattr(records, name) for name in ("confidence", "score", *OPTIONAL)}
    arrays = {name: value for name, value in every.items() if value is not None}
    costs = records.costs if records.sample_costs is None else records.sample_costs
    if half:
        arrays = {**arrays, "confidence": _halved(arrays["confidence"])}
    mean = costs
    if isinstance(costs, SampleCosts):
        by_sample = (costs.backbone, costs.head, costs.most.backbone, costs.most.head)
        arrays, mean = arrays | dict(zip(SAMPLE_COSTS, by_sample, strict=True)), costs.mean
    score = arrays["score"]
    if all(np.all((row == 0) | (row == 1)) and not np.signbit(row).any() for row in score):
        arrays = {**arrays, "score": score.astype(np.uint8)}  # right or wrong: a quarter of the space
    header = header_bytes(
        unit=costs.unit,
        names=list(costs.names),
        measure=records.measure,
        temperature=None if records.temperature is None else records.temperature.tolist(),
        source=records.source,
    )
    write = np.savez_compressed if compress else np.savez
    write_atomically(
        path,
        lambda stream: write(
            stream,
            header=header,
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
    path: PathLike,
    costs: ExitCosts | SampleCosts | None,
    confidence: object,
    *,
    in_memory: bool = True,
    max_bytes: int | None = None,
) -> Content:
    """Reads this library's format, or DyCE's.

    Args:
        path: the file.
        costs: in place of the file's, or of DyCE's format, which has none.
        confidence: of DyCE's format.
        in_memory: False leaves the large arrays of this library's format in the file, as `StoredArray`s.
        max_bytes: that the file may unpack to.

    Raises:
        FileFormatError: see `load_records`.
        RecordsError: arrays of DyCE's format that do not fit together; a confidence for this library's.
        ConfigError: costs of other exits than the file's.
    """
    with opened(path, max_bytes) as archive:
        if not in_memory and "header" not in archive.names:
            raise FileFormatError(
                f"{path} was not written by records.save, and can only be read as a whole: leave out "
                "in_memory=False, or load it once and save it with compress=False"
            )
        if "header" in archive.names:
            if confidence is not None:
                raise RecordsError(f"{path} holds confidences as they are, got confidence={confidence!r}: leave it out")
            return _read_own(archive, costs, in_memory)
        if not archive.names.issuperset(DYCE):
            raise FileFormatError(
                f"{path} is in no known format: it needs 'label', 'preds' and 'confs' (DyCE), or what "
                f"ExitRecords.save writes; it has {', '.join(sorted(archive.names)) or 'nothing'}"
            )
        if costs is None:
            raise FileFormatError(
                f"{path} is in DyCE's format, which has no costs: pass costs= (its JSON of MACs), "
                "--costs on the command line"
            )
        confidence = "max_prob" if confidence is None else confidence
        return Content(
            arrays=read_predictions({name: archive.array(name) for name in DYCE}, path, confidence),
            costs=costs,
            source=f"DyCE records {path}",
            measure=str(confidence),
            temperature=None,
        )


def _left_in_file(archive: Archive, name: str) -> StoredArray:
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

    return stored_array(archive.path, archive.zip, name, require)


def _read_own(archive: Archive, costs: ExitCosts | SampleCosts | None, in_memory: bool) -> Content:
    from dyce_search.records.npz_header import read_header

    path, names = archive.path, archive.names
    header = read_header(archive.array("header"), path)
    _require_arrays(archive, {"confidence", "score", *COSTS})
    mean = ExitCosts(**{name: archive.array(name) for name in COSTS}, unit=header.unit, names=header.names)
    by_sample = names & set(SAMPLE_COSTS)
    if by_sample and not in_memory and costs is None:
        raise RecordsError(
            f"{path} holds costs that differ by sample, which need memory: leave out in_memory=False, or pass others"
        )
    own = _sample_costs(archive, mean) if by_sample and in_memory else mean
    if costs is not None:  # in place of the file's, for the same exits
        own = replace(costs, names=own.layout.joined(costs.layout, f"the file {path}", "costs").names)
    arrays: dict[str, Any] = {}
    for name in ("confidence", "score", *OPTIONAL):
        if name in names:
            large = not in_memory and name in ("confidence", "score", "prediction")
            arrays[name] = _left_in_file(archive, name) if large else archive.array(name)
    return Content(
        arrays=arrays,
        costs=own,
        source=header.source,
        measure=header.measure,
        temperature=header.temperature,
    )


def _sample_costs(archive: Archive, mean: ExitCosts) -> SampleCosts:
    _require_arrays(archive, set(SAMPLE_COSTS))
    most = replace(mean, backbone=archive.array("most_backbone"), head=archive.array("most_head"))
    return SampleCosts(
        backbone=archive.array("sample_backbone"),
        head=archive.array("sample_head"),
        position=mean.position,
        unit=mean.unit,
        names=mean.names,
        most=most,
    ).with_exact_mean(mean)


def _require_arrays(archive: Archive, needed: set[str]) -> None:
    missing = needed - archive.names
    if missing:
        raise FileFormatError(f"{archive.path} lacks the arrays {', '.join(sorted(missing))}")
