"""Slow, obvious twins of the fast paths, in plain Python, straight from the definitions. One sample at a time."""

import itertools
import math

import numpy as np
from scipy.optimize import fminbound
from scipy.stats import binomtest, multinomial

import dyce_search as ds


def flat(costs, position, candidate):
    """Flat index of a position's candidate, found by counting."""
    return [e for e in range(costs.n_exits) if costs.position[e] == position][candidate]


def candidates(costs, position):
    """Flat indices of all candidates of a position."""
    return [e for e in range(costs.n_exits) if costs.position[e] == position]


def paid(records, sample, row, kind):
    """Cost of a stretch of backbone or of a head, for one sample."""
    by_sample = records.sample_costs
    return float(getattr(records.costs, kind)[row] if by_sample is None else getattr(by_sample, kind)[row, sample])


def leave(records, config, sample):
    """(position, score, cost) of one sample."""
    costs = records.costs
    paid_heads = 0.0
    for p in range(costs.n_positions):
        if config.candidate[p] == -1:
            continue
        e = flat(costs, p, config.candidate[p])
        paid_heads += paid(records, sample, e, "head")
        if float(records.confidence[e, sample]) > float(config.threshold[p]):
            return p, float(records.score[e, sample]), paid(records, sample, p, "backbone") + paid_heads
    final_head = paid(records, sample, -1, "head")
    whole = paid(records, sample, -1, "backbone")
    return costs.n_positions, float(records.score[-1, sample]), whole + paid_heads + final_head


def evaluate(records, config):
    """Everything that `dyce_search.evaluation.evaluate` returns, as a dictionary."""
    n, n_positions = records.n_samples, records.costs.n_positions
    outcomes = [leave(records, config, i) for i in range(n)]
    accuracy = sum(score for _, score, _ in outcomes) / n
    cost = sum(paid for _, _, paid in outcomes) / n
    baseline_cost = sum(paid(records, i, -1, "backbone") + paid(records, i, -1, "head") for i in range(n)) / n
    baseline_accuracy = sum(float(records.score[-1, i]) for i in range(n)) / n
    there = [[score for p, score, _ in outcomes if p == q] for q in range(n_positions + 1)]
    return {
        "accuracy": accuracy,
        "cost": cost,
        "relative_cost": cost / baseline_cost,
        "accuracy_drop": baseline_accuracy - accuracy,
        "exit_share": [len(scores) / n for scores in there],
        "exit_accuracy": [sum(scores) / len(scores) if scores else math.nan for scores in there],
        "exit_position": [p for p, _, _ in outcomes],
        "sample_cost": [paid for _, _, paid in outcomes],
    }


def non_dominated(points):
    """Distinct (cost, accuracy) pairs that no other beats in one and equals or beats in the other, by rising cost."""

    def dominates(a, b):
        return a != b and a[0] <= b[0] and a[1] >= b[1]

    return sorted({b for b in points if not any(dominates(a, b) for a in points)})


def front(records, configs):
    """The non-dominated (cost, accuracy) pairs of some configurations and the baseline."""
    measured = [evaluate(records, config) for config in [*configs, ds.ExitConfig.none(records.costs.n_positions)]]
    return non_dominated([(result["cost"], result["accuracy"]) for result in measured])


def points(curve):
    """(cost, accuracy) pairs of a front or curve."""
    return list(zip(curve.cost.tolist(), curve.accuracy.tolist(), strict=True))


def every_config(records):
    """All configurations that differ in what they do: each candidate or none, each recorded level or -inf."""
    costs = records.costs
    choices = []
    for p in range(costs.n_positions):
        options = [(-1, 0.0)]
        for k, e in enumerate(candidates(costs, p)):
            options += [(k, level) for level in (-math.inf, *sorted(set(records.confidence[e].tolist())))]
        choices.append(options)
    configs = [[]]
    for options in choices:
        configs = [[*config, option] for config in configs for option in options]
    return [
        ds.ExitConfig(candidate=[k for k, _ in config], threshold=[level for _, level in config]) for config in configs
    ]


