"""Records: checks, subsets, splits, and the example."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds

GOOD = {"confidence": np.full((4, 5), 0.5), "score": np.ones((4, 5))}


def with_entry(value):
    table = np.full((4, 5), 0.5)
    table[2, 3] = value
    return table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": np.zeros((5, 4))}, r"\(E, N\) = \(4, N\), got \(5, 4\): transpose it, exits come first"),
        ({"confidence": np.zeros((3, 5))}, r"got \(3, 5\): the costs describe 4 candidates, the final exit included"),
        ({"confidence": np.zeros((4, 0)), "score": np.zeros((4, 0))}, "records must have at least one sample"),
        ({"confidence": np.zeros(5)}, "confidence must have 2 axes, got 1"),
        ({"confidence": 0.5}, r"confidence must have 2 axes, got 0 \(shape \(\)\)"),
        ({"confidence": None}, "confidence must be a rectangular array of numbers"),
        ({"confidence": [[1], [2, 3]]}, "confidence must be a rectangular array of numbers"),
        ({"confidence": np.full((4, 5), "a")}, "confidence must be numeric, got dtype <U1"),
        ({"confidence": np.full((4, 5), 1j)}, "confidence must be numeric, got dtype complex128"),
        ({"confidence": with_entry(np.nan)}, "confidence must be finite in float32, got nan at exit 2, sample 3"),
        ({"confidence": with_entry(np.inf)}, "confidence must be finite in float32, got inf at exit 2, sample 3"),
        ({"confidence": with_entry(-np.inf)}, "confidence must be finite in float32, got -inf at exit 2, sample 3"),
        ({"confidence": with_entry(1e300)}, "confidence must be finite in float32, got inf at exit 2, sample 3"),
        ({"score": np.ones((5, 4))}, r"shape of confidence, \(4, 5\), got \(5, 4\): transpose it, exits come first"),
        ({"score": np.ones((4, 6))}, r"score must have the shape of confidence, \(4, 5\), got \(4, 6\)"),
        ({"score": with_entry(1.5)}, r"score must lie in \[0, 1\], got 1.5 at exit 2, sample 3: scale it first"),
        ({"score": with_entry(-0.1)}, r"score must lie in \[0, 1\], got -0.1"),
        ({"score": with_entry(np.nan)}, r"score must lie in \[0, 1\], got nan at exit 2, sample 3"),
        ({"label": [0, 1]}, "label must have one entry per sample, 5, got 2"),
        ({"label": [[0] * 5]}, "label must have 1 axes, got 2"),
        ({"label": [0.5] * 5}, "label must hold whole numbers, got 0.5"),
        ({"label": [np.inf] * 5}, "label must hold whole numbers, got inf"),
        ({"prediction": np.zeros((5, 4), int)}, r"prediction must have shape \(E, N\) = \(4, 5\), got \(5, 4\)"),
        ({"group": ["a"]}, "group must have one entry per sample, 5, got 1"),
        ({"group": [0.5] * 5}, r"group must be \(N,\) integers or strings, got shape \(5,\), dtype float64"),
        ({"group": [None] * 5}, "group must be a rectangular array"),
        ({"costs": {"backbone": [1]}}, "costs must be an ExitCosts, got dict"),
    ],
)
def test_bad_records_are_refused(costs, change, message):
    with pytest.raises(ds.RecordsError, match=message):
        ds.ExitRecords(**{**GOOD, "costs": costs, **change})


def test_figures(records):
    np.testing.assert_allclose(records.exit_accuracy, records.score.astype(np.float64).mean(axis=1), rtol=1e-12)
    assert records.baseline_accuracy == records.exit_accuracy[-1]
    assert (records.n_exits, records.n_samples) == (4, 40)
    assert "40 samples, 4 exits at 2 positions" in repr(records)


def test_arrays_are_float32_contiguous_and_read_only(costs):
    records = ds.ExitRecords(confidence=np.zeros((5, 4)).T, score=np.ones((5, 4), bool).T, costs=costs, label=[1] * 5)
    for array in (records.confidence, records.score):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
    for array in (records.confidence, records.score, records.label):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_inputs_stay_as_they_are_and_may_be_read_only(costs):
    confidence, score = np.zeros((4, 5), np.float32), np.ones((4, 5), np.float32)
    ds.ExitRecords(confidence=confidence, score=score, costs=costs)
    assert confidence.flags.writeable
    confidence.flags.writeable = score.flags.writeable = False
    assert ds.ExitRecords(confidence=confidence, score=score, costs=costs).confidence.base is not None


@pytest.mark.parametrize("convert", [lambda a: a.tolist(), pd.DataFrame, np.float16, np.float64, np.asfortranarray])
def test_anything_like_an_array_is_taken(costs, convert):
    table = np.arange(20).reshape(4, 5) / 32
    records = ds.ExitRecords(confidence=convert(table), score=convert(table), costs=costs)
    np.testing.assert_array_equal(records.confidence, table)
    np.testing.assert_array_equal(records.score, table)


@pytest.mark.parametrize("group", [list("aabbc"), pd.Series(list("aabbc")), np.array(list("aabbc")), [0, 0, 1, 1, 2]])
def test_groups_are_strings_or_integers(costs, group):
    records = ds.ExitRecords(**GOOD, costs=costs, group=group)
    assert records.group.dtype.kind in "Ui"
    assert len(set(records.group.tolist())) == 3


class TestSubset:
    def test_keeps_those_samples_in_that_order(self, records):
        part = records.subset([5, 0, -1])
        for name in ("confidence", "score", "prediction"):
            np.testing.assert_array_equal(getattr(part, name), getattr(records, name)[:, [5, 0, 39]])
        assert part.label.tolist() == records.label[[5, 0, 39]].tolist()
        assert part.group.tolist() == records.group[[5, 0, 39]].tolist()
        assert part.source == records.source
        assert part.digest != records.digest
        np.testing.assert_array_equal(records.subset(records.label == 1).confidence, records.confidence[:, 1::4])

    @pytest.mark.parametrize(
        ("index", "message"),
        [
            ([], "index selects no sample"),
            ([40], r"index must lie in \[-40, 40\), got \[40\]"),
            ([-41], r"index must lie in \[-40, 40\)"),
            ([0.5], r"index must be \(M,\) integers or \(N,\) booleans, got shape \(1,\), dtype float64"),
            (3, r"got shape \(\)"),
            ([True], "a boolean index must have one entry per sample, 40, got 1"),
            (np.zeros(40, bool), "index selects no sample"),
        ],
    )
    def test_bad_indices_are_refused(self, records, index, message):
        with pytest.raises(ds.RecordsError, match=message):
            records.subset(index)


class TestSplit:
    def marked(self, costs, n, **optional):
        """Records whose confidence tells which sample it is."""
        return ds.ExitRecords(confidence=np.tile(np.arange(n), (4, 1)), score=np.ones((4, n)), costs=costs, **optional)

    @given(st.integers(3, 40), st.integers(0, 9), st.sampled_from([(0.5,), (0.34, 0.33), (0.9,)]))
    def test_parts_are_disjoint_cover_and_have_their_sizes(self, n, seed, fractions):
        costs = ds.ExitCosts(backbone=[1, 2, 4], head=[0, 0, 0, 0], position=[0, 0, 1, 2])
        if round(fractions[0] * n) == n:
            return
        parts = self.marked(costs, n).split(*fractions, seed=seed)
        assert sorted(np.concatenate([part.confidence[0] for part in parts]).tolist()) == list(range(n))
        assert [part.n_samples for part in parts[:-1]] == [round(fraction * n) for fraction in fractions]

    def test_is_stratified_by_label(self, costs):
        label = np.repeat([0, 1, 2, 3], [100, 50, 30, 20])
        for part, share in zip(
            self.marked(costs, 200, label=label).split(0.5, 0.3, seed=1), (0.5, 0.3, 0.2), strict=True
        ):
            np.testing.assert_allclose(np.bincount(part.label), share * np.array([100, 50, 30, 20]), atol=2)

    def test_groups_stay_together(self, costs):
        group = np.repeat(np.arange(30), 4)
        parts = self.marked(costs, 120, group=group, label=group % 3).split(0.5, 0.25, seed=2)
        groups = [set(part.group.tolist()) for part in parts]
        assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
        assert [part.n_samples for part in parts] == pytest.approx([60, 30, 30], abs=4)

    def test_the_seed_decides(self, records):
        one, same, other = (records.split(0.5, seed=seed)[0].digest for seed in (1, 1, 2))
        assert one == same != other

    @pytest.mark.parametrize("fractions", [(), (0,), (1,), (0.5, 0.5), (-0.1,), (np.nan,), ("half",), (0.6, 0.6)])
    def test_bad_fractions_are_refused(self, records, fractions):
        with pytest.raises(ds.RecordsError, match=r"fractions must each lie in \(0, 1\) and sum to less than 1"):
            records.split(*fractions, seed=0)

    @pytest.mark.parametrize("seed", [-1, None, 0.5, "a"])
    def test_bad_seeds_are_refused(self, records, seed):
        with pytest.raises(ds.RecordsError, match="seed must be a whole number >= 0"):
            records.split(0.5, seed=seed)

    def test_an_empty_part_is_refused(self, costs):
        with pytest.raises(ds.RecordsError, match="part 0 of the split would be empty: 2 samples cannot be split"):
            self.marked(costs, 2).split(0.1, seed=0)
        with pytest.raises(ds.RecordsError, match="would be empty: 6 samples in too few groups"):
            self.marked(costs, 6, group=[1] * 6).split(0.5, seed=0)


def test_the_example_is_what_its_description_says(example):
    assert (example.n_exits, example.n_samples, example.costs.n_positions) == (46, 15000, 15)
    assert ds.load_example("test").n_samples == 10000
    assert ds.load_example("test").costs == example.costs
    with pytest.raises(ds.RecordsError, match="part must be 'search' or 'test', got 'train'"):
        ds.load_example("train")
