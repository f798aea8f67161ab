"""The program: its parser, and the exit status of what it runs."""

import argparse
import sys
from collections.abc import Sequence

import dyce_search
from dyce_search.cli import certificates, comparisons, configs, demo, fronts, records, reports, searches
from dyce_search.cli.output import INTERRUPTED, require_apart
from dyce_search.cli.parser import PROGRAM, CommandParser, UsageError
from dyce_search.cli.screen import complain, plain_warnings
from dyce_search.cli.streams import any_text, given_up
from dyce_search.errors import DyceError, InfeasibleError

NOTHING_WITHIN = 5  # the exit status where nothing keeps the limits, so that a script can tell it from a mistake

DESCRIPTION = """\
Find early-exit configurations from recorded predictions.

An early-exit network has small classifiers ("exits") along its backbone. A configuration says which of them
are used, and how confident each must be for a sample to leave there. From what every exit answered on a set of
samples ("records"), dyce-search finds the configurations with the best trade-offs of accuracy and cost.
"""

EXAMPLES = """\
start here, no files needed:
  dyce-search demo

with your own records:
  dyce-search info records.npz --costs macs.json
  dyce-search search records.npz --costs macs.json --test test.npz --out front.json --plot front.png
  dyce-search select front.json --max-accuracy-drop 0.005 --out config.json
  dyce-search certify front.json calibration.npz --costs macs.json --max-accuracy-drop 0.01 --confidence 0.95
  dyce-search explore front.json test.npz --costs macs.json --out explorer.html
  dyce-search evaluate config.json test.npz --costs macs.json
  dyce-search compare records.npz --costs macs.json --test test.npz --out comparison

Each command has its own help: dyce-search search --help
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: of the command line; those of the process when None.

    Returns:
        The exit status: 0, 2 after a user's error or where standard output cannot be written (one line on standard
        error), 130 after Ctrl-C, 5 where nothing keeps the limits; of `check` 3 where a promise is broken and 4 where
        there are too few samples to tell.

    Raises:
        SystemExit: with 2 after an error in usage, which shows the usage of the command, and with 0 after --help.
    """
    with any_text(), plain_warnings():
        try:
            options = _parsed(arguments)
            require_apart(options)
            status: int = options.run(options)
            sys.stdout.flush()
        except OSError as error:  # of standard output: errors of files are DyceErrors
            return given_up(error)
        except UsageError as error:
            options.command.error(str(error))
        except DyceError as error:
            complain(f"{PROGRAM}: error: {' '.join(str(error).split())}")
            return NOTHING_WITHIN if isinstance(error, InfeasibleError) else 2
        except KeyboardInterrupt:
            complain(f"{PROGRAM}: interrupted")
            return INTERRUPTED
    return status


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        return parser().parse_args(arguments)
    except SystemExit:  # after --help, --version or a mistake; an error of standard output shows here, not at the end
        sys.stdout.flush()
        raise


def parser() -> argparse.ArgumentParser:
    """The parser of all commands, from which tools such as shtab write completions for a shell."""
    parser = CommandParser(prog=PROGRAM, description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {dyce_search.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    records.add_info(commands)
    records.add_split(commands)
    searches.add_search(commands)
    fronts.add_select(commands)
    fronts.add_certify(commands)
    certificates.add_check(commands)
    certificates.add_recertify(commands)
    configs.add_evaluate(commands)
    comparisons.add_compare(commands)
    reports.add_explore(commands)
    reports.add_report(commands)
    demo.add_demo(commands)
    return parser
