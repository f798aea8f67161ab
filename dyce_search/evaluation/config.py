"""One exit configuration, and the one rule by which samples leave."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arrays import numbers, read_only, restore, whole_numbers
from dyce_search.errors import ConfigError
from dyce_search.files import PathLike, entry, read_versioned_json, write_json
from dyce_search.records.costs import ExitCosts

FORMAT, VERSION = "dyce_search.config", 1


def leaves(confidence: Any, threshold: Any) -> Any:
    """The rule of the whole package: a sample leaves where its confidence is strictly above the threshold.

    Works on float32 scalars, NumPy arrays and tensors alike, and is compiled into every kernel.
    """
    return confidence > threshold


def threshold_between(lower: npt.ArrayLike, upper: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Float32 thresholds half-way between neighbouring confidences: `upper` leaves, `lower` stays.

    Half-way, so that a rounding difference between the machine that recorded and the one that serves
    flips no decision. Where float32 has no number in between, the threshold is `lower`.

    Args:
        lower: (...) float32, the surest confidence that must not leave.
        upper: (...) float32, above `lower`, the least sure confidence that must leave.

    Example:
        >>> float(threshold_between(0.25, 0.75))
        0.5
    """
    low, high = np.asarray(lower, np.float32), np.asarray(upper, np.float32)
    middle = ((low.astype(np.float64) + high) / 2).astype(np.float32)
    return np.where(middle < high, middle, low)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitConfig:
    """For each position: which candidate is enabled (or none), and with which confidence threshold.

    A sample leaves at the first enabled position where its confidence is above the threshold, strictly.
    Two configurations are equal when they enable the same candidates with the same thresholds there.

    Attributes:
        candidate: (P,) int64, index of the candidate among those of its position, or -1 for none.
        threshold: (P,) float32; -inf lets every sample leave. Where no candidate is enabled it has no effect.

    Raises:
        ConfigError: shapes that differ, a candidate below -1, a threshold that is NaN.

    Example:
        >>> config = ExitConfig(candidate=[-1, 0, 2], threshold=[0.0, 0.9, 0.8])
        >>> config.n_exits
        2
    """

    candidate: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float32]

    if TYPE_CHECKING:  # what may be passed is wider than what is kept; the dataclass writes the real one

        def __init__(self, *, candidate: npt.ArrayLike, threshold: npt.ArrayLike) -> None:
            """Takes whatever `np.asarray` takes; the attributes say what is kept."""

    def __post_init__(self) -> None:
        """Checks and freezes the arrays."""
        candidate = read_only(whole_numbers(self.candidate, "candidate", ConfigError, ndim=1), np.int64, copy=True)
        threshold = numbers(self.threshold, "threshold", ConfigError, dtype=np.float32, ndim=1, copy=True)
        if candidate.shape != threshold.shape or not candidate.size:
            raise ConfigError(
                "candidate and threshold must have one entry per position each, "
                f"got {candidate.size} and {threshold.size}"
            )
        if candidate.min() < -1:
            raise ConfigError(f"candidate must be -1 (none) or an index >= 0, got {candidate.min()}")
        if np.isnan(threshold).any():
            p = int(np.flatnonzero(np.isnan(threshold))[0])
            raise ConfigError(f"threshold must not be NaN, got NaN at position {p}")
        object.__setattr__(self, "candidate", candidate)
        object.__setattr__(self, "threshold", threshold)

    __setstate__ = restore

    def __eq__(self, other: object) -> bool:
        """Equal when the same samples leave at the same exits, whatever they are."""
        if not isinstance(other, ExitConfig):
            return NotImplemented
        enabled = self.candidate >= 0
        return np.array_equal(self.candidate, other.candidate) and np.array_equal(
            self.threshold[enabled], other.threshold[enabled]
        )

    def __hash__(self) -> int:
        """Agrees with equality (0.0 and -0.0 are the same threshold)."""
        enabled = self.threshold[self.candidate >= 0] + np.float32(0)
        return hash((self.candidate.tobytes(), enabled.tobytes()))

    @property
    def n_positions(self) -> int:
        """P, the number of positions."""
        return len(self.candidate)

    @property
    def n_exits(self) -> int:
        """Number of enabled exits, the final exit not counted."""
        return int(np.count_nonzero(self.candidate >= 0))

    def exits(self, costs: ExitCosts) -> npt.NDArray[np.int32]:
        """(P,) flat index of the enabled candidate of each position, -1 for none.

        Args:
            costs: of the network.

        Raises:
            ConfigError: the configuration belongs to a network with other positions or candidates.
        """
        if self.n_positions != costs.n_positions:
            raise ConfigError(
                f"the configuration has {self.n_positions} positions, the network {costs.n_positions}: "
                "it belongs to another network"
            )
        too_high = np.flatnonzero(self.candidate >= costs.n_candidates)
        if too_high.size:
            p = int(too_high[0])
            raise ConfigError(
                f"position {p} has candidates 0 to {costs.n_candidates[p] - 1}, the configuration enables "
                f"{self.candidate[p]}: it belongs to another network"
            )
        return np.where(self.candidate >= 0, costs.first[:-1] + self.candidate, -1).astype(np.int32)

    @classmethod
    def none(cls, n_positions: int) -> Self:
        """The baseline: no exit enabled, every sample goes to the final exit.

        Args:
            n_positions: P, 1 or more.
        """
        return cls(candidate=np.full(n_positions, -1), threshold=np.zeros(n_positions, np.float32))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite thresholds become the strings "inf" and "-inf"."""
        return {"candidate": self.candidate.tolist(), "threshold": thresholds_to_json(self.threshold)}

    @classmethod
    def from_dict(cls, content: Any, path: PathLike = "config") -> Self:
        """Reads what `to_dict` wrote.

        Args:
            content: the dictionary.
            path: of the file that it comes from, for messages.

        Raises:
            FileFormatError: a key is missing.
            ConfigError: the values are no configuration.
        """
        return cls(
            candidate=entry(content, "candidate", path),
            threshold=thresholds_from_json(entry(content, "threshold", path)),
        )

    def save(self, path: PathLike) -> None:
        """Writes versioned JSON, atomically; `load` gives back an equal configuration, bit for bit.

        Args:
            path: the file.

        Raises:
            FileFormatError: the folder cannot be written.
        """
        write_json(path, {"format": FORMAT, "version": VERSION, **self.to_dict()})

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Reads a file that `save` wrote.

        Args:
            path: the file.

        Raises:
            FileFormatError: no such file, no JSON, another kind or version, a key is missing.
            ConfigError: the values are no configuration.
        """
        return cls.from_dict(read_versioned_json(path, FORMAT, VERSION), path)


def thresholds_to_json(threshold: npt.NDArray[np.float32]) -> list[float | str]:
    """The shortest decimals that give the same float32 back; infinities as strings, as JSON has none."""
    return [float(str(value)) if np.isfinite(value) else str(value) for value in threshold]


def thresholds_from_json(values: Any) -> npt.NDArray[np.float32]:
    """Reads what `thresholds_to_json` wrote.

    Raises:
        ConfigError: an entry is no number.
    """
    try:
        return np.array([np.float32(float(value)) for value in values], np.float32)
    except (TypeError, ValueError) as cause:
        raise ConfigError(f"threshold must be a list of numbers: {cause}") from cause
