"""Configurations as solvers have them, measured: the fields of a front."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import require_type, several
from dyce_search.errors import FrontError
from dyce_search.evaluation.cost_tails import cost_tails
from dyce_search.evaluation.evaluate import checked_configs, measured, non_dominated
from dyce_search.fingerprints import fingerprint, require_digest, united
from dyce_search.provenance import Provenance
from dyce_search.records.records import ExitRecords, require_records


def measured_fields(
    records: ExitRecords,
    exits: npt.NDArray[np.int32],
    threshold: npt.NDArray[np.float32],
    provenance: Provenance,
    scored: ExitRecords | None,
    digest: str | None,
    marks: tuple[str, ...],
) -> dict[str, Any]:
    """The arguments of the `ParetoFront` of those that no other dominates, see `ParetoFront.from_arrays`.

    Raises:
        ConfigError: shapes that do not fit, an exit that is not at its position, a threshold that is NaN.
        RecordsError: no records.
        FrontError: something else than a provenance, a digest or marks.
    """
    require_records(records)
    require_type(provenance, Provenance, "provenance", FrontError)
    if scored is not None:
        require_records(scored, "scored")
    if digest is not None:
        require_digest(digest, "digest")
    several(marks, str, "marks", FrontError)
    exits, threshold = checked_configs(exits, threshold, records.costs)
    scored = records if scored is None else scored
    batch, differs, count = measured(scored, exits, threshold, observed=records.score, differences=True)
    keep = non_dominated(batch.cost, batch.accuracy - provenance.caution * differs)
    exits, threshold = exits[keep], threshold[keep]
    return {
        "costs": records.costs,
        "layout": records.layout,
        "candidate": records.layout.candidates(exits),
        "threshold": threshold,
        "accuracy": batch.accuracy[keep],
        "cost": batch.cost[keep],
        "disagreement": differs[keep],
        "cost_tail": cost_tails(records, exits, threshold, count[keep]),
        "scores": provenance.scores,
        "exit_accuracy": scored.exit_accuracy,
        "n_samples": records.n_samples,
        "records_digest": records.digest if digest is None else digest,
        "provenance": provenance,
        "fingerprint": united(fingerprint(records.confidence), marks),
    }
