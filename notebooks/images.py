"""Images for notebook 03: Fashion-MNIST where it is installed, else made-up ones of the same size."""

import gzip
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import TensorDataset

FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of the Debian package dataset-fashion-mnist


def load_images(*sizes: int) -> list[TensorDataset]:
    """Disjoint random parts of so many images (1, 28, 28) of ten classes, at most 70,000 in all, the same each time."""
    pixels, labels = _fashion_mnist() if FOLDER.is_dir() else _made_up(sum(sizes))
    order = np.random.default_rng(0).permutation(len(labels))[: sum(sizes)]
    parts = np.split(order, np.cumsum(sizes)[:-1])
    images = torch.from_numpy(pixels).float().div(255).sub(0.286).div(0.353).unsqueeze(1)
    classes = torch.from_numpy(labels).long()
    return [TensorDataset(images[part], classes[part]) for part in parts]


def _fashion_mnist() -> tuple[np.ndarray, np.ndarray]:
    """All 70,000 images (N, 28, 28) and labels (N,), as bytes."""
    found = []
    for name, header, shape in (("images-idx3", 16, (-1, 28, 28)), ("labels-idx1", 8, (-1,))):
        parts = [gzip.decompress((FOLDER / f"{part}-{name}-ubyte.gz").read_bytes()) for part in ("train", "t10k")]
        found.append(np.concatenate([np.frombuffer(part, np.uint8, offset=header).reshape(shape) for part in parts]))
    return found[0], found[1]


def _made_up(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten patterns under noise; some images have more of it, so that some are harder."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    patterns = rng.integers(0, 2, (10, 7, 7)).repeat(4, axis=1).repeat(4, axis=2)
    noise = rng.normal(size=(count, 28, 28)) * rng.uniform(20, 200, (count, 1, 1))
    return np.clip(80 + 80 * patterns[labels] + noise, 0, 255).astype(np.uint8), labels
