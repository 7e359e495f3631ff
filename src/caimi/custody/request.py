"""What a consumer asks a custodian and what it answers, with their one signed and JSON form each.

A request is EIP-712 typed data, so that a wallet can show what is signed. The same signed request
goes to every custodian; each answer is sealed to the ephemeral key that the request names.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from caimi.custody.delivery import RECIPIENT_PUBLIC_BYTES, SEALED_OVERHEAD, check_recipient
from caimi.custody.encoding import Fields, hex_text
from caimi.custody.keys import MAX_CUSTODIANS
from caimi.custody.label import MODEL_ID_BYTES, VERSION_CHARACTERS, label_for
from caimi.errors.custody import (
    InvalidRequestSignature,
    MalformedEncoding,
    StaleRequest,
)
from caimi.ledgers.port import Signer
from caimi.signatures import MalformedSignature, recover_account

FRESHNESS_SECONDS: Final = 120
MAX_REQUEST_BYTES: Final = 32_768
MAX_RESPONSE_BYTES: Final = 8_192
MAX_CIPHERTEXT_BYTES: Final = 6_144
MAX_SIGNATURE_BYTES: Final = 4_096
NONCE_BYTES: Final = 32
_LEDGER: Final = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
_CONSUMER: Final = re.compile(r"(eip155:[1-9][0-9]{0,31}):(0x[0-9a-fA-F]{40})")
_DOMAIN: Final = {"name": "CAIMI", "version": "1"}
_TYPES: Final = {
    "ShareRequest": [
        {"name": "ledger", "type": "string"},
        {"name": "modelId", "type": "bytes32"},
        {"name": "version", "type": "string"},
        {"name": "consumer", "type": "string"},
        {"name": "recipientKey", "type": "bytes"},
        {"name": "ciphertext", "type": "bytes"},
        {"name": "nonce", "type": "bytes32"},
        {"name": "issuedAt", "type": "uint64"},
    ]
}
_REQUEST_FIELDS: Final = frozenset(
    {
        "ledger",
        "model_id",
        "version",
        "consumer",
        "hpke_public_key",
        "ciphertext",
        "nonce",
        "issued_at",
        "signature",
    }
)


@dataclass(frozen=True, slots=True)
class ShareRequest:
    """A consumer's request for a decryption share, before it is signed.

    `ledger` (CAIP-2) holds the model; `consumer` (CAIP-10, an ``eip155`` account with a checksummed
    address) holds the licence. `hpke_public_key` is the consumer's ephemeral `RecipientKey`,
    `ciphertext` the sealed key, `issued_at` Unix seconds. Construction raises `MalformedEncoding`
    when a field is out of form.
    """

    ledger: str
    model_id: bytes
    version: str
    consumer: str
    hpke_public_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    issued_at: int
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(NONCE_BYTES))

    def __post_init__(self) -> None:
        if _LEDGER.fullmatch(self.ledger) is None:
            raise MalformedEncoding(f"{self.ledger[:60]!r} is not a CAIP-2 ledger id.")
        _address_of(self.consumer)
        label_for(self.model_id, self.version)
        check_recipient(self.hpke_public_key)
        if not 1 <= len(self.ciphertext) <= MAX_CIPHERTEXT_BYTES:
            raise MalformedEncoding(f"A sealed key has 1 to {MAX_CIPHERTEXT_BYTES} bytes.")
        if len(self.nonce) != NONCE_BYTES:
            raise MalformedEncoding(f"A nonce must be {NONCE_BYTES} bytes, not {len(self.nonce)}.")
        if not 0 <= self.issued_at < 2**63:
            raise MalformedEncoding("The time issued_at must be in Unix seconds.")

    @property
    def label(self) -> bytes:
        """The label of the model version that is asked for."""
        return label_for(self.model_id, self.version)

    def signing_digest(self) -> bytes:
        """Give the 32 bytes to sign: the EIP-712 digest, domain name "CAIMI", version "1"."""
        message = encode_typed_data(
            domain_data=_DOMAIN,
            message_types=_TYPES,
            message_data={
                "ledger": self.ledger,
                "modelId": self.model_id,
                "version": self.version,
                "consumer": self.consumer,
                "recipientKey": self.hpke_public_key,
                "ciphertext": self.ciphertext,
                "nonce": self.nonce,
                "issuedAt": self.issued_at,
            },
        )
        return keccak(b"\x19" + message.version + message.header + message.body)

    def sign(self, signer: Signer) -> SignedShareRequest:
        """Sign with the consumer's account key, or raise `InvalidRequestSignature`."""
        signed = self.sign_for_contract(signer)
        signed.verify_signature()
        return signed

    def sign_for_contract(self, signer: Signer) -> SignedShareRequest:
        """Sign with the key of somebody that the consumer, a contract account, takes for its own.

        Whether it does is for its ledger to say (ERC-1271): each custodian asks.
        """
        return SignedShareRequest(self, signer.sign_digest(self.signing_digest()))


