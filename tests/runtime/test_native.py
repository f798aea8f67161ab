"""Networks with exits of their own: found, cut, recorded, counted and served."""

from collections import namedtuple

import pytest
import torch
from torch import nn

import dyce_search as ds
from dyce_search.errors import ModelError
from dyce_search.runtime import EarlyExitModel, count_macs, record, train_heads
from tests.runtime.networks import CLASSES, Watched
from tests.runtime.test_stages import assert_served_as_recorded

Answers = namedtuple("Answers", ["early", "middle", "final"])


class MultiExit(nn.Module):
    """Three blocks, each with an exit of two layers; inplace activations, as they are usual."""

    def __init__(self, form=list):
        super().__init__()
        self.form = form
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.ReLU(inplace=True)) for _ in range(3))
        self.exits = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 4), nn.ReLU(inplace=True), nn.Linear(4, CLASSES)) for _ in range(3)
        )

    def forward(self, x):
        answers = []
        for block, leave in zip(self.blocks, self.exits, strict=True):
            x = x + block(x)
            answers.append(leave(x))
        return self.form(answers)


FORMS = {
    "list": list,
    "tuple": tuple,
    "mapping": lambda answers: dict(zip(("one", "two", "three"), answers, strict=True)),
    "mapping, final first": lambda answers: {"logits": answers[2], "aux1": answers[0], "aux2": answers[1]},
    "named": lambda answers: Answers(*answers),
}


@pytest.mark.parametrize("form", FORMS)
def test_its_exits_are_found_and_served(form):
    net, x = MultiExit(FORMS[form]).eval(), torch.randn(40, 6)
    model = EarlyExitModel.native(net, x[:3]).eval()
    assert model.compacts
    net.form = list
    with torch.no_grad():
        expected = torch.stack(net(x))
    torch.testing.assert_close(model.all_logits(x), expected)
    assert len(assert_served_as_recorded(model, x).position.unique()) == 3


def test_costs_are_those_of_what_runs():
    net, x = MultiExit(), torch.randn(8, 6)
    model = EarlyExitModel.native(net, x).eval()
    costs = count_macs(model, x)
    own = 6 * 4 + 4 * CLASSES
    assert costs.backbone.tolist() == [36, 72, 108 + own]
    assert costs.head.tolist() == [own, own, 0]
    model.configure(ds.ExitConfig(candidate=[-1, 0], threshold=[0, float("inf")]))
    with Watched() as seen:
        model(x)
    assert len(seen.rows) == 3 + 2 + 2  # what only the first exit needs does not run


def test_records_name_its_exits():
    model = EarlyExitModel.native(MultiExit(), torch.randn(3, 6)).eval()
    x, labels = torch.randn(30, 6), torch.arange(30) % CLASSES
    records = record(model, [(x, labels)], costs=count_macs(model, x), n_samples=30)
    assert records.layout.names == ("exits.0/own", "exits.1/own", "final")
    assert records.prediction[-1].tolist() == model.backbone.net(x)[-1].argmax(1).tolist()
    with pytest.raises(ModelError, match="nothing to train"):
        train_heads(model, [(x, labels)])


def test_several_logits_are_no_final_ones():
    heads = {"blocks.0": {"linear": nn.Linear(6, CLASSES)}}
    for compaction in (True, False):
        model = EarlyExitModel(MultiExit(), heads, compaction=compaction).eval()
        for call in (model, model.all_logits):
            with pytest.raises(ModelError, match=r"gives 3 tensors of shape \(B, 5\).* use EarlyExitModel\.native for"):
                call(torch.randn(4, 6))


def test_one_output_is_not_native():
    with pytest.raises(ModelError, match=r"must give two or more logits of one shape .*, got one: use EarlyExitModel"):
        EarlyExitModel.native(nn.Linear(6, 3), torch.randn(2, 6))
