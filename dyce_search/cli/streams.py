"""Standard output and error: what they cannot show, and when they end."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def any_text() -> Iterator[None]:
    """Within, characters that the terminal's encoding lacks are written by their number, and are no error."""
    before = [(stream, stream.errors) for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    try:
        for stream, _ in before:
            stream.reconfigure(errors="backslashreplace")
        yield
    finally:
        for stream, errors in before:
            with suppress(OSError, ValueError):  # closed, or full
                stream.reconfigure(errors=errors)


def given_up(error: OSError) -> int:
    """The exit status where standard output takes no more: 0 where its reader has seen enough, as in `... | head`.

    Else it is 2, after a line on standard error. What was still to be written is dropped, for Python would try again at
    its end, and fail.
    """
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 0
    with suppress(OSError):
        print(f"dyce-search: error: cannot write to standard output: {error.strerror or error}", file=sys.stderr)
    return 2
