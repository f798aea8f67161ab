"""Files of another kind than is needed: what they are, and what to do, in place of what a reader trips over."""

import codecs
import gzip
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from dyce_search.errors import FileFormatError
from dyce_search.files import PathLike, require_path
from dyce_search.records.file_kinds import Kind, is_written_text, kind_of

Content = Literal["records", "DyCE", "MSDNet", "table", "log", "costs", "front", "config", "certificate", "bundle"]
Wanted = Literal["records", "costs", "front", "config", "certificate", "bundle"]

IS: dict[Content, str] = {
    "records": "these are records",
    "DyCE": "these are records, as DyCE writes them",
    "MSDNet": "these are outputs or costs of MSDNet",
    "table": "this is a table",
    "log": "this is a log, an object a line",
    "costs": "these are costs",
    "front": "this is a front",
    "config": "this is a configuration",
    "certificate": "this is a certified configuration",
    "bundle": "this is a bundle, the folder of a model to serve",
}
NEEDED: dict[Wanted, str] = {
    "records": "records are needed",
    "costs": "costs are needed",
    "front": "a front is needed",
    "config": "a configuration is needed",
    "certificate": "a certified configuration is needed",
    "bundle": "a bundle is needed",
}
SELECT = "dyce-search select {} --max-accuracy-drop 0.01 --out config.json"
CERTIFY = "dyce-search certify {} calibration.npz --max-accuracy-drop 0.01 --out {}"
SEARCH = "dyce-search search {} --out front.json"
LOOKED_AT = 1 << 16  # bytes of a first line


@contextmanager
def needing(wanted: Wanted, path: PathLike) -> Iterator[None]:
    """While a file is read: where it cannot be, and is of another kind than wanted, the error says of which.

    Raises:
        FileFormatError: it is of another kind; says what to do. Else whatever the reader says.
    """
    try:
        yield
    except FileFormatError as cause:
        found = content_of(path)
        if found is None or found == wanted or (wanted == "config" and found == "certificate"):
            raise
        raise wrong_file(path, found, wanted) from cause


def wrong_file(path: PathLike, found: Content, wanted: Wanted) -> FileFormatError:
    """The error for a file of another kind: what it is, what is needed, and what to do."""
    return FileFormatError(f"{path}: {IS[found]}, {NEEDED[wanted]}: {_advice(path, found, wanted)}")


def _advice(path: PathLike, found: Content, wanted: Wanted) -> str:
    are_records = found in ("records", "DyCE", "MSDNet", "table")
    if found == "log" and wanted != "bundle":
        return "ds.load_cascade reads a cascade's log, and .save makes it records"
    if wanted == "front":
        return SEARCH.format(path) if are_records else "name the file that `dyce-search search --out` wrote"
    if wanted == "config":
        if found == "front":
            return SELECT.format(path)
        steps = f"{SEARCH.format(path)}, then {SELECT.format('front.json')}"
        return steps if are_records else "name the file that `dyce-search select --out` wrote"
    if wanted == "certificate":
        if found in ("front", "config"):
            front, out = (path, "config.json") if found == "front" else ("front.json", path)
            return CERTIFY.format(front, out)
        return "name the file that `dyce-search certify --out` wrote"
    if wanted == "costs":
        return "are the arguments swapped?" if are_records else "name their JSON, or MSDNet's flops.pth"
    if wanted == "bundle":
        return "name the folder that export_onnx wrote"
    if found == "costs":
        return "pass it as costs= (--costs), and name the file of the records first"
    readers = {"front": "ParetoFront.load", "config": "ExitConfig.load", "certificate": "CertifiedPoint.load"}
    reader = f"{readers[found]} reads it; " if found in readers else ""
    return f"{reader}name the file of the records"


def not_records(path: PathLike, kind: Kind) -> FileFormatError:
    """The error for a file that holds no records: what it is or seems to be, and what to do."""
    found = content_of(path)
    if kind == "foreign text":
        return not_utf8(path)
    if found is not None:
        return wrong_file(path, found, "records")
    said = {
        "json": f"is JSON, not records: {READS}",
        "npy": "holds a single array: records are an .npz with several, as ExitRecords.save writes",
        "pickle": "is pickled: pickles can run code and are never loaded, so save plain arrays with ExitRecords.save",
        "empty": "is empty: write or fetch it anew",
    }
    return FileFormatError(f"{path} {said.get(kind, f'is damaged, or of no known kind: {READS}')}")


