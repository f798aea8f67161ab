"""Time budgets, by a clock of the tests' own: whenever the time is over, a solver ends and what it found is a front."""

import itertools
import threading
import time

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.evaluation.evaluate import evaluate_arrays
from dyce_search.search import run_solver
from dyce_search.solvers import budget, within_limit
from dyce_search.solvers import run as runs
from dyce_search.solvers.budget import Clock, StopSearch
from dyce_search.solvers.coordinate_descent import Search
from dyce_search.solvers.descent.archive import Archive
from dyce_search.solvers.descent.effort import EFFORTS
from dyce_search.solvers.descent.problem import Problem
from dyce_search.solvers.run import Run
from dyce_search.solvers.sample_limit import SampleLimit
from tests import observed
from tests.orders.test_search_orders import cascade

SOLVERS = [name for name in ds.search.__globals__["SOLVERS"] if name not in ("tpe", "nsga3", "random")]


class Counted:
    """A clock that stands still until it was looked at so many times; then the time is over."""

    def __init__(self, looks):
        self.looks = looks

    def __call__(self):
        self.looks -= 1
        return 0.0 if self.looks > 0 else 1e6


class Standing:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("solver", SOLVERS)
def test_whenever_the_time_is_over_there_is_a_front(solver, records, monkeypatch):
    options = {"levels": 2} if solver == "exhaustive" else {}
    stopped = set()
    for looks in (4, 5, 6, 8, 11, 20, 60):
        monkeypatch.setattr(time, "perf_counter", Counted(looks))
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
        monkeypatch.setattr(time, "perf_counter", Counted(4))
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

    @pytest.mark.parametrize(("took", "left"), [(0.25, 0.75), (0.5, 0.5), (40.0, 0.5)])
    def test_the_time_of_making_scores_counts_up_to_a_half(self, took, left, records, monkeypatch):
        from dyce_search.expected.searched import SearchedScores

        made = SearchedScores.of(records, "observed", 0.0)
        clock = Standing()

        def slow(*arguments, **options):
            clock.now += took
            return made

        def asks(run):
            seen.append(run.seconds_left)

        seen = []
        monkeypatch.setattr(SearchedScores, "of", slow)
        monkeypatch.setattr(time, "perf_counter", clock)
        _, front = run_solver(records, asks, {}, max_seconds=1.0)
        assert seen == [left]
        assert front.provenance.stop_reason == "converged"
        assert front.provenance.seconds == took

    def test_what_a_solver_has_yielded_is_kept_when_the_time_is_over(self, records, monkeypatch):
        configs = many(records, 5)[0]
        clock = Standing()

        def yields(run):
            for config in configs:
                clock.now += 0.3
                yield config

        run = Run(records, max_seconds=1.0)
        monkeypatch.setattr(time, "perf_counter", clock)
        run.clock = Clock(1.0)
        run.carry_out(yields, {})
        assert run.stop_reason == "budget"
        assert len(run.found()[0]) == 1 + 3

    def test_and_when_the_user_interrupts(self, records):
        configs = many(records, 5)[0]

        def yields(run):
            yield from configs[:2]
            raise KeyboardInterrupt

        run = Run(records)
        run.carry_out(yields, {})
        assert run.stop_reason == "interrupted"
        assert len(run.found()[0]) == 1 + 2


