"""Coordinate descent: its kernels against brute force, its fronts against what is known, its promises."""

from dataclasses import replace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.solvers import coordinate_descent as module
from dyce_search.solvers.descent.archive import Archive, Choice
from dyce_search.solvers.descent.objective import Objective
from dyce_search.solvers.descent.problem import Problem
from dyce_search.solvers.trade_off import TradeOff
from tests import observed
from tests.strategies import exit_records

BEST_KNOWN_COST = {0: 0.215, 0.0025: 0.195, 0.005: 0.178, 0.01: 0.155, 0.02: 0.131, 0.05: 0.091}
BEST_KNOWN_HYPERVOLUME = 0.9347


def empty_archive(problem: Problem) -> Archive:
    return Archive.empty(2048, problem.n_positions, problem.low, problem.high)


def descend_from_nothing(problem: Problem, objective: Objective, archive: Archive):
    choice = problem.no_exits()
    value, lines = problem.descend(objective, choice, archive, 50, np.inf, np.zeros(1, bool))
    return value, lines, choice


def as_config(problem: Problem, choice: Choice, threshold=None) -> ds.ExitConfig:
    candidate = np.where(choice.exits >= 0, choice.exits - problem.coded.first[:-1], -1)
    return ds.ExitConfig(candidate=candidate, threshold=problem.thresholds(choice) if threshold is None else threshold)


def value_of(problem: Problem, objective: Objective, records: ds.ExitRecords, config: ds.ExitConfig) -> float:
    measured = ds.evaluate(records, config)
    cost = measured.cost * records.n_samples * problem.unit
    return (
        objective.price * cost
        - objective.gain * measured.accuracy * records.n_samples
        + objective.curb * (cost - objective.goal) ** 2
    )


def costly(records: ds.ExitRecords) -> ds.ExitRecords:
    """The same samples, each with costs of its own: dearer where the first exit is unsure."""
    size = 1 + 3 * (1 - records.confidence[0]) * np.random.default_rng(0).random(records.n_samples)
    costs = records.costs
    by_sample = ds.SampleCosts(
        backbone=costs.backbone[:, None] * size, head=costs.head[:, None] * size, position=costs.position
    )
    return ds.ExitRecords(confidence=records.confidence, score=records.score, costs=by_sample)


@given(records=exit_records(max_samples=12))
@settings(max_examples=100, deadline=None)
def test_codes_keep_the_order_and_edges_part_the_bins(records):
    problem = Problem.of(records, 512)
    bins = (problem.coded.codes >> 1).astype(int)
    for e, confidence in enumerate(records.confidence):
        order = np.argsort(confidence, kind="stable")
        assert np.all(np.diff(bins[e][order]) >= 0)
        assert np.array_equal(np.diff(bins[e][order]) > 0, np.diff(confidence[order]) > 0)  # as many bins as samples
        for b in np.unique(bins[e]):
            assert np.array_equal(confidence > problem.edges[e, b], bins[e] >= b)
    assert np.array_equal(problem.coded.codes & 1, records.score > 0.5)


ANY_COSTS = exit_records(max_samples=12) | exit_records(max_samples=12, by_sample=True)


@given(records=ANY_COSTS, weight=st.sampled_from([0.3, 0.5, 0.8, 0.95]), curbed=st.booleans())
@settings(max_examples=120, deadline=None)
def test_no_single_change_improves_where_a_descent_ends(records, weight, curbed):
    problem = Problem.of(records, 512)
    objective = problem.at_lambda(weight)
    if curbed:
        goal = 0.6 * problem.n * float(problem.coded.backbone[-1])
        objective = objective._replace(curb=objective.price / max(goal, 1), goal=goal)
    value, _, choice = descend_from_nothing(problem, objective, empty_archive(problem))
    config = as_config(problem, choice)
    assert value == pytest.approx(value_of(problem, objective, records, config), abs=1e-6)
    first = records.costs.first
    for p in range(records.costs.n_positions):
        for k in range(-1, first[p + 1] - first[p]):
            row = records.confidence[first[p] + max(k, 0)]
            for level in {-np.inf, *row.tolist()}:
                candidate, threshold = config.candidate.copy(), config.threshold.copy()
                candidate[p], threshold[p] = k, level
                changed = ds.ExitConfig(candidate=candidate, threshold=threshold)
                assert value_of(problem, objective, records, changed) >= value - 1e-6


@given(records=ANY_COSTS)
@settings(max_examples=120, deadline=None)
def test_the_archive_tells_the_truth(records):
    problem = Problem.of(records, 512)
    archive = empty_archive(problem)
    descend_from_nothing(problem, problem.at_lambda(0.7), archive)
    assert np.isfinite(archive.score).any()
    for k in np.flatnonzero(np.isfinite(archive.score)):
        config = as_config(problem, archive.choice(k))
        measured = ds.evaluate(records, config)
        assert archive.score[k] / records.n_samples == pytest.approx(measured.accuracy, abs=1e-6)
        assert archive.cost[k] / problem.unit / records.n_samples == pytest.approx(measured.cost, rel=1e-6)


