"""A backbone as a graph of operations in which the axis of the samples is known, by `torch.export`."""

import builtins
import contextlib
import io
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from dyce_search.runtime.hooked import Hooked, Take
from dyce_search.runtime.inputs import Call

SAMPLES = 3  # in what is traced: sizes 0 and 1 are special to torch.export
Axes = dict[int, dict[int, str]]  # number of an argument -> axis -> name of its size, "batch" for the samples


class NotCapturedError(Exception):
    """Why a backbone has no graph that can be cut. Not for users: hooks take over."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Captured:
    """A traced backbone.

    Attributes:
        program: of `torch.export`; weights and inputs come in as placeholders.
        root: the module to which the names of weights belong.
        inputs: the placeholder of each argument that is a tensor -> the argument's number.
        weights: placeholder -> name of a parameter, buffer or constant.
        sizes: symbol of a size that varies -> an argument and its axis; the number of samples first.
        features: (P,) the node whose value the heads see at each position.
        final: the node of the final logits.
    """

    program: Any
    root: nn.Module
    inputs: dict[fx.Node, int]
    weights: dict[fx.Node, str]
    sizes: dict[str, tuple[int, int]]
    features: tuple[fx.Node, ...]
    final: fx.Node

    @property
    def nodes(self) -> list[fx.Node]:
        """In the order of execution; without guards, which the keys of programs stand for."""
        return [node for node in self.program.graph.nodes if not is_guard(node)]

    def rows(self, node: fx.Node) -> list[int | None]:
        """The axes of a value along which the samples lie; None for one on which they are mixed with others."""
        batch, found = next(iter(self.sizes)), []
        for axis, size in enumerate(node.meta["val"].shape):
            if isinstance(size, torch.SymInt) and batch in map(str, size.node.expr.free_symbols):
                found.append(axis if str(size.node.expr) == batch else None)
        return found

    def weight(self, name: str) -> tuple[dict[str, Any], str]:
        """Where a weight lies, so that it is found again after `load_state_dict`, `.to` and the like."""
        if name in self.program.constants:
            return self.program.constants, name
        path, _, own = name.rpartition(".")
        module = self.root.get_submodule(path)
        return (module._parameters if own in module._parameters else module._buffers), own


class _Marked(nn.Module):
    """Gives the features of a backbone beside its logits, so that they can be found in the graph."""

    def __init__(self, hooked: Hooked, call: Call, places: list[int]) -> None:
        super().__init__()
        self.backbone = hooked.backbone
        self.hooked, self.call, self.places = hooked, call, places

    def forward(self, tensors: list[torch.Tensor]) -> Any:
        features: list[torch.Tensor] = []

        def visit(_: int, take: Take) -> None:
            features.append(take().clone())  # a node of its own, whatever happens to the feature in place

        values = dict(enumerate(self.call.values)) | dict(zip(self.places, tensors, strict=True))
        return self.hooked.run(visit, self.call.with_values(values.values())), features


def capture(hooked: Hooked, call: Call, axes: Axes) -> Captured:
    """Traces a backbone in eval mode.

    Args:
        hooked: the backbone and its positions.
        call: an example with `SAMPLES` samples.
        axes: which axes vary.

    Raises:
        NotCapturedError: the reason why that does not work.
        ModelError: positions that do not come by once each, in order, and what else hooks complain of.
    """
    marked = _Marked(hooked, call, list(axes))
    batch = torch.export.Dim("batch", min=1, max=2**20)
    others: Any = torch.export.Dim.DYNAMIC  # within limits of the backbone, such as the number of places
    shapes = [
        {axis: batch if name == "batch" else others for axis, name in varying.items()} for varying in axes.values()
    ]
    tensors = [call.values[place] for place in axes]
    quiet = contextlib.redirect_stderr(io.StringIO())  # where it fails, the whole graph would be printed
    with warnings.catch_warnings(), torch.no_grad(), _symbolic_len(), quiet:
        warnings.simplefilter("ignore")  # of attributes such as the flat weights of a GRU
        program: Any = torch.export.export(marked, (tensors,), dynamic_shapes=(shapes,), strict=False)
    outputs = next(node for node in program.graph.nodes if node.op == "output").args[0]
    placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    weights = {placeholders[name]: target for name, target in _names(program.graph_signature).items()}
    inputs = dict(zip([node for node in placeholders.values() if node not in weights], axes, strict=True))
    sizes: dict[str, tuple[int, int]] = {}
    for node, place in inputs.items():
        for axis in sorted(axes[place], key=lambda axis: axes[place][axis] != "batch"):
            sizes.setdefault(str(node.meta["val"].shape[axis].node.expr), (place, axis))
    features = [_marked(node) for node in outputs[1:]]
    make_functional(program.graph)
    return Captured(
        program=program, root=marked, inputs=inputs, weights=weights, sizes=sizes,
        features=tuple(features), final=outputs[0],
    )  # fmt: skip


@contextlib.contextmanager
def _symbolic_len() -> Iterator[None]:
    """Lets `len(tensor)` be a symbol as `tensor.shape[0]` is: else it would fix the number of samples."""
    original = builtins.len

    def length(value: Any, /) -> Any:
        return value.shape[0] if isinstance(value, torch.Tensor) and value.ndim else original(value)

    builtins.len = length
    try:
        yield
    finally:
        builtins.len = original


def is_guard(node: fx.Node) -> bool:
    """Whether a node checks sizes or types and gives nothing."""
    return (node.op == "call_function" and "assert" in str(node.target)) or "sym_constrain_range" in str(node.target)


def _names(signature: Any) -> Mapping[str, str]:
    return {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
        **signature.inputs_to_lifted_custom_objs,
    }


def _marked(node: fx.Node) -> fx.Node:
    if node.target is not torch.ops.aten.clone.default:
        raise NotCapturedError("a position lies in a region with an autocast or gradient mode of its own")
    return node.all_input_nodes[0]


def is_scalar(node: fx.Node) -> bool:
    """Whether a node gives a number, such as a size."""
    return node.op == "call_function" and not isinstance(node.meta.get("val"), (torch.Tensor, tuple, list))


def families(graph: fx.Graph) -> dict[fx.Node, fx.Node]:
    """For each node the first one with the same storage: it is a view of that, or works on it in place."""
    first: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        schema = getattr(node.target, "_schema", None)
        shares = schema is not None and any(value.alias_info is not None for value in schema.returns)
        first[node] = first[node.all_input_nodes[0]] if shares and node.all_input_nodes else node
    return first


def in_place(graph: fx.Graph) -> list[fx.Node]:
    """The nodes that change a tensor."""
    return [node for node in graph.nodes if getattr(getattr(node.target, "_schema", None), "is_mutable", False)]


def make_functional(graph: fx.Graph) -> None:
    """Makes copies of what works in place, wherever the changed tensor is seen through the result only."""
    first, order = families(graph), {node: index for index, node in enumerate(graph.nodes)}
    for node in in_place(graph):
        twins = [other for other in order if first[other] is first[node] and order[other] < order[node]]
        seen_later = any(order[user] > order[node] for twin in twins for user in twin.users)
        name, overload = node.target.__name__.split(".")  # type: ignore[union-attr]
        packet = getattr(torch.ops.aten, name.removesuffix("_"), None)
        if not seen_later and node.target.namespace == "aten" and hasattr(packet, overload):  # type: ignore[union-attr]
            node.target = getattr(packet, overload)


def described(node: fx.Node) -> str:
    """A node by its operation and its module."""
    stack = list((node.meta.get("nn_module_stack") or {"": ("", "")}).values())
    return f"{node.target} in {stack[-1][0].removeprefix('backbone').strip('.') or 'the backbone'!r}"


def channel_axis(graph: Captured, node: fx.Node) -> int | None:
    """The axis of a feature's channels, counted with the samples on axis 0, by the nearest layer that tells.

    Args:
        graph: the backbone's.
        node: of the feature.

    Returns:
        None where no layer around tells.
    """
    shape, rows = node.meta["val"].shape, graph.rows(node)
    last, waiting, seen = len(shape) - 1, [node], {node, *graph.weights}
    while waiting:
        found = waiting.pop(0)
        same = found.meta["val"].shape == shape
        for near in (found, *(user for user in found.users if user.all_input_nodes[:1] == [found])):
            name = getattr(near.target, "__name__", "").partition(".")[0]  # of the layer that made it, or that takes it
            if name in ("linear", "layer_norm", "rms_norm"):
                return last if rows != [last] else last - 1
            if same and (name.startswith("conv") or name in ("batch_norm", "group_norm") or "pool2d" in name):
                return 1
        for near in (*found.users, *found.all_input_nodes):
            value, edge = near.meta.get("val"), near if near in found.users else found
            if near in seen or not isinstance(value, torch.Tensor):
                continue
            turned_only = getattr(edge.target, "__name__", "").partition(".")[0] in _KEEPS_LAST
            if value.shape == found.meta["val"].shape or (turned_only and value.shape[-1:] == shape[-1:]):
                seen.add(near)
                waiting.append(near)
    return None


_KEEPS_LAST = ("view", "reshape", "slice", "roll", "pad", "contiguous", "unflatten", "flatten")
