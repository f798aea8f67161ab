"""Whether a certificate still holds: on the same model, on a worse one, on few samples."""

import numpy as np
import pytest

import dyce_search as ds


@pytest.fixture(scope="module")
def population(example):
    return example.split(0.3, seed=0)


@pytest.fixture(scope="module")
def front(population):
    return ds.search(population[0], effort="fast")


def drawn(records, n, seed):
    return records.subset(np.random.default_rng(seed).integers(0, records.n_samples, n))


def spoilt(records, share, seed=0):
    """The answers of a model whose exits, not the final one, err on so many more samples."""
    score = records.score.copy()
    score[:-1, np.random.default_rng(seed).random(records.n_samples) < share] = 0
    return ds.ExitRecords(
        confidence=records.confidence, score=score, costs=records.costs, prediction=records.prediction
    )


def test_the_same_model_holds_and_a_worse_one_is_broken(population, front):
    held, broken = 0, 0
    for seed in range(20):
        point = front.certify(drawn(population[1], 5_000, seed), max_accuracy_drop=0.01, max_relative_cost=0.8)
        new = drawn(population[1], 5_000, 100 + seed)
        held += ds.check_certificate(point, new).verdict == "held"
        broken += ds.check_certificate(point, spoilt(new, 0.022, seed)).verdict == "broken"
    assert held >= 19
    assert broken >= 19


LIMITS = {
    "max_accuracy_drop": 0.02,
    "min_accuracy": 0.88,
    "max_cost": 0.5 * 14_627_648,
    "max_relative_cost": 0.5,
    "max_sample_cost": 1.2 * 14_627_648,
    "min_agreement": 0.9,
}


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_is_checked_in_its_own_terms(population, front, name):
    limits = {name: LIMITS[name]} | ({"max_accuracy_drop": 0.05} if "cost" in name else {})
    calibration = population[1].subset(np.arange(4_000))
    point = front.certify(calibration, **limits)
    new = population[1].subset(np.arange(4_000, 8_000))
    check = ds.check_certificate(point, new)
    assert check.verdict == "held"
    assert {limit.name for limit in check.limits} == set(limits)
    measured = ds.evaluate(new, point.config)
    found = next(limit for limit in check.limits if limit.name == name)
    if name in ("max_accuracy_drop", "max_relative_cost", "max_cost"):
        assert found.measured == pytest.approx(getattr(measured, name.removeprefix("max_")), abs=1e-9, rel=1e-9)
    with pytest.warns(UserWarning, match="very records"):
        again = ds.check_certificate(point, calibration)
    assert again.certified_anew
    assert {limit.name: limit.p_value for limit in again.limits} == {
        limit.name: limit.p_value for limit in point.certificate.limits
    }
    assert str(len(new.label)) in str(check).replace(",", "")


def test_costs_that_have_risen_are_noticed(population, front):
    point = front.certify(population[1].subset(np.arange(4_000)), max_relative_cost=0.2)
    sure = population[1].subset(np.arange(4_000, 7_000))
    unsure = ds.ExitRecords(confidence=sure.confidence - 0.3, score=sure.score, costs=sure.costs, measure=sure.measure)
    assert ds.check_certificate(point, sure).verdict == "held"
    assert ds.check_certificate(point, unsure).verdict == "broken"


def test_few_samples_and_margins(population, front):
    point = front.certify(population[1].subset(np.arange(4_000)), max_accuracy_drop=0.01)
    few = population[1].subset(np.arange(4_000, 4_300))
    assert ds.check_certificate(point, few).verdict == "too few samples"
    assert ds.check_certificate(point, few, margins={"max_accuracy_drop": 0.1}).verdict == "held"


def test_what_is_proven_anew_is_held_however_few_the_samples(population, front):
    point = front.certify(population[1].subset(np.arange(4_000)), max_relative_cost=0.9)
    few = population[1].subset(np.arange(4_000, 4_040))
    check = ds.check_certificate(point, few, margins={"max_relative_cost": 1e-6})  # too small a step to be noticed
    assert check.certified_anew
    assert check.verdict == "held"


def test_scores_between_0_and_1_and_groups(population, front):
    records = population[1].subset(np.arange(6_000))
    soft = ds.ExitRecords(
        confidence=records.confidence,
        score=0.25 + 0.5 * records.score,
        costs=records.costs,
        group=np.arange(6_000) // 3,
        measure=records.measure,
    )
    point = front.certify(soft.subset(np.arange(3_000)), max_accuracy_drop=0.03)
    assert ds.check_certificate(point, soft.subset(np.arange(3_000, 6_000))).verdict == "held"


def test_bad_input_says_what_is_wrong(population, front):
    records = population[1].subset(np.arange(4_000))
    point = front.certify(records, max_accuracy_drop=0.02)
    with pytest.raises(ds.FrontError, match="CertifiedPoint"):
        ds.check_certificate(front[0], records)
    with pytest.raises(ds.FrontError, match="max_accuracy_drop, got 'min_accuracy'"):
        ds.check_certificate(point, records, margins={"min_accuracy": 0.1})
    with pytest.raises(ds.FrontError, match="above 0"):
        ds.check_certificate(point, records, margins={"max_accuracy_drop": 0})
    agreeing = front.certify(records, min_agreement=0.9)
    bare = ds.ExitRecords(confidence=records.confidence, score=records.score, costs=records.costs)
    with pytest.raises(ds.RecordsError, match="prediction"):
        ds.check_certificate(agreeing, bare)
    with pytest.raises(ds.ConfigError):
        ds.check_certificate(point, ds.synthetic_records(10, positions=3, types=1))
