"""`report`: one HTML page of a front, a certified point and the diagnostics."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dyce_search.analysis.calibration import exit_auroc, reliability
from dyce_search.analysis.config_plot import plot_config
from dyce_search.analysis.diagnostics import exit_flow, exit_profile, worst_groups
from dyce_search.analysis.exit_value import marginal_value, oracle_gap
from dyce_search.analysis.optimism import bootstrap_band, measured_on, n_units, optimism
from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.errors import InfeasibleError, RecordsError
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.evaluation.limits import require_confidence, require_provable
from dyce_search.explorer.view import View, view_of
from dyce_search.files import PathLike, require_folder, write_atomically
from dyce_search.front.drops import points_by_drop
from dyce_search.front.front import ParetoFront
from dyce_search.records.records import ExitRecords
from dyce_search.report import html as html_page
from dyce_search.version import __version__
from dyce_search.wording import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIRST = (8.0, 4.6)  # inches of the first picture
MOST_GROUPS = 12
FEWEST_FOR_A_BAND = 20  # samples, or groups of them, at the level of 95 %


def report(
    front: ParetoFront,
    records: ExitRecords,
    path: PathLike,
    *,
    search: ExitRecords | None = None,
    max_accuracy_drop: float = 0.01,
    confidence: float = 0.95,
) -> OperatingPoint:
    """Writes one self-contained HTML page about a front: pictures and style are part of it, nothing is loaded.

    It shows the front and its held-out curve (in a browser by the view of `ParetoFront.explore`, in print by a
    picture), the point that is chosen, its certificate and the diagnostics. The point is the one that
    `ParetoFront.certify` certifies on `records`; where none can be, the page says so and shows the one that
    `ParetoFront.select` returns.

    Args:
        front: what a search returned.
        records: samples of the same network that the search did not see. With those that it saw the page says that all
            figures are too good, and certifies nothing.
        path: to write, atomically.
        search: the records searched on, to measure what each position is worth, which takes some seconds.
        max_accuracy_drop: of the point, below the final exit alone, absolute: 0.01 is one point.
        confidence: of the certificate.

    Returns:
        The point, a `CertifiedPoint` where it could be certified.

    Raises:
        FrontError: no front, or a confidence outside (0, 1).
        ConfigError: records of other exits, or of confidences of another measure or temperature.
        CostsError: records with costs in another unit.
        RecordsError: `records` is something else, or holds some of the samples searched on; `search` is not what the
            front was searched on.
        InfeasibleError: no point of the front has so small a drop on the samples searched on.
        FileFormatError: the file cannot be written.

    Example:
        >>> import tempfile, dyce_search as ds
        >>> front = ds.search(ds.load_example(), solver="exit_shares")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     point = ds.report(front, ds.load_example("test"), f"{folder}/report.html", max_accuracy_drop=0.02)
        >>> point.accuracy_drop < 0.02
        True
    """
    measured_on(front, records)  # first, as it checks what was passed
    require_folder(path)
    require_confidence(confidence)
    require_provable({"max_accuracy_drop": max_accuracy_drop})
    if search is not None and (not isinstance(search, ExitRecords) or search.digest != front.records_digest):
        raise RecordsError(
            "search must hold the records that the front was searched on, got others: leave it out, or search again"
        )
    optimistic = records.digest == front.records_digest
    point: OperatingPoint
    refusal = ""
    try:
        if optimistic:
            raise InfeasibleError("the records are those searched on, where every configuration looks too good")
        point = front.certify(records, max_accuracy_drop=max_accuracy_drop, confidence=confidence)
    except InfeasibleError as reason:
        refusal = str(reason)
        point = front.select(max_accuracy_drop=max_accuracy_drop)
    view = _view(front, records, point, max_accuracy_drop)
    parts = [
        *_summary(front, records, optimistic),
        *_trade_off(front, records, point, optimistic, view),
        *_point(front, records, point, refusal, max_accuracy_drop, confidence),
        *_trust(front, records, optimistic),
        *_exits(front, records, search),
        *_origin(front, records),
        html_page.footer(f"Written by dyce_search {__version__}."),
    ]
    text = html_page.page("Early-exit configurations: report", parts, view)
    write_atomically(path, lambda stream: stream.write(text.encode("utf-8", "replace")))
    return point


def _view(front: ParetoFront, records: ExitRecords, point: OperatingPoint, max_accuracy_drop: float) -> View:
    """The explorer, which begins with the point of the report and the drops around it in view."""
    from dyce_search.explorer.content import explorer_content

    return view_of(
        explorer_content(
            front,
            held_out=records,
            certificate=point if isinstance(point, CertifiedPoint) else None,
            others=None,
            max_accuracy_drop=max_accuracy_drop,
            drop_limit=min(max(0.05, 2 * max_accuracy_drop), 0.99),
            at_certified=True,
        )
    )


def _summary(front: ParetoFront, records: ExitRecords, optimistic: bool) -> Iterator[str]:
    costs = records.costs
    yield html_page.paragraph(
        f"{costs.n_exits - 1} candidate exits at {costs.n_positions} positions; the whole network costs "
        f"{quantity(costs.baseline, costs.unit)} a sample.",
        kind="lead",
    )
    if optimistic:
        yield html_page.box(
            "All figures here are optimistic: they were measured on the samples that the configurations were searched "
            "on. Other samples of the same network give honest ones.",
            warning=True,
        )
    name = "samples searched on" if optimistic else "held-out samples"
    rows = [
        ["samples", f"{front.n_samples:,}", f"{records.n_samples:,}"],
        ["accuracy of the final exit alone", f"{front.baseline_accuracy:.4f}", f"{records.baseline_accuracy:.4f}"],
        ["where from", f"search by {front.provenance.solver}", records.source or "not stated"],
    ]
    header = ["", "search", name]
    yield html_page.table(
        "samples", header[:2] if optimistic else header, [row[:2] if optimistic else row for row in rows]
    )


def _trade_off(
    front: ParetoFront, records: ExitRecords, point: OperatingPoint, optimistic: bool, view: View
) -> Iterator[str]:
    yield html_page.heading("The trade-off")
    yield view.body
    held = measured_on(front, records)
    certified = point if isinstance(point, CertifiedPoint) else None
    shown: dict[str, Any] = {"selected": None if certified else point, "certified": certified}
    yield html_page.figure(
        lambda ax: front.plot(ax, held_out=None if optimistic else held, **shown),
        f"Accuracy drop against cost of {len(front):,} configurations, none of which another one beats in both. "
        "The point that is named is the one chosen below.",
        size=FIRST,
        kind="printed",
    )
    rows = []
    for found in points_by_drop(front, held):
        if found.point is None or found.elsewhere is None:
            continue
        row = [f"{100 * found.most:.2f}", f"{found.point.relative_cost:.4f}"]
        row.append(_signed(found.point.accuracy_drop))
        if not optimistic:
            row += [f"{found.elsewhere.relative_cost:.4f}", _signed(found.elsewhere.accuracy_drop)]
        rows.append([*row, str(found.point.config.n_exits)])
    header = ["drop of at most (points)", "cost where searched", f"drop, {front.scores}"]
    header += [] if optimistic else ["cost held-out", "drop held-out"]
    yield html_page.table("what a drop in accuracy buys", [*header, "exits"], rows)


def _point(
    front: ParetoFront,
    records: ExitRecords,
    point: OperatingPoint,
    refusal: str,
    max_accuracy_drop: float,
    confidence: float,
) -> Iterator[str]:
    yield html_page.heading("The chosen point")
    unit = "point" if max_accuracy_drop == 0.01 else "points"
    wish = f"an accuracy drop of at most {100 * max_accuracy_drop:g} {unit} with {100 * confidence:g} % confidence"
    if isinstance(point, CertifiedPoint):
        yield html_page.box(f"Certified: {wish}.", more=str(point.certificate))
    else:
        yield html_page.box(
            f"Not certified: {wish}. Shown is the cheapest point with that drop on the samples searched on; do not "
            "rely on it.",
            more=refusal,
            warning=True,
        )
    profile = exit_profile(records, point.config)
    drop, cost = float(profile.drop.sum()), float(profile.share @ profile.relative_cost)
    yield html_page.paragraph(
        f"On these {records.n_samples:,} samples it costs {100 * cost:.2f} % of the whole network and has an accuracy "
        f"drop of {_points(drop)}. A sample leaves at the first exit whose confidence is above its threshold."
    )
    thresholds = point.config.threshold[point.config.candidate >= 0]
    rows = [
        [
            "final" if k == len(thresholds) else str(profile.position[k]),
            profile.name[k],
            "-" if k == len(thresholds) else str(thresholds[k]),
            f"{profile.relative_cost[k]:.4f}",
            f"{100 * profile.share[k]:.2f} %",
            _number(profile.accuracy[k]),
            _number(profile.final_accuracy[k]),
            _signed(profile.drop[k]),
        ]
        for k in range(len(profile.name))
    ]
    header = [
        "position",
        "exit",
        "threshold",
        "cost of leaving",
        "samples",
        "accuracy",
        "final exit's",
        "drop caused (points)",
    ]
    yield html_page.table("exits of the chosen point", header, rows, left=2)
    content = json.dumps(point.config.to_dict())
    yield html_page.download("config.json", "Save this configuration (config.json)", content)
    pictures: list[Callable[[Axes], object]] = [lambda ax: plot_config(records, point.config, ax), profile.plot]
    captions = [
        "Who leaves where, with the thresholds.",
        "How often those are right who leave at each exit, and how often the final exit would have been.",
    ]
    if records.group is not None or records.label is not None:
        groups = worst_groups(records, point.config)
        pictures.append(lambda ax: groups.plot(ax, most=MOST_GROUPS))
        captions.append(
            f"Accuracy drop by {groups.by}, the worst of {len(groups.name):,} first, with standard errors. The worst "
            f"loses {100 * groups.accuracy_drop[0]:.2f} points, all together {100 * groups.overall_drop:.2f}."
        )
    yield html_page.side_by_side(map(html_page.figure, pictures, captions))


def _trust(front: ParetoFront, records: ExitRecords, optimistic: bool) -> Iterator[str]:
    yield html_page.heading("How far to trust the figures")
    pictures = []
    if n_units(records) >= FEWEST_FOR_A_BAND:
        band = bootstrap_band(front, records)
        pictures = [
            html_page.figure(
                band.plot,
                f"How far other samples of this number move the accuracy drop: {100 * band.level:g} % of "
                f"{band.resamples} bootstrap resamples are in the band, point by point.",
            )
        ]
    if not optimistic:
        gap = optimism(front, records)
        near = (gap.promised_drop >= 0) & (gap.promised_drop <= 0.02)
        said = f" Between 0 and 2 points the mean gap is {_points(float(gap.gap[near].mean()))}." if near.any() else ""
        pictures.insert(
            0,
            html_page.figure(
                gap.plot,
                "The drop promised on the samples searched on, and the one delivered on the held-out samples." + said,
            ),
        )
    yield html_page.side_by_side(pictures)


def _exits(front: ParetoFront, records: ExitRecords, search: ExitRecords | None) -> Iterator[str]:
    yield html_page.heading("The exits")
    gap = oracle_gap(front, records)
    pictures = [
        html_page.figure(exit_flow(front, records).plot, "Who leaves where, along the front."),
        html_page.figure(
            gap.plot,
            "Between exits used alone and perfect decisions, which know the labels and cannot be reached. Of the "
            f"hypervolume between them {100 * gap.share_closed:.0f} % is gained.",
        ),
        html_page.figure(
            exit_auroc(records).plot,
            "How well confidence tells right from wrong answers: 0.5 is chance, 1 perfect.",
        ),
    ]
    if records.confidence.min() >= 0 and records.confidence.max() <= 1:
        pictures.append(
            html_page.figure(
                reliability(records).plot,
                "How often some exits are right, by how sure they say they are. ECE: mean distance from the diagonal.",
            )
        )
    if search is not None:
        held_out = None if records.digest == search.digest else records
        pictures.append(
            html_page.figure(
                marginal_value(search, held_out=held_out).plot,
                "What it costs to do without a position: a search without its exits. One around 0 can be left out.",
            )
        )
    yield html_page.side_by_side(pictures)


def _origin(front: ParetoFront, records: ExitRecords) -> Iterator[str]:
    how = front.provenance
    yield html_page.heading("Where this comes from")
    options = ", ".join(f"{name}={value}" for name, value in how.options.items()) or "defaults"
    rows = [
        ["solver", f"{how.solver} ({options}), seed {how.seed}, stopped: {how.stop_reason}"],
        ["effort", f"{how.evaluations:,} evaluations, {how.seconds:.2f} s"],
        ["samples searched on", f"{front.records_digest[:16]}..., {front.n_samples:,}"],
        ["samples measured on", f"{records.digest[:16]}..., {records.n_samples:,}"],
        ["versions of the search", ", ".join(f"{name} {version}" for name, version in how.versions.items())],
    ]
    yield html_page.table("where this comes from", (), rows, left=2)


def _signed(drop: float) -> str:
    return f"{round(100 * drop, 2) + 0.0:+.2f}"  # no -0.00


def _points(drop: float) -> str:
    return f"{_signed(drop)} points"


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4f}"
