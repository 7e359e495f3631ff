"""Accounts: one form over all ledgers, strictly read, and EVM's own writing of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.chains import PROVISIONAL_CHAIN_TYPES
from caimi.errors.base import CaimiError
from caimi.errors.ids import InvalidAccountId, InvalidInteroperableAddress
from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.evm.rpc.contract import address_on
from caimi.ledgers.port import Account, LedgerId

REFERENCES = st.from_regex(r"[-_a-zA-Z0-9]{1,32}", fullmatch=True)
LEDGERS = st.one_of(
    st.integers(1, 2**64).map(lambda number: f"eip155:{number}"),
    st.builds("{}:{}".format, st.sampled_from(sorted(PROVISIONAL_CHAIN_TYPES)), REFERENCES),
).map(LedgerId)
HERE = LedgerId("eip155:31337")
CODEC = EvmAccounts(HERE)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    ledger = draw(LEDGERS)
    size = (20, 20) if ledger.startswith("eip155:") else (1, 255)
    return Account(ledger, draw(st.binary(min_size=size[0], max_size=size[1])))


@given(accounts())
def test_the_interoperable_form_names_the_ledger_and_the_account(account: Account) -> None:
    assert Account.from_interoperable(account.interoperable) == account


@given(accounts(), accounts())
def test_two_accounts_never_have_one_form(one: Account, other: Account) -> None:
    assert (one == other) == (one.interoperable == other.interoperable)


@given(accounts(), st.data())
def test_any_other_bytes_are_another_account_or_none(account: Account, data: st.DataObject) -> None:
    raw = bytearray(account.interoperable)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        found = Account.from_interoperable(bytes(raw))
    except CaimiError:
        return
    assert found != account
    assert found.interoperable == bytes(raw)


@given(accounts())
def test_what_follows_an_account_is_refused(account: Account) -> None:
    with pytest.raises(InvalidInteroperableAddress):
        Account.from_interoperable(account.interoperable + b"\0")


def test_a_ledger_alone_is_no_account() -> None:
    alone = Account(HERE, b"").interoperable
    with pytest.raises(InvalidInteroperableAddress, match="no account"):
        Account.from_interoperable(alone)


def test_an_account_is_shown_with_its_ledger() -> None:
    assert str(Account(HERE, b"\xab" * 2)) == "eip155:31337:0xabab"


@given(st.binary(min_size=20, max_size=20))
def test_an_address_is_written_with_its_checksum_and_read_with_or_without(address: bytes) -> None:
    account = Account(HERE, address)
    text = CODEC.text(account)
    assert Account.from_caip(f"{HERE}:{text}") == account
    for written in (text, text.lower(), f"0x{text[2:].upper()}"):
        assert CODEC.parse(written) == account


@pytest.mark.parametrize("text", ["0x" + "1" * 39, "1" * 40, "0x" + "g" * 40, "0x" + "1" * 41])
def test_what_is_no_address_is_refused_and_told_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidAccountId) as refusal:
        CODEC.parse(text)
    assert "40 hexadecimal digits" in refusal.value.next_step


def test_a_mistyped_address_is_refused_by_its_checksum() -> None:
    text = CODEC.text(Account(HERE, b"\xab" * 20))
    letter = next(place for place, sign in enumerate(text) if sign.isupper())
    with pytest.raises(InvalidAccountId, match="mistyped"):
        CODEC.parse(text[:letter] + text[letter].lower() + text[letter + 1 :])


@pytest.mark.parametrize(
    "account", [Account(LedgerId("eip155:1"), b"\1" * 20), Account(HERE, b"\1" * 21)]
)
def test_no_call_is_made_of_an_account_that_is_not_of_the_ledger(account: Account) -> None:
    with pytest.raises(CallInvalid):
        address_on(HERE, account)
