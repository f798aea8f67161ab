"""Searches within a limit on what single samples cost, held to brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.solvers import within_limit
from tests import observed, oracles
from tests.strategies import exit_records

SHARES = st.sampled_from([0, 0.15, 0.25, 0.5])
LIMITS = st.integers(1, 12)


def brute_force(records, limit, share):
    """The non-dominated (cost, accuracy) of all configurations that keep the limit."""
    found = []
    for config in [*oracles.every_config(records), ds.ExitConfig.none(records.costs.n_positions)]:
        result = oracles.evaluate(records, config)
        over = sum(cost > limit for cost in result["sample_cost"])
        if over <= math.floor(share * records.n_samples + 1e-9):
            found.append((result["cost"], result["accuracy"]))
    return oracles.non_dominated(found)


def cascade(n_samples, seed, levels=None):
    """Four models, each dearer and better; the price of a call is random, and easy queries are cheap."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=n_samples)
    margin = np.array([0.0, 0.5, 1.0, 2.0])[:, None] - hard + 0.7 * rng.normal(size=(4, n_samples))
    confidence = 1 / (1 + np.exp(-margin - 0.5 * rng.normal(size=margin.shape)))
    price = np.array([1, 4, 12, 40])[:, None] * rng.gamma(4, 0.25, (4, n_samples)) * np.exp(0.3 * hard)
    last = np.where(np.arange(4)[:, None] == 3, price, 0)
    costs = ds.SampleCosts(backbone=last, head=price - last, position=np.arange(4), unit="cents")
    sure = confidence if levels is None else np.round(confidence * levels) / levels
    return ds.ExitRecords(confidence=sure, score=margin > 0, costs=costs)


@settings(max_examples=60)
@given(exit_records(max_positions=2, max_candidates=2, max_samples=5, by_sample=True), LIMITS, SHARES)
def test_is_brute_force_on_small_problems(records, limit, share):
    check(records, limit, share, "coordinate_descent")


@settings(max_examples=40)
@given(exit_records(max_positions=2, max_candidates=2, max_samples=5), LIMITS, SHARES)
def test_of_constant_costs_too(records, limit, share):
    check(records, limit, share, "coordinate_descent")


@settings(max_examples=40)
@given(exit_records(max_positions=2, max_candidates=2, max_samples=5, by_sample=True), LIMITS, SHARES)
def test_the_exhaustive_solver_is_exact_by_itself(records, limit, share):
    check(records, limit, share, "exhaustive")


def check(records, limit, share, solver):
    expected = brute_force(records, limit, share)
    if not expected:
        with pytest.raises(ds.InfeasibleError, match="no configuration satisfies max_sample_cost="):
            observed.search(records, solver=solver, max_sample_cost=limit, share=share)
        return
    front = observed.search(records, solver=solver, max_sample_cost=limit, share=share)
    assert oracles.points(front) == expected


@settings(max_examples=60)
@given(records=exit_records(by_sample=True), limit=LIMITS, share=SHARES)
def test_what_is_held_keeps_the_limit_where_there_are_many(records, limit, share):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(within_limit, "FEW", 0)
        try:
            front = observed.search(records, max_sample_cost=limit, share=share)
        except ds.InfeasibleError:
            front = []
    allowed = math.floor(share * records.n_samples + 1e-9)
    for point in front:
        paid = oracles.evaluate(records, point.config)["sample_cost"]
        assert sum(cost > limit for cost in paid) <= allowed
    alone = [ds.ExitConfig(candidate=c, threshold=t) for c, t in each_alone(records)]
    feasible = any(
        sum(cost > limit for cost in oracles.evaluate(records, config)["sample_cost"]) <= allowed for config in alone
    )
    assert feasible == bool(len(front))


def each_alone(records):
    """Every exit alone, and none: nothing keeps a limit that none of these keeps."""
    positions = records.costs.n_positions
    yield [-1] * positions, [0] * positions
    for p in range(positions):
        for k in range(int(records.costs.n_candidates[p])):
            candidate = [-1] * positions
            candidate[p] = k
            yield candidate, [-np.inf] * positions


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_is_as_good_as_the_optimum_on_a_grid_of_more_configurations(share, monkeypatch):
    monkeypatch.setattr(within_limit, "FEW", 0)
    gaps = []
    for seed in range(6):
        records = cascade(300, seed, levels=12)
        limit = float(np.quantile(records.sample_costs.baseline, 0.5))
        best = observed.search(records, solver="exhaustive", levels=300, max_sample_cost=limit, share=share)
        found = observed.search(records, max_sample_cost=limit, share=share)
        gaps.append(1 - found.hypervolume() / best.hypervolume())
    assert max(gaps) < 2e-3
    assert np.median(gaps) < 1e-4


@pytest.mark.parametrize("solver", ["nsga2", "same_threshold", "single_pass"])
def test_any_solver_can_be_held_to_a_limit(solver):
    records = cascade(400, 0)
    limit = 20.0
    front = ds.search(records, solver=solver, max_sample_cost=limit, share=0.01, max_evaluations=200)
    for point in front:
        assert ds.evaluate(records, point.config).over_budget(limit) <= 0.01
    assert front.provenance.options["max_sample_cost"] == limit
    assert front.select(max_sample_cost=limit, share=0.01).cost <= limit


def test_everybody_has_to_leave_where_nobody_can_go_on(example):
    limit = 0.5 * example.costs.baseline
    front = ds.search(example, max_sample_cost=limit)
    assert front.cost_within(0).max() <= limit
    for point in front:
        last = np.flatnonzero(point.config.candidate >= 0)[-1]
        assert point.config.threshold[last] == -np.inf


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"max_sample_cost": 0}, ds.SolverError, "max_sample_cost must be a finite number above 0"),
        ({"max_sample_cost": np.inf}, ds.SolverError, "max_sample_cost must be a finite number above 0"),
        ({"max_sample_cost": "1"}, ds.SolverError, "max_sample_cost must be a finite number above 0"),
        ({"max_sample_cost": 5, "share": 1}, ds.FrontError, r"share must lie in \[0, 1\)"),
    ],
)
def test_bad_limits_are_refused(records, change, error, message):
    with pytest.raises(error, match=message):
        ds.search(records, **change)
