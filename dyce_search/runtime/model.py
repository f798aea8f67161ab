"""A backbone with exits attached, whose configuration is switched at run time."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from dyce_search.errors import ConfigError, FrontError, ModelError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.front.front import ParetoFront
from dyce_search.records.confidence import measure_name
from dyce_search.records.costs import ExitCosts
from dyce_search.records.layout import ExitLayout, checked_temperature
from dyce_search.runtime.backbone import as_module, batch_size, find_modules
from dyce_search.runtime.confidence import MEASURES, Measure, find_measure
from dyce_search.runtime.forward_pass import (
    AllHaveLeftSignal,
    EarlyExitOutput,
    ExitHook,
    Exits,
    ForwardPass,
    Leaving,
    Plan,
    Reading,
    Visit,
    final_logits,
    first_tensor,
    take_rows,
)


class EarlyExitModel(nn.Module):
    """A network that answers early where it is sure enough, by the configuration in force.

    Forward hooks at the named modules compute the enabled heads. Samples that are confident leave, the backbone goes
    on with the others only, and ends when nobody is left. The backbone is not rewritten; without a configuration it
    runs as it is. The first batches run up to three times, to verify that compaction is sound. Several threads may
    run one model, and any thread may switch it: a forward ends with the configuration that it began with.
    (`nn.DataParallel`, which runs copies in other threads, is not supported.)

    Args:
        backbone: any module whose output is the final exit's logits (B, C), or a list of stages. Tensors among its
            arguments have the samples on the first axis.
        heads: names of submodules in the order in which they run, each with one or more heads: type -> module.
        feature: takes the tensor for the heads out of the output of a named module; without it, the output
            itself or its first tensor.
        compaction: whether later layers see only the samples that go on. Where the backbone carries tensors of each
            sample around the named modules, this fails with a `ModelError`: then `compaction=False` gives the same
            answers, computes the backbone for the whole batch, and ends when all have left.
        confidence: "max_prob", "margin" or "entropy", or a callable that turns (B, C) float32 probabilities into (B,)
            confidences. What `record` measures, and what is measured where a configuration does not say what its
            thresholds are compared with.
        temperature: > 0, by which the logits are divided first; one number, or (E,), one for each exit, the final one
            last (`fit_temperatures`). As `confidence`, it gives way to what a configuration says.

    Raises:
        ModelError: an unknown or repeated module, a position without heads, an unknown measure, bad temperatures.

    Example:
        >>> backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> model = EarlyExitModel(backbone, heads={"1": {"linear": nn.Linear(8, 3)}}).eval()
        >>> model.configure(ExitConfig(candidate=[0], threshold=[-np.inf]))
        >>> model(torch.zeros(2, 4)).position.tolist()
        [0, 0]
    """

    def __init__(
        self,
        backbone: nn.Module | Sequence[nn.Module],
        heads: Mapping[str, Mapping[str, nn.Module]],
        *,
        feature: Callable[[Any], torch.Tensor] | None = None,
        compaction: bool = True,
        confidence: str | Measure = "max_prob",
        temperature: npt.ArrayLike | None = None,
    ) -> None:
        """See the class."""
        super().__init__()
        self.backbone = as_module(backbone)
        find_measure(confidence)
        modules = find_modules(self.backbone, heads)
        candidates = tuple((p, str(kind)) for p, kinds in enumerate(heads.values()) for kind in kinds)
        heats = checked_temperature(temperature, len(candidates) + 1, ModelError)
        self._exits = Exits(
            positions=tuple(map(str, heads)),
            candidates=candidates,
            select=feature or first_tensor,
            read=Reading(confidence, (1.0,) * (len(candidates) + 1) if heats is None else tuple(heats.tolist())),
            compaction=compaction,
        )
        self.heads = nn.ModuleList(head for kinds in heads.values() for head in kinds.values())
        self._layout = ExitLayout(
            position=[*(p for p, _ in candidates), len(modules)],
            names=map(self._exits.name, range(len(candidates) + 1)),
            measure=measure_name(confidence, MEASURES),
            temperature=heats,
        )
        for p, module in enumerate(modules):
            module.register_forward_hook(ExitHook(self._exits, p))
        self._plan: Plan | None = None
        self.front: ParetoFront | None = None  # see load_front
        self._verified: frozenset[int] | None = None

    @property
    def positions(self) -> tuple[str, ...]:
        """(P,) names of the modules where exits hang."""
        return self._exits.positions

    @property
    def exits(self) -> tuple[tuple[int, str], ...]:
        """(E-1,) position and type of each candidate, in the order of `ExitCosts`; the final exit is not included."""
        return self._exits.candidates

    @property
    def exit_names(self) -> tuple[str, ...]:
        """(E,) names such as "layer1.0/linear", for `ExitCosts`; the last is "final"."""
        return self._layout.names

    @property
    def layout(self) -> ExitLayout:
        """Who stands where, with the model's own measure of confidence and temperatures: what `record` gives."""
        return self._layout

    @property
    def confidence(self) -> str | Measure:
        """The model's own measure of confidence."""
        return self._exits.read.measure

    @property
    def config(self) -> ExitConfig | None:
        """The configuration in force, None for the plain backbone."""
        plan = self._plan  # read once: another thread may switch
        return plan.config if plan else None

    def read(self, logits: torch.Tensor, exit_index: int) -> torch.Tensor:
        """Confidences of an exit's logits, by the model's own measure and temperatures.

        Args:
            logits: (B, C) of the exit.
            exit_index: 0 to E-1, or -1 for the final exit.

        Returns:
            (B,) float32.
        """
        return self._exits.read(logits, exit_index)

    def configure(self, config: ExitConfig | OperatingPoint | None) -> None:
        """Switches at once, from any thread: the next forward takes this configuration, one under way keeps its own.

        Confidences are measured as the configuration's layout says, with its temperatures; where it does not say, as
        the model does. So whoever was promised to leave somewhere leaves there.

        Args:
            config: a configuration, a point of a front, or None for the plain backbone.

        Raises:
            ConfigError: it belongs to another network, is something else, or its confidences are of a measure that
                neither has a name in `dyce_search` nor is the model's own. The configuration in force stays.
        """
        if isinstance(config, OperatingPoint):
            config = config.config
        if config is None:
            self._plan = None
            return
        if not isinstance(config, ExitConfig):
            raise ConfigError(f"config must be an ExitConfig, an OperatingPoint or None, got {type(config).__name__}")
        exits = config.exits(self._layout.network).tolist()
        read = self._exits.read if config.layout is None else self._reading(config.layout, "the configuration")
        self._plan = Plan(config=config, exits=tuple(exits), thresholds=tuple(config.threshold.tolist()), read=read)

    def _reading(self, layout: ExitLayout, theirs: str) -> Reading:
        """How confidences are read under a layout, which may know less than the model."""
        own = self._exits.read
        if layout.measure is None:
            return own if layout.temperature is None else Reading(own.measure, tuple(layout.temperature.tolist()))
        if layout.measure == self._layout.measure:
            measure = own.measure
        elif layout.measure in MEASURES:
            measure = layout.measure
        else:
            known = dict.fromkeys([*MEASURES, str(self._layout.measure)])
            close = difflib.get_close_matches(layout.measure, known, 1, 0.8)
            hint = f" (is it {close[0]!r}?)" if close else ""
            raise ConfigError(
                f"the confidences of {theirs} are {layout.measure!r}, which the model cannot measure{hint}: it has "
                f"{', '.join(known)}; build it with EarlyExitModel(..., confidence=) a function that is called so"
            )
        return Reading(measure, tuple(layout.temperatures.tolist()))

    def load_front(self, front: ParetoFront) -> None:
        """Takes a front to choose from with `set_budget`. The configuration in force stays.

        Args:
            front: of this network.

        Raises:
            ConfigError: it belongs to another network, or its confidences are of a measure that the model lacks.
            FrontError: it is something else.
        """
        if not isinstance(front, ParetoFront):
            raise FrontError(f"front must be a ParetoFront, got {type(front).__name__}")
        self._layout.network.joined(front.layout.network, "the model", "the front")
        self._reading(front.layout, "the front")
        self.front = front

    def exit_costs(self, backbone: npt.ArrayLike, head: npt.ArrayLike, unit: str = "MACs") -> ExitCosts:
        """Costs of this model's exits.

        Args:
            backbone: (P+1,) up to each position, and of the whole.
            head: (E-1,) of each candidate.
            unit: of both.
        """
        head = np.append(head, 0)  # the final exit's own is part of the backbone
        return ExitCosts(backbone=backbone, head=head, position=self._layout.position, unit=unit, names=self.exit_names)

    def set_budget(self, *, relative_cost: float) -> OperatingPoint:
        """Switches to the most accurate point of the front within a budget.

        Args:
            relative_cost: at most this mean cost, relative to the final exit alone, as measured on the front's samples.

        Returns:
            The point that is in force now.

        Raises:
            FrontError: no front was loaded.
            InfeasibleError: no point is that cheap. The configuration in force stays.
        """
        if self.front is None:
            raise FrontError("set_budget chooses from a front, none was loaded: call load_front first")
        point = self.front.select(max_relative_cost=relative_cost)
        self.configure(point)
        return point

    def forward(self, *inputs: Any, **options: Any) -> EarlyExitOutput:
        """Answers a batch.

        Args:
            inputs: of the backbone, (B, ...) each, B >= 1.
            options: of the backbone.

        Raises:
            ModelError: an empty batch; training mode with a configuration; and what turns up only now: modules that
                do not run once each in the order given, heads that do not fit, NaN, a backbone that cannot be
                compacted. The model works on afterwards.
        """
        plan = self._plan  # read once: a switch during this forward does not matter
        batch = batch_size(inputs, options)
        if plan is None or max(plan.exits) < 0:
            logits = self._exits.checked(final_logits(self.backbone(*inputs, **options)), -1, batch)
            confidence = (self._exits.read if plan is None else plan.read)(logits, -1)
            position = torch.full_like(confidence, len(self.positions), dtype=torch.int64)
            config = None if plan is None else plan.config
            return EarlyExitOutput(logits=logits, position=position, confidence=confidence, config=config)
        if self.training:
            raise ModelError(
                "a configured model must be in eval mode, got training mode: call eval() or configure(None)"
            )
        leaving = Leaving(self._exits, self.heads, plan, batch)
        try:
            final = self._run(leaving.visit, inputs, options)
        except ModelError:
            raise
        except Exception as cause:
            if not leaving.compacted:
                raise
            with torch.no_grad():
                self.all_logits(*inputs, **options)  # where this fails too, compaction is not to blame
            raise leaving.compaction_error(f"it failed: {cause}") from cause
        output = leaving.output(None if final is None else final_logits(final))
        if self._verified is None or not self._verified.issuperset(leaving.compacted):
            self._verify(output, leaving, inputs, options)
        return output

    def all_logits(self, *inputs: Any, **options: Any) -> torch.Tensor:
        """Logits of all exits, (E, B, C): the whole backbone with every head, whatever the configuration.

        Args:
            inputs: of the backbone, (B, ...) each, B >= 1.
            options: of the backbone.

        Raises:
            ModelError: an empty batch; modules that do not run once each in the order given, heads that do not fit.
        """
        first = self._layout.first
        logits: list[torch.Tensor] = []

        def visit(position: int, output: Any) -> None:
            feature = self._exits.feature(position, output)
            for exit_index in range(first[position], first[position + 1]):
                logits.append(self._exits.logits(self.heads, exit_index, feature))

        final = self._exits.checked(final_logits(self._run(visit, inputs, options)), -1, batch_size(inputs, options))
        heads = [self._exits.checked(values, e, *final.shape) for e, values in enumerate(logits)]
        return torch.stack([*heads, final])

    def features(self, *inputs: Any, **options: Any) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """What the heads see at each position, P tensors (B, ...), and the final logits (B, C); no head is run.

        Args:
            inputs: of the backbone, (B, ...) each, B >= 1.
            options: of the backbone.

        Raises:
            ModelError: modules that do not run once each in the order given, features that are no tensors.
        """
        features: list[torch.Tensor] = []

        def visit(position: int, output: Any) -> None:
            features.append(self._exits.feature(position, output).clone())  # layers that follow may work in place

        final = final_logits(self._run(visit, inputs, options))
        return tuple(features), final

    def _run(self, visit: Visit, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return ForwardPass(self._exits, visit).run(self.backbone, inputs, options)

    def _verify(
        self, output: EarlyExitOutput, leaving: Leaving, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        """Raises a ModelError if answers hold something of samples that had left, even in the last bit.

        All others are replaced by one of those who left last. These are then answered once more, in the same batches:
        a backbone that treats each sample on its own computes the same. Where it does not, what the swap changes is
        compared with what it changes without compaction: batches may be mixed, or dropped out, on purpose.

        A position needs no more looks once rows went on there that were not the first ones of the batch: these would
        fit with what a backbone carries and cuts to their number.
        """
        whole_logits = torch.no_grad()(self.all_logits)
        if self._verified is None:  # at first: do all heads fit?
            whole_logits(*inputs, **options)
        if leaving.compacted:
            last, rows = leaving.left[-1][:2]
            among_last = torch.arange(leaving.batch, device=rows.device)
            among_last = torch.where(output.position == last, among_last, rows[0])
            swapped = take_rows((inputs, options), among_last, leaving.batch)
            before, after = output.logits[rows], self._answer_last(output.position, leaving.plan, *swapped)
            if not torch.equal(before, after.to(before)):
                exit_index = [*leaving.plan.exits, -1][last]
                whole, whole_swapped = (
                    whole_logits(*args, **named)[exit_index, rows] for args, named in ((inputs, options), swapped)
                )
                if _difference(before, after) > 10 * _difference(whole, whole_swapped):
                    raise leaving.compaction_error("answers depend on samples that have left")
        telling = {position for position, rows, *_ in leaving.left if rows[0] < leaving.left[-1][1][-1]}
        self._verified = (self._verified or frozenset()).union(telling.intersection(leaving.compacted))

    def _answer_last(
        self, left_at: torch.Tensor, plan: Plan, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> torch.Tensor:
        """The logits of those who left last, if everybody leaves at the position that is given, (B,)."""
        last, answers = left_at.max(), []

        def visit(position: int, output: Any) -> Any:
            nonlocal left_at
            if position == last:
                feature = self._exits.feature(position, output)
                answers.append(self._exits.logits(self.heads, plan.exits[position], feature))
                raise AllHaveLeftSignal
            stay, before = (left_at > position).nonzero().squeeze(1), len(left_at)
            left_at = left_at[stay]
            return take_rows(output, stay, before) if len(stay) < before else None

        final = self._run(visit, inputs, options)
        return answers[0] if answers else final_logits(final)


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return (one - other).detach().abs().nan_to_num().max().item()
