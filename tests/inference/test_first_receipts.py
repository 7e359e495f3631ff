"""Receipts of version 1, as they were written: read, checked, and never made again."""

from dataclasses import replace
from pathlib import Path

import pytest

from caimi.errors.inference import ReceiptInvalid, ReceiptMalformed
from caimi.inference.first_receipts import FirstReceipt
from caimi.inference.receipt import SignedReceipt
from caimi.inference.receipt_json import receipt_from_document, receipt_from_json
from caimi.inference.receipt_store import KeptReceipt
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId

HERE = Path(__file__).parent
ACCOUNTS = EvmAccounts(LedgerId("eip155:31337"))
WALLET = ACCOUNTS.wallet(LocalSigner(b"\x07" * 32))
RECORDED = {
    "first_receipt.json": "ee8cea0cb5d15f96416ebdbefa4e714e73a05f4982e3a6137b01a32cae51d921",
    "first_exact_receipt.json": "187882c8e5f23b666d590447a2b016adaf94f696463d4515272a220839bc2431",
}
"""Files that the release before wrote, each with the digest that its worker signed."""


@pytest.fixture(params=RECORDED)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def signed(name: str) -> SignedReceipt:
    return receipt_from_json((HERE / name).read_bytes())


def test_they_are_read_in_their_form_with_the_worker_on_the_models_ledger(signed, name):
    assert f"{signed.to_json()}\n" == (HERE / name).read_text()
    assert signed.receipt.worker == WALLET.name
    assert signed.receipt.worker_ledger == signed.receipt.ledger


def test_they_verify_and_are_known_by_the_digest_that_they_always_had(signed, name):
    assert signed.verify(ACCOUNTS) == WALLET.account
    assert KeptReceipt.of(signed, ACCOUNTS).digest.hex() == RECORDED[name]


def test_no_flipped_bit_of_the_signature_is_accepted(signed):
    for at in range(0, 8 * 65, 7):
        raw = bytearray(signed.signature)
        raw[at // 8] ^= 1 << at % 8
        with pytest.raises(ReceiptInvalid):
            replace(signed, signature=bytes(raw)).verify(ACCOUNTS)


@pytest.mark.parametrize(
    "change",
    [{"price": "6"}, {"outputHash": "0x" + "09" * 32}, {"ledger": "eip155:31338"},
     {"worker": "0x" + "09" * 20}, {"answer": "caimi/9/f32"}, {"time": 1}],
)  # fmt: skip
def test_what_another_field_says_is_not_signed(signed, change):
    changed = receipt_from_document(signed.as_document() | change)
    with pytest.raises(ReceiptInvalid):
        changed.verify(EvmAccounts(changed.receipt.worker_ledger))


@pytest.mark.parametrize(
    "change",
    [{"worker": WALLET.name}, {"worker": "0x" + "01" * 32}, {"signature": "0x" + "00" * 64},
     {"signature": "0x" + "00" * 66}, {"ledger": "none"}, {"format": ""}, {"more": 1}],
)  # fmt: skip
def test_what_is_out_of_their_form_is_refused(signed, change):
    with pytest.raises(ReceiptMalformed):
        receipt_from_document(signed.as_document() | change)


def test_a_signature_of_one_version_is_none_of_the_other(signed):
    fields = {**signed.as_document(), "format": "caimi/receipt/2", "worker": WALLET.name}
    with pytest.raises(ReceiptInvalid):
        receipt_from_document(fields).verify(ACCOUNTS)


def test_they_are_no_longer_signed(signed):
    assert isinstance(signed.receipt, FirstReceipt)
    with pytest.raises(ReceiptInvalid):
        signed.receipt.sign(WALLET)
