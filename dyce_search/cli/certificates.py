"""The commands about certificates: check and recertify."""

from argparse import ArgumentParser, Namespace
from typing import Any

from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.certify.check import check_certificate
from dyce_search.cli.arguments import Commands, add_command, add_front, add_json, add_records, load, load_front
from dyce_search.cli.output import give, say_certified
from dyce_search.cli.screen import say
from dyce_search.files import require_folder

STATUS = {"held": 0, "broken": 3, "too few samples": 4}  # of the process


def add_check(commands: Commands) -> None:
    """Adds `check`."""
    parser = add_command(
        commands,
        "check",
        "check whether a certificate still holds, on new samples or on those of a model trained again",
        "dyce-search check config.json new.npz --costs macs.json",
        "Exit status: 0 held, 3 broken, 4 too few samples to tell, 2 for a mistake. For a model's CI.",
    )
    _add_certified(parser)
    add_records(parser)
    add_json(parser, "the same as JSON")
    parser.set_defaults(run=check)


def check(options: Namespace) -> int:
    """Says whether a certificate holds on other records."""
    require_folder(options.out)
    point = CertifiedPoint.load(options.config)
    layout = point.config.layout
    records = load(options, options.records, part="test", layout=layout)
    found = check_certificate(point, records)
    if not options.json:
        say(str(found))
    give(found.to_dict(), as_json=options.json, out=options.out, what="the same as JSON")
    return STATUS[found.verdict]


def add_recertify(commands: Commands) -> None:
    """Adds `recertify`."""
    parser = add_command(
        commands,
        "recertify",
        "choose the next point of the same front that keeps a certificate's limits on new samples",
        "dyce-search recertify config.json front.json new.npz --costs macs.json --out config.json",
        "Limits and confidence are those of the certificate; the samples must be others than those searched on.",
    )
    _add_certified(parser)
    add_front(parser)
    add_records(parser)
    add_json(parser)
    parser.add_argument("--out", metavar="FILE.json", help="write the configuration with its new certificate")
    parser.set_defaults(run=recertify, replaces=("config",))


def recertify(options: Namespace) -> int:
    """Certifies a point of the front anew, for the limits of a certificate."""
    require_folder(options.out)
    old = CertifiedPoint.load(options.config).certificate
    front = load_front(options.front)
    records = load(options, options.records, part="test", layout=front.layout)
    asked: dict[str, Any] = {limit.name: limit.limit for limit in old.limits}
    point = front.certify(records, **asked, share=old.share, confidence=old.confidence)
    say_certified(point, records, as_json=options.json, out=options.out)
    return 0


def _add_certified(parser: ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="a file that `dyce-search certify --out` wrote")
