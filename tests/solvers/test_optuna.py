"""Optuna's samplers: warm starts, floors, storage, several processes, a study of one's own."""

import datetime
import os
import subprocess
import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import dyce_search as ds
from dyce_search.solvers import optuna_samplers
from tests import observed

SAMPLERS = pytest.mark.parametrize("solver", ["nsga2", "nsga3", "tpe", "random"])
WORKER = """
import sys
import dyce_search as ds
records = ds.ExitRecords.{load}
options = {"n_trials": int(sys.argv[2]), "storage": sys.argv[1], "study_name": "s", "scores": "observed"}
ds.search(records, solver="nsga2", seed=1, **options)
"""


JOURNAL_WORKER = WORKER.replace("sys.argv[1]", "JournalStorage(JournalFileBackend(sys.argv[1]))").replace(
    "import dyce_search as ds\n",
    "import dyce_search as ds\nfrom optuna.storages import JournalStorage\n"
    "from optuna.storages.journal import JournalFileBackend\n",
)


def worker(tmp_path, small_example, n_trials, storage, program=WORKER):
    """Starts a process that works on a study."""
    path = tmp_path / "records.npz"
    if not path.exists():
        small_example.save(path)
    code = program.replace("ds.ExitRecords.{load}", f"ds.load_records({str(path)!r})")
    return subprocess.Popen([sys.executable, "-c", code, storage, str(n_trials)])


def states(storage, study_name="s"):
    """How many trials of a study are in each state."""
    trials = optuna.load_study(study_name=study_name, storage=storage).get_trials(deepcopy=False)
    return {state: sum(trial.state.name == state for trial in trials) for state in ("COMPLETE", "RUNNING", "WAITING")}


def sqlite(tmp_path):
    return f"sqlite:///{tmp_path / 'study.db'}"


class TestBudget:
    @SAMPLERS
    def test_n_trials_is_the_budget(self, solver, small_example):
        one = observed.search(small_example, solver=solver, n_trials=70)
        other = observed.search(small_example, solver=solver, max_evaluations=70)
        assert (one.provenance.evaluations, one.provenance.stop_reason) == (70, "converged")
        np.testing.assert_array_equal(one.cost, other.cost)
        np.testing.assert_array_equal(one.threshold, other.threshold)

    def test_seeds_differ(self, small_example):
        one, other = (observed.search(small_example, solver="random", n_trials=50, seed=seed) for seed in (0, 1))
        assert not np.array_equal(one.cost, other.cost)

    def test_2000_trials_by_default(self, records):
        assert observed.search(records, solver="random").provenance.evaluations == 2000

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_trials": 0}, "n_trials must be a whole number >= 1, got 0"),
            ({"n_trials": 10.5}, "n_trials must be a whole number >= 1, got 10.5"),
            ({"max_evaluations": 0}, "max_evaluations must be a whole number >= 1, got 0"),
            ({"n_trials": 10, "max_evaluations": 20}, "n_trials=10 contradicts max_evaluations=20"),
            ({"min_accuracy": 80}, r"min_accuracy must be a number in \[0, 1\], got 80"),
            ({"min_accuracy": np.nan}, r"min_accuracy must be a number in \[0, 1\], got nan"),
            ({"study_name": "s"}, "study_name needs a storage"),
            ({"warm_start": "front.json"}, "warm_start must be a ParetoFront, got str"),
            ({"storage": "sqlite:////nowhere/at/all/study.db"}, "storage .* cannot be opened"),
            ({"storage": "no url"}, "storage 'no url' cannot be opened"),
        ],
    )
    def test_bad_options_are_refused(self, small_example, options, message):
        with pytest.raises(ds.SolverError, match=message):
            observed.search(small_example, solver="nsga2", **options)

    def test_an_unknown_sampler_is_refused(self, small_example):
        with pytest.raises(ds.SolverError, match=r"unknown solver 'nsga4': use one of .*nsga2"):
            observed.search(small_example, solver="nsga4")


