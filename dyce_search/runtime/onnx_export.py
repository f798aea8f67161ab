"""Stages and heads as ONNX files, in a folder that `dyce_search.serving` reads without PyTorch."""

import contextlib
import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from dyce_search.arguments import flag, require_type
from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.errors import ConfigError, MissingPackageError, ModelError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.files import PathLike, require_path, write_folder
from dyce_search.records.confidence import Measure
from dyce_search.records.costs import ExitCosts
from dyce_search.runtime.inputs import Call
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import device_of, observing
from dyce_search.runtime.stages import LOG, Part, Stage, Staged, Value
from dyce_search.serving.arguments import BATCH
from dyce_search.serving.bundle_file import LOGITS, is_bundle, write_manifest
from dyce_search.serving.staged_model import StagedModel

TOLERANCE = 1e-3  # of logits, relative to the largest: beyond it a file does not compute what the model does
Tensors = dict[str, torch.Tensor]


def export_onnx(
    model: EarlyExitModel,
    folder: PathLike,
    *,
    configs: Mapping[str, ExitConfig | OperatingPoint] | None = None,
    costs: ExitCosts | None = None,
    example: Any = None,
    quantize: bool = False,
    overwrite: bool = False,
    measures: Mapping[str, Measure] | None = None,
) -> None:
    """Writes a model as a bundle: an ONNX file for each stage and each head, and a manifest.

    `dyce_search.serving.StagedModel` serves it without PyTorch. All sizes that vary in the model's stages vary in the
    bundle, the number of samples first. Thresholds are data in the manifest and no part of a graph: other
    configurations need no other export. Nothing in the folder is code. The folder is written under another name and
    renamed when it is complete and its logits were compared with the model's.

    Args:
        model: in eval mode, on the CPU, with stages: built with `example=`, and not compiled.
        folder: new or empty, or a bundle that `overwrite` replaces.
        configs: name -> configuration or point that goes with it; certified points with their certificates.
        costs: of the exits, with which the bundle makes records.
        example: inputs of one batch, where the model has stages for several kinds of batches, or none yet.
        quantize: matrix products in int8, by ONNX Runtime's dynamic quantiser. Confidences change, so record anew,
            `StagedModel(folder).record(...)`, and search on these records. Its scales are those of a whole batch, so
            an answer depends a little on the other samples in it: record in batches as they will be served.
        overwrite: replaces a bundle that is there.
        measures: as for `StagedModel`, where the model's measure of confidence is one of your own.

    Raises:
        ModelError: a model in training mode, elsewhere than on the CPU, compiled or without stages; operations that
            have no ONNX; files that compute something else.
        ConfigError: a configuration or costs of another network, or of confidences that cannot be measured.
        FileFormatError: the folder is there and may not be replaced, or cannot be written.
        MissingPackageError: onnx, onnxscript or onnxruntime is not installed.

    Example:
        >>> backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> model = EarlyExitModel(backbone, {"1": {"linear": nn.Linear(8, 3)}}, example=torch.zeros(2, 4)).eval()
        >>> fast = ExitConfig(candidate=[0], threshold=[0.5])
        >>> export_onnx(model, "bundle", configs={"fast": fast})  # doctest: +SKIP
    """
    _check(model)
    for name, given, kind in (
        ("configs", configs, Mapping),
        ("measures", measures, Mapping),
        ("costs", costs, ExitCosts),
    ):
        if given is not None:
            require_type(given, kind, name, ModelError)
    flag(quantize, "quantize", ModelError)
    flag(overwrite, "overwrite", ModelError)
    require_path(folder, "folder")
    packages = _packages()
    entries = {str(name): _config_entry(model, str(name), one) for name, one in (configs or {}).items()}
    names = None if costs is None else model.layout.network.joined(costs.layout, "the model", "the costs").names
    staged, few, arguments = model.stages(example)
    arguments = [name or f"argument{place}" for place, name in enumerate(arguments)]
    if staged.is_compiled:
        raise ModelError("compiled stages cannot be exported: export before model.compile()")

    def fill(temporary: Path) -> None:
        started = perf_counter()
        with torch.inference_mode(False), observing(model), _quiet():
            content = _Bundle(model, staged, few, arguments, temporary, quantize).write()
            expected = model.all_logits(*few.args, **few.named).numpy()
        content |= {"costs": None if costs is None else {**costs.to_dict(), "names": list(names or ())}}
        content |= {"configs": entries, "largest_difference": 0.0, "made_with": packages}
        write_manifest(temporary, content)
        inputs = dict(zip(arguments, few.values, strict=True))
        inputs = {entry["name"]: inputs[entry["name"]] for entry in content["inputs"]}
        written = StagedModel(temporary, measures=measures)
        for name in entries:
            written.configure(name)
        content["largest_difference"] = _difference(written, inputs, expected, content)
        write_manifest(temporary, content)
        LOG.info(
            "%d stages and %d heads written in %.1f s, largest difference of logits %.2g",
            len(staged.stages), len(model.exits), perf_counter() - started, content["largest_difference"],
        )  # fmt: skip

    write_folder(folder, fill, replaces=is_bundle, overwrite=overwrite)


