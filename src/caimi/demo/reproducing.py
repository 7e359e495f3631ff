"""The demonstration's model as WebAssembly, against ONNX Runtime's answer."""

from __future__ import annotations

from pathlib import Path

from caimi.demo.report import require
from caimi.errors.inference import ModelNotRunnable
from caimi.inference.tensors import Tensors, hash_tensors
from caimi.inference.verification import differences
from caimi.inference.wasm.compiling.compiler import SIMD
from caimi.inference.wasm.engine import WasmEngine
from caimi.inference.wasm.hosting.host import ModuleHost


def reproduce(model: Path, inputs: Tensors, outputs: Tensors) -> str:
    """Compile the model, run it in two processes, and compare: with itself by bits, with `outputs`
    by values. Gives what was seen; a user's model that cannot be compiled is named as such.
    """
    with ModuleHost() as host:
        engine = WasmEngine(SIMD, host=host)
        try:
            sessions = [engine.load(model) for _ in range(2)]
        except ModelNotRunnable as error:
            return f"not compiled to WebAssembly, {error.code}: {error.what}"
        try:
            first, second = (session.run_costed(inputs) for session in sessions)
        finally:
            for session in sessions:
                session.close()
    bits = hash_tensors(first.outputs)
    require(bits == hash_tensors(second.outputs), "Two runs of one module gave other bits.")
    require(first.cost.fuel == second.cost.fuel, "Two runs of one module took other fuel.")
    other = differences(first.outputs, outputs)
    require(not other, f"WebAssembly and ONNX Runtime differ in {', '.join(other)}.")
    return (
        f"{engine.id} gives ONNX Runtime's answer; its bits, 0x{bits.hex()[:16]}…, and its "
        f"{first.cost.fuel:,} fuel are the same on every machine"
    )
