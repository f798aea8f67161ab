"""Costs in multiply-adds, counted from the operations that a forward pass runs: all of them, or an error."""

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import flop_registry

from dyce_search.arguments import require_type, several
from dyce_search.errors import CostsError, ModelError
from dyce_search.records.costs import ExitCosts
from dyce_search.runtime.inputs import as_call
from dyce_search.runtime.metering import costs_of, metered
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import device_of, observing

# What multiplies nothing, or as little as a norm does; views, and what works number by number, need no name.
_FREE = """
    __and__ __or__ _adaptive_avg_pool2d _adaptive_avg_pool3d _batch_norm_no_update _batch_norm_with_update
    _embedding_bag _embedding_bag_forward_only _fused_rms_norm _is_all_true _local_scalar_dense _log_softmax
    _native_batch_norm_legit _native_batch_norm_legit_no_training _pack_padded_sequence _pad_packed_sequence
    _prelu_kernel _reshape_alias _safe_softmax _softmax _to_copy _unsafe_index _unsafe_view _upsample_bicubic2d_aa
    _upsample_bilinear2d_aa _weight_norm_interface adaptive_avg_pool1d adaptive_max_pool2d all amax amin aminmax any
    arange argmax argmin argsort avg_pool1d avg_pool2d avg_pool3d bernoulli bernoulli_ bincount bucketize cat
    channel_shuffle choose_qparams clone col2im complex constant_pad_nd copy copy_ count_nonzero cummax cummin cumprod
    cumsum dequantize diag_embed embedding empty empty_like fill fill_ flip floor_divide full full_like gather glu
    grid_sampler_2d hardswish hardswish_ im2col index index_add index_copy index_put index_put_ index_select isin
    kthvalue lift_fresh lift_fresh_copy linalg_vector_norm log_sigmoid_forward logcumsumexp logsumexp masked_scatter
    masked_select max max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices mean median min mode
    multinomial native_batch_norm native_channel_shuffle native_dropout native_group_norm native_layer_norm new_empty
    new_full new_ones new_zeros nonzero norm normal_functional ones_like pixel_shuffle pixel_unshuffle polar prod
    quantize_per_channel quantize_per_tensor quantize_per_tensor_dynamic rand_like randint_like randn_like
    reflection_pad1d reflection_pad2d reflection_pad3d repeat repeat_interleave replication_pad1d replication_pad2d
    roll rot90 rrelu_with_noise rsub scatter scatter_add scatter_reduce searchsorted select_scatter slice_scatter sort
    split_with_sizes_copy stack std std_mean sum topk trace tril triu unique_consecutive unsafe_split
    unsafe_split_with_sizes upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d
    upsample_nearest2d var var_mean zero_ zeros_like
"""
FREE = frozenset(_FREE.split())


