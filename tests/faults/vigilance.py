"""What the watcher must notice, and within which time; read from the ledgers, not from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from caimi.errors.messaging import MessagingError
from caimi.hashing import keccak256
from caimi.ibc.commitments import UNIVERSAL_ERROR_ACKNOWLEDGEMENT
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.port import Block, LedgerId
from faults.chain import Chain
from faults.machine import Message
from faults.transaction import Log, SimBlock
from faults.unlike_chain import UnlikeChain

if TYPE_CHECKING:
    from faults.world import RouteEnd, World

_GATEWAY = artifact("Gateway").interface
NOTICED_WITHIN = 240.0
PAUSED_WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Forgery:
    """Something that a route's stolen keys made a ledger believe, since when."""

    kind: str
    ledger: LedgerId
    height: int
    since: float
    what: str


@dataclass(slots=True)
class Vigilance:
    """Compares what the watcher found with what there was to find."""

    world: World
    noticed_at: dict[frozenset[LedgerId], float] = field(default_factory=dict)
    _seen_at: dict[bytes, float] = field(default_factory=dict)

    def block(self, chain: Chain | UnlikeChain, block: SimBlock | Block) -> None:
        """Remember since when a block could be seen."""
        self._seen_at[block.hash] = self.world.loop.now

    def noticed(self, ledger: LedgerId, client: str, finding: MessagingError) -> None:
        """Take note of what the watcher found; W1: nothing on a route whose keys are safe."""
        route = next(r for r in self.world.routes if (r.source, r.client) == (ledger, client))
        self.world.note(f"the watcher: {finding.code} {finding.what}")
        pair = frozenset((route.source, route.dest))
        if pair != self.world.genesis.weak:
            self.world.law.breach("W1", f"a false alarm of {client}: {finding.what}")
        self.noticed_at.setdefault(pair, self.world.loop.now)

    def unanswered(self) -> list[str]:
        """Forgeries in final blocks on a route that is not paused for good on both sides."""
        if not self.world.watchers:
            return []
        forgeries = [each.what for each in self._forgeries()]
        open_ends = [route.client for route in self._weak() if not self._paused(route)]
        return forgeries if open_ends else []

    def end(self) -> None:
        """What must be so when all is over.

        W2: a forgery that lasts is noticed in time. W3: then the route is paused in time, on both
        sides, for good. W4: nothing is delivered over a paused route.
        """
        if not self.world.watchers:
            return
        noticed = self.noticed_at.get(self.world.genesis.weak)
        pauses = {route.source: self._pause(route) for route in self._weak()}
        for forgery in self._forgeries():
            if noticed is None or noticed - forgery.since > NOTICED_WITHIN:
                self.world.law.breach("W2", f"not noticed in time: {forgery.what}")
            for ledger, paused in pauses.items():
                if paused is None or self._since(ledger, paused) - forgery.since > PAUSED_WITHIN:
                    self.world.law.breach("W3", f"not paused on {ledger}: {forgery.what}")
            paused = pauses[forgery.ledger]
            if forgery.kind == "delivery" and paused is not None and forgery.height > paused:
                self.world.law.breach("W4", f"after the pause: {forgery.what}")

    def _weak(self) -> list[RouteEnd]:
        weak = self.world.genesis.weak
        return [route for route in self.world.routes if {route.source, route.dest} == weak]

    def _paused(self, route: RouteEnd) -> bool:
        chain = self.world.genesis.evm[route.source]
        gateway = self.world.genesis.deployments[route.source].contracts["gateway"]
        asked = Message(gateway, _GATEWAY["routePaused"].encode(route.client))
        return any(chain.call(asked, chain.final_height))

    def _forgeries(self) -> Iterator[Forgery]:
        forged = {bytes.fromhex(tx[2:]) for tx in self.world.adversary.forged}
        for route in self._weak():
            source, dest = (self.world.genesis.evm[x] for x in (route.source, route.dest))
            sent = self._logs(source, "PacketSent", route.client)
            written = self._logs(dest, "AcknowledgementWritten", route.counterparty)
            for number, log in written.items():
                if number not in sent or log.tx in forged:
                    yield self._forgery("delivery", route, dest, number, log)
            for number, log in self._logs(source, "PacketTimedOut", route.client).items():
                if number in written:
                    yield self._forgery("timeout", route, source, number, log)
            for number, log in self._logs(source, "PacketAcknowledged", route.client).items():
                # What was forged is always a refusal.
                taken = number in written and (
                    UNIVERSAL_ERROR_ACKNOWLEDGEMENT not in written[number].data
                )
                if number not in written or (log.tx in forged and taken):
                    yield self._forgery("acknowledgement", route, source, number, log)

    def _forgery(self, kind: str, route: RouteEnd, chain: Chain, number: int, log: Log) -> Forgery:
        since = self._since(chain.id, log.height)
        what = f"the {kind} of packet {number} of {route.client} on {chain.id} since {since:.0f} s"
        return Forgery(kind, chain.id, log.height, since, what)

    def _since(self, ledger: LedgerId, height: int) -> float:
        return self._seen_at[self.world.genesis.chains[ledger].blocks[height].hash]

    def _pause(self, route: RouteEnd) -> int | None:
        """Give the height of the route's last pause on its source."""
        topic = _GATEWAY.events["RoutePauseChanged"].topic
        logs = self.world.genesis.evm[route.source].logs
        heights = [
            log.height
            for log in logs
            if log.topics[0] == topic and route.client.encode() in log.data
        ]
        return heights[-1] if heights and self._paused(route) else None

    def _logs(self, chain: Chain, event: str, client: str) -> dict[int, Log]:
        address = self.world.genesis.deployments[chain.id].contracts["gateway"]
        wanted = (_GATEWAY.events[event].topic, keccak256(client.encode()))
        return {
            int.from_bytes(log.topics[2]): log
            for log in chain.logs
            if log.topics[:2] == wanted and log.address == address
        }
