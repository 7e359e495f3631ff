"""What running a model will cost, on each engine, before it is run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from caimi.inference.calibration import ONNX, Rates
from caimi.inference.metering import fuel_of, tensor_bytes, usage_of
from caimi.inference.prices import Usage
from caimi.inference.wasm.compiling.compiler import Translation, translate
from caimi.inference.wasm.compiling.graph import signatures
from caimi.inference.wasm.compiling.variants import SIMD, VARIANTS
from caimi.inference.wasm.fuel.schedule import published
from caimi.models.tensor import Tensor


@dataclass(frozen=True, slots=True)
class EngineEstimate:
    """One engine: fuel, where it has any; seconds; bytes of memory.

    `measured`: the seconds rest on a measurement of this machine. `counted` names kinds of steps
    that the schedule does not tell, for which the model was run once and its fuel counted.
    """

    name: str
    fuel: int | None
    seconds: float
    memory_bytes: int
    measured: bool
    counted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """A run of `rows` rows. `usage` is what price lists charge for."""

    rows: int
    one_by_one: bool
    multiplies: int
    functions: int
    steps: dict[str, int]
    weight_bytes: int
    usage: Usage
    engines: tuple[EngineEstimate, ...]


def estimate(file: Path, rows: int, rates: Rates) -> Estimate:
    """Tell what a run of `rows` rows costs.

    Open dimensions that lead an input are the rows; other open ones count as 1. A model that treats
    its rows one by one costs `rows` times one row.

    Raises:
        ModelNotRunnable: the model cannot be compiled, so there is no telling.
        WrongInput: the number of rows does not fit the model.
    """
    base = translate(file, SIMD)
    shapes = None if base.rows is not None else _shapes(file, base, rows)
    times = rows if shapes is None else 1
    made = base if shapes is None else translate(file, SIMD, shapes=shapes)
    engines = [_onnx(made, times, rates)]
    for name, variant in VARIANTS.items():
        if published(name) is None:
            continue
        other = made if name == SIMD.name else translate(file, variant, shapes=shapes)
        each, counted = fuel_of(file, variant, other)
        fuel = each * times
        engines.append(
            EngineEstimate(
                variant.engine_id,
                fuel,
                rates.seconds(name, fuel),
                other.emitted.arena_bytes + other.weight_bytes,
                name in rates.measured,
                counted,
            )
        )
    one = usage_of(file, made)
    works = made.emitted.works
    return Estimate(
        rows,
        shapes is None,
        times * sum(work.multiplies for work in works),
        times * sum(work.functions for work in works),
        dict(Counter(work.kind for work in works)),
        made.weight_bytes,
        Usage(one.fuel * times, one.bytes_in * times, one.bytes_out * times),
        tuple(engines),
    )


def _onnx(made: Translation, times: int, rates: Rates) -> EngineEstimate:
    """ONNX Runtime: multiply-adds, and a function counted as eight of them."""
    work = sum(step.multiplies + 8 * step.functions for step in made.emitted.works) * times
    memory = made.weight_bytes + made.emitted.arena_bytes + times * sum(tensor_bytes(made))
    return EngineEstimate(ONNX, None, rates.seconds(ONNX, work), memory, ONNX in rates.measured)


def _shapes(file: Path, base: Translation, rows: int) -> dict[str, tuple[int, ...]]:
    declared, _ = signatures(base.opened.proto, file.name)
    return {tensor.name: _sized(tensor, rows) for tensor in declared}


def _sized(tensor: Tensor, rows: int) -> tuple[int, ...]:
    return tuple(
        size if isinstance(size, int) else rows if axis == 0 else 1
        for axis, size in enumerate(tensor.shape or ())
    )
