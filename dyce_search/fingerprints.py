"""Recognising samples again from a few marks, so that nobody certifies on samples searched on.

A sample's mark is a hash of its confidences, rounded to the 11 bits of float16, so that files of either kind give the
same. Of all samples of some records the smallest marks are kept (a bottom-k sketch, Cohen and Kaplan 2007): they are a
random choice of the samples, and the same one in every part that holds them. A part of m samples out of n shows by
`m * KEPT / n` marks on average, and is found if there are `TELLING`: 200 of 50,000 with a probability of 1 - 1e-5, all
with certainty where n is at most `KEPT`.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from dyce_search.errors import FrontError

KEPT = 4096  # marks, 80 kB in a file
ROWS = 16  # exits that a mark is made of; more would tell no more samples apart
HASHED = 8  # rows at a time
DIGITS = 16  # of a mark in hexadecimal
HEX = re.compile("[0-9a-f]*")
TELLING = 3  # so many marks in common are no coincidence


def sample_marks(confidence: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """(N,) marks of the samples whose confidences (E, N) these are."""
    marks = np.full(confidence.shape[1], 0x9E3779B97F4A7C15, np.uint64)
    for e in np.unique(np.linspace(0, len(confidence) - 1, ROWS).astype(np.int64)):
        bits = (confidence[e] + np.float32(0)).view(np.uint32)  # -0.0 and 0.0 are the same confidence
        bits = (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)  # half a unit of the 11th bit, and what lies below it
        marks = (marks ^ bits) * np.uint64(0xBF58476D1CE4E5B9)
        marks ^= marks >> np.uint64(32)
    return marks


def fingerprint(confidence: npt.NDArray[np.float32]) -> tuple[str, ...]:
    """Up to `KEPT` marks in hexadecimal; none where most samples look alike, as then they tell nothing.

    Example:
        >>> len(fingerprint(np.random.default_rng(0).random((9, 5000), np.float32)))
        4096
        >>> fingerprint(np.zeros((2, 1000), np.float32))
        ()
    """
    marks = sample_marks(confidence)
    size = min(KEPT, len(marks))
    smallest, count = np.unique(np.partition(marks, size - 1)[:size], return_counts=True)
    once = smallest[count == 1]
    return tuple(f"{mark:016x}" for mark in once) if len(once) > size / 2 else ()


def united(*fingerprints: Collection[str]) -> tuple[str, ...]:
    """The marks of several record sets, each once."""
    return tuple(sorted(set().union(*fingerprints)))


def require_marks(marks: Collection[str]) -> None:
    """For what is given as a fingerprint: garbage would recognise nothing, and nobody would be warned.

    Raises:
        FrontError: an entry that is no mark.
    """
    if all(isinstance(mark, str) and len(mark) == DIGITS for mark in marks) and HEX.fullmatch("".join(marks)):
        return
    bad = next(mark for mark in marks if not (isinstance(mark, str) and len(mark) == DIGITS and HEX.fullmatch(mark)))
    raise FrontError(f"a fingerprint must be of marks of {DIGITS} hexadecimal digits, got {bad!r}")


def share_in_common(known: Collection[str], confidence: npt.NDArray[np.float32]) -> float:
    """About which share of the samples of a fingerprint is among those of `confidence` (E, N); 0 if a coincidence.

    Example:
        >>> drawn = np.random.default_rng(0).random((2, 1000), np.float32)
        >>> share_in_common(fingerprint(drawn), drawn), share_in_common(fingerprint(drawn), drawn[::-1].copy())
        (1.0, 0.0)
    """
    if not known:
        return 0.0
    marks = np.array([int(mark, 16) for mark in known], np.uint64)
    found = int(np.isin(marks, sample_marks(confidence)).sum())
    return found / len(marks) if found >= min(TELLING, len(marks)) else 0.0


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
