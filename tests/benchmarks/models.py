"""What people's models do with exits: right or refused, and whether saved MACs become saved time."""

import importlib.util
import logging
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

import dyce_search as ds
from dyce_search.evaluation.config import threshold_between
from dyce_search.runtime import EarlyExitModel, count_macs, heads_for, linear_head, measure_latency, record, train_heads
from dyce_search.runtime.inputs import Call, as_call
from dyce_search.runtime.stages import take_rows
from tests.benchmarks.measure import table
from tests.runtime.kinds import KINDS, Kind

SAMPLES, LEAVE, ROUNDS = 192, 0.8, 9


class Shown(NamedTuple):
    """A row of the table."""

    kind: str
    cut: str
    trained: str
    macs: str
    points: int
    wrong: int
    mac_ratio: float
    layers_ratio: float
    time_ratio: float
    predicted: float
    predicted_thinned: float
    faster_one: float
    faster_many: float


def models() -> str:
    """Each kind with linear exits at a quarter, a half and three quarters of its depth, random weights, one thread.

    `wrong`: samples, of all that are served at three points of the front, that left elsewhere than was promised.
    Then 80 % leave at the first exit: MACs and time of 64 samples relative to the plain network; between them the time
    of the layers alone, the first stage with all and the others with those that stay, which no runtime can go below;
    the milliseconds that `measure_latency` predicts, without and with `exit_share=`, relative to those it took; and the
    speed-up one by one and in a batch of 64. Processor time, the median of pairs in turns.
    """
    torch.set_num_threads(1)
    logging.getLogger("dyce_search.runtime").setLevel(logging.ERROR)
    rows = []
    for name, (library, make) in KINDS.items():
        if library is None or importlib.util.find_spec(library) is not None:
            rows.append(_row(name, make))
            print(rows[-1], flush=True)
    head = ["kind", "cut", "heads trained", "MMACs", "points", "wrong", "MACs"]
    return table([*head, "layers alone", "time", "predicted", "thinned", "faster, 1", "faster, 64"], rows)


