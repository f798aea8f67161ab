"""Tables with mistakes in them, in every form that is read: records as they should be, or an error of this library."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from tests.fuzz.cases import fuzz

polars = pytest.importorskip("polars")

COSTS = ds.ExitCosts(backbone=[1.0, 2.0], head=[0.5, 0.0], position=[0, 1])
CELLS = st.sampled_from(
    [
        "", "NA", "nan", "null", "007", "7", "07", "x", "-inf", "inf", "1e999", "1_0", "0.5", "9" * 400, "True", " 1",
        "\ud7ff", "a,b", 'a"b', "a\nb", "\0", 0.5, -1, 2, 1e300, 10**400, None, float("nan"), float("inf"), True,
        1 + 2j, b"1", [1], {"a": 1}, pd.NA, pd.NaT, pd.Timestamp("2026-01-01"), np.datetime64("2026-01-01"), np.int8(3),
        np.float16(0.5), np.longdouble(0.5), np.array([1.0]), pd.Interval(0, 1), object,
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    ["confidence_0", "confidence_1", "confidence_2", "confidence_" + "9" * 5000, "confidence_01", "score_0", "score",
     "exit", "sample", "label", "group", "prediction", "prediction_0", "query", "model", "cost", "confidence", "", " ",
     "x", "\ufeffsample", 0, 10**5000, None, ("a", "b")]
)  # fmt: skip
TYPES = ("object", "string", "category", "float32", "Int64", "boolean", "complex128", "datetime64[ns]", "str")


def wide() -> dict[str, list[Any]]:
    """A row a sample; groups whose names look like numbers."""
    return {
        "sample": ["007", "7", "07", "NA"], "confidence_0": [0.1, 0.2, 0.3, 0.4], "confidence_1": [0.5] * 4,
        "score_0": [0, 1, 0, 1], "score_1": [1] * 4, "label": [1, 2, 3, 4], "group": ["01", "1", "null", "1"],
    }  # fmt: skip


def long() -> dict[str, list[Any]]:
    """A row for each exit on each sample."""
    return {
        "sample": ["007", "7", "007", "7"], "exit": [0, 0, 1, 1], "confidence": [0.1, 0.2, 0.3, 0.4],
        "prediction": [1, 2, 3, 4], "label": [1, 2, 1, 2], "group": ["01", "1", "01", "1"],
    }  # fmt: skip


def log() -> dict[str, list[Any]]:
    """A row for each query and model."""
    return {
        "query": ["007", "007", "7", "7"], "model": ["1", "01", "1", "01"], "score": [0, 1, 1, 1],
        "confidence": [0.1, None, 0.3, None], "cost": [1.0, 2.0, 1.0, 2.0], "prediction": ["07", "7", "7", "7"],
        "label": ["7", "7", "7", "7"], "group": ["NA", "NA", "null", "null"],
    }  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, dict[Any, list[Any]], int]:
    """A table by columns with up to three mistakes, what it is, and how many mistakes there are."""
    kind, table = draw(st.sampled_from([("wide", wide()), ("long", long()), ("log", log())]))
    columns: dict[Any, list[Any]] = dict(table)
    mistakes = draw(st.integers(0, 3))
    for _ in range(mistakes):
        name = draw(st.sampled_from(list(columns)))
        how = draw(st.integers(0, 6))
        if how <= 2:
            cells = list(columns[name])
            cells[draw(st.integers(0, 3))] = draw(CELLS)
            columns[name] = cells
        elif how == 3:
            columns[name] = [draw(CELLS)] * 4
        elif how == 4 and len(columns) > 1:
            del columns[name]
        elif how == 5:
            columns[draw(NAMES)] = columns[name]
        else:
            order = draw(st.lists(st.integers(0, 3), min_size=4, max_size=4))
            columns = {key: [cells[k] for k in order] for key, cells in columns.items()}
    return kind, columns, mistakes


def text_of(columns: dict[Any, list[Any]], separator: str, draw: Any) -> str:
    """As CSV, at times with a line that has too much or too little."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator)
    rows = [[str(name) if not isinstance(name, int) else "number" for name in columns]]
    rows += [["" if cell is None else shown(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
    spoil = draw(st.sampled_from(["", "", "", "more", "less", "blank", "bytes", "header"]))
    at = draw(st.integers(1, len(rows) - 1))
    if spoil == "more":
        rows[at] = [*rows[at], "1"]
    elif spoil == "less":
        rows[at] = rows[at][:-1]
    elif spoil == "blank":
        rows.insert(at, [])
    elif spoil == "header":
        rows[0] = rows[0][:1] + rows[0][:-1]
    writer.writerows(rows)
    return stream.getvalue() + ("\x00\x00" if spoil == "bytes" else "")


def shown(cell: Any) -> str:
    try:
        return str(cell)
    except ValueError:  # of more digits than Python writes
        return "9" * 400


def as_frame(columns: dict[Any, list[Any]], draw: Any) -> Any:
    """A pandas DataFrame, at times with other types."""
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()}).infer_objects()
    if draw(st.booleans()):
        name, dtype = draw(st.sampled_from(list(frame.columns))), draw(st.sampled_from(TYPES))
        try:
            frame[name] = frame[name].astype(dtype)
        except Exception:  # what pandas refuses is no case
            return frame
    return frame


@fuzz(few=500, every=10_000)
@given(made=tables(), data=st.data())
def test_whatever_a_table_holds(
    made: tuple[str, dict[Any, list[Any]], int], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kind, columns, mistakes = made
    place = tmp_path_factory.getbasetemp()
    forms = ["csv", "tsv", "pandas", "polars", "parquet"] + ["rows", "jsonl"] * (kind == "log")
    form = data.draw(st.sampled_from(forms), label="form")
    try:
        source = source_of(form, columns, place, data.draw)
    except Exception:  # what another library refuses to make is no case
        return
    records, refused = None, ""
    try:
        with np.errstate(all="raise"):
            records = read(kind, form, source)
    except ds.DyceError as error:
        refused = str(error)
    assert len(refused) < 3000
    if records is None:
        return
    assert np.isfinite(records.confidence).all()
    assert records.score.min() >= 0
    assert records.score.max() <= 1
    if not mistakes and kind == "wide":
        assert records.group.tolist() == ["01", "1", "null", "1"]
        np.testing.assert_array_equal(records.confidence[0], np.float32([0.1, 0.2, 0.3, 0.4]))
    if not mistakes and kind == "log":
        assert records.group.tolist() == ["NA", "null"]
        assert records.layout.names == ("1", "01")


def source_of(form: str, columns: dict[Any, list[Any]], place: Path, draw: Any) -> Any:
    """The table in a form in which it can be read."""
    path = place / f"table.{form}"
    if form in ("csv", "tsv"):
        path.write_text(text_of(columns, "\t" if form == "tsv" else ",", draw), encoding="utf-8", newline="")
        return path
    if form == "polars":
        return polars.DataFrame({str(name): cells for name, cells in columns.items()}, strict=draw(st.booleans()))
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if form == "rows":
        return rows
    if form == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        return path
    frame = as_frame(columns, draw)
    if form == "pandas":
        return frame
    frame.to_parquet(path)
    return path


def read(kind: str, form: str, source: Any) -> ds.ExitRecords:
    """As records, by the function for it."""
    if kind == "log":
        return ds.load_cascade(source)
    if form in ("csv", "tsv", "parquet"):
        return ds.load_records(source, costs=COSTS)
    return ds.ExitRecords.from_frame(source, costs=COSTS)
