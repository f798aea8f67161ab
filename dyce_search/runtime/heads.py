"""Small classifiers to hang on a backbone, sized from the features it gives.

Makers of heads take maps (B, C, H, W), sequences of tokens (B, T, D) or vectors (B, D); `heads_for` brings features of
other layouts into one of these.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from dyce_search.arguments import function, require_type, several, shown, text, whole
from dyce_search.arrays import whole_numbers
from dyce_search.errors import ModelError
from dyce_search.runtime.backbone import as_module, find_positions, first_tensor
from dyce_search.runtime.captured import channel_axis
from dyce_search.runtime.inputs import Call, as_call
from dyce_search.runtime.modes import device_of, observing
from dyce_search.runtime.programs import Programs
from dyce_search.runtime.stages import LOG

MASK = "attention_mask"  # as the networks of transformers call it
MOST_SIZE = 1 << 20  # of each size that a head is made from
MOST_WEIGHTS = 1 << 28  # of a layer, a gigabyte
HeadMaker = Callable[[tuple[int, ...], int], nn.Module]


class _Feature(NamedTuple):
    """What a position gives: the tensor, samples first, and the axis of its channels."""

    value: torch.Tensor
    channels: int | None


def heads_for(
    backbone: nn.Module | Sequence[nn.Module],
    example_input: Any,
    *,
    positions: Iterable[str],
    types: Mapping[str, HeadMaker],
    classes: int | None = None,
    feature: Callable[[Any], torch.Tensor] | None = None,
    channels: int | None = None,
    mask: str | None = None,
) -> dict[str, dict[str, nn.Module]]:
    """Makes the heads of an `EarlyExitModel`: every type at every position, of the size that the features need.

    Which axis holds the samples, and which the channels, is read off the operations around a feature; the log says
    at level INFO what was taken. Where the channels are last in maps, or first in sequences, the heads turn them.
    Tokens that a mask excludes are left out of the heads' pooling.

    Args:
        backbone: as for `EarlyExitModel`.
        example_input: (B, ...) what it takes, or a tuple or a mapping; one sample will do.
        positions: names of its modules, in the order in which they run, as for `EarlyExitModel`.
        types: name -> function that makes a head from a feature's shape and the number of classes, such as
            `linear_head`; with options, `functools.partial(mlp_head, hidden=128)`.
        classes: number of outputs; None for as many as the backbone has.
        feature: as for `EarlyExitModel`.
        channels: axis of the features' channels, counted with the samples on axis 0, where it cannot be read off.
        mask: named input (B, T), 1 for tokens that count: features (B, T, D) are averaged over those. None takes
            "attention_mask", where there is one; the log names another that looks like one.

    Returns:
        `heads`, for `EarlyExitModel(backbone, heads, feature=feature)`, on the backbone's device and of its dtype.

    Raises:
        ModelError: an unknown module, features that no head of that type fits, channels that have to be named.

    Example:
        >>> from dyce_search.runtime import EarlyExitModel
        >>> backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> heads = heads_for(backbone, torch.zeros(1, 4), positions=["0", "1"], types={"linear": linear_head})
        >>> EarlyExitModel(backbone, heads).exit_names
        ('0/linear', '1/linear', 'final')
    """
    backbone, names = as_module(backbone), several(positions, str, "positions", ModelError)
    require_type(types, Mapping, "types", ModelError)
    for kind, make in types.items():
        function(make, f"types[{shown(kind)}]", ModelError)
    if classes is not None:
        whole(classes, "classes", ModelError, least=1, most=MOST_SIZE)
    if channels is not None:
        whole(channels, "channels", ModelError, least=-4, most=3)
    if feature is not None:
        function(feature, "feature", ModelError)
    call = as_call(example_input, "example_input").on(device_of(backbone))
    mask = _mask_in(call, mask)
    programs = Programs(find_positions(backbone, names), feature or first_tensor, None)
    with observing(backbone):
        features, final = _features(programs, backbone, call)
    classes = final.shape[-1] if classes is None else classes
    like = next(backbone.parameters(), final)
    heads: dict[str, dict[str, nn.Module]] = {}
    for name, found in zip(names, features, strict=True):
        at = found.channels if channels is None else channels
        shaped = _Shaped(name, found.value, at, call.named.get(mask), mask)
        heads[name] = {kind: shaped.head(make, classes).to(like) for kind, make in types.items()}
    return heads


def _mask_in(call: Call, name: str | None) -> str:
    """The name of the input that masks tokens, as it was given or as it is usually called."""
    if name is None:
        others = [other for other, value in call.named.items() if "mask" in other and getattr(value, "ndim", 0) == 2]
        if others and MASK not in others:
            LOG.warning("padding is not left out of what heads pool: mask=%r names the input that says it", others[0])
        return MASK
    if not isinstance(call.named.get(text(name, "mask", ModelError)), torch.Tensor):
        raise ModelError(
            f"mask must be the name of an input, one of {', '.join(call.named) or 'none, as they have no names'}, got "
            f"{shown(name)}: pass example_input as a mapping with it"
        )
    return name


def _features(programs: Programs, backbone: nn.Module, call: Call) -> tuple[list[_Feature], torch.Tensor]:
    """The feature of each position, and the final logits."""
    values: list[torch.Tensor] = []
    final = programs.hooked(backbone).run(lambda _, take: values.append(take().clone()), call)
    try:
        graph = programs.trace(backbone, call)[0]
    except Exception:  # whatever torch.export cannot take: the samples are on axis 0 then, and channels must be named
        return [_Feature(value, None) for value in values], torch.as_tensor(final)
    found = []
    for node, value in zip(graph.features, values, strict=True):
        axis = next(iter(graph.rows(node)), 0) or 0
        found.append(_Feature(value.movedim(axis, 0), channel_axis(graph, node)))
    return found, torch.as_tensor(final)


class _Shaped:
    """A feature on its way into one of the layouts that makers of heads know."""

    def __init__(self, name: str, value: torch.Tensor, channels: int | None, mask: Any, mask_name: str) -> None:
        self.mask = mask_name if value.ndim == 3 and isinstance(mask, torch.Tensor) else None
        if self.mask and mask.shape[:2] != value.shape[:2]:
            self.mask = None
        if channels is None and value.ndim == 4:
            raise ModelError(
                f"which axis of the feature at {name!r}, of shape {tuple(value.shape)}, has the channels cannot be "
                "told from the operations around it: pass channels=1 or channels=3"
            )
        channels = value.ndim - 1 if channels is None else channels % value.ndim
        order = [axis for axis in range(value.ndim) if axis != channels]
        order.insert(1 if value.ndim == 4 else len(order), channels)
        self.turned = [] if order == sorted(order) or value.ndim == 2 else [Turned(order)]
        self.shape = tuple((self.turned[0](value) if self.turned else value).shape[1:])
        beside = f", pooled by {self.mask!r}" if self.mask else ""
        LOG.info("%s gives %s, channels on axis %d%s", name, tuple(value.shape), channels, beside)

    def head(self, make: HeadMaker, classes: int) -> nn.Module:
        """A head for it."""
        if self.mask:
            return MaskedMean(self.mask, self.turned, self.shape[-1], make(self.shape[-1:], classes))
        head = make(self.shape, classes)
        return (
            nn.Sequential(*self.turned, *head)
            if self.turned and isinstance(head, nn.Sequential)
            else (nn.Sequential(*self.turned, head) if self.turned else head)
        )


class Turned(nn.Module):
    """Brings the axes of a feature into another order."""

    def __init__(self, order: Sequence[int]) -> None:
        """See the class."""
        super().__init__()
        self.order = tuple(order)

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """(B, ...) -> (B, ...)."""
        return feature.permute(self.order)

    def extra_repr(self) -> str:
        """The order."""
        return str(self.order)


class MaskedMean(nn.Module):
    """The mean of the normed tokens that count, then a head for vectors. The model passes the mask that it names."""

    def __init__(self, mask: str, turned: Sequence[nn.Module], width: int, head: nn.Module) -> None:
        """See the class."""
        super().__init__()
        self.mask, self.norm, self.head = mask, nn.Sequential(*turned, nn.LayerNorm(width)), head

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, T, D) and (B, T) -> logits (B, C)."""
        weight = mask.to(tokens.dtype)[:, : tokens.shape[1], None]
        return self.head((self.norm(tokens) * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1))  # type: ignore[no-any-return]


