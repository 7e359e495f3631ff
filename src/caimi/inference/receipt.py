"""Receipts: a worker's signed statement of which model gave which output for which input.

EIP-712 typed data, domain (name "CAIMI Receipt", version "1"), type
``Receipt(string ledger,bytes32 modelId,string version,bytes32 manifest,bytes32 inputHash,bytes32
outputHash,string engine,uint256 price,bytes32 nonce,uint64 time,address worker)``. Where the engine
has an answer id, the type is ``ExactReceipt`` of the same members, ``string answer`` after
``engine``. The digest is computed here directly, since a worker signs thousands a second.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import rfc8785

from caimi.errors.inference import ReceiptInvalid, ReceiptMalformed
from caimi.hashing import keccak256
from caimi.json_text import read_json
from caimi.ledgers.port import Signer
from caimi.merkle import leaf_hash
from caimi.signatures import MalformedSignature, recover_account

MAX_RECEIPT_BYTES: Final = 1 << 16
MAX_TEXT: Final = 128
MAX_TIME: Final = (1 << 53) - 1
"""The largest whole number that RFC 8785 lets JSON carry."""
NONCE_BYTES: Final = 32
_BEFORE: Final = (
    b"(string ledger,bytes32 modelId,string version,bytes32 manifest,bytes32 inputHash,"
    b"bytes32 outputHash,string engine,"
)
_AFTER: Final = b"uint256 price,bytes32 nonce,uint64 time,address worker)"
_TYPE_HASH: Final = keccak256(b"Receipt" + _BEFORE + _AFTER)
_EXACT_TYPE_HASH: Final = keccak256(b"ExactReceipt" + _BEFORE + b"string answer," + _AFTER)
_PREFIX: Final = b"\x19\x01" + keccak256(
    keccak256(b"EIP712Domain(string name,string version)")
    + keccak256(b"CAIMI Receipt")
    + keccak256(b"1")
)
_PRICE: Final = re.compile(r"0|[1-9][0-9]{0,77}")
_HEX: Final = re.compile(r"0x([0-9a-f]*)")
_text_hash = lru_cache(maxsize=1024)(lambda text: keccak256(text.encode()))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a worker states. `price` is in the smallest unit, `time` in Unix seconds.

    `answer` is the engine's answer id, empty where it has none: who states one is convicted by one
    other bit of any engine of that id.
    Construction raises `ReceiptMalformed` when a field is out of form.
    """

    ledger: str
    model_id: bytes
    version: str
    manifest: bytes
    input_hash: bytes
    output_hash: bytes
    engine: str
    price: int
    time: int
    worker: bytes
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(NONCE_BYTES))
    answer: str = ""

    def __post_init__(self) -> None:
        hashes = (self.model_id, self.manifest, self.input_hash, self.output_hash, self.nonce)
        if any(len(value) != 32 for value in hashes) or len(self.worker) != 20:
            raise ReceiptMalformed("A hash of the receipt has not 32 bytes, or its worker not 20.")
        if not 0 <= self.price < 1 << 256 or not 0 <= self.time <= MAX_TIME:
            raise ReceiptMalformed("The receipt's price or time is out of range.")
        texts = (self.ledger, self.version, self.engine, self.answer or "none")
        if not all(_is_plain(text) for text in texts):
            raise ReceiptMalformed(
                f"A text of the receipt is not 1 to {MAX_TEXT} printable ASCII characters."
            )

    @property
    def digest(self) -> bytes:
        """The EIP-712 digest that the worker signs, 32 bytes."""
        answer = (_text_hash(self.answer),) if self.answer else ()
        struct = b"".join(
            (
                _EXACT_TYPE_HASH if self.answer else _TYPE_HASH,
                _text_hash(self.ledger),
                self.model_id,
                _text_hash(self.version),
                self.manifest,
                self.input_hash,
                self.output_hash,
                _text_hash(self.engine),
                *answer,
                self.price.to_bytes(32),
                self.nonce,
                self.time.to_bytes(32),
                bytes(12),
                self.worker,
            )
        )
        return keccak256(_PREFIX + keccak256(struct))

    @property
    def leaf(self) -> bytes:
        """Its leaf in a batch: OpenZeppelin's standard leaf of (bytes32 digest)."""
        return leaf_hash(self.digest)

    def sign(self, signer: Signer) -> SignedReceipt:
        """Sign as the worker that the receipt names."""
        return SignedReceipt(self, signer.sign_digest(self.digest))


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt with its worker's signature (r, s, v: 65 bytes)."""

    receipt: Receipt
    signature: bytes

    def verify(self) -> None:
        """Check that the worker named in the receipt signed it.

        Raises:
            ReceiptInvalid: it did not, or the signature is not in the one valid form.
        """
        try:
            signer = recover_account(self.receipt.digest, self.signature)
        except MalformedSignature as error:
            raise ReceiptInvalid(f"The receipt's signature is malformed. {error}") from error
        if signer != self.receipt.worker:
            raise ReceiptInvalid(
                f"The receipt names worker 0x{self.receipt.worker.hex()}, "
                f"but 0x{signer.hex()} signed these bytes."
            )

    def to_json(self) -> str:
        """Write the canonical JSON form (RFC 8785)."""
        return rfc8785.dumps(self.as_document()).decode()

    def as_document(self) -> dict[str, str | int]:
        """Give the JSON form as an object."""
        said = self.receipt
        return {
            "ledger": said.ledger,
            "modelId": _text(said.model_id),
            "version": said.version,
            "manifest": _text(said.manifest),
            "inputHash": _text(said.input_hash),
            "outputHash": _text(said.output_hash),
            "engine": said.engine,
            **({"answer": said.answer} if said.answer else {}),
            "price": str(said.price),
            "nonce": _text(said.nonce),
            "time": said.time,
            "worker": _text(said.worker),
            "signature": _text(self.signature),
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> SignedReceipt:
        """Parse the one canonical form; a line end after it, as editors add, is no part of it.

        Raises:
            ReceiptMalformed: it is anything else.
        """
        if len(text) > MAX_RECEIPT_BYTES:
            raise ReceiptMalformed(f"A receipt has at most {MAX_RECEIPT_BYTES} bytes.")
        try:
            plain = text if isinstance(text, str) else text.decode("ascii")
            document = read_json(plain)
        except (ValueError, RecursionError) as error:
            raise ReceiptMalformed("The receipt is not JSON.") from error
        parsed = cls.from_document(document)
        if parsed.to_json() != plain.removesuffix("\n"):
            raise ReceiptMalformed("The receipt is not in canonical form.")
        return parsed

    @classmethod
    def from_document(cls, document: object) -> SignedReceipt:
        """Take the parsed JSON form, strictly; raises as `from_json`."""
        match document:
            case {
                "ledger": str(ledger),
                "modelId": str(model_id),
                "version": str(version),
                "manifest": str(manifest),
                "inputHash": str(input_hash),
                "outputHash": str(output_hash),
                "engine": str(engine),
                "price": str(price),
                "nonce": str(nonce),
                "time": int(time),
                "worker": str(worker),
                "signature": str(signature),
                **rest,
            } if type(time) is int and _PRICE.fullmatch(price):
                receipt = Receipt(
                    ledger=ledger,
                    model_id=_bytes(model_id, 32),
                    version=version,
                    manifest=_bytes(manifest, 32),
                    input_hash=_bytes(input_hash, 32),
                    output_hash=_bytes(output_hash, 32),
                    engine=engine,
                    price=int(price),
                    time=time,
                    worker=_bytes(worker, 20),
                    nonce=_bytes(nonce, 32),
                    answer=_answer(rest),
                )
                return cls(receipt, _bytes(signature, 65))
        raise ReceiptMalformed("The receipt does not have the fields it must have.")


def _answer(rest: Mapping[object, object]) -> str:
    match rest:
        case {"answer": str(answer), **more} if answer and not more:
            return answer
        case {**more} if not more:
            return ""
    raise ReceiptMalformed("The receipt does not have the fields it must have.")


def _text(value: bytes) -> str:
    return f"0x{value.hex()}"


def _bytes(text: str, size: int) -> bytes:
    found = _HEX.fullmatch(text)
    if found is None or len(found[1]) != 2 * size:
        raise ReceiptMalformed(f"A field must be 0x and {2 * size} lower-case hex digits.")
    return bytes.fromhex(found[1])


def _is_plain(text: str) -> bool:
    return 1 <= len(text) <= MAX_TEXT and text.isascii() and text.isprintable()
