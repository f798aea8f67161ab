"""Times of a bundle in ONNX Runtime beside PyTorch, the runtime and the whole network as one ONNX file.

    python -m tests.benchmarks bundles

A ResNet of 64 to 512 channels (32 x 32 pixels) and a padded transformer (6 blocks, width 256, 64 tokens), exits at
three of their blocks, random weights: thresholds decide who leaves. Processor time of one thread. Before anything is
timed, each staged answer is held against the runtime's, sample by sample.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

import dyce_search as ds
from dyce_search.evaluation.config import threshold_between
from dyce_search.runtime import EarlyExitModel, export_onnx, heads_for, linear_head
from dyce_search.serving import StagedModel
from tests.benchmarks.measure import table
from tests.runtime.networks import ResNet, pooled_head

SAMPLES, LEAVING, ROUNDS = 64, 0.8, 15
Inputs = dict[str, torch.Tensor]


class Transformer(nn.Module):
    """PyTorch's own encoder layers on words, with padding masked."""

    def __init__(self, depth: int = 6, width: int = 256) -> None:
        super().__init__()
        self.words = nn.Embedding(1000, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.fc = nn.Linear(width, 10)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        tokens = self.words(input_ids)
        bias = (1 - attention_mask[:, None, None, :].to(tokens.dtype)) * -1e9
        for block in self.blocks:
            tokens = block(tokens, bias)
        return self.fc(tokens[:, 0])


class Block(nn.Module):
    """Attention of 4 heads and a feed-forward layer of 4 times the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        samples, length, width = tokens.shape
        parts = self.project(self.norm1(tokens)).chunk(3, dim=-1)
        query, key, value = (part.view(samples, length, 4, width // 4).transpose(1, 2) for part in parts)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.out(mixed.transpose(1, 2).reshape(samples, length, width))
        return tokens + self.mlp(self.norm2(tokens))


class Case(NamedTuple):
    """A model and samples for it."""

    name: str
    model: EarlyExitModel
    inputs: Inputs


def cases() -> list[Case]:
    """Both networks, random weights."""
    torch.manual_seed(0)
    resnet = ResNet((64, 128, 256, 512), 2, classes=10)
    heads = {f"layer{k}": {"linear": pooled_head(64 << (k - 1), 10)} for k in (1, 2, 3)}
    images = {"x": torch.randn(SAMPLES, 3, 32, 32)}
    lengths = torch.randint(16, 65, (SAMPLES, 1))
    mask = (torch.arange(64) < lengths).long()
    words = {"input_ids": torch.randint(1000, (SAMPLES, 64)) * mask, "attention_mask": mask}
    transformer = Transformer()
    few = {name: value[:4] for name, value in words.items()}
    hung = heads_for(
        transformer, few, positions=["blocks.0", "blocks.2", "blocks.4"], types={"linear": linear_head}, classes=10
    )
    return [
        Case("ResNet", EarlyExitModel(resnet, heads, example={"x": images["x"][:4]}).eval(), images),
        Case("transformer", EarlyExitModel(transformer, hung, example=few).eval(), words),
    ]


def leaving_first(model: EarlyExitModel, inputs: Inputs) -> ds.ExitConfig:
    """80 % leave at the first exit, the others go on to the last."""
    with torch.inference_mode():
        first = np.sort(model.read(model.all_logits(**inputs)[0], 0).numpy())
    stay = round((1 - LEAVING) * SAMPLES)
    threshold = threshold_between(first[stay - 1], first[stay])
    return ds.ExitConfig(candidate=[0, -1, -1], threshold=[threshold, 0, 0])


def whole_session(model: nn.Module, inputs: Inputs, folder: str) -> Any:
    """The network without exits as one ONNX file."""
    import onnxruntime

    dims = tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)
    program = torch.export.export(model, tuple(value[:4] for value in inputs.values()), dynamic_shapes=dims)
    path = Path(folder) / "whole.onnx"
    made = torch.onnx.export(program, input_names=list(inputs), dynamo=True, verbose=False)
    made.save(str(path), external_data=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def times(works: dict[str, Callable[[Inputs], object]], batches: list[Inputs]) -> dict[str, float]:
    """Processor seconds of each work on all batches, each batch's least of some rounds, in random turns."""
    rng, names = np.random.default_rng(0), list(works)
    found = np.full((ROUNDS, len(batches), len(names)), np.inf)
    for one_round in found:
        for batch, row in zip(batches, one_round, strict=True):
            for k in rng.permutation(len(names)):
                start = time.process_time()
                works[names[k]](batch)
                row[k] = time.process_time() - start
    return dict(zip(names, found.min(axis=0).sum(axis=0).tolist(), strict=True))


def study(case: Case) -> list[list[object]]:
    """A row for each size of batch and way to serve."""
    model, rows = case.model, []
    early = leaving_first(model, case.inputs)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        export_onnx(model, f"{folder}/bundle", configs={"early": early})
        print(f"{case.name}: written in {time.perf_counter() - start:.1f} s")
        staged, whole = StagedModel(f"{folder}/bundle", threads=1), whole_session(model.backbone, case.inputs, folder)
        export_onnx(model, f"{folder}/int8", quantize=True)
        int8 = StagedModel(f"{folder}/int8", threads=1)
        sizes = [sum(p.stat().st_size for p in Path(folder, n).iterdir()) / 1e6 for n in ("bundle", "int8")]
        print(f"{case.name}: {sizes[0]:.1f} MB, int8 {sizes[1]:.1f} MB")
    torch.set_num_threads(1)

    def torch_runs(batch: Inputs, config: ds.ExitConfig | None) -> Any:
        model.configure(config)
        with torch.inference_mode():
            return model(**batch)

    def staged_runs(batch: Inputs, config: ds.ExitConfig | None, served: StagedModel = staged) -> Any:
        served.configure(config)
        return served(**batch)

    def eager(batch: Inputs) -> Any:
        with torch.inference_mode():
            return model.backbone(**batch)

    works: dict[str, Callable[[Inputs], object]] = {
        "torch eager, whole network": eager,
        "ONNX Runtime, whole network": lambda batch: whole.run(None, {n: v.numpy() for n, v in batch.items()}),
        "staged, no configuration": lambda batch: staged_runs(batch, None),
        "runtime, 80 % leave first": lambda batch: torch_runs(batch, early),
        "staged, 80 % leave first": lambda batch: staged_runs(batch, early),
        "staged int8, no configuration": lambda batch: staged_runs(batch, None, int8),
    }
    differences = 0.0
    for size in (1, 64):
        batches = [
            {name: value[start : start + size] for name, value in case.inputs.items()}
            for start in range(0, SAMPLES, size)
        ]
        for batch in batches:
            expected, found = torch_runs(batch, early), staged_runs(batch, early)
            assert found.position.tolist() == expected.position.tolist()
            differences = max(differences, float(np.abs(found.logits - expected.logits.numpy()).max()))
        taken = times(works, batches)
        base = taken["torch eager, whole network"]
        rows += [[case.name, size, name, 1000 * t / SAMPLES, t / base] for name, t in taken.items()]
    print(f"{case.name}: largest difference of logits {differences:.2g}")
    return rows


def bundles() -> str:
    """A row for each network, size of batch and way to serve."""
    torch.set_num_threads(1)
    rows = [row for case in cases() for row in study(case)]
    return table(["network", "batch", "way", "ms a sample", "relative time"], rows)
