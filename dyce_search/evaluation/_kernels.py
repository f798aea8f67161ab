"""The compiled loop of `evaluate`: who leaves where, for many configurations at once."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from dyce_search.compiled import inlined, loop
from dyce_search.evaluation import config

leaves = inlined(config.leaves)

BLOCK = 8192  # samples at a time, so that the lists of those in flight stay in cache


class Charges(NamedTuple):
    """Costs that differ by sample, as the kernel takes them: backbone (P+1, N) and head (E, N), float32."""

    backbone: npt.NDArray[np.float32]
    head: npt.NDArray[np.float32]


class Configs(NamedTuple):
    """F configurations at P positions, sorted by rows.

    Attributes:
        exits: (F, P) int32, flat index of the enabled candidate at each position, -1 for none.
        threshold: (F, P) float32.
        alike: (F,) int64, up to which position each does as the one before it; P + 1 where it does so to the end.
    """

    exits: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    alike: npt.NDArray[np.int64]


class Sums(NamedTuple):
    """Over the samples that leave at each position, under F configurations.

    Attributes:
        left: (F, P+1) int64, how many they are.
        score: (F, P+1) float64, sums of their scores.
        cost: (F, P+1) float64, sums of what they pay; (0, 0) where it is the same for all.
        differ: (F, P+1) float64, sums of the differences from the final exit's scores; (0, 0) unless asked for.
    """

    left: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    cost: npt.NDArray[np.float64]
    differ: npt.NDArray[np.float64]


class Flight(NamedTuple):
    """Room to follow a block of samples through one configuration after the other, P positions.

    Attributes:
        samples: (P+1, BLOCK) int32, samples in flight; row 0 holds everybody, row p + 1 whom position p lets pass.
        row: (P+1,) int64, the row of those in flight before each position.
        size: (P+1,) int64, samples in each row.
        gone: (BLOCK,) int32, those that leave at the position at hand.
        paid: (P+1, BLOCK) float64, what those in `samples` have paid for heads; (0, 0) where costs do not differ.
        gone_paid: (BLOCK,) float64, what those in `gone` have; (0,) where costs do not differ.
    """

    samples: npt.NDArray[np.int32]
    row: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    gone: npt.NDArray[np.int32]
    paid: npt.NDArray[np.float64]
    gone_paid: npt.NDArray[np.float64]

    @classmethod
    def of(cls, n_positions: int, by_sample: bool) -> Self:
        """For so many positions, with or without costs by sample."""
        return cls(
            samples=np.empty((n_positions + 1, BLOCK), np.int32),
            row=np.zeros(n_positions + 1, np.int64),
            size=np.zeros(n_positions + 1, np.int64),
            gone=np.empty(BLOCK, np.int32),
            paid=np.zeros((n_positions + 1, BLOCK) if by_sample else (0, 0)),
            gone_paid=np.empty(BLOCK if by_sample else 0),
        )


@loop
def leave_counts(confidence, score, observed, charges, configs, first, stop, flight, sums):  # type: ignore[no-untyped-def]
    """Adds samples to the `Sums` of the configurations first .. stop - 1, which may hold those of others before them.

    Where there are `charges`, it adds to the sums of costs; where they are None, that is compiled away. Where
    `sums.differ` has room, it adds to the sums of differences between the scores `observed`, (E, N) float32.

    Neighbours among the configurations share the work up to where they part: `flight.samples` keeps the samples still
    in flight before each position. Only those are touched. Scores are added up one by one in the order of the samples,
    so sums equal those of a plain loop to the bit; so are costs.
    """
    samples, row, size, gone, paid = flight.samples, flight.row, flight.size, flight.gone, flight.paid
    exits, threshold = configs.exits, configs.threshold
    n_samples, n_positions, final = confidence.shape[1], exits.shape[1], confidence.shape[0] - 1
    differing = len(sums.differ) > 0
    for start in range(0, n_samples, BLOCK):
        size[0] = BLOCK if n_samples - start > BLOCK else n_samples - start
        for j in range(size[0]):
            samples[0, j] = start + j
        for f in range(first, stop):
            alike = configs.alike[f] if f > first else 0
            for q in range(alike):
                sums.left[f, q], sums.score[f, q] = sums.left[f - 1, q], sums.score[f - 1, q]
                if differing:
                    sums.differ[f, q] = sums.differ[f - 1, q]
                if charges is not None:
                    sums.cost[f, q] = sums.cost[f - 1, q]
            for q in range(alike, n_positions + 1):
                e = exits[f, q] if q < n_positions else final
                source = row[q]
                out, left = gone, 0
                if q == n_positions:
                    out, left = samples[source], size[source]
                elif e >= 0 and size[source] > 0:
                    limit = threshold[f, q]
                    stay = 0
                    for j in range(size[source]):
                        i = samples[source, j]
                        leaving = leaves(confidence[e, i], limit)
                        if charges is not None:
                            heads = paid[source, j] + charges.head[e, i]
                            paid[q + 1, stay] = heads
                            flight.gone_paid[left] = heads
                        samples[q + 1, stay] = i
                        gone[left] = i
                        left += leaving
                        stay += not leaving
                    source = q + 1
                    size[source] = stay
                if q < n_positions:
                    row[q + 1] = source
                if left == 0:
                    continue
                sums.left[f, q] += left
                total = sums.score[f, q]
                for j in range(left):
                    total += score[e, out[j]]
                sums.score[f, q] = total
                if differing and q < n_positions:
                    differ = sums.differ[f, q]
                    for j in range(left):
                        differ += abs(observed[e, out[j]] - observed[final, out[j]])
                    sums.differ[f, q] = differ
                if charges is not None:
                    cost = sums.cost[f, q]
                    for j in range(left):
                        i = out[j]
                        if q < n_positions:
                            cost += charges.backbone[q, i] + flight.gone_paid[j]
                        else:
                            cost += charges.backbone[q, i] + paid[source, j] + charges.head[e, i]
                    sums.cost[f, q] = cost
