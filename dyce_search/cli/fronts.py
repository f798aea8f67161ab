"""The commands that choose a point of a front: select and certify."""

from argparse import Namespace

from dyce_search.cli import amounts, tables
from dyce_search.cli.arguments import (
    Commands,
    add_command,
    add_front,
    add_json,
    add_limits,
    add_records,
    limits_in,
    load,
    load_front,
)
from dyce_search.cli.output import figures_of, give, say_certified, say_figures, wrote
from dyce_search.cli.screen import say, width
from dyce_search.evaluation.limits import POINT_LIMITS
from dyce_search.files import require_folder

CERTIFIED_LIMITS = (*POINT_LIMITS, "min_agreement")


def add_select(commands: Commands) -> None:
    """Adds `select`."""
    parser = add_command(
        commands,
        "select",
        "choose a point of a front within limits, and write its configuration",
        "dyce-search select front.json --max-accuracy-drop 0.005 --out config.json\n"
        "  dyce-search select front.json --max-relative-cost 0.3",
        "Where accuracy is limited, the cheapest point within the limits is chosen, else the most accurate.\n"
        "Limits may be combined.",
    )
    add_front(parser)
    add_limits(parser, POINT_LIMITS)
    add_json(parser)
    parser.add_argument("--out", metavar="FILE.json", help="write the configuration")
    parser.set_defaults(run=select)


def select(options: Namespace) -> int:
    """Prints the best point of a front within limits; writes its configuration."""
    limits = limits_in(options, "select", POINT_LIMITS)
    require_folder(options.out)
    front = load_front(options.front)
    point = front.select(**limits, share=options.share)
    if not options.json:
        say_figures(point, front.costs.unit)
        print(tables.config_table(front.costs, point.config, width=width()))
        what = f"{front.scores} ones, of a search on {front.n_samples:,} samples"
        say(f"\nFigures are {what}; `dyce-search evaluate` gives those of other samples.")
    content = {
        **figures_of(point),
        "unit": front.costs.unit,
        "scores": front.scores,
        "disagreement": point.disagreement,
    }
    give(content | {"config": point.config.to_dict()}, as_json=options.json, out=None, what="")
    if options.out is not None:
        point.config.save(options.out)
        if not options.json:
            wrote(options.out, "the configuration")
    return 0


def add_certify(commands: Commands) -> None:
    """Adds `certify`."""
    parser = add_command(
        commands,
        "certify",
        "choose a point that keeps its limits with a guarantee, proven on samples that the search has not seen",
        "dyce-search certify front.json calibration.npz --costs macs.json --max-accuracy-drop 0.01 --confidence 0.95\n"
        "  dyce-search certify front.json calibration.npz --min-agreement 0.98 --out config.json",
        "The file written is a configuration as `select` writes it, with the certificate in it.",
    )
    add_front(parser)
    add_records(parser)
    add_limits(parser, CERTIFIED_LIMITS)
    parser.add_argument(
        "--confidence", type=amounts.share, default=0.95, metavar="X", help="of all limits together (default: 0.95)"
    )
    parser.add_argument(
        "--method",
        default="auto",
        metavar="NAME",
        help="of the tests: auto (exact where there is an exact test), betting, hoeffding_bentkus (default: auto)",
    )
    add_json(parser)
    parser.add_argument("--out", metavar="FILE.json", help="write the configuration with its certificate")
    parser.set_defaults(run=certify)


def certify(options: Namespace) -> int:
    """Prints the best point that keeps limits with a guarantee; writes its configuration with the certificate."""
    limits = limits_in(options, "certify", CERTIFIED_LIMITS)
    require_folder(options.out)
    front = load_front(options.front)
    records = load(options, options.records, part="test", layout=front.layout)
    point = front.certify(records, **limits, share=options.share, confidence=options.confidence, method=options.method)
    say_certified(point, records, as_json=options.json, out=options.out)
    return 0
