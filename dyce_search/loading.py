"""Records from files, whatever their kind, and the example that comes with the package. Imports records and below."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from dyce_search.costs import ExitCosts
from dyce_search.errors import RecordsError
from dyce_search.files import PathLike
from dyce_search.record_files import read_arrays
from dyce_search.records import ExitRecords


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
