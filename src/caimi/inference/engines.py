"""What can run models on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.engine import Engine

DEFAULT_ENGINE: Final = "onnx"
REPRODUCIBLE: Final = "caimi-wasm/"
"""How the ids of engines begin whose answers are the same bits on every machine."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine: its name in commands, its id in receipts, whether it can be used, and for what."""

    name: str
    id: str
    state: str
    reproducible: bool
    use: str


_USES: Final[Mapping[str, str]] = {
    "simd": "answers that anyone can check by running again",
    "mvp": "ledgers' virtual machines: no SIMD, no bulk memory; the bits of simd",
    "f64": "sums in float64, for models that lose too much in float32",
    "int8": "weights in a quarter of the bytes, a little less exact",
}


def is_reproducible(engine_id: str) -> bool:
    """Whether an engine gives the same bits on every machine, so that other bits convict."""
    return engine_id.startswith(REPRODUCIBLE)


def engine_of(engine_id: str) -> str:
    """Name the engine here that checks an answer of the engine with that id.

    An id of a WebAssembly engine that this release does not have is checked as any other engine's.
    """
    known = {info.id: info.name for info in available_engines() if info.reproducible}
    return known.get(engine_id, DEFAULT_ENGINE)


def available_engines() -> list[EngineInfo]:
    """List the engines, those that lack a part with what is missing."""
    from caimi.inference.onnx_engine import OnnxEngine  # noqa: PLC0415 - loads slowly
    from caimi.inference.wasm.compiling.compiler import VARIANTS  # noqa: PLC0415 - loads slowly

    missing = [name for name in ("wasmtime", "ziglang", "emx-onnx-cgen") if not _installed(name)]
    state = f"lacks {', '.join(missing)}" if missing else "ready"
    return [
        EngineInfo("onnx", OnnxEngine().id, "ready", False, "speed"),
        *(
            EngineInfo(_option(name), variant.engine_id, state, True, _USES[name])
            for name, variant in VARIANTS.items()
        ),
        EngineInfo("remote", "oip/2", "ready", False, "a server of the Open Inference Protocol"),
    ]


def _option(variant: str) -> str:
    return "wasm" if variant == "simd" else f"wasm-{variant}"


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def engine_named(name: str, *, processes: int = 1) -> Engine:
    """Make a local engine by its name in commands: ``onnx``, ``wasm``, ``wasm-mvp`` and so on.

    A WebAssembly module runs in `processes` processes at a time.

    Raises:
        ModelNotRunnable: there is none of that name.
    """
    from caimi.inference.onnx_engine import OnnxEngine  # noqa: PLC0415 - loads slowly
    from caimi.inference.wasm.compiling.compiler import VARIANTS  # noqa: PLC0415 - loads slowly
    from caimi.inference.wasm.engine import WasmEngine  # noqa: PLC0415 - loads slowly

    makers: dict[str, Callable[[], Engine]] = {
        "onnx": OnnxEngine,
        **{
            _option(name): partial(WasmEngine, variant, processes=processes)
            for name, variant in VARIANTS.items()
        },
    }
    if name not in makers:
        raise ModelNotRunnable(f"There is no engine {name[:40]!r}; there are {', '.join(makers)}.")
    return makers[name]()
