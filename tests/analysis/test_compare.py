"""`compare`, its table, curves, pictures and files, and searches that run side by side."""

import json
import os
import sys
from itertools import combinations, pairwise
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import dyce_search as ds
from dyce_search.analysis.compare import MAX_EVALUATIONS, ONLY_SMALL
from dyce_search.cli import main
from dyce_search.drawing import axes
from dyce_search.drawing import comparison as drawn
from dyce_search.parallel import run_all
from dyce_search.search import SOLVERS
from dyce_search.solvers.budget import StopSearch
from dyce_search.testing import small_example
from tests import observed
from tests.drawing.test_plot import require_nothing_cut_off

QUICK = ["coordinate_descent", "exit_shares", "same_threshold"]


def sampler(run: ds.Run, *, size: int = 5) -> None:
    """Random thresholds for the first candidates, until the budget is spent."""
    costs = run.records.costs
    while True:
        level = run.rng.random((size, costs.n_positions), np.float32)
        run.evaluate(np.tile(costs.first[:-1].astype(np.int32), (size, 1)), level)


# half of the samples searched on serve as a test set here
pytestmark = pytest.mark.filterwarnings("ignore:the test records hold about")


@pytest.fixture(scope="module")
def records() -> ds.ExitRecords:
    return small_example()


@pytest.fixture(scope="module")
def other_half(records: ds.ExitRecords) -> ds.ExitRecords:
    return records.split(0.5, seed=3)[0]


@pytest.fixture(scope="module")
def comparison(records: ds.ExitRecords, other_half: ds.ExitRecords) -> ds.Comparison:
    return observed.compare(records, solvers=[*QUICK, sampler], test=other_half, max_evaluations=80, seeds=(0, 1, 2))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, records: ds.ExitRecords) -> tuple[str, str]:
    """Two halves of the records."""
    folder = tmp_path_factory.mktemp("records")
    for name, half in zip(("search", "test"), records.split(0.5, seed=1), strict=True):
        half.save(folder / f"{name}.npz")
    return str(folder / "search.npz"), str(folder / "test.npz")


