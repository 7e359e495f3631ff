"""The watcher: compares what happens on every ledger with what its counterparty says, and pauses.

A threshold of stolen keys makes proofs that every contract accepts. What it cannot make is the
packet on the source ledger: a watcher with connections of its own sees that it is not there, and as
a guardian pauses the route on both sides. A pause stops sending and receiving and nothing else, so
a false alarm costs time and never a packet. It keeps no state: after a restart it reads again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from caimi.errors.base import CaimiError
from caimi.errors.messaging import (
    ContradictingStatements,
    DeliveryUnreadable,
    ForgedAbsence,
    ForgedAcknowledgement,
    ForgedDelivery,
    MessagingError,
)
from caimi.ledgers.port import Call, Delivery, Ending, Gateway, Ledger, LedgerId, Route, Signer
from caimi.messaging.conflicts import Conflict, Conflicts
from caimi.messaging.ibc import (
    acknowledgement_commitment,
    acknowledgement_key,
    packet_commitment,
)

_log = logging.getLogger(__name__)
PATIENCE_SECONDS: Final = 15.0
SCAN_BLOCKS: Final = 5_000
Name = tuple[str, int]
# What a gateway keeps of a packet that it did not receive, and of one that is not answered yet.
_ABSENT: Final = bytes(32)
_NO_ANSWER_YET: Final = (_ABSENT, bytes(31) + b"\x01")


class WatchedGateway(Gateway, Protocol):
    """What a watcher needs of a gateway besides the port."""

    async def delivered(self, from_height: int, to_height: int) -> list[Delivery]:
        """Packets received in blocks (from_height, to_height]."""
        ...

    async def ended(self, from_height: int, to_height: int) -> list[Ending]:
        """Packets that ended in blocks (from_height, to_height]."""
        ...

    async def route_paused(self, client_id: str) -> bool: ...
    def pause_route(self, client_id: str) -> Call: ...
    async def report_conflict(self, client_id: str, first: bytes, second: bytes) -> Call: ...


class WatchedLedger(Ledger, Protocol):
    """A ledger whose gateway can be watched."""

    @property
    def gateway(self) -> WatchedGateway: ...


@dataclass(slots=True)
class _View:
    """What was read of one ledger; `read` is the height up to which nothing changes any more."""

    ledger: WatchedLedger
    read: int
    routes: dict[str, Route] = field(default_factory=dict)
    sent: dict[Name, bytes] = field(default_factory=dict)
    deliveries: dict[Name, Delivery] = field(default_factory=dict)
    endings: dict[Name, Ending] = field(default_factory=dict)
    deferred: set[Name] = field(default_factory=set)
    top: int = 0
    final: int = 0


@dataclass(slots=True)
class Watched:
    """What a step found: routes that are being paused, and what else went wrong."""

    findings: list[MessagingError] = field(default_factory=list)
    failures: list[CaimiError] = field(default_factory=list)
    paused: dict[tuple[LedgerId, str], bool] = field(default_factory=dict)


class Watcher:
    """Watches `ledgers`, pausing as the guardian `signer`; it only ever reads, pauses and reports.

    A packet that its source does not show is called forged after `patience_seconds`: as long as
    the watcher's own node of the source may lag behind that ledger's finality. `observe` is told of
    each finding, with the ledger and client that are paused for it.
    """

    def __init__(
        self,
        ledgers: Mapping[LedgerId, WatchedLedger],
        signer: Signer,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        observe: Callable[[LedgerId, str, MessagingError], None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signer = signer
        self._patience = patience_seconds
        self._observe = observe
        self._clock = clock
        self._views = {
            name: _View(ledger, max(0, ledger.deployed_at - 1)) for name, ledger in ledgers.items()
        }
        self._first_seen: dict[tuple[LedgerId, str, Name], float] = {}
        self._judged: dict[tuple[LedgerId, str, Name], int] = {}
        self._to_pause: set[tuple[LedgerId, str]] = set()
        self._to_report: list[tuple[LedgerId, str, Conflict]] = []
        self._conflicts = Conflicts()

    async def run(self, poll_seconds: float, after: Callable[[Watched], None]) -> None:
        """Watch for ever; `after` is told of each step."""
        while True:
            watched = await self.step()
            for failure in watched.failures:
                _log.warning("%s", failure)
            after(watched)
            await asyncio.sleep(poll_seconds)

    async def step(self) -> Watched:
        """Read what is new on every ledger, judge it, and pause what must be paused."""
        watched = Watched()
        views = list(self._views.values())
        # What was sent is read after what arrived: a node that keeps up shows every true packet.
        seen = [await self._attempt(watched, self._read_arrivals(view)) for view in views]
        shown = [await self._attempt(watched, self._read_sent(view)) for view in views]
        answering = {
            name for name, *each in zip(self._views, seen, shown, strict=True) if all(each)
        }
        for name in answering:
            await self._judge(watched, name, answering)
        for pair in list(self._to_pause):
            await self._attempt(watched, self._pause(*pair))
        reports, self._to_report = self._to_report, []
        for report in reports:
            await self._attempt(watched, self._report(*report))
        for name in answering:
            await self._attempt(watched, self._note_pauses(watched, name))
            self._forget(name)
        return watched

    async def _attempt(self, watched: Watched, work: Coroutine[Any, Any, None]) -> bool:
        try:
            await work
        except CaimiError as error:
            watched.failures.append(error)
            return False
        return True

    async def _read_arrivals(self, view: _View) -> None:
        head, final = (await view.ledger.head()).height, (await view.ledger.finalized()).height
        view.top = min(head, view.read + SCAN_BLOCKS)
        view.final = min(final, view.top)
        gateway = view.ledger.gateway
        view.routes = {route.client_id: route for route in await gateway.routes()}
        view.deliveries = {}
        for each in await gateway.delivered(view.read, view.top):
            view.deliveries.setdefault((each.dest_client, each.sequence), each)
        view.endings = {
            (each.source_client, each.sequence): each
            for each in await gateway.ended(view.read, view.top)
        }

    async def _read_sent(self, view: _View) -> None:
        # Up to the newest block there is now, not the one there was when arrivals were read.
        top = min((await view.ledger.head()).height, view.read + SCAN_BLOCKS)
        for entry in await view.ledger.gateway.sent(view.read, top):
            name = (entry.packet.source_client, entry.packet.sequence)
            view.sent[name] = packet_commitment(entry.packet)

    async def _judge(self, watched: Watched, name: LedgerId, answering: set[LedgerId]) -> None:
        view = self._views[name]
        for client, route in view.routes.items():
            other = self._views.get(route.counterparty)
            if other is None or route.counterparty not in answering:
                continue
            for key, delivery in view.deliveries.items():
                if key[0] == client and not self._known(name, "delivery", key):
                    self._compare_statements(watched, name, route, delivery.tx, delivery.proof)
                    finding = self._judge_delivery(name, route, other, delivery)
                    self._conclude(watched, name, route, finding)
            endings = [
                each
                for key, each in view.endings.items()
                if key[0] == client and not self._known(name, "ending", key)
            ]
            if endings:
                await self._attempt(
                    watched, self._judge_endings(watched, name, route, other, endings)
                )

    def _compare_statements(
        self, watched: Watched, name: LedgerId, route: Route, tx: str, proof: bytes
    ) -> None:
        conflict = self._conflicts.add(proof)
        if conflict is None:
            return
        self._to_report.append((name, route.client_id, conflict))
        self._conclude(
            watched,
            name,
            route,
            ContradictingStatements(
                f"What {route.counterparty} holds was signed in two ways: {tx} on {name} brought "
                "the second."
            ),
        )

    def _judge_delivery(
        self, name: LedgerId, route: Route, other: _View, delivery: Delivery
    ) -> MessagingError | None:
        key = (delivery.dest_client, delivery.sequence)
        if key in self._views[name].deferred and not delivery.deferred:
            return None  # its acknowledgement, written later; the delivery was judged then
        what = f"Packet {key[1]} for {key[0]} was delivered on {name} in {delivery.tx}"
        expected = other.sent.get((route.counterparty_client_id, delivery.sequence))
        if expected is None:
            if not self._waited(name, "delivery", key):
                return None
            self._judged[name, "delivery", key] = delivery.height
            return ForgedDelivery(f"{what}, and {route.counterparty} never sent it.")
        self._judged[name, "delivery", key] = delivery.height
        if delivery.deferred:
            self._views[name].deferred.add(key)
        if delivery.packet is None:
            return DeliveryUnreadable(f"{what} in a way that does not show its contents.")
        if packet_commitment(delivery.packet) != expected:
            return ForgedDelivery(f"{what} with other contents than {route.counterparty} sent.")
        return None

    async def _judge_endings(
        self,
        watched: Watched,
        name: LedgerId,
        route: Route,
        other: _View,
        endings: Sequence[Ending],
    ) -> None:
        answers = await other.ledger.gateway.commitments(
            [acknowledgement_key(route.counterparty_client_id, each.sequence) for each in endings]
        )
        for ending, answer in zip(endings, answers, strict=True):
            key = (ending.source_client, ending.sequence)
            # A node of the other ledger that lags does not show the answer yet.
            if answer in _NO_ANSWER_YET and not self._waited(name, "ending", key):
                continue
            self._judged[name, "ending", key] = ending.height
            self._compare_statements(watched, name, route, ending.tx, ending.proof)
            self._conclude(watched, name, route, _judge_ending(name, route, ending, answer))

    def _conclude(
        self, watched: Watched, name: LedgerId, route: Route, finding: MessagingError | None
    ) -> None:
        if finding is None:
            return
        watched.findings.append(finding)
        _log.critical("%s", finding)
        self._observe(name, route.client_id, finding)
        if not isinstance(finding, DeliveryUnreadable):
            self._to_pause.add((name, route.client_id))
            self._to_pause.add((route.counterparty, route.counterparty_client_id))

    async def _pause(self, name: LedgerId, client: str) -> None:
        ledger = self._views[name].ledger
        if not await ledger.gateway.route_paused(client):
            await ledger.submit(ledger.gateway.pause_route(client), self._signer)
            _log.critical("Paused %s on %s.", client, name)
        self._to_pause.discard((name, client))

    async def _report(self, name: LedgerId, client: str, conflict: Conflict) -> None:
        ledger = self._views[name].ledger
        call = await ledger.gateway.report_conflict(client, conflict.first, conflict.second)
        await ledger.submit(call, self._signer)
        _log.critical("Froze %s on %s with the conflict as evidence.", client, name)

    async def _note_pauses(self, watched: Watched, name: LedgerId) -> None:
        view = self._views[name]
        for client in view.routes:
            watched.paused[name, client] = await view.ledger.gateway.route_paused(client)

    def _known(self, name: LedgerId, what: str, key: Name) -> bool:
        return (name, what, key) in self._judged

    def _waited(self, name: LedgerId, what: str, key: Name) -> bool:
        first = self._first_seen.setdefault((name, what, key), self._clock())
        return self._clock() - first >= self._patience

    def _forget(self, name: LedgerId) -> None:
        """Go on from the newest final block, once everything up to it is judged."""
        view = self._views[name]
        open_heights = [
            each.height
            for what, entries in (("delivery", view.deliveries), ("ending", view.endings))
            for key, each in entries.items()
            if key[0] in view.routes
            and view.routes[key[0]].counterparty in self._views
            and not self._known(name, what, key)
            and key not in view.deferred
        ]
        view.read = max(view.read, min([view.final, *(height - 1 for height in open_heights)]))
        view.deferred -= {
            key
            for key, each in view.deliveries.items()
            if not each.deferred and each.height <= view.read
        }
        for (ledger, what, key), height in list(self._judged.items()):
            if ledger != name or height > view.read:
                continue
            del self._judged[ledger, what, key]
            self._first_seen.pop((ledger, what, key), None)
            # What arrived for good arrives no second time.
            if what == "delivery" and (route := view.routes.get(key[0])) is not None:
                source = self._views[route.counterparty]
                source.sent.pop((route.counterparty_client_id, key[1]), None)


def _judge_ending(
    name: LedgerId, route: Route, ending: Ending, answer: bytes
) -> MessagingError | None:
    """Compare how a packet ended with what the other ledger keeps as its answer."""
    packet = f"Packet {ending.sequence} of {ending.source_client} on {name}"
    what = f"{packet} was acknowledged in {ending.tx}"
    if not ending.acknowledged:
        if answer == _ABSENT:
            return None
        return ForgedAbsence(
            f"{packet} timed out in {ending.tx}, but {route.counterparty} received it."
        )
    if answer in _NO_ANSWER_YET:
        return ForgedAcknowledgement(f"{what}, but {route.counterparty} never answered it.")
    if ending.acknowledgements is None:
        return DeliveryUnreadable(f"{what} in a way that does not show with what.")
    if acknowledgement_commitment(ending.acknowledgements) != answer:
        return ForgedAcknowledgement(f"{what} otherwise than {route.counterparty} answered it.")
    return None
