"""Goals along the front of an archive, and the objectives that seek points there."""

from collections.abc import Sequence

import numpy as np

from dyce_search.solvers.descent.archive import Archive
from dyce_search.solvers.descent.objective import Objective

GOLDEN = (5**0.5 - 1) / 2  # its multiples, less their whole parts, fill [0, 1) evenly, however many there are
NEAR_TOP = 0.005  # drops so small are as interesting as twice as large ones (0.001: -0.0 / +0.0, 0.05: -0.1 / -1.7)
NEIGHBOURS = 0.05  # of the points, each side, over which a slope is taken (0.01: -0.2 / +1.7, 0.2: -0.4 / -1.7)
STEPS_IN = (0.0, 0.0025, 0.005, 0.01)  # relative costs below a point asked for, where it is sought (0 alone: it costs
# 0.01 % more, 0 four times: 0.03 % less)
WINDOW = 0.1  # relative costs around it, over which the slope is taken (0.02: it costs 0.04 % less, 0.5: 0.36 % more)


class Goals:
    """Objectives at places along a front, each batch between those before."""

    def __init__(self, gain: float) -> None:
        """Starts with the first place; `gain` is that of one unit of score."""
        self.gain = gain
        self._n_places = 0

    def next(self, archive: Archive, count: int) -> list[Objective]:
        """The next so many objectives; none while the front has fewer than two points."""
        return self._along(archive, self._next_places(count))

    def next_and_best(self, archive: Archive, count: int) -> list[Objective]:
        """The same, with the front's most accurate point as the first."""
        return self._along(archive, [1.0, *self._next_places(count - 1)])

    def _next_places(self, count: int) -> list[float]:
        self._n_places += count
        return [number * GOLDEN % 1 for number in range(self._n_places - count + 1, self._n_places + 1)]

    def _along(self, archive: Archive, places: Sequence[float]) -> list[Objective]:
        """Objectives at places in [0, 1]: 0 is the front's cheapest point, 1 its most accurate one.

        Half-way between even steps by points (alone: +0.1 / -1.7) and even steps in the logarithm of the drop below
        the best accuracy (alone: -0.1 / 0.0).
        """
        front = archive.front()
        if len(front) < 2:
            return []
        cost, score = archive.cost[front].astype(np.float64), archive.score[front]
        drop = np.log(score.max() - score + NEAR_TOP * max(score.max(), 1.0))
        by_drop = (drop[0] - drop) / (drop[0] - drop[-1])
        place = (np.linspace(0, 1, len(front)) + by_drop) / 2
        reach = max(int(NEIGHBOURS * len(front)), 1)
        goals = []
        for at in np.minimum(np.searchsorted(place, list(places)), len(front) - 1):
            low, high = max(at - reach, 0), min(at + reach, len(front) - 1)
            goals.append(self._at(cost[at], cost[high] - cost[low], score[high] - score[low]))
        return goals

    def below(self, archive: Archive, bucket: int) -> list[Objective]:
        """Objectives at a point of the front and a little below its cost; none where the front is level around it."""
        front = archive.front()
        cost, score, goal = archive.cost[front], archive.score[front], archive.cost[bucket]
        around = np.flatnonzero(np.abs(cost - goal) <= WINDOW * goal)
        width = float(max(cost[around[-1]] - cost[around[0]], 1))
        height = float(score[around[-1]] - score[around[0]])
        if height <= 0:
            return []
        return [self._at((1 - step) * float(goal), width, height) for step in STEPS_IN]

    def _at(self, goal: float, width: float, height: float) -> Objective:
        """J at the front's slope at one cost, where it rises by `height` over `width`, with a curb.

        The curb is worth `height / 2` at half the width from the goal, so that points on dents of the front are
        minima too (none: -0.3 / -1.8, a fifth: -0.1 / -1.8, four times as much: -0.2 / +0.1).
        """
        return Objective(self.gain, self.gain * height / width, 2 * self.gain * height / width**2, goal)
