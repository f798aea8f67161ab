"""Small pictures as SVG: a trade-off, bars over positions, a promise with its reserve."""

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

WIDTH, HEIGHT = 260, 140
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 20, 26  # margins, for the labels
BLUE, ORANGE = "#3584c8", "#d9731a"  # told apart by the colour-blind, and seen on white and on black
ROOM = 0.05  # of accuracy, below the baseline: what a trade-off shows


def trade_off(
    relative_cost: FloatArray, accuracy: FloatArray, baseline: float, *, dots: bool = False, marked: float | None = None
) -> str:
    """Accuracy against relative cost, of what loses at most five points.

    Args:
        relative_cost: (F,) of the points.
        accuracy: (F,) likewise.
        baseline: accuracy of the final exit alone, a dashed line.
        dots: points of their own, not a line.
        marked: relative cost of a point to mark.
    """
    near = accuracy >= baseline - ROOM
    near = near if near.any() else np.ones(len(accuracy), np.bool_)
    cost, right = relative_cost[near], accuracy[near]
    low, high = min(float(right.min()), baseline), max(float(right.max()), baseline)
    last = max(1.0, float(cost.max()))
    x = LEFT + cost / last * (WIDTH - LEFT - RIGHT)

    def height(value: FloatArray | float) -> FloatArray:
        span = max(high - low, 1e-9)
        return np.asarray(HEIGHT - BOTTOM - (np.asarray(value) - low) / span * (HEIGHT - TOP - BOTTOM))

    y, level = height(right), float(height(baseline))
    if dots or len(x) == 1:
        marks = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="{BLUE}"/>' for a, b in zip(x, y, strict=True))
    else:
        some = np.unique(np.linspace(0, len(x) - 1, 200).astype(int))
        way = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[some], y[some], strict=True))
        marks = f'<polyline points="{way}" fill="none" stroke="{BLUE}" stroke-width="2"/>'
    if marked is not None:
        k = int(np.abs(cost - marked).argmin())
        marks += f'<circle cx="{x[k]:.1f}" cy="{y[k]:.1f}" r="4" fill="{ORANGE}"/>'
    edge = WIDTH - RIGHT
    return _picture(
        f"accuracy against relative cost, from {low:.4f} to {high:.4f}",
        f'<line x1="{LEFT}" x2="{edge}" y1="{level:.1f}" y2="{level:.1f}" {DASHED}/>{_frame()}{marks}'
        f"{_text(4, 10, 'accuracy')}"
        f"{_text(LEFT - 4, height(high) + 4, f'{high:.3f}', 'end')}{_text(LEFT - 4, height(low), f'{low:.3f}', 'end')}"
        f"{_text(LEFT, HEIGHT - 14, '0')}{_text(edge, HEIGHT - 14, f'{last:.3g}', 'end')}"
        f"{_text((LEFT + edge) / 2, HEIGHT - 3, 'relative cost', 'middle')}",
    )


def bars(value: FloatArray, what: str) -> str:
    """A bar for each position, the final exit last.

    Args:
        value: (P+1,) in [0, 1].
        what: the bars are.
    """
    step = (WIDTH - LEFT - RIGHT) / len(value)
    most = max(float(np.nanmax(value)), 1e-9)
    tall = np.nan_to_num(value) / most * (HEIGHT - TOP - BOTTOM)
    marks = "".join(
        f'<rect x="{LEFT + k * step + step * 0.1:.1f}" y="{HEIGHT - BOTTOM - size:.1f}" width="{step * 0.8:.1f}" '
        f'height="{size:.1f}" fill="{BLUE}"/>'
        for k, size in enumerate(tall)
    )
    edge = WIDTH - RIGHT
    return _picture(
        f"{what} at {len(value) - 1} positions and the final exit",
        f"{_frame()}{marks}{_text(LEFT - 4, TOP + 8, f'{100 * most:.3g} %', 'end')}"
        f"{_text(LEFT, HEIGHT - 14, '0')}{_text(edge, HEIGHT - 14, 'final', 'end')}"
        f"{_text((LEFT + edge) / 2, HEIGHT - 3, f'{what}, by position', 'middle')}",
    )


def places(on: Sequence[bool]) -> str:
    """A mark for each position and the final exit, filled where samples may leave.

    Args:
        on: (P+1,) whether an exit is enabled.
    """
    step, y = (WIDTH - 20) / len(on), 40
    size = min(step * 0.4, 7)
    marks = "".join(
        f'<circle cx="{10 + (k + 0.5) * step:.1f}" cy="{y - 10}" r="{size:.1f}" fill="{BLUE if enabled else "none"}" '
        'stroke="currentColor" stroke-opacity=".6"/>'
        for k, enabled in enumerate(on)
    )
    used = f"exits at {sum(on) - 1} of {len(on) - 1} positions, and the final exit"
    last = _text(WIDTH - 10, y + 14, "final", "end")
    return _picture(used, f"{_text(10, y - 26, 'exits, by position')}{marks}{_text(10, y + 14, '0')}{last}")


def promises(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """What was measured, what is proven of it and what is promised, a line for each limit.

    Args:
        rows: name, measured, bound and limit; each line has a scale of its own.
    """
    marks = []
    tall = (HEIGHT - TOP) / max(len(rows), 2)
    for k, (name, measured, bound, limit) in enumerate(rows):
        y = TOP + (k + 0.65) * tall
        low, high = min(measured, bound, limit), max(measured, bound, limit)
        low, span = min(low, 0.0) if low < 0.5 * high else low - 0.2 * (high - low), max(high - low, 1e-12)
        at = [10 + (value - low) / max(high - low, span) * (WIDTH - 30) for value in (measured, bound, limit)]
        marks += [
            _text(10, y - 12, name),
            f'<line x1="{at[0]:.1f}" x2="{at[1]:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{BLUE}" stroke-width="4"/>',
            f'<circle cx="{at[0]:.1f}" cy="{y:.1f}" r="4" fill="{BLUE}"/>',
            f'<line x1="{at[2]:.1f}" x2="{at[2]:.1f}" y1="{y - 9:.1f}" y2="{y + 9:.1f}" stroke="{ORANGE}" '
            'stroke-width="3"/>',
        ]
    return _picture("measured (dot), bound (line) and limit (bar) of each promise", "".join(marks))


DASHED = 'stroke="currentColor" stroke-opacity=".5" stroke-dasharray="3 3"'


def _frame() -> str:
    foot, edge = HEIGHT - BOTTOM, WIDTH - RIGHT
    return (
        f'<path d="M{LEFT} {TOP}V{foot}H{edge}" fill="none" stroke="currentColor" stroke-opacity=".6" '
        'stroke-width="1"/>'
    )


def _text(x: float, y: float | FloatArray, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{float(y):.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _picture(words: str, content: str) -> str:
    return (
        f'<svg role="img" aria-label="{escape(words)}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-size="10" font-family="sans-serif" fill="currentColor" '
        f'style="color:inherit">{content}</svg>'
    )
