"""Costs of a model: multiply-adds against closed forms, milliseconds against a clock that the test turns."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

import dyce_search as ds
from dyce_search.runtime import EarlyExitModel, count_macs, latency, macs, measure_latency
from dyce_search.runtime.inputs import as_call
from dyce_search.runtime.metering import metered
from tests.runtime.networks import CLASSES, MLP, ResNet, ViT, mlp_heads, resnet_heads, vit_heads


def conv(inputs, outputs, kernel, side, groups=1):
    """Multiply-adds of a convolution whose output has `side` x `side` places."""
    return side * side * outputs * (inputs // groups) * kernel * kernel


def attention(tokens, width):
    """Three projections, scores, mixing, the projection back; the number of attention heads does not matter."""
    return 4 * tokens * width * width + 2 * tokens * tokens * width


def encoder_layer(tokens, width, hidden):
    return attention(tokens, width) + 2 * tokens * width * hidden


def counted(backbone, example, **options):
    """(up to the first named child's output, whole model); the probe is a head that costs nothing."""
    heads = {"0": {"probe": nn.Flatten()}}
    return count_macs(EarlyExitModel(backbone, heads, compaction=False), example, **options).backbone.tolist()


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(3, 8, 3), conv(3, 8, 3, 10)),
        (nn.Conv2d(3, 8, 3, padding=1, bias=False), conv(3, 8, 3, 12)),
        (nn.Conv2d(3, 8, 5, stride=2, padding=2), conv(3, 8, 5, 6)),
        (nn.Conv2d(3, 8, 3, stride=3, padding=1, padding_mode="reflect"), conv(3, 8, 3, 4)),
        (nn.Conv2d(3, 8, 3, dilation=2), conv(3, 8, 3, 8)),
        (nn.Conv2d(3, 6, 3, padding="same", groups=3), conv(3, 6, 3, 12, groups=3)),
        (nn.Conv2d(3, 8, (1, 3)), 12 * 10 * 8 * 3 * 3),
        (nn.ConvTranspose2d(3, 8, 2, stride=2), 12 * 12 * 3 * 8 * 2 * 2),
        (nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.PReLU(8), nn.AvgPool2d(2)), conv(3, 8, 1, 12)),
    ],
    ids=lambda value: str(value) if isinstance(value, nn.Module) else "",
)
@pytest.mark.parametrize("batch", [1, 3])
def test_convolutions(layer, expected, batch):
    backbone = nn.Sequential(layer, nn.Flatten())
    assert counted(backbone, torch.zeros(batch, 3, 12, 12)) == [expected, expected]


def test_a_residual_block_and_its_shortcut():
    backbone = ResNet(widths=(8, 16), blocks=2)
    stem, plain = conv(3, 8, 3, 8), 2 * conv(8, 8, 3, 8)
    wider = conv(8, 16, 3, 4) + conv(16, 16, 3, 4) + conv(8, 16, 1, 4)
    steps = [stem + plain, plain, wider, 2 * conv(16, 16, 3, 4), 16 * CLASSES]
    costs = count_macs(EarlyExitModel(backbone, heads=resnet_heads(backbone)), torch.zeros(2, 3, 8, 8))
    assert costs.backbone.tolist() == np.cumsum(steps).tolist()
    narrow, wide = [c * CLASSES for c in (8, 16)], [c * 12 + 12 * CLASSES for c in (8, 16)]
    expected = [narrow[0], wide[0], narrow[0], wide[0], narrow[1], wide[1], narrow[1], 0]
    assert costs.head.tolist() == expected
    assert costs.position.tolist() == [0, 0, 1, 1, 2, 2, 3, 4]
    assert costs.unit == "MACs"
    assert costs.names[:2] == ("layer1.0/linear", "layer1.0/mlp")
    assert costs.names[-1] == "final"


def test_a_depthwise_separable_net():
    depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
    backbone = nn.Sequential(nn.Sequential(nn.Conv2d(3, 16, 1), depthwise, nn.Conv2d(16, 32, 1)), nn.Flatten())
    expected = conv(3, 16, 1, 6) + 6 * 6 * 16 * 9 + conv(16, 32, 1, 6)
    assert counted(backbone, torch.zeros(2, 3, 6, 6))[0] == expected


