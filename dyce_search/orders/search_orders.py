"""`search_orders`: the best front over the orders and subsets of a cascade's models."""

from dataclasses import replace
from typing import Literal

from dyce_search.arguments import choice
from dyce_search.errors import RecordsError, SolverError
from dyce_search.expected.searched import Scores, SearchedScores
from dyce_search.front.front import ParetoFront
from dyce_search.orders.all_orders import all_orders
from dyce_search.orders.limited import best_of
from dyce_search.orders.ordered_front import OrderedFront
from dyce_search.orders.stages import require_cascade, staged
from dyce_search.records.records import ExitRecords
from dyce_search.search import run_solver
from dyce_search.solvers.budget import check_budget
from dyce_search.solvers.run import Run
from dyce_search.solvers.sample_limit import SampleLimit
from dyce_search.solvers.within_limit import within_limit

MOST_MODELS = 6


def search_orders(
    records: ExitRecords,
    *,
    effort: Literal["fast", "default", "high"] = "default",
    seed: int = 0,
    max_evaluations: int | None = None,
    max_seconds: float | None = None,
    progress: bool | None = None,
    scores: Scores = "expected",
    caution: float | None = None,
    max_sample_cost: float | None = None,
    share: float = 0.0,
) -> OrderedFront:
    """Finds in which order to ask the models of a cascade, which of them at all, and with which thresholds.

    `search` takes the models in the order of the records and leaves some out; here every model may come first, or have
    the last word. Of up to four models all orders are searched. Of five or six one search of all orders at once finds
    the promising ones, which are then searched one by one; orders that hold no sequence of models near the front are
    not.

    Args:
        records: of a cascade of 2 to 6 whole models, see `load_cascade` and `ExitRecords.from_cascade`. All models need
            confidences, or one without is asked last or alone. Costs are relative to the last model.
        effort: of every single search, see `coordinate_descent`.
        seed: of whatever is random.
        max_evaluations: budget of all searches together.
        max_seconds: budget of wall-clock time of all of them.
        progress: a progress bar on standard error; None draws it only on a terminal.
        scores: what is maximised, "expected", "observed" or an array (M, N), see `search`.
        caution: see `search`; disagreement is with the last model of the records.
        max_sample_cost: what every sample searched on may cost, all models that it asks together, but for `share` of
            them. Exact for up to four models where all configurations of an order can be measured (131,072 of them);
            elsewhere the best of many thousands.
        share: of the samples, in [0, 1), that may cost more than `max_sample_cost`.

    Returns:
        A front whose points say which models they ask in which order.

    Raises:
        InfeasibleError: no model alone keeps `max_sample_cost`.
        RecordsError: no cascade, or more than six models.
        SolverError: see `search`.

    Example:
        >>> import dyce_search as ds
        >>> rows = [{"query": n, "model": name, "score": n % 7 < good, "confidence": n % 5 / 4, "cost": cost}
        ...         for n in range(70) for name, cost, good in (("small", 1, 3), ("other", 2, 6), ("large", 9, 7))]
        >>> front = ds.search_orders(ds.load_cascade(rows))
        >>> front[0].order, front[-1].relative_cost <= 1.25
        (('small',), True)
    """
    names = require_cascade(records)
    if len(names) > MOST_MODELS:
        raise RecordsError(
            f"search_orders takes up to {MOST_MODELS} models, got {len(names)}: choose some with "
            "in_order(records, [...]), say those of a front that search finds"
        )
    choice(effort, ("fast", "default", "high"), "effort", SolverError)
    check_budget(seed, max_evaluations, max_seconds)
    limit = SampleLimit.of(max_sample_cost, share)
    every, made = staged(records), []

    def wide() -> SearchedScores:
        plain = SearchedScores.of(records, scores, caution, effort="fast" if effort == "fast" else "default")
        observed = every if plain.records is records else staged(plain.records)
        accuracy = observed if plain.accuracy is plain.records else staged(plain.accuracy)
        searched = accuracy if plain.searched is plain.accuracy else staged(plain.searched)
        made.append(replace(plain, records=observed, accuracy=accuracy, searched=searched))
        return made[0]

    options = {"effort": effort} if limit is None else {"effort": effort, "limit": limit}
    run, front = run_solver(
        every, all_orders, options, seed=seed, max_evaluations=max_evaluations, max_seconds=max_seconds,
        progress=progress, make_scores=wide,
    )  # fmt: skip
    if limit is not None:
        scored = made[0] if made else SearchedScores.of(every, "observed", 0.0)  # interrupted before there were any
        front = _within(run, front, limit, scored)
    return OrderedFront(front=front)


def _within(run: Run, front: ParetoFront, limit: SampleLimit, scored: SearchedScores) -> ParetoFront:
    """The front of what a run was handed that keeps a limit.

    Raises:
        InfeasibleError: nothing does; says what is closest.
    """
    exits, threshold = best_of(run)
    if not len(exits):
        exits, threshold = run.found()  # the first is none at all
        within_limit(scored.searched, exits[:1], threshold[:1], limit, run.clock)  # raises it: no model alone does
    said = {"effort": front.provenance.options["effort"], "max_sample_cost": limit.most, "share": limit.share}
    return ParetoFront.from_arrays(
        scored.records,
        exits,
        threshold,
        provenance=replace(front.provenance, options=said, seconds=run.seconds),
        scored=scored.accuracy,
        digest=front.records_digest,
        marks=run.marks,
    )
