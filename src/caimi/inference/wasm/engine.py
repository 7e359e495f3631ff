"""The WebAssembly engine: the same bits on every machine."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Self

from caimi.errors.inference import CompilerFailed, ModelNotRunnable, RunFailed, RunnerDied
from caimi.inference.tensors import Array, Tensors, check_tensors
from caimi.inference.wasm.compiling.compiler import default_cache
from caimi.inference.wasm.compiling.graph import open_model, signatures
from caimi.inference.wasm.compiling.module_cache import ModuleCache
from caimi.inference.wasm.compiling.row_wise import row_symbol
from caimi.inference.wasm.compiling.variants import SIMD, Variant
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.hosting.runner import Limits, RunOutcome
from caimi.inference.wasm.hosting.session import ModuleSession
from caimi.inference.wasm.hosting.weights import FileWeights
from caimi.inference.wasm.module import CompiledModule
from caimi.models.tensor import Tensor

Shape = tuple[int, ...]

MAX_SIZES: Final = 8
"""How many sizes of one model are kept loaded at a time, each in a process of its own."""


class WasmEngine:
    """Compiles ONNX files to WebAssembly, once, and runs each in up to `processes` of its own.

    By default modules and machine code are kept in the user's cache, where `host` and `cache` may
    put them elsewhere.
    """

    def __init__(
        self,
        variant: Variant = SIMD,
        *,
        host: ModuleHost | None = None,
        cache: ModuleCache | None = None,
        limits: Limits | None = None,
        processes: int = 1,
    ) -> None:
        self.id = variant.engine_id
        self.answer = variant.answer_id
        self._variant = variant
        self._host = host or ModuleHost.caching_in(default_cache() / "code")
        self._cache = cache or ModuleCache()
        self._limits = limits or Limits()
        self._processes = processes

    def load(self, model: Path) -> WasmSession:
        """Load an ONNX file, compiling it if it has not been; see `Engine.load`.

        A model that mixes the rows of its batch, or has other open sizes, is compiled for each size
        that it is run with.

        Raises:
            CompilerFailed: the toolchain is missing, of another version, or fails.
        """
        session = self._opened(model)
        session.model = model
        return session

    def _opened(self, model: Path) -> WasmSession:
        kept = self._cache.kept(model, self._variant)
        if kept is not None:
            return WasmSession.of(self._loaded(*kept))
        opened = open_model(model)
        inputs, outputs = signatures(opened.proto, model.name)
        session = WasmSession(inputs, outputs, partial(self._sized, model))
        if all(_is_fixed(tensor) for tensor in inputs) or row_symbol(opened.proto):
            session.fix(self._sized(model, None))
        return session

    def _sized(self, model: Path, shapes: Mapping[str, Shape] | None) -> ModuleSession:
        return self._loaded(*self._cache.module(model, self._variant, shapes))

    def _loaded(self, module: CompiledModule, weights: Path) -> ModuleSession:
        return self._host.load(
            module, FileWeights(weights), limits=self._limits, processes=self._processes
        )


class WasmSession:
    """A model as WebAssembly, for one size or for each that it is run with."""

    model: Path | None = None

    def __init__(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        sized: Callable[[Mapping[str, Shape]], ModuleSession],
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self._sized = sized
        self._fixed: ModuleSession | None = None
        self._lock = threading.Lock()
        self._sizes: OrderedDict[tuple[Shape, ...], ModuleSession] = OrderedDict()

    @classmethod
    def of(cls, session: ModuleSession) -> Self:
        """Make one of a loaded module, which takes what its metadata says."""

        def refuse(_: Mapping[str, Shape]) -> ModuleSession:
            raise ModelNotRunnable("It is compiled for one size.")

        made = cls(session.inputs, session.outputs, refuse)
        made.fix(session)
        return made

    def fix(self, session: ModuleSession) -> None:
        """Use one module for all that the signature allows."""
        self._fixed = session

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Run the model; see `Session.run`."""
        return self.run_costed(inputs).outputs

    def run_costed(self, inputs: Tensors) -> RunOutcome:
        """Run the model, and tell what that cost.

        Raises:
            WrongInput, RunFailed: as `Session.run`.
        """
        checked = check_tensors(inputs, self.inputs)
        if self._fixed is not None:
            return self._fixed.run(checked)
        while True:
            session = self._for_sizes(checked)
            try:
                return session.run(checked)
            except RunnerDied:
                # Between the two lines above, another thread may have needed its place.
                if not session.closed:
                    raise

    def close(self) -> None:
        """End its processes."""
        with self._lock:
            sessions = [*self._sizes.values(), *([self._fixed] if self._fixed else [])]
            self._sizes.clear()
        for session in sessions:
            session.close()

    def _for_sizes(self, inputs: Tensors) -> ModuleSession:
        key = tuple(value.shape for value in inputs.values())
        with self._lock:
            if key not in self._sizes:
                shapes = {name: value.shape for name, value in inputs.items()}
                try:
                    self._sizes[key] = self._sized(shapes)
                except (ModelNotRunnable, CompilerFailed) as error:
                    raise RunFailed(f"For inputs of these sizes: {error.what}") from error
            self._sizes.move_to_end(key)
            unused = self._sizes.popitem(last=False)[1] if len(self._sizes) > MAX_SIZES else None
            found = self._sizes[key]
        if unused is not None:
            unused.close()
        return found


def _is_fixed(tensor: Tensor) -> bool:
    return tensor.shape is not None and all(isinstance(size, int) for size in tensor.shape)
