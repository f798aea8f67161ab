"""A pseudo-terminal: what a command prints where a person looks on."""

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def on_a_terminal(columns: int, *arguments: str, folder: Path) -> tuple[int, list[str]]:
    """Exit status and lines of `dyce-search ARGUMENTS`, run in a folder on a terminal of so many columns.

    Lines are what is left on the screen: a bar of progress overwrites itself.
    """
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (50, columns))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-m", "dyce_search", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        os.close(slave)
        found = b""
        try:
            while block := os.read(master, 1 << 16):
                found += block
        except OSError:  # Linux says so when the last writer has gone
            pass
        status = process.wait()
    os.close(master)
    text = ESCAPES.sub("", found.decode().replace("\r\n", "\n"))
    return status, [line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
