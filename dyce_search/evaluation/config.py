"""One exit configuration, and the one rule by which samples leave."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown, text, whole
from dyce_search.arrays import numbers, read_only, restore, whole_numbers
from dyce_search.errors import ConfigError, RecordsError
from dyce_search.files import PathLike, named, require_path
from dyce_search.json_files import read_json, write_json
from dyce_search.records.layout import ExitLayout, require_layout
from dyce_search.records.wrong_files import needing
from dyce_search.wording import exits_at, line, number

MOST_POSITIONS = 1_000_000
LOWEST = np.finfo(np.float32).min  # what -inf is kept as in records, so that everybody leaves where a threshold is -inf


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
    Two configurations are equal when they enable the same candidates with the same thresholds there, whatever
    their layouts.

    Attributes:
        candidate: (P,) int64, index of the candidate among those of its position, or -1 for none.
        threshold: (P,) float32; -inf lets every sample leave. Where no candidate is enabled it has no effect.
        layout: which exits these are and what their confidences measure, or None for bare numbers, which fit every
            network of this shape. Searches give it, and files keep it.

    Raises:
        ConfigError: shapes that differ, a candidate below -1 or one that the layout does not have, a threshold that is
            NaN.

    Example:
        >>> config = ExitConfig(candidate=[-1, 0, 2], threshold=[0.0, 0.9, 0.8])
        >>> config.n_exits
        2
    """

    candidate: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float32]
    layout: ExitLayout | None = None

    if TYPE_CHECKING:  # what may be passed is wider than what is kept; the dataclass writes the real one

        def __init__(
            self, *, candidate: npt.ArrayLike, threshold: npt.ArrayLike, layout: ExitLayout | None = None
        ) -> None:
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
        if self.layout is not None:
            require_layout(self.layout, "layout")
            self.layout.exits(candidate)
        object.__setattr__(self, "candidate", candidate)
        object.__setattr__(self, "threshold", threshold)

    __setstate__ = restore

    def __repr__(self) -> str:
        """One line: how many exits are enabled, where, and from which confidence on a sample leaves there."""
        layout = self.layout
        names = [f"candidate {c}" for c in self.candidate]
        if layout is not None:
            names = [layout.names[e] for e in layout.exits(self.candidate)]
        enabled = np.flatnonzero(self.candidate >= 0)
        parts = [f"{p}: {names[p]} > {number(self.threshold[p])}" for p in enabled]
        return line("ExitConfig", exits_at(self.n_exits, self.n_positions), *parts)

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

    def exits(self, layout: ExitLayout, of: str = "the network") -> npt.NDArray[np.int32]:
        """(P,) flat index of the enabled candidate of each position, -1 for none.

        Args:
            layout: of the records or the network (`records.layout`, `costs.layout`).
            of: what it belongs to, for messages.

        Raises:
            ConfigError: the configuration belongs to other exits, or to confidences of another measure or
                temperature.
        """
        require_layout(layout, "layout")
        text(of, "of", ConfigError)
        if self.layout is not None and self.layout is not layout:
            self.layout.joined(layout, "the configuration", of)
        return layout.exits(self.candidate)

    def route(self, confidence: npt.ArrayLike, *, layout: ExitLayout | None = None) -> npt.NDArray[np.int64]:
        """Where each sample leaves, from confidences alone: for traffic without labels, in plain NumPy.

        Args:
            confidence: (E, N) real, of every exit on N samples; rows of exits that are not enabled are not looked at.
                -inf leaves only where everybody does.
            layout: of the network, for configurations of bare numbers, which carry none.

        Returns:
            (N,) int64, flat index of the exit where each sample leaves; E-1 is the final exit.

        Raises:
            ConfigError: neither the configuration nor the call has a layout, or they contradict each other.
            RecordsError: another number of rows than exits, or NaN in a row that is looked at.

        Example:
            >>> layout = ExitLayout(position=[0, 0, 1, 2])
            >>> config = ExitConfig(candidate=[1, -1], threshold=[0.5, 0.0], layout=layout)
            >>> config.route([[0, 0], [0.9, 0.2], [0, 0], [0, 0]]).tolist()
            [1, 3]
        """
        known = layout if layout is not None else self.layout
        if known is None:
            raise ConfigError("a configuration of bare numbers does not say which exits it enables: pass layout=")
        exits = self.exits(known)
        sure = numbers(confidence, "confidence", RecordsError, dtype=np.float32, ndim=2)
        if len(sure) != known.n_exits:
            raise RecordsError(f"confidence must have a row for each exit, ({known.n_exits}, N), got {sure.shape}")
        taken = np.full(sure.shape[1], known.n_exits - 1)
        for p in np.flatnonzero(exits >= 0)[::-1]:  # from the last on, so that the first that lets go has the last word
            row = sure[exits[p]]
            if np.isnan(row).any():
                raise RecordsError(
                    f"confidence must not be NaN, got NaN from exit {exits[p]} at sample {int(np.isnan(row).argmax())}"
                )
            taken[leaves(np.maximum(row, LOWEST), self.threshold[p])] = exits[p]
        return taken

    def leaves(self, position: int, confidence: float | None = None) -> bool:
        """Whether one sample leaves at a position: for a loop that asks one model after another.

        In a cascade of whole models the position is the number of the model. Where no exit is enabled, a model is not
        asked at all: `candidate[position]` is -1, and nobody leaves. At the last position, P, everybody does.

        Args:
            position: 0 to P.
            confidence: of the exit there in its answer; -inf is an answer that must not be taken. Not looked at where
                everybody leaves or nobody does.

        Raises:
            ConfigError: another position, or a confidence that is needed and no number.

        Example:
            >>> config = ExitConfig(candidate=[0, -1], threshold=[0.8, 0.0])
            >>> config.leaves(0, 0.9), config.leaves(0, 0.5), config.leaves(1), config.leaves(2)
            (True, False, False, True)
        """
        position = whole(position, "position", ConfigError, most=self.n_positions)
        if position == self.n_positions or self.candidate[position] < 0:
            return bool(position == self.n_positions)
        threshold = self.threshold[position]
        if np.isneginf(threshold):
            return True
        given = np.float32("nan") if confidence is None else confidence
        sure = numbers(given, f"confidence at position {position}", ConfigError, dtype=np.float32, ndim=0)
        if np.isnan(sure).any():
            raise ConfigError(
                f"confidence must be a number at position {position}, got {shown(confidence)}: say -inf for an answer "
                "that must not be taken"
            )
        return bool(leaves(np.maximum(sure, LOWEST), threshold).all())

    def to_rules(self) -> list[dict[str, Any]]:
        """The cascade as plain JSON, for a gateway: one rule a model that is used, in order, the first to ask first.

        A rule has `model`, its name; `threshold`: its answer stands where its confidence is above that, strictly, or
        always where it is None, never where it is "inf"; and `next`, the model to ask otherwise, None where nobody is
        asked after it.

        Raises:
            ConfigError: the configuration is one of bare numbers, without names.

        Example:
            >>> layout = ExitLayout(position=[0, 1, 2], names=["small", "medium", "large"])
            >>> config = ExitConfig(candidate=[0, -1], threshold=[0.75, 0.0], layout=layout)
            >>> for rule in config.to_rules():
            ...     print(rule)
            {'model': 'small', 'threshold': 0.75, 'next': 'large'}
            {'model': 'large', 'threshold': None, 'next': None}
        """
        if self.layout is None:
            raise ConfigError("a configuration of bare numbers does not know its models: search gives it a layout")
        exits = self.exits(self.layout)
        stages = [(self.layout.names[exits[p]], float(self.threshold[p])) for p in np.flatnonzero(exits >= 0)]
        stages.append((self.layout.names[-1], -np.inf))
        last = next(k for k, (_, threshold) in enumerate(stages) if threshold == -np.inf)
        names = [name for name, _ in stages[: last + 1]]
        thresholds = ["inf" if threshold == np.inf else threshold for _, threshold in stages]
        return [
            {"model": name, "threshold": None if k == last else thresholds[k], "next": after}
            for k, (name, after) in enumerate(zip(names, [*names[1:], None], strict=True))
        ]

    @classmethod
    def none(cls, n_positions: int) -> Self:
        """The baseline: no exit enabled, every sample goes to the final exit.

        Args:
            n_positions: P, 1 or more.

        Raises:
            ConfigError: no whole number from 1 to 1,000,000.
        """
        n_positions = whole(n_positions, "n_positions", ConfigError, least=1, most=MOST_POSITIONS)
        return cls(candidate=np.full(n_positions, -1), threshold=np.zeros(n_positions, np.float32))

    def to_dict(self) -> dict[str, Any]:
        """The content of its file, plain values for JSON; infinite thresholds are the strings "inf" and "-inf"."""
        from dyce_search.evaluation.config_file import config_content

        return config_content(self.candidate, self.threshold, self.layout)

    def save(self, path: PathLike) -> None:
        """Writes versioned JSON, atomically: each enabled exit by name, with its threshold, and the layout.

        `load` gives back an equal configuration, bit for bit.

        Args:
            path: the file.

        Raises:
            FileFormatError: the folder cannot be written.
        """
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Reads a file that `save` wrote, or one of version 1, which has no layout.

        Args:
            path: the file.

        Raises:
            FileFormatError: no such file, no JSON, another kind or version, content that is not of the format.
            ConfigError: the values are no configuration.
        """
        with needing("config", path):
            return cls.from_dict(read_json(path), path)

    @classmethod
    def from_dict(cls, content: Any, path: PathLike = "config") -> Self:
        """Reads what `to_dict` gave.

        Args:
            content: the dictionary.
            path: of the file that it comes from, for messages.

        Raises:
            FileFormatError: another kind or version, content that is not of the format.
            ConfigError: the values are no configuration.
        """
        from dyce_search.evaluation.config_file import held, read_content

        require_path(path)
        found = held(content, path)
        with named(path):
            candidate, threshold, layout = read_content(found, path)
            return cls(candidate=candidate, threshold=threshold, layout=layout)
