"""The WebAssembly engine against onnxruntime-web and native ONNX Runtime: one thread, one image.

Ours runs on its real path: in a child process, its fuel metered, outputs copied back. Engines take
turns, so that what else the machine does strikes all of them; a ratio is the median over the turns.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench.result import Result
from bench.web_peer import OnnxRuntimeWeb
from caimi.inference.onnx_runtime import ort
from caimi.inference.tensors import Tensors
from caimi.inference.wasm.compiling.module_cache import ModuleCache
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.hosting.weights import FileWeights
from zoo import named

ROUNDS = {"resnet50": 11, "mobilenet_v2": 25, "transformer": 25}
MIB = 1 << 20
PAGE_BYTES = resource.getpagesize()
Timed = Callable[[], float]

_COMPILE = """
import sys
from pathlib import Path
from caimi.inference.wasm.compiling.compiler import compile_model
compile_model(Path(sys.argv[1]), cache=Path(sys.argv[2]))
"""


def measure() -> list[Result]:
    """Give all figures."""
    with tempfile.TemporaryDirectory(prefix="caimi-bench-") as name, ModuleHost() as host:
        bench = Bench(Path(name), host)
        return [
            *bench.resnet50(),
            *bench.against_web("mobilenet_v2", "wasm_mobilenet_ratio_ortweb", 1.0),
            *bench.against_web("transformer", "wasm_transformer_ratio_ortweb", 1.0),
            bench.scalar(),
            *bench.compiling(),
        ]


class Bench:
    """Models and modules of one run."""

    def __init__(self, folder: Path, host: ModuleHost) -> None:
        self._folder, self._host = folder, host
        self._cache = ModuleCache()

    def resnet50(self) -> list[Result]:
        """Against both peers, and with int8 weights."""
        with ExitStack() as stack:
            engines = {
                "web": stack.enter_context(self._web("resnet50")),
                "native": self._native("resnet50"),
                "ours": stack.enter_context(self._ours("resnet50")),
                "int8": stack.enter_context(self._ours("resnet50", "int8")),
            }
            turns = take_turns(engines, ROUNDS["resnet50"])
        native = ratio(turns, "ours", "native")
        int8 = ratio(turns, "int8", "ours")
        return [
            against_web(turns, "wasm_resnet50_ratio_ortweb", 0.8),
            Result(
                "wasm_resnet50_ratio_native",
                native,
                "of the peer's time",
                "ONNX Runtime, ms",
                milliseconds(turns, "native"),
                native,
            ),
            Result(
                "wasm_int8_ratio_float32",
                int8,
                "of float32's time, ResNet-50",
                "float32, ms",
                milliseconds(turns, "ours"),
                int8,
            ),
        ]

    def against_web(self, model: str, name: str, ceiling: float) -> list[Result]:
        """One model against onnxruntime-web."""
        with self._web(model) as web, self._ours(model) as ours:
            turns = take_turns({"web": web, "ours": ours}, ROUNDS[model])
        return [against_web(turns, name, ceiling)]

    def scalar(self) -> Result:
        """The variant without SIMD against the one with it."""
        with self._ours("mobilenet_v2") as simd, self._ours("mobilenet_v2", "mvp") as mvp:
            turns = take_turns({"simd": simd, "mvp": mvp}, ROUNDS["mobilenet_v2"])
        found = ratio(turns, "mvp", "simd")
        return Result(
            "wasm_mvp_ratio_simd",
            found,
            "of SIMD's time, MobileNetV2",
            "SIMD, ms",
            milliseconds(turns, "simd"),
            found,
        )

    def compiling(self) -> list[Result]:
        """Compiling ResNet-50 in a process of its own, with nothing compiled before."""
        command = [sys.executable, "-c", _COMPILE, str(self._file("resnet50"))]
        peak = 0
        with tempfile.TemporaryDirectory(prefix="caimi-bench-") as cache:
            began = time.perf_counter()
            with subprocess.Popen([*command, cache]) as process:
                while process.poll() is None:
                    peak = max(peak, resident_bytes(process.pid))
                    time.sleep(0.02)
            seconds = time.perf_counter() - began
        assert process.returncode == 0
        return [
            Result("wasm_compile_resnet50_seconds", seconds, "s", ceiling=60),
            Result("wasm_compile_resnet50_memory", peak / MIB, "MiB", ceiling=2048),
        ]

    def _file(self, name: str) -> Path:
        file = self._folder / f"{name}.onnx"
        if not file.is_file():
            file.write_bytes(named(name).build(0))
        return file

    @contextmanager
    def _ours(self, name: str, variant: str = "simd") -> Iterator[Timed]:
        inputs = named(name).inputs(1, 0)
        module, weights = self._cache.module(self._file(name), VARIANTS[variant])
        with self._host.load(module, FileWeights(weights)) as session:
            yield timed(lambda: session.run(inputs))

    @contextmanager
    def _web(self, name: str) -> Iterator[Timed]:
        with OnnxRuntimeWeb(self._file(name), named(name).inputs(1, 0)) as web:
            yield web.seconds

    def _native(self, name: str) -> Timed:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = ort.InferenceSession(
            self._file(name), options, providers=["CPUExecutionProvider"]
        )
        inputs: Tensors = named(name).inputs(1, 0)
        return timed(lambda: session.run(None, dict(inputs)))


def resident_bytes(pid: int) -> int:
    """Give the memory of a process and of all that it has started."""
    try:
        process = Path(f"/proc/{pid}")
        own = int((process / "statm").read_text().split()[1]) * PAGE_BYTES
        children = (process / "task" / str(pid) / "children").read_text().split()
    except OSError:
        return 0
    return own + sum(resident_bytes(int(child)) for child in children)


def timed(run: Callable[[], object]) -> Timed:
    """Give a function that runs `run` and gives the seconds it took."""

    def seconds() -> float:
        began = time.perf_counter()
        run()
        return time.perf_counter() - began

    return seconds


def take_turns(engines: dict[str, Timed], rounds: int) -> dict[str, list[float]]:
    """Run each engine twice a round, in turning order, and take the second time.

    The first run finds the processor at rest and the caches full of the other engine's data, which
    costs a model of ten milliseconds half of its time, and differently from one moment to the next.
    """
    turns: dict[str, list[float]] = {name: [] for name in engines}
    order = list(engines)
    for _ in range(rounds):
        for name in order:
            engines[name]()
            turns[name].append(engines[name]())
        order.append(order.pop(0))
    return turns


def ratio(turns: dict[str, list[float]], ours: str, theirs: str) -> float:
    """Give the median of ours over theirs, turn by turn."""
    return median(a / b for a, b in zip(turns[ours], turns[theirs], strict=True))


def milliseconds(turns: dict[str, list[float]], name: str) -> float:
    """Give an engine's median time."""
    return median(turns[name]) * 1000


def against_web(turns: dict[str, list[float]], name: str, ceiling: float) -> Result:
    """Give the figure of ours against onnxruntime-web."""
    found = ratio(turns, "ours", "web")
    return Result(
        name,
        found,
        "of the peer's time",
        "onnxruntime-web, one thread, ms",
        milliseconds(turns, "web"),
        found,
        ceiling=ceiling,
    )
