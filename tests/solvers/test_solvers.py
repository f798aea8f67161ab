"""The contract that every solver fulfils, and the slow twins of the baseline solvers."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.evaluation.evaluate import evaluate_arrays
from dyce_search.search import SOLVERS, find_solver, run_solver
from dyce_search.solvers.budget import StopSearch
from dyce_search.solvers.run import Run
from dyce_search.solvers.trade_off import check_lambdas
from dyce_search.testing import SolverContract
from tests import observed, oracles
from tests.strategies import exit_records
from tests.write_golden import GOLDEN, SHORT, golden_content

EVERY = pytest.mark.parametrize("solver", SOLVERS)
FEW_LAMBDAS = (0.5, 0.7, 0.9, 1.0)


def make(confidence, score, n_candidates, backbone):
    """Records with heads that cost 1 each."""
    position = np.append(np.repeat(np.arange(len(n_candidates)), n_candidates), len(n_candidates))
    costs = ds.ExitCosts(backbone=backbone, head=np.append(np.ones(len(position) - 1), 0), position=position)
    return ds.ExitRecords(confidence=confidence, score=score, costs=costs)


def assert_near(found, expected):
    """The same points where sums are rounded differently."""
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@EVERY
class TestContract(SolverContract):
    """What third parties can run as well, and what only the solvers of the package are held to."""

    @pytest.fixture(autouse=True)
    def choose(self, solver):
        self.solver = solver
        self.max_evaluations = SHORT.get(solver)

    def check_front(self, front, records):
        """Also against the slow evaluation and the slow filter."""
        super().check_front(front, records)
        assert oracles.points(front) == oracles.non_dominated(oracles.points(front))
        for point in list(front)[:: max(1, len(front) // 3)]:
            slow = oracles.evaluate(records, point.config)
            assert (point.accuracy, point.cost) == pytest.approx((slow["accuracy"], slow["cost"]), rel=1e-12, abs=1e-12)

    @settings(max_examples=15)
    @given(records=exit_records(max_positions=2, max_candidates=2, max_samples=4))
    def test_finds_a_valid_front_among_drawn_ties(self, solver, records):
        self.check_front(observed.search(records, solver=solver, max_evaluations=SHORT.get(solver)), records)

    def test_beats_the_baseline_on_real_records(self, solver, small_example):
        front = observed.search(small_example, solver=solver, max_evaluations=SHORT.get(solver))
        assert front.select(max_accuracy_drop=0.02).relative_cost < 0.9

    def test_names_itself(self, solver, small_example):
        assert (
            observed.search(small_example, solver=solver, max_evaluations=SHORT.get(solver)).provenance.solver == solver
        )

    def test_writes_to_neither_stream(self, solver, small_example, capfd):
        observed.search(small_example, solver=solver, progress=False, max_evaluations=20)
        observed.search(
            small_example, solver=solver, max_evaluations=SHORT.get(solver)
        )  # here standard error is no terminal
        assert capfd.readouterr() == ("", "")

    def test_refuses_options_that_it_does_not_have(self, solver, small_example):
        with pytest.raises(ds.SolverError, match=f"solver '{solver}' does not take the option 'colour': it takes"):
            observed.search(small_example, solver=solver, colour="red")

    @pytest.mark.parametrize("lambdas", [[], [0.5, 1.5], [-0.1], [np.nan], ["much"], 0.5])
    def test_refuses_bad_lambdas(self, solver, small_example, lambdas):
        if "lambdas" not in inspect.signature(find_solver(solver)).parameters:
            pytest.skip("takes no lambdas")
        with pytest.raises(
            ds.SolverError, match=r"lambdas must (be one or more numbers in \[0, 1\]|be numeric|have 1 axes)"
        ):
            observed.search(small_example, solver=solver, lambdas=lambdas)

    def test_has_a_golden_front(self, solver, small_example):
        path = GOLDEN / f"{solver}.json"
        assert path.exists(), f"write it: python -m tests.write_golden {solver}"
        golden, found = json.loads(path.read_text()), golden_content(small_example, solver)
        assert found["candidate"] == golden["candidate"]
        for name in ("cost", "accuracy"):
            np.testing.assert_allclose(found[name], golden[name], rtol=1e-12)
        np.testing.assert_allclose(found["threshold"], golden["threshold"], rtol=1e-6)


def test_every_golden_front_has_a_solver():
    assert {path.stem for path in Path(GOLDEN).glob("*.json")} <= set(SOLVERS)


class TestTwins:
    """The same search, written slowly: the same points, exactly."""

    @settings(max_examples=150)
    @given(exit_records())
    def test_same_threshold(self, records):
        front = observed.search(records, solver="same_threshold")
        assert oracles.points(front) == oracles.front(records, oracles.same_threshold(records))

    @pytest.mark.parametrize("seed", range(3))
    def test_exit_shares(self, seed):
        rng = np.random.default_rng(seed)
        confidence = rng.integers(0, 30, (6, 97)) / 30  # many ties
        records = make(confidence, rng.integers(0, 2, (6, 97)), [2, 1, 2], [10, 20, 30, 60])
        front = observed.search(records, solver="exit_shares")
        assert oracles.points(front) == oracles.front(records, oracles.exit_shares(records))

    @settings(max_examples=12)
    @given(exit_records(levels=("ties",), max_samples=6), st.sampled_from(FEW_LAMBDAS))
    def test_single_pass(self, records, weight):
        front = observed.search(records, solver="single_pass", lambdas=[weight])
        assert oracles.points(front) == oracles.front(records, oracles.single_pass(records, [weight]))

    def test_single_pass_on_real_records(self, small_example):
        records = small_example.subset(np.arange(80))
        front = observed.search(records, solver="single_pass", lambdas=FEW_LAMBDAS)
        assert_near(oracles.points(front), oracles.front(records, oracles.single_pass(records, FEW_LAMBDAS)))

    @settings(max_examples=12)
    @given(exit_records(levels=("ties",), max_positions=2, max_samples=6), st.sampled_from(FEW_LAMBDAS))
    def test_iterative(self, records, weight):
        front = observed.search(records, solver="iterative", lambdas=[weight])
        assert oracles.points(front) == oracles.front(records, oracles.iterative(records, [weight]))

    def test_iterative_on_real_records(self, small_example):
        records = small_example.subset(np.arange(60))
        front = observed.search(records, solver="iterative", lambdas=(0.6, 0.9))
        assert_near(oracles.points(front), oracles.front(records, oracles.iterative(records, (0.6, 0.9))))


def test_single_pass_reproduces_the_released_code_on_the_example(example):
    front = observed.search(example, solver="single_pass")
    drops = [drop * example.baseline_accuracy for drop in (0, 0.005, 0.01, 0.02, 0.05)]
    found = [front.select(max_accuracy_drop=drop).relative_cost for drop in drops]
    assert found == pytest.approx([0.252, 0.219, 0.175, 0.151, 0.107], abs=0.01)


def test_exit_shares_takes_the_number_of_settings(small_example):
    assert observed.search(small_example, solver="exit_shares", settings=2).provenance.evaluations == 4  # 2 exit types
    for settings_ in (0, 2.5, "many"):
        with pytest.raises(ds.SolverError, match="settings must be a whole number >= 1"):
            observed.search(small_example, solver="exit_shares", settings=settings_)


def test_same_threshold_thins_long_fronts_and_keeps_their_ends(small_example, monkeypatch):
    whole = observed.search(small_example, solver="same_threshold")
    monkeypatch.setattr("dyce_search.solvers.same_threshold.MAX_LEVELS", 5)
    thin = observed.search(small_example, solver="same_threshold")
    assert 2 <= len(thin) <= 1 + 2 * 5 < len(whole)  # the baseline, and five of each of two types
    assert thin[0].config == whole[0].config


def test_exhaustive_measures_nothing_twice(small_example, monkeypatch):
    measured = []
    monkeypatch.setattr(
        "dyce_search.solvers.run.evaluate_arrays",
        lambda records, exits, threshold: measured.append(len(exits)) or evaluate_arrays(records, exits, threshold),
    )
    observed.search(small_example, solver="exhaustive", levels=4)
    assert measured == [1]  # the baseline


@pytest.mark.parametrize("solver", ["coordinate_descent", "single_pass"])
def test_lambdas_that_are_off_the_ends_by_rounding_are_the_ends(solver, small_example):
    sweep = np.arange(0.5, 1.01, 0.01)
    assert sweep[-1] > 1
    assert check_lambdas([-1e-10, 1e-9, *sweep]) == [0.0, 0.0, *sweep[:-1], 1.0]
    fronts = [
        observed.search(small_example, solver=solver, lambdas=found) for found in (sweep[-3:], [*sweep[-3:-1], 1.0])
    ]
    assert list(fronts[0]) == list(fronts[1])
    with pytest.raises(ds.SolverError, match="lambdas must be one or more numbers in"):
        check_lambdas([1 + 1e-8])


def test_single_pass_keeps_what_it_decided_before_the_budget_ended(small_example):
    whole = observed.search(small_example, solver="single_pass", lambdas=[0.9]).provenance.evaluations
    front = observed.search(small_example, solver="single_pass", lambdas=[0.9], max_evaluations=whole - 1)
    assert front.provenance.stop_reason == "budget"
    assert front[0].relative_cost < 1


class TestSearch:
    """The frame around all solvers."""

    def test_an_unknown_solver_gets_the_list_of_known_ones(self, records):
        with pytest.raises(ds.SolverError, match=f"unknown solver 'sinlge_pass': use one of {', '.join(SOLVERS)}, or"):
            observed.search(records, solver="sinlge_pass")
        with pytest.raises(ds.SolverError, match="unknown solver None"):
            observed.search(records, solver=None)

    @pytest.mark.parametrize(
        ("budget", "message"),
        [
            ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
            ({"seed": 0.5}, "seed must be a whole number >= 0, got 0.5"),
            ({"max_evaluations": 0}, "max_evaluations must be a whole number >= 1, got 0"),
            ({"max_evaluations": 1e3}, "max_evaluations must be a whole number >= 1, got 1000.0"),
            ({"max_seconds": 0}, "max_seconds must be above 0, got 0"),
            ({"max_seconds": np.nan}, "max_seconds must be above 0, got nan"),
            ({"max_seconds": "1 h"}, "max_seconds must be above 0, got '1 h'"),
        ],
    )
    def test_bad_budgets_are_refused(self, records, budget, message):
        with pytest.raises(ds.SolverError, match=message):
            observed.search(records, solver="exit_shares", **budget)

    def test_something_else_than_records_is_refused(self):
        with pytest.raises(ds.RecordsError, match="must be an ExitRecords, got str"):
            observed.search("records.npz")

    def test_a_solver_of_ones_own_may_return_configurations(self, records):
        def two(run, *, level=0.5):
            return (ds.ExitConfig(candidate=[k, -1], threshold=[level, 0]) for k in (0, 1))

        front = observed.search(records, solver=two, level=0.75)
        assert_near(oracles.points(front), oracles.front(records, two(None, level=0.75)))
        assert front.provenance.solver == "two"
        assert front.provenance.options == {"level": 0.75}

    def test_a_solver_of_ones_own_is_held_to_its_budget(self, records):
        def endless(run):
            while True:
                run.evaluate(np.array([[0, 2]] * 7, np.int32), run.rng.random((7, 2), np.float32))

        front = observed.search(records, solver=endless, max_evaluations=10)
        assert (front.provenance.evaluations, front.provenance.stop_reason) == (10, "budget")
        assert len(front) > 1
        assert observed.search(records, solver=endless, max_seconds=0.05).provenance.stop_reason == "budget"

    def test_what_is_handed_in_may_change_afterwards(self, records):
        def reuses_its_arrays(run):
            exits, threshold = np.array([[-1, 2]], np.int32), np.zeros((1, 2), np.float32)
            run.evaluate(exits, threshold)
            exits[:], threshold[:] = -1, 9

        front = observed.search(records, solver=reuses_its_arrays)
        assert front[0].config == ds.ExitConfig(candidate=[-1, 0], threshold=[0, 0])

    def test_ctrl_c_returns_what_was_found(self, records):
        def interrupted(run):
            run.evaluate(np.array([[0, -1]], np.int32), np.full((1, 2), -np.inf, np.float32))
            raise KeyboardInterrupt

        front = observed.search(records, solver=interrupted)
        assert front.provenance.stop_reason == "interrupted"
        assert front[0].cost == 1.5

    def test_an_error_in_a_solver_is_not_hidden(self, records):
        def broken(run):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            observed.search(records, solver=broken)

    def test_a_config_of_another_network_is_refused(self, records):
        with pytest.raises(ds.ConfigError, match="another network"):
            observed.search(records, solver=lambda run: [ds.ExitConfig.none(5)])

    def test_odd_options_can_be_saved(self, records, tmp_path):
        def odd(run, **options):
            pass

        front = observed.search(
            records, solver=odd, a=np.inf, b=np.arange(2), c=[np.float32(0.5), (1,)], d={1: 2}, e=None
        )
        front.save(tmp_path / "front.json")
        options = ds.ParetoFront.load(tmp_path / "front.json").provenance.options
        assert options == {"a": "inf", "b": [0, 1], "c": [0.5, [1]], "d": "{1: 2}", "e": None}

    def test_progress_is_drawn_where_wanted(self, small_example, capsys):
        observed.search(small_example, solver="single_pass", lambdas=FEW_LAMBDAS, progress=True)
        assert "single_pass" in capsys.readouterr().err

    def test_run_counts_down(self, records):
        run = Run(records, max_evaluations=5)
        run.spend(3)
        assert (run.evaluations, run.evaluations_left, run.seconds_left) == (3, 2, np.inf)
        run.require(2)
        with pytest.raises(StopSearch):
            run.require(3)
        run.book(2)
        assert (run.evaluations, run.evaluations_left) == (5, 0)

    def test_the_clock_ends_a_run(self, records):
        run = Run(records, max_seconds=1e-9)
        for ask in (run.require, run.spend):
            with pytest.raises(StopSearch):
                ask()
        assert run.evaluations == 0

    def test_why_a_run_stopped(self, records):
        run = Run(records)
        assert (run.plan(7), run.stop_reason) == (7, "converged")
        run.declare_optimal()
        assert run.stop_reason == "optimal"
        run = Run(records, max_evaluations=5)
        assert (run.plan(7), run.stop_reason) == (5, "budget")
        with pytest.raises(AttributeError):
            run.stop_reason = "optimal"

    def test_the_run_of_a_search(self, records):
        run, front = run_solver(records, "exit_shares", {"settings": 3}, seed=4, scores="observed")
        assert front.provenance.evaluations == run.evaluations == sum(came.size for came in run.history) - 1
        assert list(front) == list(observed.search(records, solver="exit_shares", settings=3, seed=4))