def _packages() -> dict[str, str]:
    """The versions of what writes a bundle.

    Raises:
        MissingPackageError: one is not installed.
    """
    found = {"torch": str(torch.__version__)}
    for name in ("onnx", "onnxscript", "onnxruntime"):
        try:
            found[name] = str(import_module(name).__version__)
        except ImportError as cause:
            raise MissingPackageError(
                f"export_onnx needs {name}, which is not installed: pip install 'dyce_search[onnx]'", name=name
            ) from cause
    return found


def _check(model: EarlyExitModel) -> None:
    if not isinstance(model, EarlyExitModel):
        raise ModelError(f"model must be an EarlyExitModel, got {type(model).__name__}")
    if any(module.training for module in model.modules()):
        raise ModelError("the model must be in eval mode, got training mode: call eval()")
    if device_of(model).type != "cpu":
        raise ModelError(f"the model must be on the CPU for the export, got {device_of(model)}: export model.cpu()")


def _config_entry(model: EarlyExitModel, name: str, config: ExitConfig | OperatingPoint) -> dict[str, Any]:
    bare = config.config if isinstance(config, OperatingPoint) else config
    if not isinstance(bare, ExitConfig):
        raise ConfigError(f"configs[{name!r}] must be an ExitConfig or a point, got {type(config).__name__}")
    bare.exits(model.layout.network, "the model")
    return config.to_dict() if isinstance(config, CertifiedPoint) else bare.to_dict()


def _difference(staged: StagedModel, inputs: Any, expected: Any, content: dict[str, Any]) -> float:
    """The largest difference between the logits of a bundle and the model's (E, B, C), for all samples and for one.

    Raises:
        ModelError: it is not a matter of rounding.
    """
    sized = {entry["name"] for entry in content["inputs"] if entry["shape"][:1] == [BATCH]}
    one = {name: value[:1] if name in sized else value for name, value in inputs.items()}
    found = max(
        float(np.abs(staged.all_logits(**some).astype(np.float64) - expected[:, :rows]).max())
        for some, rows in ((inputs, expected.shape[1]), (one, 1))
    )
    if not found <= TOLERANCE * max(1.0, float(np.abs(expected).max())) and content["precision"] == "float":
        raise ModelError(
            f"the ONNX files compute something else than the model: logits differ by {found:.3g}; please report the "
            "network and the versions of torch and onnxscript"
        )
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter and the quantiser say of themselves."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _Source(NamedTuple):
    """Where a size that varies is read: an axis of a tensor."""

    place: int
    axis: int


