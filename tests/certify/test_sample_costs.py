"""Promises about costs that differ by sample: a budget for each request, mean costs and their range."""

import contextlib
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

import dyce_search as ds
from dyce_search.certify.asked import Asked
from dyce_search.certify.limit_tests import Trial
from dyce_search.certify.order import order_of_tests
from tests import observed

ALPHA = 0.05
EVERYBODY = ds.ExitConfig(candidate=[0], threshold=[-np.inf])  # leaves at the first exit


def priced(head, whole=4.0, seed=0, most=None, **optional):
    """Two exits of which the first costs `head` (N,), and the second the same for all, or `whole` (N,)."""
    head = np.asarray(head, np.float64)
    whole = np.broadcast_to(whole, head.shape)
    costs = ds.SampleCosts(
        backbone=[np.zeros(len(head)), whole], head=[head, np.zeros(len(head))], position=[0, 1], most=most
    )
    confidence = np.random.default_rng([seed, len(head)]).random((2, len(head)))
    return ds.ExitRecords(confidence=confidence, score=np.ones((2, len(head))), costs=costs, **optional)


def asked(share=0.01, method="auto", **limits):
    return Asked.of(limits, share=share, confidence=1 - ALPHA, method=method)


def p_value(records, **limits):
    return Trial.of(records, asked(**limits)).tests(EVERYBODY)[0].p_value


def front_of(records):
    """A front that was searched on other samples like these: everybody leaves at the first exit."""
    return ds.ParetoFront.from_configs(records, [EVERYBODY, ds.ExitConfig.none(1)])


def cascade(seed, n):
    """Three models whose prices differ by query, by a factor of ten and more."""
    rng = np.random.default_rng([seed, n])
    hard, length = rng.normal(size=n), rng.lognormal(0, 0.6, n)
    sure = 0.9 * np.arange(3)[:, None] - hard + 0.6 * rng.normal(size=(3, n))
    price = np.array([0.1, 0.6, 5.0])[:, None] * length * rng.uniform(0.8, 1.2, (3, n))
    return ds.ExitRecords.from_cascade(
        price=price, confidence=sure + 0.6 * rng.normal(size=(3, n)), score=(sure > 0).astype(float)
    )


