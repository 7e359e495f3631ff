"""Validators, relayers and the network between them: production code in simulated processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from caimi.errors.node import NodeUnreachable
from caimi.ledgers.port import Committee, LedgerId
from caimi.messaging.checkpoint import Attestation
from caimi.messaging.policy import Policy
from caimi.messaging.relayer import Relayer
from caimi.messaging.turns import RelayerSchedule
from caimi.messaging.validator import Validator
from caimi.persistence import open_signed_store
from faults.genesis import Genesis, Key
from faults.node import NodeFaults
from faults.process import Database, Disk, Killed, Process

if TYPE_CHECKING:
    from faults.world import World

_POLL_SECONDS = 9.0
_DEAR = 50 * 10**9  # wei a gas


def clear(faults: NodeFaults) -> None:
    """Make a node well again."""
    for field in fields(faults):
        setattr(faults, field.name, field.default)


@cache
def _empty_store() -> bytes:
    """A validator's memory before it remembers; making one takes longer than all its uses."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "empty.sqlite3")
        open_signed_store(None, path).close()
        return path.read_bytes()


class Actor:
    """Something that runs as a process with nodes of its own, and can be killed and started."""

    def __init__(self, world: World, name: str, ledgers: Sequence[LedgerId]) -> None:
        self.world = world
        self.name = name
        self.rng = Random(f"{world.settings.seed}/{name}")
        self.process = Process(name)
        self.faults: Mapping[LedgerId, NodeFaults] = {
            ledger: NodeFaults(
                interrupted=world.settings.interrupted,
                answer_lost=world.settings.interrupted / 2,
                slow=world.settings.slow,
            )
            for ledger in ledgers
        }

    def open_all(self) -> dict[LedgerId, object]:
        begin: Genesis = self.world.genesis
        return {
            ledger: begin.open(ledger, self.process, faults, self.rng)
            for ledger, faults in self.faults.items()
        }

    def next_life(self, fuse: int | None = None) -> None:
        """Start anew from what is on disk; the life before can do nothing any more."""
        self.process.alive = False
        self.process = Process(self.name, fuse)


class ValidatorActor(Actor):
    """A member of a committee. It forgets all but its disk when it is killed."""

    def __init__(
        self, world: World, name: str, key: Key, committee: Committee, directory: Path
    ) -> None:
        super().__init__(world, name, list(world.genesis.chains))
        self.key = key
        self.committee = committee
        self.evil = False
        self.disk = Disk()
        self._path = directory / f"{name}.sqlite3"
        self._path.write_bytes(_empty_store())
        self._validator: Validator | None = None
        self._database: Database | None = None
        self.down = False

    def boot(self, fuse: int | None = None) -> None:
        self.next_life(fuse)
        if self._database is not None:
            self._database.close()  # as the system does for the dead
        store = open_signed_store(None, self._path)
        opened = store._database
        self._database = Database(opened._connection, self.process, self.disk)
        opened._connection = self._database
        self._validator = Validator(
            self.key,
            self.committee,
            self.open_all(),  # type: ignore[arg-type]
            store,
        )
        self.down = False

    def serve(self, committee: Committee) -> None:
        """Be started again as a member of another committee."""
        self.committee = committee
        if not self.down:
            self.boot()

    def kill(self) -> None:
        """End this life; the next begins some seconds later, or when the calm comes."""
        if self.down:
            return
        self.down = True
        self.process.alive = False
        self._validator = None
        self.world.note(f"{self.name} dies")
        asyncio.get_running_loop().call_later(self.rng.uniform(1.0, 40.0), self._rise)

    def _rise(self) -> None:
        if self.down:
            self.boot()

    async def answer(self, ask: Callable[[Validator], Awaitable[Attestation]]) -> Attestation:
        """Answer a question that arrived over the network."""
        if self._validator is None and not self.evil:
            if self.down:
                raise NodeUnreachable(f"{self.name} is down.")
            self.boot(self.rng.randint(5, 200) if self.world.crashes(self.rng) else None)
        if self.evil:
            return await self.world.adversary.sign_as(self)
        assert self._validator is not None
        process = self.process
        try:
            said = await ask(self._validator)
        except Killed:
            if process is self.process:
                self.kill()
            raise NodeUnreachable(f"{self.name} died.") from None
        self.world.law.attested(self, said)
        return said


class Link:
    """The way from one relayer to one validator (`ValidatorClient`): it loses, delays, doubles."""

    def __init__(self, world: World, validator: ValidatorActor, rng: Random) -> None:
        self.name = validator.name
        self._world = world
        self._validator = validator
        self._rng = rng

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        return await self._carry(lambda v: v.attest(ledger, from_height, height))

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        return await self._carry(lambda v: v.attest_absence(ledger, height, packets))

    async def _carry(self, ask: Callable[[Validator], Awaitable[Attestation]]) -> Attestation:
        settings, rng = self._world.settings, self._rng
        calm = self._world.calm
        await asyncio.sleep(0.02)
        if not calm and rng.random() < settings.loss:
            raise NodeUnreachable("The question was lost.")
        if not calm and rng.random() < settings.slow:
            await asyncio.sleep(rng.uniform(0.1, 15.0))
        if not calm and rng.random() < settings.duplicates:
            self._world.spawn(self._validator.answer(ask))
        said = await self._validator.answer(ask)
        if not calm and rng.random() < settings.loss:
            raise NodeUnreachable("The answer was lost.")
        return said


class RelayerActor(Actor):
    """A relayer that runs for ever, however often it is killed."""

    def __init__(self, world: World, key: Key, number: int) -> None:
        super().__init__(world, f"relayer {number}", list(world.genesis.chains))
        self.key = key
        self.healthy = False
        self.policy = self._policy()

    def _policy(self) -> Policy:
        """In half of the schedules relayers take turns, by clocks that differ, and mind the price.

        When the calm comes all of them but one are dead, and their turns are its.
        """
        if Random(f"{self.world.settings.seed}/policy").random() < 0.5:
            return Policy()
        begin = self.world.genesis
        fast = self.rng.uniform(-5.0, 5.0)
        now = asyncio.get_running_loop().time
        turns = {
            name: RelayerSchedule(
                begin.account(name, self.key),
                [begin.account(name, key) for key in begin.relayers],
                clock=lambda: now() + fast,
            )
            for name in self.faults
        }
        caps = dict.fromkeys(begin.evm, _DEAR)
        return Policy(price_caps=caps, turns=turns)

    async def run(self) -> None:
        begin = self.world.genesis
        while True:
            fuse = self.rng.randint(1, 700) if self.world.crashes(self.rng) else None
            self.next_life(None if self.healthy else fuse)
            relayer = Relayer(
                self.open_all(),  # type: ignore[arg-type]
                [Link(self.world, each, self.rng) for each in self.world.validators],
                {name: begin.signer(name, self.key) for name in self.faults},
                batch=self.rng.choice([1, 2, 100]),
                policy=self.policy,
                clock=asyncio.get_running_loop().time,
            )
            try:
                await relayer.run(_POLL_SECONDS)
            except Killed:
                self.world.note(f"{self.name} dies")
                await asyncio.sleep(self.rng.uniform(1.0, 30.0))
