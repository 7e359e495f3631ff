"""Runs of compiled graphs that tell the fuel of each step."""

from __future__ import annotations

import ctypes
import tempfile
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path

import wasmtime
from onnx import ModelProto

from caimi.inference.tensors import Tensors, random_tensors
from caimi.inference.wasm.compiling.compiler import Translation, default_cache, translate
from caimi.inference.wasm.compiling.toolchain import build
from caimi.inference.wasm.compiling.variants import Variant
from caimi.inference.wasm.fuel.work import Work
from caimi.models.tensor import Tensor

_MEMORY = 1 << 31
_FULL = 1 << 62
_BODY = "static int32_t caimi_infer(void) {"
_MARK = '__attribute__((import_module("bench"), import_name("mark"))) void caimi_mark(void);\n'
_MARK_FUEL = 1
"""What a call of the mark costs itself."""


@dataclass(frozen=True, slots=True)
class StepFuel:
    """The work of a step as the schedule sees it, and the fuel that it took."""

    work: Work
    fuel: int


def step_fuel(
    model: ModelProto, variant: Variant, inputs: Tensors | None = None, seed: int = 0
) -> list[StepFuel]:
    """Compile a graph, run it once, on noise if there are no inputs, and measure each step."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "model.onnx"
        file.write_bytes(model.SerializeToString())
        made = translate(file, variant)
        wasm = _marked(made, variant)
    if inputs is None:
        shapes = [
            tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
            for value in made.graph.model.graph.input
        ]
        signature = [
            Tensor(tensor.name, tensor.dtype, shape)
            for tensor, shape in zip(made.graph.inputs, shapes, strict=False)
        ]
        inputs = random_tensors(signature, seed)
    marks = _run(wasm, made, inputs)
    taken = [before - after - _MARK_FUEL for before, after in pairwise(marks)]
    return [StepFuel(work, fuel) for work, fuel in zip(made.emitted.works, taken, strict=True)]


def _marked(made: Translation, variant: Variant) -> bytes:
    """Build a module that calls the host before each step, and at the end."""
    before, body = made.emitted.code.split(_BODY)
    code = before + _MARK + _BODY + body.replace("\n    {\n", "\n    {\ncaimi_mark();\n")
    last = code.rindex("    return 0;\n}")
    with (
        tempfile.TemporaryDirectory() as name,
        as_file(files("caimi.inference.wasm.compiling") / "kernels") as kernels,
    ):
        source, output = Path(name) / "model.c", Path(name) / "model.wasm"
        source.write_text(code[:last] + "caimi_mark();\n" + code[last:])
        build(
            [source, *sorted(kernels.glob("*.c"))],
            [kernels],
            variant.target,
            output,
            max_memory=_MEMORY,
            cache=default_cache() / "zig",
        )
        return output.read_bytes()


def _run(wasm: bytes, made: Translation, inputs: Tensors) -> list[int]:
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    store.set_fuel(_FULL)
    linker = wasmtime.Linker(engine)
    word = wasmtime.ValType.i32()
    memories: list[wasmtime.Memory] = []
    marks: list[int] = []

    def write(to: int, data: bytes) -> None:
        base = ctypes.addressof(memories[0].data_ptr(store).contents)
        ctypes.memmove(base + (to & 0xFFFFFFFF), data, len(data))

    def read(index: int, to: int, first: int, size: int) -> None:
        name = made.emitted.weights[index]
        data = made.graph.int8.get(name)
        if data is None:
            place = made.graph.weights[name]
            data = made.opened.data[place.offset : place.offset + place.size]
        write(to, data[first : first + size])

    linker.define_func("caimi", "read", wasmtime.FuncType([word] * 4, []), read)
    linker.define_func(
        "bench", "mark", wasmtime.FuncType([], []), lambda: marks.append(store.get_fuel())
    )
    exports = linker.instantiate(store, wasmtime.Module(engine, wasm)).exports(store)

    def call(name: str, *arguments: int) -> int:
        function = exports[name]
        assert isinstance(function, wasmtime.Func)
        return function(store, *arguments) or 0

    memory = exports["memory"]
    assert isinstance(memory, wasmtime.Memory)
    memories.append(memory)
    call("_initialize")
    assert call("caimi_load", 0) == 0
    for place, tensor in enumerate(made.graph.inputs):
        write(call("caimi_input", place), inputs[tensor.name].tobytes())
    assert call("caimi_run") == 0
    return marks
