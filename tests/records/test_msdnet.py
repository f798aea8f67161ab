"""The files of MSDNet-PyTorch: both layouts of its outputs, its costs, and files that are something else."""

import numpy as np
import pytest
import torch

import dyce_search as ds
from dyce_search.cli import main
from dyce_search.records.file_kinds import kind_of
from tests.traps import Trap

FLOPS = [1.5e6, 2.5e6, 4e6]


def outputs(n, seed, *, probs=True):
    """Three exits, n samples, four classes, and labels as floats, as MSDNet writes them."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, n, 4, generator=generator)
    return logits.softmax(2) if probs else logits, torch.randint(0, 4, (n,), generator=generator).float()


@pytest.fixture
def files(tmp_path):
    """A folder with what adaptive_inference.py leaves behind."""
    torch.save((*outputs(30, 0), *outputs(20, 1)), tmp_path / "logits_single.pth")
    torch.save(FLOPS, tmp_path / "flops.pth")
    return tmp_path


@pytest.mark.parametrize(("part", "n", "seed"), [("val", 30, 0), ("test", 20, 1), (None, 30, 0)])
def test_both_sets_are_read(files, part, n, seed):
    records = ds.load_records(files / "logits_single.pth", costs=files / "flops.pth", part=part)
    probs, label = outputs(n, seed)
    np.testing.assert_array_equal(records.confidence, probs.max(2).values)
    np.testing.assert_array_equal(records.prediction, probs.argmax(2))
    np.testing.assert_array_equal(records.score, probs.argmax(2) == label)
    np.testing.assert_array_equal(records.label, label)
    assert records.source.endswith(f"logits_single.pth, {part or 'val'}")


def test_leaving_at_an_exit_costs_its_flops(files):
    records = ds.load_records(files / "logits_single.pth", costs=files / "flops.pth")
    assert records.costs.alone.tolist() == FLOPS
    both = ds.ExitConfig(candidate=[0, 0], threshold=[np.inf, -np.inf])
    assert ds.evaluate(records, both).cost == FLOPS[1]
    assert ds.evaluate(records, ds.ExitConfig.none(2)).cost == FLOPS[2]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
def test_lists_of_tensors_are_read(files, zipped):
    val, val_label = outputs(30, 0)
    test, test_label = outputs(20, 1)
    path = files / "list.pth"
    torch.save((list(val), val_label, list(test), test_label), path, _use_new_zipfile_serialization=zipped)
    assert kind_of(path) == "torch"
    one, other = (
        ds.load_records(files / name, costs=files / "flops.pth") for name in ("list.pth", "logits_single.pth")
    )
    assert one.digest == other.digest


def test_raw_logits_are_taken_as_such(files):
    torch.save((*outputs(30, 0, probs=False), *outputs(20, 1, probs=False)), files / "raw.pth")
    raw, single = (
        ds.load_records(files / name, costs=files / "flops.pth") for name in ("raw.pth", "logits_single.pth")
    )
    np.testing.assert_array_equal(raw.prediction, single.prediction)
    np.testing.assert_allclose(raw.confidence, single.confidence, rtol=1e-6)


def test_other_measures_and_own_costs(files):
    costs = ds.ExitCosts(backbone=[1, 2, 4], head=[0.5, 0.5, 0], position=[0, 1, 2], unit="ms")
    records = ds.load_records(files / "logits_single.pth", costs=costs, confidence="margin")
    top = outputs(30, 0)[0].sort(2).values
    np.testing.assert_array_equal(records.confidence, top[:, :, -1] - top[:, :, -2])
    assert records.costs == costs


def test_costs_are_needed(files):
    with pytest.raises(ds.FileFormatError, match=r"holds no costs: pass costs= \(a JSON or flops\.pth\), --costs on"):
        ds.load_records(files / "logits_single.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": torch.zeros(2)}, r"must hold \(validation outputs, .* got dict of 1: for other files use"),
        (torch.zeros(2, 3, 4), "must hold .*, got Tensor"),
        ((torch.zeros(2), 1, 2, 3), "must hold .*, got tuple of 4"),
        ((torch.zeros(3, 4), torch.zeros(4)) * 2, r"shape \(E, N, C\), got \(4,\) at exit 0: is it another file"),
    ],
)
def test_other_layouts_are_refused(files, content, message):
    torch.save(content, files / "other.pth")
    with pytest.raises(ds.FileFormatError, match=message):
        ds.load_records(files / "other.pth", costs=files / "flops.pth")


@pytest.mark.parametrize("content", [{"a": 1}, ["x"], [[1.0], [2.0]], None])
def test_other_costs_are_refused(files, content):
    torch.save(content, files / "other.pth")
    with pytest.raises(ds.FileFormatError, match=r"other\.pth must hold one number an exit, as MSDNet's flops\.pth"):
        ds.load_records(files / "logits_single.pth", costs=files / "other.pth")


def test_code_in_a_file_is_never_run(files):
    torch.save((*outputs(3, 0), torch.zeros(1), Trap(files / "sprung")), files / "evil.pth")
    for path, costs in (("evil.pth", "flops.pth"), ("logits_single.pth", "evil.pth")):
        with pytest.raises(ds.FileFormatError, match="other objects can run code and are never loaded"):
            ds.load_records(files / path, costs=files / costs)
    assert not (files / "sprung").exists()


def test_a_truncated_file_is_refused(files):
    path = files / "logits_single.pth"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ds.FileFormatError, match=r"logits_single\.pth"):
        ds.load_records(path, costs=files / "flops.pth")


def test_the_command_line_searches_the_validation_set_and_reports_on_the_test_set(files, capsys):
    path, costs = str(files / "logits_single.pth"), ["--costs", str(files / "flops.pth")]
    assert main(["info", path, *costs]) == 0
    assert "samples     30" in capsys.readouterr().out
    front, config = str(files / "front.json"), str(files / "config.json")
    assert main(["search", path, *costs, "--test", path, "--solver", "exit_shares", "--out", front]) == 0
    printed = capsys.readouterr().out
    assert "search on 30 samples" in printed
    assert "test on   20 samples" in printed
    assert main(["select", front, "--max-relative-cost", "1", "--out", config]) == 0
    assert main(["evaluate", config, path, *costs]) == 0
    assert "samples        20" in capsys.readouterr().out