class TestBudget:
    @settings(max_examples=60)
    @given(st.integers(1, 400), st.integers(0, 30), st.sampled_from([0.01, 0.05, 0.3]))
    def test_is_the_exact_binomial_test(self, n, over, share):
        over = min(over, n)
        records = priced(np.where(np.arange(n) < over, 3, 1))
        (test,) = Trial.of(records, asked(max_sample_cost=2, share=share)).tests(EVERYBODY)
        expected = binomtest(over, n, share, alternative="less").pvalue
        assert test.method == "exact binomial"
        assert test.p_value == pytest.approx(expected, rel=1e-9)

    def test_what_is_promised_is_said_and_kept_in_the_file(self, tmp_path):
        calibration = priced(np.where(np.arange(2000) < 8, 3, 1))
        point = front_of(priced(np.ones(500), seed=1)).certify(calibration, max_sample_cost=2, share=0.01)
        (limit,) = point.certificate.limits
        assert (limit.limit, limit.share, limit.measured) == (2, 0.01, pytest.approx(0.004))
        upper = binomtest(8, 2000, alternative="less").proportion_ci(1 - ALPHA, method="exact").high
        assert limit.bound == pytest.approx(upper, rel=1e-6)
        assert str(limit).startswith(
            "cost of a sample at most 2 for all but 1 % (measured 0.4 % above, bound 0.721 %, p ="
        )
        point.save(tmp_path / "config.json")
        assert ds.CertifiedPoint.load(tmp_path / "config.json").certificate == point.certificate

    def test_is_joined_with_the_other_limits(self):
        calibration = priced(np.where(np.arange(2000) < 8, 3, 1))
        point = front_of(priced(np.ones(500), seed=1)).certify(
            calibration, max_sample_cost=2, share=0.01, max_accuracy_drop=0.01, max_cost=1.5
        )
        assert [limit.name for limit in point.certificate.limits] == [
            "max_accuracy_drop",
            "max_cost",
            "max_sample_cost",
        ]
        assert point.certificate.p_value == max(limit.p_value for limit in point.certificate.limits)

    def test_constant_costs_have_budgets_too(self, example):
        a, b = example.split(0.5, seed=0)
        front = observed.search(a, solver="exit_shares")
        point = front.certify(b, max_sample_cost=0.6 * example.costs.baseline, share=0.05)
        assert ds.evaluate(b, point.config).over_budget(0.6 * example.costs.baseline) < 0.05

    def test_nothing_is_certified_without_enough_samples(self):
        front = front_of(priced(np.ones(500), seed=1))
        with pytest.raises(ds.InfeasibleError, match=r"share=0.01 with .* 0 % of the samples above the .*299 are the"):
            front.certify(priced(np.ones(200)), max_sample_cost=2)
        with pytest.raises(ds.FrontError, match="share must be above 0 to be proven"):
            front.certify(priced(np.ones(200)), max_sample_cost=2, share=0)
        with pytest.raises(ds.FrontError, match="max_sample_cost must be a finite number above 0"):
            front.certify(priced(np.ones(200)), max_sample_cost=-2)

    def test_the_order_is_by_what_the_search_says(self):
        rng = np.random.default_rng(0)
        head = rng.integers(1, 3, 4000)
        records = priced(head, whole=np.where(rng.random(4000) < 0.5, 4, 30))
        levels = (-np.inf, 0.001, 0.01, 0.02, 0.3, 0.7)
        configs = [ds.ExitConfig(candidate=[0], threshold=[level]) for level in levels]
        front = ds.ParetoFront.from_configs(records, configs)
        over = [ds.evaluate(records, point.config).over_budget(10) for point in front]
        alone = order_of_tests(front, asked(max_sample_cost=10, share=0.02), 1000)
        assert sorted(alone) == list(range(len(front)))
        assert np.all(np.diff(np.array(over)[alone]) >= -0.01)
        joined = order_of_tests(front, asked(max_sample_cost=10, share=0.02, max_accuracy_drop=0.1), 1000)
        assert all(over[k] <= 0.01 for k in joined)
        assert np.all(np.diff(joined) < 0)

    def test_of_all_that_passed_the_most_accurate_is_returned(self):
        """Where dear points keep the budget and cheap ones do not: the sequence goes by safety, not by cost."""
        rng = np.random.default_rng(1)
        n = 3000
        records = [
            ds.ExitRecords(
                confidence=np.stack([rng.random(n), rng.random(n), rng.random(n)]),
                score=np.stack([rng.random(n) < p for p in (0.5, 0.7, 0.9)]),
                costs=ds.SampleCosts(
                    backbone=np.zeros((3, n)) + np.array([0, 0, 3])[:, None],
                    head=np.stack([np.where(rng.random(n) < 0.5, 0, 4), np.full(n, 2.5), np.zeros(n)]),
                    position=[0, 1, 2],
                ),
            )
            for _ in range(2)
        ]
        everybody = [
            ds.ExitConfig(candidate=candidate, threshold=[-np.inf] * 2) for candidate in ([0, -1], [-1, 0], [-1, -1])
        ]
        front = ds.ParetoFront.from_configs(records[0], everybody)
        assert front.cost_within(0).tolist() == [4, 2.5, 3]
        point = front.certify(records[1], max_sample_cost=3.5, share=0.01)
        assert point.config == ds.ExitConfig.none(2)
        assert point.certificate.n_tested == 3

    @pytest.mark.parametrize("grouped", [False, True])
    def test_errs_no_more_often_than_it_says(self, grouped):
        """Where exactly the share costs more: groups of five that cost alike, at times."""
        rng, runs, share, n, errors = np.random.default_rng(2), 400, 0.1, 300, 0
        for _ in range(runs):
            over = np.repeat(rng.random(n // 5) < share, 5) if grouped else rng.random(n) < share
            group = np.repeat(np.arange(n // 5), 5) if grouped else None
            errors += p_value(priced(np.where(over, 3, 1), group=group), max_sample_cost=2, share=share) <= ALPHA
        assert errors / runs <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


class TestMeanCost:
    MOST = ds.ExitCosts(backbone=[0, 8], head=[10, 0], position=[0, 1])

    @pytest.mark.parametrize("method", ["betting", "hoeffding_bentkus"])
    @pytest.mark.parametrize("limit", ["max_cost", "max_relative_cost"])
    def test_errs_no_more_often_than_it_says(self, method, limit):
        """Where the mean is exactly the limit, and rarely a sample costs the most that there is."""
        rng, runs, n, errors = np.random.default_rng(3), 600, 200, 0
        for _ in range(runs):
            rare = rng.random(n) < 0.1
            whole = np.where(rare, 8.0, 3.0)  # mean 3.5
            records = priced(np.where(rare, 10.0, 1.0), whole=whole, most=self.MOST)  # mean 1.9
            floor = 1.9 if limit == "max_cost" else 1.9 / 3.5
            errors += p_value(records, method=method, **{limit: floor}) <= ALPHA
        assert errors / runs <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / runs)

    def test_rests_on_the_most_that_a_sample_can_cost(self):
        head = np.random.default_rng(0).choice([1.0, 2.0], 4000)
        tight = priced(head)
        dear = priced(head, most=ds.ExitCosts(backbone=[0, 4], head=[1000, 0], position=[0, 1]))
        assert p_value(tight, max_cost=1.6) < ALPHA < p_value(dear, max_cost=1.6)
        front = front_of(priced(head[:500], seed=1))
        point = front.certify(tight, max_cost=1.6)
        (limit,) = point.certificate.limits
        assert limit.most == 2  # nobody goes on
        assert str(limit).endswith("betting test, if no sample can cost more than 2)")
        assert limit.measured == pytest.approx(head.mean())
        assert head.mean() < limit.bound <= 1.6

    def test_relative_costs_are_means_over_means(self):
        rng = np.random.default_rng(0)
        head, whole = rng.choice([1.0, 2.0], 4000), rng.choice([4.0, 8.0], 4000)
        records = priced(head, whole=whole)
        (test,) = Trial.of(records, asked(max_relative_cost=0.3)).tests(EVERYBODY)
        assert -test.mean == pytest.approx(head.mean() / whole.mean())
        assert head.mean() / whole.mean() < -test.bound() <= 0.3

    def test_equal_costs_are_tested_as_constant_ones(self):
        records = priced(np.full(500, 1.0))
        plain = ds.ExitRecords(confidence=records.confidence, score=records.score, costs=records.costs)
        for limit in ({"max_cost": 1.2}, {"max_relative_cost": 0.3}):
            assert p_value(records, **limit) == p_value(plain, **limit)

    @pytest.mark.parametrize("limit", [{"max_relative_cost": 0.8}, {"max_cost": 4.7}])
    def test_is_joined_with_accuracy_from_a_point_that_is_likely_to_keep_it(self, limit):
        """A reserve for costs up to the baseline alone let 24 and 17 of 40 such cascades be certified."""
        certified = 0
        for seed in range(8):
            front = ds.search(cascade(seed, 480), effort="fast")
            with contextlib.suppress(ds.InfeasibleError):
                certified += front.certify(cascade(seed, 360), max_accuracy_drop=0.05, **limit).relative_cost < 0.6
        assert certified >= 7

    def test_prices_of_any_size_have_an_order(self):
        costs = ds.ExitCosts(backbone=[0, 1e-139], head=[1e139, 0], position=[0, 1])
        searched, calibration = (replace(priced(np.ones(300), seed=k), costs=costs, sample_costs=None) for k in (1, 2))
        front = ds.ParetoFront.from_configs(searched, [EVERYBODY])
        with pytest.raises(ds.InfeasibleError, match=r"relative cost 1e\+278, p = 1; it breaks a limit"):
            front.certify(calibration, max_accuracy_drop=0.05, max_relative_cost=2)

    def test_where_nothing_passes_it_says_what_the_first_point_lacks(self):
        front = ds.search(cascade(0, 480), effort="fast")
        with pytest.raises(ds.InfeasibleError, match=r"; the safest, at relative cost") as caught:
            front.certify(cascade(0, 60), max_accuracy_drop=0.05, max_relative_cost=0.4)
        assert max(float(p) for p in re.findall(r" p = ([\d.e-]+)", str(caught.value))) > ALPHA
        needed = re.search(r"about ([\d,]+) samples", str(caught.value))
        assert needed is None or int(needed[1].replace(",", "")) > 60

    def test_another_unit_is_refused(self, example):
        front = front_of(priced(np.ones(100), seed=1))
        other = priced(np.ones(100))
        costs = ds.ExitCosts(backbone=[0, 4], head=[2, 0], position=[0, 1])
        plain = ds.ExitRecords(confidence=other.confidence, score=other.score, costs=costs)
        with pytest.raises(ds.FrontError, match="a limit on cost needs calibration records with the costs"):
            front.certify(plain, max_cost=3)
