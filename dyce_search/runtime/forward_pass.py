"""One forward through a backbone, seen by the hooks at its exits. Imports confidence, config, errors and torch.

The hooks stay at their modules for good and hold no state: what happens during a forward is kept in a pass, which
only the thread that runs it can see. So several threads may run one model, and a switch touches no module.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import nn

from dyce_search.config import ExitConfig, leaves
from dyce_search.errors import ModelError
from dyce_search.runtime.confidence import Measure, confidence_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EarlyExitOutput:
    """What the model answers to a batch of B samples.

    Attributes:
        logits: (B, C) of the exit where each sample left.
        position: (B,) int64, where that was: P for the final exit.
        confidence: (B,) float32, in [0, 1] for the measures that have a name.
        config: the configuration that the whole batch went through; None for the plain backbone.
    """

    logits: torch.Tensor
    position: torch.Tensor
    confidence: torch.Tensor
    config: ExitConfig | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A configuration made ready: one immutable object, so that a switch is one assignment.

    Attributes:
        config: where it comes from.
        exits: (P,) index of the candidate that is enabled at each position, -1 for none.
        thresholds: (P,) float32 values.
    """

    config: ExitConfig
    exits: tuple[int, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exits:
    """What never changes about the exits of one model; also the token by which hooks know passes of their own model.

    Attributes:
        positions: (P,) names of the modules.
        candidates: (E-1,) position and type of each candidate, the final exit not included.
        select: takes the tensor for the heads, (B, ...), out of what a module at a position gives.
        measure: of confidence.
        compaction: whether the backbone goes on with those only that have not left.
    """

    positions: tuple[str, ...]
    candidates: tuple[tuple[int, str], ...]
    select: Callable[[Any], torch.Tensor]
    measure: str | Measure
    compaction: bool

    def name(self, exit_index: int) -> str:
        """Such as "layer1.0/linear"; "final" for the final exit."""
        if exit_index in (-1, len(self.candidates)):
            return "final"
        position, kind = self.candidates[exit_index]
        return f"{self.positions[position]}/{kind}"

    def feature(self, position: int, output: Any) -> torch.Tensor:
        """What the heads of a position see.

        Raises:
            ModelError: it is no tensor.
        """
        feature = self.select(output)
        if not isinstance(feature, torch.Tensor):
            found = type(feature).__name__
            raise ModelError(f"the feature at {self.positions[position]!r} must be a tensor, got {found}: see feature=")
        return feature

    def logits(self, heads: nn.ModuleList, exit_index: int, feature: torch.Tensor) -> torch.Tensor:
        """What a head gives, (rows, C).

        Raises:
            ModelError: the head does not fit the feature.
        """
        try:
            logits: torch.Tensor = heads[exit_index](feature)
        except (RuntimeError, ValueError, TypeError, IndexError) as cause:
            raise ModelError(
                f"head {self.name(exit_index)!r} cannot take the feature at its position, of shape "
                f"{tuple(feature.shape)}: {cause}"
            ) from cause
        self.require_logits(logits, exit_index, len(feature))
        return logits

    def require_logits(self, logits: Any, exit_index: int, rows: int) -> None:
        """Raises a ModelError unless these are logits, (rows, C)."""
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        if not isinstance(shape, tuple) or len(shape) != 2 or shape[0] != rows:
            raise ModelError(f"exit {self.name(exit_index)!r} must give logits of shape ({rows}, C), got {shape}")

    def require_same_classes(self, logits: torch.Tensor, exit_index: int, others: torch.Tensor, other: int) -> None:
        """Raises a ModelError unless both have as many classes."""
        if logits.shape[1] != others.shape[1]:
            raise ModelError(
                f"all exits must have the same classes, but {self.name(exit_index)!r} has {logits.shape[1]} "
                f"and {self.name(other)!r} {others.shape[1]}: change the head"
            )


class AllHaveLeftSignal(BaseException):
    """Ends a forward. Not an Exception, so that no backbone takes it for a failure of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class ExitHook:
    """The forward hook at one position. Outside of passes of its own model it does nothing."""

    exits: Exits
    position: int

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        """Returns what the backbone is to go on with, None for the output as it is."""
        current = _current.get()
        if current is None or current.exits is not self.exits:
            return None
        return current.arrive(self.position, output)


class ForwardPass:
    """Runs the backbone once and sees that it comes past every position once, in order.

    Args:
        exits: of the model.
        visit: called at each position with its index and the module's output; returns what the backbone goes on
            with, or None for that output.
    """

    def __init__(self, exits: Exits, visit: Callable[[int, Any], Any]) -> None:
        """See the class."""
        self.exits, self.visit = exits, visit
        self.next_position = 0

    def run(self, backbone: nn.Module, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
        """What the backbone gives, or None where all have left before its end."""
        token = _current.set(self)
        try:
            output = backbone(*inputs, **options)
        except AllHaveLeftSignal:
            return None
        finally:
            _current.reset(token)
        if self.next_position < len(self.exits.positions):
            self._fail(f"{self.exits.positions[self.next_position]!r} did not run")
        return output

    def arrive(self, position: int, output: Any) -> Any:
        """Checks the order, then lets `visit` decide."""
        names = self.exits.positions
        if position < self.next_position:
            self._fail(f"{names[position]!r} ran twice, or after {names[self.next_position - 1]!r}")
        if position > self.next_position:
            self._fail(f"{names[position]!r} ran before {names[self.next_position]!r}")
        self.next_position += 1
        return self.visit(position, output)

    def _fail(self, what: str) -> NoReturn:
        raise ModelError(f"the modules in heads must run once each, in the order given, but {what}: change heads")


class Leaving:
    """Who is under way in a batch, and who left where with which answer.

    Args:
        exits: of the model.
        heads: of all candidates.
        plan: the configuration.
        batch: B, the number of samples.
    """

    def __init__(self, exits: Exits, heads: nn.ModuleList, plan: Plan, batch: int) -> None:
        """See the class."""
        self.exits, self.heads, self.plan, self.batch = exits, heads, plan, batch
        self.rows: torch.Tensor | None = None  # who is under way; None for everybody
        self.compacted: dict[int, torch.Tensor] = {}  # position -> rows that went on, where the batch became smaller
        self._left: list[tuple[torch.Tensor | None, torch.Tensor, torch.Tensor, int]] = []

    def visit(self, position: int, output: Any) -> Any:
        """Computes the enabled head, if there is one, for those under way; the confident leave."""
        exit_index = self.plan.exits[position]
        if exit_index < 0:
            return None
        feature = self._under_way(
            self.exits.feature(position, output), f"the feature at {self.exits.positions[position]!r}"
        )
        logits = self.exits.logits(self.heads, exit_index, feature)
        confidence, lowest, highest = self._judge(logits, exit_index)
        threshold = self.plan.thresholds[position]
        if not leaves(highest, threshold):
            return None
        if leaves(lowest, threshold):
            self._left.append((self.rows, logits, confidence, position))
            raise AllHaveLeftSignal
        leave = leaves(confidence, threshold)
        gone, stay = leave.nonzero().squeeze(1), leave.logical_not().nonzero().squeeze(1)
        before, self.rows = self.rows, stay if self.rows is None else self.rows[stay]
        self._left.append((gone if before is None else before[gone], logits[gone], confidence[gone], position))
        if not self.exits.compaction:
            return None
        self.compacted[position] = stay
        return take_rows(output, stay, len(leave))

    def output(self, final: torch.Tensor | None) -> EarlyExitOutput:
        """Puts the answers together, in the order of the batch; `final` is the backbone's, None if all have left."""
        if final is not None:
            final = self._under_way(final, "the final exit")
            self.exits.require_logits(final, -1, len(final))
            confidence, _, _ = self._judge(final, -1)
            self._left.append((self.rows, final, confidence, len(self.exits.positions)))
        rows, logits, confidences, positions = zip(*self._left, strict=True)
        position = [torch.full_like(part, p, dtype=torch.int64) for part, p in zip(confidences, positions, strict=True)]
        if len(rows) == 1:  # all together
            values = logits[0], position[0], confidences[0]
        else:
            back = torch.cat(rows).argsort()
            values = torch.cat(logits)[back], torch.cat(position)[back], torch.cat(confidences)[back]
        return EarlyExitOutput(logits=values[0], position=values[1], confidence=values[2], config=self.plan.config)

    def compaction_error(self, what: str) -> ModelError:
        """Says that the backbone went wrong after the batch became smaller."""
        names = ", ".join(repr(self.exits.positions[position]) for position in self.compacted)
        return ModelError(
            f"the batch cannot be compacted at {names}: the backbone carries tensors of each sample around these "
            f"modules, so that {what}; build the model with compaction=False, which gives the same answers"
        )

    def _under_way(self, values: torch.Tensor, name: str) -> torch.Tensor:
        """The rows of those under way; checks that there is one for each."""
        if self.rows is not None and not self.exits.compaction and len(values) == self.batch:
            values = values[self.rows]
        expected = self.batch if self.rows is None else len(self.rows)
        if values.ndim and len(values) == expected:
            return values
        found = f"shape {tuple(values.shape)}"
        if self.compacted:
            raise self.compaction_error(f"{name} has {found} for {expected} samples that are left")
        raise ModelError(f"{name} must have one row for each of the {expected} samples, got {found}: see feature=")

    def _judge(self, logits: torch.Tensor, exit_index: int) -> tuple[torch.Tensor, float, float]:
        """Confidences (rows,) with the lowest and the highest, if none is NaN."""
        if self._left:
            _, others, _, position = self._left[0]
            self.exits.require_same_classes(logits, exit_index, others, self.plan.exits[position])
        confidence = confidence_of(logits, self.exits.measure)
        if len(confidence) == 1:
            lowest = highest = confidence.item()
        else:
            lowest, highest = (extreme.item() for extreme in torch.aminmax(confidence))
        if lowest != lowest:  # NaN, which wins over every number
            row = int(confidence.isnan().nonzero()[0])
            sample = row if self.rows is None else int(self.rows[row])
            raise ModelError(
                f"logits must not be NaN or infinite, but exit {self.exits.name(exit_index)!r} gave "
                f"{logits[row, :3].tolist()}... for sample {sample} of the batch: look at its input"
            )
        return confidence, lowest, highest


_current: ContextVar[ForwardPass | None] = ContextVar("dyce_search_forward_pass", default=None)


def first_tensor(output: Any) -> torch.Tensor:
    """The tensor itself, or the first tensor in a tuple, a list or a mapping: the default of `feature=`.

    Raises:
        ModelError: there is none.
    """
    if isinstance(output, torch.Tensor):
        return output
    values = output.values() if isinstance(output, Mapping) else output if isinstance(output, (tuple, list)) else ()
    for value in values:
        if isinstance(value, torch.Tensor):
            return value
    raise ModelError(f"expected a tensor, or a tuple or mapping with one, got {type(output).__name__}: see feature=")


def final_logits(output: Any) -> torch.Tensor:
    """The final exit's logits: the output, its attribute "logits", or its first tensor."""
    return first_tensor(getattr(output, "logits", output))


def take_rows(value: Any, rows: torch.Tensor, batch: int) -> Any:
    """Those rows of every tensor that has `batch` of them, inside tuples, lists and dicts; all else as it is."""
    if isinstance(value, torch.Tensor):
        if not value.ndim or len(value) != batch:
            return value
        # index_select is the faster one, but would turn channels_last into another layout, slowly
        return value.index_select(0, rows) if value.is_contiguous() else value[rows]
    if isinstance(value, dict):
        return type(value)((key, take_rows(entry, rows, batch)) for key, entry in value.items())
    if isinstance(value, (tuple, list)):
        taken = [take_rows(entry, rows, batch) for entry in value]
        return type(value)(*taken) if hasattr(value, "_fields") else type(value)(taken)
    return value
