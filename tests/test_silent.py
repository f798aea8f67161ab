"""What was once taken without a word, and was wrong: each case by name."""

import warnings

import numpy as np
import pandas as pd
import pytest

import dyce_search as ds

TWO = ds.ExitCosts(backbone=[1.0, 4.0], head=[0.5, 0.0], position=[0, 1])


def from_logits(logits, labels, **options):
    """Records of two exits with the same logits."""
    return ds.ExitRecords.from_logits([np.asarray(logits)] * 2, labels, costs=TWO, **options)


class TestOutputs:
    def test_probabilities_are_no_logits(self):
        with pytest.raises(
            ds.RecordsError, match=r"got probabilities .* from exit 0: use from_probs for probabilities"
        ):
            from_logits([[0.25, 0.75], [0.5, 0.5]], [1, 0])
        with pytest.raises(ds.RecordsError, match=r"got probabilities .* from exit 0: pass what they were made of"):
            ds.fit_temperatures([[[0.25, 0.75], [0.5, 0.5]]], [1, 0])
        assert from_logits([[0.25, 0.75], [0.5, 0.25]], [1, 0]).n_samples == 2

    @pytest.mark.parametrize("rounded", ["bfloat16", "float16", "a few decimals", "per cent"])
    def test_probabilities_that_were_rounded_are_no_logits_either(self, rounded):
        drawn = np.random.default_rng(0).dirichlet(np.ones(10), 500).astype(np.float32)
        probs = {
            "bfloat16": (drawn.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32),
            "float16": drawn.astype(np.float16),
            "a few decimals": np.array([[0.334, 0.661], [0.5, 0.5]]),
            "per cent": 100 * drawn,
        }[rounded]
        with pytest.raises(ds.RecordsError, match="must be raw outputs, got probabilities"):
            from_logits(probs, [0] * len(probs))

    def test_temperatures_beyond_float32(self):
        for heat in (1e-320, 1e-45, 1e300):
            with pytest.raises(ds.RecordsError, match=r"temperature must be from 1e-37 to 1e\+37, got"):
                from_logits([[1.0, 2.0]], [0], temperature=heat)
            with pytest.raises(ds.ConfigError, match="temperature must be from 1e-37"):
                ds.ExitLayout(position=[0, 1], temperature=[heat, 1])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
    def test_classes_that_are_ruled_out(self, dtype):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            logits = np.array([[2.0, 0.0, -np.inf], [-np.inf, 1.0, 3.0]], dtype)
            found = from_logits(logits, [0, 1])
            fitted = ds.fit_temperatures([logits], [0, 1])
        assert found.confidence[0] == pytest.approx(1 / (1 + np.exp(-2)), rel=1e-6)
        assert found.prediction[0].tolist() == [0, 2]
        assert np.isfinite(fitted.temperature).all()
        plain = ds.fit_temperatures([[[2.0, 0.0], [1.0, 3.0]]], [0, 0])
        assert fitted.nll_before == pytest.approx(plain.nll_before)

    @pytest.mark.parametrize(
        ("row", "found"), [([-np.inf] * 2, "nothing but -inf"), ([np.nan, 0], "nan"), ([np.inf, 0], "inf")]
    )
    def test_rows_without_an_answer_are_named(self, row, found):
        logits = np.array([[1.0, 2.0], row])
        for call in (lambda: from_logits(logits, [0, 0]), lambda: ds.fit_temperatures([logits], [0, 0])):
            with pytest.raises(ds.RecordsError, match=f"got {found} from exit 0 at sample 1"):
                call()

    def test_a_label_that_is_ruled_out_has_no_temperature(self):
        with pytest.raises(
            ds.RecordsError, match="rule out a sample's own class, got -inf for it from exit 0 at sample 1"
        ):
            ds.fit_temperatures([[[1.0, 0.0], [0.0, -np.inf]]], [0, 1])

    def test_one_column_is_the_second_of_two_classes(self):
        logits, labels = np.array([[-2.0], [0.5], [3.0]]), [0, 1, 0]
        both = np.concatenate([np.zeros((3, 1)), logits], axis=1)
        one, two = from_logits(logits, labels), from_logits(both, labels)
        assert one.digest == two.digest
        assert one.prediction.tolist() == two.prediction.tolist() == [[0, 1, 1]] * 2
        probs = 1 / (1 + np.exp(-logits))
        found = ds.ExitRecords.from_probs([probs] * 2, labels, costs=TWO)
        np.testing.assert_allclose(found.confidence, one.confidence, rtol=1e-6)
        fitted = [ds.fit_temperatures([given], labels).temperature for given in (logits, both)]
        assert fitted[0] == fitted[1]
        with pytest.raises(ds.RecordsError, match=r"labels must lie in \[0, C\) = \[0, 2\)"):
            from_logits(logits, [0, 1, 2])

    def test_one_column_in_the_runtime(self):
        torch = pytest.importorskip("torch")
        from dyce_search.records.confidence import max_prob, softmax
        from dyce_search.runtime.confidence import confidence_of

        logits = torch.tensor([[-2.0], [0.5], [3.0]])
        np.testing.assert_allclose(confidence_of(logits, "max_prob"), max_prob(softmax(logits.numpy())), rtol=1e-6)
        from dyce_search import runtime

        backbone = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1))
        model = runtime.EarlyExitModel(backbone, {"0": {"linear": torch.nn.Linear(4, 1)}}).eval()
        inputs, labels = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1] * 3)
        costs = ds.ExitCosts(backbone=[1.0, 2.0], head=[0.5, 0.0], position=[0, 1])
        recorded = runtime.record(model, [(inputs, labels)], costs=costs, n_samples=6, progress=False)
        with torch.no_grad():
            logits = model.all_logits(inputs).numpy()
        again = ds.ExitRecords.from_logits(logits, labels, costs=costs)
        np.testing.assert_allclose(recorded.confidence, again.confidence, rtol=1e-5)
        assert recorded.prediction.tolist() == again.prediction.tolist()
        assert set(recorded.prediction.ravel()) == {0, 1}

    @pytest.mark.parametrize("name", ["logits", "probs"])
    def test_tensors_without_data(self, name):
        torch = pytest.importorskip("torch")
        build = getattr(ds.ExitRecords, f"from_{name}")
        with pytest.raises(ds.RecordsError, match="must hold data, got a tensor on the device 'meta'"):
            build(torch.empty(2, 3, 2, device="meta"), [0, 1, 0], costs=TWO)


