"""Reading a meter at every position and every head of one pass: multiply-adds, or a clock."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from dyce_search.records.costs import ExitCosts
from dyce_search.runtime.forward_pass import mask_of
from dyce_search.runtime.hooked import Take
from dyce_search.runtime.inputs import Call
from dyce_search.runtime.model import EarlyExitModel

FloatArray = npt.NDArray[np.float64]


def metered(model: EarlyExitModel, call: Call, read: Callable[[], float]) -> tuple[FloatArray, FloatArray]:
    """What a pass takes that all samples go through to the end: (P+1,) up to each position, and (E-1,) each head.

    A head is what serving does at an exit where it is enabled: the feature, the logits, their confidences.

    Args:
        model: in eval mode.
        call: a batch.
        read: the meter, which only grows.
    """
    backbone, head, aside = [], [], 0.0

    def visit(position: int, take: Take) -> None:
        nonlocal aside
        arrived = read()
        backbone.append(arrived - aside)
        feature = take()
        taken = read() - arrived
        for exit_index, (at, _) in enumerate(model.exits):
            if at == position:
                before, module = read(), model.heads[exit_index]
                logits = module(feature) if (mask := mask_of(module, call)) is None else module(feature, mask)
                model.read(logits, exit_index).max().item()
                head.append(read() - before + taken)
        aside += read() - arrived

    start = read()
    model.read(model.observe(visit, call), -1).max().item()
    backbone.append(read() - aside)
    return np.array(backbone) - start, np.array(head)


def costs_of(model: EarlyExitModel, backbone: FloatArray, head: FloatArray, unit: str = "MACs") -> ExitCosts:
    """What was metered, as costs: backbone (P+1,) and head (E-1,); the final exit's own is part of the backbone."""
    return ExitCosts(
        backbone=backbone, head=np.append(head, 0), position=model.layout.position, unit=unit, names=model.exit_names
    )
