"""Does a certificate still hold on other samples?"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import real, require_type, shown
from dyce_search.certify.asked import Asked
from dyce_search.certify.certificate import CertifiedPoint, require_its_costs
from dyce_search.certify.confirmed import confirmed
from dyce_search.certify.copies import warn_of_copies
from dyce_search.certify.limit_tests import LimitTest, Trial
from dyce_search.errors import ConfigError, FrontError
from dyce_search.evaluation.evaluate import evaluate
from dyce_search.evaluation.limits import LIMITS
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.wording import one_line, percent

Verdict = Literal["held", "broken", "too few samples"]
ONE_POINT = 0.01  # how far beyond a limit on accuracy a promise must be broken to be surely noticed
DEARER = 0.1  # the same for mean costs, as a share of the limit
SHUFFLE = 401  # seed of the choice of samples that are spoilt, to see whether that is noticed


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedLimit:
    """One limit of a certificate, on other samples.

    Attributes:
        name: of the limit.
        limit: what was promised.
        measured: the same figure on these samples; of `max_sample_cost`, the share that costs more.
        p_value: of the certificate's own test: at most 1 - confidence certifies it anew.
        broken_p_value: of "the limit is broken"; small where these samples speak against the promise.
        verdict: "held", "broken" or "too few samples".
        share: of the samples, that may cost more than `limit`; of `max_sample_cost` alone.
    """

    name: str
    limit: float
    measured: float
    p_value: float
    broken_p_value: float
    verdict: Verdict
    share: float | None = None

    __repr__ = one_line

    def __str__(self) -> str:
        """One line for people."""
        kind = LIMITS[self.name]
        measured = kind.shown(self.measured) if self.share is None else f"{percent(self.measured)} above"
        tests = f"p = {self.p_value:.2g} to certify it anew, {self.broken_p_value:.2g} to call it broken"
        return f"{self.verdict}: {kind.claim} {kind.shown(self.limit)} (measured {measured}; {tests})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What other samples say about a certificate.

    Attributes:
        limits: one by one.
        confidence: of the certificate.
        n_samples: that it was checked on.
        accuracy: on these samples, as the other figures.
        relative_cost: relative to the final exit alone.
    """

    limits: tuple[CheckedLimit, ...]
    confidence: float
    n_samples: int
    accuracy: float
    relative_cost: float

    __repr__ = one_line

    @property
    def verdict(self) -> Verdict:
        """The worst of its limits: "broken", else "too few samples", else "held"."""
        found = {limit.verdict for limit in self.limits}
        order: tuple[Verdict, ...] = ("broken", "too few samples")
        return next((verdict for verdict in order if verdict in found), "held")

    @property
    def certified_anew(self) -> bool:
        """Whether the certificate's own tests pass on these samples too, which is more than "held"."""
        return max(limit.p_value for limit in self.limits) <= 1 - self.confidence

    def __str__(self) -> str:
        """A line for the verdict and one for each limit."""
        anew = ", certified anew" if self.certified_anew else ""
        return "\n  ".join([f"{self.verdict}{anew}, on {self.n_samples:,} samples:", *map(str, self.limits)])

    def to_dict(self) -> dict[str, Any]:
        """As JSON can keep it."""
        return {"verdict": self.verdict, "certified_anew": self.certified_anew, **asdict(self)}


