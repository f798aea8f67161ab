"""Every public function refuses what it cannot use, by an error of this library that names the argument.

The walk is over the names of the package, of the runtime and of serving (`tests.public`): a new function is in it at
once. Every parameter is given every value of `tests.hostile`, in every run of the tests. Two functions take a second a
call where nothing is refused (`SLOW`): they are given then only what their annotations refuse, and everything by
`make fuzz`. Several wrong arguments at a time are for `tests/fuzz/test_api.py`.
"""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import dyce_search as ds
from tests.fuzz.cases import ALL
from tests.hostile import fits, values
from tests.public import ROOMS, Right, Target, targets

LONGEST = 30  # seconds of a call
NAMED_OTHERWISE = r"|cannot (read|write)|is (not|no) |damaged"  # what is right as an argument, and leads to no file
SLOW = () if ALL else ("export_onnx", "report")
FOREIGN = {
    ("heads_for", "example_input"): "what a backbone takes is its own affair",
    ("EarlyExitModel.all_logits", "inputs"): "likewise",
    ("EarlyExitModel.features", "inputs"): "likewise",
    ("EarlyExitModel.forward", "inputs"): "likewise",
    ("EarlyExitModel.observe", "visit"): "the caller's own errors pass",
    ("Run.carry_out", "options"): "a solver's own errors pass",
}
LENIENT = {("ExitConfig.leaves", "confidence"): "a number in an array is one"}


@contextmanager
def no_hang() -> Iterator[None]:
    """Fails a call that takes too long."""

    def stop(*_: Any) -> None:
        raise AssertionError(f"it hangs: {LONGEST} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(called: Target, changes: dict[str, Any]) -> str:
    """What came of a call: "" where it went well or was refused as it should be, else what is wrong."""
    try:
        with no_hang():
            called.call(changes)
    except ds.DyceError as error:
        said = " ".join(str(error).split())
        return "" if len(said) < 1500 else f"{len(said)} characters"
    except TypeError as error:
        return "" if "TypeError" in called.documented else f"raw TypeError: {error}"
    except Exception as error:
        return f"raw {type(error).__name__}: {error}"[:300]
    unfit = [name for name, value in changes.items() if not is_right(called, name, value)]
    return f"accepted as {', '.join(unfit)}" if unfit else ""


def is_right(called: Target, name: str, value: Any) -> bool:
    """Whether an argument is of the right type; one that is passed with a star stands in a list."""
    if (called.name, name) in LENIENT:
        return True
    return all(fits(one, called.hints.get(name, Any)) for one in (value if name in called.star else [value]))


def is_foreign(called: Target, name: str, value: Any) -> bool:
    """Whether what is wrong with it is not for this library to say: functions have errors of their own."""
    return (called.name, name) in FOREIGN or (callable(value) and fits(value, called.hints.get(name, Any)))


def test_all_that_is_right_is_taken(right: Right) -> None:
    for called in targets(right):
        with no_hang():
            called.call({})


@pytest.mark.usefixtures("aside")
@pytest.mark.parametrize("room", ROOMS)
def test_whatever_is_passed_is_used_or_refused(right: Right, room: str) -> None:
    wrong = []
    for called in targets(right, [room]):
        hostile = values()
        for name, hint in called.hints.items():
            for what, value in hostile.items():
                if is_foreign(called, name, value) or (called.name in SLOW and fits(value, hint)):
                    continue
                said = outcome(called, {name: [value] if name in called.star else value})
                if said:
                    wrong.append(f"{called.name}({name}={what}): {said}")
    assert not wrong, "\n".join([f"{len(wrong)} calls", *wrong])


@pytest.mark.usefixtures("aside")
@pytest.mark.parametrize("value", ["x", 3, object()], ids=["text", "three", "object"])
def test_a_wrong_type_names_the_argument(right: Right, value: object) -> None:
    unnamed = []
    for called in targets(right):
        for name, hint in called.hints.items():
            if fits(value, hint) or is_foreign(called, name, value) or name in called.star:
                continue
            with pytest.raises(ds.DyceError) as caught:
                called.call({name: value})
            words = rf"\b{re.escape(name.removesuffix('s'))}s?\b{NAMED_OTHERWISE}"
            if not re.search(words, str(caught.value)):
                unnamed.append(f"{called.name}({name}=): {caught.value}")
    assert not unnamed, "\n".join(unnamed)
