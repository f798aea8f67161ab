"""Configurations as vectors and as named parameters, for solvers without gradients."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.evaluation.config import leaves, threshold_between
from dyce_search.evaluation.evaluate import evaluate_arrays
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.solvers.run import Exits, Thresholds

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]
LAMBDAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)  # from the cheap end to the dear one
NO_EXIT = 0.7  # share of the positions without an exit in what `draw` returns


class SearchSpace:
    """One choice (none or a candidate) and one share of the samples for each position.

    The share is the part of all samples whose confidence is above the threshold, in [0, 1], so that equal steps move
    equally many samples. It is rounded to whole samples; the threshold lies half-way between the two neighbouring
    confidences. Samples that tie stay together: none of them leaves unless all may.

    Attributes:
        n_candidates: (P,) number of candidates of each position.
    """

    def __init__(self, records: ExitRecords, each: Callable[[Rows], Iterable[Rows]] = iter) -> None:
        """Sorts the confidences of every exit but the final one.

        Args:
            records: of the exits.
            each: iterates over them, as `Run.timely` does.
        """
        self.records = records
        self.n_candidates = records.costs.n_candidates
        self._falling: Rows = np.stack([np.sort(row) for row in each(records.confidence[:-1])])[:, ::-1]

    @property
    def dimension(self) -> int:
        """2 P, the length of a vector."""
        return 2 * len(self.n_candidates)

    def decode(self, candidate: npt.ArrayLike, share: npt.ArrayLike) -> tuple[Exits, Thresholds]:
        """Exits (F, P) and thresholds (F, P) of candidates (F, P), -1 for none, and shares (F, P) in [0, 1]."""
        exits = self.records.layout.exits(np.asarray(candidate, np.int64))
        n = self.records.n_samples
        count = np.rint(np.asarray(share) * n).astype(np.int64).clip(0, n)
        row = exits.clip(0)
        upper = self._falling[row, (count - 1).clip(0)]
        lower = self._falling[row, count.clip(0, n - 1)]
        threshold = np.where(count == 0, upper, np.where(count == n, -np.inf, threshold_between(lower, upper)))
        return exits, np.where(exits >= 0, threshold, 0).astype(np.float32)

    def encode(self, exits: Exits, threshold: Thresholds) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Candidates (F, P) and shares (F, P) that `decode` turns into the same decisions on these records."""
        candidate = self.records.layout.candidates(exits)
        share = np.full(exits.shape, 0.5)
        for f, p in np.argwhere(exits >= 0):
            share[f, p] = np.mean(leaves(self.records.confidence[exits[f, p]], threshold[f, p]))
        return candidate, share

    def from_vectors(self, vectors: FloatArray) -> tuple[Exits, Thresholds]:
        """Of vectors (F, 2 P) in [0, 1]: P choices, each cut into equal parts with "none" first, then P shares."""
        choice, share = np.split(vectors.clip(0, 1), 2, axis=1)
        options = self.n_candidates + 1
        return self.decode(np.minimum(choice * options, options - 0.5).astype(np.int64) - 1, share)

    def to_vectors(self, exits: Exits, threshold: Thresholds) -> FloatArray:
        """Vectors (F, 2 P) that `from_vectors` turns into the same decisions on these records."""
        candidate, share = self.encode(exits, threshold)
        return np.concatenate([(candidate + 1.5) / (self.n_candidates + 1), share], axis=1)

    def draw(self, size: int, rng: np.random.Generator) -> FloatArray:
        """(size, 2 P) random vectors; a position has no exit with probability `NO_EXIT`."""
        vectors = rng.random((size, self.dimension))
        options = self.n_candidates + 1
        none = rng.random((size, len(options))) < NO_EXIT
        choice = vectors[:, : len(options)]
        choice[:] = np.where(none, choice / options, (1 + choice * (options - 1)) / options)
        return vectors

    def parameters(self, exits: Exits, threshold: Thresholds) -> list[dict[str, Any]]:
        """One dictionary a configuration: `exit_p` and `share_p` of every position p."""
        candidate, share = self.encode(exits, threshold)
        return [
            {f"exit_{p}": int(c[p]) for p in range(len(c))} | {f"share_{p}": float(s[p]) for p in range(len(s))}
            for c, s in zip(candidate, share, strict=True)
        ]

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Has an Optuna trial suggest them."""
        found: dict[str, Any] = {}
        for p, count in enumerate(self.n_candidates):
            found[f"exit_{p}"] = trial.suggest_categorical(f"exit_{p}", list(range(-1, int(count))))
            found[f"share_{p}"] = trial.suggest_float(f"share_{p}", 0.0, 1.0)
        return found

    def from_parameters(self, parameters: Sequence[Mapping[str, Any]]) -> tuple[Exits, Thresholds]:
        """Exits (F, P) and thresholds (F, P) of F such dictionaries."""
        positions = range(len(self.n_candidates))
        shape = (len(parameters), len(positions))
        candidate = np.array([[one[f"exit_{p}"] for p in positions] for one in parameters], np.int64)
        share = np.array([[one[f"share_{p}"] for p in positions] for one in parameters], np.float64)
        return self.decode(candidate.reshape(shape), share.reshape(shape))


def objective(records: ExitRecords) -> Callable[[Any], tuple[float, float]]:
    """A plain Optuna objective over configurations, for a study of one's own.

    It suggests, for each position p, `exit_p` (-1 for none, else the candidate) and `share_p`, the share of the
    samples above the threshold.

    Args:
        records: to measure on.

    Returns:
        A callable (trial) -> (accuracy, relative cost): the study needs directions=["maximize", "minimize"].

    Raises:
        RecordsError: `records` is something else.

    Example:
        >>> import dyce_search as ds
        >>> import optuna
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> sampler = optuna.samplers.NSGAIISampler(seed=0)
        >>> study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        >>> study.optimize(ds.objective(ds.load_example()), n_trials=5)
        >>> len(study.trials)
        5
    """
    require_records(records)
    space = SearchSpace(records)

    def measure(trial: Any) -> tuple[float, float]:
        measured = evaluate_arrays(records, *space.from_parameters([space.suggest(trial)]))
        return float(measured.accuracy[0]), float(measured.relative_cost[0])

    return measure
