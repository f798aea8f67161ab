"""The command about configurations: evaluate."""

from argparse import Namespace

from dyce_search.cli import tables
from dyce_search.cli.arguments import Commands, add_command, add_json, add_records, load
from dyce_search.cli.output import PAD, baseline, figures_of, give, say_figures
from dyce_search.cli.screen import say_facts, width
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.evaluate import evaluate
from dyce_search.files import require_folder


def add_evaluate(commands: Commands) -> None:
    """Adds `evaluate`."""
    parser = add_command(
        commands,
        "evaluate",
        "measure a configuration on records: accuracy, cost, and who leaves where",
        "dyce-search evaluate config.json test.npz --costs macs.json",
    )
    parser.add_argument("config", metavar="CONFIG", help="a file that `dyce-search select --out` wrote")
    add_records(parser)
    add_json(parser, "the same as JSON")
    parser.set_defaults(run=measure)


def measure(options: Namespace) -> int:
    """Prints what a configuration does on some records."""
    require_folder(options.out)
    config = ExitConfig.load(options.config)
    records = load(options, options.records, part="test", layout=config.layout)
    result = evaluate(records, config)
    if not options.json:
        say_facts({"samples": f"{records.n_samples:,}", "baseline": baseline(records)}, PAD)
        say_figures(result, records.costs.unit)
        print(tables.config_table(records.costs, config, result, width=width()))
    content = {
        "n_samples": records.n_samples,
        "baseline_accuracy": records.baseline_accuracy,
        **figures_of(result),
        "unit": records.costs.unit,
        "exit_share": result.exit_share,
        "exit_accuracy": result.exit_accuracy,
    }
    give(content, as_json=options.json, out=options.out, what="the same as JSON")
    return 0
