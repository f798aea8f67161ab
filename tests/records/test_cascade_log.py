"""Logs of cascades, one row a query and model: read right, or refused with the row named."""

import gzip
import json
import math

import numpy as np
import pandas as pd
import pytest

import dyce_search as ds

MODELS = ("small", "medium", "large")
COST = {"small": [1, 2, 1], "medium": [5, 6, 4], "large": [20, 50, 30]}
SCORE = {"small": [1, 0, 0], "medium": [1, 0.5, 0], "large": [1, 1, 1]}
SURE = {"small": [0.9, 0.2, -math.inf], "medium": [0.8, 0.6, 0.1], "large": [None, None, None]}
QUERIES = ["why", 7, "how"]


def log_rows():
    """Rows in no order, with columns that do not matter."""
    rows = [
        {
            "query": QUERIES[n],
            "model": model,
            "score": SCORE[model][n],
            "confidence": SURE[model][n],
            "cost": COST[model][n],
            "latency": COST[model][n] / 10,
            "prompt_tokens": 17,
        }
        for n in range(3)
        for model in MODELS
    ]
    return [rows[k] for k in (3, 7, 1, 0, 8, 5, 4, 2, 6)]


def check(records, unit="cost"):
    names = records.layout.names
    order = [QUERIES.index(query) for query in dict.fromkeys(row["query"] for row in log_rows())]
    assert names == MODELS
    assert records.costs.unit == unit
    for m, model in enumerate(MODELS):
        assert records.score[m].tolist() == [SCORE[model][n] for n in order]
        paid = np.float32([COST[model][n] for n in order]) / (10 if unit == "latency" else 1)
        priced = records.sample_costs.backbone[-1] if m == 2 else records.sample_costs.head[m]
        np.testing.assert_array_equal(priced, np.float32(paid))
    sure = np.float32([[SURE[model][n] for n in order] for model in MODELS[:2]])
    np.testing.assert_array_equal(records.confidence[:2], np.where(np.isinf(sure), np.finfo(np.float32).min, sure))


def strings(rows):
    """Every query as a string, as tables of one type a column need it."""
    return [{**row, "query": str(row["query"])} for row in rows]


@pytest.fixture
def as_text(monkeypatch):
    monkeypatch.setattr("tests.records.test_cascade_log.QUERIES", [str(query) for query in QUERIES])


