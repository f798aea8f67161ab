"""Exact coordinate descent, the default solver: a dense, near-optimal front in about the time of sorting the data."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numba
import numpy as np
import numpy.typing as npt

from dyce_search.errors import SolverError
from dyce_search.solvers.descent_archive import Archive
from dyce_search.solvers.descent_problem import Cuts, Exits, Objective, Problem
from dyce_search.solvers.run import Run, StopSearch
from dyce_search.solvers.trade_off import check_lambdas

T = TypeVar("T")
Start = tuple[npt.NDArray[Any], npt.NDArray[Any]]  # exits and cuts (P,)

FIRST_LAMBDAS = (0.5, 0.8, 0.95, 0.9999)  # enough to see the front's range; the last wants accuracy at any price
ROUND = 8  # tasks side by side; fixed, so that the number of threads changes nothing
COLD_TASKS = 12  # so many start from "no exits" as well as from the archive's best
SWITCHED_OFF = 0.3  # share of the exits that a kick switches off
SET_ANEW = 0.3  # positions that it sets at random, on average, but
MOST_SET_ANEW = 0.1  # not more than this share of them
BY_AREA = 0.5  # weight of the area of a gap; that of its ratios is 1
CURB = 0.5  # of a goal half a gap away, in units of the gap's height
NEAR_TOP = 0.005  # drops of this size below the best accuracy are as interesting as twice as large ones
STEPS_IN = (0.0, 0.0025, 0.005, 0.01)  # relative costs below the point asked for, at which it is sought
FOCUS_KICKS = 2  # of each task there, on top of the plan's
WINDOW = 0.1  # relative costs around that point, over which the front's slope is taken
FEW = 10_000  # samples below which a descent costs so little that there may be more of them
LARGE = 1 << 17  # samples from which the search is done on SAMPLE of them, then refined on all
SAMPLE = 1 << 16
MOST_SWEEPS = 30  # of a descent; 5 to 7 are usual
REFINING_SWEEPS = (4, 1)  # on all samples, from where descents on some of them ended: first round, others


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much work an effort means.

    Attributes:
        tasks: objectives to minimise; up to twice as many on fewer than FEW samples.
        focus: rounds around the point that the user asks for.
        kicks: most kicks a task, on average.
        samples: kicks a task = (samples / number of samples)^2, up to `kicks`: they cost little on few samples.
        bins: thresholds that a line prices first, about; then all around the best one.
    """

    tasks: int
    focus: int
    kicks: int
    samples: float
    bins: int


