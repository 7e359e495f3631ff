"""A node's side of the distributed key generation: it obeys its coordinator, within bounds.

The coordinator is an account in the node's own settings. It relays messages and is not trusted
further (see `caimi.custody.dkg.participant`): the committee is that of the settings, and no share
is of use before all members have confirmed the key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from coincurve import PrivateKey

from caimi.custody.delivery import RecipientKey
from caimi.custody.dkg import (
    Broadcast,
    Ceremony,
    Enrolment,
    Order,
    Participant,
    Round,
    SignedMessage,
    Step,
)
from caimi.custody.encoding import Fields
from caimi.custody.keys import MAX_CUSTODIANS, KeyShare
from caimi.errors.custody import (
    CeremonyMisconfigured,
    CeremonyPending,
    NotBroadcast,
    OrderRefused,
)
from caimi.errors.node import CeremonyUnknown, KeyShareExists
from caimi.ledgers.port import Account, Ledger, LedgerId
from caimi.node.ceremony_records import CeremonyRecord, CeremonyRecords

_MAX_MESSAGE_CHARACTERS = 1 << 19


@dataclass(frozen=True, slots=True)
class Terms:
    """What the node's settings say of key generations; without a `coordinator` there are none."""

    committee: tuple[bytes, ...]
    threshold: int
    coordinator: bytes | None


