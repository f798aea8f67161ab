"""Time budgets, by a clock of the tests' own: whenever the time is over, a solver ends and what it found is a front."""

import itertools
import time

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.evaluation.evaluate import evaluate_arrays
from dyce_search.search import run_solver
from dyce_search.solvers import budget
from dyce_search.solvers import run as runs
from dyce_search.solvers.budget import StopSearch
from dyce_search.solvers.run import Run
from tests import observed

SOLVERS = [name for name in ds.search.__globals__["SOLVERS"] if name not in ("tpe", "nsga3", "random")]


class Clock:
    """A clock that stands still until it was looked at so many times; then the time is over."""

    def __init__(self, looks):
        self.looks = looks

    def __call__(self):
        self.looks -= 1
        return 0.0 if self.looks > 0 else 1e6


@pytest.mark.parametrize("solver", SOLVERS)
def test_whenever_the_time_is_over_there_is_a_front(solver, records, monkeypatch):
    options = {"levels": 2} if solver == "exhaustive" else {}
    stopped = set()
    for looks in (4, 5, 6, 8, 11, 20, 60):
        monkeypatch.setattr(time, "perf_counter", Clock(looks))
        front = observed.search(records, solver=solver, max_seconds=1.0, **options)
        monkeypatch.undo()
        assert front.evaluate(records).cost.tolist() == front.cost.tolist()
        stopped.add(front.provenance.stop_reason)
    assert "budget" in stopped


@pytest.mark.parametrize("solver", ["single_pass", "iterative", "differential_evolution", "exit_shares"])
def test_sorting_and_batches_look_at_the_clock(solver, records, monkeypatch):
    """At least once for each exit that is sorted, and for each part of a batch."""
    looks = itertools.count()
    monkeypatch.setattr(runs, "WORK", records.n_samples)  # a configuration at a time
    monkeypatch.setattr(Run, "require", counted(Run.require, looks))
    front = observed.search(records, solver=solver, max_seconds=1e6, max_evaluations=50)
    assert next(looks) >= records.n_exits + (0 if solver in ("single_pass", "iterative") else 5)
    monkeypatch.undo()
    assert front.cost.tolist() == observed.search(records, solver=solver, max_evaluations=50).cost.tolist()


def counted(function, looks):
    def wrapped(*arguments, **options):
        next(looks)
        return function(*arguments, **options)

    return wrapped


def many(records, size):
    rng = np.random.default_rng(0)
    configs = [ds.ExitConfig(candidate=[0, 0], threshold=rng.random(2)) for _ in range(size)]
    return configs, *Run(records).arrays(configs)


class TestRun:
    def test_a_batch_is_measured_in_parts_that_add_up(self, records, monkeypatch):
        _, exits, threshold = many(records, 23)
        monkeypatch.setattr(runs, "WORK", 5 * records.n_samples)
        run = Run(records, max_seconds=1e6)
        assert [part.stop for part in run.parts_of(23)] == [5, 10, 15, 20, 25]
        parts, whole = run.evaluate(exits, threshold), evaluate_arrays(records, exits, threshold)
        for name in ("accuracy", "cost", "exit_share"):
            np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
        assert len(Run(records).parts_of(23)) == 1
        assert len(run.evaluate(exits[:0], threshold[:0])) == 0

    def test_of_a_batch_that_takes_too_long_the_first_parts_are_kept(self, records, monkeypatch):
        _, exits, threshold = many(records, 23)
        monkeypatch.setattr(runs, "WORK", 5 * records.n_samples)
        run = Run(records, max_seconds=1.0)
        monkeypatch.setattr(time, "perf_counter", Clock(4))
        with pytest.raises(StopSearch):
            run.evaluate(exits, threshold)
        monkeypatch.undo()
        kept = len(run.found()[0]) - 1
        assert kept in (5, 10, 15)
        assert run.evaluations == kept
        assert [one.size for one in run.history] == [1, kept]
        assert run.figures()[0].shape == (kept + 1,)

    def test_what_there_is_no_time_to_measure_is_thinned_evenly(self, records, monkeypatch):
        _, exits, threshold = many(records, 400)
        run = Run(records, max_seconds=1e-9)
        run.propose(exits[:100], threshold[:100])
        run.propose(exits[100:], threshold[100:])
        monkeypatch.setattr(budget, "GRACE", 0.0)
        cost, accuracy = run.figures()
        found = run.found()
        assert len(cost) == len(accuracy) == len(found[0]) == sum(one.size for one in run.history) == budget.FEWEST
        assert [one.size for one in run.history] == [1, 3, 12]
        np.testing.assert_array_equal(evaluate_arrays(records, *found).cost, cost)

    def test_while_there_is_time_nothing_is_thinned(self, records):
        _, exits, threshold = many(records, 100)
        for run in (Run(records), Run(records, max_seconds=1e6)):
            run.propose(exits, threshold)
            assert run.figures()[0].shape == (101,)
            assert len(run.affordable(exits, threshold)) == 100

    def test_the_time_of_making_scores_does_not_count(self, records, monkeypatch):
        from dyce_search.expected.searched import SearchedScores

        made = SearchedScores.of(records, "observed", 0.0)

        def slow(*arguments, **options):
            time.perf_counter.now += 1e6
            return made

        class Standing:
            now = 0.0

            def __call__(self):
                return self.now

        monkeypatch.setattr(SearchedScores, "of", slow)
        monkeypatch.setattr(time, "perf_counter", Standing())
        _, front = run_solver(records, "exit_shares", {}, max_seconds=1.0)
        assert front.provenance.stop_reason == "converged"
        assert front.provenance.seconds == 1e6
