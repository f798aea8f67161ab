"""Samples that are there more than once, which a test takes for so many independent ones."""

import warnings

from dyce_search.fingerprints import share_of_copies
from dyce_search.records.records import ExitRecords
from dyce_search.wording import percent

COPIES = 0.3  # of the samples: a bootstrap has .37, and draws from a few times as many, which are fine, have fewer
FEW = 30  # samples, that prove nothing anyway


def warn_of_copies(records: ExitRecords, name: str, stacklevel: int) -> None:
    """Says so where many samples are there more than once, as tests take them for so many independent ones."""
    share = share_of_copies(records.confidence, records.group)
    if share > COPIES and records.n_samples > FEW:
        warnings.warn(
            f"{percent(share)} of the {name} are copies of others, as in a bootstrap or in a set that was put together "
            "twice: they seem to prove more than they do; take each sample once, or give its copies one group",
            stacklevel=stacklevel,
        )
