"""What a custodian says for all to read when it gives a share: to whom, of what, when.

A release is signed by the key that the custodian attests with, and names the request by its digest,
so that whoever keeps releases and requests can compare what was given with what was granted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from caimi.custody.encoding import Fields, hex_text
from caimi.custody.keys import GROUP_DIGEST_BYTES, MAX_CUSTODIANS, GroupKey
from caimi.custody.label import MODEL_ID_BYTES, VERSION_CHARACTERS, label_for
from caimi.custody.request import (
    CONSUMER_CHARACTERS,
    FRESHNESS_SECONDS,
    LEDGER_CHARACTERS,
    POLICY_BYTES,
    REQUEST_DIGEST_BYTES,
    ShareRequest,
    check_consumer,
    check_ledger,
)
from caimi.errors.custody import FalseRelease, MalformedEncoding
from caimi.ledgers.port import AttestationKey, FieldType, Statement, StatementDomain, StatementType
from caimi.ledgers.typed_data import typed_data_digest
from caimi.signatures import SIGNATURE_BYTES, MalformedSignature, recover_account

FORMAT: Final = "caimi/key-release/1"
MAX_RELEASE_BYTES: Final = 4_096
_MAX_TIME: Final = 2**63 - 1
_STATEMENT: Final = StatementType(
    StatementDomain("CAIMI", "1"),
    "KeyRelease",
    (
        ("request", FieldType.BYTES32),
        ("ledger", FieldType.STRING),
        ("modelId", FieldType.BYTES32),
        ("version", FieldType.STRING),
        ("consumer", FieldType.STRING),
        ("index", FieldType.UINT64),
        ("group", FieldType.BYTES32),
        ("time", FieldType.UINT64),
        ("policy", FieldType.BYTES32),
    ),
)
_FIELDS: Final = frozenset(
    {
        "format",
        "request",
        "ledger",
        "model_id",
        "version",
        "consumer",
        "index",
        "group",
        "time",
        "policy",
        "signature",
    }
)


@dataclass(frozen=True, slots=True)
class KeyRelease:
    """Custodian `index` of the group gave its share for a request, before it is signed.

    `request` is the request's digest and `group` the group key's; `time` is the custodian's, in
    Unix seconds. The rest is the request's: see `ShareRequest`. Construction raises
    `MalformedEncoding` when a field is out of form.
    """

    request: bytes
    ledger: str
    model_id: bytes
    version: str
    consumer: str
    index: int
    group: bytes
    time: int
    policy: bytes

    def __post_init__(self) -> None:
        check_ledger(self.ledger)
        check_consumer(self.consumer)
        label_for(self.model_id, self.version)
        sizes = (
            (self.request, REQUEST_DIGEST_BYTES),
            (self.group, GROUP_DIGEST_BYTES),
            (self.policy, POLICY_BYTES),
        )
        if any(len(value) != size for value, size in sizes):
            raise MalformedEncoding("A request, a group and a policy are named by 32 bytes each.")
        if not 1 <= self.index <= MAX_CUSTODIANS or not 0 <= self.time <= _MAX_TIME:
            raise MalformedEncoding("A release is by a custodian of a group, in Unix seconds.")

    @classmethod
    def of(cls, request: ShareRequest, index: int, group: GroupKey, time: int) -> KeyRelease:
        """Say that custodian `index` of `group` answers `request` at `time`."""
        return cls(
            request.digest,
            request.ledger,
            request.model_id,
            request.version,
            request.consumer,
            index,
            group.digest,
            time,
            request.policy,
        )

    @property
    def statement(self) -> Statement:
        """What the custodian signs."""
        return _STATEMENT.state(
            self.request,
            self.ledger,
            self.model_id,
            self.version,
            self.consumer,
            self.index,
            self.group,
            self.time,
            self.policy,
        )

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are signed: the statement's EIP-712 digest."""
        return typed_data_digest(self.statement)

    def sign(self, key: AttestationKey) -> SignedKeyRelease:
        """Sign as the custodian. The key may be in another machine: call it in a thread."""
        return SignedKeyRelease(self, key.sign_digest(self.digest))


@dataclass(frozen=True, slots=True)
class SignedKeyRelease:
    """A release with the custodian's signature: r || s || v."""

    release: KeyRelease
    signature: bytes = field(repr=False)

    def check_signed(self, account: bytes) -> None:
        """Raise `FalseRelease` unless the key of `account` signed it."""
        try:
            signer = recover_account(self.release.digest, self.signature)
        except MalformedSignature as error:
            raise FalseRelease(
                f"The release of custodian {self.release.index} is not signed: {error}"
            ) from error
        if signer != account:
            raise FalseRelease(
                f"The release of custodian {self.release.index} is not signed by its key, "
                f"0x{account.hex()}."
            )

    def check_answers(self, request: ShareRequest, index: int, group: GroupKey) -> None:
        """Check that it says that custodian `index` of `group` answered `request`, while fresh.

        Raises:
            FalseRelease: it says something else.
        """
        time = self.release.time
        if self.release != KeyRelease.of(request, index, group, time):
            raise FalseRelease(f"The release of custodian {index} is not of this request.")
        if abs(time - request.issued_at) > FRESHNESS_SECONDS:
            raise FalseRelease(
                f"The release of custodian {index} is of time {time}, "
                f"but the request was issued at {request.issued_at}."
            )

    def to_json(self) -> str:
        """Write the one JSON form; bytes are ``0x`` hexadecimal."""
        release = self.release
        return json.dumps(
            {
                "format": FORMAT,
                "request": hex_text(release.request),
                "ledger": release.ledger,
                "model_id": hex_text(release.model_id),
                "version": release.version,
                "consumer": release.consumer,
                "index": release.index,
                "group": hex_text(release.group),
                "time": release.time,
                "policy": hex_text(release.policy),
                "signature": hex_text(self.signature),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> SignedKeyRelease:
        """Parse strictly, or raise `MalformedEncoding`; the signature is not checked here."""
        fields = Fields(text, _FIELDS, "the release", MAX_RELEASE_BYTES)
        fields.expect("format", FORMAT)
        release = KeyRelease(
            request=fields.data("request", REQUEST_DIGEST_BYTES, REQUEST_DIGEST_BYTES),
            ledger=fields.text("ledger", LEDGER_CHARACTERS),
            model_id=fields.data("model_id", MODEL_ID_BYTES, MODEL_ID_BYTES),
            version=fields.text("version", VERSION_CHARACTERS),
            consumer=fields.text("consumer", CONSUMER_CHARACTERS),
            index=fields.number("index", 1, MAX_CUSTODIANS),
            group=fields.data("group", GROUP_DIGEST_BYTES, GROUP_DIGEST_BYTES),
            time=fields.number("time", 0, _MAX_TIME),
            policy=fields.data("policy", POLICY_BYTES, POLICY_BYTES),
        )
        return cls(release, fields.data("signature", SIGNATURE_BYTES, SIGNATURE_BYTES))
