"""A process that carries messages among so many ledgers in memory, and tells what one costs.

It finds the ledger of the tests, which runs the contracts' logic, on PYTHONPATH: `bench.growth`
starts it so. What the ledgers themselves take is taken off (`bench.instrument`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from typing import cast

from bench.carrier import resident
from bench.growth import Cost
from bench.instrument import Answering, Instrument
from bench.messages import LocalValidator, Remembering
from caimi.keystore import LocalSigner
from caimi.ledgers.machine.calls import read, sign
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Ledger, LedgerId
from caimi.messaging.checkpoint import Attestation, make_committee
from caimi.messaging.relayer import Relayer
from caimi.messaging.validator import Validator
from memory_ledger import MemoryChain, Wallet
from memory_ledger.joining import join
from memory_ledger.mailbox import posting

MEMBERS, THRESHOLD, EACH, ROUNDS, FEWEST = 5, 3, 2, 3, 600
HOUR = 3_600


class AskedValidator(LocalValidator):
    """Remembers what it was asked, so that its share of the time can be measured alone."""

    def __init__(self, validator: Validator) -> None:
        super().__init__(validator)
        self.asked: list[tuple[LedgerId, int, int]] = []

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        self.asked.append((ledger, from_height, height))
        return await super().attest(ledger, from_height, height)


class Stopwatch:
    """Processor time of this process without what its ledgers took."""

    def __init__(self, *ledgers: Answering) -> None:
        self._ledgers = ledgers
        self._began = self._now()

    def _now(self) -> float:
        return time.process_time() - sum(each.seconds for each in self._ledgers)

    def read(self) -> float:
        """Give the seconds since this began."""
        return self._now() - self._began


class Fleet:
    """Ledgers with routes in a shape, each with the clients over which it sends."""

    def __init__(self, shape: str, size: int, members: list[LocalSigner], relayer: Wallet) -> None:
        committee = make_committee(0, THRESHOLD, [member.account for member in members])
        self.committee = committee
        self.chains = [MemoryChain(f"n{number}") for number in range(size)]
        self._clients: dict[LedgerId, list[str]] = {chain.id: [] for chain in self.chains}
        self._sender = Wallet(b"sender")
        for chain in self.chains:
            chain.book.enrol(self._sender)
            chain.book.enrol(relayer)
        for place, chain in enumerate(self.chains[1:], 1):
            self._join(chain, self.chains[0 if shape == "hub" else place - 1])
        if shape == "ring":
            self._join(self.chains[-1], self.chains[0])

    def _join(self, a: MemoryChain, b: MemoryChain) -> None:
        here, there = join(a, b, self.committee)
        self._clients[a.id].append(here)
        self._clients[b.id].append(there)

    def views(self, answering: Answering) -> dict[LedgerId, Ledger]:
        return {
            chain.id: cast("Ledger", Instrument(MachineLedger(chain), answering))
            for chain in self.chains
        }

    def send(self) -> int:
        """Send over every route, on each ledger in one block; gives how many."""
        count = 0
        for chain in self.chains:
            letters = [(each, bytes(32)) for each in self._clients[chain.id] for _ in range(EACH)]
            call = posting(chain.id, chain.clock + HOUR, letters)
            signed = sign(call, self._sender, chain.head.height + 1, chain.accounts)
            chain.take(read(signed, chain.accounts))
            count += len(letters)
        return count


async def measure(shape: str, size: int) -> Cost:
    """Carry some rounds of messages between `size` ledgers."""
    members, signer = [LocalSigner.generate() for _ in range(MEMBERS)], Wallet(b"relayer")
    fleet = Fleet(shape, size, members, signer)
    memory, sending = resident(), 0
    relaying, validating = Answering(), Answering()
    store = Remembering()
    validators = [
        AskedValidator(Validator(member, fleet.committee, fleet.views(validating), store))
        for member in members
    ]
    views = fleet.views(relaying)
    relayer = Relayer(views, validators, dict.fromkeys(views, signer))
    await relayer.step()
    looking = Stopwatch(relaying, validating)
    await relayer.step()
    idle = looking.read()
    relaying.questions, messages, whole = 0, 0, 0.0
    for _ in range(max(ROUNDS, FEWEST // size)):
        before = resident()
        left = fleet.send()
        sending += resident() - before
        messages += left
        carrying = Stopwatch(relaying, validating)
        while left:
            progress = await relayer.step()
            if progress.failures:
                raise progress.failures[0]
            left -= sum(e.packets for e in progress.carried if e.what == "acknowledge")
        whole += carrying.read()
    grown = resident() - memory - sending - relaying.memory - validating.memory
    questions = validating.questions / MEMBERS
    alone = Stopwatch(relaying, validating)
    for validator in validators:
        for question in list(validator.asked):
            await validator.attest(*question)
    validated = alone.read()
    return Cost(
        shape,
        size,
        1_000 * (whole - validated) / messages,
        1_000 * validated / MEMBERS / messages,
        relaying.questions / messages,
        questions / messages,
        idle,
        grown / 1e6,
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(asyncio.run(measure(sys.argv[1], int(sys.argv[2]))))))
