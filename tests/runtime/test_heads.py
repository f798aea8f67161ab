"""Heads: shapes, sizes in closed form, and the mistakes that a user can make."""

import functools

import pytest
import torch
from torch import nn

from dyce_search.errors import ModelError
from dyce_search.runtime import EarlyExitModel, conv_head, count_macs, heads_for, linear_head, mlp_head
from tests.runtime.networks import CLASSES, MLP, ResNet, ViT

MAKERS = {"linear": linear_head, "mlp": mlp_head, "conv": conv_head}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("shape", [(16, 14, 14), (16, 7, 5), (3, 1, 1), (16, 1, 9), (9, 32), (1, 8)], ids=str)
@pytest.mark.parametrize("pool", [1, 2, 3])
def test_heads_fit_maps_and_tokens(maker, shape, pool):
    head = maker(shape, 7, pool=pool)
    assert head(torch.zeros(4, *shape)).shape == (4, 7)
    assert head.eval()(torch.zeros(1, *shape)).shape == (1, 7)


@pytest.mark.parametrize("maker", [linear_head, mlp_head])
def test_heads_fit_vectors(maker):
    assert maker((12,), 7)(torch.zeros(4, 12)).shape == (4, 7)


def parameters(head):
    return sum(parameter.numel() for parameter in head.parameters())


def test_sizes_are_as_documented():
    assert parameters(linear_head((16, 14, 14), 10)) == 16 * 10 + 10
    assert parameters(linear_head((16, 14, 14), 10, pool=3)) == 9 * 16 * 10 + 10
    assert parameters(linear_head((50, 32), 10)) == 2 * 32 + 32 * 10 + 10
    assert parameters(mlp_head((16, 14, 14), 10, hidden=64)) == 4 * 16 * 64 + 64 + 64 * 10 + 10
    assert parameters(mlp_head((12,), 10, hidden=5)) == 12 * 5 + 5 + 5 * 10 + 10
    assert parameters(conv_head((16, 14, 14), 10, channels=32)) == 16 * 32 * 9 + 2 * 32 + 4 * 32 * 10 + 10
    assert parameters(conv_head((50, 16), 10, channels=32, kernel=5)) == 2 * 16 + 16 * 32 * 5 + 2 * 32 + 64 * 10 + 10


def test_pooling_is_the_mean_over_cells():
    head, maps = linear_head((3, 4, 6), 2, pool=2), torch.randn(5, 3, 4, 6)
    cells = maps.reshape(5, 3, 2, 2, 2, 3).mean(dim=(3, 5)).flatten(1)
    torch.testing.assert_close(head(maps), head[-1](cells))
    head, tokens = linear_head((4, 8), 2), torch.randn(5, 4, 8)
    torch.testing.assert_close(head(tokens), head[-1](nn.functional.layer_norm(tokens, (8,)).mean(dim=1)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: linear_head((), 3), r"feature_shape must be \(C, H, W\), \(T, D\) or \(D,\).* got \(\): reshape"),
        (lambda: linear_head((2, 3, 4, 5), 3), r"got \(2, 3, 4, 5\): reshape it with feature="),
        (lambda: mlp_head((0, 8), 3), r"got \(0, 8\)"),
        (lambda: linear_head((8,), 0), "classes must be a whole number >= 1, got 0"),
        (lambda: mlp_head((8,), 3, hidden=1.5), "hidden must be a whole number >= 1, got 1.5"),
        (lambda: linear_head((8, 4, 4), 3, pool=0), "pool must be a whole number >= 1, got 0"),
        (lambda: conv_head((8,), 3), r"conv_head needs .* got \(8,\) and kernel=3: use linear_head or mlp_head"),
        (lambda: conv_head((8, 4, 4), 3, kernel=2), r"and an odd kernel, got \(8, 4, 4\) and kernel=2"),
        (lambda: conv_head((8, 4, 4), 3, stride=0), "stride must be a whole number >= 1, got 0"),
    ],
)
def test_bad_sizes_are_refused(make, message):
    with pytest.raises(ModelError, match=message):
        make()


class TestHeadsFor:
    @pytest.mark.parametrize(
        ("backbone", "positions", "example"),
        [
            (ResNet(), ["layer1.0", "layer1.1", "layer2.0", "layer2.1"], torch.zeros(1, 3, 8, 8)),
            (ViT(), ["blocks.0", "blocks.1", "blocks.2"], torch.zeros(1, 3, 8, 8)),
        ],
        ids=["maps", "tokens in tuples"],
    )
    def test_sized_from_what_the_backbone_gives(self, backbone, positions, example):
        modes = [module.training for module in backbone.modules()]
        heads = heads_for(backbone, example, positions=positions, types=MAKERS)
        assert [module.training for module in backbone.modules()] == modes
        assert not any(module._forward_hooks for module in backbone.modules())
        model = EarlyExitModel(backbone, heads).eval()
        assert model.exits == tuple((p, kind) for p in range(len(positions)) for kind in MAKERS)
        assert model.all_logits(example).shape == (3 * len(positions) + 1, 1, CLASSES)

    def test_options_classes_and_other_features(self):
        backbone = MLP()
        types = {"wide": functools.partial(mlp_head, hidden=40)}
        heads = heads_for(
            backbone, torch.zeros(2, 6), positions=["layers.1"], types=types, classes=3, feature=lambda out: out[:, :4]
        )
        assert parameters(heads["layers.1"]["wide"]) == 4 * 40 + 40 + 40 * 3 + 3

    def test_of_the_dtype_of_the_backbone(self):
        backbone, types = MLP().double(), {"linear": linear_head}
        heads = heads_for(backbone, torch.zeros(1, 6).double(), positions=["layers.0"], types=types)
        assert EarlyExitModel(backbone, heads).all_logits(torch.zeros(1, 6).double()).dtype == torch.float64

    def test_a_list_of_stages(self):
        stages = [nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 3))]
        model = EarlyExitModel(
            stages, heads_for(stages, torch.zeros(1, 4), positions=["0"], types={"linear": linear_head})
        )
        assert count_macs(model, torch.zeros(1, 4)).head.tolist() == [24, 0]

    def test_unknown_modules_are_refused(self):
        with pytest.raises(ModelError, match=r"the backbone has no module 'layers\.9'"):
            heads_for(MLP(), torch.zeros(1, 6), positions=["layers.9"], types=MAKERS)
