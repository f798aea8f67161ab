"""Choosing a point with a statistical guarantee.

The points of a front are tested one after another in an order that the search fixed, from the safe end on, each at the
full level, until one fails: fixed-sequence testing, as in Learn then Test (Angelopoulos et al. 2021, arXiv 2110.01052)
and, along a Pareto front, in Pareto Testing (Laufer-Goldshtein et al. 2023, arXiv 2210.07913). With probability
`confidence` no point is certified that breaks a limit, however many are tested: to certify a false one, the first
false one of the order must have passed, which happens at the level of a single test. Several limits are one claim,
"this point keeps them all", tested by its worst p-value without a correction (intersection-union test, Berger 1982).
"""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from dyce_search.certify.certificate import Certificate, CertifiedLimit, CertifiedPoint
from dyce_search.certify.limit_tests import MOST_SAMPLES, LimitTest, Method, Trial
from dyce_search.errors import FrontError, InfeasibleError, RecordsError
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.limits import COST_LIMITS, LIMITS, asked_for, in_words, require_confidence, require_provable
from dyce_search.fingerprints import share_in_common
from dyce_search.records.records import ExitRecords


def certify_point(
    front: Curve,
    measured: Curve,
    records: ExitRecords,
    *,
    limits: Mapping[str, float | None],
    confidence: float,
    method: Method,
    fingerprint: tuple[str, ...],
) -> CertifiedPoint:
    """Does the work of `ParetoFront.certify`, see there.

    Args:
        front: the points as the search left them.
        measured: the same points on the calibration records.
        records: the calibration records.
        limits: by name, None where there is none.
        confidence: in (0, 1).
        method: of the tests.
        fingerprint: of the records searched on.
    """
    asked = asked_for(limits, "certify")
    require_provable(asked)
    asked = {name: float(limit) for name, limit in asked.items()}
    require_confidence(confidence)
    if method not in ("auto", "betting", "hoeffding_bentkus"):
        raise FrontError(f"method must be 'auto', 'betting' or 'hoeffding_bentkus', got {method!r}")
    _require_other_samples(front, records, fingerprint)
    if "min_agreement" in asked and records.prediction is None:
        raise RecordsError("min_agreement needs records with prediction (E, N), these have none")
    if asked.keys() & set(COST_LIMITS) and records.costs != front.costs:
        raise FrontError("a limit on cost needs calibration records with the costs that the search had: load them so")
    trial = Trial.of(records, asked, 1 - float(confidence), method)
    order = _order(front, asked, records.n_samples, trial.alpha)
    passed: list[LimitTest] = []
    n_tested = 0
    for k in order:
        tests = trial.tests(front[int(k)].config)
        if max(test.p_value for test in tests) > trial.alpha:
            break
        passed, n_tested = tests, n_tested + 1
    if not passed:
        raise InfeasibleError(_nothing(front, measured, trial))
    point = measured[int(order[n_tested - 1])]
    return CertifiedPoint(
        config=point.config,
        accuracy=point.accuracy,
        cost=point.cost,
        relative_cost=point.relative_cost,
        accuracy_drop=point.accuracy_drop,
        certificate=Certificate(
            limits=tuple(map(_confirmed, passed)),
            confidence=float(confidence),
            n_samples=records.n_samples,
            n_groups=None if trial.group is None else int(trial.group.max()) + 1,
            n_tested=min(n_tested + 1, len(order)),
            records_digest=records.digest,
            search_digest=front.records_digest,
            layout=point.config.layout,
        ),
    )


def _require_other_samples(front: Curve, records: ExitRecords, fingerprint: tuple[str, ...]) -> None:
    """Refuses the samples searched on, all or a part of them."""
    same = records.digest == front.records_digest
    share = 1.0 if same else share_in_common(fingerprint, records.confidence)
    if share:
        overlap = "are the samples" if share == 1 else f"hold about {100 * share:.0f} % of the samples"
        raise RecordsError(
            f"the calibration records {overlap} that the front was searched on, where every configuration looks better "
            "than it is: split the records first, as in `a, b = records.split(0.5, seed=0)`, search on a, certify on b"
        )


def _order(front: Curve, asked: Mapping[str, float], n: int, alpha: float) -> npt.NDArray[np.int64]:
    """Indices of points in the order of their tests, fixed by the search's figures alone.

    Accuracy is safest at the dear end, cost at the cheap end. With limits on both, the walk goes from the dearest point
    that leaves as much reserve on cost as Hoeffding's inequality asks for to the cheap end.
    """
    cheap_first = np.arange(len(front))
    ceilings = [
        asked[name] / (front.costs.baseline if name == "max_cost" else 1) for name in COST_LIMITS if name in asked
    ]
    if len(asked) == len(ceilings):
        return cheap_first
    if ceilings:
        reserve = math.sqrt(math.log(1 / alpha) / (2 * n))
        cheap_first = cheap_first[: max(1, int(np.sum(front.relative_cost <= min(ceilings) - reserve)))]
    return cheap_first[::-1]


def _confirmed(test: LimitTest) -> CertifiedLimit:
    sign = 1 if test.name.startswith("min") else -1
    return CertifiedLimit(
        name=test.name,
        limit=sign * test.floor,
        measured=sign * test.mean,
        bound=sign * test.bound(),
        p_value=test.p_value,
        method=test.method,
    )


def _nothing(front: Curve, measured: Curve, trial: Trial) -> str:
    """Says what the closest point offers, and how many samples would have done."""
    closest = min(range(len(front)), key=lambda k: _distance(trial.tests(front[k].config)))
    tests = trial.tests(front[closest].config)
    unit = "samples" if trial.group is None else "groups of samples"
    offers = ", ".join(f"{_shown(test)}, p = {test.p_value:.2g}" for test in tests)
    needed = max(test.needed() for test in tests)
    if math.isinf(needed):
        advice = "it breaks a limit on these very samples, so more of them would not help: loosen the limit"
    else:
        least = max(test.least() for test in tests)
        needed = max(needed, least)
        found = trial.records.n_samples if trial.group is None else int(trial.group.max()) + 1
        few = f" ({least:,} are the least, {found:,} are too few)" if found < least else ""
        digits = 10 ** max(0, math.floor(math.log10(needed)) - 1)
        many = f"about {math.ceil(needed / digits) * digits:,}" if needed < MOST_SAMPLES else "millions of"
        advice = f"{many} {unit} like these would be needed to certify it{few}"
    return (
        f"no point could be certified for {in_words(trial.limits)} with {100 * (1 - trial.alpha):g} % confidence on "
        f"{trial.records.n_samples:,} samples; the closest, at relative cost "
        f"{measured.relative_cost[closest]:.4f}, measures {offers}; {advice}"
    )


def _distance(tests: list[LimitTest]) -> tuple[float, float]:
    """How far a point is from being certified: the samples that it would need, then how far it breaks a limit."""
    return max(test.needed() for test in tests), max(test.floor - test.mean for test in tests)


def _shown(test: LimitTest) -> str:
    if test.name == "max_accuracy_drop":
        return f"an accuracy drop of {0 - 100 * test.mean:+.2f} points"
    return f"{LIMITS[test.name].words} {LIMITS[test.name].shown(abs(test.mean))}"
