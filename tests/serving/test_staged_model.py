"""A staged model decides as the runtime and the simulator do, without PyTorch, whoever switches it meanwhile."""

import json
import re
import subprocess
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import dyce_search as ds
from dyce_search.errors import ConfigError, ModelError, RecordsError
from dyce_search.serving import StagedModel
from dyce_search.serving.arguments import board_of
from dyce_search.serving.bundle_file import InputEntry
from tests.serving.networks import N, sentences


@pytest.fixture(scope="module", params=["cnn", "padded"])
def both(request, written):
    bundle = written(request.param)
    return bundle, StagedModel(bundle.folder, threads=1)


def random_configs(records, count=12):
    """Thresholds half-way between neighbouring confidences, as searches place them."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        candidate = rng.integers(-1, records.costs.n_candidates)
        exits = records.costs.first[:-1] + np.maximum(candidate, 0)
        levels = np.sort(records.confidence[exits], axis=1)
        at, rows = rng.integers(0, N - 1, len(exits)), np.arange(len(exits))
        threshold = (levels[rows, at].astype(np.float64) + levels[rows, at + 1]) / 2
        yield ds.ExitConfig(candidate=candidate, threshold=threshold)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_decides_as_the_runtime_and_the_simulator_on_every_sample(both, size):
    bundle, served = both
    used = np.zeros(bundle.records.costs.n_positions + 1, np.int64)
    few = N if size > 1 else N // 4
    for config in [*bundle.configs.values(), *random_configs(bundle.records)]:
        expected = ds.evaluate(bundle.records, config, per_sample=True).exit_position[:few]
        bundle.model.configure(config)
        served.configure(config)
        for start in range(0, few, size):
            rows = slice(start, min(start + size, few))
            batch = bundle.some(rows)
            with torch.no_grad():
                output = bundle.model(**batch)
            found = served({name: value.numpy() for name, value in batch.items()})
            assert found.position.tolist() == expected[rows].tolist() == output.position.tolist()
            np.testing.assert_allclose(found.logits, output.logits.numpy(), rtol=1e-3, atol=1e-4)
            np.testing.assert_allclose(found.confidence, output.confidence.numpy(), atol=1e-4)
            assert found.config is config
            used += np.bincount(found.position, minlength=len(used))
    bundle.model.configure(None)
    assert (used > 0).all()  # otherwise the comparison would say little


def test_without_a_configuration_all_go_to_the_final_exit(both):
    bundle, served = both
    served.configure(None)
    found = served(**bundle.some(slice(5)))
    assert (found.position == bundle.records.costs.n_positions).all()
    assert found.config is None
    with torch.no_grad():
        np.testing.assert_allclose(
            found.logits, bundle.model.backbone(**bundle.some(slice(5))).numpy(), rtol=1e-3, atol=1e-4
        )


def test_other_lengths_than_those_of_the_example(written):
    bundle = written("padded")
    served = StagedModel(bundle.folder, threads=1)
    config = ds.ExitConfig(candidate=[0, 1, 0], threshold=[0.5, 0.5, 0.5])
    served.configure(config)
    bundle.model.configure(config)
    for length in (3, 8, 20):
        batch, _ = sentences(30, length, seed=5)
        with torch.no_grad():
            expected = bundle.model(**batch)
        found = served(**batch)
        assert found.position.tolist() == expected.position.tolist()
        np.testing.assert_allclose(found.logits, expected.logits.numpy(), rtol=1e-3, atol=1e-4)
    bundle.model.configure(None)
    assert [entry["axis"] for entry in json.loads((bundle.folder / "manifest.json").read_text())["sizes"]] == [1]


def test_records_of_what_is_served(both):
    bundle, served = both
    inputs = [bundle.some(slice(0, 100)), bundle.some(slice(100, N))]
    records = served.record(
        [(inputs[0], bundle.labels[:100]), {**inputs[1], "labels": bundle.labels[100:]}], source="test"
    )
    np.testing.assert_allclose(records.confidence, bundle.records.confidence, atol=1e-5)
    assert np.array_equal(records.prediction, bundle.records.prediction)
    assert np.array_equal(records.score, bundle.records.score)
    assert records.layout == bundle.records.layout
    assert records.costs == bundle.records.costs
    assert records.source == "test; ONNX Runtime"
    nameless = served.record([(bundle.inputs, bundle.labels)], costs=replace(served.costs, names=()))
    assert nameless.layout == records.layout  # names that nobody gave are the bundle's, or they would fit all networks


def test_records_that_cannot_be_made(cnn):
    served, batch = StagedModel(cnn.folder), cnn.some(slice(3))
    with pytest.raises(RecordsError, match="one batch or more, got none"):
        served.record([])
    with pytest.raises(RecordsError, match=re.escape("pairs (inputs, labels)")):
        served.record([batch])
    with pytest.raises(RecordsError, match=re.escape("3 classes in [0, 5), got 3 from 0 to 5")):
        served.record([(batch, [0, 1, 5])])
    other = ds.ExitCosts(backbone=[1, 2], head=[1, 0], position=[0, 1])
    with pytest.raises(ConfigError, match="the bundle and the costs do not fit"):
        served.record([(batch, [0, 1, 2])], costs=other)


SERVE = """
import sys
import numpy as np
from dyce_search.serving import StagedModel
from dyce_search.serving.arguments import board_of
from dyce_search.serving.bundle_file import InputEntry
served = StagedModel(sys.argv[1], threads=1)
served.configure("point2")
print(served(np.load(sys.argv[2])).position.tolist())
assert "torch" not in sys.modules and "onnx" not in sys.modules
"""


def test_a_process_that_never_imported_torch_serves_it(cnn, tmp_path):
    np.save(tmp_path / "x.npy", cnn.inputs["x"][:20].numpy())
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(cnn.folder), str(tmp_path / "x.npy")], capture_output=True, text=True
    )
    expected = ds.evaluate(cnn.records, cnn.configs["point2"], per_sample=True).exit_position[:20]
    assert (done.returncode, done.stdout.strip()) == (0, str(expected.tolist())), done.stderr


def test_10_000_switches_under_load_mix_no_batch(cnn):
    """Each batch leaves at one position, the one that its own configuration says."""
    served = StagedModel(cnn.folder, threads=1)
    infinite = float("inf")
    everybody = [
        ds.ExitConfig(candidate=[0, 0], threshold=[-infinite, 0]),
        ds.ExitConfig(candidate=[-1, 0], threshold=[0, -infinite]),
        ds.ExitConfig(candidate=[0, 0], threshold=[infinite, infinite]),
    ]
    done, wrong, seen = threading.Event(), [], [0, 0, 0]
    batch = cnn.some(slice(7))

    def serve():
        while not done.is_set():
            found = served(**batch)
            position = everybody.index(found.config)
            seen[position] += 1
            if set(found.position.tolist()) != {position}:
                wrong.append(found)

    served.configure(everybody[0])
    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    switches = 0
    while switches < 10_000 or min(seen) < 5:
        served.configure(everybody[switches % 3])
        switches += 1
        if switches % 50 == 0:
            done.wait(0.001)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_configuration_that_does_not_fit_leaves_the_other_in_force(cnn):
    served = StagedModel(cnn.folder)
    served.configure("point1")
    with pytest.raises(ConfigError, match="no configuration 'fast': it has 'point0', 'point1'"):
        served.configure("fast")
    with pytest.raises(ConfigError, match="another network"):
        served.configure(ds.ExitConfig(candidate=[0], threshold=[0.5]))
    with pytest.raises(ConfigError, match="must be a name, an ExitConfig, an OperatingPoint or None, got int"):
        served.configure(3)
    layout = ds.ExitLayout(position=served.layout.position, measure="energy")
    with pytest.raises(ConfigError, match="confidences are 'energy', which is not known here"):
        served.configure(ds.ExitConfig(candidate=[0, 0], threshold=[0, 0], layout=layout))
    assert served.config == cnn.configs["point1"]


def test_a_measure_of_ones_own(cnn):
    def energy(probs):
        return np.square(probs).sum(axis=1)

    layout = ds.ExitLayout(position=cnn.records.layout.position, measure="energy")
    served = StagedModel(cnn.folder, measures={"energy": energy})
    served.configure(ds.ExitConfig(candidate=[0, 0], threshold=[-float("inf"), 0], layout=layout))
    found = served(**cnn.some(slice(9)))
    probs = torch.softmax(torch.from_numpy(found.logits), dim=1).numpy()
    np.testing.assert_allclose(found.confidence, energy(probs), rtol=1e-5)


@pytest.mark.parametrize("answer", ["sure", None, [[0.5, 0.5]]])
def test_a_measure_that_gives_no_numbers(cnn, answer):
    layout = ds.ExitLayout(position=cnn.records.layout.position, measure="mood")
    served = StagedModel(cnn.folder, measures={"mood": lambda probs: answer})
    served.configure(ds.ExitConfig(candidate=[0, 0], threshold=[0, 0], layout=layout))
    with pytest.raises(ModelError, match="the confidence measure must return"):
        served(**cnn.some(slice(2)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"loader": 3}, "loader must be something to iterate over, got 3"),
        ({"source": None}, "source must be a string, got None"),
        ({"costs": "cheap"}, "costs must be an ExitCosts, got str"),
    ],
)
def test_records_that_are_refused(cnn, wrong, said):
    with pytest.raises(RecordsError, match=said):
        StagedModel(cnn.folder, threads=1).record(**{"loader": [], **wrong})


def test_batches_without_labels(cnn):
    batch = {**cnn.some(slice(2)), "labels": []}
    with pytest.raises(RecordsError, match=r"labels must be 2 classes in \[0, \d+\), got none"):
        StagedModel(cnn.folder, threads=1).record([batch])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m, x: m(x, x), "the model takes 'x', got 2 arguments by place"),
        (lambda m, x: m(y=x), "the model takes 'x', got 0 arguments by place and 'y' by name"),
        (lambda m, x: m(), "the model takes 'x', got 0 arguments by place and none by name"),
        (lambda m, x: m(x[:, :2]), "x must have shape (B, 3, 8, 8), got (4, 2, 8, 8)"),
        (lambda m, x: m(x[0]), "x must have shape (B, 3, 8, 8), got (3, 8, 8)"),
        (lambda m, x: m(x[:0]), "x must have one or more samples, got shape (0, 3, 8, 8)"),
        (lambda m, x: m(x.astype(complex)), "x must be float32, got complex128: convert it"),
        (lambda m, x: m(x * np.nan), "logits must not be NaN or infinite, but exit 'layer1/linear' gave"),
    ],
)
def test_calls_that_are_refused(cnn, call, said):
    served = StagedModel(cnn.folder, threads=1)
    served.configure(ds.ExitConfig(candidate=[0, 0], threshold=[0.5, 0.5]))
    with pytest.raises(ModelError, match=re.escape(said)):
        call(served, cnn.inputs["x"][:4].numpy())


def test_arguments_that_disagree(written):
    bundle = written("padded")
    batch, _ = sentences(4)
    with pytest.raises(ModelError, match=r"attention_mask must have shape \(B, .*\), its sizes those of input_ids"):
        StagedModel(bundle.folder)(batch["input_ids"], batch["attention_mask"][:3])
    with pytest.raises(ModelError, match="ONNX Runtime failed on this batch"):
        StagedModel(bundle.folder)(batch["input_ids"] + 1000, batch["attention_mask"])


def test_numbers_in_another_type_of_their_kind():
    """Whole numbers stay what they are; floats beyond float32 are infinite, which the logits will show."""
    entry = InputEntry(name="x", value="input.x", dtype="int32", shape=["batch"])
    board, batch = board_of(SimpleNamespace(inputs=[entry], sizes=[]), (np.array([1, -(2**31)]),), {})
    assert (board["input.x"].dtype, board["input.x"].tolist(), batch) == (np.int32, [1, -(2**31)], 2)
    with pytest.raises(ModelError, match="x must fit into int32, got 1 to 2147483648"):
        board_of(SimpleNamespace(inputs=[entry], sizes=[]), (np.array([1, 2**31]),), {})
    entry = InputEntry(name="x", value="input.x", dtype="float32", shape=["batch"])
    board, _ = board_of(SimpleNamespace(inputs=[entry], sizes=[]), (np.array([1.0, 1e300]),), {})
    assert board["input.x"].tolist() == [1.0, float("inf")]
