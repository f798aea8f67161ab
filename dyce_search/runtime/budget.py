"""Holds the mean cost at a budget while the inputs change."""

import math
import threading

import numpy as np

from dyce_search.arguments import require_type, whole
from dyce_search.errors import FrontError, ModelError
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.evaluation.outcomes import prices
from dyce_search.runtime.forward_pass import EarlyExitOutput
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.wording import line, number


class BudgetController:
    """Moves a model along its front so that the mean cost of what it answers is a budget.

    A point's cost was measured on the samples of the front. On harder ones fewer leave early, and it costs more. So
    this is an integral controller: after each batch the setpoint, the cost that is asked of the front, moves by
    (budget - measured cost) / window for each sample. The sum of all that was spent too much is thereby bounded: over
    n samples the mean differs from the budget by at most window / n times the width of the front, as long as the
    front reaches the budget on these inputs.

    Args:
        model: with a front loaded; the controller configures it.
        relative_cost: the budget, mean cost relative to the final exit alone; the front must reach it.
        window: number of samples over which a deviation is made up. Short follows quickly, long switches seldom.

    Raises:
        FrontError: the model has no front.
        InfeasibleError: no point of the front is that cheap.
        ModelError: a window below 1.

    Example:
        >>> import torch, dyce_search as ds
        >>> from dyce_search.runtime import count_macs
        >>> layers = torch.nn.Linear(4, 8), torch.nn.Linear(8, 64), torch.nn.Linear(64, 3)
        >>> model = EarlyExitModel(layers, heads={"0": {"linear": torch.nn.Linear(8, 3)}}).eval()
        >>> logits, costs = model.all_logits(torch.randn(50, 4)), count_macs(model, torch.randn(1, 4))
        >>> model.load_front(ds.search(ds.ExitRecords.from_logits(logits, [0, 1] * 25, costs=costs)))
        >>> controller = BudgetController(model, relative_cost=0.7)
        >>> point = controller.update(model(torch.randn(8, 4)))  # after each batch
        >>> model.config == point.config
        True
    """

    def __init__(self, model: EarlyExitModel, *, relative_cost: float, window: int = 1000) -> None:
        """See the class."""
        require_type(model, EarlyExitModel, "model", ModelError)
        if model.front is None:
            raise FrontError("the controller chooses from a front, the model has none: call load_front first")
        whole(window, "window", ModelError, least=1)
        self.model, self.front, self.window = model, model.front, window
        self.relative_cost = relative_cost
        self._lock = threading.Lock()
        self._setpoint = float(model.set_budget(relative_cost=relative_cost).relative_cost)
        self._measured, self._weight = 0.0, 0.0

    def __repr__(self) -> str:
        """One line: the budget, and how long it is looked back."""
        return line("BudgetController", f"relative cost {number(self.relative_cost)}", f"window {self.window:,}")

    @property
    def measured(self) -> float:
        """Mean relative cost of a sample, of late: an average whose weights fall by 1/e in a window; NaN at first."""
        return self._measured / self._weight if self._weight else math.nan

    def update(self, output: EarlyExitOutput) -> OperatingPoint:
        """Takes note of what a batch has cost, by the configuration it went through, and switches the model.

        Args:
            output: of the model, for the batch.

        Returns:
            The point that is in force now.

        Raises:
            ModelError: it is something else, or of another network.
        """
        require_type(output, EarlyExitOutput, "output", ModelError)
        costs = self.front.costs
        if output.config is None:
            exits = np.full((1, costs.n_positions), -1, np.int32)
        else:
            exits = output.config.exits(self.front.layout.network)[None]
        paid = prices(costs, exits)[0][output.position.cpu().numpy()].mean() / costs.baseline
        samples = len(output.position)
        with self._lock:
            keep = math.exp(-samples / self.window)
            self._measured, self._weight = (
                keep * self._measured + (1 - keep) * paid,
                keep * self._weight + 1 - keep,
            )
            relative = self.front.relative_cost
            step = (self.relative_cost - paid) * samples / self.window
            self._setpoint = float(np.clip(self._setpoint + step, relative[0], relative[-1]))
            point = self.front[int(np.searchsorted(relative, self._setpoint, side="right")) - 1]
            self.model.configure(point)
        return point
