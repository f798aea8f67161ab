"""The compiled loops that move thresholds from the bounds of bins to the best place in the true order of samples."""

import numpy as np

from dyce_search.compiled import inlined, loop, part
from dyce_search.evaluation import config
from dyce_search.solvers.descent._lines import LEAST_GAIN, backbone_of, head_of, value_of
from dyce_search.solvers.descent._ranks import between

leaves = inlined(config.leaves)


@loop
def polish(confidence, score, coded, costs, edges, objective, choice, threshold):  # type: ignore[no-untyped-def]
    """Moves each threshold (P,) to the best place within the two bins around its cut.

    From the last position to the first, with the rest fixed. Only samples that arrive and lie in these bins can
    change sides, so only they are priced.

    Args:
        confidence: (E, N) float32.
        score: (E, N) float32, also where scores are 0/1.
        coded: `Coded`, the same records.
        costs: `WholeCosts` of each sample, or None where they are the same for all.
        edges: (E, B) float32, see `encode`.
        objective: `Objective`.
        choice: `Choice`.
        threshold: (P,) float32, of its cuts; changes in place.
    """
    near, start, total_score, total_cost = near_cuts(coded, costs, score, choice)
    for p in range(len(threshold) - 1, -1, -1):
        found = near[start[p] : start[p + 1]]
        if len(found) == 0:
            continue
        e, cut = np.int64(choice.exits[p]), choice.cuts[p]
        order = found[np.argsort(-confidence[e][found])]
        gained, added = np.empty(len(order)), np.empty(len(order), np.int64)  # what leaving changes
        for j in range(len(order)):
            i = np.int64(order[j])
            on_score, on_cost = goes_on(confidence, score, coded, costs, choice.exits, threshold, i, p)
            gained[j], added[j] = score[e, i] - on_score, backbone_of(coded, costs, p, i) - on_cost
            if coded.codes[e, i] >> 1 == cut:
                total_score -= gained[j]
                total_cost -= added[j]
        threshold[p], total_score, total_cost = best_level(
            confidence[e][order], edges[e], cut, gained, added, total_score, total_cost, objective
        )


@part
def near_cuts(coded, costs, score, choice):  # type: ignore[no-untyped-def]
    """The samples that arrive at an exit in the two bins around its cut.

    Returns:
        near; start (P+1,): near[start[p]:start[p + 1]] are those at position p; sums of score and cost of the choice.
    """
    exits, cuts = choice.exits, choice.cuts
    n_positions, n = len(exits), coded.codes.shape[1]
    near = np.empty(4 * n, np.int32)
    start = np.zeros(n_positions + 1, np.int64)
    here = np.arange(n).astype(np.int32)
    m = n
    total_score, total_cost = 0.0, np.int64(0)
    for p in range(n_positions):
        e = np.int64(exits[p])
        start[p + 1] = start[p]
        if e < 0:
            continue
        stay = 0
        for j in range(m):
            i = np.int64(here[j])
            b = coded.codes[e, i] >> 1
            total_cost += head_of(coded, costs, e, i)
            if b >= cuts[p]:
                total_score += score[e, i]
                total_cost += backbone_of(coded, costs, p, i)
            else:
                here[stay] = i
                stay += 1
            if cuts[p] - 1 <= b <= cuts[p] and start[p + 1] < len(near):
                near[start[p + 1]] = i
                start[p + 1] += 1
        m = stay
        if start[p + 1] == len(near):  # most samples tie: their thresholds stay at the bounds of the bins
            start[p + 1] = start[p]
    final = len(coded.codes) - 1
    for j in range(m):
        i = np.int64(here[j])
        total_score += score[final, i]
        total_cost += backbone_of(coded, costs, n_positions, i) + head_of(coded, costs, final, i)
    return near, start, total_score, total_cost


@part
def goes_on(confidence, score, coded, costs, exits, threshold, i, p):  # type: ignore[no-untyped-def]
    """Score of sample i when it does not leave at position p, and what it pays, but for the heads up to there."""
    heads = np.int64(0)
    for q in range(p + 1, len(exits)):
        e = np.int64(exits[q])
        if e >= 0:
            heads += head_of(coded, costs, e, i)
            if leaves(confidence[e, i], threshold[q]):
                return score[e, i], backbone_of(coded, costs, q, i) + heads
    final = len(coded.codes) - 1
    last = backbone_of(coded, costs, len(exits), i) + head_of(coded, costs, final, i)
    return score[final, i], last + heads


@part
def best_level(confidence, edges, cut, gained, added, score, cost, objective):  # type: ignore[no-untyped-def]
    """The best threshold of one exit among those near its cut, and the sums of score and cost with it.

    Args:
        confidence: (M,) of the samples near the cut, falling.
        edges: (B,) of the exit.
        cut: the first bin that leaves.
        gained: (M,) what leaving adds to each one's score.
        added: (M,) int64, and to its cost.
        score: sum of scores when none of them leaves.
        cost: sum of costs then.
        objective: `Objective`.
    """
    m = len(confidence)
    best, at, best_score, best_cost = np.inf, np.float32(0), 0.0, np.int64(0)
    for j in range(m + 1):
        if j > 0:
            score += gained[j - 1]
            cost += added[j - 1]
        if j == 0:
            level = edges[cut + 1] if cut + 1 < len(edges) else np.float32(np.inf)
        elif j == m:
            level = edges[cut - 1] if cut > 0 else np.float32(-np.inf)
        elif confidence[j] == confidence[j - 1]:
            continue
        else:
            level = between(confidence[j], confidence[j - 1])
        priced = value_of(objective, 1.0, (score, cost))
        if priced < best - LEAST_GAIN:
            best, at, best_score, best_cost = priced, level, score, cost
    return at, best_score, best_cost
