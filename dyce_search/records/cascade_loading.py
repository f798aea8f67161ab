"""Records of a cascade from its log, one row a query and model."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from dyce_search.arguments import text
from dyce_search.errors import RecordsError
from dyce_search.files import named
from dyce_search.records.archives import require_bytes
from dyce_search.records.cascade_log import cascade_from_log
from dyce_search.records.records import ExitRecords
from dyce_search.records.router_logs import Confidence, read_log, source_of


def load_cascade(
    log: Any,
    *,
    models: Sequence[str] | None = None,
    cost: str = "cost",
    confidence: Confidence = "confidence",
    unit: str | None = None,
    drop_incomplete: bool = False,
    measure: str | None = None,
    max_bytes: int | None = None,
) -> ExitRecords:
    """Builds the records of a cascade of whole models from its log: what each model answered to each query.

    A row has `query` (any value that tells queries apart), `model`, `score` in [0, 1] by any judge, `confidence` of the
    model in its answer (any numbers, higher is surer; -inf is an answer that must not be taken) and `cost` of the call;
    optionally `latency` and other costs, `prediction` and `label` (strings or whole numbers; then the score may be
    missing), and `group`, whose queries are never split apart. Other columns do not matter, nor does the order of the
    rows. The last model needs no confidence.

    Args:
        log: a file, a folder or a list of files: JSON lines (also compressed by gzip), CSV, TSV, Parquet; the public
            layouts of RouterArena (`cached_results/*.jsonl`) and of LLMRouterBench (`bench/DATASET/SPLIT/MODEL/*.json`)
            are known by their fields; a list of dictionaries; or a DataFrame of pandas, Polars or Arrow.
        models: which models, in the order in which they are asked; None is all of them, by rising mean cost. See
            `search_orders` for the best order.
        cost: the column with the price of a call, say "latency".
        confidence: the column with the confidences, or a function of a row that returns one; the public layouts hold
            none.
        unit: what the costs count; None is the name of the column.
        drop_incomplete: leave out queries that not all models have a row for. Without it they are an error.
        measure: what the confidences are, see `ExitRecords`.
        max_bytes: that a file packed by gzip may unpack to; None is 256 MiB, or a hundred times its size where that is
            more.

    Returns:
        Records whose costs differ by sample (`SampleCosts`), with the models as exits, each at a position of its own.

    Raises:
        RecordsError: columns that are missing, rows that are missing or twice, costs that are negative or NaN, scores
            outside [0, 1], confidences that are NaN: says in which row.
        FileFormatError: no such file, or one that cannot be read.

    Example:
        >>> rows = [
        ...     {"query": "a", "model": "small", "score": 1, "confidence": 0.9, "cost": 1},
        ...     {"query": "a", "model": "large", "score": 1, "confidence": None, "cost": 7},
        ...     {"query": "b", "model": "small", "score": 0, "confidence": 0.2, "cost": 2},
        ...     {"query": "b", "model": "large", "score": 1, "confidence": None, "cost": 9},
        ... ]
        >>> records = load_cascade(rows)
        >>> records.layout.names, records.sample_costs.baseline.tolist()
        (('small', 'large'), [7.0, 9.0])
    """
    text(cost, "cost", RecordsError)
    if unit is not None:
        text(unit, "unit", RecordsError)
    require_bytes(max_bytes)
    with named(log) if isinstance(log, (str, os.PathLike)) else nullcontext():
        read = read_log(log, confidence=confidence, drop_incomplete=drop_incomplete, max_bytes=max_bytes)
        arrays = cascade_from_log(read, models=models, cost=cost, drop_incomplete=drop_incomplete)
        return ExitRecords.from_cascade(
            **arrays, unit=cost if unit is None else unit, measure=measure, source=source_of(log)
        )
