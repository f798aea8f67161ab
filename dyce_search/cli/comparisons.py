"""The command that compares solvers."""

import inspect
from argparse import Namespace
from pathlib import Path
from typing import Any

from dyce_search.analysis.compare import MAX_EVALUATIONS, ONLY_SMALL, compare
from dyce_search.cli import tables
from dyce_search.cli.arguments import (
    Commands,
    add_command,
    add_confidence,
    add_effort,
    add_records,
    add_scores,
    add_test,
    efforts_in,
    load_both,
)
from dyce_search.cli.output import make_folder, say_what_is_searched, wrote
from dyce_search.cli.parser import UsageError
from dyce_search.cli.screen import say, width
from dyce_search.search import SOLVERS, find_solver


def add_compare(commands: Commands) -> None:
    """Adds `compare`."""
    parser = add_command(
        commands,
        "compare",
        "run several solvers under the same budget, and show who found what",
        "dyce-search compare records.npz --costs macs.json --test test.npz --max-evaluations 2000\n"
        "  dyce-search compare records.npz --solvers coordinate_descent,tpe --max-seconds 5 --seeds 3 --out DIR",
        "Every front is measured by the same exact evaluation, whatever the solver says of it.",
    )
    add_records(parser)
    add_confidence(parser)
    add_test(parser, "the fronts")
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
    add_scores(parser, "both")
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="run each solver with N seeds, from --seed on (default: 1)"
    )
    add_effort(parser)
    parser.add_argument("--jobs", type=int, metavar="N", help="searches at once, -1: one a core (default: 1)")
    parser.add_argument("--out", metavar="DIR", help="folder for the table, the fronts and the pictures")
    parser.set_defaults(run=contrast)


def contrast(options: Namespace) -> int:
    """Compares solvers, prints the table and writes what was asked for."""
    if options.seeds < 1:
        raise UsageError(f"--seeds must be a whole number >= 1, got {options.seeds}")
    if options.out is not None:
        make_folder(Path(options.out))  # before the work, not after it
    chosen = _solvers(options)
    records, test_records = load_both(options)
    say_what_is_searched(records, test_records)
    comparison = compare(
        records,
        solvers=chosen,
        test=test_records,
        max_evaluations=options.max_evaluations,
        max_seconds=options.max_seconds,
        seeds=range(options.seed, options.seed + options.seeds),
        n_jobs=options.jobs,
        scores=["expected", "observed"] if options.scores == "both" else options.scores,
        caution=options.caution,
    )
    seeds = f", medians of {options.seeds} seeds" if options.seeds > 1 else ""
    say(f"budget of each search: {comparison.budget}{seeds}\n")
    print(tables.solvers_table(comparison.to_frame(), width=width()))
    say("\nHypervolume: share of relative accuracy x relative cost that a front dominates, 1 at best.")
    say("Cost: the least, relative, for an accuracy drop up to 0, 0.5 ... points, as the front promises.")
    if options.out is not None:
        comparison.save(options.out)
        wrote(options.out, "comparison.csv, anytime.csv, every front as JSON, pictures")
    return 0


def _solvers(options: Namespace) -> list[str] | dict[str, tuple[str, dict[str, Any]]]:
    """The solvers that are asked for; where options are given, each with those of them that it takes.

    Raises:
        UsageError: an option that none of them takes.
    """
    names = [name for name in SOLVERS if name not in ONLY_SMALL]
    if options.solvers is not None:
        names = [name.strip() for name in options.solvers.split(",")]
    given = efforts_in(options)
    if not given:
        return names
    takes = {name: inspect.signature(find_solver(name)).parameters for name in names}
    for option in given:
        if not any(option in known for known in takes.values()):
            raise UsageError(f"none of these solvers takes --{option}: {', '.join(names)}")
    return {name: (name, {key: value for key, value in given.items() if key in takes[name]}) for name in names}
