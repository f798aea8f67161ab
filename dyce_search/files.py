"""Reading and writing files safely: atomic writes, versioned JSON."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from dyce_search.errors import FileFormatError

PathLike = str | os.PathLike[str]


def require_path(path: object, name: str = "path") -> None:
    """For functions that are given a file's name: a number would be taken for an open file.

    Raises:
        FileFormatError: it is something else.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise FileFormatError(f"{name} must be a str or a pathlib.Path, got {type(path).__name__}")


def write_atomically(path: PathLike, write: Callable[[IO[bytes]], object]) -> None:
    """Lets `write` fill a temporary file beside `path`, then renames it to `path`.

    A process that is killed half-way leaves the old file, or none, never half a file.

    Raises:
        FileFormatError: the folder does not exist or cannot be written.
    """
    require_path(path)
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    except OSError as cause:
        raise FileFormatError(f"cannot write {target}: {cause.strerror}") from cause
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes private files; a saved result is an ordinary one
        os.replace(temporary, target)
    except OSError as cause:
        raise FileFormatError(f"cannot write {target}: {cause.strerror}") from cause
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def write_json(path: PathLike, content: Mapping[str, Any]) -> None:
    """Writes JSON that a person can read: short lists stay on one line. Floats round-trip exactly."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    lines: list[str] = []
    for line in text.split("\n"):  # fold lists of plain values, which indent= puts one a line
        if lines and _open_list(lines[-1]) and not line.rstrip(",").endswith(("{", "[", "}")):
            joint = "" if lines[-1].endswith("[") or line.strip().startswith("]") else " "
            lines[-1] += joint + line.strip()
        else:
            lines.append(line)
    write_atomically(path, lambda stream: stream.write(("\n".join(lines) + "\n").encode()))


def _open_list(line: str) -> bool:
    last = line.rfind("[")
    return last >= 0 and "]" not in line[last:] and "{" not in line[last:]


def read_json(path: PathLike) -> Any:
    """Reads a JSON file.

    Raises:
        FileFormatError: the file is missing, is no text or is no JSON.
    """
    require_path(path)
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_no_constant)
    except OSError as cause:
        raise FileFormatError(f"cannot read {path}: {cause.strerror}") from cause
    except (ValueError, RecursionError) as cause:
        raise FileFormatError(f"{path} is not valid JSON: {cause}") from cause


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def read_versioned_json(path: PathLike, kind: str, version: int) -> dict[str, Any]:
    """Reads a JSON object that this library wrote, and checks its header.

    Raises:
        FileFormatError: another kind of file, or a version that this release cannot read.
    """
    content = read_json(path)
    check_header(content, kind, version, path)
    return dict(content)


def check_header(content: Any, kind: str, version: int, path: PathLike) -> None:
    """Checks the `format` and `version` entries of a file's header.

    Raises:
        FileFormatError: they are missing or are not `kind` and `version`.
    """
    found = content.get("format") if isinstance(content, dict) else None
    if found != kind:
        raise FileFormatError(f"{path} is not a {kind} file: its 'format' entry is {found!r}")
    if content.get("version") != version:
        raise FileFormatError(
            f"{path} has format version {content.get('version')!r}, this release reads {version}: "
            "install a release of dyce_search that reads it, or write the file anew"
        )


def entry(content: Any, key: str, path: PathLike) -> Any:
    """`content[key]`, or an error that names the key that is missing.

    Raises:
        FileFormatError: there is no such key.
    """
    if not isinstance(content, dict) or key not in content:
        found = ", ".join(map(repr, content)) if isinstance(content, dict) else type(content).__name__
        raise FileFormatError(f"{path} lacks the key {key!r}; it has {found}")
    return content[key]
