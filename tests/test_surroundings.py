"""What is around the package: folders that cannot be written to, other threads, forks and kills."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import dyce_search as ds
from dyce_search import compiled

PACKAGE = Path(ds.__file__).parent

NO_CACHE = """
import warnings
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    import dyce_search as ds
    costs = ds.ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])
    records = ds.ExitRecords(confidence=[[0.9, 0.2], [0.8, 0.7]], score=[[1, 0], [1, 1]], costs=costs)
    print(ds.evaluate(records, ds.ExitConfig(candidate=[0], threshold=[0.5])).cost)
print(*[str(one.message) for one in said if "NUMBA_CACHE_DIR" in str(one.message)], sep="\\n")
"""


class TestNoPlaceForCompiledLoops:
    """An installation that nobody may write to, for a user without a home."""

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no /dev/null")
    def test_they_are_compiled_anew_and_a_warning_says_what_to_set(self, tmp_path):
        where = tmp_path / "dyce_search"
        shutil.copytree(PACKAGE, where, ignore=shutil.ignore_patterns("__pycache__", "example_data"))
        for folder in [where, *(path for path in where.rglob("*") if path.is_dir())]:
            (folder / "__pycache__").write_text("")  # where no folder can be made, root or not
        away = {name: os.environ[name] for name in os.environ if not name.startswith(("NUMBA", "XDG", "PYTHON"))}
        nowhere = {"HOME": os.devnull, "XDG_CACHE_HOME": f"{os.devnull}/cache", "IPYTHONDIR": os.devnull}
        done = subprocess.run(
            [sys.executable, "-c", NO_CACHE],
            env={**away, **nowhere, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        cost, *said = done.stdout.splitlines()
        assert cost == "3.0"
        assert len(said) == 1
        assert "Set NUMBA_CACHE_DIR to a folder that can be written to" in said[0]

    def test_other_errors_of_numba_are_its_own(self, monkeypatch):
        def refuse(**options):
            raise RuntimeError("something else")

        monkeypatch.setattr(compiled, "njit", refuse)
        with pytest.raises(RuntimeError, match="something else"):
            compiled.loop(len)

    def test_a_loop_without_a_cache_runs(self, monkeypatch):
        real = compiled.njit

        def no_place(**options):
            if options.get("cache"):
                raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")
            return real(**options)

        monkeypatch.setattr(compiled, "njit", no_place)
        compiled._warn.cache_clear()
        with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR"):
            double = compiled.loop(lambda x: 2 * x)
        assert double(3) == 6
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled.loop(lambda x: x)  # it is said once
        compiled._warn.cache_clear()


KILLED = """
import sys
import dyce_search as ds
records = ds.synthetic_records(3000, positions=4, types=2, seed=0)
front = ds.ParetoFront.from_configs(records, [ds.ExitConfig.none(4)])
print("begun", flush=True)
while True:
    records.save(sys.argv[1] + "/records.npz", compress=False)
    front.save(sys.argv[1] + "/front.json")
"""


@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_a_process_that_is_killed_while_it_saves_leaves_whole_files(tmp_path):
    for number in range(6):
        saving = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert saving.stdout.readline() == "begun\n"
        while not (tmp_path / "front.json").exists():
            time.sleep(0.001)
        time.sleep(0.003 * number)
        saving.send_signal(signal.SIGKILL)
        saving.communicate()
        records, front = ds.load_records(tmp_path / "records.npz"), ds.ParetoFront.load(tmp_path / "front.json")
        assert (records.n_samples, front.n_samples) == (3000, 3000)
        records.save(tmp_path / "records.npz", compress=False)
        front.save(tmp_path / "front.json")
        assert sorted(file.name for file in tmp_path.iterdir()) == ["front.json", "records.npz"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_saving_changes_nothing_for_other_threads(tmp_path):
    """Files that another thread makes meanwhile have the mode that the user's umask gives."""
    done, modes = threading.Event(), set()

    def other():
        number = 0
        while not done.is_set():
            path = tmp_path / f"other{number}"
            path.touch()
            modes.add(path.stat().st_mode & 0o777)
            path.unlink()
            number += 1

    before = os.umask(0o027)
    thread = threading.Thread(target=other)
    thread.start()
    try:
        for _ in range(200):
            ds.ExitConfig.none(2).save(tmp_path / "config.json")
    finally:
        done.set()
        thread.join()
        os.umask(before)
    assert modes == {0o640}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_of_a_process_that_has_searched_searches(records, tmp_path):
    mine = ds.search(records, solver="same_threshold", scores="observed")
    child = os.fork()
    if not child:  # nothing of pytest's may run here
        status = 1
        try:
            ds.search(records, solver="same_threshold", scores="observed").save(tmp_path / "front.json")
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert ds.ParetoFront.load(tmp_path / "front.json").cost.tolist() == mine.cost.tolist()


def test_threads_search_the_same_as_one_alone(records):
    alone = ds.search(records, solver="exit_shares", scores="observed")
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(ds.search(records, solver="exit_shares", scores="observed").cost.tolist())
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone.cost.tolist()] * 4
    assert np.all(np.diff(alone.cost) > 0)
