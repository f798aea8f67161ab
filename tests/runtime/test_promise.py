"""From a backbone to a network whose compute is a dial, in the few lines that the documentation promises."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import dyce_search as ds
from dyce_search.runtime import EarlyExitModel, count_macs, record, train_heads
from tests.runtime.networks import CLASSES, ResNet, images, pooled_head


@pytest.fixture(scope="module")
def backbone():
    """Trained for a moment, all of it, as one that is downloaded would be for longer."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    backbone = ResNet()
    optimizer = torch.optim.Adam(backbone.parameters(), lr=0.01)
    for step in range(40):
        inputs, labels = images(64, seed=100 + step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(backbone(inputs), labels).backward()
        optimizer.step()
    return backbone.eval()


def loader_of(seed, count=400):
    return DataLoader(TensorDataset(*images(count, seed=seed)), batch_size=64)


def test_in_a_dozen_lines(backbone):
    loader, others, new = loader_of(1), loader_of(2), loader_of(3)
    example_input = images(1)[0]
    h1, h2, h3 = pooled_head(8), nn.Sequential(pooled_head(8, 12), nn.ReLU(), nn.Linear(12, CLASSES)), pooled_head(16)

    model = EarlyExitModel(backbone, heads={"layer1.0": {"linear": h1, "mlp": h2}, "layer2.0": {"linear": h3}})
    train_heads(model, loader, epochs=5)
    costs = count_macs(model, example_input)
    model.eval()
    records = record(model, others, costs=costs)
    front = ds.search(records)
    chosen = front.select(max_accuracy_drop=0.02)
    model.configure(chosen.config)
    positions, right, samples = [], 0, 0
    with torch.inference_mode():
        for x, labels in others:
            out = model(x)
            assert out.logits.shape == (len(x), CLASSES)
            assert out.position.shape == out.confidence.shape == (len(x),)
            positions += out.position.tolist()
            right += int((out.logits.argmax(1) == labels).sum())
            samples += len(x)
    assert positions == ds.evaluate(records, chosen.config, per_sample=True).exit_position.tolist()
    assert right / samples == pytest.approx(ds.evaluate(records, chosen.config).accuracy)
    assert chosen.relative_cost < 1
    assert len(set(positions)) > 1

    certified = front.certify(record(model, new, costs=costs), max_accuracy_drop=0.2)
    model.configure(certified)  # a point with a certificate is a point
    assert model.config == certified.config
    model.configure(None)
    assert torch.equal(model(example_input).logits, backbone(example_input))
