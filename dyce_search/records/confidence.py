"""Confidence measures: from class probabilities or logits to one number a sample.

All measures are in [0, 1], higher is surer, whatever the number of classes.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown
from dyce_search.errors import RecordsError

FloatArray = npt.NDArray[np.float32]
Measure = Callable[[FloatArray], npt.ArrayLike]


def softmax(logits: npt.NDArray[Any], temperature: float = 1.0) -> FloatArray:
    """Class probabilities of logits.

    Args:
        logits: (N, C) real numbers; -inf has probability 0, where not all of a row are. One column is the logit of the
            second of two classes.
        temperature: above 0; more than 1 flattens the distribution (Guo 2017, arXiv 1706.04599).

    Returns:
        (N, C) float32, rows sum to 1; (N, 2) of one column.

    Example:
        >>> softmax(np.array([[0.0, 0.0]])).tolist(), softmax(np.array([[0.0]])).tolist()
        ([[0.5, 0.5]], [[0.5, 0.5]])
    """
    logits = as_two_classes(logits)
    with np.errstate(over="ignore"):  # a gap beyond the range of float32 is -inf: probability 0
        gap = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        shifted: FloatArray = (gap / temperature).astype(np.float32)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=1, keepdims=True)
    return shifted


def as_two_classes(outputs: npt.NDArray[Any], *, probs: bool = False) -> npt.NDArray[Any]:
    """Outputs (..., C) as they are; of one column, that of the second of two classes, both columns (..., 2).

    Args:
        outputs: (..., C) logits, or probabilities.
        probs: which of the two.

    Example:
        >>> as_two_classes(np.array([[3.0]])).tolist(), as_two_classes(np.array([[0.75]]), probs=True).tolist()
        ([[0.0, 3.0]], [[0.25, 0.75]])
    """
    if outputs.shape[-1] != 1:
        return outputs
    return np.concatenate([1 - outputs if probs else np.zeros_like(outputs), outputs], axis=-1)


def max_prob(probs: FloatArray) -> FloatArray:
    """Probability of the likeliest class, in [1/C, 1]. DyCE's and MSDNet's measure.

    Args:
        probs: (N, C) float32, rows sum to 1.

    Returns:
        (N,) float32.

    Example:
        >>> max_prob(np.array([[0.25, 0.75]], np.float32)).tolist()
        [0.75]
    """
    result: FloatArray = probs.max(axis=1)
    return result


def margin(probs: FloatArray) -> FloatArray:
    """Gap between the two likeliest classes, in [0, 1].

    Args:
        probs: (N, C) float32, rows sum to 1.

    Returns:
        (N,) float32.

    Raises:
        RecordsError: fewer than two classes.

    Example:
        >>> margin(np.array([[0.25, 0.75]], np.float32)).tolist()
        [0.5]
    """
    if probs.shape[1] < 2:
        raise RecordsError("confidence 'margin' needs two or more classes, got 1")
    top = np.partition(probs, -2, axis=1)[:, -2:]
    result: FloatArray = top[:, 1] - top[:, 0]
    return result


def entropy(probs: FloatArray) -> FloatArray:
    """One minus the entropy in units of log C, in [0, 1]. BranchyNet's measure, turned round.

    Args:
        probs: (N, C) float32, rows sum to 1.

    Returns:
        (N,) float32.

    Raises:
        RecordsError: fewer than two classes.

    Reference: Teerapittayanon 2016, arXiv 1709.01686.

    Example:
        >>> entropy(np.array([[0.5, 0.5], [0.0, 1.0]], np.float32)).tolist()
        [0.0, 1.0]
    """
    if probs.shape[1] < 2:
        raise RecordsError("confidence 'entropy' needs two or more classes, got 1")
    logs = np.log(probs, out=np.zeros_like(probs), where=probs > 0)
    result: FloatArray = 1 + (probs * logs).sum(axis=1) / np.float32(np.log(probs.shape[1]))
    return np.clip(result, 0, 1)


MEASURES: dict[str, Measure] = {"max_prob": max_prob, "margin": margin, "entropy": entropy}


def find_measure(measure: str | Measure) -> Measure:
    """The measure of that name, or the callable itself.

    Args:
        measure: "max_prob", "margin", "entropy", or a callable.

    Raises:
        RecordsError: an unknown name; the message lists the known ones.

    Example:
        >>> find_measure("margin") is margin
        True
    """
    if callable(measure):
        return measure
    if not isinstance(measure, str) or measure not in MEASURES:
        raise RecordsError(f"unknown confidence {shown(measure)}: use one of {', '.join(MEASURES)}, or a callable")
    return MEASURES[measure]


def measure_name(measure: str | Callable[..., Any], known: Mapping[str, Callable[..., Any]] = MEASURES) -> str:
    """What layouts call a measure: its name, which is how records and the model that serves know it again.

    Args:
        measure: a name, or a callable, which is called by its `__name__`; a lambda also by where it is written, and
            partials, closures and objects also by the plain values that they were made with.
        known: the measures that have a name; no other callable is called like one of them.

    Example:
        >>> def energy(probs): ...
        >>> measure_name(margin), measure_name(energy)
        ('margin', 'energy')
    """
    if isinstance(measure, str):
        return measure
    if isinstance(measure, partial):
        values = [*map(_shown, measure.args), *(f"{key}={_shown(value)}" for key, value in measure.keywords.items())]
        return f"{measure_name(measure.func, known)}({', '.join(values)})"
    if not hasattr(measure, "__name__"):  # an object that can be called: what it was made with tells it apart
        values = [f"{key}={_shown(value)}" for key, value in sorted(getattr(measure, "__dict__", {}).items())]
        return f"{type(measure).__name__}({', '.join(values)})"
    name, code = str(measure.__name__), getattr(measure, "__code__", None)
    if name == "<lambda>" and code is not None:
        name = f"<lambda> of {Path(code.co_filename).name}, line {code.co_firstlineno}"
    elif name in known and known[name] is not measure:
        name = f"{getattr(measure, '__module__', 'own')}.{name}"
    enclosed = [cell.cell_contents for cell in getattr(measure, "__closure__", None) or ()]
    return f"{name}[{', '.join(map(_shown, enclosed))}]" if enclosed else name


def _shown(value: Any) -> str:
    """A value as part of a name: plain ones as they are, others by type."""
    return repr(value) if isinstance(value, (bool, int, float, str, type(None))) else type(value).__name__
