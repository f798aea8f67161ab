"""The compiled loop of `SampleLimit.held`: the least confidence at each exit that has to leave there."""

import numpy as np

from dyce_search.compiled import inlined, loop
from dyce_search.evaluation import config

leaves = inlined(config.leaves)


@loop
def hold(confidence, charges, exits, threshold, first, stop, most, spare, level):  # type: ignore[no-untyped-def]
    """Fills level (F, P) for the configurations first .. stop - 1: -inf lets everybody leave, NaN changes nothing.

    At each exit, who arrives and cannot afford the next one has to leave. Of these, up to `spare` in all may go on that
    could leave here within the limit, the least sure first.
    """
    n_positions, n = exits.shape[1], confidence.shape[1]
    flight, stuck = np.empty(n, np.int64), np.empty(n, np.float32)
    heads = np.empty(n, np.float64)
    for f in range(first, stop):
        going, left, is_first = n, spare, True
        for i in range(n):
            flight[i] = i
            heads[i] = 0.0
        for p in range(n_positions):
            e = exits[f, p]
            if e < 0 or going == 0:
                continue
            q = p + 1
            while q < n_positions and exits[f, q] < 0:
                q += 1
            following = exits[f, q] if q < n_positions else confidence.shape[0] - 1
            n_stuck, n_free = 0, 0
            for j in range(going):
                i = flight[j]
                heads[i] += np.float64(charges.head[e, i])
                if charges.backbone[q, i] + heads[i] + charges.head[following, i] <= most:
                    n_free += 1
                elif charges.backbone[p, i] + heads[i] <= most:
                    stuck[n_stuck] = confidence[e, i]
                    n_stuck += 1
                else:  # it was let go on before, or cannot afford the first exit
                    n_free += 1
                    left -= is_first
            is_first = False
            limit = threshold[f, p]
            if n_stuck > 0:
                sure = np.sort(stuck[:n_stuck])
                skipped = 0
                while skipped < n_stuck and skipped < left and not leaves(sure[skipped], limit):
                    skipped += 1
                if skipped < n_stuck and not leaves(sure[skipped], limit):
                    if n_free == 0 and skipped == 0:
                        level[f, p] = -np.inf
                        limit = np.float32(-np.inf)
                    else:  # those that tie with it leave too
                        level[f, p] = sure[skipped]
                        while skipped > 0 and sure[skipped - 1] == level[f, p]:
                            skipped -= 1
                        limit = np.nextafter(level[f, p], np.float32(-np.inf))
                left -= skipped
            stay = 0
            for j in range(going):
                i = flight[j]
                flight[stay] = i
                stay += not leaves(confidence[e, i], limit)
            going = stay
