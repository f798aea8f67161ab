"""Serving what `dyce_search.runtime.export_onnx` wrote: ONNX Runtime and NumPy, without PyTorch.

May import certify and what is below it, and onnxruntime, which comes with the extra `[onnx]`.
"""

from dyce_search.serving.staged_model import StagedModel, StagedOutput

__all__ = ["StagedModel", "StagedOutput"]
