"""The commands that write pages: the report and the explorer."""

from argparse import Namespace
from pathlib import Path

from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.cli import amounts
from dyce_search.cli.arguments import Commands, add_command, add_drop, add_front, add_records, load, load_front
from dyce_search.cli.output import wrote
from dyce_search.cli.screen import say
from dyce_search.errors import FrontError
from dyce_search.files import require_folder
from dyce_search.orders.ordered_front import OrderedFront, front_in
from dyce_search.report.page import report


def add_report(commands: Commands) -> None:
    """Adds `report`."""
    parser = add_command(
        commands,
        "report",
        "write one HTML page: the front, held-out figures, a certified point, diagnostics",
        "dyce-search report front.json test.npz --costs macs.json --search records.npz --out report.html",
        "Give samples that the front was not searched on; the page says so where they are the same.",
    )
    add_front(parser)
    add_records(parser)
    parser.add_argument("--search", metavar="RECORDS", help="those searched on, to show what each position is worth")
    add_drop(parser, "of the point")
    parser.add_argument(
        "--confidence", type=amounts.share, default=0.95, metavar="X", help="of its certificate (default: 0.95)"
    )
    parser.add_argument("--out", required=True, metavar="FILE.html", help="the page to write")
    parser.set_defaults(run=write_report)


def write_report(options: Namespace) -> int:
    """Writes a page about a front; says whether its point is certified."""
    require_folder(options.out)  # before the work, not after it
    front = load_front(options.front)
    records = load(options, options.records, part="test", layout=front.layout)
    searched = None
    if options.search is not None:
        searched = load(options, options.search, part="val", layout=front.layout)
    point = report(
        front,
        records,
        options.out,
        search=searched,
        max_accuracy_drop=options.max_accuracy_drop,
        confidence=options.confidence,
    )
    certified = isinstance(point, CertifiedPoint)
    say(f"{'certified' if certified else 'not certified'}: {point}")
    wrote(options.out, "the report, one page to open in a browser")
    return 0


def add_explore(commands: Commands) -> None:
    """Adds `explore`."""
    parser = add_command(
        commands,
        "explore",
        "write one HTML page to look at a front, choose a point and take its configuration away",
        "dyce-search explore front.json --out explorer.html\n"
        "  dyce-search explore front.json test.npz --costs macs.json --certificate config.json --out explorer.html",
        "With samples that the front was not searched on it shows what each point delivers, and who leaves where.",
    )
    add_front(parser)
    add_records(parser, optional=True)
    parser.add_argument("--certificate", metavar="FILE.json", help="what `certify` wrote, to mark its point")
    parser.add_argument("--other", nargs="+", default=[], metavar="FRONT", help="more fronts to compare with, by name")
    add_drop(parser, "the limit to begin with")
    parser.add_argument(
        "--drop-limit", type=amounts.drop, default=0.05, metavar="X", help="drops in view to begin with (default: 0.05)"
    )
    parser.add_argument("--title", metavar="TEXT", help="of the page")
    parser.add_argument("--out", required=True, metavar="FILE.html", help="the page to write")
    parser.set_defaults(run=write_explorer)


def write_explorer(options: Namespace) -> int:
    """Writes the page of a front."""
    require_folder(options.out)
    front = front_in(options.front)
    names = [Path(path).stem for path in options.other]
    if len(set(names)) < len(names):
        raise FrontError(f"--other must name files of different names, got {', '.join(names)}: rename one")
    held_out = None
    if options.records is not None:
        layout = front.front.layout if isinstance(front, OrderedFront) else front.layout
        held_out = load(options, options.records, part="test", layout=layout)
    front.explore(
        options.out,
        held_out=held_out,
        certificate=None if options.certificate is None else CertifiedPoint.load(options.certificate),
        others=dict(zip(names, map(front_in, options.other), strict=True)),
        title=options.title,
        max_accuracy_drop=options.max_accuracy_drop,
        drop_limit=options.drop_limit,
    )
    wrote(options.out, "the explorer, one page to open in a browser")
    return 0
