"""The figures and the certificate in the file of a certified point, read strictly."""

from typing import Annotated, Any

import msgspec

from dyce_search.errors import FileFormatError
from dyce_search.evaluation.limits import LIMITS
from dyce_search.files import PathLike

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class _Entry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An object of the file, of which every key is known."""


class Figures(_Entry):
    """What the configuration measured on the calibration samples."""

    accuracy: float
    cost: float
    relative_cost: float
    accuracy_drop: float


class LimitEntry(_Entry):
    """A `CertifiedLimit`."""

    name: str
    limit: float
    measured: float
    bound: float
    p_value: float
    method: str
    share: float | None = None
    most: float | None = None


class CertificateEntry(_Entry):
    """A `Certificate`, but for its layout, which is the configuration's."""

    limits: Annotated[list[LimitEntry], msgspec.Meta(min_length=1)]
    confidence: Share
    n_samples: Annotated[int, msgspec.Meta(ge=1)]
    n_groups: Annotated[int, msgspec.Meta(ge=1)] | None
    n_tested: Annotated[int, msgspec.Meta(ge=1)]
    records_digest: str
    search_digest: str


class Promise(_Entry):
    """Both of them."""

    calibration: Figures
    certificate: CertificateEntry


def read_promise(content: dict[str, Any], path: PathLike) -> Promise:
    """The figures and the certificate in the content of a configuration's file.

    Raises:
        FileFormatError: there is no certificate, or one that is not of the format.
    """
    if "certificate" not in content:
        raise FileFormatError(f"{path} is a configuration without a certificate: ExitConfig.load reads it")
    parts = {name: content[name] for name in ("calibration", "certificate") if name in content}
    try:
        found = msgspec.convert(parts, Promise)
    except msgspec.ValidationError as cause:
        raise FileFormatError(f"{path} is damaged: {cause}: certify anew") from cause
    for limit in found.certificate.limits:
        if limit.name not in LIMITS:
            raise FileFormatError(
                f"{path} is damaged: limits are {', '.join(LIMITS)}, got {limit.name!r}: certify anew"
            )
    return found
