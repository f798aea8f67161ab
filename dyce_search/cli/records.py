"""The command about records: info."""

from argparse import Namespace

from dyce_search.cli import tables
from dyce_search.cli.arguments import Commands, add_command, add_records, load
from dyce_search.cli.output import baseline
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
    parser.set_defaults(run=info)


def info(options: Namespace) -> int:
    """Prints what records hold."""
    records = load(options.records, options.costs, part="val", measure=options.measure)
    costs = records.costs
    optional = [name for name in ("label", "prediction", "group") if getattr(records, name) is not None]
    facts = {
        "samples": f"{records.n_samples:,}",
        "exits": f"{records.n_exits} at {costs.n_positions} positions, the final exit included",
        "baseline": baseline(records),
        "confidence": f"{records.confidence.min():.4g} to {records.confidence.max():.4g}",
        "measure": _measure(records),
        "also holds": ", ".join(optional) or "neither labels nor predictions nor groups",
        "from": records.source or "not stated",
    }
    for name, fact in facts.items():
        print(f"{name:<11} {fact}")
    print()
    print(tables.records_table(records))
    return 0


def _measure(records: ExitRecords) -> str:
    """What the confidences are, as far as it is known."""
    known = records.measure or "unknown: --measure says what it is"
    if records.temperature is None:
        return known
    return f"{known}, temperatures {records.temperature.min():.4g} to {records.temperature.max():.4g}"