def test_an_mlp():
    backbone = MLP(inputs=6, width=16, depth=3)
    costs = count_macs(EarlyExitModel(backbone, heads=mlp_heads(backbone)), torch.zeros(4, 6))
    assert costs.backbone.tolist() == [96, 96 + 256, 96 + 512, 96 + 512 + 80]
    assert costs.head.tolist() == [80, 80, 16 * 8 + 8 * CLASSES, 80, 0]


class First(nn.Module):
    """The first token of a sequence."""

    def forward(self, tokens):
        return tokens[:, 0]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_transformer_encoder_whose_fused_kernel_would_count_nothing(training, batch):
    layers = [nn.TransformerEncoderLayer(8, 2, 32, batch_first=True) for _ in range(2)]
    model = EarlyExitModel(nn.Sequential(*layers, First()), heads={"0": {"first": First()}}).train(training)
    costs = count_macs(model, torch.zeros(batch, 5, 8))
    assert costs.backbone.tolist() == [encoder_layer(5, 8, 32), 2 * encoder_layer(5, 8, 32)]
    assert model.training is training


def test_attention_that_returns_its_weights():
    backbone = ViT(size=8, patch=4, width=16, depth=3)
    costs = count_macs(EarlyExitModel(backbone, heads=vit_heads(backbone)), torch.zeros(2, 3, 8, 8))
    patches, block = conv(3, 16, 4, 2), encoder_layer(5, 16, 32)
    assert costs.backbone.tolist() == np.cumsum([patches + block, block, block, 16 * CLASSES]).tolist()
    assert costs.head.tolist() == [16 * CLASSES] * 3 + [0]


class Attention(nn.Module):
    """Attention as a user writes it, two query heads for each head of keys and values if `grouped`."""

    def __init__(self, grouped=False):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(8, 8), *(nn.Linear(8, 4 if grouped else 8) for _ in range(2))
        self.grouped = grouped

    def forward(self, x):
        query, key, value = (
            layer(x).unflatten(2, (-1, 2)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        return nn.functional.scaled_dot_product_attention(query, key, value, enable_gqa=self.grouped)


@pytest.mark.parametrize(("grouped", "projected"), [(False, 3 * 5 * 64), (True, 5 * 64 + 2 * 5 * 32)])
def test_scaled_dot_product_attention_which_the_counter_drops_on_the_cpu(grouped, projected):
    backbone = nn.Sequential(Attention(grouped), nn.Flatten())
    assert counted(backbone, torch.zeros(2, 5, 8))[0] == projected + 2 * 5 * 5 * 8


class ByVector(nn.Module):
    """Products with a vector, which have kernels of their own."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(8))
        self.table = nn.Parameter(torch.ones(6, 8))

    def forward(self, x):
        return (x @ self.gain).unsqueeze(1) * (self.table @ self.gain).sum() + torch.addmv(x[:, 0], x, self.gain)[
            :, None
        ]


def test_products_with_vectors():
    assert counted(nn.Sequential(ByVector(), nn.Identity()), torch.zeros(1, 8))[0] == 8 + 6 * 8 + 8


class LastStep(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, steps):
        return self.layer(steps)[0][:, -1]


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers(kind, gates):
    backbone = nn.Sequential(LastStep(kind(8, 4, batch_first=True)), nn.Identity())
    assert counted(backbone, torch.zeros(2, 5, 8))[0] == 5 * gates * (8 * 4 + 4 * 4)


def test_what_multiplies_nothing_is_no_error():
    words = nn.Sequential(nn.Embedding(10, 8), nn.LayerNorm([5, 8]), nn.Flatten(), nn.Linear(40, 3))
    assert counted(words, torch.zeros(2, 5, dtype=torch.int64)) == [0, 40 * 3]


def test_a_weight_that_is_computed_is_no_error():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(8, 3))
    assert counted(nn.Sequential(layer, nn.Identity()), torch.zeros(2, 8)) == [24, 24]


class InBuffers(nn.Module):
    """A matrix in a buffer, and a product of all with all, by hand."""

    def __init__(self):
        super().__init__()
        self.register_buffer("matrix", torch.randn(4, 4))
        self.weight = nn.Parameter(torch.randn(4, 5))

    def forward(self, x):
        return ((x @ self.matrix)[:, :, None] * self.weight).sum(1)


@pytest.mark.parametrize("batch", [2, 7])
def test_weights_in_buffers_and_broadcast_products(batch):
    assert counted(nn.Sequential(InBuffers(), nn.Identity()), torch.zeros(batch, 4)) == [16 + 20] * 2


class Weighted(nn.Module):
    """A product with a vector that is summed: a linear layer, written out."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8))

    def forward(self, x):
        return (x * self.weight).sum(-1, keepdim=True)


def test_products_that_are_summed():
    assert counted(nn.Sequential(nn.Linear(6, 8), Weighted()), torch.zeros(3, 6)) == [48, 56]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_int8_layers():
    layers = nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 48), nn.Linear(48, 5))
    quantized = torch.ao.quantization.quantize_dynamic(layers, {nn.Linear}, dtype=torch.qint8)
    assert counted(quantized, torch.zeros(3, 48)) == [2304, 2304 * 2 + 240]


