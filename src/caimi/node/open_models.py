"""Opened versions, kept within bounds of bytes and number: the longest unused is closed first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from caimi.errors.inference import ModelStillOpening, ModelTooLarge
from caimi.inference.worker import ServedModel
from caimi.uri import ModelUri

MAX_MODELS: Final = 64
MAX_BYTES: Final = 8 << 30
OPENING_SECONDS: Final = 900.0
"""How long fetching and loading a version may take."""
WAIT_SECONDS: Final = 100.0
"""How long one request waits for that: workers' clients give up after two minutes."""
_OPENING_AT_ONCE: Final = 4


def _keep() -> None:
    pass


@dataclass(frozen=True, slots=True)
class OpenableModel:
    """A version that may be opened: how many bytes it has, how to open it, and how to be rid of it.

    `discard` deletes what `open` put on the disk, however far it came; blocking.
    """

    size: int
    open: Callable[[], Awaitable[ServedModel]]
    discard: Callable[[], None] = _keep


@dataclass
class _Entry:
    opening: asyncio.Task[ServedModel]
    found: OpenableModel | None = None
    opened: bool = False

    @property
    def size(self) -> int:
        return self.found.size if self.found is not None else 0


class OpenModels:
    """Opens each version once, and keeps it; belongs to one event loop.

    A version's size is that of its files, on the disk as in memory: what a run takes beside is for
    the engine to bound. Those that requests are running on stay in memory until these end, even
    when they are closed; their files are deleted at once.
    """

    def __init__(
        self,
        find: Callable[[ModelUri], Awaitable[OpenableModel]],
        *,
        max_bytes: int = MAX_BYTES,
        max_models: int = MAX_MODELS,
    ) -> None:
        self._find = find
        self._most = max_bytes
        self._number = max_models
        self._entries: dict[ModelUri, _Entry] = {}
        self._places = asyncio.Semaphore(_OPENING_AT_ONCE)
        self._discarding: set[asyncio.Task[None]] = set()

    def __contains__(self, uri: ModelUri) -> bool:
        return uri in self._entries

    @property
    def size(self) -> int:
        """How many bytes the versions have that are open or being opened."""
        return sum(entry.size for entry in self._entries.values())

    async def get(self, uri: ModelUri) -> ServedModel:
        """Give a version, by number, opened.

        Raises:
            ModelTooLarge: it is larger than the bound.
            ModelStillOpening: it is being opened, and will be there later.
            CaimiError: it cannot be fetched or loaded; the next request tries again.
        """
        entry = self._entries.pop(uri, None)
        if entry is None:
            entry = _Entry(asyncio.create_task(self._open(uri)))
        self._entries[uri] = entry  # last in the order
        self._make_room(uri)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await asyncio.shield(entry.opening)
        except TimeoutError:
            if entry.opening.done():
                raise
            raise ModelStillOpening(f"{uri} is still being fetched and loaded.") from None

    async def _open(self, uri: ModelUri) -> ServedModel:
        entry = self._entries[uri]
        try:
            async with self._places, asyncio.timeout(OPENING_SECONDS):
                found = entry.found = await self._find(uri)
                if found.size > self._most:
                    raise ModelTooLarge(
                        f"{uri} has {found.size} bytes; at most {self._most} are kept open."
                    )
                if self._entries.get(uri) is entry:
                    self._make_room(uri)
                served = await found.open()
        except BaseException as error:
            if self._entries.get(uri) is entry:
                del self._entries[uri]
            self._discard(entry)
            if isinstance(error, TimeoutError):
                raise ModelStillOpening(
                    f"{uri} was not opened within {OPENING_SECONDS:g} seconds."
                ) from error
            raise
        entry.opened = True
        if self._entries.get(uri) is not entry:
            self._discard(entry)
        return served

    def _make_room(self, kept: ModelUri) -> None:
        """Close what is longest unused, before what needs its room is fetched and loaded."""
        for uri in [uri for uri in self._entries if uri != kept]:
            if self.size <= self._most and len(self._entries) <= self._number:
                return
            entry = self._entries.pop(uri)
            if entry.opened:
                self._discard(entry)

    def _discard(self, entry: _Entry) -> None:
        if entry.found is not None:
            task = asyncio.create_task(asyncio.to_thread(entry.found.discard))
            self._discarding.add(task)
            task.add_done_callback(self._discarding.discard)
