"""Backbones that mix samples behind an exit: on purpose, which is let be, or not, which is found to the last bit."""

import numpy as np
import pytest
import torch
from torch import nn

import dyce_search as ds
from dyce_search.errors import ModelError
from dyce_search.runtime import EarlyExitModel
from dyce_search.runtime.confidence import confidence_of
from tests.runtime.networks import CLASSES

INF = float("inf")


class Mixing(nn.Module):
    """An exit behind `first` and another behind `second`, and a way of mixing samples behind each."""

    def __init__(self, between=lambda x, early: x, behind=lambda x, early: x):
        super().__init__()
        self.between, self.behind = between, behind
        self.first, self.second, self.fc = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, CLASSES)

    def forward(self, x):
        early = x
        x = self.between(self.first(x), early)
        x = self.behind(self.second(x), early)
        return self.fc(x)


def half_leave_twice(backbone, x):
    """A model whose configuration lets half of those who come leave at either exit."""
    heads = {name: {"linear": nn.Linear(6, CLASSES)} for name in ("first", "second")}
    model = EarlyExitModel(backbone, heads).eval()
    first, second = (confidence_of(logits, "max_prob") for logits in model.all_logits(x)[:2])
    threshold = [first.median().item(), second[first <= first.median()].median().item()]
    model.configure(ds.ExitConfig(candidate=[0, 0], threshold=threshold))
    return model


def carried(strength):
    """Adds the first rows of what was put by: the wrong ones, once others have left."""
    return lambda x, early: x + strength * early[: len(x)]


@pytest.mark.parametrize("strength", [1.0, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("where", ["between", "behind"])
def test_the_smallest_contribution_of_a_sample_that_has_left_is_found(strength, where):
    x = torch.randn(64, 6)
    model = half_leave_twice(Mixing(**{where: carried(strength)}), x)
    with pytest.raises(ModelError, match=r"cannot be compacted at .*answers depend on samples that have left"):
        model(x)


def quantised(x, _):
    """Rounded with one scale for the whole batch, as dynamic quantisation does."""
    scale = x.abs().max() / 127
    return (x / scale).round() * scale


@pytest.mark.parametrize(
    "mixing",
    [
        lambda x, early: x * early.mean(dim=0),
        quantised,
        lambda x, _: nn.functional.dropout(x, 0.5, training=True),
        lambda x, _: x - x.mean(dim=1, keepdim=True),
    ],
    ids=["mean of the batch", "quantised", "dropout", "row by row"],
)
def test_what_a_backbone_does_without_compaction_too_is_its_own_business(mixing):
    x = torch.randn(64, 6)
    for where in ("between", "behind"):
        output = half_leave_twice(Mixing(**{where: mixing}), x)(x)
        assert len(output.position.unique()) > 1


@pytest.mark.parametrize("leave_last", [True, False])
def test_verification_ends_when_every_position_has_been_seen(leave_last):
    backbone, x = Mixing(), torch.randn(64, 6)
    model = half_leave_twice(backbone, x)
    if leave_last:
        model.configure(ds.ExitConfig(candidate=[0, 0], threshold=[model.config.threshold[0], -INF]))
    runs = []
    backbone.first.register_forward_pre_hook(lambda *_: runs.append(1))
    model(x)
    assert len(runs) == 3  # the answer, all heads, and once more with others in place of those who left early
    runs.clear()
    model(x)
    assert len(runs) == 1


@pytest.mark.parametrize("seed", range(20))
def test_no_alarm_at_sound_backbones(seed):
    torch.manual_seed(seed)
    samples = int(np.random.default_rng(seed).integers(2, 40))
    x = torch.randn(samples, 6, requires_grad=seed % 2 == 0)
    model = half_leave_twice(Mixing(lambda x, _: x.relu(), lambda x, _: x.sigmoid()), x)
    plain = model.all_logits(x)
    output = model(x)
    exits = output.position, torch.arange(samples)
    torch.testing.assert_close(output.logits, plain[exits])
    assert model.all_logits(x).shape == (3, samples, CLASSES)
