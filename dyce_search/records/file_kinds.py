"""What a file is, by its first bytes and not by its name."""

import codecs
import zipfile
from pathlib import Path
from typing import Literal

from dyce_search.errors import FileFormatError
from dyce_search.files import PathLike, require_path

Kind = Literal["npz", "npy", "torch", "parquet", "gzip", "json", "text", "foreign text", "pickle", "empty", "unknown"]

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
        bundle = ": this is a bundle, a file is needed" if (Path(path) / "manifest.json").is_file() else ""
        raise FileFormatError(f"cannot read {path}: {cause.strerror}{bundle}") from cause
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
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (not _is_text(start) and is_written_text(start)):
        return "foreign text"
    return "unknown" if b"\0" in start or not _is_text(start) else "text"


def is_written_text(start: bytes) -> bool:
    """Whether bytes are text in any encoding that has no control characters but for tabs and ends of lines."""
    return bool(start) and not any(byte < 32 and byte not in b"\t\n\r" for byte in start)


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
