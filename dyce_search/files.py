"""Reading and writing files safely: atomic writes, versioned JSON."""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from dyce_search.errors import FileFormatError

PathLike = str | os.PathLike[str]


def write_atomically(path: PathLike, write: Callable[[IO[bytes]], object]) -> None:
    """Lets `write` fill a temporary file beside `path`, then renames it to `path`.

    A process that is killed half-way leaves the old file, or none, never half a file. On Windows a file that somebody
    has open cannot be replaced, which is an error as any other.

    Raises:
        FileFormatError: the folder does not exist or cannot be written.
    """
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
