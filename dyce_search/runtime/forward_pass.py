"""One forward: who is under way in a batch, and who left where with which answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from dyce_search.arguments import length, require_type, several, whole
from dyce_search.errors import ModelError
from dyce_search.evaluation.config import ExitConfig, leaves
from dyce_search.runtime.backbone import final_logits
from dyce_search.runtime.hooked import Hooked, Take
from dyce_search.runtime.inputs import Call, require_data
from dyce_search.runtime.plan import Plan, Reading
from dyce_search.runtime.stages import Staged
from dyce_search.wording import one_line


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

    __repr__ = one_line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exits:
    """What never changes about the exits of one model.

    Attributes:
        positions: (P,) names of the modules.
        candidates: (E-1,) position and type of each candidate, the final exit not included.
        read: how confidences are read unless a configuration says otherwise.
    """

    positions: tuple[str, ...]
    candidates: tuple[tuple[int, str], ...]
    read: Reading

    def name(self, exit_index: int) -> str:
        """Such as "layer1.0/linear"; "final" for the final exit."""
        if exit_index in (-1, len(self.candidates)):
            return "final"
        position, kind = self.candidates[exit_index]
        return f"{self.positions[position]}/{kind}"

    def logits(
        self, head: nn.Module, exit_index: int, feature: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """What a head gives for a feature (rows, ...), and the mask of its tokens if it asks for one: (rows, C).

        Raises:
            ModelError: the head does not fit the feature, changes it, or gives something else.
        """
        version = 0 if feature.is_inference() else feature._version
        try:
            logits = head(feature) if mask is None else head(feature, mask)
        except (RuntimeError, ValueError, TypeError, IndexError) as cause:
            raise ModelError(
                f"head {self.name(exit_index)!r} cannot take the feature at its position, of shape "
                f"{tuple(feature.shape)}: {cause}"
            ) from cause
        if version != (0 if feature.is_inference() else feature._version):
            raise ModelError(
                f"head {self.name(exit_index)!r} changes its feature in place, which later layers need: build it with "
                "inplace=False"
            )
        return self.checked(logits, exit_index, len(feature))

    def checked(self, logits: Any, exit_index: int, rows: int, classes: int | None = None) -> torch.Tensor:
        """The logits of an exit, (rows, classes), where None stands for any number of classes.

        Raises:
            ModelError: they have another shape.
        """
        is_tensor = isinstance(logits, torch.Tensor)
        if not is_tensor or logits.ndim != 2 or len(logits) != rows or classes not in (None, logits.shape[1]):
            found = tuple(logits.shape) if is_tensor else type(logits).__name__
            advice = "" if classes is None else ": all exits must have the same classes"
            if is_tensor and logits.ndim == 3:
                advice = ": answers token by token have no exit of their own, pool them to one answer a sample"
            raise ModelError(
                f"exit {self.name(exit_index)!r} must give logits of shape ({rows}, {classes or 'C'}), "
                f"got {found}{advice}"
            )
        return cast(torch.Tensor, logits)

    def confidence(self, logits: Any, exit_index: Any) -> torch.Tensor:
        """The confidences (rows,) of an exit's logits (rows, C), of whatever a user gives.

        Raises:
            ModelError: no logits, or no such exit.
        """
        require_data([logits], "logits")
        e = whole(exit_index, "exit_index", ModelError, least=-1, most=len(self.candidates))
        return self.read(self.checked(logits, e, max(length(logits), 0)), e)

    def require_numbers(
        self, confidence: torch.Tensor, logits: torch.Tensor, exit_index: int, rows: torch.Tensor | None = None
    ) -> float:
        """The highest of the confidences of those rows of the batch, None being all of them.

        Raises:
            ModelError: one is NaN.
        """
        highest = (confidence if len(confidence) == 1 else confidence.max()).item()  # NaN wins over every number
        if highest != highest:
            row = int(confidence.isnan().nonzero()[0])
            raise ModelError(
                f"logits must not be NaN or infinite, but exit {self.name(exit_index)!r} gave "
                f"{logits[row, :3].tolist()}... for sample {row if rows is None else int(rows[row])} of the batch: "
                "look at its input"
            )
        return float(highest)


def require_rows(values: torch.Tensor, samples: int, name: str) -> None:
    """Checks that values have a row for each sample.

    Raises:
        ModelError: they have not.
    """
    if values.shape[:1] != (samples,):
        raise ModelError(
            f"{name} must have one row for each of the {samples} samples, got shape {tuple(values.shape)}: see feature="
        )


def mask_of(head: nn.Module, call: Call) -> torch.Tensor | None:
    """The mask (B, T) that a head pools by, out of the inputs of the backbone; None where it needs none.

    Raises:
        ModelError: the inputs lack it.
    """
    name = head.__dict__.get("mask")  # getattr is slow where there is none
    if name is None:
        return None
    mask = call.named.get(name)
    if not isinstance(mask, torch.Tensor):
        raise ModelError(
            f"a head pools by the mask {name!r}, which is not among the named inputs: pass it by that name"
        )
    return mask


class Leaving:
    """Lets the confident leave at the enabled exits of a plan, out of a batch of B samples."""

    def __init__(self, exits: Exits, heads: Any, plan: Plan, call: Call, *, compacts: bool) -> None:
        """See the class; `compacts` tells whether features come for those only that are under way."""
        self.exits, self.heads, self.plan, self.call, self.compacts = exits, heads, plan, call, compacts
        self.batch = call.samples
        self.rows: torch.Tensor | None = None  # who is under way, (b,); None for all
        self.left: list[tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]] = []  # position, rows, logits, confidence

    def visit(self, position: int, take: Take) -> torch.Tensor | None:
        """Computes the enabled head, if there is one, for those under way, and gives the rows that stay."""
        exit_index = self.plan.exits[position]
        if exit_index < 0:
            return None
        head, feature = self.heads[exit_index], take()
        if not self.compacts:
            feature = self._under_way(feature, f"the feature at {self.exits.positions[position]!r}")
        mask = mask_of(head, self.call)
        if mask is not None and self.rows is not None:
            mask = mask[self.rows]
        logits = self.exits.logits(head, exit_index, feature, mask)
        confidence, highest = self._judged(logits, exit_index)
        threshold = self.plan.thresholds[position]
        if not leaves(highest, threshold):
            return None
        leave = leaves(confidence, threshold)
        gone = leave.nonzero().squeeze(1)
        stay: torch.Tensor = leave.logical_not().nonzero().squeeze(1)
        rows = self._rows(logits)
        self.left.append((position, rows[gone], logits[gone], confidence[gone]))
        self.rows = rows[stay]
        return stay

    def output(self, final: torch.Tensor | None) -> EarlyExitOutput:
        """Puts the answers together, in the order of the batch; `final` is the backbone's, None if all have left."""
        if final is not None:
            final = final if self.compacts else self._under_way(final, "the final exit")
            self.exits.checked(final, -1, len(final))
            self.left.append((len(self.exits.positions), self._rows(final), final, self._judged(final, -1)[0]))
        positions, rows, logits, confidences = zip(*self.left, strict=True)
        back = torch.cat(rows).argsort() if len(rows) > 1 else slice(None)
        return EarlyExitOutput(
            logits=torch.cat(logits)[back],
            position=torch.cat([torch.full_like(group, p) for p, group in zip(positions, rows, strict=True)])[back],
            confidence=torch.cat(confidences)[back],
            config=self.plan.config,
        )

    def _rows(self, like: torch.Tensor) -> torch.Tensor:
        return torch.arange(self.batch, device=like.device) if self.rows is None else self.rows

    def _under_way(self, values: torch.Tensor, name: str) -> torch.Tensor:
        """The rows of those under way; checks that there is one for each."""
        require_rows(values, self.batch, name)
        return values if self.rows is None else values[self.rows]

    def _judged(self, logits: torch.Tensor, exit_index: int) -> tuple[torch.Tensor, float]:
        """Confidences (rows,) and the highest one, after a look at the number of classes.

        Raises:
            ModelError: another number of classes than of those who left before, or NaN.
        """
        if self.left:
            self.exits.checked(logits, exit_index, len(logits), self.left[0][2].shape[1])
        confidence = self.plan.read(logits, exit_index)
        return confidence, self.exits.require_numbers(confidence, logits, exit_index, self.rows)


