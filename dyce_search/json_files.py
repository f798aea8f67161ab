"""JSON, written for people and read strictly: the one place where content of files meets the types of its format.

Beside each format stand its types (`msgspec.Struct`s that know every key); `typed` holds content against them. What
numbers mean together, and their ranges, is checked by the constructors of what is read, for objects made by hand too.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from dyce_search.errors import FileFormatError
from dyce_search.files import PathLike, require_path, write_atomically

T = TypeVar("T")

HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # escapes that are no character alone
PLACE = re.compile(r" - at `\$(.*)`$")  # how msgspec ends its messages
STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
SHOWN = 60  # characters of what was found, in messages


def write_json(path: PathLike, content: Mapping[str, Any]) -> None:
    """Writes JSON that a person can read: what holds plain values only is one line. Floats round-trip exactly.

    Raises:
        FileFormatError: the file cannot be written, or content that JSON has no text for.
    """
    require_path(path)
    try:
        text = (_laid_out(content, "\n") + "\n").encode()
    except UnicodeEncodeError as cause:
        raise FileFormatError(f"cannot write {path}: a name in it is no text that UTF-8 can keep ({cause})") from cause
    except RecursionError as cause:
        raise FileFormatError(f"cannot write {path}: what it is to hold is nested too deeply for JSON") from cause
    except (TypeError, ValueError) as cause:
        raise FileFormatError(f"cannot write {path}: something in it has no place in JSON ({cause})") from cause
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
        FileFormatError: the file is missing, or is no JSON, see `parsed`.
    """
    require_path(path)
    try:
        content = Path(path).read_bytes()
    except OSError as cause:
        raise FileFormatError(f"cannot read {path}: {cause.strerror}") from cause
    return parsed(content, path)


def parsed(content: bytes, path: PathLike, *, infinite: bool = False) -> Any:
    """The values of JSON, which a key that is there twice, NaN or 1e999 is not.

    Args:
        content: UTF-8.
        path: of the file that it comes from, for messages.
        infinite: take NaN, Infinity and numbers beyond float64 all the same, as Python writes them; for logs of others.

    Raises:
        FileFormatError: it is no JSON.
    """
    try:
        text = content.decode()
        constant, exact = (None, None) if infinite else (_no_constant, _finite)
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=constant, parse_float=exact)
        if HALF_A_PAIR.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as cause:
        raise FileFormatError(f"{path} is not valid JSON: half a surrogate pair is no text ({cause})") from cause
    except (ValueError, RecursionError) as cause:
        raise FileFormatError(f"{path} is not valid JSON: {cause}") from cause
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {twice!r} is there more than once")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits[:SHOWN]} is beyond the range of float64")
    return value


def typed(content: Any, kind: str, types: Mapping[int, type[T]], path: PathLike) -> T:
    """The content of a JSON file that this library wrote.

    Args:
        content: as `read_json` gives it.
        kind: what its `format` entry must be.
        types: for each version that can be read the structure (`msgspec.Struct`) of its content.
        path: the file, for messages.

    Raises:
        FileFormatError: another kind or version, or content that is not of that structure, see `of_type`.
    """
    return of_type(content, types[check_header(content, kind, tuple(types), path)], path)


def of_type(content: Any, kind: type[T], path: PathLike) -> T:
    """Content as a structure, strictly: nothing is turned into another type but a whole number into a float.

    Args:
        content: plain values.
        kind: a `msgspec.Struct`.
        path: of the file, for messages.

    Raises:
        FileFormatError: it is of another structure: the message names the place, what is needed and what was found.
    """
    import msgspec

    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as cause:
        found = _found(content, str(cause))
        raise FileFormatError(f"{path} is damaged: {cause}{found}: write the file anew") from cause
    except RecursionError as cause:
        raise FileFormatError(f"{path} is damaged: it is nested too deeply: write the file anew") from cause
    except UnicodeEncodeError as cause:
        raise FileFormatError(f"{path} is damaged: half a surrogate pair is no text ({cause})") from cause
    except SystemError as cause:  # msgspec before 0.22
        raise FileFormatError(f"{path} is damaged: a number is out of range: write the file anew") from cause


def _found(content: Any, message: str) -> str:
    """What is at the place that a message of msgspec names, where it does not say so itself."""
    place = PLACE.search(message)
    if ", got " in message or "value '" in message or place is None:
        return ""
    for name, index in STEP.findall(place[1].replace("[...]", "")):
        try:
            content = content[name or int(index)]
        except (KeyError, IndexError, TypeError):  # an entry of a mapping, whose key the message leaves out
            return ""
    shown = repr(content)
    return f", got {shown if len(shown) <= SHOWN else f'{shown[:SHOWN]}...'}"


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of everything in some content but its entry `digest`, however it is laid out."""
    rest = {key: value for key, value in content.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_digest(content: Mapping[str, Any], path: PathLike, advice: str) -> None:
    """For what must not be changed by hand.

    Raises:
        FileFormatError: its digest is another one, or there is none.
    """
    try:
        digest = content_digest(content)
    except RecursionError as cause:
        raise FileFormatError(f"{path} is damaged: it is nested too deeply: {advice}") from cause
    if content.get("digest") != digest:
        raise FileFormatError(f"{path} was changed since it was written: its digest differs: {advice}")


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
