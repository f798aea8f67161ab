"""A point with a guarantee: what was promised, how it was tested, and its file."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.evaluation.limits import LIMITS, in_words
from dyce_search.files import PathLike, read_json, write_json
from dyce_search.records.layout import ExitLayout
from dyce_search.records.wrong_files import needing
from dyce_search.wording import line, number, one_line, percent


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
    """

    name: str
    limit: float
    measured: float
    bound: float
    p_value: float
    method: str
    share: float | None = None
    most: float | None = None

    __repr__ = one_line

    def __str__(self) -> str:
        """One line for people."""
        promised, measured, bound = self.in_words()
        how = f"p = {self.p_value:.2g}, {self.method} test"
        rests = "" if self.most is None else f", if no sample can cost more than {number(self.most)}"
        return f"{promised} (measured {measured}, bound {bound}, {how}{rests})"

    def in_words(self) -> tuple[str, str, str]:
        """What is promised, measured and bound."""
        kind = LIMITS[self.name]
        promised = f"{kind.claim} {kind.shown(self.limit)}"
        if self.share is None:
            return promised, kind.shown(self.measured), kind.shown(self.bound)
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
    """

    limits: tuple[CertifiedLimit, ...]
    confidence: float
    n_samples: int
    n_groups: int | None
    n_tested: int
    records_digest: str
    search_digest: str
    layout: ExitLayout | None = None

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
        return "\n  ".join([head, *map(str, self.limits)])

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
        """The content of its file, plain values for JSON."""
        figures = {name: getattr(self, name) for name in FIGURES}
        certificate = asdict(replace(self.certificate, layout=None))
        del certificate["layout"]  # the configuration's, which stands in the same file
        return {**self.config.to_dict(), "calibration": figures, "certificate": certificate}

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Reads a file that `save` wrote.

        Args:
            path: the file.

        Raises:
            FileFormatError: no such file, another kind or version, a configuration without certificate.
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
        from dyce_search.certify.certificate_file import read_promise

        config = ExitConfig.from_dict(content, path)
        promise = read_promise(content, path)
        entry = promise.certificate
        certificate = Certificate(
            limits=tuple(
                CertifiedLimit(
                    name=limit.name,
                    limit=limit.limit,
                    measured=limit.measured,
                    bound=limit.bound,
                    p_value=limit.p_value,
                    method=limit.method,
                    share=limit.share,
                    most=limit.most,
                )
                for limit in entry.limits
            ),
            confidence=entry.confidence,
            n_samples=entry.n_samples,
            n_groups=entry.n_groups,
            n_tested=entry.n_tested,
            records_digest=entry.records_digest,
            search_digest=entry.search_digest,
            layout=config.layout,
        )
        figures = {name: getattr(promise.calibration, name) for name in FIGURES}
        return cls(config=config, certificate=certificate, **figures)


FIGURES = ("accuracy", "cost", "relative_cost", "accuracy_drop")
