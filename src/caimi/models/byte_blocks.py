"""Bytes, lines and runs of a stream of any length, in bounded memory."""

from __future__ import annotations

from typing import IO, Final

BLOCK: Final = 64 * 1024


class ByteBlocks:
    """A stream read in blocks, of which single bytes, lines and runs are taken."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._block = b""
        self._at = 0

    def _fill(self) -> bool:
        if self._at == len(self._block):
            self._block, self._at = self._stream.read(BLOCK), 0
        return bool(self._block)

    def read(self, size: int) -> bytes:
        """Give `size` bytes, or those that are left."""
        data = self._block[self._at : self._at + size]
        self._at += len(data)
        while len(data) < size and self._fill():
            part = self._block[: size - len(data)]
            self._at = len(part)
            data += part
        return data

    def line(self) -> bytes:
        """Give a line's beginning; like Python's own, take a last line without its end."""
        kept = b""
        while self._fill():
            end = self._block.find(b"\n", self._at)
            part = self._block[self._at : len(self._block) if end < 0 else end]
            self._at += len(part) + (end >= 0)
            kept += part[: BLOCK - len(kept)]
            if end >= 0:
                break
        return kept

    def run(self, code: bytes) -> int:
        """Pass over the same byte again and again; give how often it came."""
        count = 0
        while self._fill():
            rest = self._block[self._at :]
            same = len(rest) - len(rest.lstrip(code))
            self._at += same
            count += same
            if same < len(rest):
                break
        return count
