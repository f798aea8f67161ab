"""Recognising samples again from a few marks, so that nobody certifies on samples searched on.

A sample's mark is a hash of its confidences, rounded to the 11 bits of float16, so that files of either kind give the
same. Of all samples of some records the smallest marks are kept (a bottom-k sketch, Cohen and Kaplan 2007): they are a
random choice of the samples, and the same one in every part that holds them. A part of m samples out of n shows by
`m * KEPT / n` marks on average, and is found if there are `TELLING`: 200 of 50,000 with a probability of 1 - 1e-5, all
with certainty where n is at most `KEPT`. Where other samples may have the same marks by chance, as with few exits, sure
ones or rounded confidences, it takes more than chance explains.
"""

import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import shown, text
from dyce_search.errors import FrontError
from dyce_search.wording import percent

KEPT = 4096  # marks, 80 kB in a file
ROWS = 16  # exits that a mark is made of; more would tell no more samples apart
HASHED = 8  # rows at a time
DIGITS = 16  # of a mark in hexadecimal
HEX = re.compile("[0-9a-f]*")
TELLING = 3  # so many marks in common are no coincidence
LEAST_APART = 0.1  # of the samples, that must differ: where fewer do, equal ones are no copies
RARELY = 0.01  # of the marks: so few that look alike by half of the exits do not meet by all of them
UNMARKED = "does not say which samples had a part in it (it is of an earlier release, or they look too much alike)"
SURELY = 5  # standard deviations above chance


def sample_marks(confidence: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """(N,) marks of the samples whose confidences (E, N) these are."""
    return _marks(confidence, _rows(len(confidence)))


def fingerprint(confidence: npt.NDArray[np.float32]) -> tuple[str, ...]:
    """Up to `KEPT` marks in hexadecimal, rising: each once, but those twice that two samples have by chance.

    A sample that is there several times, as in a bootstrap, has one mark. Samples that merely look alike tell nothing,
    and are told from copies by halves of the exits: copies agree wherever one looks, while what half of the exits does
    not tell apart, the others do. Of marks that two of them share it is kept how many they are, from which
    `share_in_common` knows how many others will share a mark by chance; those of three and more are left out.

    Example:
        >>> drawn = np.random.default_rng(0).random((9, 5000), np.float32)
        >>> len(fingerprint(drawn)), fingerprint(drawn) == fingerprint(np.repeat(drawn, 2, axis=1))
        (4096, True)
        >>> fingerprint(np.zeros((2, 1000), np.float32))
        ()
    """
    return tuple(f"{mark:016x}" for mark in _kept(_distinct(confidence)))


class Distinct(NamedTuple):
    """The marks of some samples, each once.

    Attributes:
        marks: (M,) uint64, rising.
        times: (M,) how many samples have it.
        alike: (M,) bool, whether these look like others by half of the exits.
    """

    marks: npt.NDArray[np.uint64]
    times: npt.NDArray[np.intp]
    alike: npt.NDArray[np.bool_]


def _kept(distinct: Distinct) -> npt.NDArray[np.uint64]:
    """The marks of a fingerprint."""
    marks, count, alike = distinct
    return np.repeat(marks, np.where(alike, np.where(count > 2, 0, count), 1))[:KEPT]


def _distinct(confidence: npt.NDArray[np.float32]) -> Distinct:
    """The marks of the samples whose confidences (E, N) these are."""
    rows = _rows(len(confidence))
    marks, at, count = np.unique(_marks(confidence, rows), return_index=True, return_counts=True)
    alike = np.full(len(marks), len(marks) < LEAST_APART * confidence.shape[1])
    for half in (rows[::2], rows[1::2]):
        _, which, others = np.unique(_marks(confidence, half)[at], return_inverse=True, return_counts=True)
        alike |= others[which.reshape(-1)] > 1
    return Distinct(marks, count, alike)


def _rows(n_exits: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, n_exits - 1, ROWS).astype(np.int64))


