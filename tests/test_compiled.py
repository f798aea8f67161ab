"""The default search compiles few loops, each for one kind of arrays, and nothing of NumPy."""

import os
import subprocess
import sys


def test_the_default_search_compiles_each_loop_once_and_no_numpy_function(tmp_path):
    code = """
import dyce_search as ds
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    ds.search(ds.load_example().subset(range(200)))
    ds.search(ds.load_example().subset(range(200)), scores="observed")
started = [each.data["dispatcher"].py_func for _, each in recorder.buffer if each.is_start]
print(*(f"{each.__module__}.{each.__name__}" for each in started))
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    compiled = done.stdout.split()
    assert all(name.startswith("dyce_search.") for name in compiled), compiled
    assert len(compiled) == len(set(compiled)) <= 24, compiled
