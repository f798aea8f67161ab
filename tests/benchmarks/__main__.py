"""Runs the sections that are named, or all but the long ones; prints their tables and writes bench/report.md."""

import argparse
import platform
from pathlib import Path

import numba
import numpy as np

import dyce_search as ds
from dyce_search.search import SOLVERS
from dyce_search.solvers.trade_off import TradeOff
from dyce_search.threads import n_threads
from tests.benchmarks import certification
from tests.benchmarks.early_exit import runtime
from tests.benchmarks.expected_study import expected
from tests.benchmarks.measure import (
    DROPS,
    argsort_all,
    checked_front,
    costs_at_drops,
    fresh,
    in_new_process,
    searched,
    seconds,
    table,
)
from tests.benchmarks.models import models
from tests.benchmarks.promises import promises
from tests.benchmarks.serving_study import bundles
from tests.solvers.test_coordinate_descent import small_problem

LAMBDAS = (0.3, 0.5, 0.7, 0.9, 0.97)
RUNS = {  # options that keep rivals within minutes; None: not run at that size
    "example": {"exhaustive": None, "default": {}},
    "50,000 x 251": {"exhaustive": None, "iterative": None, "single_pass": {"lambdas": tuple(np.linspace(0.5, 1, 11))}},
}
BUDGET = 2_000  # evaluations of the solvers that would go on for ever
BUDGETED = (
    "differential_evolution",
    "cma_es",
    "nsga2",
    "nsga3",
    "tpe",
    "random",
)  # tpe is left out: it takes minutes for its models


def quality() -> str:
    """Time and front of every solver on observed scores, and of every effort of the default one."""
    parts = []
    for name, records in {
        "example": ds.load_example(),
        "50,000 x 251": ds.synthetic_records(50_000, 50, 5, seed=1),
    }.items():
        rows = []
        runs = [(f"coordinate_descent, {effort}", {"effort": effort}) for effort in ("fast", "default", "high")]
        if name != "example":
            runs.pop()
        runs += [(solver, RUNS[name].get(solver, {})) for solver in SOLVERS if solver != "coordinate_descent"]
        for label, options in runs:
            solver = label.split(",")[0]
            if options is None or solver == "tpe" or (solver in BUDGETED and name != "example"):
                continue
            if solver in BUDGETED:
                options = {**options, "max_evaluations": BUDGET}
            front = checked_front(records, solver=solver, **options)
            took = front.provenance.seconds
            if took < 5:  # the first run may have compiled
                took = seconds(lambda: searched(fresh(records), solver=solver, **options))  # noqa: B023
            rows.append(
                [
                    label,
                    took,
                    front.provenance.evaluations,
                    len(front),
                    f"{front.hypervolume():.5f}",
                    *costs_at_drops(front),
                ]
            )
        header = ["solver", "seconds", "evaluations", "points", "hypervolume", *(f"{100 * d:g} %" for d in DROPS)]
        parts.append(f"{name}; relative cost at relative accuracy drops\n\n{table(header, rows)}")
    return "\n\n".join(parts)


def ratio() -> str:
    """The search alone, on observed scores, against a stable argsort of every exit's confidences, in one run."""
    rows = []
    for name, records in {
        "example": ds.load_example(),
        "50,000 x 251": ds.synthetic_records(50_000, 50, 5, seed=1),
    }.items():
        checked_front(records)
        ratios = []
        for _ in range(5):
            sort = seconds(lambda: argsort_all(records))  # noqa: B023
            search = seconds(lambda: searched(fresh(records)))  # noqa: B023
            ratios.append(search / sort)
        rows.append([name, sort, search, float(np.median(ratios)), max(ratios)])
    return table(["records", "argsort s", "search s", "median ratio", "worst ratio"], rows)


def growth() -> str:
    """How time grows with samples, positions and types; exponents of a log-log fit."""
    rows, parts = [], []
    for label, sizes in {
        "samples (20 positions x 3)": [(n, 20, 3) for n in (5_000, 15_000, 50_000, 150_000, 500_000)],
        "positions (20,000 samples, 3 types)": [(20_000, p, 3) for p in (5, 10, 20, 40)],
        "types (20,000 samples, 20 positions)": [(20_000, 20, t) for t in (1, 2, 3, 5)],
    }.items():
        times = []
        for size in sizes:
            records = ds.synthetic_records(*size, seed=1)
            checked_front(records)
            times.append(seconds(lambda: searched(fresh(records)), 2))  # noqa: B023
        axis = int(np.argmax(np.ptp(np.array(sizes), axis=0) > 0))
        grown = [size[axis] for size in sizes]
        exponent = float(np.polyfit(np.log(grown), np.log(times), 1)[0])
        rows.append([label, ", ".join(map(str, grown)), ", ".join(f"{t:.2f}" for t in times), exponent])
    parts.append(table(["grows", "sizes", "seconds", "exponent"], rows))
    return "\n".join(parts)


