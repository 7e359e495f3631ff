"""From `load` to ready: machine code is in the cache, and a spare process waits."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from bench.result import Result
from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.hosting.code_cache import CodeCache
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.hosting.weights import FileWeights
from caimi.inference.wasm.module import CompiledModule
from zoo import named

STARTS, RUNS = 11, 2_000
PAUSE = 1.0  # between starts, for the spare process of the next


def measure() -> list[Result]:
    """Start a small and a middling module, and run the small one on one row."""
    with tempfile.TemporaryDirectory(prefix="caimi-bench-") as name:
        folder = Path(name)
        modules = {}
        for model in ("perceptron", "mobilenet_v2"):
            (folder / model).mkdir()
            file = folder / model / "model.onnx"
            file.write_bytes(named(model).build(0))
            modules[model] = compile_model(file)
        cache = CodeCache(folder / "code")
        results = [
            Result(
                f"wasm_cold_start_{model}",
                _start(cache, module, folder / model),
                "ms from machine code on disk to ready, weights read",
                ceiling=50,
            )
            for model, module in modules.items()
        ]
        run = _run(cache, modules["perceptron"], folder / "perceptron")
        results.append(
            Result("wasm_run_small", run, "ms for one row of the perceptron", ceiling=0.3)
        )
        cache.close()
    return results


def _start(cache: CodeCache, module: CompiledModule, folder: Path) -> float:
    took = []
    with ModuleHost(cache) as host:
        host.machine_code(module)
        for _ in range(STARTS):
            time.sleep(PAUSE)
            began = time.perf_counter()
            session = host.load(module, FileWeights(folder))
            took.append(time.perf_counter() - began)
            session.close()
    return 1000 * median(took)


def _run(cache: CodeCache, module: CompiledModule, folder: Path) -> float:
    row = named("perceptron").inputs(1, 0)
    took = []
    with ModuleHost(cache) as host, host.load(module, FileWeights(folder)) as session:
        for _ in range(RUNS):
            began = time.perf_counter()
            session.run(row)
            took.append(time.perf_counter() - began)
    return 1000 * median(took)