class TestCompiledLoops:
    """They cannot look at a clock, but at a flag."""

    def test_the_flag_is_set_while_a_solver_works(self, records):
        def waits(run):
            while not run.clock.over[0]:
                time.sleep(0.001)

        run = Run(records, max_seconds=0.01)
        run.carry_out(waits, {})
        assert run.seconds_left < 0
        assert run.clock.overtime < budget.GRACE

    def test_no_thread_is_left_behind(self, records):
        before = threading.active_count()
        for max_seconds in (None, 1e9, 1e300, 5e-324):
            run = Run(records, max_seconds=max_seconds)
            run.carry_out(lambda run: None, {})
            assert not run.clock.over[0] or max_seconds == 5e-324
        assert threading.active_count() <= before + 1  # a thread that was told to end may still be at it

    def test_a_descent_ends_within_a_sweep(self, example):
        problem = Problem.of(example.subset(range(500)), 64)
        whole, cut = (Archive.empty(2048, problem.n_positions, problem.low, problem.high) for _ in range(2))
        objective, over = problem.at_lambda(0.9), np.zeros(1, np.bool_)
        lines = problem.descend(objective, problem.no_exits(), whole, 30, np.inf, over)[1]
        over[0] = True
        assert problem.descend(objective, problem.no_exits(), cut, 30, np.inf, over)[1] == 0 < lines
        assert len(cut.front()) == 0 < len(whole.front())

    def test_a_search_that_is_cut_off_within_a_sweep_has_a_front(self, example, monkeypatch):
        """The flag is set after a few lines, whatever the clock says."""
        descend = Problem.descend

        def cut_off(self, objective, choice, archive, sweeps, lines, over):
            if next(calls) == 3:
                over[0] = True
            return descend(self, objective, choice, archive, sweeps, lines, over)

        calls = itertools.count()
        monkeypatch.setattr(Problem, "descend", cut_off)
        front = observed.search(example.subset(range(500)), max_seconds=1e6, max_evaluations=3_000)
        assert len(front) > 5

    def test_what_there_is_no_time_to_polish_keeps_its_thresholds(self, example, monkeypatch):
        records, polished = example.subset(range(100)), np.full(15, 0.25, np.float32)
        clock = Standing()
        monkeypatch.setattr(time, "perf_counter", clock)
        monkeypatch.setattr(Problem, "polish", lambda self, goal, choice: polished)
        search = Search(Run(records, max_seconds=1.0), Problem.of(records, 64), EFFORTS["fast"])
        choice, goal = search.problem.no_exits(), search.problem.at_lambda(0.9)
        assert search.polish(goal, choice) is polished
        clock.now = 2.0
        assert search.polish(goal, choice).tolist() == [0.0] * 15


class TestLimitOnSingleSamples:
    """What a solver found is made to keep it in the time after the solver's."""

    @pytest.fixture
    def small_steps(self, monkeypatch):
        monkeypatch.setattr(within_limit, "AT_ONCE", 1)

    @pytest.mark.parametrize("few", [0, 1 << 17])
    def test_steps_change_nothing(self, few, monkeypatch):
        records = ds.synthetic_records(60, positions=2, types=1, seed=0)
        monkeypatch.setattr(within_limit, "FEW", few)
        monkeypatch.setattr(within_limit, "MOVES", 500)
        limit = {"max_sample_cost": 0.8 * records.costs.baseline, "share": 0.3}
        whole = observed.search(records, **limit, max_evaluations=500)
        monkeypatch.setattr(within_limit, "AT_ONCE", 7 * 60)
        timed = observed.search(records, **limit, max_evaluations=500, max_seconds=1e6)
        assert points_of(timed) == points_of(whole)

    @pytest.mark.usefixtures("small_steps")
    @pytest.mark.parametrize("few", [0, 1 << 17])
    @pytest.mark.parametrize("looks", [1, 5, 30, 200])
    def test_whenever_the_time_is_over_the_limit_is_kept(self, few, looks, monkeypatch):
        records = ds.synthetic_records(60, positions=2, types=1, seed=0)
        monkeypatch.setattr(within_limit, "FEW", few)
        run = Run(records, max_seconds=1.0)
        found = many_of(records, 40)
        monkeypatch.setattr(time, "perf_counter", Counted(looks))
        run.clock = Clock(1.0)
        limit = SampleLimit(most=0.8 * records.costs.baseline, share=0.3)
        exits, threshold = within_limit.within_limit(records, *found, limit, run.clock)
        monkeypatch.undo()
        assert len(exits)
        measured = evaluate_arrays(records, exits, threshold)
        assert (limit.over(records, exits, threshold, measured) <= limit.allowed(records)).all()
        assert (np.diff(measured.cost) > 0).all()
        assert (np.diff(measured.accuracy) > 0).all()


def points_of(front):
    """All that is known of its points, to the last bit."""
    return [(point.cost, point.accuracy, point.config.to_dict()) for point in front]


def many_of(records, size):
    rng = np.random.default_rng(0)
    exits = np.where(rng.random((size, records.costs.n_positions)) < 0.7, records.costs.first[:-1], -1)
    return exits.astype(np.int32), rng.random(exits.shape).astype(np.float32)


def test_orders_look_at_the_clock(monkeypatch):
    records = cascade(5, 200)
    monkeypatch.setattr(runs, "WORK", 4 * records.n_samples)
    whole = ds.search_orders(records, effort="fast", scores="observed")
    timed = ds.search_orders(records, effort="fast", scores="observed", max_seconds=1e6)
    assert points_of(timed.front) == points_of(whole.front)
    for looks in (10, 40, 160):
        with monkeypatch.context() as patch:
            patch.setattr(time, "perf_counter", Counted(looks))
            front = ds.search_orders(records, effort="fast", scores="observed", max_seconds=1.0).front
        assert len(front)
        assert front.provenance.stop_reason == "budget"
