"""What the command line prints, as text: fronts, configurations, records; within a width, or as wide as it takes."""

import textwrap
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dyce_search.cli.screen import folded
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
from dyce_search.wording import number, printable

if TYPE_CHECKING:
    import pandas as pd

SHORTEST = 8  # letters of a text that is cut
BRIEF = 60  # columns below which thresholds are not written to their last digit


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int = 1,
    width: int | None = None,
    spare: Sequence[str] = (),
) -> str:
    """Columns two spaces apart under a rule; the first `left` are aligned to the left, the others to the right.

    Args:
        header: what stands above the columns.
        rows: of cells.
        left: how many columns are text.
        width: of the screen; None is as wide as it takes. On a narrower one headers are folded, then spare columns left
            out, which is said below, and at last long texts cut.
        spare: headers of columns that may be left out, the first one first.

    Example:
        >>> print(table(["exit", "share"], [["final", "7 %"], ["a", "93 %"]]))
        exit   share
        ------------
        final    7 %
        a       93 %
        >>> print(table(["exit", "cost of leaving"], [["final", "1"]], width=15))
                cost of
        exit    leaving
        ---------------
        final         1
    """
    columns = [list(map(printable, column)) for column in zip(header, *rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    if width is None or _total(widths) <= width:
        return _laid_out([[head] for head, *_ in columns], columns, widths, left)
    columns = [[head.removeprefix("| "), *cells] for head, *cells in columns]
    least = {head: max(map(len, (*head.split(), *cells))) for head, *cells in columns}
    gone: list[str] = []
    for name in spare:
        if _total(least.values()) > width:
            gone.append(name.removeprefix("| "))
            del least[gone[-1]]
    left = sum(head in least for head, *_ in columns[:left])
    columns, widths = [column for column in columns if column[0] in least], list(least.values())
    while (over := _total(widths) - width) > 0 and (longest := max(widths[:left])) > SHORTEST:
        widths[widths.index(longest)] = max(SHORTEST, longest - over)
    for _ in range(width - _total(widths)):  # what room is left unfolds headers
        short = max(range(len(columns)), key=lambda k: len(columns[k][0]) / widths[k])
        widths[short] += len(columns[short][0]) > widths[short]
    heads = [textwrap.wrap(head, size) for (head, *_), size in zip(columns, widths, strict=True)]
    cut = [[head, *(_cut(cell, size) for cell in cells)] for (head, *cells), size in zip(columns, widths, strict=True)]
    text = _laid_out(heads, cut, widths, left)
    return "\n".join([text, folded(f"(no room here for: {', '.join(gone)})", width)]) if gone else text


def _total(widths: Collection[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _cut(text: str, width: int) -> str:
    """Both ends of a text that is too long: the ends of names tell more than their middles."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def _laid_out(heads: list[list[str]], columns: list[list[str]], widths: Sequence[int], left: int) -> str:
    """Lines of a header, a rule, and the cells of the columns below their first, which the header stands for."""
    height = max(map(len, heads))
    top = zip(*([""] * (height - len(head)) + head for head in heads), strict=True)
    lines = [*top, *zip(*(column[1:] for column in columns), strict=True)]
    text = [
        "  ".join(
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*text[:height], "-" * _total(widths), *text[height:]])


def scores_line(front: ParetoFront) -> str:
    """What the figures of a front are."""
    how = front.provenance
    if front.scores != "expected":
        return f"figures are means of {front.scores} scores, on the samples searched on"
    return f"figures are means of {ScoreOrigin(**how.expected)}; caution {how.caution:.3g}"


def operating_points(
    front: ParetoFront, test: Curve | None, drops: Sequence[float] = USUAL_DROPS, *, width: int | None = None
) -> str:
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
    spare = ["exits", "relative cost on test"] if test is not None else ["exits"]
    return table(header, rows, width=width, spare=spare)


def config_table(
    costs: ExitCosts, config: ExitConfig, evaluation: Evaluation | None = None, *, width: int | None = None
) -> str:
    """One row per enabled exit and one for the final exit; with an evaluation also who leaves there."""
    exits = config.exits(costs.layout.network)
    paid = prices(costs, exits[None])[0] / costs.baseline
    header = ["position", "exit", "leaves where confidence", "cost of leaving"]
    if evaluation is not None:
        header += ["samples", "accuracy of these"]
    rows, brief = [], width is not None and width < BRIEF
    for p in [*np.flatnonzero(exits >= 0).tolist(), costs.n_positions]:
        final = p == costs.n_positions
        row = [
            "final" if final else str(p),
            costs.names[-1 if final else exits[p]],
            ("the rest" if brief else "whoever is left") if final else _rule(config.threshold[p], brief),
            f"{paid[p]:.4f}",
        ]
        if evaluation is not None:
            share, accuracy = evaluation.exit_share[p], evaluation.exit_accuracy[p]
            row += [f"{100 * share:.2f} %", "-" if np.isnan(accuracy) else f"{accuracy:.4f}"]
        rows.append(row)
    spare = ["cost of leaving"] if evaluation is None else ["cost of leaving", "accuracy of these"]
    return table(header, rows, left=3, width=width, spare=spare)


def records_table(records: ExitRecords, *, width: int | None = None) -> str:
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
    return table(header, rows, left=2, width=width, spare=["lowest accuracy", "exits"])


def solvers_table(frame: "pd.DataFrame", *, width: int | None = None) -> str:
    """`Comparison.to_frame` for people: with several seeds also half the range of the hypervolume."""
    tested = "test_hypervolume" in frame
    drops = [str(column) for column in frame.columns if str(column).startswith("relative_cost_at_")]
    header = ["solver", *(["hypervolume on test", "promised"] if tested else ["hypervolume"])]
    short = [f"cost at {name.removeprefix('relative_cost_at_')}" for name in drops]
    costs = [f"| {short[0]}", *(name.removeprefix("cost at ") for name in short[1:])] if width is None else short
    header += costs
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
    spare = ["stopped", "points", "evaluations", "seconds", costs[0], costs[-1], "promised", costs[1]]
    spare = [name for name in spare if name in header]
    return table(header, rows, width=width, spare=spare)


def _rule(threshold: Any, brief: bool) -> str:
    if threshold == -np.inf:
        return "everybody"
    return f"> {number(threshold) if brief else str(threshold)}"  # the shortest digits of float32
