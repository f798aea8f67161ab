"""The cards, one a type. Each function takes the object and returns HTML."""

from typing import TYPE_CHECKING, cast

import numpy as np

from dyce_search.cards import html, svg
from dyce_search.errors import InfeasibleError
from dyce_search.wording import number, percent, points, quantity

if TYPE_CHECKING:
    from dyce_search.analysis.comparison import Comparison
    from dyce_search.certify.certificate import Certificate
    from dyce_search.evaluation.curve import Curve, OperatingPoint
    from dyce_search.evaluation.evaluate import Evaluation
    from dyce_search.front.front import ParetoFront
    from dyce_search.records.records import ExitRecords

DROPS = (0.0, 0.005, 0.01, 0.02)


def records_card(records: "ExitRecords") -> str:
    """Sizes and baseline; every exit used alone."""
    costs = records.costs
    held = [name for name in ("label", "prediction", "group") if getattr(records, name) is not None]
    rows = {
        "samples": f"{records.n_samples:,}",
        "exits": f"{records.n_exits} at {costs.n_positions} positions",
        "final exit": f"{records.baseline_accuracy:.4f} at {quantity(costs.baseline, costs.unit)}",
        "confidence": records.measure or "unknown",
        "also holds": ", ".join(held) or "nothing",
        "from": records.source or "not stated",
    }
    cost = costs.alone / costs.baseline
    picture = svg.trade_off(cost, records.exit_accuracy, records.baseline_accuracy, dots=True, marked=float(cost[-1]))
    return html.card("ExitRecords", html.facts(rows), picture)


def curve_card(curve: "Curve") -> str:
    """Range and trade-off of configurations that were measured somewhere; the card of a front, where it is one."""
    if hasattr(curve, "provenance"):
        return front_card(cast("ParetoFront", curve))
    rows = {"points": f"{len(curve):,}", "samples": f"{curve.n_samples:,}", "scores": curve.scores}
    if not len(curve):
        return html.card("Curve", html.facts(rows))
    picture = svg.trade_off(curve.relative_cost, curve.accuracy, curve.baseline_accuracy)
    return html.card("Curve", html.facts(rows), picture)


def front_card(front: "ParetoFront", title: str = "ParetoFront") -> str:
    """How it came about, what a drop in accuracy buys, and the trade-off."""
    how = front.provenance
    rows = {
        "points": f"{len(front):,}, of a search on {front.n_samples:,} samples",
        "solver": f"{how.solver}, {how.seconds:.2f} s, {how.evaluations:,} evaluations, {how.stop_reason}",
        "final exit": f"{front.baseline_accuracy:.4f} at {quantity(front.costs.baseline, front.costs.unit)}",
    }
    bought = []
    for drop in DROPS:
        try:
            point = front.select(max_accuracy_drop=drop)
        except InfeasibleError:
            continue
        bought.append((f"≤ {points(drop)}", f"{point.relative_cost:.4f}", str(point.config.n_exits)))
    header = (f"{front.scores} drop", "relative cost", "exits")
    picture = svg.trade_off(front.relative_cost, front.accuracy, front.baseline_accuracy)
    return html.card(title, html.facts(rows), html.table(header, bought), picture)


def point_card(point: "OperatingPoint", *more: str) -> str:
    """Figures, and the exits with their thresholds."""
    config, layout = point.config, point.config.layout
    rows = {
        "accuracy": f"{point.accuracy:.4f} (drop {points(point.accuracy_drop, signed=True)})",
        "relative cost": f"{point.relative_cost:.4f}",
        "exits": f"{config.n_exits} at {config.n_positions} positions",
    }
    names = [f"candidate {candidate}" for candidate in config.candidate]
    if layout is not None:
        names = [layout.names[e] for e in layout.exits(config.candidate)]
    on = np.flatnonzero(config.candidate >= 0).tolist()
    exits = [(str(p), names[p], _rule(float(config.threshold[p]))) for p in on]
    exits.append(("final", "" if layout is None else layout.names[-1], "whoever is left"))
    table = html.table(("position", "exit", "leaves where confidence"), exits, left=3)
    picture = svg.places([*(config.candidate >= 0).tolist(), True])
    return html.card(type(point).__name__, html.facts(rows), table, picture, *more)


def evaluation_card(found: "Evaluation") -> str:
    """Figures, and who leaves where."""
    rows = {
        "samples": f"{len(found.sample_cost):,}",
        "accuracy": f"{found.accuracy:.4f} (drop {points(found.accuracy_drop, signed=True)})",
        "cost": number(found.cost),
        "relative cost": f"{found.relative_cost:.4f}",
    }
    last = len(found.exit_share) - 1
    used = [
        ("final" if p == last else str(p), percent(found.exit_share[p]), f"{found.exit_accuracy[p]:.4f}")
        for p in np.flatnonzero(found.exit_share > 0).tolist()
    ]
    table = html.table(("position", "leave there", "accuracy of these"), used)
    return html.card("Evaluation", html.facts(rows), table, svg.bars(found.exit_share, "share that leaves"))


def comparison_card(comparison: "Comparison") -> str:
    """A row a solver, the best first, and the largest front."""
    frame = comparison.to_frame()
    judged = "test_hypervolume" if "test_hypervolume" in frame else "hypervolume"
    header = ["solver", judged.replace("_", " "), "cost at 1 point", "seconds", "evaluations"]
    rows = [
        (str(row["solver"]), f"{row[judged]:.4f}", f"{row['relative_cost_at_1']:.4f}", f"{row['seconds']:.2f}",
         f"{row['evaluations']:,.0f}")
        for _, row in frame.iterrows()
    ]  # fmt: skip
    best = next(iter(comparison.fronts.values()))
    picture = svg.trade_off(best.relative_cost, best.accuracy, best.baseline_accuracy)
    seeds = f", medians of {len(comparison.seeds)} seeds" if len(comparison.seeds) > 1 else ""
    title = f"Comparison, budget {comparison.budget}{seeds}; the front of {rows[0][0]}"
    return html.card(title, html.table(header, rows), picture)


def certificate_card(certificate: "Certificate") -> str:
    """What is promised, measured and proven."""
    groups = "" if certificate.n_groups is None else f" in {certificate.n_groups:,} groups"
    rows, drawn = [], []
    for limit in certificate.limits:
        figures = limit.in_words(certificate.unit)
        rows.append((*figures, f"{limit.p_value:.2g}", limit.method))
        promised = limit.limit if limit.share is None else limit.share
        drawn.append((figures[0], limit.measured, limit.bound, promised))
    header = ("promised", "measured", "bound", "p", "test")
    title = f"Certificate: {100 * certificate.confidence:g} % confidence, {certificate.n_samples:,} samples{groups}"
    return html.card(title, html.table(header, rows), svg.promises(drawn))


def _rule(threshold: float) -> str:
    return "everybody" if threshold == -np.inf else f"> {number(threshold)}"
