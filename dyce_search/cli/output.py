"""What several commands say, and where they write."""

from pathlib import Path

from dyce_search.errors import FileFormatError
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.evaluation.evaluate import Evaluation
from dyce_search.files import PathLike
from dyce_search.records.records import ExitRecords

INTERRUPTED = 130  # the shell's exit status after Ctrl-C


def require_folder(path: PathLike | None) -> None:
    """Checks, before the work, that a file can be written.

    Raises:
        FileFormatError: its folder is missing, or it is a folder itself.
    """
    if path is None:
        return
    if Path(path).is_dir():
        raise FileFormatError(f"cannot write {path}: it is a folder, name a file")
    if not Path(path).parent.is_dir():
        raise FileFormatError(f"cannot write {path}: there is no folder {Path(path).parent}, make it first")


def make_folder(folder: Path) -> None:
    """Makes a folder where it is missing.

    Raises:
        FileFormatError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise FileFormatError(f"cannot make the folder {folder}: {cause.strerror}") from cause


def wrote(path: PathLike, what: str) -> None:
    """Says that a file was written."""
    print(f"wrote {path}  ({what})")


def say_figures(figures: OperatingPoint | Evaluation, unit: str) -> None:
    """Says the accuracy and the cost of a configuration, and leaves a line."""
    print(f"accuracy       {figures.accuracy:.4f}  (drop {100 * figures.accuracy_drop:+.2f} points)")
    print(f"relative cost  {figures.relative_cost:.4f}  ({figures.cost:,.10g} {unit})")
    print()


def say_what_is_searched(records: ExitRecords, test_records: ExitRecords | None) -> None:
    """Says how many samples and exits there are, and whether the test records are others."""
    print(f"search on {records.n_samples:,} samples, {records.n_exits} exits; baseline {baseline(records)}")
    if test_records is not None:
        print(f"test on   {test_records.n_samples:,} samples; baseline {baseline(test_records)}")
        if test_records.digest == records.digest:
            print("note: the test records are the samples searched on, so they tell nothing new")


def baseline(records: ExitRecords) -> str:
    """Accuracy and cost of the final exit alone, in words."""
    return f"{records.baseline_accuracy:.4f} at {records.costs.baseline:,.10g} {records.costs.unit}"
