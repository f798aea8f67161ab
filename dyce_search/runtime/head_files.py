"""Heads in a file of their own, without pickle: safetensors, with the layout of the exits in its header."""

import json
from typing import Any, Literal

import msgspec
from torch import nn

from dyce_search.errors import ConfigError, FileFormatError, MissingPackageError
from dyce_search.evaluation.config_file import LayoutEntry, layout_of
from dyce_search.files import PathLike, require_path, write_atomically
from dyce_search.json_files import parsed, typed
from dyce_search.records.layout import ExitLayout

FORMAT, VERSION = "dyce_search.heads", 1


class HeadsHeader(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What stands in the header of the file, under "dyce_search", beside the tensors' names and shapes."""

    format: str
    version: Literal[1]
    layout: LayoutEntry


class Heads(nn.ModuleDict):
    """The heads by position and type, "layer1/0/linear", in the order of the exits; also by number."""

    def __getitem__(self, key: str | int) -> nn.Module:
        """By name or number."""
        return super().__getitem__(key if isinstance(key, str) else list(self)[key])

    def __setitem__(self, key: str | int, module: nn.Module) -> None:
        """By name or number."""
        super().__setitem__(key if isinstance(key, str) else list(self)[key], module)


def save_heads(heads: nn.ModuleDict, layout: ExitLayout, path: PathLike) -> None:
    """Writes the weights and buffers of heads, by exit; atomically."""
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in heads.state_dict().items()}
    header = {"dyce_search": json.dumps({"format": FORMAT, "version": VERSION, "layout": layout.to_dict()})}
    content = _safetensors().torch.save(tensors, header)
    write_atomically(path, lambda stream: stream.write(content))


def load_heads(heads: nn.ModuleDict, layout: ExitLayout, path: PathLike) -> None:
    """Reads them back into heads of the same exits.

    Raises:
        FileFormatError: a file that is damaged or something else, or heads of another make.
        ConfigError: heads of other exits; says which.
    """
    require_path(path)
    safetensors = _safetensors()
    require_path(path)
    try:
        with safetensors.safe_open(path, "pt") as file:
            header = (file.metadata() or {}).get("dyce_search", "null")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, safetensors.SafetensorError) as cause:
        raise FileFormatError(f"cannot read {path}: no file of heads, or damaged ({cause})") from cause
    found = typed(parsed(header.encode(errors="surrogatepass"), path), FORMAT, {VERSION: HeadsHeader}, path)
    try:
        theirs = layout_of(found.layout).network
    except ConfigError as cause:
        raise FileFormatError(f"{path} is damaged: {cause}") from cause
    layout.network.joined(theirs, "the model", str(path))
    try:
        heads.load_state_dict(tensors)
    except RuntimeError as cause:
        raise FileFormatError(f"{path} was made with other heads: {cause}") from cause


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as cause:
        raise MissingPackageError(
            "files of heads need safetensors, which is not installed: pip install 'dyce_search[torch]'",
            name="safetensors",
        ) from cause
    return safetensors
