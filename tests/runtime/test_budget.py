"""The controller holds the measured cost while the inputs drift, where a fixed point does not."""

import math

import numpy as np
import pytest
import torch

import dyce_search as ds
from dyce_search.errors import ModelError
from dyce_search.evaluation.evaluate import prices
from dyce_search.runtime import BudgetController, EarlyExitModel, EarlyExitOutput, count_macs
from tests.runtime.networks import ResNet, fit, images, resnet_heads

BATCH, BATCHES, BUDGET, WINDOW = 32, 150, 0.5, 200


@pytest.fixture(scope="module")
def model():
    """Trained, with a front that was found on easy and hard samples alike."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    backbone = ResNet()
    model = EarlyExitModel(backbone, resnet_heads(backbone))
    fit(model)
    inputs, labels = images(1000)
    with torch.no_grad():
        logits = model.all_logits(inputs)
    records = ds.ExitRecords.from_logits(logits, labels, costs=count_macs(model, inputs[:1]))
    model.load_front(ds.search(records, seed=0))
    return model


def relative_costs(model, output):
    """Of each sample, by the definition: the backbone up to its exit and every enabled head on the way."""
    costs = model.front.costs
    found = []
    for position in output.position.tolist():
        paid = costs.backbone[position] + (costs.head[-1] if position == costs.n_positions else 0)
        for p in range(min(position + 1, costs.n_positions)):
            if output.config.candidate[p] >= 0:
                paid += costs.head[costs.first[p] + output.config.candidate[p]]
        found.append(paid / costs.baseline)
    return found


def drifting(k):
    """Easy samples at first, hard ones from the middle on, a mix at the end."""
    strength = (0.7, 1.0) if k < BATCHES // 3 else (0.1, 0.4) if k < 2 * BATCHES // 3 else (0.1, 1.0)
    return images(BATCH, strength=strength, seed=1000 + k)[0]


def run(model, after_batch):
    paid = []
    with torch.inference_mode():
        for k in range(BATCHES):
            output = model(drifting(k))
            paid.append(np.mean(relative_costs(model, output)))
            after_batch(output)
    return np.array(paid)


def test_a_drifting_stream_is_held_at_the_budget_where_a_fixed_point_misses_it(model):
    model.set_budget(relative_cost=BUDGET)
    fixed = run(model, lambda output: None).reshape(3, -1).mean(axis=1)
    assert np.ptp(fixed) > 0.15  # easy and hard samples cost very different amounts
    assert abs(fixed - BUDGET).max() > 0.08
    controller = BudgetController(model, relative_cost=BUDGET, window=WINDOW)
    held = run(model, controller.update)
    thirds = held.reshape(3, -1).mean(axis=1)
    assert abs(held.mean() - BUDGET) < 0.02
    assert abs(thirds - BUDGET).max() < 0.05  # a third holds the way to its new setpoint
    assert abs(held[-BATCHES // 4 :].mean() - BUDGET) < 0.03
    width = float(np.ptp(model.front.relative_cost))
    assert abs(held.sum() - BATCHES * BUDGET) * BATCH <= WINDOW * width + 1e-6  # the bound that the class states


def test_what_it_measures_is_what_the_samples_cost(model):
    controller = BudgetController(model, relative_cost=BUDGET, window=10**9)
    assert math.isnan(controller.measured)
    paid = []
    with torch.inference_mode():
        for k in range(5):
            output = model(drifting(k))
            paid.append(np.mean(relative_costs(model, output)))
            point = controller.update(output)
            assert model.config == point.config
    assert controller.measured == pytest.approx(np.mean(paid), rel=1e-6)


def test_batches_are_priced_by_the_configuration_they_went_through(model):
    controller = BudgetController(model, relative_cost=BUDGET, window=10**9)
    costs = model.front.costs
    config = ds.ExitConfig(candidate=[0, 1, -1, 0], threshold=[0, 0, 0, 0])
    position = torch.tensor([0, 1, 4, 3])
    output = EarlyExitOutput(logits=torch.zeros(4, 5), position=position, confidence=torch.ones(4), config=config)
    controller.update(output)
    assert controller.measured == pytest.approx(np.mean(relative_costs(model, output)))
    controller = BudgetController(model, relative_cost=BUDGET, window=10**9)
    plain = EarlyExitOutput(logits=torch.zeros(2, 5), position=position[[2, 2]], confidence=torch.ones(2), config=None)
    controller.update(plain)
    assert controller.measured == pytest.approx(1.0)
    assert prices(costs, config.exits(costs.layout)[None])[0, 4] > costs.baseline


def test_a_budget_out_of_reach_of_the_inputs_does_not_wind_up(model):
    controller = BudgetController(model, relative_cost=BUDGET, window=WINDOW)
    costs = model.front.costs
    dear = EarlyExitOutput(
        logits=torch.zeros(50, 5), position=torch.full((50,), costs.n_positions), confidence=torch.ones(50), config=None
    )
    for _ in range(500):
        point = controller.update(dear)
    assert point == model.front[0]
    free = EarlyExitOutput(
        logits=torch.zeros(50, 5),
        position=torch.zeros(50, dtype=torch.int64),
        confidence=torch.ones(50),
        config=ds.ExitConfig(candidate=[0, -1, -1, -1], threshold=[-np.inf, 0, 0, 0]),
    )
    for _ in range(30):
        point = controller.update(free)
    assert point == model.front[-1]


def test_mistakes_are_named(model):
    with pytest.raises(ModelError, match="window must be a whole number >= 1, got 0"):
        BudgetController(model, relative_cost=0.5, window=0)
    with pytest.raises(ds.InfeasibleError, match="no point of this front"):
        BudgetController(model, relative_cost=1e-6)
    backbone = ResNet()
    with pytest.raises(ds.FrontError, match="the model has none: call load_front first"):
        BudgetController(EarlyExitModel(backbone, resnet_heads(backbone)), relative_cost=0.5)