def test_scores_in_the_codes_and_scores_beside_them_are_searched_alike(example):
    records = example.subset(np.arange(0, 15000, 10))
    packed = Problem.of(records, 512)
    assert packed.score is None
    beside = replace(packed, score=records.score.astype(np.int16))
    for weight in (0.4, 0.8, 0.99):
        one = descend_from_nothing(packed, packed.at_lambda(weight), empty_archive(packed))
        two = descend_from_nothing(beside, beside.at_lambda(weight), empty_archive(beside))
        assert one[0] == pytest.approx(two[0], abs=1e-12)
        assert one[1] == two[1]
        assert np.array_equal(one[2].exits, two[2].exits)


def test_float_scores_take_the_other_path(example):
    records = example.subset(np.arange(2000))
    soft = ds.ExitRecords(confidence=records.confidence, score=0.25 + 0.5 * records.score, costs=records.costs)
    assert Problem.of(soft, 512).score is not None
    hard_front, soft_front = observed.search(records), observed.search(soft)
    reached = np.interp(hard_front.cost, soft_front.cost, (soft_front.accuracy - 0.25) / 0.5)
    assert np.median(np.abs(reached - hard_front.accuracy)) < 0.002


@pytest.mark.parametrize("coarse", [1, 3])
def test_coarse_cuts_with_a_second_look_end_near_the_exact_ones(example, coarse):
    records = example.subset(np.arange(4096))
    exact, rough = Problem.of(records, 4096), Problem.of(records, 4096 >> coarse)
    assert (exact.coded.coarse, rough.coded.coarse) == (0, coarse)
    for weight in (0.5, 0.8, 0.95):
        one = descend_from_nothing(exact, exact.at_lambda(weight), empty_archive(exact))
        two = descend_from_nothing(rough, rough.at_lambda(weight), empty_archive(rough))
        assert two[0] - one[0] < 0.005


@pytest.mark.parametrize("by_sample", [False, True])
def test_polish_finds_the_best_threshold_between_the_bins(example, by_sample):
    records = example.subset(np.arange(3000))
    records = costly(records) if by_sample else records
    problem = Problem.of(records, 64)
    codes = (problem.coded.codes >> 7 << 1) | (problem.coded.codes & 1)  # 64 samples a bin
    edges = np.ascontiguousarray(problem.edges[:, ::64])
    wide = replace(problem, coded=problem.coded._replace(codes=codes, coarse=0), edges=edges)
    objective = problem.at_lambda(0.8)
    before, _, choice = descend_from_nothing(wide, objective, empty_archive(wide))
    exits, cuts = choice
    threshold = wide.polish(objective, choice)
    after = value_of(problem, objective, records, as_config(wide, choice, threshold))
    assert after < before - 1e-5
    last = int(np.flatnonzero(exits >= 0)[-1])  # polished first, with the others at their cuts: check by brute force
    others = wide.thresholds(choice)
    row = np.unique(records.confidence[exits[last]])
    low = np.searchsorted(row, wide.edges[exits[last], max(cuts[last] - 1, 0)])
    high = np.searchsorted(row, wide.edges[exits[last], min(cuts[last] + 1, wide.edges.shape[1] - 1)])
    values = {}
    for level in row[max(low - 1, 0) : high]:
        trial = others.copy()
        trial[last] = level
        values[level] = value_of(problem, objective, records, as_config(wide, choice, trial))
    trial = others.copy()
    trial[last] = threshold[last]
    chosen = value_of(problem, objective, records, as_config(wide, choice, trial))
    assert chosen == pytest.approx(min(values.values()), abs=1e-9)


def test_the_default_front_of_the_example_is_near_the_best_known(example):
    front = observed.search(example)
    assert front.hypervolume() >= BEST_KNOWN_HYPERVOLUME * (1 - 0.001)
    assert len(front) >= 500
    for drop, best in BEST_KNOWN_COST.items():
        point = front.select(max_accuracy_drop=drop * example.baseline_accuracy)
        assert point.relative_cost <= best * 1.02, drop
    rival = observed.search(example, solver="single_pass")
    for point in rival:
        beats = (front.cost <= point.cost) & (front.accuracy >= point.accuracy)
        assert beats.any(), point


def small_problem(rng: np.random.Generator) -> ds.ExitRecords:
    """2 to 4 positions, 1 or 2 types, at most 200 samples, few distinct confidences, so that all can be tried."""
    n_positions, n = int(rng.integers(2, 5)), int(rng.integers(20, 201))
    n_candidates = rng.integers(1, int(rng.integers(1, 3)) + 1, n_positions)
    position = np.append(np.repeat(np.arange(n_positions), n_candidates), n_positions)
    levels = int(rng.integers(3, 7))
    margin = rng.normal(size=n) + 0.7 * rng.normal(size=(len(position), n)) - 0.3 + 0.4 * position[:, None]
    seen = margin + 0.6 * rng.normal(size=margin.shape)
    return ds.ExitRecords(
        confidence=np.round(levels / (1 + np.exp(-1.5 * seen))) / levels,
        score=margin > 0,
        costs=ds.ExitCosts(
            backbone=np.cumsum(rng.integers(1, 10, n_positions + 1)),
            head=np.append(rng.integers(0, 3, len(position) - 1), 0),
            position=position,
        ),
    )