class TestTemperatures:
    def test_scale_with_the_logits(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 4, 3000)
        logits = rng.normal(size=(3000, 4)) + 2 * np.eye(4)[labels]
        fitted = ds.fit_temperatures([logits, 1000 * logits, logits / 1000, 1e6 * logits], labels)
        assert fitted.temperature / fitted.temperature[0] == pytest.approx([1, 1e3, 1e-3, 1e6], rel=1e-5)
        assert fitted.ece_after == pytest.approx(fitted.ece_after[0], abs=1e-6)
        assert not fitted.at_bound.any()

    def test_at_a_bound_it_says_so(self):
        right = 5 * np.eye(2)
        fitted = ds.fit_temperatures([right, right[::-1], 1000 * right], [0, 1])
        assert fitted.at_bound.tolist() == [True, True, True]
        assert fitted.temperature == pytest.approx(np.sqrt(12.5) * np.array([0.01, 100, 10]))
        assert fitted.to_frame()["at_bound"].tolist() == [True] * 3

    def test_constant_logits_keep_one(self):
        fitted = ds.fit_temperatures([np.full((3, 2), 7.0)], [0, 1, 1])
        assert (fitted.temperature.tolist(), fitted.at_bound.tolist()) == ([1.0], [False])


class TestArrays:
    def test_masks_are_not_lost(self):
        masked = np.ma.masked_greater(np.array([[0.1, 0.9], [0.5, 0.5]]), 0.8)
        with pytest.raises(ds.RecordsError, match="confidence must have every entry, got 1 that are masked"):
            ds.ExitRecords(confidence=masked, score=np.ones((2, 2)), costs=TWO)
        with pytest.raises(ds.RecordsError, match="must have every entry, got 1 that are masked"):
            ds.ExitRecords(confidence=list(masked), score=np.ones((2, 2)), costs=TWO)
        unmasked = np.ma.masked_greater(np.ones((2, 2)), 2)
        assert ds.ExitRecords(confidence=unmasked, score=np.ones((2, 2)), costs=TWO).n_samples == 2

    @pytest.mark.parametrize("dtype", ["complex64", "datetime64[s]", "U3"])
    def test_what_are_no_real_numbers(self, dtype):
        with pytest.raises(ds.RecordsError, match="confidence must be numeric, got dtype"):
            ds.ExitRecords(confidence=np.ones((2, 2)).astype(dtype), score=np.ones((2, 2)), costs=TWO)

    def test_costs_near_the_end_of_float64(self):
        with pytest.raises(ds.CostsError, match=r"stay within float64, got .* count in another unit"):
            ds.ExitCosts(backbone=[1e308, 1.7e308], head=[1e308, 0.0], position=[0, 1])
        with pytest.raises(ds.CostsError, match="the whole model must cost at least"):
            ds.ExitCosts(backbone=[0.0, 5e-324], head=[0.0, 0.0], position=[0, 1])

    def test_wide_numbers_of_python(self):
        front = ds.search(ds.load_example("test").subset(range(100)), solver="same_threshold", scores="observed")
        assert front.select(max_cost=2**64) == front.select(max_cost=1e30)
        with pytest.raises(ds.FrontError, match=r"max_cost must be a finite number, got 1000.*\.\.\."):
            front.select(max_cost=10**400)
        with pytest.raises(ds.FrontError, match="max_cost must be a finite number, got a value of type int"):
            front.select(max_cost=10**6000)


