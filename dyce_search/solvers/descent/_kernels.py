"""The compiled loops of coordinate descent: one descent that archives every threshold it prices, and its polish."""

import numpy as np
from numba import njit

from dyce_search.evaluation import config
from dyce_search.solvers.descent._ranks import between

leaves = njit(inline="always")(config.leaves)

LEAST_GAIN = 1e-11  # of J; below this a change is rounding, and could go on for ever


@njit(nogil=True, cache=True)
def scan(  # type: ignore[no-untyped-def]
    histogram, score_histogram, top, low, step, change, score_change, rest_score, rest_cost, gain, price, curb, goal,
    shift, best, exits, cuts, p, e, best_score, best_cost, best_exits, best_cuts, bucket_low, bucket_scale,
):  # fmt: skip
    """Prices the cuts low + step * b for b = top .. 0, offers each to the archive, and empties the histogram.

    Args: as in `descend`; `change` and `score_change` are what the samples above the bin `top` change by leaving.

    Returns:
        J of the best cut if it is below `best`, else `best`; the cut; `change` and `score_change` above its bin.
    """
    n_buckets = len(best_score)
    low_bits = (np.int64(1) << shift) - 1
    half = np.int64(1) << (shift - 1)
    best_cut, change_above, score_above = 0, change, score_change
    for b in range(top, -1, -1):
        here = histogram[b]
        if here == 0 and (score_histogram is None or score_histogram[b] == 0.0):
            continue
        before, score_before = change, score_change
        change += here
        histogram[b] = 0
        low_part = change & low_bits
        if low_part >= half:
            low_part -= low_bits + 1
        if score_histogram is None:
            sum_score = rest_score + low_part
        else:
            score_change += score_histogram[b]
            score_histogram[b] = 0.0
            sum_score = rest_score + score_change
        sum_cost = rest_cost + ((change - low_part) >> shift)
        priced = price * sum_cost - gain * sum_score + curb * (sum_cost - goal) ** 2
        cut = low + step * b
        if priced < best:
            best, best_cut, change_above, score_above = priced, cut, before, score_before
        bucket = int((sum_cost - bucket_low) * bucket_scale)
        if 0 <= bucket < n_buckets and (
            sum_score > best_score[bucket] or (sum_score == best_score[bucket] and sum_cost < best_cost[bucket])
        ):
            best_score[bucket], best_cost[bucket] = sum_score, sum_cost
            for q in range(len(exits)):
                best_exits[bucket, q] = exits[q]
                best_cuts[bucket, q] = cuts[q]
            best_exits[bucket, p] = e
            best_cuts[bucket, p] = cut
    return best, best_cut, change_above, score_above