def plain_output(exits: Exits, plan: Plan | None, output: Any, batch: int, *, may_be_nan: bool) -> EarlyExitOutput:
    """What the backbone alone answers to a batch: everybody leaves at the final exit."""
    logits = exits.checked(final_logits(output), -1, batch)
    confidence = (exits.read if plan is None else plan.read)(logits, -1)
    if not may_be_nan:
        exits.require_numbers(confidence, logits, -1)
    position = torch.full_like(confidence, len(exits.positions), dtype=torch.int64)
    config = None if plan is None else plan.config
    return EarlyExitOutput(logits=logits, position=position, confidence=confidence, config=config)


def logits_at(
    exits: Exits, heads: Sequence[nn.Module], position: int, feature: torch.Tensor, call: Call
) -> list[torch.Tensor]:
    """The logits (B, C) of all heads at a position."""
    there = [e for e, (p, _) in enumerate(exits.candidates) if p == position]
    return [exits.logits(heads[e], e, feature, mask_of(heads[e], call)) for e in there]


def logits_of(exits: Exits, heads: Sequence[nn.Module], features: Any, call: Any) -> list[torch.Tensor]:
    """The logits of all heads, E-1 tensors (B, C), of a feature for each position.

    Raises:
        ModelError: something else than features and arguments, or a head that does not fit.
    """
    given = several(features, torch.Tensor, "features", ModelError)
    require_type(call, Call, "call", ModelError)
    if len(given) != len(exits.positions):
        raise ModelError(f"features must be one for each of {len(exits.positions)} positions, got {len(given)}")
    found = (logits_at(exits, heads, p, feature, call) for p, feature in enumerate(given))
    return [values for some in found for values in some]


def all_logits(exits: Exits, heads: Sequence[nn.Module], runner: Staged | Hooked, call: Call) -> torch.Tensor:
    """The logits of all exits, (E, B, C)."""
    logits: list[torch.Tensor] = []

    def visit(position: int, take: Take) -> None:
        feature = take()
        require_rows(feature, call.samples, f"the feature at {exits.positions[position]!r}")
        feature = feature if runner.compacts else feature.clone()  # layers that follow may work in place
        logits.extend(logits_at(exits, heads, position, feature, call))

    final = exits.checked(runner.run(visit, call), -1, call.samples)
    return torch.stack([*(exits.checked(values, e, *final.shape) for e, values in enumerate(logits)), final])
