"""Recording: equal to the logits taken all at once, in memory or in files, and the mistakes of a user."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import dyce_search as ds
from dyce_search.errors import ModelError
from dyce_search.runtime import EarlyExitModel, count_macs, record
from tests.runtime.networks import CLASSES, MLP, ResNet, mlp_heads, resnet_heads

N = 37


def build(backbone, heads, **options):
    """In eval mode, with logits far enough apart that samples differ in confidence."""
    model = EarlyExitModel(backbone, heads, **options).eval()
    with torch.no_grad():
        for parameter in model.heads.parameters():
            parameter.mul_(3)
    return model


@pytest.fixture
def model():
    backbone = ResNet()
    return build(backbone, resnet_heads(backbone))


@pytest.fixture
def data():
    return TensorDataset(torch.randn(N, 3, 8, 8), torch.arange(N) % CLASSES)


@pytest.fixture
def costs(model):
    return count_macs(model, torch.zeros(1, 3, 8, 8))


def assert_equal(records, expected):
    for name in ("confidence", "score", "label", "prediction"):
        np.testing.assert_array_equal(getattr(records, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_equals_the_logits_taken_all_at_once(model, data, costs, batch_size):
    records = record(model, DataLoader(data, batch_size), costs=costs, source="by test")
    with torch.no_grad():
        logits = model.all_logits(data.tensors[0])
    expected = ds.ExitRecords.from_logits(logits, data.tensors[1], costs=costs)
    np.testing.assert_allclose(records.confidence, expected.confidence, rtol=1e-5)
    for name in ("score", "label", "prediction"):
        np.testing.assert_array_equal(getattr(records, name), getattr(expected, name))
    assert records.costs == costs
    assert records.source == "by test"
    assert 0 < records.exit_accuracy.min() <= records.exit_accuracy.max() < 1


@pytest.mark.parametrize("confidence", ["max_prob", "margin", "entropy", lambda probs: 2 * probs[:, 0]])
def test_measures_as_the_model_does(data, confidence):
    backbone = ResNet()
    model = build(backbone, resnet_heads(backbone), confidence=confidence)
    records = record(model, DataLoader(data, 8), costs=count_macs(model, data.tensors[0][:1]))
    model.configure(ds.ExitConfig(candidate=[1, -1, -1, -1], threshold=[-np.inf] * 4))
    np.testing.assert_array_equal(records.confidence[1, :8], model(data.tensors[0][:8]).confidence)
    model.configure(None)
    np.testing.assert_array_equal(records.confidence[-1, :8], model(data.tensors[0][:8]).confidence)


def test_the_configuration_in_force_does_not_matter(model, data, costs):
    plain = record(model, DataLoader(data, 8), costs=costs)
    config = ds.ExitConfig(candidate=[0, 0, 0, 0], threshold=[0.3] * 4)
    model.configure(config)
    assert_equal(record(model, DataLoader(data, 8), costs=costs), plain)
    assert model.config is config


def test_files_hold_what_memory_does_and_leave_nothing_behind(model, data, costs, tmp_path):
    in_memory = record(model, DataLoader(data, 8), costs=costs)
    mapped = record(model, DataLoader(data, 8), costs=costs, directory=tmp_path)
    assert_equal(mapped, in_memory)
    assert mapped.digest == in_memory.digest
    base = mapped.confidence
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    mapped.save(tmp_path / "records.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["records.npz"]
    assert_equal(ds.load_records(tmp_path / "records.npz"), in_memory)
    with pytest.raises(ds.FileFormatError, match=r"cannot write in .*nowhere: No such file or directory"):
        record(model, DataLoader(data, 8), costs=costs, directory=tmp_path / "nowhere")


@pytest.mark.parametrize("top_k", [1, 2, CLASSES])
def test_a_file_in_the_format_of_dyce(model, data, costs, tmp_path, top_k):
    path = tmp_path / "dyce.npz"
    records = record(model, DataLoader(data, 8), costs=costs, dyce_file=path, top_k=top_k)
    assert_equal(ds.load_records(path, costs=costs), records)
    with torch.no_grad():
        probs = model.all_logits(data.tensors[0]).softmax(dim=2)
    with np.load(path, allow_pickle=False) as arrays:
        assert {name: (arrays[name].shape, arrays[name].dtype.name) for name in arrays} == {
            "label": ((N, 1), "int16"),
            "preds": ((8, N, top_k), "int16"),
            "confs": ((8, N, top_k), "float32"),
        }
        np.testing.assert_allclose(arrays["confs"], probs.sort(dim=2, descending=True).values[..., :top_k], rtol=1e-5)
        taken = np.take_along_axis(probs.numpy(), arrays["preds"].astype(np.int64), axis=2)
        np.testing.assert_allclose(arrays["confs"], taken, rtol=1e-5)


def test_equal_logits_give_the_first_class_everywhere(tmp_path):
    model = EarlyExitModel([nn.Identity(), nn.Identity()], {"0": {"same": nn.Identity()}}).eval()
    tied = torch.tensor([[1.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    costs = ds.ExitCosts(backbone=[1, 2], head=[0, 0], position=[0, 1])
    batch = [(tied, torch.tensor([1, 0]))]
    records = record(model, batch, costs=costs, n_samples=2, dyce_file=tmp_path / "dyce.npz")
    assert records.prediction.tolist() == [[1, 0], [1, 0]]
    assert_equal(ds.load_records(tmp_path / "dyce.npz", costs=costs), records)


class Stream(IterableDataset):
    """Samples one by one, nobody knows how many."""

    def __init__(self, data):
        self.data = data

    def __iter__(self):
        return iter(self.data)


class TestSizes:
    def test_a_loader_that_gives_less_than_its_dataset(self, model, data, costs):
        whole = record(model, DataLoader(data, 8), costs=costs)
        assert_equal(record(model, DataLoader(data, 8, drop_last=True), costs=costs), whole.subset(np.arange(32)))

    def test_a_stream(self, model, data, costs):
        loader = DataLoader(Stream(data), 8)
        assert_equal(record(model, loader, costs=costs, n_samples=100), record(model, DataLoader(data, 8), costs=costs))
        with pytest.raises(ds.RecordsError, match="n_samples must be given where the loader has no dataset with"):
            record(model, loader, costs=costs)
        with pytest.raises(ds.RecordsError, match="must give at most 20 samples, got 24: pass n_samples="):
            record(model, loader, costs=costs, n_samples=20)

    def test_nothing(self, model, data, costs):
        for loader, options in (([], {"n_samples": 3}), (DataLoader(TensorDataset(torch.zeros(0, 3, 8, 8))), {})):
            with pytest.raises(ds.RecordsError, match=r"one batch or more, got none|n_samples must be a whole"):
                record(model, loader, costs=costs, **options)

    def test_groups_are_kept(self, model, data, costs):
        group = [f"scene {i // 5}" for i in range(N)]
        assert record(model, DataLoader(data, 8), costs=costs, group=group).group.tolist() == group

    def test_groups_need_an_order(self, model, data, costs):
        with pytest.raises(ds.RecordsError, match="group must be in the order of the loader, which comes from a Rand"):
            record(model, DataLoader(data, 8, shuffle=True), costs=costs, group=np.arange(N))
        assert record(model, DataLoader(data, 8, shuffle=True), costs=costs).n_samples == N


@pytest.mark.parametrize(
    ("dtype", "source"),
    [
        (torch.float32, "mine"),
        (torch.bfloat16, "mine; computed in bfloat16"),
        (None, "mine; computed in autocast to bfloat16"),
    ],
)
def test_records_carry_the_precision(model, data, costs, dtype, source):
    pictures, labels = data.tensors
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is None):
        model.to(dtype or torch.float32)
        batch = (pictures.to(dtype or torch.float32), labels)
        records = record(model, [batch], costs=costs, n_samples=N, source="mine")
        assert records.source == source
        front = ds.search(records, effort="fast")
        model.configure(front[len(front) // 2])
        promised = ds.evaluate(records, front[len(front) // 2].config, per_sample=True).exit_position
        with torch.no_grad():
            assert np.mean(model(batch[0]).position.numpy() == promised) > 0.9


def test_mappings_with_labels(model, data, costs):
    pictures, labels = data.tensors
    expected = record(model, [(pictures, labels)], costs=costs, n_samples=N)
    assert_equal(record(model, [{"x": pictures, "labels": labels}], costs=costs, n_samples=N), expected)


def one_batch(inputs, labels):
    return [(inputs, labels)]


class TestBadInput:
    @pytest.mark.parametrize(
        ("batch", "message"),
        [
            (torch.zeros(2, 6), r"pairs \(inputs, labels\), got Tensor"),
            ([torch.zeros(2, 6)], "got 1 entries: add what is missing"),
            ((torch.zeros(2, 6), torch.zeros(2)), r"labels must be whole numbers of shape \(B,\), got torch.float32"),
            ((torch.zeros(2, 6), torch.zeros(2, 5).long()), r"got torch.int64 of shape \(2, 5\)"),
            ((torch.zeros(2, 6), torch.zeros(3).long()), "labels must have one entry per sample, 2, got 3"),
            (
                (torch.zeros(2, 6), torch.tensor([0, 7])),
                r"labels must lie in \[0, C\) = \[0, 5\), got 0 to 7: the backbone",
            ),
            ((torch.zeros(2, 6), torch.tensor([0, -1])), r"got -1 to 0: the backbone and the heads must have as many"),
            (
                (torch.tensor([[0.0] * 6, [np.nan] * 6]), torch.zeros(2).long()),
                "confidence must be finite, got nan from exit 'layers.0/linear' at sample 5: look for NaN",
            ),
        ],
    )
    def test_batches(self, batch, message):
        backbone = MLP()
        model = build(backbone, mlp_heads(backbone))
        costs = count_macs(model, torch.zeros(1, 6))
        good = (torch.zeros(4, 6), torch.zeros(4).long())
        with pytest.raises(ds.RecordsError, match=message):
            record(model, [good, batch], costs=costs, n_samples=50)
        assert record(model, [good], costs=costs, n_samples=50).n_samples == 4

    def test_training_mode(self, model, data, costs):
        with pytest.raises(ModelError, match="the model must be in eval mode, but it is in training mode: call eval"):
            record(model.train(), DataLoader(data, 8), costs=costs)
        model.eval()
        model.backbone.layer1.train()
        with pytest.raises(ModelError, match=r"but 'backbone\.layer1' is in training mode"):
            record(model, DataLoader(data, 8), costs=costs)

    def test_costs_of_another_model(self, model, data):
        other = ds.ExitCosts(backbone=[1, 2], head=[0, 0], position=[0, 1])
        with pytest.raises(ds.ConfigError, match="the model has 8 exits at 4 positions, the costs 2 exits at 1"):
            record(model, DataLoader(data, 8), costs=other)

    def test_something_else(self, model, data, costs):
        with pytest.raises(ModelError, match="model must be an EarlyExitModel, got ResNet"):
            record(ResNet(), DataLoader(data, 8), costs=costs)
        with pytest.raises(ds.RecordsError, match="top_k must be a whole number >= 1, got 0"):
            record(model, DataLoader(data, 8), costs=costs, top_k=0)
        with pytest.raises(ds.RecordsError, match="top_k must be at most the number of classes, 5, got 6"):
            record(model, DataLoader(data, 8), costs=costs, top_k=6, dyce_file="never written")


class Masked(nn.Module):
    """A backbone with two inputs, the second by name."""

    def __init__(self):
        super().__init__()
        self.layer, self.fc = nn.Linear(6, 6), nn.Linear(6, CLASSES)

    def forward(self, x, *, mask=None):
        x = self.layer(x)
        return self.fc(x if mask is None else x * mask)


@pytest.mark.parametrize("named", [True, False])
def test_backbones_with_several_inputs(named):
    model = build(Masked(), {"layer": {"linear": nn.Linear(6, CLASSES)}})
    x, mask, labels = torch.randn(4, 6), torch.ones(4, 1), torch.zeros(4).long()
    costs = count_macs(model, x)
    records = record(model, [({"x": x, "mask": mask} if named else [x], labels)], costs=costs, n_samples=4)
    assert_equal(records, record(model, [(x, labels)], costs=costs, n_samples=4))