def count_macs(
    model: EarlyExitModel,
    example_input: Any,
    *,
    formulas: Mapping[Any, Callable[..., int]] | None = None,
    ignore: Collection[str] = (),
) -> ExitCosts:
    """Counts the multiply-adds of one sample: the backbone up to each position, each head, the whole model.

    Convolutions, matrix products, attention, recurrent layers, and products that are summed or broadcast to more
    numbers than either factor has: each in eval mode, in one pass of `example_input`, in whatever precision. Free are
    norms, activations, additions, scaling, pooling and look-ups (`macs.FREE`). Modes, gradients and random states stay
    as they are.

    Args:
        model: to count, not compiled yet.
        example_input: a batch of the size that the model will serve: (B, ...), a tuple or a mapping; counts are
            divided by B.
        formulas: for operations that nothing is known of: `{torch.ops.library.operation: formula}`. A formula gets
            the operation's arguments, tensors as their shapes, and `out_shape=`, and returns FLOPs, two for each
            multiply-add, as in `torch.utils.flop_counter`.
        ignore: names of such operations that are known to multiply nothing, "library.operation".

    Returns:
        Costs in MACs. The final exit's own head counts as part of the whole model.

    Raises:
        CostsError: formulas or names that are none; an operation of which nothing is known, which the message names;
            compiled stages.

    Example:
        >>> from torch import nn
        >>> backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> model = EarlyExitModel(backbone, heads={"1": {"linear": nn.Linear(8, 3)}})
        >>> costs = count_macs(model, torch.zeros(2, 4))
        >>> costs.backbone.tolist(), costs.head.tolist(), costs.names
        ([32.0, 56.0], [24.0, 0.0], ('1/linear', 'final'))
    """
    require_type(model, EarlyExitModel, "model", ModelError)
    call = as_call(example_input, "example_input").on(device_of(model))
    require_type({} if formulas is None else formulas, Mapping, "formulas", CostsError)
    counter = _Counter(formulas or {}, several(ignore, str, "ignore", CostsError))
    with observing(model), _fused_layers_off():
        model.features(*call.args, **call.named)  # whatever has to be built
        if model.is_compiled:
            raise CostsError("compiled stages hide their operations: count before model.compile()")
        with counter:
            backbone, head = metered(model, call, lambda: counter.macs, [call.samples] * (len(model.positions) + 1))
    return costs_of(model, backbone, head)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the multiply-adds of every operation."""

    def __init__(self, formulas: Mapping[Any, Callable[..., int]], ignore: Collection[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.formulas, self.ignore = formulas, ignore
        self.macs = 0.0
        self.products: dict[int, torch.Tensor] = {}  # by identity; kept, so that no other gets the same one

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.macs += self._count(func, args, kwargs or {}, out)
        return out

    def _count(self, func: Any, args: Any, named: dict[str, Any], out: Any) -> float:
        packet, name = func.overloadpacket, func.overloadpacket.__name__
        if packet in self.formulas:
            shapes, shaped, out_shape = tree_map(
                lambda v: v.shape if isinstance(v, torch.Tensor) else v, (args, named, out)
            )
            return self.formulas[packet](*shapes, **shaped, out_shape=out_shape) / 2
        if packet in _FORMULAS:
            return float(_FORMULAS[packet](*args, **named, out=out))
        if packet in flop_registry:
            return flop_registry[packet](*args, **named, out_val=out) / 2  # type: ignore[no-any-return]
        if name in ("mul", "mul_"):
            return self._product(args, out)
        if name in ("sum", "mean") and id(args[0]) in self.products:  # a contraction, written out
            return float(args[0].numel())
        views = any(value.alias_info is not None for value in func._schema.returns)
        known = name in FREE or views or torch.Tag.pointwise in func.tags or str(packet) in self.ignore
        if not known and any(isinstance(value, torch.Tensor) for value in args):
            raise CostsError(
                f"nothing is known of the multiply-adds of {packet}: pass formulas={{torch.ops.{packet}: formula}}, "
                f"or ignore=[{str(packet)!r}] if it multiplies nothing"
            )
        return 0.0

    def _product(self, args: Any, out: torch.Tensor) -> float:
        """Of numbers one by one: free as scaling is, but for a product of all with all."""
        sizes = [value.numel() for value in args if isinstance(value, torch.Tensor)]
        if len(sizes) == 2 and out.numel() > max(sizes):
            return float(out.numel())
        if len(sizes) == 2 and min(sizes) > 1:
            self.products[id(out)] = out
        return 0.0


@contextlib.contextmanager
def _fused_layers_off() -> Iterator[None]:
    """Keeps attention and encoder layers from running as one kernel in eval mode, of which nothing would be counted."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, out: Any, **_options: Any) -> int:
    scores = math.prod(query.shape[:-1]) * key.shape[-2]  # each query of each head with every key
    return scores * (query.shape[-1] + value.shape[-1])


def _times_vector(*values: torch.Tensor, out: Any, **_options: Any) -> int:
    return values[-2].numel()  # what is added, if anything; the matrix; the vector


def _recurrent(steps: torch.Tensor, *weights: Any, out: Any, **_options: Any) -> int:
    return math.prod(steps.shape[:2]) * int(weights[0].numel() + weights[1].numel())


def _linear(values: torch.Tensor, *_: Any, out: torch.Tensor, **_options: Any) -> int:
    return out.numel() * values.shape[-1]


def _quantized_conv(_values: torch.Tensor, packed: Any, *_: Any, out: torch.Tensor, **_options: Any) -> int:
    weight: torch.Tensor = packed.unpack()[0]
    return out.numel() * math.prod(weight.shape[1:])


def _known(library: str, formulas: Mapping[str, Callable[..., int]]) -> dict[Any, Callable[..., int]]:
    """By operation, for those that this build of torch has."""
    found = {name: getattr(getattr(torch.ops, library), name, None) for name in formulas}
    return {packet: formulas[name] for name, packet in found.items() if packet is not None}


# what torch's own table lacks: attention on the CPU and elsewhere, products with vectors, the LSTM on the CPU, int8
_FORMULAS: dict[Any, Callable[..., int]] = {
    **_known(
        "aten",
        {
            "_scaled_dot_product_flash_attention_for_cpu": _attention,
            "_scaled_dot_product_fused_attention_overrideable": _attention,
            "_scaled_dot_product_attention_math_for_mps": _attention,
            "mv": _times_vector,
            "dot": _times_vector,
            "vdot": _times_vector,
            "addmv": _times_vector,
            "mkldnn_rnn_layer": _recurrent,
            "_int_mm": _linear,
            "_weight_int8pack_mm": _linear,
            "_weight_int4pack_mm": _linear,
        },
    ),
    **_known("quantized", dict.fromkeys(("linear", "linear_relu", "linear_dynamic", "linear_relu_dynamic"), _linear)),
    **_known("quantized", {f"conv{n}d{relu}": _quantized_conv for n in (1, 2, 3) for relu in ("", "_relu")}),
}
