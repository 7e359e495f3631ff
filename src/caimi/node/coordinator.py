"""The coordinator of a key generation: orders the nodes, relays, and goes on where it was killed.

It keeps nothing itself. Before a node has confirmed a key nothing is lost by beginning anew; from
then on the nodes' own records say how far each is, and all confirmations finish all of them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from caimi.custody.dkg import Broadcast, Ceremony, Enrolment, Round, SignedMessage
from caimi.custody.dkg.ceremony import SESSION_BYTES
from caimi.custody.keys import GroupKey
from caimi.errors.custody import CeremonyMisconfigured, CeremonyStuck
from caimi.errors.node import MemberGone, NodeRefused, NodeUnreachable
from caimi.ledgers.port import Ledger, Signer
from caimi.node.ceremony_records import CeremonyRecord

T = TypeVar("T")

_LOOKS = 60
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """How far a node is: whether it holds a share that is of use, and what it confirmed."""

    holds_share: bool
    records: tuple[CeremonyRecord, ...]


class Member(Protocol):
    """The coordinator's way to one node; each call is an order that the node obeys once."""

    async def status(self) -> MemberStatus: ...
    async def enrol(self, session: bytes) -> Enrolment: ...
    async def start(self, ceremony: Ceremony) -> SignedMessage: ...
    async def advance(self, session: bytes, messages: Sequence[SignedMessage]) -> SignedMessage: ...
    async def finish(self, session: bytes, messages: Sequence[SignedMessage]) -> GroupKey: ...
    async def abort(self, session: bytes) -> None: ...