def check_certificate(
    point: CertifiedPoint, records: ExitRecords, *, margins: Mapping[str, float] | None = None
) -> Check:
    """Whether a certified point still keeps its limits, on new samples or those of a model trained again.

    A limit is "broken" where a test says so, by betting on "the figure is within the limit" (Waudby-Smith and Ramdas
    2023, arXiv 2010.09686). Where all limits still hold, it errs with probability 1 - confidence at most. Otherwise a
    limit is "held", if these samples prove it once more, or would have told: the same test is made of them once as many
    are spoilt as break the limit by a margin. Where that goes unnoticed, they are "too few samples". That a promise is
    held is less than that it is proven again; `Check.certified_anew` says whether it is.

    Args:
        point: with its certificate.
        records: of the same layout, other samples than the certificate's or another model's answers to them.
        margins: by name of the limit, how far beyond it a promise must be broken to be noticed: one point of accuracy
            (0.01), a tenth of a mean cost (relative), the share of `max_sample_cost` once more, where it does not say.

    Raises:
        FrontError: no certified point, a margin of no limit or not above 0.
        RecordsError: no records, or no predictions where agreement is limited.
        ConfigError: records of other exits or confidences; limits against a model that is not the last of the records.
        CostsError: a limit on cost, and costs in another unit than the certificate's.

    Example:
        >>> import dyce_search as ds
        >>> records, (calibration, later) = ds.load_example(), ds.load_example("test").split(0.5, seed=0)
        >>> point = ds.search(records, effort="fast").certify(calibration, max_accuracy_drop=0.02)
        >>> ds.check_certificate(point, later).verdict
        'held'
    """
    require_type(point, CertifiedPoint, "point", FrontError)
    require_records(records)
    promised = {limit.name: limit for limit in point.certificate.limits}
    margin = _margins(margins, promised)
    _require_baseline(point)
    require_its_costs(point, records, "these records", stacklevel=3)
    trial = Trial.of(records, _asked(point))
    alpha = (1 - point.certificate.confidence) / len(promised)
    checked = []
    for test in trial.tests(point.config):
        found = confirmed(test, trial)
        wrong = _against(test, alpha)
        if wrong.p_value <= alpha:
            verdict: Verdict = "broken"
        else:
            proven = test.p_value <= 1 - point.certificate.confidence  # anew, as it was the first time
            verdict = "held" if proven or _would_tell(test, margin[test.name], alpha) else "too few samples"
        checked.append(
            CheckedLimit(
                name=test.name,
                limit=promised[test.name].limit,
                measured=found.measured,
                p_value=test.p_value,
                broken_p_value=wrong.p_value,
                verdict=verdict,
                share=found.share,
            )
        )
    if records.digest in (point.certificate.records_digest, point.certificate.search_digest):
        warnings.warn(
            "these are the very records that the point was certified on, or found on: they say nothing new about it",
            stacklevel=2,
        )
    if point.certificate.n_groups is not None and records.group is None:
        warnings.warn(
            "the certificate is of samples in groups, these records have none: samples are taken for independent, and "
            "where they are not seem to prove more than they do; build the records with group=",
            stacklevel=2,
        )
    warn_of_copies(records, "samples", stacklevel=3)
    figures = evaluate(records, point.config)
    return Check(
        limits=tuple(checked),
        confidence=point.certificate.confidence,
        n_samples=records.n_samples,
        accuracy=figures.accuracy,
        relative_cost=figures.relative_cost,
    )


def _require_baseline(point: CertifiedPoint) -> None:
    """The records of the models that a point asks tell nothing about a limit against another model."""
    baseline = point.certificate.baseline
    against = [limit.name for limit in point.certificate.limits if LIMITS[limit.name].against_baseline]
    if baseline is not None and against:
        raise ConfigError(
            f"{', '.join(against)} of this certificate must be held against the model {baseline!r}, which is not the "
            "last of those that the point asks: certify on these samples by OrderedFront.certify"
        )


def _asked(point: CertifiedPoint) -> Asked:
    """What the point was asked for when it was certified."""
    limits = point.certificate.limits
    return Asked.of(
        {limit.name: limit.limit for limit in limits},
        share=point.certificate.share,
        confidence=point.certificate.confidence,
        method="auto",
    )


def _margins(given: Mapping[str, float] | None, promised: Mapping[str, Any]) -> dict[str, float]:
    margins = {}
    for name, limit in promised.items():
        kind = LIMITS[name]
        margins[name] = limit.share if kind.of_samples else DEARER * limit.limit if kind.on_cost else ONE_POINT
    require_type({} if given is None else given, Mapping, "margins", FrontError)
    for name, margin in ({} if given is None else given).items():
        if name not in promised:
            raise FrontError(f"margins must be of limits of the certificate, {', '.join(promised)}, got {shown(name)}")
        margins[name] = real(
            margin, f"the margin of {name}", FrontError, "be above 0", lambda most: 0 < most < math.inf
        )
    return margins


def _against(test: LimitTest, alpha: float) -> LimitTest:
    """The test of the opposite: that the mean is at most the floor."""
    value, low, high = -test.value, -test.high, -test.low
    return replace(test, value=value, low=low, high=high, floor=-test.floor, method="betting", alpha=alpha)


def _would_tell(test: LimitTest, margin: float, alpha: float) -> bool:
    """Whether the opposite test passes once so many samples are at their worst that the limit is broken by a margin."""
    unit = 1.0 if test.unit is None else float(test.unit.mean())
    wanted, mean, n = (test.floor - margin) * unit, float(test.value.mean()), len(test.value)
    if wanted <= test.low:
        return True  # it cannot be broken by so much
    if mean > wanted:
        order: npt.NDArray[np.intp] = np.random.default_rng(SHUFFLE).permutation(n)
        lost = np.cumsum(test.value[order] - test.low) / n
        value = test.value.copy()
        value[order[: int(np.searchsorted(lost, mean - wanted)) + 1]] = test.low
        test = replace(test, value=value)
    return _against(test, alpha).p_value <= alpha
