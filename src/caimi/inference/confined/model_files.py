"""A model's files, opened once, for the processes that load it; and what the host reads of them."""

from __future__ import annotations

import contextlib
import os
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from caimi.errors.inference import ModelNotRunnable, WeightsUnavailable
from caimi.errors.models import UnsafePath
from caimi.inference.confined import wire
from caimi.inference.wasm.hosting.weights import open_below
from caimi.models.onnx_file import external_tensors, first_line
from caimi.models.paths import check_path


class ModelFiles:
    """An ONNX file and the files of its external weights, which lie below the same directory.

    `scalars` are the inputs and outputs that it declares to have no dimensions: ONNX Runtime shows
    tensors of open rank alike.
    """

    def __init__(self, model: Path) -> None:
        self.name = model.name
        with contextlib.ExitStack() as opened:
            try:
                self.model = os.open(model, os.O_RDONLY | os.O_CLOEXEC)
                opened.callback(os.close, self.model)
                if not stat.S_ISREG(os.fstat(self.model).st_mode):
                    raise ModelNotRunnable(f"{model.name} is no plain file.")
                with open(self.model, "rb", closefd=False) as data:
                    graph = onnx.load_model_from_string(data.read()).graph
            except OSError as error:
                raise ModelNotRunnable(f"{model.name} cannot be read: {error.strerror}.") from error
            except (DecodeError, ValueError) as error:
                raise ModelNotRunnable(
                    f"{model.name} is no ONNX model: {first_line(error)}"
                ) from error
            self.scalars = frozenset(_scalars(graph))
            self.files: dict[str, int] = {}
            for location in dict.fromkeys(_locations(graph)):
                if len(self.files) == wire.MAX_FILES:
                    raise ModelNotRunnable(
                        f"{model.name} has weights in more than {wire.MAX_FILES} files."
                    )
                try:
                    check_path(location)
                    self.files[location] = open_below(model.parent, location)
                except (UnsafePath, WeightsUnavailable) as error:
                    raise ModelNotRunnable(f"{model.name}: {error.what}") from error
                opened.callback(os.close, self.files[location])
            kept = opened.pop_all()
        self.close = weakref.finalize(self, kept.close)


def _locations(graph: Any) -> Iterator[str]:  # noqa: ANN401 - a protobuf message without types
    for tensor in external_tensors(graph):
        yield next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _scalars(graph: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    for value in (*graph.input, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape") and not kind.shape.dim:
            yield value.name
