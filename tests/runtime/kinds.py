"""The kinds of model that people have, with random weights: what the table in docs/measurements.md is made of.

Those of libraries need torchvision, timm or transformers; nothing is downloaded.
"""

import importlib.util
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import nn


class Kind(NamedTuple):
    """A network in eval mode, what it takes, and where exits hang."""

    net: nn.Module
    batch: Callable[[int], Any]  # inputs of so many samples
    positions: tuple[str, ...]  # none for a network with exits of its own
    options: Mapping[str, Any] = MappingProxyType({})  # of EarlyExitModel


def import_torchvision() -> Any:
    """Torchvision without its compiled operations: PyPI's is built for CUDA, and models do not need them."""
    if importlib.util.find_spec("torchvision") is None:
        return None
    try:
        import torchvision
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import_torchvision.library = library  # lives as long as the process
        import torchvision
    return torchvision


def import_transformers() -> Any:
    """Transformers, which imports torchvision where it is installed."""
    import_torchvision()
    import transformers

    return transformers


def pictures(side: int = 64) -> Callable[[int], torch.Tensor]:
    """Noise of that size, of different strength, so that exits are not equally sure of all."""
    return lambda samples: torch.randn(samples, 3, side, side) * torch.linspace(0.2, 2, samples).view(-1, 1, 1, 1)


def padded(length: int = 48, words: int = 200) -> Callable[[int], dict[str, torch.Tensor]]:
    """Token ids of different lengths, padded at the end, and their mask."""

    def batch(samples: int) -> dict[str, torch.Tensor]:
        lengths = torch.randint(4, length + 1, (samples,))
        lengths[0] = length
        mask = (torch.arange(length) < lengths[:, None]).long()
        return {"input_ids": torch.randint(5, words, (samples, length)) * mask, "attention_mask": mask}

    return batch


def numbers(*shape: int) -> Callable[[int], torch.Tensor]:
    """Noise, of different strength."""
    return lambda samples: torch.randn(samples, *shape) * torch.linspace(0.2, 2, samples).view(-1, *[1] * len(shape))


SIZES = {
    "vocab_size": 200,
    "hidden_size": 128,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "num_labels": 10,
}
QUARTERS = (1, 3, 5)  # of eight layers: a quarter, half, three quarters


def bert(**options: Any) -> Kind:
    """Of transformers."""
    transformers = import_transformers()
    net = transformers.BertForSequenceClassification(transformers.BertConfig(**SIZES, **options)).eval()
    return Kind(net, padded(), tuple(f"bert.encoder.layer.{k}" for k in QUARTERS))


def bert_bf16() -> Kind:
    """The same in bfloat16."""
    kind = bert()
    return kind._replace(net=kind.net.bfloat16())


def bert_lengths() -> Kind:
    """The same, for batches of all lengths."""
    return bert()._replace(options={"dynamic": {name: {1: "length"} for name in ("input_ids", "attention_mask")}})


def distilbert() -> Kind:
    """Of transformers."""
    transformers = import_transformers()
    sizes = {"vocab_size": 200, "dim": 128, "n_layers": 8, "n_heads": 4, "hidden_dim": 512, "num_labels": 10}
    net = transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig(**sizes)).eval()
    return Kind(net, padded(), tuple(f"distilbert.transformer.layer.{k}" for k in QUARTERS))


def albert() -> Kind:
    """Of transformers: one layer, called eight times."""
    transformers = import_transformers()
    config = transformers.AlbertConfig(embedding_size=64, **SIZES)
    net = transformers.AlbertForSequenceClassification(config).eval()
    return Kind(net, padded(), tuple(f"albert.encoder.albert_layer_groups.0#{k}" for k in QUARTERS))


def llama() -> Kind:
    """Of transformers: rotary places, two heads of keys and values for four of queries."""
    transformers = import_transformers()
    config = transformers.LlamaConfig(num_key_value_heads=2, pad_token_id=0, use_cache=False, **SIZES)
    net = transformers.LlamaForSequenceClassification(config).eval()
    return Kind(net, padded(), tuple(f"model.layers.{k}" for k in QUARTERS))


def timm_model(name: str, positions: tuple[str, ...], **options: Any) -> Kind:
    """Of timm."""
    import_torchvision()
    import timm

    return Kind(timm.create_model(name, num_classes=10, **options).eval(), pictures(), positions)


def torchvision_model(name: str, positions: tuple[str, ...]) -> Kind:
    """Of torchvision."""
    return Kind(getattr(import_torchvision().models, name)(num_classes=10).eval(), pictures(), positions)


class GatedRecurrent(nn.Module):
    """Four GRUs, then the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.GRU(64, 64, batch_first=True) for _ in range(4))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)[0]
        return self.fc(x[:, -1])


class StepsFirst(nn.Module):
    """A transformer's encoder that keeps (T, B, D) inside."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0) for _ in range(8))
        self.fc = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.transpose(0, 1)
        for layer in self.layers:
            x = layer(x)
        return self.fc(x.mean(0))


