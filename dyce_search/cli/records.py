"""The commands about records: info and split."""

from argparse import Namespace

import numpy as np

from dyce_search.cli import amounts, tables
from dyce_search.cli.arguments import Commands, add_command, add_confidence, add_json, add_records, load
from dyce_search.cli.output import baseline, give, wrote
from dyce_search.cli.parser import UsageError
from dyce_search.cli.screen import say, say_facts, width
from dyce_search.files import require_folder
from dyce_search.records.records import ExitRecords


def add_info(commands: Commands) -> None:
    """Adds `info`."""
    parser = add_command(
        commands,
        "info",
        "show what records hold: samples, exits, accuracy and cost of each position",
        "dyce-search info records.npz --costs macs.json",
    )
    add_records(parser)
    add_confidence(parser)
    add_json(parser, "the same as JSON")
    parser.set_defaults(run=info)


def info(options: Namespace) -> int:
    """Prints what records hold."""
    require_folder(options.out)
    records = load(options, options.records, part="val", confidence=options.confidence)
    if not options.json:
        say_facts(_facts(records), 12)
        say()
        print(tables.records_table(records, width=width()))
    give(_content(records), as_json=options.json, out=options.out, what="the same as JSON")
    return 0


def add_split(commands: Commands) -> None:
    """Adds `split`."""
    parser = add_command(
        commands,
        "split",
        "split records at random into disjoint parts: to search on, to certify on, to report on",
        "dyce-search split records.npz --costs macs.json --shares 0.4 --out search.npz calibration.npz\n"
        "  dyce-search split records.npz --shares 0.2 0.3 --seed 1 --out search.npz calibration.npz report.npz",
        "Samples of one group stay together. The same seed gives the same parts.",
    )
    add_records(parser)
    add_confidence(parser)
    parser.add_argument(
        "--shares",
        type=amounts.shares,
        nargs="+",
        default=[[0.4]],
        metavar="X",
        help="of all parts but the last, which gets the rest (default: 0.4, to search on; the rest certifies)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the shuffle (default: 0)")
    parser.add_argument("--out", nargs="+", required=True, metavar="FILE.npz", help="a file for each part")
    parser.set_defaults(run=split)


def split(options: Namespace) -> int:
    """Writes the parts of records."""
    shares = [share for some in options.shares for share in some]
    if len(options.out) != len(shares) + 1:
        raise UsageError(
            f"--out needs {len(shares) + 1} files, one for each share and one for the rest, got {len(options.out)}"
        )
    if len(set(map(str, options.out))) < len(options.out):
        raise UsageError("--out must name different files")
    for path in options.out:
        require_folder(path)
    records = load(options, options.records, part="val", confidence=options.confidence)
    for path, part in zip(options.out, records.split(*shares, seed=options.seed), strict=True):
        part.save(path)
        wrote(path, f"{part.n_samples:,} samples")
    return 0


def _facts(records: ExitRecords) -> dict[str, str]:
    optional = [name for name in ("label", "prediction", "group") if getattr(records, name) is not None]
    return {
        "samples": f"{records.n_samples:,}",
        "exits": f"{records.n_exits} at {records.costs.n_positions} positions, the final exit included",
        "baseline": baseline(records),
        "confidence": f"{records.confidence.min():.4g} to {records.confidence.max():.4g}",
        "measure": _measure(records),
        "also holds": ", ".join(optional) or "neither labels nor predictions nor groups",
        "from": records.source or "not stated",
    }


def _content(records: ExitRecords) -> dict[str, object]:
    """The same for machines: one entry an exit."""
    costs = records.costs
    exits = zip(costs.names, costs.position.tolist(), records.exit_accuracy, costs.alone / costs.baseline, strict=True)
    keys = ("name", "position", "accuracy", "relative_cost_alone")
    return {
        "n_samples": records.n_samples,
        "n_groups": None if records.group is None else len(np.unique(records.group)),
        "n_positions": costs.n_positions,
        "baseline_accuracy": records.baseline_accuracy,
        "baseline_cost": costs.baseline,
        "unit": costs.unit,
        "measure": records.measure,
        "source": records.source,
        "exits": [dict(zip(keys, values, strict=True)) for values in exits],
    }


def _measure(records: ExitRecords) -> str:
    """What the confidences are, as far as it is known."""
    known = records.measure or "unknown: --measure says what it is"
    if records.temperature is None:
        return known
    return f"{known}, temperatures {records.temperature.min():.4g} to {records.temperature.max():.4g}"
