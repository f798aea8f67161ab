"""The contract accepts solvers that keep it, and names what is wrong with those that do not."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.solvers.budget import StopSearch
from dyce_search.testing import SolverContract, awkward_records, require_valid_front, small_example, tied_records


def draw(run: ds.Run, rng: np.random.Generator, size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Random configurations (F, P): any candidate or none, thresholds among the recorded confidences."""
    costs = run.records.costs
    shape = (size, costs.n_positions)
    candidate = (rng.random(shape) * (costs.n_candidates + 1)).astype(np.int32) - 1
    exits = np.where(candidate >= 0, costs.first[:-1] + candidate, -1).astype(np.int32)
    sample = rng.integers(0, run.records.n_samples, shape)
    return exits, np.where(exits >= 0, run.records.confidence[exits, sample], np.float32(0)).astype(np.float32)


def sampler(run: ds.Run, *, batches: int = 20) -> None:
    for _ in range(batches):
        run.evaluate(*draw(run, run.rng))


def yields(run: ds.Run) -> Iterator[ds.ExitConfig]:
    """Books its work itself and hands in ExitConfigs."""
    costs = run.records.costs
    for level in run.rng.permutation(np.linspace(0, 1, 70)):
        run.spend()
        yield ds.ExitConfig(candidate=[0] * costs.n_positions, threshold=[level] * costs.n_positions)


class Endless:
    """A callable object that stops only when its budget is spent."""

    def __call__(self, run: ds.Run) -> None:
        while True:
            run.evaluate(*draw(run, run.rng, 3))


class TestFunction(SolverContract):
    solver = sampler


class TestWithOptions(SolverContract):
    solver = staticmethod(sampler)
    options = {"batches": 9}  # noqa: RUF012


class TestGenerator(SolverContract):
    solver = yields


class TestEndlessObject(SolverContract):
    solver = Endless()
    max_evaluations = 100


class TestByName(SolverContract):
    solver = "exit_shares"


def contract(solver: object, limit: int | None = None) -> SolverContract:
    class Contract(SolverContract):
        max_evaluations = limit

    tests = Contract()
    tests.solver = solver  # type: ignore[assignment]
    return tests


class TestFaults:
    def test_no_seed(self) -> None:
        def solver(run: ds.Run) -> None:
            run.evaluate(*draw(run, np.random.default_rng()))

        with pytest.raises(AssertionError, match=r"two searches with seed 5 found different fronts: use only run\.rng"):
            contract(solver).test_the_same_seed_gives_the_same_front()

    def test_a_global_generator(self) -> None:
        def solver(run: ds.Run) -> None:
            run.evaluate(*draw(run, np.random.default_rng(np.random.randint(9))))  # noqa: NPY002

        with pytest.raises(AssertionError, match=r"used a global random generator: use run\.rng"):
            contract(solver).test_leaves_its_inputs_as_they_are()

    def test_changed_records(self) -> None:
        def solver(run: ds.Run) -> None:
            run.records.confidence.base[0, 0] += 1

        with pytest.raises(AssertionError, match="the solver changed its records"):
            contract(solver).test_leaves_its_inputs_as_they_are()

    def test_writable_records(self) -> None:
        def solver(run: ds.Run) -> None:
            run.records.score.flags.writeable = True

        with pytest.raises(AssertionError, match="made arrays of its records writable"):
            contract(solver).test_leaves_its_inputs_as_they_are()

    def test_work_that_is_not_booked(self) -> None:
        def solver(run: ds.Run) -> None:
            run.propose(*draw(run, run.rng))

        with pytest.raises(AssertionError, match=r"spent no evaluation: measure by run\.evaluate, or book"):
            contract(solver).test_says_how_the_front_came_about()
        with pytest.raises(AssertionError, match="max_seconds=1e-9, but the search says that it stopped for 'conv"):
            contract(solver).test_respects_max_seconds()

    def test_a_budget_that_is_overrun(self) -> None:
        def solver(run: ds.Run) -> None:
            run.evaluate(*draw(run, run.rng))
            run.evaluations += 3

        with pytest.raises(AssertionError, match="max_evaluations=10, but 11 were spent"):
            contract(solver).test_respects_max_evaluations()

    def test_a_swallowed_end(self) -> None:
        def solver(run: ds.Run) -> None:
            for _ in range(20):
                try:
                    run.evaluate(*draw(run, run.rng))
                except StopSearch:
                    return

        with pytest.raises(AssertionError, match="says that it stopped for 'converged': book all work, and let StopSe"):
            contract(solver).test_respects_max_evaluations()

    def test_a_front_that_depends_on_the_budget(self) -> None:
        def solver(run: ds.Run) -> None:
            run.evaluate(*draw(run, np.random.default_rng(0 if run.evaluations_left > 99 else 1), 60))

        with pytest.raises(AssertionError, match="a budget that suffices changed the front"):
            contract(solver).test_a_budget_that_suffices_changes_nothing()

    def test_a_solver_that_talks(self) -> None:
        def solver(run: ds.Run) -> None:
            print("generation 1")

        with pytest.raises(AssertionError, match=r"the solver printed 'generation 1\\n': draw bars by run\.bar"):
            contract(solver).test_is_silent_without_progress()

    def test_an_error_on_awkward_records(self) -> None:
        def solver(run: ds.Run) -> None:
            run.evaluate(np.array([[0, 1, 2]], np.int32), np.zeros((1, 3), np.float32))

        with pytest.raises(ds.ConfigError, match="shape"):
            contract(solver).test_finds_a_valid_front_for_one_position()

    def test_a_false_reason(self) -> None:
        def solver(run: ds.Run) -> None:
            run.evaluate(*draw(run, run.rng))
            run._stop_reason = "tired"

        with pytest.raises(ds.FrontError, match=r"stop_reason must be .*, got 'tired'"):
            contract(solver).test_says_how_the_front_came_about()


class TestValidFront:
    def test_figures_of_other_records(self) -> None:
        records = small_example()
        front = ds.search(records.subset(np.arange(150)), solver="exit_shares")
        with pytest.raises(AssertionError, match=r"accuracy of points .* differs from what evaluate measures"):
            require_valid_front(front, records)

    def test_a_front_below_the_baseline(self) -> None:
        records = small_example()
        cheap = ds.ParetoFront.from_configs(records, [ds.ExitConfig(candidate=[0, -1, -1], threshold=[-np.inf, 0, 0])])
        with pytest.raises(AssertionError, match="no point is at least as good as the baseline"):
            require_valid_front(cheap, records)

    def test_a_curve(self) -> None:
        records = small_example()
        with pytest.raises(AssertionError, match="expected a ParetoFront, got Curve"):
            require_valid_front(ds.static_exits(records), records)  # type: ignore[arg-type]


def test_records_are_as_promised() -> None:
    kinds = awkward_records()
    assert kinds["ragged"].costs.n_candidates.tolist() == [3, 1, 1]
    assert kinds["one position"].costs.n_positions == 1
    assert kinds["one sample"].n_samples == 1
    assert set(np.unique(kinds["float scores"].score)) > {0, 1} or len(np.unique(kinds["float scores"].score)) > 100
    assert kinds["all wrong"].baseline_accuracy == 0
    assert kinds["any confidence"].confidence.min() < -100
    sizes = {(records.costs.n_positions, records.n_samples) for records in map(tied_records, range(12))}
    assert len(sizes) > 4
    assert small_example().n_samples == 300


def test_needs_no_pytest() -> None:
    code = "import sys, dyce_search.testing; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