@dataclass(frozen=True, slots=True)
class SignedShareRequest:
    """A share request with its signature: r || s || v (65 bytes, low s, v 27 or 28) of a key.

    A contract account's is whatever it takes for its own (ERC-1271), up to 4,096 bytes.
    """

    request: ShareRequest
    signature: bytes = field(repr=False)

    def verify_signature(self) -> bytes:
        """Give the 20-byte account that signed, which is the consumer that the request names.

        Raises:
            InvalidRequestSignature: malformed, malleable, or of another account.
        """
        account = _recover(self.request.signing_digest(), self.signature)
        if account != _address_of(self.request.consumer):
            raise InvalidRequestSignature(
                f"The request of {self.request.consumer} is signed by 0x{account.hex()}."
            )
        return account

    def is_by_consumers_key(self) -> bool:
        """Tell whether the key of the account that the request names signed it."""
        try:
            self.verify_signature()
        except InvalidRequestSignature:
            return False
        return True

    def check_fresh(self, now: float, window: int = FRESHNESS_SECONDS) -> None:
        """Raise `StaleRequest` unless issued at most `window` seconds before or after `now`."""
        age = now - self.request.issued_at
        if abs(age) > window:
            when = f"{age:.0f} s ago" if age > 0 else f"{-age:.0f} s in the future"
            raise StaleRequest(f"The request was issued {when}; at most {window} s are allowed.")

    def to_json(self) -> str:
        """Write the one JSON form; bytes are ``0x`` hexadecimal."""
        request = self.request
        return json.dumps(
            {
                "ledger": request.ledger,
                "model_id": hex_text(request.model_id),
                "version": request.version,
                "consumer": request.consumer,
                "hpke_public_key": hex_text(request.hpke_public_key),
                "ciphertext": hex_text(request.ciphertext),
                "nonce": hex_text(request.nonce),
                "issued_at": request.issued_at,
                "signature": hex_text(self.signature),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> SignedShareRequest:
        """Parse strictly, or raise `MalformedEncoding`; the signature is not checked here."""
        fields = Fields(text, _REQUEST_FIELDS, "the share request", MAX_REQUEST_BYTES)
        request = ShareRequest(
            ledger=fields.text("ledger", 41),
            model_id=fields.data("model_id", MODEL_ID_BYTES, MODEL_ID_BYTES),
            version=fields.text("version", VERSION_CHARACTERS),
            consumer=fields.text("consumer", 128),
            hpke_public_key=fields.data(
                "hpke_public_key", RECIPIENT_PUBLIC_BYTES, RECIPIENT_PUBLIC_BYTES
            ),
            ciphertext=fields.data("ciphertext", 1, MAX_CIPHERTEXT_BYTES),
            nonce=fields.data("nonce", NONCE_BYTES, NONCE_BYTES),
            issued_at=fields.number("issued_at", 0, 2**63 - 1),
        )
        return cls(request, fields.data("signature", 1, MAX_SIGNATURE_BYTES))


@dataclass(frozen=True, slots=True)
class ShareResponse:
    """Custodian `index`'s answer: its decryption share, sealed to the requester."""

    index: int
    sealed: bytes = field(repr=False)

    def to_json(self) -> str:
        """Write the one JSON form."""
        return json.dumps({"index": self.index, "sealed": hex_text(self.sealed)})

    @classmethod
    def from_json(cls, text: str | bytes) -> ShareResponse:
        """Parse strictly, or raise `MalformedEncoding`."""
        fields = Fields(
            text, frozenset({"index", "sealed"}), "the share response", MAX_RESPONSE_BYTES
        )
        return cls(
            fields.number("index", 1, MAX_CUSTODIANS),
            fields.data("sealed", SEALED_OVERHEAD, SEALED_OVERHEAD + 1024),
        )


def _address_of(consumer: str) -> bytes:
    match = _CONSUMER.fullmatch(consumer)
    if match is None:
        raise MalformedEncoding(f"{consumer[:80]!r} is not a CAIP-10 account of an eip155 ledger.")
    if to_checksum_address(match[2]) != match[2]:
        raise MalformedEncoding(f"{consumer!r} is not written with its checksum (EIP-55).")
    return bytes.fromhex(match[2][2:])


def _recover(digest: bytes, signature: bytes) -> bytes:
    try:
        return recover_account(digest, signature)
    except MalformedSignature as error:
        raise InvalidRequestSignature(str(error)) from error
