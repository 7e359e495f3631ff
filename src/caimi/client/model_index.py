"""What is known of a ledger's models without asking again: an index that follows its feed.

It is kept on this machine, in a folder of files that can be made again, one for each deployment: a
network that was set up anew, at whatever addresses, has another. What it says is for finding and
looking: whoever buys, pulls or verifies asks the ledger. What is not final yet is never kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from caimi.client.context import Progress
from caimi.client.fact_file import FactFile, FactFileUnusable, KnownFact, Reached
from caimi.errors.ledgers import LedgerBehind
from caimi.hashing import sha256
from caimi.ledgers.fact_ids import link, subject
from caimi.ledgers.port import (
    MODEL_KINDS,
    BlockFacts,
    GrantedLicence,
    Ledger,
    ModelFact,
    RegisteredModel,
)

_MOST_FILES: Final = 16
_TRIES: Final = 5
_AGAIN: Final = 64
"""So many blocks are read again each time: one of several nodes can have shown less than it had."""
_FACTS: Final = 2_000
_BLOCKS: Final = 500_000
"""After so many facts or blocks what was read is written down."""
_BESIDE: Final = ("", "-wal", "-shm")
_Look = Callable[[FactFile], tuple[int, list[KnownFact]]]


class ModelIndex:
    """The index of one ledger, with its files in `folder`; without one it reads all each time."""

    def __init__(self, ledger: Ledger, folder: Path | None, progress: Progress) -> None:
        self._ledger = ledger
        self._folder = folder
        self._progress = progress
        self._start = ledger.deployed_at - 1

    async def models(self, wanted: Callable[[RegisteredModel], bool]) -> list[KnownFact]:
        """Give all facts of the models that `wanted` takes, of each in order, final ones first."""
        known, recent = await self._read(lambda file: file.models(wanted))
        ids = {each.fact.model_id for each in known if isinstance(each.fact, RegisteredModel)}
        ids |= {
            each.fact.model_id
            for each in recent
            if isinstance(each.fact, RegisteredModel) and wanted(each.fact)
        }
        return known + [each for each in recent if subject(each.fact) in ids]

    async def licences(self, consumers: Collection[bytes]) -> list[KnownFact]:
        """Give the licences given to some accounts (ERC-7930), and their models' registrations."""
        known, recent = await self._read(lambda file: file.granted(consumers))
        found = {each.fact.model_id for each in known if isinstance(each.fact, RegisteredModel)}
        fresh = [
            each.fact
            for each in recent
            if isinstance(each.fact, GrantedLicence) and each.fact.consumer in consumers
        ]
        lacking = {fact.model_id for fact in fresh} - found
        return [
            *(await self.models(lambda model: model.model_id in lacking) if lacking else ()),
            *known,
            *(each for each in recent if each.fact in fresh),
        ]

    async def history(self, model_id: bytes) -> list[KnownFact]:
        """Give all facts of a model, its licences and its purchases, in order."""
        known, recent = await self._read(lambda file: file.history(model_id))
        ids = {model_id, *(begun for each in known if (begun := link(each.fact)) is not None)}
        for each in recent:
            if subject(each.fact) in ids:
                ids |= {begun} if (begun := link(each.fact)) is not None else set()
                known.append(each)
        return known

    async def _read(self, look: _Look) -> tuple[list[KnownFact], list[KnownFact]]:
        """Bring the index up to date and look; what is recent is read after that, as it is now."""
        place = await self._place()
        for path in (place, place, None):
            try:
                reached, known = await self._read_file(path, look)
            except FactFileUnusable as unusable:
                if path is None:
                    raise
                if unusable.damaged:
                    await asyncio.to_thread(_remove, path)
                continue
            return known, _known(await self._ledger.recent(reached, MODEL_KINDS))
        raise AssertionError("The last of them is none.")

    async def _read_file(self, path: Path | None, look: _Look) -> tuple[int, list[KnownFact]]:
        file = await asyncio.to_thread(FactFile, path, self._start)
        try:
            for _ in range(_TRIES):
                if await self._follow(file):
                    return await asyncio.to_thread(look, file)
            raise FactFileUnusable("Others begin it anew again and again.", damaged=False)
        finally:
            await asyncio.to_thread(file.close)

    async def _follow(self, file: FactFile) -> bool:
        """Read what is new; False when it must be tried again, from the beginning."""
        ledger, reached = self._ledger, await asyncio.to_thread(file.reached)
        after, total = self._start, None
        if reached is None:
            total = (await ledger.finalized()).height - self._start
        else:
            try:
                still = (await ledger.block(reached.height)).hash == reached.hash
            except LedgerBehind:
                return True  # what is known already is more than this node can tell
            if not still:  # what was trusted never to change did
                await asyncio.to_thread(file.clear)
                return False
            after = max(reached.height - _AGAIN, self._start)
        blocks: list[BlockFacts] = []
        count = 0
        async for told in ledger.feed(after, kinds=MODEL_KINDS):
            blocks.append(told)
            count += len(told.facts)
            if total is not None:
                self._progress(f"index {ledger.id}", told.height - self._start, total)
            if count >= _FACTS or told.height - after >= _BLOCKS:
                if not await self._write(file, after, blocks, reached):
                    return False
                blocks, count, after = [], 0, told.height
        return not blocks or await self._write(file, after, blocks, reached)

    async def _write(
        self, file: FactFile, after: int, blocks: list[BlockFacts], reached: Reached | None
    ) -> bool:
        last = blocks[-1].height
        if reached is None or reached.height != last:
            reached = Reached(last, (await self._ledger.block(last)).hash)
        return await asyncio.to_thread(file.extend, after, blocks, reached)

    async def _place(self) -> Path | None:
        """Give the file of this very deployment; the one that was read longest ago makes room."""
        if self._folder is None:
            return None
        ledger = self._ledger
        first = await ledger.block(ledger.deployed_at)
        named = (ledger.id.encode(), ledger.gateway.address, ledger.registry.address, first.hash)
        name = sha256(b"".join(sha256(part) for part in named) + first.height.to_bytes(8)).hex()
        return await asyncio.to_thread(_made_room, self._folder, f"{name[:32]}.sqlite")


def _known(blocks: list[BlockFacts]) -> list[KnownFact]:
    return [
        KnownFact(block.height, place, block.time, told.tx, told.fact, final=False)
        for block in blocks
        for place, told in enumerate(block.facts)
        if isinstance(told.fact, ModelFact)
    ]


def _made_room(folder: Path, name: str) -> Path:
    path = folder / name
    with suppress(OSError):
        if path.exists():
            path.touch()
        else:
            others = sorted(folder.glob("*.sqlite"), key=lambda each: each.stat().st_mtime)
            for other in others[: max(len(others) + 1 - _MOST_FILES, 0)]:
                _remove(other)
    return path


def _remove(path: Path) -> None:
    for ending in _BESIDE:
        with suppress(OSError):
            path.with_name(path.name + ending).unlink(missing_ok=True)
