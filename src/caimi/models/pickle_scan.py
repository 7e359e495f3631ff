"""What loading bytes as a pickle would do, found by following its opcodes without doing them.

A stack machine over kinds of values, a little more forgiving than Python's own (CPython
`Modules/_pickle.c`), so that whatever would call something there is seen to call something here:
names through the memo, escaped strings, several pickles in a row, calls before an error.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Final

from caimi.models.byte_blocks import BLOCK, ByteBlocks

MAX_OPCODES: Final = 500_000
_MAX_STACK: Final = 50_000_000
_KEPT: Final = 1024
_MARK, _THING, _TUPLE = "mark", "thing", "tuple"
_NAMED, _UNNAMED = "callable by its name", "callable that the program knows"
_CALLABLE: Final = frozenset({_NAMED, _UNNAMED})
_WHOLE: Final = re.compile(rb"\s*[+-]?\w+\s*")
_REAL: Final = re.compile(rb"\s*[+-]?[\w.+-]+\s*")
_OPCODES: Final = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_LENGTH_BYTES: Final = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_REPEATED: Final = frozenset({b"(", b")", b"N", b"]", b"}", b"\x88", b"\x89", b"\x8f"})
"""Opcodes that push the same each time and take nothing."""
_TEXTS: Final = frozenset(
    {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE"}
    | {"BINUNICODE", "BINUNICODE8"}
)


@dataclass(frozen=True, slots=True)
class _Text:
    """A string on the stack, which may become the name of what is imported."""

    value: str


_Value = str | _Text


@dataclass(slots=True)
class PickleSigns:
    """What reading bytes as pickle opcodes showed.

    `announced`: a protocol of 2 or later, said `first` or further on; `imports`: it names something
    to import; `calls`: it calls something, and `calls_named` what it imported by a name; `stopped`:
    a pickle came to its end; `cut_off`: the bytes ended first; `endless`: it goes on for longer
    than we follow.
    """

    opcodes: int = 0
    announced: bool = False
    first: bool = False
    imports: bool = False
    calls: bool = False
    calls_named: bool = False
    stopped: bool = False
    cut_off: bool = False
    endless: bool = False

    @property
    def is_pickle(self) -> bool:
        """Protocols 0 and 1 look like plain text, so that an import counts with a proper end only.

        A call counts wherever it is: what follows it comes too late.
        """
        if self.calls or self.endless or (self.imports and (self.announced or self.stopped)):
            return True
        # Every pickler says its protocol first: further on the byte is there by chance.
        return self.first and self.opcodes >= 3


class _NoPickleError(Exception):
    """Python's own unpickler would give up here."""


def scan(stream: IO[bytes]) -> PickleSigns:
    """Follow `stream` as pickles, one after the other, with bounded memory and time."""
    return _follow(stream, lambda signs: signs.calls)


def scan_hidden(stream: IO[bytes]) -> PickleSigns:
    """Follow `stream` as `scan` does, past calls of what only the program that loads it knows.

    In random bytes such calls, by a number of one byte, come about once in four gigabytes.
    """
    return _follow(stream, lambda signs: signs.calls_named)


def _follow(stream: IO[bytes], found: Callable[[PickleSigns], bool]) -> PickleSigns:
    machine = _Machine(stream)
    try:
        while not (found(machine.signs) or machine.signs.endless):
            machine.step()
    except _NoPickleError:
        pass
    return machine.signs


def is_importable(module: str, name: str) -> bool:
    """Tell whether Python could find such a module and such an attribute in it."""
    return all(part.isidentifier() for text in (module, name) for part in text.split("."))


