"""A small padded transformer, and models of both kinds with their bundles."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

import dyce_search as ds
from dyce_search.runtime import EarlyExitModel, count_macs, export_onnx, record
from tests.runtime.networks import CLASSES, ResNet, fit, images, pooled_head

WORDS, WIDTH, LENGTH, N = 50, 16, 12, 256


class Block(nn.Module):
    """Attention among the tokens that count, and a feed-forward layer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.project, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 32), nn.GELU(), nn.Linear(32, WIDTH))

    def forward(self, tokens: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        samples, length, _ = tokens.shape
        query, key, value = (
            part.view(samples, length, 2, WIDTH // 2).transpose(1, 2)
            for part in self.project(self.norm1(tokens)).chunk(3, dim=-1)
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.out(mixed.transpose(1, 2).reshape(samples, length, WIDTH))
        return tokens + self.mlp(self.norm2(tokens))


class PaddedTransformer(nn.Module):
    """As BERT: words, places and a mask, blocks `blocks.0`, ..., the mean of the tokens that count.

    The last stage needs the length, and takes no value that has it.
    """

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH * 2, WIDTH)
        self.register_buffer("numbers", torch.arange(LENGTH * 2)[None])  # an upper limit to the length
        self.blocks = nn.ModuleList(Block() for _ in range(depth))
        self.pool, self.fc = nn.Identity(), nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        tokens = self.words(input_ids) + self.places(self.numbers[:, : input_ids.shape[1]])
        bias = (1 - attention_mask[:, None, None, :].float()) * -1e9
        for block in self.blocks:
            tokens = block(tokens, bias)
        pooled = self.pool((tokens * attention_mask[..., None]).sum(dim=1))
        return self.fc(4 * pooled / input_ids.shape[1])


class MaskedHead(nn.Module):
    """The mean of the tokens that count, then a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.mask, self.fc = "attention_mask", nn.Linear(WIDTH, CLASSES)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        weight = mask[..., None].to(tokens.dtype)
        return self.fc((tokens * weight).sum(dim=1) / weight.sum(dim=1))


def sentences(count: int, length: int = LENGTH, seed: int = 1) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Words and masks (count, length); the label is the first word, modulo the classes, more or less often repeated."""
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(WORDS, (count, length), generator=random)
    labels = torch.randint(CLASSES, (count,), generator=random)
    share = torch.rand(count, 1, generator=random)
    ids = torch.where(torch.rand(count, length, generator=random) < share, ids - ids % CLASSES + labels[:, None], ids)
    lengths = torch.randint(3, length + 1, (count, 1), generator=random)
    mask = (torch.arange(length) < lengths).long()
    return {"input_ids": (ids * mask).clamp(max=WORDS - 1), "attention_mask": mask}, labels


def padded_model() -> EarlyExitModel:
    """Trained for a moment, with two heads that take a mask, one without, and one on a pooled vector."""
    torch.manual_seed(0)
    heads: dict[str, dict[str, nn.Module]] = {f"blocks.{k}": {"masked": MaskedHead()} for k in range(2)}
    heads["blocks.1"]["first"] = nn.Sequential(FirstToken(), nn.Linear(WIDTH, CLASSES))
    heads["pool"] = {"linear": nn.Linear(WIDTH, CLASSES)}
    examples = [sentences(4)[0], sentences(4, LENGTH - 3)[0]]
    model = EarlyExitModel(PaddedTransformer(), heads, example=examples)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(40):
        batch, labels = sentences(64, seed=100 + step)
        logits = model.train().all_logits(**batch)
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits))).backward()
        optimizer.step()
    return model.eval()


class FirstToken(nn.Module):
    """Of tokens (B, T, D) the first."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens[:, 0]


def cnn_model() -> EarlyExitModel:
    """A trained ResNet with two heads at its first position, temperatures and another measure."""
    torch.manual_seed(0)
    heads = {"layer1": {"linear": pooled_head(8), "wide": nn.Sequential(pooled_head(8, 12), nn.ReLU())}}
    heads["layer1"]["wide"].append(nn.Linear(12, CLASSES))
    heads["layer2.0"] = {"linear": pooled_head(16)}
    kind = {"confidence": "entropy", "temperature": [1.5, 0.7, 1.0, 2.0]}
    model = EarlyExitModel(ResNet(), heads, example=images(4)[0], **kind)
    fit(model)
    return model


class Bundled(NamedTuple):
    """A model, its bundle, samples, and records of them that PyTorch made."""

    model: EarlyExitModel
    folder: Path
    inputs: dict[str, torch.Tensor]
    labels: torch.Tensor
    records: ds.ExitRecords
    configs: dict[str, ds.ExitConfig]

    def some(self, rows: slice) -> dict[str, torch.Tensor]:
        """Some of the samples."""
        return {name: value[rows] for name, value in self.inputs.items()}


def bundled(kind: str, folder: Path) -> Bundled:
    """Records a model, searches, and exports it with some points of the front."""
    model = cnn_model() if kind == "cnn" else padded_model()
    inputs, labels = sentences(N) if kind == "padded" else ({"x": images(N)[0]}, images(N)[1])
    batch = inputs if kind == "padded" else inputs["x"]
    costs = count_macs(model, {name: value[:1] for name, value in inputs.items()} if kind == "padded" else batch[:1])
    records = record(model, [(batch, labels)], costs=costs, n_samples=N, progress=False)
    front = ds.search(records, seed=0)
    points = [front[int(k)] for k in np.unique(np.linspace(0, len(front) - 1, 6).astype(int))]
    configs = {f"point{k}": point.config for k, point in enumerate(points)}
    export_onnx(model, folder, configs=configs, costs=costs)
    return Bundled(model, folder, inputs, labels, records, configs)
