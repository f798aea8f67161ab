"""Training of heads: what changes and what must not, breaks in between, early stopping, the loss."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import dyce_search as ds
from dyce_search.errors import ModelError
from dyce_search.runtime import EarlyExitModel, feature_cache, train_heads
from tests.runtime.networks import CLASSES, MLP, ResNet, Watched, mlp_heads, resnet_heads


def build(seed=0):
    torch.manual_seed(seed)
    backbone = ResNet(widths=(4, 8), blocks=1)
    model = EarlyExitModel(backbone, resnet_heads(backbone))
    model.heads[0].insert(2, nn.Dropout(0.2))
    model.heads[1].append(nn.BatchNorm1d(CLASSES))
    return model


def images(count, seed=1):
    """Images whose class is the place of a bright spot."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    pictures = torch.randn(count, 3, 8, 8, generator=generator)
    pictures[torch.arange(count), :, labels, labels] += 5
    return TensorDataset(pictures, labels)


def loader(count=64, **options):
    return DataLoader(images(count), 16, shuffle=True, **options)


def weights(model):
    return copy.deepcopy(model.heads.state_dict())


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def same_history(one, other):
    np.testing.assert_array_equal(one.loss, other.loss)
    np.testing.assert_array_equal(one.best_epoch, other.best_epoch)
    assert (one.held_out_loss is None) is (other.held_out_loss is None)
    if one.held_out_loss is not None:
        np.testing.assert_array_equal(one.held_out_loss, other.held_out_loss)


def test_heads_learn_and_all_else_stays_as_it_is():
    model = build().train()
    model.backbone.layer1.eval()
    model.backbone.fc.weight.requires_grad_(False)
    before, heads_before = copy.deepcopy(model.backbone.state_dict()), weights(model)
    modes = [module.training for module in model.modules()]
    random_state = torch.get_rng_state()
    config = ds.ExitConfig(candidate=[0, -1], threshold=[0.5, 0.5])
    model.configure(config)
    history = train_heads(model, loader(), epochs=4, learning_rate=0.01)
    assert_same(before, model.backbone.state_dict())
    assert any(not torch.equal(heads_before[name], value) for name, value in model.heads.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["backbone.fc.weight"]
    assert model.config is config
    assert history.names == ("layer1.0/linear", "layer1.0/mlp", "layer2.0/linear")
    assert history.loss.shape == (4, 3)
    assert (history.loss[-1] < history.loss[0]).all()
    assert history.held_out_loss is None
    assert history.best_epoch.tolist() == [3, 3, 3]
    assert repr(history).startswith("TrainingHistory(names=('layer1.0/linear'")
    assert "\n" not in repr(history)


def twin_losses(model, data, *, temperature, distillation):
    """The loss of each head on all data, sample by sample, straight from the definition."""
    totals = np.zeros(len(model.exits))
    with torch.no_grad():
        logits = model.eval().all_logits(data.tensors[0]).double()
        for i, label in enumerate(data.tensors[1]):
            teacher = torch.exp(logits[-1, i] / temperature) / torch.exp(logits[-1, i] / temperature).sum()
            for e in range(len(totals)):
                hard = -torch.log(torch.exp(logits[e, i, label]) / torch.exp(logits[e, i]).sum())
                student = torch.exp(logits[e, i] / temperature) / torch.exp(logits[e, i] / temperature).sum()
                soft = sum(teacher[c] * (torch.log(teacher[c]) - torch.log(student[c])) for c in range(CLASSES))
                totals[e] += (1 - distillation) * hard + distillation * temperature**2 * soft
    return totals / len(data)


@pytest.mark.parametrize(("temperature", "distillation"), [(2.0, 0.5), (1, 0), (4.0, 1.0), (0.5, 0.25)])
def test_the_loss_is_the_documented_one(temperature, distillation):
    model, data = build(), images(20)
    options = {"distillation": (distillation, temperature)}
    history = train_heads(model, loader(), epochs=1, held_out=DataLoader(data, 7), **options)
    np.testing.assert_allclose(
        history.held_out_loss[0],
        twin_losses(model, data, temperature=temperature, distillation=distillation),
        rtol=5e-5,
    )


@pytest.mark.parametrize("exit_index", [0, 1, 2])
def test_each_head_learns_as_if_it_were_alone(exit_index):
    """A plain loop for one head: cross entropy, Adam, the cosine; no dropout, so that random numbers do not matter."""
    model = build()
    del model.heads[0][2]
    data, alone = list(DataLoader(images(48), 16)), copy.deepcopy(model)
    train_heads(model, data, epochs=3, distillation=0, learning_rate=0.02)
    alone.eval()
    head, position = alone.heads[exit_index].train(), alone.exits[exit_index][0]
    optimizer = torch.optim.Adam(head.parameters(), 0.02)
    for rate in (0.02, 0.015, 0.005):
        optimizer.param_groups[0]["lr"] = rate
        for pictures, labels in data:
            with torch.no_grad():
                feature = alone.features(pictures)[0][position]
            optimizer.zero_grad()
            functional.cross_entropy(head(feature), labels).backward()
            optimizer.step()
    for name, value in head.state_dict().items():
        torch.testing.assert_close(model.heads[exit_index].state_dict()[name], value)


def test_distillation_alone_needs_no_true_labels():
    """Heads of the same shape as the final one come near it, though every label is wrong."""
    backbone = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, CLASSES))
    nn.init.normal_(backbone[2].weight)
    model = EarlyExitModel(backbone, {"1": {"linear": nn.Linear(8, CLASSES)}}).eval()
    x = torch.randn(256, 6)
    train_heads(model, [(x, torch.zeros(256).long())], epochs=300, distillation=1.0, learning_rate=0.05)
    with torch.no_grad():
        probs = model.all_logits(x).softmax(dim=2)
    assert (probs[0] - probs[1]).abs().mean() < 0.02