class Looped(nn.Module):
    """One block, eight times."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.LayerNorm(256), nn.Linear(256, 1024), nn.GELU(), nn.Linear(1024, 256))
        self.fc = nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(8):
            x = x + self.block(x)
        return self.fc(x)


class Convolutions(nn.Module):
    """Eight convolutions with activations in place, and perhaps exits of their own: then all logits, in a list."""

    def __init__(self, exits: tuple[int, ...] = (), norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(32, 32, 3, 1, 1), norm(32), nn.ReLU(inplace=True)) for _ in range(8)
        )
        self.exits = nn.ModuleDict({str(k): nn.Linear(32, 10) for k in exits})
        self.fc = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> Any:
        x, early = self.stem(x), []
        for k, block in enumerate(self.blocks):
            x = x + block(x)
            if str(k) in self.exits:
                early.append(self.exits[str(k)](x.mean((2, 3))))
        final = self.fc(x.mean((2, 3)))
        return [*early, final] if early else final


class Deciding(Convolutions):
    """Control flow that depends on the numbers."""

    def forward(self, x: torch.Tensor) -> Any:
        return super().forward(x if x.abs().max().item() < 1000 else x / 1000)


def quantized() -> Kind:
    """Int8 layers whose scale comes from the whole batch: samples are mixed, so the whole batch is computed."""
    layers = (nn.Sequential(nn.Linear(256, 256), nn.ReLU()) for _ in range(8))
    net = nn.Sequential(*layers, nn.Linear(256, 10)).eval()
    net = torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)
    return Kind(net, numbers(256), tuple(map(str, QUARTERS)), {"compaction": False})


BLOCKS = tuple(f"blocks.{k}" for k in QUARTERS)
KINDS: dict[str, tuple[str | None, Callable[[], Kind]]] = {  # the library that it needs, and how it is made
    "torchvision ResNet-18": ("torchvision", lambda: torchvision_model("resnet18", ("layer1", "layer2", "layer3"))),
    "ResNet-18, inside its blocks": (
        "torchvision",
        lambda: torchvision_model("resnet18", ("layer1.1.bn1", "layer2.0.conv2", "layer3.0.conv1")),
    ),
    "torchvision EfficientNet-B0": (
        "torchvision",
        lambda: torchvision_model("efficientnet_b0", ("features.3", "features.4", "features.5")),
    ),
    "torchvision MobileNetV3": (
        "torchvision",
        lambda: torchvision_model("mobilenet_v3_small", ("features.3", "features.6", "features.9")),
    ),
    "timm ViT-tiny": (
        "timm",
        lambda: timm_model("vit_tiny_patch16_224", ("blocks.2", "blocks.5", "blocks.8"), img_size=64),
    ),
    "timm ConvNeXt-atto": ("timm", lambda: timm_model("convnext_atto", ("stages.1", "stages.2.blocks.2", "stages.2"))),
    "timm Swin-tiny (channels last)": (
        "timm",
        lambda: timm_model(
            "swin_tiny_patch4_window7_224",
            ("layers.1", "layers.2.blocks.1", "layers.2.blocks.3"),
            img_size=64,
            window_size=4,
        ),
    ),
    "BERT, padded": ("transformers", bert),
    "BERT, eager attention": ("transformers", lambda: bert(attn_implementation="eager")),
    "BERT, bfloat16": ("transformers", bert_bf16),
    "BERT, all lengths": ("transformers", bert_lengths),
    "DistilBERT, padded": ("transformers", distilbert),
    "ALBERT, one layer eight times": ("transformers", albert),
    "Llama, grouped queries, padded": ("transformers", llama),
    "GRU": (None, lambda: Kind(GatedRecurrent().eval(), numbers(24, 64), ("layers.0", "layers.1", "layers.2"))),
    "transformer, (T, B, D)": (
        None,
        lambda: Kind(StepsFirst().eval(), numbers(24, 128), tuple(f"layers.{k}" for k in QUARTERS)),
    ),
    "one block, eight times": (
        None,
        lambda: Kind(Looped().eval(), numbers(256), tuple(f"block#{k}" for k in QUARTERS)),
    ),
    "exits of its own, a list": (None, lambda: Kind(Convolutions(QUARTERS).eval(), pictures(32), ())),
    "activations in place": (None, lambda: Kind(Convolutions().eval(), pictures(32), BLOCKS)),
    "int8, dynamic": (None, quantized),
    "control flow on data": (None, lambda: Kind(Deciding().eval(), pictures(32), BLOCKS)),
    "batch norm without statistics": (
        None,
        lambda: Kind(
            Convolutions(norm=lambda width: nn.BatchNorm2d(width, track_running_stats=False)).eval(),
            pictures(32),
            BLOCKS,
        ),
    ),
}
