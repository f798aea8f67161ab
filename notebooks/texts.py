"""Texts for notebook 07: paragraphs of the docstrings of libraries that are installed anyway."""

import ast
import importlib.util
import random
import re
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

LIBRARIES = ("matplotlib", "numpy", "optuna", "pandas", "scipy")
LENGTH = 48  # words of a paragraph, at most
PAD, UNKNOWN = 0, 1


def load_texts(*sizes: int, words: int = 3000, batch: int = 50) -> list[DataLoader]:
    """Loaders of so many paragraphs each: words as numbers, a mask, and which library they describe.

    The same each time with the same versions of the libraries. Words are numbered by how often they occur in the first
    part; the names of the libraries are left out, as they would give them away.
    """
    found = [(tokens, label) for label, library in enumerate(LIBRARIES) for tokens in _paragraphs(library)]
    random.Random(0).shuffle(found)
    counts: dict[str, int] = {}
    for tokens, _ in found[: sizes[0]]:
        for token in tokens:
            counts[token] = counts.get(token, 0) + 1
    frequent = sorted(counts, key=lambda token: (-counts[token], token))[: words - 2]
    number = {token: k for k, token in enumerate(frequent, start=2)}
    different: dict[tuple[int, ...], int] = {}  # texts that differ in rare words alone are the same to the network
    for tokens, label in found:
        different.setdefault(tuple(number.get(token, UNKNOWN) for token in tokens), label)
    texts = list(different.items())
    parts, start = [], 0
    for size in sizes:
        parts.append(_loader(texts[start : start + size], batch))
        start += size
    return parts


def _loader(texts: list[tuple[tuple[int, ...], int]], batch: int) -> DataLoader:
    ids = torch.full((len(texts), LENGTH), PAD)
    for row, (numbers, _) in zip(ids, texts, strict=True):
        row[: len(numbers)] = torch.tensor(numbers)
    labels = torch.tensor([label for _, label in texts])
    return DataLoader(TensorDataset(ids, (ids != PAD).long(), labels), batch, collate_fn=_collated)


def _collated(samples: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """A mapping, cut to the longest paragraph of the batch."""
    ids, mask, labels = map(torch.stack, zip(*samples, strict=True))
    longest = int(mask.sum(dim=1).max())
    return {"input_ids": ids[:, :longest], "attention_mask": mask[:, :longest], "labels": labels}


def _paragraphs(library: str) -> list[list[str]]:
    """Each paragraph of prose once, as words."""
    found: dict[tuple[str, ...], None] = {}
    folder = Path(importlib.util.find_spec(library).origin).parent
    for file in sorted(folder.rglob("*.py")):
        if "test" not in str(file.relative_to(folder)):
            for text in _docstrings(file):
                for paragraph in re.split(r"\n\s*\n", text):
                    tokens = re.findall(r"[a-z]+|[0-9]|[^\w\s]", paragraph.lower())
                    tokens = [token for token in tokens if token not in LIBRARIES and token not in ("np", "pd", "plt")]
                    if len(tokens) >= 8 and ">>>" not in paragraph and "---" not in paragraph:
                        found[tuple(tokens[:LENGTH])] = None
    return [list(tokens) for tokens in found]


def _docstrings(file: Path) -> list[str]:
    """Of a module, its classes and its functions."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return []
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)]
