"""Exits at a backbone: who leaves, what is computed, and all that a module must be able to do."""

import copy
import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import dyce_search as ds
from dyce_search.errors import ModelError
from dyce_search.runtime import EarlyExitModel
from dyce_search.runtime.confidence import MEASURES, confidence_of
from tests.runtime.networks import CLASSES, MLP, ResNet, ViT, Watched, mlp_heads, resnet_heads, vit_heads

INF = float("inf")
IMAGES = (9, 3, 8, 8)


def build(kind, **options):
    """A model in eval mode with an input for it."""
    backbone, heads_of, shape = {
        "resnet": (ResNet, resnet_heads, IMAGES),
        "vit": (ViT, vit_heads, IMAGES),
        "mlp": (MLP, mlp_heads, (9, 6)),
    }[kind]
    made = backbone()
    return EarlyExitModel(made, heads_of(made), **options).eval(), torch.randn(shape)


def half_leave(model, x):
    """Everywhere the first candidate, whose threshold is the median of all confidences there."""
    with torch.no_grad():
        logits = model.all_logits(x)
    firsts = [[p for p, _ in model.exits].index(p) for p in range(len(model.positions))]
    levels = [confidence_of(logits[e], model.confidence).sort().values for e in firsts]
    return ds.ExitConfig(candidate=[0] * len(firsts), threshold=[float(v[4] + v[5]) / 2 for v in levels])


def slow_twin(model, config, x, rows=None):
    """Sample by sample from the logits of all exits, by the rule as DESIGN states it."""
    with torch.no_grad():
        every = model.all_logits(x)
    logits, position = [], []
    for row in range(len(x)) if rows is None else rows:
        e = 0
        for p, (candidate, threshold) in enumerate(zip(config.candidate, config.threshold, strict=True)):
            sure = confidence_of(every[e + candidate, row : row + 1], model.confidence).item()
            if candidate >= 0 and sure > threshold:
                logits.append(every[e + candidate, row])
                position.append(p)
                break
            e += sum(q == p for q, _ in model.exits)
        else:
            logits.append(every[-1, row])
            position.append(len(model.positions))
    return torch.stack(logits), torch.tensor(position)


def assert_equal_outputs(output, expected):
    torch.testing.assert_close(output.logits, expected.logits, rtol=0, atol=0)
    assert torch.equal(output.position, expected.position)
    assert torch.equal(output.confidence, expected.confidence)


@pytest.mark.parametrize("kind", ["resnet", "vit", "mlp"])
@pytest.mark.parametrize("compaction", [True, False])
@pytest.mark.parametrize("measure", MEASURES)
def test_every_sample_leaves_where_the_rule_says(kind, compaction, measure):
    model, x = build(kind, compaction=compaction, confidence=measure)
    config = half_leave(model, x)
    model.configure(config)
    output = model(x)
    logits, position = slow_twin(model, config, x)
    assert len(position.unique()) > 2
    assert torch.equal(output.position, position)
    torch.testing.assert_close(output.logits, logits)
    torch.testing.assert_close(output.confidence, confidence_of(logits, measure), rtol=1e-4, atol=1e-6)
    assert output.config == model.config == config


@pytest.mark.parametrize("kind", ["resnet", "vit", "mlp"])
@pytest.mark.parametrize("off", [None, "no exit enabled"])
def test_without_exits_it_is_the_backbone_to_the_bit(kind, off):
    model, x = build(kind)
    model.configure(None if off is None else ds.ExitConfig.none(len(model.positions)))
    output = model(x)
    assert torch.equal(output.logits, copy.deepcopy(model.backbone)(x))
    assert (output.position == len(model.positions)).all()
    assert torch.equal(output.confidence, confidence_of(output.logits, "max_prob"))


def test_all_leave_at_once_and_nothing_after_runs():
    model, x = build("resnet")
    model.configure(ds.ExitConfig(candidate=[0, 1, 0, 0], threshold=[INF, -INF, -INF, -INF]))
    output = model(x)
    with Watched() as seen:
        assert (model(x).position == 1).all()
    assert len(seen.rows) == 5 + 1 + 2  # the stem, two blocks, and what their heads multiply
    assert torch.equal(output.logits, model.all_logits(x)[3])


