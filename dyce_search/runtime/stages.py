"""A graph cut at its positions, so that between two stages samples leave every value that goes on."""

import copy
import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import fx

from dyce_search.errors import ModelError
from dyce_search.runtime.captured import Captured, NotCapturedError, described, families, in_place, is_scalar
from dyce_search.runtime.hooked import Take, Visit
from dyce_search.runtime.inputs import Call

LOG = logging.getLogger("dyce_search.runtime")


class Value(NamedTuple):
    """What goes into a part or comes out of it, as it was traced."""

    name: str  # the same in all parts of a graph, and no identifier, so that nothing in a part is called so
    shape: tuple[int | str, ...]  # a text where a size varies


class Part(NamedTuple):
    """A piece of the graph as a function of sizes, values and weights, which gives a tuple."""

    run: Callable[..., Any]
    weights: list[tuple[dict[str, Any], str]]  # where they lie: they may be loaded or moved
    inputs: tuple[Value, ...]  # of those values
    outputs: tuple[Value, ...]  # of that tuple
    used: frozenset[str]  # the sizes and the inputs that it computes with; others pass through, if at all

    def __call__(self, sizes: Iterable[int], values: Iterable[Any]) -> Any:
        """Sizes are those that vary, the number of samples first."""
        return self.run(*sizes, *values, *[place[name] for place, name in self.weights])

    def compiled(self, args: Any, options: Any) -> "Part":
        """The same by `torch.compile`, which works when it is first called."""
        return self._replace(run=torch.compile(self.run, *args, **options))


class Stage(NamedTuple):
    """What runs up to a position."""

    main: Part  # what is live before -> what is live behind, then what the feature is made of
    feature: Part | None  # what makes the feature where nothing later needs it; None where it is the last value
    feature_axis: int
    axes: tuple[int | None, ...]  # of the live values: where the samples lie, None for what all samples share


class Staged:
    """Runs a backbone stage by stage; samples that leave are taken out of all that is live."""

    compacts = True

    def __init__(self, graph: Captured, names: tuple[str, ...]) -> None:
        """Cuts the graph at the positions of those names.

        Raises:
            NotCapturedError: values that cannot be carried from stage to stage.
            ModelError: a position at which the samples have no axis of their own.
        """
        self.sizes, self.inputs = list(graph.sizes.values()), list(graph.inputs.values())
        self.symbols = tuple(graph.sizes)  # what the sizes are called in the shapes of values
        self.stages = _Cutter(graph, names).stages()  # one up to each position, and one to the end
        self.is_compiled = False

    def run(self, visit: Visit, call: Call) -> torch.Tensor | None:
        """The final logits of those who have not left, or None where all have."""
        arguments = call.values
        sizes = [arguments[place].shape[axis] for place, axis in self.sizes]
        values: Sequence[torch.Tensor] = [arguments[place] for place in self.inputs]
        *stages, last = self.stages  # read once: compile() replaces them
        for position, stage in enumerate(stages):
            found = stage.main(sizes, values)
            values = found[: len(stage.axes)]
            stay = visit(position, partial(_feature, stage, sizes, found))
            if stay is not None:
                if not len(stay):
                    return None
                sizes = [len(stay), *sizes[1:]]
                values = [take_rows(value, stay, axis) for value, axis in zip(values, stage.axes, strict=True)]
        final: torch.Tensor = last.main(sizes, values)[0]
        return final

    def compile(self, call: Call, args: Any, options: Any) -> None:
        """Compiles all stages on an example, and says after the first one how long that will take."""
        twin, started, parts = copy.copy(self), perf_counter(), len(self.stages)
        twin.stages = [
            stage._replace(
                main=stage.main.compiled(args, options), feature=stage.feature and stage.feature.compiled(args, options)
            )
            for stage in self.stages
        ]

        def visit(position: int, take: Take) -> None:
            take()
            if position == 0:
                took = perf_counter() - started
                LOG.warning(
                    "compiling %d stages: the first took %.1f s, all take %.0f s at most", parts, took, parts * took
                )

        with torch.no_grad():
            twin.run(visit, call)
        self.stages, self.is_compiled = twin.stages, True


