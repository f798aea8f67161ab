"""Choosing a point with a statistical guarantee.

The points of a front are tested one after another in an order that the search fixed, from the safe end on, each at the
full level, until one fails: fixed-sequence testing, as in Learn then Test (Angelopoulos et al. 2021, arXiv 2110.01052)
and, along a Pareto front, in Pareto Testing (Laufer-Goldshtein et al. 2023, arXiv 2210.07913). With probability
`confidence` no point is certified that breaks a limit, however many are tested: to certify a false one, the first
false one of the order must have passed, which happens at the level of a single test. Several limits are one claim,
"this point keeps them all", tested by its worst p-value without a correction (intersection-union test, Berger 1982).
"""

import math
import warnings

from dyce_search.certify.asked import Asked
from dyce_search.certify.certificate import Certificate, CertifiedPoint
from dyce_search.certify.confirmed import confirmed
from dyce_search.certify.copies import warn_of_copies
from dyce_search.certify.limit_tests import MOST_SAMPLES, LimitTest, Trial
from dyce_search.certify.order import order_of_tests
from dyce_search.errors import FrontError, InfeasibleError, RecordsError
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.limits import LIMITS
from dyce_search.evaluation.same_costs import are_same
from dyce_search.fingerprints import UNMARKED, share_seen
from dyce_search.records.records import ExitRecords
from dyce_search.wording import percent, points, quantity

FEW = 0.1  # of the samples searched on: so few may be copies within the data, which a split parts


def certify_point(
    front: Curve,
    measured: Curve,
    records: ExitRecords,
    *,
    asked: Asked,
    fingerprint: tuple[str, ...],
) -> CertifiedPoint:
    """Does the work of `ParetoFront.certify`, see there.

    Args:
        front: the points as the search left them.
        measured: the same points on the calibration records.
        records: the calibration records.
        asked: what is to be certified.
        fingerprint: of the records searched on.
    """
    _require_other_samples(front, records, fingerprint)
    _require_costs(front, records, asked)
    trial = Trial.of(records, asked)
    warn_of_copies(records, "calibration samples", stacklevel=4)
    order = order_of_tests(front, asked, records.n_samples)
    passed: dict[int, list[LimitTest]] = {}
    for k in order.tolist():
        tests = trial.tests(front[k].config)
        if max(test.p_value for test in tests) > asked.alpha:
            break
        passed[k] = tests
    if not passed:
        raise InfeasibleError(_nothing(float(measured.relative_cost[order[0]]), tests, trial))
    best = max(passed) if asked.on_cost_alone else min(passed)  # all that passed are certified; dearer is more accurate
    point = measured[best]
    return CertifiedPoint(
        config=point.config,
        accuracy=point.accuracy,
        cost=point.cost,
        relative_cost=point.relative_cost,
        accuracy_drop=point.accuracy_drop,
        certificate=Certificate(
            limits=tuple(confirmed(test, trial) for test in passed[best]),
            confidence=asked.confidence,
            n_samples=records.n_samples,
            n_groups=trial.n_groups,
            n_tested=min(len(passed) + 1, len(order)),
            records_digest=records.digest,
            search_digest=front.records_digest,
            unit=records.costs.unit,
            layout=point.config.layout,
        ),
    )


def _require_other_samples(front: Curve, records: ExitRecords, fingerprint: tuple[str, ...]) -> None:
    """Refuses the samples searched on, all or a part of them."""
    share = share_seen(front.records_digest, fingerprint, records)
    if not share and not fingerprint:
        warnings.warn(f"the front {UNMARKED}: make sure that no calibration sample had a part in it", stacklevel=4)
    if share:
        overlap = "are the samples" if share == 1 else f"hold about {percent(float(f'{share:.2g}'))} of the samples"
        copied = "" if share > FEW else "; an input that comes several times needs one group=, which splits keep whole"
        raise RecordsError(
            f"the calibration records {overlap} that the front was searched on, where every configuration looks better "
            "than it is: split the records first, as in `a, b = records.split(0.5, seed=0)`, search on a, certify on b"
            f"{copied}"
        )


def _require_costs(front: Curve, records: ExitRecords, asked: Asked) -> None:
    """Refuses costs that mean something else than those of the search; means of samples may be others."""
    if not any(LIMITS[name].on_cost for name in asked.limits):
        return
    if not are_same(front.costs, records):
        had, found = (quantity(costs.baseline, costs.unit) for costs in (front.costs, records.costs))
        raise FrontError(
            f"a limit on cost needs calibration records with the costs that the search had, {had} for the final exit "
            f"alone, got others, {found} for it: load them so"
        )


def _nothing(first: float, tests: list[LimitTest], trial: Trial) -> str:
    """Says what the first point offers, that ended the sequence at once, and how many samples it would take."""
    unit = "samples" if trial.n_groups is None else "groups of samples"
    offers = ", ".join(f"{_shown(test)}, p = {test.p_value:.2g}" for test in tests)
    needed = max(test.needed() for test in tests)
    if math.isinf(needed):
        advice = "it breaks a limit on these very samples, so more of them would not help: loosen the limit"
    else:
        least = max(test.least() for test in tests)
        found = trial.n_groups or trial.records.n_samples
        needed = max(needed, least, found + 1)
        few = f" ({least:,} are the least, {found:,} are too few)" if found < least else ""
        digits = 10 ** max(0, math.floor(math.log10(needed)) - 1)
        many = f"about {math.ceil(needed / digits) * digits:,}" if needed < MOST_SAMPLES else "millions of"
        advice = f"{many} {unit} like these would be needed to certify it{few}"
    return (
        f"no point could be certified for {trial.asked} with {100 * trial.asked.confidence:g} % confidence on "
        f"{trial.records.n_samples:,} samples; the safest, at relative cost {first:.4f}, measures {offers}; {advice}"
    )


def _shown(test: LimitTest) -> str:
    if test.name == "max_accuracy_drop":
        return f"an accuracy drop of {points(0 - test.mean, signed=True)}"
    if test.name == "max_sample_cost":
        return f"{percent(1 - test.mean)} of the samples above the limit"
    return f"{LIMITS[test.name].words} {LIMITS[test.name].shown(abs(test.mean))}"
