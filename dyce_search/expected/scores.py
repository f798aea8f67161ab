"""`expected_scores`: what each exit's score should be, as its neighbours in confidence would have it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import choice, real, whole
from dyce_search.errors import RecordsError
from dyce_search.expected import forest, mixing, ridge
from dyce_search.expected.normal_ranks import NormalRanks
from dyce_search.expected.units import some_of, units_of
from dyce_search.records.records import ExitRecords, require_records

FloatArray = npt.NDArray[np.float32]
Effort = Literal["fast", "default"]

MOST_FITTED = 20_000  # samples that are learned from; the others are predicted from them
LEAST_WEIGHT = 0.05  # below which the predictions of the others are not worth their time
CHUNK = 32_768  # samples predicted at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOrigin:
    """How expected scores came about.

    Losses are mean squared differences from the observed scores, out of fold, over the samples that were learned from.

    Attributes:
        ridge: weight of the ridge's predictions, chosen by least squares out of fold.
        forest: weight of the forest's predictions; both need not sum to 1.
        strength: of the ridge's penalty, in samples, chosen by out-of-fold loss.
        weight: of the predictions against the observed scores, in [0, 1], chosen by what chance explains of their
            differences; 0 where nothing could be learned.
        loss: of the joint predictions.
        loss_of_means: of predicting each exit's mean, to compare.
        fitted: how many samples were learned from.
        seed: of all that was random.
    """

    ridge: float = 0.0
    forest: float = 0.0
    strength: float = 0.0
    weight: float = 0.0
    loss: float = 0.0
    loss_of_means: float = 0.0
    fitted: int = 0
    seed: int = 0

    def __str__(self) -> str:
        """One line."""
        if not self.weight:
            return "observed scores"
        return (
            f"{self.weight:.2f} x expected (learned from {self.fitted:,} samples: squared error {self.loss:.4f}, "
            f"of the exits' means {self.loss_of_means:.4f}) + {1 - self.weight:.2f} x observed"
        )


def expected_scores(
    records: ExitRecords,
    *,
    seed: int = 0,
    effort: Effort = "default",
    weight: float | None = None,
    most_fitted: int = MOST_FITTED,
) -> FloatArray:
    """What each exit's score should be on each sample, from the confidences of all exits on it.

    A search on observed scores finds configurations that were lucky on its samples. These scores are
    `weight * predicted + (1 - weight) * observed`. A prediction is learned on other samples: a sample's own score has
    no part in it, and neither have those of its group. Two models predict, a ridge regression on normal scores and a
    forest of random trees, see `ridge` and `forest`; how much each counts, and how much both count against what was
    observed, is chosen by how well they predict (`mixing`). Only the order of an exit's confidences matters; equal
    ones are treated alike. Each exit's mean is that of its observed scores. The result depends on the seed, not on
    the number of threads.

    Beyond `most_fitted` samples, that many random ones are learned from (whole groups of them), and the others are
    predicted by all that was learned. The weight falls as the number of samples grows; where it falls below .05 and
    there are others to predict, the luck is small and the observed scores are returned. So they are with fewer than
    two groups, from which nothing can be learned.

    Args:
        records: whose scores are to be shrunk; `confidence`, `score` and `group` are used.
        seed: of the folds, the trees and the samples learned from.
        effort: "fast" leaves the forest out.
        weight: of the predictions, in [0, 1]; None chooses it by data.
        most_fitted: how many samples to learn from at most, at least 2.

    Returns:
        (E, N) float32 in [0, 1]; the records' own array where it is the observed scores.

    Raises:
        RecordsError: an option that is out of range.

    Reference: shrinkage against the optimiser's curse is Smith and Winkler 2006; stacking Wolpert 1992.

    Example:
        >>> import dyce_search as ds
        >>> records = ds.load_example().subset(range(500))
        >>> expected = expected_scores(records)
        >>> bool(abs(expected.mean(axis=1) - records.exit_accuracy).max() < 1e-6)
        True
    """
    return expected_with_origin(records, seed=seed, effort=effort, weight=weight, most_fitted=most_fitted)[0]


def expected_with_origin(
    records: ExitRecords,
    *,
    seed: int = 0,
    effort: Effort = "default",
    weight: float | None = None,
    most_fitted: int = MOST_FITTED,
) -> tuple[FloatArray, ScoreOrigin]:
    """`expected_scores`, and how they came about. Arguments and errors are the same."""
    require_records(records)
    _check(seed, effort, weight, most_fitted)
    confidence, score = records.confidence, records.score
    n_samples = confidence.shape[1]
    rng = np.random.default_rng([seed, n_samples])
    unit = units_of(records.group, n_samples)
    fitted = some_of(unit, most_fitted, rng)
    unit = np.unique(unit[fitted], return_inverse=True)[1].reshape(-1)
    if len(fitted) == 0 or unit.max() < 1 or weight == 0:
        return score, ScoreOrigin(seed=seed)
    every = len(fitted) == n_samples
    own_confidence, own_score = (rows if every else rows.take(fitted, axis=1) for rows in (confidence, score))
    with one_blas_thread():
        learned, own = Learned.of(own_confidence, own_score, unit, effort, rng)
        if weight is None:
            weight = mixing.trust(learned.normal, own_score, own, n_samples / len(fitted))
            if weight < LEAST_WEIGHT and not every:
                return score, ScoreOrigin(seed=seed)
        predicted = own if every else learned.completed(confidence, fitted, own)
    origin = replace(learned.origin, weight=float(weight), fitted=len(fitted), seed=seed)
    return mixing.mixed(predicted, score, weight), origin


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """What was learned from some samples.

    Attributes:
        models: the ridge, and the forest where there is one.
        parts: their weights.
        offset: (E, 1) float32, what is added to their weighted sum.
        normal: (E, N) float32, normal scores of the samples learned from.
        origin: how they came about.
    """

    models: tuple[ridge.Ridge | forest.Forest, ...]
    parts: tuple[float, ...]
    offset: FloatArray
    normal: FloatArray
    origin: ScoreOrigin

    @classmethod
    def of(
        cls,
        confidence: FloatArray,
        score: FloatArray,
        unit: npt.NDArray[np.intp],
        effort: Effort,
        rng: np.random.Generator,
    ) -> tuple[Self, FloatArray]:
        """Learns, and returns what is predicted out of fold (E, N), clipped to [0, 1], too."""
        ranks = NormalRanks.of(confidence)
        normal = ranks(confidence)
        linear = ridge.Ridge.fit(ranks, normal, score, unit, rng)
        models: tuple[ridge.Ridge | forest.Forest, ...] = (linear,)
        if effort == "default":
            models += (forest.Forest.fit(confidence, score, unit, rng),)
        parts = mixing.stack(score, [model.out_of_fold for model in models])
        own = weighted_sum(parts, [model.out_of_fold for model in models])
        offset = (score - own).mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        own += offset
        np.clip(own, 0, 1, out=own)
        origin = ScoreOrigin(
            ridge=parts[0],
            forest=sum(parts[1:]),
            strength=linear.strength,
            loss=mean_square(score, own),
            loss_of_means=mean_square(score, score.mean(axis=1, keepdims=True, dtype=np.float64)),
        )
        return cls(models=models, parts=parts, offset=offset, normal=normal, origin=origin), own

    def completed(self, confidence: FloatArray, fitted: npt.NDArray[np.intp], own: FloatArray) -> FloatArray:
        """(E, N) float32 in [0, 1]: `own` for the samples learned from, predictions for the others.

        Args:
            confidence: (E, N) float32, of all samples.
            fitted: (M,) the samples learned from.
            own: (E, M) float32, what is predicted for them out of fold.
        """
        result = np.empty(confidence.shape, np.float32)
        result[:, fitted] = own
        others = np.delete(np.arange(confidence.shape[1]), fitted)
        for first in range(0, len(others), CHUNK):
            index = others[first : first + CHUNK]
            some = confidence.take(index, axis=1)
            total = weighted_sum(self.parts, [model.predict(some) for model in self.models])
            result[:, index] = np.clip(total + self.offset, 0, 1)
        return result


def weighted_sum(weights: Sequence[float], predictions: Sequence[FloatArray]) -> FloatArray:
    """(E, N) float32, the sum of predictions (E, N) by their weights."""
    total = predictions[0] * np.float32(weights[0])
    for weight, prediction in zip(weights[1:], predictions[1:], strict=True):
        total += prediction * np.float32(weight)
    return total


def mean_square(score: FloatArray, other: npt.NDArray[np.floating]) -> float:
    """Mean squared difference, exit by exit, so that little memory is used."""
    rows = zip(score, np.broadcast_to(other, (*other.shape[:1], score.shape[1])), strict=True)
    return float(np.mean([np.mean(np.square(a.astype(np.float64) - b)) for a, b in rows]))


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keeps matrix products on the thread that asks for them: their last bits may depend on how many share them."""
    import scipy.linalg  # noqa: F401 (its library too must be loaded, to be limited)
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def _check(seed: Any, effort: Any, weight: Any, most_fitted: Any) -> None:
    """Checks the options."""
    whole(seed, "seed", RecordsError)
    whole(most_fitted, "most_fitted", RecordsError, least=2)
    choice(effort, ("fast", "default"), "effort of expected scores", RecordsError)
    if weight is not None:
        hint = "None chooses it by data"
        real(weight, "weight", RecordsError, "lie in [0, 1]", lambda value: 0 <= value <= 1, hint=hint)
