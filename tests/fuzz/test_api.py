"""Public functions under a rain of values, several arguments at a time: a result, or an error of this library."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


class Hostile(NamedTuple):
    """One of `HOSTILE`, some of which cannot be shown."""

    name: str


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
    with np.errstate(all="ignore"):
        return mistaken(right, how, at, odd, dtype, bound)


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


@pytest.fixture(scope="module")
def callable_targets(tmp_path_factory: pytest.TempPathFactory) -> list[Target]:
    """Everything that takes an argument and is quick."""
    right = Right(tmp_path_factory.mktemp("public"))
    return [called for called in targets(right) if called.hints and called.name not in SLOW]


@fuzz(few=600, every=10_000)
@given(data=st.data())
def test_whatever_is_passed(
    callable_targets: list[Target], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    called = callable_targets[data.draw(st.integers(0, len(callable_targets) - 1), label="target")]
    names = data.draw(st.lists(st.sampled_from(sorted(called.hints)), min_size=1, max_size=3, unique=True))
    changes = {}
    for name in names:
        kinds = [st.sampled_from(sorted(HOSTILE)).map(Hostile), NESTED, arrays(), TABLES]
        if name in called.right:
            kinds += [spoiled(called.right[name])] * 3
        value = data.draw(st.one_of(kinds), label=f"{called.name}({name}=)")
        value = HOSTILE[value.name] if isinstance(value, Hostile) else value
        if not is_foreign(called, name, value):
            changes[name] = [value] if name in called.star else value
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder(tmp_path_factory))
        said = outcome(called, changes)
    assert not said, f"{called.name}: {said}"


def folder(factory: pytest.TempPathFactory) -> Path:
    """Where relative paths lead."""
    place = factory.getbasetemp() / "fuzzed"
    place.mkdir(exist_ok=True)
    return place
