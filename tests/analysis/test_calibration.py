"""Reliability, AUROC and temperatures, against twins that go sample by sample."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from tests.strategies import exit_records


def one_exit(confidence, score):
    """Records whose exit 0 has these; the final exit is always right."""
    costs = ds.ExitCosts(backbone=[1.0, 2.0], head=[0.0, 0.0], position=[0, 1])
    n = len(confidence)
    return ds.ExitRecords(confidence=[confidence, [0.5] * n], score=[score, [1] * n], costs=costs)


def pairs_won(confidence, right):
    """Share of all (right, wrong) pairs in which the right one is surer, ties counting half; NaN without a pair."""
    pairs = [
        1 if a > b else 0.5 if a == b else 0
        for a, hit in zip(confidence, right, strict=True)
        for b, miss in zip(confidence, right, strict=True)
        if hit and not miss
    ]
    return sum(pairs) / len(pairs) if pairs else math.nan


def calibration_error(confidence, score, bins):
    """Sample by sample: bin k holds confidences above k / bins and up to (k + 1) / bins; the first also 0."""
    edges = np.linspace(0, 1, bins + 1).tolist()
    inside = [[] for _ in range(bins)]
    for c, s in zip(confidence, score, strict=True):
        k = next(k for k in range(bins) if c <= edges[k + 1])
        inside[k].append((c, s))
    return sum(abs(sum(s for _, s in entries) - sum(c for c, _ in entries)) for entries in inside) / len(confidence)


class TestAuroc:
    @given(exit_records(max_samples=12), st.sampled_from([0.125, 0.5, 1.0]))
    def test_equals_counting_pairs(self, records, right_from):
        result = ds.exit_auroc(records, right_from=right_from)
        for e in range(records.n_exits):
            right = [score >= right_from for score in records.score[e].tolist()]
            expected = pairs_won(records.confidence[e].tolist(), right)
            assert result.auroc[e] == expected or (math.isnan(expected) and math.isnan(result.auroc[e]))
            assert result.n_right[e] == sum(right)

    def test_agrees_with_scipy_on_real_records(self, example):
        from scipy.stats import mannwhitneyu

        result = ds.exit_auroc(example)
        for e in (0, 20, 45):
            right = example.score[e] == 1
            sure = example.confidence[e].astype(np.float64)  # in float32 SciPy adds up the ranks in float32 too
            wins = mannwhitneyu(sure[right], sure[~right]).statistic
            assert result.auroc[e] == pytest.approx(wins / (right.sum() * (~right).sum()), abs=1e-12)

    def test_table_and_lines_of_each_type(self, example):
        result = ds.exit_auroc(example)
        frame = result.to_frame()
        assert list(frame.columns) == ["position", "name", "accuracy", "auroc"]
        assert frame["accuracy"].tolist() == pytest.approx(example.exit_accuracy)
        ax = result.plot()
        lines = {line.get_label(): line for line in ax.get_lines()}
        assert set(lines) == {"gap_linear", "gap2_mlp64", "conv32_linear", "final exit"}
        assert lines["gap2_mlp64"].get_ydata().tolist() == result.auroc[1:45:3].tolist()

    @pytest.mark.parametrize("right_from", [0, 1.5, "half", math.nan])
    def test_bad_bound(self, records, right_from):
        with pytest.raises(ds.RecordsError, match=r"right_from must lie in \(0, 1\], got"):
            ds.exit_auroc(records, right_from=right_from)

    def test_no_records(self):
        with pytest.raises(ds.RecordsError, match="records must be an ExitRecords, got int"):
            ds.exit_auroc(3)


class TestReliability:
    @given(exit_records(max_samples=12, levels=("ties", "all equal")), st.integers(1, 6))
    def test_equals_the_slow_twin(self, records, bins):
        result = ds.reliability(records, bins=bins)
        assert (result.count.sum(axis=1) == records.n_samples).all()
        for e in range(records.n_exits):
            expected = calibration_error(records.confidence[e].tolist(), records.score[e].tolist(), bins)
            assert result.ece[e] == pytest.approx(expected, abs=1e-12)
            full = result.count[e] > 0
            again = (result.count[e, full] * abs(result.accuracy[e, full] - result.confidence[e, full])).sum()
            assert result.ece[e] == pytest.approx(again / records.n_samples, abs=1e-12)
            assert np.isnan(result.accuracy[e, ~full]).all()

    def test_a_bin_holds_its_upper_bound(self):
        result = ds.reliability(one_exit([0.0, 0.5, 1.0], [0, 0, 1]), bins=2)
        assert result.count[0].tolist() == [2, 1]

    def test_calibrated_confidences_have_no_error(self):
        result = ds.reliability(one_exit([0.75] * 4 + [0.25] * 4, [1, 1, 1, 0, 1, 0, 0, 0]))
        assert result.ece[0] == 0

    def test_float32_sums_do_not_drift(self, example):
        result = ds.reliability(example)
        expected = calibration_error(example.confidence[7].tolist(), example.score[7].tolist(), 15)
        assert result.ece[7] == pytest.approx(expected, abs=1e-9)
        frame = result.to_frame()
        assert list(frame.columns) == ["position", "name", "accuracy", "mean_confidence", "over_confidence", "ece"]
        assert frame["mean_confidence"][7] == pytest.approx(example.confidence[7].astype(float).mean())

    @pytest.mark.parametrize("bins", [0, 2.5, True, "ten"])
    def test_bad_bins(self, records, bins):
        with pytest.raises(ds.RecordsError, match="bins must be a whole number >= 1, got"):
            ds.reliability(records, bins=bins)

    def test_confidences_that_are_no_probabilities(self):
        with pytest.raises(ds.RecordsError, match=r"must be a probability in \[0, 1\] .*got -2 to 3: build"):
            ds.reliability(one_exit([-2, 3], [0, 1]))


class TestTemperatures:
    def test_no_other_temperature_fits_better(self):
        rng = np.random.default_rng(1)
        labels = rng.integers(0, 4, 500)
        logits = [3 * rng.normal(size=(500, 4)) + 2 * np.eye(4)[labels], 0.2 * rng.normal(size=(500, 3)) + 0.1]
        labels_of_three = labels % 3
        for table, truth in ((logits[0], labels), (logits[1] + 0.3 * np.eye(3)[labels_of_three], labels_of_three)):
            fitted = ds.fit_temperatures([table], truth)

            def likelihood(heat, table=table, truth=truth):
                rows = [
                    math.log(sum(math.exp(z / heat) for z in row)) - row[y] / heat
                    for row, y in zip(table.tolist(), truth.tolist(), strict=True)
                ]
                return sum(rows) / len(rows)

            best = min(likelihood(heat) for heat in np.geomspace(0.05, 20, 300))
            assert fitted.nll_after[0] == pytest.approx(likelihood(fitted.temperature[0]), abs=1e-9)
            assert best - 1e-4 < fitted.nll_after[0] <= best + 1e-9
            assert fitted.nll_before[0] == pytest.approx(likelihood(1.0), abs=1e-9)

    def test_finds_the_factor_that_spoiled_calibration(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 5, 20_000)
        logits = rng.normal(size=(20_000, 5)) + np.eye(5)[labels]
        fitted = ds.fit_temperatures(np.stack([logits, 3 * logits, logits / 4]), labels)
        assert fitted.temperature == pytest.approx(fitted.temperature[0] * np.array([1, 3, 0.25]), rel=1e-4)
        assert fitted.temperature[0] == pytest.approx(1, rel=0.05)
        assert fitted.ece_after[1] < 0.02 < fitted.ece_before[1]
        records = ds.ExitRecords.from_logits(
            [3 * logits, logits], labels, costs=one_exit([0.5], [1]).costs, temperature=fitted.temperature[[1, 0]]
        )
        assert ds.reliability(records).ece == pytest.approx(fitted.ece_after[[1, 0]], abs=1e-5)

    def test_always_right_or_hopeless(self):
        labels = np.array([0, 1])
        right, wrong = 5 * np.eye(2), 5 * np.eye(2)[::-1]
        assert ds.fit_temperatures([right, wrong], labels).at_bound.tolist() == [True, True]

    def test_huge_logits(self):
        fitted = ds.fit_temperatures([[[1e30, 0.0], [0.0, 1e30], [1e30, 0]]], [0, 1, 1])
        assert np.isfinite(fitted.temperature).all()

    def test_table_and_picture(self):
        rng = np.random.default_rng(0)
        fitted = ds.fit_temperatures(rng.normal(size=(2, 50, 3)), rng.integers(0, 3, 50))
        assert fitted.to_frame()["temperature"].tolist() == fitted.temperature.tolist()
        assert [line.get_label() for line in fitted.plot().get_lines()] == ["as recorded", "with temperatures"]

    @pytest.mark.parametrize(
        ("logits", "labels", "message"),
        [
            ([], [0], r"logits must have shape \(E, N, C\) with one or more exits, got none"),
            ([[[0.0, 1.0]]], [], "labels must have at least one sample"),
            ([[[0.0, 1.0]]], [0, 1], r"must have shape \(N, C\) = \(2, C\), got \(1, 2\)"),
            ([[[0.0, 1.0]]], [2], r"labels must lie in \[0, C\) = \[0, 2\), got 2 to 2"),
            ([[[0.0, np.inf]]], [1], "logits must be finite.* got inf from exit 0 at"),
            ([[["a", "b"]]], [1], "must be numeric, got dtype <U1"),
        ],
    )
    def test_bad_input(self, logits, labels, message):
        with pytest.raises(ds.RecordsError, match=message):
            ds.fit_temperatures(logits, labels)
