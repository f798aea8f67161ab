"""Heads in files: exact, by name, and refused where they belong to other exits."""

import copy

import pytest
import torch
from torch import nn

import dyce_search as ds
from dyce_search.runtime import EarlyExitModel
from tests.runtime.networks import CLASSES, MLP, mlp_heads

safetensors = pytest.importorskip("safetensors")


def build(**options):
    torch.manual_seed(options.pop("seed", 0))
    backbone = MLP()
    heads = mlp_heads(backbone)
    heads["layers.2"]["linear"] = nn.Sequential(nn.BatchNorm1d(16), nn.Linear(16, CLASSES))
    return EarlyExitModel(backbone, heads, **options).eval()


def test_exact_round_trip_without_the_backbone(tmp_path):
    model, other, path = build(), build(seed=1), tmp_path / "heads.safetensors"
    before = copy.deepcopy(other.backbone.state_dict())
    model.save_heads(path)
    other.load_heads(path)
    for one, two in ((model.heads.state_dict(), other.heads.state_dict()), (before, other.backbone.state_dict())):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)
    assert [entry.name for entry in tmp_path.iterdir()] == ["heads.safetensors"]
    with safetensors.safe_open(path, "pt") as file:
        assert "layers/1/mlp.0.weight" in file.keys()  # noqa: SIM118


def test_what_they_are_compared_with_does_not_matter(tmp_path):
    build(confidence="margin", temperature=2.0).save_heads(tmp_path / "heads")
    build().load_heads(tmp_path / "heads")


def test_heads_of_other_exits_are_refused(tmp_path):
    path = tmp_path / "heads"
    build().save_heads(path)
    other = EarlyExitModel(MLP(), {"layers.0": {"linear": nn.Linear(16, CLASSES)}})
    with pytest.raises(ds.ConfigError, match=r"the model has 2 exits at 1 position, .*heads 5 exits at 3"):
        other.load_heads(path)
    heads = mlp_heads(MLP())
    heads["layers.1"] = dict(reversed(heads["layers.1"].items()))
    with pytest.raises(ds.ConfigError, match=r"exit 1 is called 'layers\.1/mlp' by the model, 'layers\.1/linear' by"):
        EarlyExitModel(MLP(), heads).load_heads(path)
    with pytest.raises(ds.FileFormatError, match="heads was made with other heads: "):
        EarlyExitModel(MLP(), mlp_heads(MLP())).load_heads(path)


def test_files_that_are_none(tmp_path):
    path = tmp_path / "heads"
    with pytest.raises(ds.FileFormatError, match=r"cannot read .*heads: no file of heads, or damaged"):
        build().load_heads(path)
    build().save_heads(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ds.FileFormatError, match="no file of heads, or damaged"):
        build().load_heads(path)
    import safetensors.torch

    safetensors.torch.save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(ds.FileFormatError, match=r"heads is not a dyce_search\.heads file"):
        build().load_heads(path)
    with pytest.raises(ds.FileFormatError, match="cannot write"):
        build().save_heads(tmp_path / "nowhere" / "heads")


def test_a_state_dict_knows_who_is_who():
    heads = {name: {"linear": nn.Linear(16, CLASSES)} for name in ("layers.0", "layers.1")}
    model = EarlyExitModel(MLP(), heads)
    one_later = {f"layers.{int(name[-1]) + 1}": copy.deepcopy(kinds) for name, kinds in heads.items()}
    with pytest.raises(RuntimeError, match=r"Missing key.*heads\.layers/2/linear\.weight"):
        EarlyExitModel(MLP(), one_later).load_state_dict(model.state_dict())
    turned = {"layers.0": {"b": nn.Linear(16, CLASSES), "a": nn.Linear(16, CLASSES)}}
    ordered = EarlyExitModel(MLP(), {"layers.0": dict(reversed(turned["layers.0"].items()))})
    state = EarlyExitModel(MLP(), turned).state_dict()
    ordered.load_state_dict(state)
    assert torch.equal(ordered.heads[0].weight, turned["layers.0"]["a"].weight)  # by name, not by order


def test_without_safetensors_the_message_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "safetensors.torch", None)
    with pytest.raises(ds.MissingPackageError, match=r"need safetensors.*pip install 'dyce_search\[torch\]'"):
        build().save_heads(tmp_path / "heads")
