"""The house style: it holds while something is drawn, follows the ground, and takes every name literally."""

import warnings
from functools import cache

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import dyce_search as ds
from dyce_search.drawing import axes, style
from tests import observed

PLAIN = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
HOSTILE = (
    *("$$", "$x$ _y^", r"\alpha $\frac{$", r"\$1 \$", "<b>bold</b> & co", "100 %d {0} #", "one\ntwo\r\n\tthree"),
    *("a very long name " * 20, "x" * 300, " "),
)
FIGURES = (
    *("front", "front with others", "comparison", "anytime", "configuration", "exit flow", "exit profile"),
    *("reliability", "auroc", "optimism", "band", "oracle gap", "marginal value", "worst groups", "temperatures"),
    "evidence",
)


@cache
def drawings(names: tuple[str, ...]):
    """By figure, a function that draws on axes, where all that has a name has one of these."""
    exits = len(names)
    plain = ds.synthetic_records(400, positions=exits, types=1)
    costs = ds.ExitCosts(
        backbone=plain.costs.backbone,
        head=plain.costs.head,
        position=plain.costs.position,
        names=[*(f"{name}/{name}" for name in names), names[0]],
        unit=names[0],
    )
    group = np.array([names[k % exits] for k in range(400)])
    records = ds.ExitRecords(confidence=plain.confidence, score=plain.score, costs=costs, group=group)
    search, test = records.subset(np.arange(200)), records.subset(np.arange(200, 400))
    front = ds.search(search, solver="exit_shares", scores="observed")
    point = front.select(max_accuracy_drop=0.2)
    solvers = {name: ("exit_shares" if k % 2 else "same_threshold", {}) for k, name in enumerate(names)}
    compared = observed.compare(search, solvers=solvers, max_evaluations=20)
    logits = np.random.default_rng(0).normal(size=(4, 50, 3))
    monitor = ds.DriftMonitor(point, search, max_accuracy_drop=0.1)
    monitor.update(np.zeros(50, dtype=np.int64))
    everywhere = ds.ExitConfig(candidate=np.zeros(exits, dtype=int), threshold=np.full(exits, 0.9))
    return {
        "front": lambda ax: front.plot(
            ax, label=names[1], held_out=front.evaluate(test), selected=point, certified=front[0]
        ),
        "front with others": lambda ax: front.plot(ax, others={**dict.fromkeys(names, front), "o": ds.oracle(test)}),
        "comparison": lambda ax: compared.plot(ax, others={names[1]: ds.oracle(search)}),
        "anytime": compared.plot_anytime,
        "configuration": lambda ax: ds.plot_config(test, everywhere, ax),
        "exit flow": ds.exit_flow(front, test).plot,
        "exit profile": ds.exit_profile(test, point.config).plot,
        "reliability": lambda ax: ds.reliability(test).plot(ax, exits=range(exits)),
        "auroc": ds.exit_auroc(test).plot,
        "optimism": ds.optimism(front, test).plot,
        "band": ds.bootstrap_band(front, test, level=0.8, resamples=10).plot,
        "oracle gap": ds.oracle_gap(front, test).plot,
        "marginal value": ds.marginal_value(search, by="type").plot,
        "worst groups": ds.worst_groups(test, point.config).plot,
        "temperatures": ds.fit_temperatures(logits, np.arange(50) % 3).plot,
        "evidence": monitor.plot,
    }


@pytest.mark.parametrize("size", [(6.4, 4.4), (3.3, 2.5)])
@pytest.mark.parametrize("figure", FIGURES)
def test_names_are_taken_literally(figure: str, size: tuple[float, float], tmp_path) -> None:
    """Whatever things are called, pictures are saved, without a warning, and nothing in them is mathematics."""
    ax = drawings(HOSTILE)[figure](axes.new_axes(*size))
    for kind in ("png", "svg"):
        ax.figure.savefig(tmp_path / f"figure.{kind}", dpi=50)
    texts = [text for text in ax.findobj(Text) if "mathdefault" not in text.get_text()]  # which ticks of powers have
    assert all(not text._preprocess_math(text.get_text())[1] for text in texts)
    legend = ax.get_legend()
    assert legend is None or all("\n" not in text.get_text() for text in legend.get_texts())


def test_names_are_shown_as_they_are() -> None:
    ax = drawings(HOSTILE)["configuration"](axes.new_axes())
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert shown[:2] == ["$$", "$x$ _y^"]
    assert ax.get_legend().get_texts()[0]._preprocess_math("$$") == ("$$", False)
    ax = drawings(HOSTILE)["worst groups"](axes.new_axes())
    assert {"$$", "one two three"} <= {label.get_text() for label in ax.get_yticklabels()}
    assert not any(label.get_parse_math() for label in ax.get_yticklabels() if "$" in label.get_text())


