"""What several commands say, and where they write."""

import json
import os
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.cli import tables
from dyce_search.cli.parser import UsageError
from dyce_search.cli.screen import say, say_facts, width
from dyce_search.errors import FileFormatError
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.evaluation.evaluate import Evaluation, evaluate
from dyce_search.files import PathLike
from dyce_search.json_files import write_json
from dyce_search.records.records import ExitRecords
from dyce_search.wording import points, quantity

INTERRUPTED = 130  # the shell's exit status after Ctrl-C
READ = ("records", "front", "config", "costs", "test", "search")  # options that name files to read
WRITTEN = ("out", "csv", "plot")  # and files to write
NAMED = ("costs", "test", "search", *WRITTEN)  # those that go by their name, not by their place
PAD = 15  # columns that the names of facts take


def require_apart(options: Namespace) -> None:
    """Checks, before the work, that nothing is written over what is read, or over what was just written.

    Args:
        options: of a command; in `replaces` the names of those whose file may be written anew.

    Raises:
        UsageError: two options name the same file.
    """
    given = {name: getattr(options, name, None) for name in (*READ, *WRITTEN)}
    files = [
        (option, Path(path))
        for option, paths in given.items()
        for path in (paths if isinstance(paths, list) else [paths])
        if path is not None and option not in getattr(options, "replaces", ())
    ]
    for k, (option, path) in enumerate(files):
        for other, earlier in files[:k]:
            if option in WRITTEN and _same_file(path, earlier):
                one, two = (f"--{name}" if name in NAMED else name.upper() for name in (other, option))
                raise UsageError(f"{one} and {two} must name different files, got {path} for both")


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other) and one.is_file()  # not so with /dev/null
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)


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
    say(f"wrote {path}  ({what})")


def give(content: Mapping[str, Any], *, as_json: bool, out: PathLike | None, what: str) -> None:
    """Prints figures as JSON and nothing else, or writes them to a file, where that was asked for.

    Args:
        content: to give; arrays become lists, NaN becomes null.
        as_json: whether to print it.
        out: file to write.
        what: it is, in words.
    """
    plain = _plain(content)
    if as_json:
        print(json.dumps(plain, ensure_ascii=False, indent=1, allow_nan=False))
    if out is not None:
        write_json(out, plain)
        if not as_json:
            wrote(out, what)


def figures_of(figures: OperatingPoint | Evaluation) -> dict[str, float]:
    """Accuracy and cost of a configuration, by name."""
    return {name: getattr(figures, name) for name in ("accuracy", "accuracy_drop", "cost", "relative_cost")}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not np.isfinite(value) else value


def say_figures(figures: OperatingPoint | Evaluation, unit: str) -> None:
    """Says the accuracy and the cost of a configuration, and leaves a line."""
    facts = {
        "accuracy": f"{figures.accuracy:.4f}  (drop {points(figures.accuracy_drop, signed=True)})",
        "relative cost": f"{figures.relative_cost:.4f}  ({quantity(figures.cost, unit)})",
    }
    say_facts(facts, PAD)
    say()


def say_certified(point: CertifiedPoint, records: ExitRecords, *, as_json: bool, out: PathLike | None) -> None:
    """Says what is certified, on which records; writes the configuration with its certificate."""
    if not as_json:
        say(f"{point.certificate}\n")
        say_figures(point, records.costs.unit)
        found = evaluate(records, point.config)
        print(tables.config_table(records.costs, point.config, found, width=width()))
        say("\nFigures are of the calibration samples. Certifying again on them, for another limit, is no proof.")
    certificate = {**asdict(replace(point.certificate, layout=None)), "p_value": point.certificate.p_value}
    content = {
        **figures_of(point),
        "unit": records.costs.unit,
        "certificate": certificate,
        "config": point.config.to_dict(),
    }
    give(content, as_json=as_json, out=None, what="")
    if out is not None:
        point.save(out)
        if not as_json:
            wrote(out, "the configuration, with its certificate")


def say_what_is_searched(records: ExitRecords, test_records: ExitRecords | None) -> None:
    """Says how many samples and exits there are, and whether the test records are others."""
    say(f"search on {records.n_samples:,} samples, {records.n_exits} exits; baseline {baseline(records)}")
    if test_records is not None:
        say(f"test on   {test_records.n_samples:,} samples; baseline {baseline(test_records)}")
        if test_records.digest == records.digest:
            say("note: the test records are the samples searched on, so they tell nothing new")


def baseline(records: ExitRecords) -> str:
    """Accuracy and cost of the final exit alone, in words."""
    return f"{records.baseline_accuracy:.4f} at {quantity(records.costs.baseline, records.costs.unit)}"
