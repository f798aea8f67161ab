"""The graph cut into stages: what is carried, what is refused by name, what runs with hooks instead."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import dyce_search as ds
from dyce_search.errors import ModelError
from dyce_search.runtime import EarlyExitModel, count_macs, heads_for, linear_head, record
from dyce_search.runtime.confidence import confidence_of
from dyce_search.runtime.inputs import as_call
from tests.runtime.networks import CLASSES, MLP, ResNet, Watched, mlp_heads, pooled_head

INF = float("inf")


def assert_served_as_recorded(model, *inputs, **options):
    """Half of those who come leave at every exit: where the rule says, with the logits of all exits."""
    with torch.no_grad():
        logits = model.all_logits(*inputs, **options)
    positions, samples = len(model.positions), logits.shape[1]
    confidence = torch.stack([confidence_of(values, "max_prob") for values in logits])
    thresholds, under_way, expected = [], torch.ones(samples, dtype=bool), torch.full((samples,), positions)
    for p in range(positions):
        exit_index = [q for q, _ in model.exits].index(p)
        thresholds.append(confidence[exit_index, under_way].median().item() if under_way.any() else 0.0)
        leave = under_way & (confidence[exit_index] > thresholds[-1])
        expected[leave] = p
        under_way &= ~leave
    model.configure(ds.ExitConfig(candidate=[0] * positions, threshold=thresholds))
    with torch.no_grad():
        output = model(*inputs, **options)
    firsts = [[q for q, _ in model.exits].index(p) for p in range(positions)] + [-1]
    assert torch.equal(output.position, expected)
    torch.testing.assert_close(output.logits, logits[[firsts[p] for p in expected], torch.arange(samples)])
    model.configure(None)
    return output


def said(caplog):
    return "\n".join(entry.getMessage() for entry in caplog.records if entry.name.startswith("dyce_search"))


def linear_heads(*names, width=6):
    return {name: {"linear": nn.Linear(width, CLASSES)} for name in names}


class Carrying(nn.Module):
    """Uses, behind the exits, something of each sample that was put by before them."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.first, self.second, self.fc = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, CLASSES)
        self.register_buffer("table", torch.randn(9, 6))  # as many rows as there are samples below

    def forward(self, x):
        skip, samples = x, len(x)
        x = self.first(x)
        if self.how == "sliced":
            skip = skip[: len(x)]
        if self.how == "turned":
            skip = skip.T.contiguous()
        x = self.second(x)
        if self.how == "turned":
            skip = skip.T
        if self.how == "reshaped":
            x = x.reshape(samples, 2, 3).flatten(1)
        if self.how == "a table":
            skip = skip + self.table.sum(dim=0) + self.table[2]
        if self.how == "in place":
            x.mul_(2).add_(1)
        return self.fc(x + skip)


@pytest.mark.parametrize("how", ["added", "sliced", "turned", "reshaped", "a table", "in place"])
@pytest.mark.parametrize("samples", [1, 2, 9, 30])
def test_what_is_carried_beside_the_feature_is_cut_with_it(how, samples):
    backbone = Carrying(how)
    model = EarlyExitModel(backbone, linear_heads("first", "second"), example=torch.randn(4, 6)).eval()
    assert model.compacts
    output = assert_served_as_recorded(model, torch.randn(samples, 6))
    assert samples < 9 or len(output.position.unique()) == 3


class Mixing(nn.Module):
    """Mixes samples behind the exit."""

    def __init__(self, how):
        super().__init__()
        self.first, self.how, self.fc = nn.Linear(6, 6), how, nn.Linear(6, CLASSES)
        self.norm = nn.BatchNorm1d(6, track_running_stats=False)

    def forward(self, x):
        x = self.first(x)
        return self.fc(self.norm(x) if self.how is None else self.how(x))


MIXINGS = {
    "batch norm without running statistics": None,
    "minus the mean": lambda h: h - h.mean(0),
    "a little of the neighbour": lambda h: h + 1e-6 * h.roll(1, 0),
    "one scale for all": lambda h: (h / h.abs().max() * 127).round(),
    "softmax over the samples": lambda h: h.softmax(0),
    "attention over the samples": lambda h: (h @ h.T).softmax(1) @ h,
    "the number of samples": lambda h: h / h.shape[0],
}


