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
