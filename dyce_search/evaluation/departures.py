"""How many samples leave at each position, and the sums of their scores and costs, under many configurations."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import differing
from dyce_search.records.stored import AnyRecords
from dyce_search.threads import parts_of, side_by_side

if TYPE_CHECKING:
    from dyce_search.evaluation._kernels import Charges, Configs, Sums


def departures(
    records: AnyRecords,
    exits: npt.NDArray[np.int32],
    threshold: npt.NDArray[np.float32],
    *,
    observed: npt.NDArray[np.float32] | None = None,
    differences: bool = False,
) -> "Sums":
    """Follows all samples through F configurations, in parallel.

    Args:
        records: whose samples they are; those that stay in their file are read block by block, and sums go on from
            one to the next, so they are those of the records in memory to the bit.
        exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none.
        threshold: (F, P) float32.
        observed: (E, N) float32, scores that may differ from the final exit's; None is those of the records.
        differences: whether these differences are added up too.
    """
    from dyce_search.evaluation._kernels import Charges, Configs, Sums

    order, bounds = _chunks(exits, threshold)
    shape = (len(exits), exits.shape[1] + 1)
    charged = differing(records.sample_costs) if isinstance(records, ExitRecords) else None
    charges = None if charged is None else Charges(charged.backbone, charged.head)
    sums = Sums(
        left=np.zeros(shape, np.int64),
        score=np.zeros(shape),
        cost=np.zeros((0, 0) if charged is None else shape),
        differ=np.zeros(shape if differences else (0, 0)),
    )
    configs = Configs(exits[order], threshold[order], _alike(exits[order], threshold[order]))
    for part in [records] if isinstance(records, ExitRecords) else records.blocks():
        seen = part.score if observed is None else observed
        fill = partial(_fill, part, seen, charges, configs, sums)
        side_by_side(fill, bounds[:-1], bounds[1:])
    back = np.argsort(order)
    cost, differ = (array[back] if array.size else array for array in (sums.cost, sums.differ))
    return Sums(left=sums.left[back], score=sums.score[back], cost=cost, differ=differ)


def _fill(
    part: ExitRecords,
    observed: npt.NDArray[np.float32],
    charges: "Charges | None",
    configs: "Configs",
    sums: "Sums",
    first: int,
    stop: int,
) -> None:
    """Adds some samples to the sums of some configurations."""
    from dyce_search.evaluation._kernels import Flight, leave_counts

    flight = Flight.of(sums.left.shape[1] - 1, by_sample=charges is not None)
    leave_counts(part.confidence, part.score, observed, charges, configs, first, stop, flight, sums)


def _chunks(
    exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """An order that puts configurations with a common beginning side by side, and bounds of each thread's share."""
    n_configs, n_positions = exits.shape
    keys = np.empty((n_configs, n_positions, 2), np.int32)  # compared as bytes: equal beginnings end up together
    keys[:, :, 0] = exits
    keys[:, :, 1] = np.where(exits >= 0, threshold, np.float32(0)).view(np.int32)
    order = np.argsort(keys.reshape(n_configs, 2 * n_positions).view(f"V{8 * n_positions}").ravel(), kind="stable")
    return order, parts_of(n_configs)


def counting_loop() -> Any:
    """The compiled loop without which nothing is measured."""
    from dyce_search.evaluation._kernels import leave_counts

    return leave_counts


def _alike(exits: npt.NDArray[np.int32], threshold: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """(F,) up to which position each does as the one before it, P + 1 where to the end; 0 for the first."""
    same = (exits[1:] == exits[:-1]) & ((exits[1:] < 0) | (threshold[1:] == threshold[:-1]))
    alike = np.where(same.all(axis=1), exits.shape[1] + 1, same.argmin(axis=1))
    return np.insert(alike, 0, 0)