def optimality() -> str:
    """Against brute force on 200 small problems, and against a long search on 40 positions x 4 types."""
    rng = np.random.default_rng(0)
    problems = [small_problem(rng) for _ in range(200)]
    optima = [searched(records, solver="exhaustive", levels=1000, max_configurations=10**7) for records in problems]
    rows = []
    for effort in ("fast", "default", "high"):
        gaps = []
        for records, optimum in zip(problems, optima, strict=True):
            trade_off, front = TradeOff.of(records), searched(records, effort=effort)
            for weight in LAMBDAS:
                best = trade_off(weight, optimum.accuracy, optimum.cost).min()
                gaps.append((trade_off(weight, front.accuracy, front.cost).min() - best) / max(abs(best), 1e-9))
        rows.append([effort, 100 * float(np.mean(np.array(gaps) <= 1e-3)), 100 * float(max(gaps))])
    small = table(["effort", "J within 0.1 %, % of cases", "worst gap %"], rows)
    rows = []
    for seed in (1, 2):
        records = ds.synthetic_records(5_000, 40, 4, seed=seed)
        trade_off = TradeOff.of(records)
        fronts = {effort: searched(records, effort=effort) for effort in ("default", "high")}
        fronts["long"] = fronts["high"].merge(searched(records, effort="high", seed=1), fronts["default"])
        scaled, plain = {}, {}
        for effort, front in fronts.items():
            scaled[effort] = np.array([trade_off(w, front.accuracy, front.cost).min() for w in LAMBDAS])
            plain[effort] = np.array(
                [(w * (1 - front.accuracy) + (1 - w) * front.relative_cost).min() for w in LAMBDAS]
            )
        for effort in ("default", "high"):
            rows.append(
                [
                    seed,
                    effort,
                    fronts[effort].provenance.seconds,
                    100 * float((plain[effort] / plain["long"] - 1).max()),
                    100 * float((scaled[effort] - scaled["long"]).max()),
                ]
            )
    large = table(
        [
            "seed",
            "effort",
            "seconds",
            "worst gap of lambda (1 - accuracy) + (1 - lambda) cost, %",
            "of J, points of its range",
        ],
        rows,
    )
    title = "40 positions x 4 types, 5,000 samples, five lambdas, against the best of two long searches"
    return f"{small}\n\n{title}\n\n{large}"


def start() -> str:
    """Import and the default search: compiled anew, in a new process with what was compiled, and once more there."""
    import tempfile

    code = (
        "import os, time\ndef now(): return [time.perf_counter(), time.process_time()]\n"
        "times = [now()]\nimport dyce_search as ds\ntimes += [now()]\nrecords = ds.load_example()\ntimes += [now()]\n"
        "ds.search(records)\ntimes += [now()]\nds.search(records)\ntimes += [now()]\n"
        "print(*(b - a for k in (0, 2, 3) for a, b in zip(times[k], times[k + 1])))"
    )
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for label in ("cold", "new process"):
            loaded, loading, first, working, again, warm = map(
                float, in_new_process(code, NUMBA_CACHE_DIR=cache).split()
            )
            rows.append([label, loaded, loading, first, working])
    rows.append(["warm", "-", "-", again, warm])
    return table(["search", "import s", "processor s", "search s", "processor s"], rows)


def imagenet() -> str:
    """The size of ImageNet's training set and ResNet-152: a minute to make the records, 2.4 GiB for them."""
    code = """
import threading, time, dyce_search as ds
ds.search(ds.synthetic_records(300, 50, 5, 0), scores="observed")
records = ds.synthetic_records(1_281_167, 50, 5, 1)
own = records.confidence.nbytes + records.score.nbytes
peak, done = 0, False
def watch():
    global peak
    while not done:
        peak = max(peak, int(open("/proc/self/statm").read().split()[1]) * 4096)
        time.sleep(0.02)
thread = threading.Thread(target=watch); thread.start()
started = time.perf_counter(); front = ds.search(records, scores="observed"); took = time.perf_counter() - started
done = True; thread.join()
print(took, len(front), front.hypervolume(), own / 2**30, (peak - own) / 2**30)
"""
    took, points, volume, own, over = map(float, in_new_process(code).split())
    return table(
        ["search s", "points", "hypervolume", "records GiB", "peak beyond them GiB"],
        [[took, int(points), volume, own, over]],
    )


