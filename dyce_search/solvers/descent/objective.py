"""What a descent minimises."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.solvers.descent.archive import Archive


class Objective(NamedTuple):
    """J = price * cost - gain * score + curb * (cost - goal)^2, of sums over the samples; lower is better.

    Attributes:
        gain: of one unit of score.
        price: of one unit of cost.
        curb: on the distance from the goal.
        goal: a sum of costs.
    """

    gain: float
    price: float
    curb: float = 0.0
    goal: float = 0.0

    def __call__(self, archive: Archive) -> npt.NDArray[np.float64]:
        """J (K,) of every bucket of an archive, infinite where it is empty."""
        with np.errstate(invalid="ignore"):  # no gain of an empty bucket
            value = self.price * archive.cost - self.gain * archive.score + self.curb * (archive.cost - self.goal) ** 2
        return np.where(archive.score > -np.inf, value, np.inf)

    def best(self, archive: Archive) -> int:
        """The bucket with the lowest J."""
        return int(self(archive).argmin())
