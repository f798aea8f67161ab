"""Tables, long and wide, as DataFrames, CSV and Parquet: the same records, and an error for each mistake."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.cli import main
from dyce_search.records.frames import score_of

COSTS = ds.ExitCosts(backbone=[1.0, 2.0, 4.0], head=[0.5, 0.25, 0.0], position=[0, 1, 2])
NAMES = ("confidence", "score", "label", "prediction", "group")


def made(n=4, seed=0):
    """Records of three exits whose scores are those of their predictions."""
    rng = np.random.default_rng(seed)
    label, prediction = rng.integers(0, 3, n), rng.integers(0, 3, (3, n))
    return ds.ExitRecords(
        confidence=rng.random((3, n)).astype(np.float32),
        score=prediction == label,
        costs=COSTS,
        label=label,
        prediction=prediction,
        group=np.array([f"scene {i // 2}" for i in range(n)]),
    )


def long(records, *, scores=True, labels=True):
    """One row at a time."""
    rows = []
    for n in range(records.n_samples):
        for e in range(records.n_exits):
            row = {"sample": f"image {n}", "exit": e, "confidence": records.confidence[e, n], "other": "ignored"}
            if scores:
                row["score"] = records.score[e, n]
            if labels:
                row |= {"prediction": records.prediction[e, n], "label": records.label[n], "group": records.group[n]}
            rows.append(row)
    return pd.DataFrame(rows)


def wide(records, *, scores=True, labels=True):
    """One column at a time."""
    columns = {}
    for e in range(records.n_exits):
        columns[f"confidence_{e}"] = records.confidence[e]
        if scores:
            columns[f"score_{e}"] = records.score[e]
        if labels:
            columns[f"prediction_{e}"] = records.prediction[e]
    if labels:
        columns |= {"label": records.label, "group": records.group}
    return pd.DataFrame(columns)


def assert_same(found, wanted, names=NAMES):
    for name in names:
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)
    assert found.costs == wanted.costs


@pytest.mark.parametrize("layout", [long, wide])
@pytest.mark.parametrize("scores", [True, False])
def test_a_table_gives_the_records_it_was_made_of(layout, scores):
    records = made()
    frame = layout(records, scores=scores)
    before = frame.copy()
    assert_same(ds.ExitRecords.from_frame(frame, costs=COSTS), records)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("layout", [long, wide])
def test_scores_alone_are_enough(layout):
    records = made()
    found = ds.ExitRecords.from_frame(layout(records, labels=False), costs=COSTS)
    assert_same(found, records, ("confidence", "score"))
    assert found.label is found.prediction is found.group is None


@given(st.integers(1, 9), st.integers(0, 99))
def test_rows_of_a_long_table_may_stand_in_any_order(n, seed):
    records = made(n, seed)
    frame = long(records).sample(frac=1, random_state=seed)
    order = [int(name.split()[1]) for name in frame["sample"].drop_duplicates()]  # samples as they first appear
    assert_same(ds.ExitRecords.from_frame(frame, costs=COSTS), records.subset(order))


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "object"])
def test_the_types_of_pandas_are_taken(dtype):
    frame = wide(made(), labels=False)
    frame["score_1"] = frame["score_1"].astype(int).astype(dtype)
    assert_same(ds.ExitRecords.from_frame(frame, costs=COSTS), made(), ("confidence", "score"))


class TestMistakes:
    @pytest.mark.parametrize(
        ("layout", "change", "message"),
        [
            (long, {"exit": "exits"}, r"lacks the columns 'exit' \(is it 'exits'\?\); it has 'sample', 'exits', "),
            (long, {"sample": "Sample", "confidence": "conf"}, r"'sample' \(is it 'Sample'\?\), 'confidence'"),
            (long, {"score": "x", "prediction": "y"}, "lacks the columns 'score'; .* score or prediction and label"),
            (long, {"score": "x", "label": "labels"}, r"lacks the columns 'label' \(is it 'labels'\?\)"),
            (wide, {"confidence_1": "confidence1"}, r"'confidence_1' \(is it 'confidence1'\?\)"),
            (wide, {"score_0": "x", "score_2": "score_3"}, r"lacks the columns 'prediction_1'|'score_"),
            (wide, {"other": "confidence_3"}, "costs describe 3 exits, .* got 'confidence_3': the costs are another"),
            (long, {"label": "exit"}, "must have names of their own, got 'exit' more than once"),
        ],
    )
    def test_columns(self, layout, change, message):
        frame = layout(made()).assign(other=0.5).rename(columns=change)
        if "score_0" in change:
            frame = frame.drop(columns=["prediction_0", "prediction_1", "prediction_2"])
        with pytest.raises(ds.RecordsError, match=message):
            ds.ExitRecords.from_frame(frame, costs=COSTS)

    @pytest.mark.parametrize(
        ("column", "row", "value", "message"),
        [
            ("confidence", 4, "high", r"'confidence' must hold a number in every row, got 'high' in row 4 \(1 such"),
            ("confidence", 4, None, r"'confidence' must hold a number in every row, got (None|nan) in row 4"),
            ("confidence", 4, np.inf, "confidence must be finite in float32, got inf at exit 1, sample 1"),
            ("score", 0, 1.5, r"score must lie in \[0, 1\], got 1.5"),
            ("prediction", 0, 0.5, "prediction must hold whole numbers, got 0.5"),
            ("exit", 2, 3, "whole number from 0 to 2, .* got 3 in row 2: count them from 0 in the order of the costs"),
            ("exit", 2, -1, "got -1 in row 2"),
            ("exit", 2, 1.5, "got 1.5 in row 2"),
            ("exit", 2, "final", "column 'exit' must hold a number in every row, got 'final' in row 2"),
            ("exit", 2, 1, r"sample 'image 0' must have one row for exit 1, got rows \[1, 2\]: drop the others"),
            ("sample", 2, None, "column 'sample' must not be empty, got nothing in row 2"),
            ("label", 4, 9, "'label' must be the same in all rows of a sample, got . and 9 for sample 'image 1'"),
            ("group", 4, "x", "'group' must be the same in all rows of a sample, got 'scene 0' and 'x'"),
        ],
    )
    def test_entries_of_a_long_table(self, column, row, value, message):
        frame = long(made()).astype({column: object})
        frame.loc[row, column] = value
        with pytest.raises(ds.RecordsError, match=message):
            ds.ExitRecords.from_frame(frame, costs=COSTS)

    def test_ragged_samples(self):
        with pytest.raises(ds.RecordsError, match=r"exit 1 of sample 'image 1': .* drop the 2 samples that"):
            ds.ExitRecords.from_frame(long(made()).drop(index=[4, 8]), costs=COSTS)

    def test_a_sample_with_two_rows_in_a_wide_table(self):
        frame = wide(made()).assign(sample=["a", "b", "a", "c"])
        with pytest.raises(ds.RecordsError, match="one row a sample, got a second one of 'a' in row 2"):
            ds.ExitRecords.from_frame(frame, costs=COSTS)

    @pytest.mark.parametrize("layout", [long, wide])
    def test_no_rows(self, layout):
        with pytest.raises(ds.RecordsError, match="must have at least one row, got none below the columns"):
            ds.ExitRecords.from_frame(layout(made()).head(0), costs=COSTS)

    def test_scores_of_another_shape(self):
        with pytest.raises(ds.RecordsError, match=r"shape \(E, N\) = \(E, 3\) as label has, got \(2, 1\)"):
            score_of([[1], [2]], [1, 2, 3])

    def test_what_is_no_frame(self):
        with pytest.raises(ds.RecordsError, match="frame must be a pandas DataFrame, got dict: make one by"):
            ds.ExitRecords.from_frame({"exit": [0]}, costs=COSTS)

    def test_costs_are_needed(self):
        with pytest.raises(ds.RecordsError, match="costs must be an ExitCosts, got dict"):
            ds.ExitRecords.from_frame(wide(made()), costs={})


class TestFiles:
    @pytest.mark.parametrize("layout", [long, wide])
    @pytest.mark.parametrize("name", ["table.csv", "table.tsv", "table.csv.gz", "no_ending"])
    def test_text_gives_every_bit_back(self, layout, name, tmp_path):
        records = made(50)
        path = tmp_path / name
        layout(records).to_csv(path, index=False, sep="\t" if ".tsv" in name else ",")
        found = ds.load_records(path, costs=COSTS)
        assert_same(found, records)
        assert found.source == f"table {path}"

    @pytest.mark.parametrize("layout", [long, wide])
    def test_parquet(self, layout, tmp_path):
        pytest.importorskip("pyarrow")
        layout(made()).to_parquet(tmp_path / "table")
        assert_same(ds.load_records(tmp_path / "table", costs=COSTS), made())

    def test_parquet_without_pyarrow_says_what_to_install(self, tmp_path, monkeypatch):
        for module in ("pyarrow", "fastparquet"):
            monkeypatch.setitem(sys.modules, module, None)
        (tmp_path / "table.parquet").write_bytes(b"PAR1 and so on")
        with pytest.raises(ds.DyceError, match="needs pyarrow, which is not installed: pip install 'dyce_search"):
            ds.load_records(tmp_path / "table.parquet", costs=COSTS)

    def test_costs_are_needed(self, tmp_path):
        wide(made()).to_csv(tmp_path / "table.csv", index=False)
        with pytest.raises(ds.FileFormatError, match=r"table\.csv holds no costs: pass costs= \(a JSON\), --costs on"):
            ds.load_records(tmp_path / "table.csv")

    def test_the_command_line_reads_tables(self, tmp_path, capsys):
        wide(made(20)).to_csv(tmp_path / "table.csv", index=False)
        long(made(10, seed=1)).to_csv(tmp_path / "test.csv", index=False)
        COSTS.save(tmp_path / "costs.json")
        costs = ["--costs", str(tmp_path / "costs.json")]
        assert main(["info", str(tmp_path / "table.csv"), *costs]) == 0
        assert "samples     20" in capsys.readouterr().out
        assert main(["search", str(tmp_path / "table.csv"), *costs, "--test", str(tmp_path / "test.csv")]) == 0
        assert "test on   10 samples" in capsys.readouterr().out

    @pytest.mark.parametrize("content", [b'a,b\n1,2\n1,2,3\n"', b"PAR1 damaged", b"\x1f\x8b damaged"])
    def test_damaged_tables(self, content, tmp_path):
        (tmp_path / "table.csv").write_bytes(content)
        with pytest.raises(ds.DyceError, match=r"table\.csv"):
            ds.load_records(tmp_path / "table.csv", costs=COSTS)

    def test_the_errors_of_a_table_name_the_file(self, tmp_path):
        (tmp_path / "notes.csv").write_text("some notes\n")
        with pytest.raises(ds.RecordsError, match=r"notes\.csv: the table must have at least one row"):
            ds.load_records(tmp_path / "notes.csv", costs=COSTS)