def _marks(confidence: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    marks = np.full(confidence.shape[1], 0x9E3779B97F4A7C15, np.uint64)
    for e in rows:
        bits = (confidence[e] + np.float32(0)).view(np.uint32)  # -0.0 and 0.0 are the same confidence
        bits = (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)  # half a unit of the 11th bit, and what lies below it
        marks = (marks ^ bits) * np.uint64(0xBF58476D1CE4E5B9)
        marks ^= marks >> np.uint64(32)
    return marks


def united(*fingerprints: Collection[str]) -> tuple[str, ...]:
    """The marks of several record sets, each as often as in one of them.

    Example:
        >>> united(("b", "a", "a"), ("c", "a"), ())
        ('a', 'a', 'b', 'c')
    """
    found: Counter[str] = Counter()
    for marks in fingerprints:
        found |= Counter(marks)
    return tuple(sorted(found.elements()))


def require_marks(marks: Collection[str]) -> None:
    """For what is given as a fingerprint: garbage would recognise nothing, and nobody would be warned.

    Raises:
        FrontError: an entry that is no mark.
    """
    if all(isinstance(mark, str) and len(mark) == DIGITS for mark in marks) and HEX.fullmatch("".join(marks)):
        return
    bad = next(mark for mark in marks if not (isinstance(mark, str) and len(mark) == DIGITS and HEX.fullmatch(mark)))
    raise FrontError(f"a fingerprint must be of marks of {DIGITS} hexadecimal digits, got {bad!r}")


def require_digest(digest: object, name: str) -> str:
    """For what is given as a digest of records: garbage would be that of none, and nobody would be warned.

    Raises:
        FrontError: it is none.
    """
    if len(text(digest, name, FrontError)) == 64 and HEX.fullmatch(str(digest)):
        return str(digest)
    raise FrontError(f"{name} must be of 64 hexadecimal digits, as records.digest is, got {shown(digest)}")


def share_in_common(known: Collection[str], confidence: npt.NDArray[np.float32]) -> float:
    """About which share of the samples of a fingerprint is among those of `confidence` (E, N); 0 if a coincidence.

    Other samples meet marks by chance: as many as there are in pairs within either set, in proportion to the sizes of
    both (Good 1953). So many, and `SURELY` standard deviations more, are no sign.

    Example:
        >>> drawn = np.random.default_rng(0).random((2, 1000), np.float32)
        >>> share_in_common(fingerprint(drawn), drawn), share_in_common(fingerprint(drawn), drawn[::-1].copy())
        (1.0, 0.0)
    """
    if not known:
        return 0.0
    marks, twice = _apart(np.array([int(mark, 16) for mark in known], np.uint64))
    there = _distinct(confidence)
    own = _kept(there)
    found = int(np.isin(marks, there.marks).sum())
    one_more = 2 if there.alike.mean() > RARELY else 0  # a pair with one mark: that there was none may be luck
    below = int(there.times[there.marks <= np.uint64(int(max(known), 16))].sum())
    chance = (twice + one_more) * below / len(known)
    if len(own):
        chance = max(chance, float(_apart(own)[1] * len(known) / len(own)))
    if found < min(TELLING, len(marks)) or found <= chance + SURELY * np.sqrt(chance):
        return 0.0
    return found / len(marks)


class Samples(Protocol):
    """Records, as far as they are recognised."""

    @property
    def digest(self) -> str:
        """Of all they hold."""

    @property
    def confidence(self) -> npt.NDArray[np.float32]:
        """(E, N)."""


def share_seen(digest: str, marks: Collection[str], records: Samples) -> float:
    """About which share of the samples that had a part in a front, with this digest and marks, is among others."""
    return 1.0 if records.digest == digest else share_in_common(marks, records.confidence)


def warn_if_seen(digest: str, marks: Collection[str], records: Samples, name: str, stacklevel: int) -> None:
    """For figures that are to be of other samples."""
    share = share_seen(digest, marks, records)
    if share:
        held = "are" if share == 1 else f"hold about {percent(float(f'{share:.2g}'))} of"
        warnings.warn(
            f"the {name} {held} the samples searched on, where every configuration looks better than it is: split the "
            "records before the search",
            stacklevel=stacklevel,
        )


def share_of_copies(confidence: npt.NDArray[np.float32], group: npt.NDArray[Any] | None) -> float:
    """Which share of the samples are copies of others, as in a bootstrap; samples of one group may be that.

    Example:
        >>> drawn = np.random.default_rng(0).random((9, 500), np.float32)
        >>> share_of_copies(drawn, None), share_of_copies(np.repeat(drawn, 2, axis=1), None)
        (0.0, 0.5)
        >>> share_of_copies(np.repeat(drawn, 2, axis=1), np.repeat(np.arange(500), 2))
        0.0
    """
    if group is not None:
        which = np.unique(group, return_inverse=True)[1].reshape(-1).astype(np.uint64)
        one_each = np.unique(np.stack([sample_marks(confidence), which]), axis=1, return_index=True)[1]
        confidence = confidence[:, one_each]
    _, count, alike = _distinct(confidence)
    return float((count[~alike] - 1).sum() / confidence.shape[1])


def _apart(marks: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], int]:
    """Those that are there once, and how many the others are."""
    some, count = np.unique(marks, return_counts=True)
    return some[count == 1], int(count[count > 1].sum())


def digest_of(rows: Iterable[npt.NDArray[Any]], more: str) -> str:
    """SHA-256 over arrays, in parallel, and a text: only the same ones in the same order give the same digest.

    Rows that are made one by one are not all in memory at once.
    """
    left = iter(rows)
    hashes: list[bytes] = []
    with ThreadPoolExecutor(2) as pool:
        while some := list(islice(left, HASHED)):
            hashes += pool.map(lambda row: hashlib.sha256(row).digest(), some)
    whole = hashlib.sha256(b"".join(hashes))
    whole.update(more.encode())
    return whole.hexdigest()
