"""Confidence measures on logits, in torch: recording and deciding use the same arithmetic.

The measures are those of `dyce_search.records.confidence`, and agree with them to rounding in float32.
"""

import math
from collections.abc import Callable

import torch

from dyce_search.arguments import shown
from dyce_search.errors import ModelError

Measure = Callable[[torch.Tensor], torch.Tensor]


def probabilities(logits: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Softmax in float32, whatever the type of the logits, (B, C) -> (B, C); each row on its own, to the bit.

    One column is the logit of the second of two classes: (B, 1) -> (B, 2).
    """
    logits = as_two_classes(logits)
    if logits.dtype == torch.float64 or temperature != 1:  # subtract before rounding, as records.confidence does
        logits = (logits.double() - logits.amax(dim=1, keepdim=True)) / temperature
    return torch.softmax(logits, dim=1, dtype=torch.float32)


def as_two_classes(logits: torch.Tensor) -> torch.Tensor:
    """Logits (..., C) as they are; of one column, which is that of the second of two classes, both (..., 2)."""
    return logits if logits.shape[-1] != 1 else torch.cat([torch.zeros_like(logits), logits], dim=-1)


def max_prob(probs: torch.Tensor) -> torch.Tensor:
    """Probability of the likeliest class, (B, C) -> (B,) in [1/C, 1]."""
    return probs.amax(dim=1)


def margin(probs: torch.Tensor) -> torch.Tensor:
    """Gap between the two likeliest classes, (B, C) -> (B,) in [0, 1]."""
    top = probs.topk(2, dim=1).values
    return top[:, 0] - top[:, 1]


def entropy(probs: torch.Tensor) -> torch.Tensor:
    """One minus the entropy in units of log C, (B, C) -> (B,) in [0, 1]."""
    uncertain: torch.Tensor = torch.special.entr(probs).sum(dim=1)
    return (1 - uncertain / math.log(probs.shape[1])).clamp(0, 1)


MEASURES: dict[str, Measure] = {"max_prob": max_prob, "margin": margin, "entropy": entropy}


def confidence_of(logits: torch.Tensor, measure: str | Measure, temperature: float = 1.0) -> torch.Tensor:
    """Confidences of logits, without a gradient.

    Args:
        logits: (B, C) of any floating type.
        measure: a name in `MEASURES`, or a callable that turns (B, C) float32 probabilities into (B,) confidences.
        temperature: > 0, by which the logits are divided first.

    Returns:
        (B,) float32. NaN where the logits hold NaN or plus infinity.

    Raises:
        ModelError: an unknown measure, or one that does not return (B,).

    Example:
        >>> confidence_of(torch.tensor([[0.0, 0.0], [200.0, 0.0]]), "max_prob").tolist()
        [0.5, 1.0]
    """
    confidence = find_measure(measure)(probabilities(logits.detach(), temperature))
    if not isinstance(confidence, torch.Tensor) or confidence.shape != logits.shape[:1]:
        found = tuple(confidence.shape) if isinstance(confidence, torch.Tensor) else type(confidence).__name__
        raise ModelError(f"the confidence measure must return shape (B,) = ({len(logits)},), got {found}")
    return confidence.detach().float()


def find_measure(measure: str | Measure) -> Measure:
    """The measure of that name, or the callable itself.

    Raises:
        ModelError: an unknown name; the message lists the known ones.
    """
    if callable(measure):
        return measure
    if not isinstance(measure, str) or measure not in MEASURES:
        raise ModelError(f"unknown confidence {shown(measure)}: use one of {', '.join(MEASURES)}, or a callable")
    return MEASURES[measure]
