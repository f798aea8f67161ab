"""Running a model over a loader without leaving a trace on it."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from dyce_search.errors import RecordsError


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


def batches(loader: Iterable[Any], device: torch.device) -> Iterator[tuple[tuple[Any, ...], dict[str, Any], Any]]:
    """Positional arguments, named arguments and labels (B,) of each batch, on the device.

    Args:
        loader: gives (inputs, labels), inputs being what the backbone takes: a tensor, several, or a dictionary.
        device: of the model.

    Raises:
        RecordsError: a batch without labels, or labels that are not whole numbers.
    """

    def moved(value: Any) -> Any:
        return value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value

    for batch in loader:
        if not isinstance(batch, (list, tuple)) or len(batch) != 2:
            found = f"{len(batch)} entries" if isinstance(batch, (list, tuple)) else type(batch).__name__
            raise RecordsError(f"the loader must give pairs (inputs, labels), got {found}: add what is missing")
        inputs, labels = batch
        labels = torch.as_tensor(labels)
        if labels.ndim != 1 or labels.is_floating_point() or labels.is_complex():
            raise RecordsError(
                f"labels must be whole numbers of shape (B,), got {labels.dtype} of shape {tuple(labels.shape)}"
            )
        named = {name: moved(value) for name, value in inputs.items()} if isinstance(inputs, dict) else {}
        placed = inputs if isinstance(inputs, (list, tuple)) else () if named else (inputs,)
        yield tuple(map(moved, placed)), named, labels.to(device, torch.int64)


def require_labels(labels: torch.Tensor, logits: torch.Tensor) -> None:
    """Checks the labels (B,) of a batch against logits (..., B, C).

    Raises:
        RecordsError: another number of samples, or a label that is no class.
    """
    samples, classes = logits.shape[-2:]
    if len(labels) != samples:
        raise RecordsError(f"labels must have one entry per sample, {samples}, got {len(labels)}")
    if not 0 <= labels.min() <= labels.max() < classes:
        raise RecordsError(
            f"labels must lie in [0, C) = [0, {classes}), got {labels.min()} to {labels.max()}: "
            "the backbone and the heads must have as many classes as the data"
        )
