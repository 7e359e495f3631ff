"""What limits, breakers and the accountant promise, recounted from events alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from caimi.hashing import keccak256
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.port import LedgerId
from faults.chain import Chain
from faults.transaction import Log

if TYPE_CHECKING:
    from faults.world import World

_BRIDGE = artifact("ModelBridge").interface
_DAY = 86_400
_MOVES = {"ModelSent": 1, "ModelReceived": -1, "TransferRefunded": -1}
_DEFAULT_COUNT, _DEFAULT_PER_DAY = 1_000, 10_000
_NAMES = {event.topic: name for name, event in _BRIDGE.events.items()}


@dataclass(slots=True)
class _Bucket:
    """What is used of a direction's packets, times the seconds of a day, beside what is in flight.

    A packet in flight takes its place whole; one that took effect gives it back with time, one that
    was refunded at once.
    """

    count: int = _DEFAULT_COUNT
    per_day: int = _DEFAULT_PER_DAY
    flying: int = 0
    used: int = 0
    time: int = 0

    @property
    def overdrawn(self) -> bool:
        return self.flying * _DAY + self.used > self.count * _DAY

    def pass_time(self, now: int) -> None:
        self.used = max(0, self.used - (now - self.time) * self.per_day)
        self.time = now


@dataclass(slots=True)
class _Route:
    """One client's buckets and breaker, and how many home models are out over it."""

    out: int = 0
    cap: int | None = None
    open: bool = False
    emptied_in: bytes = b""
    buckets: dict[bool, _Bucket] = field(
        default_factory=lambda: {False: _Bucket(), True: _Bucket()}
    )


@dataclass(slots=True)
class Accounts:
    """Replays an EVM bridge's events; what it breaks is a breach whoever signed it.

    L1: no more passes than the buckets hold. L2: nothing passes an open breaker. L3: no more home
    models come back over a route than left over it. L4: no more leave than the supply cap allows.
    """

    world: World

    def end(self) -> None:
        for name, chain in self.world.genesis.evm.items():
            self._replay(name, chain)

    def _replay(self, name: LedgerId, chain: Chain) -> None:
        bridge = self.world.genesis.deployments[name].contracts["bridge"]
        homes = {m.model_id for m in self.world.genesis.models if m.home == name}
        routes: defaultdict[bytes, _Route] = defaultdict(_Route)
        for log in chain.logs:
            if log.address != bridge or log.topics[0] not in _NAMES:
                continue
            self._step(name, log, chain.blocks[log.height].time, homes, routes)

    def _step(
        self,
        name: LedgerId,
        log: Log,
        now: int,
        homes: set[bytes],
        routes: defaultdict[bytes, _Route],
    ) -> None:
        event = _NAMES[log.topics[0]]
        values = _BRIDGE.events[event].decode(log.topics, log.data)
        match event:
            case "LimitsSet":
                bucket = routes[_hash(values)].buckets[values["receiving"]]
                bucket.pass_time(now)
                bucket.count, bucket.per_day = values["limits"][:2]
            case "SupplyCapSet":
                routes[_hash(values)].cap = values["cap"]
            case "BreakerOpened":
                route = routes[log.topics[1]]
                route.open, route.emptied_in = True, log.tx
            case "BreakerClosed":
                route = routes[log.topics[1]]
                route.open = False
                for bucket in route.buckets.values():
                    bucket.used, bucket.time = 0, now
            case "ModelSent" | "ModelReceived":
                route, receiving = routes[log.topics[2]], event == "ModelReceived"
                self._take(name, log, route, receiving=receiving, now=now)
            case "TransferCompleted" | "TransferRefunded":
                bucket = routes[log.topics[2]].buckets[False]
                bucket.pass_time(now)
                bucket.flying -= 1
                bucket.used += _DAY * (event == "TransferCompleted")
        if event in _MOVES and log.topics[1] in homes:
            route = routes[log.topics[2]]
            route.out += _MOVES[event]
            if route.out < 0:
                self._breach("L3", name, log, "came back and had not left")
            if event == "ModelSent" and route.cap is not None and route.out > route.cap:
                self._breach("L4", name, log, f"left over a cap of {route.cap}")

    def _take(self, name: LedgerId, log: Log, route: _Route, *, receiving: bool, now: int) -> None:
        bucket = route.buckets[receiving]
        bucket.pass_time(now)
        if receiving:
            bucket.used += _DAY
        else:
            bucket.flying += 1
        if bucket.overdrawn:
            self._breach("L1", name, log, f"passed a bucket of {bucket.count}")
        # The breaker opens for the packet that empties the bucket, and is told of first.
        if route.open and not (receiving and route.emptied_in == log.tx):
            self._breach("L2", name, log, "passed an open breaker")
        route.emptied_in = b""

    def _breach(self, invariant: str, name: LedgerId, log: Log, what: str) -> None:
        model = log.topics[1].hex()[:8] if len(log.topics) > 1 else ""
        self.world.law.breach(invariant, f"model {model} {what}, on {name} in block {log.height}")


def _hash(values: dict[str, object]) -> bytes:
    return keccak256(str(values["clientId"]).encode())
