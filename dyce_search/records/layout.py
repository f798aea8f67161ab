"""Who stands where, and how its confidence is read: what makes a threshold mean something."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import several, shown, text
from dyce_search.arrays import read_only, restore, to_numpy, whole_numbers
from dyce_search.errors import ConfigError, DyceError
from dyce_search.wording import exits_at, line

SAME_TEMPERATURE = 1e-6  # relative: as float32 keeps it
SMALLEST = 1e-37  # temperature, and one over it the largest: logits are divided by it in float32

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitLayout:
    """The E candidate exits of a network, the final exit last, and the meaning of their confidences.

    Costs, records, fronts, configurations, certificates and the runtime's model each carry one. Two layouts fit where
    they do not contradict each other. An unknown measure fits every measure, and names that nobody gave (the
    numbered ones, "type0", "type1", ..., "final") fit all names, but for the numbered models of a cascade in another
    order ("model 1", "model 0"). A name without a slash is that of a type: "linear" fits "layer1/linear".

    Attributes:
        position: (E,) int64, position of each candidate in rising order; the final exit's is P.
        names: (E,) what the candidates are called; they may repeat from position to position. Numbered where none are
            given.
        measure: what the confidences are: "max_prob", "margin", "entropy", or a name of one's own; None is unknown.
        temperature: (E,) float64, > 0, by which each exit's logits were divided first; one number stands for all
            exits; None is 1 everywhere.

    Raises:
        ConfigError: positions with gaps or out of order, another number of names or temperatures than of candidates,
            temperatures <= 0, a measure that is no text.

    Example:
        >>> layout = ExitLayout(position=[0, 0, 1, 2], measure="max_prob")
        >>> layout.names, layout.n_positions
        (('type0', 'type1', 'type0', 'final'), 2)
        >>> layout.exits([1, -1]).tolist()  # the second candidate of position 0, none at position 1
        [1, -1]
    """

    position: IntArray
    names: tuple[str, ...] = ()
    measure: str | None = None
    temperature: FloatArray | None = None

    if TYPE_CHECKING:  # what may be passed is wider than what is kept; the dataclass writes the real one

        def __init__(
            self,
            *,
            position: npt.ArrayLike,
            names: Iterable[str] = (),
            measure: str | None = None,
            temperature: npt.ArrayLike | None = None,
        ) -> None:
            """Takes whatever `np.asarray` takes; the attributes say what is kept."""

    def __post_init__(self) -> None:
        """Checks and freezes the arrays."""
        position = read_only(whole_numbers(self.position, "position", ConfigError, ndim=1), np.int64, copy=True)
        check_positions(position, int(position[-1]) if len(position) else 0, ConfigError)
        object.__setattr__(self, "position", position)
        object.__setattr__(self, "names", checked_names(self.names, position, ConfigError))
        if self.measure is not None and not (isinstance(self.measure, str) and self.measure):
            raise ConfigError(f"measure must be the name of a confidence measure, or None, got {shown(self.measure)}")
        if self.measure is not None:
            require_text(self.measure, "measure", ConfigError)
        object.__setattr__(self, "temperature", checked_temperature(self.temperature, len(position), ConfigError))

    __setstate__ = restore

    def __repr__(self) -> str:
        """One line: sizes, types, and what confidences measure."""
        heat = "" if self.temperature is None else ", with temperatures"
        sizes = exits_at(self.n_exits, self.n_positions)
        types = ", ".join(dict.fromkeys(self.types))
        return line("ExitLayout", sizes, f"confidence {self.measure or 'unknown'}{heat}", f"types {types}")

    def __eq__(self, other: object) -> bool:
        """Equal when positions, names, measure and temperatures are."""
        if not isinstance(other, ExitLayout):
            return NotImplemented
        return (
            np.array_equal(self.position, other.position)
            and (self.names, self.measure) == (other.names, other.measure)
            and np.array_equal(self.temperatures, other.temperatures)
        )

    def __hash__(self) -> int:
        """Agrees with equality."""
        return hash((self.position.tobytes(), self.names, self.measure, self.temperatures.tobytes()))

    @property
    def n_positions(self) -> int:
        """P, the number of positions before the final exit."""
        return int(self.position[-1])

    @property
    def n_exits(self) -> int:
        """E, the number of candidates, the final exit included."""
        return len(self.position)

    @property
    def types(self) -> tuple[str, ...]:
        """(E,) of which type each candidate is: its name, or what follows the last slash, as in "layer1.0/linear"."""
        return tuple(name.rpartition("/")[2] for name in self.names)

    @property
    def first(self) -> IntArray:
        """(P+1,) flat index of the first candidate of each position, then that of the final exit."""
        return np.searchsorted(self.position, np.arange(self.n_positions + 1))

    @property
    def n_candidates(self) -> IntArray:
        """(P,) number of candidates at each position."""
        return np.diff(self.first)

    @property
    def temperatures(self) -> FloatArray:
        """(E,) float64, 1 where none is given."""
        return np.ones(self.n_exits) if self.temperature is None else self.temperature

    @property
    def network(self) -> Self:
        """The same exits, whatever their confidences are: with an unknown measure and no temperatures."""
        known = self.measure is not None or self.temperature is not None
        return replace(self, measure=None, temperature=None) if known else self

    def exits(self, candidate: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Flat indices of candidates.

        Args:
            candidate: (..., P) integers, index of the candidate among those of its position, -1 for none.

        Returns:
            (..., P) int32, -1 for none.

        Raises:
            ConfigError: another number of positions, or candidates that a position does not have.
        """
        chosen = to_numpy(candidate, "candidate", ConfigError)
        if chosen.size and chosen.dtype.kind not in "iu":
            raise ConfigError(f"candidate must hold whole numbers, got dtype {chosen.dtype}")
        if chosen.shape[-1:] != (self.n_positions,):
            raise ConfigError(
                f"the configuration has {chosen.shape[-1] if chosen.ndim else 'no'} positions, the network "
                f"{self.n_positions}: it belongs to another network"
            )
        counts = self.n_candidates
        bad = np.argwhere((chosen >= counts) | (chosen < -1))
        if len(bad):
            p, found = int(bad[0][-1]), chosen[tuple(bad[0])]
            raise ConfigError(
                f"position {p} has candidates 0 to {counts[p] - 1}, the configuration enables {found}: it belongs to "
                "another network"
            )
        return np.where(chosen >= 0, self.first[:-1] + chosen, -1).astype(np.int32)

    def candidates(self, exits: npt.ArrayLike) -> IntArray:
        """Turns flat indices (..., P) into candidates (..., P) int64, the way back from `exits`.

        Args:
            exits: (..., P) integers, at each position the flat index of one of its candidates, or -1.

        Raises:
            ConfigError: another number of positions, or an exit that is not at its position.
        """
        chosen = to_numpy(exits, "exits", ConfigError)
        fits = chosen.dtype.kind in "iu" and chosen.shape[-1:] == (self.n_positions,)
        if not fits or np.any((chosen >= self.first[1:]) | ((chosen >= 0) & (chosen < self.first[:-1]))):
            raise ConfigError(
                f"exits must hold, at each of {self.n_positions} positions, the flat index of one of its candidates, "
                f"or -1, got {shortened(chosen)}"
            )
        return np.where(chosen >= 0, chosen - self.first[:-1], -1).astype(np.int64)

    def differences(self, other: "ExitLayout", ours: str = "one", theirs: str = "the other") -> list[str]:
        """How this layout and another contradict each other, a line each; nothing where they fit.

        Args:
            other: to compare with.
            ours: what this layout is called in the lines.
            theirs: what the other is called.

        Example:
            >>> recorded = ExitLayout(position=[0, 1], names=["a/linear", "final"], measure="entropy")
            >>> served = ExitLayout(position=[0, 1], names=["b/linear", "final"], measure="max_prob")
            >>> for line in recorded.differences(served, "the records", "the model"):
            ...     print(line)
            exit 0 is called 'a/linear' by the records, 'b/linear' by the model
            confidences are 'entropy' for the records, 'max_prob' for the model
        """
        text(ours, "ours", ConfigError)
        text(theirs, "theirs", ConfigError)
        if self is other:
            return []
        require_layout(other, "other")
        if not np.array_equal(self.position, other.position):
            sizes = [exits_at(one.n_exits, one.n_positions) for one in (self, other)]
            if sizes[0] == sizes[1]:
                e = int(np.flatnonzero(self.position != other.position)[0])
                sizes = [f"exit {e} at position {one.position[e]}" for one in (self, other)]
            return [f"{ours} has {sizes[0]}, {theirs} {sizes[1]}"]
        found = []
        if self.names != other.names:
            known = _default_names(self.position)
            pairs = zip(self.names, other.names, known, strict=True)
            wrong = [e for e, (a, b, default) in enumerate(pairs) if not (default in (a, b) or _same_name(a, b))]
            if wrong:
                e = wrong[0]
                more = f" ({len(wrong)} exits differ)" if len(wrong) > 1 else ""
                found.append(f"exit {e} is called {self.names[e]!r} by {ours}, {other.names[e]!r} by {theirs}{more}")
            elif _renumbered(self.names) or _renumbered(other.names):
                orders = [f"{', '.join(one.names)} for {who}" for one, who in ((self, ours), (other, theirs))]
                found.append(f"models are {', '.join(orders)}")
        if None not in (self.measure, other.measure) and self.measure != other.measure:
            found.append(f"confidences are {self.measure!r} for {ours}, {other.measure!r} for {theirs}")
        told = all(one.measure is not None or one.temperature is not None for one in (self, other))
        same = np.isclose(self.temperatures, other.temperatures, rtol=SAME_TEMPERATURE, atol=0)
        if told and not same.all():
            e = int(np.flatnonzero(~same)[0])
            more = f" ({np.count_nonzero(~same)} exits differ)" if np.count_nonzero(~same) > 1 else ""
            found.append(
                f"the temperature of exit {e} is {self.temperatures[e]:.7g} for {ours}, {other.temperatures[e]:.7g} "
                f"for {theirs}{more}"
            )
        return found

    def joined(self, other: "ExitLayout", ours: str, theirs: str) -> "ExitLayout":
        """What both layouts know together: the one check of "the same network, and the same kind of confidences?".

        Args:
            other: to compare with.
            ours: what this layout belongs to, for the message.
            theirs: what the other belongs to.

        Returns:
            A layout with the measure, the temperatures and the (longer) names of whichever knows them.

        Raises:
            ConfigError: they contradict each other; says how, and what to do.
        """
        found = self.differences(other, ours, theirs)
        if found:
            if not self.network.differences(other.network):
                advice = "build both with the same confidence= and temperature= (of bare arrays, measure=), or search "
                advice += "anew on records of that kind"
            elif _are_reordered(self, other):
                advice = "these are the same ones in another order: in_order(records, [...]) gives the records of a "
                advice += "cascade in the order that is needed"
            else:
                advice = "they belong to another network, or to other exits of it: use records, costs and "
                advice += "configurations of the same exits"
            raise ConfigError(f"{ours} and {theirs} do not fit: {'; '.join(found)}; {advice}")
        if self == other:
            return self
        known = self if self.measure is not None or other.measure is None else other
        if known.measure is None and known.temperature is None:
            known = other
        default = _default_names(self.position)
        pairs = zip(self.names, other.names, default, strict=True)
        return replace(
            self,
            names=tuple(b if a == numbered or (b != numbered and len(b) > len(a)) else a for a, b, numbered in pairs),
            measure=known.measure,
            temperature=known.temperature,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `ExitLayout(**...)` reads them back exactly."""
        return {
            "measure": self.measure,
            "temperature": None if self.temperature is None else self.temperature.tolist(),
            "position": self.position.tolist(),
            "names": list(self.names),
        }


def require_layout(layout: object, name: str) -> None:
    """For functions that are given a layout.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(layout, ExitLayout):
        hint = f": pass its .layout, as in {name}=costs.layout" if hasattr(layout, "layout") else ""
        raise ConfigError(f"{name} must be an ExitLayout, got {type(layout).__name__}{hint}")


def check_positions(position: IntArray, n_positions: int, error: type[DyceError]) -> None:
    """Checks that candidates (E,) stand at positions 0 to P in rising order, the final exit alone at the last.

    Raises:
        DyceError: of the type `error`: they do not.
    """
    gaps = n_positions >= len(position) > 0  # before anything of that size is made
    if gaps or np.any(np.diff(position) < 0) or not np.array_equal(np.unique(position), np.arange(n_positions + 1)):
        raise error(f"position must rise from 0 to P = {n_positions} without gaps, got {shortened(position)}")
    if n_positions < 1 or np.count_nonzero(position == n_positions) != 1:
        raise error(f"position must name the final exit, P = {n_positions}, exactly once, as the last entry, P >= 1")


def checked_names(names: Any, position: IntArray, error: type[DyceError]) -> tuple[str, ...]:
    """Names of candidates at these positions (E,), numbered where none are given.

    Raises:
        DyceError: of the type `error`: no sequence of strings, or another number of them.
    """
    given = tuple(several(names, str, "names", error)) or _default_names(position)
    require_text("".join(given), "names", error)
    if len(given) != len(position):
        raise error(f"names must have one entry per candidate, {len(position)}, got {len(given)}")
    return given


def require_text(text: str, name: str, error: type[DyceError]) -> None:
    """For names, which stand in files and tables: text that UTF-8 can keep, without NUL.

    Raises:
        DyceError: of the type `error`: it is none.
    """
    if "\0" in text:
        raise error(f"{name} must not have NUL in it, got {text!r}")
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        raise error(f"{name} must be text, got {text[cause.start : cause.end]!r}, half a surrogate pair") from cause


def checked_temperature(temperature: Any, n_exits: int, error: type[DyceError]) -> FloatArray | None:
    """Temperatures (E,) of one number or of one for each exit; None where all are 1.

    Raises:
        DyceError: of the type `error`: another number of them, or one that is not above 0.
    """
    if temperature is None:
        return None
    if hasattr(temperature, "temperature"):
        raise error(f"temperature must be numbers, got {type(temperature).__name__}: pass its .temperature")
    heat = to_numpy(temperature, "temperature", error)
    fits = heat.dtype.kind in "iuf" and heat.shape in ((), (n_exits,))
    if not fits or not np.all(np.isfinite(heat) & (heat > 0)):
        raise error(
            f"temperature must be one number > 0, or one for each of the {n_exits} exits, got {shortened(heat)}"
        )
    if not np.all((heat >= SMALLEST) & (heat <= 1 / SMALLEST)):
        raise error(f"temperature must be from {SMALLEST:g} to {1 / SMALLEST:g}, got {shortened(heat)}")
    return None if np.all(heat == 1) else read_only(np.broadcast_to(heat, n_exits), np.float64, copy=True)


def shortened(values: Any) -> str:
    """Values for a message, of many the first few."""
    array = np.asarray(values)
    if array.size <= 12:
        return str(array.tolist())
    return f"{str(array.ravel()[:6].tolist())[:-1]}, ...] of shape {array.shape}"


def _default_names(position: IntArray) -> tuple[str, ...]:
    rank = np.arange(len(position)) - np.searchsorted(position, position)
    return (*(f"type{k}" for k in rank[:-1]), "final")


def _renumbered(names: tuple[str, ...]) -> bool:
    """Whether these are the models of a cascade without names, which `in_order` numbered, in another order."""
    numbered = [f"model {m}" for m in range(len(names))]
    return list(names) != numbered and sorted(names) == sorted(numbered)


def _are_reordered(one: ExitLayout, other: ExitLayout) -> bool:
    same = set(one.names) == set(other.names) or _renumbered(one.names) or _renumbered(other.names)
    return same and np.array_equal(one.position, other.position)


def _same_name(one: str, other: str) -> bool:
    """Whether two names are equal, or one is the type alone that the other ends with."""
    if one == other:
        return True
    return ("/" not in one and other.endswith(f"/{one}")) or ("/" not in other and one.endswith(f"/{other}"))