class _Piece(nn.Module):
    """A part of the graph as a module of the tensors that it computes with, without those that pass through."""

    def __init__(self, part: Part, symbols: Sequence[str], carriers: Mapping[str, str]) -> None:
        """`carriers` are the names of values whose one axis is as long as a size."""
        super().__init__()
        self.part = part
        self.taken = [value for value in part.inputs if value.name in part.used]
        for symbol in symbols:
            if symbol in part.used and not any(symbol in value.shape for value in self.taken):
                self.taken.append(Value(carriers[symbol], (symbol,)))
        self.sources = [self._source(symbol) if symbol in part.used else None for symbol in symbols]
        passing = {value.name for value in part.inputs}
        names = [value.name for value in part.outputs]
        self.kept = [k for k, name in enumerate(names) if name not in passing and name not in names[:k]]
        self.given = [names[k] for k in self.kept]
        for k, (place, name) in enumerate(part.weights):
            self.register_buffer(f"weight{k}", place[name].detach())

    def _source(self, symbol: str) -> _Source:
        return next(_Source(k, v.shape.index(symbol)) for k, v in enumerate(self.taken) if symbol in v.shape)

    def forward(self, tensors: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """The values that are new, in the order of `given`."""
        found = self.run(tensors)
        return tuple(found[k] for k in self.kept)

    def run(self, tensors: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """All values that the part gives; None for what passes through."""
        sizes = [0 if at is None else tensors[at.place].shape[at.axis] for at in self.sources]
        named = {value.name: tensor for value, tensor in zip(self.taken, tensors, strict=False)}
        values = [named.get(value.name) for value in self.part.inputs]
        result: tuple[torch.Tensor, ...] = self.part.run(*sizes, *values, *self.buffers())
        return result


class _HeadPiece(nn.Module):
    """A head with what makes its feature."""

    def __init__(self, head: nn.Module, feature: _Piece | None, axis: int, masked: bool) -> None:
        super().__init__()
        self.head, self.feature, self.axis, self.masked = head, feature, axis, masked

    def forward(self, tensors: list[torch.Tensor]) -> torch.Tensor:
        """(B, C) logits."""
        values, mask = (tensors[:-1], tensors[-1:]) if self.masked else (tensors, [])
        feature = values[0] if self.feature is None else self.feature.run(values)[0]
        logits: torch.Tensor = self.head(feature.movedim(self.axis, 0), *mask)
        return logits


class _Bundle:
    """Writes the files of a model and gathers the manifest."""

    def __init__(
        self, model: EarlyExitModel, staged: Staged, few: Call, arguments: list[str], folder: Path, quantize: bool
    ) -> None:
        self.model, self.staged, self.few, self.arguments = model, staged, few, arguments
        self.folder, self.quantize = folder, quantize
        self.inputs = dict(zip(staged.inputs, staged.stages[0].main.inputs, strict=True))  # by number of the argument
        self.carriers = {symbol: f"live.size.{symbol}" for symbol in staged.symbols}
        self.board: Tensors = {value.name: few.values[place] for place, value in self.inputs.items()}
        for symbol, (place, axis) in zip(staged.symbols, staged.sizes, strict=True):
            self.board[self.carriers[symbol]] = torch.zeros(few.values[place].shape[axis], dtype=torch.bool)
        batch = staged.symbols[0]
        self.axes = {v.name: v.shape.index(batch) if batch in v.shape else None for v in self.inputs.values()}
        self.used: set[str] = set()  # the values that some file takes

    def write(self) -> dict[str, Any]:
        """The manifest, but for what does not depend on files."""
        stages, heads, p_last = [], [], len(self.staged.stages) - 1
        for p, stage in enumerate(self.staged.stages):
            piece = _Piece(stage.main, self.staged.symbols, self.carriers)
            file = f"stage{p}.onnx" if piece.given else None
            stages.append(
                {
                    "file": file and self._file(file, piece, piece.taken, piece.given),
                    "inputs": [value.name for value in piece.taken] if file else [],
                    "outputs": piece.given,
                }
            )
            if file:
                with torch.no_grad():
                    self.board |= zip(piece.given, piece([self.board[v.name] for v in piece.taken]), strict=True)
            behind = zip(stage.main.outputs, stage.axes, strict=False)
            self.axes |= {value.name: axis for value, axis in behind if value.name in piece.given}
            for name in piece.given:
                self.axes.setdefault(name, None)  # for the heads here alone, before anybody has left
            heads += [] if p == p_last else self._heads(p, stage)
        batch = self.staged.symbols[0]
        sizes = zip(self.staged.symbols, self.staged.sizes, strict=True)
        carried = [(self.carriers[s], self.inputs[at].name, axis, s) for s, (at, axis) in sizes]
        carried = [one for one in carried if one[0] in self.used]
        self.axes |= {value: 0 if symbol == batch else None for value, _, _, symbol in carried}
        return {
            "layout": self.model.layout.to_dict(),
            "precision": "int8" if self.quantize else "float",
            "inputs": [self._input(place, value) for place, value in self.inputs.items()],
            "sizes": [{"value": value, "input": name, "axis": axis} for value, name, axis, _ in carried],
            "axes": self.axes,
            "final": self.staged.stages[-1].main.outputs[0].name,
            "stages": stages,
            "heads": heads,
        }

    def _input(self, place: int, value: Value) -> dict[str, Any]:
        tensor = self.few.values[place]
        shape = [BATCH if size == self.staged.symbols[0] else size for size in value.shape]
        if tensor.dtype == torch.bfloat16:
            raise ModelError(f"{self.arguments[place]!r} is bfloat16, which NumPy lacks: export model.float()")
        return {
            "name": self.arguments[place],
            "value": value.name,
            "dtype": str(tensor.dtype).partition(".")[2],
            "shape": shape,
        }

    def _heads(self, p: int, stage: Stage) -> list[dict[str, Any]]:
        found = []
        for e, (position, _) in enumerate(self.model.exits):
            if position == p:
                head = self.model.heads[e]
                feature = stage.feature and _Piece(stage.feature, self.staged.symbols, self.carriers)
                taken = feature.taken if feature else [stage.main.outputs[-1]]
                mask = head.__dict__.get("mask")
                if mask is not None:
                    place = len(self.few.args) + list(self.few.named).index(mask)
                    taken = [*taken, self.inputs[place]]
                piece = _HeadPiece(head, feature or None, stage.feature_axis, mask is not None)
                file = self._file(f"head{e}.onnx", piece, taken, [LOGITS])
                found.append({"file": file, "inputs": [value.name for value in taken]})
        return found

    def _file(self, name: str, piece: nn.Module, taken: list[Value], given: list[str]) -> dict[str, str]:
        """Writes one file; says what it is called and its digest."""
        from onnx_ir.passes.common import ClearMetadataAndDocStringPass

        path, tensors = self.folder / name, [self.board[value.name] for value in taken]
        self.used |= {value.name for value in taken}
        varying = [{k: torch.export.Dim.DYNAMIC for k, n in enumerate(v.shape) if isinstance(n, str)} for v in taken]
        try:
            program = torch.export.export(piece.eval(), (tensors,), dynamic_shapes=(varying,), strict=False)
            made: Any = torch.onnx.export(
                program, input_names=[value.name for value in taken], output_names=given, dynamo=True, verbose=False
            )
            ClearMetadataAndDocStringPass()(made.model)  # it names files of this machine
            made.save(str(path), external_data=False)
            if self.quantize:
                _quantize(path)
        except Exception as cause:  # whatever the exporter cannot take
            reason = str(cause).strip().partition("\n")[0] or type(cause).__name__
            raise ModelError(f"{name.removesuffix('.onnx')} cannot be written as ONNX: {reason}") from cause
        return {"name": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _quantize(path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = path.with_suffix(".float")
    path.rename(whole)
    quantize_dynamic(
        whole, path, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul", "Gemm"]
    )
    whole.unlink()
