"""The non-dominated points of several fronts."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from dyce_search.errors import FrontError
from dyce_search.evaluation.evaluate import non_dominated
from dyce_search.fingerprints import united
from dyce_search.provenance import Provenance

if TYPE_CHECKING:
    from dyce_search.front.front import ParetoFront


def merged_fields(fronts: Sequence["ParetoFront"]) -> dict[str, Any]:
    """The arguments of the `ParetoFront` of several, see `ParetoFront.merge`.

    Raises:
        FrontError: a front of other records, or of other scores.
        ConfigError: fronts of other exits, or of confidences of another measure or temperature.
    """
    first, *others = fronts
    layout = first.layout
    for k, other in enumerate(others, start=1):
        _require_comparable(first, other)
        layout = layout.joined(other.layout, "the first front", f"front {k}")
    fields = {
        name: np.concatenate([getattr(front, name) for front in fronts])
        for name in ("candidate", "threshold", "accuracy", "cost", "disagreement", "cost_tail")
    }
    keep = non_dominated(fields["cost"], np.concatenate([front.cautious_accuracy for front in fronts]))
    provenance = Provenance(
        solver=" + ".join(dict.fromkeys(front.provenance.solver for front in fronts)),
        options={"merged": [_plain(front.provenance) for front in fronts]},
        seconds=sum(front.provenance.seconds for front in fronts),
        evaluations=sum(front.provenance.evaluations for front in fronts),
        stop_reason="converged",
        scores=first.scores,
        caution=first.provenance.caution,
        expected=first.provenance.expected,
    )
    same = ("costs", "exit_accuracy", "n_samples", "records_digest", "scores")
    return {
        **{name: values[keep] for name, values in fields.items()},
        **{name: getattr(first, name) for name in same},
        "fingerprint": united(*(front.fingerprint for front in fronts)),
        "layout": layout,
        "provenance": provenance,
    }


def _plain(origin: Provenance) -> dict[str, Any]:
    return {one.name: getattr(origin, one.name) for one in fields(origin)}


def _require_comparable(first: "ParetoFront", other: "ParetoFront") -> None:
    if other.records_digest != first.records_digest:
        raise FrontError(
            "fronts to merge must be measured on the same records, these are not: use "
            "ParetoFront.from_configs(records, [point.config for front in fronts for point in front], "
            "marks=[mark for front in fronts for mark in front.fingerprint])"
        )
    one, two = ((how.scores, how.caution, how.expected) for how in (first.provenance, other.provenance))
    if one != two:
        raise FrontError(
            f"fronts to merge must be measured in the same scores, got {one[0]} with caution {one[1]:g} and "
            f"{two[0]} with {two[1]:g}: search both with the same scores=, caution= and kind of effort="
        )
    if not np.array_equal(other.exit_accuracy, first.exit_accuracy):
        raise FrontError(
            f"fronts to merge must be measured in the same scores, got two kinds of {first.scores} ones, under which "
            "single exits have other accuracies: search both with the same scores="
        )
