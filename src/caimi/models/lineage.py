"""Where a version came from: the chain of its parents, each verified by its digest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from caimi.errors.models import BrokenLineage
from caimi.errors.storage import ObjectCorrupted, ObjectMissing
from caimi.models.manifest import Manifest
from caimi.storage.cid import Cid

MAX_GENERATIONS: Final = 256


async def lineage(
    manifest: Manifest,
    fetch: Callable[[Cid], Awaitable[bytes]],
    *,
    generations: int = MAX_GENERATIONS,
) -> tuple[Manifest, ...]:
    """Give `manifest` and all its ancestors, newest first; `fetch` is a store's `get`.

    Raises:
        BrokenLineage: a parent is missing or is not what its digest names, a digest repeats, or
            there are over `generations` ancestors.
        PackageError: a parent is no valid manifest.
        StorageError: `fetch` failed otherwise.
    """
    chain = [manifest]
    seen = {manifest.digest}
    while (parent := chain[-1].parent) is not None:
        if parent in seen:
            raise BrokenLineage(f"The version {parent.hex()} is its own ancestor.")
        if len(chain) > generations:
            raise BrokenLineage(f"There are over {generations} ancestors.")
        chain.append(Manifest.parse(await _fetch(parent, fetch)))
        seen.add(parent)
    return tuple(chain)


async def _fetch(digest: bytes, fetch: Callable[[Cid], Awaitable[bytes]]) -> bytes:
    cid = Cid(digest)
    try:
        data = await fetch(cid)
    except (ObjectMissing, ObjectCorrupted) as error:
        raise BrokenLineage(f"The parent {digest.hex()}: {error.what}") from error
    if not cid.matches(data):
        raise BrokenLineage(f"The parent {digest.hex()} was answered with other bytes.")
    return data
