"""What runs modules: a spare process that is ready, machine code ahead of time, and limits."""

from __future__ import annotations

import platform
import threading
from functools import cache, partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Final, Self

from caimi.errors.inference import CacheUnsafe, ModuleMalformed, RunnerDied
from caimi.inference.wasm.hosting import protocol
from caimi.inference.wasm.hosting.code_cache import MAX_CODE_BYTES, CodeCache
from caimi.inference.wasm.hosting.process import ChildProcess
from caimi.inference.wasm.hosting.runner import Limits, Mode, Runner, check_memory
from caimi.inference.wasm.hosting.session import ModuleSession
from caimi.inference.wasm.hosting.shared_memory import SharedMemory
from caimi.inference.wasm.hosting.weights import WeightSource
from caimi.inference.wasm.module import CompiledModule

_COMPILE_SECONDS: Final = 120
_COMPILE_BYTES: Final = 2 * 1024**3


class ModuleHost:
    """Loads modules, each in processes of its own. One spare is always started beforehand."""

    def __init__(self, cache: CodeCache | None = None) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._closed = False
        self._spare: ChildProcess | None = ChildProcess()

    @classmethod
    def caching_in(cls, directory: Path) -> Self:
        """Make a host that keeps machine code in a directory, or in none if that cannot be used."""
        try:
            return cls(CodeCache(directory))
        except CacheUnsafe:
            return cls()

    def load(
        self,
        module: CompiledModule,
        weights: WeightSource,
        *,
        limits: Limits | None = None,
        mode: Mode = Mode.RESIDENT,
        processes: int = 1,
    ) -> ModuleSession:
        """Load a module, compiling it to machine code first where that is not in the cache.

        Raises:
            ModuleMalformed: Wasmtime does not take it.
            ModuleMemoryExceeded: it needs more memory than it may have.
            FuelExhausted, RunTimedOut, ModuleTrapped, ModuleLied, RunnerDied: loading it failed.
            WeightsUnavailable, StorageError: its weights cannot be had, or were altered.
        """
        bounds = limits or Limits()
        check_memory(module, bounds)
        code = self.machine_code(module)
        start = partial(self._start, module, code, weights, bounds, mode)
        return ModuleSession(start, module.metadata, processes)

    def machine_code(self, module: CompiledModule) -> bytes:
        """Give a module's machine code, from the cache or from a process that compiles it.

        Raises:
            ModuleMalformed: Wasmtime does not take it.
            RunnerDied, RunTimedOut: compiling it takes too much.
        """
        key = sha256(module.sha256 + _target()).digest()
        code = self._cache.get(key) if self._cache else None
        if code is None:
            code = self._compile(module.wasm)
            if self._cache:
                self._cache.put(key, code)
        return code

    def close(self) -> None:
        """End the spare process; sessions are closed by themselves."""
        with self._lock:
            self._closed = True
            spare, self._spare = self._spare, None
        if spare:
            spare.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(
        self,
        module: CompiledModule,
        code: bytes,
        weights: WeightSource,
        limits: Limits,
        mode: Mode,
    ) -> Runner:
        reader = weights.open(module.metadata.weights)
        try:
            process = self._take()
        except BaseException:
            reader.close()
            raise
        runner = Runner(process, module, code, reader, limits, mode)
        threading.Thread(target=self._refill, daemon=True).start()
        return runner

    def _compile(self, wasm: bytes) -> bytes:
        process = self._take()
        given, taken = SharedMemory(len(wasm)), SharedMemory(MAX_CODE_BYTES)
        try:
            given.view[: len(wasm)] = wasm
            process.limit(_COMPILE_BYTES, _COMPILE_SECONDS)
            process.send(
                protocol.COMPILE.pack(b"C", len(wasm), MAX_CODE_BYTES),
                [given.descriptor, taken.descriptor],
            )
            answer = process.receive(monotonic() + _COMPILE_SECONDS)
            if answer[:1] == b"E":
                text = protocol.plain(answer[protocol.FAILED.size :])
                raise ModuleMalformed(f"Wasmtime does not take it: {text}.")
            if answer[:1] != b"D" or len(answer) != protocol.DONE.size:
                raise RunnerDied("The process speaks another language.")
            _, size, _ = protocol.DONE.unpack(answer)
            return bytes(taken.view[: min(size, MAX_CODE_BYTES)])
        finally:
            process.close()
            given.close()
            taken.close()

    def _take(self) -> ChildProcess:
        with self._lock:
            spare, self._spare = self._spare, None
        if spare and spare.alive:
            return spare
        return ChildProcess()

    def _refill(self) -> None:
        with self._lock:
            if self._spare is None and not self._closed:
                self._spare = ChildProcess()


@cache
def _target() -> bytes:
    """Name what machine code is made for: wasmtime, its settings, and this processor."""
    features = ""
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        lines = cpu.read_text("utf-8", "replace").splitlines()
        features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    names = (version("wasmtime"), str(protocol.SETTINGS), platform.machine(), features)
    return sha256("\0".join(names).encode()).digest()
