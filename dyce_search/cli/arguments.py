"""The arguments that several commands share, and reading what they name."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from dyce_search.cli import amounts
from dyce_search.cli.parser import CommandParser, UsageError
from dyce_search.errors import FrontError
from dyce_search.evaluation.limits import LIMITS, asked_for
from dyce_search.files import PathLike
from dyce_search.front.front import ParetoFront
from dyce_search.orders.ordered_front import OrderedFront, front_in
from dyce_search.records.archives import TooLargeError
from dyce_search.records.file_kinds import kind_of
from dyce_search.records.layout import ExitLayout
from dyce_search.records.loading import load_records
from dyce_search.records.records import ExitRecords
from dyce_search.records.wrong_files import content_of
from dyce_search.solvers.descent.effort import EFFORTS

MAX_BYTES = "--max-bytes"
Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"  # what add_subparsers returns


def add_command(commands: Commands, name: str, summary: str, example: str, more: str = "") -> CommandParser:
    """A command with its help: what it does, its arguments, an example."""
    description = f"{summary[0].upper()}{summary[1:]}.\n{more}".strip()
    parser = commands.add_parser(name, help=summary, description=description, epilog=f"example:\n  {example}")
    parser.set_defaults(command=parser)  # whose usage a mistake shows
    return parser


def add_front(parser: argparse.ArgumentParser) -> None:
    """A front's file, by its place."""
    parser.add_argument("front", metavar="FRONT", help="a file that `dyce-search search --out` wrote")


def add_records(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Records, by their place, and their costs."""
    parser.add_argument(
        "records",
        metavar="RECORDS",
        nargs="?" if optional else None,
        help=".npz of this library or of DyCE, a table (.csv, .tsv, .parquet), or MSDNet's .pth: the validation set, "
        "or the test set for --test, certify and evaluate",
    )
    parser.add_argument(
        "--costs",
        metavar="FILE.json",
        help="DyCE's JSON of MACs, or MSDNet's flops.pth; files of this library hold their costs, which this replaces",
    )
    parser.add_argument(
        "--measure",
        metavar="NAME",
        help="what the confidences of a table are, such as entropy; other files say it themselves",
    )
    parser.add_argument(
        MAX_BYTES,
        type=amounts.size,
        metavar="SIZE",
        help="that each file of records may unpack to, such as 4GiB (default: 256MiB or 100 times its size)",
    )


def add_confidence(parser: argparse.ArgumentParser) -> None:
    """What to compute from the probabilities of a file; commands that get a front or a configuration read it there."""
    parser.add_argument(
        "--confidence",
        metavar="NAME",
        help="what to compute from a file of probabilities: max_prob or margin of DyCE's .npz, and entropy of MSDNet's "
        ".pth (default: max_prob); other files hold confidences as they are",
    )


def add_test(parser: argparse.ArgumentParser, what: str) -> None:
    """Test records, to measure on what was found."""
    parser.add_argument("--test", metavar="RECORDS", help=f"other samples of the same network, to measure {what} on")


def add_scores(parser: argparse.ArgumentParser, *more: str) -> None:
    """What a search maximises, and how cautious it is."""
    parser.add_argument(
        "--scores",
        choices=("expected", "observed", *more),
        default="expected",
        metavar="KIND",
        help="what to maximise: scores that are expected, learned from other samples, or those observed on the samples "
        f"searched on, as published baselines do{''.join(f', or {kind}' for kind in more)} (default: expected)",
    )
    parser.add_argument(
        "--caution",
        type=float,
        metavar="X",
        help="what a sample on which an exit and the final exit differ costs (default: by the number of samples)",
    )


def add_effort(parser: argparse.ArgumentParser) -> None:
    """Options of single solvers, and the seed."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of whatever is random (default: 0)")
    parser.add_argument(
        "--effort", choices=tuple(EFFORTS), help="how much work coordinate_descent does (default: default)"
    )
    parser.add_argument(
        "--lambdas",
        type=amounts.lambdas,
        metavar="A,B,C",
        help="weights of accuracy in [0, 1], for solvers that sweep a trade-off (default: the solver's own)",
    )


