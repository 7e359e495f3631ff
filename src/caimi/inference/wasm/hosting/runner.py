"""One process with one loaded module, and what running it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from time import monotonic
from typing import Final

import numpy as np

from caimi.errors.base import CaimiError
from caimi.errors.inference import (
    FuelExhausted,
    ModuleLied,
    ModuleMalformed,
    ModuleMemoryExceeded,
    ModuleTrapped,
    RunFailed,
    RunnerDied,
    WeightsUnavailable,
    WrongInput,
)
from caimi.inference.tensors import Array, Tensors, check_tensors
from caimi.inference.wasm.hosting import protocol
from caimi.inference.wasm.hosting.process import ChildProcess
from caimi.inference.wasm.hosting.protocol import Failure, Plan, Slot
from caimi.inference.wasm.hosting.shared_memory import SharedMemory
from caimi.inference.wasm.hosting.weights import WeightReader
from caimi.inference.wasm.metadata import Metadata
from caimi.inference.wasm.module import CompiledModule
from caimi.inference.wasm.sections import PAGE_BYTES
from caimi.models.tensor import Tensor

_ERRORS: Final = {
    Failure.REFUSED: ModuleMalformed,
    Failure.TRAP: ModuleTrapped,
    Failure.STACK: ModuleTrapped,
    Failure.FUEL: FuelExhausted,
    Failure.LIE: ModuleLied,
    Failure.RANGE: ModuleLied,
    Failure.WEIGHT: WeightsUnavailable,
}
_STATUSES: Final = {
    1: "an index is out of range",
    2: "it has not memory enough",
    4: "a size among the inputs is not the one that it was compiled for",
}
_OUT_OF_MEMORY: Final = 2


class Mode(IntEnum):
    """When a module reads its weights: all of them once, or each whenever it is used."""

    RESIDENT = 0
    STREAMED = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What loading a module, and each run of it, may cost.

    `memory_bytes` bounds the module's own memory, `tensor_bytes` the inputs and outputs of one run.
    """

    fuel: int = 2**42
    seconds: float = 60.0
    memory_bytes: int = 2 * 1024**3
    tensor_bytes: int = 1024**3


