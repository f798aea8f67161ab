"""Costs that differ by sample: what is kept, what is refused, and that records carry them everywhere."""

from dataclasses import replace

import numpy as np
import pytest

import dyce_search as ds

BACKBONE = [[0, 0, 1, 0], [2, 1, 1, 0], [4, 8, 2, 2]]
HEAD = [[1, 1, 2, 0], [0, 3, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]]


def build(**change):
    return ds.SampleCosts(**{"backbone": BACKBONE, "head": HEAD, "position": [0, 0, 1, 2], **change})


@pytest.fixture
def sampled(records):
    """The records of `conftest.py`, forty samples, with costs that differ."""
    rng = np.random.default_rng(5)
    costs = ds.SampleCosts(
        backbone=np.cumsum(rng.integers(0, 5, (3, 40)), axis=0),
        head=rng.integers(0, 3, (4, 40)),
        position=records.costs.position,
        unit="tokens",
        names=["a", "b", "a", "whole"],
    )
    return replace(records, costs=costs)


def test_means_are_those_of_the_rows():
    costs = build(unit="tokens", names=["small", "other", "small", "whole"])
    assert costs.mean == ds.ExitCosts(
        backbone=[0.25, 1, 4],
        head=[1, 1, 1, 0],
        position=[0, 0, 1, 2],
        unit="tokens",
        names=["small", "other", "small", "whole"],
    )
    assert (costs.n_positions, costs.n_exits, costs.n_samples, costs.is_constant) == (2, 4, 4, False)
    assert costs.baseline.tolist() == [4, 8, 2, 2]
    assert costs.layout == costs.mean.layout
    assert repr(costs) == ("SampleCosts(4 samples, 4 exits at 2 positions, whole model 2 to 8, mean 4 tokens)")


def test_the_most_is_the_dearest_sample_or_what_is_known():
    assert build().most == ds.ExitCosts(backbone=[1, 2, 8], head=[2, 3, 1, 0], position=[0, 0, 1, 2])
    limit = ds.ExitCosts(backbone=[1, 2, 100], head=[5, 5, 5, 0], position=[0, 0, 1, 2])
    assert build(most=limit).most == limit
    assert build(most=limit).subset([0]).most == limit
    assert build().subset([0]).most == build().most
    with pytest.raises(ds.CostsError, match="most must be at least what the samples cost, got 2 for row 1 of head"):
        build(most=ds.ExitCosts(backbone=[1, 2, 100], head=[5, 2, 5, 0], position=[0, 0, 1, 2]))
    with pytest.raises(ds.CostsError, match="most must be an ExitCosts, the most that a sample can cost, got int"):
        build(most=3)
    with pytest.raises(ds.CostsError, match="most must be of the same exits"):
        build(most=ds.ExitCosts(backbone=[1, 2, 100], head=[5, 5, 5, 0], position=[0, 1, 1, 2]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": np.ones((3, 3))}, r"must have the same N >= 1 samples, got \(3, 3\) and \(4, 4\)"),
        ({"backbone": np.ones((3, 0)), "head": np.ones((4, 0))}, "must have the same N >= 1 samples"),
        ({"backbone": [1, 2, 3]}, r"backbone must have 2 axes, got 1 \(shape \(3,\)\)"),
        ({"head": [["a"] * 4] * 4}, "head must be numeric"),
        ({"head": np.where(np.eye(4) > 0, np.nan, 1)}, "head must be finite and >= 0, got nan in row 0, sample 0"),
        ({"head": np.float64([*HEAD[:3], [0, 0, -2, 0]])}, "head must be finite and >= 0, got -2 in row 3, sample 2"),
        ({"backbone": np.float64([*BACKBONE[:2], [4, 8, 1e39, 2]])}, "backbone .* got inf in row 2, sample 2"),
        (
            {"backbone": [BACKBONE[0], BACKBONE[1], [4, 0, 2, 2]]},
            "never fall, got 1 at position 1 and 0 at 2 for sample 1: pass np.cumsum",
        ),
        ({"backbone": np.zeros((3, 4))}, "the whole model must cost more than 0"),
        ({"position": [0, 1, 2]}, "position must have one entry per candidate, 4"),
        ({"position": [0, 0, 2, 2]}, "position must rise from 0 to P = 2 without gaps"),
        ({"names": ["a"]}, "names must have one entry per candidate, 4, got 1"),
    ],
)
def test_bad_costs_are_refused(change, message):
    with pytest.raises(ds.CostsError, match=message):
        build(**change)


