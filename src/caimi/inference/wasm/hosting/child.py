"""The process that runs a module: wasmtime, the module's descriptors, and nothing else.

It serves one host over one socket, compiles or runs one module, and ends when the host is gone. It
imports the standard library and wasmtime only, and is confined before it reads its first message.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import socket
import threading
from itertools import pairwise
from typing import Final

import wasmtime
from wasmtime import Func, FuncType, Instance, Memory, Module, Store, TrapCode, ValType

from caimi.inference.wasm.hosting import protocol
from caimi.inference.wasm.hosting.confinement import confine
from caimi.inference.wasm.hosting.protocol import Failure, Place, Plan

_MOST_TABLE_ELEMENTS: Final = 65_536
_KINDS: Final = {TrapCode.STACK_OVERFLOW: Failure.STACK, TrapCode.OUT_OF_FUEL: Failure.FUEL}


class ModuleFailed(Exception):
    """The module cannot go on; `number` is what it gave itself."""

    def __init__(self, kind: Failure, text: str, number: int = 0) -> None:
        super().__init__(text)
        self.kind = kind
        self.number = number


def engine() -> wasmtime.Engine:
    """Make the one engine that machine code is compiled for and run by."""
    config = wasmtime.Config()
    for name, value in protocol.SETTINGS:
        setattr(config, name, value)
    return wasmtime.Engine(config)


def serve(descriptor: int) -> None:
    """Serve the host at the other end of a socket until it is gone."""
    channel = socket.socket(fileno=descriptor)
    ours = engine()
    threading.Thread(target=_end_with, args=(channel,), daemon=True).start()
    confine()
    instance: _Instance | None = None
    while True:
        message, descriptors, _, _ = socket.recv_fds(
            channel, protocol.MAX_PACKET, protocol.MAX_FILES + 8
        )
        if not message:
            return
        try:
            if message[:1] == b"C":
                used, memory = _compile(ours, message, descriptors), 0
            elif message[:1] == b"L":
                instance = _Instance(ours, channel, message, descriptors)
                used, memory = instance.load()
            elif instance is not None:
                used, memory = instance.run(message)
            answer = protocol.DONE.pack(b"D", used, memory)
        except ModuleFailed as failure:
            used, memory = instance.cost() if instance is not None else (0, 0)
            answer = protocol.FAILED.pack(b"E", failure.kind, failure.number, used, memory)
            answer += str(failure).encode()[: protocol.MAX_TEXT]
        channel.send(answer)


def _end_with(channel: socket.socket) -> None:
    """End this process, whatever it is doing, when the other end of its socket is closed."""
    ended = select.poll()
    ended.register(channel, 0)
    ended.poll()
    os._exit(0)


def _compile(ours: wasmtime.Engine, message: bytes, descriptors: list[int]) -> int:
    """Compile the module in the first shared memory into the second; give the code's length."""
    _, size, room = protocol.COMPILE.unpack(message)
    with mmap.mmap(descriptors[0], size, prot=mmap.PROT_READ) as shared:
        wasm = shared[:]
    try:
        code = Module(ours, wasm).serialize()
    except wasmtime.WasmtimeError as error:
        raise ModuleFailed(Failure.REFUSED, " ".join(str(error).split())) from error
    if len(code) > room:
        raise ModuleFailed(Failure.REFUSED, f"{len(code)} bytes of machine code")
    with mmap.mmap(descriptors[1], room) as shared:
        shared[: len(code)] = bytes(code)
    return len(code)


