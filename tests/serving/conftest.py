"""Bundles that take a while to write: once in each process. Without the packages that write them all is skipped."""

import logging
import shutil
from functools import cache
from importlib import import_module

import pytest

NEEDED = {"torch": "torch", "onnx": "onnx", "onnxscript": "onnx", "onnxruntime": "onnx"}


def pytest_pycollect_makemodule():
    """Skips what imports them, with a reason."""
    for name, extra in NEEDED.items():
        pytest.importorskip(name, reason=f"needs {name}: pip install 'dyce_search[{extra}]'")


@pytest.fixture(autouse=True)
def _one_thread_and_no_noise(caplog):
    import torch

    torch.set_num_threads(1)
    caplog.set_level(logging.WARNING)


@pytest.fixture(scope="session", autouse=True)
def _one_registry():
    """PyTorch's exporter reads the source of its 500 operators again for every file: two thirds of the time."""
    try:
        registry = import_module("torch.onnx._internal.exporter._registration").ONNXRegistry
        make = registry.from_torchlib
    except (ImportError, AttributeError):  # of another release, which takes longer here
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "from_torchlib", staticmethod(cache(make)))
        yield


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Kind -> bundle, made when it is first asked for."""
    from tests.serving.networks import bundled

    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = bundled(kind, tmp_path_factory.mktemp("bundles") / kind)
        return made[kind]

    return get


@pytest.fixture
def cnn(written):
    return written("cnn")


@pytest.fixture
def copied(cnn, tmp_path):
    """A copy of a bundle, to be spoilt."""
    return shutil.copytree(cnn.folder, tmp_path / "copy")