READS = "records are read from .npz, .csv, .parquet, and from the .pth of MSDNet"


def content_of(path: PathLike) -> Content | None:
    """What a file or a folder holds, as far as its first bytes or its keys tell; None where they do not."""
    require_path(path)
    if Path(path).is_dir():
        return "bundle" if _format_of(_json_of(Path(path) / "manifest.json")) == "dyce_search.bundle" else None
    try:
        kind = kind_of(path)
        if kind in ("torch", "parquet", "text"):
            return {"torch": "MSDNet", "parquet": "table", "text": "table"}[kind]  # type: ignore[return-value]
        if kind == "npz":
            return _archive(path)
        if kind == "gzip":
            with gzip.open(path) as stream:
                start = stream.read(LOOKED_AT).lstrip()
            return "log" if start[:1] == b"{" else "table" if is_written_text(start) else None
    except (FileFormatError, OSError, EOFError, zlib.error):
        return None
    return _json_content(path) if kind == "json" else None


def _archive(path: PathLike) -> Content | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return None
    if {"label.npy", "preds.npy", "confs.npy"} <= names:
        return "DyCE"
    return "records" if {"header.npy", "confidence.npy"} <= names else None


def _json_content(path: PathLike) -> Content | None:
    content = _json_of(Path(path))
    if content is None:
        return "log" if _is_log(path) else None
    kind = _format_of(content)
    if kind == "dyce_search.config" and "certificate" in content:
        return "certificate"
    ours: dict[str, Content] = {
        "dyce_search.front": "front",
        "dyce_search.config": "config",
        "dyce_search.bundle": "bundle",
    }
    if kind is None and isinstance(content, dict) and "backbone" in content:
        return "costs"
    return ours.get(str(kind))


def _is_log(path: PathLike) -> bool:
    with open(path, "rb") as stream:
        line = stream.readline(LOOKED_AT)
        more = stream.readline(LOOKED_AT)
    try:
        return bool(more.strip()) and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _format_of(content: Any) -> str | None:
    found = content.get("format") if isinstance(content, dict) else None
    return found if isinstance(found, str) else None


def require_plain_table(path: PathLike) -> None:
    """For a table of text, plain or packed with gzip, before it is parsed: UTF-8, and commas between its columns.

    Raises:
        FileFormatError: another encoding, semicolons, tabs and commas where the name says otherwise, a log.
    """
    with (gzip.open if kind_of(path) == "gzip" else open)(path, "rb") as stream:
        try:
            start = stream.readline(LOOKED_AT)
            header = start.decode("utf-8-sig")
            decoder = codecs.getincrementaldecoder("utf-8")()
            while block := stream.read(1 << 20):
                decoder.decode(block)
        except UnicodeDecodeError as cause:
            raise not_utf8(path, cause.object[cause.start]) from cause
        except (OSError, EOFError, zlib.error):  # damaged: the reader says so
            return
    if header.lstrip().startswith("{"):
        raise wrong_file(path, "log", "records")
    tabs = ".tsv" in Path(path).suffixes
    if "\t" in header and "," not in header and not tabs:
        raise FileFormatError(f"{path} has tabs between its columns, commas are needed: name it .tsv")
    if "," in header and "\t" not in header and tabs:
        raise FileFormatError(f"{path} has commas between its columns, .tsv needs tabs: name it .csv")
    if ";" in header and "," not in header and "\t" not in header:
        raise FileFormatError(
            f"{path} has semicolons between its columns, commas are needed, and decimal points: write it anew, as by "
            f"pandas.read_csv({str(path)!r}, sep=';', decimal=',').to_csv('records.csv', index=False)"
        )


def not_utf8(path: PathLike, byte: int | None = None) -> FileFormatError:
    """The error for text in another encoding, such as Latin-1 or UTF-16."""
    which = "" if byte is None else f" (byte 0x{byte:02X})"
    return FileFormatError(
        f"{path} is text, but not in UTF-8{which}: save it as 'CSV UTF-8', or write it anew, as by "
        f"pandas.read_csv({str(path)!r}, encoding='latin-1').to_csv('records.csv', index=False)"
    )
