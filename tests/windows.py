"""Files as they are on Windows: no locks, and whoever has a file open keeps others from removing or renaming it."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dyce_search import files

CAN_BE_PLAYED = Path("/proc/self/fd").is_dir()


def play_windows(patch: Callable[[Any, str, Any], object] = setattr) -> None:
    """From here on, for all that this process does; `patch` is a setattr, such as that of `monkeypatch`."""
    patch(files, "fcntl", None)
    for name in ("unlink", "replace"):
        patch(os, name, _only_closed(getattr(os, name)))


def _only_closed(change: Callable[..., None]) -> Callable[..., None]:
    def changed(path: str | os.PathLike[str], *more: Any, **options: Any) -> None:
        if _is_open(os.path.realpath(path)):
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        change(path, *more, **options)

    return changed


def _is_open(path: str) -> bool:
    """Whether any process has a file open, or one below a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for handle in (process / "fd").iterdir():
                with suppress(OSError):
                    found = os.readlink(handle)
                    if found == path or found.startswith(f"{path}/"):
                        return True
    return False
