"""One process with one loaded model, and the runs that it does side by side."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import numpy as np

from caimi.errors.inference import (
    ModelEndsItsProcess,
    ModelNotRunnable,
    ModuleLied,
    ModuleMemoryExceeded,
    RunFailed,
    RunnerDied,
    RunTimedOut,
    WrongInput,
)
from caimi.inference.confined import wire
from caimi.inference.confined.limits import OnnxLimits
from caimi.inference.confined.model_files import ModelFiles
from caimi.inference.confined.process import ConfinedProcess, fork, send
from caimi.inference.tensors import Array, Tensors
from caimi.inference.wasm.hosting.protocol import plain
from caimi.inference.wasm.hosting.shared_memory import SharedMemory
from caimi.models.tensor import Tensor

_KEPT_BYTES: Final = 8 << 20
"""A run's shared memory that is larger is given back when a later run needs much less."""
_MUCH: Final = 4


@dataclass(frozen=True, slots=True)
class Setting:
    """How a model is loaded: threads of a run, runs side by side, providers, and its limits.

    A graph that is not `optimised` is run operator by operator, as the file has it.

    `sealed` says whether the process may open nothing; a graphics processor's driver must.
    """

    threads: int
    optimised: bool
    lanes: int
    providers: Sequence[tuple[str, Mapping[str, str]]]
    arena_bytes: int | None
    sealed: bool
    limits: OnnxLimits


class _Lane:
    """One run at a time: a socket, and the memory that both ends see."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.memory: SharedMemory | None = None

    def room(self, size: int) -> tuple[SharedMemory, list[int]]:
        """Give memory of that size at least, and its descriptor where it is another than before."""
        known = self.memory
        if known is not None and size <= known.size <= max(_KEPT_BYTES, _MUCH * size):
            return known, []
        if known is not None:
            known.close()
        self.memory = SharedMemory(size)
        return self.memory, [self.memory.descriptor]

    def close(self) -> None:
        self.ours.close()
        if self.memory is not None:
            self.memory.close()


class ModelProcess:
    """A process that has loaded a model.

    Construction raises `ModelNotRunnable`, by name also where loading ends the process, or takes
    more than its time or memory.
    """

    def __init__(self, files: ModelFiles, setting: Setting) -> None:
        self._limits = setting.limits
        self._process: Final[ConfinedProcess] = fork()
        self._lanes = [_Lane() for _ in range(setting.lanes)]
        self._free = deque(self._lanes)
        self._places = threading.Semaphore(len(self._lanes))
        self.inputs: tuple[Tensor, ...] = ()
        self.outputs: tuple[Tensor, ...] = ()
        try:
            self.provider, self.declared = self._load(files, setting)
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it can run more."""
        return self._process.alive

    @property
    def had_victims(self) -> bool:
        """Whether runs may have died of what was not theirs."""
        return self._process.had_victims

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()

    def close(self) -> None:
        """End it, and give back what it shared."""
        self._process.close()
        for lane in self._lanes:
            lane.close()

    def _load(self, files: ModelFiles, setting: Setting) -> tuple[str, list[Any]]:
        said = json.dumps(
            {
                "threads": setting.threads,
                "optimised": setting.optimised,
                "lanes": len(self._lanes),
                "providers": [[name, dict(given)] for name, given in setting.providers],
                "arena_bytes": setting.arena_bytes,
                "memory_bytes": setting.limits.process_bytes,
                "sealed": setting.sealed,
                "files": list(files.files),
            }
        ).encode()
        with contextlib.ExitStack() as stack:
            given, report = SharedMemory(len(said)), SharedMemory(wire.MAX_REPORT_BYTES)
            stack.callback(given.close)
            stack.callback(report.close)
            for lane in self._lanes:
                stack.callback(lane.theirs.close)
            given.view[: len(said)] = said
            send(
                self._process.channel,
                wire.LOAD.pack(b"L", len(said)),
                [
                    *(given.descriptor, files.model, report.descriptor),
                    *(lane.theirs.fileno() for lane in self._lanes),
                    *files.files.values(),
                ],
            )
            try:
                answer = self._process.receive(
                    self._process.channel, monotonic() + self._limits.load_seconds
                )
            except RunTimedOut as error:
                raise ModelEndsItsProcess(
                    f"{files.name} was not loaded within {self._limits.load_seconds:g} seconds."
                ) from error
            except RunnerDied as error:
                raise ModelEndsItsProcess(
                    f"{files.name}: the process that loads it {self._process.how}."
                ) from error
            if answer[:1] == wire.FAILED:
                raise ModelNotRunnable(f"{files.name}: ONNX Runtime says: {plain(answer[1:])}")
            return _report(answer, report, files.name)

    def run(self, inputs: Tensors) -> list[Array]:
        """Run the model on checked inputs, in their order; gives the outputs in theirs.

        Raises:
            RunFailed: ONNX Runtime failed, by what it says; or the process died, or took too long.
            WrongInput: inputs or outputs are too large together.
        """
        with self._places, self._process.running():
            lane = self._free.pop()
            try:
                return self._run(lane, inputs)
            finally:
                self._free.append(lane)

    def _run(self, lane: _Lane, inputs: Tensors) -> list[Array]:
        deadline = monotonic() + self._limits.run_seconds
        packed = [_packed(value) for value in inputs.values()]
        head = wire.describe(
            [(len(part), value.shape) for part, value in zip(packed, inputs.values(), strict=True)]
        )
        starts, end = wire.layout(wire.aligned(len(head)), [len(part) for part in packed])
        if end > self._limits.tensor_bytes:
            raise WrongInput(
                f"The inputs take {end} bytes; at most {self._limits.tensor_bytes} are allowed."
            )
        memory, moved = lane.room(end + wire.ALIGNMENT)
        memory.view[: len(head)] = head
        for at, part in zip(starts, packed, strict=True):
            memory.view[at : at + len(part)] = part
        send(lane.ours, wire.RUN.pack(b"R", len(head), end), moved)
        answer = self._process.receive(lane.ours, deadline)
        if answer[:1] == b"W" and len(answer) == wire.ROOM.size:
            _, size = wire.ROOM.unpack(answer)
            if not memory.size < size <= self._limits.tensor_bytes:
                send(lane.ours, wire.NO_MORE)
                raise ModuleMemoryExceeded(
                    f"Inputs and outputs take {size} bytes; at most "
                    f"{self._limits.tensor_bytes} are allowed."
                )
            memory, moved = lane.room(size)
            send(lane.ours, wire.MORE, moved)
            answer = self._process.receive(lane.ours, deadline)
        if answer[:1] == wire.FAILED:
            raise RunFailed(f"ONNX Runtime: {plain(answer[1:])}")
        if answer[:1] != b"D" or len(answer) != wire.DONE.size:
            self.kill()
            raise RunnerDied("The process speaks another language.")
        _, size = wire.DONE.unpack(answer)
        try:
            return _outputs(memory.view, end, size, self.outputs)
        except ValueError as error:
            self.kill()
            raise ModuleLied(f"The process gave no outputs of the model: {error}.") from error


