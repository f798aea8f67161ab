"""Cascades as stages: any model at any stage, so that one search is one of all orders."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import several
from dyce_search.errors import RecordsError
from dyce_search.expected.searched import with_scores
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.records.sample_costs import SampleCosts

IntArray = npt.NDArray[np.int64]


def in_order(records: ExitRecords, models: Sequence[str]) -> ExitRecords:
    """The records of some models of a cascade, in this order; the last one answers whatever is left.

    Args:
        records: of a cascade, see `load_cascade` and `ExitRecords.from_cascade`.
        models: names of two or more of them.

    Raises:
        RecordsError: no cascade, or no such models.

    Example:
        >>> rows = [{"query": n, "model": name, "score": 1, "confidence": n / 9, "cost": cost}
        ...         for n in range(9) for name, cost in (("a", 1), ("b", 3), ("c", 9))]
        >>> import dyce_search as ds
        >>> ds.in_order(ds.load_cascade(rows), ["c", "a"]).layout.names
        ('c', 'a')
    """
    names = require_cascade(records)
    chosen = several(models, str, "models", RecordsError) if not isinstance(models, str) else [models]
    if len(chosen) < 2 or len(set(chosen)) < len(chosen) or not set(chosen) <= set(names):
        raise RecordsError(f"models must be two or more different ones of {', '.join(names)}, got {chosen}")
    rows = np.array([names.index(name) for name in chosen])
    return _of_rows(records, rows, _costs(_prices(records)[rows], records.costs.unit, chosen))


def require_cascade(records: ExitRecords) -> tuple[str, ...]:
    """The names of the models of a cascade; "model 0", "model 1" and so on where they have none of their own.

    Raises:
        RecordsError: the records are of a network with a shared backbone.
    """
    require_records(records)
    costs = records.costs
    if costs.n_exits != costs.n_positions + 1 or costs.backbone[:-1].any():
        raise RecordsError(
            "only whole models can change places: these records are of exits on one backbone. Build those of a cascade "
            "by load_cascade or ExitRecords.from_cascade"
        )
    names = records.layout.names
    return names if len(set(names)) == len(names) else tuple(f"model {m}" for m in range(len(names)))


def _prices(records: ExitRecords) -> npt.NDArray[np.float64]:
    """(M, N), or (M, 1) where they are the same for every sample."""
    if records.sample_costs is None:
        return records.costs.alone[:, None]
    price = records.sample_costs.head.astype(np.float64)
    price[-1] = records.sample_costs.baseline
    return price


def _of_rows(records: ExitRecords, rows: IntArray, costs: ExitCosts | SampleCosts) -> ExitRecords:
    """The answers of the models `rows` (K,), one may come twice, at these costs; scores as they are."""
    heat = records.temperature
    plain = ExitRecords(
        confidence=records.confidence[rows],
        score=np.zeros((len(rows), records.n_samples), np.float32),
        costs=costs,
        label=records.label,
        prediction=None if records.prediction is None else records.prediction[rows],
        group=records.group,
        measure=records.measure,
        temperature=None if heat is None else heat[rows],
        source=records.source,
    )
    return with_scores(plain, records.score[rows])


def _costs(price: npt.NDArray[np.float64], unit: str, names: Sequence[str]) -> ExitCosts | SampleCosts:
    if price.shape[1] == 1:
        return ExitCosts.cascade(price[:, 0], unit=unit, names=names)
    return SampleCosts.cascade(price, unit=unit, names=names)


def staged(records: ExitRecords) -> ExitRecords:
    """A cascade in which any model may stand at any of M stages; whoever is left is answered by the last model.

    One search of these records is one of all orders and subsets. To be asked twice a model is paid twice.

    Args:
        records: of a cascade of M models.
    """
    names, price = require_cascade(records), _prices(records)
    rows = _stage_rows(len(names))
    return _of_rows(records, rows, _staged_costs(price, rows, records.costs.unit, [names[m] for m in rows]))


def are_stages(costs: ExitCosts) -> bool:
    """Whether costs are those of `staged` records, whose configurations say an order of models."""
    size = costs.n_positions
    if costs.n_exits != size**2 + 1 or len(set(costs.names[:size])) != size:
        return False
    rows = _stage_rows(size)
    return costs == _staged_costs(costs.head[:size, None], rows, costs.unit, [costs.names[m] for m in rows])


def _stage_rows(n_models: int) -> IntArray:
    """(M*M+1,) which model each exit is: all of them at each stage, then the last one."""
    return np.append(np.tile(np.arange(n_models), n_models), n_models - 1)


def _staged_costs(
    price: npt.NDArray[np.float64], rows: IntArray, unit: str, names: Sequence[str]
) -> ExitCosts | SampleCosts:
    head, n_models = price[rows], len(price)
    head[-1] = 0
    backbone = np.zeros((n_models + 1, price.shape[1]))
    backbone[-1] = price[-1]
    position = np.append(np.repeat(np.arange(n_models), n_models), n_models)
    if price.shape[1] == 1:
        return ExitCosts(backbone=backbone[:, 0], head=head[:, 0], position=position, unit=unit, names=names)
    return SampleCosts(backbone=backbone, head=head, position=position, unit=unit, names=names)


def with_last(records: ExitRecords, rows: IntArray) -> ExitRecords:
    """A cascade of the candidates `rows` (M,) of staged records, one a stage, the last one for whoever is left."""
    charged, costs = records.sample_costs, records.costs
    price = costs.head[rows][:, None] if charged is None else charged.head[rows].astype(np.float64)
    plain = ExitRecords(
        confidence=records.confidence[rows],
        score=np.zeros((len(rows), records.n_samples), np.float32),
        costs=_costs(price, costs.unit, [str(row) for row in rows]),
    )
    return with_scores(plain, records.score[rows])


def sequence_of(exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32], n_models: int) -> tuple[int, ...]:
    """The models that a configuration (P,) of stages asks, in order, up to the one that answers whoever is left."""
    asked = []
    for e, level in zip(exits.tolist(), threshold.tolist(), strict=True):
        if e >= 0:
            asked.append(e % n_models)
            if level == -np.inf:
                return tuple(asked)
    return (*asked, n_models - 1)


def asked_of(exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32], n_models: int) -> list[tuple[int, ...]]:
    """`sequence_of` for many configurations (F, P)."""
    return [sequence_of(*config, n_models) for config in zip(exits, threshold, strict=True)]
