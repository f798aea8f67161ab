"""An `.npz` as it is read: its table of contents and the headers of its arrays first, and no more than was agreed to.

A small file can unpack to a large one, and a header can promise more than follows. So the sizes that an archive states
are added up before anything is unpacked, and each array's shape is held against its size before memory is taken for it.
"""

import gzip
import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import whole
from dyce_search.errors import DyceError, FileFormatError
from dyce_search.files import PathLike

FREELY = 2**28  # bytes that any file may unpack to
TIMES = 100  # its own size, that a larger one may: confidences pack into a half, right and wrong into a tenth

SHOWN = 200  # characters of what zipfile or NumPy says

READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class TooLargeError(FileFormatError):
    """A file that unpacks to more than was agreed to; says what to pass where the file was named."""

    def __init__(self, path: PathLike, size: int, most: int, option: str = "max_bytes=") -> None:
        """Of the file `path`, of what it unpacks to and may, in bytes, and of what to pass to allow more."""
        super().__init__(path, size, most, option)

    def __str__(self) -> str:
        """In words."""
        path, size, most, option = self.args
        return (
            f"{path} unpacks to {size:,} bytes or more, and may unpack to {most:,}: pass {option} if you trust the file"
        )

    def asking_for(self, option: str) -> "TooLargeError":
        """The same where the limit has another name."""
        path, size, most, _ = self.args
        return TooLargeError(path, size, most, option)


class Archive:
    """An open `.npz`.

    Attributes:
        path: the file.
        zip: its table of contents.
        names: of its arrays.
    """

    def __init__(self, path: PathLike, stream: IO[bytes], max_bytes: int | None) -> None:
        """Reads the table of contents; `max_bytes` as in `load_records`."""
        self.path = path
        self.zip = zipfile.ZipFile(stream)
        require_size(path, sum(entry.file_size for entry in self.zip.infolist()), stream, max_bytes)
        files = self.zip.namelist()
        if len(set(files)) < len(files):
            raise ValueError("it has two entries of the same name")
        self.names = {file.removesuffix(".npy") for file in files if file.endswith(".npy")}

    def array(self, name: str) -> npt.NDArray[Any]:
        """Reads one array.

        Raises:
            FileFormatError: it is pickled.
            ValueError: its header promises another size than it has; and what else NumPy finds.
        """
        entry = self.zip.getinfo(f"{name}.npy")
        with self.zip.open(entry) as stream:
            shape, dtype = header_of(stream, name)[::2]
            if dtype.hasobject:
                raise FileFormatError(
                    f"cannot read {self.path}: it holds pickled objects; pickles can run code and are never loaded: "
                    "save plain arrays"
                )
            stated = math.prod(map(int, shape)) * dtype.itemsize
            if stated != entry.file_size - stream.tell():
                raise ValueError(f"its entry {name!r} has another size than its shape {shape} takes")
        with self.zip.open(entry) as stream:
            found: npt.NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        return found


@contextmanager
def opened(path: PathLike, max_bytes: int | None) -> Iterator[Archive]:
    """An archive, open; whatever is wrong with it is one error.

    Raises:
        FileFormatError: it is no archive, is damaged, or unpacks to more than was agreed to.
    """
    try:
        with open(path, "rb") as stream:
            yield Archive(path, stream, max_bytes)
    except DyceError:
        raise
    except MemoryError as cause:
        raise FileFormatError(f"cannot read {path}: there is not enough memory for it") from cause
    except Exception as cause:  # a damaged archive makes zipfile and NumPy fail in a dozen ways
        said = cause.strerror if isinstance(cause, OSError) else None
        said = said or f"the file is truncated or damaged ({str(cause)[:SHOWN]}): fetch or write it anew"
        raise FileFormatError(f"cannot read {path}: {said}") from cause


def header_of(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is stored by columns, and type of the array that begins here.

    Raises:
        ValueError: it is no array, or one of another version.
    """
    version = np.lib.format.read_magic(stream)
    if version not in READERS:
        raise ValueError(f"its entry {name!r} has version {version}")
    shape, by_columns, dtype = READERS[version](stream)
    return shape, by_columns, dtype


def require_size(path: PathLike, size: int, stream: IO[bytes], max_bytes: int | None) -> None:
    """Checks what a file unpacks to, before it is unpacked.

    Args:
        path: of the file, for messages.
        size: bytes that it unpacks to.
        stream: the file, open.
        max_bytes: that it may; None is `allowance`.

    Raises:
        TooLargeError: it is more.
    """
    most = allowance(stream, max_bytes)
    if size > most:
        raise TooLargeError(path, size, most)


def require_unpacked(path: PathLike, max_bytes: int | None) -> None:
    """Checks what a file that is packed by gzip unpacks to, which it does not state, block by block.

    Raises:
        TooLargeError: it is more.
    """
    size = 0
    with open(path, "rb") as stream, gzip.open(stream) as packed:
        while block := packed.read(1 << 20):
            size += len(block)
            require_size(path, size, stream, max_bytes)


def require_bytes(max_bytes: object) -> None:
    """For functions that are told how much a file may unpack to.

    Raises:
        FileFormatError: no whole number, or none above 0.
    """
    if max_bytes is not None:
        whole(max_bytes, "max_bytes", FileFormatError, least=1, hint="or None")


def allowance(stream: IO[bytes], max_bytes: int | None) -> int:
    """How many bytes an open file may unpack to: by its size where nobody said how many."""
    return max(FREELY, TIMES * os.fstat(stream.fileno()).st_size) if max_bytes is None else max_bytes
