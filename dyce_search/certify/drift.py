"""Does a promise still hold? Watching a configuration while it serves."""

import math
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import function, real, require_type
from dyce_search.arrays import numbers, whole_numbers
from dyce_search.certify.certificate import CertifiedLimit, CertifiedPoint, baseline_cost, require_its_costs
from dyce_search.certify.watched import Watched, exact_interval, ranks_among, upper_mean
from dyce_search.errors import FrontError, RecordsError
from dyce_search.evaluation.curve import OperatingPoint
from dyce_search.evaluation.limits import LIMITS
from dyce_search.evaluation.outcomes import Outcomes, outcomes, prices
from dyce_search.records.records import ExitRecords, require_records
from dyce_search.records.sample_costs import differing
from dyce_search.wording import line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
State = Literal["ok", "cost drifted", "promise broken"]
MOST_HISTORY = 4096  # looks that are kept for the plot; of more, every second one
PROMISES = ("max_accuracy_drop", "min_accuracy")  # that scores can break


class DriftMonitor:
    """Watches whether what a point promised still holds, on what it serves. NumPy alone; safe in any thread.

    Two questions, each answered by betting (Waudby-Smith and Ramdas 2023, arXiv 2010.09686; Shekhar and Ramdas 2023,
    arXiv 2309.09111), so that it may be looked at after every batch, for ever:

    - Without labels: do as many samples leave at each exit, at the same mean cost, as surely as on the calibration
      records? What so many records do not tell exactly, their confidence intervals leave open. An alarm says "cost
      drifted": the inputs are others than those that the promise is about.
    - With scores of some samples: is the drop, or the accuracy, within the limit? An alarm says "promise broken".

    If nothing has changed, and samples are drawn independently, it gives an alarm in all its life with probability
    `alpha` at most, half of that for each question.

    Attributes:
        config: that is served.
        state: "ok", "cost drifted" or "promise broken". It only gets worse; for a new start make a new monitor.
        alpha: probability of a false alarm.

    Args:
        point: what is served, certified or not.
        calibration: records that it was certified or measured on, of the same layout.
        max_accuracy_drop: the promise, where the point has no certificate that makes one; absolute, in (0, 1).
        alpha: in (0, 1).
        on_alarm: called with the monitor whenever its state has got worse, say to switch to a safer point. Exceptions
            that it raises pass through `update`.

    Raises:
        FrontError: no point; an alpha or a limit out of range.
        RecordsError: calibration that is no records.
        ConfigError: records of other exits or confidences.
        CostsError: a certified limit on cost, and costs in another unit than the certificate's.

    Example:
        >>> import dyce_search as ds
        >>> records, later = ds.load_example(), ds.load_example("test")
        >>> front = ds.search(records, effort="fast")
        >>> monitor = ds.DriftMonitor(front.select(max_accuracy_drop=0.01), records)
        >>> monitor.update(ds.evaluate(later, monitor.config, per_sample=True).exit_position)
        'ok'
    """

    def __init__(
        self,
        point: OperatingPoint,
        calibration: ExitRecords,
        *,
        max_accuracy_drop: float | None = None,
        alpha: float = 0.05,
        on_alarm: Callable[["DriftMonitor"], Any] | None = None,
    ) -> None:
        """See the class."""
        require_type(point, OperatingPoint, "point", FrontError)
        require_records(calibration, "calibration")
        hint = "at 0.05 one monitor in twenty errs, ever"
        self.alpha = real(alpha, "alpha", FrontError, "lie in (0, 1)", lambda value: 0 < value < 1, hint=hint)
        if on_alarm is not None:
            function(on_alarm, "on_alarm", FrontError)
        if isinstance(point, CertifiedPoint):
            require_its_costs(point, calibration, "the calibration records", stacklevel=3)
        self.config, self.on_alarm = point.config, on_alarm
        self.state: State = "ok"
        self._promised = _promises(point, max_accuracy_drop)
        exits = self.config.exits(calibration.layout, "the calibration records")
        found = outcomes(calibration, exits, self.config.threshold)
        self._by_sample = differing(calibration.sample_costs) is not None
        self._paid = prices(calibration.costs, exits[None])[0]
        self._places = np.append(np.flatnonzero(exits >= 0), len(exits))
        taken = np.append(exits, len(calibration.confidence) - 1)
        self._known = {int(p): np.sort(calibration.confidence[taken[p], found.position == p]) for p in self._places}
        self._watched = self._unlabelled(point, calibration, found)
        self._lock = threading.Lock()
        self._history: list[tuple[int, int, float, float]] = []

    def __repr__(self) -> str:
        """One line: its state and what it watches."""
        promised = ", ".join(self._promised) or "nothing about accuracy"
        return line("DriftMonitor", self.state, f"promised: {promised}", f"alpha {self.alpha:g}", repr(self.config))

    def _unlabelled(self, point: OperatingPoint, calibration: ExitRecords, found: Outcomes) -> dict[str, list[Watched]]:
        """What is watched without labels, in three kinds that share the stake evenly."""
        error = self.alpha / 4 / (4 * len(self._places) + 1)  # of each interval's each end
        n = calibration.n_samples
        shares, surety = [], []
        for p, known in self._known.items():
            who = "the final exit" if p == len(self._paid) - 1 else f"position {p}"
            low, high = exact_interval(len(known), n, error)
            shares.append(Watched(what=f"share that leaves at {who}", low=low, high=high, least=0, most=1))
            near = math.sqrt(math.log(1 / error) / (2 * max(len(known), 1)))  # of Dvoretzky, Kiefer, Wolfowitz, Massart
            surety.append(
                Watched(what=f"rank of confidence at {who}", low=0.5 - near, high=0.5 + near, least=0, most=1)
            )
        return {"share": shares, "cost": [self._cost(point, calibration, found, error)], "confidence": surety}

    def _cost(self, point: OperatingPoint, calibration: ExitRecords, found: Outcomes, error: float) -> Watched:
        """The mean cost: what is certified, else what the calibration tells at most."""
        most = float(self._paid.max())
        if self._by_sample and calibration.sample_costs is not None:
            exits = self.config.exits(calibration.layout)
            most = float(prices(calibration.sample_costs.most, exits[None])[0].max())
        limits = {limit.name: limit.limit for limit in _certified(point)}
        if "max_cost" in limits:
            high = limits["max_cost"]
        elif "max_relative_cost" in limits:
            whole = calibration.costs.baseline
            if isinstance(point, CertifiedPoint) and point.certificate.baseline is not None:
                whole = baseline_cost(point, whole)  # of another model than the last of these
            high = limits["max_relative_cost"] * whole
        else:
            high = upper_mean(found.cost, most, error)
        return Watched(what=f"mean cost, {calibration.costs.unit}", low=None, high=high, least=0, most=most)

    def update(
        self, position: npt.ArrayLike, confidence: npt.ArrayLike | None = None, *, cost: npt.ArrayLike | None = None
    ) -> State:
        """Takes note of samples that were served.

        Args:
            position: (M,) integers, where each left, P for the final exit.
            confidence: (M,) of the exits where they left.
            cost: (M,) what each has cost; needed where costs differ by sample, else known from the position.

        Returns:
            The state.

        Raises:
            RecordsError: lengths that differ, numbers that are not finite, a position at which this configuration has
                no exit, costs that are missing or above the most that was said to be possible.
        """
        where = whole_numbers(position, "position", RecordsError, ndim=1)
        strange = where[~np.isin(where, self._places)]
        if strange.size:
            raise RecordsError(
                f"position must be one of {self._places.tolist()}, where this configuration can leave, got "
                f"{strange[0]}: does another one serve?"
            )
        sure = None if confidence is None else _figures(confidence, "confidence", len(where))
        paid = None if cost is None else _figures(cost, "cost", len(where))
        (watched_cost,) = self._watched["cost"]
        if paid is None and self._by_sample:
            raise RecordsError("costs differ by sample here: pass cost=, what each sample has cost")
        if paid is not None and len(paid) and not 0 <= paid.min() <= paid.max() <= watched_cost.most * (1 + 1e-6):
            raise RecordsError(f"cost must lie in [0, {watched_cost.most:g}], got {paid.min():g} to {paid.max():g}")
        count = np.bincount(where, minlength=len(self._paid))
        with self._lock:
            for p, share, surety in zip(self._places, self._watched["share"], self._watched["confidence"], strict=True):
                share.see(np.array([1.0, 0.0]), np.array([count[p], len(where) - count[p]]))
                if sure is not None and count[p]:
                    surety.see(*ranks_among(sure[where == p], self._known[int(p)]))
            if paid is None:
                watched_cost.see(self._paid[self._places], count[self._places])
            else:
                watched_cost.see(np.minimum(paid, watched_cost.most), np.ones(len(paid), np.int64))
            worse = self._judge()
        return self._tell(worse)

    def label(self, score: npt.ArrayLike, full_score: npt.ArrayLike | None = None) -> State:
        """Takes note of scores of some samples that were served, chosen without a look at how they were answered.

        Args:
            score: (M,) in [0, 1], of the answers that were served.
            full_score: (M,) of the final exit's answers to the same samples; needed where the promise is a drop.

        Returns:
            The state.

        Raises:
            RecordsError: no promise to hold them against; lengths that differ, scores outside [0, 1], full scores that
                are needed.
        """
        if not self._promised:
            raise RecordsError("this point promises nothing about accuracy: pass max_accuracy_drop to DriftMonitor")
        own = _scores(score, "score", None)
        full = None if full_score is None else _scores(full_score, "full_score", len(own))
        if full is None and "max_accuracy_drop" in self._promised:
            raise RecordsError("the promise is a drop below the final exit: pass full_score, its scores, too")
        with self._lock:
            for name, promise in self._promised.items():
                value = -own if full is None or name == "min_accuracy" else full - own
                promise.see(value, np.ones(len(value), np.int64))
            worse = self._judge()
        return self._tell(worse)

    def _judge(self) -> bool:
        """Looks at the wealth of those who bet; returns whether the state has got worse."""
        drift, broken = self._wealth()
        self._history.append((self.n_samples, self.n_labelled, drift, broken))
        if len(self._history) > MOST_HISTORY:
            del self._history[1:-1:2]
        before = self.state
        if broken >= 1 / self.alpha:
            self.state = "promise broken"
        elif drift >= 1 / self.alpha and before == "ok":
            self.state = "cost drifted"
        return self.state != before

    def _tell(self, worse: bool) -> State:
        if worse and self.on_alarm is not None:
            self.on_alarm(self)
        return self.state

    def _wealth(self) -> tuple[float, float]:
        """Evidence of drift and of a broken promise, each with its part of alpha."""
        kinds = [[watched.wealth for watched in some] for some in self._watched.values()]
        drift = float(np.mean([np.mean(kind) for kind in kinds]))
        promised = [promise.wealth for promise in self._promised.values()]
        return drift / 4, float(np.mean(promised)) / 2 if promised else 0.0

    @property
    def e_value(self) -> float:
        """Evidence that something has changed; at 1 / alpha there is an alarm. Below 1 there is none at all."""
        with self._lock:
            return max(self._wealth())

    @property
    def n_samples(self) -> int:
        """How many samples it has seen."""
        return self._watched["share"][-1].n

    @property
    def n_labelled(self) -> int:
        """Of how many samples it has seen scores."""
        return max((promise.n for promise in self._promised.values()), default=0)

    def to_frame(self) -> "pd.DataFrame":
        """A row a figure that is watched: what, kind, low, high (where its mean should be), mean, n, wealth."""
        import pandas as pd

        with self._lock:
            kinds: Mapping[str, list[Watched]] = {**self._watched, "promise": list(self._promised.values())}
            rows = [
                (one.what, kind, one.low, one.high, one.mean, one.n, one.wealth)
                for kind, some in kinds.items()
                for one in some
            ]
        return pd.DataFrame(rows, columns=["what", "kind", "low", "high", "mean", "n", "wealth"])

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the evidence against the number of samples served, and the line at which there is an alarm.

        Args:
            ax: Matplotlib axes to draw on; new ones when None.

        Returns:
            The axes.
        """
        from dyce_search.drawing import axes, drift

        with self._lock:
            history = np.array(self._history, np.float64).reshape(-1, 4)
        evidence = {"drift": history[:, 2]} | ({"promise": history[:, 3]} if self._promised else {})
        ax = axes.given_or_new(ax)
        drift.draw_evidence(ax, history[:, 0], evidence, 1 / self.alpha)
        return ax


def _certified(point: OperatingPoint) -> tuple[CertifiedLimit, ...]:
    return point.certificate.limits if isinstance(point, CertifiedPoint) else ()


def _promises(point: OperatingPoint, max_accuracy_drop: float | None) -> dict[str, Watched]:
    """What scores can break, by the limit's name."""
    limits = {limit.name: limit.limit for limit in _certified(point) if limit.name in PROMISES}
    if max_accuracy_drop is not None:
        name, hint = "max_accuracy_drop", "0.01 is one point"
        limits[name] = real(
            max_accuracy_drop, name, FrontError, "lie in (0, 1)", lambda value: 0 < value < 1, hint=hint
        )
    promises = {}
    for name, limit in limits.items():
        high, least, most = (limit, -1.0, 1.0) if name == "max_accuracy_drop" else (-limit, -1.0, 0.0)
        words = LIMITS[name].words if name == "max_accuracy_drop" else "accuracy, below 0"
        promises[name] = Watched(what=words, low=None, high=high, least=least, most=most)
    return promises


def _figures(values: npt.ArrayLike, name: str, n: int | None) -> FloatArray:
    array: FloatArray = numbers(values, name, RecordsError, dtype=np.float64, ndim=1)
    if n is not None and len(array) != n:
        raise RecordsError(f"{name} must have one entry a sample, {n}, got {len(array)}")
    if not np.isfinite(array).all():
        raise RecordsError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _scores(values: npt.ArrayLike, name: str, n: int | None) -> FloatArray:
    array = _figures(values, name, n)
    if len(array) and not 0 <= array.min() <= array.max() <= 1:
        raise RecordsError(f"{name} must lie in [0, 1], got {array.min():g} to {array.max():g}")
    return array