class TestRepeating:
    @pytest.mark.parametrize("own_generator", [False, True])
    def test_the_same_seed_gives_the_same_heads(self, own_generator):
        def trained(seed, noise):
            torch.manual_seed(noise)
            model = build()
            torch.manual_seed(noise)
            generator = torch.Generator().manual_seed(noise) if own_generator else None
            return weights(model), train_heads(model, loader(generator=generator), epochs=2, seed=seed), weights(model)

        start, history, once = trained(3, noise=0)
        _, same_again, twice = trained(3, noise=1)
        _, other_history, other = trained(4, noise=0)
        assert_same(once, twice)
        same_history(history, same_again)
        assert not np.array_equal(history.loss, other_history.loss)
        assert not torch.equal(once["layer1/0/linear.3.weight"], other["layer1/0/linear.3.weight"])
        assert not torch.equal(once["layer1/0/linear.3.weight"], start["layer1/0/linear.3.weight"])

    @pytest.mark.parametrize("held_out", [None, "held out"])
    @pytest.mark.parametrize("killed_after", [1, 2, 3])
    def test_going_on_after_a_kill_gives_the_same(self, tmp_path, monkeypatch, killed_after, held_out):
        options = {"epochs": 4, "learning_rate": 0.02, "patience": 2}
        if held_out:
            options["held_out"] = DataLoader(images(30, seed=9), 10)
        straight = build()
        expected = train_heads(straight, loader(), cache=False, **options)
        path = tmp_path / "heads.pt"
        with pytest.raises(KeyboardInterrupt):
            train_heads(build(), Killed(loader(), passes=killed_after), checkpoint=path, cache=False, **options)
        resumed = build(seed=5)  # a new process has other weights in the heads, and the same backbone
        resumed.backbone.load_state_dict(straight.backbone.state_dict())
        history = train_heads(resumed, loader(), checkpoint=path, cache=False, **options)
        same_history(history, expected)
        assert_same(weights(resumed), weights(straight))
        assert [entry.name for entry in tmp_path.iterdir()] == ["heads.pt"]
        done = build(seed=6)
        same_history(train_heads(done, Killed(loader(), passes=0), checkpoint=path, **options), expected)
        assert_same(weights(done), weights(straight))

    @pytest.mark.parametrize("killed_after", [1, 3])
    def test_also_with_features_that_are_kept(self, tmp_path, killed_after):
        options, straight, path = {"epochs": 4, "learning_rate": 0.02}, build(), tmp_path / "heads.pt"
        expected = train_heads(straight, loader(), **options)
        model, calls = build(), []

        def kill(*_):
            calls.append(1)
            if len(calls) == 4 * killed_after + 4:  # four batches an epoch, and one call that tries the head
                raise KeyboardInterrupt

        model.heads[2].register_forward_hook(kill)
        with pytest.raises(KeyboardInterrupt):
            train_heads(model, loader(), checkpoint=path, **options)
        resumed = build(seed=5)
        resumed.backbone.load_state_dict(straight.backbone.state_dict())
        same_history(train_heads(resumed, loader(), checkpoint=path, **options), expected)
        assert_same(weights(resumed), weights(straight))


