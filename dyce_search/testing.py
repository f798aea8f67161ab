"""`SolverContract`: tests for a solver of one's own, to be run by pytest. Needs no pytest to be imported."""

import contextlib
import inspect
import io
import random
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.evaluate import evaluate_many
from dyce_search.front.front import ParetoFront
from dyce_search.records.costs import ExitCosts
from dyce_search.records.loading import load_example
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import SampleCosts
from dyce_search.search import Solver, search

BUDGETS = (1, 2, 10, 57)
FIELDS = ("confidence", "score", "label", "prediction", "group")


class SolverContract:
    """What every solver has to fulfil: subclass it in a test file, and pytest collects the tests.

        from dyce_search.testing import SolverContract

        class TestMySolver(SolverContract):
            solver = my_solver

    The tests: a valid front (sorted, non-dominated, at least as good as the baseline, figures that `evaluate` confirms)
    on real records and on awkward ones (ragged, one position, one sample, float scores, all right, all wrong, ties,
    confidences of any range, exits dearer than the model); the same front from the same seed; records and global
    random generators untouched; budgets respected, and harmless where they suffice; a silent run; a provenance that
    says how it ended. They raise `AssertionError` with a message and can also be called without pytest.

    Attributes:
        solver: a callable (see `dyce_search.search.Solver`), or the name of one of the package's.
        options: of the solver, for every search.
        max_evaluations: budget of every search, for a solver that is slow or that never ends by itself.

    Example:
        >>> class TestNothing(SolverContract):
        ...     solver = lambda run: []
        ...     max_evaluations = 10
        >>> TestNothing().test_leaves_its_inputs_as_they_are()
    """

    solver: str | Solver
    options: Mapping[str, Any] = {}
    max_evaluations: int | None = None

    def search(self, records: ExitRecords, **changes: Any) -> ParetoFront:
        """Searches with the solver under test.

        Args:
            records: to search on.
            changes: of its options or the budget.
        """
        solver = inspect.getattr_static(self, "solver")  # else a function would become a method of the tests
        if isinstance(solver, staticmethod):
            solver = solver.__func__
        options = {"solver": solver, "max_evaluations": self.max_evaluations, "scores": "observed", **self.options}
        return search(records, **{**options, **changes})

    def check_front(self, front: ParetoFront, records: ExitRecords) -> None:
        """Checks that a front is valid; extend it in a subclass to check more.

        Args:
            front: to check.
            records: on which it was found.
        """
        require_valid_front(front, records)

    def test_finds_a_valid_front_on_real_records(self) -> None:
        """Three positions and 300 samples of the example records."""
        self._check_on(small_example())

    def test_finds_a_valid_front_on_ragged_records(self) -> None:
        """Positions with three, one and one candidates."""
        self._check_on(awkward_records()["ragged"])

    def test_finds_a_valid_front_for_one_position(self) -> None:
        """One candidate, and the final exit."""
        self._check_on(awkward_records()["one position"])

    def test_finds_a_valid_front_for_one_sample(self) -> None:
        """Every accuracy is 0 or 1."""
        self._check_on(awkward_records()["one sample"])

    def test_finds_a_valid_front_with_float_scores(self) -> None:
        """Scores anywhere in [0, 1]."""
        self._check_on(awkward_records()["float scores"])

    def test_finds_a_valid_front_where_all_are_wrong(self) -> None:
        """The baseline accuracy is 0, and so is every other."""
        self._check_on(awkward_records()["all wrong"])

    def test_finds_a_valid_front_where_all_are_right(self) -> None:
        """Only cost can be gained."""
        self._check_on(awkward_records()["all right"])

    def test_finds_a_valid_front_where_all_are_equally_sure(self) -> None:
        """At each exit all leave or none."""
        self._check_on(awkward_records()["all equally sure"])

    def test_finds_a_valid_front_with_any_confidence(self) -> None:
        """Confidences far beyond [0, 1], negative ones among them."""
        self._check_on(awkward_records()["any confidence"])

    def test_finds_a_valid_front_where_exits_are_dear(self) -> None:
        """Every head costs as much as the whole backbone."""
        self._check_on(awkward_records()["exits dearer than the model"])

    def test_finds_a_valid_front_where_costs_differ_by_sample(self) -> None:
        """Every sample has costs of its own, some of them 0."""
        self._check_on(awkward_records()["costs by sample"])

    def test_finds_a_valid_front_among_ties(self) -> None:
        """Tiny records with confidences, scores and costs that tie within and across exits."""
        for seed in range(12):
            self._check_on(tied_records(seed))

    def test_the_same_seed_gives_the_same_front(self) -> None:
        """Twice the same configurations, figures and number of evaluations."""
        one, other = (self.search(small_example(), seed=5) for _ in range(2))
        _require(_same_points(one, other), "two searches with seed 5 found different fronts: use only run.rng")
        counts = one.provenance.evaluations, other.provenance.evaluations
        _require(counts[0] == counts[1], f"two searches with seed 5 spent {counts[0]} and {counts[1]} evaluations")

    def test_leaves_its_inputs_as_they_are(self) -> None:
        """Records keep every byte; the global random generators are neither used nor seeded."""
        records = small_example()
        arrays = [getattr(records, name) for name in FIELDS if getattr(records, name) is not None]
        arrays += [records.costs.backbone, records.costs.head, records.costs.position]
        before, states = [array.tobytes() for array in arrays], _global_random_states()
        self.search(records)
        _require([array.tobytes() for array in arrays] == before, "the solver changed its records")
        _require(not any(array.flags.writeable for array in arrays), "the solver made arrays of its records writable")
        _require(_global_random_states() == states, "the solver used a global random generator: use run.rng")

    def test_respects_max_evaluations(self) -> None:
        """Never more than allowed; a front all the same; and it says that the budget ended it, where it did."""
        records = small_example()
        whole = self.search(records).provenance
        for budget in BUDGETS:
            if self.max_evaluations is not None and budget > self.max_evaluations:
                continue
            front = self.search(records, max_evaluations=budget)
            spent, reason = front.provenance.evaluations, front.provenance.stop_reason
            _require(spent <= budget, f"max_evaluations={budget}, but {spent} were spent")
            self.check_front(front, records)
            short = whole.evaluations > budget or whole.stop_reason == "budget"
            _require(
                (reason == "budget") == short,
                f"the whole search spends {whole.evaluations} evaluations, but with max_evaluations={budget} it says "
                f"that it stopped for {reason!r}: book all work, and let StopSearch pass",
            )

    def test_a_budget_that_suffices_changes_nothing(self) -> None:
        """The same front as without a budget, for a solver that ends by itself."""
        records = small_example()
        whole = self.search(records)
        if self.max_evaluations is not None and whole.provenance.stop_reason == "budget":
            return
        again = self.search(records, max_evaluations=whole.provenance.evaluations, max_seconds=600)
        reasons = whole.provenance.stop_reason, again.provenance.stop_reason
        _require(_same_points(whole, again), "a budget that suffices changed the front")
        _require(
            reasons[0] == reasons[1] != "budget", f"stop reasons {reasons} without and with a budget that suffices"
        )

    def test_respects_max_seconds(self) -> None:
        """A billionth of a second is too short for the whole search; what was found by then is a front."""
        records = small_example()
        whole, front = self.search(records), self.search(records, max_seconds=1e-9)
        _require(
            front.provenance.stop_reason == "budget",
            f"max_seconds=1e-9, but the search says that it stopped for {front.provenance.stop_reason!r}",
        )
        spent = front.provenance.evaluations, whole.provenance.evaluations
        _require(spent[0] < spent[1], f"max_seconds=1e-9 did not shorten the search: {spent[0]} evaluations")
        self.check_front(front, records)

    def test_says_how_the_front_came_about(self) -> None:
        """The provenance has the seed, time, evaluations and a reason."""
        found = self.search(small_example(), seed=3).provenance
        _require(found.seed == 3, f"the provenance has seed {found.seed}, not 3")
        reasons = ("converged", "optimal") if self.max_evaluations is None else ("converged", "optimal", "budget")
        _require(found.stop_reason in reasons, f"stop_reason must be one of {reasons}, got {found.stop_reason!r}")
        _require(found.seconds > 0, "the search took no time")
        _require({"python", "numpy"} <= set(found.versions), "versions of python and numpy are missing")
        _require(
            found.evaluations > 0,
            "the search spent no evaluation: measure by run.evaluate, or book the work by run.spend",
        )

    def test_is_silent_without_progress(self) -> None:
        """Nothing is printed."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            self.search(small_example(), progress=False)
        _require(not printed.getvalue(), f"the solver printed {printed.getvalue()[:200]!r}: draw bars by run.bar")

    def _check_on(self, records: ExitRecords) -> None:
        self.check_front(self.search(records), records)


def require_valid_front(front: ParetoFront, records: ExitRecords) -> None:
    """Raises unless a front is in order and its figures are those of `evaluate`.

    Args:
        front: to check.
        records: on which it was found.

    Raises:
        AssertionError: no front, not sorted, a dominated point, worse than the baseline, figures that differ.
    """
    _require(isinstance(front, ParetoFront), f"expected a ParetoFront, got {type(front).__name__}")
    cost, accuracy = front.cost, front.accuracy
    _require(bool(np.all(np.diff(cost) > 0)), "cost must rise from point to point")
    _require(bool(np.all(np.diff(accuracy) > 0)), "accuracy must rise with cost, else points are dominated")
    good = (cost <= records.costs.baseline * (1 + 1e-12)) & (accuracy >= records.baseline_accuracy - 1e-12)
    _require(bool(good.any()), "no point is at least as good as the baseline (no exits), which always takes part")
    measured = evaluate_many(records, [point.config for point in front])
    for name in ("accuracy", "cost"):
        found, expected = getattr(front, name), getattr(measured, name)
        wrong = np.flatnonzero(found != expected)
        _require(not wrong.size, f"{name} of points {wrong.tolist()[:5]} differs from what evaluate measures")


def awkward_records() -> dict[str, ExitRecords]:
    """Small records that solvers stumble over, by what is odd about them."""
    rng = np.random.default_rng(3)
    right = rng.random((6, 60)) < np.linspace(0.4, 0.9, 6)[:, None]
    sure = 0.6 * right + 0.4 * rng.random((6, 60))
    graded, spread = rng.random((6, 60)), 100 * rng.normal(size=(6, 60))
    backbone = (10, 20, 30, 60)
    return {
        "ragged": _records(sure, right, (3, 1, 1), backbone),
        "one position": _records(sure[[0, 5]], right[[0, 5]], (1,), (10, 60)),
        "one sample": _records(sure[:, :1], right[:, :1], (2, 2, 1), backbone),
        "float scores": _records(sure, graded, (2, 2, 1), backbone),
        "all wrong": _records(sure, np.zeros((6, 60)), (2, 2, 1), backbone),
        "all right": _records(sure, np.ones((6, 60)), (2, 2, 1), backbone),
        "all equally sure": _records(np.full((6, 60), 0.5), right, (2, 2, 1), backbone),
        "any confidence": _records(spread, right, (2, 2, 1), backbone),
        "exits dearer than the model": _records(sure, right, (2, 2, 1), (1, 1, 1, 1)),
        "costs by sample": _by_sample(_records(sure, right, (2, 2, 1), backbone), rng),
    }


def tied_records(seed: int) -> ExitRecords:
    """Records with few levels of everything: one or two positions with one or two candidates, 1 to 5 samples.

    Args:
        seed: each gives other records.
    """
    rng = np.random.default_rng(seed)
    n_candidates = tuple(rng.integers(1, 3, rng.integers(1, 3)).tolist())
    shape = (sum(n_candidates) + 1, int(rng.integers(1, 6)))
    backbone = np.cumsum([*rng.integers(0, 3, len(n_candidates)), rng.integers(1, 4)])
    return _records(rng.integers(0, 4, shape) / 4, rng.integers(0, 3, shape) / 2, n_candidates, backbone)


def small_example() -> ExitRecords:
    """Three positions with 2, 1 and 2 candidates and 300 samples of `load_example()`; new arrays at each call."""
    confidence, score, costs = _small_example()
    return ExitRecords(confidence=confidence.copy(), score=score.copy(), costs=costs)


@cache
def _small_example() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], ExitCosts]:
    records = load_example()
    costs = records.costs
    positions, counts = [2, 6, 10], [2, 1, 2]
    kept = [costs.first[p] + k for p, count in zip(positions, counts, strict=True) for k in range(count)]
    kept.append(costs.n_exits - 1)
    smaller = ExitCosts(
        backbone=costs.backbone[[*positions, -1]],
        head=costs.head[kept],
        position=np.append(np.repeat(np.arange(3), counts), 3),
    )
    return records.confidence[kept, :300], records.score[kept, :300], smaller


def _records(
    confidence: npt.ArrayLike, score: npt.ArrayLike, n_candidates: tuple[int, ...], backbone: npt.ArrayLike
) -> ExitRecords:
    """Records whose heads cost 1 each."""
    position = np.append(np.repeat(np.arange(len(n_candidates)), n_candidates), len(n_candidates))
    head = np.append(np.ones(len(position) - 1), 0)
    costs = ExitCosts(backbone=backbone, head=head, position=position)
    return ExitRecords(confidence=confidence, score=score, costs=costs)


def _by_sample(records: ExitRecords, rng: np.random.Generator) -> ExitRecords:
    """The same records, where each sample costs some multiple of the mean, and each head as much as it likes."""
    costs, n = records.costs, records.n_samples
    size, whims = rng.integers(0, 4, n), rng.integers(0, 4, (costs.n_exits, n))
    by_sample = SampleCosts(
        backbone=costs.backbone[:, None] * size, head=costs.head[:, None] * whims, position=costs.position
    )
    return ExitRecords(confidence=records.confidence, score=records.score, costs=by_sample)


def _same_points(one: ParetoFront, other: ParetoFront) -> bool:
    names = ("cost", "accuracy", "candidate", "threshold")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def _global_random_states() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 (the point is that nobody uses it)
    state: Any = (name, np.asarray(keys).tobytes(), *rest, random.getstate())
    return tuple(state)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