class Places(nn.Module):
    """Adds a learned table, which multiplies nothing."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, 5, 8))

    def forward(self, x):
        return x + self.table


def test_a_table_that_is_added_is_free():
    backbone = nn.Sequential(nn.Sequential(Places(), nn.LayerNorm(8)), nn.Flatten(), nn.Linear(40, 3))
    assert counted(backbone, torch.zeros(2, 5, 8)) == [0, 120]


class TestUnknownOperations:
    def test_an_error_names_the_operation(self):
        backbone = nn.Sequential(nn.Linear(4, 4), nn.Sequential(Twice(), nn.ReLU()), nn.Linear(3, 3))
        with pytest.raises(
            ds.CostsError, match=r"multiply-adds of aten\._trilinear: pass formulas=\{torch.ops.aten._trilinear: form"
        ):
            counted(backbone, torch.zeros(2, 4))

    def test_also_in_a_head(self):
        model = EarlyExitModel(nn.Sequential(nn.Linear(4, 3)), heads={"0": {"pair": Twice(3)}})
        with pytest.raises(ds.CostsError, match="_trilinear"):
            count_macs(model, torch.zeros(2, 4))

    def test_a_formula_counts_it(self):
        def formula(first, weight, second, *args, out_shape=None, **kwargs):
            return 2 * first[0] * math.prod(weight)

        backbone = nn.Sequential(Twice(), nn.Identity())
        formulas = {torch.ops.aten._trilinear: formula}
        assert counted(backbone, torch.zeros(2, 4), formulas=formulas) == [48, 48]

    def test_ignored_ones_are_no_error(self):
        backbone = nn.Sequential(nn.Linear(4, 4), Twice())
        assert counted(backbone, torch.zeros(2, 4), ignore=["aten._trilinear"]) == [16, 16]


class Twice(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.pair = nn.Bilinear(width, width, 3)

    def forward(self, x):
        return self.pair(x, x)


def test_counting_leaves_no_trace():
    backbone = ResNet()
    model = EarlyExitModel(backbone, heads=resnet_heads(backbone)).train()
    backbone.layer1.eval()  # partly frozen, as when fine-tuning
    backbone.fc.weight.requires_grad_(False)
    model.heads[0].append(nn.Dropout())
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    random_state, fused = torch.get_rng_state(), torch.backends.mha.get_fastpath_enabled()
    for measure in (count_macs, measure_latency):
        measure(model, torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
        with pytest.raises(Exception, match="expected input"):
            measure(model, torch.zeros(2, 4, 8, 8))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()] == hooks
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.backends.mha.get_fastpath_enabled() is fused


class Takes(nn.Module):
    """A layer that turns the clock."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def forward(self, x):
        self.clock.now += self.seconds.pop(0) if isinstance(self.seconds, list) else self.seconds
        return x


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class TestLatency:
    def test_medians_a_sample_of_each_part(self, monkeypatch):
        clock = Clock()
        monkeypatch.setattr(latency, "perf_counter", clock)
        uneven = [50.0, 50.0, 2.0, 8.0, 1.0]  # what has to be built, the warm-up, then three runs
        backbone = nn.Sequential(Takes(clock, 0.5), Takes(clock, uneven), Takes(clock, 0.25))
        heads = {"0": {"a": Takes(clock, 0.125), "b": Takes(clock, 1.0)}, "1": {"a": Takes(clock, 2.0)}}
        model = EarlyExitModel(backbone, heads, compaction=False)  # stages would not turn the clock
        costs = measure_latency(model, torch.zeros(4, 3), repeats=3, warmup=1)
        assert costs.backbone.tolist() == [125.0, 625.0, 687.5]  # milliseconds of a batch of 4, divided by 4
        assert costs.head.tolist() == [31.25, 250.0, 500.0, 0.0]
        assert costs.unit == "ms"
        assert costs.names == ("0/a", "0/b", "1/a", "final")

    def test_of_a_real_network_never_falls(self):
        backbone = ResNet()
        costs = measure_latency(
            EarlyExitModel(backbone, heads=resnet_heads(backbone)), torch.zeros(2, 3, 8, 8), repeats=3
        )
        assert costs.n_exits == 8
        assert (np.diff(costs.backbone) > 0).all()
        assert (costs.head[:-1] > 0).all()

    def test_a_batch_that_thins_out_costs_each_sample_that_is_left_the_same(self):
        """Multiply-adds are so many a sample however many there are: parts are divided by who goes through them."""
        backbone = ResNet()
        model = EarlyExitModel(backbone, heads=resnet_heads(backbone)).eval()
        call, counter = as_call(torch.zeros(8, 3, 8, 8)), macs._Counter({}, ())
        model.features(*call.args)  # builds the stages
        with torch.no_grad(), counter:
            whole, thinning = (metered(model, call, lambda: counter.macs, rows) for rows in ([8] * 5, [8, 5, 5, 1, 1]))
        assert thinning[0] == pytest.approx(whole[0])
        assert thinning[1] == pytest.approx(whole[1])

    @pytest.mark.parametrize(
        ("share", "rows"),
        [([0.5, 0.2, 0, 0, 0.3], [10, 5, 3, 3, 3]), ([1, 0, 0, 0, 0], [10, 1, 1, 1, 1]), ([0, 0, 0, 0, 1], [10] * 5)],
    )
    def test_shares_tell_how_many_get_where(self, share, rows, monkeypatch):
        found = []
        monkeypatch.setattr(latency, "metered", lambda *args: found.append(args[-1]) or metered(*args))
        backbone = ResNet()
        model = EarlyExitModel(backbone, heads=resnet_heads(backbone))
        costs = measure_latency(model, torch.zeros(10, 3, 8, 8), exit_share=share, repeats=1, warmup=0)
        assert found == [rows]
        assert (np.diff(costs.backbone) >= 0).all()

    @pytest.mark.parametrize("share", [[0.5, 0.5], [0.5, 0.5, 0.5, -0.5, 0], [0.1] * 5, "half", [None] * 5])
    def test_other_shares_are_refused(self, share):
        backbone = ResNet()
        model = EarlyExitModel(backbone, heads=resnet_heads(backbone))
        with pytest.raises(ds.CostsError, match=r"exit_share must (have shape \(P\+1,\) = \(5,\), not below 0|be )"):
            measure_latency(model, torch.zeros(4, 3, 8, 8), exit_share=share)

    def test_shares_need_a_batch_that_samples_can_leave(self):
        model = EarlyExitModel(nn.Sequential(nn.Linear(3, 3)), {"0": {"same": nn.Identity()}}, compaction=False)
        with pytest.raises(ds.CostsError, match="exit_share needs a model that can be cut"):
            measure_latency(model, torch.zeros(2, 3), exit_share=[0.5, 0.5])

    @pytest.mark.parametrize("options", [{"repeats": 0}, {"warmup": -1}])
    def test_bad_options_are_refused(self, options):
        model = EarlyExitModel(nn.Sequential(nn.Linear(3, 3)), heads={"0": {"same": nn.Identity()}})
        with pytest.raises(ds.CostsError, match=r"(repeats|warmup) must be a whole number >= [01], got"):
            measure_latency(model, torch.zeros(2, 3), **options)
