"""Fuel counted in one run, for models with steps that the published schedule does not tell.

What is not told is never charged a guess: the model is compiled and run once on seeded noise of
the request's shapes, and the host counts. Fuel follows from shapes but for the few operators whose
work depends on data (sorting, choosing); those are counted as they sort noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from caimi.errors.inference import CompilerFailed, ModelNotRunnable, RunFailed, WrongInput
from caimi.inference.tensors import random_tensors
from caimi.inference.wasm.compiling.compiler import Translation
from caimi.inference.wasm.compiling.variants import Variant
from caimi.inference.wasm.engine import WasmEngine
from caimi.models.tensor import Tensor

_SEED: Final = 0


def counted_fuel(file: Path, variant: Variant, made: Translation, steps: Sequence[str]) -> int:
    """Give the fuel of one call of a prepared model; `steps` names what is not told.

    Raises:
        ModelNotRunnable: it does not run on noise, so its fuel is not told; with the steps' names.
    """
    values = made.graph.model.graph.input[: len(made.graph.inputs)]
    signature = [
        Tensor(
            tensor.name,
            tensor.dtype,
            tuple(size.dim_value for size in value.type.tensor_type.shape.dim),
        )
        for tensor, value in zip(made.graph.inputs, values, strict=True)
    ]
    try:
        session = WasmEngine(variant).load(file)
        try:
            return session.run_costed(random_tensors(signature, _SEED)).cost.fuel
        finally:
            session.close()
    except (CompilerFailed, RunFailed, WrongInput) as error:
        raise ModelNotRunnable(
            f"The fuel of {file.name} is not told: the schedule does not tell "
            f"{', '.join(steps)}, and a run to count it failed: {error.what}"
        ) from error
