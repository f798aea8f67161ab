"""A log of a cascade, one row a query and model, turned into one row a model: nothing missing, nothing twice."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import LARGEST, several, shown
from dyce_search.errors import RecordsError
from dyce_search.records.frames import number_of

IntArray = npt.NDArray[np.int64]
OPTIONAL = ("prediction", "label", "group")


MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "<na>"))  # words of text files for no number


def is_absent(entry: object) -> bool:
    """Whether an entry is none: None, NaN, or what stands for them in tables."""
    return (
        entry is None or type(entry).__name__ in ("NAType", "NaTType") or (isinstance(entry, float) and entry != entry)
    )


def one_of(entry: object, name: str, place: str) -> str | int | float:
    """An entry that tells things apart: a string, or a number.

    Raises:
        RecordsError: it is something else, or absent.
    """
    value = entry.item() if isinstance(entry, np.generic) else entry
    if isinstance(value, str) or (isinstance(value, (int, float)) and abs(value) <= LARGEST):
        return value
    raise RecordsError(f"{name} must be a string or a number, got {shown(entry)} in {place}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Columns of R rows, as they came.

    Attributes:
        columns: by name: query, model, score, confidence, cost and others.
        where: says which row it is, for messages: "line 3 of log.jsonl".
        hint: what to know of this kind of log where a column is missing.
    """

    columns: Mapping[str, Sequence[Any]]
    where: Callable[[int], str]
    hint: str = ""

    def __len__(self) -> int:
        """R, the number of rows."""
        return len(next(iter(self.columns.values()), ()))

    def column(self, name: str) -> Sequence[Any]:
        """A column that must be there.

        Raises:
            RecordsError: it is not; names what comes close.
        """
        if name not in self.columns:
            close = difflib.get_close_matches(name, list(self.columns), 1, 0.6)
            known = f"is it {close[0]!r}?" if close else f"it has {', '.join(map(shown, self.columns)) or 'none'}"
            raise RecordsError(f"the log lacks the column {shown(name)}; {known}{self.hint and f'. {self.hint}'}")
        return self.columns[name]

    def numbers(self, name: str, rows: IntArray | None = None) -> npt.NDArray[np.float64]:
        """A column as float64; NaN where an entry is missing.

        Raises:
            RecordsError: an entry that is no number.
        """
        found = np.array([number_of(entry) for entry in self.column(name)], np.float64)
        for row in np.flatnonzero(np.isnan(found)).tolist():
            entry = self.columns[name][row]
            if not (is_absent(entry) or (isinstance(entry, str) and entry.strip().lower() in MISSING)):
                raise RecordsError(f"{name} must be a number, got {shown(entry)} in {self.where(row)}")
        return found if rows is None else found[rows]

    def names(self, name: str) -> list[str | int | float]:
        """A column of what tells things apart: strings, or numbers.

        Raises:
            RecordsError: an entry that is neither.
        """
        return [one_of(entry, name, self.where(row)) for row, entry in enumerate(self.column(name))]


def cascade_from_log(log: Log, *, models: Sequence[str] | None, cost: str, drop_incomplete: bool) -> dict[str, Any]:
    """The arguments of `ExitRecords.from_cascade`.

    Args:
        log: the rows.
        models: from small to large; None is all, by rising mean cost.
        cost: name of the column with the price of a call.
        drop_incomplete: leave out queries that some model has no row for, or no score.

    Raises:
        RecordsError: columns that are missing; rows that are missing, twice or not of use, and which.
    """
    if not len(log):
        raise RecordsError("the log must have at least one row, got none")
    paid = log.numbers(cost)
    names, model = _models(log, models, paid)
    table, queries = _table(log, names, model, drop_incomplete)
    bad = table[~(np.isfinite(paid[table]) & (paid[table] >= 0))]
    if bad.size:
        row = int(bad.min())
        raise RecordsError(
            f"{cost} must be finite and >= 0, got {paid[row]:g} in {log.where(row)} ({bad.size} such rows): mend it, "
            "or drop the query"
        )
    arrays: dict[str, Any] = {"price": paid[table], "names": names, "confidence": _confidence(log, table, names)}
    arrays |= _answers(log, table)
    for name in ("label", "group"):
        if name in log.columns:
            arrays[name] = _per_query(log, name, table, queries)
    if "score" not in arrays and ("prediction" not in arrays or "label" not in arrays):
        log.column("score")
    return arrays


