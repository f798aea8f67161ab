"""Records that stay in their file: equal to those in memory, and what happens to damaged, missing and changed files."""

import os
import pickle
from dataclasses import replace

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.expected import searched

WHAT = ("confidence", "score", "label", "prediction", "group")


@pytest.fixture(scope="module")
def whole():
    rng = np.random.default_rng(3)
    records = ds.synthetic_records(3_000, positions=4, types=2, seed=2)
    label = rng.integers(0, 5, records.n_samples).astype(np.int16)
    prediction = np.where(records.score > 0.5, label, label + 1).astype(np.int16)
    group = rng.integers(0, 700, records.n_samples)
    return replace(records, label=label, prediction=prediction, group=group, measure="max_prob")


@pytest.fixture
def path(whole, tmp_path):
    whole.save(tmp_path / "whole.npz", compress=False)
    return tmp_path / "whole.npz"


def same(one, other):
    for name in WHAT:
        a, b = getattr(one, name), getattr(other, name)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), name
    assert (one.costs, one.layout, one.source, one.digest) == (other.costs, other.layout, other.source, other.digest)


class TestEqualToMemory:
    def test_load_gives_the_same_records(self, whole, path):
        stored = ds.load_records(path, in_memory=False)
        assert isinstance(stored, ds.StoredRecords)
        assert (stored.n_samples, stored.n_exits) == (whole.n_samples, whole.n_exits)
        assert (stored.digest, stored.layout) == (whole.digest, whole.layout)
        np.testing.assert_array_equal(stored.exit_accuracy, whole.exit_accuracy)
        assert stored.baseline_accuracy == whole.baseline_accuracy
        same(stored.load(), whole)

    def test_subsets_of_subsets_in_any_order(self, whole, path):
        rng = np.random.default_rng(0)
        first, second = rng.permutation(whole.n_samples)[:500] - 100, rng.integers(0, 500, 300)
        stored = ds.load_records(path, in_memory=False).subset(first).subset(second)
        chosen = whole.subset(first).subset(second)
        assert stored.n_samples == 300
        assert stored.digest == chosen.digest
        np.testing.assert_array_equal(stored.exit_accuracy, chosen.exit_accuracy)
        same(stored.load(), chosen)
        mask = rng.random(300) < 0.5
        same(stored.subset(mask).load(), chosen.subset(mask))

    def test_splits_are_the_same(self, whole, path):
        parts = ds.load_records(path, in_memory=False).split(0.3, 0.3, seed=4)
        for part, other in zip(parts, whole.split(0.3, 0.3, seed=4), strict=True):
            same(part.load(), other)

    def test_blocks_are_all_samples_in_order(self, whole, path):
        blocks = list(ds.load_records(path, in_memory=False).blocks(700))
        assert [block.n_samples for block in blocks] == [700] * 4 + [200]
        joined = np.hstack([block.confidence for block in blocks])
        np.testing.assert_array_equal(joined, whole.confidence)

    def test_what_is_absent_stays_absent(self, whole, tmp_path):
        replace(whole, label=None, prediction=None, group=None).save(tmp_path / "bare.npz", compress=False)
        stored = ds.load_records(tmp_path / "bare.npz", in_memory=False)
        assert stored.label is stored.prediction is stored.group is None
        assert stored.subset([5]).load().prediction is None

    def test_half_is_rounded_once(self, whole, tmp_path):
        whole.save(tmp_path / "half.npz", compress=False, half=True)
        stored = ds.load_records(tmp_path / "half.npz", in_memory=False)
        assert stored.confidence.dtype == np.float16
        rounded = replace(whole, confidence=whole.confidence.astype(np.float16))
        same(stored.load(), rounded)
        same(ds.load_records(tmp_path / "half.npz"), rounded)
        assert stored.digest == rounded.digest
        whole.save(tmp_path / "whole.npz", compress=False)
        saved = (tmp_path / "whole.npz").stat().st_size - (tmp_path / "half.npz").stat().st_size
        assert saved == 2 * whole.confidence.size

    @pytest.mark.parametrize("scores", ["expected", "observed"])
    def test_the_front_is_the_same(self, whole, path, scores):
        options = {"scores": scores, "effort": "fast", "progress": False}
        stored = ds.search(ds.load_records(path, in_memory=False), **options)
        self.same_front(stored, ds.search(whole, **options))

    def test_the_front_of_a_part_is_the_same_and_no_more_is_loaded(self, whole, path, monkeypatch):
        monkeypatch.setattr(searched, "PART", 1_000)
        front = ds.search(whole, effort="fast", progress=False)
        loaded, load = [], ds.StoredRecords.load
        monkeypatch.setattr(ds.StoredRecords, "load", lambda self: loaded.append(self.n_samples) or load(self))
        stored = ds.search(ds.load_records(path, in_memory=False), effort="fast", progress=False)
        self.same_front(stored, front)
        assert sum(loaded) <= 1_001
        assert stored.n_samples == front.n_samples <= 1_000

    @pytest.mark.parametrize("graded", [False, True])
    def test_a_front_measures_the_same_block_by_block(self, whole, tmp_path, monkeypatch, graded):
        score = whole.score * np.float32(0.7) + whole.confidence * np.float32(0.3) if graded else whole.score
        records = replace(whole, score=score)
        records.save(tmp_path / "own.npz", compress=False)
        stored = ds.load_records(tmp_path / "own.npz", in_memory=False).subset(np.arange(3_000)[::-1])
        records = records.subset(np.arange(3_000)[::-1])
        front = ds.search(whole.subset(range(500)), effort="fast", progress=False)
        blocks = ds.StoredRecords.blocks
        monkeypatch.setattr(ds.StoredRecords, "blocks", lambda self: blocks(self, 700))
        one, other = front.evaluate(stored), front.evaluate(records)
        for name in ("cost", "accuracy", "disagreement", "exit_accuracy"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
        assert (one.n_samples, one.records_digest) == (other.n_samples, other.records_digest)
        shares = [ds.evaluate_many(some, [front[3].config]).exit_share for some in (stored, records)]
        assert shares[0].tobytes() == shares[1].tobytes()

    def test_an_interrupted_search_loads_next_to_nothing(self, path, monkeypatch):
        def interrupted(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(searched, "expected_with_origin", interrupted)
        front = ds.search(ds.load_records(path, in_memory=False), progress=False)
        assert (front.provenance.stop_reason, len(front)) == ("interrupted", 1)

    def test_other_processes_get_the_path(self, whole, path):
        stored = pickle.loads(pickle.dumps(ds.load_records(path, in_memory=False).subset(range(50))))
        same(stored.load(), whole.subset(range(50)))

    def same_front(self, one, other):
        for name in ("cost", "accuracy", "threshold", "candidate", "disagreement"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
        assert (one.records_digest, one.fingerprint) == (other.records_digest, other.fingerprint)


class TestRefused:
    def test_compressed_files(self, whole, tmp_path):
        whole.save(tmp_path / "small.npz")
        with pytest.raises(ds.FileFormatError, match=r"small\.npz is compressed, .* records\.save\(path, compress=Fa"):
            ds.load_records(tmp_path / "small.npz", in_memory=False)

    def test_other_formats(self, tmp_path, costs):
        np.savez(tmp_path / "dyce.npz", label=np.zeros(3), preds=np.zeros((4, 3, 1)), confs=np.zeros((4, 3, 1)))
        with pytest.raises(ds.FileFormatError, match=r"dyce\.npz was not written by records\.save"):
            ds.load_records(tmp_path / "dyce.npz", costs=costs, in_memory=False)
        (tmp_path / "table.csv").write_text("a,b\n1,2\n")
        with pytest.raises(ds.FileFormatError, match=r"table\.csv can only be read as a whole"):
            ds.load_records(tmp_path / "table.csv", costs=costs, in_memory=False)

    def test_costs_that_differ_by_sample(self, whole, path, tmp_path):
        costs = whole.costs
        paid = ds.SampleCosts(
            backbone=np.outer(costs.backbone, np.ones(whole.n_samples)),
            head=np.outer(costs.head, np.ones(whole.n_samples)),
            position=costs.position,
            names=costs.names,
        )
        with pytest.raises(ds.RecordsError, match=r"must be an ExitCosts, got SampleCosts: .* need"):
            ds.load_records(path, costs=paid, in_memory=False)
        replace(whole, costs=paid).save(tmp_path / "paid.npz", compress=False)
        with pytest.raises(ds.RecordsError, match=r"paid\.npz holds costs that differ by sample"):
            ds.load_records(tmp_path / "paid.npz", in_memory=False)

    @pytest.mark.parametrize("name", ["confidence", "score", "prediction"])
    def test_one_bit_that_flipped(self, path, name):
        stored = getattr(ds.load_records(path, in_memory=False), name)
        content = bytearray(path.read_bytes())
        content[stored.offset + stored.dtype.itemsize * 5_000] ^= 1
        path.write_bytes(content)
        with pytest.raises(ds.FileFormatError, match=rf"whole\.npz: .* truncated or damaged \(Bad CRC-32.*{name}"):
            ds.load_records(path, in_memory=False)

    @pytest.mark.parametrize("share", [0.0001, 0.3, 0.9, 0.9999])
    def test_truncated_files(self, path, share):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ds.FileFormatError, match=r"whole\.npz"):
            ds.load_records(path, in_memory=False)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("confidence", np.nan, "confidence must be finite in float32, got nan at exit 2, sample 7"),
            ("confidence", 1e300, "confidence must be finite in float32, got inf at exit 2, sample 7"),
            ("score", 1.5, "score must lie in .0, 1., got 1.5 at exit 2, sample 7"),
            ("prediction", 0.5, "prediction must hold whole numbers, got 0.5"),
        ],
    )
    def test_bad_values(self, whole, path, tmp_path, name, value, message):
        with np.load(path) as archive:
            arrays = dict(archive)
        arrays[name] = arrays[name].astype(np.float64)
        arrays[name][2, 7] = value
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(ds.RecordsError, match=message):
            ds.load_records(tmp_path / "bad.npz", in_memory=False)

    @pytest.mark.parametrize("name", ["confidence", "score", "prediction"])
    def test_other_shapes(self, path, tmp_path, name):
        with np.load(path) as archive:
            arrays = dict(archive)
        arrays[name] = np.ascontiguousarray(arrays[name][:, :-1])
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(ds.RecordsError, match=r"(score|prediction|label) must have"):
            ds.load_records(tmp_path / "bad.npz", in_memory=False)

    def test_columns(self, path, tmp_path):
        with np.load(path) as archive:
            arrays = dict(archive)
        arrays["confidence"] = np.asfortranarray(arrays["confidence"])
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(ds.FileFormatError, match=r"bad\.npz must be numbers .*, got .* column by column"):
            ds.load_records(tmp_path / "bad.npz", in_memory=False)

    def test_confidences_that_float16_cannot_hold(self, whole, tmp_path):
        large = replace(whole, confidence=whole.confidence * 1e6)
        with pytest.raises(ds.RecordsError, match=r"beyond 65,504 do not fit into float16, got .* at exit 0"):
            large.save(tmp_path / "half.npz", half=True)
        assert not list(tmp_path.glob("half*"))


