"""One thread, and the same weights every time."""

import pytest
import torch

import dyce_search as ds


@pytest.fixture(scope="session", autouse=True)
def _numba_first():
    """Numba's OpenMP threads, when they start, change how many PyTorch uses; they start once in a process."""
    records = ds.synthetic_records(100, 2, 1, seed=0)
    ds.evaluate(records, ds.ExitConfig.none(2))


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed(_numba_first):
    torch.set_num_threads(1)
    torch.manual_seed(0)