def test_more_exits_than_two_bytes_count():
    n_exits = 32_900
    records = ds.ExitRecords(
        confidence=np.tile(np.float32([0.1, 0.6]), (n_exits, 1)),
        score=np.vstack([np.zeros((n_exits - 2, 2)), np.ones((2, 2))]).astype(np.float32),
        costs=ds.ExitCosts(backbone=[1.0, 4.0], head=[2.0] * (n_exits - 1) + [0.0], position=[0] * (n_exits - 1) + [1]),
    )
    front = ds.search(records, scores="observed", effort="fast")
    best = front.select(max_accuracy_drop=0.0)
    assert best.relative_cost == 0.75
    assert best.config.candidate.tolist() == [n_exits - 2]


def test_one_group_tells_nothing_of_others():
    records = ds.load_example("test").subset(range(300))
    front = ds.search(records, solver="same_threshold", scores="observed")
    for group, found in ((np.zeros(300, int), 1), (np.arange(300) // 20, 15)):
        one = ds.ExitRecords(confidence=records.confidence, score=records.score, costs=records.costs, group=group)
        with pytest.raises(ds.RecordsError, match=f"must have 20 groups of samples or more .* got {found}"):
            ds.bootstrap_band(front, one, resamples=2)


class TestTables:
    def read(self, tmp_path, text, name="table.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return ds.load_records(tmp_path / name, costs=TWO)

    @pytest.mark.parametrize(("line", "number"), [(".9,.8,0,1,1", 3), (".9,.8,0", 3)])
    def test_a_line_that_does_not_fit(self, tmp_path, line, number):
        head = "confidence_0,confidence_1,score_0,score_1\n.5,.5,1,1\n"
        with pytest.raises(ds.FileFormatError, match=rf"line {number} of .*table\.csv must have 4 values"):
            self.read(tmp_path, head + line + "\n")
        with pytest.raises(ds.FileFormatError, match=r"line 2 of .* must have 4 values, as there are names, got 5"):
            self.read(tmp_path, "confidence_0,confidence_1,score_0,score_1\n.9,.8,0,1,1\n")
        with pytest.raises(ds.FileFormatError, match="must name every column once, got 'score_0' twice"):
            self.read(tmp_path, "confidence_0,confidence_1,score_0,score_0\n.9,.8,0,1\n")

    def test_names_stay_text(self, tmp_path):
        rows = "\n".join(
            f"{name},.{k},.5,1,1,{name}" for k, name in enumerate(["007", "7", "07", "NA", "null", "nan"], 1)
        )
        found = self.read(tmp_path, f"sample,confidence_0,confidence_1,score_0,score_1,group\n{rows}\n")
        assert found.group.tolist() == ["007", "7", "07", "NA", "null", "nan"]
        rows = "\n".join(f"{sample},{e},.{e + 1},1" for sample in ("007", "7", "NA") for e in (0, 1))
        assert self.read(tmp_path, f"sample,exit,confidence,score\n{rows}\n").n_samples == 3
        with pytest.raises(ds.RecordsError, match="column 'group' must not be empty, got nothing in row 1"):
            self.read(tmp_path, "confidence_0,confidence_1,score_0,score_1,group\n.1,.2,1,1,a\n.1,.2,1,1,\n")

    def test_names_of_a_log_stay_text(self, tmp_path):
        head = "query,model,score,confidence,cost,prediction,label,group"
        rows = [f"{q},{m},1,{c},1,{p},07,{q}" for q in ("007", "7") for m, c, p in (("1", ".5", "7"), ("01", "", "07"))]
        (tmp_path / "log.csv").write_text("\n".join([head, *rows]) + "\n")
        found = ds.load_cascade(tmp_path / "log.csv")
        assert (found.n_samples, found.layout.names, found.group.tolist()) == (2, ("1", "01"), ["007", "7"])
        assert (found.prediction == found.label).tolist() == [[False] * 2, [True] * 2]
        (tmp_path / "log.csv").write_text("\n".join([head, *(row.replace("07", "7") for row in rows[:2])]) + "\n")
        assert ds.load_cascade(tmp_path / "log.csv").label.tolist() == [7]  # whole numbers where all are

    @pytest.mark.parametrize(
        ("column", "values", "message"),
        [
            (
                "confidence_0",
                np.array([1 + 2j, 0]),
                "column 'confidence_0' must hold real numbers, got complex numbers",
            ),
            ("confidence_0", pd.to_datetime(["2020-01-01", "2020-01-02"]), "must hold real numbers, got times"),
            ("score_0", pd.to_timedelta([1, 2]), "must hold real numbers, got times"),
            ("group", pd.array([True, None], "boolean"), "column 'group' must not be empty, got nothing in row 1"),
            ("group", [["a"], ["b"]], "column 'group' must hold strings or numbers, got others: unhashable"),
            ("group", ["a", 1], "must hold strings alone, or whole numbers alone, got 1 in row 1"),
            ("group", [0.5, 1.5], "must hold strings alone, or whole numbers alone, got 0.5 in row 0"),
            ("sample", [[1], [2]], "column 'sample' must hold strings or numbers, got others: unhashable"),
            ("score_0", [1, 10**400], "column 'score_0' must hold a number in every row, got 1000.*in row 1"),
            ("label", [1, 10**6000], "must hold a number in every row, got a value of type int in row 1"),
            ("confidence_" + "9" * 5000, [0, 0], "a wide table must have columns confidence_0 to confidence_1"),
            ("confidence_01", [0, 0], "a wide table must have columns confidence_0 to confidence_1"),
            (10**5000, [0, 0], ""),
        ],
        ids=range(13),
    )
    def test_odd_columns(self, column, values, message):
        frame = pd.DataFrame({f"{kind}_{e}": [0.25, 0.75] for kind in ("confidence", "score") for e in (0, 1)})
        frame[column] = values
        if not message:
            assert ds.ExitRecords.from_frame(frame, costs=TWO).n_samples == 2
            return
        with pytest.raises(ds.RecordsError, match=message):
            ds.ExitRecords.from_frame(frame, costs=TWO)

    @pytest.mark.parametrize("row", [[2.5, 0.5, -1.0], [0.9, 0.05, -0.1], [0.9, 0.8, 0.7], [3.0, 2.0, 1.0]], ids=str)
    def test_top_classes_that_are_no_probabilities(self, tmp_path, row):
        confs = np.tile(np.array(row, np.float32), (2, 4, 1))
        preds = np.tile(np.arange(3, dtype=np.int16), (2, 4, 1))
        np.savez(tmp_path / "dyce.npz", label=np.zeros((4, 1), np.int16), preds=preds, confs=confs)
        with pytest.raises(ds.RecordsError, match="confs must be the probabilities of the likeliest classes"):
            ds.load_records(tmp_path / "dyce.npz", costs=TWO)

    def test_top_classes_in_ascending_order(self, tmp_path):
        confs = np.array([[[0.86, 0.1], [0.6, 0.4]], [[0.9, 0.1], [0.18, 0.82]]], np.float32)
        preds = np.zeros(confs.shape, np.int16)
        for order, name in ((slice(None), "right.npz"), (slice(None, None, -1), "turned.npz")):
            np.savez(
                tmp_path / name, label=np.zeros((2, 1), np.int16), preds=preds[..., order], confs=confs[..., order]
            )
        with pytest.raises(ds.RecordsError, match=r"the likeliest class first, got \[0\.18.* at exit 1, sample 1"):
            ds.load_records(tmp_path / "right.npz", costs=TWO)
        with pytest.raises(ds.RecordsError, match=r"the likeliest class first, got .* at exit 0, sample 0"):
            ds.load_records(tmp_path / "turned.npz", costs=TWO)

    def test_answers_that_are_mixed(self):
        with pytest.raises(
            ds.RecordsError, match="prediction must hold strings where one of prediction and label does"
        ):
            ds.ExitRecords.from_cascade(
                price=[1, 2], confidence=[[0.5, 0.6]], prediction=[["a", 1], ["a", "b"]], label="ab"
            )
