"""What the model does is what `evaluate` says: the exit and the answer of every sample."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import dyce_search as ds
from dyce_search.runtime import EarlyExitModel, count_macs
from dyce_search.runtime.confidence import confidence_of
from tests.runtime.networks import ResNet, ViT, fit, images, resnet_heads, vit_heads

N = 512


@pytest.fixture(scope="module", params=["resnet", "vit"])
def trained(request):
    """A trained model, inputs, and records of them that were made without the configured model."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    backbone = ResNet() if request.param == "resnet" else ViT()
    model = EarlyExitModel(backbone, resnet_heads(backbone) if request.param == "resnet" else vit_heads(backbone))
    fit(model)
    inputs, labels = images(N)
    with torch.no_grad():
        logits = model.all_logits(inputs)
    records = ds.ExitRecords(
        confidence=torch.stack([confidence_of(rows, "max_prob") for rows in logits]),
        score=logits.argmax(dim=2) == labels,
        prediction=logits.argmax(dim=2),
        costs=count_macs(model, inputs[:1]),
    )
    return model, inputs, records


def searched(records):
    front = ds.search(records, seed=0)
    return [front[round(f)].config for f in np.linspace(0, len(front) - 1, 5)]


def random_configs(records, count=20):
    """Thresholds half-way between neighbouring confidences, as searches place them."""
    rng = np.random.default_rng(0)
    configs = []
    for _ in range(count):
        candidate = rng.integers(-1, records.costs.n_candidates)
        exits = records.costs.first[:-1] + np.maximum(candidate, 0)
        levels = np.sort(records.confidence[exits], axis=1)
        at = rng.integers(0, N - 1, len(exits))
        rows = np.arange(len(exits))
        threshold = (levels[rows, at].astype(np.float64) + levels[rows, at + 1]) / 2
        configs.append(ds.ExitConfig(candidate=candidate, threshold=threshold))
    return configs


@pytest.mark.parametrize("batch_size", [1, 7, 256])
def test_exit_and_prediction_of_every_sample(trained, batch_size):
    model, inputs, records = trained
    few = N if batch_size > 1 else N // 8  # one by one is slow
    differences = compared = 0
    used = np.zeros(records.costs.n_positions + 1, np.int64)
    for config in random_configs(records) + searched(records):
        expected = ds.evaluate(records, config, per_sample=True).exit_position[:few]
        exits = np.append(config.exits(records.layout), records.n_exits - 1)[expected]
        answer = records.prediction[exits, np.arange(few)]
        model.configure(config)
        with torch.inference_mode():
            outputs = [model(batch) for batch in inputs[:few].split(batch_size)]
        position = torch.cat([output.position for output in outputs]).numpy()
        prediction = torch.cat([output.logits for output in outputs]).argmax(dim=1).numpy()
        differences += np.count_nonzero((position != expected) | (prediction != answer))
        compared += few
        used += np.bincount(position, minlength=len(used))
    model.configure(None)
    assert (used > 0).all()  # otherwise the comparison would say little
    assert differences < compared / 10_000


def test_without_compaction_too(trained):
    model, inputs, records = trained
    whole = EarlyExitModel(model.backbone, heads_of(model), compaction=False).eval()
    for config in random_configs(records, 5):
        model.configure(config)
        whole.configure(config)
        with torch.no_grad():
            one, other = model(inputs), whole(inputs)
        assert torch.equal(one.position, other.position)
        torch.testing.assert_close(one.logits, other.logits, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(one.confidence, other.confidence, rtol=1e-4, atol=1e-5)
    model.configure(None)


def heads_of(model):
    heads = {name: {} for name in model.positions}
    for e, (p, kind) in enumerate(model.exits):
        heads[model.positions[p]][kind] = model.heads[e]
    return heads


def test_searching_leaves_the_number_of_threads_of_pytorch_alone():
    code = (
        "import torch, dyce_search as ds; torch.set_num_threads(1);"
        "ds.search(ds.synthetic_records(300, 3, 2, seed=0)); print(torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
