"""What is to be certified: limits, with how much confidence, by which tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, get_args

from dyce_search.arguments import choice
from dyce_search.errors import FrontError
from dyce_search.evaluation.limits import (
    LIMITS,
    asked_for,
    in_words,
    require_confidence,
    require_provable,
    require_share,
)

Method = Literal["auto", "betting", "hoeffding_bentkus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What `ParetoFront.certify` was asked for.

    Attributes:
        limits: by name, one or more.
        share: of the samples, that may cost more than `max_sample_cost`.
        confidence: in (0, 1), of all limits together.
        method: "auto" takes the exact test where there is one, and betting elsewhere.
    """

    limits: Mapping[str, float]
    share: float
    confidence: float
    method: Method

    @classmethod
    def of(cls, limits: Mapping[str, float | None], *, share: float, confidence: float, method: Method) -> Self:
        """Checks what was asked for.

        Args:
            limits: by name, None where there is none.
            share: in (0, 1) where single samples are limited, else in [0, 1).
            confidence: in (0, 1).
            method: of the tests.

        Raises:
            FrontError: no limit at all, or something that is out of range.
        """
        asked = asked_for(limits, "certify")
        require_provable(asked)
        require_share(share, provable=any(LIMITS[name].of_samples for name in asked))
        require_confidence(confidence)
        choice(method, get_args(Method), "method", FrontError)
        return cls(
            limits={name: float(limit) for name, limit in asked.items()},
            share=float(share),
            confidence=float(confidence),
            method=method,
        )

    @property
    def alpha(self) -> float:
        """1 - confidence, the level of the tests."""
        return 1 - self.confidence

    @property
    def on_cost_alone(self) -> bool:
        """Whether nothing but cost is limited."""
        return all(LIMITS[name].on_cost for name in self.limits)

    def __str__(self) -> str:
        """As it was written."""
        return in_words(self.limits, self.share)