def certificates() -> str:
    """Certified points on new samples, 1,000 random splits of a million: do they keep their limit, what do they cost?

    The limit is a drop of one point; 5,000 samples to search on, 5,000 to certify on. Some twenty minutes.
    """
    choices = {
        "select on the search half": certification.naive,
        "cheapest within the limit on the calibration half": certification.held_out,
        "certify, confidence 0.90": certification.certified(0.90),
        "certify, confidence 0.95": certification.certified(0.95),
    }
    parts = []
    for label, graded in {"right or wrong": False, "scores in [0, 1]": True}.items():
        outcomes = certification.violations(certification.population(graded=graded), 1000, 5000, choices)
        rows = [
            [name, 100 * found.violations, 100 * found.nothing, 100 * found.drop, found.relative_cost]
            for name, found in outcomes.items()
        ]
        header = ["choice", "breaks the limit, % of runs", "nothing, %", "mean drop, points", "mean relative cost"]
        parts.append(f"{label}\n\n{table(header, rows)}")
    sizes, everything = (500, 1000, 2000, 5000, 10_000, 20_000, 50_000), certification.population()
    rows = []
    for method in ("auto", "betting", "hoeffding_bentkus"):
        ratios = certification.overpaid(everything, 40, sizes, method=method)
        rows.append([f"{method}, median", *map(float, np.median(ratios, axis=0))])
        rows.append(
            [f"{method}, nothing certified, %", *(100 * float(share) for share in np.isinf(ratios).mean(axis=0))]
        )
    title = "cost of the certified point / of the cheapest that keeps the limit in deployment, 40 runs, by samples"
    parts.append(f"{title}\n\n{table(['test', *map(str, sizes)], rows)}")
    return "\n\n".join(parts)


def solvers() -> str:
    """Every solver with 20,000 evaluations on the bundled records, by what it delivers on others; tpe gets 100 s.

    Optuna's own time grows with the square of the number of trials: a quarter of an hour and more for each nsga.
    """
    names = [name for name in SOLVERS if name not in ("exhaustive", "tpe")]
    records, test = ds.load_example(), ds.load_example("test")
    both = ["expected", "observed"]
    found = ds.compare(records, solvers=names, test=test, max_evaluations=20_000, progress=False, scores=both)
    limited = ds.compare(records, solvers=["tpe"], test=test, max_seconds=100, progress=False, scores=both)
    rows = [row for frame in (found.to_frame(), limited.to_frame()) for row in frame.to_dict("records")]
    columns = ["solver", "test_hypervolume", "hypervolume"]
    columns += [f"relative_cost_at_{drop}" for drop in ("0", "0.5", "1", "2")] + ["points", "seconds", "evaluations"]
    four = {"hypervolume", "test_hypervolume"}
    return table(columns, [[f"{row[key]:.4f}" if key in four else row[key] for key in columns] for row in rows])


LONG = ("imagenet", "certificates", "expected", "solvers", "promises", "models", "bundles")
SECTIONS = {
    "ratio": ratio,
    "start": start,
    "growth": growth,
    "quality": quality,
    "optimality": optimality,
    "expected": expected,
    "solvers": solvers,
    "promises": promises,
    "imagenet": imagenet,
    "certificates": certificates,
    "runtime": runtime,
    "models": models,
    "bundles": bundles,
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--out", type=Path, default=Path("bench"))
    parser.add_argument("--quick", action="store_true", help="of promises: some minutes in place of hours")
    options = parser.parse_args()
    chosen = options.sections or [name for name in SECTIONS if name not in LONG]
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, Numba {numba.__version__}"
    machine = f"{platform.machine()}, {n_threads()} threads, {versions}"
    report = [f"# Benchmarks of dyce_search {ds.__version__}\n\n{machine}"]
    options.out.mkdir(exist_ok=True)
    for name in chosen:
        section = SECTIONS[name]
        content = promises(options.quick) if name == "promises" else section()
        text = f"## {name}\n\n{section.__doc__}\n\n{content}"
        print(text + "\n", flush=True)
        report.append(text)
        (options.out / "report.md").write_text("\n\n".join(report) + "\n")
    print(f"written to {options.out / 'report.md'}")


if __name__ == "__main__":
    main()
