"""Nobody certifies on samples that had a part in a front: searched on, started from, resumed, merged, in any file."""

import numpy as np
import pytest

import dyce_search as ds
from dyce_search.fingerprints import KEPT, fingerprint, sample_marks, share_in_common, united

REFUSED = "searched on"


@pytest.fixture(scope="module")
def sets(example):
    """Three disjoint sets: A, B and samples that nobody has seen."""
    return tuple(example.subset(np.arange(k * 1_500, (k + 1) * 1_500)) for k in range(3))


@pytest.fixture(scope="module")
def on_b(sets):
    return ds.search(sets[1], effort="fast")


def refuses(front, records):
    with pytest.raises(ds.RecordsError, match=REFUSED):
        front.certify(records, max_accuracy_drop=0.1)


def test_a_warm_started_front_owes_to_both_sets(sets, on_b, tmp_path):
    a, b, unseen = sets
    front = ds.search(a, solver="nsga2", warm_start=on_b, max_evaluations=60)
    front.save(tmp_path / "front.json")
    for one in (front, ds.ParetoFront.load(tmp_path / "front.json")):
        refuses(one, a)
        refuses(one, b)
        refuses(one, b.subset(np.arange(100)))
        assert one.certify(unseen, max_accuracy_drop=0.1)


def test_a_resumed_study_owes_to_all_who_worked_on_it(sets, tmp_path):
    a, b, unseen = sets
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    options = {"solver": "random", "storage": storage, "scores": "observed"}
    ds.search(b, **options, max_evaluations=5)
    front = ds.search(a, **options, max_evaluations=10)
    refuses(front, b)
    refuses(front, a)
    third = ds.search(unseen, **options, max_evaluations=15)
    for records in sets:
        refuses(third, records)


def test_a_study_that_does_not_say_where_it_comes_from_is_named(sets, tmp_path):
    import optuna

    storage = f"sqlite:///{tmp_path / 'study.db'}"
    options = {"solver": "random", "storage": storage, "scores": "observed"}
    ds.search(sets[1], **options, max_evaluations=5)
    study = optuna.load_study(study_name="dyce_search", storage=storage)
    copied = optuna.create_study(
        study_name="bare", storage=storage, directions=[direction.name.lower() for direction in study.directions]
    )
    copied.add_trials(study.trials)
    with pytest.warns(UserWarning, match="does not say on which samples"):
        ds.search(sets[0], **options, study_name="bare", max_evaluations=6)


def test_merged_fronts_owe_to_all(sets, on_b):
    a, b, unseen = sets
    one = ds.search(a, solver="nsga2", warm_start=on_b, max_evaluations=60)
    merged = ds.search(a, solver="random", max_evaluations=60).merge(one)
    refuses(merged, b)
    assert merged.certify(unseen, max_accuracy_drop=0.1)


def test_a_solver_of_ones_own_can_say_what_it_owes(sets, on_b):
    def again(run):
        run.owes(on_b.fingerprint)
        run.propose(on_b.exits, on_b.threshold)

    refuses(ds.search(sets[0], solver=again), sets[1])


@pytest.mark.parametrize("size", [200, 500, 1_000])
def test_small_parts_of_a_large_set_are_found(size):
    rng = np.random.default_rng(0)
    searched = rng.random((20, 50_000), np.float32)
    known = fingerprint(searched)
    assert len(known) == KEPT
    for _ in range(40):
        some = searched[:, rng.choice(50_000, size, replace=False)]
        assert 0 < share_in_common(known, np.ascontiguousarray(some)) < 0.1
    assert share_in_common(known, rng.random((20, 50_000), np.float32)) == 0


def test_the_same_samples_in_float16_are_found(sets):
    records = sets[0]
    rounded = records.confidence.astype(np.float16).astype(np.float32)
    assert share_in_common(fingerprint(records.confidence), rounded) > 0.95
    assert np.mean(sample_marks(records.confidence) == sample_marks(rounded)) > 0.95
    front = ds.search(records, effort="fast")
    refuses(
        front, ds.ExitRecords(confidence=rounded, score=records.score, costs=records.costs, measure=records.measure)
    )


def test_confidences_of_any_size_have_marks():
    rng = np.random.default_rng(1)
    for scale in (1e-30, 1.0, 1e30):
        drawn = (rng.standard_normal((5, 3_000)) * scale).astype(np.float32)
        assert share_in_common(fingerprint(drawn), drawn) == 1
        assert share_in_common(fingerprint(drawn), (rng.standard_normal((5, 3_000)) * scale).astype(np.float32)) == 0


def test_marks_of_several_sets_are_united():
    assert united(("b", "a"), ("c", "a"), ()) == ("a", "b", "c")
