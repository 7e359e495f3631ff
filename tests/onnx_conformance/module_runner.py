"""Runs one compiled module in this process: quick, for modules that our own compiler has made."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import wasmtime

from caimi.inference.wasm.module import CompiledModule

FUEL = 2_000_000_000


class Stopped(Exception):
    """The module trapped, or `caimi_run` gave the error number `status`."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.consume_fuel = True
    return wasmtime.Engine(config)


ENGINE = _engine()


def run_module(compiled: CompiledModule, source: bytes, inputs: Sequence[Any]) -> list[Any]:
    """Give the outputs for inputs in the module's order; weights are read from `source`.

    Raises:
        Stopped: the module gives none.
    """
    metadata = compiled.metadata
    store = wasmtime.Store(ENGINE)
    store.set_fuel(FUEL)
    linker = wasmtime.Linker(ENGINE)
    memories: list[wasmtime.Memory] = []

    def read(weight: int, destination: int, first: int, size: int) -> None:
        place = metadata.weights[weight]
        if first + size > place.size:
            raise wasmtime.WasmtimeError("beyond the weight")
        part = source[place.offset + first : place.offset + first + size]
        memories[0].write(store, part, destination & 0xFFFFFFFF)

    kind = wasmtime.FuncType([wasmtime.ValType.i32()] * 4, [])
    linker.define_func("caimi", "read", kind, read)
    exports = linker.instantiate(store, wasmtime.Module(ENGINE, compiled.wasm)).exports(store)
    memories.append(exports["memory"])  # type: ignore[arg-type]

    def call(name: str, *arguments: int) -> int:
        try:
            return exports[name](store, *arguments)  # type: ignore[operator,no-any-return]
        except wasmtime.Trap as trap:
            raise Stopped(-1, f"trap: {trap.trap_code}") from trap

    call("_initialize")
    call("caimi_load", 0)
    for place, (tensor, value) in enumerate(zip(metadata.inputs, inputs, strict=True)):
        given = np.ascontiguousarray(value, dtype=tensor.dtype).tobytes()
        if len(given) != metadata.call_bytes(tensor):
            raise Stopped(-2, f"{tensor.name} has {len(given)} bytes")
        memories[0].write(store, given, call("caimi_input", place))
    status = call("caimi_run")
    if status:
        raise Stopped(status, f"caimi_run gave {status}")
    base = ctypes.addressof(memories[0].data_ptr(store).contents)
    outputs = []
    for place, tensor in enumerate(metadata.outputs):
        taken = ctypes.string_at(base + call("caimi_output", place), metadata.call_bytes(tensor))
        shape = tuple(int(size) for size in tensor.shape or ())
        outputs.append(np.frombuffer(taken, tensor.dtype).reshape(shape))
    return outputs
