"""What a call of a model uses, told from its graph and the shapes of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

from caimi.errors.inference import ModelNotRunnable, WrongInput
from caimi.inference.counting import counted_fuel
from caimi.inference.prices import Shapes, Usage
from caimi.inference.wasm.compiling.compiler import Translation, translate
from caimi.inference.wasm.compiling.variants import SIMD, Variant
from caimi.inference.wasm.fuel.schedule import published
from caimi.inference.wasm.metadata import ITEM_BYTES
from caimi.models.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Told:
    """What a call uses: of one row where `inputs`, of which each is one row, is given."""

    usage: Usage
    inputs: tuple[Tensor, ...] | None = None


def tell(file: Path, shapes: Shapes | None = None) -> Told | None:
    """Tell what a call uses, of a row where rows are taken one by one; shapes are for the others.

    Without shapes, None for models of which only a request's shapes tell.

    Raises:
        WrongInput: the shapes do not fit the model.
        ModelNotRunnable: the model cannot be compiled, so there is no telling.
    """
    if shapes is not None:
        return Told(usage_of(file, translate(file, SIMD, shapes=shapes)))
    try:
        made = translate(file, SIMD)
    except (WrongInput, ModelNotRunnable):  # an open rank, or sizes that do not fit
        return None
    return None if made.rows is None else Told(usage_of(file, made), made.graph.inputs)


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
