"""The distributed key generation over nodes: a node's side of it, and the coordinator's.

The coordinator relays messages and is not trusted (see `caimi.custody.dkg.participant`). A node
takes part only with the committee written in its own settings, and only while it has no key share.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from coincurve import PrivateKey

from caimi.custody.delivery import RecipientKey
from caimi.custody.dkg import Ceremony, Enrolment, Participant, Round, SignedMessage
from caimi.custody.dkg.ceremony import SESSION_BYTES
from caimi.custody.keys import GroupKey, KeyShare
from caimi.errors.custody import CeremonyMisconfigured
from caimi.errors.node import CeremonyUnknown, KeyShareExists


class KeyGeneration:
    """A node's part in one key generation at a time.

    `keep` stores the finished share durably; `holds_share` says whether there is one.
    """

    def __init__(
        self,
        identity: PrivateKey,
        committee: Sequence[bytes],
        threshold: int,
        keep: Callable[[KeyShare], Awaitable[None]],
        holds_share: Callable[[], bool],
    ) -> None:
        self._identity = identity
        self._committee = tuple(committee)
        self._threshold = threshold
        self._keep = keep
        self._holds_share = holds_share
        self._transport: RecipientKey | None = None
        self._session = b""
        self._participant: Participant | None = None

    def enrol(self, session: bytes) -> Enrolment:
        """Enrol for a session with a fresh transport key; an unfinished earlier one is dropped."""
        if self._holds_share():
            raise KeyShareExists("This node already holds a key share.")
        self._transport = RecipientKey.generate()
        self._session = session
        self._participant = None
        return Enrolment.sign(session, self._identity, self._transport.public_bytes)

    def start(self, ceremony: Ceremony) -> SignedMessage:
        """Start with the terms the coordinator put together.

        Raises:
            CeremonyMisconfigured: they are not this node's committee and threshold.
            CeremonyUnknown: the node is not enrolled for this session.
        """
        if self._transport is None or ceremony.session != self._session:
            raise CeremonyUnknown("This node is not enrolled for that session.")
        if ceremony.identities != self._committee or ceremony.threshold != self._threshold:
            raise CeremonyMisconfigured(
                "The ceremony's members or threshold are not those of this node's settings."
            )
        self._participant = Participant(ceremony, self._identity, self._transport)
        return self._participant.start()

    def advance(self, messages: Sequence[SignedMessage]) -> SignedMessage:
        """Take a round's messages and give this node's next one."""
        return self._joined().advance(messages)

    async def finish(self, messages: Sequence[SignedMessage]) -> GroupKey:
        """Take the confirmations, store the share, and give the group's key."""
        participant = self._joined()
        if self._holds_share():
            raise KeyShareExists("This node already holds a key share.")
        share = participant.finish(messages)
        await self._keep(share)
        self._participant = self._transport = None
        return share.group

    def _joined(self) -> Participant:
        if self._participant is None:
            raise CeremonyUnknown("This node takes part in no key generation.")
        return self._participant


class Member(Protocol):
    """The coordinator's way to one node."""

    async def enrol(self, session: bytes) -> Enrolment: ...
    async def start(self, ceremony: Ceremony) -> SignedMessage: ...
    async def advance(self, messages: Sequence[SignedMessage]) -> SignedMessage: ...
    async def finish(self, messages: Sequence[SignedMessage]) -> GroupKey: ...


async def generate_group_key(members: Sequence[Member], threshold: int) -> GroupKey:
    """Coordinate a key generation among all `members`, in their order.

    Raises:
        CeremonyMisconfigured: the members do not agree on the key at the end.
        NodeUnreachable, NodeRefused: a member did not take part; start again without or after it.
    """
    session = secrets.token_bytes(SESSION_BYTES)
    enrolments = [await member.enrol(session) for member in members]
    ceremony = Ceremony(session, threshold, tuple(enrolments))
    messages = [await member.start(ceremony) for member in members]
    while messages[0].round is not Round.CONFIRMATION:
        messages = [await member.advance(messages) for member in members]
    groups = [await member.finish(messages) for member in members]
    if any(group != groups[0] for group in groups):
        raise CeremonyMisconfigured("The members did not come to one group key.")
    return groups[0]
