"""Nobody certifies on samples that had a part in a front: searched on, started from, resumed, merged, in any file."""

from dataclasses import replace

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
    others = pytest.warns(UserWarning, match="of other records, costs or scores: they guide this search")
    with others:
        front = ds.search(a, **options, max_evaluations=10)
    refuses(front, b)
    refuses(front, a)
    with others:
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


def test_a_warm_start_without_marks_is_named(sets, on_b):
    bare = replace(on_b, fingerprint=())
    with pytest.warns(UserWarning, match="warm_start does not say which samples .* certify what is found on samples"):
        ds.search(sets[0], solver="nsga2", warm_start=bare, max_evaluations=40)


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


def test_inputs_that_come_several_times_are_kept_together_by_their_group(example):
    which = np.append(np.arange(2_000), np.arange(100))
    plain = example.subset(which)
    a, b = plain.split(0.5, seed=0)
    with pytest.raises(ds.RecordsError, match=r"about \d\.?\d* % of .*; an input .* needs one group="):
        ds.search(a, effort="fast").certify(b, max_accuracy_drop=0.1)
    a, b = replace(plain, group=which).split(0.5, seed=0)
    assert ds.search(a, effort="fast").certify(b, max_accuracy_drop=0.1)


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
    assert united(("b", "a", "a"), ("c", "a"), ()) == ("a", "a", "b", "c")


def test_samples_that_are_there_several_times_have_marks(sets):
    """Bootstraps and sets that were put together twice: copies are no samples that look alike by chance."""
    _, b, unseen = sets
    rng = np.random.default_rng(3)
    drawn = {"bootstrap": rng.integers(0, 1_500, 1_500), "doubled": np.repeat(np.arange(1_500), 2)}
    drawn["a part doubled"] = np.r_[np.arange(1_500), np.arange(400)]
    for index in drawn.values():
        front = ds.search(b.subset(index), effort="fast")
        refuses(front, b)
        refuses(front, b.subset(np.arange(400)))
        assert front.certify(unseen, max_accuracy_drop=0.1)


def easy(n, seed):
    """Three exits that are sure of most of n samples: many look alike without being copies."""
    rng = np.random.default_rng(seed)
    doubt = rng.exponential(0.01, n) * rng.lognormal(0, 0.7, (3, n))
    return (1 - doubt.clip(0, 0.9)).astype(np.float32)


@pytest.mark.parametrize(
    "draw",
    [
        easy,
        lambda n, seed: np.random.default_rng(seed).random((2, n), np.float32),
        lambda n, seed: np.random.default_rng(seed).beta(6, 1.5, (3, n)).round(2).astype(np.float32),
        lambda n, seed: np.random.default_rng(seed).integers(0, 3, (2, n)).astype(np.float32),
        lambda n, seed: np.repeat(np.random.default_rng(seed).integers(0, 40, (1, n)) / 40, 4, axis=0).astype(
            np.float32
        ),
    ],
    ids=["easy samples", "two exits", "two decimals", "three levels", "the same everywhere"],
)
def test_other_samples_that_look_alike_are_no_samples_searched_on(draw):
    for seed, sizes in enumerate([(300, 3_000), (2_000, 500), (2_000, 2_000), (20_000, 20_000)]):
        assert share_in_common(fingerprint(draw(sizes[0], seed)), draw(sizes[1], seed + 10)) == 0


def test_samples_that_look_alike_are_found_where_many_do_not():
    searched = easy(2_000, 0)
    assert share_in_common(fingerprint(searched), searched[:, ::2].copy()) > 0.3


def test_a_front_without_marks_is_named(sets, on_b):
    bare = replace(on_b, fingerprint=())
    with pytest.warns(UserWarning, match="does not say which samples had a part in it"):
        bare.certify(sets[0], max_accuracy_drop=0.1)
    refuses(bare, sets[1])


def test_configurations_that_are_measured_elsewhere_can_say_where_they_come_from(sets, on_b):
    front = ds.ParetoFront.from_configs(sets[0], [point.config for point in on_b], marks=on_b.fingerprint)
    refuses(front, sets[0])
    refuses(front, sets[1])
    with pytest.raises(ds.FrontError, match="marks of 16 hexadecimal digits"):
        ds.ParetoFront.from_configs(sets[0], [ds.ExitConfig.none(15)], marks=["no mark"])


def test_copies_among_the_calibration_samples_are_named(sets, on_b):
    _, _, unseen = sets
    with pytest.warns(UserWarning, match=r"49.8 % of the calibration samples are copies"):
        point = on_b.certify(unseen.subset(np.tile(np.arange(1_500), 2)), max_accuracy_drop=0.1)
    with pytest.warns(UserWarning, match=r"% of the samples are copies"):
        ds.check_certificate(point, unseen.subset(np.random.default_rng(0).integers(0, 1_500, 1_500)))
    twice = unseen.subset(np.tile(np.arange(1_500), 2))
    assert on_b.certify(replace(twice, group=np.tile(np.arange(1_500), 2)), max_accuracy_drop=0.1)


def test_a_check_on_the_very_records_says_nothing_new(sets, on_b):
    point = on_b.certify(sets[2], max_accuracy_drop=0.1)
    for records in sets[1:]:
        with pytest.warns(UserWarning, match="say nothing new"):
            ds.check_certificate(point, records)


def test_held_out_samples_that_were_searched_on_are_named(sets, on_b, tmp_path):
    """In figures that promise other samples: all of them in another order, a part of them."""
    a, b, unseen = sets
    for records, how in ((b, "are"), (b.subset(np.arange(500)[::-1]), "hold about")):
        with pytest.warns(UserWarning, match=f"held-out records {how} .*the samples searched on"):
            on_b.explore(tmp_path / "explorer.html", held_out=records)
        with pytest.warns(UserWarning, match=f"test records {how} .*the samples searched on"):
            ds.compare(b, solvers=["exit_shares"], test=records, max_evaluations=100)
        with pytest.warns(UserWarning, match=f"held-out records {how} .*the samples searched on"):
            ds.marginal_value(b, held_out=records, effort="fast", by="type")
        with pytest.raises(ds.FrontError, match="must hold other samples than the front was searched on"):
            ds.optimism(on_b, records)
    on_b.explore(tmp_path / "explorer.html", held_out=unseen)
    assert ds.optimism(on_b, a).n_held_out == 1_500
