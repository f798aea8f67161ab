"""`search`: finds a front with any solver, by name or of one's own."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from dyce_search.announcement import announce_compiling
from dyce_search.arguments import shown
from dyce_search.errors import SolverError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.departures import counting_loop
from dyce_search.evaluation.evaluate import non_dominated
from dyce_search.expected.scores import Effort
from dyce_search.expected.searched import Scores, SearchedScores
from dyce_search.front.front import ParetoFront
from dyce_search.provenance import Provenance
from dyce_search.records.stored import AnyRecords, StoredRecords, require_any_records
from dyce_search.solvers.budget import check_budget
from dyce_search.solvers.run import Run
from dyce_search.solvers.sample_limit import SampleLimit
from dyce_search.solvers.within_limit import within_limit

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
    records: AnyRecords,
    *,
    solver: str | Solver = "coordinate_descent",
    seed: int = 0,
    max_evaluations: int | None = None,
    max_seconds: float | None = None,
    progress: bool | None = None,
    scores: Scores = "expected",
    caution: float | None = None,
    max_sample_cost: float | None = None,
    share: float = 0.0,
    **options: Any,
) -> ParetoFront:
    """Finds configurations with good trade-offs of accuracy and cost.

    A search on observed scores finds configurations that were lucky on its samples, and promises too much. So whatever
    the solver, it maximises the scores to expect of each exit on each sample, as learned from other samples
    (`expected_scores`), less a little caution: `caution` times the disagreement with the whole network. The front's
    `accuracy` and `accuracy_drop` are expected figures; `front.evaluate(records)` gives observed ones. With
    `scores="observed"` the search does what the published baselines do. Of more than 131,072 samples it searches a
    random 65,536 on expected scores, and the front's figures are of those.

    Every configuration of the front is measured before it is returned, and the baseline (no exits) takes part. Ctrl-C
    ends a search early and returns what was found by then.

    Args:
        records: to search on. Report on others: `front.evaluate(test_records)`. Records that stay in their file
            (`load_records(path, in_memory=False)`) are loaded as far as they are searched: all of them for observed
            scores or one's own, and up to 131,072 samples.
        solver: a name of `SOLVERS`, or a callable `solver(run, **options)`, which hands in configurations by
            `run.evaluate` or `run.propose` (see `Run`), or returns an iterable of `ExitConfig`.
        seed: of whatever is random in the solver.
        max_evaluations: budget; a configuration, or one exit of it, measured against all samples counts one.
        max_seconds: budget of wall-clock time. Making scores to expect counts, but half of the time is the solver's in
            any case; it looks at the clock every tenth of a second. What was found is measured, and made to keep
            `max_sample_cost`, afterwards, which may take as long again.
        progress: a progress bar on standard error; None draws it only on a terminal.
        scores: "expected", "observed", or an array (E, N) in [0, 1] of one's own.
        caution: what a sample on which an exit and the final exit differ costs, in units of accuracy, at least 0. None
            is .25 with expected scores on up to 2,500 samples and falls with their number beyond; 0 with others.
        max_sample_cost: what every sample searched on may cost, but for `share` of them, in the unit of the costs.
            Exits are left out, and thresholds lowered, so that a sample leaves where it could not afford the next exit.
            Exact where all configurations can be measured (up to 131,072 of them), and with solver="exhaustive" on its
            grid; elsewhere the best of many thousands. Other samples may cost more: see `ParetoFront.certify`.
        share: of the samples, in [0, 1), that may cost more than `max_sample_cost`.
        options: the solver's own, see its docstring; those that sweep a trade-off take `lambdas`.

    Raises:
        InfeasibleError: no configuration keeps `max_sample_cost`.
        SolverError: an unknown solver (the message lists the known ones), an option that it does not take,
            or a bad budget.
        RecordsError: `records` is something else, scores or a caution that are out of range.

    Reference: the optimiser's curse is Smith and Winkler 2006.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), solver="exit_shares")
        >>> round(front.select(max_accuracy_drop=0.01).relative_cost, 2), front.scores
        (0.24, 'expected')
    """
    limit = SampleLimit.of(max_sample_cost, share)
    return run_solver(
        records, solver, options, seed=seed, max_evaluations=max_evaluations, max_seconds=max_seconds,
        progress=progress, scores=scores, caution=caution, limit=limit,
    )[1]  # fmt: skip


def run_solver(
    records: AnyRecords,
    solver: str | Solver,
    options: Mapping[str, Any],
    *,
    seed: int = 0,
    max_evaluations: int | None = None,
    max_seconds: float | None = None,
    progress: bool | None = None,
    scores: Scores | SearchedScores = "expected",
    caution: float | None = None,
    limit: SampleLimit | None = None,
    make_scores: Callable[[], SearchedScores] | None = None,
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
        scores: as in `search`, or made already.
        caution: as in `search`.
        limit: on what single samples may cost.
        make_scores: makes the scores, in place of `scores` and `caution`.

    Raises:
        InfeasibleError: no configuration keeps the limit.
        SolverError: see `search`.
        RecordsError: see `search`.
    """
    require_any_records(records)
    name, solve = solver_name(solver), find_solver(solver)
    check_options(name, solve, options)
    check_budget(seed, max_evaluations, max_seconds)
    announce_compiling(counting_loop(), progress)
    first = records.subset([0]).load() if isinstance(records, StoredRecords) else records  # until `maximise`
    run = Run(
        first, seed=seed, max_evaluations=max_evaluations, max_seconds=max_seconds, progress=progress, limit=limit
    )
    if not isinstance(scores, SearchedScores):
        asked = options.get("effort")
        effort: Effort = "fast" if isinstance(asked, str) and asked == "fast" else "default"
        make = make_scores or partial(SearchedScores.of, records, scores, caution, effort=effort)
        try:
            (scores,) = [make() for _ in run.bar([0], "scores to search on")]
        except KeyboardInterrupt:
            scores = SearchedScores.of(first, "observed", 0.0)
            run.interrupt()
    exact = name == "exhaustive"  # it asks for the limit itself, and needs the scores as they are
    run.maximise(scores.searched if limit is None or exact else limit.guiding(scores.searched))
    if run.stop_reason != "interrupted":
        run.carry_out(solve, options)
    cost, accuracy = run.figures()  # first: it may leave some out
    exits, threshold = run.found()
    if limit is None or not exact:
        best = non_dominated(cost, accuracy)
        exits, threshold = exits[best], threshold[best]
    kept = run.affordable(exits, threshold)
    exits, threshold = exits[kept], threshold[kept]
    if limit is not None:
        exits, threshold = within_limit(scores.searched, exits, threshold, limit, run.clock)
    provenance = Provenance(
        solver=name,
        options={key: _plain(value) for key, value in {**options, **_said(limit)}.items()},
        seed=seed,
        seconds=run.seconds,
        evaluations=run.evaluations,
        stop_reason=run.stop_reason,
        scores=scores.kind,
        caution=scores.caution,
        expected={} if scores.origin is None else asdict(scores.origin),
    )
    front = ParetoFront.from_arrays(
        scores.records,
        exits,
        threshold,
        provenance=provenance,
        scored=scores.accuracy,
        digest=records.digest,
        marks=run.marks,
    )
    return run, front


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
        raise SolverError(f"unknown solver {shown(solver)}: use one of {', '.join(SOLVERS)}, or a callable")
    module, function = SOLVERS[solver]
    found: Solver = getattr(importlib.import_module(f"dyce_search.solvers.{module}"), function)
    return found


def check_options(name: str, solve: Solver, options: Mapping[str, Any]) -> None:
    """Checks that a solver takes these options.

    Raises:
        SolverError: it does not; the message lists those that it takes.
    """
    try:
        parameters = list(inspect.signature(solve).parameters.values())[1:]
    except (TypeError, ValueError):  # of a function in C, which has none that Python can read
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for option in options:
        if option not in known:
            raise SolverError(
                f"solver {name!r} does not take the option {option!r}: it takes {', '.join(known) or 'none'}, and all "
                "take seed, max_evaluations, max_seconds, scores and caution"
            )


def _said(limit: SampleLimit | None) -> dict[str, float]:
    """A limit, as it was asked for."""
    return {} if limit is None else {"max_sample_cost": limit.most, "share": limit.share}


def _plain(value: Any) -> Any:
    """A value as JSON can keep it; what it cannot, by name."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and np.isfinite(value)):
        return value
    return repr(value)
