"""The sections of a WebAssembly binary, read strictly; the host's half of the module's interface.

Only what decides whether a module may run is read here: custom sections, types, imports, memories
and exports (WebAssembly core specification, release 3, chapter 5). Function bodies are validated
by wasmtime, in the process that runs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from caimi.errors.inference import ModuleMalformed

T = TypeVar("T")

MAGIC: Final = b"\0asm\1\0\0\0"
PAGE_BYTES: Final = 64 * 1024
MAX_PAGES: Final = 65_536
MAX_ITEMS: Final = 100_000
MAX_NAME_BYTES: Final = 256

CUSTOM: Final = 0
_TYPES, _IMPORTS, _FUNCTIONS, _MEMORIES, _EXPORTS, _START = 1, 2, 3, 5, 7, 8
_ORDER: Final = {
    section: place for place, section in enumerate((1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11))
}
"""Where each section stands; 12, the count of data segments, is before the code."""
_I32: Final = 0x7F
_FUNCTION, _MEMORY = 0, 2
_VALUE_TYPES: Final = frozenset({0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F})

Signature = tuple[bytes, bytes]
"""Types of parameters and of results."""


def _function(parameters: int, results: int) -> Signature:
    return bytes([_I32] * parameters), bytes([_I32] * results)


READ: Final = ("caimi", "read")
_READ_TYPE: Final = _function(4, 0)
_EXPORTED: Final = {
    "_initialize": _function(0, 0),
    "caimi_load": _function(1, 1),
    "caimi_run": _function(0, 1),
    "caimi_input": _function(1, 1),
    "caimi_output": _function(1, 1),
}


@dataclass(frozen=True, slots=True)
class ModuleSection:
    """One section; `name` is that of a custom one. `start` is where it begins in the binary."""

    id: int
    name: str
    content: bytes
    start: int


@dataclass(frozen=True, slots=True)
class ModuleInterface:
    """What a module takes and may use: whether it reads weights, and its memory in pages."""

    reads_weights: bool
    first_pages: int
    most_pages: int


def leb128(number: int) -> bytes:
    """Write an unsigned number in its shortest form."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def custom_section(name: str, content: bytes) -> bytes:
    """Write a custom section."""
    body = leb128(len(name.encode())) + name.encode() + content
    return bytes([CUSTOM]) + leb128(len(body)) + body


def read_sections(wasm: bytes) -> tuple[ModuleSection, ...]:
    """Cut a binary into its sections.

    Raises:
        ModuleMalformed: it is no WebAssembly module, or its sections are out of order.
    """
    if wasm[: len(MAGIC)] != MAGIC:
        raise ModuleMalformed("It does not begin as a WebAssembly module of version 1.")
    reader = _Reader(wasm, len(MAGIC))
    sections: list[ModuleSection] = []
    last = -1
    while not reader.at_end:
        if len(sections) >= MAX_ITEMS:
            raise ModuleMalformed(f"It has more than {MAX_ITEMS} sections.")
        start = reader.place
        section = reader.byte()
        body = _Reader(reader.take(reader.number()), 0)
        name = ""
        if section == CUSTOM:
            name = body.name()
        else:
            place = _ORDER.get(section, -1)
            if place <= last:
                raise ModuleMalformed(f"Section {section} is unknown, repeated or out of order.")
            last = place
        sections.append(ModuleSection(section, name, body.rest(), start))
    return tuple(sections)


def check_interface(sections: tuple[ModuleSection, ...]) -> ModuleInterface:
    """Check that a module imports and exports what ABI 1 allows, and nothing else.

    It may import ``caimi.read``. It exports one memory with a maximum, ``_initialize``,
    ``caimi_load``, ``caimi_run``, ``caimi_input`` and ``caimi_output``, all of i32.

    Raises:
        ModuleMalformed: it does not.
    """
    found = {section.id: section.content for section in sections if section.id != CUSTOM}
    if _START in found:
        raise ModuleMalformed("It has a start function, which would run before its limits count.")
    types = _items(found.get(_TYPES), _read_type)
    imports = _items(found.get(_IMPORTS), _read_import)
    for *place, index in imports:
        if tuple(place) != READ or len(imports) > 1:
            raise ModuleMalformed(f"It imports {'.'.join(place)!r}; only 'caimi.read', once.")
        if _at(types, index) != _READ_TYPE:
            raise ModuleMalformed("It imports 'caimi.read' with another type.")
    functions = [index for *_, index in imports] + _items(found.get(_FUNCTIONS), _Reader.number)
    memories = _items(found.get(_MEMORIES), _read_memory)
    if len(memories) != 1:
        raise ModuleMalformed(f"It has {len(memories)} memories, not one.")
    _check_exports(_items(found.get(_EXPORTS), _read_export), functions, types)
    return ModuleInterface(bool(imports), *memories[0])


