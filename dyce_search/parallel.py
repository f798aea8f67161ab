"""Runs independent searches side by side, through joblib, on a cluster as well.

    with joblib.parallel_config(backend="dask"):  # or "ray", after ray.util.joblib.register_ray()
        fronts = ds.search_many(record_sets)

Every search is a function of its records, solver, options and seed, so the result is the same wherever it runs; only
a limit in seconds makes it depend on how busy the machine is. Prefer processes (joblib's default) to threads: the
searches are parallel inside, and joblib gives each process its share of the cores.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from dyce_search.arguments import is_whole, shown
from dyce_search.errors import RecordsError, SolverError
from dyce_search.front.front import ParetoFront
from dyce_search.records.records import ExitRecords
from dyce_search.search import search

T = TypeVar("T")
MOST_JOBS = 1 << 16


@overload
def search_many(
    record_sets: Mapping[str, ExitRecords], *, n_jobs: int | None = None, **options: Any
) -> dict[str, ParetoFront]: ...


@overload
def search_many(
    record_sets: Sequence[ExitRecords], *, n_jobs: int | None = None, **options: Any
) -> list[ParetoFront]: ...


def search_many(
    record_sets: Mapping[str, ExitRecords] | Sequence[ExitRecords], *, n_jobs: int | None = None, **options: Any
) -> dict[str, ParetoFront] | list[ParetoFront]:
    """Searches several sets of records, each on its own: networks, folds, confidence measures.

    Args:
        record_sets: by name, or in a list.
        n_jobs: how many searches run at once, -1 is one a core; None is 1, or what `joblib.parallel_config` says.
        options: of `search`, the same for all: `solver`, `seed`, budgets and the solver's own.

    Returns:
        A front for each, by name or in that order.

    Raises:
        RecordsError: no records, or something else among them.
        SolverError: see `search`.

    Example:
        >>> import dyce_search as ds
        >>> halves = ds.load_example().split(0.5, seed=0)
        >>> fronts = ds.search_many({"first": halves[0], "second": halves[1]}, solver="exit_shares")
        >>> [name for name in fronts]
        ['first', 'second']
    """
    if isinstance(record_sets, ExitRecords):
        raise RecordsError("record_sets must be several ExitRecords in a list or a dict, got a single one: use search")
    if not isinstance(record_sets, (Mapping, Sequence)) or isinstance(record_sets, str):
        raise RecordsError(f"record_sets must be a list or a dict of ExitRecords, got {type(record_sets).__name__}")
    names = list(record_sets) if isinstance(record_sets, Mapping) else None
    found = [*(record_sets.values() if isinstance(record_sets, Mapping) else record_sets)]
    if not found or not all(isinstance(records, ExitRecords) for records in found):
        raise RecordsError(
            "record_sets must be one or more ExitRecords, got "
            f"{', '.join(type(records).__name__ for records in found) or 'none'}"
        )
    fronts = run_all(search, [((records,), options) for records in found], n_jobs)
    return fronts if names is None else dict(zip(names, fronts, strict=True))


def run_all(
    function: Callable[..., T], calls: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]], n_jobs: int | None
) -> list[T]:
    """Calls a function with each of these arguments and options, through joblib; results in the order of the calls.

    Raises:
        SolverError: `n_jobs` is 0 or no whole number.
    """
    from joblib import Parallel, delayed

    if n_jobs is not None and not (is_whole(n_jobs) and n_jobs != 0 and abs(n_jobs) <= MOST_JOBS):
        raise SolverError(f"n_jobs must be a whole number other than 0 (-1: one a core), or None, got {shown(n_jobs)}")
    if n_jobs is not None and (len(calls) == 1 or n_jobs > len(calls)):
        n_jobs = len(calls)  # what has no work needs no process
    return list(Parallel(n_jobs=n_jobs)(delayed(function)(*arguments, **options) for arguments, options in calls))