@njit(nogil=True, cache=True)
def descend(  # type: ignore[no-untyped-def]
    codes, coarse, score, first, backbone, head, gain, price, curb, goal, exits, cuts, max_sweeps, max_lines,
    best_score, best_cost, best_exits, best_cuts, bucket_low, bucket_scale, shift,
):  # fmt: skip
    """Coordinate descent on J = price * cost - gain * score + curb * (cost - goal)^2, from exits and cuts, in place.

    Cost and score are sums over the samples.

    Each sweep goes from the last position to the first. There, with the rest fixed, a sample that arrives either
    leaves, or goes on to a known outcome. Histograms over bins of what leaving changes, added up from the surest bin
    down, price every threshold of every candidate; each price goes to the archive. Costs are whole numbers, so that
    sums are exact in any order; a cost and a 0/1 score share one 64-bit number, score in the lower `shift` bits.

    Args:
        codes: (E, N) uint16, see `encode`.
        coarse: lines price every 2^coarse-th cut, then all cuts around the best one.
        score: (E, N) float32, or None where scores are 0/1 and the codes hold them.
        first: (P+1,) first candidate of each position, then the final exit.
        backbone: (P+1,) int64; head: (E,) int64.
        gain: of one unit of score; price: of one unit of cost; curb: on the distance from the cost `goal`.
        exits: (P,) int32, -1 for none; cuts: (P,) int32, the first bin that leaves.
        max_sweeps: limit; max_lines: limit of lines (one candidate, priced at all its thresholds).
        best_score: (K,) archive: the best sum of scores in each bucket of cost; best_cost: (K,) int64, its sum of
            costs; best_exits: (K, P) int16 and best_cuts: (K, P) uint16, its configuration.
        bucket_low: sum of costs where bucket 0 starts; bucket_scale: buckets per unit of it.
        shift: bits for a sum of scores, its sign included.

    Returns:
        J, number of lines.
    """
    n = codes.shape[1]
    n_positions = len(first) - 1
    final = codes.shape[0] - 1
    low_bits = (np.int64(1) << shift) - 1
    half = np.int64(1) << (shift - 1)
    flight = np.empty((n_positions + 1, n), np.int32)  # row 0: all samples; row l: those that l exits let pass; rising
    size = np.empty(n_positions + 1, np.int64)
    level = np.empty(n_positions + 1, np.int64)  # the row of those that arrive at a position
    went = np.empty(n, np.uint16)  # what going on leads to: 2 * position + (right)
    went_score = np.empty(n if score is not None else 0, np.float32)
    change = np.empty(n, np.int64)  # what leaving changes, per arriving sample, but for its score here
    score_change = np.empty(n if score is not None else 0, np.float64)
    table = np.zeros(2 * n_positions + 2, np.int64)
    go_cost = np.empty(n_positions + 1, np.int64)  # what is paid when going on ends at a position, heads before not
    left_score = np.zeros(n_positions + 1)  # sums over the samples that left before a position
    left_cost = np.zeros(n_positions + 1, np.int64)
    heads_before = np.zeros(n_positions + 1, np.int64)
    wide = coarse + 1
    histogram = np.zeros(1 << 15, np.int64)
    score_histogram = None if score is None else np.zeros(1 << 15)
    lines = 0
    value = np.inf
    settled = -1  # the last position that changed: when a sweep comes back to it unchanged, no change helps
    for _sweep in range(max_sweeps):
        for i in range(n):
            flight[0, i] = i
        size[0] = n
        level[0] = 0
        for p in range(n_positions):
            e = exits[p]
            here = flight[level[p]]
            m = size[level[p]]
            left_score[p + 1], left_cost[p + 1] = left_score[p], left_cost[p]
            heads_before[p + 1] = heads_before[p]
            level[p + 1] = level[p]
            if e < 0 or m == 0:
                continue
            level[p + 1] += 1
            heads_before[p + 1] += head[e]
            limit = 2 * cuts[p]
            row = codes[e]
            on = flight[level[p + 1]]
            stay = 0
            total = 0.0
            for j in range(m):
                i = here[j]
                c = row[i]
                out = c >= limit
                on[stay] = i
                stay += not out
                if score is None:
                    total += out * (c & 1)
                elif out:
                    total += score[e, i]
            size[level[p + 1]] = stay
            left_score[p + 1] += total
            left_cost[p + 1] += (m - stay) * (backbone[p] + heads_before[p + 1])
        here = flight[level[n_positions]]
        m = size[level[n_positions]]
        value = 0.0
        for j in range(m):
            value += np.float64(codes[final, here[j]] & 1) if score is None else score[final, here[j]]
        go_cost[n_positions] = backbone[n_positions] + head[final]
        rest_cost = left_cost[n_positions] + m * (go_cost[n_positions] + heads_before[n_positions])
        value = price * rest_cost - gain * (left_score[n_positions] + value) + curb * (rest_cost - goal) ** 2
        for i in range(n):
            went[i] = 2 * n_positions + (codes[final, i] & 1)
            if score is not None:
                went_score[i] = score[final, i]
        changed = -1
        for p in range(n_positions - 1, -1, -1):
            if p == settled and changed < 0:
                return value, lines
            here = flight[level[p]]
            m = size[level[p]]
            if m == 0:
                exits[p] = -1  # nobody comes here: an exit would do nothing
                continue
            if lines + first[p + 1] - first[p] > max_lines:
                return value, lines
            for k in range(p + 1, n_positions + 1):
                table[2 * k] = (backbone[p] - go_cost[k]) << shift
                table[2 * k + 1] = table[2 * k] - 1
            onward = np.int64(0)
            onward_score = 0.0
            for j in range(m):
                i = here[j]
                v = went[i]
                if score is None:
                    change[j] = table[v]
                else:
                    change[j] = table[v & ~1]
                    score_change[j] = went_score[i]
                    onward_score += went_score[i]
                onward += change[j]
            step = onward & low_bits
            if step >= half:
                step -= low_bits + 1
            rest_cost = left_cost[p] + m * (heads_before[p] + backbone[p]) - ((onward - step) >> shift)
            rest_score = left_score[p] + onward_score - step
            none_value = price * rest_cost - gain * rest_score + curb * (rest_cost - goal) ** 2
            best, best_exit, best_cut = none_value, -1, 0
            above = np.int64(0), 0.0  # what the samples change that leave above the best cut's bin
            for e in range(first[p], first[p + 1]):
                lines += 1
                row = codes[e]
                top = 0
                if score is not None:
                    for j in range(m):
                        i = here[j]
                        b = row[i] >> wide
                        histogram[b] += change[j]
                        score_histogram[b] += score[e, i] - score_change[j]
                        top = max(top, b)
                elif m == n:
                    for i in range(n):
                        c = row[i]
                        histogram[c >> wide] += change[i] + (c & 1)
                        top = max(top, c)
                    top >>= wide
                else:
                    for j in range(m):
                        c = row[here[j]]
                        histogram[c >> wide] += change[j] + (c & 1)
                        top = max(top, c)
                    top >>= wide
                found, cut, change_above, score_above = scan(
                    histogram, score_histogram, top, 0, 1 << coarse, np.int64(0), 0.0, rest_score,
                    rest_cost + m * head[e], gain, price, curb, goal, shift, best, exits, cuts, p, e,
                    best_score, best_cost, best_exits, best_cuts, bucket_low, bucket_scale,
                )  # fmt: skip
                if found < best:
                    best, best_exit, best_cut = found, e, cut
                    above = change_above, score_above
            if best_exit >= 0 and coarse > 0:  # the same in single bins, around the best cut
                low = max(best_cut - (1 << coarse), 0)
                top = best_cut + (1 << coarse) - 1 - low
                row = codes[best_exit]
                for j in range(m):
                    i = here[j]
                    b = np.int64(row[i] >> 1) - low
                    if 0 <= b <= top:
                        if score is None:
                            histogram[b] += change[j] + (row[i] & 1)
                        else:
                            histogram[b] += change[j]
                            score_histogram[b] += score[best_exit, i] - score_change[j]
                found, cut, change_above, score_above = scan(
                    histogram, score_histogram, top, low, 1, above[0], above[1], rest_score,
                    rest_cost + m * head[best_exit], gain, price, curb, goal, shift, best, exits, cuts, p, best_exit,
                    best_score, best_cost, best_exits, best_cuts, bucket_low, bucket_scale,
                )  # fmt: skip
                if found < best:
                    best, best_cut = found, cut
            if best < value - LEAST_GAIN:
                changed = p
                value = best
                exits[p], cuts[p] = best_exit, best_cut
            elif exits[p] >= 0 and none_value <= value + LEAST_GAIN:
                changed = p
                value = none_value
                exits[p] = -1
            e = exits[p]
            if e >= 0:
                for k in range(p + 1, n_positions + 1):
                    go_cost[k] += head[e]
                go_cost[p] = backbone[p] + head[e]
                limit = 2 * cuts[p]
                row = codes[e]
                for i in range(n):
                    c = row[i]
                    went[i] = 2 * p + (c & 1) if c >= limit else went[i]
                if score is not None:
                    for i in range(n):
                        went_score[i] = score[e, i] if row[i] >= limit else went_score[i]
        if changed < 0:
            break
        settled = changed
    return value, lines


