"""The zoo's models compiled, and inputs that try them: examples, and values of every odd kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from caimi.inference.onnx_runtime import ort
from caimi.inference.tensors import Tensors
from caimi.inference.wasm.compiling.module_cache import ModuleCache
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.module import CompiledModule
from zoo import ZooModel, named

ODD = {
    "nan": [0x7FC00000, 0xFFC00000, 0x7FC00001, 0xFFEDCBA9, 0x7F800001, 0xFF812345],
    "infinite": [0x7F800000, 0xFF800000, 0x7F7FFFFF, 0xFF7FFFFF],
    "small": [0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80000000],
}
"""Bits of float32: NaNs of both signs, quiet and signalling, with payloads; infinities and the
greatest numbers; denormals of both signs, the least normal, and minus zero."""


@dataclass
class ZooModules:
    """Builds each model once, and compiles it unless that was done before."""

    folder: Path
    _cache: ModuleCache = field(default_factory=ModuleCache)
    _sessions: dict[str, ort.InferenceSession] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        file = self.folder / f"{name}.onnx"
        if not file.is_file():
            file.write_bytes(named(name).build(0))
        return file

    def module(
        self, name: str, variant: str = "simd", rows: int | None = None
    ) -> tuple[CompiledModule, Path]:
        """Give a model's module and where its weights lie; with `rows`, one that takes so many."""
        shapes = None
        if rows is not None:
            example = named(name).inputs(rows, 0)
            shapes = {tensor: value.shape for tensor, value in example.items()}
        return self._cache.module(self.file(name), VARIANTS[variant], shapes)

    def onnx_runtime(self, name: str, inputs: Tensors) -> Tensors:
        if name not in self._sessions:
            options = ort.SessionOptions()
            options.intra_op_num_threads = 1
            self._sessions[name] = ort.InferenceSession(
                self.file(name), options, providers=["CPUExecutionProvider"]
            )
        names = [value.name for value in self._sessions[name].get_outputs()]
        return dict(zip(names, self._sessions[name].run(names, dict(inputs)), strict=True))


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
