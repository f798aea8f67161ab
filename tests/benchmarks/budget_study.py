"""How often a budget for each request is broken: the certified one, and the plain quantile rule.

    python -m tests.benchmarks.budget_study [SPLITS]

A front is searched once on a part of some records. Then, again and again, calibration samples are drawn from the rest
(with replacement, so that the rest is the truth), and a point is chosen of which no more than a share of the requests
may cost more than a budget:

- "quantile": the rule of C3PO (Valkanas 2025, arXiv 2511.07396), split-conformal: of the points whose cost at rank
  ceil((n + 1) (1 - share)) of n calibration samples is within the budget, the most accurate there;
- "certified": `front.certify(..., max_sample_cost=budget, share=share)` with 95 % confidence.

A choice breaks the limit where more than the share of the rest costs more. The first splits are checked against
`certify` itself; the others follow the same steps on counts, which is faster.
"""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import binom

import dyce_search as ds
from dyce_search.certify.asked import Asked
from dyce_search.certify.order import order_of_tests
from dyce_search.evaluation.cost_tails import is_over
from tests.benchmarks.orders_study import cascade

DATA = Path(__file__).parents[2] / "data"
CONFIDENCE = 0.95
CHECKED = 10  # splits in which `certify` itself is asked too


def digits() -> ds.ExitRecords:
    """Three classifiers, and the measured time of each call."""
    return ds.load_cascade(DATA / "digits_cascade.jsonl.gz", cost="milliseconds")


SETS = {
    "digits, 3 classifiers, ms": (digits, 400, 500),
    "fashion_resnet15, MACs": (lambda: ds.load_example("test"), 2000, 500),
    "synthetic cascade, 4 models": (lambda: cascade(4, 40_000), 1000, 500),
}


def study(records: ds.ExitRecords, n_search: int, n: int, share: float, splits: int) -> dict[str, tuple[float, ...]]:
    """By rule: share of the splits that break the limit, that choose nothing, and the mean accuracy of the choices."""
    order = np.random.default_rng(0).permutation(records.n_samples)
    front = ds.search(replace(records, label=None).subset(order[:n_search]))
    rest = records.subset(order[n_search:])
    budget = float(np.quantile(front.cost_within(share), 0.6))
    asked = Asked.of({"max_sample_cost": budget}, share=share, confidence=CONFIDENCE, method="auto")
    sequence = order_of_tests(front, asked, n)
    measured = [ds.evaluate(rest, point.config, per_sample=True) for point in front]
    over = np.stack([is_over(one.sample_cost, budget) for one in measured])
    exits = np.stack([np.append(point.config.exits(rest.layout), rest.n_exits - 1) for point in front])
    score = np.stack(
        [
            rest.score[exit_[one.exit_position], np.arange(rest.n_samples)]
            for exit_, one in zip(exits, measured, strict=True)
        ]
    )
    truth, accuracy = over.mean(axis=1), score.mean(axis=1)
    rank = math.ceil((n + 1) * (1 - share))
    chosen: dict[str, list[int]] = {"quantile": [], "certified": []}
    for split in range(splits):
        drawn = np.random.default_rng([1, split]).integers(0, rest.n_samples, n)
        count = over[:, drawn].sum(axis=1)
        within = np.flatnonzero(count <= n - rank)
        chosen["quantile"].append(int(within[score[within][:, drawn].mean(axis=1).argmax()]) if within.size else -1)
        passed = binom.cdf(count[sequence], n, share) <= 1 - CONFIDENCE
        size = int(np.argmin(np.append(passed, False)))
        chosen["certified"].append(int(sequence[:size].max()) if size else -1)
        if split < CHECKED:
            _check(front, rest.subset(drawn), budget, share, chosen["certified"][-1])
    found = {}
    for rule, points in chosen.items():
        real = np.array([point for point in points if point >= 0])
        broken = (truth[real] > share).sum() / splits if real.size else 0.0
        found[rule] = (broken, 1 - real.size / splits, accuracy[real].mean() if real.size else np.nan)
    return found


def _check(front: ds.ParetoFront, calibration: ds.ExitRecords, budget: float, share: float, expected: int) -> None:
    try:
        point = replace(front, fingerprint=("0" * 16,)).certify(calibration, max_sample_cost=budget, share=share)
    except ds.InfeasibleError:
        assert expected < 0
        return
    assert point.config == front[expected].config


def main(splits: int = 1000) -> None:
    print("| records | share | rule | breaks the limit | nothing chosen | accuracy |\n|---|---|---|---|---|---|")
    for name, (make, n_search, n) in SETS.items():
        records = make()
        for share in (0.05, 0.02):
            for rule, (broken, nothing, accuracy) in study(records, n_search, n, share, splits).items():
                print(
                    f"| {name} | {100 * share:g} % | {rule} | {100 * broken:.1f} % | {100 * nothing:.1f} % | "
                    f"{accuracy:.4f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
