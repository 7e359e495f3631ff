"""What requests of a model use, told from its graph and their shapes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from math import prod
from pathlib import Path
from typing import Final

from caimi.errors.inference import ModelNotRunnable, WrongInput
from caimi.inference.counting import counted_fuel
from caimi.inference.prices import Shapes, Usage
from caimi.inference.wasm.compiling.compiler import SIMD, Translation, Variant, translate
from caimi.inference.wasm.fuel.schedule import published
from caimi.inference.wasm.metadata import ITEM_BYTES
from caimi.models.tensor import Tensor

Shape = tuple[int, ...]

MAX_SHAPES: Final = 64
"""Of how many shapes of one model the usage is kept."""


class Meter:
    """Tells usage for one model; may be called from several threads. Construction does not read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._by_row: Usage | None = None
        self._begun = False
        self._inputs: tuple[Tensor, ...] = ()
        self._known: OrderedDict[tuple[tuple[str, Shape], ...], Usage] = OrderedDict()

    def usage(self, shapes: Shapes) -> Usage:
        """Tell what a request with inputs of these shapes uses.

        Raises:
            WrongInput: the shapes do not fit the model.
            ModelNotRunnable: the model cannot be compiled, so there is no telling.
        """
        with self._lock:
            if not self._begun:
                self._begin()
            if self._by_row is not None:
                _check(shapes, self._inputs)
                return _rows(self._by_row, shapes)
            key = tuple(sorted(shapes.items()))
            if key not in self._known:
                self._known[key] = usage_of(self._file, translate(self._file, SIMD, shapes=shapes))
            self._known.move_to_end(key)
            while len(self._known) > MAX_SHAPES:
                self._known.popitem(last=False)
            return self._known[key]

    def _begin(self) -> None:
        """See whether the model takes its rows one by one, which one preparation then serves."""
        try:
            made = translate(self._file, SIMD)
        except (WrongInput, ModelNotRunnable):  # an open rank, or sizes that do not fit: only a
            # request's shapes will do
            self._begun = True
            return
        self._begun = True
        if made.rows is not None:
            self._by_row = usage_of(self._file, made)
            self._inputs = made.graph.inputs


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


def usage_of(file: Path, made: Translation) -> Usage:
    """Tell what one call of a prepared model uses.

    Raises:
        ModelNotRunnable: there is no telling.
    """
    return Usage(fuel_of(file, SIMD, made)[0], *tensor_bytes(made))


def fuel_of(file: Path, variant: Variant, made: Translation) -> tuple[int, tuple[str, ...]]:
    """Give the fuel of one call, and the steps not told, for which a run was counted.

    Of a variant without a schedule no step is told.

    Raises:
        ModelNotRunnable: steps are not told, and the model does not run.
    """
    schedule = published(variant.name)
    works = made.emitted.works
    if schedule is None:
        untold = tuple(dict.fromkeys(work.kind for work in works))
        return counted_fuel(file, variant, made, untold), untold
    told = schedule.predict(works)
    if not told.untold:
        return told.fuel, ()
    return counted_fuel(file, variant, made, told.untold), told.untold


def tensor_bytes(made: Translation) -> tuple[int, int]:
    """Give the bytes of a call's inputs and outputs."""
    values = made.graph.model.graph.input[: len(made.graph.inputs)]
    inner = sum(
        ITEM_BYTES[tensor.dtype] * prod(d.dim_value for d in value.type.tensor_type.shape.dim)
        for tensor, value in zip(made.graph.inputs, values, strict=True)
    )
    return inner, sum(ITEM_BYTES[kind] * prod(shape) for shape, kind in made.emitted.outputs)
