"""What the page of a front holds, as plain values for JSON; arrays are packed, so that doubles stay what they are."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import require_type
from dyce_search.arrays import numbers
from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.errors import FrontError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.config_file import FORMAT, VERSION
from dyce_search.evaluation.cost_tails import SHARES
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.drawn import Drawable, costs_of, drawables
from dyce_search.evaluation.limits import LIMITS, POINT_LIMITS, require_drop
from dyce_search.evaluation.lookup import index_of
from dyce_search.evaluation.same_costs import require_one_unit
from dyce_search.explorer.accounts import Accounts, GroupAccounts
from dyce_search.explorer.packing import packed, packed_repeats, packed_sums
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.wording import COUNTED

if TYPE_CHECKING:
    from dyce_search.front.front import ParetoFront

SHOWN_SHARES = (0.5, 0.05, 0.01, 0.0)  # of the samples, that cost more than the figures that are shown


class Models(Protocol):
    """The models of a cascade that the points of a front ask in orders of their own."""

    @property
    def names(self) -> tuple[str, ...]:
        """(M,) of all, in the order of the records."""

    def index_of(self, config: ExitConfig) -> int:
        """Which point has this configuration, of its own models; a `FrontError` where none has."""


def explorer_content(
    front: "ParetoFront",
    *,
    held_out: ExitRecords | None,
    certificate: CertifiedPoint | None,
    others: Mapping[str, Drawable] | None,
    max_accuracy_drop: float,
    drop_limit: float,
    at_certified: bool = False,
    models: Models | None = None,
) -> dict[str, Any]:
    """Everything that the page shows of a front; arguments and errors are those of `ParetoFront.explore`.

    With `at_certified` it begins with the certified point. A front whose points are configurations of stages has
    `models`.
    """
    require_drop(max_accuracy_drop)
    require_drop(drop_limit, "drop_limit")
    if drop_limit <= 0:
        raise FrontError(f"drop_limit must be above 0, got {drop_limit}: 0.05 shows drops of up to five points")
    if held_out is not None:
        require_records(held_out, "held_out")
        require_one_unit(front.costs, held_out.costs, "the front", "the held-out records")
    how = front.provenance
    return {
        "points": _points(front),
        "n_samples": front.n_samples,
        "scores": front.scores,
        "solver": how.solver,
        "caution": how.caution,
        "unit": front.costs.unit,
        "counted": front.costs.unit.lower() in COUNTED,
        "baseline": {"cost": front.costs.baseline, "accuracy": front.baseline_accuracy},
        "layout": front.layout.to_dict(),
        "models": None if models is None else models.names,
        "prices": {"backbone": front.costs.backbone.tolist(), "head": front.costs.head.tolist()},
        "config": {"format": FORMAT, "version": VERSION},
        "limits": {name: _limit(name) for name in POINT_LIMITS},
        "shares": SHARES,
        "held": None if held_out is None else _held(front, held_out),
        "certificate": None if certificate is None else _certificate(front, certificate, models),
        "single": _single(front, front.costs.n_exits if models is None else len(models.names)),
        "others": _others(front, others),
        "start": {
            "max_accuracy_drop": float(max_accuracy_drop),
            "drop_limit": float(drop_limit),
            "at_certified": at_certified and certificate is not None,
        },
    }


def _limit(name: str) -> dict[str, Any]:
    limit = LIMITS[name]
    return {"rounding": limit.rounding, "on_cost": limit.on_cost, "is_most": limit.is_most}


def _points(front: Curve) -> dict[str, Any]:
    """Configurations, of which only the exits in use are listed, and their figures where they were searched."""
    exits = front.exits
    on = exits >= 0
    known = not np.isnan(front.disagreement).any()
    return {
        "first": packed(np.append(0, np.cumsum(on.sum(axis=1)))),
        "exit": packed(exits[on]),
        "threshold": packed(front.threshold[on]),
        "accuracy": packed(front.accuracy),
        "cost": packed(front.cost),
        "disagreement": packed(front.disagreement.astype(np.float32)) if known else None,
        "tail": None if np.isnan(front.cost_tail).any() else packed_repeats(front.cost_tail),
    }


def _held(front: Curve, records: ExitRecords) -> dict[str, Any]:
    """The same configurations on other samples."""
    curve = front.evaluate(records)  # type: ignore[attr-defined]
    accounts = Accounts.of(curve, records)
    ends = np.column_stack([curve.exits >= 0, np.ones(len(curve), np.bool_)])
    tails = np.column_stack([curve.cost_within(share) for share in SHOWN_SHARES])
    return {
        "n_samples": records.n_samples,
        "source": records.source,
        "is_searched": records.digest == front.records_digest,
        "baseline": {"cost": curve.costs.baseline, "accuracy": curve.baseline_accuracy},
        "accuracy": packed(curve.accuracy),
        "cost": packed(curve.cost),
        "disagreement": packed(curve.disagreement.astype(np.float32)),
        "tail": packed_repeats(tails.astype(np.float32).astype(np.float64)),
        "left": packed(accounts.left[ends]),
        "score": packed_sums(accounts.score[ends]),
        "final": packed_sums(accounts.final[ends]),
        "groups": None if accounts.groups is None else _groups(accounts.groups),
    }


def _groups(groups: GroupAccounts) -> dict[str, Any]:
    return {
        "by": groups.by,
        "names": [str(name) for name in groups.name.tolist()],
        "n_samples": groups.n_samples.tolist(),
        "kept": groups.which.shape[1],
        "which": packed(groups.which),
        "drop": packed(groups.accuracy_drop.astype(np.float32)),
        "error": packed(groups.standard_error.astype(np.float32)),
    }


def _certificate(front: Curve, point: CertifiedPoint, models: Models | None) -> dict[str, Any]:
    require_type(point, CertifiedPoint, "certificate", FrontError)
    try:
        if models is None:
            point.config.exits(front.layout, "the front")
            index = index_of(front, point.config)
        else:
            index = models.index_of(point.config)
    except FrontError as cause:
        raise FrontError(
            "certificate must be of a configuration of this front, got another one: pass what front.certify returned"
        ) from cause
    return {"index": index, "lines": str(point.certificate).splitlines(), "content": point.to_dict()}


def _single(front: Curve, n_exits: int) -> dict[str, Any]:
    """Each of so many exits used alone, for every sample; the final exit is apart."""
    one = slice(0, n_exits - 1)
    return {"cost": front.costs.alone[one].tolist(), "accuracy": front.exit_accuracy[one].tolist()}


def _others(front: Curve, others: Mapping[str, Drawable] | None) -> list[dict[str, Any]]:
    """More curves; their drops are below their own final exit where they know it."""
    found = []
    for name, curve in drawables(others, front.costs).items():
        figures: dict[str, npt.NDArray[np.float64]] = {
            figure: numbers(getattr(curve, figure), figure, FrontError, dtype=np.float64, ndim=1)
            for figure in ("relative_cost", "accuracy")
        }
        order = np.argsort(figures["relative_cost"], kind="stable")
        found.append(
            {
                "name": str(name),
                "scores": str(getattr(curve, "scores", "observed")),
                "baseline": float(getattr(curve, "baseline_accuracy", front.exit_accuracy[-1])),
                "whole": (costs_of(curve) or front.costs).baseline,
                **{figure: packed(values[order]) for figure, values in figures.items()},
            }
        )
    return found