def _row(name: str, make: Callable[[], Kind]) -> list[Any]:
    """A kind from heads to service; what is refused is named."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = make()
        try:
            model = built(kind)
        except ds.ModelError as refusal:
            return [name, f"refused: {str(refusal).partition(':')[0]}", *["-"] * 11]
        return list(measured(name, kind, model))


def built(kind: Kind) -> EarlyExitModel:
    """The model with its exits."""
    example = kind.batch(4)
    if not kind.positions:
        return EarlyExitModel.native(kind.net, example, **kind.options).eval()
    try:
        heads = heads_for(kind.net, example, positions=kind.positions, types={"linear": linear_head})
    except ds.ModelError:
        heads = heads_for(kind.net, example, positions=kind.positions, types={"linear": linear_head}, channels=1)
    return EarlyExitModel(kind.net, heads, example=example, **kind.options).eval()


def measured(name: str, kind: Kind, model: EarlyExitModel) -> Shown:
    """All that a user does, and what it takes."""
    batches = [kind.batch(64) for _ in range(SAMPLES // 64)]
    with torch.no_grad():
        labels = [model(batch).logits.argmax(1) for batch in batches]
    noise = torch.randint(10, (SAMPLES,)), torch.rand(SAMPLES) < 0.3
    labels = torch.where(noise[1], noise[0], torch.cat(labels)).split(64)
    data = list(zip(batches, labels, strict=True))
    trained = "own"
    if kind.positions:
        loss = train_heads(model, data, epochs=3, learning_rate=0.01, progress=False).loss
        trained = f"{loss[0].mean():.2f} to {loss[-1].mean():.2f}"
    costs = count_macs(model, kind.batch(2))
    records = record(model, data, costs=costs, n_samples=SAMPLES, progress=False)
    front = ds.search(records, effort="fast")
    wrong = sum(promises_broken(model, records, front[k], batches) for k in {0, len(front) // 2, len(front) - 1})
    times = timed(model, records, batches[0])
    cut = "stages" if model.compacts else "hooks"
    return Shown(name, cut, trained, f"{costs.baseline / 1e6:.1f}", len(front), wrong, *times)


def promises_broken(model: EarlyExitModel, records: ds.ExitRecords, point: Any, batches: list[Any]) -> int:
    """How many samples leave elsewhere than `evaluate` says."""
    model.configure(point)
    with torch.inference_mode():
        found = torch.cat([model(batch).position for batch in batches]).numpy()
    return int((found != ds.evaluate(records, point.config, per_sample=True).exit_position).sum())


def timed(model: EarlyExitModel, records: ds.ExitRecords, batch: Any) -> tuple[float, ...]:
    """The last columns: a batch of 64 of which 80 % leave at the first exit, and the same samples one by one."""
    levels = np.sort(records.confidence[0, :64])
    kept = round((1 - LEAVE) * 64)
    rest = [0] * (records.costs.n_positions - 1)
    config = ds.ExitConfig(
        candidate=[0, *[-1 for _ in rest]], threshold=[threshold_between(levels[kept - 1], levels[kept]), *rest]
    )
    ratio = ds.evaluate(records.subset(np.arange(64)), config).relative_cost
    call = as_call(batch)
    singles = [call.with_values(v[k : k + 1] for v in call.values) for k in range(0, 64, 4)]
    model.configure(config)
    with torch.inference_mode():
        many = relative_time(lambda: model(batch), lambda: model.backbone(*call.args, **call.named))
        alone = layers_alone(model, call, kept) if model.compacts else 1.0
        predicted = [predicted_time(model, batch, kept / 64, thinned) for thinned in (False, bool(model.compacts))]
        left = [int(model(*one.args, **one.named).position) == 0 for one in singles]
        shares = relative_time(
            lambda: [model(*one.args, **one.named) for one in singles],
            lambda: [model.backbone(*one.args, **one.named) for one in singles],
        )
    assert 0 < sum(left) <= len(left)
    return tuple(round(x, 2) for x in (ratio, alone, many, *predicted, 1 / shares, 1 / many))


def layers_alone(model: EarlyExitModel, call: Call, kept: int) -> float:
    """Time of the first stage on all and of the others on those that stay, without exits, relative to the network."""
    staged, _, _ = model.stages()
    first, *others = staged.stages
    sizes = [call.values[place].shape[axis] for place, axis in staged.sizes]
    values = [call.values[place] for place in staged.inputs]
    live = first.main(sizes, values)[: len(first.axes)]
    few = [take_rows(value, torch.arange(kept), axis) for value, axis in zip(live, first.axes, strict=True)]

    def rest() -> None:
        carried = few
        for stage in others:
            carried = stage.main([kept, *sizes[1:]], carried)[: len(stage.axes)]

    def plain() -> object:
        return model.backbone(*call.args, **call.named)

    return relative_time(lambda: first.main(sizes, values), plain) + relative_time(rest, plain)


def predicted_time(model: EarlyExitModel, batch: Any, stay: float, thinned: bool) -> float:
    """The time of a configured batch by `measure_latency`, relative to what it takes, the median of three."""
    share = [1 - stay, *[0.0] * (len(model.positions) - 1), stay] if thinned else None
    ratios = []
    for _ in range(3):
        costs = measure_latency(model, batch, exit_share=share, repeats=7)
        predicted = costs.backbone[0] + costs.head[0] + stay * (costs.backbone[-1] - costs.backbone[0])
        took = []
        for _ in range(12):
            start = time.perf_counter()
            model(batch)
            took.append(1000 * (time.perf_counter() - start) / as_call(batch).samples)
        ratios.append(predicted / np.median(took[5:]))
    return float(np.median(ratios))


def relative_time(work: Callable[[], object], base: Callable[[], object]) -> float:
    """Processor time of one relative to the other: the median ratio of pairs that run one after the other."""
    ratios = []
    for k in range(ROUNDS + 2):
        took = []
        for one in (work, base) if k % 2 else (base, work):
            start = time.process_time()
            one()
            took.append(time.process_time() - start)
        ratios.append(took[0] / took[1] if k % 2 else took[1] / took[0])
    return float(np.median(ratios[2:]))
