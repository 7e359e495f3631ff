"""From an ONNX file to one WebAssembly module: the same bytes wherever it is compiled."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache as remembered
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.inference import CompilerFault, ModelNotRunnable, WrongInput
from caimi.inference.wasm.compiling.decomposing import decompose
from caimi.inference.wasm.compiling.emitter import Emitted, emit
from caimi.inference.wasm.compiling.float16 import widen
from caimi.inference.wasm.compiling.folding import fold, lift_constants
from caimi.inference.wasm.compiling.graph import (
    Graph,
    OpenedModel,
    check_settled,
    detach_weights,
    fix_sizes,
    open_model,
    signatures,
)
from caimi.inference.wasm.compiling.quantising import quantise
from caimi.inference.wasm.compiling.refusals import check_names, check_operators
from caimi.inference.wasm.compiling.row_wise import row_symbol
from caimi.inference.wasm.compiling.settling import settle
from caimi.inference.wasm.compiling.toolchain import (
    GENERATOR_VERSION,
    ZIG_VERSION,
    build,
    check_toolchain,
)
from caimi.inference.wasm.compiling.variants import SIMD, Variant
from caimi.inference.wasm.metadata import ITEM_BYTES, Metadata, Weight
from caimi.inference.wasm.module import CompiledModule, attach
from caimi.models.tensor import Tensor
from caimi.places import cache_folder

_SPARE_BYTES: Final = 64 << 20
"""What operators may take besides: the stack, and buffers of the generator's own."""


def default_cache() -> Path:
    """Give the user's directory for what was compiled before."""
    return cache_folder()


@remembered
def fingerprint(variant: Variant) -> bytes:
    """Give a hash of what, besides the model, decides a module's bytes: for keys of caches."""
    state = hashlib.sha256(repr((variant, GENERATOR_VERSION, ZIG_VERSION)).encode())
    package = files("caimi.inference.wasm.compiling")
    for folder in (package, package / "operators", package / "kernels"):
        for part in sorted(folder.iterdir(), key=lambda part: part.name):
            if part.name.endswith((".py", ".c", ".h")):
                state.update(hashlib.sha256(part.read_bytes()).digest())
    return state.digest()


@dataclass(frozen=True, slots=True)
class Compilation:
    """A module, and the files by name that must lie beside it besides its ONNX file.

    `external` says whether data of further files went into it, so that the ONNX file alone does not
    decide what it is.
    """

    module: CompiledModule
    beside: Mapping[str, bytes]
    external: bool


def compile_model(
    file: Path,
    variant: Variant = SIMD,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    cache: Path | None = None,
) -> CompiledModule:
    """Give the module that `compile_files` makes; raises the same."""
    return compile_files(file, variant, shapes=shapes, cache=cache).module


def compile_files(
    file: Path,
    variant: Variant = SIMD,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    cache: Path | None = None,
) -> Compilation:
    """Compile an ONNX file; `shapes` gives inputs their sizes.

    Without `shapes`, a model that treats rows one by one is compiled for one row, and other open
    sizes become 1. The module's weights are read from `file`, which must lie beside it; int8
    weights from a file of their own.

    Raises:
        ModelNotRunnable: the model has what no module can do; named.
        WrongInput: `shapes` does not fit the model.
        CompilerFault: our code, or the generator's, fails in any other way.
        CompilerFailed: the toolchain is missing, of another version, or fails.
    """
    check_toolchain()
    made = translate(file, variant, shapes=shapes)
    opened, graph, emitted = made.opened, made.graph, made.emitted
    weights, beside = _stored(file, opened, graph, emitted)
    most = emitted.arena_bytes + made.weight_bytes + len(emitted.code) + _SPARE_BYTES
    wasm = _built(emitted, variant, most, cache or default_cache() / "zig")
    metadata = _metadata(opened, graph, emitted, variant, made.rows, weights)
    return Compilation(CompiledModule.parse(attach(wasm, metadata)), beside, opened.external)


@dataclass(frozen=True, slots=True)
class Translation:
    """A model as C code, and what its module's metadata is made of."""

    opened: OpenedModel
    graph: Graph
    emitted: Emitted
    rows: str | None

    @property
    def weight_bytes(self) -> int:
        """How many bytes of weights a run reads."""
        graph, names = self.graph, self.emitted.weights
        return sum(len(graph.int8.get(n, b"")) or graph.weights[n].size for n in names)


