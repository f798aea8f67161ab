"""`search_orders`: the best front over the orders and subsets of a cascade's models."""

from dataclasses import replace
from typing import Literal

from dyce_search.arguments import choice
from dyce_search.errors import RecordsError, SolverError
from dyce_search.expected.searched import Scores, SearchedScores
from dyce_search.orders.all_orders import all_orders
from dyce_search.orders.ordered_front import OrderedFront
from dyce_search.orders.stages import require_cascade, staged
from dyce_search.records.records import ExitRecords
from dyce_search.search import run_solver
from dyce_search.solvers.budget import check_budget

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

    Returns:
        A front whose points say which models they ask in which order.

    Raises:
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
    every = staged(records)

    def wide() -> SearchedScores:
        made = SearchedScores.of(records, scores, caution, effort="fast" if effort == "fast" else "default")
        observed = every if made.records is records else staged(made.records)
        accuracy = observed if made.accuracy is made.records else staged(made.accuracy)
        searched = accuracy if made.searched is made.accuracy else staged(made.searched)
        return replace(made, records=observed, accuracy=accuracy, searched=searched)

    front = run_solver(
        every, all_orders, {"effort": effort}, seed=seed, max_evaluations=max_evaluations, max_seconds=max_seconds,
        progress=progress, make_scores=wide,
    )[1]  # fmt: skip
    return OrderedFront(front=front)
