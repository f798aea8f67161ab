"""Exact coordinate descent, the default solver: a dense, near-optimal front in about the time of sorting the data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from dyce_search.errors import SolverError
from dyce_search.solvers.descent.archive import Archive, Choice
from dyce_search.solvers.descent.objective import Objective
from dyce_search.solvers.descent.problem import Problem
from dyce_search.solvers.run import Run
from dyce_search.solvers.trade_off import check_lambdas
from dyce_search.threads import side_by_side

FIRST_LAMBDAS = (0.5, 0.8, 0.95, 0.9999)  # enough to see the front's range; the last wants accuracy at any price
ROUND = 8  # tasks side by side; fixed, so that the number of threads changes nothing
GOALS = 4  # of a task, one after the other: handing over a single sweep would cost as much as the sweep
GOLDEN = (5**0.5 - 1) / 2
BY_DROP = 0.5  # goals: weight of even steps in the logarithm of the drop below the best accuracy; the rest is by points
NEAR_TOP = 0.005  # drops of this size below the best accuracy are as interesting as twice as large ones
NEIGHBOURS = 0.05  # of the front's points to each side of a goal, over which its slope is taken
CURB = 0.5  # of a goal as far away as the neighbours are, in units of what the front rises to there
COLD_SWEEPS = 5  # of a descent from "no exits", at most
KICK_SWEEPS = 3  # after a kick
MOST_SWEEPS = 30  # of any other descent: until nothing helps
SWITCHED_OFF = 0.5  # most of the exits that a kick switches off, as a share; each draws its own
SET_ANEW = 1.0  # positions that it sets at random, on average, but
MOST_SET_ANEW = 0.1  # not more than this share of them
MANY_EXITS = 40  # below which fewer kicks will do
FEW = 10_000  # samples below which a sweep costs so little that there may be more of them
VERY_FEW = 2_000  # samples below which every descent goes on until nothing helps
BUCKETS = 2048  # of the archive, along the cost axis: the most points that a front can have
FEW_BUCKETS = 4096  # where measuring them all costs little
ROOM = 1.1  # of the archive above the cost of the most accurate configuration that the first descents found
POLISHED = 64  # points of the front whose thresholds are placed in the true order, above 32,768 samples
LARGE = 1 << 17  # samples from which the search is done on SAMPLE of them, then refined on all
SAMPLE = 1 << 16
REFINED = 40  # points of the front of some samples that are refined on all
FIRST_REFINING_SWEEPS = 3  # of the first round of them, while the archive is empty
STEPS_IN = (0.0, 0.0025, 0.005, 0.01)  # relative costs below the point asked for, at which it is sought
FOCUS_KICKS = 2  # of each task there
WINDOW = 0.1  # relative costs around that point, over which the front's slope is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much work an effort means.

    Attributes:
        cold: descents from "no exits".
        passes: single sweeps from points of the front; up to twice as many on fewer than FEW samples.
        kicks: most of the passes that come on top, after a kick; proportionally fewer on fewer than MANY_EXITS exits.
        samples: kicks = passes * (samples / number of samples)^6, up to `kicks`: they cost little on few samples.
        focus: rounds around the point that the user asks for.
        bins: thresholds that a line prices first, about; then all around the best one.
    """

    cold: int
    passes: int
    kicks: int
    samples: float
    focus: int
    bins: int