class _Instance:
    """One module, instantiated and loaded."""

    def __init__(
        self,
        ours: wasmtime.Engine,
        channel: socket.socket,
        message: bytes,
        descriptors: list[int],
    ) -> None:
        _, code_size, plan_size, self._fuel, most_memory, self._mode = protocol.LOAD.unpack(message)
        given, self._tensors_at, window, *self._files = descriptors
        with mmap.mmap(given, code_size + plan_size, prot=mmap.PROT_READ) as shared:
            code, self._plan = shared[:code_size], Plan.decode(shared[code_size:])
        os.close(given)
        self._channel = channel
        self._window = _Shared(window)
        self._tensors = _Shared(self._tensors_at)
        self._store = Store(ours)
        self._store.set_limits(most_memory, _MOST_TABLE_ELEMENTS, 1, 1, 1)
        self._store.set_fuel(self._fuel)
        try:
            module = Module.deserialize(ours, code)
            imports = [self._reader()] if module.imports else []
            exports = Instance(self._store, module, imports).exports(self._store)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise ModuleFailed(Failure.REFUSED, _last_line(str(error))) from error
        self._functions = {name: each for name, each in exports.items() if isinstance(each, Func)}
        memory = exports["memory"]
        if not isinstance(memory, Memory):
            raise ModuleFailed(Failure.REFUSED, "it exports no memory")
        self._memory: Memory = memory
        self._addresses: list[int] = []
        self._closed = False

    def load(self) -> tuple[int, int]:
        """Initialise the module and have it load its weights; give its cost."""
        self._call("_initialize")
        self._check_status("caimi_load", self._call("caimi_load", self._mode))
        for name, slots in (("input", self._plan.inputs), ("output", self._plan.outputs)):
            for index, slot in enumerate(slots):
                address = self._call(f"caimi_{name}", index) & 0xFFFFFFFF
                if address + slot.size > self._memory.data_len(self._store):
                    raise ModuleFailed(Failure.LIE, f"{name} {index} is outside of its memory")
                self._addresses.append(address)
        self._check_apart()
        if not self._mode:
            self._closed = True
            for file in self._files:
                os.close(file)
        return self.cost()

    def run(self, message: bytes) -> tuple[int, int]:
        """Call the module once for each row; give the cost of all."""
        _, rows, self._fuel, size = protocol.RUN.unpack(message)
        if size > self._tensors.size:
            self._tensors = _Shared(self._tensors_at)
        self._store.set_fuel(self._fuel)
        starts, _ = self._plan.layout(rows)
        moves = [
            (self._tensors.address + start, address, slot.size, slot.size if slot.by_row else 0)
            for start, address, slot in zip(
                starts, self._addresses, (*self._plan.inputs, *self._plan.outputs), strict=True
            )
            if slot.size
        ]
        given = sum(1 for slot in self._plan.inputs if slot.size)
        function = self._functions["caimi_run"]
        for row in range(rows):
            base = self._base()
            for shared, address, length, step in moves[:given]:
                ctypes.memmove(base + address, shared + row * step, length)
            self._check_status("caimi_run", self._guarded(function))
            base = self._base()
            for shared, address, length, step in moves[given:]:
                ctypes.memmove(shared + row * step, base + address, length)
        return self.cost()

    def cost(self) -> tuple[int, int]:
        """Give the fuel used since it was last set, and the bytes of memory."""
        return self._fuel - self._store.get_fuel(), self._memory.data_len(self._store)

    def _check_status(self, name: str, status: int) -> None:
        if status:
            raise ModuleFailed(Failure.STATUS, f"{name} gave {status}", status)

    def _check_apart(self) -> None:
        """Refuse outputs that lie over each other: one of them would be wrong."""
        first = len(self._plan.inputs)
        spans = sorted(
            (address, address + slot.size)
            for address, slot in zip(self._addresses[first:], self._plan.outputs, strict=True)
            if slot.size
        )
        for (_, end), (start, _) in pairwise(spans):
            if start < end:
                raise ModuleFailed(Failure.LIE, "two outputs overlap")

    def _base(self) -> int:
        return ctypes.addressof(self._memory.data_ptr(self._store).contents)

    def _call(self, name: str, *numbers: int) -> int:
        return self._guarded(self._functions[name], *numbers)

    def _guarded(self, function: Func, *numbers: int) -> int:
        try:
            return int(function(self._store, *numbers) or 0)
        except wasmtime.Trap as trap:
            kind = _KINDS.get(trap.trap_code, Failure.TRAP) if trap.trap_code else Failure.TRAP
            raise ModuleFailed(kind, _last_line(trap.message)) from trap
        except wasmtime.WasmtimeError as error:
            raise ModuleFailed(Failure.TRAP, _last_line(str(error))) from error

    def _reader(self) -> Func:
        numbers = [ValType.i32()] * 4
        return Func(self._store, FuncType(numbers, []), self._read)

    def _read(self, weight: int, destination: int, first: int, size: int) -> None:
        """Serve ``caimi.read``; arguments are unsigned, whatever their type says."""
        weight, destination = weight & 0xFFFFFFFF, destination & 0xFFFFFFFF
        first, size = first & 0xFFFFFFFF, size & 0xFFFFFFFF
        places = self._plan.places
        if self._closed:
            raise ModuleFailed(Failure.RANGE, "it reads weights again, which it was to keep")
        if weight >= len(places) or first + size > places[weight].size:
            raise ModuleFailed(
                Failure.RANGE, f"it reads bytes {first} to {first + size} of weight {weight}"
            )
        if destination + size > self._memory.data_len(self._store):
            raise ModuleFailed(Failure.RANGE, "it reads a weight to outside of its memory")
        if size:
            give = self._from_host if places[weight].file is None else self._from_file
            give(weight, places[weight], self._base() + destination, first, size)

    def _from_file(self, weight: int, place: Place, address: int, first: int, size: int) -> None:
        into = memoryview((ctypes.c_ubyte * size).from_address(address))
        done = 0
        while done < size:
            try:
                count = os.preadv(
                    self._files[place.file or 0], [into[done:]], place.offset + first + done
                )
            except OSError as error:
                raise ModuleFailed(Failure.WEIGHT, f"weight {weight}: {error}") from error
            if not count:
                raise ModuleFailed(Failure.WEIGHT, f"the file of weight {weight} ends too early")
            done += count

    def _from_host(self, weight: int, _: Place, address: int, first: int, size: int) -> None:
        self._channel.send(protocol.WANT.pack(b"W", weight, first, size))
        done = 0
        while done < size:
            message = self._channel.recv(protocol.MAX_PACKET)
            if not message:
                os._exit(0)
            if message == protocol.NO_PIECE:
                raise ModuleFailed(Failure.WEIGHT, f"weight {weight} cannot be had")
            for at, count in protocol.PIECE.iter_unpack(message[1:]):
                ctypes.memmove(address + done, self._window.address + at, count)
                done += count
            if done < size:
                self._channel.send(protocol.TAKEN)


def _last_line(text: str) -> str:
    """Give the cause: wasmtime puts the places that led to it before."""
    return text.strip().splitlines()[-1].strip()


class _Shared:
    """Memory shared with the host."""

    def __init__(self, descriptor: int) -> None:
        # Seeking tells the size too, and is one of the calls that are left.
        self.size = os.lseek(descriptor, 0, os.SEEK_END)
        self._map = mmap.mmap(descriptor, self.size)
        self.address = ctypes.addressof(ctypes.c_ubyte.from_buffer(self._map))
