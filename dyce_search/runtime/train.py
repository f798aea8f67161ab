"""Training all heads at once on the features of the frozen backbone."""

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from dyce_search.arguments import LARGEST, flag, iterable, real, require_type, whole
from dyce_search.errors import FileFormatError, ModelError, RecordsError
from dyce_search.files import PathLike, require_path, write_atomically
from dyce_search.json_files import typed
from dyce_search.runtime.feature_cache import Batch, Features
from dyce_search.runtime.inputs import Call
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import device_of, unchanged
from dyce_search.wording import one_line

FORMAT, VERSION = "dyce_search.train_heads", 1
MOST_EPOCHS = 1_000_000


class Checkpoint(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The content of a checkpoint; what PyTorch saves of its own stays as it is."""

    format: str
    version: Literal[1]
    options: dict[str, Any]
    loss: list[list[float]]
    held_out_loss: list[list[float]]
    best: list[dict[str, Any]]
    heads: dict[str, Any]
    optimizer: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingHistory:
    """How the heads learned, in T epochs.

    Attributes:
        names: (E-1,) of the exits.
        loss: (T, E-1) mean loss of each head on the training data, while it learned.
        held_out_loss: (T, E-1) mean loss of each head on the held-out data after each epoch; None without.
        best_epoch: (E-1,) the epoch, from 0, whose weights each head has now: the last one without held-out data.
    """

    names: tuple[str, ...]
    loss: npt.NDArray[np.float64]
    held_out_loss: npt.NDArray[np.float64] | None
    best_epoch: npt.NDArray[np.int64]

    __repr__ = one_line


def train_heads(
    model: EarlyExitModel,
    loader: Iterable[Any],
    epochs: int = 5,
    *,
    held_out: Iterable[Any] | None = None,
    patience: int = 3,
    learning_rate: float = 1e-3,
    distillation: float | tuple[float, float] = (0.5, 2.0),
    cache: bool | PathLike = True,
    checkpoint: PathLike | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> TrainingHistory:
    """Trains every head on its own, all in the same passes over the data; the backbone stays as it is, bit for bit.

    With (weight, temperature) = distillation the loss of a head is (1 - weight) * cross entropy with the labels +
    weight * temperature**2 * Kullback-Leibler divergence from the final exit, both softened by the temperature (Hinton
    2015, arXiv 1503.02531).
    Adam, with a learning rate that falls to 0 along a cosine. The backbone runs in eval mode, its batch norms too, and
    once for all epochs where its features fit into memory or a folder: then epochs cost only the heads. A last batch
    of one sample is left out, as it has no variance for batch norms.

    Args:
        model: whose heads are trained; modes and random states are afterwards what they were.
        loader: gives (inputs, labels), or mappings with "labels"; a `DataLoader` that shuffles does so by `seed`.
        epochs: passes over the data, at most.
        held_out: gives (inputs, labels) of other samples. Each head keeps the weights of its best epoch there.
        patience: training ends when for so many epochs no head became better on the held-out data.
        learning_rate: of the first epoch.
        distillation: weight of the final exit against the labels, in [0, 1], and the temperature, above 0, that softens
            what it says; a single number is a weight at temperature 2.
        cache: True keeps the features in memory if they take less than 2 GiB, a folder keeps them there, in nameless
            files; False computes them in each epoch, for a loader whose samples change from epoch to epoch.
        checkpoint: a file that is written after each epoch. Where it is there already, training goes on from it, to
            the same result as without the break.
        seed: of the order of the samples and of dropout. Equal heads, data and seeds give equal results.
        progress: a progress bar on standard error; None draws it only on a terminal.

    Raises:
        ModelError: a bad option, heads that do not fit or have nothing to train, a loss that is NaN or infinite: the
            heads are then what they were before that epoch.
        RecordsError: batches without labels, labels outside the classes, no batch.
        FileFormatError: a checkpoint that is damaged, or of other heads or options.

    Example:
        >>> backbone = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> model = EarlyExitModel(backbone, heads={"1": {"linear": torch.nn.Linear(8, 3)}})
        >>> data = [(torch.randn(16, 4), torch.arange(16) % 3)]
        >>> train_heads(model, data, epochs=2).loss.shape
        (2, 1)
    """
    from tqdm import tqdm

    weight, heat = distillation if isinstance(distillation, tuple) and len(distillation) == 2 else (distillation, 2.0)
    options = {
        "epochs": epochs,
        "patience": patience,
        "learning_rate": learning_rate,
        "distillation": weight,
        "distillation temperature": heat,
        "seed": seed,
    }
    require_type(model, EarlyExitModel, "model", ModelError)
    iterable(loader, "loader", RecordsError)
    _check(options)
    if held_out is not None:
        iterable(held_out, "held_out", RecordsError)
    if not isinstance(cache, bool):
        require_path(cache, "cache")
    if checkpoint is not None:
        require_path(checkpoint, "checkpoint")
    if progress is not None:
        flag(progress, "progress", ModelError)
    bar = tqdm(desc="train heads", unit="batch", disable=None if progress is None else not progress)
    with unchanged(model), bar:
        model.eval()
        training = _Training(model, {**options, "exits": list(model.exit_names), "held_out": held_out is not None}, bar)
        learned = Features(model, loader, cache, bar)
        judged = None if held_out is None else Features(model, held_out, cache, bar)
        if checkpoint is not None:
            require_path(checkpoint, "checkpoint")
        if checkpoint is not None and Path(checkpoint).exists():
            training.load(checkpoint)
        while not training.ended:
            training.learn(learned)
            if judged is not None:
                training.judge(judged)
            if checkpoint is not None:
                training.save(checkpoint)
        return training.finish()


class _Training:
    """Heads on their way: what a checkpoint holds, and how it moves on by an epoch."""

    def __init__(self, model: EarlyExitModel, options: dict[str, Any], bar: Any) -> None:
        self.model, self.options, self.bar = model, options, bar
        parameters = [parameter for parameter in model.heads.parameters() if parameter.requires_grad]
        if not parameters:
            raise ModelError("the heads must have parameters with requires_grad, got none: there is nothing to train")
        self.optimizer = torch.optim.Adam(parameters)
        self.loss: list[list[float]] = []  # an entry per epoch
        self.held_out_loss: list[list[float]] = []
        self.best: list[dict[str, Any]] = [{} for _ in model.exits]  # each head's weights of its best epoch

    @property
    def best_epoch(self) -> npt.NDArray[np.int64]:
        """(E-1,) best so far on the held-out data, or the last."""
        last = np.full(len(self.model.exits), len(self.loss) - 1)
        return np.asarray(np.argmin(self.held_out_loss, axis=0)) if self.held_out_loss else last

    @property
    def ended(self) -> bool:
        """All epochs are over, or no head has become better for too long."""
        since = len(self.loss) - 1 - self.best_epoch.max()  # 0 without held-out data
        return len(self.loss) == self.options["epochs"] or bool(since >= self.options["patience"])

    def learn(self, features: Features) -> None:
        """One epoch. Its random numbers depend on the seed and on its number only, so that it can be repeated."""
        epoch, epochs = len(self.loss), self.options["epochs"]
        for group in self.optimizer.param_groups:
            group["lr"] = self.options["learning_rate"] * (1 + math.cos(math.pi * epoch / epochs)) / 2
        before = copy.deepcopy(self.model.heads.state_dict())
        try:
            self.loss.append(self._mean_losses(features, learn=True))
        except ModelError:
            self.model.heads.load_state_dict(before)
            raise
        finally:
            self.model.heads.eval()
            self.optimizer.zero_grad()

    @torch.no_grad()
    def judge(self, features: Features) -> None:
        """Measures the heads on held-out data and keeps the weights of those that were never better."""
        self.held_out_loss.append(self._mean_losses(features, learn=False))
        for exit_index in np.flatnonzero(self.best_epoch == len(self.held_out_loss) - 1).tolist():
            self.best[exit_index] = copy.deepcopy(self.model.heads[exit_index].state_dict())

    def _mean_losses(self, features: Features, *, learn: bool) -> list[float]:
        """Mean loss of each head over all batches."""
        total, samples = torch.zeros(len(self.model.exits), dtype=torch.float64), 0
        seed, first = (self._seed(epoch) for epoch in (len(self.loss), 0))
        for batch in features.epoch(seed, first):
            if learn and samples and len(batch.labels) == 1:
                continue
            if learn and not samples:
                torch.manual_seed(seed)
                self.bar.set_description("train heads")
            with torch.set_grad_enabled(learn):
                self.model.heads.train(learn)
                losses = self._losses(batch)
                self.model.heads.eval()
            self._require_finite(losses, batch)
            if learn:
                self.optimizer.zero_grad()
                torch.autograd.backward(losses.sum())  # heads share no weights, so each follows its own loss only
                self.optimizer.step()
            total += losses.detach().cpu() * len(batch.labels)
            samples += len(batch.labels)
            self.bar.update()
        if not samples:
            raise RecordsError("a loader must give one batch or more in every epoch, got none: pass no generator")
        mean: list[float] = (total / samples).tolist()
        self.bar.set_postfix_str(f"epoch {len(self.loss) + learn}, mean loss {np.mean(mean):.4f}")
        return mean

    def _seed(self, epoch: int) -> int:
        return int(np.random.SeedSequence((self.options["seed"], epoch)).generate_state(1)[0])

    def _require_finite(self, losses: torch.Tensor, batch: Batch) -> None:
        bad = losses.isfinite().logical_not().nonzero()
        if len(bad):
            exit_index = int(bad[0])
            feature = batch.features[self.model.exits[exit_index][0]]
            advice = "lower learning_rate"
            if not (feature.isfinite().all() and batch.final.isfinite().all()):
                advice = "the backbone gives NaN or infinity for these inputs, look at them; the heads are as before"
            raise ModelError(
                f"the loss of exit {self.model.exit_names[exit_index]!r} must be finite, got NaN or infinity: {advice}"
            )

    def _losses(self, batch: Batch) -> torch.Tensor:
        """(E-1,) loss of each head on a batch."""
        heat, share = self.options["distillation temperature"], self.options["distillation"]
        logits = self.model.logits_of(batch.features, Call((), batch.masks))
        wanted = functional.softmax(batch.final.float() / heat, dim=1)
        soft = [functional.log_softmax(values.float() / heat, dim=1) for values in logits]
        from_labels = torch.stack([functional.cross_entropy(values.float(), batch.labels) for values in logits])
        from_final = torch.stack([functional.kl_div(values, wanted, reduction="batchmean") for values in soft])
        mixed: torch.Tensor = (1 - share) * from_labels + share * heat**2 * from_final
        return mixed

    def save(self, path: PathLike) -> None:
        """Writes a checkpoint, atomically."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "options": self.options,
            "loss": self.loss,
            "held_out_loss": self.held_out_loss,
            "best": self.best,
            "heads": self.model.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        write_atomically(path, lambda stream: torch.save(content, stream))

    def load(self, path: PathLike) -> None:
        """Goes back to a checkpoint. Nothing but tensors and plain values is unpickled."""
        try:
            content = torch.load(path, map_location=device_of(self.model), weights_only=True)
        except Exception as cause:  # a damaged archive makes torch fail in a dozen ways
            raise FileFormatError(f"cannot read {path}: no checkpoint of train_heads, or damaged ({cause})") from cause
        found = typed(content, FORMAT, {VERSION: Checkpoint}, path)
        if found.options != self.options:
            changed = [name for name, value in self.options.items() if found.options.get(name) != value]
            raise FileFormatError(f"{path} was made with other {', '.join(changed)}: use the same, or another file")
        try:
            self.model.heads.load_state_dict(found.heads)
            self.optimizer.load_state_dict(found.optimizer)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as cause:
            raise FileFormatError(f"{path} was made with other heads: {cause}") from cause
        self.loss, self.held_out_loss, self.best = found.loss, found.held_out_loss, found.best

    def finish(self) -> TrainingHistory:
        """Gives each head its best weights."""
        if self.held_out_loss:
            for exit_index, weights in enumerate(self.best):
                self.model.heads[exit_index].load_state_dict(weights)
        return TrainingHistory(
            names=self.model.exit_names[:-1],
            loss=np.array(self.loss),
            held_out_loss=np.array(self.held_out_loss) if self.held_out_loss else None,
            best_epoch=self.best_epoch,
        )


def _check(options: dict[str, Any]) -> None:
    for name, least in (("epochs", 1), ("patience", 1), ("seed", 0)):
        whole(options[name], name, ModelError, least=least, most=LARGEST if name == "seed" else MOST_EPOCHS)
    for name in ("learning_rate", "distillation temperature"):
        real(options[name], name, ModelError, "be above 0", lambda value: 0 < value < math.inf)
    real(options["distillation"], "distillation", ModelError, "be in [0, 1]", lambda value: 0 <= value <= 1)