class TestFigures:
    def test_every_search_is_what_search_finds(
        self, comparison: ds.Comparison, records: ds.ExitRecords, other_half: ds.ExitRecords
    ) -> None:
        assert [(entry.solver, entry.seed) for entry in comparison.searches] == [
            (name, seed) for name in [*QUICK, "sampler"] for seed in (0, 1, 2)
        ]
        for entry in comparison.searches:
            solver = sampler if entry.solver == "sampler" else entry.solver
            alone = observed.search(records, solver=solver, seed=entry.seed, max_evaluations=80)
            assert list(entry.front) == list(alone)
            how = entry.front.provenance
            assert (how.solver, how.evaluations) == (entry.solver, alone.provenance.evaluations)
            assert entry.test is not None
            assert list(entry.test) == list(alone.evaluate(other_half))

    def test_table(self, comparison: ds.Comparison) -> None:
        frame = comparison.to_frame()
        assert frame["solver"].tolist() == comparison.solvers
        assert frame["test_hypervolume"].is_monotonic_decreasing
        assert set(frame["scores"]) == {"observed"}
        for _, row in frame.iterrows():
            entries = comparison.of(row["solver"])
            areas = [entry.front.hypervolume() for entry in entries]
            assert (row["hypervolume_low"], row["hypervolume_high"]) == (min(areas), max(areas))
            assert row["hypervolume"] == sorted(areas)[1]
            tested = sorted(entry.test.hypervolume() for entry in entries if entry.test is not None)
            found = [row[f"test_hypervolume{end}"] for end in ("_low", "", "_high")]
            assert found == tested
            for points in (0, 0.5, 1, 2):
                cost = [entry.front.select(max_accuracy_drop=points / 100).relative_cost for entry in entries]
                assert row[f"relative_cost_at_{points:g}"] == sorted(cost)[1]
            assert row["points"] == np.median([len(entry.front) for entry in entries])
            assert row["evaluations"] <= 80
            assert row["seconds"] > 0
            assert row["seeds"] == 3
        stopped = dict(zip(frame["solver"], frame["stopped"], strict=True))
        assert (stopped["exit_shares"], stopped["sampler"]) == ("converged", "budget")

    def test_no_test_records_no_test_columns(self, records: ds.ExitRecords) -> None:
        comparison = observed.compare(records, solvers=["exit_shares"], max_evaluations=20)
        assert not any(column.startswith("test") for column in comparison.to_frame().columns)
        assert comparison.searches[0].test is None

    def test_fronts_are_those_of_the_median_seed(self, comparison: ds.Comparison) -> None:
        assert list(comparison.fronts) == comparison.solvers
        entries = [entry for entry in comparison.of("sampler") if entry.test is not None]
        median = sorted(entries, key=lambda entry: entry.test.hypervolume())[1]  # type: ignore[union-attr]
        assert comparison.fronts["sampler"] is median.front

    def test_of_an_unknown_solver(self, comparison: ds.Comparison) -> None:
        with pytest.raises(
            ds.SolverError, match=r"solver of this comparison must be 'coordinate_descent', .* got 'nsga9'"
        ):
            comparison.of("nsga9")

    def test_repr_and_budget(self, comparison: ds.Comparison, records: ds.ExitRecords) -> None:
        assert repr(comparison).startswith("Comparison(4 solvers x 3 seeds, budget 80 evaluations, largest hypervolume")
        both = observed.compare(records, solvers=["exit_shares"], max_evaluations=2000, max_seconds=60)
        assert both.budget == "2,000 evaluations and 60 s"
        only = observed.compare(records, solvers=["exit_shares"], max_seconds=60)
        assert (only.max_evaluations, only.budget) == (None, "60 s")
        assert observed.compare(records, solvers=["exit_shares"]).max_evaluations == MAX_EVALUATIONS

    def test_every_solver_of_the_package_takes_part_unless_told(
        self, records: ds.ExitRecords, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried = []
        module = sys.modules["dyce_search.analysis.compare"]
        monkeypatch.setattr(module, "find_solver", lambda solver: tried.append(solver) or sampler)
        observed.compare(records, max_evaluations=5)
        assert set(tried) == set(SOLVERS) - set(ONLY_SMALL)

    def test_a_callable_object(self, records: ds.ExitRecords) -> None:
        class Grid:
            def __call__(self, run: ds.Run, *, levels: int = 3) -> list[ds.ExitConfig]:
                return [
                    ds.ExitConfig(candidate=[0, 0, 0], threshold=[level] * 3) for level in np.linspace(0.5, 0.9, levels)
                ]

        comparison = observed.compare(records, solvers=[Grid()], max_evaluations=9)
        assert comparison.solvers == ["Grid"]
        assert list(comparison.fronts["Grid"]) == list(observed.search(records, solver=Grid()))

    def test_options_and_labels(self, records: ds.ExitRecords) -> None:
        solvers = {"few": ("exit_shares", {"settings": 2}), "many": ("exit_shares", {"settings": 9}), "own": sampler}
        comparison = observed.compare(records, solvers=solvers, max_evaluations=50)
        spent = {entry.solver: entry.front.provenance.evaluations for entry in comparison.searches}
        assert spent == {"few": 4, "many": 18, "own": 50}


class TestAnytime:
    def test_ends_with_the_front_and_never_falls(self, comparison: ds.Comparison) -> None:
        for entry in comparison.searches:
            assert entry.hypervolume[0] == 0  # the baseline alone
            assert entry.hypervolume[-1] == pytest.approx(entry.front.hypervolume(), rel=1e-12)
            assert all(one <= other + 1e-15 for one, other in pairwise(entry.hypervolume))
            assert (np.diff(entry.seconds) >= 0).all()
            assert (np.diff(entry.evaluations) >= 0).all()
            assert entry.evaluations[-1] == entry.front.provenance.evaluations

    def test_each_point_is_what_a_smaller_budget_gives(
        self, comparison: ds.Comparison, records: ds.ExitRecords
    ) -> None:
        entry = comparison.of("sampler")[0]
        for spent in (5, 30, 55):
            front = observed.search(records, solver=sampler, seed=0, max_evaluations=spent)
            at = np.flatnonzero(entry.evaluations == spent)[-1]
            assert entry.hypervolume[at] == pytest.approx(front.hypervolume(), rel=1e-12)

    def test_history_counts_what_the_budget_allowed(self, records: ds.ExitRecords) -> None:
        run = ds.Run(records, max_evaluations=5)
        run.propose(np.full((2, 3), -1, np.int32), np.zeros((2, 3), np.float32))
        with pytest.raises(StopSearch):
            run.evaluate(np.full((8, 3), -1, np.int32), np.zeros((8, 3), np.float32))
        assert [(came.evaluations, came.size) for came in run.history] == [(0, 1), (0, 2), (5, 5)]
        assert len(run.found()[0]) == 8

    def test_costs_beyond_the_baseline_count_nothing(self) -> None:
        costs = ds.ExitCosts(backbone=[1, 1, 2], head=[3, 3, 0], position=[0, 1, 2])
        rng = np.random.default_rng(0)
        records = ds.ExitRecords(confidence=rng.random((3, 50)), score=rng.integers(0, 2, (3, 50)), costs=costs)
        entry = observed.compare(records, solvers=[sampler], max_evaluations=40).searches[0]
        assert entry.hypervolume[-1] == entry.front.hypervolume() == 0

    def test_a_long_history_is_thinned(self, records: ds.ExitRecords) -> None:
        solvers = {"one by one": (sampler, {"size": 1})}
        entry = observed.compare(records, solvers=solvers, max_evaluations=700).searches[0]
        assert 50 < len(entry.hypervolume) <= 102
        assert entry.hypervolume[-1] == pytest.approx(entry.front.hypervolume(), rel=1e-12)

    def test_table(self, comparison: ds.Comparison) -> None:
        frame = comparison.anytime()
        assert list(frame.columns) == ["solver", "seed", "seconds", "evaluations", "hypervolume"]
        assert len(frame) == sum(len(entry.hypervolume) for entry in comparison.searches)


class TestPictures:
    def test_fronts(self, comparison: ds.Comparison, records: ds.ExitRecords) -> None:
        ax = comparison.plot(others={"oracle": ds.oracle(records)})
        panels = ax.child_axes
        assert [panel.get_title("left") for panel in panels] == [*comparison.solvers, "oracle"]
        assert len({(panel.get_xlim(), panel.get_ylim()) for panel in panels}) == 1
        lost = np.array([panel.get_lines()[1].get_ydata() for panel in panels[:-1]])
        assert lost[~np.isnan(lost)].min() == 0  # at every cost one of them is the best
        assert (np.nanmin(lost, axis=0) == 0).all()
        assert panels[-1].get_lines()[1].get_ydata().max() <= 0

    def test_what_is_lost_at_a_cost(self, comparison: ds.Comparison) -> None:
        """Against the most accurate point of any front that costs no more."""
        fronts = comparison.fronts
        for panel, front in zip(comparison.plot().child_axes, fronts.values(), strict=True):
            cost, lost = panel.get_lines()[1].get_data()
            for k in range(0, len(cost), 40):
                own, best = (
                    max(one.accuracy[one.relative_cost <= cost[k]].max(initial=-np.inf) for one in some)
                    for some in ([front], fronts.values())
                )
                assert lost[k] == pytest.approx(100 * (best - own)) or (np.isnan(lost[k]) and own == -np.inf)

    def test_anytime(self, comparison: ds.Comparison) -> None:
        for over in ("evaluations", "seconds"):
            ax = comparison.plot_anytime(over=over)  # type: ignore[arg-type]
            assert [text.get_text() for text in ax.get_legend().get_texts()] == comparison.solvers
            assert ax.get_xscale() == "log"
            assert ax.get_xlabel() == {"evaluations": "evaluations", "seconds": "time (s)"}[over]
            drawn = next(line for line in ax.get_lines() if line.get_label() == "sampler")
            assert drawn.get_ydata()[-1] == np.median([entry.hypervolume[-1] for entry in comparison.of("sampler")])
            assert drawn.get_ydata()[0] == 0
            low, high = ax.get_ylim()
            ends = [np.median([entry.hypervolume[-1] for entry in comparison.of(name)]) for name in comparison.solvers]
            assert all(low < end < high for end in ends if max(ends) - end < 3 * (max(ends) - np.median(ends)))
        with pytest.raises(ds.FrontError, match="over must be 'evaluations' or 'seconds', got 'time'"):
            comparison.plot_anytime(over="time")  # type: ignore[arg-type]

    def test_one_bad_solver_does_not_flatten_the_others(self) -> None:
        time = np.array([0.0, 1, 2])
        reached = {str(end): np.array([0, 0.5 * end, end]) for end in (0.93, 0.929, 0.92, 0.4)}
        lines = {name: (time, values, values, values) for name, values in reached.items()}
        ax = axes.new_axes()
        drawn.draw_anytime(ax, lines, xlabel="evaluations")
        low, high = ax.get_ylim()
        assert 0.88 < low < 0.92
        assert 0.93 < high < 0.94

    @pytest.mark.parametrize("size", [(6.4, 4.4), (3.3, 2.5)])
    def test_twelve_solvers_fit(self, records: ds.ExitRecords, size: tuple[float, float]) -> None:
        solvers = {f"differential_evolution{k}": (sampler, {"size": k}) for k in range(1, 13)}
        comparison = observed.compare(records, solvers=solvers, max_evaluations=12, seeds=(0, 1))
        ax = comparison.plot_anytime(axes.new_axes(*size))
        figure = ax.figure
        figure.canvas.draw()
        legend, label = ax.get_legend().get_window_extent(), ax.xaxis.label.get_window_extent()
        assert figure.bbox.x0 <= legend.x0
        assert legend.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= legend.y0
        assert legend.y1 <= label.y0
        assert ax.get_window_extent().height > 0.35 * figure.bbox.height
        ax = comparison.plot(axes.new_axes(*size))
        ax.figure.canvas.draw()
        panels = [panel.get_window_extent() for panel in ax.child_axes]
        assert len(panels) == 12
        assert not any(one.overlaps(other) for one, other in combinations(panels, 2))
        assert min(panel.height for panel in panels) > 0.12 * ax.figure.dpi

    def test_few_solvers_fit(self, comparison: ds.Comparison) -> None:
        for size in ((6.4, 4.4), (3.3, 2.5)):
            require_nothing_cut_off(comparison.plot_anytime(axes.new_axes(*size)))
            ax = comparison.plot(axes.new_axes(*size))
            ax.figure.canvas.draw()
            for panel in ax.child_axes:
                assert panel.get_tightbbox().x0 >= ax.figure.bbox.x0
                assert panel.get_tightbbox().x1 <= ax.figure.bbox.x1 + 1
                assert panel.get_tightbbox().y0 >= ax.figure.bbox.y0
                assert panel.get_tightbbox().y1 <= ax.figure.bbox.y1 + 1


class TestFiles:
    def test_save(self, comparison: ds.Comparison, tmp_path: Path) -> None:
        comparison.save(tmp_path / "new" / "folder")
        place = tmp_path / "new" / "folder"
        assert sorted(path.name for path in place.iterdir()) == [
            "anytime.csv", "anytime_evaluations.png", "anytime_seconds.png", "comparison.csv", "fronts", "fronts.png",
        ]  # fmt: skip
        pd.testing.assert_frame_equal(pd.read_csv(place / "comparison.csv"), comparison.to_frame())
        for entry in comparison.searches:
            front = ds.ParetoFront.load(place / "fronts" / f"{entry.solver}_seed{entry.seed}.json")
            assert list(front) == list(entry.front)
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in place.glob("*.png"))

    def test_labels_of_any_kind(self, records: ds.ExitRecords, tmp_path: Path) -> None:
        comparison = observed.compare(
            records, solvers={"a/b: c": "exit_shares", "a b c": "exit_shares"}, max_evaluations=10
        )
        comparison.save(tmp_path)
        found = sorted(path.name for path in (tmp_path / "fronts").iterdir())
        assert found == ["0_a_b_c_seed0.json", "1_a_b_c_seed0.json"]

    def test_no_folder(self, comparison: ds.Comparison, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ds.FileFormatError, match="cannot make the folder"):
            comparison.save(tmp_path / "file")


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"solvers": []}, "solvers must be one or more, got none"),
            (
                {"solvers": "exit_shares"},
                "solvers must be a list, or a dictionary, of names or callables, got 'exit_shares'",
            ),
            ({"solvers": ["exit_sharse"]}, "unknown solver 'exit_sharse': use one of"),
            ({"solvers": ["exit_shares", "exit_shares"]}, "two solvers are called 'exit_shares': pass a dictionary"),
            ({"solvers": {"x": ("exit_shares", {"colour": 1})}}, "'exit_shares' does not take the option 'colour'"),
            ({"max_evaluations": 0}, "max_evaluations must be a whole number >= 1, got 0"),
            ({"max_seconds": -1}, "max_seconds must be above 0, got -1"),
            ({"seeds": 3}, r"seeds must be a list of whole numbers, got 3: pass range\(3\)"),
            ({"seeds": []}, "seeds must be one or more, got none"),
            ({"seeds": [0, -1]}, "seed must be a whole number >= 0, got -1"),
            ({"seeds": [1, 1]}, r"seeds must differ, got \[1, 1\]"),
            ({"n_jobs": 0}, "n_jobs must be a whole number other than 0"),
            ({"n_jobs": 1.5}, "n_jobs must be a whole number other than 0 .*, got 1.5"),
        ],
    )
    def test_solver_error(self, records: ds.ExitRecords, options: dict[str, object], message: str) -> None:
        with pytest.raises(ds.SolverError, match=message):
            observed.compare(records, **{"solvers": QUICK, "max_evaluations": 5, **options})  # type: ignore[arg-type]

    def test_records_of_another_kind(self, records: ds.ExitRecords) -> None:
        with pytest.raises(ds.RecordsError, match="records must be an ExitRecords, got str"):
            observed.compare("records.npz", solvers=QUICK)  # type: ignore[arg-type]
        with pytest.raises(ds.RecordsError, match="test must be an ExitRecords, got dict"):
            observed.compare(records, test={}, solvers=QUICK)  # type: ignore[arg-type]
        with pytest.raises(ds.ConfigError, match="records has 6 exits at 3 positions, test 46 exits at 15 positions"):
            observed.compare(records, test=ds.load_example("test"), solvers=QUICK)

    def test_a_final_exit_that_is_never_right(self, records: ds.ExitRecords) -> None:
        score = records.score.copy()
        score[-1] = 0
        wrong = ds.ExitRecords(confidence=records.confidence, score=score, costs=records.costs)
        with pytest.raises(ds.FrontError, match="the final exit is never right on records: the hypervolume"):
            observed.compare(wrong, solvers=QUICK)
        with pytest.raises(ds.FrontError, match="never right on test"):
            observed.compare(records, test=wrong, solvers=QUICK)

    def test_ctrl_c_ends_the_comparison(self, records: ds.ExitRecords) -> None:
        def interrupted(run: ds.Run) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            observed.compare(records, solvers=[interrupted], max_evaluations=5)

    def test_inputs_stay_as_they_are(self, records: ds.ExitRecords, other_half: ds.ExitRecords) -> None:
        before = [part.tobytes() for half in (records, other_half) for part in (half.confidence, half.score)]
        observed.compare(records, solvers=QUICK, test=other_half, max_evaluations=20)
        assert [part.tobytes() for half in (records, other_half) for part in (half.confidence, half.score)] == before


