"""What can run models on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from caimi.errors.inference import ModelNotRunnable
from caimi.extras import extra_named
from caimi.inference.engine import DEFAULT_ENGINE, Engine
from caimi.inference.receipt import Receipt


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine: its name in commands, its id in receipts, whether it can be used, and for what.

    Engines of one `answer` id give the same bits on every machine; without one, bits depend on it.
    """

    name: str
    id: str
    answer: str
    state: str
    use: str


_USES: Final[Mapping[str, str]] = {
    "simd": "answers that anyone can check by running again",
    "mvp": "ledgers' virtual machines: no SIMD, no bulk memory; the bits of simd",
    "f64": "sums in float64, for models that lose too much in float32",
    "int8": "weights in a quarter of the bytes, a little less exact",
}


def answer_of(receipt: Receipt) -> str:
    """Give the answer id that a receipt binds its worker to, empty if there is none.

    That is the one it states, or else the one of the engine that it names.
    """
    return receipt.answer or _answers().get(receipt.engine, "")


def checker_of(receipt: Receipt) -> EngineInfo:
    """Give the engine here that checks an answer: one of the same answer id, ONNX Runtime else.

    Of several, the one that the receipt names comes first.
    """
    answer, engines = answer_of(receipt), available_engines()
    equal = [info for info in engines if info.answer and info.answer == answer]
    named = [info for info in equal if info.id == receipt.engine]
    return (*named, *equal, *(info for info in engines if info.name == DEFAULT_ENGINE))[0]


def _answers() -> dict[str, str]:
    from caimi.inference.wasm.compiling.variants import VARIANTS  # noqa: PLC0415 - loads slowly

    return {variant.engine_id: variant.answer_id for variant in VARIANTS.values()}


def available_engines() -> list[EngineInfo]:
    """List the engines, those that lack a part with what is missing."""
    from caimi.inference.onnx_engine import OnnxEngine  # noqa: PLC0415 - loads slowly
    from caimi.inference.wasm.compiling.variants import VARIANTS  # noqa: PLC0415 - loads slowly

    missing = [name for name in ("wasmtime", "ziglang", "emx-onnx-cgen") if not _installed(name)]
    state = f"lacks {', '.join(missing)}: pip install 'caimi[wasm]'" if missing else "ready"
    return [
        EngineInfo("onnx", OnnxEngine().id, "", "ready", "speed"),
        *(
            EngineInfo(_option(name), variant.engine_id, variant.answer_id, state, _USES[name])
            for name, variant in VARIANTS.items()
        ),
        EngineInfo("remote", "oip/2", "", "ready", "a server of the Open Inference Protocol"),
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
        ExtraMissing: it needs the extra ``wasm``.
    """
    from caimi.inference.onnx_engine import OnnxEngine  # noqa: PLC0415 - loads slowly
    from caimi.inference.wasm.compiling.variants import VARIANTS  # noqa: PLC0415 - loads slowly

    if name == DEFAULT_ENGINE:
        return OnnxEngine()
    variants = {_option(each): variant for each, variant in VARIANTS.items()}
    if name not in variants:
        known = ", ".join((DEFAULT_ENGINE, *variants))
        raise ModelNotRunnable(f"There is no engine {name[:40]!r}; there are {known}.")
    with extra_named():
        from caimi.inference.wasm.engine import WasmEngine  # noqa: PLC0415 - loads slowly

        return WasmEngine(variants[name], processes=processes)