def same_threshold(records):
    """One exit type with one threshold everywhere: every type, every level that any of its exits recorded."""
    costs = records.costs
    most = max(len(candidates(costs, p)) for p in range(costs.n_positions))
    configs = []
    for k in range(most):
        candidate = [k if len(candidates(costs, p)) > k else -1 for p in range(costs.n_positions)]
        rows = [records.confidence[flat(costs, p, k)] for p in range(costs.n_positions) if candidate[p] == k]
        levels = sorted({float(value) for row in rows for value in row})
        for level in [-math.inf, *levels]:
            configs.append(ds.ExitConfig(candidate=candidate, threshold=[level] * costs.n_positions))
    return configs


def exit_shares(records, settings=39):
    """MSDNet's dynamic evaluation, with its loops: the surest leave until each exit has had its share."""
    costs, n = records.costs, records.n_samples
    most = max(len(candidates(costs, p)) for p in range(costs.n_positions))
    configs = []
    for k in range(most):
        used = [p for p in range(costs.n_positions) if len(candidates(costs, p)) > k]
        for setting in range(1, settings + 1):
            q = setting / 20
            powers = [q**power for power in range(1, len(used) + 2)]
            wanted = [power / sum(powers) * n for power in powers]
            assert all(abs(w - round(w)) > 1e-9 for w in wanted), "choose n so that no share is a whole number"
            candidate, threshold = [-1] * costs.n_positions, [0.0] * costs.n_positions
            gone = [False] * n
            for p, share in zip(used, wanted, strict=False):
                row = records.confidence[flat(costs, p, k)]
                count, level = 0, None
                for i in sorted(range(n), key=lambda i: -row[i]):
                    if not gone[i]:
                        count += 1
                        if count == math.floor(share):
                            level = row[i]
                            break
                if level is None:
                    continue
                candidate[p], threshold[p] = k, np.nextafter(level, np.float32(-np.inf))
                gone = [gone[i] or row[i] >= level for i in range(n)]
            configs.append(ds.ExitConfig(candidate=candidate, threshold=threshold))
    return configs


def trade_off(records, weight, accuracy, cost):
    """DyCE's J: both terms min-max normalised, by the first candidate and by the final exit."""
    n = records.n_samples
    low = sum(records.score[0].tolist()) / n
    high = sum(records.score[-1].tolist()) / n
    cost_low = float(records.costs.backbone[0])
    cost_high = float(records.costs.backbone[-1] + records.costs.head[-1])
    accuracy_span = high - low if high > low else 1.0
    cost_span = cost_high - cost_low if cost_high > cost_low else 1.0
    return weight * (1 - (accuracy - low) / accuracy_span) + (1 - weight) * (cost - cost_low) / cost_span


def objective(records, weight, candidate, threshold):
    """J of one configuration, measured sample by sample."""
    result = evaluate(records, ds.ExitConfig(candidate=candidate, threshold=threshold))
    return trade_off(records, weight, result["accuracy"], result["cost"])


def fminbound_at(records, weight, candidate, threshold, p, k):
    """(J, threshold) where fminbound on [0, 1] stops, for candidate k at position p; for confidences in [0, 1]."""
    candidate = [*candidate[:p], k, *candidate[p + 1 :]]

    def with_threshold(level):
        return objective(records, weight, candidate, [*threshold[:p], level, *threshold[p + 1 :]])

    level, value, _, _ = fminbound(with_threshold, 0, 1, full_output=True)
    return value, float(np.float32(level))


def single_pass(records, lambdas):
    """Positions first to last, later exits off; the candidate that lowers J most, or none."""
    n_positions = records.costs.n_positions
    configs = []
    for weight in lambdas:
        candidate, threshold = [-1] * n_positions, [0.0] * n_positions
        for p in range(n_positions):
            best, choice = objective(records, weight, candidate, threshold), (-1, 0.0)
            for k in range(len(candidates(records.costs, p))):
                value, level = fminbound_at(records, weight, candidate, threshold, p, k)
                if value < best:
                    best, choice = value, (k, level)
            candidate[p], threshold[p] = choice
        configs.append(ds.ExitConfig(candidate=candidate, threshold=threshold))
    return configs


