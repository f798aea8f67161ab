"""The files of a bundle, each verified and loaded by ONNX Runtime."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dyce_search.arguments import several, whole
from dyce_search.errors import FileFormatError, MissingPackageError, ModelError
from dyce_search.files import PathLike
from dyce_search.serving.bundle_file import FileEntry, read_file

Array = npt.NDArray[Any]
Board = dict[str, Array]  # values by name
MOST = 4096  # threads of an operation


class Piece(NamedTuple):
    """One file, as a function of values."""

    session: Any  # None where nothing is computed
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __call__(self, board: Mapping[str, Array]) -> Board:
        """The values that it gives, by name.

        Raises:
            ModelError: ONNX Runtime fails, such as for want of memory or on an index out of range.
        """
        if self.session is None:
            return {}
        feed = {name: np.ascontiguousarray(board[name]) for name in self.inputs}
        try:
            found = self.session.run(None, feed)
        except Exception as cause:  # its errors have no base of their own
            raise ModelError(f"ONNX Runtime failed on this batch: {cause}: look at its inputs") from cause
        return dict(zip(self.outputs, found, strict=True))


class Loader:
    """Makes pieces of files."""

    def __init__(self, folder: PathLike, threads: int | None, providers: Sequence[str]) -> None:
        """Arguments and errors are those of `StagedModel`."""
        try:
            import onnxruntime
        except ImportError as cause:
            raise MissingPackageError(
                "dyce_search.serving needs ONNX Runtime, which is not installed: pip install 'dyce_search[onnx]'",
                name="onnxruntime",
            ) from cause
        if threads is not None:
            threads = whole(threads, "threads", ModelError, least=1, most=MOST, hint="None stands for all cores")
        providers = several(providers, str, "providers", ModelError)
        unknown = [name for name in providers if name not in onnxruntime.get_available_providers()]
        if unknown:
            known = ", ".join(onnxruntime.get_available_providers())
            raise ModelError(f"this ONNX Runtime has no provider {unknown[0]!r}: it has {known}")
        self.runtime, self.folder, self.providers = onnxruntime, folder, providers
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads or 0
        # threads of a session that waits must not keep the cores from the next one
        self.options.add_session_config_entry("session.intra_op.allow_spinning", "0")

    def piece(self, entry: FileEntry | None, inputs: Iterable[str], outputs: Iterable[str]) -> Piece:
        """One file.

        Raises:
            FileFormatError: it is missing, was changed, is no ONNX that this runtime reads, or takes other values.
        """
        names = tuple(inputs), tuple(outputs)
        if entry is None:
            return Piece(None, *names)
        content = read_file(self.folder, entry)
        try:
            session = self.runtime.InferenceSession(content, self.options, providers=self.providers)
        except Exception as cause:  # its errors have no base of their own
            raise FileFormatError(f"{self.folder}: ONNX Runtime cannot load {entry.name}: {cause}") from cause
        found = [node.name for node in session.get_inputs()], [node.name for node in session.get_outputs()]
        if set(found[0]) != set(names[0]) or found[1] != list(names[1]):
            raise FileFormatError(
                f"{self.folder}: {entry.name} takes {found[0]} and gives {found[1]}, its manifest says {names}: "
                "export anew"
            )
        return Piece(session, *names)
