"""The command that writes a report."""

from argparse import Namespace

from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.cli import amounts
from dyce_search.cli.arguments import Commands, add_command, add_front, add_records, load
from dyce_search.cli.output import require_folder, wrote
from dyce_search.cli.screen import say
from dyce_search.front.front import ParetoFront
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
    parser.add_argument(
        "--max-accuracy-drop",
        type=amounts.drop,
        default=0.01,
        metavar="X",
        help="of the point, absolute: 0.01, or 1pt (default: 0.01)",
    )
    parser.add_argument(
        "--confidence", type=amounts.share, default=0.95, metavar="X", help="of its certificate (default: 0.95)"
    )
    parser.add_argument("--out", required=True, metavar="FILE.html", help="the page to write")
    parser.set_defaults(run=write_report)


def write_report(options: Namespace) -> int:
    """Writes a page about a front; says whether its point is certified."""
    require_folder(options.out)  # before the work, not after it
    front = ParetoFront.load(options.front)
    known = {"costs": options.costs, "measure": options.measure, "layout": front.layout}
    records = load(options.records, **known, part="test")
    searched = None if options.search is None else load(options.search, **known, part="val")
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