def same_results(one: ds.Comparison, other: ds.Comparison) -> bool:
    """All but the seconds."""
    return all(
        (a.solver, a.seed) == (b.solver, b.seed)
        and list(a.front) == list(b.front)
        and np.array_equal(a.hypervolume, b.hypervolume)
        and np.array_equal(a.evaluations, b.evaluations)
        for a, b in zip(one.searches, other.searches, strict=True)
    )


class TestSideBySide:
    def test_jobs_are_processes_of_their_own(self) -> None:
        own = os.getpid()
        assert own not in run_all(os.getpid, [((), {})] * 2, 2)
        assert run_all(os.getpid, [((), {})] * 2, None) == [own, own]

    def test_two_processes_find_the_same(self, records: ds.ExitRecords) -> None:
        solvers = ["exit_shares", sampler]
        one, two = (
            observed.compare(records, solvers=solvers, max_evaluations=30, seeds=(0, 1), n_jobs=jobs) for jobs in (1, 2)
        )
        assert same_results(one, two)

    def test_records_that_joblib_maps_into_memory(self, example: ds.ExitRecords) -> None:
        """Arrays above 1 MB reach the processes as files that are mapped."""
        options = {"solver": "exit_shares", "max_evaluations": 8}
        alone = [ds.search(example, **options), ds.search(example.subset(np.arange(9000)), **options)]  # type: ignore[arg-type]
        many = ds.search_many([example, example.subset(np.arange(9000))], n_jobs=2, **options)
        assert [list(front) for front in many] == [list(front) for front in alone]

    def test_the_user_s_backend_is_used(self, records: ds.ExitRecords) -> None:
        asked = []

        class Watching(joblib.parallel.BACKENDS["loky"]):  # type: ignore[misc,name-defined]
            def configure(self, *args: object, **options: object) -> object:
                asked.append(options.get("n_jobs", args[:1]))
                return super().configure(*args, **options)

        joblib.register_parallel_backend("watching", Watching)
        with joblib.parallel_config(backend="watching", n_jobs=2):
            fronts = ds.search_many([records, records], solver="exit_shares")
        assert len(asked) == 1
        assert list(fronts[0]) == list(fronts[1])

    def test_dask(self, records: ds.ExitRecords) -> None:
        distributed = pytest.importorskip("distributed")
        alone = observed.compare(records, solvers=["exit_shares", "same_threshold"], max_evaluations=30)
        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
        with (
            distributed.LocalCluster(**options) as cluster,
            distributed.Client(cluster),
            joblib.parallel_config(backend="dask"),
        ):
            there = observed.compare(records, solvers=["exit_shares", "same_threshold"], max_evaluations=30)
        assert same_results(alone, there)

    @pytest.mark.parametrize("n_jobs", [3, -1])
    def test_one_call_needs_no_process(self, n_jobs: int) -> None:
        assert run_all(os.getpid, [((), {})], n_jobs) == [os.getpid()]

    def test_search_many_by_name_and_in_a_list(self, records: ds.ExitRecords, other_half: ds.ExitRecords) -> None:
        named = ds.search_many({"all": records, "half": other_half}, solver="exit_shares", settings=3)
        listed = ds.search_many((records, other_half), solver="exit_shares", settings=3)
        assert list(named) == ["all", "half"]
        assert [list(front) for front in listed] == [list(front) for front in named.values()]
        assert list(named["half"]) == list(ds.search(other_half, solver="exit_shares", settings=3))

    def test_search_many_refuses_other_things(self, records: ds.ExitRecords) -> None:
        with pytest.raises(ds.RecordsError, match="got a single one: use search"):
            ds.search_many(records)  # type: ignore[call-overload]
        with pytest.raises(ds.RecordsError, match="must be one or more ExitRecords, got none"):
            ds.search_many([])
        with pytest.raises(ds.RecordsError, match="must be one or more ExitRecords, got ExitRecords, str"):
            ds.search_many([records, "records.npz"])  # type: ignore[list-item]


