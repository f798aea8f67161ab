"""What a user brings: a backbone, the calls of modules in it where exits hang, and what it answers."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from dyce_search.arguments import shown
from dyce_search.errors import ModelError


class Position(NamedTuple):
    """A call of a module; `call` is None where the module runs once, else counts from 0, as in "block#2"."""

    name: str
    module: str
    call: int | None


def as_module(backbone: Any) -> nn.Module:
    """A module as it is, a list of stages as one module.

    Raises:
        ModelError: it is neither, or compiled.
    """
    if isinstance(backbone, (nn.ModuleList, Sequence)) and all(isinstance(stage, nn.Module) for stage in backbone):
        return nn.Sequential(*backbone)
    if not isinstance(backbone, nn.Module):
        raise ModelError(f"backbone must be a module or a list of modules, got {type(backbone).__name__}")
    for name, module in backbone.named_modules():
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise ModelError(
                f"the backbone must not be compiled yet, but {name or 'it'!r} ({type(module).__name__}) went through "
                "torch.compile: give the plain module, and compile the stages with model.compile()"
            )
    return backbone


def find_positions(backbone: nn.Module, names: Sequence[str]) -> tuple[Position, ...]:
    """The positions of that name, such as "layer1.0", or "block#2" for the third call of a module.

    Raises:
        ModelError: an unknown or repeated module.
    """
    known = {name: module for name, module in backbone.named_modules(remove_duplicate=False) if name}
    found: dict[tuple[int, int | None], str] = {}
    positions = []
    for name in map(str, names):
        path, _, call = name.partition("#")
        if path not in known or not (call.isdecimal() or name == path):
            close = difflib.get_close_matches(path, known, n=3) or list(known)[:3]
            raise ModelError(f"the backbone has no module {name!r}: did you mean {', '.join(map(repr, close))}?")
        position = Position(name, path, int(call) if call else None)
        twin = found.setdefault((id(known[path]), position.call), name)
        if twin is not name:
            raise ModelError(
                f"{twin!r} and {name!r} are the same module: a position must be a module of its own, or one of its "
                f"calls, such as '{path}#0'"
            )
        positions.append(position)
    return tuple(positions)


def checked_heads(heads: Any) -> Mapping[str, Mapping[str, nn.Module]]:
    """Heads by type by position, as they are.

    Raises:
        ModelError: something else.
    """
    if not isinstance(heads, Mapping) or not heads:
        found_type = "none" if isinstance(heads, Mapping) or heads is None else type(heads).__name__
        raise ModelError(f"heads must name one or more modules of the backbone, got {found_type}")
    for name, kinds in heads.items():
        if not isinstance(kinds, Mapping) or not kinds or not all(isinstance(h, nn.Module) for h in kinds.values()):
            raise ModelError(
                f"heads[{shown(name)}] must be one or more modules by type, as in {{'linear': head}}, got "
                f"{shown(kinds)}"
            )
    return heads


def tensors_in(output: Any) -> dict[str, torch.Tensor]:
    """The tensors right in a tuple, a list, a mapping or an object of named outputs, by name or number."""
    if isinstance(output, (tuple, list)) and not hasattr(output, "_fields"):
        entries: dict[Any, Any] = dict(enumerate(output))
    else:
        entries = dict(output) if isinstance(output, Mapping) else getattr(output, "__dict__", {})
        entries = output._asdict() if hasattr(output, "_fields") else entries
    return {str(name): value for name, value in entries.items() if isinstance(value, torch.Tensor)}


def first_tensor(output: Any) -> torch.Tensor:
    """The tensor itself, or the first tensor in a tuple, a list or a mapping: the default of `feature=`.

    Raises:
        ModelError: there is none, or packed sequences.
    """
    if isinstance(output, torch.Tensor):
        return output
    within = output if isinstance(output, (tuple, list)) else ()
    if any(isinstance(value, nn.utils.rnn.PackedSequence) for value in (output, *within)):
        raise ModelError("packed sequences cannot be cut by samples: give the backbone padded ones, (B, T, D)")
    for value in tensors_in(output).values():
        return value
    if isinstance(output, (tuple, list)) and output:
        return first_tensor(output[0])
    raise ModelError(f"expected a tensor, or a tuple or mapping with one, got {type(output).__name__}: see feature=")


def final_logits(output: Any) -> torch.Tensor:
    """The final exit's logits: the output, its attribute or entry "logits", or its first tensor.

    Raises:
        ModelError: several tensors that might all be logits.
    """
    if not isinstance(output, torch.Tensor):
        named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
        if isinstance(named, torch.Tensor):
            return named
        shapes = [tuple(value.shape) for value in tensors_in(output).values() if value.ndim == 2]
        if shapes and shapes.count(shapes[0]) > 1:
            raise ModelError(
                f"the backbone gives {shapes.count(shapes[0])} tensors of shape (B, {shapes[0][1]}), any of which may "
                "be the final logits: use EarlyExitModel.native for a network with exits of its own"
            )
    return first_tensor(output)
