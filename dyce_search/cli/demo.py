"""The command that shows the main job on the example records."""

from argparse import Namespace
from pathlib import Path

from dyce_search.cli import tables
from dyce_search.cli.arguments import Commands, add_command
from dyce_search.cli.output import INTERRUPTED, make_folder, wrote
from dyce_search.cli.screen import say, width
from dyce_search.cli.searches import search_and_say, write_front
from dyce_search.evaluation.limits import FEW_DROPS
from dyce_search.records.loading import load_example

FOLDER, PICTURE = "demo", "dyce-search-demo.png"
DROP = 0.005  # of the point whose configuration is saved


def add_demo(commands: Commands) -> None:
    """Adds `demo`."""
    parser = add_command(
        commands,
        "demo",
        "search the example records that come with the package: a table, a picture and files",
        "dyce-search demo",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help=f"folder to write to (default: {FOLDER}, but {PICTURE} in the working folder)",
    )
    parser.set_defaults(run=demo)


def demo(options: Namespace) -> int:
    """The main job on the example records, written to a folder; the picture to the working folder by default."""
    folder = Path(options.out or FOLDER)
    picture = folder / "front.png" if options.out else Path.cwd() / PICTURE
    make_folder(folder)
    say("A 15-block ResNet on Fashion-MNIST, three exit types after every block, each exit's answers recorded.")
    others = load_example("test")
    front, test = search_and_say(load_example("search"), others)
    point = front.select(max_accuracy_drop=DROP)
    say()
    files = {"out": folder / "front.json", "csv": folder / "front.csv", "plot": picture}
    write_front(front, test, **files, selected=point)
    point.config.save(folder / "config.json")
    wrote(folder / "config.json", f"the configuration for a drop of {100 * DROP:g} points")
    front.explore(folder / "explorer.html", held_out=others, max_accuracy_drop=DROP)
    wrote(folder / "explorer.html", "the explorer, one page to open in a browser")
    say(f"\nChoose another point:\n  dyce-search select {folder / 'front.json'} --max-accuracy-drop 1pt")
    say("\nWhat a drop in accuracy buys (cost relative to the whole network; 1 point = 1 % of the samples):\n")
    print(tables.operating_points(front, test, FEW_DROPS, width=width()))
    return INTERRUPTED if front.provenance.stop_reason == "interrupted" else 0
