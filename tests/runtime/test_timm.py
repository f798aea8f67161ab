"""Networks of timm as they come. Where timm is not installed, `networks.py` has the same structures."""

import pytest
import torch

import dyce_search as ds
from dyce_search.runtime import EarlyExitModel, count_macs, heads_for, linear_head
from dyce_search.runtime.confidence import confidence_of

timm = pytest.importorskip("timm", exc_type=ImportError)


@pytest.mark.parametrize(
    ("name", "options", "size", "positions"),
    [
        ("vit_tiny_patch16_224", {"img_size": 64}, 64, [f"blocks.{k}" for k in (2, 5, 8)]),
        ("resnet18", {}, 64, ["layer1.0", "layer2.1", "layer3.1"]),
    ],
)
def test_a_vit_and_a_resnet(name, options, size, positions):
    backbone = timm.create_model(name, pretrained=False, num_classes=7, **options).eval()
    x = torch.randn(16, 3, size, size)
    heads = heads_for(backbone, x[:1], positions=positions, types={"linear": linear_head})
    model = EarlyExitModel(backbone, heads).eval()
    costs = count_macs(model, x[:1])
    assert (costs.backbone[:-1] < costs.backbone[1:]).all()
    with torch.inference_mode():
        logits = model.all_logits(x)
        levels = [confidence_of(values, "max_prob").median().item() for values in logits[:-1]]
        model.configure(ds.ExitConfig(candidate=[0] * 3, threshold=levels))
        output = model(x)
        expected = logits[output.position, torch.arange(16)]
        assert len(output.position.unique()) > 2
        torch.testing.assert_close(output.logits, expected, rtol=1e-4, atol=1e-4)
        model.configure(None)
        assert torch.equal(model(x).logits, backbone(x))
