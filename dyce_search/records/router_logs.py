"""Reading logs of cascades: JSON lines, tables of any library, the layouts of RouterArena and LLMRouterBench.

RouterArena (Lu 2025, arXiv 2510.00202) keeps `cached_results/MODEL.jsonl`, a line a query with `global_index`,
`llm_selected` and `evaluation_result`, which holds `score` and `inference_cost`. LLMRouterBench (Li 2026, arXiv
2601.07206) keeps `bench/DATASET/SPLIT/MODEL/TIME.json`, whose `records` hold `index`, `score` and `cost`; its loader
writes rows with `dataset_id`, `model_name` and `record_index`. Neither has confidences: whoever runs the models adds
them, as a field `confidence` of each row or by a function of a row.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dyce_search.arguments import flag, shown
from dyce_search.errors import FileFormatError, MissingPackageError, RecordsError
from dyce_search.files import require_path
from dyce_search.json_files import parsed
from dyce_search.records.archives import allowance, require_size
from dyce_search.records.cascade_log import Log
from dyce_search.records.table_files import read_frame

Row = dict[str, Any]
Confidence = str | Callable[[Mapping[str, Any]], float | None]

WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
NO_CONFIDENCE = (
    "{name}'s files hold none: add a field 'confidence' to each row, or pass confidence= a function of a row that "
    "returns it"
)


def read_log(
    source: Any, *, confidence: Confidence, drop_incomplete: bool = False, max_bytes: int | None = None
) -> Log:
    """The rows of a log.

    Args:
        source: a file (JSON lines, JSON, CSV, TSV or Parquet), a folder of JSON files, a list of files, a list of
            dictionaries, or a table of pandas, Polars or Arrow.
        confidence: name of the column, or a function of a row as it stands in the file.
        drop_incomplete: leave out rows that lack a field of their layout.
        max_bytes: that a file packed by gzip may unpack to, see `archives`.

    Raises:
        FileFormatError: no such file, or one that cannot be read.
        RecordsError: something else, or a row that lacks a field.
    """
    if not (isinstance(confidence, str) or callable(confidence)):
        raise RecordsError(f"confidence must be the name of a column, or a function of a row, got {shown(confidence)}")
    flag(drop_incomplete, "drop_incomplete", RecordsError)
    if isinstance(source, (str, Path)) or hasattr(source, "__fspath__"):
        require_path(source, "log")
        source = _files_of(Path(source))
    if isinstance(source, Sequence) and source and all(isinstance(entry, Mapping) for entry in source):
        where = [f"row {k}" for k in range(len(source))]
        rows = [{key if isinstance(key, str) else shown(key): entry[key] for key in entry} for entry in source]
        return _from_rows(rows, where, confidence, drop_incomplete)
    if isinstance(source, Sequence) and source and all(isinstance(entry, (str, Path)) for entry in source):
        return _from_files([Path(entry) for entry in source], confidence, drop_incomplete, max_bytes)
    return _from_columns(_columns_of(source), confidence)


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.name.endswith((".json", ".jsonl", ".jsonl.gz")))
    if not found:
        raise FileFormatError(
            f"{path} has no .json or .jsonl file: name the files of the log, or the folder they are in"
        )
    return found


def _from_files(files: list[Path], confidence: Confidence, drop_incomplete: bool, max_bytes: int | None) -> Log:
    if len(files) == 1 and any(suffix in (".csv", ".tsv", ".parquet") for suffix in files[0].suffixes):
        parquet = files[0].suffix == ".parquet"
        columns = _columns_of(read_frame(files[0], parquet=parquet, max_bytes=max_bytes))
        return _from_columns(columns if parquet else _numbered(columns), confidence, of=f" of {files[0].name}")
    rows, where = [], []
    for file in files:
        for place, row in _rows_of(file, max_bytes):
            rows.append(row)
            where.append(place)
    return _from_rows(rows, where, confidence, drop_incomplete)


def _rows_of(file: Path, max_bytes: int | None) -> Iterator[tuple[str, Row]]:
    """The rows of a file with where they stand: a JSON object with `records`, else an object a line."""
    content = _content_of(file, max_bytes)
    if file.suffix == ".json":
        found = parsed(content, file, infinite=True)
        records = found.get("records") if isinstance(found, dict) else found
        if not isinstance(records, list):
            raise FileFormatError(f"{file} must hold a list, or an object with 'records', as LLMRouterBench's files do")
        _, *folders = file.parts[::-1]
        told = (
            dict(zip(("model_name", "split", "dataset_id"), folders, strict=False)) if isinstance(found, dict) else {}
        )
        for k, entry in enumerate(records):
            if not isinstance(entry, dict):
                raise FileFormatError(f"record {k} of {file} must be an object, got {type(entry).__name__}")
            yield f"record {k} of {file}", {**told, **entry}
        return
    for k, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        entry = parsed(line, f"line {k} of {file}", infinite=True)
        if not isinstance(entry, dict):
            raise FileFormatError(f"line {k} of {file} must be an object, got {type(entry).__name__}")
        yield f"line {k} of {file.name}", entry


def _content_of(file: Path, max_bytes: int | None) -> bytes:
    """The bytes of a file, unpacked by gzip where it is packed, as far as was agreed to (`archives`)."""
    require_path(file)
    try:
        with open(file, "rb") as stream:
            if stream.read(2) != b"\x1f\x8b":
                stream.seek(0)
                return stream.read()
            stream.seek(0)
            with gzip.open(stream) as packed:
                content = packed.read(allowance(stream, max_bytes) + 1)
            require_size(file, len(content), stream, max_bytes)
            return content
    except (gzip.BadGzipFile, EOFError, zlib.error) as cause:
        raise FileFormatError(f"{file} is damaged, or no text: {cause}") from cause
    except OSError as cause:
        raise FileFormatError(f"cannot read {file}: {cause.strerror or cause}") from cause


def _from_rows(rows: list[Row], where: list[str], confidence: Confidence, drop_incomplete: bool) -> Log:
    """Rows of any of the layouts as columns; what only some rows have is None in the others."""
    layout, hint = _plain, ""
    if rows and "global_index" in rows[0] and "llm_selected" in rows[0]:
        layout, hint = _router_arena, NO_CONFIDENCE.format(name="RouterArena")
    elif rows and ("model_name" in rows[0] or "origin_query" in rows[0]):
        layout, hint = _llm_router_bench, NO_CONFIDENCE.format(name="LLMRouterBench")
    read, places = [], []
    for raw, place in zip(rows, where, strict=True):
        try:
            row = layout(raw, place)
        except RecordsError:
            if not drop_incomplete:
                raise
            continue
        if callable(confidence):
            row["confidence"] = confidence(raw)
        elif confidence in raw:
            row["confidence"] = raw[confidence]
        read.append(row)
        places.append(place)
    names = dict.fromkeys(name for row in read for name in row)
    return Log(columns={name: [row.get(name) for row in read] for name in names}, where=places.__getitem__, hint=hint)


def _plain(row: Row, place: str) -> Row:
    return dict(row)


def _router_arena(row: Row, place: str) -> Row:
    judged = row.get("evaluation_result")
    if not isinstance(judged, dict):
        raise RecordsError(
            f"{place} lacks 'evaluation_result': evaluate the answers first (RouterArena's llm_evaluation/run.py)"
        )
    return {
        "query": _entry(row, "global_index", place),
        "model": _entry(row, "llm_selected", place),
        "score": _entry(judged, "score", place, "evaluation_result."),
        "cost": _entry(judged, "inference_cost", place, "evaluation_result."),
    }


def _llm_router_bench(row: Row, place: str) -> Row:
    index = row.get("record_index", row.get("index"))
    if index is None:
        _entry(row, "index", place)
    dataset = row.get("dataset_id", "")
    return {
        "query": f"{dataset}/{row.get('split', '')}/{index}",
        "model": _entry(row, "model_name", place),
        "score": _entry(row, "score", place),
        "cost": _entry(row, "cost", place),
    } | ({"latency": row["latency"]} if "latency" in row else {})


def _entry(row: Mapping[str, Any], name: str, place: str, prefix: str = "") -> Any:
    if row.get(name) is None:
        raise RecordsError(f"{place} lacks {prefix + name!r}; it has {', '.join(map(repr, row))}")
    return row[name]


def _columns_of(table: Any) -> dict[str, list[Any]]:
    """The columns of a table of pandas, Polars, Arrow or another library that narwhals knows."""
    try:
        import narwhals as nw
    except ImportError as cause:
        raise MissingPackageError("tables are read by narwhals: pip install narwhals", name="narwhals") from cause
    try:
        frame = nw.from_native(table, eager_only=True)
    except TypeError as cause:
        raise RecordsError(
            f"a log must be a file, a list of dictionaries, or a DataFrame of pandas, Polars or Arrow, got "
            f"{type(table).__name__}{': collect it first' if 'Lazy' in type(table).__name__ else ''}"
        ) from cause
    except Exception as cause:  # each library has errors of its own for names that come twice
        raise RecordsError(f"a log must be a table whose columns have names of their own: {cause}") from cause
    columns = [
        (name if isinstance(name, str) else shown(name), column)
        for name, column in zip(frame.columns, frame.iter_columns(), strict=True)
    ]
    if len(dict(columns)) < len(columns):
        raise RecordsError("the columns of a log must have names of their own, got one more than once")
    return {name: column.to_list() for name, column in columns}


def _numbered(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Predictions and labels of a text file as whole numbers, where all of them are written as such."""
    told = [name for name in ("prediction", "label") if name in columns]
    entries = [entry for name in told for entry in columns[name] if entry is not None]
    if not all(isinstance(entry, str) and WHOLE.fullmatch(entry) for entry in entries):
        return columns
    return columns | {name: [None if entry is None else int(entry) for entry in columns[name]] for name in told}


def _from_columns(columns: dict[str, list[Any]], confidence: Confidence, of: str = "") -> Log:
    if callable(confidence):
        size = len(next(iter(columns.values()), []))
        columns["confidence"] = [confidence({name: column[k] for name, column in columns.items()}) for k in range(size)]
    elif confidence in columns:
        columns = {**columns, "confidence": columns[confidence]}
    return Log(columns=columns, where=lambda row: f"row {row}{of}")


def source_of(log: Any) -> str:
    """What a log came from, for `ExitRecords.source`."""
    return f"log {log}" if isinstance(log, (str, Path)) else f"log, {type(log).__module__.split('.')[0]}"
