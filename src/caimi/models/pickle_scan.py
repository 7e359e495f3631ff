"""Whether bytes read as a pickle, whatever they are called, without ever loading them."""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import IO, Final

_IMPORTS: Final = frozenset(
    {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE"}
)
_MAX_ARGUMENT: Final = 1024 * 1024
_MAX_OPCODES: Final = 1_000_000


@dataclass(slots=True)
class PickleSigns:
    """What reading bytes as pickle opcodes showed.

    `announced`: a protocol of 2 or later; `imports`: it names something to import or call;
    `stopped`: it came to its end; `unread`: it still was one where the bytes or our patience ended.
    """

    opcodes: int = 0
    announced: bool = False
    imports: bool = False
    stopped: bool = False
    unread: bool = False

    @property
    def is_pickle(self) -> bool:
        """Protocols 0 and 1 look like plain text, so they must import and be read to an end."""
        if self.announced:
            return self.imports or self.opcodes >= 3
        return self.imports and (self.stopped or self.unread)


def scan(stream: IO[bytes], *, whole: bool = True) -> PickleSigns:
    """Read `stream` as a pickle with bounded memory; `whole` tells that nothing follows it."""
    signs = PickleSigns()
    reader = _BoundedReader(stream)
    try:
        for opcode, argument, _ in pickletools.genops(reader):  # type: ignore[arg-type]
            signs.opcodes += 1
            signs.announced |= opcode.name == "PROTO" and 2 <= int(argument or 0) <= 5
            signs.imports |= opcode.name in _IMPORTS
            if signs.opcodes >= _MAX_OPCODES or (signs.announced and signs.imports):
                signs.unread = True
                return signs
    except (ValueError, OverflowError):
        # UnicodeDecodeError is a ValueError: an argument that is no text is no pickle.
        signs.unread = reader.refused or (reader.exhausted and not whole)
        return signs
    signs.stopped = True
    return signs


class _BoundedReader:
    """What `pickletools` reads from; refuses to hold more than a megabyte at once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.refused = False
        self.exhausted = False

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_ARGUMENT:
            self._refuse()
        data = self._stream.read(size)
        self.exhausted |= len(data) < size
        return data

    def readline(self) -> bytes:
        line = self._stream.readline(_MAX_ARGUMENT)
        self.exhausted |= not line.endswith(b"\n")
        if len(line) == _MAX_ARGUMENT:
            self._refuse()
        return line

    def tell(self) -> int:
        return self._stream.tell()

    def _refuse(self) -> None:
        self.refused = True
        raise ValueError("an argument is too long to look at")