class TestFilesInUse:
    def test_a_deleted_file(self, path):
        stored = ds.load_records(path, in_memory=False)
        path.unlink()
        with pytest.raises(ds.FileFormatError, match=r"cannot read 'confidence' of .*whole\.npz any more: No"):
            stored.load()

    def test_a_file_that_was_written_anew(self, whole, path):
        stored = ds.load_records(path, in_memory=False)
        whole.subset(np.arange(whole.n_samples)[::-1]).save(path, compress=False)  # as large as before
        with pytest.raises(ds.FileFormatError, match=r"whole\.npz was changed while its records were in use"):
            stored.load()

    def test_a_file_that_was_cut_short(self, path):
        stored = ds.load_records(path, in_memory=False)
        os.truncate(path, 1_000)
        with pytest.raises(ds.FileFormatError, match=r"whole\.npz was changed while its records were in use"):
            ds.search(stored, progress=False)

    def test_a_relative_path_is_kept_when_the_folder_changes(self, whole, path, monkeypatch):
        monkeypatch.chdir(path.parent)
        stored = ds.load_records(path.name, in_memory=False)
        monkeypatch.chdir("/")
        assert stored.subset([3]).load().digest == whole.subset([3]).digest


class TestMessages:
    def test_functions_that_need_them_in_memory_say_so(self, path):
        stored = ds.load_records(path, in_memory=False)
        with pytest.raises(ds.RecordsError, match=r"got StoredRecords: .*\.load\(\)"):
            ds.reliability(stored)

    def test_repr_names_the_file(self, path):
        shown = repr(ds.load_records(path, in_memory=False))
        assert shown == f"StoredRecords(3,000 samples, 9 exits at 4 positions, in {path})"


@pytest.mark.parametrize("sampled", [False, True])
def test_a_front_is_measured_block_by_block(whole, path, monkeypatch, sampled):
    monkeypatch.setattr(ds.StoredRecords.blocks, "__defaults__", (700,))
    front = ds.search(whole, solver="single_pass", lambdas=[0.5, 0.8], scores="observed")
    stored = ds.load_records(path, in_memory=False)
    if sampled:
        index = np.random.default_rng(0).permutation(whole.n_samples)[:1_501]
        stored, whole = stored.subset(index), whole.subset(index)
    one, other = front.evaluate(stored), front.evaluate(whole)
    for name in ("accuracy", "cost", "accuracy_drop", "disagreement", "cost_tail", "exit_accuracy"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.n_samples, one.records_digest, one.layout) == (other.n_samples, other.records_digest, other.layout)