@dataclass(frozen=True, slots=True)
class RunCost:
    """What one run cost: fuel is the same on every machine, the seconds are this one's."""

    fuel: int
    seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The outputs of one run, and its cost."""

    outputs: dict[str, Array]
    cost: RunCost


class Runner:
    """One process with one loaded module; for one thread at a time.

    Construction raises what `ModuleHost.load` does. An error of a run leaves it `spent`, unless the
    module itself said what was wrong.
    """

    def __init__(
        self,
        process: ChildProcess,
        module: CompiledModule,
        code: bytes,
        reader: WeightReader,
        limits: Limits,
        mode: Mode,
    ) -> None:
        self._process = process
        self._metadata = module.metadata
        self._reader = reader
        self._limits = limits
        self._plan = _plan(module.metadata, reader)
        self._spent = False
        self._tensors = SharedMemory(self._plan.layout(1)[1])
        try:
            self.load_cost = self._load(code, mode)
        except BaseException:
            self.close()
            raise

    @property
    def spent(self) -> bool:
        """Whether it can run nothing more."""
        return self._spent or not self._process.alive

    @property
    def pid(self) -> int:
        """The process id of its child."""
        return self._process.pid

    def run(self, inputs: Tensors) -> RunOutcome:
        """Run the module; see `ModuleSession.run`."""
        checked = check_tensors(inputs, self._metadata.inputs)
        rows = next(
            (len(checked[spec.name]) for spec in self._metadata.inputs if self._by_row(spec)), 1
        )
        starts, size = self._plan.layout(rows)
        if size > self._limits.tensor_bytes:
            raise WrongInput(
                f"Inputs and outputs of {rows} rows take {size} bytes; at most "
                f"{self._limits.tensor_bytes} are allowed."
            )
        self._tensors.grow(size)
        for spec, start in zip(self._metadata.inputs, starts, strict=False):
            _put(self._tensors.view, start, checked[spec.name])
        message = protocol.RUN.pack(b"R", rows, self._limits.fuel, self._tensors.size)
        cost = self._ask(message)
        outputs = {
            spec.name: _get(self._tensors.view, start, spec, self._shape(spec, rows))
            for spec, start in zip(
                self._metadata.outputs, starts[len(self._metadata.inputs) :], strict=True
            )
        }
        return RunOutcome(outputs, cost)

    def close(self) -> None:
        """End the process and give back what it shared."""
        self._spent = True
        self._process.close()
        self._reader.close()
        self._tensors.close()

    def _by_row(self, spec: Tensor) -> bool:
        return self._metadata.is_by_row(spec)

    def _shape(self, spec: Tensor, rows: int) -> tuple[int, ...]:
        return tuple(rows if isinstance(size, str) else size for size in spec.shape or ())

    def _load(self, code: bytes, mode: Mode) -> RunCost:
        self._process.limit(self._limits.memory_bytes + 2 * len(code))
        plan = self._plan.encode()
        given = SharedMemory(len(code) + len(plan))
        try:
            given.view[: len(code)] = code
            given.view[len(code) : len(code) + len(plan)] = plan
            window = self._reader.window
            shared = [given.descriptor, self._tensors.descriptor]
            message = protocol.LOAD.pack(
                b"L", len(code), len(plan), self._limits.fuel, self._limits.memory_bytes, mode
            )
            cost = self._ask(
                message,
                [*shared, shared[0] if window is None else window, *self._reader.descriptors],
            )
        finally:
            given.close()
        if mode is Mode.RESIDENT:
            self._reader.close()
        return cost

    def _ask(self, message: bytes, descriptors: Sequence[int] = ()) -> RunCost:
        """Send a request, serve what the child asks for meanwhile, and give its cost."""
        started = monotonic()
        deadline = started + self._limits.seconds
        refused: CaimiError | None = None
        # Until the answer is there, whatever goes wrong leaves it in the middle of something.
        kept, self._spent = self._spent, True
        self._process.send(message, descriptors)
        while True:
            answer = self._process.receive(deadline)
            kind, size = answer[:1], len(answer)
            if kind == b"D" and size == protocol.DONE.size:
                _, fuel, memory = protocol.DONE.unpack(answer)
                self._spent = kept
                return RunCost(fuel, monotonic() - started, memory)
            if kind == b"W" and size == protocol.WANT.size:
                refused = self._give(answer, deadline)
            elif kind == b"E" and size >= protocol.FAILED.size:
                raise refused or self._failed(answer)
            else:
                raise RunnerDied("The process speaks another language.")

    def _give(self, answer: bytes, deadline: float) -> CaimiError | None:
        """Send where a weight's pieces are, as many as there are, until the child has them all."""
        _, weight, first, size = protocol.WANT.unpack(answer)
        places = self._plan.places
        if weight >= len(places) or first + size > places[weight].size:
            raise RunnerDied("The process asks for weights that the module has not.")
        try:
            for pieces in self._reader.pieces(weight, first, size, deadline):
                packed = b"".join(protocol.PIECE.pack(at, count) for at, count in pieces)
                self._process.send(protocol.PIECES + packed)
                size -= sum(count for _, count in pieces)
                if size and self._process.receive(deadline) != protocol.TAKEN:
                    raise RunnerDied("The process speaks another language.")
        except RunFailed:
            raise
        except CaimiError as error:
            self._process.send(protocol.NO_PIECE)
            return error
        return None

    def _failed(self, answer: bytes) -> CaimiError:
        _, kind, number, _, _ = protocol.FAILED.unpack(answer[: protocol.FAILED.size])
        text = protocol.plain(answer[protocol.FAILED.size :])
        if kind == Failure.STATUS:
            self._spent = False
            said = _STATUSES.get(number, f"error {number}")
            error = ModuleMemoryExceeded if number == _OUT_OF_MEMORY else RunFailed
            return error(f"The module says: {said}.")
        try:
            known = Failure(kind)
        except ValueError:
            return RunnerDied("The process speaks another language.")
        return _ERRORS[known](f"The module stopped: {text}.")


def check_memory(module: CompiledModule, limits: Limits) -> None:
    """Refuse a module that begins with more memory than it may have.

    Raises:
        ModuleMemoryExceeded: with both numbers.
    """
    first = module.interface.first_pages * PAGE_BYTES
    if first > limits.memory_bytes:
        raise ModuleMemoryExceeded(
            f"The module begins with {first} bytes of memory; {limits.memory_bytes} are allowed."
        )
    size = _plan(module.metadata, None).layout(1)[1]
    if size > limits.tensor_bytes:
        raise ModuleMemoryExceeded(
            f"Its inputs and outputs take {size} bytes; {limits.tensor_bytes} are allowed."
        )


def _plan(metadata: Metadata, reader: WeightReader | None) -> Plan:
    def slots(tensors: Sequence[Tensor]) -> tuple[Slot, ...]:
        return tuple(Slot(metadata.call_bytes(spec), metadata.is_by_row(spec)) for spec in tensors)

    places = () if reader is None else tuple(reader.places)
    return Plan(slots(metadata.inputs), slots(metadata.outputs), places)


def _put(view: memoryview, start: int, value: Array) -> None:
    into = np.frombuffer(view, value.dtype, value.size, start)
    into[...] = value.reshape(-1)


def _get(view: memoryview, start: int, spec: Tensor, shape: tuple[int, ...]) -> Array:
    """Copy an output, so that nothing changes it after; any byte but 0 is a true bool."""
    dtype = np.dtype(np.uint8 if spec.dtype == "bool" else spec.dtype)
    count = int(np.prod(shape, dtype=np.int64))
    value = np.frombuffer(view, dtype, count, start).reshape(shape)
    return value != 0 if spec.dtype == "bool" else value.copy()
