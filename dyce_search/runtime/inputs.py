"""One rule for inputs: a tensor is one positional argument, a tuple positional ones, a mapping keyword arguments."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from dyce_search.arguments import iterable, shown
from dyce_search.arrays import whole_numbers
from dyce_search.errors import ModelError, RecordsError


class Call(NamedTuple):
    """Arguments of a backbone."""

    args: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def values(self) -> tuple[Any, ...]:
        """All arguments, the positional ones first."""
        return (*self.args, *self.named.values())

    @property
    def samples(self) -> int:
        """B of the first tensor.

        Raises:
            ModelError: there is none, or it is empty or on the device "meta".
        """
        tensors = [value for value in self.values if isinstance(value, torch.Tensor) and value.ndim]
        if not tensors or not len(tensors[0]):
            found = f"shape {tuple(tensors[0].shape)}" if tensors else "no tensor"
            raise ModelError(f"a batch must be a tensor of shape (B, ...) with one or more samples, got {found}")
        require_data(tensors, "a batch")
        return len(tensors[0])

    def with_values(self, values: Iterable[Any]) -> "Call":
        """The same arguments with other values, in the order of `values`."""
        values = list(values)
        return Call(tuple(values[: len(self.args)]), dict(zip(self.named, values[len(self.args) :], strict=True)))

    def on(self, device: torch.device) -> "Call":
        """With all tensors on a device."""
        moved = (v.to(device, non_blocking=True) if isinstance(v, torch.Tensor) else v for v in self.values)
        return self.with_values(moved)


def require_data(values: Iterable[Any], name: str) -> None:
    """Checks that all tensors among some values have their numbers with them, one beside the other.

    Raises:
        ModelError: one is sparse, or on the device "meta".
    """
    for value in values:
        if isinstance(value, torch.Tensor) and (value.is_meta or value.layout is not torch.strided):
            kind = "on the device 'meta', which has a shape alone" if value.is_meta else "that is sparse"
            raise ModelError(f"{name} must hold data, got a tensor {kind}")


def as_call(inputs: Any, name: str = "") -> Call:
    """What a loader gives, or a user, as the arguments of a backbone.

    Raises:
        ModelError: there is no tensor in an argument of that name.
    """
    if isinstance(inputs, Mapping):
        call = Call((), dict(inputs))
    else:
        call = Call(tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,), {})
    if name and not any(isinstance(value, torch.Tensor) for value in call.values):
        raise ModelError(f"{name} must be a tensor (B, ...), or a tuple or mapping with one, got {shown(inputs)}")
    if name:
        require_data(call.values, name)
    return call


def served_call(inputs: tuple[Any, ...], options: dict[str, Any]) -> Call:
    """The same for what stands in the brackets of a call: `model(batch)`, `model(x, mask)`, `model(**batch)`."""
    return as_call(inputs[0]) if len(inputs) == 1 and not options else Call(inputs, options)


def batches(loader: Iterable[Any], device: torch.device) -> Iterator[tuple[Call, torch.Tensor]]:
    """Arguments and labels (B,) of each batch, on the device.

    Args:
        loader: gives (inputs, labels), or mappings with "labels".
        device: of the model.

    Raises:
        RecordsError: a batch without labels, or labels that are not whole numbers.
    """
    iterable(loader, "loader", RecordsError)
    for batch in loader:
        if isinstance(batch, Mapping) and "labels" in batch:
            batch = {name: value for name, value in batch.items() if name != "labels"}, batch["labels"]
        if not isinstance(batch, (list, tuple)) or len(batch) != 2:
            found = f"{len(batch)} entries" if isinstance(batch, (list, tuple)) else type(batch).__name__
            raise RecordsError(
                f"the loader must give pairs (inputs, labels), got {found}: add what is missing, or give mappings with "
                "'labels'"
            )
        labels = batch[1]
        if not isinstance(labels, torch.Tensor):
            labels = torch.from_numpy(np.array(whole_numbers(labels, "labels", RecordsError, ndim=1), np.int64))
        if labels.is_meta:
            raise RecordsError("labels must hold data, got a tensor on the device 'meta', which has a shape alone")
        if labels.ndim != 1 or labels.is_floating_point() or labels.is_complex():
            raise RecordsError(
                f"labels must be whole numbers of shape (B,), got {labels.dtype} of shape {tuple(labels.shape)}"
            )
        yield as_call(batch[0]).on(device), labels.to(device, torch.int64)


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