PLANS = {
    "fast": Plan(cold=12, passes=16, kicks=0, samples=0, focus=2, bins=512),
    "default": Plan(cold=20, passes=208, kicks=2_000, samples=8_000, focus=4, bins=512),
    "high": Plan(cold=40, passes=400, kicks=20_000, samples=29_000, focus=16, bins=4096),
}


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

    Records of over 131,072 samples are searched on a random 65,536 of them first, then refined on all.

    A line, one candidate priced at all thresholds, counts as one evaluation. The result depends on the seed, not on
    the number of threads; with `max_seconds` it depends on the machine's speed.

    Args:
        run: the search.
        lambdas: minimise J at these weights of accuracy, in [0, 1], instead of at goals along the front.
        effort: "fast", "default" or "high": how many descents and kicks.
        max_accuracy_drop: seek the cheapest configuration within this drop below the final exit alone, absolute.
        max_relative_cost: seek the most accurate configuration up to this cost, relative to the final exit alone.

    Raises:
        SolverError: an unknown effort, lambdas outside [0, 1], limits that are not numbers.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), effort="fast")
        >>> round(front.select(max_accuracy_drop=0.01).relative_cost, 2)
        0.15
    """
    if effort not in PLANS:
        raise SolverError(f"effort must be one of {', '.join(PLANS)}, got {effort!r}")
    for name, limit in (("max_accuracy_drop", max_accuracy_drop), ("max_relative_cost", max_relative_cost)):
        if limit is not None and not np.isfinite(limit):
            raise SolverError(f"{name} must be a finite number, got {limit!r}")
    plan = PLANS[effort]
    weights = None if lambdas is None else check_lambdas(lambdas)
    problem = Problem.of(run.records, plan.bins)
    sampled = problem.n > LARGE
    first = problem.sample(np.sort(run.rng.permutation(problem.n)[:SAMPLE])) if sampled else problem
    stages = [Search(run, first, plan)]
    try:
        stages[0].sweep_trade_off(weights)
        if sampled:
            stages.append(Search(run, problem, plan))
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

    def __init__(self, run: Run, problem: Problem, plan: Plan) -> None:
        """Starts with an empty archive."""
        self.run, self.problem, self.plan = run, problem, plan
        self.n_tasks = 0
        self.n_places = 0
        buckets = FEW_BUCKETS if problem.n < FEW else BUCKETS
        self.archive = Archive.empty(buckets, problem.n_positions, problem.low, problem.high)

    def sweep_trade_off(self, weights: Sequence[float] | None) -> None:
        """The whole front: at the given lambdas, or at a few and then at goals all along the front."""
        plan, n = self.plan, self.problem.n
        few_exits = min(1.0, len(self.problem.coded.codes) / MANY_EXITS)
        kicks = round(min(plan.kicks * few_exits, plan.passes * (plan.samples / n) ** 6))
        passes = round(plan.passes * min(max(FEW / n, 1.0), 2.0))
        if weights is None:
            weights, sweeps, spare = FIRST_LAMBDAS, COLD_SWEEPS, 0
            colder = -(-(plan.cold - len(weights)) // ROUND)
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
                self.solve([self.cold(goal) for goal in self.along_front(self.next_places(ROUND))])
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
        goals = self.along_front(self.next_places(ROUND * GOALS))
        tasks = []
        for k in range(ROUND if goals else 0):
            kicked = int((self.n_tasks + k + 1) * share) > int((self.n_tasks + k) * share)
            tasks.append(Task(objectives=goals[k::ROUND], sweeps=KICK_SWEEPS if kicked else 1, kicked=kicked))
        return tasks

    def next_places(self, count: int) -> list[float]:
        """Where along the front the next goals are, in [0, 1): multiples of the golden ratio fill it evenly."""
        self.n_places += count
        return [number * GOLDEN % 1 for number in range(self.n_places - count + 1, self.n_places + 1)]

    def along_front(self, places: Iterable[float]) -> list[Objective]:
        """Objectives at goals along the front: 0 is its cheapest point, 1 its most accurate one."""
        front = self.archive.front()
        if len(front) < 2:
            return []
        cost, score = self.archive.cost[front].astype(np.float64), self.archive.score[front]
        drop = np.log(score.max() - score + NEAR_TOP * max(score.max(), 1.0))
        by_drop = (drop[0] - drop) / (drop[0] - drop[-1])
        place = (1 - BY_DROP) * np.linspace(0, 1, len(front)) + BY_DROP * by_drop
        reach = max(int(NEIGHBOURS * len(front)), 1)
        goals = []
        for at in np.minimum(np.searchsorted(place, list(places)), len(front) - 1):
            low, high = max(at - reach, 0), min(at + reach, len(front) - 1)
            goals.append(self.at_goal(cost[at], cost[high] - cost[low], score[high] - score[low]))
        return goals

    def at_goal(self, goal: float, width: float, height: float) -> Objective:
        """An objective at one cost, where the front rises by `height` over `width`."""
        gain = self.problem.at_lambda(0.5).gain
        return Objective(gain, gain * height / width, CURB * gain * height / (width / 2) ** 2, goal)

    def refine(self, sampled: "Search") -> None:
        """Points all along the front of a search on some samples, in few sweeps on all of them."""
        share = sampled.problem.n / self.problem.n
        ratio = self.problem.unit / sampled.problem.unit / share  # of sums of costs
        tasks = []
        for objective in sampled.along_front([1.0, *sampled.next_places(REFINED - 1)]):
            gain, price, curb, goal = objective
            start = sampled.archive.choice(objective.best(sampled.archive))
            objective = Objective(gain * share, price / ratio, curb / ratio**2, goal * ratio)
            tasks.append(Task(objectives=[objective], start=start))
        tasks[:ROUND] = [replace(task, sweeps=FIRST_REFINING_SWEEPS) for task in tasks[:ROUND]]
        for number in self.run.bar(range(0, len(tasks), ROUND), "refining on all samples"):
            self.solve(tasks[number : number + ROUND])
            if not number:
                self.drop_useless()

    def drop_useless(self) -> None:
        """Spreads the archive's buckets up to a little above the most accurate configuration's cost.

        Hardly anything dearer can be of use. Very few samples have few costs, so that there is no need to be sparing.
        """
        if self.problem.n < VERY_FEW:
            return
        top = self.archive.cost[int(self.archive.score.argmax())]
        self.archive = self.archive.ranged(self.problem.low, ROOM * float(top))

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
            goals = [self.at_goal((1 - step) * float(cost[at]), width, height) for step in STEPS_IN]
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
                self.kick(choice, rng)
            lines += self.problem.descend(objective, choice, archive, sweeps, max_lines - lines)[1]
            if self.run.seconds_left < 0:
                break
        return archive, lines

    def kick(self, choice: Choice, rng: np.random.Generator) -> None:
        """Switches off some exits of a choice, and sets some others at random, in place."""
        exits, cuts = choice
        n_positions = len(exits)
        exits[rng.random(n_positions) < rng.uniform(0, SWITCHED_OFF)] = -1
        some = rng.random(n_positions) < min(SET_ANEW / n_positions, MOST_SET_ANEW)
        first = self.problem.coded.first
        exits[some] = rng.integers(first[:-1], first[1:])[some]
        cuts[some] = rng.integers(0, self.problem.edges.shape[1], n_positions)[some]

    def hand_in(self) -> None:
        """Proposes the cheapest of all, the archive's front, and points all along it with polished thresholds."""
        self.run.propose(*self.problem.cheapest())
        front = self.archive.choice(self.archive.front())
        self.run.propose(front.exits, self.problem.thresholds(front))
        if self.problem.is_exact or self.problem.n < self.run.records.n_samples:
            return
        goals = {goal.best(self.archive): goal for goal in self.along_front([1.0, *self.next_places(POLISHED - 1)])}
        if not goals:
            return
        best = self.archive.choice(list(goals))
        choices = [Choice(*choice) for choice in zip(*best, strict=True)]
        self.run.propose(best.exits, np.stack(side_by_side(self.problem.polish, goals.values(), choices)))
