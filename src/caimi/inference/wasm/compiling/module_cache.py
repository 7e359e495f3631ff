"""Compiled modules kept in a directory, by what they were compiled from and how."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from caimi.errors.inference import ModuleMalformed
from caimi.inference.wasm.compiling.apart import compile_apart
from caimi.inference.wasm.compiling.compiler import default_cache, fingerprint
from caimi.inference.wasm.compiling.variants import Variant
from caimi.inference.wasm.module import CompiledModule
from caimi.models.strict_json import encode
from caimi.whole_files import write_whole

_MODULE: Final = "model.wasm"


class ModuleCache:
    """A directory of modules, of the user's own and of mode 0700; what it holds is not trusted more
    than any module, since all run confined, but a stranger could answer in a model's place.
    """

    def __init__(self, directory: Path | None = None) -> None:
        root = directory or default_cache()
        self._modules = root / "modules"
        self._objects = root / "zig"

    def module(
        self, file: Path, variant: Variant, shapes: Mapping[str, tuple[int, ...]] | None = None
    ) -> tuple[CompiledModule, Path]:
        """Give the module of an ONNX file, compiled if it has not been, and where its weights lie.

        Raises as `compile_model`.
        """
        folder, source = self._place(file, variant, shapes)
        kept = _kept(folder / _MODULE, source, variant)
        if kept is None:
            made = compile_apart(file, variant, shapes=shapes, cache=self._objects)
            if made.external:  # the key does not cover what was read besides the ONNX file
                state = hashlib.sha256(made.module.wasm)
                for data in made.beside.values():
                    state.update(data)
                folder = self._modules / state.hexdigest()
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, data in (*made.beside.items(), (_MODULE, made.module.wasm)):
                write_whole(folder / name, data)
            kept = made.module
        return kept, _weights_of(kept, variant, folder, file)

    def kept(self, file: Path, variant: Variant) -> tuple[CompiledModule, Path] | None:
        """Give what `module` gives of an ONNX file as it is, if it was compiled, else None."""
        try:
            folder, source = self._place(file, variant, None)
        except OSError:
            return None
        found = _kept(folder / _MODULE, source, variant)
        return None if found is None else (found, _weights_of(found, variant, folder, file))

    def _place(
        self, file: Path, variant: Variant, shapes: Mapping[str, tuple[int, ...]] | None
    ) -> tuple[Path, bytes]:
        with file.open("rb") as data:
            source = hashlib.file_digest(data, "sha256").digest()
        sizes = {name: list(shape) for name, shape in (shapes or {}).items()}
        named = encode({"source": source.hex(), "file": file.name, "shapes": sizes})
        return self._modules / hashlib.sha256(fingerprint(variant) + named).hexdigest(), source


def _weights_of(module: CompiledModule, variant: Variant, folder: Path, file: Path) -> Path:
    # The int8 variant of a model without weights to quantise reads the ONNX file, as others do.
    weights = module.metadata.weights
    here = variant.int8 and all((folder / weight.file).is_file() for weight in weights)
    return folder if here else file.parent


def _kept(place: Path, source: bytes, variant: Variant) -> CompiledModule | None:
    try:
        module = CompiledModule.parse(place.read_bytes())
    except (OSError, ModuleMalformed):
        return None
    said = module.metadata
    return module if (said.source, said.engine) == (source, variant.engine_id) else None
