"""What a user brings: a backbone, the modules in it where exits hang, and batches."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dyce_search.errors import ModelError


def batch_size(inputs: tuple[Any, ...], options: Mapping[str, Any]) -> int:
    """B of the first tensor.

    Raises:
        ModelError: there is none, or it is empty.
    """
    tensors = [value for value in (*inputs, *options.values()) if isinstance(value, torch.Tensor) and value.ndim]
    if not tensors or not len(tensors[0]):
        found = f"shape {tuple(tensors[0].shape)}" if tensors else "no tensor"
        raise ModelError(f"a batch must be a tensor of shape (B, ...) with one or more samples, got {found}")
    return len(tensors[0])


def as_module(backbone: Any) -> nn.Module:
    """A module as it is, a list of stages as one module.

    Raises:
        ModelError: it is neither.
    """
    if isinstance(backbone, (nn.ModuleList, Sequence)) and all(isinstance(stage, nn.Module) for stage in backbone):
        return nn.Sequential(*backbone)
    if not isinstance(backbone, nn.Module):
        raise ModelError(f"backbone must be a module or a list of modules, got {type(backbone).__name__}")
    return backbone


def find_modules(backbone: nn.Module, heads: Mapping[str, Mapping[str, nn.Module]]) -> list[nn.Module]:
    """The modules at the positions, after a look at what hangs there.

    Raises:
        ModelError: an unknown or repeated module, or no heads at one.
    """
    known = {name: module for name, module in backbone.named_modules(remove_duplicate=False) if name}
    if not isinstance(heads, Mapping) or not heads:
        found_type = type(heads).__name__ if heads else "none"
        raise ModelError(f"heads must name one or more modules of the backbone, got {found_type}")
    found: dict[str, nn.Module] = {}
    for name, kinds in heads.items():
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=3) or list(known)[:3]
            raise ModelError(f"the backbone has no module {name!r}: did you mean {', '.join(map(repr, close))}?")
        twin = next((other for other, module in found.items() if module is known[name]), None)
        if twin is not None:
            raise ModelError(f"{twin!r} and {name!r} are the same module: a position must be a module of its own")
        if not isinstance(kinds, Mapping) or not kinds or not all(isinstance(h, nn.Module) for h in kinds.values()):
            raise ModelError(
                f"heads[{name!r}] must be one or more modules by type, such as {{'linear': head}}, got {kinds!r}"
            )
        found[name] = known[name]
    return list(found.values())
