"""`import dyce_search` is quick and loads nothing large."""

import importlib.util
import subprocess
import sys
import types

import dyce_search as ds

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


def test_public_names_stay_what_they_are_when_the_modules_of_the_same_names_are_imported() -> None:
    same = [name for name in ds.__all__ if importlib.util.find_spec(f"dyce_search.{name}")]
    assert {"report", "search"} <= set(same)
    for name in same:
        assert isinstance(importlib.import_module(f"dyce_search.{name}"), types.ModuleType)
        assert not isinstance(getattr(ds, name), types.ModuleType), name


def test_import_takes_less_than_half_a_second() -> None:
    """Of the processor, not of the clock: other work on the machine does not count. The best of three."""
    code = "import dyce_search, time; print(time.process_time())"  # since the process began

    def seconds() -> float:
        return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)

    assert min(seconds() for _ in range(3)) < 0.5