@pytest.mark.parametrize("compaction", [True, False])
def test_later_layers_see_only_those_that_go_on_and_disabled_heads_nobody(compaction):
    model, x = build("mlp", compaction=compaction)
    config = ds.ExitConfig(candidate=[0, -1, 0], threshold=half_leave(model, x).threshold)
    model.configure(config)
    with Watched() as seen:
        position = model(x).position
    gone = int((position == 0).sum())
    assert 0 < gone < len(x)
    stay, last = 9 - gone, int((position == 3).sum())
    assert seen.rows == [9, 9, *([stay, stay, stay, last] if compaction else [9, 9, stay, 9])]


def test_a_threshold_at_the_confidence_keeps_the_sample():
    model, x = build("mlp")
    sure = np.float32(confidence_of(model.all_logits(x[:1])[0], "max_prob").item())
    for threshold, position in ((sure, 3), (np.nextafter(sure, np.float32(0)), 0)):
        model.configure(ds.ExitConfig(candidate=[0, -1, -1], threshold=[threshold, 0, 0]))
        assert model(x[:1]).position.item() == position


def test_each_row_of_a_batch_is_measured_on_its_own_to_the_bit():
    logits = 5 * torch.randn(64, 11)
    for measure in MEASURES:
        one_by_one = torch.cat([confidence_of(row[None], measure) for row in logits])
        assert torch.equal(confidence_of(logits, measure), one_by_one)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_measures_agree_with_those_of_numpy(measure, dtype):
    logits = (3 * torch.randn(50, 7)).to(dtype)
    costs = ds.ExitCosts(backbone=[1, 2], head=[0, 0], position=[0, 1])
    records = ds.ExitRecords.from_logits(torch.stack([logits] * 2), [0] * 50, costs=costs, confidence=measure)
    np.testing.assert_allclose(confidence_of(logits, measure), records.confidence[0], rtol=2e-5, atol=1e-6)


def test_names_and_layout():
    model, _ = build("mlp")
    assert model.positions == ("layers.0", "layers.1", "layers.2")
    assert model.exits == ((0, "linear"), (1, "linear"), (1, "mlp"), (2, "linear"))
    assert model.exit_names == ("layers.0/linear", "layers.1/linear", "layers.1/mlp", "layers.2/linear", "final")
    assert isinstance(model.heads[2], nn.Sequential)


def test_features_are_what_the_heads_see():
    model, x = build("vit")
    features, final = model.features(x)
    logits = model.all_logits(x)
    for e, (p, _) in enumerate(model.exits):
        assert torch.equal(model.heads[e](features[p]), logits[e])
    assert torch.equal(final, logits[-1])


def test_features_stay_when_later_layers_work_in_place():
    backbone = nn.Sequential(nn.Linear(6, 4), nn.ReLU(inplace=True), nn.Linear(4, 3))
    model = EarlyExitModel(backbone, {"0": {"linear": nn.Linear(4, 3)}})
    x = torch.randn(5, 6)
    (feature,), _ = model.features(x)
    assert torch.equal(feature, backbone[0](x))
    assert (feature < 0).any()


@pytest.mark.parametrize("kind", [list, tuple, nn.ModuleList])
def test_a_list_of_stages_is_a_backbone(kind):
    stages = [nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 8)), nn.Linear(8, 3)]
    model = EarlyExitModel(kind(stages), {"1": {"linear": nn.Linear(8, 3)}}).eval()
    assert torch.equal(model(torch.ones(2, 4)).logits, nn.Sequential(*stages)(torch.ones(2, 4)))


def test_a_feature_is_taken_out_of_a_mapping_and_every_tensor_in_it_compacted():
    class Named(nn.Module):
        def forward(self, x):
            return {"mask": x > 0, "hidden": [x, (2 * x,)], "scale": torch.ones(3, 1), "name": "a"}

    class Rest(nn.Module):
        def forward(self, named):
            x, (twice,) = named["hidden"]
            return (x + twice) * named["mask"] * named["scale"].sum()

    model = EarlyExitModel(
        [Named(), Rest()], {"0": {"same": nn.Identity()}}, feature=lambda named: named["hidden"][0]
    ).eval()
    x = torch.randn(8, 4)
    model.configure(ds.ExitConfig(candidate=[0], threshold=[0.5]))
    output = model(x)
    stayed = output.position == 1
    assert 0 < stayed.sum() < 8
    torch.testing.assert_close(output.logits[stayed], (9 * x * (x > 0))[stayed])


