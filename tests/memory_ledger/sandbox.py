"""Ledgers in memory for trying things out (port `Sandbox`)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Signer
from memory_ledger.chain import MemoryChain
from memory_ledger.words import Wallet

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class MemorySandbox(MachineAdministered):
    """A chain in memory; its people have words of their own there."""

    chain: MemoryChain
    keys: dict[bytes, Wallet]

    def key_of(self, person: Signer) -> Wallet:
        return self.keys[person.account]

    async def pass_time(self, seconds: int) -> None:
        chain = self.chain
        chain.advance(max(0, int(time.time()) - chain.clock) + seconds)  # its clock stands still


class MemorySandboxes:
    """A kind of them."""

    async def start(
        self, stack: AsyncExitStack, place: int, people: Sequence[Signer]
    ) -> MemorySandbox:
        chain = MemoryChain(f"memory{place}", clock=int(time.time()))
        keys = {
            person.account: chain.enrol(f"person{_LETTERS[at]}") for at, person in enumerate(people)
        }
        return MemorySandbox(MachineLedger(chain, patience=20.0), chain.admin, chain, keys)


MEMORY = MemorySandboxes()
