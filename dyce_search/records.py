"""Per-exit predictions: build, check, split, load and save. Imports costs, confidence, record_files and below."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arrays import numbers, read_only, require_finite_rows, restore, to_numpy, whole_numbers
from dyce_search.confidence import Measure, find_measure, softmax
from dyce_search.costs import ExitCosts
from dyce_search.errors import RecordsError
from dyce_search.files import PathLike
from dyce_search.record_files import read_arrays, write_arrays


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitRecords:
    """What every candidate exit answered on every sample: all that a search needs.

    E candidates (position-major, final exit last, see `ExitCosts`), N samples. Arrays are read-only; one that
    already has the right type and layout is not copied, so do not write to it afterwards.

    Attributes:
        confidence: (E, N) float32, any finite value, higher means surer.
        score: (E, N) float32 in [0, 1], quality of that exit's answer: 1/0 for right/wrong, or any bounded score.
        costs: what the exits cost.
        label: (N,) integers, the true class, or None. Splits are stratified by it.
        prediction: (E, N) integers, each exit's answer, or None.
        group: (N,) integers or strings, or None. Samples of one group are never split apart.
        provenance: where the records come from, free text.

    Raises:
        RecordsError: wrong or transposed shapes, no samples, NaN or infinite confidences, scores outside [0, 1].

    Example:
        >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
        >>> records = ExitRecords(confidence=[[0.9, 0.2], [0.8, 0.7]], score=[[1, 0], [1, 1]], costs=costs)
        >>> records.n_samples, records.exit_accuracy.tolist()
        (2, [0.5, 1.0])
    """

    confidence: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    costs: ExitCosts
    label: npt.NDArray[Any] | None = None
    prediction: npt.NDArray[Any] | None = None
    group: npt.NDArray[Any] | None = None
    provenance: str = ""
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)  # what was worked out already

    def __post_init__(self) -> None:
        """Checks and freezes the arrays."""
        _require_costs(self.costs)
        confidence = numbers(self.confidence, "confidence", RecordsError, dtype=np.float32, ndim=2)
        score = numbers(self.score, "score", RecordsError, dtype=np.float32, ndim=2)
        n_exits, n_samples = self.costs.n_exits, confidence.shape[1]
        if confidence.shape[0] != n_exits:
            expected = f"confidence must have one row per candidate, (E, N) = ({n_exits}, N)"
            hint = (
                "transpose it, exits come first"
                if confidence.shape[1] == n_exits
                else f"the costs describe {n_exits} candidates, the final exit included"
            )
            raise RecordsError(f"{expected}, got {confidence.shape}: {hint}")
        if n_samples == 0:
            raise RecordsError("records must have at least one sample, got confidence of shape (E, 0)")
        if score.shape != confidence.shape:
            hint = ": transpose it, exits come first" if score.shape == confidence.shape[::-1] else ""
            raise RecordsError(f"score must have the shape of confidence, {confidence.shape}, got {score.shape}{hint}")
        require_finite_rows(confidence, "confidence", RecordsError)
        for exit_index, row in enumerate(score):
            if not (row.min() >= 0 and row.max() <= 1):
                sample = int(np.flatnonzero(~((row >= 0) & (row <= 1)))[0])
                raise RecordsError(
                    f"score must lie in [0, 1], got {row[sample]} at exit {exit_index}, sample {sample}: scale it first"
                )
        object.__setattr__(self, "confidence", confidence)
        object.__setattr__(self, "score", score)
        object.__setattr__(self, "provenance", str(self.provenance))
        self._check_optional(n_exits, n_samples)

    __setstate__ = restore

    def _check_optional(self, n_exits: int, n_samples: int) -> None:
        if self.label is not None:
            label = whole_numbers(self.label, "label", RecordsError, ndim=1)
            _require_length(label, "label", n_samples)
            object.__setattr__(self, "label", label)
        if self.prediction is not None:
            prediction = whole_numbers(self.prediction, "prediction", RecordsError, ndim=2)
            if prediction.shape != (n_exits, n_samples):
                raise RecordsError(
                    f"prediction must have shape (E, N) = ({n_exits}, {n_samples}), got {prediction.shape}"
                )
            object.__setattr__(self, "prediction", prediction)
        if self.group is not None:
            group = to_numpy(_strings(self.group), "group", RecordsError)
            if group.ndim != 1 or group.dtype.kind not in "iuUSb":
                raise RecordsError(
                    f"group must be (N,) integers or strings, got shape {group.shape}, dtype {group.dtype}"
                )
            _require_length(group, "group", n_samples)
            group = group.copy()
            group.flags.writeable = False
            object.__setattr__(self, "group", group)

    def __repr__(self) -> str:
        """One line: sizes, unit and the final exit's accuracy."""
        return (
            f"ExitRecords({self.n_samples:,} samples, {self.n_exits} exits at {self.costs.n_positions} positions, "
            f"baseline {self.baseline_accuracy:.4f} at {self.costs.baseline:,.10g} {self.costs.unit})"
        )

    @property
    def n_exits(self) -> int:
        """E, the number of candidates, the final exit included."""
        return len(self.confidence)

    @property
    def n_samples(self) -> int:
        """N, the number of samples."""
        return int(self.confidence.shape[1])

    @property
    def exit_accuracy(self) -> npt.NDArray[np.float64]:
        """(E,) mean score of each candidate over all samples."""
        if "exit_accuracy" not in self._known:
            self._known["exit_accuracy"] = read_only(np.array([_mean(row) for row in self.score]), np.float64)
        known: npt.NDArray[np.float64] = self._known["exit_accuracy"]
        return known

    @property
    def baseline_accuracy(self) -> float:
        """Mean score of the final exit."""
        return _mean(self.score[-1])

    @property
    def digest(self) -> str:
        """SHA-256 over confidences, scores and costs: the same samples in the same order give the same digest."""
        if "digest" not in self._known:
            with ThreadPoolExecutor(2) as pool:
                hashes = pool.map(lambda row: hashlib.sha256(row).digest(), (*self.confidence, *self.score))
                whole = hashlib.sha256(b"".join(hashes))
            whole.update(repr(self.costs.to_dict()).encode())
            self._known["digest"] = whole.hexdigest()
        return str(self._known["digest"])

    def subset(self, index: npt.ArrayLike) -> Self:
        """The records of some samples, in the order of `index`.

        Args:
            index: (M,) integers in [-N, N), or (N,) booleans.

        Raises:
            RecordsError: an index out of range, a mask of the wrong length, no sample left.
        """
        chosen = to_numpy(index, "index", RecordsError)
        if chosen.ndim != 1 or (chosen.dtype.kind not in "iub" and chosen.size):
            raise RecordsError(
                f"index must be (M,) integers or (N,) booleans, got shape {chosen.shape}, dtype {chosen.dtype}"
            )
        if chosen.dtype.kind == "b":
            _require_length(chosen, "a boolean index", self.n_samples)
            chosen = np.flatnonzero(chosen)
        if not chosen.size:
            raise RecordsError("index selects no sample: records must have at least one")
        if chosen.min() < -self.n_samples or chosen.max() >= self.n_samples:
            raise RecordsError(f"index must lie in [-{self.n_samples}, {self.n_samples}), got {chosen.tolist()[:3]}...")
        return replace(
            self,
            confidence=self.confidence[:, chosen],
            score=self.score[:, chosen],
            label=None if self.label is None else self.label[chosen],
            prediction=None if self.prediction is None else self.prediction[:, chosen],
            group=None if self.group is None else self.group[chosen],
        )

    def split(self, *fractions: float, seed: int) -> tuple[Self, ...]:
        """Splits the samples at random into disjoint parts: one per fraction, then the rest.

        Stratified by `label` where there are labels; samples of one `group` stay together (and then the sizes are
        only near the fractions). Search on one part, certify on a second, report on a third.

        Args:
            fractions: each in (0, 1), together below 1.
            seed: of the shuffle; the same seed gives the same split.

        Raises:
            RecordsError: fractions that do not fit, or a part that would be empty.

        Example:
            >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
            >>> records = ExitRecords(confidence=np.zeros((2, 10)), score=np.ones((2, 10)), costs=costs)
            >>> [part.n_samples for part in records.split(0.5, 0.2, seed=0)]
            [5, 2, 3]
        """
        are_numbers = all(isinstance(fraction, (int, float, np.number)) for fraction in fractions)
        if not (fractions and are_numbers and all(0 < f < 1 for f in fractions) and sum(fractions) < 1):
            raise RecordsError(
                f"fractions must each lie in (0, 1) and sum to less than 1 (the rest is the last part), got {fractions}"
            )
        if not isinstance(seed, (int, np.integer)) or seed < 0:
            raise RecordsError(f"seed must be a whole number >= 0, got {seed!r}")
        rng = np.random.default_rng(seed)
        if self.group is None:
            part = self._label_parts(fractions, rng)
        else:
            part = self._group_parts(self.group, fractions, rng)
        indices = [np.flatnonzero(part == k) for k in range(len(fractions) + 1)]
        for k, index in enumerate(indices):
            if not index.size:
                raise RecordsError(
                    f"part {k} of the split would be empty: {self.n_samples} samples"
                    f"{' in too few groups' if self.group is not None else ''} cannot be split by {fractions}"
                )
        return tuple(self.subset(index) for index in indices)

    def _label_parts(self, fractions: Sequence[float], rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """(N,) part of each sample. Each part takes evenly spaced turns along the labels, so it is stratified."""
        rest = rng.permutation(self.n_samples)
        if self.label is not None:
            rest = rest[np.argsort(self.label[rest], kind="stable")]
        part = np.full(self.n_samples, len(fractions))
        for k, fraction in enumerate(fractions):
            size = min(round(fraction * self.n_samples), len(rest))
            turns = np.diff(np.arange(len(rest) + 1) * size // max(len(rest), 1)) > 0
            part[rest[turns]] = k
            rest = rest[~turns]
        return part

    def _group_parts(
        self, groups: npt.NDArray[Any], fractions: Sequence[float], rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """(N,) part of each sample, whole groups at a time, in random order, until each part has its share."""
        _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        order = rng.permutation(len(sizes))
        middle = np.cumsum(sizes[order]) - sizes[order] / 2
        part_of_group = np.empty(len(sizes), np.int64)
        part_of_group[order] = np.searchsorted(np.cumsum(fractions) * self.n_samples, middle, side="right")
        part: npt.NDArray[np.int64] = part_of_group[group]
        return part

    @classmethod
    def from_probs(
        cls,
        probs: Any,
        labels: Any,
        *,
        costs: ExitCosts,
        confidence: str | Measure = "max_prob",
        group: Any = None,
        provenance: str = "",
    ) -> Self:
        """Builds records from class probabilities; the score is 1 where the likeliest class is the label.

        Args:
            probs: (E, N, C) real, rows sum to 1; or a sequence of E arrays (N, C). Tensors are taken too.
            labels: (N,) integers in [0, C).
            costs: of the E candidates.
            confidence: "max_prob", "margin", "entropy" (see `dyce_search.confidence`), or a callable that turns
                (N, C) float32 probabilities into (N,) confidences.
            group: (N,) see `ExitRecords`.
            provenance: free text.

        Raises:
            RecordsError: shapes that do not fit, labels outside the classes, probabilities that do not sum to 1.
        """

        def checked(values: npt.NDArray[Any], exit_index: int) -> npt.NDArray[np.float32]:
            if values.size and (values.min() < 0 or abs(values.sum(axis=1, dtype=np.float64) - 1).max() > 1e-2):
                raise RecordsError(
                    f"probs must be >= 0 with rows that sum to 1, which exit {exit_index} does not: "
                    "use from_logits for raw outputs"
                )
            return values.astype(np.float32)

        return cls._from_outputs(probs, "probs", labels, checked, costs, confidence, group, provenance)

    @classmethod
    def from_logits(
        cls,
        logits: Any,
        labels: Any,
        *,
        costs: ExitCosts,
        confidence: str | Measure = "max_prob",
        temperature: npt.ArrayLike = 1.0,
        group: Any = None,
        provenance: str = "",
    ) -> Self:
        """Builds records from logits; the score is 1 where the largest logit is the label's.

        Args:
            logits: (E, N, C) real; or a sequence of E arrays (N, C). Tensors are taken too.
            labels: (N,) integers in [0, C).
            costs: of the E candidates.
            confidence: as in `from_probs`.
            temperature: one number > 0, or (E,), by which each exit's logits are divided first.
            group: (N,) see `ExitRecords`.
            provenance: free text.

        Raises:
            RecordsError: shapes that do not fit, labels outside the classes, temperatures <= 0.

        Example:
            >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
            >>> records = ExitRecords.from_logits([[[2.0, 0.0]], [[0.0, 3.0]]], [1], costs=costs)
            >>> records.score.tolist()
            [[0.0], [1.0]]
        """
        _require_costs(costs)
        heat = to_numpy(temperature, "temperature", RecordsError)
        valid = heat.dtype.kind in "iuf" and heat.shape in ((), (costs.n_exits,))
        if not valid or not np.all(np.isfinite(heat) & (heat > 0)):
            raise RecordsError(
                f"temperature must be one number > 0, or one for each of the {costs.n_exits} exits, got {heat}"
            )
        heats = np.broadcast_to(heat, costs.n_exits)
        return cls._from_outputs(
            logits,
            "logits",
            labels,
            lambda values, exit_index: softmax(values, float(heats[exit_index])),
            costs,
            confidence,
            group,
            provenance,
        )

    @classmethod
    def _from_outputs(
        cls,
        outputs: Any,
        name: str,
        labels: Any,
        to_probs: Callable[[npt.NDArray[Any], int], npt.NDArray[np.float32]],
        costs: ExitCosts,
        confidence: str | Measure,
        group: Any,
        provenance: str,
    ) -> Self:
        _require_costs(costs)
        measure = find_measure(confidence)
        label = whole_numbers(labels, "labels", RecordsError, ndim=1)
        n_exits, n_samples = costs.n_exits, len(label)
        if not hasattr(outputs, "__len__") or len(outputs) != n_exits:
            found = str(len(outputs)) if hasattr(outputs, "__len__") else type(outputs).__name__
            raise RecordsError(f"{name} must have shape (E, N, C) with E = {n_exits} as the costs have, got {found}")
        confidences = np.empty((n_exits, n_samples), np.float32)
        predictions = np.empty((n_exits, n_samples), np.int32)
        for e in range(n_exits):  # exit by exit: no temporary of the size of all outputs
            values = to_numpy(outputs[e], f"{name}[{e}]", RecordsError)
            if values.dtype.kind not in "biuf":
                raise RecordsError(f"{name} must be numeric, got dtype {values.dtype}")
            if values.ndim != 2 or values.shape[0] != n_samples or values.shape[1] < 1:
                raise RecordsError(f"{name}[{e}] must have shape (N, C) = ({n_samples}, C), got {values.shape}")
            if not np.isfinite(values).all():
                raise RecordsError(f"{name} must be finite, which exit {e} is not")
            if n_samples and (label.min() < 0 or label.max() >= values.shape[1]):
                raise RecordsError(
                    f"labels must lie in [0, C) = [0, {values.shape[1]}), got {label.min()} to {label.max()}"
                )
            predictions[e] = values.argmax(axis=1)
            measured = numbers(measure(to_probs(values, e)), "confidence", RecordsError, dtype=np.float32, ndim=1)
            if measured.shape != (n_samples,):
                raise RecordsError(
                    f"the confidence measure must return shape (N,) = ({n_samples},), got {measured.shape}"
                )
            confidences[e] = measured
        return cls(
            confidence=confidences,
            score=(predictions == label).astype(np.float32),
            costs=costs,
            label=label,
            prediction=predictions,
            group=group,
            provenance=provenance,
        )

    def save(self, path: PathLike, *, compress: bool = True) -> None:
        """Writes one `.npz` without pickle: the arrays, the costs and a JSON header. Atomic.

        Args:
            path: written as given; no ending is added.
            compress: False is faster and larger.

        Raises:
            FileFormatError: the folder cannot be written.
        """
        arrays = {"confidence": self.confidence, "score": self.score}
        optional = {"label": self.label, "prediction": self.prediction, "group": self.group}
        arrays |= {name: value for name, value in optional.items() if value is not None}
        write_arrays(path, arrays, self.costs, self.provenance, compress=compress)


def load_records(
    path: PathLike,
    *,
    costs: ExitCosts | PathLike | None = None,
    confidence: Literal["max_prob", "margin"] = "max_prob",
) -> ExitRecords:
    """Loads records from a file in this library's format or in DyCE's. Nothing in it is ever unpickled.

    Args:
        path: an `.npz`. DyCE's has `label`, `preds` and `confs`; this library's is what `ExitRecords.save` writes.
        costs: for DyCE's format, which has none: an `ExitCosts`, or DyCE's JSON of MACs. With this library's
            format it replaces the costs in the file, for example by measured milliseconds.
        confidence: of DyCE's format: the top probability, or its distance from the second.

    Raises:
        FileFormatError: missing, truncated or pickled file; another format or version; costs that are needed.
        RecordsError: arrays that are no valid records.
        CostsError: costs that do not fit together.
    """
    if costs is not None and not isinstance(costs, ExitCosts):
        costs = ExitCosts.load(costs)
    arrays, found_costs, provenance = read_arrays(path, costs, confidence)
    return ExitRecords(**arrays, costs=found_costs, provenance=provenance)


def load_example(part: Literal["search", "test"] = "search") -> ExitRecords:
    """Real records that come with the package: a 15-block ResNet on Fashion-MNIST, 15 positions x 3 exit types.

    Args:
        part: "search" has 15,000 samples to search on, "test" 10,000 others to report on.

    Raises:
        RecordsError: another part.

    Example:
        >>> load_example()
        ExitRecords(15,000 samples, 46 exits at 15 positions, baseline 0.9315 at 14,627,648 MACs)
    """
    if part not in ("search", "test"):
        raise RecordsError(f"part must be 'search' or 'test', got {part!r}")
    package = Path(__file__).parent
    folders = (package / "example_data", package.parent / "data")  # in a wheel; in a checkout
    folder = next(folder for folder in folders if folder.is_dir())
    records = load_records(folder / f"fashion_resnet15_{part}.npz", costs=folder / "fashion_resnet15_macs.json")
    return replace(records, provenance=f"fashion_resnet15, {part}: 15-block ResNet on Fashion-MNIST (MIT)")


def _require_costs(costs: Any) -> None:
    if not isinstance(costs, ExitCosts):
        raise RecordsError(f"costs must be an ExitCosts, got {type(costs).__name__}")


def _require_length(array: npt.NDArray[Any], name: str, n_samples: int) -> None:
    if len(array) != n_samples:
        raise RecordsError(f"{name} must have one entry per sample, {n_samples}, got {len(array)}")


def _strings(group: Any) -> Any:
    """Strings that come as Python objects, as pandas has them, as an array of strings; the rest as it is."""
    entries = np.asarray(group) if hasattr(group, "__array__") and not hasattr(group, "detach") else None
    if entries is not None and entries.dtype == object and all(isinstance(entry, str) for entry in entries.flat):
        return entries.astype(str)
    return group


def _mean(score: npt.NDArray[np.float32]) -> float:
    """Adds up in the order of the samples, as `evaluate` does: the same mean to the bit."""
    right = np.count_nonzero(score)
    if right == score.sum(dtype=np.float64):  # only zeros and ones: any order will do
        return right / len(score)
    return float(np.add.accumulate(score, dtype=np.float64)[-1] / len(score))
