"""What requests of a served model use, told by a process apart and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

from caimi.errors.inference import WrongInput
from caimi.inference.metering import Told
from caimi.inference.prices import Shapes, Usage
from caimi.inference.wasm.compiling.apart import ask_apart
from caimi.models.tensor import Tensor

MAX_SHAPES: Final = 64
"""Of how many shapes of one model the usage is kept."""


class Meter:
    """Tells usage for one model; may be called from several threads. Construction does not read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._begun = False
        self._by_row: Told | None = None
        self._known: OrderedDict[tuple[tuple[str, tuple[int, ...]], ...], Usage] = OrderedDict()

    def usage(self, shapes: Shapes) -> Usage:
        """Tell what a request with inputs of these shapes uses.

        Raises:
            WrongInput: the shapes do not fit the model.
            ModelNotRunnable: the model cannot be compiled, so there is no telling.
            ModelEndsItsProcess: reading it ended the process, or took too long.
        """
        with self._lock:
            if not self._begun:  # one preparation serves all requests of what is taken row by row
                self._begun = True  # whatever comes of it: a look that fails is not made again
                self._by_row = _told(self._file)
            if self._by_row is not None:
                _check(shapes, self._by_row.inputs or ())
                return _rows(self._by_row.usage, shapes)
            key = tuple(sorted(shapes.items()))
            if key not in self._known:
                told = _told(self._file, shapes)
                assert told is not None
                self._known[key] = told.usage
            self._known.move_to_end(key)
            while len(self._known) > MAX_SHAPES:
                self._known.popitem(last=False)
            return self._known[key]


def _told(file: Path, shapes: Shapes | None = None) -> Told | None:
    job = {"file": str(file.absolute()), "shapes": shapes and dict(shapes)}
    said = ask_apart("usage", job, file.name)
    if said["usage"] is None:
        return None
    inputs = said["inputs"]
    return Told(
        Usage(*said["usage"]),
        None if inputs is None else tuple(Tensor(n, t, tuple(s)) for n, t, s in inputs),
    )


def _check(shapes: Shapes, inputs: tuple[Tensor, ...]) -> None:
    """Refuse shapes that the model does not take: they must not be priced as if it did."""
    if set(shapes) != {tensor.name for tensor in inputs}:
        raise WrongInput(f"The model takes {', '.join(map(str, inputs))}.")
    rows = {shape[:1] for shape in shapes.values()}
    for tensor in inputs:
        if shapes[tensor.name][1:] != (tensor.shape or ())[1:] or len(rows) != 1:
            raise WrongInput(f"{tensor.name!r} is not of shape {list(shapes[tensor.name])}.")


def _rows(each: Usage, shapes: Shapes) -> Usage:
    rows = next((shape[0] for shape in shapes.values() if shape), 1)
    return Usage(each.fuel * rows, each.bytes_in * rows, each.bytes_out * rows)