PLANS = {
    "fast": Plan(tasks=16, focus=2, kicks=0, samples=0, bins=512),
    "default": Plan(tasks=64, focus=4, kicks=10, samples=10_000, bins=512),
    "high": Plan(tasks=200, focus=16, kicks=40, samples=95_000, bins=4096),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One objective to minimise; `cold` tasks also start from "no exits", and `kicks` are on top of the plan's."""

    objective: Objective
    cold: bool = False
    kicks: int = 0


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
    archive, which becomes the front. The first descents minimise J (see `TradeOff`) at four lambdas. Every further
    one goes to the largest gap of the front, by area and by ratio: it starts from the archive's best there, and the
    first ones from "no exits" too. It minimises J at the gap's slope plus a quadratic curb on the distance from the
    gap's middle, so that it finds points on the dents of the front as well, which no lambda reaches. Kicks then
    switch off random exits and descend again (iterated local search, Lourenco 2003). Thresholds lie half-way between
    neighbouring confidences; the best configurations' are placed among all samples, the others' at the bounds of
    bins of equal size (single samples, up to 32,768 of them).

    Records of over 131,072 samples are searched on a random 65,536 of them first, then refined on all.

    A line, one candidate priced at all thresholds, counts as one evaluation. The result depends on the seed, not on
    the number of threads; with `max_seconds` it depends on the machine's speed.

    Args:
        run: the search.
        lambdas: minimise J at these weights of accuracy, in [0, 1], instead of at the largest gaps.
        effort: "fast", "default" or "high": how many descents and kicks.
        max_accuracy_drop: seek the cheapest configuration within this drop below the final exit alone, absolute.
        max_relative_cost: seek the most accurate configuration up to this cost, relative to the final exit alone.

    Raises:
        SolverError: an unknown effort, lambdas outside [0, 1], limits that are not numbers.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), effort="fast")
        >>> round(front.select(max_accuracy_drop=0.01).relative_cost, 2)
        0.16
    """
    if effort not in PLANS:
        raise SolverError(f"effort must be one of {', '.join(PLANS)}, got {effort!r}")
    for name, limit in (("max_accuracy_drop", max_accuracy_drop), ("max_relative_cost", max_relative_cost)):
        if limit is not None and not np.isfinite(limit):
            raise SolverError(f"{name} must be a finite number, got {limit!r}")
    plan = PLANS[effort]
    weights = None if lambdas is None else check_lambdas(lambdas)
    problem = Problem(run.records, plan.bins)
    sampled = problem.n > LARGE
    first = problem.sample(np.sort(run.rng.permutation(problem.n)[:SAMPLE])) if sampled else problem
    stages = [Search(run, first, plan)]
    try:
        stages[0].sweep_trade_off(weights)
        if sampled:
            stages.append(Search(run, problem, plan))
            stages[1].refine(stages[0])
            del stages[0]
        if max_accuracy_drop is not None or max_relative_cost is not None:
            stages[-1].focus(max_accuracy_drop, max_relative_cost)
    finally:  # also when the budget is spent or the user interrupts
        for stage in stages:
            stage.hand_in()


class Search:
    """Tasks done so far on one problem, and the archive that they filled."""

    def __init__(self, run: Run, problem: Problem, plan: Plan) -> None:
        """Starts with an empty archive."""
        self.run, self.problem, self.plan = run, problem, plan
        self.kicks = min(plan.kicks, (plan.samples / problem.n) ** 2)
        self.sweeps = MOST_SWEEPS
        self.planned = round(plan.tasks * min(max(FEW / problem.n, 1.0), 2.0))
        self.tasks: list[Task] = []
        self.points: set[tuple[float, float]] = set()  # (cost, score) of the best that each task found
        self.tries: Counter[tuple[float, float]] = Counter()  # by the gap's two costs
        self.archive = Archive(len(problem.first) - 1, problem.low, problem.high)

    def sweep_trade_off(self, weights: Sequence[float] | None) -> None:
        """The whole front: at the given lambdas, or at a few and then wherever the largest gaps are."""
        fixed = FIRST_LAMBDAS if weights is None else weights
        spare = 0 if weights is None or not self.plan.kicks else self.planned // len(weights)
        rounds: list[list[Task]] = []
        for start in range(0, len(fixed), ROUND):
            objectives = [self.problem.at_lambda(weight) for weight in fixed[start : start + ROUND]]
            rounds.append([Task(objective=objective, cold=True, kicks=spare) for objective in objectives])
        more = 0 if weights is not None else -(-(self.planned - len(fixed)) // ROUND)
        for number in self.run.bar(range(len(rounds) + more), "coordinate_descent"):
            tasks = rounds[number] if number < len(rounds) else self.gaps()
            if not tasks:
                break
            self.solve(tasks)
            if weights is None and not number:
                self.drop_useless()

    def refine(self, sampled: "Search") -> None:
        """The tasks of a search on some samples, from where they ended, in few sweeps."""
        self.kicks, self.sweeps = 0.0, REFINING_SWEEPS[0]
        share = sampled.problem.n / self.problem.n
        ratio = self.problem.unit / sampled.problem.unit / share  # of sums of costs
        tasks: list[Task] = []
        starts: list[Start] = []
        for task in sampled.tasks:
            gain, price, curb, goal = task.objective
            tasks.append(Task(objective=Objective(gain * share, price / ratio, curb / ratio**2, goal * ratio)))
            best = int(task.objective(sampled.archive).argmin())
            starts.append((sampled.archive.exits[best], sampled.archive.cuts[best]))
        bounds = [0, *range(len(FIRST_LAMBDAS), len(tasks), ROUND), len(tasks)]
        for a, b in self.run.bar(list(pairwise(bounds)), "refining on all samples"):
            self.solve(tasks[a:b], starts[a:b])
            if not a:
                self.drop_useless()
                self.sweeps = REFINING_SWEEPS[1]

    def drop_useless(self) -> None:
        """Spreads the archive's buckets up to the most accurate configuration: nothing dearer is of use."""
        top = self.archive.cost[int(self.archive.score.argmax())]
        self.archive = self.archive.ranged(self.problem.low, 1.02 * float(top))

    def focus(self, max_accuracy_drop: float | None, max_relative_cost: float | None) -> None:
        """More tasks around the point that `ParetoFront.select` would return; a limit on accuracy goes first."""
        n, baseline = self.problem.n, self.run.records.baseline_accuracy
        for _ in range(self.plan.focus):
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
            around = np.flatnonzero(np.abs(cost - cost[at]) <= WINDOW * cost[at])
            width = float(max(cost[around[-1]] - cost[around[0]], 1))
            height = float(score[around[-1]] - score[around[0]])
            if height <= 0:
                return
            tasks = [self.at_goal((1 - step) * float(cost[at]), width, height) for step in STEPS_IN]
            self.solve([replace(task, kicks=FOCUS_KICKS) for task in tasks])

    def gaps(self) -> list[Task]:
        """Tasks in the middle of the largest gaps between the best points of the tasks done so far.

        A gap counts by its share of all gaps' area, and by that of their area in logarithms of cost and of the drop
        below the best accuracy, so that the accurate end is not neglected. A gap in which nothing was found counts
        less, and is tried again elsewhere in it, after a kick.
        """
        cheapest = int(np.argmin(self.run.records.costs.alone))
        corner = (float(self.problem.low), float(self.run.records.exit_accuracy[cheapest] * self.problem.n))
        cost, score = np.array(sorted(self.points | {corner})).T
        width, height = np.diff(cost), np.diff(score)
        floor = 1e-3 * float(self.problem.backbone[-1]) * self.problem.n
        drop = np.maximum(score.max() - score, 0) + NEAR_TOP * max(score.max(), 1.0)
        area = np.where(height > 0, width * height, 0.0)
        log_area = np.where(height > 0, np.diff(np.log(cost + floor)) * -np.diff(np.log(drop)), 0.0)
        if not area.any():
            return []
        tries = np.array([self.tries[gap] for gap in pairwise(cost)])
        weight = (BY_AREA * area / area.sum() + log_area / max(log_area.sum(), 1e-300)) / (1 + tries) ** 2
        tasks = []
        for k in np.argsort(-weight, kind="stable")[:ROUND]:
            if area[k] > 0:
                self.tries[(cost[k], cost[k + 1])] += 1
                share = 0.5 if tries[k] == 0 else self.run.rng.uniform(0.2, 0.8)
                task = self.at_goal(cost[k] + share * width[k], width[k], height[k])
                tasks.append(replace(task, kicks=int(tries[k] > 0), cold=len(self.tasks) < COLD_TASKS))
        return tasks

    def at_goal(self, goal: float, width: float, height: float) -> Task:
        """A task at one cost, where the front rises by `height` over `width`."""
        gain = self.problem.at_lambda(0.5).gain
        curb = CURB * gain * height / (width / 2) ** 2
        return Task(objective=Objective(gain, gain * height / width, curb, goal))

    def solve(self, tasks: list[Task], starts: Sequence[Start | None] | None = None) -> None:
        """Does tasks side by side, each on a copy of the archive, then joins what they found in a fixed order.

        Raises:
            StopSearch: the budget is spent.
        """
        self.run.spend(0)
        allowed = self.run.evaluations_left / len(tasks)
        if allowed < np.diff(self.problem.first).max():
            raise StopSearch
        numbers = range(len(self.tasks), len(self.tasks) + len(tasks))
        done = side_by_side(partial(self.descend, max_lines=allowed), tasks, numbers, starts or [None] * len(tasks))
        self.tasks += tasks
        for archive, lines in done:
            self.archive.take(archive)
            self.run.evaluations += lines
        for task in tasks:
            best = int(task.objective(self.archive).argmin())
            if np.isfinite(self.archive.score[best]):  # else the budget did not reach a single line
                self.points.add((float(self.archive.cost[best]), float(self.archive.score[best])))

    def descend(self, task: Task, number: int, start: Start | None, max_lines: float) -> tuple[Archive, int]:
        """Does one task: from "no exits", from the archive's best or from `start`, then the kicks."""
        rng = np.random.default_rng([self.run.seed, number])
        archive = self.archive.copy()
        n_positions = len(self.problem.first) - 1
        starts: list[Start] = [] if start is None else [start]
        if task.cold:
            starts.append((np.full(n_positions, -1, np.int16), np.zeros(n_positions, np.uint16)))
        if start is None and np.isfinite(archive.score).any():
            best = int(task.objective(archive).argmin())
            starts.append((archive.exits[best].copy(), archive.cuts[best].copy()))
        value, lines = np.inf, 0
        exits, cuts = starts[0]
        # with 0.5 kicks a task, every other task has one
        kicks = task.kicks + int((number + 1) * self.kicks) - int(number * self.kicks)
        for k in range(len(starts) + kicks):
            if k < len(starts):
                new_exits, new_cuts = starts[k][0].astype(np.int32), starts[k][1].astype(np.int32)
            else:
                new_exits, new_cuts = self.kick(exits, cuts, rng)
            found, used = self.problem.descend(
                task.objective, new_exits, new_cuts, archive, self.sweeps, max_lines - lines
            )
            lines += used
            if found < value:
                value, exits, cuts = found, new_exits, new_cuts
            if self.run.seconds_left < 0:
                break
        return archive, lines

    def kick(self, exits: Any, cuts: Any, rng: np.random.Generator) -> tuple[Exits, Cuts]:
        """Switches off some exits of a configuration, and sets some others at random."""
        n_positions = len(exits)
        new_exits = np.where(rng.random(n_positions) < SWITCHED_OFF, -1, exits).astype(np.int32)
        new_cuts = cuts.astype(np.int32)
        some = rng.random(n_positions) < min(SET_ANEW / n_positions, MOST_SET_ANEW)
        first = self.problem.first
        new_exits[some] = rng.integers(first[:-1], first[1:])[some]
        new_cuts[some] = rng.integers(0, self.problem.edges.shape[1], n_positions)[some]
        return new_exits, new_cuts

    def hand_in(self) -> None:
        """Proposes the archive's front, and the best configuration of every task with its thresholds polished."""
        front = self.archive.front()
        exits = self.archive.exits[front].astype(np.int32)
        self.run.propose(exits, self.problem.thresholds(exits, self.archive.cuts[front]))
        exact = self.problem.n == self.problem.edges.shape[1]  # the bins are the samples
        if exact or self.problem.n < self.run.records.n_samples or not len(front):
            return
        best = {int(task.objective(self.archive).argmin()): task.objective for task in self.tasks}
        exits = self.archive.exits[list(best)].astype(np.int32)
        cuts = self.archive.cuts[list(best)].astype(np.int32)
        self.run.propose(exits, np.stack(side_by_side(self.problem.polish, best.values(), exits, cuts)))


def side_by_side(function: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
    """`map` on as many threads as Numba uses, results in order; an interrupt waits only for what runs already."""
    pool = ThreadPoolExecutor(numba.get_num_threads())
    try:
        return list(pool.map(function, *arguments))
    finally:
        pool.shutdown(cancel_futures=True)
