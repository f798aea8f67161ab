"""A backbone with exits attached, whose configuration is switched at run time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, cast

import numpy.typing as npt
import torch
from torch import nn

from dyce_search.arguments import flag, function, real, require_type
from dyce_search.errors import ConfigError, FrontError, ModelError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.files import PathLike
from dyce_search.front.front import ParetoFront
from dyce_search.records.confidence import measure_name
from dyce_search.records.layout import ExitLayout, checked_temperature
from dyce_search.runtime.backbone import as_module, checked_heads, find_positions, first_tensor
from dyce_search.runtime.confidence import MEASURES, Measure, find_measure
from dyce_search.runtime.forward_pass import EarlyExitOutput, Exits, Leaving, all_logits, logits_of, plain_output
from dyce_search.runtime.head_files import Heads, load_heads, save_heads
from dyce_search.runtime.hooked import Hooked, Visit
from dyce_search.runtime.inputs import Call, as_call, served_call
from dyce_search.runtime.modes import observing
from dyce_search.runtime.native import own_exits
from dyce_search.runtime.plan import Plan, Reading
from dyce_search.runtime.programs import Programs
from dyce_search.runtime.stages import Staged


class EarlyExitModel(nn.Module):
    """A network that answers early where it is sure enough, by the configuration in force.

    `torch.export` gives the backbone as a graph in which the samples' axis of every value is known. The graph is cut
    behind the named modules into stages that share the backbone's weights. Between two stages the enabled head is
    computed; samples that are confident leave, and are taken out of everything that later stages need. Without a
    configuration, and in training, the backbone runs as it is. What `torch.export` cannot take (control flow that
    depends on data) runs with hooks, on the whole batch until all of it has left: then the log says so when the
    stages are built, and `compacts` is False.

    Several threads may run one model, and any thread may switch it: a forward ends with the configuration that it
    began with. Stages are those of the backbone in eval mode as it was when they were built: modules that are replaced
    and hooks that are added later need a new model; weights may be loaded, moved and changed. (`nn.DataParallel` is
    not supported.)

    Args:
        backbone: any module whose output is the final exit's logits (B, C), or a list of stages. A tensor is its one
            positional argument, a tuple are its positional arguments, a mapping its keyword arguments. Tensors whose
            first axis is as long as that of the first one have the samples there.
        heads: names of submodules in the order in which they run, each with one or more heads: type -> module. A
            module that runs several times has its calls numbered: "block#0", "block#1".
        feature: takes the tensor for the heads out of the output of a named module; without it, the output
            itself or its first tensor. Heads get it with the samples on the first axis.
        example: inputs of one batch, from which the stages are built and checked at once, or a list of two batches
            that differ in sizes that vary, such as the length. Without it that happens at the first batch of its kind.
        dynamic: argument -> axis -> name of a size that varies, as in {"input_ids": {1: "length"}}; stages are built
            once for all of them. A name of None says that an axis does not vary.
        compaction: False runs the backbone as it is, on the whole batch: for one that mixes samples on purpose.
        confidence: "max_prob", "margin" or "entropy", or a callable that turns (B, C) float32 probabilities into (B,)
            confidences. What `record` measures, and what is measured where a configuration does not say what its
            thresholds are compared with.
        temperature: > 0, by which the logits are divided first; one number, or (E,), one for each exit, the final one
            last (`fit_temperatures`). As `confidence`, it gives way to what a configuration says.

    Raises:
        ModelError: an unknown or repeated module, a position without heads, an unknown measure, bad temperatures; a
            compiled backbone; and with an example also a backbone that mixes samples, positions that do not run once
            each in the order given or at which the samples have no axis of their own, and heads that do not fit.

    Example:
        >>> backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> heads = {"1": {"linear": nn.Linear(8, 3)}}
        >>> model = EarlyExitModel(backbone, heads, example=torch.zeros(2, 4)).eval()
        >>> model.configure(ExitConfig(candidate=[0], threshold=[float("-inf")]))
        >>> model(torch.zeros(2, 4)).position.tolist()
        [0, 0]
    """

    def __init__(
        self,
        backbone: nn.Module | Sequence[nn.Module],
        heads: Mapping[str, Mapping[str, nn.Module]],
        *,
        feature: Callable[[Any], torch.Tensor] | None = None,
        example: Any = None,
        dynamic: Mapping[str, Mapping[int, str | None]] | None = None,
        compaction: bool = True,
        confidence: str | Measure = "max_prob",
        temperature: npt.ArrayLike | None = None,
    ) -> None:
        """See the class."""
        super().__init__()
        self.backbone = as_module(backbone)
        find_measure(confidence)
        positions = find_positions(self.backbone, list(checked_heads(heads)))
        candidates = tuple((p, str(kind)) for p, kinds in enumerate(heads.values()) for kind in kinds)
        heats = checked_temperature(temperature, len(candidates) + 1, ModelError)
        self._exits = Exits(
            positions=tuple(map(str, heads)),
            candidates=candidates,
            read=Reading(confidence, (1.0,) * (len(candidates) + 1) if heats is None else tuple(heats.tolist())),
        )
        names = [self._exits.name(e) for e in range(len(candidates) + 1)]
        modules = (head for kinds in heads.values() for head in kinds.values())
        self.heads = Heads({n.replace(".", "/"): head for n, head in zip(names[:-1], modules, strict=True)})
        self._layout = ExitLayout(
            position=[*(p for p, _ in candidates), len(positions)],
            names=names,
            measure=measure_name(confidence, MEASURES),
            temperature=heats,
        )
        self._programs = Programs(positions, first_tensor if feature is None else feature, dynamic)
        self._compaction = flag(compaction, "compaction", ModelError)
        self._plan: Plan | None = None
        self.front: ParetoFront | None = None  # see load_front
        if example is not None and compaction:
            self._programs.prepare(self.backbone, example, self._require_fitting_heads)

    @classmethod
    def native(cls, net: nn.Module, example: Any, **options: Any) -> Self:
        """A network with exits of its own: one that gives a list, a mapping or named outputs of logits (B, C).

        The network is cut at each of its early logits, and what only those need is computed where they are enabled.
        The last logits, or those named "logits" or "final", are the final exit's.

        Args:
            net: the network, its exits trained.
            example: inputs of one batch, or a list of two, as for the class.
            options: those of the class, but for `heads` and `feature`.

        Raises:
            ModelError: as for the class; and outputs in which no two logits of one shape are found.

        Example:
            >>> class TwoExits(nn.Module):
            ...     def __init__(self):
            ...         super().__init__()
            ...         self.first, self.exit, self.last = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 3)
            ...
            ...     def forward(self, x):
            ...         hidden = self.first(x)
            ...         return [self.exit(hidden), self.last(hidden.relu())]
            >>> EarlyExitModel.native(TwoExits(), torch.zeros(2, 4)).exit_names
            ('exits.0/own', 'final')
        """
        backbone = own_exits(net, example)
        heads = {f"exits.{name}": {"own": nn.Identity()} for name in backbone.exits}
        return cls(backbone, heads, example=example, **options)

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

        Raises:
            ModelError: no logits, or no such exit.
        """
        return self._exits.confidence(logits, exit_index)

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
        config = config.config if isinstance(config, OperatingPoint) else config
        if config is not None and not isinstance(config, ExitConfig):
            raise ConfigError(f"config must be an ExitConfig, an OperatingPoint or None, got {type(config).__name__}")
        self._plan = None if config is None else Plan.of(config, self._layout, self._exits.read, self.modules())

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
        self._exits.read.under(front.layout, self._layout, "the front")
        self.front = front

    def set_budget(self, *, relative_cost: float) -> OperatingPoint:
        """Switches to the most accurate point of the front within a budget, and returns it.

        Args:
            relative_cost: at most this mean cost, relative to the final exit alone, as measured on the front's samples.

        Raises:
            FrontError: no front was loaded, or the budget is no number.
            InfeasibleError: no point is that cheap. The configuration in force stays.
        """
        if self.front is None:
            raise FrontError("set_budget chooses from a front, none was loaded: call load_front first")
        budget = real(relative_cost, "relative_cost", FrontError, "be a finite number")
        point = self.front.select(max_relative_cost=budget)
        self.configure(point)
        return point

    def save_heads(self, path: PathLike) -> None:
        """Writes the heads to a file, with the layout of the exits; the backbone is not in it.

        Args:
            path: by habit *.safetensors; `load_heads` reads it, and the safetensors library.

        Raises:
            FileFormatError: a file that cannot be written.
            MissingPackageError: safetensors is not installed.
        """
        save_heads(self.heads, self._layout, path)

    def load_heads(self, path: PathLike) -> None:
        """Reads heads that `save_heads` wrote, for the same exits in the same order.

        Args:
            path: the file.

        Raises:
            FileFormatError: a file that is damaged or something else, or heads of another make.
            ConfigError: heads of other exits.
            MissingPackageError: safetensors is not installed.
        """
        load_heads(self.heads, self._layout, path)

    def compile(self, *args: Any, **options: Any) -> None:
        """Compiles the stages, each on its own, for all sizes of batches; the log says how long it will take.

        Args:
            args: of `torch.compile`.
            options: of `torch.compile`, such as `mode="reduce-overhead"`. Sizes are dynamic.

        Raises:
            ModelError: there are no stages: build the model with `example=`, and one that can be cut.
        """
        if not self.compacts:
            raise ModelError("compile() needs stages, there are none: build a model that can be cut, with example=")
        self._programs.compile({"dynamic": True, **options}, args)

    def stages(self, example: Any = None) -> tuple[Staged, Call, list[str]]:
        """The stages as they are built, an example of a few samples for them, and the names of its arguments.

        Args:
            example: inputs of one batch, which tell which stages; None where there is only one kind.

        Raises:
            ModelError: there are no stages, or several to choose from.
        """
        call = None if example is None else as_call(example, "example")
        if not self._compaction:
            raise ModelError("a model with compaction=False has no stages: build one without it, with example=")
        if call is not None:
            self._programs.find(self.backbone, call, self._require_fitting_heads, at_first_batch=False)
        staged, few = self._programs.stages_of(call)
        return staged, few, self._programs.argument_names(few)

    @property
    def compacts(self) -> bool | None:
        """Whether samples that leave are taken out of the batch; None before the stages are built."""
        return self._programs.compacts if self._compaction else False

    @property
    def is_compiled(self) -> bool:
        """Whether stages went through `compile`."""
        return any(isinstance(found, Staged) and found.is_compiled for found in self._programs.built.values())

    def forward(self, *inputs: Any, **options: Any) -> EarlyExitOutput:
        """Answers a batch.

        Args:
            inputs: of the backbone, (B, ...) each, B >= 1; a tuple or a mapping alone stands for what is in it.
            options: of the backbone.

        Raises:
            ModelError: an empty batch; modules in training mode with a configuration; NaN; and what turns up only now
                where no example was given. The model works on afterwards.
        """
        plan = self._plan  # read once: a switch during this forward does not matter
        call = served_call(inputs, options)
        if plan is None or max(plan.exits) < 0:
            batch, output = call.samples, self.backbone(*call.args, **call.named)
            return plain_output(self._exits, plan, output, batch, may_be_nan=self.training)
        plan.require_eval(self)
        runner = self._runner(call)
        leaving = Leaving(self._exits, list(self.heads.values()), plan, call, compacts=runner.compacts)
        return leaving.output(runner.run(leaving.visit, call))

    def all_logits(self, *inputs: Any, **options: Any) -> torch.Tensor:
        """Logits of all exits, (E, B, C): the whole backbone with every head, whatever the configuration.

        Args:
            inputs: of the backbone, as for a forward.
            options: of the backbone.

        Raises:
            ModelError: an empty batch; modules that do not run once each in the order given, heads that do not fit.
        """
        call = served_call(inputs, options)
        return all_logits(self._exits, list(self.heads.values()), self._runner(call), call)

    def features(self, *inputs: Any, **options: Any) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """What the heads see at each position, P tensors (B, ...), and the final logits (B, C); no head is run.

        Args:
            inputs: of the backbone, as for a forward.
            options: of the backbone.

        Raises:
            ModelError: modules that do not run once each in the order given, features that are no tensors.
        """
        call, features = served_call(inputs, options), list[torch.Tensor]()
        final = self.observe(lambda _, take: features.append(take().clone()), call)
        return tuple(features), self._exits.checked(final, -1, call.samples)

    def logits_of(self, features: Sequence[torch.Tensor], call: Call) -> list[torch.Tensor]:
        """The logits of all heads, E-1 tensors (B, C).

        Args:
            features: P tensors (B, ...), as `features` gives them.
            call: the backbone's arguments, of which masks are taken.

        Raises:
            ModelError: a head that does not fit, something else than features and arguments.
        """
        return logits_of(self._exits, list(self.heads.values()), features, call)

    def observe(self, visit: Visit, call: Call) -> torch.Tensor:
        """Runs the backbone to the end and has each position visited.

        Args:
            visit: gets a position and a function that gives its feature; may give the rows that go on, never none.
            call: the backbone's arguments.

        Returns:
            The final logits of those who went on, as the backbone gives them.

        Raises:
            ModelError: something else than a function and arguments.
        """
        function(visit, "visit", ModelError)
        return cast(torch.Tensor, self._runner(call).run(visit, call))

    def _runner(self, call: Call) -> Staged | Hooked:
        """Stages in eval mode; otherwise hooks, which leave the backbone in whatever modes it is."""
        require_type(call, Call, "call", ModelError)
        if self.training or not self._compaction:
            return self._programs.hooked(self.backbone)
        return self._programs.find(self.backbone, call, self._require_fitting_heads)

    def _require_fitting_heads(self, runner: Staged | Hooked, call: Call) -> None:
        with observing(self.heads):
            all_logits(self._exits, list(self.heads.values()), runner, call)
