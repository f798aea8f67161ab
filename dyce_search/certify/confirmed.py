"""From a test that was passed to what is promised."""

from dyce_search.certify.certificate import CertifiedLimit
from dyce_search.certify.limit_tests import LimitTest, Trial
from dyce_search.evaluation.limits import LIMITS, MEAN_COST_LIMITS
from dyce_search.records.sample_costs import differing


def confirmed(test: LimitTest, trial: Trial) -> CertifiedLimit:
    """What a test has confirmed, in the terms in which it was asked for."""
    if LIMITS[test.name].of_samples:
        return CertifiedLimit(
            name=test.name,
            limit=trial.asked.limits[test.name],
            share=trial.asked.share,
            measured=1 - test.mean,
            bound=1 - test.bound(),
            p_value=test.p_value,
            method=test.method,
        )
    sign = 1 if test.name.startswith("min") else -1
    rests_on_most = test.name in MEAN_COST_LIMITS and differing(trial.records.sample_costs) is not None
    return CertifiedLimit(
        name=test.name,
        limit=sign * test.floor,
        measured=sign * test.mean,
        bound=sign * test.bound(),
        p_value=test.p_value,
        method=test.method,
        most=-test.low if rests_on_most else None,
    )