def linear_head(feature_shape: Sequence[int], classes: int, *, pool: int = 1) -> nn.Sequential:
    """Average pooling, then one linear layer: the cheapest head.

    Args:
        feature_shape: of one sample: (C, H, W), (T, D) or (D,).
        classes: number of outputs.
        pool: cells along each axis that the average pooling leaves, at most as many as there are; 1 pools globally.

    Raises:
        ModelError: another shape, or a size below 1.

    Example:
        >>> linear_head((16, 14, 14), 10)(torch.zeros(2, 16, 14, 14)).shape
        torch.Size([2, 10])
    """
    _require_sizes(feature_shape, classes=classes, pool=pool)
    layers, width, sides = _channels_first(feature_shape)
    pooling, width = _pooling(width, sides, pool)
    return nn.Sequential(*layers, *pooling, _linear(width, classes))


def mlp_head(feature_shape: Sequence[int], classes: int, *, hidden: int = 64, pool: int = 2) -> nn.Sequential:
    """Average pooling, then two linear layers with a ReLU in between.

    Args:
        feature_shape: of one sample: (C, H, W), (T, D) or (D,).
        classes: number of outputs.
        hidden: width of the hidden layer.
        pool: as in `linear_head`.

    Raises:
        ModelError: another shape, or a size below 1.

    Example:
        >>> mlp_head((9, 32), 10)(torch.zeros(2, 9, 32)).shape  # nine tokens
        torch.Size([2, 10])
    """
    _require_sizes(feature_shape, classes=classes, hidden=hidden, pool=pool)
    layers, width, sides = _channels_first(feature_shape)
    pooling, width = _pooling(width, sides, pool)
    return nn.Sequential(*layers, *pooling, _linear(width, hidden), nn.ReLU(), _linear(hidden, classes))