class TestWarmStart:
    @SAMPLERS
    @pytest.mark.parametrize("n_trials", [1, 60])
    def test_never_ends_below_the_front_it_started_from(self, solver, n_trials, small_example):
        start = observed.search(small_example, solver="coordinate_descent")
        front = observed.search(small_example, solver=solver, n_trials=n_trials, warm_start=start)
        for point in start:
            assert np.any((front.cost <= point.cost) & (front.accuracy >= point.accuracy))
        assert front.provenance.evaluations == n_trials

    def test_a_front_of_another_network_is_refused(self, small_example, records):
        other = observed.search(records, solver="exit_shares")
        with pytest.raises(ds.ConfigError, match=r"warm_start has 4 exits at 2 positions.* belong to another network"):
            observed.search(small_example, solver="nsga2", warm_start=other)

    def test_known_configurations_are_the_first_trials(self, small_example, tmp_path):
        start = observed.search(small_example, solver="exit_shares")
        observed.search(small_example, solver="nsga2", n_trials=20, warm_start=start, storage=sqlite(tmp_path))
        study = optuna.load_study(study_name="dyce_search", storage=sqlite(tmp_path))
        accuracy = [trial.values[0] for trial in study.trials[: min(len(start), 10)]]
        assert set(accuracy) <= set(start.accuracy)


def test_a_floor_is_a_constraint_of_every_trial(small_example, tmp_path):
    floor = 0.8
    observed.search(small_example, solver="nsga2", n_trials=20, min_accuracy=floor, storage=sqlite(tmp_path))
    for trial in optuna.load_study(study_name="dyce_search", storage=sqlite(tmp_path)).trials:
        assert trial.constraints["min_accuracy"] == pytest.approx(floor - trial.values[0])


def test_a_floor_improves_the_part_above_it(example):
    """The cheapest of what is accurate enough, median of three seeds; no warm start, so the sampler found it."""
    floor = example.baseline_accuracy - 0.01
    cost = {}
    for asked in (None, floor):
        fronts = [
            observed.search(example, solver="nsga2", n_trials=600, min_accuracy=asked, seed=seed) for seed in range(3)
        ]
        cost[asked] = np.median([front.select(min_accuracy=floor).relative_cost for front in fronts])
    assert cost[floor] < cost[None]


