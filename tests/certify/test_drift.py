"""Watching a promise: false alarms over whole lives, alarms when something changes, bad input."""

import threading

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.certify.bets import Bets
from dyce_search.certify.watched import exact_interval, ranks_among, upper_mean


@pytest.fixture(scope="module")
def served(example):
    """A point, calibration records, and what the point does to samples of the same kind."""
    calibration, rest = example.split(0.4, seed=0)
    front = ds.search(calibration, effort="fast")
    return front.select(max_accuracy_drop=0.01), calibration, rest


def life(monitor, records, index, size=100):
    """Serves samples in batches; returns the number after which the monitor gave an alarm, None if it never did."""
    config = monitor.config
    exits = config.exits(records.layout)
    position = ds.evaluate(records, config, per_sample=True).exit_position
    taken = np.append(exits, records.n_exits - 1)[position]
    confidence = records.confidence[taken, np.arange(records.n_samples)]
    for start in range(0, len(index), size):
        some = index[start : start + size]
        if monitor.update(position[some], confidence[some]) != "ok":
            return start + size
    return None


class TestBets:
    @pytest.mark.parametrize("rate", [0.01, 0.3])
    def test_whole_lives_without_change_seldom_reach_the_line(self, rate):
        rng, lives, reached = np.random.default_rng(0), 300, 0
        for _ in range(lives):
            bets, most = Bets(worst=-rate), 0.0
            for size in (1, 5, 20, 100, 500, 1_000, 5_000, 20_000):
                right = rng.binomial(size, rate)
                bets.bet(np.array([1 - rate, -rate]), np.array([right, size - right]))
                most = max(most, bets.wealth)
            reached += most >= 10
        assert reached <= 0.1 * lives + 3 * (0.09 * lives) ** 0.5

    def test_a_mean_above_the_claim_is_found_also_late(self):
        bets = Bets(worst=-0.1)
        bets.bet(np.array([0.9, -0.1]), np.array([5_000, 95_000]))
        assert bets.wealth < 1
        for _ in range(40):
            bets.bet(np.array([0.9, -0.1]), np.array([20, 80]))
        assert bets.wealth > 1e3

    def test_no_bet_costs_nothing(self):
        bets = Bets(worst=-1.0)
        bets.bet(np.array([0.5]), np.array([0]))
        assert bets.wealth == 1.0


class TestIntervals:
    def test_the_exact_interval_covers(self):
        rng = np.random.default_rng(1)
        for rate in (0.02, 0.5):
            ends = [exact_interval(k, 80, 0.05) for k in rng.binomial(80, rate, 500)]
            inside = [low <= rate <= high for low, high in ends]
            assert np.mean(inside) >= 0.9
        assert (exact_interval(0, 10, 0.05)[0], exact_interval(10, 10, 0.05)[1]) == (0, 1)

    def test_the_upper_mean_is_seldom_below_the_mean(self):
        rng = np.random.default_rng(2)
        found = [upper_mean(rng.random(50) ** 4 * 3, 3.0, 0.05) for _ in range(500)]
        assert np.mean(np.array(found) < 3 / 5) <= 0.05
        assert upper_mean(np.array([1.0]), 3.0, 0.05) == 3.0

    def test_ranks_count_ties_half(self):
        known = np.array([0.1, 0.2, 0.2, 0.4], np.float32)
        assert ranks_among(np.array([0.2, 0.05, 0.9]), known)[0].tolist() == [0.5, 0.0, 1.0]
        assert ranks_among(np.array([0.2]), known[:0])[0].tolist() == [0.5]


