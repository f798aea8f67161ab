"""Arrays that stay in an `.npz`: where they lie in the file, and reading rows of them in place."""

import os
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from dyce_search.errors import FileFormatError
from dyce_search.files import PathLike
from dyce_search.records.archives import header_of

Row = npt.NDArray[Any]
Stamp = tuple[int, int, int]

LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip's entry, up to the lengths of its name and of what follows the name


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArray:
    """An array (E, N) that stays in its file; rows are read when they are asked for.

    Attributes:
        path: the file, absolute.
        name: of the array.
        shape: (E, N).
        dtype: as it is stored.
        offset: bytes before its first entry.
        stamp: of the file when it was opened, by which a change is noticed.
    """

    path: str
    name: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int
    stamp: Stamp

    def read(self, row: int, start: int, stop: int) -> Row:
        """(stop - start,) entries of one row, as they are stored.

        Raises:
            FileFormatError: the file is gone, or is not what it was when it was opened.
        """
        if not self.dtype.itemsize * (stop - start):
            return np.empty(0, self.dtype)
        try:
            changed = stamp_of(self.path) != self.stamp
            begin = self.offset + self.dtype.itemsize * (row * self.shape[1] + start)
            found = np.fromfile(self.path, self.dtype, stop - start, offset=begin) if not changed else None
        except OSError as cause:
            raise FileFormatError(
                f"cannot read {self.name!r} of {self.path} any more: {cause.strerror or cause}: records with "
                "in_memory=False need their file"
            ) from cause
        if found is None or len(found) != stop - start:
            raise FileFormatError(
                f"{self.path} was changed while its records were in use: load them anew, and write new files beside "
                "those that are read with in_memory=False"
            )
        return found


def stamp_of(path: PathLike) -> Stamp:
    """Which file it is, its size, and when it was last written."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def stored_array(
    path: PathLike, archive: zipfile.ZipFile, name: str, require: Callable[[Iterable[Row]], None]
) -> StoredArray:
    """Finds an array (E, N) in an archive and reads it through once: by its checksum, and row by row by `require`.

    Args:
        path: of the archive.
        archive: open.
        name: of the array.
        require: checks the rows; it must take all of them.

    Raises:
        FileFormatError: it is compressed, or stored column by column.
        zipfile.BadZipFile: it does not have its checksum, or is longer or shorter than it says.
    """
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED:
        raise FileFormatError(
            f"{name!r} of {path} is compressed, and can only be read as a whole: write the file with "
            "records.save(path, compress=False), or leave out in_memory=False"
        )
    stamp = stamp_of(path)
    with archive.open(entry) as stream:
        shape, dtype = _npy_header(stream, name, path)
        before = stream.tell()
        require(_rows(stream, shape, dtype))
        if stream.read(1):
            raise zipfile.BadZipFile(f"its entry {name!r} is longer than it says")
    return StoredArray(
        path=os.path.abspath(path),
        name=name,
        shape=shape,
        dtype=dtype,
        offset=_start(path, entry) + before,
        stamp=stamp,
    )


def _start(path: PathLike, entry: zipfile.ZipInfo) -> int:
    """Bytes before the content of an entry that is not compressed."""
    with open(path, "rb") as file:
        file.seek(entry.header_offset)
        name, more = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    return entry.header_offset + LOCAL_HEADER.size + int(name) + int(more)


def _npy_header(stream: IO[bytes], name: str, path: PathLike) -> tuple[tuple[int, int], np.dtype[Any]]:
    shape, by_columns, dtype = header_of(stream, name)
    if dtype.kind not in "biuf" or len(shape) != 2 or by_columns:
        raise FileFormatError(
            f"{name!r} of {path} must be numbers (E, N), row by row, got {dtype} of shape {shape}"
            f"{', column by column' if by_columns else ''}: write the file with records.save(path, compress=False)"
        )
    return (int(shape[0]), int(shape[1])), dtype


def _rows(stream: IO[bytes], shape: tuple[int, int], dtype: np.dtype[Any]) -> Iterator[Row]:
    size = shape[1] * dtype.itemsize
    for _ in range(shape[0]):
        content = stream.read(size)
        if len(content) < size:
            raise zipfile.BadZipFile("it ends too early")
        yield np.frombuffer(content, dtype)