def _check_exports(
    exports: list[tuple[str, int, int]], functions: list[int], types: list[Signature]
) -> None:
    names = [name for name, _, _ in exports]
    if sorted(names) != sorted({"memory", *_EXPORTED}):
        wanted = ", ".join(["memory", *_EXPORTED])
        raise ModuleMalformed(f"It exports {', '.join(names)[:200] or 'nothing'}, not {wanted}.")
    for name, kind, index in exports:
        if name == "memory":
            if (kind, index) != (_MEMORY, 0):
                raise ModuleMalformed("What it exports as 'memory' is no memory of its own.")
        elif kind != _FUNCTION or _at(types, _at(functions, index)) != _EXPORTED[name]:
            raise ModuleMalformed(f"It exports {name!r} with another type.")


def _at(items: list[T], index: int) -> T:
    if index >= len(items):
        raise ModuleMalformed(f"It refers to item {index} of {len(items)}.")
    return items[index]


def _items(content: bytes | None, read: Callable[[_Reader], T]) -> list[T]:
    if content is None:
        return []
    reader = _Reader(content, 0)
    count = reader.number()
    if count > MAX_ITEMS:
        raise ModuleMalformed(f"A section has {count} items, over {MAX_ITEMS}.")
    items = [read(reader) for _ in range(count)]
    if not reader.at_end:
        raise ModuleMalformed("A section goes on after its last item.")
    return items


def _read_type(reader: _Reader) -> Signature:
    if reader.byte() != 0x60:
        raise ModuleMalformed("It declares a type that is no function's.")
    signature = reader.take(reader.number()), reader.take(reader.number())
    if not _VALUE_TYPES.issuperset(signature[0] + signature[1]):
        raise ModuleMalformed("A function's type has values of an unknown type.")
    return signature


def _read_import(reader: _Reader) -> tuple[str, str, int]:
    module, name = reader.name(), reader.name()
    if reader.byte() != _FUNCTION:
        raise ModuleMalformed(f"It imports {module}.{name}, which is no function.")
    return module, name, reader.number()


def _read_export(reader: _Reader) -> tuple[str, int, int]:
    return reader.name(), reader.byte(), reader.number()


def _read_memory(reader: _Reader) -> tuple[int, int]:
    if reader.byte() != 1:
        raise ModuleMalformed("Its memory is shared, of 64 bits, or has no maximum.")
    first, most = reader.number(), reader.number()
    if not first <= most <= MAX_PAGES:
        raise ModuleMalformed(f"Its memory has {first} to {most} pages.")
    return first, most


class _Reader:
    """Reads the elements of the binary format, and nothing past the end."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data = data
        self.place = place

    @property
    def at_end(self) -> bool:
        return self.place == len(self._data)

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, size: int) -> bytes:
        end = self.place + size
        if end > len(self._data):
            raise ModuleMalformed("It ends in the middle of a section.")
        part = self._data[self.place : end]
        self.place = end
        return part

    def rest(self) -> bytes:
        return self.take(len(self._data) - self.place)

    def number(self) -> int:
        """Read an unsigned number of 32 bits in LEB128, which a linker may have padded."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                if value >= 2**32:
                    break
                return value
        raise ModuleMalformed("A number has more than 32 bits.")

    def name(self) -> str:
        size = self.number()
        if size > MAX_NAME_BYTES:
            raise ModuleMalformed(f"A name has {size} bytes, over {MAX_NAME_BYTES}.")
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise ModuleMalformed("A name is not UTF-8.") from None
