"""What every store offers: objects of bounded size, named by the hash of their bytes.

Two faces. `Store` is asynchronous and is what callers outside use. `BlockingStore` is what the
sealing pipeline uses from its own threads; a store whose medium is a system call away implements it
directly, any other is driven through `blocking`, which crosses back to its event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, Protocol, runtime_checkable

from caimi.storage.cid import Cid, HashFunction, Octets

MAX_OBJECT_BYTES: Final = 32 * 1024 * 1024
"""No store takes or gives an object larger than this: twice the largest manifest or chunk."""


class Store(Protocol):
    """A content-addressed store, safe for concurrent use; a put is whole or absent."""

    async def put(
        self,
        data: Octets | AsyncIterable[bytes],
        function: HashFunction = HashFunction.SHA2_256,
    ) -> Cid:
        """Keep an object, durably when this returns; one that is there already is kept once.

        Raises:
            ObjectTooLarge: more than `MAX_OBJECT_BYTES`; a stream is cut off at that point.
            StoreFull: no room; nothing of the object remains.
            StorageError: the medium failed otherwise.
        """

    async def get(self, cid: Cid) -> bytes:
        """Give an object's bytes, which are checked against `cid`.

        Raises:
            ObjectMissing: it is not here.
            ObjectCorrupted: what is here has another hash or is too large.
            StorageError: the medium failed otherwise.
        """

    async def has(self, cid: Cid) -> bool:
        """Tell whether an object of that name is here; its bytes are not checked."""

    async def delete(self, cid: Cid) -> None:
        """Remove an object; one that is not here is no error."""

    def list(self) -> AsyncIterator[Cid]:
        """Give the name of every object that is here, in no particular order."""


@runtime_checkable
class BlockingStore(Protocol):
    """The face of a store for threads: the same promises as `Store`."""

    def put_blocking(self, data: Octets, function: HashFunction = HashFunction.SHA2_256) -> Cid:
        """Keep an object; see `Store.put`."""

    def get_blocking(self, cid: Cid) -> bytes:
        """Give a checked object; see `Store.get`."""

    def has_blocking(self, cid: Cid) -> bool:
        """Tell whether an object is here; see `Store.has`."""


class _AcrossTheLoop:
    """Drives an asynchronous store from other threads, through the loop that it belongs to."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop

    def put_blocking(self, data: Octets, function: HashFunction = HashFunction.SHA2_256) -> Cid:
        return asyncio.run_coroutine_threadsafe(
            self._store.put(bytes(data), function), self._loop
        ).result()

    def get_blocking(self, cid: Cid) -> bytes:
        return asyncio.run_coroutine_threadsafe(self._store.get(cid), self._loop).result()

    def has_blocking(self, cid: Cid) -> bool:
        return asyncio.run_coroutine_threadsafe(self._store.has(cid), self._loop).result()


def blocking(store: Store) -> BlockingStore:
    """Give a store's face for threads; call it on the running event loop, use it off that loop."""
    if isinstance(store, BlockingStore):
        return store
    return _AcrossTheLoop(store, asyncio.get_running_loop())
