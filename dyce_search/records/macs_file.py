"""DyCE's JSON of MACs: what its entries are, and the costs that they make."""

from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from dyce_search.errors import CostsError
from dyce_search.files import PathLike
from dyce_search.json_files import of_type


class Macs(msgspec.Struct, kw_only=True):
    """Numbers by position, the final exit or the whole model last; DyCE keeps more beside them, which stays unread."""

    macs: list[float]


class HeadMacs(Macs):
    """One type of exit."""

    name: str | msgspec.UnsetType = msgspec.UNSET


class MacsFile(msgspec.Struct, kw_only=True):
    """The content of the file."""

    head: Annotated[list[HeadMacs], msgspec.Meta(min_length=1)]
    backbone: Macs
    shared: Macs | msgspec.UnsetType = msgspec.UNSET


def read_macs(content: Any, path: PathLike) -> dict[str, Any]:
    """What `ExitCosts` takes, of the content of a JSON of MACs: see `ExitCosts.load`.

    Raises:
        FileFormatError: a key is missing, or something is of another type.
        CostsError: numbers that do not fit together.
    """
    found = of_type(content, MacsFile, path)
    backbone = np.array(found.backbone.macs, np.float64)
    n_positions = len(backbone) - 1
    for index, head in enumerate(found.head):
        if len(head.macs) != n_positions + 1:
            raise CostsError(
                f"macs of head {index} must have {n_positions + 1} entries as the backbone has "
                f"(one per position, then 0 for the final exit), got {len(head.macs)}"
            )
        if not head.macs or head.macs[-1] != 0:
            raise CostsError(
                f"macs of head {index} must end with 0 for the final exit, got {head.macs[-1:]}: "
                "the backbone's last entry already is the whole model"
            )
    if not isinstance(found.shared, msgspec.UnsetType):
        with np.errstate(over="ignore"):  # infinity is refused with the costs
            backbone = backbone + _shared(found.shared, n_positions)
    names = [
        f"type{index}" if isinstance(head.name, msgspec.UnsetType) else head.name
        for index, head in enumerate(found.head)
    ]
    macs = np.array([head.macs for head in found.head], np.float64)
    return {
        "backbone": backbone,
        "head": np.append(macs.T[:-1].ravel(), 0.0),
        "position": np.append(np.repeat(np.arange(n_positions), len(macs)), n_positions),
        "names": (*(names * n_positions), "final"),
    }


def _shared(shared: Macs, n_positions: int) -> npt.NDArray[np.float64]:
    if len(shared.macs) != n_positions + 1:
        raise CostsError(f"shared macs must have {n_positions + 1} entries, got {len(shared.macs)}")
    return np.array(shared.macs, np.float64)
