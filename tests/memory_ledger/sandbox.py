"""Ledgers in memory for trying things out (port `Sandbox`)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Committee, Ledger, Outbox, Signer
from memory_ledger.chain import MemoryChain
from memory_ledger.site import MemorySite
from memory_ledger.words import Wallet

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class MemorySandbox:
    """A chain in memory; its people have words of their own there."""

    site: MemorySite
    ledger: MachineLedger
    keys: dict[bytes, Wallet]

    def key_of(self, person: Signer) -> Wallet:
        return self.keys[person.account]

    async def pass_time(self, seconds: int) -> None:
        chain = self.site.chain
        chain.advance(max(0, int(time.time()) - chain.clock) + seconds)  # its clock stands still

    async def add_client(
        self, of: Ledger, committee: Committee, *, outbox: Outbox | None = None, key: str = "route"
    ) -> str:
        return await self.site.add_client(of, committee)

    async def join(
        self,
        client_id: str,
        counterparty: str,
        *,
        outbox: Outbox | None = None,
        key: str = "route",
    ) -> None:
        await self.site.join(client_id, counterparty)


class MemorySandboxes:
    """A kind of them."""

    async def start(
        self, stack: AsyncExitStack, place: int, people: Sequence[Signer]
    ) -> MemorySandbox:
        chain = MemoryChain(f"memory{place}", clock=int(time.time()))
        site = MemorySite(chain)
        keys = {
            person.account: chain.enrol(f"person{_LETTERS[at]}") for at, person in enumerate(people)
        }
        return MemorySandbox(site, site.open(), keys)


MEMORY = MemorySandboxes()
