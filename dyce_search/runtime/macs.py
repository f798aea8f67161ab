"""Costs in multiply-adds, counted from the operations that a forward pass runs.

On top of `torch.utils.flop_counter`, which sees nothing of some kernels: they are avoided or given a formula here,
and a module whose work is still not seen is an error, never a silent zero.
"""

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils.flop_counter import FlopCounterMode

from dyce_search.arrays import require_type
from dyce_search.errors import CostsError, ModelError
from dyce_search.records.costs import ExitCosts
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import observing

WITHOUT_PRODUCTS = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm, ParametrizationList)  # whatever their weights' shape


def count_macs(
    model: EarlyExitModel,
    example_input: torch.Tensor,
    *,
    formulas: Mapping[Any, Callable[..., int]] | None = None,
    ignore: Collection[str] = (),
) -> ExitCosts:
    """Counts the multiply-adds of one sample: the backbone up to each position, each head, the whole model.

    Convolutions, matrix products and attention are counted, in eval mode, in one pass of `example_input`. Norms,
    activations, additions, pooling and look-ups are free. Modes, gradients and random states stay as they are.

    Args:
        model: to count.
        example_input: (B, ...) of the size that the model will serve; counts are divided by B.
        formulas: for operations that nothing is known of: `{torch.ops.library.operation: formula}`. A formula gets
            the operation's arguments, tensors as their shapes, and `out_shape=`, and returns FLOPs, two for each
            multiply-add, as in `torch.utils.flop_counter`.
        ignore: names of modules, as `model.named_modules()` has them, that are known to multiply nothing.

    Returns:
        Costs in MACs. The final exit's own head counts as part of the whole model.

    Raises:
        CostsError: in a module with weights nothing was counted.

    Example:
        >>> backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> model = EarlyExitModel(backbone, heads={"1": {"linear": nn.Linear(8, 3)}})
        >>> costs = count_macs(model, torch.zeros(2, 4))
        >>> costs.backbone.tolist(), costs.head.tolist(), costs.names
        ([32.0, 56.0], [24.0, 0.0], ('1/linear', 'final'))
    """
    require_type(model, EarlyExitModel, "model", ModelError)
    require_type(example_input, torch.Tensor, "example_input", ModelError)
    known = {getattr(torch.ops.aten, name, name): formula for name, formula in _FORMULAS.items()}
    counter = FlopCounterMode(display=False, custom_mapping={**known, **(formulas or {})})
    with observing(model), _fused_layers_off(), _counted_modules(model, counter) as seen, counter:
        features, _ = model.features(example_input)
        totals = [counter.get_total_flops()]
        for exit_index, (position, _) in enumerate(model.exits):
            model.heads[exit_index](features[position])
            totals.append(counter.get_total_flops())
    _require_counts(model, seen, ignore)
    flops_per_mac = 2 * len(example_input)
    reached = [seen[model.backbone.get_submodule(name)].total for name in model.positions]
    return model.exit_costs(np.array([*reached, totals[0]]) / flops_per_mac, np.diff(totals) / flops_per_mac)


@dataclass(slots=True)
class _Seen:
    """FLOPs of one module: while it ran, all its calls together; and of the whole pass by the time it was done."""

    within: int = 0
    total: int = 0


@contextlib.contextmanager
def _counted_modules(model: nn.Module, counter: FlopCounterMode) -> Iterator[dict[nn.Module, _Seen]]:
    """Watches every module; the dictionary holds those that ran."""
    seen: dict[nn.Module, _Seen] = {}

    def before(module: nn.Module, _inputs: Any) -> None:
        seen.setdefault(module, _Seen()).within -= counter.get_total_flops()

    def after(module: nn.Module, _inputs: Any, _output: Any) -> None:
        seen[module].total = counter.get_total_flops()
        seen[module].within += seen[module].total

    with contextlib.ExitStack() as hooks:
        for module in model.modules():
            hooks.callback(module.register_forward_pre_hook(before).remove)
            hooks.callback(module.register_forward_hook(after).remove)
        yield seen


def _require_counts(model: nn.Module, seen: Mapping[nn.Module, _Seen], ignore: Collection[str]) -> None:
    names = {module: name for name, module in model.named_modules()}
    unknown = set(ignore) - set(names.values())
    if unknown:
        raise CostsError(f"ignore must hold names of model.named_modules(), got {', '.join(sorted(unknown))}")
    silent = [
        names[module]
        for module, counts in seen.items()
        if not counts.within and any(_multiplies(part) and names[part] not in ignore for part in module.modules())
    ]
    innermost = [name for name in silent if not any(other.startswith(f"{name}.") for other in silent)]
    if innermost:
        named = ", ".join(f"{name!r} ({type(model.get_submodule(name)).__name__})" for name in innermost)
        raise CostsError(
            f"modules with weights must multiply something, but nothing was counted in {named}: pass formulas= for "
            "the operations in there, or ignore= the modules if they are known to multiply nothing"
        )


def _multiplies(module: nn.Module) -> bool:
    """Whether it has a matrix of its own; biases, gains and class tokens have one long axis at most."""
    own = module.parameters(recurse=False)
    return not isinstance(module, WITHOUT_PRODUCTS) and any(sum(side > 1 for side in p.shape) > 1 for p in own)


@contextlib.contextmanager
def _fused_layers_off() -> Iterator[None]:
    """Keeps attention and encoder layers from running as one kernel in eval mode, of which nothing would be counted."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _attention(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_: Any, **_options: Any) -> int:
    scores = math.prod(query[:-1]) * key[-2]  # each query of each head with every key
    return 2 * scores * (query[-1] + value[-1])


def _times_vector(*shapes: tuple[int, ...], **_options: Any) -> int:
    return 2 * math.prod(shapes[-2])  # what is added, if anything; the matrix; the vector


def _recurrent(
    steps: tuple[int, ...], from_input: tuple[int, ...], from_state: tuple[int, ...], *_: Any, **_options: Any
) -> int:
    return 2 * math.prod(steps[:2]) * (math.prod(from_input) + math.prod(from_state))


# what the counter drops: attention on the CPU and elsewhere, products with vectors, the LSTM on the CPU
_FORMULAS: dict[str, Callable[..., int]] = {
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_fused_attention_overrideable": _attention,
    "_scaled_dot_product_attention_math_for_mps": _attention,
    "mv": _times_vector,
    "dot": _times_vector,
    "addmv": _times_vector,
    "mkldnn_rnn_layer": _recurrent,
}
