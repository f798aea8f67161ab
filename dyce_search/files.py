"""Writing files and folders safely, and what a path is.

A file is written beside its target and renamed. While it is being written it is locked, so that whoever saves to the
same name can tell what a killed process left behind, which is removed, from what another one is writing just now.
Windows has no such locks, and a file must be closed there before it is renamed, so that for a moment nothing would
hold it. In their place an empty file beside it stays open, which nobody else can remove as long as it is.
"""

import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dyce_search.errors import ConfigError, CostsError, FileFormatError, FrontError, RecordsError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SIGN = "open"  # ending of the file that is open on Windows
PathLike = str | os.PathLike[str]


def require_path(path: object, name: str = "path") -> None:
    """For functions that are given a file's name: a number would be taken for an open file.

    Raises:
        FileFormatError: it is something else, or no name that a file can have.
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise FileFormatError(f"{name} must be a str or a pathlib.Path, got {type(path).__name__}")
    text = os.fspath(path)
    try:
        os.fsencode(text)
    except UnicodeEncodeError as cause:
        raise FileFormatError(f"{name} must be text, got {text!r}: half a surrogate pair is none") from cause
    if "\0" in text:
        raise FileFormatError(f"{name} must not have NUL in it, got {text!r}")


def require_folder(path: PathLike | None) -> None:
    """Checks, before work that takes a while, that a file can be written; None is none.

    Raises:
        FileFormatError: no name that a file can have, its folder is missing, or it is a folder itself.
    """
    if path is None:
        return
    require_path(path)
    if Path(path).is_dir():
        raise FileFormatError(f"cannot write {path}: it is a folder, name a file")
    if not Path(path).parent.is_dir():
        raise FileFormatError(f"cannot write {path}: there is no folder {Path(path).parent}, make it first")


@contextmanager
def named(path: PathLike) -> Iterator[None]:
    """Within, errors of what a file says name the file, whoever finds them.

    Raises:
        DyceError: of the same type, with the path before the message, unless it has it.
    """
    try:
        yield
    except (ConfigError, CostsError, FrontError, RecordsError) as cause:
        if str(path) in str(cause):
            raise
        raise type(cause)(f"{path}: {cause}") from cause


def write_atomically(path: PathLike, write: Callable[[IO[bytes]], object]) -> None:
    """Lets `write` fill a temporary file beside `path`, then renames it to `path`.

    A process that is killed half-way leaves the old file, or none, never half a file; what it left of the new one is
    removed by the next call for the same path. A file that is there keeps its mode and owner, a symbolic link its
    place: what it points to is replaced. What is no file, such as a pipe or /dev/stdout, is written to as it is. On
    Windows a file that somebody has open cannot be replaced, which is an error as any other.

    Raises:
        FileFormatError: the folder does not exist, or the file cannot be written.
    """
    require_path(path)
    try:
        there = os.stat(path) if os.path.lexists(path) and os.path.exists(path) else None
        if there is not None and not stat.S_ISREG(there.st_mode):
            with open(path, "wb") as stream:
                write(stream)
            return
        if there is not None and not os.access(path, os.W_OK):
            raise PermissionError(13, "it is write-protected")
        target = Path(os.path.realpath(path) if os.path.islink(path) else path)
        _sweep(target, "tmp")
        with _beside(target, there) as (temporary, stream):
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
            if fcntl is None:
                stream.close()
            os.replace(temporary, target)
    except OSError as cause:
        raise FileFormatError(f"cannot write {path}: {cause.strerror or cause}") from cause


@contextmanager
def _beside(target: Path, there: os.stat_result | None) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file beside another, open and locked; it is gone afterwards unless it was renamed."""
    mode = 0o666 if there is None else stat.S_IMODE(there.st_mode)  # less what the user's umask takes

    def create(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    begin = _begin(target)
    with _in_use(begin):
        while True:
            temporary = Path(f"{begin}.tmp")
            stream = open(temporary, "xb", opener=create)  # noqa: SIM115
            if _locked(stream.fileno()):
                break
            stream.close()  # somebody took it for abandoned, in the moment before it was locked, and removed it
        try:
            with stream:
                if there is not None:
                    _take_over(temporary, there)
                yield temporary, stream
        finally:
            temporary.unlink(missing_ok=True)


def _take_over(temporary: Path, there: os.stat_result) -> None:
    """Gives a new file the owner and the mode of another, as far as the system lets us."""
    if hasattr(os, "chown"):
        new = os.stat(temporary)
        for uid, gid in ((there.st_uid, -1), (-1, there.st_gid)):
            if uid not in (-1, new.st_uid) or gid not in (-1, new.st_gid):
                with suppress(PermissionError):
                    os.chown(temporary, uid, gid)
    os.chmod(temporary, stat.S_IMODE(there.st_mode))


def _locked(handle: int) -> bool:
    """Locks an open file or folder until it is closed; False where it was removed before that."""
    if fcntl is None:
        return True
    with suppress(OSError):  # some network file systems have no locks
        fcntl.flock(handle, fcntl.LOCK_EX)
    return os.fstat(handle).st_nlink > 0


def _begin(target: Path) -> Path:
    """How the names of what one call has beside `target` for a while begin: short enough for every file system."""
    return target.parent / f".{target.name[:50]}.{secrets.token_hex(8)}"


@contextmanager
def _in_use(begin: Path) -> Iterator[None]:
    """On Windows, within, whatever is named so is in use: a file that is open cannot be removed there."""
    if fcntl is not None:
        yield
        return
    sign = f"{begin}.{SIGN}"
    stream = open(sign, "xb")  # noqa: SIM115
    try:
        yield
    finally:
        stream.close()
        with suppress(OSError):
            os.unlink(sign)


def _sweep(target: Path, *endings: str) -> None:
    """Removes what killed processes left behind when they wrote `target`: what looks like it, and nobody has locked."""
    all_endings = "|".join(endings if fcntl is not None else (*endings, SIGN))
    name = re.compile(rf"\.{re.escape(target.name[:50])}\.[0-9a-f]{{16}}\.({all_endings})")
    with suppress(OSError), os.scandir(target.parent) as entries:
        left = [entry.path for entry in entries if name.fullmatch(entry.name) and not entry.is_symlink()]
        for path in left:
            with suppress(OSError):
                _remove_unless_in_use(path)


def _remove_unless_in_use(path: str) -> None:
    if fcntl is None:
        with suppress(FileNotFoundError):
            os.unlink(f"{path.rpartition('.')[0]}.{SIGN}")  # fails while somebody has it open
        _remove(path)
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    finally:
        os.close(handle)


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def write_folder(
    folder: PathLike, fill: Callable[[Path], object], *, replaces: Callable[[Path], bool], overwrite: bool = False
) -> None:
    """Lets `fill` write files into a temporary folder beside `folder`, then renames it to `folder`.

    What a killed process left of such a folder is removed by the next call for the same one.

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
    begin = _begin(target)
    temporary, old = (Path(f"{begin}.{ending}") for ending in ("tmp", "old"))
    handles: list[int] = []
    try:
        _sweep(target, "tmp")
        with _in_use(begin):
            temporary.mkdir()
            _hold(temporary, handles)
            fill(temporary)
            for path in temporary.iterdir():
                with open(path, "rb+") as stream:
                    os.fsync(stream.fileno())
            _require_free(target, replaces, overwrite)  # again: filling takes a while
            if target.is_dir():
                _hold(target, handles)
                os.replace(target, old)
            try:
                os.replace(temporary, target)
            except OSError:
                if old.is_dir():
                    os.replace(old, target)
                raise
            _sweep(target, "old")  # of a process that was killed between the two: it was to be replaced, and is now
    except OSError as cause:
        raise FileFormatError(f"cannot write {target}: {cause.strerror or cause}") from cause
    finally:
        for handle in handles:
            os.close(handle)
        for left in (temporary, old):
            shutil.rmtree(left, ignore_errors=True)


def _hold(folder: Path, handles: list[int]) -> None:
    """Locks a folder until its handle is closed, which is added to `handles`."""
    if fcntl is not None:
        handles.append(os.open(folder, os.O_RDONLY))
        _locked(handles[-1])


def _require_free(target: Path, replaces: Callable[[Path], bool], overwrite: bool) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir() or target.is_symlink():
        raise FileFormatError(f"cannot write {target}: it is there and is no folder: choose another name")
    if any(target.iterdir()) and not replaces(target):
        raise FileFormatError(f"cannot write {target}: the folder holds something else: choose another name")
    if any(target.iterdir()) and not overwrite:
        raise FileFormatError(f"cannot write {target}: it is there already: pass overwrite=True to replace it")