class TestAlarms:
    def test_the_same_inputs_seldom_give_an_alarm(self, served):
        point, calibration, rest = served
        rng = np.random.default_rng(3)
        alarms = 0
        for _ in range(40):
            own, other = calibration.subset(rng.permutation(calibration.n_samples)[:1_500]), rest
            monitor = ds.DriftMonitor(point, own, alpha=0.1)
            alarms += life(monitor, other, rng.integers(0, other.n_samples, 10_000), 500) is not None
        assert alarms <= 4 + 3 * 1.9

    def test_harder_inputs_give_one_soon(self, served):
        point, calibration, rest = served
        hard = np.flatnonzero(rest.confidence[-1] < np.quantile(rest.confidence[-1], 0.4))
        rng = np.random.default_rng(4)
        monitor = ds.DriftMonitor(point, calibration)
        assert life(monitor, rest, rng.choice(hard, 3_000)) <= 1_000
        assert monitor.state == "cost drifted"
        assert monitor.e_value >= 1 / monitor.alpha

    def test_other_confidences_with_the_same_exits_give_one(self, served):
        point, calibration, rest = served
        monitor = ds.DriftMonitor(point, calibration)
        position = ds.evaluate(rest, point.config, per_sample=True).exit_position
        for start in range(0, 4_000, 200):
            state = monitor.update(position[start : start + 200], np.ones(200))
        assert state == "cost drifted"
        assert {"share", "cost"} & set(monitor.to_frame().query("wealth > 80")["kind"]) == set()

    def test_worse_answers_break_the_promise(self, served):
        point, calibration, rest = served
        rng = np.random.default_rng(5)
        told = []
        monitor = ds.DriftMonitor(point, calibration, max_accuracy_drop=0.01, on_alarm=told.append)
        for _ in range(20):
            full = (rng.random(200) < 0.93).astype(float)
            own = np.where(rng.random(200) < 0.05, 0, full)
            monitor.label(own, full)
        assert monitor.state == "promise broken"
        assert told == [monitor]
        assert (monitor.n_labelled, monitor.n_samples) == (4_000, 0)
        assert life(monitor, rest, np.arange(100)) is not None  # the state only gets worse

    def test_good_answers_keep_it(self, served):
        point, calibration, _ = served
        rng = np.random.default_rng(6)
        monitor = ds.DriftMonitor(point, calibration, max_accuracy_drop=0.01)
        for _ in range(50):
            full = (rng.random(200) < 0.93).astype(float)
            monitor.label(np.where(rng.random(200) < 0.005, 0, full), full)
        assert monitor.state == "ok"

    def test_a_certificate_says_what_is_promised(self, served, example):
        _, calibration, rest = served
        front = ds.search(calibration, effort="fast")
        certified = front.certify(rest, max_accuracy_drop=0.02, max_relative_cost=0.6)
        monitor = ds.DriftMonitor(certified, rest)
        frame = monitor.to_frame().set_index("kind")
        assert frame.loc["promise", "high"] == 0.02
        assert frame.loc["cost", "high"] == pytest.approx(0.6 * example.costs.baseline)
        with pytest.raises(ds.RecordsError, match="full_score"):
            monitor.label([1.0])
        accurate = ds.DriftMonitor(front.certify(rest, min_accuracy=0.9), rest)
        for _ in range(10):
            state = accurate.label(np.zeros(50))
        assert state == "promise broken"

    def test_batches_from_many_threads_are_all_counted(self, served):
        point, calibration, rest = served
        monitor = ds.DriftMonitor(point, calibration)
        threads = [
            threading.Thread(target=life, args=(monitor, rest, np.arange(k * 500, (k + 1) * 500))) for k in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert monitor.n_samples == 4_000

    def test_costs_by_sample(self, served):
        point, calibration, _ = served
        size = 1 + np.random.default_rng(7).random(calibration.n_samples)
        costs = ds.SampleCosts(
            backbone=calibration.costs.backbone[:, None] * size,
            head=calibration.costs.head[:, None] * size,
            position=calibration.costs.position,
        )
        dear = ds.ExitRecords(
            confidence=calibration.confidence, score=calibration.score, costs=costs, measure=calibration.measure
        )
        monitor = ds.DriftMonitor(point, dear)
        measured = ds.evaluate(dear, point.config, per_sample=True)
        with pytest.raises(ds.RecordsError, match="pass cost="):
            monitor.update(measured.exit_position)
        assert monitor.update(measured.exit_position, cost=measured.sample_cost) == "ok"
        for _ in range(10):
            state = monitor.update(
                measured.exit_position[:300], cost=2 * measured.sample_cost[:300].clip(max=costs.most.baseline / 2)
            )
        assert state == "cost drifted"


class TestWhatIsSeen:
    def test_table_and_picture(self, served):
        point, calibration, rest = served
        monitor = ds.DriftMonitor(point, calibration)
        life(monitor, rest, np.arange(1_000))
        frame = monitor.to_frame()
        assert {"share", "cost", "confidence"} == set(frame["kind"])
        assert (frame["low"].isna() | (frame["low"] <= frame["high"])).all()
        shares = frame[frame["kind"] == "share"]
        assert shares["mean"].sum() == pytest.approx(1)
        ax = monitor.plot()
        assert [line.get_label() for line in ax.get_lines()] == ["drift", "alarm at 20"]


BAD = {
    "position must be one of": lambda m: m.update([99]),
    "whole numbers": lambda m: m.update([0.5]),
    "one entry a sample": lambda m: m.update([15], [0.1, 0.2]),
    "confidence must be finite": lambda m: m.update([15], [np.nan]),
    "cost must lie": lambda m: m.update([15], cost=[-1.0]),
    "promises nothing": lambda m: m.label([1.0], [1.0]),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_says_what_is_wrong(served, message):
    point, calibration, _ = served
    with pytest.raises(ds.RecordsError, match=message):
        BAD[message](ds.DriftMonitor(point, calibration))


def test_bad_arguments_say_what_is_wrong(served):
    point, calibration, _ = served
    with pytest.raises(ds.FrontError, match="alpha"):
        ds.DriftMonitor(point, calibration, alpha=0)
    with pytest.raises(ds.FrontError, match="OperatingPoint"):
        ds.DriftMonitor(point.config, calibration)
    with pytest.raises(ds.FrontError, match="is one point"):
        ds.DriftMonitor(point, calibration, max_accuracy_drop=1)
    with pytest.raises(ds.RecordsError, match="score must lie"):
        ds.DriftMonitor(point, calibration, max_accuracy_drop=0.01).label([2.0], [1.0])
    with pytest.raises(ds.ConfigError, match="calibration"):
        ds.DriftMonitor(point, ds.synthetic_records(10, positions=2, types=1))
