"""How much work coordinate descent does."""

from dataclasses import dataclass

FEW = 10_000  # samples below which a sweep costs so little that there may be more of them (0: -1.7 on 2,500)
MANY_EXITS = 40  # below which fewer kicks will do (as many on 7 and 17 exits: +0.2 and +0.7, time x3.2 and x1.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much work an effort means.

    Attributes:
        cold: descents from "no exits".
        passes: single sweeps from points of the front; up to twice as many on fewer than FEW samples.
        kicks: most of the passes that come on top, after a kick; proportionally fewer on fewer than MANY_EXITS exits.
        samples: kicks = passes * (samples / number of samples)^6, up to `kicks`: they cost little on few samples.
        focus: rounds around the point that the user asks for.
        bins: thresholds that a line prices first, about; then all around the best one.
    """

    cold: int
    passes: int
    kicks: int
    samples: float
    focus: int
    bins: int

    def n_passes(self, n_samples: int) -> int:
        """Single sweeps on so many samples."""
        return round(self.passes * min(max(FEW / n_samples, 1.0), 2.0))

    def n_kicks(self, n_samples: int, n_exits: int) -> int:
        """Kicks on so many samples and exits."""
        most = self.kicks * min(1.0, n_exits / MANY_EXITS)
        return round(min(most, self.passes * (self.samples / n_samples) ** 6))


EFFORTS = {
    "fast": Effort(cold=12, passes=16, kicks=0, samples=0, focus=2, bins=512),
    "default": Effort(cold=20, passes=208, kicks=2_000, samples=8_000, focus=4, bins=512),
    "high": Effort(cold=40, passes=400, kicks=20_000, samples=29_000, focus=16, bins=4096),
}
