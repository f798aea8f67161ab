"""How a command line is parsed, and its help laid out: usage errors show the usage of the command that they are of."""

import argparse
import difflib
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from dyce_search.cli.screen import folded, width

PROGRAM = "dyce-search"


class UsageError(Exception):
    """What is asked for makes no sense as a command line; answered by the usage of the command."""


class CommandParser(argparse.ArgumentParser):
    """A parser of the program or of one of its commands."""

    def __init__(self, **options: Any) -> None:
        """As `argparse.ArgumentParser`, with help that keeps to the screen."""
        super().__init__(**{"formatter_class": HelpOnScreen, **options})

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuses what it does not know, with its own usage: argparse would hand it on and show the program's."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            known = [option for action in self._actions for option in action.option_strings]
            close = difflib.get_close_matches(unknown[0].split("=")[0], known, 1)
            self.error(f"unrecognized arguments: {' '.join(unknown)}" + (f" (is it {close[0]}?)" if close else ""))
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Shows the usage and says what is wrong."""
        self.print_usage(sys.stderr)
        self.exit(2, folded(f"{self.prog}: error: {message}", width(sys.stderr)) + "\n")


class HelpOnScreen(argparse.RawDescriptionHelpFormatter):
    """Help whose paragraphs and examples are folded to the screen; a folded command can be copied as it is."""

    def _format_usage(self, *parts: Any) -> str:
        usage: str = super()._format_usage(*parts)
        narrow = max(map(len, usage.split("\n"))) > self._width
        return re.sub(r"\n +", "\n  ", usage) if narrow else usage  # argparse indents by the length of the command

    def _split_lines(self, text: str, width: int) -> list[str]:
        return folded(" ".join(text.split()), width, hang=0).split("\n")  # argparse would fold in the middle of options

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs: list[str] = []
        for line in text.strip("\n").split("\n"):
            runs_on = paragraphs and paragraphs[-1] and line and not line.startswith(" ")
            if runs_on and not paragraphs[-1].startswith(" ") and not paragraphs[-1].endswith(":"):
                paragraphs[-1] += f" {line}"
            else:
                paragraphs.append(line)
        return "\n".join(
            folded_command(line, width) if line.startswith(f"  {PROGRAM}") else folded(line, width, hang=0)
            for line in paragraphs
        )


def folded_command(command: str, columns: int) -> str:
    r"""A command in lines of so many columns, each but the last ending in a backslash.

    Example:
        >>> print(folded_command("  dyce-search info records.npz --costs macs.json", 36))
          dyce-search info records.npz \
            --costs macs.json
    """
    if len(command) <= columns:
        return command
    whole = command.replace(" --", "\n--").split("\n")  # an option and its value stay together
    parts = [part.replace(" ", "\0") for part in whole[1:]]
    lines = textwrap.wrap(
        " ".join([whole[0].strip(), *parts]),
        columns - 2,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return " \\\n".join(lines).replace("\0", " ")
