"""Whether a graph treats each sample on its own: tried out, operation by operation, to the last bit."""

from typing import Any

import torch
from torch import fx, nn

from dyce_search.errors import ModelError
from dyce_search.runtime.backbone import final_logits
from dyce_search.runtime.captured import Captured, NotCapturedError, described
from dyce_search.runtime.inputs import Call
from dyce_search.runtime.stages import Staged


class _OtherRows(fx.Interpreter):
    """Runs a graph and keeps all but the second sample of every value; with noise, that one is another sample."""

    def __init__(self, graph: Captured, *, noise: bool) -> None:
        super().__init__(graph.program.graph_module)
        self.captured, self.noise = graph, noise
        self.kept: dict[fx.Node, torch.Tensor] = {}
        self.noisy: set[fx.Node] = set()

    def of(self, call: Call) -> dict[fx.Node, torch.Tensor]:
        """(B - 1, ...) the samples of each value that has an axis for them, without the second one."""
        weights = {node: self.captured.weight(name) for node, name in self.captured.weights.items()}
        values = {node: call.values[place] for node, place in self.captured.inputs.items()}
        values |= {node: place[name] for node, (place, name) in weights.items()}
        torch.manual_seed(0)
        self.run(*[values[node] for node in self.captured.program.graph.nodes if node.op == "placeholder"])
        return self.kept

    def run_node(self, n: fx.Node) -> Any:
        """As ever, but for the noise."""
        value = super().run_node(n)
        if (
            isinstance(value, torch.Tensor)
            and n not in self.captured.weights
            and len(rows := self.captured.rows(n)) == 1
        ):
            if rows[0] is None:
                return value
            if self.noise and value.shape[rows[0]] > 1:
                value = self._with_noise(n, value, rows[0])
            samples = value.movedim(rows[0], 0)
            self.kept[n] = torch.cat([samples[:1], samples[2:]])
        return value

    def _with_noise(self, n: fx.Node, value: torch.Tensor, axis: int) -> torch.Tensor:
        """Another second sample, wherever numbers come in: as inputs, or out of a table."""
        if value.is_floating_point() and not self.noisy.isdisjoint(n.all_input_nodes):
            self.noisy.add(n)
        elif value.is_floating_point() or n.op == "placeholder":
            value = value.clone()
            other = value.select(axis, -1)
            other = other + torch.randn_like(other) if value.is_floating_point() else other
            value.select(axis, 1).copy_(other)
            self.noisy.update([n] if value.is_floating_point() else [])
        return value


def require_independence(graph: Captured, staged: Staged, call: Call, backbone: nn.Module) -> None:
    """Runs a graph three times on a few samples, and compares.

    Raises:
        ModelError: what a sample is answered depends on the other ones, or on how many there are.
        NotCapturedError: the graph does not compute what the backbone does.
    """
    alone = _OtherRows(graph, noise=False).of(call)
    plain = final_logits(backbone(*call.args, **call.named))
    if not (
        _near(torch.as_tensor(staged.run(lambda *_: None, call)), plain) and _near(alone[graph.final][0], plain[0])
    ):
        raise NotCapturedError("the traced operations give other answers than the backbone")
    axes = {place: rows[0] for node, place in graph.inputs.items() if (rows := graph.rows(node))}
    fewer = call.with_values(
        value.narrow(axes[place], 0, 2) if axes.get(place) is not None else value
        for place, value in enumerate(call.values)
    )
    others, pair = _OtherRows(graph, noise=True).of(call), _OtherRows(graph, noise=False).of(fewer)
    for node, found in alone.items():
        if not torch.equal(found.nan_to_num(), others[node].nan_to_num()):
            what = "who else is in the batch"
        elif not _near(found[0], pair[node][0]):
            what = "how many samples are in the batch"
        else:
            continue
        raise ModelError(
            f"the backbone mixes samples: what {described(node)} gives for one depends on {what}, so that samples "
            "cannot leave the batch; compaction=False computes the whole batch, as the plain backbone does"
        )


def _near(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal but for rounding."""
    rough = 1e-3 if one.dtype in (torch.float32, torch.float64) else 0.05
    one, other = (value.to(torch.float64).nan_to_num() for value in (one, other))
    return not one.numel() or bool((one - other).abs().max() <= rough * (1 + other.abs().max()))