@pytest.mark.parametrize("how", MIXINGS)
def test_what_mixes_samples_is_refused_by_name(how):
    backbone, x = Mixing(MIXINGS[how]), torch.zeros(2, 6)
    with pytest.raises(ModelError, match=r"mixes samples: what aten\.\S+ in '.*' gives .* depends on .*compaction=F"):
        EarlyExitModel(backbone, linear_heads("first"), example=x)
    model = EarlyExitModel(backbone, linear_heads("first")).eval()
    with pytest.raises(ModelError, match="mixes samples"):
        model.all_logits(x)
    whole = EarlyExitModel(backbone, linear_heads("first"), compaction=False).eval()
    whole.configure(ds.ExitConfig(candidate=[0], threshold=[INF]))
    x = torch.randn(30, 6)
    assert torch.equal(whole(x).logits, backbone.eval()(x))


@pytest.mark.parametrize("head", [nn.Identity(), nn.Flatten()])
def test_heads_that_pass_on_a_tensor_which_is_changed_later(head):
    backbone = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True), nn.Linear(3, 3))
    x, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    costs = ds.ExitCosts(backbone=[1, 2], head=[0, 0], position=[0, 1])
    expected = backbone[0](x).argmax(1)
    for compaction in (True, False):
        model = EarlyExitModel(backbone, {"0": {"same": head}}, compaction=compaction).eval()
        records = record(model, [(x, labels)], costs=costs, n_samples=6)
        assert records.prediction[0].tolist() == expected.tolist()
        model.configure(ds.ExitConfig(candidate=[0], threshold=[-INF]))
        assert model(x).logits.argmax(1).tolist() == expected.tolist()


def test_a_head_that_changes_its_feature():
    head = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, CLASSES))
    backbone, x = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, CLASSES)), torch.randn(4, 6)
    with pytest.raises(ModelError, match=r"head '0/relu' changes its feature in place, which later layers need: build"):
        EarlyExitModel(backbone, {"0": {"relu": head}}, example=x)
    with pytest.raises(ModelError, match="changes its feature in place"):
        EarlyExitModel(backbone, {"0": {"relu": head}}, compaction=False).eval().all_logits(x)


def test_positions_inside_a_residual_block():
    backbone = ResNet()
    heads = {name: {"pooled": pooled_head(8)} for name in ("layer1.0.bn1", "layer1.0.conv2", "layer1.1.relu#0")}
    model = EarlyExitModel(backbone, heads, example=torch.randn(2, 3, 8, 8)).eval()
    for samples in (1, 64):
        assert_served_as_recorded(model, torch.randn(samples, 3, 8, 8))


class Looped(nn.Module):
    """One block, several times."""

    def __init__(self, times=4):
        super().__init__()
        self.block, self.fc, self.times = nn.Sequential(nn.Linear(6, 6), nn.Tanh()), nn.Linear(6, CLASSES), times

    def forward(self, x):
        for _ in range(self.times):
            x = x + self.block(x)
        return self.fc(x)


def test_positions_by_call():
    model = EarlyExitModel(Looped(), linear_heads("block#0", "block#2"), example=torch.randn(2, 6)).eval()
    x = torch.randn(32, 6)
    assert_served_as_recorded(model, x)
    block = model.backbone.block
    with torch.no_grad():
        third = block(one := x + block(x)) + one
        torch.testing.assert_close(model.features(x)[0][1], block(third))
    assert model.train().features(x)[0][1].shape == (32, 6)  # hooks know calls too


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["block"], "'block' ran twice, or after 'block': name its calls, such as 'block#0' and 'block#1'"),
        (["block#2", "block#0"], "'block#0' ran before 'block#2'"),
        (["block#0", "block#9"], "'block#9' did not run"),
    ],
)
def test_calls_that_do_not_come(names, message):
    with pytest.raises(ModelError, match=message):
        EarlyExitModel(Looped(), linear_heads(*names), example=torch.randn(2, 6))


def test_one_call_twice():
    with pytest.raises(ModelError, match="are the same module"):
        EarlyExitModel(Looped(), {"block#1": linear_heads("a")["a"], "block#01": linear_heads("a")["a"]})


