"""The stages of a backbone for each kind of input that comes: built once, checked, and kept."""

import inspect
import threading
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import torch
from torch import nn

from dyce_search.arguments import function, is_whole, shown
from dyce_search.errors import DyceError, ModelError
from dyce_search.runtime.backbone import Position
from dyce_search.runtime.captured import SAMPLES, Axes, Captured, capture
from dyce_search.runtime.hooked import Hooked
from dyce_search.runtime.independence import require_independence
from dyce_search.runtime.inputs import Call, as_call
from dyce_search.runtime.modes import observing
from dyce_search.runtime.stages import LOG, Staged

Dynamic = Mapping[str, Mapping[int, str | None]]
Check = Callable[[Staged, Call], None]


def checked_dynamic(dynamic: Dynamic | None) -> dict[str, dict[int, str | None]]:
    """Which axes of which arguments vary.

    Raises:
        ModelError: something else than names of sizes by axis by argument.
    """
    given: Any = {} if dynamic is None else dynamic
    whole = isinstance(given, Mapping) and all(isinstance(axes, Mapping) for axes in given.values())
    if not whole or not all(
        is_whole(axis) and isinstance(size, (str, type(None))) for axes in given.values() for axis, size in axes.items()
    ):
        raise ModelError(
            f"dynamic must name sizes by argument and axis, as {{'input_ids': {{1: 'length'}}}}, got {shown(given)}"
        )
    return {str(name): dict(axes) for name, axes in given.items()}


