"""The header of this library's records: JSON, with its types."""

from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from dyce_search.errors import FileFormatError
from dyce_search.files import PathLike
from dyce_search.json_files import parsed, typed

FORMAT, VERSION = "dyce_search.records", 2


class Header1(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Version 1, which did not say what the confidences are."""

    format: str
    version: Literal[1]
    unit: str
    names: list[str]
    provenance: str


class Header(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is not an array."""

    format: str
    version: Literal[2]
    unit: str
    names: list[str]
    measure: str | None
    temperature: list[float] | None
    source: str


TYPES: dict[int, type[Header1 | Header]] = {1: Header1, 2: Header}


def header_bytes(**entries: Any) -> npt.NDArray[np.uint8]:
    """The array of a header, (M,) the bytes of its JSON."""
    return np.frombuffer(msgspec.json.encode({"format": FORMAT, "version": VERSION, **entries}), np.uint8)


def read_header(content: npt.NDArray[Any], path: PathLike) -> Header:
    """The header in an array of bytes; of version 1 with an unknown measure.

    Raises:
        FileFormatError: another format or version, or content that is not of the format.
    """
    if content.dtype != np.uint8:
        raise FileFormatError(f"{path} is damaged: its header must be bytes (uint8), got {content.dtype}")
    found = typed(parsed(content.tobytes(), path), FORMAT, TYPES, path)
    if isinstance(found, Header1):
        return Header(
            format=FORMAT,
            version=2,
            unit=found.unit,
            names=found.names,
            measure=None,
            temperature=None,
            source=found.provenance,
        )
    return found
