"""Statements as EVM ledgers have them are EIP-712 typed data, and only what fits is stated."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conformance.statements import EVERY_TYPE, SAID, STATEMENTS
from eth_account.messages import encode_typed_data
from hypothesis import given

from caimi.hashing import keccak256
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import FieldType, LedgerId, Statement, StatementDomain, StatementType
from caimi.signatures import ORDER

CODEC = EvmAccounts(LedgerId("eip155:31337"))
TEXT = FieldType.STRING


@given(STATEMENTS)
def test_the_digest_is_what_eth_account_makes_of_the_typed_data(statement: Statement) -> None:
    kind = statement.type
    names = [name for name, _ in kind.fields]
    message = encode_typed_data(
        domain_data={"name": kind.domain.name, "version": kind.domain.version},
        message_types={kind.name: [{"name": n, "type": of.value} for n, of in kind.fields]},
        message_data=dict(zip(names, statement.values, strict=True)),
    )
    whole = b"\x19" + message.version + message.header + message.body
    assert CODEC.digest(statement) == keccak256(whole)


def test_the_other_form_of_a_signature_is_none() -> None:
    wallet = CODEC.wallet(LocalSigner.generate())
    signature = wallet.sign_statement(SAID)
    s, v = int.from_bytes(signature[32:64]), signature[64]
    other = signature[:32] + (ORDER - s).to_bytes(32) + bytes([55 - v])
    assert CODEC.verify(SAID, wallet.account, signature)
    assert not CODEC.verify(SAID, wallet.account, other)


def test_an_account_of_another_ledger_signs_nothing_here() -> None:
    wallet = CODEC.wallet(LocalSigner.generate())
    signature = wallet.sign_statement(SAID)
    assert CODEC.verify(SAID, wallet.account, signature)
    elsewhere = replace(wallet.account, ledger=LedgerId("eip155:1"))
    assert not CODEC.verify(SAID, elsewhere, signature)


@pytest.mark.parametrize("at", range(len(SAID.values)))
def test_a_value_of_another_type_is_not_stated(at: int) -> None:
    for value in ("text", b"bytes", 7, True, None, 1.5, bytes(31), bytes(33), 1 << 256, -1):
        kind = EVERY_TYPE.fields[at][1]
        fits = {
            FieldType.STRING: value == "text",
            FieldType.BYTES: isinstance(value, bytes),
            FieldType.BYTES32: False,
            FieldType.UINT64: value == 7 and value is not True,
            FieldType.UINT256: value == 7 and value is not True,
            FieldType.BOOL: value is True,
        }
        values = (*SAID.values[:at], value, *SAID.values[at + 1 :])
        if fits[kind]:
            assert EVERY_TYPE.state(*values).values == values
        else:
            with pytest.raises(ValueError, match=EVERY_TYPE.fields[at][0]):
                EVERY_TYPE.state(*values)


def test_numbers_are_as_large_as_their_types() -> None:
    before, last = SAID.values[:3], SAID.values[-1]
    EVERY_TYPE.state(*before, (1 << 64) - 1, (1 << 256) - 1, last)
    with pytest.raises(ValueError, match="uint64"):
        EVERY_TYPE.state(*before, 1 << 64, 0, last)


def test_text_that_utf_8_cannot_hold_is_not_stated() -> None:
    with pytest.raises(ValueError, match="string"):
        EVERY_TYPE.state("\ud800", *SAID.values[1:])


@pytest.mark.parametrize("values", [(), SAID.values[:-1], (*SAID.values, 1)])
def test_every_field_has_a_value_and_nothing_follows(values: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="6 fields"):
        Statement(EVERY_TYPE, values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "type"},
        {"name": "Type(string text)"},
        {"name": ""},
        {"fields": ()},
        {"fields": (("Text", TEXT),)},
        {"fields": (("text,string more", TEXT),)},
        {"fields": (("text", TEXT), ("text", FieldType.BOOL))},
    ],
)
def test_a_type_has_names_that_are_names_each_once(change: dict[str, object]) -> None:
    fine = StatementType(StatementDomain("CAIMI", "1"), "Type", (("text", TEXT),))
    with pytest.raises(ValueError, match=r"type|fields"):
        replace(fine, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "version"), [("", "1"), ("CAIMI", ""), ("a\n", "1"), ("é", "1")])
def test_a_domain_has_a_name_and_a_version_that_can_be_shown(name: str, version: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        StatementDomain(name, version)
