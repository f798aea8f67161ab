"""The features of a frozen backbone, computed once for all epochs where they fit."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, SequentialSampler

from dyce_search.errors import FileFormatError
from dyce_search.files import PathLike
from dyce_search.runtime.inputs import batches, require_labels
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import device_of, observing
from dyce_search.runtime.stages import LOG

MEMORY = 2 * 2**30  # bytes that features may take in memory


class Batch(NamedTuple):
    """What heads learn from: B samples."""

    features: tuple[torch.Tensor, ...]  # (P,) of (B, ...)
    final: torch.Tensor  # (B, C) the final logits
    labels: torch.Tensor  # (B,)
    masks: dict[str, torch.Tensor]  # (B, T) those that heads ask for, by name

    def on(self, device: torch.device) -> "Batch":
        """With all tensors on a device."""
        masks = {name: mask.to(device) for name, mask in self.masks.items()}
        return Batch(tuple(f.to(device) for f in self.features), self.final.to(device), self.labels.to(device), masks)


class Features:
    """Gives batches of features, epoch by epoch.

    Args:
        model: in eval mode.
        loader: gives (inputs, labels) or mappings with "labels".
        cache: whether to compute them once: in memory up to `MEMORY`, or in a folder; False computes them each time.
        bar: a progress bar.
    """

    def __init__(self, model: EarlyExitModel, loader: Iterable[Any], cache: bool | PathLike, bar: Any) -> None:
        """See the class."""
        self.model, self.loader, self.bar = model, loader, bar
        self.folder = None if isinstance(cache, bool) else Path(cache)
        self.cached = cache is not False
        self.slots: list[torch.Tensor] | None = None  # once they are computed
        self.sizes: list[int] = []  # of the batches as they came
        self.tried = False

    def epoch(self, seed: int, fill_seed: int) -> Iterator[Batch]:
        """The batches of an epoch, shuffled by its seed where the loader shuffles.

        Args:
            seed: of the epoch.
            fill_seed: of the pass that computes what is kept, the same in every run.
        """
        if self.cached and self.slots is None:
            self.cached = self._fill(fill_seed)
        if self.slots is None:
            seed_loader(self.loader, seed)
            yield from self._computed()
            return
        sampler, order = getattr(self.loader, "sampler", None), torch.arange(sum(self.sizes))
        sizes, device = self.sizes, device_of(self.model)
        if isinstance(self.loader, DataLoader) and not isinstance(sampler, SequentialSampler):
            order = torch.randperm(len(order), generator=torch.Generator().manual_seed(seed))
        for rows in torch.split(order, sizes):
            yield self._batch([slot[rows] for slot in self.slots]).on(device)

    def _fill(self, seed: int) -> bool:
        """Computes all features; False where they do not fit, or differ in shape from batch to batch."""
        seed_loader(self.loader, seed)
        self.bar.set_description("features")
        with contextlib.ExitStack() as files:
            return self._filled(files)

    def _filled(self, files: contextlib.ExitStack) -> bool:
        parts: list[_Part] = []
        for batch in self._computed():
            tensors = [*batch.features, batch.final, batch.labels, *batch.masks.values()]
            parts = parts or [_Part(tensor, self.folder, files) for tensor in tensors]
            if any(part.shape != tensor.shape[1:] for part, tensor in zip(parts, tensors, strict=True)):
                LOG.info("features differ in shape from batch to batch: they are computed anew in each epoch")
                return False
            for part, tensor in zip(parts, tensors, strict=True):
                part.append(tensor)
            self.sizes.append(len(batch.labels))
            taken = sum(part.bytes for part in parts)
            expected = taken * _length(self.loader, sum(self.sizes)) / sum(self.sizes)
            if self.folder is None and expected > MEMORY:
                LOG.warning(
                    "features would take %.1f GB: they are computed anew in each epoch; cache=folder keeps them there",
                    expected / 1e9,
                )
                return False
            self.bar.update()
        self.slots = [part.whole() for part in parts] if parts else None
        return self.slots is not None

    def _computed(self) -> Iterator[Batch]:
        names = {name for head in self.model.heads.values() if (name := head.__dict__.get("mask"))}
        for call, labels in batches(self.loader, device_of(self.model)):
            with torch.no_grad():
                features, final = self.model.features(*call.args, **call.named)
                require_labels(labels, final)
                if not self.tried:  # where a head does not fit: an error before anything was learned
                    with observing(self.model.heads):
                        self.model.all_logits(*call.args, **call.named)
                    self.tried = True
            yield Batch(features, final, labels, {name: call.named[name] for name in sorted(names)})

    def _batch(self, tensors: list[torch.Tensor]) -> Batch:
        names = sorted({name for head in self.model.heads.values() if (name := head.__dict__.get("mask"))})
        positions = len(self.model.positions)
        masks = dict(zip(names, tensors[positions + 2 :], strict=True))
        return Batch(tuple(tensors[:positions]), tensors[positions], tensors[positions + 1], masks)


class _Part:
    """One tensor of all samples, (N, ...), that grows batch by batch: in memory, or in a file without a name."""

    def __init__(self, like: torch.Tensor, folder: Path | None, files: contextlib.ExitStack) -> None:
        self.shape, self.dtype, self.bytes = like.shape[1:], like.dtype, 0
        self.values: list[torch.Tensor] = []
        try:
            self.file = None if folder is None else files.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
        except OSError as cause:
            raise FileFormatError(f"cannot write in {folder}: {cause.strerror}") from cause

    def append(self, values: torch.Tensor) -> None:
        """More samples."""
        values = values.detach().cpu().contiguous()
        self.bytes += values.nbytes
        if self.file is None:
            self.values.append(values)
        else:
            self.file.write(values.view(torch.uint8).numpy().tobytes())

    def whole(self) -> torch.Tensor:
        """(N, ...) all of them."""
        if self.file is None:
            return torch.cat(self.values)
        self.file.flush()
        mapped = torch.from_numpy(np.memmap(self.file, np.uint8, "r+"))
        return mapped.view(self.dtype).view(-1, *self.shape)


def seed_loader(loader: Any, seed: int) -> None:
    """Sets the random generators of a loader, and torch's own."""
    torch.manual_seed(seed)
    for source in (loader, getattr(loader, "sampler", None)):
        if isinstance(getattr(source, "generator", None), torch.Generator):
            source.generator.manual_seed(seed)  # type: ignore[union-attr]


def _length(loader: Any, least: int) -> int:
    """How many samples a loader has, as far as it says."""
    try:
        return max(least, len(loader.dataset))
    except (AttributeError, TypeError):
        return least
