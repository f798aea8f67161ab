"""Synthetic records of any size, from a documented latent model.

They are no measurements. They have what makes the search hard on real ones: exits that are correlated along depth,
over-confident, and sometimes wrong where an earlier one was right ("overthinking").
"""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import whole
from dyce_search.errors import RecordsError
from dyce_search.records.costs import ExitCosts
from dyce_search.records.records import ExitRecords

FloatArray = npt.NDArray[np.float32]

MOST_SAMPLES = 1 << 30
FINAL_ACCURACY = 0.80
DRIFT = 0.25  # variance of what all exits of one depth share, an AR(1) process along depth
OWN = 0.10  # variance of what each exit has to itself
BLUR_DRIFT, BLUR_OWN = 0.85, 0.25  # the same of the noise between an exit's margin and its confidence
MEMORY = 0.95  # AR(1) coefficient
STRENGTH = ((0.10, 0.790, 1.45), (0.15, 0.792, 1.25), (0.20, 0.794, 1.10), (0.25, 0.796, 0.95), (0.30, 0.797, 0.85))
TYPES = ("linear", "mlp", "pointwise", "separable", "bottleneck")


def synthetic_records(n: int, positions: int = 50, types: int = 5, seed: int = 0) -> ExitRecords:
    """Records shaped like those of a ResNet-152 on ImageNet with exits after its bottlenecks.

    The model. Sample i has a difficulty d_i ~ N(0, 1). Exit e at depth p has the margin
    `m_ei = a_e - d_i + u_pi + v_ei` and is right where m_ei > 0; u is AR(1) along depth, v independent. The offset
    a_e is set so that the exit's accuracy is `lo + (hi - lo) * x ** beta` (plus a small jitter), x the share of the
    backbone's MACs that is done and (lo, hi, beta) the type's; the final exit has 0.80. The confidence is a sigmoid
    of the log-odds of being right given the margin seen through more such noise, scaled by about 1.35 and shifted by
    about 0.25: informative, but too sure. Large odds round to exactly 1 in float32, so there are ties.

    Args:
        n: number of samples, at least 1.
        positions: 1 to 50, spread over the 50 bottlenecks.
        types: 1 to 5 candidates per position, from cheap and weak to dear and strong.
        seed: of the samples and of the exits' jitter.

    Returns:
        Records with MACs of the real architecture (11.5 G), without labels. Memory: 8 bytes a sample and exit.

    Raises:
        RecordsError: a size out of range.

    Example:
        >>> synthetic_records(1000, positions=4, types=2, seed=1).n_exits
        9
    """
    n, seed = whole(n, "n", RecordsError, least=1, most=MOST_SAMPLES), whole(seed, "seed", RecordsError)
    positions = whole(positions, "positions", RecordsError, least=1, most=50)
    types = whole(types, "types", RecordsError, least=1, most=5)
    costs = _resnet152_costs(positions, types)
    network = np.random.default_rng([152, positions, types, seed])
    rng = np.random.default_rng([seed, n])

    def normal(variance: float) -> FloatArray:
        return np.float32(variance**0.5) * rng.standard_normal(n, dtype=np.float32)

    confidence = np.empty((costs.n_exits, n), np.float32)
    score = np.empty((costs.n_exits, n), np.float32)
    difficulty, drift, blur = normal(1), normal(DRIFT), normal(BLUR_DRIFT)
    innovation = 1 - MEMORY**2
    for p in range(positions + 1):
        if p:
            drift = np.float32(MEMORY) * drift + normal(DRIFT * innovation)
            blur = np.float32(MEMORY) * blur + normal(BLUR_DRIFT * innovation)
        done = costs.backbone[p] / costs.backbone[-1]
        for e in np.flatnonzero(costs.position == p):
            accuracy = FINAL_ACCURACY
            if p < positions:
                low, high, power = STRENGTH[TYPES.index(costs.names[e])]
                accuracy = min(max(low + (high - low) * done**power + network.normal(0, 0.004), 0.02), 0.97)
            offset = np.float32((1 + DRIFT + OWN) ** 0.5 * NormalDist().inv_cdf(accuracy))
            margin = offset - difficulty + drift + normal(OWN)
            score[e] = margin > 0
            seen = margin + blur + normal(BLUR_OWN)
            scale, shift = network.normal(1.35, 0.08), network.normal(0.25, 0.10)
            confidence[e] = _sureness(seen, float(offset), scale, shift)
    return ExitRecords(
        confidence=confidence,
        score=score,
        costs=costs,
        source=f"synthetic_records({n}, {positions}, {types}, {seed})",
    )


def _sureness(seen: FloatArray, offset: float, scale: float, shift: float) -> FloatArray:
    """Over-confident probability of being right, given the margin through noise.

    The posterior of the margin is normal; log-odds of Phi(z) are close to 1.5976 z + 0.070566 z^3 (Page 1977).
    """
    prior, noise = 1 + DRIFT + OWN, BLUR_DRIFT + BLUR_OWN
    deviation = (prior * noise / (prior + noise)) ** 0.5
    z = (np.float32(offset * noise) + np.float32(prior) * seen) / np.float32((prior + noise) * deviation)
    np.clip(z, -6, 6, out=z)
    odds = np.float32(scale) * (np.float32(1.5976) * z + np.float32(0.070566) * z**3) + np.float32(shift)
    sure: FloatArray = 1 / (1 + np.exp(-odds))
    return sure


def _resnet152_costs(positions: int, types: int) -> ExitCosts:
    """MACs of ResNet-152 at 224 px (He 2016; stride in the 3 x 3 convolution) and of heads of five kinds."""
    cumulative, channels, sides = [], [], []
    total, width_in, side = 7 * 7 * 3 * 64 * 112**2, 64, 56
    for stage, (blocks, width) in enumerate(((3, 64), (8, 128), (36, 256), (3, 512))):
        for block in range(blocks):
            side_out = side // 2 if stage and not block else side
            total += width_in * width * side**2 + (9 * width**2 + 4 * width**2) * side_out**2
            total += 0 if block else width_in * 4 * width * side_out**2
            width_in, side = 4 * width, side_out
            cumulative.append(total)
            channels.append(width_in)
            sides.append(side)
    spread = np.round(np.linspace(0, 49, positions)).astype(int) if positions > 1 else np.array([24])
    kinds = np.round(np.linspace(0, 4, types)).astype(int) if types > 1 else np.array([0])
    heads = [_head_macs(int(kind), channels[block]) for block in spread for kind in kinds]
    return ExitCosts(
        backbone=np.array([*(cumulative[block] for block in spread), total + width_in * 1000], np.float64),
        head=np.array([*heads, 0], np.float64),
        position=np.append(np.repeat(np.arange(positions), types), positions),
        names=(*([TYPES[kind] for kind in kinds] * positions), "final"),
    )


def _head_macs(kind: int, channels: int, classes: int = 1000) -> int:
    """Multiply-adds of a head on a feature map that is first pooled: to 1 x 1, or to 7 x 7 before convolutions."""
    area = 7 * 7
    return (
        channels * classes,
        channels * 512 + 512 * classes,
        area * channels * 512 + 512 * classes,
        area * (9 * channels + channels * 512 + 9 * 512 + 512 * 512) + 512 * classes,
        area * (channels * 256 + 2 * 9 * 256 * 256 + 256 * 1024) + 1024 * classes,
    )[kind]
