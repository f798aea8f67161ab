"""What each command of the command line does."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from dyce_search.analysis.compare import compare
from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.cli import tables
from dyce_search.errors import FileFormatError, FrontError, SolverError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import Curve, OperatingPoint
from dyce_search.evaluation.evaluate import evaluate
from dyce_search.files import PathLike, write_atomically
from dyce_search.front.front import ParetoFront
from dyce_search.records.file_kinds import kind_of
from dyce_search.records.loading import load_example, load_records
from dyce_search.records.records import ExitRecords
from dyce_search.report.page import report
from dyce_search.search import search

PICTURES = (".png", ".pdf", ".svg")
DEMO_DROPS = (0.0, 0.005, 0.01, 0.02)
DEMO_FOLDER, DEMO_PICTURE = "demo", "dyce-search-demo.png"
DEMO_DROP = 0.005  # of the point whose configuration the demo saves
LIMITS = ("max_accuracy_drop", "min_accuracy", "max_cost", "max_relative_cost")
INTERRUPTED = 130  # the shell's exit status after Ctrl-C


def info(options: Namespace) -> int:
    """Prints what records hold."""
    records = _load(options.records, options.costs, part="val")
    costs = records.costs
    optional = [name for name in ("label", "prediction", "group") if getattr(records, name) is not None]
    facts = {
        "samples": f"{records.n_samples:,}",
        "exits": f"{records.n_exits} at {costs.n_positions} positions, the final exit included",
        "baseline": _baseline(records),
        "confidence": f"{records.confidence.min():.4g} to {records.confidence.max():.4g}",
        "also holds": ", ".join(optional) or "neither labels nor predictions nor groups",
        "from": records.source or "not stated",
    }
    for name, fact in facts.items():
        print(f"{name:<11} {fact}")
    print()
    print(tables.records_table(records))
    return 0


def find(options: Namespace) -> int:
    """Searches, prints the operating points and writes what was asked for."""
    for path in (options.out, options.csv, options.plot):
        _require_folder(path)  # before the work, not after it
    if options.plot is not None and Path(options.plot).suffix.lower() not in PICTURES:
        raise FileFormatError(f"--plot needs a name that ends in {', '.join(PICTURES)}, got {options.plot}")
    records = _load(options.records, options.costs, part="val")
    test_records = None if options.test is None else _load(options.test, options.costs, part="test")
    front, test = _search(
        records,
        test_records,
        solver=options.solver,
        seed=options.seed,
        max_evaluations=options.max_evaluations,
        max_seconds=options.max_seconds,
        min_samples=options.min_samples,
    )
    print()
    print(tables.operating_points(front, test))
    _write(front, test, out=options.out, csv=options.csv, plot=options.plot)
    if not (options.out or options.csv or options.plot):
        print("\nNothing was written: --out FILE.json keeps the front for `dyce-search select`.")
    return INTERRUPTED if front.provenance.stop_reason == "interrupted" else 0


def select(options: Namespace) -> int:
    """Prints the best point of a front within limits; writes its configuration."""
    limits = _limits(options, "select", LIMITS)
    _require_folder(options.out)
    front = ParetoFront.load(options.front)
    point = front.select(**limits)
    print(f"accuracy       {point.accuracy:.4f}  (drop {100 * point.accuracy_drop:+.2f} points)")
    print(f"relative cost  {point.relative_cost:.4f}  ({point.cost:,.10g} {front.costs.unit})")
    print()
    print(tables.config_table(front.costs, point.config))
    print(f"\nFigures are those of the {front.n_samples:,} samples searched on; `dyce-search evaluate` gives others.")
    if options.out is not None:
        point.config.save(options.out)
        _wrote(options.out, "the configuration")
    return 0


def certify(options: Namespace) -> int:
    """Prints the best point that keeps limits with a guarantee; writes its configuration with the certificate."""
    limits = _limits(options, "certify", (*LIMITS, "min_agreement"))
    _require_folder(options.out)
    front = ParetoFront.load(options.front)
    records = _load(options.records, options.costs, part="test")
    point = front.certify(records, **limits, confidence=options.confidence, method=options.method)
    print(f"{point.certificate}\n")
    print(f"accuracy       {point.accuracy:.4f}  (drop {100 * point.accuracy_drop:+.2f} points)")
    print(f"relative cost  {point.relative_cost:.4f}  ({point.cost:,.10g} {records.costs.unit})")
    print()
    print(tables.config_table(records.costs, point.config, evaluate(records, point.config)))
    print("\nFigures are those of the calibration samples. Certifying again on them, for another limit, is no proof.")
    if options.out is not None:
        point.save(options.out)
        _wrote(options.out, "the configuration, with its certificate")
    return 0


def measure(options: Namespace) -> int:
    """Prints what a configuration does on some records."""
    config = ExitConfig.load(options.config)
    records = _load(options.records, options.costs, part="test")
    result = evaluate(records, config)
    print(f"samples        {records.n_samples:,}")
    print(f"baseline       {_baseline(records)}")
    print(f"accuracy       {result.accuracy:.4f}  (drop {100 * result.accuracy_drop:+.2f} points)")
    print(f"relative cost  {result.relative_cost:.4f}  ({result.cost:,.10g} {records.costs.unit})")
    print()
    print(tables.config_table(records.costs, config, result))
    return 0


def contrast(options: Namespace) -> int:
    """Compares solvers, prints the table and writes what was asked for."""
    if options.seeds < 1:
        raise SolverError(f"--seeds must be a whole number >= 1, got {options.seeds}")
    if options.out is not None:
        _make_folder(Path(options.out))  # before the work, not after it
    records = _load(options.records, options.costs, part="val")
    test_records = None if options.test is None else _load(options.test, options.costs, part="test")
    _say_what_is_searched(records, test_records)
    comparison = compare(
        records,
        solvers=None if options.solvers is None else [name.strip() for name in options.solvers.split(",")],
        test=test_records,
        max_evaluations=options.max_evaluations,
        max_seconds=options.max_seconds,
        seeds=range(options.seeds),
        n_jobs=options.jobs,
    )
    seeds = f", medians of {options.seeds} seeds" if options.seeds > 1 else ""
    print(f"budget of each search: {comparison.budget}{seeds}\n")
    print(tables.solvers_table(comparison.to_frame()))
    print("\nHypervolume: share of relative accuracy x relative cost that a front dominates, 1 at best.")
    print("Cost: the least, relative, for an accuracy drop up to 0, 0.5 ... points, on the samples searched on.")
    if options.out is not None:
        comparison.save(options.out)
        _wrote(options.out, "comparison.csv, anytime.csv, every front as JSON, pictures")
    return 0


def write_report(options: Namespace) -> int:
    """Writes a page about a front; says whether its point is certified."""
    _require_folder(options.out)  # before the work, not after it
    front = ParetoFront.load(options.front)
    records = load_records(options.records, costs=options.costs)
    searched = None if options.search is None else load_records(options.search, costs=options.costs)
    point = report(
        front,
        records,
        options.out,
        search=searched,
        max_accuracy_drop=options.max_accuracy_drop,
        confidence=options.confidence,
    )
    certified = isinstance(point, CertifiedPoint)
    print(f"{'certified' if certified else 'not certified'}: {point}")
    _wrote(options.out, "the report, one page to open in a browser")
    return 0


def demo(options: Namespace) -> int:
    """The main job on the example records, written to a folder; the picture to the working folder by default."""
    folder = Path(options.out or DEMO_FOLDER)
    picture = folder / "front.png" if options.out else Path.cwd() / DEMO_PICTURE
    _make_folder(folder)
    records, test_records = load_example("search"), load_example("test")
    print("A 15-block ResNet on Fashion-MNIST, three exit types after every block, each exit's answers recorded.")
    front, test = _search(records, test_records)
    point = front.select(max_accuracy_drop=DEMO_DROP)
    print()
    _write(
        front,
        test,
        out=folder / "front.json",
        csv=folder / "front.csv",
        plot=picture,
        selected=point,
    )
    point.config.save(folder / "config.json")
    _wrote(folder / "config.json", f"the configuration for a drop of {100 * DEMO_DROP:g} points")
    print(f"\nChoose another point: dyce-search select {folder / 'front.json'} --max-accuracy-drop 0.01")
    print("\nWhat a drop in accuracy buys (cost relative to the whole network; 1 point = 1 % of the samples):\n")
    print(tables.operating_points(front, test, DEMO_DROPS))
    return INTERRUPTED if front.provenance.stop_reason == "interrupted" else 0


def _load(path: PathLike, costs: PathLike | None, *, part: Literal["val", "test"]) -> ExitRecords:
    """The records of a file; `part` says which, where MSDNet's file holds two sets."""
    return load_records(path, costs=costs, part=part if kind_of(path) == "torch" else None)


