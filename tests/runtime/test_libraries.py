"""Networks of torchvision, timm and transformers as they come, and other kinds: cut, counted, recorded and served."""

import importlib.util

import numpy as np
import pytest
import torch

import dyce_search as ds
from dyce_search.errors import ModelError
from dyce_search.runtime import count_macs, record
from dyce_search.runtime.backbone import final_logits
from dyce_search.runtime.inputs import as_call
from tests.benchmarks.models import built
from tests.runtime.kinds import KINDS

WITH_HOOKS = {"int8, dynamic", "control flow on data"}
REFUSED = {"batch norm without statistics"}


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.models if library else ()) for name, (library, _) in KINDS.items()]
)
def kind(request):
    library, make = KINDS[request.param]
    if library is not None and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed: pip install 'dyce_search[models]'")
    return request.param, make()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_right_or_refused(kind):
    name, made = kind
    if name in REFUSED:
        with pytest.raises(ModelError, match=r"mixes samples: what aten\.batch_norm\.default in 'blocks\.0\.1' gives"):
            built(made)
        return
    model, batch = built(made), made.batch(32)
    assert model.compacts is (name not in WITH_HOOKS)
    costs, call = count_macs(model, made.batch(2)), as_call(batch)
    assert (np.diff(costs.backbone) > 0).all()
    with torch.inference_mode():
        plain = final_logits(made.net(*call.args, **call.named)) if made.positions else made.net(batch)[-1]
        assert torch.equal(model(batch).logits, plain)
        rounding = 0.05 if plain.dtype is torch.bfloat16 else 1e-4
        torch.testing.assert_close(model.all_logits(batch)[-1], plain, rtol=rounding, atol=rounding)
    records = record(model, [(batch, plain.argmax(1))], costs=costs, n_samples=32)
    levels = np.sort(records.confidence, axis=1)
    config = ds.ExitConfig(candidate=[0] * 3, threshold=((levels[:3, 15] + levels[:3, 16]) / 2).tolist())
    model.configure(config)
    with torch.inference_mode():
        position = model(batch).position
    assert position.tolist() == ds.evaluate(records, config, per_sample=True).exit_position.tolist()
    assert len(position.unique()) > 1
