"""One schedule: chaos for some minutes of virtual time, then calm until everything has ended."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caimi.ledgers.port import Block, Committee, LedgerId
from faults.actors import Actor, RelayerActor, ValidatorActor, clear
from faults.adversary import Adversary
from faults.chain import Chain
from faults.genesis import MEMBERS, THRESHOLD, Genesis, genesis
from faults.governor import Governor
from faults.law import Law
from faults.settings import Kind, Settings
from faults.strikes import strike
from faults.transaction import SimBlock
from faults.unlike_chain import UnlikeChain
from faults.users import UserActor
from faults.virtual_time import VirtualLoop, run
from faults.watching import WatcherActor

_CALM_SECONDS = 3_600.0
_LOOK_SECONDS = 20.0
_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class RouteEnd:
    """One direction of a route."""

    source: LedgerId
    dest: LedgerId
    client: str
    counterparty: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one schedule."""

    seed: int
    kind: Kind
    trace: str
    broken: tuple[str, ...]
    harm: tuple[str, ...]
    alarms: int
    packets: int
    blocks: int
    attacks: int
    wins: int
    seconds: float
    notes: tuple[str, ...]


class World:
    """The present schedule, and everybody in it."""

    def __init__(
        self, loop: VirtualLoop, begin: Genesis, settings: Settings, directory: Path
    ) -> None:
        self.loop = loop
        self.genesis = begin
        self.settings = settings
        self.rng = random.Random(f"{settings.seed}/{settings.kind}/world")
        self.calm = False
        self.notes: list[str] = []
        self._trace = hashlib.sha256()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.law = Law(self)
        begin.start(loop.time)
        self._shape_ledgers()
        self.routes = self._read_routes()
        self.following: Committee | None = None
        self.validators = self._make_validators(directory)
        self.misled = {
            self.validators[place].name for place in settings.misled if settings.kind != "one-more"
        }
        self.relayers = [
            RelayerActor(self, begin.relayers[number], number)
            for number in range(settings.relayers)
        ]
        self.users = [UserActor(self, key, number) for number, key in enumerate(begin.users)]
        self.watchers = [WatcherActor(self)] if settings.watched else []
        governs = settings.limits or settings.pauses or settings.rotates
        self.governors = [Governor(self)] if governs else []
        self.adversary = Adversary(self)

    def _shape_ledgers(self) -> None:
        for chain in self.genesis.chains.values():
            chain.interval = self.rng.choice([4, 6, 12])
            chain.grain = self.rng.choice([1, 1, 12])
            chain.skew = self.rng.randint(-120, 120)
            chain.depth = self.rng.randint(1, 4)
            chain.rng = random.Random(f"{self.settings.seed}/{chain.id}")
            chain.due = self.loop.now + chain.interval
            chain.on_block = self._on_block

    def _read_routes(self) -> list[RouteEnd]:
        numbered: dict[tuple[LedgerId, LedgerId], str] = {}
        names = list(self.genesis.chains)
        for name in names:
            others = [other for other in names if other != name]
            for place, other in enumerate(others):
                numbered[name, other] = f"{self.genesis.chains[name].client_prefix}-{place}"
        return [RouteEnd(a, b, c, numbered[b, a]) for (a, b), c in numbered.items()]

    def _make_validators(self, directory: Path) -> list[ValidatorActor]:
        made: list[ValidatorActor] = []
        for committee in sorted(set(self.genesis.committees.values()), key=lambda c: c.hash):
            weak = self.genesis.committees.get(self.genesis.weak) == committee
            for place, member in enumerate(committee.members):
                name = f"{'weak ' if weak else ''}validator {place}"
                key = self.genesis.keys[member]
                actor = ValidatorActor(self, name, key, committee, directory)
                actor.evil = place in self.settings.evil and (
                    weak or self.settings.kind != "one-more"
                )
                made.append(actor)
        if self.settings.rotates:
            self.following, keys = self.genesis.following()
            for place, key in enumerate(keys.values()):
                name = f"new validator {place}"
                made.append(ValidatorActor(self, name, key, self.following, directory))
        return made

    # --- what actors ask --------------------------------------------------------------------------

    def client(self, source: LedgerId, dest: LedgerId) -> str:
        return next(r.client for r in self.routes if (r.source, r.dest) == (source, dest))

    def crashes(self, rng: random.Random) -> bool:
        """Whether a life that begins now is a short one."""
        return not self.calm and rng.random() < 0.3

    def note(self, what: str) -> None:
        """Write into the trace what happened; two runs of one seed write the same."""
        line = f"{self.loop.now:.3f} {what}"
        self.notes.append(line)
        self._trace.update(line.encode() + b"\n")

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _on_block(self, chain: Chain | UnlikeChain, block: SimBlock | Block) -> None:
        self.note(f"block {chain.id} {block.height} {block.hash.hex()}")
        self.law.block(chain, block)

    # --- the schedule -----------------------------------------------------------------------------

    async def play(self) -> None:
        """Chaos, then calm."""
        forever = [self.spawn(actor.run()) for actor in self.relayers]
        forever += [self.spawn(actor.run()) for actor in self.users]
        forever += [self.spawn(actor.run()) for actor in (*self.watchers, *self.governors)]
        passing = [self.spawn(strike(self)), self.spawn(self.adversary.run())]
        await asyncio.sleep(self.settings.seconds)
        self._settle(forever)
        # The relayer that goes on may be one that remembers all it saw, or a fresh one.
        survivor = forever[0] if self.rng.random() < 0.5 else None
        for task in (*forever, *passing, *self._tasks):
            if task is not survivor:
                task.cancel()
        await asyncio.sleep(0)
        self._become_calm(survives=survivor is not None)
        running = [survivor or self.spawn(self.relayers[0].run())]
        running += [self.spawn(actor.run()) for actor in (*self.watchers, *self.governors)]
        deadline = self.loop.now + _CALM_SECONDS
        while self.loop.now < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            for chain in self.genesis.chains.values():
                chain.catch_up()
            if (
                not self.law.open_packets()
                and not self.law.vigilance.unanswered()
                and not any(governor.busy for governor in self.governors)
                and not any(chain.pool for chain in self.genesis.chains.values())
            ):
                break
        self._settle(running)
        for task in running:
            task.cancel()
        if self.settings.kind == "beyond-finality":
            await self.law.look_for_alarms()
        self.law.end()
        self.note(f"end {sorted(self.law.broken)}")

    def _settle(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Nobody who should run for ever may have stopped: that is a defect of the program."""
        for task in tasks:
            if task.done() and not task.cancelled():
                self.law.breach("P1", f"a process ended by itself: {task.exception()!r}")

    def _become_calm(self, *, survives: bool) -> None:
        self.note("calm")
        self.calm = True
        for chain in self.genesis.chains.values():
            chain.catch_up()
            chain.base_fee = 10**9
            chain.halted_until = 0.0
            chain.pool.clear()
        actor: Actor
        remaining = self.relayers[0]
        remaining.healthy = True
        for actor in (*self.validators, *self.relayers, *self.watchers, *self.users):
            if survives and actor is remaining:
                actor.process.fuse = None
            else:
                actor.process.alive = False
            for faults in actor.faults.values():
                clear(faults)
        for validator in self.validators:
            validator.disk.full = False
            if not validator.evil:
                validator.boot()

    def report(self) -> Report:
        chains = self.genesis.chains.values()
        return Report(
            self.settings.seed,
            self.settings.kind,
            self._trace.hexdigest(),
            tuple(self.law.broken),
            tuple(sorted(self.law.harm)),
            self.law.alarms,
            sum(len(self.law._events(chain, "gateway", "PacketSent")) for chain in chains),
            self.law.checks,
            self.adversary.tried,
            self.adversary.won,
            self.loop.now,
            tuple(self.notes),
        )


def play(seed: int, kind: Kind = "tolerated") -> Report:
    """Play the schedule of one seed."""
    settings = Settings.draw(seed, kind, THRESHOLD, MEMBERS)
    begin = genesis(kind == "one-more", settings.unlike)
    random.seed(seed)  # the adapter spreads its retries by it
    room = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
    directory = Path(tempfile.mkdtemp(prefix="caimi-faults-", dir=room))

    async def main(loop: VirtualLoop) -> Report:
        world = World(loop, begin, settings, directory)
        await world.play()
        return world.report()

    try:
        return run(main)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
