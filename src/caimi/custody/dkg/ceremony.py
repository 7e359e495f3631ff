"""Who takes part in a key generation, and how its messages are signed.

Messages go through a coordinator that nobody trusts. Each is signed with its sender's secp256k1
identity key (BIP 340) over the ceremony's digest, the round and the sender, so that the coordinator
can drop messages but neither forge nor move them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from coincurve import PrivateKey, PublicKeyXOnly

from caimi.chains import LEDGER
from caimi.custody.delivery import RECIPIENT_PUBLIC_BYTES, check_recipient
from caimi.custody.encoding import Fields, Reader, blob, hex_text
from caimi.custody.group import POINT_BYTES, Point
from caimi.custody.keys import MAX_CUSTODIANS, MIN_THRESHOLD
from caimi.errors.custody import CeremonyMisconfigured, ForgedMessage, MalformedEncoding

SESSION_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
MAX_BODY_BYTES: Final = 131_072
_ENROLMENT_TAG: Final = b"caimi/dkg-enrolment/v1"
_MESSAGE_TAG: Final = b"caimi/dkg-message/v1"
_CEREMONY_TAG: Final = b"caimi/dkg-ceremony/v2"
_ROUND_TAG: Final = b"caimi/dkg-round/v1"
_LEDGER: Final = re.compile(LEDGER)
_MAX_CEREMONY_BYTES: Final = 1 << 20


class Round(IntEnum):
    """The rounds, in their order; every member sends one message in each."""

    DEALING = 1
    COMPLAINT = 2
    JUSTIFICATION = 3
    EXTRACTION = 4
    EXTRACTION_COMPLAINT = 5
    RECONSTRUCTION = 6
    CONFIRMATION = 7


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A member's promise to take part in one session, signed with its identity key.

    `identity` is the compressed identity key, `transport` the public bytes of the `RecipientKey`
    that shares are sealed to.
    """

    session: bytes
    identity: bytes
    transport: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def sign(cls, session: bytes, identity: PrivateKey, transport: bytes) -> Enrolment:
        """Enrol with an identity key and a fresh transport key."""
        signature = identity.sign_schnorr(_enrolment_digest(session, transport))
        return cls(session, identity.public_key.format(), transport, signature)

    def verify(self) -> None:
        """Raise `MalformedEncoding` or `CeremonyMisconfigured` unless well formed and signed."""
        Point.from_bytes(self.identity)
        check_recipient(self.transport)
        if len(self.session) != SESSION_BYTES or not _is_signed(
            self.identity, self.signature, _enrolment_digest(self.session, self.transport)
        ):
            raise CeremonyMisconfigured(
                f"The enrolment of 0x{self.identity.hex()} is not signed by it."
            )

    def to_json(self) -> str:
        """Write the one JSON form."""
        return json.dumps(
            {
                "session": hex_text(self.session),
                "identity": hex_text(self.identity),
                "transport": hex_text(self.transport),
                "signature": hex_text(self.signature),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Enrolment:
        """Parse strictly and verify; raises as `verify` does."""
        names = frozenset({"session", "identity", "transport", "signature"})
        fields = Fields(text, names, "the enrolment", 8_192)
        enrolment = cls(
            fields.data("session", SESSION_BYTES, SESSION_BYTES),
            fields.data("identity", POINT_BYTES, POINT_BYTES),
            fields.data("transport", RECIPIENT_PUBLIC_BYTES, RECIPIENT_PUBLIC_BYTES),
            fields.data("signature", SIGNATURE_BYTES, SIGNATURE_BYTES),
        )
        enrolment.verify()
        return enrolment


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A ledger's log in which one account writes each round down, once, for all to see.

    Round 1 is the entry numbered `first` of `account`, round 2 the next, and so on; all in blocks
    from `since` on.
    """

    ledger: str
    account: bytes
    first: int
    since: int

    def __post_init__(self) -> None:
        if _LEDGER.fullmatch(self.ledger) is None or len(self.account) != 20:
            raise CeremonyMisconfigured("The broadcasting ledger or account is out of form.")
        if not 0 <= self.first < 1 << 63 or not 0 <= self.since < 1 << 63:
            raise CeremonyMisconfigured("The broadcast's first entry or height is out of form.")

    def to_bytes(self) -> bytes:
        """Encode: ledger (length-prefixed), account, first entry and height (8 bytes each)."""
        numbers = self.first.to_bytes(8) + self.since.to_bytes(8)
        return blob(self.ledger.encode()) + self.account + numbers


@dataclass(frozen=True, slots=True)
class Ceremony:
    """The terms of one key generation, which all members must share.

    Members are numbered from 1 in the order of `members`. Compare `identities` with the committee
    you know before taking part: an enrolment proves its own identity, not its right to be here.
    Construction raises `CeremonyMisconfigured` when the terms do not fit together.
    """

    session: bytes
    threshold: int
    members: tuple[Enrolment, ...]
    broadcast: Broadcast | None = None

    def __post_init__(self) -> None:
        if not MIN_THRESHOLD <= self.threshold <= len(self.members) <= MAX_CUSTODIANS:
            raise CeremonyMisconfigured(
                f"{self.threshold} of {len(self.members)} members is outside "
                f"{MIN_THRESHOLD} <= threshold <= members <= {MAX_CUSTODIANS}."
            )
        if len(set(self.identities)) != len(self.members):
            raise CeremonyMisconfigured("A member is enrolled twice.")
        for member in self.members:
            if member.session != self.session:
                raise CeremonyMisconfigured("A member is enrolled for another session.")
            member.verify()

    @property
    def identities(self) -> tuple[bytes, ...]:
        """Give the members' identity keys, in their order."""
        return tuple(member.identity for member in self.members)

    @property
    def total(self) -> int:
        """Give the number of members."""
        return len(self.members)

    @property
    def faults(self) -> int:
        """Give how many members may cheat, and the coordinator with them: see `most_faults`."""
        return most_faults(self.threshold, self.total, broadcast=self.broadcast is not None)

    @property
    def quorum(self) -> int:
        """Give how many members must be in step for a round to count."""
        return self.total - self.faults

    @property
    def digest(self) -> bytes:
        """Give the 32 bytes that every message is bound to."""
        digest = hashlib.sha256(_CEREMONY_TAG + self.session)
        digest.update(bytes([self.threshold, self.total]))
        digest.update(blob(self.broadcast.to_bytes() if self.broadcast else b""))
        for member in self.members:
            digest.update(member.identity + member.transport)
        return digest.digest()

    def round_root(self, place: Round, bodies: Mapping[int, bytes]) -> bytes:
        """Give the 32 bytes that stand for what was said in a round, `bodies` by member."""
        digest = hashlib.sha256(_ROUND_TAG + self.digest + bytes([place]))
        for member, body in sorted(bodies.items()):
            digest.update(bytes([member]) + hashlib.sha256(body).digest())
        return digest.digest()

    def to_json(self) -> str:
        """Write the one JSON form."""
        said = self.broadcast
        return json.dumps(
            {
                "session": hex_text(self.session),
                "threshold": self.threshold,
                "members": [member.to_json() for member in self.members],
                "broadcast": None
                if said is None
                else [said.ledger, hex_text(said.account), said.first, said.since],
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Ceremony:
        """Parse strictly and verify, or raise `MalformedEncoding` or `CeremonyMisconfigured`."""
        names = frozenset({"session", "threshold", "members", "broadcast"})
        fields = Fields(text, names, "the ceremony", _MAX_CEREMONY_BYTES)
        members = fields.texts("members", MAX_CUSTODIANS, 8_192)
        return cls(
            fields.data("session", SESSION_BYTES, SESSION_BYTES),
            fields.number("threshold", MIN_THRESHOLD, MAX_CUSTODIANS),
            tuple(Enrolment.from_json(member) for member in members),
            _broadcast(fields.raw("broadcast")),
        )

    def index_of(self, identity: bytes) -> int:
        """Give a member's number, or raise `CeremonyMisconfigured`."""
        if identity not in self.identities:
            raise CeremonyMisconfigured(f"0x{identity.hex()} is not a member of this ceremony.")
        return self.identities.index(identity) + 1


def most_faults(threshold: int, total: int, *, broadcast: bool) -> int:
    """Give how many of `total` members may cheat, with the coordinator, and still do no harm.

    Fewer than the threshold, so that they learn nothing, and few enough to leave a threshold. Where
    the coordinator alone relays, also fewer than a third: any two quorums then share an honest
    member, who repeats one and the same to both. What a ledger broadcasts is the same for all.
    """
    most = min(threshold - 1, total - threshold)
    return most if broadcast else min(most, (total - 1) // 3)


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A member's message in one round of one ceremony. `body` is one of `messages`' encodings."""

    ceremony: bytes
    round: Round
    sender: int
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def sign(
        cls, ceremony: bytes, place: Round, sender: int, body: bytes, identity: PrivateKey
    ) -> SignedMessage:
        """Sign `body` as member `sender`'s message of round `place`."""
        digest = _message_digest(ceremony, place, sender, body)
        return cls(ceremony, place, sender, body, identity.sign_schnorr(digest))

    def verify(self, ceremony: Ceremony) -> None:
        """Raise `ForgedMessage` unless it is of this ceremony and signed by its sender."""
        if self.ceremony != ceremony.digest or not 1 <= self.sender <= ceremony.total:
            raise ForgedMessage(f"A message of member {self.sender} is of another ceremony.")
        digest = _message_digest(self.ceremony, self.round, self.sender, self.body)
        if not _is_signed(ceremony.identities[self.sender - 1], self.signature, digest):
            raise ForgedMessage(
                f"A message of round {self.round.name} is not signed by member {self.sender}."
            )

    def to_bytes(self) -> bytes:
        """Encode: tag, ceremony, round, sender, body with a four-byte length, signature."""
        return (
            _MESSAGE_TAG
            + self.ceremony
            + bytes([self.round, self.sender])
            + len(self.body).to_bytes(4, "big")
            + self.body
            + self.signature
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedMessage:
        """Parse the one valid form, or raise `MalformedEncoding`; `verify` checks it."""
        reader = Reader(data, "the ceremony message")
        reader.expect(_MESSAGE_TAG)
        ceremony = reader.take(32)
        place = reader.number(1, max(Round))
        if place == 0:
            reader.refuse("is of no round")
        sender = reader.number(1, MAX_CUSTODIANS)
        body = reader.take(reader.number(4, MAX_BODY_BYTES))
        signature = reader.take(SIGNATURE_BYTES)
        reader.finish()
        return cls(ceremony, Round(place), sender, body, signature)

    def to_json(self) -> str:
        """Write the one JSON form."""
        return json.dumps(
            {
                "ceremony": hex_text(self.ceremony),
                "round": int(self.round),
                "sender": self.sender,
                "body": hex_text(self.body),
                "signature": hex_text(self.signature),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> SignedMessage:
        """Parse strictly, or raise `MalformedEncoding`; `verify` checks it."""
        names = frozenset({"ceremony", "round", "sender", "body", "signature"})
        fields = Fields(text, names, "the ceremony message", 2 * MAX_BODY_BYTES + 1_024)
        return cls(
            fields.data("ceremony", 32, 32),
            Round(fields.number("round", min(Round), max(Round))),
            fields.number("sender", 1, MAX_CUSTODIANS),
            fields.data("body", 0, MAX_BODY_BYTES),
            fields.data("signature", SIGNATURE_BYTES, SIGNATURE_BYTES),
        )


def _broadcast(value: object) -> Broadcast | None:
    match value:
        case None:
            return None
        case [str(ledger), str(account), int(first), int(since)] if (
            type(first) is int
            and type(since) is int
            and re.fullmatch(r"0x[0-9a-f]{40}", account) is not None
        ):
            return Broadcast(ledger, bytes.fromhex(account[2:]), first, since)
    raise MalformedEncoding("The ceremony: broadcast is out of form.")


def _enrolment_digest(session: bytes, transport: bytes) -> bytes:
    return hashlib.sha256(_ENROLMENT_TAG + session + transport).digest()


def _message_digest(ceremony: bytes, place: Round, sender: int, body: bytes) -> bytes:
    return hashlib.sha256(_MESSAGE_TAG + ceremony + bytes([place, sender]) + body).digest()


def _is_signed(identity: bytes, signature: bytes, digest: bytes) -> bool:
    if len(signature) != SIGNATURE_BYTES:
        return False
    return PublicKeyXOnly(identity[1:]).verify(signature, digest)
