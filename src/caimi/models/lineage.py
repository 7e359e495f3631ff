"""Where a version came from: all that it was made from, each verified by its digest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

from caimi import html_text
from caimi.errors.models import BrokenLineage
from caimi.errors.storage import ObjectCorrupted, ObjectMissing
from caimi.models.manifest import Manifest
from caimi.storage.cid import Cid

MAX_GENERATIONS: Final = 256
MAX_ANCESTORS: Final = 1024


class Lineage(tuple[Manifest, ...]):
    """A version and all that it was made from, each once and before its own parents."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """Give a row a version, for a notebook."""
        return html_text.table(
            f"What {self[0].name} {self[0].version} was made from" if self else "No version",
            ("model", "version", "publisher", "manifest", "made from", "contributors"),
            [
                (
                    each.name,
                    each.version,
                    each.publisher,
                    _short(each.digest),
                    ", ".join(map(_short, each.parents)),
                    ", ".join(f"{one.role} {one.account}" for one in each.contributors),
                )
                for each in self
            ],
        )


def _short(digest: bytes) -> str:
    return f"0x{digest.hex()[:16]}…"


async def lineage(
    manifest: Manifest,
    fetch: Callable[[Cid], Awaitable[bytes]],
    *,
    generations: int = MAX_GENERATIONS,
    ancestors: int = MAX_ANCESTORS,
) -> Lineage:
    """Give `manifest` and all its ancestors, each once and before its own parents.

    `fetch` is a store's `get`; what several versions were made from is fetched once.

    Raises:
        BrokenLineage: a parent is missing or is not what its digest names, a version is its own
            ancestor, there are over `ancestors` of them, or over `generations` one after another.
        PackageError: a parent is no valid manifest.
        StorageError: `fetch` failed otherwise.
    """
    known = {manifest.digest: manifest}
    young = [manifest]
    for _ in range(generations + 1):
        wanted = dict.fromkeys(parent for each in young for parent in each.parents)
        young = []
        for parent in wanted:
            if parent in known:
                continue
            if len(known) > ancestors:
                raise BrokenLineage(f"There are over {ancestors} ancestors.")
            known[parent] = Manifest.parse(await _fetch(parent, fetch))
            young.append(known[parent])
        if not young:
            break
    return _in_order(known, generations)


def _in_order(known: Mapping[bytes, Manifest], generations: int) -> Lineage:
    try:
        oldest_first = list(
            TopologicalSorter({own: each.parents for own, each in known.items()}).static_order()
        )
    except CycleError as error:
        (_, again, *_) = error.args[1]
        raise BrokenLineage(f"The version {again.hex()} is its own ancestor.") from None
    height: dict[bytes, int] = {}
    for own in oldest_first:
        parents = known[own].parents if own in known else ()
        height[own] = max((height[parent] + 1 for parent in parents), default=0)
    if max(height.values()) > generations:
        raise BrokenLineage(f"There are over {generations} generations of ancestors.")
    return Lineage(known[own] for own in reversed(oldest_first))


async def _fetch(digest: bytes, fetch: Callable[[Cid], Awaitable[bytes]]) -> bytes:
    cid = Cid(digest)
    try:
        data = await fetch(cid)
    except (ObjectMissing, ObjectCorrupted) as error:
        raise BrokenLineage(f"The parent {digest.hex()}: {error.what}") from error
    if not cid.matches(data):
        raise BrokenLineage(f"The parent {digest.hex()} was answered with other bytes.")
    return data
