"""Records from tensors, logits and probabilities."""

import subprocess
import sys

import numpy as np
import pytest

import dyce_search as ds


@pytest.fixture
def torch():
    """PyTorch, where it is installed."""
    return pytest.importorskip("torch")


class TestTensors:
    @pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
    def test_tensors_are_taken(self, costs, torch, dtype):
        tensor = torch.full((4, 5), 0.5, dtype=getattr(torch, dtype), requires_grad=True)
        records = ds.ExitRecords(
            confidence=tensor, score=list(tensor), costs=costs, label=torch.arange(5), group=torch.arange(5)
        )
        assert records.confidence.tolist() == records.score.tolist() == [[0.5] * 5] * 4
        assert records.label.tolist() == records.group.tolist() == [0, 1, 2, 3, 4]
        assert tensor.requires_grad

    def test_logits_may_be_tensors(self, costs, torch):
        logits = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
        label = np.array([0, 1, 2, 0, 1])
        plain = ds.ExitRecords.from_logits(logits, label, costs=costs)
        tensor = torch.tensor(logits, requires_grad=True)
        for outputs in (tensor, list(tensor), tensor.transpose(0, 1).contiguous().transpose(0, 1)):
            taken = ds.ExitRecords.from_logits(outputs, torch.tensor(label), costs=costs)
            assert taken.digest == plain.digest
        half = ds.ExitRecords.from_logits(tensor.bfloat16(), torch.tensor(label), costs=costs)
        np.testing.assert_allclose(half.confidence, plain.confidence, atol=0.02)

    def test_torch_is_not_imported_for_it(self):
        code = (
            "import sys, numpy as np, dyce_search as ds; r = ds.load_example(); "
            "ds.search(r.subset(range(50)), solver='exit_shares'); assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestFromOutputs:
    def test_logits(self, costs):
        logits = np.random.default_rng(1).normal(size=(4, 30, 3))
        label = np.arange(30) % 3
        records = ds.ExitRecords.from_logits(logits, label, costs=costs, temperature=[1, 2, 0.5, 1], group=label)
        weights = np.exp(logits / np.array([1, 2, 0.5, 1])[:, None, None])
        probs = weights / weights.sum(axis=2, keepdims=True)
        np.testing.assert_allclose(records.confidence, probs.max(axis=2), rtol=1e-5)
        np.testing.assert_array_equal(records.score, logits.argmax(axis=2) == label)
        np.testing.assert_array_equal(records.prediction, logits.argmax(axis=2))
        again = ds.ExitRecords.from_probs(probs, label, costs=costs)
        np.testing.assert_allclose(again.confidence, records.confidence, rtol=1e-5)

    def test_a_measure_of_ones_own(self, costs):
        logits = np.random.default_rng(1).normal(size=(4, 6, 3))
        records = ds.ExitRecords.from_logits(logits, [0] * 6, costs=costs, confidence=lambda probs: probs[:, 0])
        weights = np.exp(logits)
        np.testing.assert_allclose(
            records.confidence, (weights / weights.sum(axis=2, keepdims=True))[:, :, 0], rtol=1e-5
        )

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"labels": [0, 1, 3]}, r"labels must lie in \[0, C\) = \[0, 3\), got 0 to 3"),
            ({"labels": [0, -1, 1]}, r"labels must lie in \[0, C\) = \[0, 3\), got -1 to 1"),
            ({"labels": [0, 1]}, r"logits\[0\] must have shape \(N, C\) = \(2, C\), got \(3, 3\)"),
            ({"labels": [0.5, 1, 1]}, "labels must hold whole numbers"),
            ({"labels": []}, r"logits\[0\] must have shape"),
            ({"logits": np.zeros((3, 3, 3))}, r"must have shape \(E, N, C\) with E = 4 as the costs have, got 3"),
            ({"logits": np.zeros((4, 3))}, r"logits\[0\] must have shape \(N, C\) = \(3, C\), got \(3,\)"),
            ({"logits": 5}, r"must have shape \(E, N, C\) with E = 4 as the costs have, got int"),
            (
                {"logits": np.full((4, 3, 3), np.nan)},
                "logits must be finite.* got nan from exit 0 at sample 0",
            ),
            ({"logits": np.full((4, 3, 3), "a")}, "logits must be numeric"),
            ({"logits": np.zeros((4, 3, 0))}, r"logits\[0\] must have shape \(N, C\) = \(3, C\), got \(3, 0\)"),
            ({"temperature": 0}, "temperature must be one number > 0, or one for each of the 4 exits"),
            ({"temperature": [1, 1]}, "temperature must be one number > 0, or one for each of the 4 exits"),
            ({"temperature": "hot"}, "temperature must be one number > 0"),
            ({"confidence": "gap"}, "unknown confidence 'gap'"),
            ({"confidence": lambda probs: probs}, "confidence must have 1 axes, got 2"),
            (
                {"confidence": lambda probs: [1.0]},
                r"the confidence measure must return shape \(N,\) = \(3,\), got \(1,\)",
            ),
            ({"confidence": lambda probs: probs[:, 0] * np.nan}, "confidence must be finite"),
            ({"costs": None}, "costs must be an ExitCosts, got NoneType"),
        ],
    )
    def test_bad_outputs_are_refused(self, costs, change, message):
        good = {"logits": np.zeros((4, 3, 3)), "labels": [0, 1, 2], "costs": costs}
        arguments = {**good, **change}
        with pytest.raises(ds.RecordsError, match=message):
            ds.ExitRecords.from_logits(arguments.pop("logits"), arguments.pop("labels"), **arguments)

    @pytest.mark.parametrize("probs", [np.zeros((4, 3, 3)), np.full((4, 3, 2), [1.5, -0.5])])
    def test_what_are_no_probabilities_is_refused(self, costs, probs):
        with pytest.raises(ds.RecordsError, match="probs must be >= 0 with rows that sum to 1, which exit 0 does not"):
            ds.ExitRecords.from_probs(probs, [0, 1, 1], costs=costs)

    def test_outputs_without_samples_are_refused(self, costs):
        with pytest.raises(ds.RecordsError, match="at least one sample"):
            ds.ExitRecords.from_logits(np.zeros((4, 0, 3)), [], costs=costs)
