"""Who leaves where, with what score, at what cost."""

from hypothesis import given

import dyce_search as ds
from dyce_search.evaluation.outcomes import outcomes
from tests import oracles
from tests.strategies import records_and_configs


@given(records_and_configs())
def test_outcomes_are_those_of_every_sample(drawn):
    records, configs = drawn
    for config in configs:
        exits = config.exits(records.layout)
        found = outcomes(records, exits, config.threshold)
        for i in range(records.n_samples):
            position, score, cost = oracles.leave(records, config, i)
            assert (found.position[i], found.score[i], found.cost[i]) == (position, score, cost)
            assert found.exit[i] == [*exits, records.n_exits - 1][position]


def test_their_means_are_what_evaluate_says(example):
    config = ds.ExitConfig(candidate=[2] * 15, threshold=[0.9] * 15)
    found = outcomes(example, config.exits(example.layout), config.threshold)
    evaluation = ds.evaluate(example, config, per_sample=True)
    assert (found.position == evaluation.exit_position).all()
    assert found.score.mean(dtype=float) == evaluation.accuracy
    assert abs(found.cost.mean() / evaluation.cost - 1) < 1e-12
