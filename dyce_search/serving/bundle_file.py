"""A bundle: a folder with an ONNX file for each stage and head, and `manifest.json`, which says how they fit."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from dyce_search.errors import FileFormatError
from dyce_search.evaluation.config_file import LayoutEntry
from dyce_search.files import PathLike, require_path
from dyce_search.json_files import check_digest, check_header, content_digest, read_json, typed, write_json
from dyce_search.records.costs_file import CostsFile, Count
from dyce_search.records.wrong_files import needing

FORMAT, VERSION, MANIFEST = "dyce_search.bundle", 1, "manifest.json"
LOGITS = "exit.logits"  # what a head gives
Axis = Annotated[int, msgspec.Meta(ge=0, le=64)]


class _Entry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An object of the file, of which every key is known."""


class FileEntry(_Entry):
    """A file of the bundle."""

    name: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class InputEntry(_Entry):
    """A tensor that the model takes; sizes that vary are texts, "batch" for the samples."""

    name: str
    value: str
    dtype: str
    shape: list[Count | str]


class SizeEntry(_Entry):
    """A size that stages cannot read off what they take: it comes as a value of shape (size,)."""

    value: str
    input: str
    axis: Axis


class StageEntry(_Entry):
    """What runs up to a position: from values, by name, to values; no file where it computes nothing."""

    file: FileEntry | None
    inputs: list[str]
    outputs: list[str]


class HeadEntry(_Entry):
    """A head with what makes its feature: from values to logits."""

    file: FileEntry
    inputs: list[str]


class BundleFile(_Entry):
    """The manifest."""

    format: str
    version: Literal[1]
    layout: LayoutEntry
    precision: Literal["float", "int8"]
    largest_difference: Annotated[float, msgspec.Meta(ge=0)]
    made_with: dict[str, str]
    costs: CostsFile | None
    inputs: Annotated[list[InputEntry], msgspec.Meta(min_length=1)]
    sizes: list[SizeEntry]
    axes: dict[str, Axis | None]
    final: str
    stages: Annotated[list[StageEntry], msgspec.Meta(min_length=2)]
    heads: Annotated[list[HeadEntry], msgspec.Meta(min_length=1)]
    configs: dict[str, dict[str, Any]]
    digest: str


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Writes a manifest, with its digest."""
    content = {"format": FORMAT, "version": VERSION, **content}
    content = json.loads(json.dumps(content, allow_nan=False))  # plain values, as they will be read
    write_json(folder / MANIFEST, {**content, "digest": content_digest(content)})


def is_bundle(folder: Path) -> bool:
    """Whether a folder has a manifest of this format, of whatever version."""
    try:
        content = read_json(folder / MANIFEST)
    except FileFormatError:
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def read_manifest(folder: PathLike) -> BundleFile:
    """The manifest of a bundle.

    Raises:
        FileFormatError: there is none, or it is of another version, damaged, changed, or names a file outside.
    """
    require_path(folder, "folder")
    path = Path(folder) / MANIFEST
    if not path.is_file():
        with needing("bundle", folder):
            raise FileFormatError(f"{path} is missing: {folder} is no bundle, export_onnx writes one")
    content = read_json(path)
    check_header(content, FORMAT, (VERSION,), path)
    check_digest(content, path, "export anew")
    found = typed(content, FORMAT, {VERSION: BundleFile}, path)
    for entry in files_of(found):
        if entry.name in ("", ".", "..") or any(mark in entry.name for mark in "/\\:\0"):
            raise FileFormatError(
                f"{path} names the file {entry.name!r}, which is not a plain name: files of a bundle lie in its folder"
            )
    _require_links(found, path)
    return found


def files_of(manifest: BundleFile) -> list[FileEntry]:
    """All files but the manifest itself."""
    files = [*(stage.file for stage in manifest.stages), *(head.file for head in manifest.heads)]
    return [file for file in files if file is not None]


def read_file(folder: PathLike, entry: FileEntry) -> bytes:
    """The content of a file of the bundle, which is what it was when it was written.

    Raises:
        FileFormatError: it is missing or was changed.
    """
    path = Path(folder) / entry.name
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise FileFormatError(f"cannot read {path}, which the bundle needs: {cause.strerror}; export anew") from cause
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise FileFormatError(f"{path} was changed since it was written: its digest differs; export anew")
    return content


def _require_links(manifest: BundleFile, path: Path) -> None:
    """Every value comes from somewhere before it is used.

    Raises:
        FileFormatError: one does not; the numbers of stages and heads are not those of the layout.
    """
    positions, exits = manifest.layout.position[-1:], len(manifest.layout.position)
    if positions != [len(manifest.stages) - 1] or exits != len(manifest.heads) + 1:
        raise FileFormatError(
            f"{path} is damaged: it has {len(manifest.stages)} stages and {len(manifest.heads)} heads, its layout "
            f"{exits} exits: export anew"
        )
    known = {*(entry.value for entry in manifest.inputs), *(entry.value for entry in manifest.sizes)}
    for p, stage in enumerate(manifest.stages):
        heads = [head for head, at in zip(manifest.heads, manifest.layout.position[:-1], strict=True) if at == p]
        produced = known | set(stage.outputs)
        missing = (set(stage.inputs) - known) | {name for head in heads for name in head.inputs if name not in produced}
        if p == len(manifest.stages) - 1:
            missing |= {manifest.final} - produced
        missing |= {name for name in produced if name not in manifest.axes}
        if missing:
            raise FileFormatError(f"{path} is damaged: nothing gives the value {min(missing)!r}: export anew")
        known = produced
