"""Whether saved MACs become saved time: the runtime on the CPU, one thread."""

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

import dyce_search as ds
from dyce_search.evaluation.config import threshold_between
from dyce_search.runtime import EarlyExitModel, count_macs
from tests.benchmarks.measure import table
from tests.runtime.networks import ResNet, pooled_head

IMAGES, ROUNDS = 64, 7
TARGETS = (0.8, 0.5, 0.3)


def equal_shares(records: ds.ExitRecords, relative_cost: float) -> ds.ExitConfig:
    """Every second exit enabled, each letting go the same share of those that reach it; the share by bisection."""
    positions = range(1, records.costs.n_positions - 1, 2)

    def config(share: float) -> ds.ExitConfig:
        candidate, threshold = np.full(records.costs.n_positions, -1), np.zeros(records.costs.n_positions)
        under_way = np.ones(records.n_samples, bool)
        for p in positions:
            confidence = records.confidence[records.costs.first[p]]
            levels = np.sort(confidence[under_way])
            levels = np.concatenate([[0], levels, [2]])  # below and above all
            kept = round((1 - share) * (len(levels) - 2))
            candidate[p], threshold[p] = 0, threshold_between(levels[kept], levels[kept + 1])
            under_way &= confidence <= threshold[p].astype(np.float32)
        return ds.ExitConfig(candidate=candidate, threshold=threshold)

    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        dearer = ds.evaluate(records, config(middle)).relative_cost > relative_cost
        low, high = (middle, high) if dearer else (low, middle)
    return config(low)


def processor_times(works: list[Callable[[torch.Tensor], object]], batches: Sequence[torch.Tensor]) -> list[float]:
    """Of each work on all batches: each batch's least of some rounds, in turns, so that all are disturbed alike.

    The order of the turns is drawn anew each time: what ran before decides what the caches hold.
    """
    rng = np.random.default_rng(0)
    times = np.full((ROUNDS, len(batches), len(works)), np.inf)
    for one_round in times:
        for x, row in zip(batches, one_round, strict=True):
            for k in rng.permutation(len(works)):
                start = time.process_time()
                works[k](x)
                row[k] = time.process_time() - start
    return times.min(axis=0).sum(axis=0).tolist()


def runtime() -> str:
    """A ResNet-18-like backbone (64 to 512 channels, 32 x 32 pixels, channels last), a linear exit at each block.

    Random weights: who leaves is set by thresholds. Processor time of one thread, each batch's least of 7 rounds.
    """
    backbone = ResNet((64, 128, 256, 512), 2, classes=10).to(memory_format=torch.channels_last)
    heads = {
        name: {"linear": pooled_head(backbone.get_submodule(name).bn2.num_features, 10)}
        for name in backbone.block_names()
    }
    model = EarlyExitModel(backbone, heads).eval()
    images = torch.randn(IMAGES, 3, 32, 32).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        logits = model.all_logits(images)
        records = ds.ExitRecords.from_logits(
            logits, logits[-1].argmax(dim=1), costs=count_macs(model, images[:1].contiguous())
        )
        configs = {"no configuration": None, "all exits off": ds.ExitConfig.none(len(model.positions))}
        configs |= {f"about {target}": equal_shares(records, target) for target in TARGETS}
        torch.set_num_threads(1)  # Numba's threads, when they start, change it
        rows = []
        for batch in (1, 64):
            batches = images.split(batch)

            def configured(x: torch.Tensor, config: ds.ExitConfig | None) -> torch.Tensor:
                model.configure(config)
                return model(x).position

            for config in configs.values():
                known = ds.evaluate(records, config or ds.ExitConfig.none(len(model.positions)), per_sample=True)
                assert torch.cat([configured(x, config) for x in batches]).tolist() == known.exit_position.tolist()
            works = [backbone, *(partial(configured, config=config) for config in configs.values())]
            base, *times = processor_times(works, batches)
            rows.append([batch, "plain backbone", 1.0, 1000 * base / IMAGES, 1.0, 0.0])
            for (name, config), taken in zip(configs.items(), times, strict=True):
                cost = ds.evaluate(records, config).relative_cost if config else 1.0
                rows.append([batch, name, cost, 1000 * taken / IMAGES, taken / base, taken / base - cost])
    return table(["batch", "configuration", "relative cost", "ms a sample", "relative time", "difference"], rows)