def _report(answer: bytes, report: SharedMemory, name: str) -> tuple[str, list[Any]]:
    if answer[:1] == b"D" and len(answer) == wire.DONE.size:
        _, size = wire.DONE.unpack(answer)
        if size <= wire.MAX_REPORT_BYTES:
            with contextlib.suppress(ValueError, RecursionError):
                provider, *ends = json.loads(bytes(report.view[:size]))
                if isinstance(provider, str) and len(ends) == 2:
                    return provider, ends
    raise ModelNotRunnable(f"{name}: its process speaks another language.")


def _packed(value: Array) -> memoryview | bytes:
    if value.dtype.kind in "OU":
        return wire.pack_texts([str(text).encode() for text in value.ravel()])
    return np.ascontiguousarray(value).data.cast("B") if value.size else b""


def _outputs(view: memoryview, start: int, size: int, specs: Sequence[Tensor]) -> list[Array]:
    """Copy what the process wrote, believing nothing of it; any byte but 0 is a true bool."""
    end = start + size
    if end > len(view):
        raise ValueError("their description is outside of the shared memory")
    found = wire.described(bytes(view[start:end]), len(specs))
    starts, last = wire.layout(start + wire.aligned(size), [length for length, _ in found])
    if last > len(view) + wire.ALIGNMENT:
        raise ValueError("they are outside of the shared memory")
    return [
        _output(view, at, length, shape, spec)
        for at, (length, shape), spec in zip(starts, found, specs, strict=True)
    ]


def _output(view: memoryview, at: int, length: int, shape: tuple[int, ...], spec: Tensor) -> Array:
    count = 1
    for one in shape:
        count *= one
    if spec.dtype == "string":
        texts = [text.decode() for text in wire.unpack_texts(bytes(view[at : at + length]))]
        if len(texts) != count:
            raise ValueError(f"{spec.name!r} has {len(texts)} texts")
        return np.array(texts, object).reshape(shape)
    try:
        dtype = np.dtype(np.uint8 if spec.dtype == "bool" else spec.dtype)
    except TypeError as error:
        raise RunFailed(f"{spec.name!r} is {spec.dtype}, which NumPy has no arrays of.") from error
    if count * dtype.itemsize != length or at + length > len(view):
        raise ValueError(f"{spec.name!r} has {length} bytes")
    value = np.frombuffer(view, dtype, count, at).reshape(shape)
    return value != 0 if spec.dtype == "bool" else value.copy()