def _search(records: ExitRecords, test_records: ExitRecords | None, **options: Any) -> tuple[ParetoFront, Curve | None]:
    _say_what_is_searched(records, test_records)
    front = search(records, **options)
    how = front.provenance
    print(
        f"{how.solver}: {len(front):,} points in {how.seconds:.2f} s, "
        f"{how.evaluations:,} evaluations, stopped: {how.stop_reason}"
    )
    return front, None if test_records is None else front.evaluate(test_records)


def _say_what_is_searched(records: ExitRecords, test_records: ExitRecords | None) -> None:
    print(f"search on {records.n_samples:,} samples, {records.n_exits} exits; baseline {_baseline(records)}")
    if test_records is not None:
        print(f"test on   {test_records.n_samples:,} samples; baseline {_baseline(test_records)}")
        if test_records.digest == records.digest:
            print("note: the test records are the samples searched on, so they tell nothing new")


def _write(
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
        _wrote(out, "the front, for `dyce-search select` and ds.ParetoFront.load")
    if csv is not None:
        frame = front.to_frame()
        if test is not None:
            frame = frame.join(test.to_frame().drop(columns="n_exits").add_prefix("test_"))
        text = frame.to_csv(index=False)
        write_atomically(csv, lambda stream: stream.write(text.encode()))
        _wrote(csv, "its figures as a table")
    if plot is not None:
        figure = front.plot(label=front.provenance.solver, held_out=test, selected=selected).figure
        kind = Path(plot).suffix.lower().removeprefix(".")
        save: Callable[..., object] = figure.savefig  # type: ignore[union-attr]
        write_atomically(plot, lambda stream: save(stream, format=kind, dpi=150))
        _wrote(plot, "the picture")


def _limits(options: Namespace, command: str, names: Sequence[str]) -> dict[str, float]:
    limits = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if not limits:
        wanted = ", ".join("--" + name.replace("_", "-") for name in names)
        raise FrontError(f"{command} needs a limit: one or more of {wanted}")
    return limits


def _wrote(path: PathLike, what: str) -> None:
    print(f"wrote {path}  ({what})")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise FileFormatError(f"cannot make the folder {folder}: {cause.strerror}") from cause


def _require_folder(path: PathLike | None) -> None:
    if path is None:
        return
    if Path(path).is_dir():
        raise FileFormatError(f"cannot write {path}: it is a folder, name a file")
    if not Path(path).parent.is_dir():
        raise FileFormatError(f"cannot write {path}: there is no folder {Path(path).parent}, make it first")


def _baseline(records: ExitRecords) -> str:
    return f"{records.baseline_accuracy:.4f} at {records.costs.baseline:,.10g} {records.costs.unit}"
