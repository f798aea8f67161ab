"""Certified points: the tests behind them, the walk, the file, and what is refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

import dyce_search as ds
from dyce_search.certify import p_values
from dyce_search.certify.asked import Asked
from dyce_search.certify.limit_tests import Trial
from dyce_search.evaluation import config_file
from dyce_search.fingerprints import fingerprint, share_in_common
from tests import observed, oracles
from tests.benchmarks import certification
from tests.strategies import records_and_configs

ALPHA = 0.05
EVERYBODY = ds.ExitConfig(candidate=[0], threshold=[-np.inf])  # leaves at the first exit
TWO = ds.ExitCosts(backbone=[1.0, 4.0], head=[0.0, 0.0], position=[0, 1])


def answers(lost, gained, n, seed=0, **optional):
    """Two exits: the first loses some samples that the final one has right, and gains others."""
    score = np.ones((2, n))
    score[0, :lost] = 0
    score[1, lost : lost + gained] = 0
    rng = np.random.default_rng([seed, n])
    confidence = rng.random((2, n), np.float32)
    return ds.ExitRecords(confidence=confidence, score=score[:, rng.permutation(n)], costs=TWO, **optional)


def asked(**limits):
    """What is to be certified, with what `certify` takes where nothing is said."""
    return Asked.of(limits, share=0.01, confidence=1 - ALPHA, method="auto")


def front_of(*configs, records=None):
    """A front that was searched on other samples: the whole network, and the configurations given."""
    return ds.ParetoFront.from_configs(records or answers(5, 0, 50, seed=99), [ds.ExitConfig.none(1), *configs])


@pytest.fixture(scope="module")
def parts():
    """Two halves of real records, 5,000 samples each: one to search on, one to certify on."""
    return ds.load_example("test").split(0.5, seed=0)


@pytest.fixture(scope="module")
def front(parts):
    """Of the first half."""
    return observed.search(parts[0], solver="exit_shares")


@pytest.fixture(params=["as found", "from a file"])
def either(front, request, tmp_path):
    """A front behaves the same when it was saved in between."""
    if request.param == "as found":
        return front
    front.save(tmp_path / "front.json")
    return ds.ParetoFront.load(tmp_path / "front.json")


@pytest.fixture(scope="module")
def point(front, parts):
    """Certified for two limits."""
    return front.certify(parts[1], max_accuracy_drop=0.03, min_agreement=0.9)


class TestBinomial:
    @given(st.integers(1, 300), st.floats(0, 1), st.floats(0.01, 0.99))
    def test_is_scipy_s(self, n, share, floor):
        k = round(share * n)
        assert p_values.binomial_p_value(k, n, floor) == pytest.approx(
            binomtest(k, n, floor, alternative="greater").pvalue, rel=1e-9, abs=1e-300
        )

    @pytest.mark.parametrize(("right", "n"), [(95, 100), (990, 1000), (200, 200)])
    def test_the_bound_is_clopper_and_pearson_s(self, right, n):
        records = answers(n - right, 0, n)
        (test,) = Trial.of(records, asked(min_accuracy=0.5)).tests(EVERYBODY)
        low = binomtest(right, n, alternative="greater").proportion_ci(1 - ALPHA, method="exact").low
        assert (test.method, test.bound()) == ("exact binomial", pytest.approx(low, rel=1e-6))


class TestPaired:
    @settings(max_examples=60)
    @given(st.integers(1, 14), st.data())
    def test_is_the_supremum_over_all_rates(self, n, data):
        lost = data.draw(st.integers(0, n))
        gained = data.draw(st.integers(0, n - lost))
        max_drop = data.draw(st.sampled_from([0.1, 0.2, 0.4]))
        alpha = data.draw(st.sampled_from([0.05, 0.9, 0.999]))
        fast = p_values.paired_p_value(lost, gained, n, max_drop, alpha=alpha)
        slow = oracles.paired_p_value(lost, gained, n, max_drop, alpha, p_values.NUISANCE_SHARE, steps=20)
        assert fast >= slow - 1e-12
        rate = binomtest(lost + gained, n).proportion_ci(1 - 2 * p_values.NUISANCE_SHARE * alpha, method="exact").high
        if fast < 1 and rate <= 0.5:
            assert fast == pytest.approx(slow, rel=1e-9)

    def test_the_supremum_is_reached_for_many_samples(self):
        """Against sums over all outcomes, with numbers for which the closed form matters."""
        for lost, gained in ((1, 0), (3, 4), (5, 2), (0, 0)):
            fast = p_values.paired_p_value(lost, gained, 60, 0.2, alpha=ALPHA)
            slow = oracles.paired_p_value(lost, gained, 60, 0.2, ALPHA, p_values.NUISANCE_SHARE, steps=4)
            assert fast == pytest.approx(slow, rel=1e-9)

    @pytest.mark.parametrize("max_drop", [0.05, 0.2])
    @pytest.mark.parametrize("rate", [0.2, 0.3, 0.5, 0.9])
    @pytest.mark.parametrize("alpha", [0.05, 0.2])
    def test_is_valid_exactly(self, max_drop, rate, alpha):
        """Adds up the probability of every outcome that would be certified although the drop is the limit."""
        from scipy.stats import multinomial

        n = 40
        odds = [(rate + max_drop) / 2, (rate - max_drop) / 2, 1 - rate]
        error = sum(
            multinomial.pmf([lost, gained, n - lost - gained], n, odds)
            for lost in range(n + 1)
            for gained in range(n + 1 - lost)
            if p_values.paired_p_value(lost, gained, n, max_drop, alpha=alpha) <= alpha
        )
        assert error <= alpha

    def test_is_close_to_the_normal_approximation_for_many_samples(self):
        """Which is what a test could reach at best: 500 lost, 400 gained of 20,000, a drop of half a point."""
        p = p_values.paired_p_value(500, 400, 20_000, 0.0085, alpha=ALPHA)
        z = (0.0085 - 0.005) * 20_000 / math.sqrt(900)
        normal = math.erfc(z / math.sqrt(2)) / 2
        assert normal < p < 0.0025 + 2 * normal

    def test_falls_with_the_drop_and_rises_with_the_losses(self):
        by_drop = [p_values.paired_p_value(20, 10, 2000, drop, alpha=ALPHA) for drop in np.linspace(0.006, 0.1, 30)]
        assert np.all(np.diff(by_drop) <= 0)
        by_loss = [p_values.paired_p_value(lost, 10, 2000, 0.02, alpha=ALPHA) for lost in range(60)]
        assert np.all(np.diff(by_loss) >= 0)

    def test_extremes(self):
        assert p_values.paired_p_value(0, 0, 10**6, 0.01, alpha=ALPHA) == p_values.NUISANCE_SHARE * ALPHA
        assert p_values.paired_p_value(10, 0, 10, 0.01, alpha=ALPHA) == 1
        assert p_values.paired_p_value(0, 300, 300, 0.01, alpha=ALPHA) < 0.003  # all answers better
        assert p_values.paired_p_value(2_000, 1_000, 10**6, 0.002, alpha=ALPHA) < 0.003


class TestBetting:
    @settings(max_examples=60)
    @given(st.lists(st.integers(-4, 8), min_size=1, max_size=40), st.sampled_from([0.05, 0.2]))
    def test_is_the_game_played_one_by_one(self, gains, alpha):
        gain, worst = np.array(gains) / 8, -0.5
        order = np.random.default_rng(p_values.SHUFFLE).permutation(len(gain))
        slow = oracles.betting_p_value(gain, worst, alpha, order, p_values.LARGEST_BET)
        assert p_values.betting_p_value(gain, worst=worst, alpha=alpha) == pytest.approx(min(1, slow), rel=1e-9)

    @pytest.mark.parametrize("name", ["right or wrong", "rare disasters", "uniform", "paired"])
    def test_is_valid_where_the_mean_is_the_limit(self, name):
        rng = np.random.default_rng(3)
        runs, n = 1500, 150
        gain, worst = {
            "right or wrong": lambda: (rng.choice([0.1, -0.9], (runs, n), p=[0.9, 0.1]), -0.9),
            "rare disasters": lambda: (rng.choice([0.01, -0.99], (runs, n), p=[0.99, 0.01]), -0.99),
            "uniform": lambda: (rng.random((runs, n)) - 0.5, -0.5),
            "paired": lambda: (rng.choice([-0.95, 0.05, 1.05], (runs, n), p=[0.1, 0.85, 0.05]), -0.95),
        }[name]()
        assert abs(gain.mean()) < 0.003
        error = np.mean([p_values.betting_p_value(row, worst=worst, alpha=ALPHA) <= ALPHA for row in gain])
        assert error <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / runs)

    def test_makes_use_of_a_small_variance(self):
        """Where Hoeffding and Bentkus, who know only the range, need far more samples."""
        gain = np.random.default_rng(0).choice([-0.98, 0.02, 1.02], 10_000, p=[0.02, 0.965, 0.015])
        assert p_values.betting_p_value(gain, worst=-0.98, alpha=ALPHA) < 0.001
        assert p_values.hoeffding_bentkus_p_value((gain.mean() + 0.98) / 2, 10_000, 0.49) > 0.1


class TestHoeffdingBentkus:
    def test_agrees_with_mapie(self):
        methods = pytest.importorskip("mapie.risk_control.methods")
        rng = np.random.default_rng(0)
        for n in (50, 1000, 20_000):
            loss, limit = rng.random(40) * 0.5, rng.random(40) * 0.5 + 1e-3
            theirs = methods.compute_hoeffding_bentkus_p_value(loss, n, limit)
            for i in range(40):
                ours = p_values.hoeffding_bentkus_p_value(1 - loss[i], n, 1 - limit[i])
                assert ours == pytest.approx(min(1, theirs[i, i]), rel=1e-6, abs=1e-300)

    def test_is_its_formula(self):
        hoeffding = (0.95 / 0.98) ** (0.98 * 500) * (0.05 / 0.02) ** (0.02 * 500)  # exp(-n KL(0.02, 0.05))
        bentkus = math.e * binomtest(10, 500, 0.05, alternative="less").pvalue
        assert p_values.hoeffding_bentkus_p_value(0.98, 500, 0.95) == pytest.approx(min(hoeffding, bentkus), rel=1e-9)
        assert p_values.hoeffding_bentkus_p_value(0.95, 500, 0.95) == 1
        assert p_values.hoeffding_bentkus_p_value(1.0, 500, 0.95) == pytest.approx(0.95**500, rel=1e-9)


class TestWalk:
    @settings(max_examples=60)
    @given(records_and_configs(max_configs=8), st.sampled_from(["min_accuracy", "max_accuracy_drop"]))
    def test_is_a_walk_from_the_dear_end(self, drawn, name):
        """Against the samples one by one; levels so low that a handful of samples certifies something."""
        records, configs = drawn
        front = ds.ParetoFront.from_configs(records, configs)
        elsewhere = replace(front, records_digest="0" * 64, fingerprint=("0" * 16,))
        final = records.score[-1].astype(float)
        right_or_wrong = set(np.unique(records.score)) <= {0, 1}
        order = np.random.default_rng(p_values.SHUFFLE).permutation(records.n_samples)

        def test(scores):
            gain = np.array(scores) - (0.5 if name == "min_accuracy" else final - 0.5)
            if not right_or_wrong:
                return oracles.betting_p_value(gain, -0.5, 0.6, order, p_values.LARGEST_BET) <= 0.6 + 1e-12
            if name == "min_accuracy":
                return binomtest(int(sum(scores)), len(scores), 0.5, alternative="greater").pvalue <= 0.6
            lost, gained = (int(np.sum(sign * (np.array(scores) - final) > 0)) for sign in (-1, 1))
            return p_values.paired_p_value(lost, gained, len(scores), 0.5, alpha=0.6) <= 0.6

        expected = oracles.certify(front, records, test)
        if expected is None:
            with pytest.raises(ds.InfeasibleError, match="no point could be certified"):
                elsewhere.certify(records, confidence=0.4, **{name: 0.5})
        else:
            point = elsewhere.certify(records, confidence=0.4, **{name: 0.5})
            assert point.config == front[expected].config
            assert point.certificate.n_tested == min(len(front), len(front) - expected + 1)

    def test_figures_are_those_of_the_calibration(self, example):
        search, calibration = example.split(0.5, seed=0)
        front = observed.search(search, effort="fast")
        point = front.certify(calibration, max_accuracy_drop=0.01)
        measured = ds.evaluate(calibration, point.config)
        for name in ("accuracy", "cost", "relative_cost", "accuracy_drop"):
            assert getattr(point, name) == getattr(measured, name)
        (limit,) = point.certificate.limits
        assert limit.measured == pytest.approx(measured.accuracy_drop, abs=1e-12)
        assert (limit.name, limit.limit, limit.method) == ("max_accuracy_drop", 0.01, "exact paired")
        assert limit.measured < limit.bound <= limit.limit
        assert limit.p_value == point.certificate.p_value <= 0.05
        found = point.certificate
        assert (found.confidence, found.n_samples, found.n_groups) == (0.95, calibration.n_samples, None)
        assert (found.records_digest, found.search_digest) == (calibration.digest, search.digest)
        assert front.select(max_accuracy_drop=0.01).cost < point.cost

    def test_more_is_certified_with_less_confidence_and_with_the_better_test(self, example):
        search, calibration = example.split(0.5, seed=0)
        front = observed.search(search, effort="fast")

        def cost(**options):
            return front.certify(calibration, max_accuracy_drop=0.04, **options).cost

        assert cost(confidence=0.8) <= cost() <= cost(confidence=0.999)
        assert cost() <= cost(method="betting") < cost(method="hoeffding_bentkus")

    def test_all_limits_hold_at_once(self, example):
        search, calibration = example.split(0.5, seed=0)
        front = observed.search(search, effort="fast")
        single = {"max_accuracy_drop": 0.02, "min_accuracy": 0.915, "min_agreement": 0.96}
        point = front.certify(calibration, **single)
        costs = [front.certify(calibration, **{name: limit}).cost for name, limit in single.items()]
        assert point.cost == max(costs)  # no correction: the strictest alone decides
        assert [limit.name for limit in point.certificate.limits] == list(single)
        assert all(limit.p_value <= 0.05 for limit in point.certificate.limits)

    def test_agreement_needs_no_labels(self):
        n = 2000
        prediction = np.zeros((2, n), int)
        prediction[0, :20] = 1
        records = replace(answers(0, 0, n), prediction=prediction, score=np.zeros((2, n)))
        front = front_of(EVERYBODY)
        point = front.certify(records, min_agreement=0.98)
        assert point.config == EVERYBODY
        (limit,) = point.certificate.limits
        assert limit.measured == 0.99
        assert limit.p_value == binomtest(1980, n, 0.98, alternative="greater").pvalue
        with pytest.raises(ds.RecordsError, match="min_agreement needs records with prediction"):
            front.certify(answers(0, 0, n), min_agreement=0.98)

    def test_cost_is_walked_from_the_cheap_end(self, example):
        search, calibration = example.split(0.5, seed=0)
        front = observed.search(search, solver="exit_shares")
        point = front.certify(calibration, max_relative_cost=0.3)
        (limit,) = point.certificate.limits
        assert 0.28 < point.relative_cost < limit.bound <= 0.3
        assert limit.measured == pytest.approx(point.relative_cost)
        same = front.certify(calibration, max_cost=0.3 * front.costs.baseline)
        assert same.config == point.config
        assert same.certificate.limits[0].bound == pytest.approx(limit.bound * front.costs.baseline, rel=1e-6)
        both = front.certify(calibration, max_relative_cost=0.4, max_accuracy_drop=0.02)
        assert both.relative_cost < 0.4
        assert both.config == front.certify(calibration, max_accuracy_drop=0.02).config
        dearer = ds.ExitCosts(backbone=2 * front.costs.backbone, head=front.costs.head, position=front.costs.position)
        with pytest.raises(ds.FrontError, match="with the costs that the search had"):
            front.certify(replace(calibration, costs=dearer), max_relative_cost=0.3)
        assert front.certify(replace(calibration, costs=dearer), max_accuracy_drop=0.02).config == both.config

    def test_scores_that_are_no_zeros_and_ones_are_bet_on(self, records):
        front = ds.ParetoFront.from_configs(records, [ds.ExitConfig(candidate=[0, -1], threshold=[0.5, 0])])
        elsewhere = replace(front, records_digest="0" * 64, fingerprint=("0" * 16,))
        point = elsewhere.certify(records, max_accuracy_drop=0.6)
        assert point.certificate.limits[0].method == "betting"


class TestGroups:
    def test_dependent_samples_count_once(self):
        """Five copies of every sample say no more than one; as independent samples they would seem to."""
        errors = {"grouped": 0, "as if independent": 0}
        runs, n, times = 200, 200, 5
        rng = np.random.default_rng(5)
        for run in range(runs):
            lost = int(rng.binomial(n, 0.05))  # the drop is the limit
            many = answers(lost, 0, n, seed=run).subset(np.repeat(np.arange(n), times))
            for name, group in (("grouped", np.repeat(np.arange(n), times)), ("as if independent", None)):
                trial = Trial.of(replace(many, group=group), asked(max_accuracy_drop=0.05))
                errors[name] += trial.tests(EVERYBODY)[0].p_value <= ALPHA
        assert errors["grouped"] / runs <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
        assert errors["as if independent"] / runs > 0.15

    def test_groups_are_the_units(self):
        group = np.repeat(np.arange(500), 4)
        records = answers(4, 0, 2000, group=group)
        point = front_of(EVERYBODY).certify(records, max_accuracy_drop=0.02)
        assert (point.certificate.n_groups, point.certificate.limits[0].method) == (500, "betting")
        assert "on 2,000 samples in 500 groups" in str(point)
        alone = replace(records, group=np.arange(2000))
        plain = front_of(EVERYBODY).certify(replace(records, group=None), max_accuracy_drop=0.02, method="betting")
        same = front_of(EVERYBODY).certify(alone, max_accuracy_drop=0.02)
        assert same.certificate.p_value == pytest.approx(plain.certificate.p_value, rel=1e-9)


class TestValidity:
    """A small version of `python -m tests.benchmarks certificates`."""

    def test_certified_points_keep_the_limit_and_naive_ones_do_not(self):
        runs = 100
        everything = certification.population(n=200_000, positions=3, types=1)
        choices = {"naive": certification.naive, "certified": certification.certified(0.9)}
        found = certification.violations(everything, runs, 2000, choices, n_search=2000, scores="observed")
        assert found["certified"].violations <= 0.1 + 2 * math.sqrt(0.1 * 0.9 / runs)
        assert found["certified"].nothing < 0.5
        assert found["naive"].violations > 0.5


def everybody_leaves():
    """A front of one point, where everybody leaves at the first exit."""
    figures = {"accuracy": [0.9], "cost": [1.0], "disagreement": [0], "cost_tail": None}
    return replace(front_of(EVERYBODY), candidate=[[0]], threshold=[[-np.inf]], **figures)


class TestLimitsFarAway:
    """A limit that everything keeps: proven at once, and the bound is that of the costs, not of the limit."""

    @pytest.mark.parametrize("method", ["auto", "hoeffding_bentkus"])
    @pytest.mark.parametrize(
        ("name", "limit"),
        [("max_cost", 1e200), ("max_cost", 1e308), ("max_relative_cost", 1e300), ("max_sample_cost", 1e300)],
    )
    def test_the_bound_says_something(self, name, limit, method):
        records = answers(5, 0, 400)
        front = front_of(EVERYBODY)
        more = {"max_accuracy_drop": 0.05} if method == "auto" else {"share": 0.1}
        found = {
            one.name: one for one in front.certify(records, **{name: limit}, **more, method=method).certificate.limits
        }
        assert name in found
        dearest = 0.1 if name == "max_sample_cost" else 1.0 if name == "max_relative_cost" else 4.0
        assert found[name].measured <= found[name].bound <= dearest * (1 + 1e-9)
        assert found[name].limit == limit

    def test_so_it_does_where_costs_differ_by_sample(self):
        plain, rng = answers(5, 0, 400), np.random.default_rng(0)
        backbone = np.cumsum(rng.random((2, 400)), axis=0)
        costs = ds.SampleCosts(backbone=backbone, head=np.zeros((2, 400)), position=TWO.position)
        records = replace(plain, costs=costs)
        front = front_of(EVERYBODY, records=replace(answers(5, 0, 400, seed=99), costs=costs))
        for name in ("max_cost", "max_relative_cost"):
            for method in ("auto", "hoeffding_bentkus"):
                for limit in (1e300, 1e308):
                    (found,) = front.certify(records, **{name: limit}, method=method).certificate.limits
                    assert found.measured <= found.bound < 100

    def test_what_else_cannot_be_had_is_still_said(self):
        plain = answers(5, 0, 400)
        costs = ds.SampleCosts(backbone=np.ones((2, 400)).cumsum(axis=0), head=np.zeros((2, 400)), position=[0, 1])
        for records in (plain, replace(plain, costs=costs)):
            front = front_of(EVERYBODY, records=records.subset(range(50)))
            others = replace(records, confidence=records.confidence + 1)
            for name in ("max_cost", "max_relative_cost"):
                with pytest.raises(
                    ds.InfeasibleError, match=r"no point could be certified for .*max_accuracy_drop=1e-06"
                ):
                    front.certify(others, max_accuracy_drop=1e-6, **{name: 1e308})

    def test_a_bound_near_its_limit_is_as_before(self, parts, front):
        point = front.certify(parts[1], max_relative_cost=0.5, max_accuracy_drop=0.05)
        (found,) = [one for one in point.certificate.limits if one.name == "max_relative_cost"]
        assert found.measured < found.bound <= 0.5


class TestRefusals:
    def test_the_samples_searched_on(self, either, parts):
        with pytest.raises(ds.RecordsError, match=r"are the samples that the front was searched on.*split the records"):
            either.certify(parts[0], max_accuracy_drop=0.01)

    def test_the_same_samples_in_another_order_or_with_other_costs(self, either, parts):
        turned = parts[0].subset(np.arange(parts[0].n_samples)[::-1])
        with pytest.raises(ds.RecordsError, match="are the samples that the front was searched on"):
            either.certify(turned, max_accuracy_drop=0.01)
        costs = replace(parts[0].costs, unit="ms")
        with pytest.raises(ds.RecordsError, match="are the samples that the front was searched on"):
            either.certify(replace(parts[0], costs=costs), max_accuracy_drop=0.01)

    def test_some_samples_searched_on(self, either, parts):
        with pytest.raises(ds.RecordsError, match=r"hold about \d\d % of the samples"):
            either.certify(parts[0].subset(np.arange(1000)), max_accuracy_drop=0.01)
        with pytest.raises(ds.RecordsError, match="are the samples that the front was searched on"):
            either.certify(ds.load_example("test"), max_accuracy_drop=0.01)

    def test_other_samples_are_fine(self, either, parts):
        assert either.certify(parts[1], max_accuracy_drop=0.03).certificate.n_samples == 5000

    def test_fronts_of_earlier_files_have_no_fingerprint(self, front, parts, tmp_path):
        front.save(tmp_path / "front.json")
        content = json.loads((tmp_path / "front.json").read_text())
        content["records"]["fingerprint"] = content["records"].pop("marks")  # of before, made another way
        (tmp_path / "front.json").write_text(json.dumps(content))
        loaded = ds.ParetoFront.load(tmp_path / "front.json")
        assert loaded.fingerprint == ()
        with pytest.raises(ds.RecordsError, match="are the samples"):
            loaded.certify(parts[0], max_accuracy_drop=0.01)

    def test_another_network(self, either, records):
        with pytest.raises(ds.ConfigError, match="they belong to another network"):
            either.certify(records, max_accuracy_drop=0.01)
        with pytest.raises(ds.RecordsError, match="calibration must be an ExitRecords, got str"):
            either.certify("calibration.npz", max_accuracy_drop=0.01)

    def test_too_few_samples(self, either, parts):
        message = r"on 100 samples; the safest, .*; about 4\d0 samples .* \(4\d0 are the least, 100 are too few\)"
        with pytest.raises(ds.InfeasibleError, match=message):
            either.certify(parts[1].subset(np.arange(100)), max_accuracy_drop=0.01)

    def test_nothing_within_the_limit(self, front, parts):
        cheap = replace(
            front,
            **{
                name: getattr(front, name)[:1]
                for name in ("candidate", "threshold", "accuracy", "cost", "disagreement", "cost_tail")
            },
        )
        with pytest.raises(
            ds.InfeasibleError, match=r"measures an accuracy drop of \+\d+\.\d\d points, p = 1; it breaks"
        ):
            cheap.certify(parts[1], max_accuracy_drop=0.01)

    def test_twice_as_many_samples_as_it_says_are_enough_more_often_than_not(self):
        rng = np.random.default_rng(0)
        alone = replace(
            front_of(EVERYBODY),
            candidate=[[0]],
            threshold=[[-np.inf]],
            accuracy=[0.9],
            cost=[1.0],
            disagreement=[0],
            cost_tail=None,
        )
        with pytest.raises(ds.InfeasibleError, match=r"about 1,700 samples like these"):
            alone.certify(answers(10, 9, 500), max_accuracy_drop=0.01)
        passed = 0
        for _ in range(20):
            lost, gained, _ = rng.multinomial(3400, [0.02, 0.018, 0.962])
            try:
                alone.certify(answers(lost, gained, 3400), max_accuracy_drop=0.01)
            except ds.InfeasibleError:
                continue
            passed += 1
        assert passed > 10

    def test_a_limit_that_nobody_can_certify(self):
        alone = replace(
            front_of(EVERYBODY),
            candidate=[[0]],
            threshold=[[-np.inf]],
            accuracy=[0.9],
            cost=[1.0],
            disagreement=[0],
            cost_tail=None,
        )
        with pytest.raises(ds.InfeasibleError, match="p = 1; millions of samples like these would be needed"):
            alone.certify(answers(0, 0, 300), max_accuracy_drop=1e-9)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "certify needs a limit: one or more of max_accuracy_drop, min_accuracy, min_agreement, max_cost"),
            ({"max_accuracy_drop": -0.01}, r"max_accuracy_drop must lie in \(0, 1\), got -0.01: 0.01 is one point"),
            ({"max_accuracy_drop": 0}, r"max_accuracy_drop must lie in \(0, 1\), got 0: .* no drop at all"),
            ({"max_accuracy_drop": 1}, r"max_accuracy_drop must lie in \(0, 1\), got 1"),
            ({"max_accuracy_drop": np.nan}, r"max_accuracy_drop must lie in \(0, 1\), got nan"),
            ({"max_accuracy_drop": "small"}, r"max_accuracy_drop must lie in \(0, 1\), got 'small'"),
            ({"min_accuracy": 1.2}, r"min_accuracy must lie in \(0, 1\), got 1.2: it is a share"),
            ({"min_accuracy": 93}, r"min_accuracy must lie in \(0, 1\), got 93: it is a share"),
            ({"min_agreement": 1}, r"min_agreement must lie in \(0, 1\), got 1"),
            ({"max_cost": -5}, "max_cost must be a finite number above 0, got -5: it has the unit of the costs"),
            ({"max_relative_cost": np.inf}, "max_relative_cost must be a finite number above 0, got inf"),
            ({"max_accuracy_drop": 0.01, "confidence": 95}, r"confidence must lie in \(0, 1\), got 95"),
            ({"max_accuracy_drop": 0.01, "confidence": 1}, r"confidence must lie in \(0, 1\), got 1"),
            ({"max_accuracy_drop": 0.01, "confidence": None}, r"confidence must lie in \(0, 1\), got None"),
            ({"max_accuracy_drop": 0.01, "method": "guess"}, "method must be 'auto', 'betting' or 'hoeffding_bentkus'"),
        ],
    )
    def test_bad_options(self, either, parts, options, message):
        with pytest.raises(ds.FrontError, match=message):
            either.certify(parts[1], **options)


class TestFingerprints:
    def test_parts_are_told_from_others(self, example):
        search, rest = example.split(0.5, seed=0)
        known = fingerprint(search.confidence)
        assert len(known) == 4096
        assert share_in_common(known, search.confidence) == 1
        assert share_in_common(known, rest.confidence) == 0
        assert share_in_common(known, ds.load_example("test").confidence) == 0
        assert share_in_common(known, search.subset(np.arange(750)).confidence) == pytest.approx(0.1, abs=0.06)

    def test_samples_that_look_alike_tell_nothing(self):
        levels = np.random.default_rng(0).integers(0, 3, (2, 1000)).astype(np.float32)
        assert fingerprint(levels) == ()
        assert share_in_common((), levels) == 0

    def test_the_sign_of_zero_does_not_matter(self):
        drawn = np.random.default_rng(0).random((3, 500), np.float32)
        drawn[1] = 0
        negative = drawn.copy()
        negative[1] = -0.0
        assert fingerprint(drawn) == fingerprint(negative)

    def test_merged_fronts_keep_it(self, small_example):
        one, other = (observed.search(small_example, solver=solver) for solver in ("same_threshold", "exit_shares"))
        assert one.merge(other).fingerprint == one.fingerprint == fingerprint(small_example.confidence)


class TestFiles:
    def test_round_trip_to_the_bit(self, point, tmp_path):
        point.save(tmp_path / "point.json")
        loaded = ds.CertifiedPoint.load(tmp_path / "point.json")
        assert loaded == point
        assert loaded.config.threshold.tobytes() == point.config.threshold.tobytes()
        assert str(loaded) == str(point)

    def test_its_content_is_held_against_the_types_once(self, point, monkeypatch):
        looked_at, check = [], config_file.typed
        monkeypatch.setattr(config_file, "typed", lambda *given: (looked_at.append(given[0]), check(*given))[1])
        content = json.loads(json.dumps(point.to_dict()))
        assert ds.CertifiedPoint.from_dict(content).certificate == point.certificate
        assert looked_at == [content]

    def test_the_file_is_a_configuration(self, point, tmp_path):
        point.save(tmp_path / "point.json")
        assert ds.ExitConfig.load(tmp_path / "point.json") == point.config

    def test_it_describes_itself(self, point):
        lines = str(point).splitlines()
        assert lines[0] == str(point).split("\n")[0]
        assert lines[1] == "certified with 95 % confidence on 5,000 samples:"
        assert lines[2].startswith("  accuracy drop at most 3.00 points (measured ")
        assert lines[2].endswith(", exact paired test)")
        assert lines[3].startswith("  agreement with the full network at least 0.9 (measured 0.9")

    def test_it_can_be_plotted_as_selected(self, front, point):
        labels = front.plot(selected=point).get_legend_handles_labels()[1]
        assert any("selected" in label for label in labels)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                {"certificate": None},
                "this is a configuration, a certified configuration is needed: dyce-search certify",
            ),
            ({"calibration": None, "digest": None}, "missing required field `calibration`"),
            ({"calibration": {"accuracy": 1}}, r"missing required field `cost` - at `\$.calibration`"),
            ({"calibration": {"accuracy": "x"}}, r"Expected `float`, got `str` - at `\$.calibration.accuracy`"),
            ({"certificate": {"limits": []}}, r"Expected `array` of length >= 1 - at `\$.certificate.limits`"),
            ({"certificate": {"confidence": 0.9}}, "missing required field `limits`"),
            ({"version": 7}, "has format version 7, this release reads 1 and 2"),
            ({"exits": None}, "missing required field `exits`"),
        ],
    )
    def test_damaged_files_are_refused(self, point, tmp_path, change, message):
        point.save(tmp_path / "point.json")
        content = {**json.loads((tmp_path / "point.json").read_text()), "digest": None, **change}
        (tmp_path / "point.json").write_text(
            json.dumps({key: value for key, value in content.items() if value is not None})
        )
        with pytest.raises(ds.FileFormatError, match=message):
            ds.CertifiedPoint.load(tmp_path / "point.json")
