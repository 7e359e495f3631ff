"""Two accounts are one person's when the keys of both have signed it, and not otherwise."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from caimi.client.bindings import Binding, bind, bound_with
from caimi.errors.operations import BindingInvalid
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import Account, AccountCodec, LedgerId
from memory_ledger.words import MemoryAccounts, Wallet, WordBook

NEAR, NEXT, FAR = LedgerId("eip155:1"), LedgerId("eip155:2"), LedgerId("local:far")
BOOK = WordBook()
CODECS: dict[LedgerId, AccountCodec] = {
    NEAR: EvmAccounts(NEAR),
    NEXT: EvmAccounts(NEXT),
    FAR: MemoryAccounts(FAR, BOOK),
}
KEY, STRANGER, WORD, OTHER_WORD = (
    LocalSigner((7).to_bytes(32)),
    LocalSigner((8).to_bytes(32)),
    Wallet(b"alice"),
    Wallet(b"mallory"),
)
for word in (WORD, OTHER_WORD):
    BOOK.enrol(word)
MINE = CODECS[NEAR].wallet(KEY)
THEIRS = CODECS[FAR].wallet(WORD)
BOUND = bind(THEIRS, MINE, 1_800_000_000)


def test_accounts_of_unlike_ledgers_are_bound_by_both_their_keys() -> None:
    assert BOUND.verify(CODECS) == (Account(NEAR, KEY.account), Account(FAR, b"alice"))
    assert (BOUND.account, BOUND.other) == (MINE.name, "local:far:alice")


def test_two_accounts_are_bound_in_one_form() -> None:
    assert bind(MINE, THEIRS, BOUND.issued_at) == BOUND
    assert Binding.from_json(BOUND.to_json()) == BOUND
    with pytest.raises(BindingInvalid, match="does not come before"):
        Binding(BOUND.other, BOUND.account, BOUND.issued_at, BOUND.other_signature, BOUND.signature)
    with pytest.raises(BindingInvalid, match="does not come before"):
        bind(MINE, MINE, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"account": CODECS[NEAR].wallet(STRANGER).name},
        {"account": CODECS[NEXT].wallet(KEY).name},
        {"other": "local:far:mallory"},
        {"issued_at": BOUND.issued_at + 1},
        {"signature": BOUND.other_signature},
        {"other_signature": BOUND.signature},
        {"signature": BOUND.signature[:-1]},
        {"signature": b"\0" * 65},
    ],
)
def test_what_was_not_signed_binds_nothing(changes: dict[str, object]) -> None:
    with pytest.raises(BindingInvalid, match="has not signed"):
        replace(BOUND, **changes).verify(CODECS)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["signature", "other_signature"])
def test_nobody_binds_an_account_whose_key_they_lack(place: str) -> None:
    """One of the two accounts is the forger's, and so is that half of the binding."""
    forged = {
        "signature": bind(CODECS[NEAR].wallet(STRANGER), THEIRS, BOUND.issued_at).signature,
        "other_signature": bind(
            MINE, CODECS[FAR].wallet(OTHER_WORD), BOUND.issued_at
        ).other_signature,
    }
    with pytest.raises(BindingInvalid, match="has not signed"):
        replace(BOUND, **{place: forged[place]}).verify(CODECS)


def test_one_key_on_two_ledgers_is_two_accounts_until_it_binds_them() -> None:
    here, there = (Account(ledger, KEY.account) for ledger in (NEAR, NEXT))
    assert bound_with(here, [], CODECS) == {here}
    both = bind(MINE, CODECS[NEXT].wallet(KEY), 5)
    assert both.signature != both.other_signature
    assert bound_with(here, [both], CODECS) == {here, there}


def test_who_is_bound_to_one_of_a_persons_accounts_is_bound_to_all() -> None:
    near, far = BOUND.verify(CODECS)
    other = Account(NEXT, STRANGER.account)
    chain = [bind(THEIRS, CODECS[NEXT].wallet(STRANGER), 6), BOUND]
    assert bound_with(near, chain, CODECS) == {near, far, other}
    assert bound_with(Account(NEAR, STRANGER.account), chain, CODECS) == {
        Account(NEAR, STRANGER.account)
    }
    with pytest.raises(BindingInvalid):
        bound_with(near, [*chain, replace(BOUND, issued_at=6)], CODECS)


@pytest.mark.parametrize("gone", [NEAR, FAR])
def test_only_an_accounts_own_ledger_says_whose_a_signature_is(gone: LedgerId) -> None:
    with pytest.raises(BindingInvalid, match=r"not known here") as caught:
        BOUND.verify({ledger: codec for ledger, codec in CODECS.items() if ledger != gone})
    assert "[[ledgers]]" in caught.value.next_step


@pytest.mark.parametrize("name", [MINE.name.lower(), "eip155:1", "nobody", "eip155:1:0x12", ""])
def test_an_account_is_named_as_its_ledger_writes_it(name: str) -> None:
    with pytest.raises(BindingInvalid):
        replace(BOUND, account=name).verify(CODECS)


@pytest.mark.parametrize(
    "change",
    [
        {"account": 5},
        {"issued_at": -1},
        {"issued_at": 1.5},
        {"signature": ""},
        {"signature": "0x"},
        {"other_signature": f"0x{'00' * 4097}"},
        {"more": "x"},
    ],
)
def test_a_document_of_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BindingInvalid):
        Binding.from_json(json.dumps({**json.loads(BOUND.to_json()), **change}))
