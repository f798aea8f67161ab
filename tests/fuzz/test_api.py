"""Public functions under a rain of values, several arguments at a time: a result, or an error of this library.

Hypothesis runs what fails again, and once more to show what was drawn. A value that cannot be shown would end that last
run early, which it would report as an inconsistent strategy, in place of the error: hence `Given`. What fails only
because of earlier calls, which leave files and states behind, would hide in the same way: hence `as_it_first_was`.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from tests.fuzz.cases import fuzz
from tests.hostile import values
from tests.public import Right, Target, targets
from tests.test_arguments import SLOW, is_foreign, outcome

HOSTILE = values()
FLOATS = st.floats() | st.floats(-1, 2, width=32) | st.sampled_from([0.0, 1.0, 1e308, 5e-324, np.float32(0.5)])
WHOLE = st.integers(-3, 12) | st.sampled_from([2**15, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400])
PLAIN = st.none() | st.booleans() | WHOLE | FLOATS | st.text(max_size=5) | st.binary(max_size=3)
TYPES = ("float16", "float32", "float64", "int8", "uint64", "bool", "complex64", "U3", "O", "M8[s]")
ODD = st.sampled_from([np.nan, np.inf, -np.inf, -1, 1e300, 0])
TABLES = st.lists(PLAIN, max_size=4) | st.lists(st.lists(FLOATS | WHOLE, max_size=3), max_size=4)
NESTED = st.recursive(PLAIN, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(PLAIN, inside, max_size=2))


class Given:
    """A value that is drawn, and how it is shown, which never fails: no dataclass, which Hypothesis opens."""

    def __init__(self, value: Any, name: str = "") -> None:
        self.value, self.name = value, name

    def __repr__(self) -> str:
        """Its name in `HOSTILE`, or its own words."""
        try:
            return repr(self.name or self.value)
        except Exception:
            return f"a value of type {type(self.value).__name__}"


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """Arrays of few entries, of any type and up to three axes."""
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    filled = np.resize(np.array(draw(st.lists(st.integers(-2, 3) | st.floats(-2, 2), min_size=1, max_size=6))), shape)
    with np.errstate(all="ignore"):
        return filled.astype(draw(st.sampled_from(TYPES[:6])) if 0 in shape else draw(st.sampled_from(TYPES)))


@st.composite
def spoiled(draw: st.DrawFn, right: Any) -> Any:
    """Something right with a mistake in it."""
    if dataclasses.is_dataclass(right) or not isinstance(right, (np.ndarray, list, tuple, int, float, str)):
        return draw(NESTED)
    if isinstance(right, (int, float, str)):
        return draw(st.sampled_from([[right], str(right), -1, [right, right], right, {right: right}, np.array(right)]))
    how, at, odd = draw(st.integers(0, 7)), draw(st.integers(0, 500)), draw(ODD)
    dtype, bound = draw(st.sampled_from(["float16", "float64", "U4", "O"])), draw(st.floats(-1, 2))
    try:
        with np.errstate(all="ignore"):
            return mistaken(right, how, at, odd, dtype, bound)
    except (TypeError, ValueError):  # names are no numbers
        return [right]


def mistaken(right: Any, how: int, at: int, odd: float, dtype: str, bound: float) -> Any:
    """An array or a list with a mistake, of eight kinds; of a list of other things there are four."""
    if not isinstance(right, np.ndarray) and not all(isinstance(one, (bool, int, float, str, list)) for one in right):
        return [[], [*right, *right], [right], [*right, None]][how % 4]
    array = np.array(right)
    if how == 0 and array.size and array.dtype != object:
        array = array.astype(np.float64) if array.dtype.kind in "iuf" else array
        array.flat[at % array.size] = odd
    elif how == 1:
        array = array.T
    elif how == 2:
        array = array[at % (len(array) + 1) :]
    elif how == 3:
        array = np.concatenate([array, array])
    elif how == 4 and array.dtype.kind in "iuf":
        array = np.ma.masked_less(array, bound)
    elif how == 5:
        return array.tolist()
    elif how == 6:
        array = array[None]
    elif array.size:
        array = array.astype(dtype)
    return array


def kinds_for(called: Target, name: str) -> st.SearchStrategy[Given]:
    """Values for a parameter: half of them what it takes, with a mistake, where it needs an argument."""
    hostile = st.sampled_from(sorted(HOSTILE)).map(lambda key: Given(HOSTILE[key], key))
    kinds = [hostile, NESTED.map(Given), arrays().map(Given), TABLES.map(Given)]
    if name in called.right:
        kinds += [spoiled(called.right[name]).map(Given)] * 3
    return st.one_of(kinds)


def as_it_first_was(calls: Callable[[Callable[[str], None]], Any]) -> None:
    """Runs a test of Hypothesis, which is given a function to tell what is wrong, and shows what it told first.

    Raises:
        AssertionError: it told something.
    """
    told: list[str] = []

    def tell(wrong: str) -> None:
        told.append(wrong)
        raise AssertionError(wrong)

    try:
        calls(tell)
    except Flaky as cause:
        raise AssertionError(f"{told[0] if told else 'nothing'}, but not every time: earlier calls matter") from cause


@pytest.mark.usefixtures("aside")
def test_whatever_is_passed(right: Right, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = [called for called in targets(right) if called.hints and called.name not in SLOW]
    folders = iter(range(10**9))

    @fuzz(few=600, every=10_000)
    @given(data=st.data())
    def calls(tell: Callable[[str], None], data: st.DataObject) -> None:
        called = every[data.draw(st.integers(0, len(every) - 1), label="target")]
        names = data.draw(st.lists(st.sampled_from(sorted(called.hints)), min_size=1, max_size=3, unique=True))
        changes = {}
        for name in names:
            value = data.draw(kinds_for(called, name), label=f"{called.name}({name}=)").value
            if not is_foreign(called, name, value):
                changes[name] = [value] if name in called.star else value
        here = tmp_path / str(next(folders))
        here.mkdir()
        monkeypatch.chdir(here)
        said = outcome(called, changes)
        if said:
            tell(f"{called.name}: {said}")

    as_it_first_was(calls)


@pytest.mark.parametrize("name", ["6,000 digits", "circle", "frame", "nameless", "surrogate"])
@pytest.mark.parametrize("named", [True, False])
def test_an_error_is_shown_whatever_was_drawn(name: str, named: bool) -> None:
    @settings(database=None, max_examples=5)
    @given(data=st.data())
    def calls(tell: Callable[[str], None], data: st.DataObject) -> None:
        data.draw(st.just(Given(HOSTILE[name], name * named)), label="first")
        data.draw(st.booleans(), label="second")
        raise KeyError("raw")

    with pytest.raises(KeyError, match="raw"):
        as_it_first_was(calls)


def test_an_error_is_shown_that_does_not_come_again() -> None:
    once = iter(["save: raw KeyError"])

    @settings(database=None, max_examples=5)
    @given(data=st.data())
    def calls(tell: Callable[[str], None], data: st.DataObject) -> None:
        data.draw(st.booleans())
        if wrong := next(once, ""):
            tell(wrong)

    with pytest.raises(AssertionError, match=r"^save: raw KeyError, but not every time: earlier calls matter$"):
        as_it_first_was(calls)
