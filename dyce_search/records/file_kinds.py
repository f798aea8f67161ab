"""What a file is, by its first bytes and not by its name."""

import codecs
import json
import zipfile
from pathlib import Path
from typing import Literal

from dyce_search.errors import FileFormatError
from dyce_search.files import PathLike, require_path

Kind = Literal["npz", "npy", "torch", "parquet", "gzip", "json", "text", "pickle", "empty", "unknown"]

TORCH_BEFORE_1_6 = bytes.fromhex("8a0a6cfc9c46f9206aa85019")  # the number that old torch.save writes first
LOOKED_AT = 4096


def kind_of(path: PathLike) -> Kind:
    """Recognises the files that this library reads, and those that are often named by mistake.

    Raises:
        FileFormatError: no such file, or it cannot be opened.
    """
    require_path(path)
    try:
        with open(path, "rb") as stream:
            start = stream.read(LOOKED_AT)
    except OSError as cause:
        raise FileFormatError(f"cannot read {path}: {cause.strerror}") from cause
    if start[:2] == b"\x80\x02" and start[2:14] == TORCH_BEFORE_1_6:
        return "torch"
    known: dict[bytes, Kind] = {b"\x93NUMPY": "npy", b"PAR1": "parquet", b"\x1f\x8b": "gzip", b"\x80": "pickle"}
    for magic, kind in known.items():
        if start.startswith(magic):
            return kind
    if start.startswith(b"PK"):
        return "torch" if _has_pickle(path) else "npz"
    if not start.strip():
        return "empty"
    if start.lstrip()[:1] in (b"{", b"["):
        return "json"
    return "unknown" if b"\0" in start or not _is_text(start) else "text"


def not_records(path: PathLike, kind: Kind) -> FileFormatError:
    """The error for a file that holds no records: what it seems to be, and what to do."""
    if kind == "json":
        return FileFormatError(f"{path} {_what_json(path)}")
    said = {
        "npy": "holds a single array: records are an .npz with several, as ExitRecords.save writes",
        "pickle": "is pickled: pickles can run code and are never loaded, so save plain arrays with ExitRecords.save",
        "empty": "is empty: write or fetch it anew",
    }
    return FileFormatError(f"{path} {said.get(kind, 'is damaged, or of no known kind: ' + READS)}")


READS = "records are read from .npz, .csv, .parquet, and from the .pth of MSDNet"


def _what_json(path: PathLike) -> str:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        content = None
    keys = content if isinstance(content, dict) else {}
    if "backbone" in keys:
        return "is a JSON of costs, not records: pass it as costs= (--costs), and name the file of the records first"
    ours = {"dyce_search.front": "ParetoFront.load", "dyce_search.config": "ExitConfig.load"}
    load = ours.get(str(keys.get("format")))
    if load is not None:
        return f"is a {keys['format']} file, not records: read it with {load}, and name the file of the records here"
    return f"is JSON, not records: {READS}"


def _has_pickle(path: PathLike) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except Exception:  # damaged: whoever reads it as an .npz says so
        return False


def _is_text(start: bytes) -> bool:
    try:  # where the file is longer, the end of `start` may cut a character
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) < LOOKED_AT)
    except UnicodeDecodeError:
        return False
    return True
