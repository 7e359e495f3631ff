"""A custodian's decryption share with its signature: what is sealed to the consumer.

The custodian signs, by the key that it attests with, everything that the share's proof is about. So
a signed share whose proof does not hold is the custodian's fault, and can be shown to others: see
`caimi.custody.evidence`. All fields but the label are words of fixed size, points by their affine
coordinates, so that a contract makes the digest again from few words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from caimi.custody.encoding import Reader
from caimi.custody.group import Point
from caimi.custody.tdh2 import SHARE_BYTES, Ciphertext, DecryptionShare
from caimi.errors.custody import UnsignedAnswer
from caimi.ledgers.port import AttestationKey, FieldType, Statement, StatementDomain, StatementType
from caimi.ledgers.typed_data import typed_data_digest
from caimi.signatures import SIGNATURE_BYTES, MalformedSignature, recover_account

_TAG: Final = b"caimi/share-answer/v1"
ANSWER_BYTES: Final = len(_TAG) + SHARE_BYTES + SIGNATURE_BYTES
_STATEMENT: Final = StatementType(
    StatementDomain("CAIMI", "1"),
    "ShareAnswer",
    (
        ("request", FieldType.BYTES32),
        ("label", FieldType.BYTES),
        ("index", FieldType.UINT64),
        ("keyX", FieldType.UINT256),
        ("keyY", FieldType.UINT256),
        ("baseX", FieldType.UINT256),
        ("baseY", FieldType.UINT256),
        ("shareX", FieldType.UINT256),
        ("shareY", FieldType.UINT256),
        ("challenge", FieldType.UINT256),
        ("response", FieldType.UINT256),
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a custodian's share answers: a request's digest, its sealed key, by which key."""

    request: bytes
    ciphertext: Ciphertext
    verification_key: Point

    def statement(self, share: DecryptionShare) -> Statement:
        """What the custodian signs of its share."""
        return _STATEMENT.state(
            self.request,
            self.ciphertext.label,
            share.index,
            *self.verification_key.coordinates,
            *self.ciphertext.ephemeral.coordinates,
            *share.point.coordinates,
            share.proof.challenge,
            share.proof.response,
        )

    def digest(self, share: DecryptionShare) -> bytes:
        """The 32 bytes that are signed: the statement's EIP-712 digest."""
        return typed_data_digest(self.statement(share))


@dataclass(frozen=True, slots=True)
class SignedShare:
    """A decryption share, and the custodian's signature of it: r || s || v."""

    share: DecryptionShare
    signature: bytes = field(repr=False)

    @classmethod
    def sign(cls, share: DecryptionShare, asked: Asked, key: AttestationKey) -> SignedShare:
        """Sign as the custodian. The key may be in another machine: call it in a thread."""
        return cls(share, key.sign_digest(asked.digest(share)))

    def check_signed(self, asked: Asked, account: bytes) -> None:
        """Raise `UnsignedAnswer` unless the key of `account` signed it as an answer to `asked`."""
        index = self.share.index
        try:
            signer = recover_account(asked.digest(self.share), self.signature)
        except MalformedSignature as error:
            raise UnsignedAnswer(
                f"The answer of custodian {index} is not signed: {error}"
            ) from error
        if signer != account:
            raise UnsignedAnswer(
                f"The answer of custodian {index} to this request is not signed by its key, "
                f"0x{account.hex()}."
            )

    def to_bytes(self) -> bytes:
        """Encode: tag, share, signature (65 bytes)."""
        return _TAG + self.share.to_bytes() + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedShare:
        """Parse the one valid form, or raise `MalformedEncoding`; nothing is checked here."""
        reader = Reader(data, "the custodian's answer")
        reader.expect(_TAG)
        share = DecryptionShare.from_bytes(reader.take(SHARE_BYTES))
        signature = reader.take(SIGNATURE_BYTES)
        reader.finish()
        return cls(share, signature)
