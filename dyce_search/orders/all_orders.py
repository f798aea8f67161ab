"""The solver of `search_orders`: all orders at once, then the promising ones each by itself."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.evaluate import evaluate_arrays, non_dominated
from dyce_search.expected.scores import Effort
from dyce_search.orders.limited import best_of, each_alone, kept_of
from dyce_search.orders.stages import asked_of, sequence_of, with_last
from dyce_search.records.records import ExitRecords
from dyce_search.search import find_solver
from dyce_search.solvers.budget import StopSearch
from dyce_search.solvers.run import Run
from dyce_search.solvers.sample_limit import Holder, SampleLimit

FEW = 4  # models, of which all orders are searched by themselves
ORDERS = (6, 4)  # of more models, searched by themselves, in rounds
SEQUENCES = 16  # of some models, searched by themselves at last
AGAIN = 4  # orders that are searched once more within a limit, at least
AGAIN_WORK = 24_000  # and about so many of them, times samples
MOVED = 60  # points whose models are swapped, replaced and inserted before each round
QUANTILES = (0.2, 0.5, 0.8)  # of a model's confidences, tried as its thresholds there


def all_orders(run: Run, *, effort: Effort = "default", limit: SampleLimit | None = None) -> None:
    """The solver of `search_orders`: all orders at once, then the promising ones each by itself.

    One search of the stages finds which sequences of models are near the front. Orders of all models that hold many of
    them are then searched one by one, as `search` would; between the rounds, models of points all along the front are
    swapped, replaced and inserted, which brings up sequences that were missed. At last the sequences that have most
    points are searched by themselves. Up to four models all orders are searched. Within a limit on single samples the
    most promising orders are searched once more, with the work that `search` puts into keeping it.

    Args:
        run: the search, of staged records.
        effort: of every single search.
        limit: on what single samples may cost. Some of what is handed in breaks it, so take `best_of`.
    """
    n_models = run.records.costs.n_positions
    if limit is not None:
        run.limit = limit
        run.propose(*each_alone(n_models))
        if not len(best_of(run)[0]):
            return  # whoever is asked first is paid for by every sample, so no order keeps it
    if n_models <= FEW:
        for order in run.bar(list(permutations(range(n_models))), "orders"):
            _search_sequence(run, order, effort)
    else:
        _search_promising(run, effort)
    if limit is not None:
        most = max(AGAIN, AGAIN_WORK // run.records.n_samples)
        for order in run.bar(_covering(_sequences(run), n_models, most, set()), "orders within the limit"):
            _search_sequence(run, order, effort, thorough=True)


def _search_promising(run: Run, effort: Effort) -> None:
    """Finds the promising orders of many models, and searches them."""
    n_models = run.records.costs.n_positions
    _search_all_at_once(run, effort)
    searched: set[tuple[int, ...]] = set()
    for most in ORDERS:
        _propose_neighbours(run)
        for order in run.bar(_covering(_sequences(run), n_models, most, searched), "orders"):
            _search_sequence(run, order, effort)
            searched.add(order)
    long = [(count, sequence) for sequence, count in Counter(_sequences(run)).items() if len(sequence) > 1]
    for _, sequence in run.bar(sorted(long, reverse=True)[:SEQUENCES], "sequences"):
        _search_sequence(run, sequence, effort)


def _search_all_at_once(run: Run, effort: Effort) -> None:
    """Searches the stages as they are. Where a point asks a model twice, its first or its last place stays."""
    n_models = run.records.costs.n_positions
    part = _searched(run, run.records, effort)
    once = np.repeat(part.exits, 2, axis=0), np.repeat(part.threshold, 2, axis=0)
    for f in range(len(once[0])):
        _ask_once(once[0][f], once[1][f], n_models, last=f % 2 == 1)
    valid = np.array([len(set(asked)) == len(asked) for asked in asked_of(*once, n_models)])
    run.evaluate(once[0][valid], np.where(once[0] >= 0, once[1], 0)[valid])
    part.require_end()


def _ask_once(exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32], n_models: int, *, last: bool) -> None:
    """Switches off all places of a model in a configuration (P,) but its first or its last one."""
    asked: set[int] = set()
    ends = np.flatnonzero((exits >= 0) & (threshold == -np.inf))
    if len(ends):
        exits[ends[0] + 1 :] = -1
    elif last:
        asked.add(n_models - 1)  # it answers whoever is left
    stages = np.flatnonzero(exits >= 0)
    for stage in stages[::-1] if last else stages:
        model = int(exits[stage]) % n_models
        if model in asked:
            exits[stage] = -1
        asked.add(model)


class Part(NamedTuple):
    """The front of a search within a search.

    Attributes:
        exits: (F, P) int32.
        threshold: (F, P) float32.
        cost: (F,) float64.
        accuracy: (F,) float64.
        stop_reason: why it ended.
    """

    exits: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    cost: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    stop_reason: str

    def require_end(self) -> None:
        """Ends the whole search where this part was ended.

        Raises:
            StopSearch: the budget is spent.
            KeyboardInterrupt: the user has had enough.
        """
        if self.stop_reason == "budget":
            raise StopSearch
        if self.stop_reason == "interrupted":
            raise KeyboardInterrupt


def _searched(run: Run, records: ExitRecords, effort: Effort, *, thorough: bool = False) -> Part:
    """Searches other records with what is left of the budget, within the limit on single samples."""
    run.require(1)
    sub = Run(
        records if run.limit is None else run.limit.guiding(records), seed=run.seed, progress=False,
        max_evaluations=None if np.isinf(run.evaluations_left) else int(run.evaluations_left),
        max_seconds=None if np.isinf(run.seconds_left) else max(run.seconds_left, 1e-9), limit=run.limit,
    )  # fmt: skip
    sub.carry_out(find_solver("coordinate_descent"), {"effort": effort})
    run.book(int(min(sub.evaluations, run.evaluations_left)))
    cost, accuracy = sub.figures()
    exits, threshold = sub.found()
    best = non_dominated(cost, accuracy)
    exits, threshold, cost, accuracy = exits[best], threshold[best], cost[best], accuracy[best]
    if run.limit is not None:
        exits, threshold = kept_of(records, (exits, threshold), run.limit, sub.clock, thorough=thorough)
        measured = evaluate_arrays(records, exits, threshold)
        cost, accuracy = measured.cost, measured.accuracy
    return Part(exits, threshold, cost, accuracy, sub.stop_reason)


def _search_sequence(run: Run, sequence: Sequence[int], effort: Effort, *, thorough: bool = False) -> None:
    """Searches these models in this order by themselves, and hands in what it finds as stages.

    Raises:
        StopSearch: the budget is spent.
    """
    n_models, size = run.records.costs.n_positions, len(sequence)
    rows = np.arange(size) * n_models + np.array(sequence)
    part = _searched(run, with_last(run.records, rows), effort, thorough=thorough)
    exits = np.full((len(part.exits), n_models), -1, np.int32)
    threshold = np.zeros(exits.shape, np.float32)
    exits[:, : size - 1], threshold[:, : size - 1] = np.where(part.exits >= 0, rows[:-1], -1), part.threshold
    is_last = sequence[-1] == n_models - 1
    if not is_last:
        exits[:, size - 1], threshold[:, size - 1] = rows[-1], -np.inf
    run.propose(exits, threshold, (part.cost, part.accuracy) if is_last else None)
    part.require_end()


def _sequences(run: Run) -> list[tuple[int, ...]]:
    """Of every point of the front."""
    return asked_of(*best_of(run), run.records.costs.n_positions)


def _covering(
    sequences: Sequence[tuple[int, ...]], n_models: int, most: int, done: set[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Up to so many orders of all models that hold the most sequences which none before holds."""
    left = Counter(sequence for sequence in sequences if not any(_holds(order, sequence) for order in done))
    chosen: list[tuple[int, ...]] = []
    candidates = [order for order in permutations(range(n_models)) if order not in done]
    held = {order: {sequence for sequence in left if _holds(order, sequence)} for order in candidates}
    while left and len(chosen) < most:
        best = max(candidates, key=lambda order: (sum(left[s] for s in held[order] if s in left), [-m for m in order]))
        chosen.append(best)
        for sequence in held[best]:
            left.pop(sequence, None)
    return chosen


