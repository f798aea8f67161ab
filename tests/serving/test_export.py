"""What is exported, what is refused, and that nothing is left behind."""

import re
import sys

import numpy as np
import pytest
import torch
from torch import nn

import dyce_search as ds
from dyce_search.errors import ConfigError, FileFormatError, MissingPackageError, ModelError
from dyce_search.runtime import EarlyExitModel, export_onnx
from dyce_search.serving import StagedModel
from tests.runtime.networks import CLASSES


class Skipping(nn.Module):
    """Carries an input past exits untouched, a value with the samples on its second axis, and a table for all."""

    def __init__(self):
        super().__init__()
        self.first, self.middle, self.second = nn.Linear(6, 6), nn.Identity(), nn.Linear(6, 6)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, x, table, scale=1.0):
        turned = x.T.contiguous() * scale
        hidden = self.middle(self.first(x))
        return self.fc(self.second(hidden).relu() + turned.T + x + table.sum(dim=0))


def skipping():
    torch.manual_seed(0)
    heads = {"first": {"linear": nn.Linear(6, CLASSES)}, "middle": {"linear": nn.Linear(6, CLASSES)}}
    heads["second"] = {"linear": nn.Linear(6, CLASSES)}
    example = {"x": torch.randn(5, 6), "table": torch.randn(2, 6), "scale": 2.0}
    return EarlyExitModel(Skipping(), heads, example=example).eval(), example


def test_values_that_are_carried_on_lose_the_same_rows(tmp_path):
    model, example = skipping()
    export_onnx(model, tmp_path / "bundle")
    served = StagedModel(tmp_path / "bundle", threads=1)
    inputs = {"x": torch.randn(40, 6), "table": example["table"]}
    with torch.no_grad():
        logits = model.all_logits(**inputs, scale=2.0)
    np.testing.assert_allclose(served.all_logits(inputs), logits.numpy(), atol=1e-5)
    confidence = torch.softmax(logits, dim=2).amax(dim=2)
    config = ds.ExitConfig(candidate=[0, -1, 0], threshold=[confidence[0].median(), 0, confidence[2].median()])
    model.configure(config)
    served.configure(config)
    with torch.no_grad():
        expected = model(**inputs, scale=2.0)
    found = served(inputs["x"], inputs["table"])
    assert found.position.tolist() == expected.position.tolist()
    assert len(set(found.position.tolist())) == 3
    np.testing.assert_allclose(found.logits, expected.logits.numpy(), atol=1e-5)
    with pytest.raises(
        ModelError, match="the model takes 'x', 'table', got 0 arguments by place and 'x', 'table', 'sc"
    ):
        served(**inputs, scale=3.0)


def test_int8_products_and_records_of_them(written, tmp_path):
    bundle = written("padded")
    export_onnx(bundle.model, tmp_path / "int8", costs=bundle.records.costs, quantize=True)
    served = StagedModel(tmp_path / "int8", threads=1)
    records = served.record([(bundle.inputs, bundle.labels)])
    assert records.source == "ONNX Runtime, int8"
    assert not np.array_equal(records.confidence, bundle.records.confidence)
    assert np.abs(records.confidence - bundle.records.confidence).max() < 0.3
    config = ds.search(records, seed=0)[-1].config
    served.configure(config)
    expected = ds.evaluate(records, config, per_sample=True).exit_position
    found = np.concatenate([served(**bundle.some(slice(k, k + 1))).position for k in range(len(expected))])
    assert np.mean(found == expected) > 0.9  # int8 products are scaled by batch: other batches, other roundings


