"""The file of a front: versioned JSON that a person can read, every float exact."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown
from dyce_search.errors import DyceError, FileFormatError
from dyce_search.evaluation.config_file import Threshold, thresholds_from_json, thresholds_to_json
from dyce_search.evaluation.cost_tails import SHARES
from dyce_search.files import PathLike
from dyce_search.json_files import read_json, typed
from dyce_search.provenance import Provenance
from dyce_search.records.costs import ExitCosts
from dyce_search.records.costs_file import CostsFile, Count
from dyce_search.records.layout import ExitLayout

if TYPE_CHECKING:
    from dyce_search.front.front import ParetoFront

FORMAT, VERSION = "dyce_search.front", 2


class _Entry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An object of the file, of which every key is known."""


class OriginEntry(_Entry):
    """How expected scores came about, a `ScoreOrigin`; empty for others."""

    ridge: float | msgspec.UnsetType = msgspec.UNSET
    forest: float | msgspec.UnsetType = msgspec.UNSET
    strength: float | msgspec.UnsetType = msgspec.UNSET
    weight: float | msgspec.UnsetType = msgspec.UNSET
    loss: float | msgspec.UnsetType = msgspec.UNSET
    loss_of_means: float | msgspec.UnsetType = msgspec.UNSET
    fitted: int | msgspec.UnsetType = msgspec.UNSET
    seed: int | msgspec.UnsetType = msgspec.UNSET


class ProvenanceEntry(_Entry):
    """How the front came about, a `Provenance`."""

    solver: str
    options: dict[str, Any]
    seed: int | None
    seconds: float
    evaluations: int
    stop_reason: str
    versions: dict[str, str]
    scores: str = "observed"
    caution: float = 0.0
    expected: OriginEntry = msgspec.field(default_factory=OriginEntry)


class RecordsEntry(_Entry):
    """Which samples were searched on."""

    digest: str
    n_samples: int
    marks: list[str] = []
    fingerprint: list[str] = []  # of before, made another way: they recognise nothing any more


class ConfidenceEntry(_Entry):
    """What the confidences are that thresholds are compared with."""

    measure: str | None
    temperature: list[float] | None


class PointEntry(_Entry):
    """One configuration, of which only the enabled exits are listed, with its figures."""

    cost: float
    accuracy: float
    position: list[Count]
    candidate: list[Count]
    threshold: list[Threshold]
    disagreement: float | None = None
    cost_tail: list[float] | None = None


class FrontFile1(_Entry):
    """Version 1, which did not say what the confidences are."""

    format: str
    version: Literal[1]
    provenance: ProvenanceEntry
    records: RecordsEntry
    costs: CostsFile
    exit_accuracy: list[float]
    points: list[PointEntry]


class FrontFile(FrontFile1):
    """The content of a front's file."""

    version: Literal[2]  # type: ignore[assignment]  # the next version of the same structure
    confidence: ConfidenceEntry
    cost_tail_shares: list[float] = []


TYPES: dict[int, type[FrontFile1]] = {1: FrontFile1, 2: FrontFile}


def front_content(front: "ParetoFront") -> dict[str, Any]:
    """The whole content of a front's file."""
    points = []
    for f in range(len(front)):
        on = np.flatnonzero(front.candidate[f] >= 0)
        points.append(
            {
                "cost": float(front.cost[f]),
                "accuracy": float(front.accuracy[f]),
                "disagreement": None if np.isnan(front.disagreement[f]) else float(front.disagreement[f]),
                "cost_tail": None if np.isnan(front.cost_tail[f]).any() else front.cost_tail[f].tolist(),
                "position": on.tolist(),
                "candidate": front.candidate[f, on].tolist(),
                "threshold": thresholds_to_json(front.threshold[f, on]),
            }
        )
    layout = front.layout.to_dict()
    return {
        "format": FORMAT,
        "version": VERSION,
        "provenance": {one.name: getattr(front.provenance, one.name) for one in fields(front.provenance)},
        "records": {
            "digest": front.records_digest,
            "n_samples": front.n_samples,
            "marks": list(front.fingerprint),
        },
        "confidence": {"measure": layout["measure"], "temperature": layout["temperature"]},
        "costs": {**front.costs.to_dict(), "names": layout["names"]},
        "exit_accuracy": front.exit_accuracy.tolist(),
        "cost_tail_shares": list(SHARES),
        "points": points,
    }