def translate(
    file: Path,
    variant: Variant = SIMD,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Translation:
    """Check an ONNX file and give its C code: all of `compile_files` but the C compiler.

    Raises:
        ModelNotRunnable: the model has what no module can do; named.
        WrongInput: `shapes` does not fit the model.
        CompilerFault: our code, or the generator's, fails in any other way.
    """
    try:
        return _translate(file, variant, shapes)
    except CaimiError:
        raise
    except Exception as error:
        raise CompilerFault(f"{file.name}: {type(error).__name__}: {str(error)[:300]}.") from error


def _translate(
    file: Path, variant: Variant, shapes: Mapping[str, tuple[int, ...]] | None
) -> Translation:
    opened = open_model(file)
    declared, given = signatures(opened.proto, file.name)
    for tensor in (*declared, *given):
        if tensor.dtype not in ITEM_BYTES:
            raise ModelNotRunnable(f"{tensor.name!r} is {tensor.dtype}, which no module takes.")
    check_names(opened.proto)
    rows = row_symbol(opened.proto) if shapes is None else None
    graph = _prepared(opened, variant, _all_sizes(declared, shapes or {}))
    emitted = emit(
        graph.model,
        graph.weights,
        float64_sums=variant.float64_sums,
        int8=tuple(graph.int8),
        names=graph.names,
    )
    return Translation(opened, graph, emitted, rows)


def _prepared(opened: OpenedModel, variant: Variant, sizes: Mapping[str, tuple[int, ...]]) -> Graph:
    sized = settle(fix_sizes(opened.proto, sizes))
    check_settled(opened.file, sized)
    check_names(sized)  # once more, since branches have become part of the graph
    check_operators(sized)
    folded = fold(decompose(widen(lift_constants(sized))))
    if not variant.int8:
        return detach_weights(folded, opened)
    whole, names = quantise(folded)
    return detach_weights(whole, opened, names)


def _stored(
    file: Path, opened: OpenedModel, graph: Graph, emitted: Emitted
) -> tuple[tuple[Weight, ...], dict[str, bytes]]:
    """Say where the module's weights lie; with int8 weights, all in one file beside it."""
    if not graph.int8:
        return tuple(graph.weights[name] for name in emitted.weights), {}
    name, data, weights = f"{file.stem}.int8", bytearray(), []
    for weight in emitted.weights:
        part = graph.int8.get(weight) or _bytes_of(file, opened, graph.weights[weight])
        weights.append(Weight(name, len(data), len(part)))
        data += part
    return tuple(weights), {name: bytes(data)}


def _bytes_of(file: Path, opened: OpenedModel, weight: Weight) -> bytes:
    data = opened.data
    if weight.file != file.name:
        data = (file.parent / weight.file).read_bytes()
    return data[weight.offset : weight.offset + weight.size]


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
        as_file(files("caimi.inference.wasm.compiling") / "kernels") as kernels,
    ):
        folder = Path(name)
        source, output = folder / "model.c", folder / "model.wasm"
        source.write_text(emitted.code)
        sources = [source, *sorted(kernels.glob("*.c"))]
        build(sources, [kernels], variant.target, output, max_memory=max_memory, cache=cache)
        return output.read_bytes()


def _metadata(
    opened: OpenedModel,
    graph: Graph,
    emitted: Emitted,
    variant: Variant,
    rows: str | None,
    weights: tuple[Weight, ...],
) -> Metadata:
    sized = _input_sizes(graph)
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
        answer=variant.answer_id,
        source=hashlib.sha256(opened.data).digest(),
        inputs=inputs,
        outputs=outputs,
        rows=rows,
        weights=weights,
        arena_bytes=emitted.arena_bytes,
        toolchain=f"emx-onnx-cgen {GENERATOR_VERSION}, ziglang {ZIG_VERSION}",
    )


def _input_sizes(graph: Graph) -> dict[str, tuple[int, ...]]:
    return {
        tensor.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for tensor, value in zip(graph.inputs, graph.model.graph.input, strict=False)
    }


def _by_row(shape: tuple[int, ...], rows: str | None) -> tuple[int | str, ...]:
    return (rows, *shape[1:]) if rows is not None else shape
