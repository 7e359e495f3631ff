"""What a consumer asks of custodians, with its one signed and its one JSON form.

A request is signed as a statement, so that a wallet of the consumer's ledger can show it. The same
signed request goes to every custodian; each answer (`caimi.custody.response`) is sealed to the
ephemeral key that it names.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from caimi.chains import LEDGER, AccountId
from caimi.custody.delivery import RECIPIENT_PUBLIC_BYTES, check_recipient
from caimi.custody.encoding import Fields, hex_text
from caimi.custody.label import MODEL_ID_BYTES, VERSION_CHARACTERS, label_for
from caimi.errors.custody import (
    InvalidRequestSignature,
    MalformedEncoding,
    StaleRequest,
)
from caimi.errors.ids import InvalidAccountId, InvalidLedgerId
from caimi.hashing import keccak256
from caimi.ledgers.port import FieldType, Statement, StatementDomain, StatementType, Wallet
from caimi.ledgers.typed_data import typed_data_digest

FORMAT: Final = "caimi/share-request/2"
FRESHNESS_SECONDS: Final = 120
POLICY_BYTES: Final = 32
NO_POLICY: Final = bytes(POLICY_BYTES)
"""Names no policy: the version's licence, or ownership of the model, is all that is asked for."""
MAX_CREDENTIALS: Final = 8
MAX_CREDENTIAL_CHARACTERS: Final = 16_384
MAX_REQUEST_BYTES: Final = 32_768 + 2 * MAX_CREDENTIALS * MAX_CREDENTIAL_CHARACTERS
"""JSON escapes a credential to twice its length at most; all the rest has 32,768 bytes."""
MAX_CIPHERTEXT_BYTES: Final = 6_144
MAX_SIGNATURE_BYTES: Final = 4_096
NONCE_BYTES: Final = 32
REQUEST_DIGEST_BYTES: Final = 32
LEDGER_CHARACTERS: Final = 41
CONSUMER_CHARACTERS: Final = 170
"""Of a CAIP-10 id: 41 for the ledger, a colon, 128 for the account."""
_LEDGER: Final = re.compile(LEDGER)
_CREDENTIAL: Final = re.compile(rf"[ -~]{{1,{MAX_CREDENTIAL_CHARACTERS}}}")
_STATEMENT: Final = StatementType(
    StatementDomain("CAIMI", "1"),
    "ShareRequest",
    (
        ("ledger", FieldType.STRING),
        ("modelId", FieldType.BYTES32),
        ("version", FieldType.STRING),
        ("consumer", FieldType.STRING),
        ("recipientKey", FieldType.BYTES),
        ("ciphertext", FieldType.BYTES),
        ("policy", FieldType.BYTES32),
        ("credentials", FieldType.BYTES32),
        ("nonce", FieldType.BYTES32),
        ("issuedAt", FieldType.UINT64),
    ),
)
_REQUEST_FIELDS: Final = frozenset(
    {
        "format",
        "ledger",
        "model_id",
        "version",
        "consumer",
        "hpke_public_key",
        "ciphertext",
        "policy",
        "credentials",
        "nonce",
        "issued_at",
        "signature",
    }
)


@dataclass(frozen=True, slots=True)
class ShareRequest:
    """A consumer's request for a decryption share, before it is signed.

    `ledger` (CAIP-2) holds the model; `consumer` (CAIP-10, in the one form that its own ledger
    writes) holds the licence. `hpke_public_key` is the consumer's ephemeral `RecipientKey`,
    `ciphertext` the sealed key, `issued_at` Unix seconds. `policy` is the hash of the policy to
    judge by, `credentials` what the consumer shows for it: at most 8 distinct texts of at most
    16,384 printable ASCII characters each. Construction raises `MalformedEncoding` when a field is
    out of form.
    """

    ledger: str
    model_id: bytes
    version: str
    consumer: str
    hpke_public_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    issued_at: int
    policy: bytes = NO_POLICY
    credentials: tuple[str, ...] = field(default=(), repr=False)
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(NONCE_BYTES))
    digest: bytes = field(init=False, repr=False, compare=False)
    """The 32 bytes that answers name the request by, on every family of ledgers.

    They are the EIP-712 digest of `statement`, which the consumer signs in its own ledger's form.
    """

    def __post_init__(self) -> None:
        check_ledger(self.ledger)
        check_consumer(self.consumer)
        label_for(self.model_id, self.version)
        check_recipient(self.hpke_public_key)
        if not 1 <= len(self.ciphertext) <= MAX_CIPHERTEXT_BYTES:
            raise MalformedEncoding(f"A sealed key has 1 to {MAX_CIPHERTEXT_BYTES} bytes.")
        if len(self.policy) != POLICY_BYTES:
            raise MalformedEncoding(
                f"A policy's hash must be {POLICY_BYTES} bytes, not {len(self.policy)}."
            )
        _check_credentials(self.credentials)
        if len(self.nonce) != NONCE_BYTES:
            raise MalformedEncoding(f"A nonce must be {NONCE_BYTES} bytes, not {len(self.nonce)}.")
        if not 0 <= self.issued_at < 2**63:
            raise MalformedEncoding("The time issued_at must be in Unix seconds.")
        object.__setattr__(self, "digest", typed_data_digest(self.statement))

    @property
    def label(self) -> bytes:
        """The label of the model version that is asked for."""
        return label_for(self.model_id, self.version)

    @property
    def credentials_hash(self) -> bytes:
        """Keccak-256 over the credentials' Keccak-256 hashes, as of ``string[]`` in EIP-712."""
        return keccak256(b"".join(keccak256(text.encode()) for text in self.credentials))

    @property
    def statement(self) -> Statement:
        """What the consumer signs."""
        return _STATEMENT.state(
            self.ledger,
            self.model_id,
            self.version,
            self.consumer,
            self.hpke_public_key,
            self.ciphertext,
            self.policy,
            self.credentials_hash,
            self.nonce,
            self.issued_at,
        )

    def sign(self, wallet: Wallet) -> SignedShareRequest:
        """Sign as the consumer, or raise `InvalidRequestSignature` for anybody else's wallet."""
        if wallet.name != self.consumer:
            raise InvalidRequestSignature(
                f"The request of {self.consumer} is not for {wallet.name} to sign."
            )
        return self.sign_for_contract(wallet)

    def sign_for_contract(self, wallet: Wallet) -> SignedShareRequest:
        """Sign as somebody on its ledger that the consumer, a contract account, takes for its own.

        Whether it does is for its ledger to say: each custodian asks.
        """
        return SignedShareRequest(self, wallet.sign_statement(self.statement))