def test_every_plotting_function_is_walked() -> None:
    methods = {
        f"{name}.{method}"
        for name in ds.__all__
        for method in vars(getattr(ds, name))
        if method.startswith("plot") and isinstance(getattr(ds, name), type)
    }
    assert methods == {
        "Band.plot", "Comparison.plot", "Comparison.plot_anytime", "Curve.plot", "DriftMonitor.plot", "ExitAuroc.plot",
        "ExitFlow.plot", "ExitProfile.plot", "GroupDrops.plot", "MarginalValue.plot", "Optimism.plot",
        "OracleGap.plot", "OrderedFront.plot", "Reliability.plot", "Temperatures.plot",
    }  # fmt: skip
    assert [name for name in ds.__all__ if name.startswith("plot")] == ["plot_config"]


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("theme", style.THEMES)
def test_the_style_stays_after_its_context(theme: str, figure: str) -> None:
    """Drawn under other settings later, the picture is the same to the pixel; and no setting was changed."""
    before = dict(mpl.rcParams)
    ax = drawings(PLAIN)[figure](axes.new_axes(theme=theme))
    assert dict(mpl.rcParams) == before
    picture = ax.get_figure(root=True)
    picture.canvas.draw()
    shown = np.asarray(picture.canvas.buffer_rgba()).copy()
    other = drawings(PLAIN)[figure](axes.new_axes(theme=theme)).get_figure(root=True)
    settings = {
        "axes.facecolor": "red", "axes.edgecolor": "red", "xtick.color": "red", "ytick.color": "red",
        "xtick.labelcolor": "red", "xtick.labelsize": 20, "ytick.labelsize": 20, "text.color": "red",
        "grid.color": "red", "xtick.direction": "in", "legend.frameon": True, "lines.linewidth": 9,
    }  # fmt: skip
    with mpl.rc_context(settings):
        other.canvas.draw()
        assert np.array_equal(np.asarray(other.canvas.buffer_rgba()), shown)


@pytest.mark.parametrize("figure", FIGURES)
def test_tex_elsewhere_is_not_used_here(figure: str) -> None:
    with mpl.rc_context({"text.usetex": True}):
        ax = drawings(PLAIN)[figure](axes.new_axes())
        assert not any(text.get_usetex() for text in ax.findobj(Text) if text.get_text())


def test_themes() -> None:
    light, dark = axes.new_axes(), axes.new_axes(theme="dark")
    assert style.theme_of(light) is style.PRINT
    assert style.theme_of(dark) is style.DARK
    assert dark.figure.get_facecolor() == dark.get_facecolor() == mpl.colors.to_rgba(style.DARK.paper)
    with mpl.rc_context({"figure.facecolor": "black", "axes.facecolor": "none"}):
        assert style.theme_of(Figure().subplots()) is style.DARK  # somebody's own
    transparent = Figure(facecolor="none").subplots()
    transparent.set_facecolor("none")
    assert style.theme_of(transparent) is style.PRINT


@pytest.mark.parametrize("theme", style.THEMES.values())
def test_colours_stand_out(theme: style.Theme) -> None:
    """Every colour of a series has a contrast of 2 at least with the ground, ink one of 7 (WCAG 2.2's formula)."""

    def luminance(color: str) -> float:
        parts = np.array(mpl.colors.to_rgb(color))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    def contrast(color: str) -> float:
        low, high = sorted((luminance(color), luminance(theme.paper)))
        return (high + 0.05) / (low + 0.05)

    assert min(map(contrast, theme.colors)) > 2
    assert contrast(theme.ink) > 7
    assert len(set(theme.colors)) == len(theme.colors)


def test_a_theme_that_there_is_not() -> None:
    with pytest.raises(ds.FrontError, match="theme must be 'print' or 'dark', got 'blue'"):
        ds.new_axes(theme="blue")  # type: ignore[arg-type]
    with pytest.raises(ds.FrontError, match="width must be a number of inches above 0, got nan"):
        ds.new_axes(float("nan"))


def test_titles_and_labels_of_ones_own_may_be_mathematics() -> None:
    ax = drawings(PLAIN)["band"](axes.new_axes())
    ax.set_title(r"$\alpha$")
    ax.set_xlabel(r"$\beta$")
    assert ax.title.get_parse_math()
    assert ax.xaxis.label.get_parse_math()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax.figure.canvas.draw()


def test_short_names_stay() -> None:
    assert style.short("gap2_mlp64") == "gap2_mlp64"
    assert style.short("a" * 36) == "a" * 36
    assert style.short("a" * 20 + "b" * 20) == "a" * 17 + "…" + "b" * 18
    assert len(style.short("x" * 1000, 7)) == 7
    assert style.short(3) == "3"
