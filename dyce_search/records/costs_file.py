"""The types of a file of costs, which stand in fronts and bundles as well."""

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]


class CostsFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An `ExitCosts`, as it is saved or written by a person, who may leave out `unit` and `names`."""

    backbone: list[float]
    head: list[float]
    position: list[Count]
    unit: str = "MACs"
    names: list[str] = []
