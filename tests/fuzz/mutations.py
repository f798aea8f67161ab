"""Damage: to the values of JSON, to arrays, to bytes. Every case has a name, from which it can be made again."""

import json
import random
import warnings

import numpy as np

SEED = "dyce_search 19"


class Raw(str):
    """Text that stands in JSON as it is, such as NaN, which is no value; as a key it is beside one of the same text."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


JUNK = [
    None,
    True,
    False,
    0,
    -1,
    -1.5,
    0.5,
    2**31,
    2**63,
    2**64,
    1e308,
    -1e308,
    5e-324,
    "",
    "12",
    "inf",
    "-inf",
    "nan",
    "NaN",
    "x" * 300,
    "\0",
    "a\0b",
    "\u00b5",
    "../../x",
    [],
    [0],
    [None],
    [[1], 2],
    {},
    {"a": 1},
    Raw("NaN"),
    Raw("Infinity"),
    Raw("-Infinity"),
    Raw("1e999"),
    Raw("-1e400"),
    Raw("1" + "0" * 400),
    Raw("-" + "9" * 400),
    Raw("9" * 5000),
    Raw(r'"\ud800"'),
    Raw(r'"\udfff\ud800"'),
    Raw("-0"),
    Raw("[" * 80 + "]" * 80),
]


def generator(kind, number):
    """The random numbers of one case."""
    return random.Random(f"{SEED} {kind} {number}")


def places(content, here=()):
    """The path to every entry of a JSON document."""
    yield here
    if isinstance(content, dict | list):
        for key in content if isinstance(content, dict) else range(len(content)):
            yield from places(content[key], (*here, key))


def at(content, place):
    """The entry at a place."""
    for step in place:
        content = content[step]
    return content


def damaged(content, rng):
    """A copy of a JSON document with one to three entries damaged."""
    copy = json.loads(json.dumps(content))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        every = [place for place in places(copy) if place]
        if not every:
            return copy
        place = rng.choice(every)
        parent, key = at(copy, place[:-1]), place[-1]
        if not isinstance(parent, dict | list):
            continue
        rng.choice(DAMAGE)(parent, key, rng)
    return copy


def _junk(parent, key, rng):
    parent[key] = rng.choice(JUNK)


def _remove(parent, key, rng):
    del parent[key]


def _other(parent, key, rng):
    """What stands elsewhere beside it."""
    parent[key] = parent[rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))]


def _number(parent, key, rng):
    """A number that is near, or far, or of another type."""
    value = parent[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _junk(parent, key, rng)
    parent[key] = rng.choice(
        [-value, value + 1, value - 1, value + 0.5, value * 1e300, str(value), [value], float(value), -1 - value]
    )
    return None


def _list(parent, key, rng):
    """One entry more or less, or in another order."""
    value = parent[key]
    if not isinstance(value, list) or not value:
        return _junk(parent, key, rng)
    how = rng.randrange(5)
    if how == 0:
        value.append(rng.choice(value))
    elif how == 1:
        value.pop(rng.randrange(len(value)))
    elif how == 2:
        value.reverse()
    elif how == 3:
        value.append(rng.choice(JUNK))
    else:
        value.insert(0, rng.choice(value))
    return None


def _key(parent, key, rng):
    """Another key, or one that nobody knows."""
    if not isinstance(parent, dict):
        return _junk(parent, key, rng)
    name = rng.choice([f"{key}s", key.upper(), "", "more", key[:-1], "a\0"])
    parent[name] = parent.pop(key) if rng.random() < 0.5 else rng.choice(JUNK)
    return None


def _twice(parent, key, rng):
    """The same key once more, which no dictionary can hold."""
    if not isinstance(parent, dict):
        return _junk(parent, key, rng)
    parent[Raw(key)] = parent[key] if rng.random() < 0.3 else rng.choice(JUNK)
    return None


def _swap_types(parent, key, rng):
    value = parent[key]
    if isinstance(value, dict):
        parent[key] = list(value.values())
    elif isinstance(value, list):
        parent[key] = {str(k): entry for k, entry in enumerate(value)}
    else:
        parent[key] = [value]


DAMAGE = [_junk, _junk, _junk, _remove, _other, _number, _number, _list, _list, _key, _twice, _swap_types]


def text_of(value):
    """JSON, in which `Raw` text stands as it is, and keys may be there twice."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        pairs = [f"{json.dumps(str(key))}: {text_of(entry)}" for key, entry in value.items()]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return json.dumps(value)


def has_twice(value):
    """Whether a document has a key twice, as `_twice` makes it: those that a dictionary keeps apart look alike."""
    if isinstance(value, dict):
        return len({str(key) for key in value}) < len(value) or any(map(has_twice, value.values()))
    return isinstance(value, list) and any(map(has_twice, value))


def damaged_bytes(content, rng):
    """Bytes with some changed, cut off, added or left out."""
    data = bytearray(content)
    how = rng.randrange(6)
    if how == 0:
        return bytes(data[: rng.randrange(len(data) + 1)])
    if how == 1:
        first = rng.randrange(len(data))
        return bytes(data[:first] + data[first + rng.choice([1, 4, 30]) :])
    if how == 2:
        first = rng.randrange(len(data) + 1)
        return bytes(data[:first] + rng.randbytes(rng.choice([1, 8, 100])) + data[first:])
    for _ in range(rng.choice([1, 1, 4, 40])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def damaged_arrays(arrays, rng):
    """Arrays by name, one or two of which are of another type or shape, or hold other values, or are gone."""
    copy = {name: np.array(value) for name, value in arrays.items()}
    for _ in range(rng.choice([1, 1, 2])):
        name = rng.choice(sorted(copy))
        changed = _changed(copy[name], rng)
        if changed is None:
            del copy[name]
        else:
            copy[rng.choice([name, name, name, name, f"{name}s"])] = changed
        if not copy:
            return dict(arrays)
    return copy


def _changed(array, rng):
    how = rng.randrange(4)
    if how == 0:
        kinds = ["f2", "f8", "i1", "u8", "i8", "?", "c16", ">f4", "U5", "M8[s]", "m8[s]", "S3", "longdouble"]
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            try:
                return array.astype(np.dtype(rng.choice(kinds)))
            except (RuntimeError, TypeError, ValueError):
                return None
    if how == 1:
        shaped = [
            array.T,
            array.ravel(),
            array[None],
            array[:0] if array.ndim else array,
            array[:-1] if array.ndim else array,
            array[..., :-1] if array.ndim else array,
            np.array(rng.choice([0, 1, np.nan])),
            np.concatenate([array, array]) if array.ndim else array,
            np.asfortranarray(array),
            array[..., ::-1] if array.ndim else array,
        ]
        return rng.choice(shaped)
    if how == 2 and array.size and array.dtype.kind in "fiu":
        copy = array.copy()
        values = [0, 1, 255, 7] if array.dtype.kind == "u" else [-1, 7, 127]
        if array.dtype.kind == "f":
            values = [np.nan, np.inf, -np.inf, -1, 2, 60000, -0.0, 1e-30]
            values += [1e39, 1e308] if array.dtype.itemsize > 4 else []
        copy.flat[rng.randrange(copy.size)] = rng.choice(values)
        return copy
    return rng.choice([None, np.zeros(array.shape), np.full(array.shape, "x"), np.zeros(3), np.array({}, object)])
