"""What expected scores promise, all figures in one go: `python -m tests.benchmarks promises`, minutes with `--quick`.

Re-splits of the bundled records, plain (`scores="observed"`) against the default: what is gained on other samples, how
well promises are kept, what a true or certified drop costs, the solvers side by side, times and memory.
"""

import json
from collections.abc import Iterator

import numpy as np

import dyce_search as ds
from tests.benchmarks.certified_study import tables as certificates
from tests.benchmarks.expected_study import SETS, Outcome, measured
from tests.benchmarks.measure import in_new_process, table
from tests.conftest import shrink
from tests.write_golden import GOLDEN, golden_content

SIZES = (500, 2_500, 7_500, 15_000)
WISHED = {500: (0.0125, 0.6), 2_500: (0.0042, 0.25), 7_500: (0.0015, 0.15), 15_000: (-0.0001, 0.15)}
BUNDLED = list(SETS)[:4]
SOLVERS = ["coordinate_descent", "differential_evolution", "cma_es", "same_threshold", "exit_shares"]  # within minutes

TIMED = """
import json, resource, statistics, time, dyce_search as ds
options, path, size, repeats = {options}, {path!r}, {size}, {repeats}
ds.search(ds.synthetic_records(300, 4, 2), progress=False, **options)
records = ds.load_records(path, in_memory=False) if path else (
    ds.load_example() if size is None else ds.synthetic_records(size, 50, 5, seed=1))
ds.search(records if size is None else records.subset(range(300)), progress=False, **options)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wall, work = [], []
for _ in range(repeats):
    a, b = time.perf_counter(), time.process_time()
    front = ds.search(records, progress=False, **options)
    wall.append(time.perf_counter() - a)
    work.append(time.process_time() - b)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([statistics.median(wall), statistics.median(work), after / 2**20, (after - before) / 2**20]))
"""
CALLS = {"default": {}, "fast": {"effort": "fast"}, "observed": {"scores": "observed"}}


def promises(quick: bool = False) -> str:
    """Everything that expected scores should show. Hours; with --quick some minutes, on fewer splits and solvers."""
    parts = [*samples(quick), certified(quick), compared(quick), as_before(), times(quick)]
    return "\n\n".join(parts)


def samples(quick: bool) -> Iterator[str]:
    """Gains and promises, a row a size; then the cost of true drops, a row a set and size."""
    sizes, seeds = (SIZES[:2], 2) if quick else (SIZES, 5)
    found = list(measured(BUNDLED, list(sizes), seeds, ["plain", "default"]))
    rows = [_gain_row(size, [outcomes for _, at, outcomes in found if at == size]) for size in sizes]
    header = ["searched on", "sets", "gain", "wished", "worst set", "gap, plain", "gap, default", "wished"]
    title = (
        f"hypervolume on others, and |delivered - promised drop| in points where at most 3 are promised; {seeds} splits"
    )
    yield f"{title}\n\n{table(header, rows)}"
    costs = [
        [name, f"{size:,}", *(" / ".join(f"{cost:.3f}" for cost in _costs(outcomes[way])) for way in outcomes)]
        for name, size, outcomes in found
        if size != 15_000
    ]
    title = "relative cost of a true relative drop of at most .25 / .5 / 1 %, the whole network where no point keeps it"
    yield f"{title}\n\n{table(['set', 'searched on', 'plain', 'default'], costs)}"


def _gain_row(size: int, of_sets: list[dict[str, list[Outcome]]]) -> list[object]:
    gains = [
        np.mean([one.hypervolume for one in outcomes["default"]])
        - np.mean([one.hypervolume for one in outcomes["plain"]])
        for outcomes in of_sets
    ]
    gap = [np.mean([np.nanmean([one.error for one in outcomes[way]]) for outcomes in of_sets]) for way in of_sets[0]]
    gain, error = WISHED[size]
    return [
        f"{size:,}", len(gains), f"{np.mean(gains):+.4f}", f">= {gain:+.4f}", f"{min(gains):+.4f}",
        f"{gap[0]:.2f}", f"{gap[1]:.2f}", f"<= {error}",
    ]  # fmt: skip


def _costs(outcomes: list[Outcome]) -> list[float]:
    return np.mean([one.costs for one in outcomes], axis=0).tolist()


def certified(quick: bool) -> str:
    """Certified cost and how often a certificate breaks its limit, over 1,000 splits (quick: 60)."""
    fronts, draws = (3, 20) if quick else (50, 20)
    parts = [(8_000, 8_000)] if quick else [(3_200, 4_800), (8_000, 8_000)]
    return "\n\n".join(certificates(["resnet15"], parts, fronts, draws, ["observed", "expected"]))


def compared(quick: bool) -> str:
    """The solvers on samples that they have not seen, at the same number of evaluations, in `compare`'s own table."""
    records, test = ds.load_example(), ds.load_example("test")
    budget = ds.search(records, progress=False).provenance.evaluations
    names = SOLVERS if quick else [*SOLVERS, "nsga2", "nsga3", "random", "single_pass", "iterative"]
    found = ds.compare(records, solvers=names, test=test, max_evaluations=budget, progress=False)
    columns = ["solver", "test_hypervolume", "hypervolume", "evaluations"]
    rows = [
        [row["solver"], f"{row['test_hypervolume']:.4f}", f"{row['hypervolume']:.4f}", f"{row['evaluations']:,.0f}"]
        for row in found.to_frame().to_dict("records")
    ]
    return f"{budget:,} evaluations each, bundled records\n\n{table(columns, rows)}"


def as_before() -> str:
    """Whether fronts of observed scores are those that are kept in tests/golden."""
    records = shrink(ds.load_example(), positions={2: 2, 6: 1, 10: 2}, samples=300)
    rows = []
    for solver in ("coordinate_descent", *SOLVERS[3:], "single_pass", "iterative", "nsga2"):
        golden = json.loads((GOLDEN / f"{solver}.json").read_text())
        rows.append([solver, "the same" if golden_content(records, solver) == golden else "differs"])
    return table(["solver, observed scores", "front, to the last digit that is kept"], rows)


def times(quick: bool) -> str:
    """The whole call, warm: medians of five at 15,000 x 46, of one beyond (quick: 15,000 x 46 alone)."""
    header = ["records", "call", "wall s", "processor s", "peak GiB", "beyond the records GiB"]
    rows = [["15,000 x 46", call, *timed(call, None, 5)[:-1], "-"] for call in CALLS]
    if not quick:
        for size in (50_000, 1_281_167):
            rows += [[f"{size:,} x 251", call, *timed(call, size, 1)] for call in CALLS if call != "fast"]
        rows.append(["1,281,167 x 251, float16 in a file", "default", *stored()])
    return table(header, rows)


def timed(call: str, size: int | None, repeats: int, path: str = "") -> list[float]:
    """Median wall and processor time, peak of memory, and how far it is above that before the search."""
    code = TIMED.format(options=CALLS[call], path=path, size=size, repeats=repeats)
    return list(json.loads(in_new_process(code)))


def stored() -> list[float]:
    """Records that stay in their file, which takes 0.9 GiB for as long as this runs."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.npz"
        in_new_process(
            "import dyce_search as ds; records = ds.synthetic_records(1_281_167, 50, 5, seed=1);"
            f"records.save({str(path)!r}, compress=False, half=True)"
        )
        return timed("default", 1_281_167, 1, str(path))
