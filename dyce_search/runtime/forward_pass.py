"""One forward through a backbone, seen by the hooks at its exits.

The hooks stay at their modules for good and hold no state: what happens during a forward is kept in a pass, which
only the thread that runs it can see. So several threads may run one model, and a switch touches no module.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, cast

import torch
from torch import nn

from dyce_search.errors import ModelError
from dyce_search.evaluation.config import ExitConfig, leaves
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


Visit = Callable[[int, Any], Any]  # a position and what its module gives -> what the backbone goes on with, or None


class Reading(NamedTuple):
    """How confidences are read off logits."""

    measure: str | Measure
    temperatures: tuple[float, ...]  # (E,) of the exits, the final one last

    def __call__(self, logits: torch.Tensor, exit_index: int) -> torch.Tensor:
        """(B,) float32 confidences of an exit's logits (B, C)."""
        return confidence_of(logits, self.measure, self.temperatures[exit_index])


class Plan(NamedTuple):
    """A configuration made ready: one immutable object, so that a switch is one assignment."""

    config: ExitConfig
    exits: tuple[int, ...]  # (P,) index of the candidate that is enabled at each position, -1 for none
    thresholds: tuple[float, ...]  # (P,) float32 values
    read: Reading  # as the configuration's layout says


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exits:
    """What never changes about the exits of one model; also the token by which hooks know passes of their own model.

    Attributes:
        positions: (P,) names of the modules.
        candidates: (E-1,) position and type of each candidate, the final exit not included.
        select: takes the tensor for the heads, (B, ...), out of what a module at a position gives.
        read: how confidences are read unless a configuration says otherwise.
        compaction: whether the backbone goes on with those only that have not left.
    """

    positions: tuple[str, ...]
    candidates: tuple[tuple[int, str], ...]
    select: Callable[[Any], torch.Tensor]
    read: Reading
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

    def logits(
        self, heads: nn.ModuleList, exit_index: int, feature: torch.Tensor, classes: int | None = None
    ) -> torch.Tensor:
        """What a head gives, (rows, C).

        Raises:
            ModelError: the head does not fit the feature, or gives something else.
        """
        try:
            logits = heads[exit_index](feature)
        except (RuntimeError, ValueError, TypeError, IndexError) as cause:
            raise ModelError(
                f"head {self.name(exit_index)!r} cannot take the feature at its position, of shape "
                f"{tuple(feature.shape)}: {cause}"
            ) from cause
        return self.checked(logits, exit_index, len(feature), classes)

    def checked(self, logits: Any, exit_index: int, rows: int, classes: int | None = None) -> torch.Tensor:
        """The logits of an exit, (rows, classes), where None stands for any number of classes.

        Raises:
            ModelError: they have another shape.
        """
        is_tensor = isinstance(logits, torch.Tensor)
        if not is_tensor or logits.ndim != 2 or len(logits) != rows or classes not in (None, logits.shape[1]):
            found = tuple(logits.shape) if is_tensor else type(logits).__name__
            advice = "" if classes is None else ": all exits must have the same classes"
            raise ModelError(
                f"exit {self.name(exit_index)!r} must give logits of shape ({rows}, {classes or 'C'}), "
                f"got {found}{advice}"
            )
        return cast(torch.Tensor, logits)


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
    """Runs the backbone once, sees that it comes past every position once, in order, and has each of them visited."""

    def __init__(self, exits: Exits, visit: Visit) -> None:
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
    """Who is under way in a batch of B samples, and who left where with which answer."""

    def __init__(self, exits: Exits, heads: nn.ModuleList, plan: Plan, batch: int) -> None:
        """See the class."""
        self.exits, self.heads, self.plan, self.batch = exits, heads, plan, batch
        self.rows = torch.arange(batch)  # who is under way, (b,)
        self.left: list[tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]] = []  # position, rows, logits, confidence
        self.compacted: list[int] = []  # positions behind which the batch is smaller

    def visit(self, position: int, output: Any) -> Any:
        """Computes the enabled head, if there is one, for those under way; the confident leave."""
        exit_index = self.plan.exits[position]
        if exit_index < 0:
            return None
        feature = self.exits.feature(position, output)
        feature = self._under_way(feature, f"the feature at {self.exits.positions[position]!r}")
        logits = self.exits.logits(self.heads, exit_index, feature, self._classes())
        confidence, lowest, highest = self._judge(logits, exit_index)
        threshold = self.plan.thresholds[position]
        if not leaves(highest, threshold):
            return None
        if leaves(lowest, threshold):
            self.left.append((position, self.rows, logits, confidence))
            raise AllHaveLeftSignal
        leave = leaves(confidence, threshold)
        gone, stay = leave.nonzero().squeeze(1), leave.logical_not().nonzero().squeeze(1)
        self.left.append((position, self.rows[gone], logits[gone], confidence[gone]))
        self.rows = self.rows[stay]
        if not self.exits.compaction:
            return None
        self.compacted.append(position)
        return take_rows(output, stay, len(leave))

    def output(self, final: torch.Tensor | None) -> EarlyExitOutput:
        """Puts the answers together, in the order of the batch; `final` is the backbone's, None if all have left."""
        if final is not None:
            final = self._under_way(final, "the final exit")
            self.exits.checked(final, -1, len(final), self._classes())
            confidence, _, _ = self._judge(final, -1)
            self.left.append((len(self.exits.positions), self.rows, final, confidence))
        positions, rows, logits, confidences = zip(*self.left, strict=True)
        back = torch.cat(rows).argsort()
        return EarlyExitOutput(
            logits=torch.cat(logits)[back],
            position=torch.cat([torch.full_like(group, p) for p, group in zip(positions, rows, strict=True)])[back],
            confidence=torch.cat(confidences)[back],
            config=self.plan.config,
        )

    def compaction_error(self, what: str) -> ModelError:
        """Says that the backbone went wrong after the batch became smaller."""
        names = ", ".join(repr(self.exits.positions[position]) for position in self.compacted)
        return ModelError(
            f"the batch cannot be compacted at {names}: the backbone carries tensors of each sample around these "
            f"modules, so that {what}; build the model with compaction=False, which gives the same answers"
        )

    def _under_way(self, values: torch.Tensor, name: str) -> torch.Tensor:
        """The rows of those under way; checks that there is one for each."""
        self.rows = self.rows.to(values.device)
        expected = len(self.rows)
        if not self.exits.compaction and expected < self.batch and values.shape[:1] == (self.batch,):
            return values[self.rows]
        if values.shape[:1] == (expected,):
            return values
        found = f"shape {tuple(values.shape)}"
        if self.compacted:
            raise self.compaction_error(f"{name} has {found} for {expected} samples that are left")
        raise ModelError(f"{name} must have one row for each of the {expected} samples, got {found}: see feature=")

    def _classes(self) -> int | None:
        """C, once somebody has left."""
        return self.left[0][2].shape[1] if self.left else None

    def _judge(self, logits: torch.Tensor, exit_index: int) -> tuple[torch.Tensor, float, float]:
        """Confidences (rows,) with the lowest and the highest, if none is NaN."""
        confidence = self.plan.read(logits, exit_index)
        lowest, highest = (extreme.item() for extreme in torch.aminmax(confidence))
        if lowest != lowest:  # NaN, which wins over every number
            row = int(confidence.isnan().nonzero()[0])
            raise ModelError(
                f"logits must not be NaN or infinite, but exit {self.exits.name(exit_index)!r} gave "
                f"{logits[row, :3].tolist()}... for sample {int(self.rows[row])} of the batch: look at its input"
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
    """The final exit's logits: the output, its attribute or entry "logits", or its first tensor."""
    if isinstance(output, Mapping) and "logits" in output:
        return first_tensor(output["logits"])
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
