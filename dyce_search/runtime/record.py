"""Recording what every exit answers to the samples of a loader."""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, SequentialSampler

from dyce_search.arguments import flag, iterable, require_type, text, whole
from dyce_search.arrays import to_numpy
from dyce_search.errors import FileFormatError, ModelError, RecordsError
from dyce_search.files import PathLike, require_path, write_atomically
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords
from dyce_search.runtime.confidence import as_two_classes, probabilities
from dyce_search.runtime.inputs import batches, require_labels
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import device_of


def record(
    model: EarlyExitModel,
    loader: Iterable[Any],
    *,
    costs: ExitCosts,
    n_samples: int | None = None,
    directory: PathLike | None = None,
    dyce_file: PathLike | None = None,
    top_k: int = 2,
    group: npt.ArrayLike | None = None,
    source: str = "",
    progress: bool | None = None,
) -> ExitRecords:
    """Runs all exits on every sample, batch by batch, and keeps what a search needs.

    Confidences are computed as the model will compute them when it serves, by its own measure and temperatures, which
    the records' layout names. The configuration in force does not matter. For logits that are at hand already there is
    `ExitRecords.from_logits`.

    Args:
        model: in eval mode.
        loader: gives (inputs, labels): what the backbone takes, and (B,) true classes. The order is kept.
        costs: of the model's exits: `count_macs`, `measure_latency`, or your own.
        n_samples: how many the loader gives at most; None for the size of `loader.dataset`.
        directory: keeps the arrays there, in nameless files that are mapped into memory and vanish with the records:
            for records beyond the memory. `ExitRecords.save` keeps them for good.
        dyce_file: also writes an `.npz` in DyCE's format, with the likeliest classes of each exit.
        top_k: how many classes `dyce_file` gets.
        group: (N,) see `ExitRecords`; in the order of the loader, which must not be a random one then.
        source: free text. What was computed in another precision than float32 is added: "bfloat16", "int8".
        progress: a progress bar on standard error; None draws it only on a terminal.

    Raises:
        ModelError: a model in training mode, or exits that do not fit.
        ConfigError: costs of another model.
        RecordsError: batches without labels, labels outside the classes, NaN or infinite confidences, no samples or
            more than expected.
        FileFormatError: a folder that cannot be written.

    Example:
        >>> backbone = torch.nn.Linear(4, 3)
        >>> model = EarlyExitModel([backbone, torch.nn.Identity()], {"0": {"same": torch.nn.Identity()}}).eval()
        >>> costs = ExitCosts(backbone=[12, 12], head=[0, 0], position=[0, 1])
        >>> record(model, [(torch.zeros(5, 4), torch.ones(5).long())], costs=costs, n_samples=5).n_samples
        5
    """
    from tqdm import tqdm

    _check(model, top_k)
    iterable(loader, "loader", RecordsError)
    require_type(costs, ExitCosts, "costs", RecordsError)
    for name, path in (("directory", directory), ("dyce_file", dyce_file)):
        if path is not None:
            require_path(path, name)
    text(source, "source", RecordsError)
    if progress is not None:
        flag(progress, "progress", RecordsError)
    _require_order(loader, group)
    costs = replace(costs, names=model.layout.network.joined(costs.layout, "the model", "the costs").names)
    size = _expected(loader, n_samples)
    label = _table((size,), np.int64, directory)
    prediction, confidence, score = (_table((costs.n_exits, size), t, directory) for t in (np.int32, "f4", "f4"))
    ranked = (costs.n_exits, size, top_k if dyce_file else 0)
    top_class, top_prob = _table(ranked, np.int32, directory), _table(ranked, np.float32, directory)
    seen = 0
    bar = tqdm(desc="record", total=size, unit="samples", disable=None if progress is None else not progress)
    with torch.no_grad(), bar:
        for call, labels in batches(loader, device_of(model)):
            raw = model.all_logits(*call.args, **call.named)
            logits = as_two_classes(raw)
            rows = slice(seen, seen + len(labels))
            require_labels(labels, logits)
            if rows.stop > size:
                raise RecordsError(f"the loader must give at most {size} samples, got {rows.stop}: pass n_samples=")
            measured = np.stack([model.read(values, e).cpu().numpy() for e, values in enumerate(raw)])
            _require_finite(measured, model, seen)
            confidence[:, rows] = measured
            label[rows] = labels.cpu().numpy()
            prediction[:, rows] = to_numpy(logits, "logits", ModelError).argmax(axis=2)
            score[:, rows] = prediction[:, rows] == label[rows]
            if dyce_file:
                if top_k > logits.shape[2]:
                    raise RecordsError(f"top_k must be at most the number of classes, {logits.shape[2]}, got {top_k}")
                order = logits.argsort(dim=2, descending=True, stable=True)[..., :top_k]
                probs = probabilities(logits.flatten(0, 1)).view_as(logits).gather(2, order)
                top_class[:, rows], top_prob[:, rows] = order.cpu().numpy(), probs.cpu().numpy()
            seen = rows.stop
            bar.update(len(labels))
    if not seen:
        raise RecordsError("the loader must give one batch or more, got none")
    if dyce_file:
        _write_dyce(dyce_file, label[:seen], top_class[:, :seen], top_prob[:, :seen])
    return ExitRecords(
        confidence=confidence[:, :seen],
        score=score[:, :seen],
        costs=costs,
        label=label[:seen],
        prediction=prediction[:, :seen],
        group=group,
        measure=model.layout.measure,
        temperature=model.layout.temperature,
        source="; ".join(filter(None, [source, _precision(model)])),
    )


