"""Compiling a package's models again: are its WebAssembly modules what their ONNX files make?"""

from __future__ import annotations

import hashlib
from pathlib import Path

from caimi.errors.inference import ModuleMalformed
from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.module import CompiledModule


def check_module(file: Path) -> str:
    """Compile the ONNX file beside a module again and compare the bytes; blocking.

    Returns the module's engine id.

    Raises:
        ModuleMalformed: it is no module of ours, its ONNX file is not beside it, or makes another.
        ModelNotRunnable, WrongInput, CompilerFailed: the ONNX file cannot be compiled.
    """
    module = open_module(file)
    said = module.metadata
    variant = VARIANTS.get(said.engine.rpartition("/")[2])
    if variant is None or (variant.engine_id, variant.answer_id) != (said.engine, said.answer):
        raise ModuleMalformed(f"{file.name} is of {said.engine}, which this release cannot make.")
    source = _onnx_file(file.parent, said.source)
    if source is None:
        raise ModuleMalformed(f"The ONNX file that {file.name} is compiled from is not beside it.")
    shapes = None if said.rows is not None else _sizes(module)
    if compile_model(source, variant, shapes=shapes).wasm != module.wasm:
        raise ModuleMalformed(f"{file.name} is not what {source.name} compiles to.")
    return said.engine


def _onnx_file(folder: Path, sha256: bytes) -> Path | None:
    for file in sorted(folder.glob("*.onnx")):
        with file.open("rb") as data:
            if hashlib.file_digest(data, "sha256").digest() == sha256:
                return file
    return None


def _sizes(module: CompiledModule) -> dict[str, tuple[int, ...]]:
    return {
        tensor.name: tuple(int(size) for size in tensor.shape or ())
        for tensor in module.metadata.inputs
    }


def open_module(file: Path) -> CompiledModule:
    """Read a module's file.

    Raises:
        ModuleMalformed: it cannot be read, or is no module of ours.
    """
    try:
        return CompiledModule.parse(file.read_bytes())
    except OSError as error:
        raise ModuleMalformed(f"{file.name} cannot be read: {error.strerror}.") from error
