"""The command that searches, and what the demo shares with it."""

import inspect
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dyce_search.cli import amounts, tables
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
from dyce_search.cli.output import INTERRUPTED, say_what_is_searched, wrote
from dyce_search.cli.parser import UsageError
from dyce_search.cli.screen import say, width
from dyce_search.evaluation.curve import Curve, OperatingPoint
from dyce_search.evaluation.same_costs import warn_if_other_costs
from dyce_search.files import PathLike, require_folder, write_atomically
from dyce_search.front.front import ParetoFront
from dyce_search.records.records import ExitRecords
from dyce_search.search import SOLVERS, search

PICTURES = (".png", ".pdf", ".svg")


def add_search(commands: Commands) -> None:
    """Adds `search`."""
    parser = add_command(
        commands,
        "search",
        "find the Pareto front of configurations, and measure it on other records",
        "dyce-search search records.npz --costs macs.json --test test.npz --out front.json\n"
        "  dyce-search search records.npz --solver exit_shares --csv front.csv --plot front.pdf",
        "Ctrl-C ends the search; what was found by then is still printed and written.",
    )
    add_records(parser)
    add_confidence(parser)
    default = inspect.signature(search).parameters["solver"].default
    add_test(parser, "the front")
    parser.add_argument(
        "--solver",
        default=default,
        metavar="NAME",
        help=f"how to search: {', '.join(SOLVERS)} (default: {default})",
    )
    add_effort(parser)
    parser.add_argument("--max-evaluations", type=int, metavar="N", help="stop after N evaluations")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="stop after S seconds")
    add_scores(parser)
    parser.add_argument(
        "--max-sample-cost", type=amounts.cost, metavar="X", help="what every sample may cost, but for --share of them"
    )
    parser.add_argument("--share", type=amounts.share, default=0.0, metavar="X", help="of the samples (default: 0)")
    parser.add_argument("--out", metavar="FILE.json", help="write the front, for `dyce-search select`")
    parser.add_argument("--csv", metavar="FILE.csv", help="write the figures of every point as a table")
    parser.add_argument("--plot", metavar="FILE.png", help="write the picture (.png, .pdf or .svg)")
    parser.set_defaults(run=find)


def find(options: Namespace) -> int:
    """Searches, prints the operating points and writes what was asked for."""
    for path in (options.out, options.csv, options.plot):
        require_folder(path)  # before the work, not after it
    if options.plot is not None and Path(options.plot).suffix.lower() not in PICTURES:
        raise UsageError(f"--plot needs a name that ends in {', '.join(PICTURES)}, got {options.plot}")
    front, test = search_and_say(
        *load_both(options),
        solver=options.solver,
        seed=options.seed,
        max_evaluations=options.max_evaluations,
        max_seconds=options.max_seconds,
        scores=options.scores,
        caution=options.caution,
        max_sample_cost=options.max_sample_cost,
        share=options.share,
        **efforts_in(options),
    )
    say()
    print(tables.operating_points(front, test, width=width()))
    write_front(front, test, out=options.out, csv=options.csv, plot=options.plot)
    if not (options.out or options.csv or options.plot):
        say("\nNothing was written: --out FILE.json keeps the front for `dyce-search select`.")
    return INTERRUPTED if front.provenance.stop_reason == "interrupted" else 0


def search_and_say(
    records: ExitRecords, test_records: ExitRecords | None, **options: Any
) -> tuple[ParetoFront, Curve | None]:
    """Searches and says on what, how long and why it stopped; the front, and the same on the test records."""
    say_what_is_searched(records, test_records)
    if test_records is not None:
        records.layout.joined(test_records.layout, "the records", "the test records")
        warn_if_other_costs(records.costs, test_records, "the records", "the test records", stacklevel=2)
    front = search(records, **options)
    how = front.provenance
    say(
        f"{how.solver}: {len(front):,} points in {how.seconds:.2f} s, "
        f"{how.evaluations:,} evaluations, stopped: {how.stop_reason}"
    )
    if front.n_samples < records.n_samples:
        say(f"searched on {front.n_samples:,} random samples of {records.n_samples:,}, more change next to nothing")
    say(tables.scores_line(front))
    return front, None if test_records is None else front.evaluate(test_records)


def write_front(
    front: ParetoFront,
    test: Curve | None,
    *,
    out: PathLike | None,
    csv: PathLike | None,
    plot: PathLike | None,
    selected: OperatingPoint | None = None,
) -> None:
    """Writes the front to the files that were named."""
    if out is not None:
        front.save(out)
        wrote(out, "the front, for `dyce-search select` and ds.ParetoFront.load")
    if csv is not None:
        frame = front.to_frame()
        if test is not None:
            frame = frame.join(test.to_frame().drop(columns=["n_exits", "scores"]).add_prefix("test_"))
        text = frame.to_csv(index=False)
        write_atomically(csv, lambda stream: stream.write(text.encode()))
        wrote(csv, "its figures as a table")
    if plot is not None:
        figure = front.plot(label=front.provenance.solver, held_out=test, selected=selected).figure
        kind = Path(plot).suffix.lower().removeprefix(".")
        save: Callable[..., object] = figure.savefig  # type: ignore[union-attr]
        write_atomically(plot, lambda stream: save(stream, format=kind, dpi=150))
        wrote(plot, "the picture")
