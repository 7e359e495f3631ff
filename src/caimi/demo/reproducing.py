"""The demonstration's model as WebAssembly, against ONNX Runtime's answer."""

from __future__ import annotations

from pathlib import Path

from caimi.demo.report import DemoStep, require
from caimi.errors.inference import ModelNotRunnable, RunFailed, WrongInput
from caimi.inference.spread import MULTIPLE, measure_spread
from caimi.inference.tensors import Tensors, hash_tensors
from caimi.inference.verification import differences
from caimi.inference.wasm.compiling.variants import SIMD
from caimi.inference.wasm.engine import WasmEngine, WasmSession
from caimi.inference.wasm.hosting.host import ModuleHost


def reproduce(model: Path, inputs: Tensors, outputs: Tensors, step: DemoStep) -> None:
    """Compile the model, run it in two processes, and compare: with itself by bits, with `outputs`
    by values. A user's model that cannot be compiled or run so leaves the step out, by name.
    """
    with ModuleHost() as host:
        engine = WasmEngine(SIMD, host=host)
        sessions: list[WasmSession] = []
        try:
            sessions += [engine.load(model) for _ in range(2)]
            first, second = (session.run_costed(inputs) for session in sessions)
        except (ModelNotRunnable, RunFailed, WrongInput) as error:
            step.leave_out(f"not as WebAssembly, {error.code}: {error.what}")
            return
        finally:
            for session in sessions:
                session.close()
    bits = hash_tensors(first.outputs)
    require(bits == hash_tensors(second.outputs), "Two runs of one module gave other bits.")
    require(first.cost.fuel == second.cost.fuel, "Two runs of one module took other fuel.")
    step.prove(
        f"{engine.id}: its bits, 0x{bits.hex()[:16]}…, and its {first.cost.fuel:,} fuel are the "
        f"same in two processes; {nearness(first.outputs, outputs, model, inputs)}"
    )


def nearness(given: Tensors, ours: Tensors, model: Path, inputs: Tensors) -> str:
    """Say how near an answer is to ONNX Runtime's here.

    Raises:
        DemoFailed: it is farther than what the model makes of rounding.
    """
    if hash_tensors(given) == hash_tensors(ours):
        return "bit for bit ONNX Runtime's answer"
    if not differences(ours, given):
        return "ONNX Runtime's answer but for its last digits"
    spread = measure_spread(model, inputs)
    other = differences(ours, given, spread)
    require(
        not other,
        f"The answers differ in {', '.join(other)} by over {MULTIPLE} times what ONNX Runtime's "
        f"own do, {max(spread.largest.values(), default=0.0):.1e}.",
    )
    most = max(spread.largest.values(), default=0.0)
    return f"ONNX Runtime's answer within {MULTIPLE} times the {most:.1e} that its own differ by"
