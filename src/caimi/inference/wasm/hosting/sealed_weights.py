"""Weights out of a sealed package, chunk by chunk, a few ahead of the module that uses them.

A thread fetches, checks and opens the chunks that are used next into shared memory; the module's
process copies from there. No more than the window is ever open at once: the rest of the model is
sealed, in its store. A chunk that is not what the manifest says is an error before a byte of it is
used.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.inference import RunTimedOut, WeightsUnavailable
from caimi.inference.wasm.hosting.chunk_order import Chunk, ChunkOrder, Range
from caimi.inference.wasm.hosting.protocol import MAX_PIECES, Place
from caimi.inference.wasm.hosting.shared_memory import SharedMemory
from caimi.inference.wasm.hosting.weights import WeightReader
from caimi.inference.wasm.metadata import Weight
from caimi.models.content_key import ContentKey
from caimi.models.manifest import Manifest
from caimi.models.sealed_reader import ChunkSource
from caimi.storage.port import BlockingStore

_MOST_BYTES: Final = 16 * 1024 * 1024
_LEAST_CHUNKS: Final = 2
_SHARE: Final = 4


class SealedWeights:
    """Weights in a sealed package whose manifest's signature has been checked.

    At most `window_bytes` are open at a time, but two chunks at least: one in use, one ahead.
    Unless told, it is what makes a quarter of the weights together with the largest of them, for
    which the module has a buffer, and the chunk being fetched (twice, to be sure); at most 16 MiB.

    Raises:
        WrongContentKey: the key is not this version's.
    """

    def __init__(
        self,
        manifest: Manifest,
        store: BlockingStore,
        key: ContentKey,
        window_bytes: int | None = None,
    ) -> None:
        self._manifest = manifest
        self._source = ChunkSource(manifest, store, key)
        self._window_bytes = window_bytes

    def open(self, weights: Sequence[Weight]) -> WeightReader:
        """Begin to fetch; see `WeightSource.open`."""
        ranges = []
        for weight in weights:
            file = self._manifest.index_of(weight.file)
            if file is None:
                raise WeightsUnavailable(f"There is no {weight.file!r} in the package.")
            if weight.offset + weight.size > self._manifest.files[file].size:
                raise WeightsUnavailable(f"{weight.file!r} is shorter than its weights.")
            ranges.append(Range(file, weight))
        return _SealedReader(self._source, ranges, self._slots(weights))

    def _slots(self, weights: Sequence[Weight]) -> int:
        chunk_bytes = self._source.chunk_bytes
        window = self._window_bytes
        if window is None:
            sizes = [weight.size for weight in weights]
            quarter = sum(sizes) // _SHARE - max(sizes, default=0) - 2 * chunk_bytes
            window = min(_MOST_BYTES, quarter)
        return min(max(_LEAST_CHUNKS, window // chunk_bytes), MAX_PIECES)


class _SealedReader:
    """The window of one process, and the thread that fills it."""

    descriptors: Sequence[int] = ()

    def __init__(self, source: ChunkSource, ranges: Sequence[Range], slots: int) -> None:
        self.places: Sequence[Place] = [
            Place(None, each.weight.offset, each.weight.size) for each in ranges
        ]
        self._source = source
        self._ranges = ranges
        self._ciphers = {each.file: source.cipher(each.file) for each in ranges}
        self._order = ChunkOrder(ranges, source.chunk_bytes)
        self._memory = SharedMemory(slots * source.chunk_bytes)
        self.window: int | None = self._memory.descriptor
        self._free = list(range(slots))
        self._slots = slots
        self._open: dict[Chunk, int] = {}
        self._failed: dict[Chunk, CaimiError] = {}
        self._closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._fetch, name="caimi-weights", daemon=True).start()

    def pieces(
        self, weight: int, first: int, size: int, deadline: float
    ) -> Iterator[list[tuple[int, int]]]:
        each = self._ranges[weight]
        offset = each.weight.offset + first
        end = offset + size
        while offset < end:
            given = []
            # No more than half of the window, so that the other half can be filled meanwhile.
            for slot in self._wait(each.file, offset, end, max(1, self._slots // 2), deadline):
                start = offset % self._source.chunk_bytes
                count = min(end - offset, self._source.chunk_bytes - start)
                given.append((slot * self._source.chunk_bytes + start, count))
                offset += count
            yield given

    def close(self) -> None:
        with self._changed:
            if not self._closed:
                self._closed = True
                self._changed.notify_all()
                self._memory.close()

    def _wait(self, file: int, offset: int, end: int, most: int, deadline: float) -> list[int]:
        """Wait for the chunk at an offset; give its slot, and those of what follows it and is open.

        They stay where they are until this is called again.
        """
        counter = offset // self._source.chunk_bytes
        chunk = Chunk(file, counter)
        with self._changed:
            self._order.seek(chunk)
            self._changed.notify_all()
            while chunk not in self._open:
                if chunk in self._failed:
                    raise self._failed[chunk]
                if self._closed:
                    raise WeightsUnavailable("The module's weights have been read already.")
                if not self._changed.wait(deadline - monotonic()):
                    raise RunTimedOut("A weight did not come in time.")
            slots: list[int] = []
            last = (end - 1) // self._source.chunk_bytes
            while counter <= last and chunk in self._open and len(slots) < most:
                slots.append(self._open[chunk])
                counter += 1
                chunk = Chunk(file, counter)
            return slots

    def _fetch(self) -> None:
        while True:
            with self._changed:
                found = self._next()
                while found is None and not self._closed:
                    self._changed.wait()
                    found = self._next()
                if found is None or self._closed:
                    return
                chunk, slot = found
                first = slot * self._source.chunk_bytes
                size = self._source.length(chunk.file, chunk.counter)
                plain = self._memory.view[first : first + size]
            failed: CaimiError | None = None
            try:
                with plain:
                    cipher = self._ciphers[chunk.file]
                    self._source.read_into(cipher, chunk.file, chunk.counter, plain)
            except CaimiError as error:
                failed = error
            except Exception as error:  # a store of another's may raise what it likes
                failed = WeightsUnavailable(f"The store failed: {error!r:.200}.")
            with self._changed:
                if failed:
                    self._failed[chunk] = failed
                    self._free.append(slot)
                else:
                    self._open[chunk] = slot
                self._changed.notify_all()

    def _next(self) -> tuple[Chunk, int] | None:
        """Choose what to fetch, and where to: in place of what is not needed soon."""
        soon = self._order.soon(self._slots)
        for chunk in soon:
            if chunk not in self._open and chunk not in self._failed:
                break
        else:
            return None
        if not self._free:
            useless = [each for each in self._open if each not in soon]
            if not useless:
                return None
            self._free.append(self._open.pop(useless[0]))
        return chunk, self._free.pop()