class TestSources:
    def test_a_list_of_dictionaries(self):
        check(ds.load_cascade(log_rows()))

    def test_another_column_of_costs(self):
        check(ds.load_cascade(log_rows(), cost="latency"), unit="latency")
        assert ds.load_cascade(log_rows(), unit="cents").costs.unit == "cents"

    @pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz", "log.json", "log.ndjson"])
    def test_files_of_json(self, tmp_path, name):
        text = json.dumps(log_rows()) if name == "log.json" else "\n\n".join(map(json.dumps, log_rows()))
        content = gzip.compress(text.encode()) if name.endswith("gz") else text.encode()
        (tmp_path / name).write_bytes(content)
        records = ds.load_cascade(tmp_path / name)
        check(records)
        assert records.source == f"log {tmp_path / name}"

    def test_a_folder_and_a_list_of_files(self, tmp_path):
        for model in MODELS:
            rows = [row for row in log_rows() if row["model"] == model]
            (tmp_path / f"{model}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        found = ds.load_cascade(tmp_path)
        assert found.layout.names == MODELS
        again = ds.load_cascade([tmp_path / f"{model}.jsonl" for model in MODELS])
        assert sorted(found.score[1]) == sorted(again.score[1])

    @pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
    def test_tables_in_files(self, tmp_path, ending, as_text):
        frame = pd.DataFrame(strings(log_rows()))
        if ending == "parquet":
            frame.to_parquet(tmp_path / "log.parquet")
        else:
            frame.to_csv(tmp_path / f"log.{ending}", index=False, sep="\t" if ending == "tsv" else ",")
        check(ds.load_cascade(tmp_path / f"log.{ending}"))

    def test_pandas(self, as_text):
        check(ds.load_cascade(pd.DataFrame(strings(log_rows()))))

    def test_polars(self, as_text):
        polars = pytest.importorskip("polars")
        check(ds.load_cascade(polars.DataFrame(strings(log_rows()))))
        with pytest.raises(ds.RecordsError, match="LazyFrame: collect it first"):
            ds.load_cascade(polars.DataFrame(strings(log_rows())).lazy())

    def test_arrow(self, as_text):
        pyarrow = pytest.importorskip("pyarrow")
        check(ds.load_cascade(pyarrow.Table.from_pylist(strings(log_rows()))))

    def test_confidence_by_a_function_of_the_row(self):
        rows = [{**row, "confidence": None, "logprob": row["confidence"]} for row in log_rows()]
        check(ds.load_cascade(rows, confidence=lambda row: row["logprob"]))
        check(ds.load_cascade(rows, confidence="logprob"))

    @pytest.mark.parametrize("source", [3, None, [], [1, 2]])
    def test_anything_else_is_refused(self, source):
        with pytest.raises(ds.RecordsError, match="a log must be a file, a list of dictionaries, or a DataFrame"):
            ds.load_cascade(source)


class TestLayouts:
    """As the public repositories have them, cut down to the fields that matter and some that do not."""

    def arena(self, folder, **change):
        for model in MODELS:
            rows = [
                {
                    "global_index": f"AIME_{n}",
                    "question": "?",
                    "llm_selected": model,
                    "generated_answer": "!",
                    "token_usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
                    "success": True,
                    "confidence": SURE[model][n],
                    "evaluation_result": {"score": SCORE[model][n], "inference_cost": COST[model][n], "metric": "m"},
                    **change,
                }
                for n in range(3)
            ]
            (folder / f"{model}.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def bench(self, folder):
        for model in MODELS:
            path = folder / "bench" / "aime" / "test" / model
            path.mkdir(parents=True)
            records = [
                {
                    "index": n + 1,
                    "origin_query": "?",
                    "prediction": "4",
                    "ground_truth": "4",
                    "score": SCORE[model][n],
                    "cost": COST[model][n],
                    "prompt_tokens": 15,
                }
                for n in range(3)
            ]
            content = {"performance": 0.5, "cost": 0.15, "counts": 3, "records": records}
            (path / "20250101_000000.json").write_text(json.dumps(content))

    def test_router_arena(self, tmp_path):
        self.arena(tmp_path)
        records = ds.load_cascade(tmp_path)
        assert records.layout.names == MODELS
        assert records.score.tolist() == [SCORE[model] for model in MODELS]
        assert records.sample_costs.baseline.tolist() == COST["large"]

    def test_llm_router_bench(self, tmp_path):
        self.bench(tmp_path)
        records = ds.load_cascade(tmp_path, confidence=lambda row: len(row["prediction"]) / 10)
        assert records.layout.names == MODELS
        assert records.score.tolist() == [SCORE[model] for model in MODELS]
        assert records.confidence[0].tolist() == [np.float32(0.1)] * 3

    def test_rows_of_its_loader(self):
        rows = [
            {"dataset_id": "aime", "split": "test", "model_name": model, "record_index": n, "score": SCORE[model][n]}
            | {"cost": COST[model][n], "confidence": SURE[model][n]}
            for n in range(3)
            for model in MODELS
        ]
        assert ds.load_cascade(rows).score.tolist() == [SCORE[model] for model in MODELS]

    def test_the_missing_field_is_named(self, tmp_path):
        self.bench(tmp_path)
        with pytest.raises(
            ds.RecordsError, match=r"lacks the column 'confidence'.* LLMRouterBench's files hold none: add"
        ):
            ds.load_cascade(tmp_path)
        folder = tmp_path / "arena"
        folder.mkdir()
        self.arena(folder, evaluation_result=None)
        with pytest.raises(
            ds.RecordsError, match=r"line 1 of large.jsonl lacks 'evaluation_result': evaluate the answers"
        ):
            ds.load_cascade(folder)
        self.arena(folder, evaluation_result={"score": 1})
        with pytest.raises(ds.RecordsError, match=r"line 1 of large.jsonl lacks 'evaluation_result.inference_cost'"):
            ds.load_cascade(folder)

    def test_rows_without_a_score_can_be_dropped(self, tmp_path):
        self.arena(tmp_path)
        path = tmp_path / "medium.jsonl"
        first, *others = path.read_text().splitlines()
        path.write_text("\n".join([json.dumps({**json.loads(first), "evaluation_result": None}), *others]))
        assert ds.load_cascade(tmp_path, drop_incomplete=True).n_samples == 2


class TestRefusals:
    """Each wrong row is named."""

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"cost": math.nan}, r"cost must be finite and >= 0, got nan in row 3 \(1 such rows\)"),
            ({"cost": None}, "cost must be finite and >= 0, got nan in row 3"),
            ({"cost": -2}, "cost must be finite and >= 0, got -2 in row 3"),
            ({"cost": math.inf}, "cost must be finite and >= 0, got inf in row 3"),
            ({"cost": "dear"}, "cost must be a number, got 'dear' in row 3"),
            ({"score": math.nan}, r"score must lie in \[0, 1\], got nan in row 3"),
            ({"score": 1.5}, r"score must lie in \[0, 1\], got 1.5 in row 3"),
            ({"confidence": None}, "confidence must be a number or -inf, .* got nan of model 'small' in row 3"),
            ({"confidence": math.inf}, "confidence must be a number or -inf, .* got inf of model 'small' in row 3"),
            ({"query": None}, "query must say which query it is, got None in row 3"),
            ({"query": [1]}, "query must be a string or a number, got .1. in row 3"),
            ({"query": math.nan}, "query must say which query it is, got nan in row 3"),
        ],
    )
    def test_bad_entries(self, change, message):
        rows = log_rows()
        rows[3] = {**rows[3], **change}
        assert rows[3]["model"] == "small"
        with pytest.raises(ds.RecordsError, match=message):
            ds.load_cascade(rows)

    def test_a_query_that_a_model_was_not_asked(self):
        rows = log_rows()
        gone = rows.pop(5)
        message = (
            f"got none for model 'large' on query {gone['query']!r} .1 of 3 queries are incomplete.*drop_incomplete"
        )
        with pytest.raises(ds.RecordsError, match=message):
            ds.load_cascade(rows)
        assert ds.load_cascade(rows, drop_incomplete=True).n_samples == 2

    def test_models_with_other_queries(self):
        rows = [{**row, "query": f"{row['model']}: {row['query']}"} for row in log_rows()]
        with pytest.raises(ds.RecordsError, match=r"got none for model .* \(9 of 9 queries are incomplete\)"):
            ds.load_cascade(rows, drop_incomplete=True)

    def test_rows_that_are_there_twice(self):
        rows = [*log_rows(), log_rows()[2]]
        with pytest.raises(
            ds.RecordsError, match="query 'why' must have one row for model 'medium', got row 2 and row 9"
        ):
            ds.load_cascade(rows)

    @pytest.mark.parametrize(
        ("models", "message"),
        [
            (["small"], "a cascade needs two or more models"),
            (["small", "huge"], "models must be different ones of the log, 'small', 'medium', 'large', got"),
            (["small", "small"], "models must be different ones of the log"),
            ("small", "models must be a list of names"),
        ],
    )
    def test_models(self, models, message):
        with pytest.raises(ds.RecordsError, match=message):
            ds.load_cascade(log_rows(), models=models)

    def test_some_models_in_another_order(self):
        rows = [{**row, "confidence": 0.5} for row in log_rows()]
        records = ds.load_cascade(rows, models=["large", "small"])
        assert records.layout.names == ("large", "small")
        assert records.exit_accuracy.tolist() == pytest.approx([1, 1 / 3])

    def test_no_rows(self):
        with pytest.raises(ds.RecordsError, match="the log must have at least one row"):
            ds.load_cascade(pd.DataFrame({"query": [], "model": [], "score": [], "confidence": [], "cost": []}))

    def test_missing_columns_are_named_with_what_comes_close(self):
        for name, other in (("confidence", "confidense"), ("cost", "costs"), ("query", "querry"), ("model", "models")):
            rows = [{(other if key == name else key): value for key, value in row.items()} for row in log_rows()]
            with pytest.raises(ds.RecordsError, match=f"the log lacks the column '{name}'; is it '{other}'"):
                ds.load_cascade(rows)

    def test_files_that_are_no_logs(self, tmp_path):
        path = tmp_path / "log.jsonl"
        for text, message in (
            ('{"query": 1\n', "line 1 of .* is not valid JSON"),
            ("[1, 2]\n", "line 1 of .* must be an object, got list"),
        ):
            path.write_text(text)
            with pytest.raises(ds.FileFormatError, match=message):
                ds.load_cascade(path)
        path.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ds.FileFormatError, match="is not valid JSON"):
            ds.load_cascade(path)
        with pytest.raises(ds.FileFormatError, match="cannot read"):
            ds.load_cascade(tmp_path / "nothing.jsonl")
        (tmp_path / "empty").mkdir()
        with pytest.raises(ds.FileFormatError, match=r"has no .json or .jsonl file"):
            ds.load_cascade(tmp_path / "empty")
        (tmp_path / "odd.json").write_text('{"a": 1}')
        with pytest.raises(ds.FileFormatError, match="must hold a list, or an object with 'records'"):
            ds.load_cascade(tmp_path / "odd.json")


