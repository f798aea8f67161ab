"""Exact coordinate descent, the default solver: a dense, near-optimal front in about the time of sorting the data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import choice, real
from dyce_search.errors import SolverError
from dyce_search.evaluation.limits import require_drop
from dyce_search.expected.searched import PART
from dyce_search.solvers.descent.archive import BUCKETS, Archive, Choice, index_type
from dyce_search.solvers.descent.effort import EFFORTS, FEW, Effort
from dyce_search.solvers.descent.goals import Goals
from dyce_search.solvers.descent.kick import kick
from dyce_search.solvers.descent.objective import Objective
from dyce_search.solvers.descent.problem import Problem
from dyce_search.solvers.run import Run
from dyce_search.solvers.trade_off import check_lambdas
from dyce_search.threads import side_by_side

# In brackets, here and in descent/: what another value does to the hypervolume, in units of 1e-4, with all 15,000
# samples of the example / 2,500 of them (mean of two seeds, default effort), and to the time where that differs.
FIRST_LAMBDAS = (0.5, 0.8, 0.95, 0.9999)  # to see the front's range; two: -1.1 / -1.6, eight: -0.0 / +0.0
ROUND = 8  # tasks side by side; fixed, so that the number of threads changes nothing (4 and 16: +0.1 / +0.0)
GOALS = 4  # of a task, one after the other, for handing over costs as much as a sweep (1: +0.1 / -2.4, time x1.3)
COLD_SWEEPS = 5  # of a descent from "no exits", at most (2: -0.1 / +0.0, 30: +0.1 / -0.0, time x1.2 on 15,000)
OFF_SWEEPS = (
    3  # of one that starts off the front: after a kick (1: 0.0 / -1.9, 30: 0.0 / +0.0), or first on all samples
)
MOST_SWEEPS = 30  # of any other: until nothing helps; a guard, for none of six searches took more than 20
VERY_FEW = 2_000  # samples below which every descent goes on until nothing helps (0: +0.8 on 1,000, no gain to be seen)
REFINED = 40  # points of the front of some samples that are refined on all (of 140,000, 16: -23, 100: +1.5, time x1.1)
POLISHED = 64  # points whose thresholds are placed in the true order above 32,768 samples (2 and 256: 0.0 on 50,000)
FOCUS_KICKS = 2  # of each task around a point asked for (0: it costs 0.10 % more, 5: 0.10 % less, time x1.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Objectives to minimise one after the other, each from the archive's best for it.

    Attributes:
        objectives: what to minimise.
        sweeps: limit, for each.
        start: where the first one starts instead.
        kicked: whether the others start with a kick.
    """

    objectives: Sequence[Objective]
    sweeps: int = 1
    start: Choice | None = None
    kicked: bool = False


def coordinate_descent(
    run: Run,
    *,
    lambdas: Sequence[float] | None = None,
    effort: Literal["fast", "default", "high"] = "default",
    max_accuracy_drop: float | None = None,
    max_relative_cost: float | None = None,
) -> None:
    """Exact line searches, position by position, with an archive of every threshold that they price.

    With the rest of a configuration fixed, prefix sums over the samples in order of confidence price all thresholds
    of a candidate at once. A descent sweeps over the positions from last to first, takes the best candidate and
    threshold (or none) at each, and stops when a sweep changes nothing. Whatever is priced on the way goes to an
    archive, which becomes the front. The first descents start from "no exits": at four lambdas of J (see
    `TradeOff`), then at goals spread along the front. A goal's objective is J at the front's slope there plus a
    quadratic curb on the distance from the goal's cost, so that points on the dents of the front are found as well,
    which no lambda reaches. Hundreds of single sweeps follow, each from the archive's best for one more goal; the
    multiples of the golden ratio place the goals evenly, however many there are. On few samples, or with more
    effort, some of them start with a kick, which switches off random exits (iterated local search, Lourenco 2003).
    Thresholds lie half-way between neighbouring confidences: at the bounds of bins of equal size, which are single
    samples up to 32,768 of them; with more, those of points all along the front are then placed among all samples.

    Records of over 131,072 samples are searched on a random 65,536 of them first, then refined on all; or only searched
    on these where scores are not 0/1, for fine scores and costs have no room in 64-bit sums over more samples.

    A line, one candidate priced at all thresholds, counts as one evaluation. The result depends on the seed, not on
    the number of threads; with `max_seconds` it depends on the machine's speed.

    Args:
        run: the search.
        lambdas: minimise J at these weights of accuracy, in [0, 1], instead of at goals along the front.
        effort: "fast", "default" or "high": how many descents and kicks.
        max_accuracy_drop: seek the cheapest configuration within this drop below the final exit alone, absolute.
        max_relative_cost: seek the most accurate configuration up to this cost, relative to the final exit alone.

    Raises:
        SolverError: an unknown effort, lambdas outside [0, 1], a drop that is no number below 1, a cost that is none.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), effort="fast")
        >>> round(front.select(max_accuracy_drop=0.01).relative_cost, 2)
        0.17
    """
    choice(effort, EFFORTS, "effort", SolverError)
    if max_accuracy_drop is not None:
        require_drop(max_accuracy_drop, error=SolverError)
    if max_relative_cost is not None:
        hint = "1 is the whole model"
        real(max_relative_cost, "max_relative_cost", SolverError, "be a finite number", hint=hint)
    work = EFFORTS[effort]
    weights = None if lambdas is None else check_lambdas(lambdas)
    problem = Problem.of(run.records, work.bins, run.require)
    sampled = problem.n > 2 * PART
    if sampled:
        part = np.sort(run.rng.permutation(problem.n)[:PART])
        if problem.score is not None:
            problem, sampled = Problem.of(run.records.subset(part), work.bins, run.require), False
    first = problem.sample(part) if sampled else problem
    stages = [Search(run, first, work)]
    try:
        stages[0].sweep_trade_off(weights)
        if sampled:
            stages.append(Search(run, problem, work))
            stages[1].refine(stages[0])
            if stages[1].n_tasks:
                del stages[0]
        if max_accuracy_drop is not None or max_relative_cost is not None:
            stages[-1].focus(max_accuracy_drop, max_relative_cost)
    finally:  # also when the budget is spent or the user interrupts
        for stage in stages:
            stage.hand_in()