def read_front(path: PathLike) -> dict[str, Any]:
    """The arguments of a `ParetoFront`, from its file.

    Raises:
        FileFormatError: no such file, no JSON, another kind or version, content that is not of the format.
    """
    found = typed(read_json(path), FORMAT, TYPES, path)
    known = found.confidence if isinstance(found, FrontFile) else ConfidenceEntry(measure=None, temperature=None)
    try:
        costs = ExitCosts(**msgspec.structs.asdict(found.costs))
        layout = ExitLayout(
            position=costs.position, names=costs.names, measure=known.measure, temperature=known.temperature
        )
        shape = (len(found.points), costs.n_positions)
        candidate, threshold = np.full(shape, -1), np.zeros(shape, np.float32)
        for point in found.points:
            _require_exits(point, costs.n_positions)
        at = np.repeat(np.arange(len(found.points)), [len(point.position) for point in found.points])
        on = [p for point in found.points for p in point.position]
        candidate[at, on] = [k for point in found.points for k in point.candidate]
        threshold[at, on] = thresholds_from_json([level for point in found.points for level in point.threshold])
        tails = _tails(found)
        provenance = Provenance(**msgspec.to_builtins(found.provenance))
    except DyceError as cause:
        raise FileFormatError(f"{path} is damaged: {cause}") from cause
    return {
        "costs": costs,
        "layout": layout,
        "candidate": candidate,
        "threshold": threshold,
        "accuracy": np.array([point.accuracy for point in found.points], np.float64),
        "cost": np.array([point.cost for point in found.points], np.float64),
        "disagreement": np.array(
            [np.nan if point.disagreement is None else point.disagreement for point in found.points], np.float64
        ),
        "cost_tail": tails,
        "scores": found.provenance.scores,
        "exit_accuracy": np.array(found.exit_accuracy, np.float64),
        "n_samples": found.records.n_samples,
        "records_digest": found.records.digest,
        "provenance": provenance,
        "fingerprint": tuple(found.records.marks),
    }


def _tails(found: FrontFile1) -> npt.NDArray[np.float64] | None:
    """(F, S) the costs of the dearest samples; None where the file has none, or those of other shares."""
    tails = [point.cost_tail for point in found.points if point.cost_tail is not None]
    size = len(found.cost_tail_shares) if isinstance(found, FrontFile) else 0
    shares = found.cost_tail_shares if isinstance(found, FrontFile) else []
    if shares != sorted(set(shares)) or any(not 0 <= share < 1 for share in shares):
        raise FileFormatError(f"cost_tail_shares must be shares from 0 to below 1, rising, got {shown(shares)}")
    if any(len(tail) != size for tail in tails):
        raise FileFormatError(f"a point's cost_tail must have {size} numbers, as cost_tail_shares has")
    if not isinstance(found, FrontFile) or found.cost_tail_shares != list(SHARES) or len(tails) < len(found.points):
        return None
    return np.array(tails, np.float64).reshape(len(tails), size)


def _require_exits(point: PointEntry, n_positions: int) -> None:
    position, lengths = point.position, (len(point.position), len(point.candidate), len(point.threshold))
    if position != sorted(set(position)) or any(p >= n_positions for p in position):
        raise FileFormatError(f"a point's positions must be from 0 to {n_positions - 1}, rising, got {position}")
    if len(set(lengths)) > 1:
        raise FileFormatError(f"a point must have as many positions, candidates and thresholds, got {lengths}")