def _check(model: EarlyExitModel, top_k: int) -> None:
    if not isinstance(model, EarlyExitModel):
        raise ModelError(f"model must be an EarlyExitModel, got {type(model).__name__}")
    training = [name for name, module in model.named_modules() if module.training]
    if training:
        which = repr(training[0]) if training[0] else "it"
        raise ModelError(f"the model must be in eval mode, but {which} is in training mode: call eval()")
    whole(top_k, "top_k", RecordsError, least=1)


def _require_order(loader: Any, group: Any) -> None:
    sampler = getattr(loader, "sampler", None)
    if group is not None and isinstance(loader, DataLoader) and not isinstance(sampler, SequentialSampler):
        raise RecordsError(
            f"group must be in the order of the loader, which comes from a {type(sampler).__name__}: record from a "
            "loader that does not shuffle"
        )


def _precision(model: EarlyExitModel) -> str:
    """What the backbone is computed in, where that is not float32."""
    device = device_of(model).type
    types = {str(p.dtype).removeprefix("torch.") for p in model.backbone.parameters() if p.is_floating_point()}
    if torch.is_autocast_enabled(device):
        types = {f"autocast to {str(torch.get_autocast_dtype(device)).removeprefix('torch.')}"}
    if any("quantized" in type(module).__module__ for module in model.backbone.modules()):
        types.add("int8")
    types -= {"float32"}
    return f"computed in {', '.join(sorted(types))}" if types else ""


def _expected(loader: Any, n_samples: int | None) -> int:
    if n_samples is None:
        try:
            n_samples = len(loader.dataset)
        except (AttributeError, TypeError):
            raise RecordsError(
                "n_samples must be given where the loader has no dataset with a length, got None"
            ) from None
    return whole(n_samples, "n_samples", RecordsError, least=1, hint="records must have at least one sample")


def _table(shape: tuple[int, ...], dtype: npt.DTypeLike, directory: PathLike | None) -> npt.NDArray[Any]:
    """An array to be filled, in memory or in a file without a name."""
    try:
        if directory is None or 0 in shape:
            return np.empty(shape, dtype)
        with tempfile.TemporaryFile(dir=directory) as file:
            return np.memmap(file, dtype, "w+", shape=shape)
    except OSError as cause:
        raise FileFormatError(f"cannot write in {directory}: {cause.strerror}") from cause
    except (MemoryError, ValueError) as cause:  # more bytes than there are, or than can be counted
        raise RecordsError(f"n_samples must fit into memory, got {shape[-1]:,}: pass directory=, or fewer") from cause


def _require_finite(measured: npt.NDArray[np.float32], model: EarlyExitModel, start: int) -> None:
    bad = np.argwhere(~np.isfinite(measured))
    if len(bad):
        exit_index, row = bad[0]
        raise RecordsError(
            f"confidence must be finite, got {measured[exit_index, row]} from exit {model.exit_names[exit_index]!r} "
            f"at sample {start + row}: look for NaN in the inputs, or train the head anew"
        )


def _write_dyce(path: PathLike, label: npt.NDArray[Any], classes: npt.NDArray[Any], probs: npt.NDArray[Any]) -> None:
    """DyCE's format: `label` (N, 1), `preds` and `confs` (E, N, K)."""
    small = np.int16 if max(label.max(), classes.max()) < 2**15 else np.int32
    label, classes = label[:, None].astype(small), classes.astype(small)
    write_atomically(path, lambda stream: np.savez_compressed(stream, label=label, preds=classes, confs=probs))
