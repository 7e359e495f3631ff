"""Who administers the ledgers: sets limits, ends stops, and hands routes over to new committees."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from caimi.errors.base import CaimiError
from caimi.hashing import keccak256
from caimi.ledgers.evm.administration.changes import (
    close_breaker,
    set_limits,
    set_supply_cap,
    unpause_route,
)
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.port import Call, Committee, Exactly, LedgerId
from caimi.messaging.rotation import Rotation
from faults.node import NodeFaults
from faults.process import Process

if TYPE_CHECKING:
    from faults.world import RouteEnd, World

_LOOKS = (5.0, 20.0)
_SWITCHES_WITHIN = 60.0


class Governor:
    """Acts over honest nodes, and looks again until what it did is final.

    It never opens what was stopped on a route whose keys are stolen.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = Random(f"{world.settings.seed}/governor")
        process = Process("governor")
        self.ledgers: dict[LedgerId, EvmLedger] = {
            name: world.genesis.open(name, process, NodeFaults(), self.rng)
            for name in world.genesis.chains
        }
        self.safe = [r for r in world.routes if {r.source, r.dest} != world.genesis.weak]
        self.paused: set[RouteEnd] = set()
        self.limited: list[RouteEnd] = []
        following = world.following
        # With the height at which the new committee was seen; 0 while it was not.
        self.to_rotate = {} if following is None else dict.fromkeys(self.safe, 0)
        self._rotates_at = self.rng.uniform(0.1, 0.8) * world.settings.seconds
        self._switched = False
        # Routes whose breaker was not seen closed since the calm began.
        self._unseen: set[RouteEnd] = set()

    @property
    def busy(self) -> bool:
        """Whether something is left to do before all may end."""
        return bool(self.to_rotate or self.paused or self._unseen)

    async def run(self) -> None:
        if self.world.calm:
            self._unseen = {route for route in self.limited if route in self.safe}
        else:
            await self._limit()
            for _ in range(self.world.settings.pauses):
                await asyncio.sleep(self.rng.uniform(0.0, 60.0))
                await self._pause(self.rng.choice(self.safe))
        while True:
            await asyncio.sleep(self.rng.uniform(*_LOOKS))
            for route in self.limited:
                await self._close(route)
            for route in list(self.paused):
                await self._unpause(route)
            if self.world.loop.now >= self._rotates_at or self.world.calm:
                if self.to_rotate and not self._switched:
                    self._switch()
                for route in list(self.to_rotate):
                    await self._rotate(route)

    async def _pause(self, route: RouteEnd) -> None:
        """Stop a route for nothing, as a guardian; it is for governance to open it again."""
        if route.source not in self.world.genesis.evm:
            return  # nobody can pause there
        self.paused.add(route)
        ledger = self.ledgers[route.source]
        await self._try(ledger.watching.pause_route(route.client), guardian=True)

    async def _limit(self) -> None:
        """Set small limits and caps on some routes, stolen ones too."""
        rng = self.rng
        count = self.world.settings.limits
        chosen = rng.sample(self.world.routes, min(count, len(self.world.routes)))
        self.limited = [route for route in chosen if route.source in self.world.genesis.evm]
        calls: list[Call] = []
        for route in self.limited:
            ledger = self.ledgers[route.source]
            packets, daily = rng.choice([1, 1, 2]), rng.choice([0, 500, 2_000])
            way = rng.random() < 0.8
            calls.append(
                set_limits(ledger, route.client, receiving=way, count=packets, per_day=daily)
            )
            if rng.random() < 0.5:
                calls.append(set_supply_cap(ledger, route.client, rng.randint(1, 2)))
        await asyncio.gather(*map(self._try, calls))

    async def _close(self, route: RouteEnd) -> None:
        if route not in self.safe:
            return
        if not await self._breaker_open(route):
            self._unseen.discard(route)
            return
        await asyncio.sleep(0.0 if self.world.calm else self.rng.uniform(0.0, 30.0))
        self.world.note(f"governance closes the breaker of {route.client}")
        await self._try(close_breaker(self.ledgers[route.source], route.client))

    async def _unpause(self, route: RouteEnd) -> None:
        watching = self.ledgers[route.source].watching
        try:
            final = await self.ledgers[route.source].finalized()
            if await watching.route_paused(route.client):
                await self._try(unpause_route(self.ledgers[route.source], route.client))
            elif not await watching.route_paused(route.client, at=Exactly(final.height)):
                self.paused.discard(route)
        except CaimiError:
            return

    def _switch(self) -> None:
        """Have each operator give its validator the new committee, some time from now."""
        self._switched = True
        self.world.note("the committee rotates")
        for validator in self.world.validators:
            if validator.key.account in self._following.members and not validator.evil:
                delay = 0.0 if self.world.calm else self.rng.uniform(0.0, _SWITCHES_WITHIN)
                asyncio.get_running_loop().call_later(delay, validator.serve, self._following)

    async def _rotate(self, route: RouteEnd) -> None:
        """Hand a route over, once the committee that it has is the first and for good."""
        ledger = self.ledgers[route.source]
        try:
            client = (await ledger.clients.of(route.client)).account
            current = await ledger.clients.committee(client)
            if current.epoch:
                seen = self.to_rotate[route] or (await ledger.head()).height
                self.to_rotate[route] = seen
                if (await ledger.finalized()).height >= seen:
                    del self.to_rotate[route]
                return
            self.to_rotate[route] = 0
            origin = keccak256(self.ledgers[route.dest].gateway.address)
            rotation = Rotation(origin, current, self._following)
            keys = [v.key for v in self.world.validators if v.key.account in current.members]
            willing = self.rng.sample(keys, current.threshold)
            signed = rotation.collect({key.account: rotation.sign(key) for key in willing})
        except CaimiError:
            return
        await self._try(
            ledger.clients.rotate(client, self._following, signed.signers, signed.signatures)
        )

    @property
    def _following(self) -> Committee:
        following = self.world.following
        assert following is not None
        return following

    async def _breaker_open(self, route: RouteEnd) -> bool:
        ledger = self.ledgers[route.source]
        bridge = Contract(
            ledger.chain, ledger.deployment.contracts["bridge"], artifact("ModelBridge").interface
        )
        try:
            (answer,) = await bridge.read("breakerOpen", route.client)
        except CaimiError:
            return False
        return bool(answer)

    async def _try(self, call: Call[None], *, guardian: bool = False) -> None:
        begin = self.world.genesis
        try:
            key = begin.guardian if guardian else begin.governor
            await self.ledgers[call.ledger].submit(call, begin.signer(call.ledger, key))
        except CaimiError as error:
            self.world.note(f"governance: {error.code} {call.what}")
