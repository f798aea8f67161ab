"""Reading and writing files and folders safely: atomic writes, versioned JSON."""

import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

from dyce_search.errors import FileFormatError

PathLike = str | os.PathLike[str]
T = TypeVar("T")


def require_path(path: object, name: str = "path") -> None:
    """For functions that are given a file's name: a number would be taken for an open file.

    Raises:
        FileFormatError: it is something else.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise FileFormatError(f"{name} must be a str or a pathlib.Path, got {type(path).__name__}")


def write_atomically(path: PathLike, write: Callable[[IO[bytes]], object]) -> None:
    """Lets `write` fill a temporary file beside `path`, then renames it to `path`.

    A process that is killed half-way leaves the old file, or none, never half a file. On Windows a file that somebody
    has open cannot be replaced, which is an error as any other.

    Raises:
        FileFormatError: the folder does not exist or cannot be written.
    """
    require_path(path)
    target = Path(path)
    temporary = target.parent / f".{target.name}.{secrets.token_hex(8)}.tmp"
    try:
        stream = open(temporary, "xb")  # noqa: SIM115  # new, and as public as any file of the user's; mkstemp's are private
    except OSError as cause:
        raise FileFormatError(f"cannot write {target}: {cause.strerror}") from cause
    try:
        with stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except OSError as cause:
        raise FileFormatError(f"cannot write {target}: {cause.strerror}") from cause
    finally:
        temporary.unlink(missing_ok=True)


def write_folder(
    folder: PathLike, fill: Callable[[Path], object], *, replaces: Callable[[Path], bool], overwrite: bool = False
) -> None:
    """Lets `fill` write files into a temporary folder beside `folder`, then renames it to `folder`.

    Args:
        folder: new, or empty.
        fill: gets the temporary folder; whatever it raises leaves nothing behind.
        replaces: whether an existing folder is one that may be replaced at all.
        overwrite: replaces such a folder; between two renames there is none for a moment.

    Raises:
        FileFormatError: the folder is there and has something in it, or cannot be written.
    """
    require_path(folder, "folder")
    target = Path(folder)
    _require_free(target, replaces, overwrite)
    mark = secrets.token_hex(8)
    temporary, old = (target.parent / f".{target.name}.{mark}.{end}" for end in ("tmp", "old"))
    try:
        temporary.mkdir()
        fill(temporary)
        for path in temporary.iterdir():
            with open(path, "rb+") as stream:
                os.fsync(stream.fileno())
        _require_free(target, replaces, overwrite)  # again: filling takes a while
        if target.is_dir():
            os.replace(target, old)
        try:
            os.replace(temporary, target)
        except OSError:
            if old.is_dir():
                os.replace(old, target)
            raise
    except OSError as cause:
        raise FileFormatError(f"cannot write {target}: {cause.strerror}") from cause
    finally:
        for left in (temporary, old):
            shutil.rmtree(left, ignore_errors=True)


def _require_free(target: Path, replaces: Callable[[Path], bool], overwrite: bool) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir() or target.is_symlink():
        raise FileFormatError(f"cannot write {target}: it is there and is no folder: choose another name")
    if any(target.iterdir()) and not replaces(target):
        raise FileFormatError(f"cannot write {target}: the folder holds something else: choose another name")
    if any(target.iterdir()) and not overwrite:
        raise FileFormatError(f"cannot write {target}: it is there already: pass overwrite=True to replace it")


def write_json(path: PathLike, content: Mapping[str, Any]) -> None:
    """Writes JSON that a person can read: what holds plain values only is one line. Floats round-trip exactly."""
    try:
        text = (_laid_out(content, "\n") + "\n").encode()
    except UnicodeEncodeError as cause:
        raise FileFormatError(f"cannot write {path}: a name in it is no text that UTF-8 can keep ({cause})") from cause
    write_atomically(path, lambda stream: stream.write(text))


def _laid_out(value: Any, line: str) -> str:
    """JSON of a value; `line` is what a new line begins with."""
    inner = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    if not any(isinstance(entry, (Mapping, list, tuple)) for entry in inner):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, Mapping):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {_laid_out(value[key], line + ' ')}" for key in value]
        return "{" + ",".join(f"{line} {part}" for part in parts) + line + "}"
    return "[" + ",".join(f"{line} {_laid_out(entry, line + ' ')}" for entry in inner) + line + "]"


def read_json(path: PathLike) -> Any:
    """Reads a JSON file.

    Raises:
        FileFormatError: the file is missing, is no text or is no JSON.
    """
    require_path(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except OSError as cause:
        raise FileFormatError(f"cannot read {path}: {cause.strerror}") from cause
    except (ValueError, RecursionError) as cause:
        raise FileFormatError(f"{path} is not valid JSON: {cause}") from cause


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits} is beyond the range of float64")
    return value


def typed(content: Any, kind: str, types: Mapping[int, type[T]], path: PathLike) -> T:
    """The content of a JSON file that this library wrote, read strictly: the one place where its formats are checked.

    Args:
        content: as `read_json` gives it.
        kind: what its `format` entry must be.
        types: for each version that can be read the structure (`msgspec.Struct`) of its content.
        path: the file, for messages.

    Raises:
        FileFormatError: another kind or version, or content that is not of that structure: the message names the
            place, what is needed and what was found.
    """
    import msgspec

    version = check_header(content, kind, tuple(types), path)
    try:
        return msgspec.convert(content, types[version])
    except msgspec.ValidationError as cause:
        raise FileFormatError(f"{path} is damaged: {cause}: write the file anew") from cause


def check_header(content: Any, kind: str, versions: tuple[int, ...], path: PathLike) -> int:
    """Checks the `format` and `version` entries of a file's header, and returns the version.

    Raises:
        FileFormatError: they are missing or are not `kind` and one of `versions`.
    """
    found = content.get("format") if isinstance(content, dict) else None
    if found != kind:
        raise FileFormatError(f"{path} is not a {kind} file: its 'format' entry is {found!r}")
    version = content.get("version")
    if type(version) is not int or version not in versions:
        raise FileFormatError(
            f"{path} has format version {version!r}, this release reads {' and '.join(map(str, sorted(versions)))}: "
            "install a release of dyce_search that reads it, or write the file anew"
        )
    return version


def entry(content: Any, key: str, path: PathLike) -> Any:
    """`content[key]`, or an error that names the key that is missing.

    Raises:
        FileFormatError: there is no such key.
    """
    if not isinstance(content, dict) or key not in content:
        found = ", ".join(map(repr, content)) if isinstance(content, dict) else type(content).__name__
        raise FileFormatError(f"{path} lacks the key {key!r}; it has {found}")
    return content[key]