def _models(log: Log, models: Sequence[str] | None, paid: npt.NDArray[np.float64]) -> tuple[tuple[str, ...], IntArray]:
    """The models in order, and (R,) which of them each row is of; -1 for one that was not asked for."""
    found = list(map(str, log.names("model")))
    known = list(dict.fromkeys(found))
    if models is None:
        index = {name: k for k, name in enumerate(known)}
        code = np.array([index[name] for name in found])
        mean = np.bincount(code, weights=paid) / np.bincount(code)
        names = tuple(known[k] for k in np.argsort(mean, kind="stable"))
    else:
        if isinstance(models, str) or not isinstance(models, Sequence):
            raise RecordsError(f"models must be a list of names, from small to large, got {shown(models)}")
        names = tuple(several(models, str, "models", RecordsError))
        missing = [name for name in names if name not in known]
        if missing or len(set(names)) < len(names):
            raise RecordsError(
                f"models must be different ones of the log, {', '.join(map(repr, known[:12]))}, got {list(names)}"
            )
    if len(names) < 2:
        raise RecordsError(f"a cascade needs two or more models, the log has {', '.join(map(repr, names))} alone")
    order = {name: m for m, name in enumerate(names)}
    return names, np.array([order.get(name, -1) for name in found])


def _table(log: Log, names: Sequence[str], model: IntArray, drop_incomplete: bool) -> tuple[IntArray, list[Any]]:
    """(M, N) the row of each model on each query, and the queries, in the order of the log."""
    asked = log.column("query")
    index: dict[Any, int] = {}
    table = np.full((len(names), len(log)), -1)
    for row, (m, query) in enumerate(zip(model.tolist(), asked, strict=True)):
        if m < 0:
            continue
        if is_absent(query):
            raise RecordsError(f"query must say which query it is, got {query!r} in {log.where(row)}")
        try:
            n = index.setdefault(query, len(index))
        except TypeError:
            raise RecordsError(f"query must be a string or a number, got {shown(query)} in {log.where(row)}") from None
        if table[m, n] >= 0:
            raise RecordsError(
                f"query {shown(query)} must have one row for model {names[m]!r}, got {log.where(int(table[m, n]))} and "
                f"{log.where(row)}: drop one of them"
            )
        table[m, n] = row
    table, queries = table[:, : len(index)], list(index)
    whole = np.asarray((table >= 0).all(axis=0))
    if not whole.all() and not (drop_incomplete and whole.any()):
        n = int((~whole).argmax())
        m = int((table[:, n] < 0).argmax())
        raise RecordsError(
            f"every query must have a row for each of the {len(names)} models, got none for model {names[m]!r} on "
            f"query {shown(queries[n])} ({int((~whole).sum())} of {len(queries)} queries are incomplete): ask all "
            "models the same queries, or pass drop_incomplete=True"
        )
    return table[:, whole], [queries[n] for n in np.flatnonzero(whole)]


def _confidence(log: Log, table: IntArray, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """(M, N), as it came; only the last model may lack it."""
    sure = log.numbers("confidence")
    rows = table[:-1]
    bad = np.argwhere(np.isnan(sure[rows]) | np.isposinf(sure[rows]))
    if len(bad):
        m, n = bad[0].tolist()
        raise RecordsError(
            f"confidence must be a number or -inf, which is 'not from this model', got {sure[rows[m, n]]:g} of model "
            f"{names[m]!r} in {log.where(int(rows[m, n]))} ({len(bad)} such rows): only the last model needs none"
            f"{log.hint and f'. {log.hint}'}"
        )
    return sure[table]


def _answers(log: Log, table: IntArray) -> dict[str, Any]:
    """Scores and predictions (M, N), where there are any."""
    found: dict[str, Any] = {}
    if "score" in log.columns:
        score = log.numbers("score")[table]
        bad = np.argwhere(~((score >= 0) & (score <= 1)))
        if len(bad):
            row = int(table[tuple(bad[0])])
            raise RecordsError(
                f"score must lie in [0, 1], got {score[tuple(bad[0])]:g} in {log.where(row)} ({len(bad)} such rows): "
                "judge or scale it first, or drop the query"
            )
        found["score"] = score
    if "prediction" in log.columns:
        answers = [
            None if is_absent(entry) else one_of(entry, "prediction", log.where(row))
            for row, entry in enumerate(log.columns["prediction"])
        ]
        given = [[answers[row] for row in rows] for rows in table.tolist()]
        if "score" not in found or not any(answer is None for rows in given for answer in rows):
            found["prediction"] = given
    return found


def _per_query(log: Log, name: str, table: IntArray, queries: Sequence[Any]) -> list[Any]:
    """(N,) what must be the same in all rows of a query."""
    entries = log.names(name)
    for n, rows in enumerate(table.T.tolist()):
        for row in rows[1:]:
            if entries[row] != entries[rows[0]]:
                said = ", ".join(f"{shown(entries[at])} in {log.where(at)}" for at in (rows[0], row))
                raise RecordsError(
                    f"{name} must be the same in all rows of a query, got {said} for query {shown(queries[n])}: one of "
                    "them is wrong"
                )
    return [entries[row] for row in table[0].tolist()]