def test_models_that_are_refused(cnn, tmp_path):
    folder = tmp_path / "bundle"
    model = skipping()[0]
    with pytest.raises(ModelError, match="must be an EarlyExitModel, got Linear"):
        export_onnx(nn.Linear(2, 2), folder)
    with pytest.raises(ModelError, match="must be in eval mode"):
        export_onnx(skipping()[0].train(), folder)
    whole = EarlyExitModel(model.backbone, {"first": {"linear": nn.Linear(6, CLASSES)}}, compaction=False).eval()
    with pytest.raises(ModelError, match="compaction=False has no stages"):
        export_onnx(whole, folder)
    late = EarlyExitModel(model.backbone, {"first": {"linear": nn.Linear(6, CLASSES)}}).eval()
    with pytest.raises(ModelError, match="stages for 0 kinds of batches, needed is one: pass example="):
        export_onnx(late, folder)
    with pytest.raises(ConfigError, match="another network"):
        export_onnx(model, folder, configs={"fast": ds.ExitConfig(candidate=[0], threshold=[0])})
    with pytest.raises(ConfigError, match=re.escape("configs['fast'] must be an ExitConfig or a point, got str")):
        export_onnx(model, folder, configs={"fast": "fast"})
    with pytest.raises(ConfigError, match="the model and the costs do not fit"):
        export_onnx(model, folder, costs=cnn.records.costs)
    assert list(tmp_path.iterdir()) == []


def test_compiled_stages_are_refused(tmp_path):
    model = skipping()[0]
    model.compile(backend="eager")
    with pytest.raises(ModelError, match="export before model"):
        export_onnx(model, tmp_path / "bundle")


def test_confidences_that_cannot_be_measured_are_refused(tmp_path):
    layout = ds.ExitLayout(position=[0, 1], measure="energy")
    config = ds.ExitConfig(candidate=[0], threshold=[0.5], layout=layout)
    model = tiny()
    with pytest.raises(ConfigError, match="confidences are 'energy', which is not known here"):
        export_onnx(model, tmp_path / "bundle", configs={"fast": config})
    assert list(tmp_path.iterdir()) == []
    export_onnx(model, tmp_path / "bundle", configs={"fast": config}, measures={"energy": lambda probs: probs[:, 0]})


@pytest.mark.parametrize("name", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package(tmp_path, monkeypatch, cnn, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=re.escape(f"needs {name}, which is not installed: pip install")):
        export_onnx(cnn.model, tmp_path / "bundle")
    if name == "onnxruntime":
        with pytest.raises(MissingPackageError, match="serving needs ONNX Runtime, which is not installed"):
            StagedModel(cnn.folder)


class Odd(nn.Module):
    """A head for which there is no ONNX."""

    def forward(self, x):
        return torch.special.bessel_j0(x)[:, :CLASSES]


def test_an_operation_without_onnx_leaves_nothing_behind(tmp_path):
    torch.manual_seed(0)
    model = EarlyExitModel(nn.Sequential(nn.Linear(6, 6), nn.Linear(6, CLASSES)), {"0": {"odd": Odd()}}).eval()
    with pytest.raises(ModelError, match="head0 cannot be written as ONNX"):
        export_onnx(model, tmp_path / "bundle", example=torch.randn(4, 6))
    assert list(tmp_path.iterdir()) == []


def tiny():
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, CLASSES))
    return EarlyExitModel(backbone, {"0": {"linear": nn.Linear(6, CLASSES)}}, example=torch.randn(4, 6)).eval()


def test_folders_that_are_there(tmp_path):
    model = tiny()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(FileFormatError, match="it is there and is no folder"):
        export_onnx(model, tmp_path / "file", overwrite=True)
    with pytest.raises(FileFormatError, match="the folder holds something else"):
        export_onnx(model, tmp_path / "other", overwrite=True)
    with pytest.raises(FileFormatError, match="cannot write"):
        export_onnx(model, tmp_path / "missing" / "bundle")
    (tmp_path / "empty").mkdir()
    export_onnx(model, tmp_path / "empty")
    with pytest.raises(FileFormatError, match="pass overwrite=True to replace it"):
        export_onnx(model, tmp_path / "empty")
    config = ds.ExitConfig(candidate=[0], threshold=[0.5])
    export_onnx(model, tmp_path / "empty", configs={"fast": config}, overwrite=True)
    assert StagedModel(tmp_path / "empty").configs == {"fast": config}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "other"]
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"