def test_inputs_by_name_and_an_output_with_logits():
    class Output:
        def __init__(self, logits):
            self.logits = logits

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.fc = nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, *, values, scale=1.0):
            return Output(self.fc(scale * self.body(values)))

    model = EarlyExitModel(Named(), {"body": {"linear": nn.Linear(4, 3)}}).eval()
    x = torch.randn(5, 4)
    assert torch.equal(model(values=x, scale=2.0).logits, model.backbone(values=x, scale=2.0).logits)


# What a module must be able to do


def test_deep_copies_are_independent_and_their_hooks_are_their_own():
    model, x = build("mlp")
    model.configure(half_leave(model, x))
    expected = model(x)
    other = copy.deepcopy(model)
    assert_equal_outputs(other(x), expected)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.configure(None)
    assert_equal_outputs(model(x), expected)
    assert (other(x).logits == 0).all()


def test_save_and_load_of_the_whole_module():
    model, x = build("vit")
    model.configure(half_leave(model, x))
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    other = torch.load(file, weights_only=False)
    assert_equal_outputs(other(x), model(x))
    other.configure(None)
    assert model.config is not None


def test_state_dict_round_trip():
    model, x = build("resnet")
    other, _ = build("resnet")
    config = half_leave(model, x)
    model.configure(config)
    other.configure(config)
    assert not torch.equal(other(x).logits, model(x).logits)
    other.load_state_dict(model.state_dict())
    assert_equal_outputs(other(x), model(x))


def test_two_models_may_share_a_backbone():
    model, x = build("mlp")
    other = EarlyExitModel(model.backbone, mlp_heads(model.backbone)).eval()
    model.configure(half_leave(model, x))
    expected = slow_twin(model, model.config, x)[1]
    assert torch.equal(model(x).position, expected)
    other.configure(ds.ExitConfig(candidate=[0, -1, -1], threshold=[-INF, 0, 0]))
    assert (other(x).position == 0).all()
    assert torch.equal(model(x).position, expected)


def test_a_model_may_be_part_of_another():
    inner, x = build("mlp")

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.fc = inner, nn.Linear(CLASSES, CLASSES)

        def forward(self, x):
            return self.fc(self.inner(x).logits)

    model = EarlyExitModel(
        Outer(), {"inner": {"same": nn.Identity()}}, feature=lambda output: output.logits, compaction=False
    ).eval()
    inner.configure(half_leave(inner, x))
    expected = inner(x)
    model.configure(ds.ExitConfig(candidate=[0], threshold=[-INF]))
    assert torch.equal(model(x).logits, expected.logits)


@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_float64_inference_mode_and_autocast(kind):
    model, x = build(kind)
    model.configure(half_leave(model, x))
    expected = model(x)
    with torch.inference_mode():
        assert_equal_outputs(model(x), expected)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = model(x)
    assert reduced.confidence.dtype == torch.float32
    assert (reduced.position == expected.position).float().mean() > 0.5
    for parameter, before in zip(model.backbone.parameters(), copy.deepcopy(model).backbone.parameters(), strict=True):
        assert torch.equal(parameter, before)
    half = copy.deepcopy(model).bfloat16()(x.bfloat16())
    assert (half.logits.dtype, half.confidence.dtype) == (torch.bfloat16, torch.float32)
    double = model.double()(x.double())
    assert (double.logits.dtype, double.confidence.dtype) == (torch.float64, torch.float32)
    assert torch.equal(double.position, expected.position)


