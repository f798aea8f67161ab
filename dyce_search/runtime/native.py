"""Networks with exits of their own: those that answer with several logits."""

from typing import Any

import torch
from torch import nn

from dyce_search.errors import ModelError
from dyce_search.runtime.backbone import as_module, tensors_in
from dyce_search.runtime.inputs import as_call
from dyce_search.runtime.modes import device_of, observing


class OwnExits(nn.Module):
    """A network whose early logits each pass through a module, so that they can be positions."""

    def __init__(self, net: nn.Module, names: list[str]) -> None:
        """The entries of the network's output that are logits, the final ones last."""
        super().__init__()
        self.net, self.names = net, names
        self.exits = nn.ModuleDict({name: nn.Identity() for name in names[:-1]})

    def forward(self, *args: Any, **named: Any) -> torch.Tensor:
        """The final logits (B, C)."""
        found = tensors_in(self.net(*args, **named))
        for name, module in self.exits.items():
            module(found[name])
        return found[self.names[-1]]


def own_exits(net: Any, example: Any) -> OwnExits:
    """Finds the logits in what a network gives: a list, a tuple, a mapping or named outputs.

    Raises:
        ModelError: not two or more tensors (B, C) of the same shape.
    """
    net = as_module(net)
    call = as_call(example[0] if isinstance(example, list) else example, "example").on(device_of(net))
    with observing(net):
        found = tensors_in(net(*call.args, **call.named))
    flat = {name: value for name, value in found.items() if value.ndim == 2 and len(value) == call.samples}
    final = next((name for name in ("logits", "final") if name in flat), list(flat)[-1] if flat else "")
    names = [name for name in flat if name != final and flat[name].shape == flat[final].shape]
    if not names:
        shapes = {name: tuple(value.shape) for name, value in found.items()}
        raise ModelError(
            f"a network with exits of its own must give two or more logits of one shape (B, C), got {shapes or 'one'}: "
            "use EarlyExitModel(backbone, heads) to attach exits"
        )
    return OwnExits(net, [*names, final])
