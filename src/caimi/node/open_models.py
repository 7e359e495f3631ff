"""Opened versions, kept within a bound of bytes: the longest unused is closed first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from caimi.errors.inference import ModelTooLarge
from caimi.inference.worker import ServedModel
from caimi.uri import ModelUri

MAX_MODELS: Final = 64
MAX_BYTES: Final = 8 << 30


@dataclass(frozen=True, slots=True)
class Fetched:
    """A version's files on this machine: how many bytes, and how to open them."""

    size: int
    load: Callable[[], Awaitable[ServedModel]]


@dataclass
class _Entry:
    opening: asyncio.Task[ServedModel]
    size: int = 0


class OpenModels:
    """Opens each version once, and keeps it; belongs to one event loop.

    A version's size is that of its files: what a run takes beside is for the engine to bound. Those
    that requests are running on stay in memory until these end, even when they are closed.
    """

    def __init__(
        self,
        fetch: Callable[[ModelUri], Awaitable[Fetched]],
        *,
        max_bytes: int = MAX_BYTES,
        max_models: int = MAX_MODELS,
    ) -> None:
        self._fetch = fetch
        self._most = max_bytes
        self._number = max_models
        self._entries: dict[ModelUri, _Entry] = {}

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
            CaimiError: it cannot be fetched or loaded; the next request tries again.
        """
        entry = self._entries.pop(uri, None)
        if entry is None:
            entry = _Entry(asyncio.create_task(self._open(uri)))
            entry.opening.add_done_callback(lambda task: self._forget_failed(uri, task))
        self._entries[uri] = entry  # last in the order
        self._make_room(uri)
        return await asyncio.shield(entry.opening)

    def _forget_failed(self, uri: ModelUri, task: asyncio.Task[ServedModel]) -> None:
        failed = task.cancelled() or task.exception() is not None
        entry = self._entries.get(uri)
        if failed and entry is not None and entry.opening is task:
            del self._entries[uri]

    async def _open(self, uri: ModelUri) -> ServedModel:
        fetched = await self._fetch(uri)
        if fetched.size > self._most:
            raise ModelTooLarge(
                f"{uri} has {fetched.size} bytes; at most {self._most} are kept open."
            )
        if uri in self._entries:
            self._entries[uri].size = fetched.size
            self._make_room(uri)
        return await fetched.load()

    def _make_room(self, kept: ModelUri) -> None:
        """Close what is longest unused, before what needs its room is loaded."""
        for uri in [uri for uri in self._entries if uri != kept]:
            if self.size <= self._most and len(self._entries) <= self._number:
                return
            del self._entries[uri]