class TestKeptFeatures:
    def test_the_backbone_runs_once_for_all_epochs(self):
        model = build().eval()
        model.all_logits(images(4).tensors[0])  # what has to be built
        with Watched() as seen:
            train_heads(model, loader(64), epochs=5)
        layers = 1 + 2 + 3 + 1
        assert seen.rows.count(16) < 4 * layers + 5 * 4 * 12  # heads and their gradients
        with Watched() as every_time:
            train_heads(model, loader(64), epochs=5, cache=False)
        assert every_time.rows.count(16) == seen.rows.count(16) + 4 * 4 * layers

    @pytest.mark.parametrize("where", ["memory", "a folder"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_it_is_the_same_wherever_they_are(self, tmp_path, where, dtype):
        data = list(DataLoader(images(50), 16))  # in the same order in each epoch
        data = [(pictures.to(dtype), labels) for pictures, labels in data]
        found, expected = build().to(dtype), build().to(dtype)
        cache = True if where == "memory" else tmp_path
        history = train_heads(found, data, epochs=3, cache=cache)
        same_history(history, train_heads(expected, data, epochs=3, cache=False))
        assert_same(weights(found), weights(expected))
        assert not list(tmp_path.iterdir())

    def test_shuffled_anew_in_each_epoch(self):
        orders = []
        model = EarlyExitModel([nn.Identity(), nn.Linear(1, 2)], {"0": {"a": nn.Linear(1, 2)}}).eval()
        model.heads[0].register_forward_pre_hook(lambda _, inputs: orders.extend(inputs[0].flatten().tolist()))
        data = TensorDataset(torch.arange(10.0)[:, None], torch.arange(10) % 2)
        train_heads(model, DataLoader(data, 5, shuffle=True), epochs=3)
        epochs = np.reshape(orders[-30:], (3, 10))
        assert all(sorted(epoch) == list(range(10)) for epoch in epochs.tolist())
        assert len({tuple(epoch) for epoch in epochs.tolist()}) == 3

    def test_too_many_for_the_memory(self, monkeypatch, caplog):
        monkeypatch.setattr(feature_cache, "MEMORY", 1000)
        found, expected = build(), build()
        same_history(train_heads(found, loader(), epochs=2), train_heads(expected, loader(), epochs=2, cache=False))
        assert "features would take 0.0 GB: they are computed anew in each epoch" in caplog.text
        with pytest.raises(ds.FileFormatError, match="cannot write in nowhere: No such file"):
            train_heads(found, loader(), cache="nowhere")

    def test_of_all_lengths(self):
        model = EarlyExitModel(Tokens(), {"layer": {"mean": MeanOfTokens()}}).eval()
        data = [(torch.randn(4, length, 6), torch.arange(4)) for length in (3, 5, 3)]
        assert train_heads(model, data, epochs=2).loss.shape == (2, 1)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.fc = nn.Linear(6, 6), nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.fc(self.layer(x).mean(1))


class MeanOfTokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, tokens):
        return self.fc(tokens.mean(1))


@pytest.mark.parametrize("cache", [True, False])
def test_a_last_batch_of_one_sample_with_a_batch_norm(cache):
    model = build()
    history = train_heads(model, loader(33), epochs=2, cache=cache)
    assert np.isfinite(history.loss).all()


@pytest.mark.parametrize("cache", [True, False])
def test_after_nan_the_heads_are_as_before_the_epoch(cache):
    model = EarlyExitModel(MLP(), mlp_heads(MLP()))
    before = weights(model)
    good = (torch.randn(4, 6), torch.zeros(4).long())
    with pytest.raises(
        ModelError, match=r"loss of exit 'layers.0/linear' must be finite.*the backbone gives NaN or infin"
    ):
        train_heads(model, [good, *nan_batch()], cache=cache)
    assert_same(before, weights(model))


class Killed:
    """A loader that is stopped in the middle of a pass, after so many whole ones."""

    def __init__(self, loader, passes):
        self.loader, self.passes = loader, passes

    @property
    def sampler(self):
        return self.loader.sampler

    def __iter__(self):
        for index, batch in enumerate(self.loader):
            if not self.passes and index == 2:
                raise KeyboardInterrupt
            yield batch
        self.passes -= 1


class TestEarlyStopping:
    def test_stops_and_gives_each_head_its_best_weights(self):
        """Random labels: what is learned on 16 samples soon hurts on others."""
        noise, others = images(16), images(64, seed=2)
        noise = TensorDataset(noise.tensors[0], noise.tensors[1][torch.randperm(16)])
        model = build()
        options = {"learning_rate": 0.05, "distillation": 0.0, "patience": 2}
        held_out = DataLoader(others, 64)
        history = train_heads(model, DataLoader(noise, 16), epochs=60, held_out=held_out, **options)
        epochs = len(history.loss)
        assert epochs < 60
        assert epochs == history.best_epoch.max() + 1 + 2
        assert history.best_epoch.tolist() == history.held_out_loss.argmin(axis=0).tolist()
        best = history.held_out_loss.min(axis=0)
        np.testing.assert_allclose(twin_losses(model, others, temperature=2, distillation=0), best, rtol=1e-4)

    def test_without_held_out_data_all_epochs_are_run(self):
        assert len(train_heads(build(), loader(16), epochs=6, patience=1, learning_rate=10.0).loss) == 6


def nan_batch():
    return [(torch.full((4, 6), np.nan), torch.zeros(4).long())]


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"epochs": 0}, "epochs must be a whole number >= 1, got 0"),
            ({"epochs": 1.5}, "epochs must be a whole number >= 1, got 1.5"),
            ({"patience": 0}, "patience must be a whole number >= 1, got 0"),
            ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
            ({"learning_rate": 0}, "learning_rate must be above 0, got 0"),
            ({"distillation": (0.5, np.inf)}, "distillation temperature must be above 0, got inf"),
            ({"distillation": (0.5, np.nan)}, "distillation temperature must be above 0, got nan"),
            ({"distillation": 1.1}, r"distillation must be in \[0, 1\], got 1.1"),
        ],
    )
    def test_options(self, options, message):
        backbone = MLP()
        with pytest.raises(ModelError, match=message):
            train_heads(EarlyExitModel(backbone, mlp_heads(backbone)), [], **options)

    @pytest.mark.parametrize(
        ("batches", "error", "message"),
        [
            ([], ds.RecordsError, "one batch or more in every epoch, got none: pass no generator"),
            ([torch.zeros(2, 6)], ds.RecordsError, r"pairs \(inputs, labels\), got Tensor"),
            ([(torch.zeros(2, 6), torch.tensor([0, 9]))], ds.RecordsError, r"labels must lie in \[0, C\) = \[0, 5\)"),
            (
                nan_batch(),
                ModelError,
                "the loss of exit 'layers.0/linear' must be finite, got NaN or infinity: the backb",
            ),
        ],
    )
    def test_batches(self, batches, error, message):
        backbone = MLP()
        model = EarlyExitModel(backbone, mlp_heads(backbone)).train()
        with pytest.raises(error, match=message):
            train_heads(model, batches)
        assert all(module.training for module in model.modules())

    @pytest.mark.parametrize(
        ("head", "message"),
        [
            (nn.Linear(9, CLASSES), "head 'layers.0/wrong' cannot take the feature at its position, of shape"),
            (
                nn.Linear(16, 4),
                r"'layers.0/wrong' must give logits of shape \(3, 5\), got \(3, 4\): all exits must have the same",
            ),
            (nn.ReLU(), "the heads must have parameters with requires_grad, got none: there is nothing to train"),
        ],
    )
    def test_heads(self, head, message):
        model = EarlyExitModel(MLP(), {"layers.0": {"wrong": head}})
        with pytest.raises(ModelError, match=message):
            train_heads(model, [(torch.zeros(2, 6), torch.zeros(2).long())])

    def test_checkpoints(self, tmp_path):
        path = tmp_path / "heads.pt"
        train_heads(build(), loader(), epochs=1, checkpoint=path)
        with pytest.raises(ds.FileFormatError, match=r"heads\.pt was made with other epochs, seed: use the same, or"):
            train_heads(build(), loader(), epochs=2, seed=1, checkpoint=path)
        backbone = MLP()
        with pytest.raises(ds.FileFormatError, match="was made with other exits"):
            train_heads(EarlyExitModel(backbone, mlp_heads(backbone)), [], epochs=1, checkpoint=path)
        other = build()
        other.heads[2] = nn.Sequential(nn.Flatten(), nn.Linear(8 * 4 * 4, CLASSES))
        with pytest.raises(ds.FileFormatError, match=r"heads\.pt was made with other heads"):
            train_heads(other, loader(), epochs=1, checkpoint=path)
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(ds.FileFormatError, match=r"cannot read .*heads\.pt: no checkpoint of train_heads, or dam"):
            train_heads(build(), loader(), epochs=1, checkpoint=path)
        torch.save({"weights": torch.zeros(2)}, path)
        with pytest.raises(ds.FileFormatError, match=r"heads\.pt is not a dyce_search\.train_heads file"):
            train_heads(build(), loader(), epochs=1, checkpoint=path)
        with pytest.raises(ds.FileFormatError, match=r"cannot write .*nowhere.heads\.pt"):
            train_heads(build(), loader(), epochs=1, checkpoint=tmp_path / "nowhere" / "heads.pt")


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.bool])
def test_labels_may_be_of_any_whole_type(dtype):
    backbone = MLP()
    model, twin = (copy.deepcopy(EarlyExitModel(backbone, mlp_heads(backbone))) for _ in range(2))
    twin.load_state_dict(model.state_dict())
    x, labels = torch.randn(8, 6), torch.arange(8) % 2
    same_history(train_heads(model, [(x, labels.to(dtype))], 2), train_heads(twin, [(x, labels)], 2))
