"""The Pareto front: what a search returns."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arrays import require_type, restore
from dyce_search.errors import ConfigError, FileFormatError, FrontError, RecordsError
from dyce_search.evaluation.config import ExitConfig, thresholds_from_json, thresholds_to_json
from dyce_search.evaluation.curve import Curve, OperatingPoint
from dyce_search.evaluation.evaluate import evaluate_arrays, non_dominated
from dyce_search.evaluation.limits import LIMITS, asked_for, choose, require_finite
from dyce_search.files import PathLike, entry, read_versioned_json, write_json
from dyce_search.fingerprints import fingerprint
from dyce_search.provenance import Provenance
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords, require_records

if TYPE_CHECKING:
    from dyce_search.certify.certificate import CertifiedPoint
    from dyce_search.certify.limit_tests import Method

FORMAT, VERSION = "dyce_search.front", 1
BY_HAND = Provenance(solver="by hand")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParetoFront(Curve):
    """Non-dominated configurations, sorted by cost, accuracy strictly increasing. Never empty, read-only.

    Attributes:
        provenance: how it was found.
        fingerprint: marks of some of the samples searched on, by which `certify` recognises them (`fingerprints`).

    Raises:
        FrontError: no point, points that are not sorted or are dominated, shapes that do not fit together.

    Example:
        >>> import dyce_search as ds
        >>> front = ds.search(ds.load_example(), solver="exit_shares")
        >>> front.select(max_accuracy_drop=0.01).relative_cost < 0.5
        True
    """

    provenance: Provenance = BY_HAND
    fingerprint: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks that the points are a front."""
        super(ParetoFront, self).__post_init__()  # slots make a new class, which bare super() misses
        if not len(self):
            raise FrontError("a front must have at least one point")
        if np.any(np.diff(self.cost) <= 0) or np.any(np.diff(self.accuracy) <= 0):
            raise FrontError("a front's cost and accuracy must both rise strictly: use ParetoFront.from_configs")

    __setstate__ = restore

    @classmethod
    def from_configs(
        cls,
        records: ExitRecords,
        configs: Iterable[ExitConfig],
        *,
        provenance: Provenance | None = None,
    ) -> Self:
        """Measures configurations and keeps those that no other dominates.

        Args:
            records: to measure on.
            configs: one or more configurations of that network.
            provenance: where they come from.

        Raises:
            FrontError: no configuration at all.
            ConfigError: something else, or one that belongs to another network.
        """
        require_records(records)
        require_type(configs, Iterable, "configs", ConfigError)
        found = list(configs)
        if not found:
            raise FrontError("a front needs at least one configuration")
        for config in found:
            require_type(config, ExitConfig, "each of configs", ConfigError)
        exits = np.stack([config.exits(records.costs) for config in found])
        threshold = np.stack([config.threshold for config in found])
        return cls.from_arrays(records, exits, threshold, provenance=provenance or BY_HAND)

    @classmethod
    def from_arrays(
        cls,
        records: ExitRecords,
        exits: npt.NDArray[np.int32],
        threshold: npt.NDArray[np.float32],
        *,
        provenance: Provenance,
    ) -> Self:
        """`from_configs` for arrays, as solvers have them.

        Args:
            records: to measure on.
            exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none.
            threshold: (F, P) float32.
            provenance: where they come from.
        """
        measured = evaluate_arrays(records, exits, threshold)
        return cls.from_measured(
            records, exits, threshold, cost=measured.cost, accuracy=measured.accuracy, provenance=provenance
        )

    @classmethod
    def from_measured(
        cls,
        records: ExitRecords,
        exits: npt.NDArray[np.int32],
        threshold: npt.NDArray[np.float32],
        *,
        cost: npt.NDArray[np.float64],
        accuracy: npt.NDArray[np.float64],
        provenance: Provenance,
    ) -> Self:
        """`from_arrays` for configurations that were measured already.

        Args:
            records: that they were measured on.
            exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none.
            threshold: (F, P) float32.
            cost: (F,) float64, as `evaluate_many` has it.
            accuracy: (F,) float64, as `evaluate_many` has it.
            provenance: where they come from.
        """
        keep = non_dominated(cost, accuracy)
        return cls(
            costs=records.costs,
            candidate=np.where(exits >= 0, exits - records.costs.first[:-1], -1)[keep],
            threshold=threshold[keep],
            accuracy=accuracy[keep],
            cost=cost[keep],
            exit_accuracy=records.exit_accuracy,
            n_samples=records.n_samples,
            records_digest=records.digest,
            provenance=provenance,
            fingerprint=fingerprint(records.confidence),
        )

    def __repr__(self) -> str:
        """One line: size, range and origin."""
        return (
            f"ParetoFront({len(self)} points, relative cost {self.relative_cost[0]:.4f} to "
            f"{self.relative_cost[-1]:.4f}, accuracy {self.accuracy[0]:.4f} to {self.accuracy[-1]:.4f}, "
            f"by {self.provenance.solver})"
        )

    def select(
        self,
        *,
        max_accuracy_drop: float | None = None,
        min_accuracy: float | None = None,
        max_cost: float | None = None,
        max_relative_cost: float | None = None,
    ) -> OperatingPoint:
        """The best point within limits: the cheapest where accuracy is limited, else the most accurate.

        The figures are those of the samples that the search saw; see `evaluate` for others. Limits have a tolerance
        of 1e-12 for rounding.

        Args:
            max_accuracy_drop: below the final exit alone, absolute: 0.005 is half a point. May be negative.
            min_accuracy: in [0, 1].
            max_cost: in the unit of the costs.
            max_relative_cost: relative to the final exit alone.

        Raises:
            InfeasibleError: no point is within all limits; the message says what the closest ones offer.
            FrontError: no limit given, or one that is not a number.
        """
        limits = {
            "max_accuracy_drop": max_accuracy_drop,
            "min_accuracy": min_accuracy,
            "max_cost": max_cost,
            "max_relative_cost": max_relative_cost,
        }
        asked = asked_for(limits, "select")
        require_finite(asked)
        figures = {LIMITS[name].figure: getattr(self, LIMITS[name].figure) for name in limits}

        def offer(who: str, index: int) -> str:
            cost = f", cost {self.cost[index]:,.6g} {self.costs.unit}" if "max_cost" in asked else ""
            return f"{who} has {self[index]}{cost}"

        return self[choose(asked, figures, failing="no point of this front satisfies", offer=offer)]

    def evaluate(self, records: ExitRecords) -> Curve:
        """Measures the same configurations on other records: the honest figures.

        Args:
            records: of the same network.

        Returns:
            As many points in the same order. A curve, not a front: on other samples a dearer point may be worse.

        Raises:
            FrontError: the records are another network's.
            RecordsError: `records` is something else.
        """
        require_records(records)
        _require_same_layout(self.costs, records.costs)
        exits = np.where(self.candidate >= 0, self.costs.first[:-1] + self.candidate, -1).astype(np.int32)
        measured = evaluate_arrays(records, exits, self.threshold)
        return Curve(
            costs=records.costs,
            candidate=self.candidate,
            threshold=self.threshold,
            accuracy=measured.accuracy,
            cost=measured.cost,
            exit_accuracy=records.exit_accuracy,
            n_samples=records.n_samples,
            records_digest=records.digest,
        )

    def certify(
        self,
        calibration: ExitRecords,
        *,
        max_accuracy_drop: float | None = None,
        min_accuracy: float | None = None,
        min_agreement: float | None = None,
        max_cost: float | None = None,
        max_relative_cost: float | None = None,
        confidence: float = 0.95,
        method: "Method" = "auto",
    ) -> "CertifiedPoint":
        """The best point that keeps its limits with a guarantee, not only on the samples searched on.

        Tests the points on samples that the search has not seen, from the safe end of the front on, until one fails
        (`dyce_search.certify.sequence` says why this needs no correction). The cheapest that passed is returned, or
        the most accurate where only cost is limited. Decide on the limits first: every further call on the same
        calibration records, until something is certified, weakens the guarantee.

        Args:
            calibration: records of other samples, drawn independently, like those that will be served. Samples of
                one `group` may depend on each other: then groups are the units of the tests.
            max_accuracy_drop: below the final exit alone, absolute, in (0, 1): 0.01 is one point.
            min_accuracy: mean score, in (0, 1).
            min_agreement: share of the samples that get the final exit's own answer, in (0, 1); needs `prediction`
                and no labels.
            max_cost: mean cost of a sample, in the unit of the costs.
            max_relative_cost: relative to the final exit alone.
            confidence: in (0, 1), of all limits together.
            method: "auto" takes exact tests where answers are right or wrong, and betting for other scores and for
                cost; "betting" or "hoeffding_bentkus" take that one always, and certify dearer points.

        Raises:
            InfeasibleError: nothing can be certified; says what is closest, and about how many samples it takes.
            RecordsError: the calibration records hold samples that the front was searched on, or lack predictions.
            FrontError: the records are another network's, no limit is given, or an option is out of range.

        Example:
            >>> import dyce_search as ds
            >>> search, calibration = ds.load_example("search"), ds.load_example("test")
            >>> point = ds.search(search, effort="fast").certify(calibration, max_accuracy_drop=0.01, confidence=0.95)
            >>> point.relative_cost < 0.3, point.certificate.p_value <= 0.05
            (True, True)
        """
        from dyce_search.certify.sequence import certify_point

        require_type(calibration, ExitRecords, "calibration", RecordsError)
        limits = {
            "max_accuracy_drop": max_accuracy_drop,
            "min_accuracy": min_accuracy,
            "min_agreement": min_agreement,
            "max_cost": max_cost,
            "max_relative_cost": max_relative_cost,
        }
        return certify_point(
            self,
            self.evaluate(calibration),
            calibration,
            limits=limits,
            confidence=confidence,
            method=method,
            fingerprint=self.fingerprint,
        )

    def merge(self, *others: "ParetoFront") -> "ParetoFront":
        """The non-dominated points of several fronts that were measured on the same records.

        Args:
            others: fronts of those records.

        Raises:
            FrontError: a front of other records, or no front.
        """
        fronts = (self, *others)
        for other in others:
            if not isinstance(other, ParetoFront):
                raise FrontError(f"only fronts can be merged, got {type(other).__name__}")
            if other.records_digest != self.records_digest:
                raise FrontError(
                    "fronts to merge must be measured on the same records, these are not: use "
                    "ParetoFront.from_configs(records, [point.config for front in fronts for point in front])"
                )
        fields = {
            name: np.concatenate([getattr(front, name) for front in fronts])
            for name in ("candidate", "threshold", "accuracy", "cost")
        }
        keep = non_dominated(fields["cost"], fields["accuracy"])
        return ParetoFront(
            **{name: values[keep] for name, values in fields.items()},
            costs=self.costs,
            exit_accuracy=self.exit_accuracy,
            n_samples=self.n_samples,
            records_digest=self.records_digest,
            provenance=Provenance(
                solver=" + ".join(dict.fromkeys(front.provenance.solver for front in fronts)),
                options={"merged": [asdict(front.provenance) for front in fronts]},
                seconds=sum(front.provenance.seconds for front in fronts),
                evaluations=sum(front.provenance.evaluations for front in fronts),
                stop_reason="converged",
            ),
            fingerprint=self.fingerprint,
        )

    def save(self, path: PathLike) -> None:
        """Writes versioned JSON, atomically: costs, provenance and every point. `load` gives every float back exactly.

        Args:
            path: the file.

        Raises:
            FileFormatError: the folder cannot be written.
        """
        points = []
        for f in range(len(self)):
            on = np.flatnonzero(self.candidate[f] >= 0)
            points.append(
                {
                    "cost": float(self.cost[f]),
                    "accuracy": float(self.accuracy[f]),
                    "position": on.tolist(),
                    "candidate": self.candidate[f, on].tolist(),
                    "threshold": thresholds_to_json(self.threshold[f, on]),
                }
            )
        content = {
            "format": FORMAT,
            "version": VERSION,
            "provenance": asdict(self.provenance),
            "records": {
                "digest": self.records_digest,
                "n_samples": self.n_samples,
                "fingerprint": list(self.fingerprint),
            },
            "costs": self.costs.to_dict(),
            "exit_accuracy": self.exit_accuracy.tolist(),
            "points": points,
        }
        write_json(path, content)

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Reads a file that `save` wrote.

        Args:
            path: the file.

        Raises:
            FileFormatError: no such file, no JSON, another kind or version, a key is missing or damaged.
        """
        content = read_versioned_json(path, FORMAT, VERSION)
        costs = ExitCosts.from_dict(entry(content, "costs", path), path)
        points = entry(content, "points", path)
        samples = entry(content, "records", path)
        try:
            shape = (len(points), costs.n_positions)
            candidate, threshold = np.full(shape, -1), np.zeros(shape, np.float32)
            for f, point in enumerate(points):
                on = entry(point, "position", path)
                candidate[f, on] = entry(point, "candidate", path)
                threshold[f, on] = thresholds_from_json(entry(point, "threshold", path))
            return cls(
                costs=costs,
                candidate=candidate,
                threshold=threshold,
                accuracy=np.array([entry(point, "accuracy", path) for point in points], np.float64),
                cost=np.array([entry(point, "cost", path) for point in points], np.float64),
                exit_accuracy=np.array(entry(content, "exit_accuracy", path), np.float64),
                n_samples=int(entry(samples, "n_samples", path)),
                records_digest=str(entry(samples, "digest", path)),
                provenance=Provenance(**entry(content, "provenance", path)),
                fingerprint=tuple(map(str, samples.get("fingerprint", ()))),  # fronts of version 0.1.0 have none
            )
        except FileFormatError:
            raise
        except (TypeError, ValueError, IndexError) as cause:
            raise FileFormatError(f"{path} is damaged: {cause}") from cause


def _require_same_layout(costs: ExitCosts, other: ExitCosts) -> None:
    if not np.array_equal(costs.position, other.position):
        raise FrontError(
            f"the front's network has {costs.n_exits} exits at {costs.n_positions} positions, the records' has "
            f"{other.n_exits} at {other.n_positions}: they belong to another network, or to other exits of it"
        )
