"""Records out of tables, long or wide."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import is_whole, shown
from dyce_search.arrays import whole_numbers
from dyce_search.errors import RecordsError

Arrays = dict[str, Any]  # arrays, by argument
OPTIONAL = ("label", "group")


def arrays_from_frame(frame: Any, n_exits: int) -> Arrays:
    """The arrays that `ExitRecords` takes: see `ExitRecords.from_frame`.

    Args:
        frame: a pandas DataFrame.
        n_exits: E, as the costs have.

    Raises:
        RecordsError: missing, misspelled or non-numeric columns; samples without a row for some exit, or with two.
    """
    if not (hasattr(frame, "columns") and hasattr(frame, "iloc")):
        raise RecordsError(
            f"frame must be a pandas DataFrame, got {type(frame).__name__}: make one by pandas.DataFrame(...), "
            "or by the to_pandas() of the other library"
        )
    columns = [column if isinstance(column, str) else shown(column) for column in frame.columns]
    if len(set(columns)) < len(columns):
        twice = sorted({column for column in columns if columns.count(column) > 1})
        raise RecordsError(f"the columns of a table must have names of their own, got {_list(twice)} more than once")
    frame = frame.set_axis(columns, axis=1)
    if not len(frame):
        raise RecordsError(f"the table must have at least one row, got none below the columns {_list(columns)}")
    wide = any(re.fullmatch(r"confidence_[0-9]+", column) for column in columns)
    return _wide(frame, columns, n_exits) if wide else _long(frame, columns, n_exits)


def score_of(prediction: npt.ArrayLike, label: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """(E, N) score: 1 where the prediction is the label, else 0.

    Args:
        prediction: (E, N) integers.
        label: (N,) integers.

    Raises:
        RecordsError: they do not fit together, or are no whole numbers.

    Example:
        >>> score_of([[3, 1], [2, 1]], [2, 1]).tolist()
        [[0.0, 1.0], [1.0, 1.0]]
    """
    answers = whole_numbers(prediction, "prediction", RecordsError, ndim=2)
    truth = whole_numbers(label, "label", RecordsError, ndim=1)
    if answers.shape[1] != len(truth):
        raise RecordsError(f"prediction must have shape (E, N) = (E, {len(truth)}) as label has, got {answers.shape}")
    score: npt.NDArray[np.float32] = (answers == truth).astype(np.float32)
    return score


def _wide(frame: Any, columns: Sequence[str], n_exits: int) -> Arrays:
    """One row a sample, one column for each exit."""
    kinds = _kinds(columns, "score_0", "prediction_0")
    needed = [f"{kind}_{e}" for kind in kinds for e in range(n_exits)]
    _require(columns, needed + (["label"] if "score" not in kinds else []))
    for column in columns:
        if re.fullmatch(r"confidence_[0-9]+", column) and column not in needed:
            raise RecordsError(
                f"a wide table must have columns confidence_0 to confidence_{n_exits - 1}, as the costs describe "
                f"{n_exits} exits, the final exit included, got {shown(column)}: the costs are another network's"
            )
    if "sample" in columns:
        codes, samples = _factorized(frame, "sample")
        second = np.ones(len(codes), np.bool_)
        second[np.unique(codes, return_index=True)[1]] = False
        if second.any():
            row = int(second.argmax())
            raise RecordsError(
                f"a wide table must have one row a sample, got a second one of {shown(samples[codes[row]])} in row "
                f"{row}: drop one of them, or leave the column 'sample' out"
            )
    arrays = {kind: np.stack([_numbers(frame, f"{kind}_{e}") for e in range(n_exits)]) for kind in kinds}
    return _finished(arrays, {name: frame[name] for name in OPTIONAL if name in columns})


def _long(frame: Any, columns: Sequence[str], n_exits: int) -> Arrays:
    """One row for each exit on each sample, in any order."""
    kinds = _kinds(columns, "score", "prediction")
    _require(columns, ["sample", "exit", *kinds] + (["label"] if "score" not in kinds else []))
    code, samples = _factorized(frame, "sample")
    exits = _numbers(frame, "exit")
    odd = np.flatnonzero((exits != np.floor(exits)) | (exits < 0) | (exits >= n_exits))
    if odd.size:
        raise RecordsError(
            f"column 'exit' must be a whole number from 0 to {n_exits - 1}, as the costs describe {n_exits} exits, "
            f"got {exits[odd[0]]:g} in row {odd[0]}: count them from 0 in the order of the costs, the final exit last"
        )
    cell = exits.astype(np.int64) * len(samples) + code
    count = np.bincount(cell, minlength=n_exits * len(samples))
    if count.max() > 1:
        e, n = divmod(int(count.argmax()), len(samples))
        rows = np.flatnonzero(cell == e * len(samples) + n)[:3].tolist()
        raise RecordsError(
            f"sample {shown(samples[n])} must have one row for exit {e}, got rows {rows}: drop the others"
        )
    if count.min() < 1:
        e, n = divmod(int(count.argmin()), len(samples))
        short = np.count_nonzero(count.reshape(n_exits, -1).min(axis=0) < 1)
        raise RecordsError(
            f"every sample must have a row for each of the {n_exits} exits, got none for exit {e} of sample "
            f"{shown(samples[n])}: add it, or drop the {short} samples that are incomplete"
        )
    order = np.argsort(cell)
    arrays = {kind: _numbers(frame, kind)[order].reshape(n_exits, -1) for kind in kinds}
    first = order[: len(samples)]
    per_sample = {name: frame[name].iloc[first] for name in OPTIONAL if name in columns}
    for name, value in per_sample.items():
        own, _ = _factorized(frame, name, may_lack=True)
        same = (own == own[first][code]) | (own < 0)
        if not same.all():
            row = int(np.flatnonzero(~same)[0])
            raise RecordsError(
                f"column {name!r} must be the same in all rows of a sample, got {shown(value.iloc[code[row]])} and "
                f"{shown(frame[name].iloc[row])} for sample {shown(samples[code[row]])}: one of them is wrong"
            )
    return _finished(arrays, per_sample)


def _kinds(columns: Sequence[str], score: str, prediction: str) -> list[str]:
    """Which figures the table has. Without a score, the predictions are compared with the labels."""
    has_prediction = prediction in columns
    has_score = score in columns or not has_prediction
    return ["confidence"] + ["score"] * has_score + ["prediction"] * has_prediction


def _finished(arrays: Arrays, per_sample: dict[str, Any]) -> Arrays:
    for name, value in per_sample.items():
        arrays[name] = _numbers(value.to_frame(), name) if name == "label" else _groups(value.to_frame(), name)
    if "score" not in arrays:
        arrays["score"] = score_of(arrays["prediction"], arrays["label"])
    return arrays


def _factorized(frame: Any, name: str, *, may_lack: bool = False) -> tuple[npt.NDArray[np.intp], Any]:
    """A column as codes (R,), -1 where there is nothing, and what they stand for, in the order of first appearance.

    Raises:
        RecordsError: entries that cannot be told apart, or that are missing.
    """
    import pandas as pd

    try:
        code, values = pd.factorize(frame[name])
    except TypeError as cause:
        raise RecordsError(f"column {name!r} must hold strings or numbers, got others: {cause}") from cause
    if not may_lack and code.min() < 0:
        raise RecordsError(f"column {name!r} must not be empty, got nothing in row {int(code.argmin())}: name it")
    return code, values


def _groups(frame: Any, name: str) -> npt.NDArray[Any]:
    """A column of groups as integers or strings.

    Raises:
        RecordsError: entries that are missing, or neither.
    """
    _factorized(frame, name)
    column = frame[name]
    kind = getattr(column.dtype, "kind", "O")
    if kind in "biu":
        return column.to_numpy({"b": np.bool_, "i": np.int64, "u": np.uint64}[kind])  # type: ignore[no-any-return]
    entries = column.tolist()
    texts = [isinstance(entry, str) for entry in entries]
    if all(texts):
        return np.array(entries)
    if any(texts) or not all(map(is_whole, entries)):
        row = texts.index(False) if any(texts) else list(map(is_whole, entries)).index(False)
        raise RecordsError(
            f"column {name!r} must hold strings alone, or whole numbers alone, got {shown(entries[row])} in row {row}: "
            "turn all of them into strings"
        )
    return whole_numbers(entries, f"column {name!r}", RecordsError, ndim=1)


def _numbers(frame: Any, name: str) -> npt.NDArray[np.float64]:
    """A column as float64, or an error that names the first entry that is no number."""
    column = frame[name]
    kind = getattr(column.dtype, "kind", "O")
    if kind in "cmM":
        what = "complex numbers" if kind == "c" else "times"
        raise RecordsError(f"column {name!r} must hold real numbers, got {what} ({column.dtype}): name another column")
    if kind in "biuf":
        values: npt.NDArray[np.float64] = column.to_numpy(np.float64, na_value=np.nan)
    else:
        values = np.array([number_of(entry) for entry in column.tolist()])
    bad = np.flatnonzero(np.isnan(values))
    if bad.size:
        raise RecordsError(
            f"column {name!r} must hold a number in every row, got {shown(column.iloc[bad[0]])} in row {bad[0]} "
            f"({bad.size} such rows): mend them or drop those samples"
        )
    return values


def number_of(entry: object) -> float:
    """An entry of a table as a number, NaN where it is none; text is what Python writes numbers as.

    Example:
        >>> number_of("0.5"), number_of(True), number_of("five"), number_of(10**400)
        (0.5, 1.0, nan, nan)
    """
    is_text = isinstance(entry, str)
    if isinstance(entry, (np.datetime64, np.timedelta64)) or (hasattr(entry, "__len__") and not is_text):
        return np.nan
    try:
        return np.nan if is_text and "_" in entry else float(entry)  # type: ignore[operator, arg-type]
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _require(columns: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in columns]
    if not missing:
        return
    said = []
    for name in missing[:4]:
        close = difflib.get_close_matches(name, [column for column in columns if column not in needed], 1, 0.7)
        said.append(f"{name!r} (is it {close[0]!r}?)" if close else repr(name))
    if len(missing) > 4:
        said.append(f"{len(missing) - 4} more")
    raise RecordsError(
        f"the table lacks the columns {', '.join(said)}; it has {_list(columns)}: rename or add them. A long table has "
        "sample, exit, confidence, and score or prediction and label; a wide one confidence_0, ... and score_0, ..."
    )


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:12])) + (" ..." if len(names) > 12 else "")
