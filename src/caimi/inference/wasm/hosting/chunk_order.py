"""In which order chunks of a package are used, over and over: what is needed soon, and what not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from caimi.inference.wasm.metadata import Weight


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk by its file's index in the manifest and its place in the file."""

    file: int
    counter: int


@dataclass(frozen=True, slots=True)
class Range:
    """A weight's place in a file of the manifest."""

    file: int
    weight: Weight

    def chunks(self, chunk_bytes: int) -> list[Chunk]:
        """Give the chunks that it lies in; none when it is empty."""
        first, end = self.weight.offset, self.weight.offset + self.weight.size
        if first == end:
            return []
        counters = range(first // chunk_bytes, (end - 1) // chunk_bytes + 1)
        return [Chunk(self.file, counter) for counter in counters]


class ChunkOrder:
    """The chunks that one run after another uses, and where in it the run under way is."""

    def __init__(self, ranges: Sequence[Range], chunk_bytes: int) -> None:
        self._order: list[Chunk] = []
        for each in ranges:
            for chunk in each.chunks(chunk_bytes):
                if self._order[-1:] != [chunk]:
                    self._order.append(chunk)
        self._places: dict[Chunk, list[int]] = {}
        for place, chunk in enumerate(self._order):
            self._places.setdefault(chunk, []).append(place)
        self._now = 0

    def seek(self, chunk: Chunk) -> None:
        """Go on to the next use of a chunk, in this run or in the next one."""
        places = self._places[chunk]
        at = bisect_left(places, self._now)
        self._now = places[at] if at < len(places) else places[0]

    def soon(self, count: int) -> list[Chunk]:
        """Give the next `count` different chunks, the one in use first."""
        found: dict[Chunk, None] = {}
        for step in range(len(self._order)):
            found[self._order[(self._now + step) % len(self._order)]] = None
            if len(found) == count:
                break
        return list(found)
