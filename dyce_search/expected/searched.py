"""What a search maximises: expected, observed or one's own scores, with caution."""

import copy
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown
from dyce_search.arrays import numbers, read_only
from dyce_search.errors import RecordsError
from dyce_search.expected.caution import cautious_scores, checked_caution, default_caution
from dyce_search.expected.scores import Effort, ScoreOrigin, expected_with_origin
from dyce_search.expected.units import some_of, units_of
from dyce_search.records.records import ExitRecords
from dyce_search.records.stored import AnyRecords, StoredRecords

FloatArray = npt.NDArray[np.float32]
Scores = Literal["expected", "observed"] | npt.ArrayLike

# Of 300,000 synthetic samples x 251 exits: held-out hypervolume .78137 on such a part, .78087 on 50,000, .78148 on all
# of them with observed scores, in 1.5 times the processor time; the time for a part is the same however many there are.
# On observed scores coordinate descent refines on all samples what it found on such a part (of 140,000, in units of
# 1e-4 of hypervolume: half as many -1.7, twice as many +1.0).
PART = 1 << 16  # samples to search on first, or alone, where there are more than twice as many


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchedScores:
    """Scores of some records that a search maximises, and what the figures of its front are means of.

    Attributes:
        kind: "expected", "observed" or "own".
        records: the samples to search on, as observed: those given, or a random part of them, see `of`.
        accuracy: records with the scores whose means the front's figures are, in [0, 1].
        searched: records with the scores that are maximised: the same, less `caution` times each sample's
            disagreement with the final exit; they may be below 0.
        caution: at least 0.
        origin: how expected scores came about; None for others.
    """

    kind: str
    records: ExitRecords
    accuracy: ExitRecords
    searched: ExitRecords
    caution: float
    origin: ScoreOrigin | None

    @classmethod
    def of(cls, records: AnyRecords, scores: Scores, caution: float | None, *, effort: Effort = "default") -> Self:
        """Makes them; the same for every search of some records, whatever its seed, so that fronts can be compared.

        Expected scores of more than 131,072 samples are made and searched for 65,536 random ones, whole groups of them:
        more samples bring next to nothing then, and take their time. Of records in a file they are all that is loaded.

        Args:
            records: to search on.
            scores: "expected", "observed", or (E, N) in [0, 1].
            caution: at least 0; None is `default_caution` with expected scores, 0 with others, and where nothing was
                learned.
            effort: of the expected scores.

        Raises:
            RecordsError: an unknown kind of scores, scores of another shape or outside [0, 1], a bad caution.
        """
        origin, kind = None, scores if isinstance(scores, str) else "own"
        if kind == "expected" and records.n_samples > 2 * PART:
            records = part_of(records)
        if isinstance(records, StoredRecords):
            records = records.load()
        if kind == "expected":
            values, origin = expected_with_origin(records, effort=effort)
        elif kind == "observed":
            values = records.score
        elif kind == "own":
            values = _own(scores, records)
        else:
            raise RecordsError(f"scores must be 'expected', 'observed' or (E, N) in [0, 1], got {shown(scores)}")
        if caution is not None:
            caution = checked_caution(caution)
        else:
            learned = kind == "expected" and values is not records.score
            caution = default_caution(records.n_samples) if learned else 0.0
        plain = records if values is records.score else with_scores(records, values)
        searched = with_scores(records, cautious_scores(values, records.score, caution)) if caution else plain
        return cls(kind=kind, records=records, accuracy=plain, searched=searched, caution=float(caution), origin=origin)


def part_of(records: AnyRecords) -> AnyRecords:
    """65,536 random samples of many, whole groups of them; always the same ones."""
    unit = units_of(records.group, records.n_samples)
    return records.subset(some_of(unit, PART, np.random.default_rng(records.n_samples)))


def with_scores(records: ExitRecords, score: FloatArray) -> ExitRecords:
    """The same samples with other scores (E, N), any finite numbers; for searches, which only add them up."""
    other = copy.copy(records)
    object.__setattr__(other, "score", read_only(score, np.float32))
    object.__setattr__(other, "_known", {})
    return other


def _own(scores: Any, records: ExitRecords) -> FloatArray:
    values = numbers(scores, "scores", RecordsError, dtype=np.float32, ndim=2)
    if values.shape != records.score.shape:
        raise RecordsError(f"scores must have the shape of records.score, {records.score.shape}, got {values.shape}")
    if not all(row.min() >= 0 and row.max() <= 1 for row in values):
        raise RecordsError("scores must lie in [0, 1]: scale them first")
    return values
