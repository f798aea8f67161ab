"""Ridge regression of all exits' scores on all exits' normal scores, out of fold.

The sums of products of each fold are all that is kept: those of the other folds are a subtraction away, and so is the
loss at any strength of the penalty, so that trying one costs no pass over the samples (Hoerl and Kennard 1970).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from dyce_search.expected.normal_ranks import NormalRanks
from dyce_search.expected.units import folds_of
from dyce_search.threads import side_by_side

FloatArray = npt.NDArray[np.float32]
Sums = npt.NDArray[np.float64]

STRENGTHS = (1.0, 10.0, 100.0, 1000.0, 10_000.0)  # of the penalty, in samples
INTERCEPT = 1e-6  # its penalty, in samples: none, but for a fold without samples
HINGES = (-1.0, 0.0, 1.0)  # normal scores at which the slope may change
HINGED = 64  # exits that have hinges, spread evenly over all of them, so that there are not too many features
FOLDS = 10
MANY_EXITS, FEWER_FOLDS = 100, 5  # above so many exits a fold costs more than it brings
BLOCK = 4096  # samples predicted at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ridge:
    """A fitted ridge: what it predicts out of fold, and for other samples.

    Attributes:
        ranks: how confidences are read.
        strength: of the penalty, in samples, chosen by out-of-fold loss.
        coefficient: (D, E) float32, learned on all samples.
        out_of_fold: (E, N) float32, each sample by the coefficients learned on the other folds; not clipped.
    """

    ranks: NormalRanks
    strength: float
    coefficient: FloatArray
    out_of_fold: FloatArray

    @classmethod
    def fit(
        cls,
        ranks: NormalRanks,
        normal: FloatArray,
        score: FloatArray,
        unit: npt.NDArray[np.intp],
        rng: np.random.Generator,
    ) -> Self:
        """Fits it.

        Args:
            ranks: learned on these samples.
            normal: (E, N) float32, their normal scores.
            score: (E, N) float32.
            unit: (N,) 0 to U - 1, at least two: samples of one unit are in one fold.
            rng: of the folds.
        """
        fold = folds_of(unit, FOLDS if len(score) <= MANY_EXITS else FEWER_FOLDS, rng)
        members = [np.flatnonzero(fold == k) for k in range(int(fold.max()) + 1)]

        def sums(member: npt.NDArray[np.intp]) -> tuple[Sums, Sums]:
            features = design(normal.take(member, axis=1))
            cross = features @ np.ascontiguousarray(score.T[member])
            return (features @ features.T).astype(np.float64), cross.astype(np.float64)

        products, crosses = zip(*side_by_side(sums, members), strict=True)
        product, cross = np.sum(products, axis=0), np.sum(crosses, axis=0)
        strength, by_fold = _strongest(product, cross, products, crosses)
        out_of_fold = np.empty_like(score)

        def predict(member: npt.NDArray[np.intp], coefficient: FloatArray) -> None:
            out_of_fold[:, member] = coefficient.T @ design(normal.take(member, axis=1))

        side_by_side(predict, members, by_fold)
        return cls(
            ranks=ranks,
            strength=strength,
            coefficient=solve(product, cross, strength).astype(np.float32),
            out_of_fold=out_of_fold,
        )

    def predict(self, confidence: FloatArray) -> FloatArray:
        """(E, M) float32, for other samples of confidence (E, M); not clipped."""
        result = np.empty(confidence.shape, np.float32)

        def some(first: int) -> None:
            block = confidence[:, first : first + BLOCK]
            result[:, first : first + BLOCK] = self.coefficient.T @ design(self.ranks.block(block))

        side_by_side(some, range(0, confidence.shape[1], BLOCK))
        return result


def design(normal: FloatArray) -> FloatArray:
    """(D, M) float32, the features of normal scores (E, M): one, the scores, and how far some are above each hinge."""
    n_exits, n_samples = normal.shape
    hinged = np.unique(np.linspace(0, n_exits - 1, min(HINGED, n_exits)).round().astype(int))
    features = np.empty((1 + n_exits + len(hinged) * len(HINGES), n_samples), np.float32)
    features[0] = 1
    features[1 : 1 + n_exits] = normal
    row = 1 + n_exits
    for hinge in HINGES:
        for e in hinged:
            np.subtract(normal[e], np.float32(hinge), out=features[row])
            np.maximum(features[row], 0, out=features[row])
            row += 1
    return features


def solve(product: Sums, cross: Sums, strength: float) -> Sums:
    """(D, E) float64, the coefficients at one strength: (product + strength * I)^-1 cross."""
    from scipy.linalg import cho_factor, cho_solve

    penalty = np.full(len(product), strength)
    penalty[0] = INTERCEPT
    penalised = product.copy()
    penalised[np.diag_indices_from(penalised)] += penalty
    coefficient: Sums = cho_solve(cho_factor(penalised, lower=True, overwrite_a=True), cross)
    return coefficient


def _strongest(
    product: Sums, cross: Sums, products: Sequence[Sums], crosses: Sequence[Sums]
) -> tuple[float, list[FloatArray]]:
    """The strength of the least out-of-fold loss, and each fold's coefficients (D, E) there.

    Strengths are tried from the middle one on, up or down, as long as the loss falls.
    """

    def at(strength: float) -> tuple[float, list[FloatArray]]:
        def one(own_product: Sums, own_cross: Sums) -> tuple[float, FloatArray]:
            coefficient = solve(product - own_product, cross - own_cross, strength)
            squares = np.sum(coefficient * (own_product @ coefficient - 2 * own_cross))
            return float(squares), coefficient.astype(np.float32)

        parts = side_by_side(one, products, crosses)
        return sum(squares for squares, _ in parts), [coefficient for _, coefficient in parts]

    middle = len(STRENGTHS) // 2
    best, found = middle, at(STRENGTHS[middle])
    for step in (1, -1):
        while 0 <= best + step < len(STRENGTHS):
            tried = at(STRENGTHS[best + step])
            if tried[0] >= found[0]:
                break
            best, found = best + step, tried
        if best != middle:
            break
    return STRENGTHS[best], found[1]