class Search:
    """Tasks done so far on one problem, and the archive that they filled."""

    def __init__(self, run: Run, problem: Problem, effort: Effort) -> None:
        """Starts with an empty archive."""
        self.run, self.problem, self.effort = run, problem, effort
        self.goals = Goals(problem.at_lambda(0.5).gain)
        self.n_tasks = 0
        buckets = 2 * BUCKETS if problem.n < FEW else BUCKETS
        index = index_type(run.records.n_exits)
        self.archive = Archive.empty(buckets, problem.n_positions, problem.low, problem.high, index)

    def sweep_trade_off(self, weights: Sequence[float] | None) -> None:
        """The whole front: at the given lambdas, or at a few and then at goals all along the front."""
        kicks = self.effort.n_kicks(self.problem.n, len(self.problem.coded.codes))
        passes = self.effort.n_passes(self.problem.n)
        if weights is None:
            weights, sweeps, spare = FIRST_LAMBDAS, COLD_SWEEPS, 0
            colder = -(-(self.effort.cold - len(weights)) // ROUND)
            further = -(-(passes + kicks) // (ROUND * GOALS))
        else:
            sweeps, spare = MOST_SWEEPS, kicks // len(weights)
            colder = further = 0
        first = -(-len(weights) // ROUND)
        for number in self.run.bar(range(first + colder + further), "coordinate_descent"):
            if number < first:
                some = weights[number * ROUND : (number + 1) * ROUND]
                self.solve([self.at_lambda(weight, sweeps, spare) for weight in some])
                if not number:
                    self.drop_useless()
            elif number < first + colder:
                self.solve([self.cold(goal) for goal in self.goals.next(self.archive, ROUND)])
            else:
                self.solve(self.passes(kicks / (passes + kicks)))

    def at_lambda(self, weight: float, sweeps: int, kicks: int) -> Task:
        """A descent from "no exits" at one lambda, and kicks."""
        objectives = [self.problem.at_lambda(weight)] * (1 + kicks)
        return Task(objectives=objectives, sweeps=sweeps, start=self.problem.no_exits(), kicked=True)

    def cold(self, goal: Objective) -> Task:
        """A descent from "no exits"."""
        return Task(objectives=[goal], sweeps=COLD_SWEEPS, start=self.problem.no_exits())

    def passes(self, share: float) -> list[Task]:
        """Single sweeps from points of the front, with kicks in a share of the tasks."""
        goals = self.goals.next(self.archive, ROUND * GOALS)
        tasks = []
        for k in range(ROUND if goals else 0):
            kicked = int((self.n_tasks + k + 1) * share) > int((self.n_tasks + k) * share)
            tasks.append(Task(objectives=goals[k::ROUND], sweeps=OFF_SWEEPS if kicked else 1, kicked=kicked))
        return tasks

    def refine(self, sampled: "Search") -> None:
        """Points all along the front of a search on some samples, in few sweeps on all of them."""
        share = sampled.problem.n / self.problem.n
        ratio = self.problem.unit / sampled.problem.unit / share  # of sums of costs
        tasks = []
        for objective in sampled.goals.next_and_best(sampled.archive, REFINED):
            gain, price, curb, goal = objective
            start = sampled.archive.choice(objective.best(sampled.archive))
            objective = Objective(gain * share, price / ratio, curb / ratio**2, goal * ratio)
            tasks.append(Task(objectives=[objective], start=start))
        tasks[:ROUND] = [replace(task, sweeps=OFF_SWEEPS) for task in tasks[:ROUND]]
        for number in self.run.bar(range(0, len(tasks), ROUND), "refining on all samples"):
            self.solve(tasks[number : number + ROUND])
            if not number:
                self.drop_useless()

    def drop_useless(self) -> None:
        """Trims the archive; very few samples have few costs, so that there is no need to be sparing."""
        if self.problem.n < VERY_FEW:
            return
        self.archive = self.archive.trimmed()

    def focus(self, max_accuracy_drop: float | None, max_relative_cost: float | None) -> None:
        """More tasks around the point that `ParetoFront.select` would return; a limit on accuracy goes first."""
        n, baseline = self.problem.n, self.run.records.baseline_accuracy
        for _ in range(self.effort.focus):
            front = self.archive.front()
            if not len(front):
                return
            cost, score = self.archive.cost[front], self.archive.score[front]
            if max_accuracy_drop is not None:
                within = np.flatnonzero(score >= (baseline - max_accuracy_drop) * n - 1e-9)
                at = within[0] if len(within) else len(front) - 1
            elif max_relative_cost is not None:
                limit = max_relative_cost * self.run.records.costs.baseline * self.problem.unit * n
                within = np.flatnonzero(cost <= limit)
                at = within[-1] if len(within) else 0
            goals = self.goals.below(self.archive, front[at])
            if not goals:
                return
            self.solve([Task(objectives=[goal] * (1 + FOCUS_KICKS), sweeps=MOST_SWEEPS, kicked=True) for goal in goals])

    def solve(self, tasks: list[Task]) -> None:
        """Does tasks side by side, each on a copy of the archive, then joins what they found in a fixed order.

        Raises:
            StopSearch: the budget is spent.
        """
        if not tasks:
            return
        self.run.require(len(tasks) * int(np.diff(self.problem.coded.first).max()))
        allowed = self.run.evaluations_left / len(tasks)
        numbers = range(self.n_tasks, self.n_tasks + len(tasks))
        for archive, lines in side_by_side(partial(self.descend, max_lines=allowed), tasks, numbers):
            self.archive.take(archive)
            self.run.book(lines)
        self.n_tasks += len(tasks)

    def descend(self, task: Task, number: int, max_lines: float) -> tuple[Archive, int]:
        """Does one task on a copy of the archive. Returns the copy and the number of lines."""
        rng = np.random.default_rng([self.run.seed, number])
        archive = self.archive.copy()
        sweeps = MOST_SWEEPS if self.problem.n < VERY_FEW else task.sweeps
        lines = 0
        for k, objective in enumerate(task.objectives):
            first = task.start if k == 0 else None
            choice = archive.choice(objective.best(archive)) if first is None else first.copy()
            if k > 0 and task.kicked:
                kick(self.problem, choice, rng)
            lines += self.problem.descend(objective, choice, archive, sweeps, max_lines - lines, self.run.clock.over)[1]
            if self.run.seconds_left < 0:
                break
        return archive, lines

    def hand_in(self) -> None:
        """Proposes the cheapest of all, the archive's front, and points all along it with polished thresholds."""
        self.run.propose(*self.problem.cheapest())
        front = self.archive.choice(self.archive.front())
        self.run.propose(front.exits, self.problem.thresholds(front))
        if self.run.seconds_left < 0 or self.problem.is_exact or self.problem.n < self.run.records.n_samples:
            return
        goals = {goal.best(self.archive): goal for goal in self.goals.next_and_best(self.archive, POLISHED)}
        if not goals:
            return
        best = self.archive.choice(list(goals))
        choices = [Choice(*choice) for choice in zip(*best, strict=True)]
        self.run.propose(best.exits, np.stack(side_by_side(self.polish, goals.values(), choices)))

    def polish(self, goal: Objective, choice: Choice) -> npt.NDArray[np.float32]:
        """The thresholds (P,) of a choice, polished while there is time."""
        late = self.run.seconds_left < 0
        return self.problem.thresholds(choice) if late else self.problem.polish(goal, choice)
