"""Models of the `transformers` library with padding, random weights: written, and served as the runtime serves them."""

import warnings

import numpy as np
import pytest
import torch

import dyce_search as ds
from dyce_search.runtime import EarlyExitModel, export_onnx, heads_for, linear_head
from dyce_search.serving import StagedModel
from tests.runtime.kinds import import_transformers

pytest.importorskip("transformers", reason="transformers is not installed")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = import_transformers()

SMALL = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "num_labels": 5}


def padded(count, length):
    lengths = torch.randint(2, length + 1, (count, 1))
    lengths[0] = length
    mask = (torch.arange(length) < lengths).long()
    return {"input_ids": torch.randint(1, 60, (count, length)) * mask, "attention_mask": mask}


def network(kind):
    torch.manual_seed(0)
    if kind == "bert":
        config = transformers.BertConfig(**SMALL, num_hidden_layers=3)
        return transformers.BertForSequenceClassification(config), "bert.encoder.layer."
    config = transformers.LlamaConfig(**SMALL, num_hidden_layers=3, num_key_value_heads=1, pad_token_id=0)
    return transformers.LlamaForSequenceClassification(config), "model.layers."


@pytest.mark.models
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_padded_models_of_transformers(kind, tmp_path):
    backbone, layers = network(kind)
    plain = {} if kind == "bert" else {"use_cache": False}
    examples = [{**padded(4, 9), **plain}, {**padded(4, 7), **plain}]
    heads = heads_for(
        backbone.eval(), examples[0], positions=[f"{layers}0", f"{layers}1"], types={"linear": linear_head}, classes=5
    )
    model = EarlyExitModel(backbone, heads, example=examples).eval()
    export_onnx(model, tmp_path / kind)
    served = StagedModel(tmp_path / kind, threads=1)
    for length in (5, 9, 16):
        batch = padded(30, length)
        with torch.no_grad():
            logits = model.all_logits(**batch, **plain)
        np.testing.assert_allclose(served.all_logits(batch), logits.numpy(), atol=1e-4)
        first = torch.softmax(logits[0], dim=1).amax(dim=1)
        levels = first.sort().values
        config = ds.ExitConfig(candidate=[0, -1], threshold=[float(levels[14] + levels[15]) / 2, 0])
        model.configure(config)
        served.configure(config)
        with torch.no_grad():
            expected = model(**batch, **plain)
        found = served(**batch)
        assert found.position.tolist() == expected.position.tolist()
        assert {0, 2} == set(found.position.tolist())
        np.testing.assert_allclose(found.logits, expected.logits.numpy(), atol=1e-4)
