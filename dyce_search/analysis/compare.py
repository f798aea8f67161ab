"""`compare`: several solvers under one budget, their fronts measured by one evaluator."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.analysis.comparison import ComparedSearch, Comparison
from dyce_search.arguments import has_entries, is_whole, shown
from dyce_search.errors import FrontError, RecordsError, SolverError
from dyce_search.evaluation.evaluate import non_dominated
from dyce_search.evaluation.same_costs import warn_if_other_costs
from dyce_search.expected.searched import SearchedScores
from dyce_search.fingerprints import fingerprint, warn_if_seen
from dyce_search.parallel import run_all
from dyce_search.records.records import ExitRecords
from dyce_search.search import (
    SOLVERS,
    Solver,
    check_options,
    find_solver,
    run_solver,
    search,
    solver_name,
)
from dyce_search.solvers.budget import check_budget
from dyce_search.solvers.run import Run

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
SolverChoice = str | Solver | tuple[str | Solver, Mapping[str, Any]]

MAX_EVALUATIONS = 20_000  # where no budget is given
CHECKPOINTS = 100  # of an anytime curve, at most
ONLY_SMALL = ("exhaustive", "tpe")  # not compared unless asked for: one refuses large problems, one takes hours


def compare(
    records: ExitRecords,
    *,
    solvers: Iterable[str | Solver] | Mapping[str, SolverChoice] | None = None,
    test: ExitRecords | None = None,
    max_evaluations: int | None = None,
    max_seconds: float | None = None,
    seeds: Sequence[int] = (0,),
    n_jobs: int | None = None,
    progress: bool | None = None,
    scores: str | Sequence[str] = "expected",
    caution: float | None = None,
) -> Comparison:
    """Runs several solvers under the same budget and says who found what.

    Each solver first runs for a moment on a few of the samples, so that compiling and importing count in nobody's
    time (a callable, or a solver with options of its own, does not: it may keep what it did). Whatever a solver
    reports, its configurations are measured by `evaluate`.

    Args:
        records: to search on.
        solvers: names or callables (see `search`); or by label: a name, a callable, or a pair of it and a dictionary
            of its options. None is every solver of the package except "exhaustive", which refuses large problems, and
            "tpe", whose models take far longer than the evaluations.
        test: other samples of the same network, on which every front is measured too.
        max_evaluations: budget of each search. A configuration, or one exit of one, that is measured against all
            samples counts one. Where no budget is given it is 20,000 evaluations.
        max_seconds: budget of each search in wall-clock time, wise for solvers that think long about each evaluation
            (`tpe`). For fair times leave `n_jobs` at 1.
        seeds: each solver runs once with each.
        n_jobs: how many searches run at once, see `search_many`. Without `max_seconds` the fronts are the same for
            any number of jobs.
        progress: progress bars of the searches; None draws them only on a terminal.
        scores: what all solvers maximise, "expected" or "observed" (see `search`); or both in a list, for a row each,
            labelled "nsga2, observed".
        caution: see `search`.

    Raises:
        SolverError: no solver, an unknown one, two of the same label, options that one does not take, a bad budget
            or seed.
        RecordsError: `records` or `test` is something else.
        FrontError: a baseline accuracy of 0, which leaves the hypervolume undefined.
        ConfigError: test records of other exits, or of confidences of another measure or temperature.
        CostsError: test records with costs in another unit.

    Example:
        >>> import dyce_search as ds
        >>> comparison = ds.compare(ds.load_example(), solvers=["same_threshold", "exit_shares"], max_evaluations=100)
        >>> sorted(comparison.solvers)
        ['exit_shares', 'same_threshold']
    """
    _check_records(records, test)
    if test is not None:
        warn_if_seen(records.digest, fingerprint(records.confidence), test, "test records", stacklevel=2)
    chosen = _choose(solvers)
    tried = _check_seeds(seeds)
    if max_evaluations is None and max_seconds is None:
        max_evaluations = MAX_EVALUATIONS
    check_budget(0, max_evaluations, max_seconds)
    budget = {"max_evaluations": max_evaluations, "max_seconds": max_seconds, "progress": progress}
    kinds = list(scores) if isinstance(scores, (list, tuple)) else [scores]
    words = all(isinstance(kind, str) for kind in kinds) and len(set(kinds)) == len(kinds)
    if not words or not kinds or not {*kinds} <= {"expected", "observed"}:
        raise SolverError(f"scores must be 'expected', 'observed' or a list of both, got {shown(scores)}")
    shared = {kind: SearchedScores.of(records, kind, caution) for kind in kinds}
    calls = [
        ((records, test, label if len(kinds) == 1 else f"{label}, {kind}", solver, seed, options, made), budget)
        for label, (solver, options) in chosen.items()
        for kind, made in shared.items()
        for seed in tried
    ]
    return Comparison(
        searches=tuple(run_all(_search_once, calls, n_jobs)),
        seeds=tried,
        max_evaluations=max_evaluations,
        max_seconds=max_seconds,
    )


def _search_once(
    records: ExitRecords,
    test: ExitRecords | None,
    label: str,
    solver: str | Solver,
    seed: int,
    options: Mapping[str, Any],
    scores: SearchedScores,
    **budget: Any,
) -> ComparedSearch:
    """One search with its anytime curve, of the scores that were maximised."""
    if isinstance(solver, str) and not options:
        few = records.subset(np.arange(min(64, records.n_samples)))
        search(
            few, solver=solver, max_evaluations=50, max_seconds=budget["max_seconds"], progress=False, scores="observed"
        )
    run, front = run_solver(records, solver, options, seed=seed, scores=scores, **budget)
    if front.provenance.stop_reason == "interrupted":
        raise KeyboardInterrupt
    seconds, evaluations, hypervolume = _anytime(run)
    return ComparedSearch(
        solver=label,
        seed=seed,
        front=front,
        test=None if test is None else front.evaluate(test),
        seconds=np.append(seconds, front.provenance.seconds),
        evaluations=np.append(evaluations, front.provenance.evaluations),
        hypervolume=np.append(hypervolume, hypervolume[-1]),
    )


def _anytime(run: Run) -> tuple[FloatArray, IntArray, FloatArray]:
    """(T,) seconds, evaluations and hypervolume of everything handed in by then, T at most `CHECKPOINTS`."""
    records, (cost, accuracy) = run.records, run.figures()
    stop = np.cumsum([came.size for came in run.history])
    even = np.geomspace(1, len(stop), min(CHECKPOINTS, len(stop)))
    chosen = np.unique(np.append(even.astype(np.int64), len(stop))) - 1
    hypervolume, kept, begin = [], np.empty((0, 2)), 0
    for index in chosen:
        new = slice(begin, int(stop[index]))
        points = np.concatenate([kept, np.column_stack([cost[new], accuracy[new]])])
        kept, begin = points[non_dominated(*points.T)], int(stop[index])
        area = np.append(kept[:, 0] / records.costs.baseline, 1.0).clip(max=1.0)
        hypervolume.append(float((np.diff(area) * kept[:, 1]).sum() / records.baseline_accuracy))
    at = [run.history[index] for index in chosen]
    return (
        np.array([came.seconds for came in at]),
        np.array([came.evaluations for came in at], np.int64),
        np.array(hypervolume),
    )


def _choose(
    solvers: Iterable[str | Solver] | Mapping[str, SolverChoice] | None,
) -> dict[str, tuple[str | Solver, Mapping[str, Any]]]:
    """By label: solver and options, all of them known to fit together."""
    if solvers is None:
        solvers = [name for name in SOLVERS if name not in ONLY_SMALL]
    if isinstance(solvers, (str, bytes)) or not has_entries(solvers):
        raise SolverError(f"solvers must be a list, or a dictionary, of names or callables, got {shown(solvers)}")
    if not isinstance(solvers, Mapping):
        named = [(solver_name(solver), solver) for solver in solvers]
        twice = [label for label, _ in named if [other for other, _ in named].count(label) > 1]
        if twice:
            raise SolverError(f"two solvers are called {twice[0]!r}: pass a dictionary {{label: solver}}")
        solvers = dict(named)
    if not solvers:
        raise SolverError("solvers must be one or more, got none")
    chosen = {}
    for label, choice in solvers.items():
        solver, options = choice if isinstance(choice, tuple) else (choice, {})
        check_options(solver_name(solver), find_solver(solver), options)
        chosen[str(label)] = (solver, options)
    return chosen


def _check_records(records: ExitRecords, test: ExitRecords | None) -> None:
    for name, given in (("records", records), ("test", test)):
        if given is None and name == "test":
            continue
        if not isinstance(given, ExitRecords):
            raise RecordsError(f"{name} must be an ExitRecords, got {type(given).__name__}: use ds.load_records")
        if given.baseline_accuracy == 0:
            raise FrontError(
                f"the final exit is never right on {name}: the hypervolume, relative to its accuracy, is undefined"
            )
    if test is not None:
        records.layout.joined(test.layout, "records", "test")
        warn_if_other_costs(records.costs, test, "records", "test records", stacklevel=4)


def _check_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    if is_whole(seeds):
        count = shown(seeds)
        raise SolverError(f"seeds must be a list of whole numbers, got {count}: pass range({count}) for so many")
    if isinstance(seeds, (str, bytes)) or not has_entries(seeds):
        raise SolverError(f"seeds must be a list of whole numbers, got {shown(seeds)}")
    found = tuple(seeds)
    if not found:
        raise SolverError("seeds must be one or more, got none")
    for seed in found:
        check_budget(seed, None, None)
    if len(set(found)) < len(found):
        raise SolverError(f"seeds must differ, got {list(found)}")
    return tuple(int(seed) for seed in found)