@pytest.mark.parametrize(("effort", "problems", "share"), [("default", 60, 0.95), ("high", 15, 0.99)])
def test_small_problems_are_solved_nearly_always(effort, problems, share):
    rng = np.random.default_rng(7)
    hits = []
    for _ in range(problems):
        records = small_problem(rng)
        trade_off = TradeOff.of(records)
        optimum = observed.search(records, solver="exhaustive", levels=1000)
        front = observed.search(records, effort=effort)
        for weight in (0.3, 0.5, 0.7, 0.9, 0.97):
            best = trade_off(weight, optimum.accuracy, optimum.cost).min()
            hits.append(trade_off(weight, front.accuracy, front.cost).min() <= best + 1e-3 * abs(best) + 1e-12)
    assert np.mean(hits) >= share


def test_the_number_of_threads_changes_nothing(example, monkeypatch):
    records = example.subset(np.arange(1500))
    fronts = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
        fronts.append(observed.search(records, seed=3))
    for front in fronts[1:]:
        assert np.array_equal(front.cost, fronts[0].cost)
        assert np.array_equal(front.threshold, fronts[0].threshold)


def test_the_unit_of_cost_changes_nothing(example):
    records = example.subset(np.arange(1500))
    costs = records.costs
    scaled = ds.ExitCosts(backbone=costs.backbone * 2.0**-40, head=costs.head * 2.0**-40, position=costs.position)
    other = ds.ExitRecords(confidence=records.confidence, score=records.score, costs=scaled)
    one, two = observed.search(records), observed.search(other)
    assert np.array_equal(one.candidate, two.candidate)
    assert np.allclose(one.relative_cost, two.relative_cost, rtol=1e-12)


def test_asking_for_a_point_finds_one_at_least_as_good(example):
    records = example.subset(np.arange(5000))
    plain = observed.search(records)
    for drop in (0.0, 0.005, 0.02):
        asked = observed.search(records, max_accuracy_drop=drop)
        limit = {"max_accuracy_drop": drop}
        assert asked.select(**limit).cost <= plain.select(**limit).cost * (1 + 1e-9)
        assert asked.provenance.evaluations > plain.provenance.evaluations
    asked = observed.search(records, max_relative_cost=0.15)
    assert asked.select(max_relative_cost=0.15).accuracy >= plain.select(max_relative_cost=0.15).accuracy


def test_an_impossible_wish_still_gives_a_front(example):
    front = observed.search(example.subset(np.arange(500)), max_accuracy_drop=-0.9)
    assert len(front) > 10
    with pytest.raises(ds.InfeasibleError, match="the most accurate has"):
        front.select(max_accuracy_drop=-0.9)


@pytest.mark.parametrize("budget", [None, 200, 2000])
def test_large_records_are_searched_on_some_samples_then_refined_on_all(example, monkeypatch, budget):
    records = example.subset(np.arange(6000))
    whole = observed.search(records, max_evaluations=budget)
    monkeypatch.setattr(module, "PART", 2999)
    front = observed.search(records, max_evaluations=budget)
    assert front.provenance.evaluations <= (budget or np.inf)
    assert front.provenance.stop_reason == ("budget" if budget else "converged")
    assert front.n_samples == 6000
    assert front.hypervolume() > whole.hypervolume() - (0.02 if budget else 0.003)


def test_given_lambdas_are_the_ones_that_are_solved(example):
    records = example.subset(np.arange(2000))
    trade_off = TradeOff.of(records)
    weights = [0.6, 0.85]
    front, general = observed.search(records, lambdas=weights), observed.search(records)
    for weight in weights:
        value = trade_off(weight, front.accuracy, front.cost).min()
        assert value <= trade_off(weight, general.accuracy, general.cost).min() + 0.002


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effort": "heroic"}, "effort must be 'fast', 'default' or 'high', got 'heroic'"),
        ({"lambdas": [1.5]}, "lambdas must be one or more numbers in"),
        ({"max_accuracy_drop": float("nan")}, "max_accuracy_drop must be a number below 1, got nan"),
        ({"max_accuracy_drop": 1}, "max_accuracy_drop must be a number below 1, got 1: it is absolute"),
        ({"max_relative_cost": float("inf")}, "max_relative_cost must be a finite number"),
        ({"kicks": 3}, "does not take the option 'kicks': it takes lambdas, .*, and all take seed, max_evaluations"),
    ],
)
def test_bad_options(example, options, message):
    with pytest.raises(ds.SolverError, match=message):
        observed.search(example.subset(np.arange(50)), **options)
