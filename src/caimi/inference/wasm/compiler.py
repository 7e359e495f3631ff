"""From an ONNX file to one WebAssembly module: the same bytes wherever it is compiled."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from caimi.errors.inference import ModelNotRunnable, WrongInput
from caimi.errors.models import ManifestMalformed
from caimi.inference.wasm.emitter import Emitted, emit
from caimi.inference.wasm.folding import fold
from caimi.inference.wasm.graph import (
    Graph,
    OpenedModel,
    detach_weights,
    fix_sizes,
    open_model,
    signature,
)
from caimi.inference.wasm.metadata import Metadata
from caimi.inference.wasm.module import CompiledModule, attach
from caimi.inference.wasm.rewrite import rewrite
from caimi.inference.wasm.row_wise import row_symbol
from caimi.inference.wasm.toolchain import (
    GENERATOR_VERSION,
    ZIG_VERSION,
    Target,
    build,
    check_toolchain,
)
from caimi.models.tensor import Tensor

REVISION: Final = 1
"""Of everything that fixes the bits of answers: kernels, folding, fusion, flags and toolchain."""
_SPARE_BYTES: Final = 64 << 20
"""What operators may take besides: the stack, and buffers of the generator's own."""
_SIMD: Final = ("-msimd128", "-mbulk-memory", "-mnontrapping-fptoint")


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to compile, with an engine id of its own."""

    name: str
    target: Target
    float64_sums: bool = False

    @property
    def engine_id(self) -> str:
        """The id that metadata and receipts name."""
        return f"caimi-wasm/{REVISION}/{self.name}"


VARIANTS: Final[Mapping[str, Variant]] = {
    variant.name: variant
    for variant in (
        Variant("simd", Target(_SIMD)),
        Variant("mvp", Target(("-mcpu=mvp",))),
        Variant("f64", Target(_SIMD, ("CAIMI_FLOAT64_SUMS",)), float64_sums=True),
    )
}
SIMD: Final = VARIANTS["simd"]


def default_cache() -> Path:
    """Give the directory for what the C compiler has built before."""
    return Path.home() / ".cache" / "caimi" / "zig"


def compile_model(
    file: Path,
    variant: Variant = SIMD,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    cache: Path | None = None,
) -> CompiledModule:
    """Compile an ONNX file; `shapes` gives inputs their sizes.

    Without `shapes`, a model that treats rows one by one is compiled for one row, and other open
    sizes become 1. The module's weights are read from `file`, which must lie beside it.

    Raises:
        ModelNotRunnable: the model has what no module can do; named.
        WrongInput: `shapes` does not fit the model.
        CompilerFailed: the toolchain is missing, of another version, or fails.
    """
    check_toolchain()
    opened = open_model(file)
    opened = replace(opened, proto=rewrite(opened.proto))
    try:
        declared = signature(opened.proto)
    except ManifestMalformed as error:
        raise ModelNotRunnable(f"{file.name}: {error.what}") from error
    rows = row_symbol(opened.proto) if shapes is None else None
    sized = fix_sizes(opened.proto, _all_sizes(declared, shapes or {}))
    graph = detach_weights(fold(sized), opened)
    emitted = emit(graph.model, tuple(graph.weights), float64_sums=variant.float64_sums)
    weight_bytes = sum(graph.weights[name].size for name in emitted.weights)
    most = emitted.arena_bytes + weight_bytes + len(emitted.code) + _SPARE_BYTES
    wasm = _built(emitted, variant, most, cache or default_cache())
    return CompiledModule.parse(attach(wasm, _metadata(opened, graph, emitted, variant, rows)))


def _all_sizes(
    declared: tuple[Tensor, ...], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    sizes = {}
    for tensor in declared:
        if tensor.name in shapes:
            sizes[tensor.name] = shapes[tensor.name]
        elif tensor.shape is None:
            raise WrongInput(f"Input {tensor.name!r} has an open rank: give its shape.")
        else:
            sizes[tensor.name] = tuple(s if isinstance(s, int) else 1 for s in tensor.shape)
    return sizes


def _built(emitted: Emitted, variant: Variant, max_memory: int, cache: Path) -> bytes:
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        tempfile.TemporaryDirectory(prefix="caimi-compile-") as name,
        as_file(files("caimi.inference.wasm") / "kernels") as kernels,
    ):
        folder = Path(name)
        source, output = folder / "model.c", folder / "model.wasm"
        source.write_text(emitted.code)
        sources = [source, *sorted(kernels.glob("*.c"))]
        build(sources, [kernels], variant.target, output, max_memory=max_memory, cache=cache)
        return output.read_bytes()


def _metadata(
    opened: OpenedModel, graph: Graph, emitted: Emitted, variant: Variant, rows: str | None
) -> Metadata:
    sized = dict(_input_sizes(graph))
    inputs = tuple(
        Tensor(tensor.name, tensor.dtype, _by_row(sized[tensor.name], rows))
        for tensor in graph.inputs
    )
    outputs = tuple(
        Tensor(name, kind, _by_row(shape, rows))
        for (name, _), (shape, kind) in zip(graph.outputs, emitted.outputs, strict=True)
    )
    return Metadata(
        engine=variant.engine_id,
        source=hashlib.sha256(opened.data).digest(),
        inputs=inputs,
        outputs=outputs,
        rows=rows,
        weights=tuple(graph.weights[name] for name in emitted.weights),
        arena_bytes=emitted.arena_bytes,
        toolchain=f"emx-onnx-cgen {GENERATOR_VERSION}, ziglang {ZIG_VERSION}",
    )


def _input_sizes(graph: Graph) -> list[tuple[str, tuple[int, ...]]]:
    return [
        (tensor.name, tuple(d.dim_value for d in value.type.tensor_type.shape.dim))
        for tensor, value in zip(graph.inputs, graph.model.graph.input, strict=False)
    ]


def _by_row(shape: tuple[int, ...], rows: str | None) -> tuple[int | str, ...]:
    return (rows, *shape[1:]) if rows is not None else shape