class Recurrent(nn.Module):
    """(B, T, D) -> two GRUs, the last step's answer."""

    def __init__(self, batch_first=True):
        super().__init__()
        self.first, self.second = (nn.GRU(6, 6, batch_first=batch_first) for _ in range(2))
        self.fc, self.batch_first = nn.Linear(6, CLASSES), batch_first

    def forward(self, x):
        x = x if self.batch_first else x.transpose(0, 1)
        x = self.second(self.first(x)[0])[0]
        return self.fc(x[:, -1] if self.batch_first else x[-1])


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_axis_of_the_samples_is_known(batch_first):
    backbone, x = Recurrent(batch_first), torch.randn(32, 5, 6)
    heads = heads_for(backbone, x, positions=["first"], types={"linear": linear_head})
    model = EarlyExitModel(backbone, heads, example=x).eval()
    assert model.features(x)[0][0].shape == (32, 5, 6)
    assert_served_as_recorded(model, x)
    square = torch.randn(5, 5, 6)  # as many steps as samples
    assert_served_as_recorded(model, square)


class Folded(nn.Module):
    """Samples and steps on one axis, in the middle."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.fc = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(30, CLASSES)

    def forward(self, x):
        return self.fc(self.second(self.first(x.flatten(0, 1))).unflatten(0, x.shape[:2]).flatten(1))


def test_a_position_where_samples_have_no_axis():
    with pytest.raises(
        ModelError, match=r"'first' must have one axis for the B samples, got shape \(5\*B, 6\): name an"
    ):
        EarlyExitModel(Folded(), linear_heads("first"), example=torch.randn(2, 5, 6))


class Masked(nn.Module):
    """A transformer's encoder on padded tokens."""

    def __init__(self, width=8, layers=3):
        super().__init__()
        self.embed, self.places = nn.Embedding(20, width), nn.Parameter(torch.randn(20, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 16, batch_first=True, activation="gelu") for _ in range(layers)
        )
        self.fc = nn.Linear(width, CLASSES)

    def forward(self, input_ids, attention_mask, token_type_ids=None):
        places = self.places[torch.arange(input_ids.shape[1])]  # at most twenty
        x, padding = self.embed(input_ids) + places, attention_mask == 0
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        return self.fc(x[:, 0])


def padded(samples, length=10):
    """Token ids with zeros at the end, and their mask."""
    lengths = torch.randint(2, length + 1, (samples,))
    mask = (torch.arange(length) < lengths[:, None]).long()
    return {"input_ids": torch.randint(1, 20, (samples, length)) * mask, "attention_mask": mask}


@pytest.fixture
def masked():
    backbone = Masked().eval()
    heads = heads_for(backbone, padded(2), positions=["layers.0", "layers.1"], types={"linear": linear_head})
    return backbone, heads


def test_padded_tokens(masked):
    model = EarlyExitModel(*masked, example=padded(4)).eval()
    for samples in (1, 64):
        batch = padded(samples)
        assert_served_as_recorded(model, **batch)
        assert_served_as_recorded(model, batch)
    longer = {name: nn.functional.pad(value, (0, 3)) for name, value in batch.items()}
    torch.testing.assert_close(model.all_logits(longer), model.all_logits(batch))  # padding is not pooled over


def test_a_mask_that_is_missing(masked):
    model = EarlyExitModel(*masked).eval()
    with pytest.raises(ModelError, match="a head pools by the mask 'attention_mask', which is not among the named inp"):
        model.all_logits(tuple(padded(3).values()))


class Renamed(Masked):
    """The same, with another name for its mask."""

    def forward(self, input_ids, keep_mask):
        return super().forward(input_ids, keep_mask)


def test_a_mask_of_another_name_is_asked_for(caplog):
    batch = padded(4)
    batch["keep_mask"] = batch.pop("attention_mask")
    wanted = {"positions": ["layers.0"], "types": {"linear": linear_head}}
    heads_for(Renamed().eval(), batch, **wanted)
    assert "mask='keep_mask' names the input" in said(caplog)
    caplog.clear()
    heads = heads_for(Renamed().eval(), batch, **wanted, mask="keep_mask")
    assert heads["layers.0"]["linear"].mask == "keep_mask"
    assert not said(caplog)
    for inputs, found in (
        (batch, "one of input_ids, keep_mask, got 'mask'"),
        (tuple(batch.values()), "one of none, as"),
    ):
        with pytest.raises(ModelError, match=f"mask must be the name of an input, {found}"):
            heads_for(Renamed().eval(), inputs, **wanted, mask="mask")


