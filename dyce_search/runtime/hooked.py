"""The backbone as it is, seen by hooks for the time of one run: for training, for tracing, and without compaction."""

import contextlib
import functools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import torch
from torch import nn

from dyce_search.errors import ModelError
from dyce_search.runtime.backbone import Position, final_logits
from dyce_search.runtime.inputs import Call

Take = Callable[[], torch.Tensor]  # gives the feature of a position, (rows, ...)
Visit = Callable[[int, Take], torch.Tensor | None]  # gives the rows that go on; None for all of them


class AllHaveLeftSignal(BaseException):
    """Ends a forward. Not an Exception, so that no backbone takes it for a failure of its own."""


class Hooked:
    """Runs a backbone and visits its positions; what a visit gives back matters only where nobody is left."""

    compacts = False

    def __init__(self, backbone: nn.Module, positions: tuple[Position, ...], select: Callable[[Any], Any]) -> None:
        """See the class."""
        self.backbone, self.positions, self.select = backbone, positions, select

    def run(self, visit: Visit, call: Call) -> torch.Tensor | None:
        """The final logits, or None where all have left before.

        Raises:
            ModelError: the positions do not come by once each, in order.
        """
        with self._hooks(visit) as arrived:
            try:
                output = self.backbone(*call.args, **call.named)
            except AllHaveLeftSignal:
                return None
        if len(arrived) < len(self.positions):
            self._fail(f"{self.positions[len(arrived)].name!r} did not run")
        return final_logits(output)

    @contextlib.contextmanager
    def _hooks(self, visit: Visit) -> Iterator[list[int]]:
        """Hooks that see this thread only; afterwards none is left behind."""
        arrived: list[int] = []
        calls: Counter[str] = Counter()
        owner = threading.get_ident()

        def hook(path: str, output: Any) -> None:
            if threading.get_ident() != owner:
                return
            calls[path] += 1
            for index, position in enumerate(self.positions):
                if position.module == path and position.call in (None, calls[path] - 1):
                    self._require_turn(index, arrived, calls[path])
                    arrived.append(index)
                    stay = visit(index, functools.partial(self._feature, index, output))
                    if stay is not None and not len(stay):
                        raise AllHaveLeftSignal

        with contextlib.ExitStack() as hooks:
            for path in {position.module for position in self.positions}:
                module = self.backbone.get_submodule(path)
                handle = module.register_forward_hook(lambda _m, _i, output, path=path: hook(path, output))
                hooks.callback(handle.remove)
            yield arrived

    def _feature(self, index: int, output: Any) -> torch.Tensor:
        feature = self.select(output)
        if not isinstance(feature, torch.Tensor):
            found = type(feature).__name__
            raise ModelError(
                f"the feature at {self.positions[index].name!r} must be a tensor, got {found}: see feature="
            )
        return feature

    def _require_turn(self, index: int, arrived: list[int], calls: int) -> None:
        name, turn = self.positions[index].name, len(arrived)
        if index < turn:
            again = f": name its calls, such as '{name}#0' and '{name}#1'," if calls > 1 else ""
            before = self.positions[turn - 1].name
            self._fail(f"{name!r} ran twice, or after {before!r}{again}")
        if index > turn:
            self._fail(f"{name!r} ran before {self.positions[turn].name!r}")

    def _fail(self, what: str) -> NoReturn:
        raise ModelError(f"the modules in heads must run once each, in the order given, but {what}: change heads")
