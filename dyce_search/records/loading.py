"""Records from files of any kind, and the example of the package."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from dyce_search.arguments import choice, flag, shown, text
from dyce_search.errors import FileFormatError, RecordsError
from dyce_search.files import PathLike, named, require_path
from dyce_search.records.archives import require_bytes
from dyce_search.records.confidence import Measure
from dyce_search.records.costs import ExitCosts
from dyce_search.records.file_kinds import kind_of
from dyce_search.records.npz_files import read_arrays
from dyce_search.records.outputs import are_probs
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import SampleCosts
from dyce_search.records.stored import AnyRecords, StoredRecords
from dyce_search.records.table_files import read_frame
from dyce_search.records.wrong_files import content_of, not_records, require_plain_table, wrong_file


@overload
def load_records(
    path: PathLike,
    *,
    costs: ExitCosts | SampleCosts | PathLike | None = ...,
    confidence: str | Measure | None = ...,
    measure: str | None = ...,
    part: Literal["val", "test"] | None = ...,
    in_memory: Literal[True] = ...,
    max_bytes: int | None = ...,
) -> ExitRecords: ...


@overload
def load_records(
    path: PathLike,
    *,
    costs: ExitCosts | PathLike | None = ...,
    measure: str | None = ...,
    in_memory: Literal[False],
    max_bytes: int | None = ...,
) -> StoredRecords: ...


def load_records(
    path: PathLike,
    *,
    costs: ExitCosts | SampleCosts | PathLike | None = None,
    confidence: str | Measure | None = None,
    measure: str | None = None,
    part: Literal["val", "test"] | None = None,
    in_memory: bool = True,
    max_bytes: int | None = None,
) -> AnyRecords:
    """Loads records from a file, whose kind is recognised by its content. Nothing in it is ever run.

    - This library's `.npz`, as `ExitRecords.save` writes it, holds its own costs.
    - DyCE's `.npz` with `label`, `preds` and `confs`; its costs are a JSON of MACs.
    - A table, long or wide, as CSV, TSV or Parquet (which needs pyarrow): see `ExitRecords.from_frame`.
    - MSDNet's `logits_single.pth` or `logits_greedy.pth`, which need PyTorch and are read with `weights_only`. They
      hold a validation and a test set, and probabilities in spite of their name; raw logits are taken too. Their
      costs are `flops.pth`, one number an exit, multiply-adds with all earlier classifiers included, so leaving a
      classifier out saves nothing there; pass an `ExitCosts` if you know better.

    Args:
        path: the file.
        costs: an `ExitCosts`, a `SampleCosts`, DyCE's JSON of MACs, what `ExitCosts.save` wrote, or MSDNet's
            `flops.pth`. Needed for all but this library's `.npz`, where it replaces the costs of the file, say by
            measured milliseconds.
        confidence: to compute from the probabilities of a file, "max_prob" by default: of MSDNet's files, as in
            `ExitRecords.from_probs`; of DyCE's, "max_prob", the top probability, or "margin", its distance from the
            second. The others hold confidences as they are.
        measure: what the confidences of the others are, where the file does not say: of tables, and of this library's
            files of version 1. See `ExitRecords`.
        part: of MSDNet's files: "val" (the default), to search on, or "test", to report on.
        in_memory: False leaves confidences, scores and predictions in the file, for more samples than memory holds: a
            `StoredRecords`, which `search` and `front.evaluate` take. The file is checked from end to end all the
            same. Only for what `ExitRecords.save` wrote with `compress=False`.
        max_bytes: that an `.npz` may unpack to, which it states and which is looked at first, or a table packed by
            gzip; None is 256 MiB, or a hundred times the size of the file where that is more.

    Raises:
        FileFormatError: missing, truncated or pickled file; another format or version; costs that are needed; a file
            that can only be read as a whole, or that unpacks to more than `max_bytes`.
        RecordsError: arrays or tables that are no valid records.
        CostsError: costs that do not fit together.
        MissingPackageError: PyTorch or pyarrow, where they are needed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     load_example().subset(range(100)).save(f"{folder}/records.npz")
        ...     load_records(f"{folder}/records.npz").n_samples
        100

    Reference: MSDNet is Huang 2018, arXiv 1703.09844.
    """
    require_bytes(max_bytes)
    kind = kind_of(path)
    flag(in_memory, "in_memory", RecordsError)
    if part is not None and (kind != "torch" or not isinstance(part, str) or part not in ("val", "test")):
        raise RecordsError(
            f"part must be 'val' or 'test', for MSDNet's .pth only, got {shown(part)} for {path}: leave it out"
        )
    if measure is not None:
        text(measure, "measure", RecordsError)
    if kind in ("json", "npy", "pickle", "empty", "foreign text", "unknown"):
        raise not_records(path, kind)
    if costs is not None and not isinstance(costs, (ExitCosts, SampleCosts)):
        require_path(costs, "costs")
        costs = _load_costs(costs)
    if kind == "torch" and measure is not None:
        raise RecordsError(f"measure is for confidences that a file holds, {path} holds outputs: pass confidence=")
    if not in_memory and kind != "npz":
        raise FileFormatError(
            f"{path} can only be read as a whole, in_memory=False is for the .npz of records.save(path, compress=False)"
        )
    if kind == "npz":
        with named(path):
            return _load_npz(path, costs, confidence, measure=measure, in_memory=in_memory, max_bytes=max_bytes)
    if kind in ("text", "gzip"):
        require_plain_table(path)
    if costs is None:
        raise FileFormatError(
            f"{path} holds no costs: pass costs= (a JSON{' or flops.pth' if kind == 'torch' else ''}), "
            "--costs on the command line"
        )
    if kind == "torch":
        return _load_msdnet(path, costs, confidence or "max_prob", part or "val")
    if confidence is not None:
        raise RecordsError(
            f"{path} holds confidences as they are, got confidence={shown(confidence)}: say measure= of them"
        )
    frame = read_frame(path, parquet=kind == "parquet", max_bytes=max_bytes)
    with named(path):
        return ExitRecords.from_frame(frame, costs=costs, measure=measure, source=f"table {path}")


def _load_npz(
    path: PathLike,
    costs: ExitCosts | SampleCosts | None,
    confidence: str | Measure | None,
    *,
    measure: str | None,
    in_memory: bool,
    max_bytes: int | None,
) -> AnyRecords:
    found = read_arrays(path, costs, confidence, in_memory=in_memory, max_bytes=max_bytes)
    if None not in (measure, found.measure) and measure != found.measure:
        raise RecordsError(f"measure must be that of {path}, {found.measure!r}, got {measure!r}: leave it out")
    known = measure if found.measure is None else found.measure
    rest: dict[str, Any] = {"measure": known, "temperature": found.temperature, "source": found.source}
    if in_memory:
        return ExitRecords(**found.arrays, costs=found.costs, **rest)
    return StoredRecords(**found.arrays, costs=found.costs, **rest)


def load_example(part: Literal["search", "test"] = "search") -> ExitRecords:
    """Real records that come with the package: a 15-block ResNet on Fashion-MNIST, 15 positions x 3 exit types.

    Args:
        part: "search" has 15,000 samples to search on, "test" 10,000 others to report on.

    Raises:
        RecordsError: another part.

    Example:
        >>> load_example()
        ExitRecords(15,000 samples, 46 exits at 15 positions, baseline 0.9315 at 14.6 M MACs)
    """
    choice(part, ("search", "test"), "part", RecordsError)
    package = Path(__file__).parent.parent
    folders = (package / "example_data", package.parent / "data")  # in a wheel; in a checkout
    folder = next(folder for folder in folders if folder.is_dir())
    records = load_records(folder / f"fashion_resnet15_{part}.npz", costs=folder / "fashion_resnet15_macs.json")
    return replace(records, source=f"fashion_resnet15, {part}: 15-block ResNet on Fashion-MNIST (MIT)")


def _load_costs(path: PathLike) -> ExitCosts:
    kind = kind_of(path)
    if kind in ("npz", "npy", "parquet", "gzip"):
        raise wrong_file(path, content_of(path) or "records", "costs")
    if kind != "torch":
        return ExitCosts.load(path)
    from dyce_search.records.msdnet_files import read_flops

    flops = read_flops(path)
    return ExitCosts(backbone=flops, head=np.zeros(len(flops)), position=np.arange(len(flops)))


def _load_msdnet(
    path: PathLike, costs: ExitCosts | SampleCosts, confidence: str | Measure, part: Literal["val", "test"]
) -> ExitRecords:
    from dyce_search.records.msdnet_files import read_outputs

    outputs, labels = read_outputs(path, part)
    build = ExitRecords.from_probs if all(map(are_probs, outputs)) else ExitRecords.from_logits
    return build(outputs, labels, costs=costs, confidence=confidence, source=f"MSDNet {path}, {part}")
