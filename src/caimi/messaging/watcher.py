"""The watcher: compares what happens on every ledger with what its counterparty says, and pauses.

A threshold of stolen keys makes proofs that every contract accepts. What it cannot make is the
packet on the source ledger: a watcher with connections of its own sees that it is not there, and as
a guardian pauses the route on both sides. A pause stops sending and receiving and nothing else, so
a false alarm costs time and never a packet. It keeps no state: after a restart it reads again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from caimi.errors.base import CaimiError
from caimi.errors.messaging import (
    ContradictingStatements,
    DeliveryUnreadable,
    ForgedAbsence,
    ForgedAcknowledgement,
    ForgedDelivery,
    MessagingError,
)
from caimi.ibc.commitments import acknowledgement_commitment, packet_commitment
from caimi.ibc.path import Path
from caimi.ledgers.port import Delivery, Ending, Ledger, LedgerId, Route, Signer
from caimi.logs import about, logger
from caimi.messaging.conflicts import Conflicts
from caimi.messaging.countermeasures import Countermeasures, Measure
from caimi.messaging.watched_ledger import Name, Sent, View

_log = logger(__name__)
PATIENCE_SECONDS: Final = 15.0
# What a gateway keeps of a packet that it did not receive, and of one that is not answered yet.
_ABSENT: Final = bytes(32)
_NO_ANSWER_YET: Final = (_ABSENT, bytes(31) + b"\x01")


@dataclass(slots=True)
class Watched:
    """What a step found: routes that are being paused, and what else went wrong."""

    findings: list[MessagingError] = field(default_factory=list)
    failures: list[CaimiError] = field(default_factory=list)
    paused: dict[tuple[LedgerId, str], bool] = field(default_factory=dict)


class Watcher:
    """Watches `ledgers`, pausing as the guardian that `signers` has on each.

    It only ever reads, pauses and reports.

    A packet that its source does not show is called forged after `patience_seconds`: as long as
    the watcher's own node of the source may lag behind that ledger's finality. `observe` is told of
    each finding, with the ledger and client that are paused for it.
    """

    def __init__(
        self,
        ledgers: Mapping[LedgerId, Ledger],
        signers: Mapping[LedgerId, Signer],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        observe: Callable[[LedgerId, str, MessagingError], None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience_seconds
        self._observe = observe
        self._clock = clock
        self._views = {
            name: View(ledger, max(0, ledger.deployed_at - 1)) for name, ledger in ledgers.items()
        }
        self._first_seen: dict[tuple[LedgerId, str, Name], float] = {}
        self._judged: set[tuple[LedgerId, str, Name]] = set()
        self._measures = Countermeasures(ledgers, signers)
        self._conflicts = Conflicts()

    async def run(self, poll_seconds: float, after: Callable[[Watched], None]) -> None:
        """Watch for ever; `after` is told of each step."""
        for name, view in self._views.items():
            if view.ledger.watching is None:
                _log.info("%s offers no watching: what arrives there is not judged.", name)
        try:
            while True:
                watched = await self.step()
                for failure in watched.failures:
                    _log.warning("%s", failure)
                after(watched)
                await asyncio.sleep(poll_seconds)
        finally:
            self._measures.cancel()

    async def step(self) -> Watched:
        """Read what is new on every ledger, judge it, and pause what must be paused."""
        watched = Watched()
        views = list(self._views.values())
        # What was sent is read after what arrived: a node that keeps up shows every true packet.
        seen = [await self._attempt(watched, view.read_arrivals()) for view in views]
        shown = [await self._attempt(watched, view.read_sent()) for view in views]
        answering = {
            name for name, *each in zip(self._views, seen, shown, strict=True) if all(each)
        }
        for name in answering:
            await self._judge(watched, name, answering)
        watched.failures += await self._measures.take(self._patience)
        for name in answering:
            await self._attempt(watched, self._note_pauses(watched, name))
            await self._attempt(watched, self._forget(name))
        return watched

    async def _attempt(self, watched: Watched, work: Coroutine[Any, Any, None]) -> bool:
        try:
            await work
        except CaimiError as error:
            watched.failures.append(error)
            return False
        return True

    async def _judge(self, watched: Watched, name: LedgerId, answering: set[LedgerId]) -> None:
        view = self._views[name]
        for client, route in view.routes.items():
            other = self._views.get(route.counterparty)
            if other is None or route.counterparty not in answering:
                continue
            for key, delivery in view.deliveries.items():
                if key[0] == client and not self._known(name, "delivery", key):
                    self._compare_statements(watched, name, route, delivery.tx, delivery.proof)
                    await self._attempt(
                        watched, self._judge_delivery(watched, name, route, other, delivery)
                    )
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
        self._measures.want(Measure(name, route.client_id, conflict))
        self._conclude(
            watched,
            name,
            route,
            ContradictingStatements(
                f"What {route.counterparty} holds was signed in two ways: {tx} on {name} brought "
                "the second."
            ),
        )

    async def _judge_delivery(
        self, watched: Watched, name: LedgerId, route: Route, other: View, delivery: Delivery
    ) -> None:
        key = (delivery.dest_client, delivery.sequence)
        if key in self._views[name].deferred and not delivery.deferred:
            return  # its acknowledgement, written later; the delivery was judged then
        sent = await other.find_sent(
            (route.counterparty_client_id, delivery.sequence), delivery.packet
        )
        finding = _compare_delivery(name, route, sent, delivery)
        # What the source does not show as final may be there on a branch that others see.
        certain = finding is None or isinstance(finding, DeliveryUnreadable)
        certain = certain or (sent is not None and sent.height <= other.final)
        if not certain and not self._waited(name, "delivery", key):
            return
        self._judged.add((name, "delivery", key))
        if delivery.deferred:
            self._views[name].deferred.add(key)
        with about(sequences=(delivery.sequence,)):
            self._conclude(watched, name, route, finding)

    async def _judge_endings(
        self,
        watched: Watched,
        name: LedgerId,
        route: Route,
        other: View,
        endings: Sequence[Ending],
    ) -> None:
        answers = await other.ledger.gateway.commitments(
            [Path.acknowledgement(route.counterparty_client_id, each.sequence) for each in endings]
        )
        for ending, answer in zip(endings, answers, strict=True):
            key = (ending.source_client, ending.sequence)
            finding = _judge_ending(name, route, ending, answer)
            if finding is None and not ending.acknowledged:
                timeout = self._timeout(name, key)
                if other.final_time < timeout <= other.head_time:
                    continue  # others may see that block as final; this node does so later
                if other.final_time < timeout:
                    finding = _early(name, route, ending)
            # A node of the other ledger that lags does not show the answer, or the time, yet.
            certain = finding is None or answer not in _NO_ANSWER_YET
            if not certain and not self._waited(name, "ending", key):
                continue
            self._judged.add((name, "ending", key))
            self._compare_statements(watched, name, route, ending.tx, ending.proof)
            with about(sequences=(ending.sequence,)):
                self._conclude(watched, name, route, finding)

    def _timeout(self, name: LedgerId, key: Name) -> int:
        """Give the time before which a packet cannot have timed out; 0 when it is not known."""
        sent = self._views[name].sent.get(key)
        return 0 if sent is None else sent.timeout

    def _conclude(
        self, watched: Watched, name: LedgerId, route: Route, finding: MessagingError | None
    ) -> None:
        if finding is None:
            return
        watched.findings.append(finding)
        with about(ledger=name, client=route.client_id):
            _log.critical("%s", finding)
        self._observe(name, route.client_id, finding)
        if not isinstance(finding, DeliveryUnreadable):
            self._measures.want(Measure(name, route.client_id))
            if self._views[route.counterparty].ledger.watching is not None:
                self._measures.want(Measure(route.counterparty, route.counterparty_client_id))

    async def _note_pauses(self, watched: Watched, name: LedgerId) -> None:
        view = self._views[name]
        watching = view.ledger.watching
        if watching is None:
            return
        for client in view.routes:
            watched.paused[name, client] = await watching.route_paused(client)

    def _known(self, name: LedgerId, what: str, key: Name) -> bool:
        return (name, what, key) in self._judged

    def _waited(self, name: LedgerId, what: str, key: Name) -> bool:
        first = self._first_seen.setdefault((name, what, key), self._clock())
        return self._clock() - first >= self._patience

    async def _forget(self, name: LedgerId) -> None:
        """Go on from the newest final block, once everything up to it is judged.

        Raises:
            EventsMissing: the node left out something up to there; it is read again.
        """
        view = self._views[name]
        arrived = {
            **{("delivery", key): each.height for key, each in view.deliveries.items()},
            **{("ending", key): each.height for key, each in view.endings.items()},
        }
        open_heights = [
            height
            for (what, key), height in arrived.items()
            if key[0] in view.routes
            and view.routes[key[0]].counterparty in self._views
            and not self._known(name, what, key)
            and key not in view.deferred
        ]
        upto = min([view.final, *(height - 1 for height in open_heights)])
        if upto > view.read:
            await view.check_arrivals(upto)
            view.read = upto
        view.deferred -= {
            key
            for key, each in view.deliveries.items()
            if not each.deferred and each.height <= view.read
        }
        for ledger, what, key in list(self._judged):
            height = arrived.get((what, key))
            if ledger != name or (height is not None and height > view.read):
                continue
            self._judged.discard((name, what, key))
            self._first_seen.pop((name, what, key), None)
            if height is not None:  # else a reorganisation took it back
                self._forget_sent(view, what, key)

    def _forget_sent(self, view: View, what: str, key: Name) -> None:
        """What arrived or timed out for good does so no second time."""
        if what == "ending":
            # The delivery of what was acknowledged may be still to be judged.
            if not view.endings[key].acknowledged:
                view.sent.pop(key, None)
        elif (route := view.routes.get(key[0])) is not None:
            self._views[route.counterparty].sent.pop((route.counterparty_client_id, key[1]), None)


def _compare_delivery(
    name: LedgerId, route: Route, sent: Sent | None, delivery: Delivery
) -> MessagingError | None:
    what = f"Packet {delivery.sequence} for {delivery.dest_client} was delivered on {name} in "
    if sent is None:
        return ForgedDelivery(f"{what}{delivery.tx}, and {route.counterparty} never sent it.")
    if delivery.packet is None:
        return DeliveryUnreadable(f"{what}{delivery.tx} in a way that does not show its contents.")
    if packet_commitment(delivery.packet) != sent.commitment:
        return ForgedDelivery(
            f"{what}{delivery.tx} with other contents than {route.counterparty} sent."
        )
    return None


def _early(name: LedgerId, route: Route, ending: Ending) -> MessagingError:
    """Whoever holds the proof of a packet that timed out early can still deliver it."""
    return ForgedAbsence(
        f"Packet {ending.sequence} of {ending.source_client} on {name} timed out in "
        f"{ending.tx}, before its time on {route.counterparty}."
    )


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