class TestStorage:
    def test_a_study_is_taken_up_again(self, small_example, tmp_path):
        storage = sqlite(tmp_path)
        first = observed.search(small_example, solver="nsga2", n_trials=10, storage=storage, study_name="s")
        front = observed.search(small_example, solver="nsga2", n_trials=25, storage=storage, study_name="s")
        assert front.provenance.evaluations == 15
        assert states(storage) == {"COMPLETE": 25, "RUNNING": 0, "WAITING": 0}
        for point in first:
            assert np.any((front.cost <= point.cost) & (front.accuracy >= point.accuracy))
        again = observed.search(small_example, solver="nsga2", n_trials=25, storage=storage, study_name="s")
        assert again.provenance.evaluations == 0
        np.testing.assert_array_equal(again.cost, front.cost)

    def test_a_study_of_another_network_is_refused(self, small_example, records, tmp_path):
        observed.search(records, solver="random", n_trials=5, storage=sqlite(tmp_path))
        with pytest.raises(ds.SolverError, match="belongs to another network"):
            observed.search(small_example, solver="random", n_trials=10, storage=sqlite(tmp_path))

    def test_figures_of_others_in_a_study_are_said(self, small_example, tmp_path):
        """Accuracies and costs of other records, costs or scores guided the search without a word."""
        options = {"solver": "random", "storage": sqlite(tmp_path), "scores": "observed"}
        ds.search(small_example, **options, n_trials=5)
        ds.search(replace(small_example, costs=replace(small_example.costs, names=())), **options, n_trials=10)
        dearer = replace(small_example.costs, head=2 * small_example.costs.head)
        for n_trials, change in enumerate((
            {"records": replace(small_example, costs=dearer)},
            {"records": small_example.subset(np.arange(200))},
            {"scores": "expected"},
            {},  # as at first, but others have been there since
        )):  # fmt: skip
            with pytest.warns(UserWarning, match="study 'dyce_search' has trials .* of other records, costs or scores"):
                ds.search(**{"records": small_example, **options, **change}, n_trials=15 + n_trials)

    def test_a_study_of_other_objectives_is_refused(self, small_example, tmp_path):
        optuna.create_study(study_name="s", storage=sqlite(tmp_path), sampler=optuna.samplers.RandomSampler(seed=0))
        with pytest.raises(ds.SolverError, match="study 's' has the directions"):
            observed.search(small_example, solver="random", storage=sqlite(tmp_path), study_name="s")

    def test_two_processes_share_one_study(self, small_example, tmp_path):
        storage = sqlite(tmp_path)
        both = [worker(tmp_path, small_example, 70, storage) for _ in range(2)]
        assert [process.wait(timeout=300) for process in both] == [0, 0]
        assert states(storage) == {"COMPLETE": 70, "RUNNING": 0, "WAITING": 0}

    def test_two_processes_share_one_journal(self, small_example, tmp_path):
        path = str(tmp_path / "study.log")
        both = [worker(tmp_path, small_example, 70, path, JOURNAL_WORKER) for _ in range(2)]
        assert [process.wait(timeout=300) for process in both] == [0, 0]
        storage = JournalStorage(JournalFileBackend(path))
        assert states(storage) == {"COMPLETE": 70, "RUNNING": 0, "WAITING": 0}

    @pytest.mark.skipif(os.name == "nt", reason="Windows is not asked which processes live")
    def test_a_process_is_known_by_its_start_too(self, small_example, tmp_path):
        """A dead process's number that another has now: its trial is made again; a living one's is left."""
        storage = sqlite(tmp_path)
        observed.search(small_example, solver="random", n_trials=1, storage=storage, study_name="s")
        study = optuna.load_study(study_name="s", storage=storage)
        own = optuna_samplers._owner()
        dead, alive = study.ask(), study.ask()
        dead.set_user_attr(optuna_samplers.OWNER, own.rpartition(":")[0] + ":1")
        alive.set_user_attr(optuna_samplers.OWNER, own)
        optuna_samplers._give_up_lost(study)
        found = [trial.state.name for trial in study.get_trials(deepcopy=False)]
        assert found == ["COMPLETE", "FAIL", "RUNNING"]

    def test_where_no_process_can_be_asked_the_age_of_a_trial_decides(self, monkeypatch):
        """On Windows `os.kill` would end the process that it asks for."""

        def refuse(process, number):
            raise AssertionError("a signal was sent")

        monkeypatch.setattr(optuna_samplers, "POSIX", False)
        monkeypatch.setattr(os, "kill", refuse)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(2):
            study.ask().set_user_attr(optuna_samplers.OWNER, optuna_samplers._owner())
        old = study.trials[0].datetime_start - datetime.timedelta(seconds=optuna_samplers.STALE + 1)
        study._storage._get_trial(0).datetime_start = old
        optuna_samplers._give_up_lost(study)
        assert [trial.state.name for trial in study.trials] == ["FAIL", "RUNNING"]
        assert optuna_samplers._owner().endswith(f":{os.getpid()}:running")

    @pytest.mark.skipif(os.name == "nt", reason="Windows is not asked which processes live")
    def test_a_killed_study_goes_on(self, small_example, tmp_path):
        storage = sqlite(tmp_path)
        process = worker(tmp_path, small_example, 5000, storage)
        for _ in range(1000):
            time.sleep(0.2)
            try:
                if states(storage)["COMPLETE"] >= 20:
                    break
            except Exception:  # not created yet, or locked
                continue
        process.kill()
        process.wait()
        done = states(storage)["COMPLETE"]
        assert 20 <= done < 5000
        front = observed.search(small_example, solver="nsga2", n_trials=done + 10, storage=storage, study_name="s")
        assert front.provenance.evaluations == 10
        assert states(storage) == {"COMPLETE": done + 10, "RUNNING": 0, "WAITING": 0}


class TestObjective:
    def test_serves_a_study_of_ones_own(self, small_example):
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.NSGAIISampler(seed=0))
        study.optimize(ds.objective(small_example), n_trials=20)
        assert all(0 <= trial.values[0] <= 1 and trial.values[1] > 0 for trial in study.trials)
        assert set(study.trials[0].params) == {f"{what}_{p}" for what in ("exit", "share") for p in range(3)}

    def test_agrees_with_evaluate(self, small_example):
        params = {f"exit_{p}": -1 for p in range(3)} | {f"share_{p}": 0.5 for p in range(3)}
        accuracy, cost = ds.objective(small_example)(optuna.trial.FixedTrial(params))
        assert (accuracy, cost) == (small_example.baseline_accuracy, 1.0)

    def test_something_else_than_records_is_refused(self):
        with pytest.raises(ds.RecordsError, match="records must be an ExitRecords, got str"):
            ds.objective("records.npz")


def test_log_level_and_warning_filters_are_left_as_they_were(small_example):
    level, filters = optuna.logging.get_verbosity(), list(warnings.filters)
    observed.search(small_example, solver="nsga2", n_trials=5)
    assert (optuna.logging.get_verbosity(), warnings.filters) == (level, filters)
