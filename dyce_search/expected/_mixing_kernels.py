"""The compiled loop over one exit's predictions."""

import numpy as np

from dyce_search.compiled import loop


@loop
def clipped_sum(predicted, shift):  # type: ignore[no-untyped-def]
    """The sum of predictions (N,) + shift, each clipped to [0, 1], and how many lie strictly inside."""
    total, inside = 0.0, 0
    for i in range(len(predicted)):
        value = np.float64(predicted[i]) + shift
        value = value if value > 0.0 else 0.0
        value = value if value < 1.0 else 1.0
        total += value
        inside += 0.0 < value < 1.0
    return total, inside
