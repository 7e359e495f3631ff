"""The zoo's models compiled, and inputs that try them: examples, and values of every odd kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from caimi.inference.tensors import Tensors
from caimi.inference.wasm.compiler import VARIANTS, compile_model
from caimi.inference.wasm.module import CompiledModule
from caimi.zoo import ZooModel, named

ODD = {
    "nan": [0x7FC00000, 0xFFC00000, 0x7FC00001, 0xFFEDCBA9, 0x7F800001, 0xFF812345],
    "infinite": [0x7F800000, 0xFF800000, 0x7F7FFFFF, 0xFF7FFFFF],
    "small": [0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80000000],
}
"""Bits of float32: NaNs of both signs, quiet and signalling, with payloads; infinities and the
greatest numbers; denormals of both signs, the least normal, and minus zero."""


@dataclass
class ZooModules:
    """Builds and compiles each model once."""

    folder: Path
    _modules: dict[tuple[str, str, int | None], CompiledModule] = field(default_factory=dict)
    _sessions: dict[str, ort.InferenceSession] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        file = self.folder / f"{name}.onnx"
        if not file.is_file():
            file.write_bytes(named(name).build(0))
        return file

    def module(self, name: str, variant: str = "simd", rows: int | None = None) -> CompiledModule:
        """Give a model's module; with `rows`, one that takes so many rows in one call."""
        key = (name, variant, rows)
        if key not in self._modules:
            shapes = None
            if rows is not None:
                example = named(name).inputs(rows, 0)
                shapes = {tensor: value.shape for tensor, value in example.items()}
            self._modules[key] = compile_model(self.file(name), VARIANTS[variant], shapes=shapes)
        return self._modules[key]

    def onnx_runtime(self, name: str, inputs: Tensors) -> Tensors:
        if name not in self._sessions:
            options = ort.SessionOptions()
            options.intra_op_num_threads = 1
            self._sessions[name] = ort.InferenceSession(
                self.file(name), options, providers=["CPUExecutionProvider"]
            )
        names = [value.name for value in self._sessions[name].get_outputs()]
        return dict(zip(names, self._sessions[name].run(names, dict(inputs)), strict=True))

    def operators(self, name: str) -> set[str]:
        return {node.op_type for node in onnx.load(self.file(name)).graph.node}


def odd_inputs(model: ZooModel, kind: str, seed: int = 0) -> Tensors:
    """Give one row with odd values strewn over every floating-point input."""
    drawn = np.random.default_rng(seed)
    inputs = {}
    for name, value in model.inputs(1, seed).items():
        inputs[name] = value
        if value.dtype == np.float32:
            bits = value.view(np.uint32).copy()
            places = drawn.choice(bits.size, max(1, min(bits.size // 8, 64)), replace=False)
            bits.reshape(-1)[places] = drawn.choice(np.uint32(ODD[kind]), len(places))
            inputs[name] = bits.view(np.float32)
    return inputs


def row(tensors: Tensors, place: int) -> Tensors:
    """Give one row of every tensor."""
    return {name: value[place : place + 1] for name, value in tensors.items()}


def bits(tensors: Tensors) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Give what two answers must share to be the same: types, shapes, and every bit."""
    return {
        name: (value.dtype.name, value.shape, value.tobytes()) for name, value in tensors.items()
    }
