"""`search`: finds a front with any solver, by name or of one's own."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from dyce_search.errors import RecordsError, SolverError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.front.front import ParetoFront
from dyce_search.provenance import Provenance
from dyce_search.records.records import ExitRecords
from dyce_search.solvers.levels import Levels
from dyce_search.solvers.run import Run

Solver = Callable[..., Iterable[ExitConfig] | None]
"""The protocol of solvers: a callable `solver(run, **options)`.

It gets a `Run`, which holds the records, the seed, a random generator and the budget, and its own options, all
keyword-only. It hands in configurations in any of three ways, freely mixed:

- `run.evaluate(exits, threshold)` measures a batch (F, P) of them, books F evaluations and keeps them for the front;
- `run.propose(exits, threshold)` keeps them unmeasured, for solvers that price configurations in ways of their own,
  which book their work by `run.spend`;
- it returns (or yields) `ExitConfig`s.

`run.arrays(configs)` turns `ExitConfig`s into such arrays. When the budget is spent, `run.evaluate` and `run.spend`
raise `StopSearch`, which the solver lets pass. It takes randomness from `run.rng` only and leaves the records as they
are. It need not sort, filter or measure what it hands in: `search` builds the front from all of it and the baseline.
`dyce_search.testing.SolverContract` tests all this.
"""

# name: (module, function); loaded when asked for, so that importing the package stays fast
SOLVERS: dict[str, tuple[str, str]] = {
    "coordinate_descent": ("coordinate_descent", "coordinate_descent"),
    "exhaustive": ("exhaustive", "exhaustive"),
    "same_threshold": ("same_threshold", "same_threshold"),
    "exit_shares": ("exit_shares", "exit_shares"),
    "single_pass": ("single_pass", "single_pass"),
    "iterative": ("iterative", "iterative"),
    "differential_evolution": ("differential_evolution", "differential_evolution"),
    "cma_es": ("cma_es", "cma_es"),
    "nsga2": ("optuna_samplers", "nsga2"),
    "nsga3": ("optuna_samplers", "nsga3"),
    "tpe": ("optuna_samplers", "tpe"),
    "random": ("optuna_samplers", "random"),
}


def search(
    records: ExitRecords,
    *,
    solver: str | Solver = "coordinate_descent",
    seed: int = 0,
    max_evaluations: int | None = None,
    max_seconds: float | None = None,
    progress: bool | None = None,
    min_samples: int | None = None,
    **options: Any,
) -> ParetoFront:
    """Finds configurations with good trade-offs of accuracy and cost.

    Whatever the solver, every configuration of the front is measured by `evaluate` before it is returned, and the
    baseline (no exits) takes part. Ctrl-C ends a search early and returns what was found by then.

    Args:
        records: to search on. Report on others: `front.evaluate(test_records)`.
        solver: a name of `SOLVERS`, or a callable `solver(run, **options)`, which hands in configurations by
            `run.evaluate` or `run.propose` (see `Run`), or returns an iterable of `ExitConfig`.
        seed: of whatever is random in the solver.
        max_evaluations: budget; a configuration, or one exit of it, measured against all samples counts one.
        max_seconds: budget of wall-clock time, checked between evaluations.
        progress: a progress bar on standard error; None draws it only on a terminal.
        min_samples: at least so many samples lie between any two thresholds of an exit that are tried: figures that
            are less too good (by about 30 % with 200 of 7,500), and configurations that are no worse on others.
        options: the solver's own, see its docstring; those that sweep a trade-off take `lambdas`.

    Raises:
        SolverError: an unknown solver (the message lists the known ones), an option that it does not take,
            or a bad budget or `min_samples`.
        RecordsError: `records` is something else.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), solver="exit_shares")
        >>> round(front.select(max_accuracy_drop=0.01).relative_cost, 2)
        0.2
    """
    return run_solver(
        records, solver, options, seed=seed, max_evaluations=max_evaluations, max_seconds=max_seconds,
        progress=progress, min_samples=min_samples,
    )[1]  # fmt: skip


def run_solver(
    records: ExitRecords,
    solver: str | Solver,
    options: Mapping[str, Any],
    *,
    seed: int = 0,
    max_evaluations: int | None = None,
    max_seconds: float | None = None,
    progress: bool | None = None,
    min_samples: int | None = None,
) -> tuple[Run, ParetoFront]:
    """`search`, and the run that it was, which knows what was handed in when.

    Args:
        records: to search on.
        solver: name or callable.
        options: the solver's own.
        seed: and the others, as in `search`.
        max_evaluations: budget.
        max_seconds: budget.
        progress: whether to draw a bar.
        min_samples: between two thresholds; the run is then on rounded confidences.

    Raises:
        SolverError: see `search`.
        RecordsError: see `search`.
    """
    if not isinstance(records, ExitRecords):
        raise RecordsError(
            f"records must be an ExitRecords, got {type(records).__name__}: use ds.load_records or ds.ExitRecords(...)"
        )
    name, solve = solver_name(solver), find_solver(solver)
    check_options(name, solve, options)
    check_budget(seed, max_evaluations, max_seconds)
    levels = None if min_samples is None else Levels.of(records, min_samples)
    searched = records if levels is None else levels.records
    run = Run(searched, seed=seed, max_evaluations=max_evaluations, max_seconds=max_seconds, progress=progress)
    run.carry_out(solve, options)
    exits, threshold = run.found()
    cost, accuracy = run.figures()
    if levels is not None:
        threshold = levels.thresholds(exits, threshold)  # by which the same samples leave: the figures stay
        options = {**options, "min_samples": min_samples}
    provenance = Provenance(
        solver=name,
        options={key: _plain(value) for key, value in options.items()},
        seed=seed,
        seconds=run.seconds,
        evaluations=run.evaluations,
        stop_reason=run.stop_reason,
    )
    return run, ParetoFront.from_measured(
        records, exits, threshold, cost=cost, accuracy=accuracy, provenance=provenance
    )


def solver_name(solver: str | Solver) -> str:
    """What a solver is called: its name, a function's, else its class's."""
    return solver if isinstance(solver, str) else str(getattr(solver, "__name__", type(solver).__name__))


def find_solver(solver: str | Solver) -> Solver:
    """The solver of that name, or the callable itself.

    Raises:
        SolverError: an unknown name.
    """
    if callable(solver):
        return solver
    if not isinstance(solver, str) or solver not in SOLVERS:
        raise SolverError(f"unknown solver {solver!r}: use one of {', '.join(SOLVERS)}, or a callable")
    module, function = SOLVERS[solver]
    found: Solver = getattr(importlib.import_module(f"dyce_search.solvers.{module}"), function)
    return found


def check_options(name: str, solve: Solver, options: Mapping[str, Any]) -> None:
    """Checks that a solver takes these options.

    Raises:
        SolverError: it does not; the message lists those that it takes.
    """
    parameters = list(inspect.signature(solve).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for option in options:
        if option not in known:
            raise SolverError(
                f"solver {name!r} does not take the option {option!r}: it takes {', '.join(known) or 'none'}"
            )


def check_budget(seed: int, max_evaluations: int | None, max_seconds: float | None) -> None:
    """Checks what all solvers share.

    Raises:
        SolverError: a seed or a budget that is out of range.
    """
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise SolverError(f"seed must be a whole number >= 0, got {seed!r}")
    if max_evaluations is not None and (not isinstance(max_evaluations, (int, np.integer)) or max_evaluations < 1):
        raise SolverError(f"max_evaluations must be a whole number >= 1, got {max_evaluations!r}")
    if max_seconds is not None and not (isinstance(max_seconds, (int, float, np.number)) and max_seconds > 0):
        raise SolverError(f"max_seconds must be above 0, got {max_seconds!r}")


def _plain(value: Any) -> Any:
    """A value as JSON can keep it; what it cannot, by name."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and np.isfinite(value)):
        return value
    return repr(value)
