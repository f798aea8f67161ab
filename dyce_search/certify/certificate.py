"""A point with a guarantee: what was promised, how it was tested, and its file."""

import json
import math
import sys
import warnings
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Self

from dyce_search.arguments import choice, several, shown, text, whole
from dyce_search.errors import CostsError, FileFormatError, FrontError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.evaluation.limits import (
    LIMITS,
    MEAN_COST_LIMITS,
    in_words,
    require_confidence,
    require_number,
    require_provable,
    require_share,
)
from dyce_search.evaluation.same_costs import SAME_COSTS
from dyce_search.files import PathLike, require_path
from dyce_search.fingerprints import require_digest
from dyce_search.json_files import content_digest, read_json, write_json
from dyce_search.records.layout import ExitLayout, require_layout
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import differing
from dyce_search.records.wrong_files import needing
from dyce_search.wording import line, number, one_line, percent, quantity

ROUNDING = 1e-9
FIGURES = ("accuracy", "cost", "relative_cost", "accuracy_drop")  # on the calibration samples, in a file


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedLimit:
    """One limit that a certified point keeps.

    Attributes:
        name: "max_accuracy_drop", "min_accuracy", "min_agreement", "max_cost", "max_relative_cost" or
            "max_sample_cost".
        limit: what was asked for, and what is promised.
        measured: the same figure on the calibration samples; of `max_sample_cost`, the share that costs more.
        bound: the tightest limit that the same test, of this point alone, would have confirmed; never looser than
            `limit`, or than `share`. It describes the reserve: the promise is `limit`, as the point was chosen with
            the samples.
        p_value: of the test, at most 1 - confidence.
        method: of the test: "exact binomial", "exact paired", "betting" or "Hoeffding-Bentkus".
        share: of the samples, that may cost more than `limit`; of `max_sample_cost` alone.
        most: what the promise takes for the most that a sample can cost (`SampleCosts.most`); of mean costs alone,
            where costs differ by sample.

    Raises:
        FrontError: no such limit, or numbers that it cannot have.
    """

    name: str
    limit: float
    measured: float
    bound: float
    p_value: float
    method: str
    share: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        """Checks that it promises something that can be proven."""
        choice(self.name, LIMITS, "name of a certified limit", FrontError)
        require_provable({self.name: self.limit})
        require_number(self.p_value, f"the p_value of {self.name}", 0, 1)
        kind = LIMITS[self.name]
        low, high = (0.0, sys.float_info.max) if kind.on_cost and not kind.of_samples else (-1.0, 1.0)
        for name in ("measured", "bound"):
            require_number(getattr(self, name), f"{name} of {self.name}", low, high)
        if kind.of_samples == (self.share is None):
            raise FrontError(
                f"{self.name} must have {'a' if kind.of_samples else 'no'} share of samples that may cost more, got "
                f"{shown(self.share)}"
            )
        if self.share is not None:
            require_share(self.share, provable=True)
        if self.most is not None and self.name not in MEAN_COST_LIMITS:
            raise FrontError(f"{self.name} must not rest on the most that a sample can cost, got {shown(self.most)}")
        if self.most is not None:
            require_number(self.most, f"the most that {self.name} rests on", 0, sys.float_info.max)
        text(self.method, f"the method of {self.name}", FrontError)

    __repr__ = one_line

    def __str__(self) -> str:
        """One line for people."""
        return _said(self, None)

    def in_words(self, unit: str | None = None) -> tuple[str, str, str]:
        """What is promised, measured and bound.

        Args:
            unit: of costs, as the certificate has it; None leaves it out.

        Raises:
            FrontError: a unit that is no text.
        """
        if unit is not None:
            text(unit, "unit", FrontError)
        kind = LIMITS[self.name]
        promised = f"{kind.claim} {kind.shown(self.limit, unit)}"
        if self.share is None:
            return promised, kind.shown(self.measured, unit), kind.shown(self.bound, unit)
        return f"{promised} for all but {percent(self.share)}", f"{percent(self.measured)} above", percent(self.bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """With this confidence a configuration keeps all limits, on samples drawn like the calibration's.

    Attributes:
        limits: what is promised, all of it at once.
        confidence: probability, over the draw of the calibration samples, that whatever gets certified keeps its
            limits.
        n_samples: of the calibration.
        n_groups: of the calibration, where samples come in groups; these were then the units of the test.
        n_tested: points of the front that were tested, one after another.
        records_digest: of the calibration records.
        search_digest: of the records that the front was searched on.
        layout: of the calibration records: the exits and the confidences that the promise is about.
        unit: of the calibration's costs; None in files of before.
        baseline: the model that drops, relative costs and agreement are against, where it is not the last of the
            layout, as of an `OrderedFront`.

    Raises:
        FrontError: no limit, one of them twice, or one whose p_value or bound does not allow the promise; no confidence
            in (0, 1); counts below 1; digests that are none.
    """

    limits: tuple[CertifiedLimit, ...]
    confidence: float
    n_samples: int
    n_groups: int | None
    n_tested: int
    records_digest: str
    search_digest: str
    layout: ExitLayout | None = None
    unit: str | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        """Checks that it promises something, and rests on something."""
        require_confidence(self.confidence)
        for name in ("records_digest", "search_digest"):
            require_digest(getattr(self, name), name)
        names = [limit.name for limit in several(self.limits, CertifiedLimit, "limits", FrontError)]
        if not names or len(set(names)) < len(names):
            raise FrontError(f"a certificate must have one or more limits, each once, got {', '.join(names) or 'none'}")
        for limit in self.limits:
            _require_bound(limit)
        if self.p_value > 1 - self.confidence:
            raise FrontError(
                f"a certificate with {100 * self.confidence:g} % confidence must have p-values up to "
                f"{1 - self.confidence:.4g}, got {self.p_value:.4g}"
            )
        for name in ("n_samples", "n_tested", "n_groups"):
            count = getattr(self, name)
            if not (name == "n_groups" and count is None):
                whole(count, name, FrontError, least=1)
        if self.n_groups is not None and self.n_groups > self.n_samples:
            raise FrontError(f"n_groups must be at most n_samples, {self.n_samples}, got {self.n_groups}")
        if self.layout is not None:
            require_layout(self.layout, "layout")
        for name in ("unit", "baseline"):
            if getattr(self, name) is not None:
                text(getattr(self, name), f"{name} of a certificate", FrontError)

    __repr__ = one_line

    @property
    def share(self) -> float:
        """Of the samples, that may cost more than `max_sample_cost`; where that is no limit, what `certify` takes."""
        return next((limit.share for limit in self.limits if limit.share is not None), 0.01)

    @property
    def p_value(self) -> float:
        """Of "all limits are kept": the largest of the single ones."""
        return max(limit.p_value for limit in self.limits)

    def __str__(self) -> str:
        """A line for the confidence and one for each limit."""
        groups = "" if self.n_groups is None else f" in {self.n_groups:,} groups"
        head = f"certified with {100 * self.confidence:g} % confidence on {self.n_samples:,} samples{groups}:"
        return "\n  ".join([head, *(_said(limit, self.unit) for limit in self.limits)])

    def _repr_html_(self) -> str:
        """A table and a picture, for notebooks."""
        from dyce_search.cards.cards import certificate_card

        return certificate_card(self)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CertifiedPoint(OperatingPoint):
    """A configuration with its figures on the calibration samples and the certificate that it earned there.

    `save` writes an ordinary configuration file that also carries the certificate: whatever loads configurations,
    `ExitConfig.load` and the runtime included, takes it as it is.

    Attributes:
        certificate: what is promised.
    """

    certificate: Certificate

    def __str__(self) -> str:
        """The point, then its certificate."""
        return f"{OperatingPoint.__str__(self)}\n{self.certificate}"

    def __repr__(self) -> str:
        """One line: the figures and what is certified."""
        promised = in_words({limit.name: limit.limit for limit in self.certificate.limits}, self.certificate.share)
        return line("CertifiedPoint", OperatingPoint.__str__(self), f"certified: {promised}")

    def _repr_html_(self) -> str:
        """A table and a picture, for notebooks."""
        from dyce_search.cards.cards import certificate_card, point_card

        return point_card(self, certificate_card(self.certificate))

    def save(self, path: PathLike) -> None:
        """Writes versioned JSON, atomically; `load` gives every float back exactly.

        Args:
            path: the file.

        Raises:
            FileFormatError: the folder cannot be written.
        """
        write_json(path, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The content of its file, plain values for JSON, with a digest of them: what was changed since is refused."""
        figures = {name: getattr(self, name) for name in FIGURES}
        certificate = asdict(replace(self.certificate, layout=None))
        del certificate["layout"]  # the configuration's, which stands in the same file
        content = json.loads(json.dumps({**self.config.to_dict(), "calibration": figures, "certificate": certificate}))
        return {**content, "digest": content_digest(content)}

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Reads a file that `save` wrote.

        Args:
            path: the file.

        Raises:
            FileFormatError: no such file, another kind or version, a configuration without certificate, or with one
                that promises nothing.
            ConfigError: the values are no configuration.
        """
        with needing("certificate", path):
            return cls.from_dict(read_json(path), path)

    @classmethod
    def from_dict(cls, content: Any, path: PathLike = "point") -> Self:
        """Reads what `to_dict` gave.

        Args:
            content: the dictionary.
            path: of the file that it comes from, for messages.

        Raises:
            FileFormatError: another kind or version, a configuration without certificate.
            ConfigError: the values are no configuration.
        """
        from dyce_search.evaluation.config_file import held, read_promise

        require_path(path)
        found = held(content, path)
        config = ExitConfig.from_dict(found, path)
        figures, promised = read_promise(found, path)
        try:
            limits = tuple(CertifiedLimit(**limit) for limit in promised.pop("limits"))
            certificate = Certificate(limits=limits, layout=config.layout, **promised)
            return cls(config=config, certificate=certificate, **figures)
        except FrontError as cause:
            raise FileFormatError(f"{path} is damaged: {cause}: certify anew") from cause


def require_its_costs(point: CertifiedPoint, records: ExitRecords, name: str, stacklevel: int) -> None:
    """For records on which a promise about cost is looked at; other numbers in the same unit are said.

    Raises:
        CostsError: their costs are in another unit than those of the certificate.
    """
    if not any(LIMITS[limit.name].on_cost for limit in point.certificate.limits):
        return
    unit, costs = point.certificate.unit, records.costs
    if unit not in (None, costs.unit):
        raise CostsError(
            f"{name} must have costs in the unit of the certificate, {unit!r}, got {costs.unit!r}: load them with the "
            "same costs="
        )
    if point.certificate.baseline is not None:
        return  # the last of the layout costs something else
    whole = baseline_cost(point, costs.baseline)
    if differing(records.sample_costs) is None and not math.isclose(whole, costs.baseline, rel_tol=SAME_COSTS):
        warnings.warn(
            f"the final exit alone costs {quantity(costs.baseline, costs.unit)} on {name}, and cost {number(whole)} "
            "when the limits on cost were certified: load them with the same costs=, unless they were measured anew on "
            "purpose",
            stacklevel=stacklevel,
        )


def baseline_cost(point: CertifiedPoint, unknown: float) -> float:
    """What its relative cost is relative to, on the calibration samples; of a point that costs nothing, `unknown`."""
    return point.cost / point.relative_cost if point.relative_cost else unknown


def _said(limit: CertifiedLimit, unit: str | None) -> str:
    """A limit in one line for people."""
    promised, measured, bound = limit.in_words(unit)
    how = f"p = {limit.p_value:.2g}, {limit.method} test"
    rests = ""
    if limit.most is not None:
        rests = f", if no sample can cost more than {LIMITS[limit.name].shown(limit.most, unit)}"
    return f"{promised} (measured {measured}, bound {bound}, {how}{rests})"


def _require_bound(limit: CertifiedLimit) -> None:
    """What was measured, what it shows and what is promised, in this order."""
    sign = -1 if limit.name.startswith("min") else 1
    promised = limit.limit if limit.share is None else limit.share
    found = [sign * figure for figure in (limit.measured, limit.bound, promised)]
    if any(above - below > ROUNDING * max(1.0, abs(below)) for above, below in pairwise(found)):
        raise FrontError(
            f"the bound of {limit.name} must lie between what was measured and what is promised, got measured "
            f"{limit.measured:g}, bound {limit.bound:g} and {promised:g} promised"
        )
