"""Costs of what stands side by side: in one unit always, and other numbers in it are said."""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from dyce_search.errors import CostsError
from dyce_search.records.costs import ExitCosts
from dyce_search.records.sample_costs import differing

if TYPE_CHECKING:
    from dyce_search.records.records import ExitRecords

SAME_COSTS = 1e-6  # relative: as float32 keeps them


def require_one_unit(costs: ExitCosts, others: ExitCosts, ours: str, theirs: str) -> None:
    """For figures that are compared, or shown under one name.

    Args:
        costs: of the one.
        others: of the other.
        ours: what the one is, for the message.
        theirs: what the other is.

    Raises:
        CostsError: they are counted in different units.
    """
    if costs.unit != others.unit:
        raise CostsError(
            f"{theirs} must have costs in the unit of {ours}, {costs.unit!r}, got {others.unit!r}: use the same "
            "costs= for both"
        )


def are_same(costs: ExitCosts, records: "ExitRecords") -> bool:
    """Whether records of the same exits charge these costs, whatever the exits are called.

    Means of costs that differ by sample are never quite the same, so there it is the unit that counts.
    """
    if costs.unit != records.costs.unit:
        return False
    return differing(records.sample_costs) is not None or all(
        np.allclose(getattr(costs, name), getattr(records.costs, name), rtol=SAME_COSTS, atol=0)
        for name in ("backbone", "head")
    )


def warn_if_other_costs(costs: ExitCosts, records: "ExitRecords", ours: str, theirs: str, stacklevel: int) -> None:
    """For figures of records that stand beside those of others, of the same exits.

    Raises:
        CostsError: they are counted in different units.
    """
    require_one_unit(costs, records.costs, ours, theirs)
    if not are_same(costs, records):
        warnings.warn(
            f"{theirs} have other costs than {ours}, and what stands side by side is of each one's own: load both with "
            "the same costs=, unless they were measured anew on purpose",
            stacklevel=stacklevel,
        )