class KeyGeneration:
    """A node's part in one key generation at a time.

    `take_up` is given the share once it is of use; `clock` gives Unix seconds.
    """

    def __init__(
        self,
        identity: PrivateKey,
        terms: Terms,
        records: CeremonyRecords,
        ledgers: Mapping[LedgerId, Ledger],
        take_up: Callable[[KeyShare], None],
        clock: Callable[[], float],
    ) -> None:
        self._identity = identity
        self._terms = terms
        self._records = records
        self._ledgers = ledgers
        self._take_up = take_up
        self._clock = clock
        self._transport: RecipientKey | None = None
        self._session = b""
        self._participant: Participant | None = None
        self._turn = asyncio.Lock()

    async def obey(self, order: Order) -> str:
        """Do what the coordinator orders, and give the answer as JSON.

        Raises:
            OrderRefused: it is not the coordinator's, not for this node, or not new.
            CeremonyUnknown: the node takes no part in that key generation, or has forgotten it.
            KeyShareExists, CeremonyPending: the node begins no other one.
            CeremonyMisconfigured, ForgedMessage, Equivocation…: see `Participant`.
        """
        if self._terms.coordinator is None:
            raise OrderRefused(
                "This node's settings name no coordinator.",
                next_step="Set coordinator in node.toml to the operators' account, and restart.",
            )
        async with self._turn:
            node = self._identity.public_key.format()
            last = await asyncio.to_thread(self._records.last_order)
            order.check(self._terms.coordinator, node, self._clock(), last)
            await asyncio.to_thread(self._records.note_order, order.number)
            steps: dict[Step, Callable[[Order], Awaitable[str]]] = {
                Step.STATUS: self._status,
                Step.ENROL: self._enrol,
                Step.START: self._start,
                Step.ADVANCE: self._advance,
                Step.FINISH: self._finish,
                Step.ABORT: self._abort,
            }
            return await steps[order.step](order)

    async def _status(self, order: Order) -> str:
        records = await asyncio.to_thread(self._records.all)
        return json.dumps(
            {
                "holds_share": self._records.holds_share(),
                "records": [record.to_json() for record in records],
            }
        )

    async def _enrol(self, order: Order) -> str:
        """Enrol with a fresh transport key; an earlier ceremony without a key is dropped."""
        if self._records.holds_share():
            raise KeyShareExists("This node already holds a key share.")
        for record in await asyncio.to_thread(self._records.all):
            if not record.aside:
                raise CeremonyPending(f"Key generation {record.name} waits for confirmations.")
        self._transport = RecipientKey.generate()
        self._session = order.session
        self._participant = None
        return Enrolment.sign(order.session, self._identity, self._transport.public_bytes).to_json()

    async def _start(self, order: Order) -> str:
        ceremony = Ceremony.from_json(order.payload)
        if self._transport is None or not ceremony.session == order.session == self._session:
            raise CeremonyUnknown("This node is not enrolled for that session.")
        terms = self._terms
        if ceremony.identities != terms.committee or ceremony.threshold != terms.threshold:
            raise CeremonyMisconfigured(
                "The ceremony's members or threshold are not those of this node's settings."
            )
        said = ceremony.broadcast
        if said is not None and (
            said.account != terms.coordinator or LedgerId(said.ledger) not in self._ledgers
        ):
            raise CeremonyMisconfigured(
                f"The ceremony is broadcast by 0x{said.account.hex()} on {said.ledger}, which are "
                "not this node's coordinator and one of its ledgers."
            )
        self._participant = Participant(ceremony, self._identity, self._transport)
        return self._participant.start().to_json()

    async def _advance(self, order: Order) -> str:
        participant = self._joined(order)
        messages = messages_from_json(order.payload)
        place, said = participant.awaits, participant.ceremony.broadcast
        if said is not None and place is not None and place is not Round.CONFIRMATION:
            await self._check_broadcast(participant.ceremony, said, place, messages)
        message = participant.advance(messages)
        if message.round is Round.CONFIRMATION:
            # Saved before it is said: what the others may build on is not lost any more.
            record = CeremonyRecord(participant.ceremony, message)
            await asyncio.to_thread(self._records.keep, record, participant.pending())
        return message.to_json()

    async def _check_broadcast(
        self, ceremony: Ceremony, said: Broadcast, place: Round, messages: Sequence[SignedMessage]
    ) -> None:
        ledger = self._ledgers[LedgerId(said.ledger)]
        final = await ledger.finalized()
        entry = await ledger.receipts.entry(
            Account(ledger.id, said.account), said.first + place - 1, said.since, final.height
        )
        bodies = {message.sender: message.body for message in messages}
        if entry != ceremony.round_root(place, bodies):
            shown = "nothing yet" if entry is None else "something else"
            raise NotBroadcast(
                f"At height {final.height} {said.ledger} shows {shown} for round {place.name}."
            )

    async def _finish(self, order: Order) -> str:
        messages = messages_from_json(order.payload)
        named = {message.ceremony for message in messages}
        for record in await asyncio.to_thread(self._records.all):
            if record.ceremony.session == order.session and record.ceremony.digest in named:
                share = await asyncio.to_thread(self._records.finish, record, messages)
                self._participant = self._transport = None
                self._take_up(share)
                return json.dumps({"group": f"0x{share.group.to_bytes().hex()}"})
        raise CeremonyUnknown("This node has not confirmed a key in that session.")

    async def _abort(self, order: Order) -> str:
        if order.session == self._session:
            self._participant = self._transport = None
        for record in await asyncio.to_thread(self._records.all):
            if record.ceremony.session == order.session and not record.confirmations:
                await asyncio.to_thread(self._records.note, replace(record, aside=True))
        return "{}"

    def _joined(self, order: Order) -> Participant:
        if self._participant is None or order.session != self._session:
            raise CeremonyUnknown("This node takes part in no such key generation.")
        return self._participant


def messages_to_json(messages: Sequence[SignedMessage]) -> str:
    """Write a round's messages in their one JSON form."""
    return json.dumps({"messages": [message.to_json() for message in messages]})


def messages_from_json(text: str) -> list[SignedMessage]:
    """Parse a round's messages strictly, or raise `MalformedEncoding`."""
    fields = Fields(text, frozenset({"messages"}), "the round's messages", 4 << 20)
    listed = fields.texts("messages", MAX_CUSTODIANS, _MAX_MESSAGE_CHARACTERS)
    return [SignedMessage.from_json(message) for message in listed]