def efforts_in(options: argparse.Namespace) -> dict[str, Any]:
    """The options of single solvers that were given, by name."""
    return {name: getattr(options, name) for name in ("effort", "lambdas") if getattr(options, name) is not None}


def add_drop(parser: argparse.ArgumentParser, what: str) -> None:
    """A limit on the drop of accuracy that has a default."""
    parser.add_argument(
        "--max-accuracy-drop",
        type=amounts.drop,
        default=0.01,
        metavar="X",
        help=f"{what}, absolute: 0.01, or 1pt (default: 0.01)",
    )


def add_json(parser: argparse.ArgumentParser, out: str | None = None) -> None:
    """Figures for machines: on standard output, and where `out` says what, in a file."""
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    if out is not None:
        parser.add_argument("--out", metavar="FILE.json", help=f"write {out}")


def load_front(path: PathLike) -> ParetoFront:
    """The front of a network, or of a cascade in the order of its records.

    Args:
        path: of the file.

    Raises:
        FileFormatError: no such file, or one of another kind.
        FrontError: one over orders, whose configurations fit no file of records.
    """
    front = front_in(path)
    if isinstance(front, OrderedFront):
        raise FrontError(
            f"{path} holds a front over the orders of a cascade, which `dyce-search explore` reads and this command "
            f"does not: in Python, ds.OrderedFront.load({str(path)!r}) has select, evaluate and certify"
        )
    return front


def load(
    options: argparse.Namespace,
    path: PathLike,
    *,
    part: Literal["val", "test"],
    confidence: str | None = None,
    layout: ExitLayout | None = None,
) -> ExitRecords:
    """The records of a file, read as the options of `add_records` say.

    Args:
        options: of the command.
        path: of the file.
        part: which, where MSDNet's file holds two sets.
        confidence: what to compute from a file of probabilities.
        layout: of a front or a configuration to be measured on the records: of probabilities, its measure is computed.

    Raises:
        DyceError: as `load_records` does; a file that unpacks to too much names the option of the command line.
    """
    content = content_of(path)
    if layout is not None and layout.measure in ("max_prob", "margin", "entropy") and content in ("DyCE", "MSDNet"):
        confidence = layout.measure
    which = part if kind_of(path) == "torch" else None
    known = {"costs": options.costs, "measure": options.measure, "max_bytes": options.max_bytes}
    try:
        return load_records(path, **known, confidence=confidence, part=which)
    except TooLargeError as cause:
        raise cause.asking_for(MAX_BYTES) from cause


def load_both(options: argparse.Namespace) -> tuple[ExitRecords, ExitRecords | None]:
    """The records to search on, and the test records where they were named."""
    confidence = options.confidence
    records = load(options, options.records, part="val", confidence=confidence)
    return records, None if options.test is None else load(options, options.test, part="test", confidence=confidence)


def add_limits(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """An option for each limit."""
    group = parser.add_argument_group("limits (one or more)")
    for name in names:
        group.add_argument(option_of(name), type=_amount_of(name), metavar="X", help=_meaning(name))
    if any(LIMITS[name].of_samples for name in names):
        group.add_argument(
            "--share",
            type=amounts.share,
            default=0.01,
            metavar="X",
            help="of the samples, that may cost more than --max-sample-cost (default: 0.01)",
        )


def _amount_of(name: str) -> Callable[[str], float]:
    if name == "max_accuracy_drop":
        return amounts.drop
    return amounts.cost if LIMITS[name].on_cost and name != "max_relative_cost" else amounts.share


def _meaning(name: str) -> str:
    return LIMITS[name].meaning + {"max_accuracy_drop": ", as is 0.5pt"}.get(name, "")


def limits_in(options: argparse.Namespace, command: str, names: Sequence[str]) -> dict[str, float]:
    """The limits that were given, by name.

    Raises:
        UsageError: there is none; names the options.
    """
    try:
        asked_for({option_of(name): getattr(options, name) for name in names}, command)
    except FrontError as cause:
        raise UsageError(str(cause)) from cause
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def option_of(name: str) -> str:
    """How an argument is called on the command line."""
    return "--" + name.replace("_", "-")
