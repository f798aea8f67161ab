"""The Pareto front: what a search returns."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import require_type, several
from dyce_search.arrays import restore
from dyce_search.errors import ConfigError, DyceError, FileFormatError, FrontError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.cost_tails import cost_tails
from dyce_search.evaluation.curve import Curve, OperatingPoint
from dyce_search.evaluation.drawn import Drawable
from dyce_search.evaluation.evaluate import measured
from dyce_search.evaluation.limits import asked_for, choose, require_finite, require_share
from dyce_search.files import PathLike
from dyce_search.fingerprints import require_marks
from dyce_search.front.measuring import measured_fields
from dyce_search.json_files import write_json
from dyce_search.provenance import Provenance
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.records.stored import AnyRecords, require_any_records
from dyce_search.records.wrong_files import needing
from dyce_search.wording import line, number

if TYPE_CHECKING:
    from dyce_search.certify.asked import Method
    from dyce_search.certify.certificate import CertifiedPoint

BY_HAND = Provenance(solver="by hand")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParetoFront(Curve):
    """Non-dominated configurations, sorted by cost, accuracy strictly increasing. Never empty, read-only.

    With caution (`Provenance`), it is `accuracy - caution * disagreement` that is strictly increasing.

    Attributes:
        provenance: how it was found.
        fingerprint: marks of some of the samples that had a part in it, by which `certify` recognises them
            (`fingerprints`): those searched on, and those of what it started from or was merged with.

    Raises:
        FrontError: no point, points that are not sorted or are dominated, shapes that do not fit together, marks that
            are none.

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
        require_type(self.provenance, Provenance, "provenance", FrontError)
        object.__setattr__(self, "fingerprint", tuple(several(self.fingerprint, str, "fingerprint", FrontError)))
        super(ParetoFront, self).__post_init__()  # slots make a new class, which bare super() misses
        if not len(self):
            raise FrontError("a front must have at least one point")
        require_marks(self.fingerprint)
        if np.any(np.diff(self.cost) <= 0) or np.any(np.diff(self.cautious_accuracy) <= 0):
            raise FrontError(
                "a front's cost and (cautious) accuracy must both rise strictly: use ParetoFront.from_configs"
            )

    __setstate__ = restore

    @classmethod
    def from_configs(
        cls,
        records: ExitRecords,
        configs: Iterable[ExitConfig],
        *,
        provenance: Provenance | None = None,
        marks: Collection[str] = (),
    ) -> Self:
        """Measures configurations and keeps those that no other dominates.

        Args:
            records: to measure on.
            configs: one or more configurations of that network.
            provenance: where they come from.
            marks: of other samples that had a part in them: the `fingerprint` of the front that they are from, so that
                `certify` refuses those too.

        Raises:
            FrontError: no configuration at all, marks that are none.
            ConfigError: something else, or one that belongs to another network.
        """
        require_records(records)
        found = several(configs, ExitConfig, "configs", ConfigError)
        if not found:
            raise FrontError("a front needs at least one configuration")
        if provenance is not None:
            require_type(provenance, Provenance, "provenance", FrontError)
        exits = np.stack([config.exits(records.layout) for config in found])
        threshold = np.stack([config.threshold for config in found])
        known = tuple(several(marks, str, "marks", FrontError))
        return cls.from_arrays(records, exits, threshold, provenance=provenance or BY_HAND, marks=known)

    @classmethod
    def from_arrays(
        cls,
        records: ExitRecords,
        exits: npt.NDArray[np.int32],
        threshold: npt.NDArray[np.float32],
        *,
        provenance: Provenance,
        scored: ExitRecords | None = None,
        digest: str | None = None,
        marks: tuple[str, ...] = (),
    ) -> Self:
        """`from_configs` for arrays, as solvers have them.

        Args:
            records: to measure on.
            exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none.
            threshold: (F, P) float32.
            provenance: where they come from.
            scored: the same samples with the scores whose means are the accuracies; None is `records`.
            digest: of the records that were to be searched, of which `records` may be a part; None is their own.
            marks: of other samples that had a part in the configurations.

        Raises:
            ConfigError: shapes that do not fit, an exit that is not at its position, a threshold that is NaN.
            RecordsError: no records.
            FrontError: no configuration at all, something else than a provenance, a digest or marks.
        """
        return cls(**measured_fields(records, exits, threshold, provenance, scored, digest, marks))

    @property
    def cautious_accuracy(self) -> npt.NDArray[np.float64]:
        """(F,) accuracy - caution * disagreement, by which the points are ordered; the accuracy without caution."""
        caution = self.provenance.caution
        return self.accuracy - caution * self.disagreement if caution else self.accuracy

    def __repr__(self) -> str:
        """One line: size, range and origin."""
        how = self.provenance.solver
        return line("ParetoFront", self._range(), how if how == BY_HAND.solver else f"by {how}")

    def select(
        self,
        *,
        max_accuracy_drop: float | None = None,
        min_accuracy: float | None = None,
        max_cost: float | None = None,
        max_relative_cost: float | None = None,
        max_sample_cost: float | None = None,
        share: float = 0.01,
    ) -> OperatingPoint:
        """The best point within limits: the cheapest where accuracy is limited, else the most accurate.

        The figures are those of the search: the accuracy to expect, or with `scores="observed"` that on the samples
        that it saw; see `evaluate` for other samples. Limits have a tolerance of 1e-12 for rounding.

        Args:
            max_accuracy_drop: below the final exit alone, absolute, below 1: 0.005 is half a point. May be negative.
            min_accuracy: in [0, 1].
            max_cost: in the unit of the costs.
            max_relative_cost: relative to the final exit alone.
            max_sample_cost: what every sample may cost, but for `share` of them; in the unit of the costs.
            share: in [0, 1), see `Curve.cost_within`; 0 is none.

        Raises:
            InfeasibleError: no point is within all limits; the message says what the closest ones offer.
            FrontError: no limit given, one that is not a number, or a share that is out of range.
        """
        limits = {
            "max_accuracy_drop": max_accuracy_drop,
            "min_accuracy": min_accuracy,
            "max_cost": max_cost,
            "max_relative_cost": max_relative_cost,
            "max_sample_cost": max_sample_cost,
        }
        asked = asked_for(limits, "select")
        require_finite(asked)
        figures = {name: getattr(self, name) for name in ("accuracy_drop", "accuracy", "cost", "relative_cost")}
        require_share(share)
        if max_sample_cost is not None:
            figures["sample_cost"] = self.cost_within(share)

        def offer(who: str, index: int) -> str:
            unit = self.costs.unit
            cost = f", cost {number(self.cost[index])} {unit}" if "max_cost" in asked else ""
            if "max_sample_cost" in asked:
                cost += f", at most {number(figures['sample_cost'][index])} {unit} for all but {share:g} of the samples"
            return f"{who} has {self[index]}{cost}"

        return self[choose(asked, figures, failing="no point of this front satisfies", offer=offer, share=share)]

    def evaluate(self, records: AnyRecords) -> Curve:
        """Measures the same configurations on other records: the honest figures.

        Args:
            records: of the same network; those that stay in their file are read block by block.

        Returns:
            As many points in the same order. A curve, not a front: on other samples a dearer point may be worse.

        Raises:
            ConfigError: the records are of other exits, or of confidences of another measure or temperature.
            RecordsError: `records` is something else.
        """
        require_any_records(records)
        layout = self.layout.joined(records.layout, "the front", "the records")
        batch, differs, count = measured(records, self.exits, self.threshold, differences=True)
        return Curve(
            costs=records.costs,
            layout=layout,
            candidate=self.candidate,
            threshold=self.threshold,
            accuracy=batch.accuracy,
            cost=batch.cost,
            disagreement=differs,
            cost_tail=cost_tails(records, self.exits, self.threshold, count),
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
        max_sample_cost: float | None = None,
        share: float = 0.01,
        confidence: float = 0.95,
        method: "Method" = "auto",
    ) -> "CertifiedPoint":
        """The best point that keeps its limits with a guarantee, not only on the samples searched on.

        Tests the points on samples that the search has not seen, from the safe end of the front on, until one fails
        (`dyce_search.certify.sequence` says why this needs no correction). The cheapest that passed, by the costs of
        the search, is returned, or the most accurate where only cost is limited. Decide on the limits first: every
        further call on the same calibration records, until something is certified, weakens the guarantee.

        Args:
            calibration: records of other samples, drawn independently, like those that will be served. Samples of
                one `group` may depend on each other: then groups are the units of the tests.
            max_accuracy_drop: below the final exit alone, absolute, in (0, 1): 0.01 is one point.
            min_accuracy: mean score, in (0, 1).
            min_agreement: share of the samples that get the final exit's own answer, in (0, 1); needs `prediction`
                and no labels.
            max_cost: mean cost of a sample, in the unit of the costs. Where costs differ by sample, the promise rests
                on the most that any sample can cost, `SampleCosts.most`.
            max_relative_cost: relative to the final exit alone.
            max_sample_cost: what every sample may cost, but for `share` of them; in the unit of the costs. Needs no
                knowledge of the most that a sample can cost.
            share: of the samples, in (0, 1), that may cost more than `max_sample_cost`.
            confidence: in (0, 1), of all limits together.
            method: "auto" takes exact tests where answers are right or wrong, and betting for other scores and for
                cost; "betting" or "hoeffding_bentkus" take that one always, and certify dearer points.

        Raises:
            InfeasibleError: nothing can be certified; says what the safest point offers, and how many samples it takes.
            RecordsError: the calibration records hold samples that the front was searched on, or lack predictions.
            ConfigError: they are of other exits, or of confidences of another measure or temperature.
            FrontError: no limit is given, or an option is out of range.

        Example:
            >>> import dyce_search as ds
            >>> search, calibration = ds.load_example("search"), ds.load_example("test")
            >>> point = ds.search(search, effort="fast").certify(calibration, max_accuracy_drop=0.01, confidence=0.95)
            >>> point.relative_cost < 0.3, point.certificate.p_value <= 0.05
            (True, True)
        """
        from dyce_search.certify.asked import Asked
        from dyce_search.certify.sequence import certify_point

        require_records(calibration, "calibration")
        limits = {
            "max_accuracy_drop": max_accuracy_drop,
            "min_accuracy": min_accuracy,
            "min_agreement": min_agreement,
            "max_cost": max_cost,
            "max_relative_cost": max_relative_cost,
            "max_sample_cost": max_sample_cost,
        }
        return certify_point(
            self,
            self.evaluate(calibration),
            calibration,
            asked=Asked.of(limits, share=share, confidence=confidence, method=method),
            fingerprint=self.fingerprint,
        )

    def explore(
        self,
        path: PathLike,
        *,
        held_out: ExitRecords | None = None,
        certificate: "CertifiedPoint | None" = None,
        others: Mapping[str, Drawable] | None = None,
        title: str | None = None,
        max_accuracy_drop: float = 0.01,
        drop_limit: float = 0.05,
    ) -> None:
        """Writes one HTML page to look at this front, choose a point by its limits and take its configuration away.

        The page loads nothing. The point that it shows is the one that `select` returns for the same limits.

        Args:
            path: to write, atomically.
            held_out: samples that the search did not see, to show what points deliver, who leaves where and who pays.
            certificate: what `certify` returned, to mark it; its `config.json` then holds the certificate.
            others: more curves to compare with, by name: fronts, curves, or points of rules (`patience`, `oracle`).
            title: of the page.
            max_accuracy_drop: the limit that the page begins with, absolute: 0.01 is one point.
            drop_limit: the page begins with a view of drops up to this one, absolute.

        Raises:
            FrontError: a certificate of another configuration, others that are no curves, limits that are no numbers.
            CostsError: `held_out` or one of `others` has costs in another unit.
            ConfigError: records or a certificate of other exits, or of confidences of another measure or temperature.
            RecordsError: `held_out` is something else.
            FileFormatError: the file cannot be written.
        """
        from dyce_search.explorer.page import write_explorer

        write_explorer(
            self,
            path,
            held_out=held_out,
            certificate=certificate,
            others=others,
            title=title,
            max_accuracy_drop=max_accuracy_drop,
            drop_limit=drop_limit,
        )

    def merge(self, *others: "ParetoFront") -> "ParetoFront":
        """The non-dominated points of several fronts that were measured on the same records.

        Args:
            others: fronts of those records.

        Raises:
            FrontError: a front of other records, or no front.
            ConfigError: fronts of other exits, or of confidences of another measure or temperature.
        """
        fronts = (self, *others)
        for other in others:
            if not isinstance(other, ParetoFront):
                raise FrontError(f"only fronts can be merged, got {type(other).__name__}")
        from dyce_search.front.merge import merged_fields

        return ParetoFront(**merged_fields(fronts))

    def save(self, path: PathLike) -> None:
        """Writes versioned JSON, atomically: costs, provenance and every point. `load` gives every float back exactly.

        Args:
            path: the file.

        Raises:
            FileFormatError: the folder cannot be written.
        """
        from dyce_search.front.file import front_content

        write_json(path, front_content(self))

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Reads a file that `save` wrote, or one of version 1, which does not say what its confidences measure.

        Args:
            path: the file.

        Raises:
            FileFormatError: no such file, no JSON, another kind or version, content that is not of the format.
        """
        from dyce_search.front.file import read_front

        with needing("front", path):
            found = read_front(path)
        try:
            return cls(**found)
        except DyceError as cause:
            raise FileFormatError(f"{path} is damaged: {cause}") from cause
