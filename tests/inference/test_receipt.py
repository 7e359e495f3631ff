"""Receipts: one claim, one form, one signature; nothing else passes."""

import html
import json
import re
from dataclasses import fields, replace

import pytest
import rfc8785
from coincurve import PrivateKey
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st
from sha3 import keccak_256

from caimi.errors.inference import ReceiptInvalid, ReceiptMalformed
from caimi.inference.receipt import MAX_TIME, Receipt, SignedReceipt
from caimi.inference.receipt_json import (
    MAX_RECEIPT_BYTES,
    MAX_SIGNATURE_BYTES,
    receipt_from_document,
    receipt_from_json,
)
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNER = LocalSigner(PrivateKey(b"\x07" * 32).secret)
ACCOUNTS = EvmAccounts(LedgerId("eip155:31337"))
WALLET = ACCOUNTS.wallet(SIGNER)
WORD = st.binary(min_size=32, max_size=32)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=128)
RECEIPTS = st.builds(
    Receipt,
    ledger=TEXT,
    model_id=WORD,
    version=TEXT,
    manifest=WORD,
    input_hash=WORD,
    output_hash=WORD,
    engine=TEXT,
    price=st.integers(0, 2**256 - 1),
    time=st.integers(0, MAX_TIME),
    worker=st.just(WALLET.name),
    nonce=WORD,
    answer=st.just("") | TEXT,
)
PLAIN = [
    "string ledger",
    "bytes32 modelId",
    "string version",
    "bytes32 manifest",
    "bytes32 inputHash",
    "bytes32 outputHash",
    "string engine",
    "uint256 price",
    "bytes32 nonce",
    "uint64 time",
    "string worker",
]
MEMBERS = {"Receipt": PLAIN, "ExactReceipt": [*PLAIN[:7], "string answer", *PLAIN[7:]]}
TYPES = {
    "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}],
    **{
        primary: [{"name": line.split()[1], "type": line.split()[0]} for line in lines]
        for primary, lines in MEMBERS.items()
    },
}


def example() -> Receipt:
    return Receipt(
        ledger="eip155:31337",
        model_id=b"\x01" * 32,
        version="1.0.0",
        manifest=b"\x02" * 32,
        input_hash=b"\x03" * 32,
        output_hash=b"\x04" * 32,
        engine="onnxruntime/1.23.2/cpu",
        price=5,
        time=1_700_000_000,
        worker=WALLET.name,
        nonce=b"\x05" * 32,
        answer="caimi/2/f32",
    )


def typed_data(said: Receipt) -> dict[str, object]:
    document = SignedReceipt(said, bytes(65)).as_document()
    del document["signature"]
    primary = "ExactReceipt" if said.answer else "Receipt"
    return {
        "types": {name: TYPES[name] for name in ("EIP712Domain", primary)},
        "primaryType": primary,
        "domain": {"name": "CAIMI Receipt", "version": "2"},
        "message": document | {"price": said.price},
    }


def accepted(text: bytes) -> SignedReceipt | None:
    try:
        signed = receipt_from_json(text)
        signed.verify(ACCOUNTS)
    except (ReceiptMalformed, ReceiptInvalid):
        return None
    return signed


@given(RECEIPTS)
def test_the_digest_is_what_eth_account_makes_of_the_typed_data(said):
    message = encode_typed_data(full_message=typed_data(said))
    oracle = keccak_256(b"\x19" + message.version + message.header + message.body).digest()
    assert said.digest(ACCOUNTS) == oracle


@settings(max_examples=20)
@given(RECEIPTS)
def test_a_wallet_recovers_the_worker(said):
    signed = said.sign(WALLET)
    message = encode_typed_data(full_message=typed_data(said))
    recovered = Account.recover_message(message, signature=signed.signature)
    assert f"eip155:31337:{recovered}" == said.worker


@given(RECEIPTS)
def test_json_keeps_every_field(said):
    signed = said.sign(WALLET)
    for form in (signed.to_json(), signed.to_json().encode(), signed.to_json() + "\n"):
        assert receipt_from_json(form) == signed
    assert receipt_from_document(json.loads(signed.to_json())) == signed
    assert accepted(signed.to_json().encode()) == signed