def iterative(records, lambdas):
    """Every single change is tried, the best one made, until none lowers J; each step is a configuration."""
    n_positions = records.costs.n_positions
    configs = []
    for weight in lambdas:
        candidate, threshold = [-1] * n_positions, [0.0] * n_positions
        now = objective(records, weight, candidate, threshold)
        while True:
            best, change = now - 1e-12, None
            for p in range(n_positions):
                without = [*candidate[:p], -1, *candidate[p + 1 :]]
                value = objective(records, weight, without, threshold)
                if value < best:
                    best, change = value, (p, -1, 0.0)
                for k in range(len(candidates(records.costs, p))):
                    value, level = fminbound_at(records, weight, candidate, threshold, p, k)
                    if value < best:
                        best, change = value, (p, k, level)
            if change is None:
                break
            now = best
            candidate[change[0]], threshold[change[0]] = change[1:]
            configs.append(ds.ExitConfig(candidate=candidate, threshold=threshold))
    return configs


def patience(records, exits, k):
    """(cost, accuracy) of leaving once k of these exits (flat indices, one a position) in a row agree."""
    costs, n = records.costs, records.n_samples
    heads = sum(float(costs.head[e]) for e in exits)
    total_cost = total_score = 0.0
    for i in range(n):
        score = float(records.score[-1, i])
        cost = float(costs.backbone[-1]) + float(costs.head[-1]) + heads
        answers = [int(records.prediction[e, i]) for e in exits]
        for j in range(k - 1, len(exits)):
            if len(set(answers[j - k + 1 : j + 1])) == 1:
                score = float(records.score[exits[j], i])
                cost = float(costs.backbone[costs.position[exits[j]]]) + sum(
                    float(costs.head[e]) for e in exits[: j + 1]
                )
                break
        total_cost += cost
        total_score += score
    return total_cost / n, total_score / n


def every_assignment(records, exits):
    """(cost, accuracy) of every way to send each sample to one of these exits, which costs its backbone and head."""
    costs, n = records.costs, records.n_samples
    paid = {e: float(costs.backbone[costs.position[e]]) + float(costs.head[e]) for e in exits}
    return [
        (sum(paid[e] for e in chosen) / n, sum(float(records.score[e, i]) for i, e in enumerate(chosen)) / n)
        for chosen in itertools.product(exits, repeat=n)
    ]


def paired_p_value(lost, gained, n, max_drop, alpha, share, steps=200):
    """Berger and Boos's p-value of lost - gained, by adding up every outcome, for many rates of discordant pairs."""
    spent = share * alpha
    differ = lost + gained
    limit = binomtest(differ, n, alternative="less").proportion_ci(1 - spent, method="exact").high
    worst = 0.0
    for rate in np.linspace(max_drop, limit, steps) if limit >= max_drop else []:
        plus, minus = (rate + max_drop) / 2, (rate - max_drop) / 2
        if plus + minus > 1:
            continue
        total = 0.0
        for up in range(n + 1):
            for down in range(n + 1 - up):
                if up - down <= lost - gained:
                    total += multinomial.pmf([up, down, n - up - down], n, [plus, minus, 1 - plus - minus])
        worst = max(worst, total)
    return min(1.0, spent + worst)


def betting_p_value(gain, worst, alpha, order, largest):
    """One gain after another: bet, see, learn."""
    wealth = richest = 1.0
    mean_sum, square_sum = 0.0, (worst / 2) ** 2
    for k, i in enumerate(order):
        variance = square_sum / (k + 1)
        bet = min(math.sqrt(2 * math.log(1 / alpha) / (len(order) * variance)), largest / -worst)
        wealth *= 1 + bet * gain[i]
        richest = max(richest, wealth)
        mean_sum += gain[i]
        square_sum += (gain[i] - mean_sum / (k + 2)) ** 2
    return 1 / richest


def certify(front, records, test):
    """Index of the last point of the front, from the dear end, before the first that fails the test; or None."""
    last = None
    for k in reversed(range(len(front))):
        outcomes = [leave(records, front[k].config, i) for i in range(records.n_samples)]
        if not test([score for _, score, _ in outcomes]):
            break
        last = k
    return last