def _feature(stage: Stage, sizes: list[int], found: tuple[torch.Tensor, ...]) -> torch.Tensor:
    feature = found[-1] if stage.feature is None else stage.feature(sizes, found[len(stage.axes) :])[0]
    return feature.movedim(stage.feature_axis, 0) if stage.feature_axis else feature


def take_rows(value: torch.Tensor, rows: torch.Tensor, axis: int | None = 0) -> torch.Tensor:
    """The samples that are given, along an axis; all of a value without one."""
    if axis is None:
        return value
    if axis == 0 and not value.is_contiguous():
        return value[rows]  # keeps channels_last, which index_select would turn into another layout, slowly
    return value.index_select(axis, rows)


class _Cutter:
    """Divides a graph at its features."""

    def __init__(self, graph: Captured, names: tuple[str, ...]) -> None:
        self.graph, self.names = graph, names
        self.order = {node: index for index, node in enumerate(graph.program.graph.nodes)}
        markers = {node for node in self.order if [user.op for user in node.users] == ["output"]} - {graph.final}
        self.steps = [n for n in graph.nodes if n.op == "call_function" and not is_scalar(n) and n not in markers]
        self.bounds = [0]
        for feature in graph.features:
            self.bounds.append(max(self.order[feature] + 1, self.bounds[-1]))
        self.bounds.append(len(self.order))

    def stages(self) -> list[Stage]:
        """One up to each position, and one to the end."""
        bodies, asides = self._divided()
        ends = [*([feature] for feature in self.graph.features), [self.graph.final]]
        needs = [self._inputs(b) | self._inputs(a) | {*e} for b, a, e in zip(bodies, asides, ends, strict=True)]
        live, there, stages = list(self.graph.inputs), set(self.graph.inputs), []
        for p, (body, aside, end) in enumerate(zip(bodies, asides, ends, strict=True)):
            there.update(body)
            behind = self._sorted(there & set().union(*needs[p + 1 :]))
            extra = self._sorted(there & self._inputs(aside)) if aside else end
            axes = tuple(self._axis(value, p, "what is carried on") for value in behind)
            stages.append(
                Stage(
                    self._part(body, live, [*behind, *extra]),
                    self._part(aside, extra, end) if aside else None,
                    self._axis(end[0], p, "the feature") or 0,
                    axes,
                )
            )
            live = behind
        return stages

    def _divided(self) -> tuple[list[list[fx.Node]], list[list[fx.Node]]]:
        """What runs in each stage, and what only its feature needs."""
        self._require_whole_families()
        bodies, asides = [], []
        for p, (low, high) in enumerate(itertools.pairwise(self.bounds)):
            piece = [node for node in self.steps if low <= self.order[node] < high]
            changing = in_place(self.graph.program.graph)  # then the order matters: nothing is put aside
            later = self._ancestors([*self.graph.features[p + 1 :], self.graph.final])
            own = self._ancestors(self.graph.features[p : p + 1])
            bodies.append([node for node in piece if node in later or changing])
            asides.append([node for node in piece if node in own and node not in later and not changing])
        return bodies, asides

    def _require_whole_families(self) -> None:
        """What is changed in place must not be carried on: rows that are taken out are copies."""
        first = families(self.graph.program.graph)
        for node in in_place(self.graph.program.graph):
            family = [twin for twin in first if first[twin] is first[node]]
            places = [self.order[n] for twin in family for n in (twin, *twin.users) if n in self.steps]
            if (
                any(min(places) < bound <= max(places) for bound in self.bounds[1:-1])
                or first[node] in self.graph.inputs
            ):
                raise NotCapturedError(f"{described(node)} changes a tensor in place that is in use elsewhere")

    def _axis(self, node: fx.Node, p: int, what: str) -> int | None:
        """Where the samples of a value lie; None for what all samples share."""
        rows = self.graph.rows(node)
        if rows in ([], *([[axis] for axis in range(node.meta["val"].ndim)])) and (rows or what != "the feature"):
            return rows[0] if rows else None
        shape = ", ".join(str(size) for size in node.meta["val"].shape).replace(next(iter(self.graph.sizes)), "B")
        name = repr(self.names[p]) if p < len(self.names) else "the final exit"
        raise ModelError(
            f"{what} at {name} must have one axis for the B samples, got shape ({shape}): name another module near by, "
            "or build the model with compaction=False"
        )

    def _sorted(self, nodes: set[fx.Node]) -> list[fx.Node]:
        return sorted(nodes, key=self.order.__getitem__)

    def _inputs(self, body: Iterable[fx.Node]) -> set[fx.Node]:
        """The values that a body takes from outside; weights and sizes are not among them."""
        inside, found = set(body), set()
        for value in (value for node in inside for value in node.all_input_nodes):
            if value in inside or value in self.graph.weights or value.op == "get_attr" or self._is_size(value):
                continue
            found |= self._inputs([value]) if is_scalar(value) else {value}
        return found

    def _ancestors(self, nodes: Iterable[fx.Node]) -> set[fx.Node]:
        found, waiting = set(), list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found and not self._is_size(node):
                found.add(node)
                waiting += node.all_input_nodes
        return found

    def _is_size(self, node: fx.Node) -> bool:
        return is_scalar(node) and str(node.meta.get("val")) in self.graph.sizes

    def _part(self, body: list[fx.Node], inputs: list[fx.Node], outputs: list[fx.Node]) -> Part:
        """A function of the sizes, the inputs and the weights that a body needs."""
        graph = fx.Graph()
        sizes = {symbol: graph.placeholder(f"size_{symbol}") for symbol in self.graph.sizes}
        env = {node: graph.placeholder(node.name) for node in inputs}
        needed = {n for node in [*body, *outputs] for n in (*node.all_input_nodes, node) if n in self.graph.weights}
        weights = self._sorted(needed)
        env.update({node: graph.placeholder(node.name) for node in weights})

        def value_of(node: fx.Node) -> fx.Node:
            if node not in env:
                if self._is_size(node):
                    return sizes[str(node.meta["val"])]
                if node.op == "get_attr":
                    env[node] = graph.get_attr(str(node.target))
                elif is_scalar(node):
                    env[node] = copied(node)
                else:
                    raise NotCapturedError(f"{described(node)} is needed in a later stage")
            return env[node]

        def copied(node: fx.Node) -> fx.Node:
            copy = graph.node_copy(node, value_of)
            copy.meta = {}  # shapes as they were traced, with all that hangs on them
            copy.target = _DIRECT.get(copy.target, copy.target)
            return copy

        for node in body:
            idle = node.target is torch.ops.aten.dropout.default and not node.args[2]
            env[node] = value_of(node.all_input_nodes[0]) if idle else copied(node)
        graph.output(tuple(env[node] for node in outputs))
        run = fx.GraphModule(self.graph.program.graph_module, graph)
        places = [self.graph.weight(self.graph.weights[node]) for node in weights]
        taken = {**sizes, **{_value(node).name: env[node] for node in inputs}}
        used = frozenset(name for name, node in taken.items() if any(user.op != "output" for user in node.users))
        return Part(run.forward, places, tuple(map(_value, inputs)), tuple(map(_value, outputs)), used)


def _value(node: fx.Node) -> Value:
    shape = (int(size) if isinstance(size, int) else str(size) for size in node.meta["val"].shape)
    return Value(f"live.{node.name}", tuple(shape))


# Python's own way to an operation, which takes half the time of the way through its name; arguments are the same
_NAMES = """
    linear gelu silu relu tanh sigmoid layer_norm batch_norm group_norm conv1d conv2d embedding matmul bmm add.Tensor
    sub.Tensor mul.Tensor div.Tensor cat softmax.int mean.dim transpose.int permute select.int unsqueeze reshape
    flatten.using_ints scaled_dot_product_attention adaptive_avg_pool2d max_pool2d
"""
_DIRECT: dict[Any, Any] = {}
for _entry in _NAMES.split():
    _name, _, _overload = _entry.partition(".")
    _operation = getattr(getattr(torch.ops.aten, _name), _overload or "default")
    _DIRECT[_operation] = getattr(torch._C._nn, _name, None) or getattr(torch, _name)
