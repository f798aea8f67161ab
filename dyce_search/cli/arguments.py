"""The arguments that several commands share, and reading what they name."""

import argparse
from collections.abc import Sequence
from typing import Literal, TypeAlias

from dyce_search.evaluation.limits import LIMITS, asked_for
from dyce_search.files import PathLike
from dyce_search.records.file_kinds import kind_of
from dyce_search.records.loading import load_records
from dyce_search.records.records import ExitRecords

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # what add_subparsers returns


def add_command(commands: Commands, name: str, summary: str, example: str, more: str = "") -> argparse.ArgumentParser:
    """A command with its help: what it does, its arguments, an example."""
    description = f"{summary[0].upper()}{summary[1:]}.\n{more}".strip()
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


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
    add_measure(parser)


def add_measure(parser: argparse.ArgumentParser) -> None:
    """What the confidences of a table are."""
    parser.add_argument(
        "--measure",
        metavar="NAME",
        help="what the confidences of a table are, such as entropy; other files say it themselves",
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
        help="what to maximise: scores to expect, learned from other samples, or those on the samples searched on, as "
        "published baselines do (default: expected)",
    )
    parser.add_argument(
        "--caution",
        type=float,
        metavar="X",
        help="what a sample on which an exit and the final exit differ costs (default: by the number of samples)",
    )


def add_json(parser: argparse.ArgumentParser, out: str | None = None) -> None:
    """Figures for machines: on standard output, and where `out` says what, in a file."""
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    if out is not None:
        parser.add_argument("--out", metavar="FILE.json", help=f"write {out}")


def load(
    path: PathLike, costs: PathLike | None, *, part: Literal["val", "test"], measure: str | None = None
) -> ExitRecords:
    """The records of a file; `part` says which, where MSDNet's file holds two sets."""
    return load_records(path, costs=costs, measure=measure, part=part if kind_of(path) == "torch" else None)


def load_both(options: argparse.Namespace) -> tuple[ExitRecords, ExitRecords | None]:
    """The records to search on, and the test records where they were named."""
    known = {"costs": options.costs, "measure": options.measure}
    records = load(options.records, **known, part="val")
    return records, None if options.test is None else load(options.test, **known, part="test")


def add_limits(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """An option for each limit."""
    group = parser.add_argument_group("limits (one or more)")
    for name in names:
        group.add_argument(option_of(name), type=float, metavar="X", help=LIMITS[name].meaning)
    if any(LIMITS[name].of_samples for name in names):
        group.add_argument(
            "--share",
            type=float,
            default=0.01,
            metavar="X",
            help="of the samples, that may cost more than --max-sample-cost (default: 0.01)",
        )


def limits_in(options: argparse.Namespace, command: str, names: Sequence[str]) -> dict[str, float]:
    """The limits that were given, by name.

    Raises:
        FrontError: there is none; names the options.
    """
    asked_for({option_of(name): getattr(options, name) for name in names}, command)
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def option_of(name: str) -> str:
    """How an argument is called on the command line."""
    return "--" + name.replace("_", "-")
