"""What the sections measure with: fronts that were checked, times, peak memory."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

import dyce_search as ds

DROPS = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.05)  # relative to the baseline accuracy


def searched(records: ds.ExitRecords, **options) -> ds.ParetoFront:
    """A search alone, on the observed scores, of which there is an optimum and which rivals maximise."""
    return ds.search(records, progress=False, scores="observed", **options)


def checked_front(records: ds.ExitRecords, **options) -> ds.ParetoFront:
    """A front whose figures the one evaluator confirms; only then is its solver worth timing."""
    front = searched(records, **options)
    measured = ds.evaluate_many(records, [point.config for point in front])
    assert np.array_equal(measured.cost, front.cost)
    assert np.array_equal(measured.accuracy, front.accuracy)
    return front


def fresh(records: ds.ExitRecords) -> ds.ExitRecords:
    """The same records with nothing worked out yet, so that a timing includes it."""
    return ds.ExitRecords(confidence=records.confidence, score=records.score, costs=records.costs)


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """The shortest of some runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def argsort_all(records: ds.ExitRecords) -> None:
    """The yardstick: a stable argsort of every exit's confidences, one after another."""
    for row in records.confidence:
        np.argsort(row, kind="stable")


def costs_at_drops(front: ds.ParetoFront) -> list[float]:
    """Relative cost at each of DROPS; NaN where the front does not reach it."""
    found = []
    for drop in DROPS:
        try:
            found.append(front.select(max_accuracy_drop=drop * front.baseline_accuracy).relative_cost)
        except ds.InfeasibleError:
            found.append(float("nan"))
    return found


def in_new_process(code: str, **environment: str) -> str:
    """What a piece of code prints in a new process."""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return result.stdout.strip()


def table(header: list[str], rows: list[list[object]]) -> str:
    """A Markdown table; floats to four digits."""
    cells = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in [header, *cells]) for k in range(len(header))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *cells]]
    return "\n".join(
        [
            f"| {lines[0]} |",
            "|" + "|".join("-" * (width + 2) for width in widths) + "|",
            *(f"| {line} |" for line in lines[1:]),
        ]
    )
