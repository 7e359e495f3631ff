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
from caimi.inference.wasm.chunk_order import Chunk, ChunkOrder, Range
from caimi.inference.wasm.metadata import Weight
from caimi.inference.wasm.protocol import Place
from caimi.inference.wasm.shared_memory import SharedMemory
from caimi.inference.wasm.weights import WeightReader
from caimi.models.content_key import ContentKey
from caimi.models.manifest import Manifest
from caimi.models.sealed_reader import ChunkSource
from caimi.storage.port import BlockingStore

DEFAULT_WINDOW_BYTES: Final = 4 * 1024 * 1024
_LEAST_CHUNKS: Final = 2


class SealedWeights:
    """Weights in a sealed package whose manifest's signature has been checked.

    `window_bytes` are open at a time, but two chunks at least: one in use, one ahead.

    Raises:
        WrongContentKey: the key is not this version's.
    """

    def __init__(
        self,
        manifest: Manifest,
        store: BlockingStore,
        key: ContentKey,
        window_bytes: int = DEFAULT_WINDOW_BYTES,
    ) -> None:
        self._manifest = manifest
        self._source = ChunkSource(manifest, store, key)
        self._slots = max(_LEAST_CHUNKS, window_bytes // self._source.chunk_bytes)

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
        return _SealedReader(self._source, ranges, self._slots)


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
    ) -> Iterator[tuple[int, int]]:
        each = self._ranges[weight]
        offset = each.weight.offset + first
        end = offset + size
        while offset < end:
            counter, start = divmod(offset, self._source.chunk_bytes)
            count = min(end - offset, self._source.chunk_bytes - start)
            slot = self._wait(Chunk(each.file, counter), deadline)
            yield slot * self._source.chunk_bytes + start, count
            offset += count

    def close(self) -> None:
        with self._changed:
            if not self._closed:
                self._closed = True
                self._changed.notify_all()
                self._memory.close()

    def _wait(self, chunk: Chunk, deadline: float) -> int:
        """Wait for a chunk; it stays where it is until another is waited for."""
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
            return self._open[chunk]

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
