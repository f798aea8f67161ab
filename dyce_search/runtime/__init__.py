"""The PyTorch runtime: attach exits to a backbone, record them, apply and switch configurations. Needs torch.

The only room that imports torch. It may import everything but the solvers, the search and the command line.
"""

import importlib.util

from dyce_search.errors import MissingPackageError

if importlib.util.find_spec("torch") is None:
    raise MissingPackageError(
        "dyce_search.runtime needs PyTorch, which is not installed: pip install 'dyce_search[torch]'", name="torch"
    )

from dyce_search.runtime.budget import BudgetController
from dyce_search.runtime.forward_pass import EarlyExitOutput
from dyce_search.runtime.heads import conv_head, heads_for, linear_head, mlp_head
from dyce_search.runtime.latency import measure_latency
from dyce_search.runtime.macs import count_macs
from dyce_search.runtime.model import EarlyExitModel
from dyce_search.runtime.onnx_export import export_onnx
from dyce_search.runtime.record import record
from dyce_search.runtime.train import TrainingHistory, train_heads

__all__ = [
    "BudgetController",
    "EarlyExitModel",
    "EarlyExitOutput",
    "TrainingHistory",
    "conv_head",
    "count_macs",
    "export_onnx",
    "heads_for",
    "linear_head",
    "measure_latency",
    "mlp_head",
    "record",
    "train_heads",
]