def test_arrays_of_the_right_type_are_not_copied_and_mapped_files_stay_mapped(tmp_path):
    np.save(tmp_path / "head.npy", np.float32(HEAD))
    head = np.load(tmp_path / "head.npy", mmap_mode="r")
    costs = build(head=head)
    assert np.shares_memory(costs.head, head)
    assert not costs.head.flags.writeable
    costs.head.base.flags.writeable = False


class TestRecords:
    def test_records_hold_means_and_samples(self, sampled):
        assert sampled.costs == sampled.sample_costs.mean
        assert sampled.layout.names == ("a", "b", "a", "whole")
        assert replace(sampled, source="elsewhere").sample_costs is sampled.sample_costs

    def test_constant_records_have_none(self, records):
        assert records.sample_costs is None

    def test_a_subset_takes_its_columns(self, sampled):
        part = sampled.subset([7, 3, -1])
        np.testing.assert_array_equal(part.sample_costs.head, sampled.sample_costs.head[:, [7, 3, 39]])
        np.testing.assert_array_equal(part.sample_costs.backbone, sampled.sample_costs.backbone[:, [7, 3, 39]])
        assert part.costs == part.sample_costs.mean != sampled.costs
        mask = np.arange(40) < 5
        np.testing.assert_array_equal(sampled.subset(mask).sample_costs.head, sampled.sample_costs.head[:, :5])

    def test_a_split_takes_them_too(self, sampled):
        a, b = sampled.split(0.5, seed=0)
        assert a.sample_costs.n_samples + b.sample_costs.n_samples == 40
        assert a.sample_costs.head.sum() + b.sample_costs.head.sum() == sampled.sample_costs.head.sum()

    @pytest.mark.parametrize("compress", [True, False])
    def test_a_file_keeps_them(self, sampled, tmp_path, compress):
        sampled.save(tmp_path / "records.npz", compress=compress)
        loaded = ds.load_records(tmp_path / "records.npz")
        for name in ("backbone", "head"):
            np.testing.assert_array_equal(getattr(loaded.sample_costs, name), getattr(sampled.sample_costs, name))
        assert loaded.costs == sampled.costs
        assert loaded.sample_costs.most == sampled.sample_costs.most
        assert loaded.digest == sampled.digest

    def test_costs_of_a_call_replace_those_of_the_file(self, records, sampled, tmp_path):
        sampled.save(tmp_path / "records.npz")
        assert ds.load_records(tmp_path / "records.npz", costs=records.costs).sample_costs is None
        records.save(tmp_path / "plain.npz")
        loaded = ds.load_records(tmp_path / "plain.npz", costs=sampled.sample_costs)
        np.testing.assert_array_equal(loaded.sample_costs.head, sampled.sample_costs.head)

    def test_a_file_with_half_of_them_is_refused(self, sampled, tmp_path):
        sampled.save(tmp_path / "records.npz")
        with np.load(tmp_path / "records.npz") as archive:
            kept = {name: archive[name] for name in archive.files if name != "sample_head"}
        np.savez(tmp_path / "half.npz", **kept)
        with pytest.raises(ds.FileFormatError, match="lacks the arrays sample_head"):
            ds.load_records(tmp_path / "half.npz")

    def test_the_digest_tells_costs_apart(self, sampled):
        costs = sampled.sample_costs
        head = costs.head.copy()
        head[0, [0, 1]] = head[0, 0] + 1, head[0, 1]
        other = replace(sampled, costs=replace(costs, head=head, most=None), sample_costs=None)
        assert other.digest != sampled.digest

    def test_another_number_of_samples_is_refused(self, sampled, records):
        with pytest.raises(ds.RecordsError, match="sample costs must have one entry per sample, 39, got 40"):
            ds.ExitRecords(confidence=records.confidence[:, 1:], score=records.score[:, 1:], costs=sampled.sample_costs)

    def test_two_costs_that_contradict_each_other_are_refused(self, sampled, records):
        with pytest.raises(ds.RecordsError, match="costs must be the means of sample_costs, got others"):
            replace(sampled, costs=records.costs)
        assert replace(sampled, costs=records.costs, sample_costs=None).sample_costs is None