class NamedMember:
    """A member (port `Member`) whose going away in the middle is told by its name."""

    def __init__(self, member: Member, name: str) -> None:
        self._member = member
        self._name = name

    async def status(self) -> MemberStatus:
        """Raises `MemberGone` besides, as all below."""
        return await self._named(self._member.status())

    async def enrol(self, session: bytes) -> Enrolment:
        """Have it enrol."""
        return await self._named(self._member.enrol(session))

    async def start(self, ceremony: Ceremony) -> SignedMessage:
        """Start the ceremony."""
        return await self._named(self._member.start(ceremony))

    async def advance(self, session: bytes, messages: Sequence[SignedMessage]) -> SignedMessage:
        """Relay a round."""
        return await self._named(self._member.advance(session, messages))

    async def finish(self, session: bytes, messages: Sequence[SignedMessage]) -> GroupKey:
        """Relay the confirmations."""
        return await self._named(self._member.finish(session, messages))

    async def abort(self, session: bytes) -> None:
        """Have it put the session aside."""
        await self._named(self._member.abort(session))

    async def _named(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except NodeUnreachable as error:
            raise MemberGone(f"{self._name} went away: {error.what}") from error
        except NodeRefused as error:
            if "CAIMI-N004" in error.what:  # it was started again, and has forgotten its part
                raise MemberGone(f"{self._name} was away meanwhile: {error.what}") from error
            raise


class LedgerBroadcast:
    """Writes each round down in a ledger's log, under the coordinator's account.

    Use the account for nothing else in that log meanwhile: entries are counted.
    """

    def __init__(self, ledger: Ledger, signer: Signer) -> None:
        self._ledger = ledger
        self._signer = signer

    async def open(self, session: bytes) -> Broadcast:
        """Write the session down, and give where the rounds will follow."""
        height, index = await self._write(session)
        return Broadcast(self._ledger.id, self._signer.account, index + 1, height)

    async def say(self, root: bytes) -> None:
        """Write a round down, and wait until that is final."""
        await self._write(root)

    async def _write(self, root: bytes) -> tuple[int, int]:
        receipt = await self._ledger.submit(self._ledger.receipts.anchor(root, 1), self._signer)
        await self._ledger.wait_final(receipt.height)
        return receipt.height, receipt.effect


async def generate_group_key(
    members: Sequence[Member], threshold: int, broadcast: LedgerBroadcast | None = None
) -> GroupKey:
    """Make a key among all `members`, in their order, or finish one that was interrupted.

    Raises:
        CeremonyStuck: some hold shares of a key that others have lost their part of.
        CeremonyMisconfigured: the members do not agree on the key at the end.
        NodeUnreachable, NodeRefused: a member did not take part; run it again after mending it.
    """
    states = [await member.status() for member in members]
    used = _in_use(states)
    if used is not None:
        return await _spread(members, states, used)
    confirmed = _confirmed_by_all(states)
    if confirmed is None:
        await abandon(members, states)
        confirmed = await _rounds(members, threshold, broadcast)
    session, messages = confirmed
    groups = [await member.finish(session, messages) for member in members]
    if any(group != groups[0] for group in groups):
        raise CeremonyMisconfigured("The members did not come to one group key.")
    return groups[0]


def _in_use(states: Sequence[MemberStatus]) -> CeremonyRecord | None:
    """Find the key generation whose shares are of use somewhere."""
    for state in states:
        for record in state.records:
            if record.confirmations:
                return record
    return None


async def _spread(
    members: Sequence[Member], states: Sequence[MemberStatus], used: CeremonyRecord
) -> GroupKey:
    """Show the confirmations to every node that confirmed; give the group's key."""
    lost, groups = [], []
    for at, (member, state) in enumerate(zip(members, states, strict=True), start=1):
        if any(record.name == used.name for record in state.records):
            groups.append(await member.finish(used.ceremony.session, used.confirmations))
        else:
            lost.append(at)
    if lost:
        raise CeremonyStuck(
            f"Nodes {lost} have no record of key generation {used.name}, which the others finished."
        )
    return groups[0]


async def abandon(members: Sequence[Member], states: Sequence[MemberStatus]) -> None:
    """Have the nodes put aside what they confirmed; finished keys stay.

    Raises:
        CeremonyStuck: a node holds a share already, so nothing may be put aside.
    """
    if any(state.holds_share for state in states):
        raise CeremonyStuck(
            "A node holds a key share already.",
            next_step="Run the command that began it again: it finishes it at the other nodes.",
        )
    for member, state in zip(members, states, strict=True):
        for record in state.records:
            if not record.aside:
                await member.abort(record.ceremony.session)


def _confirmed_by_all(
    states: Sequence[MemberStatus],
) -> tuple[bytes, list[SignedMessage]] | None:
    """Find the key generation that every node has confirmed, and none was told to put aside."""
    for first in states[0].records:
        same = [r for state in states for r in state.records if r.name == first.name]
        if len(same) == len(states) and not any(record.aside for record in same):
            return first.ceremony.session, [record.confirmation for record in same]
    return None


async def _rounds(
    members: Sequence[Member], threshold: int, broadcast: LedgerBroadcast | None
) -> tuple[bytes, list[SignedMessage]]:
    session = secrets.token_bytes(SESSION_BYTES)
    enrolments = tuple([await member.enrol(session) for member in members])
    said = None if broadcast is None else await broadcast.open(session)
    ceremony = Ceremony(session, threshold, enrolments, said)
    messages = [await member.start(ceremony) for member in members]
    while messages[0].round is not Round.CONFIRMATION:
        if broadcast is not None:
            bodies = {message.sender: message.body for message in messages}
            await broadcast.say(ceremony.round_root(messages[0].round, bodies))
        messages = [
            await _patiently(lambda m=member, heard=messages: m.advance(session, heard))  # type: ignore[misc]
            for member in members
        ]
    return session, messages


async def _patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Ask again while a node does not see the ledger's entry yet."""
    for _ in range(_LOOKS):
        try:
            return await work()
        except NodeRefused as refusal:
            if "CAIMI-K033" not in refusal.what:
                raise
            await asyncio.sleep(_LOOK_SECONDS)
    return await work()