@njit(nogil=True, cache=True)
def goes_on(confidence, score, backbone, head, exits, threshold, i, p, heads):  # type: ignore[no-untyped-def]
    """Score and cost of sample i when it does not leave at position p, having paid for `heads`."""
    for q in range(p + 1, len(exits)):
        e = exits[q]
        if e >= 0:
            heads += head[e]
            if leaves(confidence[e, i], threshold[q]):
                return score[e, i], backbone[q] + heads
    final = len(head) - 1
    return score[final, i], backbone[len(exits)] + head[final] + heads


@njit(nogil=True, cache=True)
def polish(  # type: ignore[no-untyped-def]
    confidence, score, codes, edges, backbone, head, gain, price, curb, goal, exits, cuts, threshold,
):  # fmt: skip
    """Moves each threshold (P,) to the best place within the two bins around its cut, in the true order of samples.

    From the last position to the first, with the rest fixed. Only samples that arrive and lie in these bins can
    change sides, so only they are priced. Arguments as in `descend`, but for score (E, N) float32 in any case.
    """
    n = confidence.shape[1]
    n_positions = len(exits)
    heads_before = np.zeros(n_positions + 1, np.int64)
    near = np.empty(4 * n, np.int32)
    start = np.zeros(n_positions + 1, np.int64)  # near[start[p]:start[p + 1]]: those near the cut at p
    here = np.arange(n).astype(np.int32)
    m = n
    total_score, total_cost = 0.0, np.int64(0)
    for p in range(n_positions):
        e = exits[p]
        heads_before[p + 1] = heads_before[p]
        start[p + 1] = start[p]
        if e < 0:
            continue
        heads_before[p + 1] += head[e]
        stay = 0
        for j in range(m):
            i = here[j]
            b = codes[e, i] >> 1
            if b >= cuts[p]:
                total_score += score[e, i]
            else:
                here[stay] = i
                stay += 1
            if cuts[p] - 1 <= b <= cuts[p] and start[p + 1] < len(near):
                near[start[p + 1]] = i
                start[p + 1] += 1
        total_cost += (m - stay) * (backbone[p] + heads_before[p + 1])
        m = stay
        if start[p + 1] == len(near):  # most samples tie: their thresholds stay at the bounds of the bins
            start[p + 1] = start[p]
    for j in range(m):
        total_score += score[len(head) - 1, here[j]]
    total_cost += m * (backbone[n_positions] + head[len(head) - 1] + heads_before[n_positions])
    for p in range(n_positions - 1, -1, -1):
        e = exits[p]
        found = start[p + 1] - start[p]
        if found == 0:
            continue
        order = near[start[p] : start[p + 1]]
        order = order[np.argsort(-confidence[e][order])]
        paid = backbone[p] + heads_before[p + 1]
        gained, saved = np.empty(found), np.empty(found, np.int64)  # what leaving changes
        for j in range(found):
            i = order[j]
            on_score, on_cost = goes_on(confidence, score, backbone, head, exits, threshold, i, p, heads_before[p + 1])
            gained[j], saved[j] = score[e, i] - on_score, paid - on_cost
            if codes[e, i] >> 1 == cuts[p]:
                total_score -= gained[j]
                total_cost -= saved[j]
        best, best_score, best_cost = np.inf, 0.0, np.int64(0)
        for j in range(found + 1):
            if j > 0:
                total_score += gained[j - 1]
                total_cost += saved[j - 1]
            if j == 0:
                level = edges[e, cuts[p] + 1] if cuts[p] + 1 < edges.shape[1] else np.float32(np.inf)
            elif j == found:
                level = edges[e, cuts[p] - 1] if cuts[p] > 0 else np.float32(-np.inf)
            elif confidence[e, order[j]] == confidence[e, order[j - 1]]:
                continue
            else:
                level = between(confidence[e, order[j]], confidence[e, order[j - 1]])
            priced = price * total_cost - gain * total_score + curb * (total_cost - goal) ** 2
            if priced < best - LEAST_GAIN:
                best, best_score, best_cost = priced, total_score, total_cost
                threshold[p] = level
        total_score, total_cost = best_score, best_cost
