"""A configuration made ready to run, and how its confidences are read."""

import difflib
from collections.abc import Iterable
from typing import NamedTuple, Self

import torch
from torch import nn

from dyce_search.errors import ConfigError, ModelError
from dyce_search.evaluation.config import ExitConfig
from dyce_search.records.layout import ExitLayout
from dyce_search.runtime.confidence import MEASURES, Measure, confidence_of


class Reading(NamedTuple):
    """How confidences are read off logits."""

    measure: str | Measure
    temperatures: tuple[float, ...]  # (E,) of the exits, the final one last

    def __call__(self, logits: torch.Tensor, exit_index: int) -> torch.Tensor:
        """(B,) float32 confidences of an exit's logits (B, C)."""
        return confidence_of(logits, self.measure, self.temperatures[exit_index])

    def under(self, layout: ExitLayout | None, own: ExitLayout, theirs: str) -> "Reading":
        """How they are read under a layout, which may know less than the model.

        Args:
            layout: of a configuration or a front; None knows nothing.
            own: the model's, to which this reading belongs.
            theirs: whose layout it is, for the message.

        Raises:
            ConfigError: a measure that neither has a name here nor is the model's own.
        """
        if layout is None:
            return self
        if layout.measure is None:
            return self if layout.temperature is None else Reading(self.measure, tuple(layout.temperature.tolist()))
        if layout.measure == own.measure:
            measure = self.measure
        elif layout.measure in MEASURES:
            measure = layout.measure
        else:
            known = dict.fromkeys([*MEASURES, str(own.measure)])
            close = difflib.get_close_matches(layout.measure, known, 1, 0.8)
            hint = f" (is it {close[0]!r}?)" if close else ""
            raise ConfigError(
                f"the confidences of {theirs} are {layout.measure!r}, which the model cannot measure{hint}: it has "
                f"{', '.join(known)}; build it with EarlyExitModel(..., confidence=) a function that is called so"
            )
        return Reading(measure, tuple(layout.temperatures.tolist()))


class Plan(NamedTuple):
    """A configuration made ready: one immutable object, so that a switch is one assignment."""

    config: ExitConfig
    exits: tuple[int, ...]  # (P,) index of the candidate that is enabled at each position, -1 for none
    thresholds: tuple[float, ...]  # (P,) float32 values
    read: Reading  # as the configuration's layout says
    modules: tuple[nn.Module, ...]  # that must be in eval mode

    @classmethod
    def of(cls, config: ExitConfig, own: ExitLayout, read: Reading, modules: Iterable[nn.Module]) -> Self:
        """Makes it ready for a model of that layout, which reads confidences so.

        Raises:
            ConfigError: it belongs to another network, or its confidences cannot be measured.
        """
        exits = tuple(config.exits(own.network).tolist())
        read = read.under(config.layout, own, "the configuration")
        return cls(config, exits, tuple(config.threshold.tolist()), read, tuple(modules))

    def require_eval(self, model: nn.Module) -> None:
        """Checks that no module of the model it was made for is in training mode.

        Raises:
            ModelError: one is.
        """
        for module in self.modules:
            if module.training:
                name = next(name for name, other in [*model.named_modules(), ("", module)] if other is module)
                raise ModelError(
                    f"a configured model must be in eval mode, got training mode in {name or 'it'!r}: call eval() or "
                    "configure(None)"
                )
