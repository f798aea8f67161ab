"""Switching while the model runs: at once, whole, from any thread; and choosing from a front."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import dyce_search as ds
from dyce_search.errors import ModelError
from dyce_search.runtime import EarlyExitModel, count_macs
from tests.runtime.networks import MLP, ResNet, fit, images, mlp_heads, resnet_heads

INF = float("inf")
SWITCHES = 10_000


def mlp_configs():
    """Eight that send samples to different places, and the plain backbone."""
    rng = np.random.default_rng(0)
    configs = [
        ds.ExitConfig(candidate=rng.integers(-1, [1, 2, 1]), threshold=0.2 + 0.1 * rng.random(3)) for _ in range(8)
    ]
    return [*configs, None]


def stream_while_switching(model, x, answers, forwards):
    """Batches in this thread, until the other one is through with its switches."""
    done = threading.Event()
    configs = list(answers)

    def switch():
        for k in range(SWITCHES):
            model.configure(configs[k % len(configs)])
        done.set()

    thread = threading.Thread(target=switch)
    seen = set()
    thread.start()
    while not done.is_set() or forwards > 0:
        forwards -= 1
        with torch.inference_mode():
            output = model(x)
        expected = answers[output.config]
        assert torch.equal(output.position, expected.position)
        assert torch.equal(output.logits, expected.logits)
        assert torch.equal(output.confidence, expected.confidence)
        seen.add(output.config)
    thread.join()
    return seen


def test_ten_thousand_switches_from_another_thread_and_every_batch_is_whole():
    backbone = MLP()
    model = EarlyExitModel(backbone, mlp_heads(backbone)).eval()
    x = torch.randn(16, 6)
    answers = {}
    for config in mlp_configs():
        model.configure(config)
        answers[config] = model(x)
    assert len({tuple(answer.position.tolist()) for answer in answers.values()}) >= 6
    assert len(stream_while_switching(model, x, answers, forwards=100)) > 1


def test_a_forward_under_way_ends_with_the_configuration_it_began_with():
    backbone = MLP()
    model = EarlyExitModel(backbone, mlp_heads(backbone)).eval()
    x = torch.randn(16, 6)
    first = ds.ExitConfig(candidate=[-1, 0, 0], threshold=[0, INF, -INF])
    model.configure(first)
    backbone.layers[1].register_forward_pre_hook(lambda *_: model.configure(None))
    output = model(x)
    assert (output.position == 2).all()
    assert output.config == first
    assert model.config is None


def test_several_threads_run_one_model():
    backbone = ResNet()
    model = EarlyExitModel(backbone, resnet_heads(backbone)).eval()
    batches = [torch.randn(7, 3, 8, 8) for _ in range(24)]
    model.configure(ds.ExitConfig(candidate=[0, 0, 0, 0], threshold=[0.26, 0.26, 0.26, 0.26]))
    with torch.no_grad():
        expected = [model(x) for x in batches]
        features = [model.features(x)[1] for x in batches]

    def answer(x):
        torch.set_num_threads(1)
        with torch.no_grad():
            return model(x), model.features(x)[1]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(answer, batches))
    for (output, final), twin, twin_final in zip(found, expected, features, strict=True):
        assert torch.equal(output.position, twin.position)
        torch.testing.assert_close(output.logits, twin.logits)
        torch.testing.assert_close(final, twin_final)


@pytest.fixture
def model_and_front():
    backbone = ResNet()
    model = EarlyExitModel(backbone, resnet_heads(backbone))
    fit(model, steps=20)
    inputs, labels = images(300)
    with torch.no_grad():
        logits = model.all_logits(inputs)
    records = ds.ExitRecords.from_logits(logits, labels, costs=count_macs(model, inputs[:1]))
    return model, ds.search(records, solver="exit_shares")


def test_a_budget_chooses_from_the_front(model_and_front):
    model, front = model_and_front
    with pytest.raises(ds.FrontError, match="none was loaded: call load_front first"):
        model.set_budget(relative_cost=0.7)
    model.load_front(front)
    assert model.config is None
    point = model.set_budget(relative_cost=0.7)
    assert point == front.select(max_relative_cost=0.7)
    assert model.config == point.config
    with pytest.raises(ds.InfeasibleError, match=r"no point of this front satisfies max_relative_cost=0\.001"):
        model.set_budget(relative_cost=0.001)
    assert model.config == point.config
    model.configure(front[0])
    assert model.config == front[0].config


def test_a_front_of_another_network_is_refused(model_and_front):
    _, front = model_and_front
    backbone = MLP()
    model = EarlyExitModel(backbone, mlp_heads(backbone))
    with pytest.raises(ds.ConfigError, match="the model has 5 exits at 3 positions, the front 8 exits at 4"):
        model.load_front(front)
    with pytest.raises(ds.FrontError, match="must be a ParetoFront, got str"):
        model.load_front("front.json")
    assert model.front is None


def test_errors_in_one_thread_leave_the_others_alone():
    backbone = MLP()
    model = EarlyExitModel(backbone, mlp_heads(backbone)).eval()
    model.configure(ds.ExitConfig(candidate=[0, 0, 0], threshold=[0.25, 0.25, 0.25]))
    good = torch.randn(16, 6)
    expected = model(good).position

    def answer(k):
        if k % 2:
            with pytest.raises(ModelError, match="NaN"):
                model(good * float("nan"))
            return True
        return torch.equal(model(good).position, expected)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(answer, range(200)))