class TestAnswers:
    def test_strings_are_compared(self):
        rows = [
            {key: value for key, value in row.items() if key != "score"}
            | {"prediction": "Paris" if SCORE[row["model"]][QUERIES.index(row["query"])] == 1 else "Rome"}
            | {"label": "Paris"}
            for row in log_rows()
        ]
        records = ds.load_cascade(rows)
        assert sorted(records.score.sum(axis=1)) == [1, 1, 3]
        assert records.prediction.dtype.kind == records.label.dtype.kind == "i"
        assert records.prediction.shape == (3, 3)

    def test_groups_are_kept_and_must_agree(self):
        rows = [{**row, "group": f"user of {row['query']}"} for row in log_rows()]
        assert set(ds.load_cascade(rows).group) == {f"user of {query}" for query in QUERIES}
        rows[4]["group"] = "somebody else"
        with pytest.raises(ds.RecordsError, match="group must be the same in all rows of a query, got "):
            ds.load_cascade(rows)

    def test_a_search_and_a_file_take_them(self, tmp_path):
        rows = [
            {"query": n, "model": model, "score": (n * 7 + m * 3) % 4 < 2 + m, "confidence": (n * 13 + m) % 10 / 10}
            | {"cost": (m + 1) ** 2 * (1 + n % 3)}
            for n in range(200)
            for m, model in enumerate(MODELS)
        ]
        records = ds.load_cascade(rows)
        front = ds.search(records)
        records.save(tmp_path / "records.npz")
        again = ds.search(ds.load_records(tmp_path / "records.npz"))
        np.testing.assert_array_equal(front.cost, again.cost)
