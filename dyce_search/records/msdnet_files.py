"""Reads the files of MSDNet-PyTorch: what every exit answered, and what it costs.

The layout is that of the authors' `adaptive_inference.py`, which RANet, IMTA and others kept: a tuple of (validation
outputs, validation labels, test outputs, test labels), outputs (E, N, C) as one tensor or as a list of E tensors.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dyce_search.arrays import numbers, to_numpy
from dyce_search.errors import FileFormatError, MissingPackageError, RecordsError
from dyce_search.files import PathLike


def read_outputs(path: PathLike, part: Literal["val", "test"]) -> tuple[list[npt.NDArray[Any]], npt.NDArray[Any]]:
    """The outputs of every exit, E arrays (N, C), and the labels (N,), of one of the two sets in a file.

    Args:
        path: `logits_single.pth` or `logits_greedy.pth`.
        part: "val" or "test".

    Raises:
        FileFormatError: the file is damaged, holds more than tensors, or has another layout.
        RecordsError: outputs that are no numbers.
    """
    content = _load(path)
    is_four = isinstance(content, (list, tuple)) and len(content) == 4
    if not is_four or not all(isinstance(entry, (list, tuple)) or hasattr(entry, "detach") for entry in content):
        raise FileFormatError(
            f"{path} must hold (validation outputs, validation labels, test outputs, test labels), as MSDNet's "
            f"logits_single.pth does, got {_what(content)}: for other files use ExitRecords.from_logits"
        )
    outputs, labels = content[:2] if part == "val" else content[2:]
    arrays = [to_numpy(exit_outputs, f"outputs of exit {e}", RecordsError) for e, exit_outputs in enumerate(outputs)]
    for e, array in enumerate(arrays):
        if array.ndim != 2 or array.dtype.kind not in "biuf":
            raise FileFormatError(
                f"{path}: outputs must have shape (E, N, C), got {array.shape} at exit {e}: is it another file?"
            )
    return arrays, to_numpy(labels, "labels", RecordsError)


def read_flops(path: PathLike) -> npt.NDArray[np.float64]:
    """(E,) cost up to each exit, from `flops.pth`: a list of numbers, cumulative.

    Raises:
        FileFormatError: the file is damaged, or holds something else.
    """
    content = _load(path)
    try:
        flops: npt.NDArray[np.float64] = numbers(content, "flops", RecordsError, dtype=np.float64, ndim=1)
    except RecordsError as cause:
        raise FileFormatError(
            f"{path} must hold one number an exit, as MSDNet's flops.pth does, got {_what(content)}: pass an ExitCosts"
        ) from cause
    return flops


def _load(path: PathLike) -> Any:
    try:
        import torch
    except ImportError as cause:
        raise MissingPackageError(
            f"{path} is PyTorch's, which is not installed: pip install 'dyce_search[torch]'", name="torch"
        ) from cause
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # zip, pickle and storage errors; and whatever is no tensor
        raise FileFormatError(
            f"cannot read {path}: it is damaged, or holds more than tensors, lists and numbers; other objects can run "
            "code and are never loaded: write it anew with torch.save"
        ) from cause


def _what(content: Any) -> str:
    size = f" of {len(content)}" if isinstance(content, (list, tuple, dict)) else ""
    return f"{type(content).__name__}{size}"
