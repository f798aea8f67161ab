"""Reading a meter at every position and every head of one pass: multiply-adds, or a clock."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from dyce_search.records.costs import ExitCosts
from dyce_search.runtime.forward_pass import mask_of
from dyce_search.runtime.hooked import Take
from dyce_search.runtime.inputs import Call
from dyce_search.runtime.model import EarlyExitModel

FloatArray = npt.NDArray[np.float64]


def metered(
    model: EarlyExitModel, call: Call, read: Callable[[], float], rows: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """What one pass takes of each sample: (P+1,) up to each position and to the end, and (E-1,) each head.

    A head is what serving does at an exit where it is enabled: the feature, the logits, their confidences.

    Args:
        model: in eval mode.
        call: a batch of B samples.
        read: the meter, which only grows.
        rows: (P+1,) how many samples get to each position and to the end, B first and never more than before; the
            others are taken out, as in service.
    """
    parts, head, left_at = [], [], read()

    def visit(position: int, take: Take) -> torch.Tensor | None:
        nonlocal left_at
        arrived = read()
        parts.append(arrived - left_at)
        feature = take()
        taken = read() - arrived
        for exit_index, (at, _) in enumerate(model.exits):
            if at == position:
                before, module = read(), model.heads[exit_index]
                mask = mask_of(module, call)
                logits = module(feature) if mask is None else module(feature, mask[: rows[position]])
                model.read(logits, exit_index).max().item()
                head.append((read() - before + taken) / rows[position])
        stay = torch.arange(rows[position + 1], device=feature.device) if rows[position + 1] < rows[position] else None
        left_at = read()
        return stay

    model.read(model.observe(visit, call), -1).max().item()
    parts.append(read() - left_at)
    return _up_to(parts, rows), np.array(head)


def _up_to(parts: Sequence[float], rows: Sequence[int]) -> FloatArray:
    """(P+1,) of one sample; parts that the same number of samples go through are added up before they are divided."""
    up_to: list[float] = []
    done = whole = 0.0
    for p, (part, there) in enumerate(zip(parts, rows, strict=True)):
        if p and there != rows[p - 1]:
            done, whole = up_to[-1], 0.0
        whole += part
        up_to.append(done + whole / there)
    return np.array(up_to)


def costs_of(model: EarlyExitModel, backbone: FloatArray, head: FloatArray, unit: str = "MACs") -> ExitCosts:
    """What was metered, as costs: backbone (P+1,) and head (E-1,); the final exit's own is part of the backbone."""
    return ExitCosts(
        backbone=backbone, head=np.append(head, 0), position=model.layout.position, unit=unit, names=model.exit_names
    )