@dataclass(frozen=True, slots=True)
class SignedShareRequest:
    """A share request with the signature of its statement, in the form of the consumer's ledger.

    A contract account's is whatever it takes for its own. It has 1 to 4,096 bytes.
    """

    request: ShareRequest
    signature: bytes = field(repr=False)

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
                "format": FORMAT,
                "ledger": request.ledger,
                "model_id": hex_text(request.model_id),
                "version": request.version,
                "consumer": request.consumer,
                "hpke_public_key": hex_text(request.hpke_public_key),
                "ciphertext": hex_text(request.ciphertext),
                "policy": hex_text(request.policy),
                "credentials": list(request.credentials),
                "nonce": hex_text(request.nonce),
                "issued_at": request.issued_at,
                "signature": hex_text(self.signature),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> SignedShareRequest:
        """Parse strictly, or raise `MalformedEncoding`; the signature is not checked here."""
        fields = Fields(text, _REQUEST_FIELDS, "the share request", MAX_REQUEST_BYTES)
        fields.expect("format", FORMAT)
        request = ShareRequest(
            ledger=fields.text("ledger", LEDGER_CHARACTERS),
            model_id=fields.data("model_id", MODEL_ID_BYTES, MODEL_ID_BYTES),
            version=fields.text("version", VERSION_CHARACTERS),
            consumer=fields.text("consumer", CONSUMER_CHARACTERS),
            hpke_public_key=fields.data(
                "hpke_public_key", RECIPIENT_PUBLIC_BYTES, RECIPIENT_PUBLIC_BYTES
            ),
            ciphertext=fields.data("ciphertext", 1, MAX_CIPHERTEXT_BYTES),
            policy=fields.data("policy", POLICY_BYTES, POLICY_BYTES),
            credentials=tuple(
                fields.texts("credentials", MAX_CREDENTIALS, MAX_CREDENTIAL_CHARACTERS)
            ),
            nonce=fields.data("nonce", NONCE_BYTES, NONCE_BYTES),
            issued_at=fields.number("issued_at", 0, 2**63 - 1),
        )
        return cls(request, fields.data("signature", 1, MAX_SIGNATURE_BYTES))


def check_ledger(ledger: str) -> None:
    """Raise `MalformedEncoding` unless `ledger` is a CAIP-2 id."""
    if _LEDGER.fullmatch(ledger) is None:
        raise MalformedEncoding(f"{ledger[:60]!r} is not a CAIP-2 ledger id.")


@lru_cache(maxsize=1024)
def check_consumer(consumer: str) -> None:
    """Raise `MalformedEncoding` unless `consumer` is a CAIP-10 account in its one form."""
    try:
        written = str(AccountId.parse(consumer))
    except (InvalidAccountId, InvalidLedgerId) as error:
        raise MalformedEncoding(f"{consumer[:80]!r} is not a CAIP-10 account.") from error
    if written != consumer:
        raise MalformedEncoding(f"{consumer!r} is not written as {written}, with its checksum.")


def _check_credentials(credentials: tuple[str, ...]) -> None:
    if len(credentials) > MAX_CREDENTIALS or len(set(credentials)) < len(credentials):
        raise MalformedEncoding(f"At most {MAX_CREDENTIALS} credentials are shown, each once.")
    if not all(map(_CREDENTIAL.fullmatch, credentials)):
        raise MalformedEncoding(
            f"A credential is 1 to {MAX_CREDENTIAL_CHARACTERS} printable ASCII characters."
        )
