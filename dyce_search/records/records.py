"""Per-exit predictions: build, check, split and save."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import flag, several, text
from dyce_search.arrays import checked_index, ordered_mean, read_only, require_length, restore
from dyce_search.errors import ConfigError, RecordsError
from dyce_search.files import PathLike
from dyce_search.fingerprints import digest_of
from dyce_search.records.cascade import cascade_arrays
from dyce_search.records.checks import (
    checked_answers,
    checked_group,
    checked_label,
    checked_prediction,
    parted_costs,
    require_costs,
)
from dyce_search.records.confidence import Measure, measure_name
from dyce_search.records.costs import ExitCosts
from dyce_search.records.frames import arrays_from_frame
from dyce_search.records.layout import ExitLayout
from dyce_search.records.npz_files import write_records
from dyce_search.records.outputs import arrays_from_logits, arrays_from_probs
from dyce_search.records.sample_costs import SampleCosts
from dyce_search.records.splits import split_indices
from dyce_search.wording import exits_at, line, plural, quantity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitRecords:
    """What every candidate exit answered on every sample: all that a search needs.

    E candidates (position-major, final exit last, see `ExitCosts`), N samples. Arrays are read-only; one that
    already has the right type and layout is not copied, so do not write to it afterwards.

    Attributes:
        confidence: (E, N) float32, any finite value, higher means surer.
        score: (E, N) float32 in [0, 1], quality of that exit's answer: 1/0 for right/wrong, or any bounded score.
        costs: what the exits cost. A `SampleCosts` may be passed; then these are its means.
        sample_costs: what the exits cost on each sample, or None where they cost the same on all.
        label: (N,) integers, the true class, or None. Splits are stratified by it.
        prediction: (E, N) integers, each exit's answer, or None.
        group: (N,) integers or strings, or None. Samples of one group are never split apart.
        measure: what the confidences are: "max_prob", "margin", "entropy" or a name of one's own; None is unknown.
        temperature: (E,) float64, > 0, by which each exit's logits were divided before they were measured; None is 1.
        source: where the records come from, free text.
        layout: who stands where and how its confidence is read, of costs, measure and temperature: what
            configurations and models are checked against.

    Raises:
        RecordsError: wrong or transposed shapes, no samples, NaN or infinite confidences, scores outside [0, 1], a
            measure that is no name, temperatures <= 0.

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
    measure: str | None = None
    temperature: npt.NDArray[np.float64] | None = None
    source: str = ""
    sample_costs: SampleCosts | None = None
    layout: ExitLayout = field(init=False, repr=False)
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)  # what was worked out already

    if TYPE_CHECKING:  # what may be passed is wider than what is kept; the dataclass writes the real one

        def __init__(
            self,
            *,
            confidence: npt.ArrayLike,
            score: npt.ArrayLike,
            costs: ExitCosts | SampleCosts,
            label: npt.ArrayLike | None = None,
            prediction: npt.ArrayLike | None = None,
            group: npt.ArrayLike | None = None,
            measure: str | None = None,
            temperature: npt.ArrayLike | None = None,
            source: str = "",
            sample_costs: SampleCosts | None = None,
        ) -> None:
            """Takes whatever `np.asarray` takes; the attributes say what is kept."""

    def __post_init__(self) -> None:
        """Checks and freezes the arrays."""
        costs, sample_costs = parted_costs(self.costs, self.sample_costs)
        object.__setattr__(self, "costs", costs)
        object.__setattr__(self, "sample_costs", sample_costs)
        confidence, score = checked_answers(self.confidence, self.score, costs.n_exits)
        n_samples = confidence.shape[1]
        if sample_costs is not None:
            require_length(sample_costs.head[0], "each row of sample costs", n_samples, RecordsError)
        object.__setattr__(self, "confidence", confidence)
        object.__setattr__(self, "score", score)
        source = text(self.source, "source", RecordsError).encode(errors="backslashreplace")
        object.__setattr__(self, "source", source.decode())
        try:
            layout = replace(self.costs.layout, measure=self.measure, temperature=self.temperature)
        except ConfigError as cause:
            raise RecordsError(str(cause)) from cause
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "temperature", layout.temperature)
        if self.label is not None:
            object.__setattr__(self, "label", checked_label(self.label, n_samples))
        if self.prediction is not None:
            object.__setattr__(self, "prediction", checked_prediction(self.prediction, costs.n_exits, n_samples))
        if self.group is not None:
            object.__setattr__(self, "group", checked_group(self.group, n_samples))

    __setstate__ = restore

    def __repr__(self) -> str:
        """One line: sizes, unit and the final exit's accuracy."""
        sizes = f"{plural(self.n_samples, 'sample')}, {exits_at(self.n_exits, self.costs.n_positions)}"
        final = f"baseline {self.baseline_accuracy:.4f} at {quantity(self.costs.baseline, self.costs.unit)}"
        return line("ExitRecords", sizes, final)

    def _repr_html_(self) -> str:
        """A table and a picture, for notebooks."""
        from dyce_search.cards.cards import records_card

        return records_card(self)

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
            self._known["exit_accuracy"] = read_only(np.array([ordered_mean(row) for row in self.score]), np.float64)
        known: npt.NDArray[np.float64] = self._known["exit_accuracy"]
        return known

    @property
    def baseline_accuracy(self) -> float:
        """Mean score of the final exit."""
        return ordered_mean(self.score[-1])

    @property
    def digest(self) -> str:
        """SHA-256 over confidences, scores and costs: the same samples in the same order give the same digest."""
        if "digest" not in self._known:
            paid = () if self.sample_costs is None else (*self.sample_costs.backbone, *self.sample_costs.head)
            self._known["digest"] = digest_of((*self.confidence, *self.score, *paid), repr(self.costs.to_dict()))
        return str(self._known["digest"])

    def subset(self, index: npt.ArrayLike) -> Self:
        """The records of some samples, in the order of `index`.

        Args:
            index: (M,) integers in [-N, N), or (N,) booleans.

        Raises:
            RecordsError: an index out of range, a mask of the wrong length, no sample left.
        """
        chosen = checked_index(index, self.n_samples, RecordsError)
        by_sample = None if self.sample_costs is None else self.sample_costs.subset(chosen)
        return replace(
            self,
            confidence=self.confidence[:, chosen],
            score=self.score[:, chosen],
            costs=self.costs if by_sample is None else by_sample.mean,
            sample_costs=by_sample,
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
        indices = split_indices(self.n_samples, fractions, seed, label=self.label, group=self.group)
        return tuple(self.subset(index) for index in indices)

    @classmethod
    def from_probs(
        cls,
        probs: Any,
        labels: Any,
        *,
        costs: ExitCosts | SampleCosts,
        confidence: str | Measure = "max_prob",
        group: Any = None,
        source: str = "",
    ) -> Self:
        """Builds records from class probabilities; the score is 1 where the likeliest class is the label.

        Args:
            probs: (E, N, C) real, rows sum to 1; or (E, N, 1), of the second of two classes. Or E arrays, or tensors.
            labels: (N,) integers in [0, C).
            costs: of the E candidates.
            confidence: "max_prob", "margin", "entropy" (see `dyce_search.records.confidence`), or a callable that turns
                (N, C) float32 probabilities into (N,) confidences; its name becomes the records' `measure`.
            group: (N,) see `ExitRecords`.
            source: free text.

        Raises:
            RecordsError: shapes that do not fit, labels outside the classes, probabilities that do not sum to 1.
        """
        require_costs(costs)
        arrays = arrays_from_probs(probs, labels, costs.n_exits, confidence)
        return cls(**arrays, costs=costs, group=group, measure=measure_name(confidence), source=source)

    @classmethod
    def from_logits(
        cls,
        logits: Any,
        labels: Any,
        *,
        costs: ExitCosts | SampleCosts,
        confidence: str | Measure = "max_prob",
        temperature: npt.ArrayLike | None = 1.0,
        group: Any = None,
        source: str = "",
    ) -> Self:
        """Builds records from logits; the score is 1 where the largest logit is the label's.

        Args:
            logits: (E, N, C) real; or a sequence of E arrays (N, C). Tensors are taken too. -inf rules a class out.
                One column is the logit of the second of two classes. Probabilities are refused: see `from_probs`.
            labels: (N,) integers in [0, C).
            costs: of the E candidates.
            confidence: as in `from_probs`.
            temperature: one number > 0, or (E,), by which each exit's logits are divided first; None is 1.
            group: (N,) see `ExitRecords`.
            source: free text.

        Raises:
            RecordsError: shapes that do not fit, labels outside the classes, temperatures <= 0.

        Example:
            >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
            >>> records = ExitRecords.from_logits([[[2.0, 0.0]], [[0.0, 3.0]]], [1], costs=costs)
            >>> records.score.tolist()
            [[0.0], [1.0]]
        """
        require_costs(costs)
        arrays = arrays_from_logits(logits, labels, costs.n_exits, confidence, temperature)
        return cls(
            **arrays,
            costs=costs,
            group=group,
            measure=measure_name(confidence),
            temperature=temperature,
            source=source,
        )

    @classmethod
    def from_cascade(
        cls,
        *,
        price: npt.ArrayLike,
        confidence: Any,
        score: Any = None,
        prediction: Any = None,
        label: Any = None,
        group: npt.ArrayLike | None = None,
        unit: str = "MACs",
        names: Iterable[str] = (),
        measure: str | None = None,
        source: str = "",
    ) -> Self:
        """Builds records of a cascade of whole models, small to large, of which the last answers whatever is left.

        A configuration says which models are used and from which confidence on each one's answer stands. A sample pays
        the full price of every model that it was given to. From a log, one row a query and model: `load_cascade`; from
        logits: `from_logits` with `ExitCosts.cascade`.

        Args:
            price: (M,) full price of each model, see `ExitCosts.cascade`; or (M, N) where it differs by sample, see
                `SampleCosts.cascade`.
            confidence: (M, N), or a sequence of M arrays (N,): of each model in its own answer. -inf is an answer that
                must not be taken as sure (no answer, a refusal); it is kept as the lowest finite number, so only a
                threshold of -inf lets it leave. The last model needs none: leave its row out, or let it be None or NaN.
            score: (M, N) in [0, 1], by any judge; without it, 1 where `prediction` is `label`.
            prediction: (M, N) integers or strings, each model's answer; strings are kept as numbers.
            label: (N,) integers or strings, the right answer.
            group: (N,) see `ExitRecords`.
            unit: what the prices count.
            names: (M,) of the models.
            measure: what the confidences are, see `ExitRecords`.
            source: free text.

        Raises:
            RecordsError: models with different numbers of samples, neither scores nor predictions and labels,
                confidences or scores that are NaN (says of which model and sample).
            CostsError: prices that are negative or not finite, or fewer than two.

        Example:
            >>> confidence = [[0.9, 0.8, 0.3]]  # of a small model, on three samples; the large one has the last word
            >>> right = [[1, 0, 1], [1, 1, 1]]
            >>> records = ExitRecords.from_cascade(price=[1.0, 10.0], confidence=confidence, score=right)
            >>> records.exit_accuracy.round(2).tolist(), records.costs.baseline
            ([0.67, 1.0], 10.0)
        """
        arrays = cascade_arrays(
            price=price, confidence=confidence, score=score, prediction=prediction, label=label, unit=unit,
            names=several(names, str, "names", RecordsError),
        )  # fmt: skip
        return cls(**arrays, group=group, measure=measure, source=source)

    @classmethod
    def from_frame(
        cls, frame: Any, *, costs: ExitCosts | SampleCosts, measure: str | None = None, source: str = ""
    ) -> Self:
        """Builds records from a table, long or wide. `load_records` reads such tables from CSV and Parquet.

        Args:
            frame: a pandas DataFrame. Long, a row for each exit on each sample: columns `sample` (any value), `exit`
                (0 to E-1, in the order of `costs`), `confidence`, and `score`. Wide, a row a sample: `confidence_0` to
                `confidence_{E-1}` and `score_0` to `score_{E-1}`. In place of the scores, `prediction` (or
                `prediction_0`, ...) and `label`, whole numbers. `label` and `group` are kept, other columns ignored.
            costs: of the E candidates; a `SampleCosts` in the order in which the samples first appear.
            measure: what the confidences are, see `ExitRecords`.
            source: free text.

        Raises:
            RecordsError: missing columns (with what they may be called), entries that are no numbers, samples
                without a row for some exit or with two.

        Example:
            >>> import pandas as pd
            >>> frame = pd.DataFrame({"confidence_0": [0.9, 0.2], "confidence_1": [0.8, 0.7]})
            >>> frame = frame.assign(prediction_0=[3, 1], prediction_1=[3, 4], label=[3, 4])
            >>> costs = ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
            >>> ExitRecords.from_frame(frame, costs=costs).score.tolist()
            [[1.0, 0.0], [1.0, 1.0]]
        """
        require_costs(costs)
        return cls(**arrays_from_frame(frame, costs.n_exits), costs=costs, measure=measure, source=source)

    def save(self, path: PathLike, *, compress: bool = True, half: bool = False) -> None:
        """Writes one `.npz` without pickle: the arrays, the costs and a JSON header. Atomic.

        A sample and exit takes 4 bytes for its confidence and, where answers are right or wrong, one for its score.

        Args:
            path: written as given; no ending is added.
            compress: False is faster and larger, and `load_records(path, in_memory=False)` can read it.
            half: confidences in float16: half the space. They are rounded to 11 bits, which makes equal ones of those
                that are near, most of all just below 1, where probabilities crowd.

        Raises:
            FileFormatError: the folder cannot be written.
            RecordsError: confidences beyond 65,504, which float16 cannot hold.
        """
        kept = {name: flag(value, name, RecordsError) for name, value in (("compress", compress), ("half", half))}
        write_records(path, self, **kept)


def require_records(records: object, name: str = "records") -> None:
    """For functions that are given records, in an argument of this name.

    Raises:
        RecordsError: it is something else.
    """
    if not isinstance(records, ExitRecords):
        found = type(records).__name__
        hint = "use ds.load_records or ds.ExitRecords(...)"
        if found == "StoredRecords":
            hint = "this needs them in memory: .load() reads all of them, .subset(index).load() some"
        raise RecordsError(f"{name} must be an ExitRecords, got {found}: {hint}")
