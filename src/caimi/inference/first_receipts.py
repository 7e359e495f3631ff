"""Receipts of version 1, which are read and checked, and no longer made.

Their worker is an address of 20 bytes on the model's own ledger. They are EIP-712 typed data,
domain (name "CAIMI Receipt", version "1"), types ``Receipt`` and ``ExactReceipt`` as today's with
``address worker`` last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caimi.chains import AccountId
from caimi.errors.ids import InvalidAccountId, InvalidLedgerId
from caimi.errors.inference import ReceiptInvalid, ReceiptMalformed
from caimi.hashing import keccak256
from caimi.inference.receipt import Receipt, SignedReceipt
from caimi.ledgers.port import Account, AccountCodec, Wallet
from caimi.signatures import MalformedSignature, recover_account

SIGNATURE_BYTES: Final = 65
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


@dataclass(frozen=True)
class FirstReceipt(Receipt):
    """A receipt of version 1; its `worker` is named as an account of the model's ledger."""

    @property
    def _address(self) -> bytes:
        return bytes.fromhex(self.worker.rpartition(":0x")[2])

    def digest(self, accounts: AccountCodec) -> bytes:
        """Give its EIP-712 digest, whatever the ledger."""
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
                *((_text_hash(self.answer),) if self.answer else ()),
                self.price.to_bytes(32),
                self.nonce,
                self.time.to_bytes(32),
                bytes(12) + self._address,
            )
        )
        return keccak256(_PREFIX + keccak256(struct))

    def sign(self, wallet: Wallet) -> SignedReceipt:
        """Refuse: raises `ReceiptInvalid`."""
        raise ReceiptInvalid("Receipts of version 1 are no longer signed.")

    def is_signed(self, signature: bytes, account: Account, accounts: AccountCodec) -> bool:
        """Tell whether the key of the worker's address signed it, with low s."""
        try:
            return recover_account(self.digest(accounts), signature) == self._address
        except MalformedSignature:
            return False

    def as_document(self) -> dict[str, str | int]:
        """Give the fields of its JSON form: the worker is an address, and there is no format."""
        return {**self._plain_fields(), "worker": f"0x{self._address.hex()}"}


def first_worker(ledger: str, address: bytes) -> str:
    """Name the worker of a receipt of version 1 as an account of its ledger.

    Raises:
        ReceiptMalformed: the ledger is none.
    """
    try:
        return str(AccountId(ledger, f"0x{address.hex()}"))
    except (InvalidAccountId, InvalidLedgerId) as error:
        raise ReceiptMalformed(f"The receipt's ledger is none. {error.what}") from error


def _text_hash(text: str) -> bytes:
    return keccak256(text.encode())