class Autocast(nn.Module):
    """Runs a module in bfloat16, without gradients."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            return self.inner(x)


def test_a_backbone_in_an_autocast_of_its_own_runs_with_hooks(caplog):
    inner, x = MLP(), torch.randn(9, 6)
    heads = {f"inner.{name}": kinds for name, kinds in mlp_heads(inner).items()}
    model = EarlyExitModel(Autocast(inner), heads, example=x).eval()
    assert model.compacts is False
    assert "cannot be cut into stages (a position lies in a region with an autocast" in caplog.text
    model.configure(ds.ExitConfig(candidate=[0, -1, -1], threshold=[-INF, 0, 0]))
    assert (model(x).position == 0).all()
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")


def test_training_mode_without_a_configuration_is_the_backbone():
    model, x = build("resnet")
    model.train()
    twin = copy.deepcopy(model.backbone)
    output = model(x)
    assert torch.equal(output.logits, twin(x))
    output.logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.backbone.parameters())
    assert all(parameter.grad is None for parameter in model.heads.parameters())


def test_channels_last_stays_so_when_a_batch_is_compacted():
    model, x = build("resnet")
    model.configure(half_leave(model, x))
    expected = model(x)
    model.to(memory_format=torch.channels_last)
    with Watched() as seen:
        output = model(x.to(memory_format=torch.channels_last))
    assert torch.equal(output.position, expected.position)
    assert len(set(seen.rows)) > 2
    convolutions = [layout for rows, layout in zip(seen.rows, seen.layouts, strict=True) if rows == seen.rows[4]]
    assert any(convolutions)


class NamedOutputs(nn.Module):
    """Gives a dictionary in which the logits are not the first tensor."""

    def __init__(self):
        super().__init__()
        self.body, self.fc = nn.Linear(6, 4), nn.Linear(4, 3)

    def forward(self, x):
        x = self.body(x)
        return {"hidden": x, "logits": self.fc(x)}


def test_logits_in_a_dictionary():
    model = EarlyExitModel(NamedOutputs(), {"body": {"linear": nn.Linear(4, 3)}}).eval()
    x = torch.randn(5, 6)
    assert torch.equal(model(x).logits, model.backbone(x)["logits"])
    model.configure(ds.ExitConfig(candidate=[0], threshold=[INF]))
    assert torch.equal(model(x).logits, model.backbone(x)["logits"])


def test_a_position_inside_another():
    backbone = nn.Sequential(nn.Sequential(nn.Linear(6, 4), nn.ReLU()), nn.Linear(4, CLASSES))
    model = EarlyExitModel(backbone, {name: {"linear": nn.Linear(4, CLASSES)} for name in ("0.0", "0")}).eval()
    x = torch.randn(9, 6)
    config = half_leave(model, x)
    model.configure(config)
    assert torch.equal(model(x).position, slow_twin(model, config, x)[1])


def test_hooks_of_others_from_before_change_what_they_always_did():
    model, x = build("mlp")
    backbone = copy.deepcopy(model.backbone)
    backbone.layers[0].register_forward_pre_hook(lambda module, inputs: (2 * inputs[0],))
    doubled = EarlyExitModel(backbone, mlp_heads(backbone), example=x).eval()
    config = half_leave(doubled, x)
    doubled.configure(config)
    assert torch.equal(doubled(x).position, slow_twin(doubled, config, x)[1])
    assert torch.equal(doubled.all_logits(x)[-1], backbone(x))


def test_an_error_in_a_head_of_others_is_theirs_and_leaves_no_trace():
    model, x = build("mlp")
    model.configure(half_leave(model, x))
    expected = model(x)

    def fail(*_):
        raise KeyError("theirs")

    hook = model.heads[1].register_forward_hook(fail)
    with pytest.raises(KeyError, match="theirs"):
        model(x)
    hook.remove()
    assert_equal_outputs(model(x), expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_backbone_is_recognised():
    for compile_part in (torch.compile, lambda module: module.compile(backend="eager") or module):
        backbone = MLP()
        with pytest.raises(ModelError, match=r"must not be compiled yet, but 'it' .* compile the stages with"):
            EarlyExitModel(compile_part(backbone), {"layers.0": {"linear": nn.Linear(16, CLASSES)}})
        backbone.layers[1] = compile_part(backbone.layers[1])
        with pytest.raises(ModelError, match=r"but '(layers.1|it)' \("):
            EarlyExitModel(backbone, mlp_heads(MLP()))


def test_gradients_of_a_configured_model():
    model, x = build("vit")
    model.configure(half_leave(model, x))
    model(x).logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_failure_of_the_backbone_is_its_own():
    class Failing(nn.Module):
        def forward(self, x):
            raise RuntimeError("out of order")

    model = EarlyExitModel([nn.Linear(6, 6), Failing()], {"0": {"linear": nn.Linear(6, CLASSES)}}).eval()
    model.configure(ds.ExitConfig(candidate=[0], threshold=[0.4]))
    with pytest.raises(RuntimeError, match=r"^out of order$"):
        model(5 * torch.randn(30, 6))


# Mistakes


def assert_works(model, x):
    """After an error the model answers as ever."""
    model.configure(ds.ExitConfig(candidate=[0] * len(model.positions), threshold=[-INF] * len(model.positions)))
    assert (model(x).position == 0).all()
    model.configure(None)
    assert torch.equal(model(x).logits, model.backbone(x))


def test_unknown_modules_are_named_with_close_ones():
    backbone = ResNet()
    with pytest.raises(ModelError, match=r"has no module 'layer1\.O': did you mean .*'layer1\.0'"):
        EarlyExitModel(backbone, {"layer1.O": {"linear": nn.Identity()}})
    with pytest.raises(ModelError, match="heads must name one or more modules of the backbone, got none"):
        EarlyExitModel(backbone, {})
    with pytest.raises(ModelError, match="heads must name one or more modules of the backbone, got list"):
        EarlyExitModel(backbone, [nn.Linear(2, 2)])
    with pytest.raises(ModelError, match="backbone must be a module or a list of modules, got str"):
        EarlyExitModel("resnet18", {"layer1": {"linear": nn.Linear(2, 2)}})
    with pytest.raises(ModelError, match=r"heads\['layer1'\] must be one or more modules by type"):
        EarlyExitModel(backbone, {"layer1": nn.Linear(2, 2)})
    with pytest.raises(ModelError, match=r"heads\['layer1'\] must be one or more modules by type"):
        EarlyExitModel(backbone, {"layer1": {}})
    with pytest.raises(ModelError, match="unknown confidence 'sure': use one of max_prob, margin, entropy"):
        EarlyExitModel(backbone, resnet_heads(backbone), confidence="sure")


def test_one_module_under_two_names():
    shared = nn.Linear(4, 4)
    with pytest.raises(ModelError, match="'0' and '1' are the same module"):
        EarlyExitModel([shared, shared], {"0": {"a": nn.Identity()}, "1": {"a": nn.Identity()}})


class Rerun(nn.Module):
    """Runs its layers in a given order."""

    def __init__(self, order):
        super().__init__()
        self.order, self.a, self.b, self.fc = order, nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, CLASSES)

    def forward(self, x):
        for name in self.order:
            x = getattr(self, name)(x)
        return self.fc(x)


@pytest.mark.parametrize(
    ("order", "what"),
    [("aba", "'a' ran twice, or after 'b'"), ("ba", "'b' ran before 'a'"), ("a", "'b' did not run")],
)
def test_modules_that_run_twice_out_of_order_or_not_at_all(order, what):
    heads = {name: {"linear": nn.Linear(4, CLASSES)} for name in "ab"}
    model = EarlyExitModel(Rerun(order), heads).eval()
    x = torch.randn(3, 4)
    model.configure(ds.ExitConfig(candidate=[0, 0], threshold=[INF, INF]))
    for call in (model, model.all_logits, model.features):
        with pytest.raises(ModelError, match=f"must run once each, in the order given, but {what}"):
            call(x)
    model.backbone.order = "ab"
    assert_works(model, x)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (nn.Linear(5, CLASSES), r"head 'layers.1/linear' cannot take the feature .* shape \(3, 16\): .*16.*5"),
        (
            nn.Linear(16, 7),
            r"'layers.1/linear' must give logits of shape \(3, 5\), got \(3, 7\): all exits must have the same classes",
        ),
        (nn.Unflatten(1, (4, 4)), r"exit 'layers.1/linear' must give logits of shape \(3, C\), got \(3, 4, 4\)"),
        (nn.Flatten(0), r"must give logits of shape \(3, C\), got \(48,\)"),
        (nn.LSTM(16, CLASSES), r"must give logits of shape \(3, C\), got tuple"),
    ],
)
def test_heads_that_do_not_fit(head, message):
    backbone = MLP()
    heads = mlp_heads(backbone)
    heads["layers.1"]["linear"] = head
    model, x = EarlyExitModel(backbone, heads).eval(), torch.randn(9, 6)
    with pytest.raises(ModelError, match=message):
        model.all_logits(x)
    model.configure(ds.ExitConfig(candidate=[-1, 0, -1], threshold=[0, -INF, 0]))
    with pytest.raises(ModelError, match=message):
        model(x)
    model.heads[1] = nn.Linear(16, CLASSES).eval()
    assert_works(model, x)


def test_a_feature_without_a_row_for_each_sample():
    model = EarlyExitModel([nn.Flatten(0), nn.Unflatten(0, (3, 4))], {"0": {"same": nn.Identity()}}).eval()
    model.configure(ds.ExitConfig(candidate=[0], threshold=[0]))
    with pytest.raises(ModelError, match=r"feature at '0' must have one row for each of the 3 samples, got shape \(12"):
        model(torch.randn(3, 4))
    model = EarlyExitModel([nn.LSTM(4, 4), nn.Identity()], {"0": {"a": nn.Identity()}}, feature=lambda out: out).eval()
    model.configure(ds.ExitConfig(candidate=[0], threshold=[0]))
    with pytest.raises(ModelError, match="the feature at '0' must be a tensor, got tuple: see feature="):
        model(torch.randn(3, 4))


def test_a_config_of_another_network():
    model, x = build("mlp")
    model.configure(ds.ExitConfig(candidate=[0, -1, -1], threshold=[-INF, 0, 0]))
    with pytest.raises(ds.ConfigError, match="has 2 positions, the network 3: it belongs to another network"):
        model.configure(ds.ExitConfig.none(2))
    with pytest.raises(ds.ConfigError, match="position 0 has candidates 0 to 0, the configuration enables 1"):
        model.configure(ds.ExitConfig(candidate=[1, -1, -1], threshold=[0, 0, 0]))
    with pytest.raises(ds.ConfigError, match="must be an ExitConfig, an OperatingPoint or None, got dict"):
        model.configure({})
    assert (model(x).position == 0).all()  # that in force stays
    assert_works(model, x)


@pytest.mark.parametrize("configured", [True, False])
def test_empty_batches_and_no_batch(configured):
    model, x = build("resnet")
    if configured:
        model.configure(half_leave(model, x))
    with pytest.raises(ModelError, match=r"shape \(B, ...\) with one or more samples, got shape \(0, 3, 8, 8\)"):
        model(x[:0])
    with pytest.raises(ModelError, match="got no tensor"):
        model([1, 2])
    assert_works(model, x)


@pytest.mark.parametrize("bad", [float("nan"), INF])
@pytest.mark.parametrize("where", ["layers.1/linear", "final"])
def test_nan_logits_name_the_exit_and_the_sample(bad, where):
    model, x = build("mlp")
    layer = model.heads[1] if where != "final" else model.backbone.fc
    layer.register_forward_hook(lambda _, inputs, logits: logits.masked_fill(logits == logits[-1:], bad))
    model.configure(ds.ExitConfig(candidate=[-1, 0, -1], threshold=[0, INF, 0]))
    with pytest.raises(ModelError, match=f"NaN or infinite, but exit '{where}' gave .* for sample 8 of the batch"):
        model(x)
    layer._forward_hooks.clear()
    assert_works(model, x)


def test_a_configured_model_refuses_training_mode():
    model, x = build("resnet")
    model.configure(half_leave(model, x))
    model.train()
    with pytest.raises(ModelError, match="must be in eval mode, got training mode"):
        model(x)
    model.eval()
    assert_works(model, x)


def test_measures_of_ones_own():
    model, x = build("mlp", confidence=lambda probs: 1 - probs.amin(dim=1))
    config = half_leave(model, x)
    model.configure(config)
    assert torch.equal(model(x).position, slow_twin(model, config, x)[1])
    model, x = build("mlp", confidence=lambda probs: probs)
    with pytest.raises(ModelError, match=r"must return shape \(B,\) = \(9,\), got \(9, 5\)"):
        model(x)
    for measure in ("margin", "entropy"):  # one column is the second of two classes
        assert confidence_of(torch.zeros(3, 1), measure).tolist() == [0, 0, 0]


def test_without_torch_the_message_names_the_extra():
    code = "import sys; sys.modules['torch'] = None\nimport dyce_search.runtime"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingPackageError: dyce_search.runtime needs PyTorch" in done.stderr
    assert "pip install 'dyce_search[torch]'" in done.stderr


def test_an_output_shows_itself_in_a_line():
    model, images = ResNet(), torch.randn(3, 3, 8, 8)
    output = EarlyExitModel(model, resnet_heads(model)).eval()(images)
    assert repr(output) == f"EarlyExitOutput(logits=(3, {CLASSES}), position=(3,), confidence=(3,), config=None)"
