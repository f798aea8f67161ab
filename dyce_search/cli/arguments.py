"""The command line `dyce-search`: arguments, help and exit codes."""

import argparse
import inspect
import os
import sys
from collections.abc import Sequence

import dyce_search
from dyce_search.analysis.compare import MAX_EVALUATIONS, ONLY_SMALL
from dyce_search.cli import commands
from dyce_search.errors import DyceError
from dyce_search.search import SOLVERS, search

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
  dyce-search evaluate config.json test.npz --costs macs.json
  dyce-search compare records.npz --costs macs.json --test test.npz --out comparison

Each command has its own help: dyce-search search --help
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: of the command line; those of the process when None.

    Returns:
        The exit status: 0, 2 after a user's error (one line on standard error), 130 after Ctrl-C.
    """
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except DyceError as error:
        print(f"dyce-search: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dyce-search: interrupted", file=sys.stderr)
        return commands.INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough, as in `dyce-search info ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def parser() -> argparse.ArgumentParser:
    """The parser of all commands, from which tools such as shtab write completions for a shell."""
    parser = argparse.ArgumentParser(
        prog="dyce-search",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dyce-search {dyce_search.__version__}")
    adder = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_info(adder)
    _add_search(adder)
    _add_select(adder)
    _add_certify(adder)
    _add_evaluate(adder)
    _add_compare(adder)
    _add_report(adder)
    _add_demo(adder)
    return parser


def _add_info(adder: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        adder,
        "info",
        "show what records hold: samples, exits, accuracy and cost of each position",
        "dyce-search info records.npz --costs macs.json",
    )
    _add_records(parser)
    parser.set_defaults(run=commands.info)


def _add_search(adder: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        adder,
        "search",
        "find the Pareto front of configurations, and measure it on other records",
        "dyce-search search records.npz --costs macs.json --test test.npz --out front.json\n"
        "  dyce-search search records.npz --solver exit_shares --csv front.csv --plot front.pdf",
        "Ctrl-C ends the search; what was found by then is still printed and written.",
    )
    _add_records(parser)
    default = inspect.signature(search).parameters["solver"].default
    parser.add_argument("--test", metavar="RECORDS", help="other samples of the same network, to measure the front on")
    parser.add_argument(
        "--solver",
        default=default,
        metavar="NAME",
        help=f"how to search: {', '.join(SOLVERS)} (default: {default})",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of whatever is random (default: 0)")
    parser.add_argument("--max-evaluations", type=int, metavar="N", help="stop after N evaluations")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="stop after S seconds")
    parser.add_argument("--min-samples", type=int, metavar="N", help="keep thresholds N samples apart: less optimism")
    parser.add_argument("--out", metavar="FILE.json", help="write the front, for `dyce-search select`")
    parser.add_argument("--csv", metavar="FILE.csv", help="write the figures of every point as a table")
    parser.add_argument("--plot", metavar="FILE.png", help="write the picture (.png, .pdf or .svg)")
    parser.set_defaults(run=commands.find)


def _add_select(adder: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        adder,
        "select",
        "choose a point of a front within limits, and write its configuration",
        "dyce-search select front.json --max-accuracy-drop 0.005 --out config.json\n"
        "  dyce-search select front.json --max-relative-cost 0.3",
        "Where accuracy is limited, the cheapest point within the limits is chosen, else the most accurate.\n"
        "Limits may be combined.",
    )
    parser.add_argument("front", metavar="FRONT", help="a file that `dyce-search search --out` wrote")
    _add_limits(parser)
    parser.add_argument("--out", metavar="FILE.json", help="write the configuration")
    parser.set_defaults(run=commands.select)


def _add_certify(adder: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        adder,
        "certify",
        "choose a point that keeps its limits with a guarantee, proven on samples that the search has not seen",
        "dyce-search certify front.json calibration.npz --costs macs.json --max-accuracy-drop 0.01 --confidence 0.95\n"
        "  dyce-search certify front.json calibration.npz --min-agreement 0.98 --out config.json",
        "The file written is a configuration as `select` writes it, with the certificate in it.",
    )
    parser.add_argument("front", metavar="FRONT", help="a file that `dyce-search search --out` wrote")
    _add_records(parser)
    limits = _add_limits(parser)
    limits.add_argument("--min-agreement", type=float, metavar="X", help="with the answers of the whole model; 0 to 1")
    parser.add_argument(
        "--confidence", type=float, default=0.95, metavar="X", help="of all limits together (default: 0.95)"
    )
    parser.add_argument(
        "--method",
        default="auto",
        metavar="NAME",
        help="of the tests: auto (exact where there is an exact test), betting, hoeffding_bentkus (default: auto)",
    )
    parser.add_argument("--out", metavar="FILE.json", help="write the configuration with its certificate")
    parser.set_defaults(run=commands.certify)


def _add_evaluate(adder: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        adder,
        "evaluate",
        "measure a configuration on records: accuracy, cost, and who leaves where",
        "dyce-search evaluate config.json test.npz --costs macs.json",
    )
    parser.add_argument("config", metavar="CONFIG", help="a file that `dyce-search select --out` wrote")
    _add_records(parser)
    parser.set_defaults(run=commands.measure)


def _add_compare(adder: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        adder,
        "compare",
        "run several solvers under the same budget, and show who found what",
        "dyce-search compare records.npz --costs macs.json --test test.npz --max-evaluations 2000\n"
        "  dyce-search compare records.npz --solvers coordinate_descent,tpe --max-seconds 5 --seeds 3 --out DIR",
        "Every front is measured by the same exact evaluation, whatever the solver says of it.",
    )
    _add_records(parser)
    parser.add_argument("--test", metavar="RECORDS", help="other samples of the same network, to measure the fronts on")
    parser.add_argument(
        "--solvers",
        metavar="A,B,C",
        help=f"which: of {', '.join(SOLVERS)} (default: all but {', '.join(ONLY_SMALL)})",
    )
    parser.add_argument(
        "--max-evaluations",
        type=int,
        metavar="N",
        help=f"budget of each search (default: {MAX_EVALUATIONS}, where --max-seconds is not given)",
    )
    parser.add_argument("--max-seconds", type=float, metavar="S", help="budget of each search in wall-clock time")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="run each solver with N seeds (default: 1)")
    parser.add_argument("--jobs", type=int, metavar="N", help="searches at once, -1: one a core (default: 1)")
    parser.add_argument("--out", metavar="DIR", help="folder for the table, the fronts and the pictures")
    parser.set_defaults(run=commands.contrast)


def _add_report(adder: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        adder,
        "report",
        "write one HTML page: the front, held-out figures, a certified point, diagnostics",
        "dyce-search report front.json test.npz --costs macs.json --search records.npz --out report.html",
        "Give samples that the front was not searched on; the page says so where they are the same.",
    )
    parser.add_argument("front", metavar="FRONT", help="a file that `dyce-search search --out` wrote")
    _add_records(parser)
    parser.add_argument("--search", metavar="RECORDS", help="those searched on, to show what each position is worth")
    parser.add_argument(
        "--max-accuracy-drop", type=float, default=0.01, metavar="X", help="of the point, absolute (default: 0.01)"
    )
    parser.add_argument(
        "--confidence", type=float, default=0.95, metavar="X", help="of its certificate (default: 0.95)"
    )
    parser.add_argument("--out", required=True, metavar="FILE.html", help="the page to write")
    parser.set_defaults(run=commands.write_report)


def _add_demo(adder: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        adder,
        "demo",
        "search the example records that come with the package: a table, a picture and files",
        "dyce-search demo",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help=f"folder to write to (default: {commands.DEMO_FOLDER}, but {commands.DEMO_PICTURE} in the working folder)",
    )
    parser.set_defaults(run=commands.demo)


def _command(
    adder: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, example: str, more: str = ""
) -> argparse.ArgumentParser:
    """A command with its help: what it does, its arguments, an example."""
    description = f"{summary[0].upper()}{summary[1:]}.\n{more}".strip()
    return adder.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_limits(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    limits = parser.add_argument_group("limits (one or more)")
    limits.add_argument(
        "--max-accuracy-drop",
        type=float,
        metavar="X",
        help="below the final exit alone, absolute: 0.005 is half a point",
    )
    limits.add_argument("--min-accuracy", type=float, metavar="X", help="from 0 to 1")
    limits.add_argument("--max-cost", type=float, metavar="X", help="mean cost of a sample, in the unit of the costs")
    limits.add_argument("--max-relative-cost", type=float, metavar="X", help="1 is the whole model")
    return limits


def _add_records(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "records",
        metavar="RECORDS",
        help=".npz of this library or of DyCE, a table (.csv, .tsv, .parquet), or MSDNet's .pth: the validation set, "
        "or the test set for --test, certify and evaluate",
    )
    parser.add_argument(
        "--costs",
        metavar="FILE.json",
        help="DyCE's JSON of MACs, or MSDNet's flops.pth; files of this library hold their costs, which this replaces",
    )
