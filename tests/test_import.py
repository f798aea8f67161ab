"""`import dyce_search` is quick and loads nothing large."""

import subprocess
import sys
import time

HEAVY = ("torch", "pandas", "matplotlib", "optuna", "cmaes", "numba", "scipy", "moocore", "tqdm", "joblib")


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_import_loads_no_heavy_package() -> None:
    assert loaded_by("import dyce_search").isdisjoint(HEAVY)


def test_help_loads_no_heavy_package() -> None:
    assert loaded_by("import dyce_search.cli").isdisjoint(HEAVY)


def test_nothing_loads_torch_to_search() -> None:
    loaded = loaded_by(
        "import dyce_search as ds; front = ds.search(ds.load_example(), solver='exit_shares'); "
        "front.to_frame(); front.plot(); front.hypervolume()"
    )
    assert "torch" not in loaded
    assert "matplotlib.pyplot" not in loaded  # its global state and its choice of a window system


def test_import_takes_less_than_half_a_second() -> None:
    """The best of several runs, less a bare start of Python: other work on the machine only makes runs longer."""

    def seconds(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    best = float("inf")
    for _ in range(10):
        best = min(best, seconds("import dyce_search"))
        if best < 0.5:
            break
    assert best < 0.5
