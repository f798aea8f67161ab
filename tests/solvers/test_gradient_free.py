"""Vectors and shares, differential evolution and CMA-ES, and that nothing is measured twice."""

import numpy as np
import pytest
from hypothesis import given

import dyce_search as ds
from dyce_search.evaluation.evaluate import evaluate_arrays
from dyce_search.solvers import run as run_module
from dyce_search.solvers.run import Run
from dyce_search.solvers.search_space import SearchSpace
from tests import observed
from tests.strategies import exit_records

BOTH = pytest.mark.parametrize("solver", ["differential_evolution", "cma_es"])


class TestSearchSpace:
    @given(exit_records())
    def test_a_share_lets_as_many_leave_and_ties_stay_together(self, records):
        space = SearchSpace(records)
        for p in range(records.costs.n_positions):
            for k in range(records.n_samples + 1):
                candidate = np.full((1, records.costs.n_positions), -1)
                candidate[0, p] = 0
                share = np.full(candidate.shape, k / records.n_samples)
                exits, threshold = space.decode(candidate, share)
                confidence = records.confidence[exits[0, p]]
                left = int((confidence > threshold[0, p]).sum())
                surest = np.sort(confidence)[::-1]
                whole = k in (0, records.n_samples) or surest[k - 1] > surest[k]
                assert left == k if whole else left == (confidence > surest[k]).sum()

    @given(exit_records())
    def test_there_and_back_decides_alike(self, records):
        space = SearchSpace(records)
        drawn = space.from_vectors(space.draw(5, np.random.default_rng(0)))
        one = evaluate_arrays(records, *drawn)
        for again in (space.from_vectors(space.to_vectors(*drawn)), space.from_parameters(space.parameters(*drawn))):
            np.testing.assert_array_equal(again[0], drawn[0])
            other = evaluate_arrays(records, *again)
            np.testing.assert_array_equal(one.exit_share, other.exit_share)
            np.testing.assert_array_equal(one.accuracy, other.accuracy)

    def test_the_ends_of_the_cube_are_configurations(self, small_example):
        space = SearchSpace(small_example)
        exits, _ = space.from_vectors(np.array([np.zeros(space.dimension), np.ones(space.dimension)]))
        assert exits[0].tolist() == [-1, -1, -1]
        assert exits[1].tolist() == (small_example.costs.first[1:] - 1).tolist()

    def test_no_exit_is_a_choice_that_is_drawn_often(self, small_example):
        space = SearchSpace(small_example)
        exits, _ = space.from_vectors(space.draw(2000, np.random.default_rng(1)))
        assert 0.65 < np.mean(exits < 0) < 0.85


class TestMeasuredOnce:
    def test_the_front_is_that_of_measuring_all_again(self, small_example):
        run = Run(small_example)
        space = SearchSpace(small_example)
        rng = np.random.default_rng(0)
        for hand_in in (run.evaluate, run.propose, run.evaluate, run.propose):
            hand_in(*space.from_vectors(space.draw(30, rng)))
        cost, accuracy = run.figures()
        again = evaluate_arrays(small_example, *run.found())
        np.testing.assert_array_equal(cost, again.cost)
        np.testing.assert_array_equal(accuracy, again.accuracy)

    def test_search_measures_each_batch_once(self, small_example, monkeypatch):
        measured = []

        def counted(records, exits, threshold):
            measured.append(len(exits))
            return evaluate_arrays(records, exits, threshold)

        monkeypatch.setattr(run_module, "evaluate_arrays", counted)
        observed.search(small_example, solver="random", max_evaluations=150)
        assert sorted(measured) == [1, 50, 50, 50]  # the baseline, and three batches

    def test_a_solver_may_change_what_it_got(self, small_example):
        def careless(run):
            exits = np.array([[0, -1, -1]], np.int32)
            measured = run.evaluate(exits, np.full((1, 3), -np.inf, np.float32))
            measured.cost[:] = 0
            measured.accuracy[:] = 1

        front = observed.search(small_example, solver=careless)
        assert front[0].cost > 0
        assert front[0].accuracy < 1


@BOTH
class TestBoth:
    def test_spends_2000_evaluations_by_default(self, solver, records):
        found = observed.search(records, solver=solver).provenance
        assert (found.evaluations, found.stop_reason) == (2000, "converged")

    def test_spends_the_whole_budget(self, solver, small_example):
        for budget in (3, 41, 333):
            found = observed.search(small_example, solver=solver, max_evaluations=budget).provenance
            assert (found.evaluations, found.stop_reason) == (budget, "budget")

    def test_comes_near_the_best_of_a_small_problem(self, solver, records):
        best = observed.search(records, solver="exhaustive")
        front = observed.search(records, solver=solver, max_evaluations=3000)
        assert front.hypervolume() > 0.98 * best.hypervolume()

    @pytest.mark.parametrize("population", [3, 20.5, "many"])
    def test_refuses_bad_populations(self, solver, small_example, population):
        with pytest.raises(ds.SolverError, match="population must be a whole number >= "):
            observed.search(small_example, solver=solver, population=population)

    def test_a_budget_of_0_is_refused(self, solver, small_example):
        with pytest.raises(ds.SolverError, match="max_evaluations must be a whole number >= 1, got 0"):
            observed.search(small_example, solver=solver, max_evaluations=0)
