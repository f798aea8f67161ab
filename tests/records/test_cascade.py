"""Cascades of whole models: prices in closed form, and against a walk through the models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from tests import observed

PRICE = [1.0, 4.0, 20.0]
CONFIDENCE = [[0.9, 0.5, 0.1, 0.2], [0.0, 0.9, 0.8, 0.1], [0.5, 0.5, 0.5, 0.5]]
SCORE = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]]


def cascade(**change):
    return ds.ExitRecords.from_cascade(**{"price": PRICE, "confidence": CONFIDENCE, "score": SCORE, **change})


def walk(records, price, config, sample):
    """(score, paid) of one sample: it is given to each model in use until one is sure."""
    paid = 0.0
    for model in range(len(price) - 1):
        if config.candidate[model] == 0:
            paid += price[model]
            if records.confidence[model, sample] > config.threshold[model]:
                return float(records.score[model, sample]), paid
    return float(records.score[-1, sample]), paid + price[-1]


class TestClosedForm:
    @pytest.mark.parametrize(
        ("candidate", "threshold", "accuracy", "cost"),
        [
            ([-1, -1], [0, 0], 3 / 4, 20),  # the last model alone: the baseline
            ([0, -1], [-np.inf, 0], 1 / 4, 1),  # the first alone
            ([-1, 0], [0, -np.inf], 2 / 4, 4),  # the second alone: the first is not paid
            ([0, 0], [np.inf, np.inf], 3 / 4, 25),  # all models for every sample
            ([0, 0], [0.6, 0.85], 3 / 4, (1 + 5 + 25 + 25) / 4),
            ([0, -1], [0.6, 0], 3 / 4, (1 + 21 + 21 + 21) / 4),
            ([-1, 0], [0, 0.85], 3 / 4, (24 + 4 + 24 + 24) / 4),
        ],
    )
    def test_a_sample_pays_for_the_models_it_was_given_to(self, candidate, threshold, accuracy, cost):
        result = ds.evaluate(cascade(), ds.ExitConfig(candidate=candidate, threshold=threshold))
        assert (result.accuracy, result.cost, result.relative_cost) == (accuracy, cost, cost / 20)

    def test_the_baseline_is_the_last_model_alone(self):
        records = cascade()
        assert (records.costs.baseline, records.baseline_accuracy) == (20, 3 / 4)
        assert records.costs.alone.tolist() == PRICE
        assert records.exit_accuracy.tolist() == [1 / 4, 2 / 4, 3 / 4]

    def test_an_exhaustive_search_finds_the_cheapest(self):
        front = observed.search(cascade(), solver="exhaustive")
        assert front[0].cost == 1
        best = front.select(max_accuracy_drop=0)  # the small model for sample 0, the middle one for sample 1
        assert best.cost == min((1 + 5 + 25 + 25) / 4, (1 + 21 + 21 + 21) / 4)


@given(st.integers(2, 4), st.integers(1, 6), st.randoms(use_true_random=False))
def test_agrees_with_a_walk_through_the_models(n_models, n, random):
    price = [float(random.randint(0, 3)) for _ in range(n_models - 1)] + [float(random.randint(1, 9))]
    draw = [[random.randint(0, 3) for _ in range(n)] for _ in range(n_models)]
    records = ds.ExitRecords.from_cascade(
        price=price, confidence=draw, score=[[random.randint(0, 1) for _ in range(n)] for _ in range(n_models)]
    )
    config = ds.ExitConfig(
        candidate=[random.choice([-1, 0]) for _ in range(n_models - 1)],
        threshold=[random.choice([-1.0, 0.5, 1.0, 2.5]) for _ in range(n_models - 1)],
    )
    walked = [walk(records, price, config, i) for i in range(n)]
    result = ds.evaluate(records, config)
    assert result.accuracy == pytest.approx(sum(score for score, _ in walked) / n, abs=1e-15)
    assert result.cost == pytest.approx(sum(paid for _, paid in walked) / n, rel=1e-15)


def test_predictions_and_labels_are_scored():
    prediction, label = np.array([[3, 1, 1], [3, 2, 1]]), [3, 2, 2]
    records = cascade(price=[1, 2], confidence=np.zeros((2, 3)), score=None, prediction=prediction, label=label)
    assert records.score.tolist() == [[1, 0, 0], [1, 1, 0]]
    assert records.prediction.tolist() == prediction.tolist()
    assert records.label.tolist() == label


def test_names_and_units_are_kept():
    costs = cascade(unit="cents", names=("small", "middle", "large")).costs
    assert (costs.unit, costs.names) == ("cents", ("small", "middle", "large"))


def test_logits_of_models_with_the_costs_of_a_cascade():
    costs = ds.ExitCosts.cascade([1.0, 10.0])
    records = ds.ExitRecords.from_logits([[[2.0, 0.0]], [[0.0, 3.0]]], [1], costs=costs)
    assert ds.evaluate(records, ds.ExitConfig(candidate=[0], threshold=[0.5])).cost == 1
    assert ds.evaluate(records, ds.ExitConfig(candidate=[0], threshold=[0.95])).cost == 11


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"price": [1, 2]}, ds.RecordsError, "the costs describe 2 candidates, the final exit included"),
        ({"price": [1]}, ds.CostsError, "price must have one entry for each of two or more models, got 1"),
        ({"price": [1, -4, 20]}, ds.CostsError, "price must be finite and >= 0, got -4.0 at index 1"),
        ({"price": [1, 4, 0]}, ds.CostsError, "price must end with the last model's, above 0, got 0"),
        ({"score": None}, ds.RecordsError, "a cascade needs score, or prediction and label, got neither"),
        (
            {"confidence": [[0.1, 0.2], [0.1], [0.1, 0.2]]},
            ds.RecordsError,
            r"confidence must have one entry per sample for every model, got \[2, 1, 2\]: run all models on the same",
        ),
        ({"score": SCORE[:2]}, ds.RecordsError, r"score must have the shape of confidence, \(3, 4\), got \(2, 4\)"),
        ({"names": ["small"]}, ds.CostsError, "names must have one entry per candidate, 3, got 1"),
    ],
)
def test_mistakes(change, error, message):
    with pytest.raises(error, match=message):
        cascade(**change)


class TestGaps:
    """What real logs hold, right or refused with the model and the sample."""

    def test_minus_infinity_must_not_leave(self):
        records = cascade(confidence=[[0.9, -np.inf, 0.1, 0.2], CONFIDENCE[1], CONFIDENCE[2]])
        assert records.confidence[0, 1] == np.finfo(np.float32).min
        front = observed.search(records, solver="exhaustive", levels=9)
        for point in front:
            first = point.config.candidate[0] == 0
            left = ds.evaluate(records, point.config, per_sample=True).exit_position[1] == 0
            assert left == (first and point.config.threshold[0] == -np.inf)

    def test_the_loop_and_the_records_agree_about_it(self):
        confidence = np.array([[0.9, -np.inf, 0.1, 0.2], [0.0, 0.9, -np.inf, 0.1], [np.nan] * 4])
        records = cascade(confidence=confidence)
        for threshold in ([-np.inf, 0.5], [0.15, -np.inf], [0.5, 0.5], [np.float32(-3e38), 0.0]):
            config = ds.ExitConfig(candidate=[0, 0], threshold=threshold, layout=records.layout)
            where = ds.evaluate(records, config, per_sample=True).exit_position
            for i in range(4):
                walked = next(m for m in range(3) if config.leaves(m, confidence[min(m, 1), i]))
                assert walked == where[i]
            np.testing.assert_array_equal(config.route(np.nan_to_num(confidence, nan=0, neginf=-np.inf)), where)

    @pytest.mark.parametrize("last", ["left out", "None", "NaN"])
    def test_the_last_model_needs_no_confidence(self, last):
        rows = CONFIDENCE[:2] + {"left out": [], "None": [None], "NaN": [[np.nan] * 4]}[last]
        records = cascade(confidence=rows)
        np.testing.assert_array_equal(records.confidence[:2], np.float32(CONFIDENCE[:2]))
        assert not records.confidence[2].any()

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            (
                {"confidence": [[0.9, np.nan, 0, 0], *CONFIDENCE[1:]], "names": ["a", "b", "c"]},
                ds.RecordsError,
                r"confidence must be a number or -inf, .* got nan from model 0 \(a\) on sample 1 \(1 such answers\)",
            ),
            (
                {"confidence": [CONFIDENCE[0], [0, 0, np.inf, 0], CONFIDENCE[2]]},
                ds.RecordsError,
                "got inf from model 1 on sample 2",
            ),
            ({"confidence": [None, *CONFIDENCE[1:]]}, ds.RecordsError, "every model but the last, got none of model 0"),
            (
                {"score": [[1, 0, 0, np.nan], *SCORE[1:]]},
                ds.RecordsError,
                r"score must lie in \[0, 1\], got NaN from model 0 on sample 3",
            ),
            ({"score": [[1, 0, 0, 2], *SCORE[1:]]}, ds.RecordsError, r"score must lie in \[0, 1\], got 2.0 at exit 0"),
            (
                {"price": [[1, 1, 1, np.nan], [2] * 4, [3] * 4], "names": ["a", "b", "c"]},
                ds.CostsError,
                r"price must be finite and >= 0, got nan for model 0 \(a\) on sample 3 \(1 such prices\)",
            ),
            ({"price": [[1] * 4, [2, -2, 2, 2], [3] * 4]}, ds.CostsError, "got -2 for model 1 on sample 1"),
            ({"price": [[1] * 4, [2] * 4, [0] * 4]}, ds.CostsError, "price must end with the last model's, above 0"),
            ({"price": [[1] * 4]}, ds.CostsError, "one row for each of two or more models, got 1"),
            ({"price": [[1] * 5, [2] * 5, [3] * 5]}, ds.RecordsError, "sample costs must have one entry per sample, 4"),
            ({"price": [[1] * 4, [2] * 3, [3] * 4]}, ds.RecordsError, r"price must have one entry .* got \[4, 3, 4\]"),
        ],
    )
    def test_what_cannot_be_right_is_refused(self, change, error, message):
        with pytest.raises(error, match=message):
            cascade(**change)

    def test_strings_are_coded_alike_in_answers_and_labels(self):
        answers = np.array([["Paris", "Rome", "Oslo"], ["Paris", "Paris", "Oslo"]])
        records = cascade(
            price=[1, 2], confidence=[[0.5, 0.1, 0.2]], score=None, prediction=answers, label=["Paris", "Rome", "Bern"]
        )
        assert records.score.tolist() == [[1, 1, 0], [1, 0, 0]]
        assert (records.prediction == records.prediction[0, 0]).tolist() == (answers == "Paris").tolist()
        assert records.label[1] == records.prediction[0, 1]
        as_objects = cascade(
            price=[1, 2], confidence=[[0.5, 0.1, 0.2]], score=None, prediction=answers.astype(object),
            label=np.array(["Paris", "Rome", "Bern"], object),
        )  # fmt: skip
        np.testing.assert_array_equal(as_objects.score, records.score)
        with pytest.raises(ds.RecordsError, match=r"label must hold strings where one of .* does, got 3"):
            cascade(price=[1, 2], confidence=[[0.5] * 3], score=None, prediction=answers, label=[3, 4, 5])

    def test_prices_by_sample_are_walked(self):
        price = np.array([[1, 2, 1, 3], [4, 4, 8, 4], [20, 10, 30, 20]])
        records = cascade(price=price, unit="cents", names=["a", "b", "c"])
        config = ds.ExitConfig(candidate=[0, 0], threshold=[0.6, 0.85])
        paid = ds.evaluate(records, config).sample_cost
        for i in range(4):
            cost = 0
            for model in range(3):
                cost += price[model, i]
                if model == 2 or records.confidence[model, i] > config.threshold[model]:
                    break
            assert paid[i] == cost
        assert records.sample_costs.baseline.tolist() == [20, 10, 30, 20]
