"""A bundle served: stage by stage, with the confident leaving in between, by ONNX Runtime and NumPy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from dyce_search.arguments import function, iterable, require_type, shown, text
from dyce_search.arrays import to_numpy, whole_numbers
from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.errors import ConfigError, CostsError, FileFormatError, ModelError, RecordsError
from dyce_search.evaluation.config import ExitConfig, leaves
from dyce_search.evaluation.config_file import layout_of
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.files import PathLike
from dyce_search.records.confidence import MEASURES, Measure, as_two_classes, softmax
from dyce_search.records.costs import ExitCosts
from dyce_search.records.layout import ExitLayout
from dyce_search.records.records import ExitRecords
from dyce_search.serving.arguments import board_of
from dyce_search.serving.bundle_file import LOGITS, MANIFEST, BundleFile, read_manifest
from dyce_search.serving.sessions import Array, Board, Loader
from dyce_search.wording import exits_at, line, one_line

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StagedOutput:
    """What the model answers to a batch of B samples.

    Attributes:
        logits: (B, C) of the exit where each sample left.
        position: (B,) int64, where that was: P for the final exit.
        confidence: (B,) float32, in [0, 1] for the measures that have a name.
        config: the configuration that the whole batch went through; None where all went to the final exit.
    """

    logits: npt.NDArray[Any]
    position: IntArray
    confidence: FloatArray
    config: ExitConfig | None

    __repr__ = one_line


class _Plan(NamedTuple):
    """A configuration made ready: one immutable object, so that a switch is one assignment."""

    config: ExitConfig | None
    exits: tuple[int, ...]  # (P,) index of the candidate that is enabled at each position, -1 for none
    thresholds: tuple[np.float32, ...]  # (P,)
    measure: Measure
    temperatures: tuple[float, ...]  # (E,)


class StagedModel:
    """A network with exits that `dyce_search.runtime.export_onnx` wrote, served without PyTorch.

    It answers as the runtime's model does: between two stages the enabled head is computed, and samples that are
    confident leave and are taken out of everything that later stages need. Several threads may call it, and any thread
    may switch it: a batch ends with the configuration that it began with. It starts with none: every sample goes to
    the final exit.

    Args:
        folder: the bundle. Every file is verified against its digest before it is loaded. A digest tells damage, not
            who wrote the bundle: ONNX files hold no code, but take them from those only whom you trust.
        threads: of ONNX Runtime, in each operation; None for all cores.
        providers: of ONNX Runtime, in the order of preference.
        measures: name -> measure of your own, from (B, C) float32 probabilities to (B,) confidences, in NumPy: for
            bundles and configurations whose confidences are called so.

    Raises:
        FileFormatError: a file that is missing, was changed or lies elsewhere, or another version; names it.
        ConfigError: a configuration in the bundle that is none.
        ModelError: threads that are no number >= 1, an unknown provider, a measure that is neither known nor given, or
            no function.
        MissingPackageError: onnxruntime is not installed.
    """

    def __init__(
        self,
        folder: PathLike,
        *,
        threads: int | None = None,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        measures: Mapping[str, Measure] | None = None,
    ) -> None:
        """See the class."""
        if measures is not None:
            require_type(measures, Mapping, "measures", ModelError)
            for name, measure in measures.items():
                function(measure, f"measures[{shown(name)}]", ModelError)
        manifest = read_manifest(folder)
        self._manifest = manifest
        try:
            self._layout = layout_of(manifest.layout)
            self._costs = None if manifest.costs is None else ExitCosts(**msgspec.structs.asdict(manifest.costs))
        except (ConfigError, CostsError) as cause:
            raise FileFormatError(f"{folder}/{MANIFEST} is damaged: {cause}: export anew") from cause
        self._measures = {**MEASURES, **(measures or {})}
        self._configs = {name: _read_config(entry, name, folder) for name, entry in manifest.configs.items()}
        loader = Loader(folder, threads, providers)
        self._stages = [loader.piece(one.file, one.inputs, one.outputs) for one in manifest.stages]
        self._heads = [loader.piece(one.file, one.inputs, [LOGITS]) for one in manifest.heads]
        self._needed = _needed(manifest)
        self._plan = self._ready(None)

    def __repr__(self) -> str:
        """One line: sizes, and the configuration in force."""
        sizes = exits_at(self.layout.n_exits, self.layout.n_positions)
        return line("StagedModel", sizes, "no configuration" if self.config is None else repr(self.config))

    @property
    def layout(self) -> ExitLayout:
        """Who stands where, with the measure of confidence and the temperatures of the model that was exported."""
        return self._layout

    @property
    def costs(self) -> ExitCosts | None:
        """What was given to `export_onnx`."""
        return self._costs

    @property
    def configs(self) -> dict[str, ExitConfig | CertifiedPoint]:
        """The configurations in the bundle by name, certified points with their certificates."""
        return dict(self._configs)

    @property
    def config(self) -> ExitConfig | None:
        """The configuration in force; None where every sample goes to the final exit."""
        return self._plan.config

    def configure(self, config: str | ExitConfig | OperatingPoint | None) -> None:
        """Switches at once, from any thread: the next batch takes this configuration, one under way keeps its own.

        Args:
            config: the name of a configuration in the bundle, any other configuration or point of this network, or
                None for the final exit alone.

        Raises:
            ConfigError: no such name, a configuration of another network, or of confidences that cannot be measured.
                The configuration in force stays.
        """
        found: object = config
        if isinstance(config, str):
            if config not in self._configs:
                known = ", ".join(map(repr, self._configs)) or "none"
                raise ConfigError(f"the bundle has no configuration {config!r}: it has {known}")
            found = self._configs[config]
        if isinstance(found, OperatingPoint):
            found = found.config
        if found is not None and not isinstance(found, ExitConfig):
            raise ConfigError(
                f"config must be a name, an ExitConfig, an OperatingPoint or None, got {type(found).__name__}"
            )
        self._plan = self._ready(found)

    def _ready(self, config: ExitConfig | None) -> _Plan:
        own, layout = self._layout, None if config is None else config.layout
        name = own.measure if layout is None or layout.measure is None else layout.measure
        unread = layout is None or (layout.measure is None and layout.temperature is None)
        heats = own.temperatures if unread or layout is None else layout.temperatures
        if name not in self._measures:
            error = ModelError if config is None else ConfigError
            raise error(
                f"confidences are {name!r}, which is not known here: it is {', '.join(self._measures)}; pass "
                f"StagedModel(..., measures={{{name!r}: function}})"
            )
        positions = own.n_positions
        exits = [-1] * positions if config is None else config.exits(own.network, "the bundle").tolist()
        thresholds = [np.float32(0)] * positions if config is None else list(config.threshold)
        return _Plan(config, tuple(exits), tuple(thresholds), self._measures[name], tuple(heats.tolist()))

    def __call__(self, *inputs: Any, **named: Any) -> StagedOutput:
        """Answers a batch.

        Args:
            inputs: of the network, (B, ...) each, arrays or tensors; a tuple or a mapping alone stands for what is in
                it. Floating point numbers are cast to those that the stages take, integers to integers.
            named: the same by name.

        Raises:
            ModelError: arguments that are unknown, missing or of another shape or type, an empty batch, NaN.
        """
        plan = self._plan  # read once: a switch during this batch does not matter
        board, batch = board_of(self._manifest, inputs, named)
        rows, left = np.arange(batch), []
        for p, stage in enumerate(self._stages):
            board |= stage(board)
            e = plan.exits[p] if p < len(plan.exits) else -1
            if p == len(plan.exits):
                logits = board[self._manifest.final]
                left.append((p, rows, logits, self._judged(plan, logits, e, rows)))
            elif e >= 0:
                logits = self._heads[e](board)[LOGITS]
                confidence = self._judged(plan, logits, e, rows)
                gone = leaves(confidence, plan.thresholds[p])
                if gone.any():
                    left.append((p, rows[gone], logits[gone], confidence[gone]))
                    if gone.all():
                        break
                    stay = np.flatnonzero(~gone)
                    rows, board = rows[stay], self._compacted(board, p, stay)
                    continue
            board = self._compacted(board, p, None)
        return _output(plan.config, left)

    def _compacted(self, board: Board, p: int, stay: IntArray | None) -> Board:
        """What is needed behind a position, of the rows that stay; None for all of them."""
        axes = self._manifest.axes
        kept = {name: board[name] for name in self._needed[p] if name in board}
        if stay is None:
            return kept
        return {name: value if (at := axes[name]) is None else value.take(stay, at) for name, value in kept.items()}

    def _judged(self, plan: _Plan, logits: Array, e: int, rows: IntArray) -> FloatArray:
        """(B,) confidences of an exit's logits (B, C).

        Raises:
            ModelError: NaN, or something of another shape or type.
        """
        if logits.ndim != 2 or len(logits) != len(rows):
            raise ModelError(f"exit {self._layout.names[e]!r} must give ({len(rows)}, C) logits, got {logits.shape}")
        with np.errstate(invalid="ignore"):  # infinities become NaN, which is said below
            measured = plan.measure(softmax(logits, plan.temperatures[e]))
        try:
            confidence = np.asarray(measured, np.float32)
        except (TypeError, ValueError) as cause:
            raise ModelError(f"the confidence measure must return (B,) numbers, got {shown(measured)}") from cause
        if confidence.shape != rows.shape:
            raise ModelError(f"the confidence measure must return shape (B,) = {rows.shape}, got {confidence.shape}")
        if np.isnan(confidence).any():
            row = int(np.isnan(confidence).argmax())
            raise ModelError(
                f"logits must not be NaN or infinite, but exit {self._layout.names[e]!r} gave "
                f"{logits[row, :3].tolist()}... for sample {rows[row]} of the batch: look at its input"
            )
        return confidence

    def all_logits(self, *inputs: Any, **named: Any) -> npt.NDArray[Any]:
        """Logits of all exits, (E, B, C), whatever the configuration.

        Args:
            inputs: of the network, as for a call.
            named: the same by name.

        Raises:
            ModelError: arguments as for a call.
        """
        board, _ = board_of(self._manifest, inputs, named)
        found: list[Array] = []
        for p, stage in enumerate(self._stages):
            board |= stage(board)
            heads = [head for head, at in zip(self._heads, self._layout.position[:-1], strict=True) if at == p]
            found += [head(board)[LOGITS] for head in heads]
            if p < self._layout.n_positions:
                board = self._compacted(board, p, None)
        return np.stack([*found, board[self._manifest.final]])

    def record(
        self, loader: Iterable[Any], *, costs: ExitCosts | None = None, group: npt.ArrayLike | None = None,
        source: str = "",
    ) -> ExitRecords:  # fmt: skip
        """Runs all exits on every sample and keeps what a search needs: a front of exactly what is served.

        Confidences are those of the bundle's own measure and temperatures.

        Args:
            loader: gives (inputs, labels): what the model takes, and (B,) true classes; or mappings with "labels".
            costs: of the exits, such as measured times of this machine; None for those in the bundle.
            group: (N,) see `ExitRecords`; in the order of the loader.
            source: free text, to which the precision is added where it is not that of the exported model.

        Raises:
            RecordsError: no costs, no samples, batches without labels, labels outside the classes, a loader that cannot
                be gone through, a source that is no text.
            ConfigError: costs of other exits.
            ModelError: arguments as for a call; NaN.
        """
        iterable(loader, "loader", RecordsError)
        text(source, "source", RecordsError)
        costs = costs if costs is not None else self._costs
        if costs is None:
            raise RecordsError("costs must be given: the bundle was exported without: pass costs=")
        require_type(costs, ExitCosts, "costs", RecordsError)
        costs = replace(costs, names=self._layout.network.joined(costs.layout, "the bundle", "the costs").names)
        confidence, prediction, label = [], [], []
        plan = self._ready(None)
        for batch in loader:
            inputs, labels = _pair(batch)
            raw = self.all_logits(inputs)
            logits = as_two_classes(raw)
            found = f"{len(labels)} from {labels.min()} to {labels.max()}" if len(labels) else "none"
            if len(labels) != logits.shape[1] or labels.min() < 0 or labels.max() >= logits.shape[2]:
                raise RecordsError(f"labels must be {logits.shape[1]} classes in [0, {logits.shape[2]}), got {found}")
            rows = np.arange(len(labels))
            confidence.append([self._judged(plan, values, e, rows) for e, values in enumerate(raw)])
            prediction.append(logits.argmax(axis=2).astype(np.int32))
            label.append(labels)
        if not label:
            raise RecordsError("the loader must give one batch or more, got none")
        labels, answers = np.concatenate(label), np.concatenate(prediction, axis=1)
        served = "ONNX Runtime" if self._manifest.precision == "float" else f"ONNX Runtime, {self._manifest.precision}"
        return ExitRecords(
            confidence=np.concatenate(confidence, axis=1),
            score=(answers == labels).astype(np.float32),
            costs=costs,
            label=labels,
            prediction=answers,
            group=group,
            measure=self._layout.measure,
            temperature=self._layout.temperature,
            source="; ".join(filter(None, [source, served])),
        )


def _output(config: ExitConfig | None, left: list[tuple[int, IntArray, Array, FloatArray]]) -> StagedOutput:
    """Puts the answers together, in the order of the batch."""
    positions, rows, logits, confidence = zip(*left, strict=True)
    back = np.concatenate(rows).argsort()
    return StagedOutput(
        logits=np.concatenate(logits)[back],
        position=np.repeat(positions, [len(group) for group in rows])[back].astype(np.int64),
        confidence=np.concatenate(confidence)[back],
        config=config,
    )


def _needed(manifest: BundleFile) -> list[tuple[str, ...]]:
    """(P+1,) the values that are needed behind each stage."""
    found: list[tuple[str, ...]] = []
    later = {manifest.final}
    for p in range(len(manifest.stages) - 1, -1, -1):
        found.append(tuple(sorted(later)))
        heads = zip(manifest.heads, manifest.layout.position[:-1], strict=True)
        later |= {*manifest.stages[p].inputs, *(name for head, at in heads if at == p for name in head.inputs)}
    return found[::-1]


def _read_config(entry: dict[str, Any], name: str, folder: PathLike) -> ExitConfig | CertifiedPoint:
    where = f"{folder}/{MANIFEST}, configuration {name!r},"
    return CertifiedPoint.from_dict(entry, where) if "certificate" in entry else ExitConfig.from_dict(entry, where)


def _pair(batch: Any) -> tuple[Any, npt.NDArray[Any]]:
    """Inputs and labels (B,) of a batch.

    Raises:
        RecordsError: it is something else.
    """
    if isinstance(batch, Mapping) and "labels" in batch:
        batch = {name: value for name, value in batch.items() if name != "labels"}, batch["labels"]
    if not isinstance(batch, (list, tuple)) or len(batch) != 2:
        raise RecordsError("the loader must give pairs (inputs, labels), or mappings with 'labels'")
    return batch[0], whole_numbers(to_numpy(batch[1], "labels", RecordsError), "labels", RecordsError, ndim=1)
