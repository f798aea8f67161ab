"""Records that stay in their file: for more samples than memory holds."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import require_type, text, whole
from dyce_search.arrays import checked_index, ordered_mean, read_only, restore
from dyce_search.errors import ConfigError, RecordsError
from dyce_search.fingerprints import digest_of
from dyce_search.records.checks import checked_group, checked_label, require_answer_shapes
from dyce_search.records.costs import ExitCosts
from dyce_search.records.layout import ExitLayout
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import SampleCosts
from dyce_search.records.splits import split_indices
from dyce_search.records.stored_arrays import StoredArray
from dyce_search.wording import exits_at, line, plural

BLOCK = 1 << 16  # samples that are in memory at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredRecords:
    """Records of which confidences, scores and predictions stay in an `.npz`: `load_records(path, in_memory=False)`.

    `search` takes them: of more than 131,072 samples it loads the part that it searches on expected scores, and no
    more. `front.evaluate` takes them, block by block. For all else, `load` some of them: `records.subset(index).load()`
    are the `ExitRecords` of some samples. `subset` and `split` only note which samples they are.

    The file was checked once from end to end when it was opened. It must stay as it is: whatever reads it again notices
    when it is gone or was changed, by its size and time, and raises `FileFormatError`. To write new records, write a
    new file.

    Attributes:
        confidence: (E, M) where they are in the file, of all its samples.
        score: (E, M) the same.
        costs: what the exits cost.
        label: (N,) integers, the true class, or None.
        prediction: (E, M) where they are in the file, or None.
        group: (N,) integers or strings, or None.
        index: (N,) which samples of the file these are, in this order; None is all of them.
        measure: what the confidences are, see `ExitRecords`.
        temperature: (E,) float64, or None.
        source: where the records come from.
        layout: who stands where and how its confidence is read.

    Raises:
        RecordsError: shapes that do not fit together, costs that differ by sample.
    """

    confidence: StoredArray
    score: StoredArray
    costs: ExitCosts
    label: npt.NDArray[Any] | None = None
    prediction: StoredArray | None = None
    group: npt.NDArray[Any] | None = None
    index: npt.NDArray[np.int64] | None = None
    measure: str | None = None
    temperature: npt.NDArray[np.float64] | None = None
    source: str = ""
    layout: ExitLayout = field(init=False, repr=False)
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)  # what was worked out already

    if TYPE_CHECKING:  # what may be passed is wider than what is kept; the dataclass writes the real one

        def __init__(
            self,
            *,
            confidence: StoredArray,
            score: StoredArray,
            costs: ExitCosts | SampleCosts,
            label: npt.ArrayLike | None = None,
            prediction: StoredArray | None = None,
            group: npt.ArrayLike | None = None,
            index: npt.NDArray[np.int64] | None = None,
            measure: str | None = None,
            temperature: npt.ArrayLike | None = None,
            source: str = "",
        ) -> None:
            """See the attributes."""

    def __post_init__(self) -> None:
        """Checks what is in memory, and shapes; who opened the file has checked what is in it."""
        if not isinstance(self.costs, ExitCosts):
            raise RecordsError(
                f"costs of records in a file must be an ExitCosts, got {type(self.costs).__name__}: those that differ "
                "by sample need the records in memory"
            )
        for name in ("confidence", "score", "prediction"):
            if getattr(self, name) is not None or name != "prediction":
                require_type(getattr(self, name), StoredArray, name, RecordsError)
        require_answer_shapes(self.confidence.shape, self.score.shape, self.costs.n_exits)
        if self.prediction is not None and self.prediction.shape != self.confidence.shape:
            raise RecordsError(
                f"prediction must have shape (E, N) = {self.confidence.shape}, got {self.prediction.shape}"
            )
        try:
            layout = replace(self.costs.layout, measure=self.measure, temperature=self.temperature)
        except ConfigError as cause:
            raise RecordsError(str(cause)) from cause
        text(self.source, "source", RecordsError)
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "temperature", layout.temperature)
        if self.index is not None:
            index = checked_index(self.index, self.confidence.shape[1], RecordsError) % self.confidence.shape[1]
            object.__setattr__(self, "index", index)
        if self.label is not None:
            object.__setattr__(self, "label", checked_label(self.label, self.n_samples))
        if self.group is not None:
            object.__setattr__(self, "group", checked_group(self.group, self.n_samples))

    __setstate__ = restore

    def __repr__(self) -> str:
        """One line: sizes and the file."""
        sizes = f"{plural(self.n_samples, 'sample')}, {exits_at(self.n_exits, self.costs.n_positions)}"
        return line("StoredRecords", sizes, f"in {self.confidence.path}")

    @property
    def n_exits(self) -> int:
        """E, the number of candidates, the final exit included."""
        return self.confidence.shape[0]

    @property
    def n_samples(self) -> int:
        """N, the number of samples."""
        return self.confidence.shape[1] if self.index is None else len(self.index)

    @property
    def exit_accuracy(self) -> npt.NDArray[np.float64]:
        """(E,) mean score of each candidate over all samples."""
        if "exit_accuracy" not in self._known:
            means = [ordered_mean(row) for row in self._rows(self.score, np.float32)]
            self._known["exit_accuracy"] = read_only(np.array(means), np.float64)
        known: npt.NDArray[np.float64] = self._known["exit_accuracy"]
        return known

    @property
    def baseline_accuracy(self) -> float:
        """Mean score of the final exit."""
        return float(self.exit_accuracy[-1])

    @property
    def digest(self) -> str:
        """The same as that of the records in memory, see `ExitRecords`; it reads all of them."""
        if "digest" not in self._known:
            rows = (row for array in (self.confidence, self.score) for row in self._rows(array, np.float32))
            self._known["digest"] = digest_of(rows, repr(self.costs.to_dict()))
        return str(self._known["digest"])

    def subset(self, index: npt.ArrayLike) -> Self:
        """Some of the samples, in the order of `index`; nothing is read.

        Args:
            index: (M,) integers in [-N, N), or (N,) booleans.

        Raises:
            RecordsError: an index out of range, a mask of the wrong length, no sample left.
        """
        chosen = checked_index(index, self.n_samples, RecordsError) % self.n_samples
        return replace(
            self,
            index=chosen if self.index is None else self.index[chosen],
            label=None if self.label is None else self.label[chosen],
            group=None if self.group is None else self.group[chosen],
        )

    def split(self, *fractions: float, seed: int) -> tuple[Self, ...]:
        """The same split as that of the records in memory, see `ExitRecords.split`; nothing is read.

        Args:
            fractions: each in (0, 1), together below 1.
            seed: of the shuffle.

        Raises:
            RecordsError: fractions that do not fit, or a part that would be empty.
        """
        indices = split_indices(self.n_samples, fractions, seed, label=self.label, group=self.group)
        return tuple(self.subset(index) for index in indices)

    def load(self) -> ExitRecords:
        """Reads all of the samples into memory: 8 bytes a sample and exit, more with predictions.

        Raises:
            FileFormatError: the file is gone or was changed.
        """
        return ExitRecords(
            confidence=self._matrix(self.confidence, np.float32),
            score=self._matrix(self.score, np.float32),
            costs=self.costs,
            label=self.label,
            prediction=None if self.prediction is None else self._matrix(self.prediction, self.prediction.dtype),
            group=self.group,
            measure=self.measure,
            temperature=self.temperature,
            source=self.source,
        )

    def blocks(self, size: int = BLOCK) -> Iterator[ExitRecords]:
        """The records of up to `size` samples at a time, in memory, in order.

        Args:
            size: samples of a block, at least 1.

        Raises:
            RecordsError: no whole number of at least 1.
        """
        size = whole(size, "size", RecordsError, least=1)
        starts = range(0, self.n_samples, size)
        return (self.subset(np.arange(start, min(start + size, self.n_samples))).load() for start in starts)

    def _rows(self, array: StoredArray, dtype: npt.DTypeLike) -> Iterator[npt.NDArray[Any]]:
        """The rows (N,) of these samples, one by one."""
        low, high = (0, array.shape[1]) if self.index is None else (int(self.index.min()), int(self.index.max()) + 1)
        within = None if self.index is None else self.index - low
        for exit_index in range(array.shape[0]):
            row = array.read(exit_index, low, high)
            with np.errstate(over="ignore"):  # whoever opened the file has found them finite in float32
                yield (row if within is None else row[within]).astype(dtype, copy=False)

    def _matrix(self, array: StoredArray, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        matrix = np.empty((array.shape[0], self.n_samples), dtype)
        for target, row in zip(matrix, self._rows(array, dtype), strict=True):
            target[:] = row
        return matrix


AnyRecords = ExitRecords | StoredRecords
"""Records in memory or in a file."""


def require_any_records(records: object) -> None:
    """For functions that take records in memory or in a file.

    Raises:
        RecordsError: it is something else.
    """
    if not isinstance(records, (ExitRecords, StoredRecords)):
        raise RecordsError(
            f"records must be an ExitRecords, got {type(records).__name__}: use ds.load_records or ds.ExitRecords(...)"
        )
