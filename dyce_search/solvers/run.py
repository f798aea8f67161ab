"""One search under way: its records, budget, random generator and what it has found."""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import flag, function, require_type, several, whole
from dyce_search.errors import SolverError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.evaluate import BatchEvaluation, checked_configs, evaluate_arrays
from dyce_search.fingerprints import require_marks, united
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.solvers.budget import Clock, StopSearch, T, bar_over, check_budget, spread_over, timely
from dyce_search.solvers.hand_ins import FloatArray, HandIn, arrays_of, checked_figures, joined, require_measured
from dyce_search.solvers.sample_limit import SampleLimit
from dyce_search.wording import line

WORK = 1 << 22  # configurations x samples between two looks at the clock: 0.1 s on one slow core
Exits = npt.NDArray[np.int32]
Thresholds = npt.NDArray[np.float32]


class Run:
    """What a solver is given. It hands in configurations by `evaluate` or `propose`, until it is done or stopped.

    Attributes:
        records: to search on; their `score` is what is to be maximised: expected scores, or observed ones, less what
            caution takes, so it may be below 0.
        limit: on what single samples may cost, or None. `search` makes whatever is found keep it; a solver that drops
            configurations for good asks `admits` first.
        seed: of this search.
        rng: the one random generator that a solver uses.
        clock: of its time; compiled loops look at `clock.over`.
        evaluations: how many were spent.
        history: what was handed in when, the baseline first.
        marks: of other samples that had a part in what was found (`fingerprints`), beside those of `records`.

    Example:
        >>> import dyce_search as ds
        >>> def halves(run):  # a solver of one's own: first candidate everywhere, one threshold
        ...     for level in np.linspace(0, 1, 5, dtype=np.float32):
        ...         run.evaluate(*run.arrays([ds.ExitConfig(candidate=[0] * 15, threshold=[level] * 15)]))
        >>> front = ds.search(ds.load_example(), solver=halves)
        >>> front.provenance.solver, front.provenance.evaluations
        ('halves', 5)
    """

    def __init__(
        self,
        records: ExitRecords,
        *,
        seed: int = 0,
        max_evaluations: int | None = None,
        max_seconds: float | None = None,
        progress: bool | None = None,
        limit: SampleLimit | None = None,
    ) -> None:
        """See `dyce_search.search` for the arguments.

        Raises:
            SolverError: a seed, a budget or a limit that is none.
            RecordsError: `records` is something else.
        """
        require_records(records)
        check_budget(seed, max_evaluations, max_seconds)
        if limit is not None:
            require_type(limit, SampleLimit, "limit", SolverError)
        self.records = records
        self.limit = limit
        self.seed = int(seed)
        self.rng = np.random.default_rng(self.seed)
        self.evaluations = 0
        self._stop_reason = "converged"
        self._max_evaluations = max_evaluations
        self.clock = Clock(max_seconds)
        self._progress = sys.stderr.isatty() if progress is None else flag(progress, "progress", SolverError)
        none = np.full((1, records.costs.n_positions), -1, np.int32)
        self.history = [HandIn(exits=none, threshold=np.zeros(none.shape, np.float32))]
        self.marks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """One line: on what, with which seed, how far."""
        on = f"{self.records.n_samples:,} samples, {self.records.n_exits} exits"
        return line("Run", on, f"seed {self.seed}", f"{self.evaluations:,} evaluations", f"{self.seconds:.1f} s")

    def maximise(self, records: ExitRecords) -> None:
        """Takes the scores that are to be maximised, before a solver begins: see `SearchedScores`.

        Args:
            records: the same samples, with those scores; with caution they may be below 0.

        Raises:
            RecordsError: it is something else.
        """
        require_records(records)
        self.records = records

    def owes(self, marks: Collection[str]) -> None:
        """Notes that samples with these marks had a part in what is handed in, so that nobody certifies on them.

        Args:
            marks: such as a front's `fingerprint`, for a solver that starts from its configurations.
        """
        known = several(marks, str, "marks", SolverError)
        require_marks(known)
        self.marks = united(self.marks, known)

    @property
    def seconds(self) -> float:
        """Wall-clock time since the start."""
        return self.clock.seconds

    @property
    def seconds_left(self) -> float:
        """Time left to the solver, infinite without a limit."""
        return self.clock.left

    @property
    def evaluations_left(self) -> float:
        """Evaluations left, infinite without a limit."""
        return np.inf if self._max_evaluations is None else self._max_evaluations - self.evaluations

    @property
    def stop_reason(self) -> str:
        """Why the search ended: "converged", "optimal" (with a proof), "budget" or "interrupted"."""
        return self._stop_reason

    def carry_out(self, solver: Callable[..., Iterable[ExitConfig] | None], options: Mapping[str, Any]) -> None:
        """Runs a solver to its end, keeps what it returns and notes why it stopped.

        Args:
            solver: see `dyce_search.search.Solver`.
            options: the solver's own.

        Raises:
            SolverError: no callable, or one that returns something else than configurations. Errors of the solver's own
                pass.
        """
        function(solver, "solver", SolverError)
        require_type(options, Mapping, "options", SolverError)
        several(options, str, "options", SolverError)
        try:
            with self.clock.running():
                configs = solver(self, **options)
                if configs is not None:
                    self._take(configs)
        except StopSearch:
            self._stop_reason = "budget"
        except KeyboardInterrupt:
            self._stop_reason = "interrupted"

    def _take(self, configs: Iterable[ExitConfig]) -> None:
        """Proposes what a solver returned, or what it yields as long as there is time."""
        if not isinstance(configs, Iterator):
            return self.propose(*self.arrays(configs))
        found: list[ExitConfig] = []
        try:
            found.extend(self.timely(configs))
        finally:
            self.propose(*self.arrays(found))

    def interrupt(self) -> None:
        """Notes that the user ended the search before its solver began."""
        self._stop_reason = "interrupted"

    def declare_optimal(self) -> None:
        """For a solver that has proved that nothing beats its front: the stop reason is "optimal"."""
        self._stop_reason = "optimal"

    def plan(self, default: int) -> int:
        """How many evaluations a solver makes that has no end of its own: its whole budget, else `default`.

        Where the budget decides, the stop reason is "budget", also when the solver returns by itself.

        Args:
            default: evaluations without a budget.

        Raises:
            SolverError: it is no whole number.
        """
        default = whole(default, "default", SolverError)
        if np.isinf(self.evaluations_left):
            return default
        self._stop_reason = "budget"
        return int(self.evaluations_left)

    def require(self, evaluations: int = 0) -> None:
        """Ends the search unless the budget allows some more evaluations; books nothing.

        Args:
            evaluations: how many; with 0 only the time counts.

        Raises:
            StopSearch: so many evaluations are not left, or the time is over.
            SolverError: no whole number of them.
        """
        if whole(evaluations, "evaluations", SolverError) > self.evaluations_left or self.seconds_left < 0:
            raise StopSearch

    def timely(self, steps: Iterable[T]) -> Iterator[T]:
        """Iterates over steps that take up to a tenth of a second each, as long as there is time.

        Args:
            steps: anything to iterate over.

        Raises:
            StopSearch: the time is over.
            SolverError: nothing to iterate over.
        """
        return timely(steps, self.require)

    def book(self, evaluations: int) -> None:
        """Books evaluations that were made, for a solver that learns only afterwards how many.

        Args:
            evaluations: how many, at most `evaluations_left`.

        Raises:
            SolverError: no whole number of them.
        """
        self.evaluations += whole(evaluations, "evaluations", SolverError)

    def spend(self, evaluations: int = 1) -> None:
        """Books evaluations before they are made.

        Args:
            evaluations: how many.

        Raises:
            StopSearch: the budget does not allow them.
            SolverError: no whole number of them.
        """
        self.require(evaluations)
        self.book(evaluations)

    def evaluate(self, exits: Exits, threshold: Thresholds) -> BatchEvaluation:
        """Measures configurations and keeps them for the front; each is one evaluation.

        Args:
            exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none.
            threshold: (F, P) float32.

        Raises:
            StopSearch: the budget does not allow all of them; those that it allows are kept. With `max_seconds` a
                batch that takes long is measured in parts.
            ConfigError: shapes that do not fit, an exit that is not at its position, a threshold that is NaN.
        """
        exits, threshold = checked_configs(exits, threshold, self.records.costs)
        allowed = int(min(len(exits), max(self.evaluations_left, 0)))
        if allowed < len(exits):
            self.book(allowed)
            self.propose(exits[:allowed], threshold[:allowed])
            raise StopSearch
        self.spend(len(exits))
        self.propose(exits, threshold)
        parts: list[BatchEvaluation] = []
        try:
            for part in self.timely(self.parts_of(len(exits))):
                parts.append(evaluate_arrays(self.records, exits[part], threshold[part]))
        except StopSearch:
            done = sum(map(len, parts))
            self.evaluations -= len(exits) - done
            self.history[-1].keep(np.arange(done))
            raise
        finally:
            if sum(map(len, parts)) == self.history[-1].size:
                figures = [np.stack([part.cost, part.accuracy]) for part in parts]
                self.history[-1].figures = np.concatenate([np.empty((2, 0)), *figures], axis=1)
        return parts[0] if len(parts) == 1 else BatchEvaluation.joined(parts)

    def parts_of(self, size: int) -> list[slice]:
        """A batch of configurations; if time counts, in parts that take about a tenth of a second each.

        Args:
            size: how many there are.

        Raises:
            SolverError: that is no whole number >= 0.
        """
        size = whole(size, "size", SolverError)
        step = max(1, WORK // self.records.n_samples if self.clock.is_limited else size)
        return [slice(first, first + step) for first in range(0, max(size, 1), step)]

    def admits(self, exits: Exits, threshold: Thresholds, measured: BatchEvaluation) -> npt.NDArray[np.bool_]:
        """(F,) which configurations keep the limit on what single samples cost; all, where there is none.

        Args:
            exits: (F, P) int32, as `evaluate` takes them.
            threshold: (F, P) float32.
            measured: what `evaluate_arrays` says of them.

        Raises:
            ConfigError: shapes that do not fit, an exit that is not at its position, a threshold that is NaN.
            SolverError: `measured` is something else, or of others.
        """
        exits, threshold = checked_configs(exits, threshold, self.records.costs)
        require_measured(measured, len(exits))
        if self.limit is None:
            return np.ones(len(exits), np.bool_)
        over = self.limit.over(self.records, exits, threshold, measured)
        kept: npt.NDArray[np.bool_] = over <= self.limit.allowed(self.records)
        return kept

    def propose(
        self, exits: Exits, threshold: Thresholds, figures: tuple[FloatArray, FloatArray] | None = None
    ) -> None:
        """Keeps configurations for the front without measuring them now; costs no evaluation.

        Args:
            exits: (F, P) int32, as `evaluate` takes them.
            threshold: (F, P) float32.
            figures: cost (F,) and accuracy (F,), where `evaluate_arrays` has measured them; None is later.

        Raises:
            ConfigError: shapes that do not fit, an exit that is not at its position, a threshold that is NaN.
            SolverError: figures of another shape.
        """
        exits, threshold = checked_configs(exits, threshold, self.records.costs)
        came = HandIn(
            exits=np.array(exits),
            threshold=np.array(threshold),
            figures=checked_figures(figures, len(exits)),
            seconds=self.seconds,
            evaluations=self.evaluations,
        )
        self.history.append(came)

    def found(self) -> tuple[Exits, Thresholds]:
        """All configurations that were handed in, the baseline first."""
        return joined(self.history)

    def figures(self) -> tuple[FloatArray, FloatArray]:
        """Cost (F,) and accuracy (F,) of all of `found`; what was never measured is measured now.

        Where the time is over and that takes long, only some of it is, evenly chosen, and the rest is dropped.
        """
        late = [came for came in self.history if came.figures is None]
        if late:
            self._thin(late)
            measured = evaluate_arrays(self.records, *joined(late))
            values = np.stack([measured.cost, measured.accuracy])
            ends = np.cumsum([came.size for came in late])
            for came, figures in zip(late, np.split(values, ends[:-1], axis=1), strict=True):
                came.figures = figures
        cost, accuracy = np.concatenate([came.figures for came in self.history if came.figures is not None], axis=1)
        return cost, accuracy

    def affordable(self, exits: Exits, threshold: Thresholds) -> npt.NDArray[np.int64]:
        """Which of F configurations can be measured, (F',) indices: all, or once time is over, as many as it allows.

        What was found is measured before it is returned, which may take as long again as the search was given.

        Args:
            exits: (F, P) int32, as `evaluate` takes them.
            threshold: (F, P) float32.

        Raises:
            ConfigError: shapes that do not fit, an exit that is not at its position, a threshold that is NaN.
        """
        exits, threshold = checked_configs(exits, threshold, self.records.costs)
        if self.seconds_left >= 0:
            return np.arange(len(exits))
        return spread_over(self.records, exits, threshold, self.clock.overtime)

    def _thin(self, late: list[HandIn]) -> None:
        """Drops configurations that were never measured, where there is no time for all."""
        if self.seconds_left >= 0:
            return
        kept = self.affordable(*joined(late))
        ends = np.cumsum([came.size for came in late])
        for came, end in zip(late, ends.tolist(), strict=True):
            first = end - came.size
            came.keep(kept[(kept >= first) & (kept < end)] - first)

    def arrays(self, configs: Iterable[ExitConfig]) -> tuple[Exits, Thresholds]:
        """Configurations as the arrays (F, P) that `evaluate` and `propose` take.

        Args:
            configs: F configurations of the network.

        Raises:
            ConfigError: something else, or one that belongs to another network.
        """
        return arrays_of(configs, self.records.layout)

    def bar(self, steps: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
        """Iterates over `steps` behind a progress bar, which is drawn only where progress is wanted.

        Args:
            steps: anything to iterate over.
            what: stands before the bar.
            total: number of steps, where `steps` does not know it.

        Raises:
            SolverError: nothing to iterate over, or a total that is no whole number.
        """
        return bar_over(steps, what, total, drawn=self._progress)