class Programs:
    """Finds what runs a batch: stages, or hooks where the backbone cannot be cut."""

    def __init__(self, positions: tuple[Position, ...], select: Callable[[Any], Any], dynamic: Dynamic | None) -> None:
        """See the class; the arguments are those of `EarlyExitModel`."""
        function(select, "feature", ModelError)
        self.positions, self.select = positions, select
        self.dynamic = checked_dynamic(dynamic)
        self.backbone: nn.Module | None = None
        self.__setstate__({})

    def __getstate__(self) -> dict[str, Any]:
        """Without what is built: a copy has weights of its own."""
        return {name: getattr(self, name) for name in ("positions", "select", "dynamic")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Nothing is built yet."""
        self.__dict__.update(state)
        self.lock, self.backbone = threading.RLock(), None
        self.built: dict[tuple[Any, ...], Staged | Hooked] = {}
        self.examples: dict[tuple[Any, ...], Call] = {}

    def hooked(self, backbone: nn.Module) -> Hooked:
        """What runs the backbone as it is."""
        return Hooked(backbone, self.positions, self.select)

    @property
    def compacts(self) -> bool | None:
        """Whether all that is built are stages; None where nothing is."""
        return all(found.compacts for found in self.built.values()) if self.built else None

    def find(self, backbone: nn.Module, call: Call, check: Check, *, at_first_batch: bool = True) -> Staged | Hooked:
        """What runs a batch of this kind; `check` looks at stages that are new, with an example.

        Raises:
            ModelError: a backbone that mixes samples, positions that do not come by in order.
        """
        self._attach(backbone)
        kind = self._kind(call)
        found = self.built.get(kind)
        if found is None:
            with self.lock:
                found = self.built.get(kind) or self._build(backbone, call, check, at_first_batch)
                self.built[kind], self.examples[kind] = found, _few(call, self._axes(call))
        return found

    def trace(self, backbone: nn.Module, call: Call) -> tuple[Captured, Call]:
        """The graph of a backbone, and the example from which it was made; raises whatever `torch.export` does."""
        self._attach(backbone)
        axes = self._axes(call)
        with torch.inference_mode(False), observing(backbone):
            example = _few(call, axes)
            return capture(self.hooked(backbone), example, axes), example

    def compile(self, options: dict[str, Any], args: Any) -> None:
        """Compiles the stages that are built."""
        for staged, example in zip(self.built.values(), self.examples.values(), strict=True):
            if isinstance(staged, Staged):
                staged.compile(example, args, options)

    def _attach(self, backbone: nn.Module) -> None:
        if backbone is not self.backbone:
            self.__setstate__({})
            self.backbone, self.weight = backbone, next(backbone.parameters(), None)
            self.names = list(inspect.signature(backbone.forward).parameters)

    def prepare(self, backbone: nn.Module, example: Any, check: Check) -> None:
        """Builds the stages for an example, or for a list of two that differ in sizes that vary."""
        several = isinstance(example, list)
        if several and not example:
            raise ModelError("example must be a batch, or a list of two that differ in a size, got an empty list")
        calls = [as_call(one, "example") for one in (example if several else [example])]
        if several:
            self._vary(backbone, calls)
        for call in calls:
            self.find(backbone, call, check, at_first_batch=False)

    def _vary(self, backbone: nn.Module, calls: list[Call]) -> None:
        """Finds the axes that differ from example to example."""
        self._attach(backbone)
        names, found = self.argument_names(calls[0]), 0
        for name, *values in zip(names, *(call.values for call in calls), strict=True):
            shapes = [tuple(value.shape) for value in values if isinstance(value, torch.Tensor)]
            for axis, sizes in enumerate(zip(*shapes, strict=True)):
                if len({*sizes}) > 1 and sizes != tuple(call.samples for call in calls):
                    self.dynamic.setdefault(name, {})[axis] = "size_" + "_".join(map(str, sizes))
                    found += 1
        if not found:
            raise ModelError("a list of examples must hold batches that differ in a size, such as the length, got none")

    def stages_of(self, call: Call | None) -> tuple[Staged, Call]:
        """The stages for a batch, or the only ones there are, with their example of a few samples.

        Raises:
            ModelError: there are none, or several to choose from.
        """
        kinds = [self._kind(call)] if call is not None else list(self.built)
        found = [(self.built.get(kind), self.examples.get(kind)) for kind in kinds]
        if len(found) != 1:
            raise ModelError(f"there are stages for {len(found)} kinds of batches, needed is one: pass example=")
        staged, example = found[0]
        if not isinstance(staged, Staged) or example is None:
            raise ModelError("the backbone cannot be cut into stages, the log says why: there is nothing to export")
        return staged, example

    def argument_names(self, call: Call) -> list[str]:
        """Of each argument; those without a name are called "".

        Args:
            call: with the arguments.
        """
        return [*(self.names + [""] * len(call.args))[: len(call.args)], *call.named]

    def _axes(self, call: Call) -> Axes:
        """Which axes vary, of each argument that is a tensor."""
        samples, axes = call.samples, {}
        for place, (name, value) in enumerate(zip(self.argument_names(call), call.values, strict=True)):
            if isinstance(value, torch.Tensor):
                varying = {0: "batch"} if value.ndim and len(value) == samples else {}
                varying |= self.dynamic.get(name, {})  # type: ignore[arg-type]
                long = {axis for axis, size in enumerate(value.shape) if size > 1}  # a size of 1 is of its own kind
                axes[place] = {a: size for a, size in varying.items() if size == "batch" or (size and a in long)}
        return axes

    def _kind(self, call: Call) -> tuple[Any, ...]:
        """What a graph holds for: types, sizes that do not vary, plain values, and how numbers are rounded."""
        axes, kind = self._axes(call), [len(call.args), *call.named]
        for place, value in enumerate(call.values):
            if place in axes:
                shape = tuple(None if axis in axes[place] else size for axis, size in enumerate(value.shape))
                kind += [value.dtype, value.device, shape]
            else:
                kind.append(value if isinstance(value, (bool, int, float, str, type(None))) else repr(value))
        device = "cpu" if self.weight is None else self.weight.device.type
        if torch.is_autocast_enabled(device):
            kind.append(torch.get_autocast_dtype(device))
        return (*kind, None if self.weight is None else (self.weight.dtype, self.weight.device))

    def _build(self, backbone: nn.Module, call: Call, check: Check, at_first_batch: bool) -> Staged | Hooked:
        started = perf_counter()
        try:
            graph, example = self.trace(backbone, call)
            with torch.inference_mode(False), observing(backbone):
                staged = Staged(graph, tuple(position.name for position in self.positions))
                require_independence(graph, staged, example, backbone)
                check(staged, example)
        except DyceError:
            raise
        except Exception as cause:  # whatever torch.export cannot take
            reason = str(cause).strip().partition("\n")[0] or type(cause).__name__
        else:
            if at_first_batch:
                LOG.warning(
                    "the stages were built at the first batch of its kind, in %.1f s; EarlyExitModel(..., "
                    "example=batch) builds them at once, dynamic= for batches of all lengths",
                    perf_counter() - started,
                )
            return staged
        with torch.inference_mode(False), observing(backbone):
            few = _few(call, self._axes(call))
            backbone(*few.args, **few.named)  # a batch that it cannot take is no kind of its own: its error goes out
        LOG.warning(
            "the backbone cannot be cut into stages (%s): answers are the same, but the whole batch is computed until "
            "all of it has left; compaction=False says that this is meant",
            reason,
        )
        return self.hooked(backbone)


def _few(call: Call, axes: Axes) -> Call:
    """The first samples, as many as are traced, in tensors of their own."""
    values = list(call.values)
    for place, varying in axes.items():
        value = values[place].detach()
        for axis, size in varying.items():
            if size == "batch":
                value = value.index_select(axis, torch.arange(SAMPLES, device=value.device) % value.shape[axis])
        values[place] = value.clone(memory_format=torch.preserve_format)
    return call.with_values(values)
