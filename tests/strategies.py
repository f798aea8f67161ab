"""What hypothesis draws: small records with ties and duplicates, and configurations that sit on the ties.

Costs are whole numbers and scores are eighths, so that every sum is exact and twins must agree to the bit.
"""

import numpy as np
from hypothesis import strategies as st

import dyce_search as ds

SCORES = {
    "right or wrong": st.integers(0, 1),
    "eighths": st.integers(0, 8).map(lambda eighths: eighths / 8),
    "all right": st.just(1),
    "all wrong": st.just(0),
}
LEVELS = {
    "ties": st.integers(0, 4).map(lambda quarters: quarters / 4),
    "any sign": st.integers(-3, 3),
    "all equal": st.just(0.5),
}


@st.composite
def exit_costs(draw, max_positions=3, max_candidates=3):
    """Ragged candidates; exits and stretches of backbone that cost nothing; a head on the final exit at times."""
    n_candidates = draw(st.lists(st.integers(1, max_candidates), min_size=1, max_size=max_positions))
    position = np.append(np.repeat(np.arange(len(n_candidates)), n_candidates), len(n_candidates))
    steps = draw(st.lists(st.integers(0, 4), min_size=len(n_candidates), max_size=len(n_candidates)))
    head = draw(st.lists(st.integers(0, 3), min_size=len(position), max_size=len(position)))
    return ds.ExitCosts(backbone=np.cumsum([*steps, draw(st.integers(1, 6))]), head=head, position=position)


@st.composite
def sample_costs(draw, costs, n_samples):
    """Costs of those exits by sample, whole numbers; some samples cost nothing, and at times all cost the same."""
    kind = draw(st.sampled_from(["by sample", "by sample", "one value", "constant"]))
    if kind == "constant":
        backbone, head = (np.repeat(rows[:, None], n_samples, axis=1) for rows in (costs.backbone, costs.head))
    else:
        largest = 4 if kind == "by sample" else 1

        def table(n_rows):
            size = n_rows * n_samples
            drawn = draw(st.lists(st.integers(0, largest), min_size=size, max_size=size))
            return np.reshape(drawn, (n_rows, n_samples))

        backbone, head = np.cumsum(table(len(costs.backbone)), axis=0), table(costs.n_exits)
        backbone[-1, 0] += 1  # so that the whole model costs something
    return ds.SampleCosts(backbone=backbone, head=head, position=costs.position)


@st.composite
def exit_records(
    draw,
    max_positions=3,
    max_candidates=3,
    max_samples=8,
    levels=tuple(LEVELS),
    scores=tuple(SCORES),
    by_sample=False,
):
    """Records of those costs; confidences tie within and across exits."""
    costs = draw(exit_costs(max_positions, max_candidates))
    shape = (costs.n_exits, draw(st.integers(1, max_samples)))

    def table(entries):
        size = shape[0] * shape[1]
        return np.reshape(draw(st.lists(entries, min_size=size, max_size=size)), shape)

    if by_sample:
        costs = draw(sample_costs(costs, shape[1]))
    return ds.ExitRecords(
        confidence=table(LEVELS[draw(st.sampled_from(levels))]),
        score=table(SCORES[draw(st.sampled_from(scores))]),
        costs=costs,
    )


@st.composite
def exit_configs(draw, records):
    """A configuration for some records: all off at times, thresholds at, between and beyond the confidences."""
    costs = records.costs
    seen = sorted(set(records.confidence.ravel().tolist()))
    levels = st.sampled_from([-np.inf, np.inf, -0.0, *seen, *(level + 0.125 for level in seen), seen[0] - 1])
    if draw(st.integers(0, 9)) == 0:
        return ds.ExitConfig.none(costs.n_positions)
    candidate = [draw(st.integers(-1, int(count) - 1)) for count in costs.n_candidates]
    return ds.ExitConfig(candidate=candidate, threshold=[draw(levels) for _ in candidate])


@st.composite
def records_and_configs(draw, max_configs=6, by_sample=False):
    """Records with a list of configurations for them, repeats and common beginnings among them."""
    records = draw(exit_records(by_sample=by_sample))
    return records, draw(st.lists(exit_configs(records), min_size=1, max_size=max_configs))
