"""Records that many tests share."""

import os

# Tests that run side by side share the cores. This stands before what reads it; tests of threads set their own number.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    for library in ("NUMBA", "OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import dyce_search as ds
from tests.browser import browsing

# The same examples every time, so that a red test is red for everybody; no deadline, as the first call compiles.
settings.register_profile(
    "dyce_search", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("dyce_search")


@pytest.fixture(scope="session")
def browser():
    """A headless browser for all tests of a process."""
    with browsing() as found:
        yield found


@pytest.fixture(scope="session")
def example():
    """The real records that come with the package, (46, 15000)."""
    return ds.load_example()


@pytest.fixture(scope="session")
def small_example(example):
    """Real records that every solver manages quickly: 3 positions with 2, 1 and 2 candidates, 300 samples."""
    return shrink(example, positions={2: 2, 6: 1, 10: 2}, samples=300)


@pytest.fixture(scope="session")
def right(tmp_path_factory):
    """Right arguments for everything public."""
    from tests.public import Right

    return Right(tmp_path_factory.mktemp("public"))


@pytest.fixture
def aside(monkeypatch, tmp_path):
    """Relative paths lead into a folder of the test."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def costs():
    """Two candidates at position 0, one at position 1."""
    return ds.ExitCosts(backbone=[1.0, 2.0, 4.0], head=[0.5, 0.25, 0.5, 0.0], position=[0, 0, 1, 2])


@pytest.fixture
def records(costs):
    """Forty samples, float scores, labels, predictions and groups."""
    rng = np.random.default_rng(7)
    return ds.ExitRecords(
        confidence=rng.random((4, 40)),
        score=rng.random((4, 40)),
        costs=costs,
        label=np.arange(40) % 4,
        prediction=rng.integers(0, 4, (4, 40)).astype(np.int16),
        group=np.array([f"scene {i // 2}" for i in range(40)]),
        source="by hand, ünïcode",
    )


def shrink(records, positions, samples):
    """The first candidates of some positions, {position: how many}, and the first samples."""
    costs = records.costs
    kept = [costs.first[p] + k for p, count in positions.items() for k in range(count)] + [costs.n_exits - 1]
    smaller = ds.ExitCosts(
        backbone=costs.backbone[[*positions, -1]],
        head=costs.head[kept],
        position=[q for q, count in enumerate(positions.values()) for _ in range(count)] + [len(positions)],
    )
    return ds.ExitRecords(
        confidence=records.confidence[kept, :samples], score=records.score[kept, :samples], costs=smaller
    )
