"""Small backbones of the usual kinds, with heads that fit them. All take a batch first and give (B, 5) logits."""

import itertools

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

CLASSES = 5


class ResidualBlock(nn.Module):
    """Two convolutions with batch norms, and a skip connection inside the block."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + skip)


class ResNet(nn.Module):
    """A stem, stages of residual blocks `layer1`, `layer2`, ..., average pooling and a linear layer."""

    def __init__(
        self, widths: tuple[int, ...] = (8, 16), blocks: int = 2, channels: int = 3, classes: int = CLASSES
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        self.stages = []
        inputs = widths[0]
        for stage, width in enumerate(widths, start=1):
            first = ResidualBlock(inputs, width, stride=1 if stage == 1 else 2)
            layer = nn.Sequential(first, *(ResidualBlock(width, width) for _ in range(blocks - 1)))
            setattr(self, f"layer{stage}", layer)
            self.stages.append(f"layer{stage}")
            inputs = width
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(self.pool(x).flatten(1))

    def block_names(self) -> list[str]:
        """In order of execution: layer1.0, layer1.1, layer2.0, ..."""
        return [f"{stage}.{block}" for stage in self.stages for block in range(len(getattr(self, stage)))]


class AttentionBlock(nn.Module):
    """A transformer's block that returns a tuple, as those of many libraries do: (tokens, attention weights)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        normed = self.norm1(tokens)
        mixed, weights = self.attention(normed, normed, normed)
        tokens = tokens + mixed
        return tokens + self.mlp(self.norm2(tokens)), weights


class ViT(nn.Module):
    """Patches, a class token, blocks `blocks.0`, ... that return tuples, and a linear layer on the class token."""

    def __init__(
        self, size: int = 8, patch: int = 4, width: int = 16, depth: int = 3, heads: int = 2, classes: int = CLASSES
    ) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width))
        self.blocks = nn.ModuleList(AttentionBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.embed(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), patches], dim=1) + self.place
        for block in self.blocks:
            tokens, _ = block(tokens)
        return self.fc(self.norm(tokens[:, 0]))


class MLP(nn.Module):
    """Layers `layers.0`, ... of equal width, and a linear layer."""

    def __init__(self, inputs: int = 6, width: int = 16, depth: int = 3, classes: int = CLASSES) -> None:
        super().__init__()
        sizes = [inputs] + [width] * depth
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in itertools.pairwise(sizes))
        self.fc = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.fc(x)


def pooled_head(channels: int, classes: int = CLASSES) -> nn.Module:
    """For feature maps (B, channels, H, W)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class TokenHead(nn.Module):
    """For tokens (B, T, width): a linear layer on the class token."""

    def __init__(self, width: int = 16, classes: int = CLASSES) -> None:
        super().__init__()
        self.fc = nn.Linear(width, classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.fc(tokens[:, 0])


def resnet_heads(backbone: ResNet) -> dict[str, dict[str, nn.Module]]:
    """Two types of head at every block but the last, which has one."""
    heads: dict[str, dict[str, nn.Module]] = {}
    for name in backbone.block_names():
        channels = backbone.get_submodule(name).bn2.num_features
        heads[name] = {"linear": pooled_head(channels), "mlp": nn.Sequential(pooled_head(channels, 12), nn.ReLU())}
        heads[name]["mlp"].append(nn.Linear(12, backbone.fc.out_features))
    del heads[name]["mlp"]
    return heads


def vit_heads(backbone: ViT) -> dict[str, dict[str, nn.Module]]:
    """One head at each block."""
    return {f"blocks.{k}": {"token": TokenHead()} for k in range(len(backbone.blocks))}


def mlp_heads(backbone: MLP) -> dict[str, dict[str, nn.Module]]:
    """One or two heads at each layer."""
    width = backbone.fc.in_features
    heads: dict[str, dict[str, nn.Module]] = {
        f"layers.{k}": {"linear": nn.Linear(width, CLASSES)} for k in range(len(backbone.layers))
    }
    heads["layers.1"]["mlp"] = nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, CLASSES))
    return heads


def images(
    count: int, *, strength: tuple[float, float] = (0.1, 1.0), seed: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Easy and hard samples (count, 3, 8, 8) with labels: the pattern of a class, strong or weak, under noise."""
    patterns = torch.randn(CLASSES, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=random)
    low, high = strength
    level = low + (high - low) * torch.rand(count, 1, 1, 1, generator=random)
    return level * patterns[labels] + torch.randn(count, 3, 8, 8, generator=random), labels


def fit(model: nn.Module, steps: int = 60) -> None:
    """Trains all exits together for a moment; afterwards sure samples are mostly right, and the later exits better."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for step in range(steps):
        inputs, labels = images(64, seed=100 + step)
        logits = model.all_logits(inputs)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()


class Watched(TorchDispatchMode):
    """Sees every operation: how many rows each product and convolution has given, in `rows`."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []
        self.layouts: list[bool] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in ("addmm", "mm", "convolution"):
            self.rows.append(len(out))
            self.layouts.append(
                args[0].is_contiguous(memory_format=torch.channels_last) if args[0].ndim == 4 else False
            )
        return out
