"""Bundles that take a while to write: once in each process."""

import logging
import shutil

import pytest

torch = pytest.importorskip("torch", reason="bundles are written by PyTorch")
for name in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(name, reason=f"needs {name}: pip install 'dyce_search[onnx]'")


@pytest.fixture(autouse=True)
def _one_thread_and_no_noise(caplog):
    torch.set_num_threads(1)
    caplog.set_level(logging.WARNING)


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Kind -> bundle, made when it is first asked for."""
    from tests.serving.networks import bundled

    torch.set_num_threads(1)
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