@pytest.mark.parametrize(
    "options",
    [
        {"dynamic": {"input_ids": {1: "length"}, "attention_mask": {1: "length"}}, "example": padded(3)},
        {"example": [padded(3, 7), padded(2, 10)]},
    ],
    ids=["dynamic", "two examples"],
)
def test_one_build_for_all_lengths(masked, options, caplog):
    model = EarlyExitModel(*masked, **options).eval()
    for length in (4, 8, 20):
        assert_served_as_recorded(model, padded(32, length))
    assert not said(caplog)
    assert len(model._programs.built) == 1
    one = {name: value[:, :1] for name, value in padded(8).items()}
    torch.testing.assert_close(model.all_logits(one)[-1], model.backbone(**one))


def test_examples_that_do_not_differ(masked):
    with pytest.raises(ModelError, match="must hold batches that differ in a size, such as the length, got none"):
        EarlyExitModel(*masked, example=[padded(3), padded(5)])


def test_without_an_example_the_first_batch_of_its_kind_builds(masked, caplog):
    model = EarlyExitModel(*masked).eval()
    assert model.compacts is None
    for length in (6, 8, 6):
        with torch.inference_mode():
            model.all_logits(padded(4, length))
    assert model.compacts
    assert said(caplog).count("stages were built at the first batch of its kind") == 2


@pytest.mark.parametrize("example", [None, torch.randn(4, 6)])
def test_a_batch_runs_the_backbone_once(example):
    backbone = MLP()
    model = EarlyExitModel(backbone, mlp_heads(backbone), example=example).eval()
    x = torch.randn(50, 6)
    model.configure(ds.ExitConfig(candidate=[0, 0, 0], threshold=[INF] * 3))
    with Watched() as seen:
        model(x)
    assert seen.rows.count(50) == 3 + 3 + 1  # layers, heads, the last layer; what is tried has fewer rows


class Deciding(nn.Module):
    """Looks at the numbers to know what to do."""

    def __init__(self):
        super().__init__()
        self.first, self.fc = nn.Linear(6, 6), nn.Linear(6, CLASSES)

    def forward(self, x):
        x = self.first(x)
        return self.fc(x if x.sum().item() > 0 else -x)


def test_a_batch_that_the_backbone_cannot_take_leaves_its_stages_alone(caplog):
    backbone, x = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, CLASSES)), torch.randn(8, 6)
    model = EarlyExitModel(backbone, linear_heads("0"), example=x).eval()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        model(torch.randn(8, 5))
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3 were given"):
        model(x, x)
    assert model.compacts is True
    assert not said(caplog)


def test_what_cannot_be_traced_runs_with_hooks_and_says_so(caplog):
    backbone, x = Deciding(), torch.randn(32, 6)
    model = EarlyExitModel(backbone, linear_heads("first"), example=x).eval()
    assert model.compacts is False
    assert "the backbone cannot be cut into stages" in said(caplog)
    assert_served_as_recorded(model, x)
    assert model.compacts is False
    caplog.clear()
    silent = EarlyExitModel(backbone, linear_heads("first"), example=x, compaction=False).eval()
    assert_served_as_recorded(silent, x)
    assert not said(caplog)


def test_no_hooks_are_left_behind():
    backbone, x = MLP(), torch.randn(3, 6)
    for _ in range(50):
        model = EarlyExitModel(backbone, mlp_heads(backbone), example=x)
        model.all_logits(x)
        model.eval().all_logits(x)
    assert not any(module._forward_hooks for module in backbone.modules())


def test_a_part_in_training_mode_is_named():
    backbone = ResNet()
    model = EarlyExitModel(backbone, {"layer1.0": {"pooled": pooled_head(8)}}, example=torch.randn(2, 3, 8, 8)).eval()
    model.configure(ds.ExitConfig(candidate=[0], threshold=[0.5]))
    backbone.layer2[0].bn1.train()
    with pytest.raises(ModelError, match=r"must be in eval mode, got training mode in 'backbone\.layer2\.0\.bn1'"):
        model(torch.randn(4, 3, 8, 8))


def test_weights_that_are_loaded_moved_or_replaced_count():
    model, x = EarlyExitModel(MLP(), mlp_heads(MLP()), example=torch.randn(3, 6)).eval(), torch.randn(8, 6)
    for other in (MLP(), MLP()):
        for assign in (False, True):
            model.backbone.load_state_dict(other.state_dict(), assign=assign)
            torch.testing.assert_close(model.all_logits(x)[-1], other(x))
    model.double()
    torch.testing.assert_close(model.all_logits(x.double())[-1], other.double()(x.double()))
    model.float().backbone = MLP()
    torch.testing.assert_close(model.all_logits(x)[-1], model.backbone(x))