class TestCommandLine:
    def test_prints_and_writes(
        self, files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["compare", files[0], "--test", files[1], "--solvers", "exit_shares, same_threshold"]
        assert main([*arguments, "--max-evaluations", "40", "--seeds", "2", "--out", str(tmp_path / "out")]) == 0
        printed = capsys.readouterr().out
        assert "budget of each search: 40 evaluations, medians of 2 seeds" in printed
        expected = ds.compare(
            ds.load_records(files[0]),
            test=ds.load_records(files[1]),
            solvers=["exit_shares", "same_threshold"],
            max_evaluations=40,
            seeds=(0, 1),
        ).to_frame()
        lines = printed.splitlines()
        rule = next(k for k, line in enumerate(lines) if line.startswith("---"))
        shown = [line.split() for line in lines[rule + 1 : rule + 3]]
        assert [line[0] for line in shown] == expected["solver"].tolist()
        assert [float(line[1]) for line in shown] == pytest.approx(expected["test_hypervolume"].tolist(), abs=1e-4)
        assert [float(line[3]) for line in shown] == pytest.approx(expected["hypervolume"].tolist(), abs=1e-4)
        assert f"wrote {tmp_path / 'out'}" in printed
        front = json.loads((tmp_path / "out" / "fronts" / "exit_shares_seed1.json").read_text())
        assert front["provenance"]["seed"] == 1

    def test_without_test_records_and_with_seconds(
        self, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["compare", files[0], "--solvers", "exit_shares", "--max-seconds", "30", "--jobs", "1"]) == 0
        printed = capsys.readouterr().out
        assert "budget of each search: 30 s\n" in printed
        assert "on test" not in printed

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--solvers", "exit_shares,nsga9"], "unknown solver 'nsga9'"),
            (["--max-evaluations", "0"], "max_evaluations must be a whole number >= 1, got 0"),
            (["--jobs", "0"], "n_jobs must be a whole number other than 0"),
        ],
    )
    def test_mistakes(
        self, files: tuple[str, str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["compare", files[0], *options]) == 2
        error = capsys.readouterr().err
        assert error.startswith("dyce-search: error: ")
        assert message in error

    def test_no_seeds(self, files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(["compare", files[0], "--seeds", "0"])
        assert "--seeds must be a whole number >= 1, got 0" in capsys.readouterr().err

    def test_a_folder_that_cannot_be_made_is_found_before_the_work(
        self, files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").write_text("")
        assert main(["compare", files[0], "--out", str(tmp_path / "file")]) == 2
        assert "cannot make the folder" in capsys.readouterr().err
