"""Tables in files, CSV, TSV and Parquet, as pandas DataFrames: what tells samples apart stays the text that it is."""

import csv
import gzip
from pathlib import Path
from typing import Any

from dyce_search.arguments import shown
from dyce_search.errors import FileFormatError, MissingPackageError
from dyce_search.files import PathLike, require_path
from dyce_search.records.archives import require_unpacked

TEXT = ("sample", "group", "query", "model", "label", "prediction")
"""Columns of text files whose entries tell things apart: 007 and 7 are two of them, and NA is a name."""


def read_frame(path: PathLike, *, parquet: bool, max_bytes: int | None = None) -> Any:
    """A pandas DataFrame of a Parquet file or of text: tabs between the columns of a .tsv, else commas.

    Of text, the columns `TEXT` hold strings as they stand, None where there is nothing; the others what pandas makes of
    them, and an empty string where there is nothing. What is packed by gzip may unpack to `max_bytes`, see `archives`.

    Raises:
        FileFormatError: the file cannot be parsed, unpacks to too much, names a column twice, or has a line with more
            or fewer values than there are names.
        MissingPackageError: Parquet needs pyarrow.
    """
    require_path(path)
    import pandas as pd

    try:
        return pd.read_parquet(path) if parquet else _read_text(path, max_bytes)
    except ImportError as cause:
        raise MissingPackageError(
            f"{path} is Parquet, which needs pyarrow, which is not installed: pip install 'dyce_search[parquet]', "
            "or save it as CSV",
            name="pyarrow",
        ) from cause
    except FileFormatError:
        raise
    except Exception as cause:  # pandas and pyarrow fail in a dozen ways
        raise FileFormatError(f"cannot read {path} as a table: {cause}") from cause


def _read_text(path: PathLike, max_bytes: int | None) -> Any:
    import pandas as pd

    separator = "\t" if ".tsv" in Path(path).suffixes else ","
    with open(path, "rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    if compressed:
        require_unpacked(path, max_bytes)
    names = _checked_lines(path, separator, compressed)
    texts = [name for name in TEXT if name in names]
    frame = pd.read_csv(
        path,
        sep=separator,
        dtype=dict.fromkeys(texts, object),
        na_filter=False,
        index_col=False,
        low_memory=False,
        encoding="utf-8-sig",
        compression="gzip" if compressed else None,
    )
    return frame.assign(**{name: [entry if entry else None for entry in frame[name]] for name in texts})


def _checked_lines(path: PathLike, separator: str, compressed: bool) -> list[str]:
    """The names of the columns, after a look at every line: pandas shifts or drops what is too much.

    Raises:
        FileFormatError: a name twice, a line with more or fewer values than there are names.
    """
    with (gzip.open if compressed else open)(path, "rt", encoding="utf-8-sig", newline="") as stream:
        lines = csv.reader(stream, delimiter=separator)
        names = next((line for line in lines if line), [])
        twice = next((name for k, name in enumerate(names) if name and name in names[:k]), None)
        if twice is not None:
            raise FileFormatError(f"{path} must name every column once, got {shown(twice)} twice: rename one of them")
        for line in lines:
            if line and len(line) != len(names):
                raise FileFormatError(
                    f"line {lines.line_num} of {path} must have {len(names)} values, as there are names, got "
                    f"{len(line)}: mend it; values with a comma in them need quotes"
                )
    return names