@settings(max_examples=300)
@given(st.data())
def test_no_flipped_bit_of_the_text_is_accepted(data):
    text = bytearray(example().sign(WALLET).to_json().encode())
    at = data.draw(st.integers(0, 8 * len(text) - 1))
    text[at // 8] ^= 1 << at % 8
    assert accepted(bytes(text)) is None


@settings(max_examples=200)
@given(st.integers(0, 10_000), st.binary(max_size=3), st.integers(0, 3))
def test_no_edit_of_the_text_is_accepted(at, inserted, removed):
    text = example().sign(WALLET).to_json().encode()
    at %= len(text) + 1
    edited = text[:at] + inserted + text[at + removed :]
    if edited not in (text, text + b"\n"):
        assert accepted(edited) is None


@settings(max_examples=200)
@given(st.sampled_from([field.name for field in fields(Receipt)]), st.data())
def test_no_flipped_bit_of_a_field_is_accepted(name, data):
    signed = example().sign(WALLET)
    value = getattr(signed.receipt, name)
    if isinstance(value, int):
        other: object = value ^ 1 << data.draw(st.integers(0, 52))
    else:
        raw = bytearray(value.encode() if isinstance(value, str) else value)
        at = data.draw(st.integers(0, 8 * len(raw) - 1))
        raw[at // 8] ^= 1 << at % 8
        other = raw.decode("latin1") if isinstance(value, str) else bytes(raw)
    with pytest.raises((ReceiptInvalid, ReceiptMalformed)):
        replace(signed, receipt=replace(signed.receipt, **{name: other})).verify(ACCOUNTS)


def test_an_answer_id_is_neither_put_to_a_receipt_nor_taken_from_it():
    for mine, other in (("caimi/2/f32", ""), ("", "caimi/2/f32")):
        signed = replace(example(), answer=mine).sign(WALLET)
        with pytest.raises(ReceiptInvalid):
            replace(signed, receipt=replace(signed.receipt, answer=other)).verify(ACCOUNTS)


@pytest.mark.parametrize("answer", ["", 5, None, "a\nb", "x" * 129])
def test_an_answer_id_that_is_stated_is_plain_text_of_one_character_or_more(answer):
    document = example().sign(WALLET).as_document() | {"answer": answer}
    with pytest.raises(ReceiptMalformed):
        receipt_from_document(document)


def test_a_receipt_without_an_answer_id_has_the_form_that_it_always_had():
    said = replace(example(), answer="").sign(WALLET)
    assert "answer" not in said.as_document()
    assert receipt_from_json(said.to_json()) == said


def test_no_flipped_bit_of_the_signature_is_accepted():
    signed = example().sign(WALLET)
    for at in range(8 * 65):
        raw = bytearray(signed.signature)
        raw[at // 8] ^= 1 << at % 8
        with pytest.raises(ReceiptInvalid):
            replace(signed, signature=bytes(raw)).verify(ACCOUNTS)


def test_the_twin_of_a_signature_with_high_s_is_refused():
    signed = example().sign(WALLET)
    high = ORDER - int.from_bytes(signed.signature[32:64])
    twin = signed.signature[:32] + high.to_bytes(32) + bytes([55 - signed.signature[64]])
    key = SIGNER.private_key.public_key
    raw = twin[:64] + bytes([twin[64] - 27])
    recovered = type(key).from_signature_and_message(
        raw, signed.receipt.digest(ACCOUNTS), hasher=None
    )
    assert recovered == key  # the same key signs with it, were it not for the rule
    with pytest.raises(ReceiptInvalid):
        replace(signed, signature=twin).verify(ACCOUNTS)


@pytest.mark.parametrize(
    "signature", [b"", bytes(65), bytes(64) + b"\x1b", b"\xff" * 65, bytes(66)]
)
def test_what_is_no_signature_is_refused(signature):
    with pytest.raises(ReceiptInvalid):
        SignedReceipt(example(), signature).verify(ACCOUNTS)


def test_the_signature_of_another_worker_is_refused_naming_who_did_not_sign():
    other = ACCOUNTS.wallet(LocalSigner.generate())
    forged = SignedReceipt(example(), other.sign_statement(example().statement))
    with pytest.raises(ReceiptInvalid) as refused:
        forged.verify(ACCOUNTS)
    assert WALLET.name in refused.value.what


def test_nobody_signs_anothers_receipt():
    other = ACCOUNTS.wallet(LocalSigner.generate())
    with pytest.raises(ReceiptInvalid) as refused:
        example().sign(other)
    assert WALLET.name in refused.value.what
    assert other.name in refused.value.what


def test_a_receipt_of_an_account_elsewhere_is_not_the_same_keys_here():
    elsewhere = EvmAccounts(LedgerId("eip155:1"))
    signed = replace(example(), worker=elsewhere.wallet(SIGNER).name).sign(elsewhere.wallet(SIGNER))
    signed.verify(elsewhere)
    for codec, said in (
        (ACCOUNTS, signed),
        (ACCOUNTS, replace(signed, receipt=replace(signed.receipt, worker=WALLET.name))),
    ):
        with pytest.raises(ReceiptInvalid):
            said.verify(codec)


def test_a_worker_that_its_ledger_does_not_write_so_has_signed_nothing():
    signed = replace(example(), worker="local:one:alice")
    with pytest.raises(ReceiptInvalid, match="no account"):
        SignedReceipt(signed, bytes(65)).verify(ACCOUNTS)


@given(RECEIPTS)
def test_the_text_is_the_one_of_rfc_8785(said):
    signed = SignedReceipt(said, b"\x01" * 65)
    assert signed.to_json().encode() == rfc8785.dumps(signed.as_document())


def document() -> dict[str, object]:
    return dict(example().sign(WALLET).as_document())


@pytest.mark.parametrize(
    "change",
    [
        {"price": "05"}, {"price": "+5"}, {"price": "5 "}, {"price": "\u0665"}, {"price": ""},
        {"price": 5},
        {"price": str(2**256)}, {"price": "9" * 100}, {"price": "-1"},
        {"time": True}, {"time": 1.0}, {"time": "1"}, {"time": -1}, {"time": MAX_TIME + 1},
        {"modelId": "0x" + "AB" * 32}, {"modelId": "ab" * 33}, {"modelId": "0x" + "a " * 32},
        {"modelId": "0x" + "ab" * 31}, {"nonce": "0X" + "05" * 32},
        {"nonce": "0x" + "\u0665" * 64},
        {"ledger": ""}, {"ledger": "x" * 129}, {"engine": "\ud800"}, {"engine": "a\nb"},
        {"version": "1.0.0\0"}, {"version": None}, {"signature": "0x"},
        {"signature": "0x" + "00" * (MAX_SIGNATURE_BYTES + 1)}, {"signature": "0x" + "0" * 129},
        {"worker": "0x" + "01" * 32}, {"worker": "0x" + "01" * 20}, {"worker": WALLET.name.lower()},
        {"worker": "eip155:31337"}, {"worker": f"eip155:031337:{WALLET.name[-42:]}"},
        {"worker": "local:one:alice\n"}, {"worker": "local:one:" + "a" * 129}, {"worker": ""},
        {"format": "caimi/receipt/1"}, {"format": "caimi/receipt/3"}, {"format": None},
        {"more": 1},
    ],
)  # fmt: skip
def test_a_field_out_of_form_is_refused(change):
    with pytest.raises(ReceiptMalformed):
        receipt_from_document(document() | change)


@pytest.mark.parametrize("name", [name for name in document() if name != "answer"])
def test_a_missing_field_is_refused(name):
    lacking = {key: value for key, value in document().items() if key != name}
    with pytest.raises(ReceiptMalformed):
        receipt_from_document(lacking)


def test_only_the_canonical_text_is_taken():
    text = example().sign(WALLET).to_json()
    others = [
        json.dumps(document()),
        json.dumps(document(), indent=1),
        text.replace('"engine"', '"engine":"x","engine"', 1),
        text.replace("1.0.0", "\\u0031.0.0"),
        f" {text}",
        f"{text} ",
        f"{text}\n\n",
        text.encode("utf-16"),
        b"\xef\xbb\xbf" + text.encode(),
        text.replace("1700000000", "1.7e9"),
    ]
    for other in others:
        with pytest.raises(ReceiptMalformed):
            receipt_from_json(other)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "1", "[" * 60_000, b"\xff\xfe", "x" * (MAX_RECEIPT_BYTES + 1),
     '{"time":NaN}',
     '{"time":' + "9" * 5000 + "}", "\ud800"],
)  # fmt: skip
def test_what_is_no_receipt_is_refused(text):
    with pytest.raises(ReceiptMalformed):
        receipt_from_json(text)


def test_two_receipts_do_not_share_a_nonce_by_default():
    said = {field.name: getattr(example(), field.name) for field in fields(Receipt)}
    del said["nonce"]
    assert Receipt(**said).nonce != Receipt(**said).nonce


@given(RECEIPTS)
def test_a_notebook_shows_what_a_receipt_says_and_obeys_none_of_it(receipt):
    text = receipt.sign(WALLET)._repr_html_()
    assert text.startswith("<table>")
    assert set(re.findall(r"</?([a-z]+)", text)) == {"table", "caption", "b", "tr", "th", "td"}
    assert html.escape(receipt.engine) in text
    assert "not verified" in text


def test_a_receipt_s_text_is_no_html():
    signed = replace(example(), engine="<script>alert(1)</script>").sign(WALLET)
    assert "<script" not in signed._repr_html_()
