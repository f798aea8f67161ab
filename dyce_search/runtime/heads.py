"""Small classifiers to hang on a backbone, sized from the features it gives.

Features are maps (B, C, H, W), sequences of tokens (B, T, D) or vectors (B, D). Where a backbone has its channels
last, `feature=` brings its outputs into one of these shapes.
"""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dyce_search.arrays import whole_numbers
from dyce_search.errors import ModelError
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.modes import observing

HeadMaker = Callable[[tuple[int, ...], int], nn.Module]


def heads_for(
    backbone: nn.Module | Sequence[nn.Module],
    example_input: Any,
    *,
    positions: Iterable[str],
    types: Mapping[str, HeadMaker],
    classes: int | None = None,
    feature: Callable[[Any], torch.Tensor] | None = None,
) -> dict[str, dict[str, nn.Module]]:
    """Makes the heads of an `EarlyExitModel`: every type at every position, of the size that the features need.

    Args:
        backbone: as for `EarlyExitModel`.
        example_input: (B, ...) what it takes; one sample will do.
        positions: names of its modules, in the order in which they run.
        types: name -> function that makes a head from a feature's shape and the number of classes, such as
            `linear_head`; with options, `functools.partial(mlp_head, hidden=128)`.
        classes: number of outputs; None for as many as the backbone has.
        feature: as for `EarlyExitModel`.

    Returns:
        `heads`, for `EarlyExitModel(backbone, heads, feature=feature)`, on the backbone's device and of its dtype.

    Raises:
        ModelError: an unknown module, or features that no head of that type fits.

    Example:
        >>> backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> heads = heads_for(backbone, torch.zeros(1, 4), positions=["0", "1"], types={"linear": linear_head})
        >>> EarlyExitModel(backbone, heads).exit_names
        ('0/linear', '1/linear', 'final')
    """
    probe = EarlyExitModel(copy.deepcopy(backbone), {name: {"": nn.Identity()} for name in positions}, feature=feature)
    with observing(probe):
        features, final = probe.features(example_input)
    classes = final.shape[1] if classes is None else classes
    like = next(probe.parameters(), final)
    return {
        name: {kind: make(tuple(seen.shape[1:]), classes).to(like) for kind, make in types.items()}
        for name, seen in zip(probe.positions, features, strict=True)
    }


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
    return nn.Sequential(*layers, *pooling, nn.Linear(width, classes))


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
    return nn.Sequential(*layers, *pooling, nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, classes))


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
    convolution = conv(width, channels, kernel, stride=stride, padding=kernel // 2, bias=False)
    pooling, width = _pooling(channels, tuple(-(-side // stride) for side in sides), pool)
    return nn.Sequential(*layers, convolution, norm(channels), nn.ReLU(), *pooling, nn.Linear(width, classes))


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


def _require_sizes(shape: Sequence[int], **sizes: int) -> None:
    whole_numbers(shape, "feature_shape", ModelError, ndim=1)
    if len(shape) not in (1, 2, 3) or min(shape) < 1:
        raise ModelError(
            f"feature_shape must be (C, H, W), (T, D) or (D,), the shape of one sample's feature without the batch, "
            f"got {tuple(shape)}: reshape it with feature="
        )
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ModelError(f"{name} must be a whole number >= 1, got {size!r}")
