"""The compiled loop that looks confidences up among those that were learned on."""

from dyce_search.compiled import loop


@loop
def look_up(confidence, values, scores, result):  # type: ignore[no-untyped-def]
    """Fills result (M,) float32 with the scores (2K + 1,) at and between K rising values; see `NormalRanks`."""
    for i in range(len(confidence)):
        at = confidence[i]
        first, size = 0, len(values)
        while size > 1:  # without a branch that the processor could guess wrongly
            half = size >> 1
            first += half * (values[first + half - 1] <= at)
            size -= half
        first += values[first] <= at  # the number of values <= at
        equal = first > 0 and values[first - 1] == at
        result[i] = scores[2 * first - 1] if equal else scores[2 * first]