def conv_head(
    feature_shape: Sequence[int], classes: int, *, channels: int = 32, kernel: int = 3, stride: int = 2, pool: int = 2
) -> nn.Sequential:
    """A convolution with batch norm and ReLU, average pooling, one linear layer.

    Args:
        feature_shape: of one sample: (C, H, W), or (T, D), where the convolution runs along the tokens.
        classes: number of outputs.
        channels: that the convolution gives.
        kernel: its side, odd.
        stride: its stride.
        pool: as in `linear_head`.

    Raises:
        ModelError: features that are vectors, an even kernel, or a size below 1.

    Example:
        >>> conv_head((16, 14, 14), 10)(torch.zeros(2, 16, 14, 14)).shape
        torch.Size([2, 10])
    """
    _require_sizes(feature_shape, classes=classes, channels=channels, kernel=kernel, stride=stride, pool=pool)
    layers, width, sides = _channels_first(feature_shape)
    if not sides or kernel % 2 == 0:
        raise ModelError(
            f"conv_head needs features (C, H, W) or (T, D) and an odd kernel, got {tuple(feature_shape)} and "
            f"kernel={kernel}: use linear_head or mlp_head for vectors"
        )
    conv, norm = (nn.Conv1d, nn.BatchNorm1d) if len(sides) == 1 else (nn.Conv2d, nn.BatchNorm2d)
    _require_weights(width * channels * kernel ** len(sides))
    convolution = conv(width, channels, kernel, stride=stride, padding=kernel // 2, bias=False)
    pooling, width = _pooling(channels, tuple(-(-side // stride) for side in sides), pool)
    return nn.Sequential(*layers, convolution, norm(channels), nn.ReLU(), *pooling, _linear(width, classes))


class _TokensLast(nn.Module):
    """(B, T, D) -> (B, D, T), which is where convolutions and pooling look for the channels."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.transpose(1, 2)


def _channels_first(shape: Sequence[int]) -> tuple[list[nn.Module], int, tuple[int, ...]]:
    """Layers that bring the channels to the front, how many there are, and the sides that remain to be pooled.

    Tokens are normed first, as a transformer's own head does: their scale grows from block to block.
    """
    if len(shape) == 2:
        return [nn.LayerNorm(shape[1]), _TokensLast()], shape[1], (shape[0],)
    return [], shape[0], tuple(shape[1:])


def _pooling(width: int, sides: tuple[int, ...], pool: int) -> tuple[list[nn.Module], int]:
    """Layers that pool, and how many numbers they leave."""
    if not sides:
        return [], width
    cells = tuple(min(pool, side) for side in sides)
    average = nn.AdaptiveAvgPool1d(cells[0]) if len(cells) == 1 else nn.AdaptiveAvgPool2d(cells)
    return [average, nn.Flatten()], width * math.prod(cells)


def _linear(width: int, outputs: int) -> nn.Linear:
    _require_weights(width * outputs)
    return nn.Linear(width, outputs)


def _require_weights(count: int) -> None:
    """Checks the size of a layer before memory is asked for it.

    Raises:
        ModelError: more weights than any head should have.
    """
    if count > MOST_WEIGHTS:
        raise ModelError(f"a layer of a head must have at most {MOST_WEIGHTS:,} weights, got {count:,}: pool more")


def _require_sizes(shape: Sequence[int], **sizes: int) -> None:
    whole_numbers(shape, "feature_shape", ModelError, ndim=1)
    if len(shape) not in (1, 2, 3) or min(shape) < 1:
        raise ModelError(
            f"feature_shape must be (C, H, W), (T, D) or (D,), the shape of one sample's feature without the batch, "
            f"got {tuple(shape)}: reshape it with feature="
        )
    if max(shape) > MOST_SIZE:
        raise ModelError(f"feature_shape must have sides of at most {MOST_SIZE:,}, got {tuple(shape)}")
    for name, size in sizes.items():
        whole(size, name, ModelError, least=1, most=MOST_SIZE)