def _holds(order: Sequence[int], sequence: Sequence[int]) -> bool:
    """Whether an order of all models asks these in this order, others left out; the last one has to be its last."""
    place = iter(order)
    return order[-1] == sequence[-1] and all(model in place for model in sequence)


def _propose_neighbours(run: Run) -> None:
    """Hands in points of the front with a model swapped, replaced, inserted or appended."""
    n_models = run.records.costs.n_positions
    exits, threshold = best_of(run)
    some = np.unique(np.linspace(0, len(exits) - 1, MOVED).astype(np.int64))
    levels = np.quantile(run.records.confidence[:n_models], QUANTILES, axis=1).T.astype(np.float32)
    wide, level = [], []
    for f in some:
        asked = sequence_of(exits[f], threshold[f], n_models)
        kept = threshold[f][exits[f] >= 0]
        for models, thresholds in _neighbours([*asked], kept[: len(asked) - 1].tolist(), levels):
            row, at = np.full(n_models, -1, np.int32), np.zeros(n_models, np.float32)
            for stage, model in enumerate(models):
                row[stage] = stage * n_models + model
                at[stage] = thresholds[stage] if stage < len(thresholds) else -np.inf
            wide.append(row)
            level.append(at)
    if wide:
        run.evaluate(np.stack(wide), np.stack(level))
    if wide and run.limit is not None:
        held = Holder(run.records, run.limit)(np.stack(wide), np.stack(level), spend=False)
        run.evaluate(np.stack(wide), held)


def _neighbours(
    asked: list[int], thresholds: list[float], levels: npt.NDArray[np.float32]
) -> Iterator[tuple[list[int], list[float]]]:
    """Sequences one step away, each with a few thresholds for what is new; levels (M, Q)."""
    unused = [m for m in range(len(levels)) if m not in asked]
    for k in range(len(asked) - 1):  # swapped with the next
        swapped = [*asked[:k], asked[k + 1], asked[k], *asked[k + 2 :]]
        for level in levels[asked[k + 1]]:
            if k + 1 < len(thresholds):
                yield swapped, [*thresholds[:k], float(level), thresholds[k], *thresholds[k + 2 :]]
            else:
                yield swapped, [*thresholds[:k], float(level)]
    for m in unused:
        for k in range(len(asked)):  # in the place of one, or before it
            replaced = [*asked[:k], m, *asked[k + 1 :]]
            if k == len(asked) - 1:
                yield replaced, thresholds
                continue
            for level in levels[m]:
                yield replaced, [*thresholds[:k], float(level), *thresholds[k + 1 :]]
        if len(asked) < len(levels):
            for k in range(len(asked)):
                for level in levels[m]:
                    yield [*asked[:k], m, *asked[k:]], [*thresholds[:k], float(level), *thresholds[k:]]
            for level in levels[asked[-1]]:
                yield [*asked, m], [*thresholds, float(level)]