class _Machine:
    def __init__(self, stream: IO[bytes]) -> None:
        self.signs = PickleSigns()
        self._bytes = ByteBlocks(stream)
        self._stack: list[_Value] = []
        self._memo: dict[int, _Value] = {}

    def step(self) -> None:
        opcode = _OPCODES.get(code := self._read(1))
        if opcode is None:
            raise _NoPickleError
        argument = self._argument(opcode)
        own = getattr(self, f"_on_{opcode.name.lower()}", None)
        if own is None:
            self._by_table(opcode, argument)
        else:
            own(argument)
        if code in _REPEATED:
            # Weights that are all alike read as a pickle that pushes without end.
            self._stack += self._stack[-1:] * self._bytes.run(code)
        self.signs.opcodes += 1
        self.signs.endless = self.signs.opcodes >= MAX_OPCODES or len(self._stack) >= _MAX_STACK

    # --- arguments --------------------------------------------------------------------------------

    def _argument(self, opcode: pickletools.OpcodeInfo) -> bytes:
        if opcode.arg is None or opcode.name in {"GLOBAL", "INST"}:
            return b""
        size = opcode.arg.n
        if size == pickletools.UP_TO_NEWLINE:
            return self._line()
        if size >= 0:
            return self._read(size)
        length = int.from_bytes(self._read(_LENGTH_BYTES[size]), "little")
        kept = self._read(min(length, _KEPT + 1))
        length -= len(kept)
        while length > 0:
            length -= len(self._read(min(length, BLOCK)))
        return kept

    def _read(self, size: int) -> bytes:
        data = self._bytes.read(size)
        if len(data) < size:
            self.signs.cut_off = True
            raise _NoPickleError
        return data

    def _line(self) -> bytes:
        return self._bytes.line()

    # --- the stack --------------------------------------------------------------------------------

    def _take(self) -> _Value:
        if not self._stack or self._stack[-1] == _MARK:
            raise _NoPickleError
        return self._stack.pop()

    def _take_to_mark(self) -> list[_Value]:
        items: list[_Value] = []
        while self._stack:
            if (value := self._stack.pop()) == _MARK:
                return items[::-1]
            items.append(value)
        raise _NoPickleError

    def _top(self) -> _Value:
        value = self._take()
        self._stack.append(value)
        return value

    def _by_table(self, opcode: pickletools.OpcodeInfo, argument: bytes) -> None:
        """Do what the standard library's table says of an opcode's stack."""
        before = opcode.stack_before
        if pickletools.markobject in before:
            self._take_to_mark()
            before = before[: before.index(pickletools.markobject)]
        for _ in before:
            self._take()
        if opcode.stack_after:
            self._stack.append(_made(opcode.name, argument))

    def _on_proto(self, argument: bytes) -> None:
        if argument[0] > 5:
            raise _NoPickleError
        self.signs.announced |= argument[0] >= 2
        self.signs.first |= argument[0] >= 2 and not self.signs.opcodes

    def _on_stop(self, _: bytes) -> None:
        self._take()
        self._stack.clear()
        self.signs.stopped = True

    def _on_mark(self, _: bytes) -> None:
        self._stack.append(_MARK)

    def _on_pop(self, _: bytes) -> None:
        if not self._stack:
            raise _NoPickleError
        self._stack.pop()

    def _on_pop_mark(self, _: bytes) -> None:
        self._take_to_mark()

    def _on_dup(self, _: bytes) -> None:
        self._stack.append(self._top())

    def _on_memoize(self, _: bytes) -> None:
        self._memo[len(self._memo)] = self._top()

    def _on_put(self, argument: bytes) -> None:
        self._memo[_decimal(argument)] = self._top()

    def _on_binput(self, argument: bytes) -> None:
        self._memo[int.from_bytes(argument, "little")] = self._top()

    _on_long_binput = _on_binput

    def _on_get(self, argument: bytes) -> None:
        self._recall(_decimal(argument))

    def _on_binget(self, argument: bytes) -> None:
        self._recall(int.from_bytes(argument, "little"))

    _on_long_binget = _on_binget

    def _recall(self, index: int) -> None:
        if index not in self._memo:
            raise _NoPickleError
        self._stack.append(self._memo[index])

    # --- imports and calls ------------------------------------------------------------------------

    def _import(self, module: str, name: str) -> None:
        if not is_importable(module, name):
            raise _NoPickleError
        self.signs.imports = True

    def _import_lines(self) -> None:
        module, name = self._line(), self._line()
        self._import(module.decode("utf-8", "replace"), name.decode("utf-8", "replace"))

    def _on_global(self, _: bytes) -> None:
        self._import_lines()
        self._stack.append(_NAMED)

    def _on_stack_global(self, _: bytes) -> None:
        named = [self._take(), self._take()]
        if any(value in {_THING, _TUPLE} for value in named):
            raise _NoPickleError
        name, module = (value.value if isinstance(value, _Text) else "unknown" for value in named)
        self._import(module, name)
        self._stack.append(_NAMED)

    def _on_ext1(self, _: bytes) -> None:
        # By a number that a program has to have registered: by chance in bytes that are no pickle.
        self.signs.imports |= self.signs.first
        self._stack.append(_UNNAMED)

    _on_ext2 = _on_ext4 = _on_ext1

    def _on_persid(self, _: bytes) -> None:
        if not self.signs.opcodes:  # no unpickler knows a text by which it begins: PK of a zip
            raise _NoPickleError
        self._stack.append(_UNNAMED)

    def _on_binpersid(self, _: bytes) -> None:
        self._take()
        self._stack.append(_UNNAMED)

    def _call(self, function: _Value, arguments: _Value = _TUPLE) -> None:
        if function not in _CALLABLE or arguments not in {_TUPLE, *_CALLABLE}:
            raise _NoPickleError
        self._called(function)
        self._stack.append(_UNNAMED)  # what it gives may be called in its turn

    def _called(self, function: _Value) -> None:
        self.signs.calls = True
        self.signs.calls_named |= function == _NAMED

    def _on_reduce(self, _: bytes) -> None:
        arguments, function = self._take(), self._take()
        self._call(function, arguments)

    _on_newobj = _on_reduce

    def _on_newobj_ex(self, _: bytes) -> None:
        self._take()
        self._on_reduce(b"")

    def _on_obj(self, _: bytes) -> None:
        items = self._take_to_mark()
        if not items:
            raise _NoPickleError
        self._call(items[0])

    def _on_inst(self, _: bytes) -> None:
        module, name = self._line(), self._line()
        self._take_to_mark()
        self._import(module.decode("utf-8", "replace"), name.decode("utf-8", "replace"))
        self._call(_NAMED)

    def _on_build(self, _: bytes) -> None:
        self._take()
        if (built := self._top()) in _CALLABLE:
            self._called(built)


def _decimal(argument: bytes) -> int:
    try:
        return int(argument[:_KEPT])
    except ValueError as error:
        raise _NoPickleError from error


def _made(name: str, argument: bytes) -> _Value:
    """Give what an opcode pushes."""
    if name in {"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}:
        return _TUPLE
    pattern = {"INT": _WHOLE, "LONG": _WHOLE, "FLOAT": _REAL}.get(name)
    if pattern is not None and not pattern.fullmatch(argument):
        raise _NoPickleError
    if name not in _TEXTS or len(argument) > _KEPT:
        return _THING
    if name == "STRING":
        quoted = argument.strip()
        if len(quoted) < 2 or quoted[:1] not in {b"'", b'"'}:
            raise _NoPickleError
        return _Text(quoted[1:-1].decode("unicode_escape", "replace"))
    return _Text(argument.decode("raw_unicode_escape" if name == "UNICODE" else "utf-8", "replace"))
