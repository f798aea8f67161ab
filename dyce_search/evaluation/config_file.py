"""The file of a configuration: which exits it enables, by name, and what their confidences must be.

A certified point's file is one too: beside the configuration stand its figures and its certificate.
"""

from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from dyce_search.errors import ConfigError, FileFormatError
from dyce_search.files import PathLike
from dyce_search.json_files import check_digest, typed
from dyce_search.records.costs_file import Count
from dyce_search.records.layout import ExitLayout

FORMAT, VERSION = "dyce_search.config", 2
Threshold = float | Literal["inf", "-inf"]
Candidate = Annotated[int, msgspec.Meta(ge=-1, le=1 << 31)]
Positions = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]


class LayoutEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An `ExitLayout`: what confidences measure, and who stands where."""

    measure: str | None
    temperature: list[float] | None
    position: list[Count]
    names: list[str]


class ExitEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One enabled exit; `name` and `temperature` repeat what the layout says of it, for people."""

    position: Count
    candidate: Count
    threshold: Threshold
    name: str | None = None
    temperature: float | None = None


class Figures(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a certified configuration measured on the calibration samples."""

    accuracy: float
    cost: float
    relative_cost: float
    accuracy_drop: float


class LimitEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A `CertifiedLimit`."""

    name: str
    limit: float
    measured: float
    bound: float
    p_value: float
    method: str
    share: float | None = None
    most: float | None = None


class CertificateEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A `Certificate`, but for its layout, which is the configuration's."""

    limits: Annotated[list[LimitEntry], msgspec.Meta(min_length=1)]
    confidence: float
    n_samples: int
    n_groups: int | None
    n_tested: int
    records_digest: str
    search_digest: str
    unit: str | None = None
    baseline: str | None = None


class ConfigFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A configuration; a certified point's file is one, with its figures and its certificate."""

    format: str
    version: Literal[2]
    n_positions: Positions
    exits: list[ExitEntry]
    layout: LayoutEntry | None = None
    calibration: Figures | msgspec.UnsetType = msgspec.UNSET
    certificate: CertificateEntry | msgspec.UnsetType = msgspec.UNSET
    digest: str | msgspec.UnsetType = msgspec.UNSET  # of all else; of certified points that this release wrote


class ConfigFile1(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Version 1, which did not say what the confidences are."""

    format: str
    version: Literal[1]
    candidate: list[Candidate]
    threshold: list[Threshold]
    calibration: Figures | msgspec.UnsetType = msgspec.UNSET
    certificate: CertificateEntry | msgspec.UnsetType = msgspec.UNSET


TYPES: dict[int, type[ConfigFile | ConfigFile1]] = {1: ConfigFile1, 2: ConfigFile}
Arrays = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], ExitLayout | None]


def config_content(
    candidate: npt.NDArray[np.int64], threshold: npt.NDArray[np.float32], layout: ExitLayout | None
) -> dict[str, Any]:
    """The whole content of the file of a configuration, candidate (P,) and threshold (P,)."""
    on = np.flatnonzero(candidate >= 0)
    exits = [
        {"position": int(p), "candidate": int(candidate[p]), "threshold": value}
        for p, value in zip(on, thresholds_to_json(threshold[on]), strict=True)
    ]
    content: dict[str, Any] = {"format": FORMAT, "version": VERSION, "n_positions": len(candidate), "exits": exits}
    if layout is not None:
        for entry, e in zip(exits, layout.exits(candidate)[on].tolist(), strict=True):
            entry["name"] = layout.names[e]
            if layout.temperature is not None:
                entry["temperature"] = float(layout.temperature[e])
        content["layout"] = layout.to_dict()
    return content


def held(content: Any, path: PathLike) -> ConfigFile | ConfigFile1:
    """The content of a file, held against its types; what is so already is not looked at again.

    Raises:
        FileFormatError: another kind or version, content that is not of the format, or that does not fit its digest.
    """
    if isinstance(content, (ConfigFile, ConfigFile1)):
        return content
    found = typed(content, FORMAT, TYPES, path)
    if "digest" in content:
        check_digest(content, path, "a certificate is of what was tested; certify anew")
    return found


def read_content(found: ConfigFile | ConfigFile1, path: PathLike) -> Arrays:
    """Candidate (P,), threshold (P,) and layout of a file's content.

    Raises:
        FileFormatError: positions out of range or out of order, names or temperatures that contradict the layout.
        ConfigError: the values are no configuration.
    """
    if isinstance(found, ConfigFile1):
        return np.array(found.candidate, np.int64), thresholds_from_json(found.threshold), None
    layout = None if found.layout is None else layout_of(found.layout)
    positions = [entry.position for entry in found.exits]
    if positions != sorted(set(positions)) or not all(0 <= p < found.n_positions for p in positions):
        raise FileFormatError(
            f"{path} is damaged: exits must be at different positions from 0 to {found.n_positions - 1}, rising, "
            f"got {positions}"
        )
    if layout is None and any(entry.name is not None or entry.temperature is not None for entry in found.exits):
        raise FileFormatError(f"{path} is damaged: it names exits or temperatures, but its layout is missing")
    candidate, threshold = np.full(found.n_positions, -1), np.zeros(found.n_positions, np.float32)
    candidate[positions] = [entry.candidate for entry in found.exits]
    threshold[positions] = thresholds_from_json([entry.threshold for entry in found.exits])
    if layout is not None:
        chosen = layout.exits(candidate)
        for entry in found.exits:
            name, heat = layout.names[chosen[entry.position]], layout.temperatures[chosen[entry.position]]
            if entry.name not in (None, name) or entry.temperature not in (None, heat):
                raise FileFormatError(
                    f"{path} contradicts itself: candidate {entry.candidate} at position {entry.position} is {name!r} "
                    f"with temperature {heat:g} in its layout, {entry.name!r} with {entry.temperature} among its exits"
                )
    return candidate, threshold, layout


def read_promise(found: ConfigFile | ConfigFile1, path: PathLike) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures and the certificate in the content of a configuration's file, as plain values.

    Raises:
        FileFormatError: no certificate, or one without figures.
    """
    if isinstance(found.certificate, msgspec.UnsetType):
        raise FileFormatError(f"{path} is a configuration without a certificate: ExitConfig.load reads it")
    if isinstance(found.calibration, msgspec.UnsetType):
        raise FileFormatError(f"{path} is damaged: Object missing required field `calibration`: certify anew")
    return msgspec.to_builtins(found.calibration), msgspec.to_builtins(found.certificate)


def layout_of(entry: LayoutEntry) -> ExitLayout:
    """The layout that an entry of a file describes.

    Raises:
        ConfigError: it contradicts itself.
    """
    return ExitLayout(position=entry.position, names=entry.names, measure=entry.measure, temperature=entry.temperature)


def thresholds_to_json(threshold: npt.NDArray[np.float32]) -> list[float | str]:
    """The shortest decimals that give the same float32 back; infinities as strings, as JSON has none."""
    return [float(str(value)) if np.isfinite(value) else str(value) for value in threshold]


def thresholds_from_json(values: list[Threshold]) -> npt.NDArray[np.float32]:
    """Reads what `thresholds_to_json` wrote.

    Raises:
        ConfigError: a number beyond the range of float32.
    """
    with np.errstate(over="ignore"):
        found = np.array(values, np.float64).astype(np.float32)  # texts as well
    beyond = [values[k] for k in np.flatnonzero(np.isinf(found)) if not isinstance(values[k], str)]
    if beyond:
        raise ConfigError(f'threshold must fit into float32, got {beyond[0]:g}: write infinity as the string "inf"')
    return found
