"""What the command line prints, as text: fronts, configurations and records."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import Curve
from dyce_search.evaluation.evaluate import Evaluation
from dyce_search.evaluation.limits import USUAL_DROPS
from dyce_search.evaluation.outcomes import prices
from dyce_search.expected.scores import ScoreOrigin
from dyce_search.front.drops import points_by_drop
from dyce_search.front.front import ParetoFront
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords

if TYPE_CHECKING:
    import pandas as pd


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Columns two spaces apart under a rule; the first `left` are aligned to the left, the others to the right.

    Example:
        >>> print(table(["exit", "share"], [["final", "7 %"], ["a", "93 %"]]))
        exit   share
        ------------
        final    7 %
        a       93 %
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    text = [
        "  ".join(
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([text[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *text[1:]])


def scores_line(front: ParetoFront) -> str:
    """What the figures of a front are."""
    how = front.provenance
    if front.scores != "expected":
        return f"figures are means of {front.scores} scores, on the samples searched on"
    return f"figures are means of {ScoreOrigin(**how.expected)}; caution {how.caution:.3g}"


def operating_points(front: ParetoFront, test: Curve | None, drops: Sequence[float] = USUAL_DROPS) -> str:
    """For each limit on the accuracy drop: the cheapest point of the front, and what it does on test records."""
    header = [f"{front.scores} drop", "relative cost", "exits"]
    if test is not None:
        header += ["| drop on test", "relative cost on test"]
    rows = []
    for found in points_by_drop(front, test, drops):
        row = [f"<= {100 * found.most:.2f} points"]
        if found.point is not None:
            row += [f"{found.point.relative_cost:.4f}", str(found.point.config.n_exits)]
        if found.elsewhere is not None:
            row += [f"{100 * found.elsewhere.accuracy_drop:+.2f} points", f"{found.elsewhere.relative_cost:.4f}"]
        rows.append(row + ["-"] * (len(header) - len(row)))
    return table(header, rows)


def config_table(costs: ExitCosts, config: ExitConfig, evaluation: Evaluation | None = None) -> str:
    """One row per enabled exit and one for the final exit; with an evaluation also who leaves there."""
    exits = config.exits(costs.layout.network)
    paid = prices(costs, exits[None])[0] / costs.baseline
    header = ["position", "exit", "leaves where confidence", "cost of leaving"]
    if evaluation is not None:
        header += ["samples", "accuracy of these"]
    rows = []
    for p in [*np.flatnonzero(exits >= 0).tolist(), costs.n_positions]:
        final = p == costs.n_positions
        row = [
            "final" if final else str(p),
            costs.names[-1 if final else exits[p]],
            "whoever is left" if final else _rule(float(config.threshold[p]), str(config.threshold[p])),
            f"{paid[p]:.4f}",
        ]
        if evaluation is not None:
            share, accuracy = evaluation.exit_share[p], evaluation.exit_accuracy[p]
            row += [f"{100 * share:.2f} %", "-" if np.isnan(accuracy) else f"{accuracy:.4f}"]
        rows.append(row)
    return table(header, rows, left=3)


def records_table(records: ExitRecords) -> str:
    """One row per position: how many candidates it has and how good and dear the best of them is alone."""
    costs, accuracy = records.costs, records.exit_accuracy
    relative = costs.alone / costs.baseline
    rows = []
    for p in range(costs.n_positions + 1):
        final = p == costs.n_positions
        first, stop = int(costs.first[p]), costs.n_exits if final else int(costs.first[p + 1])
        best = first + int(np.argmax(accuracy[first:stop]))
        rows.append(
            [
                "final" if final else str(p),
                costs.names[best],
                str(stop - first),
                f"{accuracy[first:stop].min():.4f}",
                f"{accuracy[best]:.4f}",
                f"{relative[best]:.4f}",
            ]
        )
    header = ["position", "most accurate exit", "exits", "lowest accuracy", "highest accuracy", "relative cost, alone"]
    return table(header, rows, left=2)


def solvers_table(frame: "pd.DataFrame") -> str:
    """`Comparison.to_frame` for people: with several seeds also half the range of the hypervolume."""
    tested = "test_hypervolume" in frame
    drops = [str(column) for column in frame.columns if str(column).startswith("relative_cost_at_")]
    header = ["solver", *(["hypervolume on test", "promised"] if tested else ["hypervolume"])]
    header += [f"{'| cost at ' * (k == 0)}{name.removeprefix('relative_cost_at_')}" for k, name in enumerate(drops)]
    header += ["points", "seconds", "evaluations", "stopped"]
    rows = []
    for _, row in frame.iterrows():
        cells = [str(row["solver"])]
        for name in [*(["test_hypervolume"] if tested else []), "hypervolume"]:
            half = (row[f"{name}_high"] - row[f"{name}_low"]) / 2
            cells.append(f"{row[name]:.4f}" + (f" ±{half:.4f}" if row["seeds"] > 1 else ""))
        cells += [f"{row[name]:.4f}" for name in drops]
        cells += [f"{row['points']:,.0f}", f"{row['seconds']:.2f}", f"{row['evaluations']:,.0f}", row["stopped"]]
        rows.append(cells)
    return table(header, rows)


def _rule(threshold: float, shown: str) -> str:
    return "everybody" if threshold == -np.inf else f"> {shown}"
