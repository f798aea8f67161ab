"""Running a model without leaving a trace on it."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn


@contextlib.contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Afterwards every module is in the mode, and every random generator in the state, in which it was before."""
    modes = [(module, module.training) for module in model.modules()]
    device = device_of(model)
    generators = [device] if device.type in ("cuda", "xpu") else []  # beside that of the CPU
    with torch.random.fork_rng(generators, device_type=device.type if generators else "cuda"):
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode


@contextlib.contextmanager
def observing(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; otherwise as `unchanged`."""
    with unchanged(model), torch.no_grad():
        model.eval()
        yield


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter or buffer lies; the CPU where it has none."""
    for tensors in (model.parameters(), model.buffers()):
        for tensor in tensors:
            return tensor.device
    return torch.device("cpu")