@pytest.mark.parametrize("compaction", [True, False])
def test_nan_without_a_configuration(compaction):
    model = EarlyExitModel(MLP(), mlp_heads(MLP()), compaction=compaction).eval()
    x = torch.randn(4, 6)
    x[2] = float("nan")
    for config in (None, ds.ExitConfig.none(3)):
        model.configure(config)
        with pytest.raises(ModelError, match=r"NaN or infinite, but exit 'final' gave .* for sample 2 of the batch"):
            model(x)


def test_answers_token_by_token():
    backbone = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, CLASSES))
    heads = {"0": {"first": nn.Sequential(nn.Flatten(), nn.Linear(24, CLASSES))}}
    with pytest.raises(ModelError, match=r"'final' must give logits of shape \(3, C\), .*answers token by token have"):
        EarlyExitModel(backbone, heads, example=torch.randn(2, 4, 6))


def test_packed_sequences():
    class Packing(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.GRU(6, 6, batch_first=True), nn.Linear(6, CLASSES)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(x, torch.full((len(x),), 5), batch_first=True)
            return self.fc(self.rnn(packed)[1][0])

    for compaction in (True, False):
        model = EarlyExitModel(Packing(), linear_heads("rnn"), compaction=compaction).eval()
        with pytest.raises(ModelError, match="packed sequences cannot be cut by samples: give the backbone padded"):
            model.all_logits(torch.randn(3, 5, 6))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions_build_stages_of_their_own(masked, dtype):
    model, batch = EarlyExitModel(*masked, example=padded(3)).eval(), padded(16)
    if dtype is torch.bfloat16:
        with torch.autocast("cpu", dtype):
            torch.testing.assert_close(model.all_logits(batch)[-1], model.backbone(**batch), atol=0.02, rtol=0.02)
    model.to(dtype)
    torch.testing.assert_close(model.all_logits(batch)[-1], model.backbone(**batch), atol=0.02, rtol=0.02)
    assert len(model._programs.built) == (3 if dtype is torch.bfloat16 else 2)
    assert copy.deepcopy(model).compacts is None


def test_one_rule_for_inputs():
    x, mask = torch.ones(2), torch.zeros(2)
    assert as_call(x).args == (x,)
    assert as_call((x, mask)).args == as_call([x, mask]).args == (x, mask)
    assert as_call({"x": x, "mask": mask}).named == {"x": x, "mask": mask}


@pytest.mark.parametrize("seed", range(8))
def test_no_alarm_at_sound_backbones(seed):
    torch.manual_seed(seed)
    samples = int(np.random.default_rng(seed).integers(2, 40))
    x = torch.randn(samples, 6, requires_grad=seed % 2 == 0)
    backbone = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.Sigmoid(), nn.Linear(6, CLASSES))
    assert_served_as_recorded(EarlyExitModel(backbone, linear_heads("0", "2")).eval(), x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_stages(caplog):
    torch._dynamo.reset()
    backbone = MLP()
    model = EarlyExitModel(backbone, mlp_heads(backbone)).eval()
    with pytest.raises(ModelError, match="needs stages, there are none: build a model that can be cut, with example="):
        model.compile()
    model = EarlyExitModel(backbone, mlp_heads(backbone), example=torch.randn(3, 6)).eval()
    x = torch.randn(32, 6)
    with torch.no_grad():
        expected = model.all_logits(x)
    model.compile(backend="eager")  # what is compiled behind it does not matter here
    assert "compiling 4 stages: the first took" in said(caplog)
    with torch.no_grad():
        torch.testing.assert_close(model.all_logits(x), expected)
    for samples in (32, 1):
        assert_served_as_recorded(model, x[:samples])
    with pytest.raises(ds.CostsError, match=r"compiled stages hide their operations: count before model\.compile\(\)"):
        count_macs(model, x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_dynamic_int8_mixes_samples():
    layers = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.Linear(6, CLASSES))
    quantized, x = torch.ao.quantization.quantize_dynamic(layers, {nn.Linear}, dtype=torch.qint8), torch.randn(32, 6)
    model = EarlyExitModel(quantized, linear_heads("1"), compaction=False).eval()
    assert_served_as_recorded(model, x)
