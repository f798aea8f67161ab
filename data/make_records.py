"""Makes records like the ones in this folder: a real network on Fashion-MNIST, from images to `.npz`.

    python data/make_records.py --out records            # about an hour on one core of a CPU
    python data/make_records.py --out records --quick    # a minute: few images, few epochs, poor accuracy

Trains a ResNet of 15 blocks, hangs three types of exit behind each, trains those on the frozen features, and writes
`<name>_search.npz`, `<name>_test.npz` and `<name>_macs.json` in DyCE's format, and the weights, so that a run that was
stopped goes on where it was. Needs `pip install 'dyce_search[torch]'`, and the images: on Debian
`apt install dataset-fashion-mnist`, elsewhere the four files of https://github.com/zalandoresearch/fashion-mnist.
"""

import argparse
import functools
import gzip
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, TensorDataset

import dyce_search as ds
from dyce_search.files import write_atomically, write_json
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

    NAME = "ResNet 3x5 blocks, widths 16/32/64, stem stride 2, head conv1x1-128 (Fashion-MNIST 28x28)"
    POSITIONS = tuple(f"blocks.{index}" for index in range(15))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Fashion-MNIST in three parts; what the names say is all that each is used for."""

    fit: TensorDataset
    search: TensorDataset
    test: TensorDataset


def read_images(folder: Path, *, quick: bool) -> Images:
    """45,000 images to fit, 15,000 to search on, 10,000 to test; a fifteenth of each if quick."""
    parts = []
    for part in ("train", "t10k"):
        pixels = _read_idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
        labels = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)
        normed = (torch.from_numpy(pixels).float() / 255 - 0.286) / 0.353  # mean and deviation of the training images
        parts.append((normed, torch.from_numpy(labels).long()))
    (pixels, labels), test = parts
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    cut = len(order) * 3 // 4

    def chosen(part: tuple[torch.Tensor, torch.Tensor], index: torch.Tensor) -> TensorDataset:
        index = index[: len(index) // 15] if quick else index
        return TensorDataset(part[0][index], part[1][index])

    return Images(
        fit=chosen((pixels, labels), order[:cut]),
        search=chosen((pixels, labels), order[cut:]),
        test=chosen(test, torch.arange(len(test[1]))),
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


def train_backbone(backbone: nn.Module, data: TensorDataset, epochs: int, checkpoint: Path) -> None:
    """SGD with momentum, a warm-up and a cosine; images are shifted and mirrored. Goes on from the checkpoint."""
    device = next(backbone.parameters()).device
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
    backbone.eval()


def augmented(pixels: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W): each image is shifted by up to two pixels, and half of them are mirrored."""
    count, side = len(pixels), pixels.shape[-1]
    pixels = torch.where(torch.rand(count, 1, 1, 1, device=pixels.device) < 0.5, pixels, pixels.flip(3))
    padded = functional.pad(pixels, (2, 2, 2, 2), value=float(pixels.min()))[:, 0]
    places = torch.arange(side, device=pixels.device)
    down, right = torch.randint(0, 5, (2, count, 1), device=pixels.device) + places
    image = torch.arange(count, device=pixels.device)[:, None, None]
    return padded[image, down[:, :, None], right[:, None, :]].unsqueeze(1)


def write_macs(path: Path, costs: ds.ExitCosts, name: str) -> None:
    """DyCE's JSON of MACs; every position has the same types of head."""
    per_type = costs.head[:-1].reshape(costs.n_positions, -1).T.astype(int)
    macs = costs.backbone.astype(int).tolist()
    head = [{"name": kind, "macs": [*row.tolist(), 0]} for kind, row in zip(TYPES, per_type, strict=True)]
    write_json(path, {"head": head, "backbone": {"name": name, "macs": macs, "ori_macs": macs[-1]}})


def build(folder: Path, images: Images, *, epochs: int, head_epochs: int, device: str) -> EarlyExitModel:
    """The network with all its exits, trained, or taken from `folder` as far as it has been trained there."""
    torch.manual_seed(0)
    backbone = ResNet15().to(device)
    train_backbone(backbone, images.fit, epochs, folder / "backbone.pt")
    example = images.fit[:1][0].to(device)
    torch.manual_seed(1)
    model = EarlyExitModel(backbone, heads_for(backbone, example, positions=ResNet15.POSITIONS, types=TYPES))
    train_heads(model, batches(images.fit, shuffle=True), head_epochs, checkpoint=folder / "heads.pt")
    return model.eval()


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the options and does it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("records"), help="folder for everything that is written")
    parser.add_argument("--fashion-mnist", type=Path, default=DEBIAN, metavar="DIR", help=f"default: {DEBIAN}")
    parser.add_argument("--epochs", type=int, help="for the backbone; default: 20, quick: 2")
    parser.add_argument("--head-epochs", type=int, help="for the exits; default: 10, quick: 1")
    parser.add_argument("--quick", action="store_true", help="a fifteenth of the images, few epochs")
    parser.add_argument("--device", default="cpu", help="where to train, such as cuda")
    parser.add_argument("--threads", type=int, help="of the CPU; default: as PyTorch chooses")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    epochs = options.epochs or (2 if options.quick else 20)
    head_epochs = options.head_epochs or (1 if options.quick else 10)
    images = read_images(options.fashion_mnist, quick=options.quick)
    options.out.mkdir(parents=True, exist_ok=True)

    model = build(options.out, images, epochs=epochs, head_epochs=head_epochs, device=options.device)
    costs = count_macs(model, images.fit[:1][0].to(options.device))
    write_macs(options.out / "fashion_resnet15_macs.json", costs, ResNet15.NAME)
    made = {}
    for part, data in (("search", images.search), ("test", images.test)):
        path = options.out / f"fashion_resnet15_{part}.npz"
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
