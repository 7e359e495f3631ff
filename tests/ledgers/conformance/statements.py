"""Statements: what accounts sign besides transactions, and whose a signature is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.ids import InvalidAccountId, InvalidLedgerId
from caimi.ledgers.port import (
    Account,
    FieldType,
    Statement,
    StatementDomain,
    StatementType,
    account_named,
    name_of,
)
from conformance.facet import ELSEWHERE, Facet
from conformance.site import World

VALUES = {
    FieldType.STRING: st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    FieldType.BYTES: st.binary(max_size=70),
    FieldType.BYTES32: st.binary(min_size=32, max_size=32),
    FieldType.UINT64: st.integers(0, 2**64 - 1),
    FieldType.UINT256: st.integers(0, 2**256 - 1),
    FieldType.BOOL: st.booleans(),
}
"""The values of each type; a type that is not here fails the tests below."""
FIELD_NAMES = st.from_regex(r"[a-z][A-Za-z0-9]{0,5}", fullmatch=True)
TYPES = st.builds(
    StatementType,
    st.builds(StatementDomain, st.sampled_from(["A", "A1", "B"]), st.sampled_from(["1", "11"])),
    st.from_regex(r"[A-Z][a-z]?", fullmatch=True),
    st.lists(
        st.tuples(FIELD_NAMES, st.sampled_from(FieldType)),
        min_size=1,
        max_size=4,
        unique_by=lambda field: field[0],
    ).map(tuple),
)
STATEMENTS = TYPES.flatmap(
    lambda kind: st.tuples(*(VALUES[of] for _, of in kind.fields)).map(
        lambda values: Statement(kind, values)
    )
)
EVERY_TYPE = StatementType(
    StatementDomain("CAIMI tests", "1"),
    "Everything",
    tuple((f"the{of.name.capitalize()}", of) for of in FieldType),
)
SAID = EVERY_TYPE.state("words", b"some bytes", b"\x07" * 32, 7, 2**200, True)


def others() -> list[Statement]:
    """Give statements that differ from `SAID` in one thing each."""
    values = ("word", b"some byte", b"\x08" * 32, 8, 2**200 + 1, False)
    changed = [
        replace(SAID, values=(*SAID.values[:at], value, *SAID.values[at + 1 :]))
        for at, value in enumerate(values)
    ]
    domain, fields = EVERY_TYPE.domain, EVERY_TYPE.fields
    types = [
        replace(EVERY_TYPE, domain=replace(domain, name="CAIMI test")),
        replace(EVERY_TYPE, domain=replace(domain, version="2")),
        replace(EVERY_TYPE, name="Nothing"),
        replace(EVERY_TYPE, fields=(("another", FieldType.STRING), *fields[1:])),
        replace(EVERY_TYPE, fields=(("theString", FieldType.BYTES), *fields[1:])),
    ]
    renamed = [replace(SAID, type=kind) for kind in types[:-1]]
    return [*changed, *renamed, Statement(types[-1], (b"words", *SAID.values[1:]))]


class StatementsFacet(Facet):
    """The half of the port's `AccountCodec` that is about statements, and its wallets."""

    async def test_what_a_wallet_signs_is_its_accounts_and_no_others(self, world: World):
        accounts = world.ledger.accounts
        wallet = accounts.wallet(world.alice)
        alice, signature = world.account(world.alice), wallet.sign_statement(SAID)
        assert wallet.account == alice
        assert accounts.verify(SAID, alice, signature)
        assert not accounts.verify(SAID, world.account(world.bob), signature)
        assert not accounts.verify(SAID, Account(ELSEWHERE, alice.native), signature)

    async def test_a_signature_is_of_one_statement(self, world: World):
        accounts, alice = world.ledger.accounts, world.account(world.alice)
        signature = accounts.wallet(world.alice).sign_statement(SAID)
        assert len(others()) == len(FieldType) + 5
        for other in others():
            assert not accounts.verify(other, alice, signature)

    async def test_a_signature_has_one_form(self, world: World):
        accounts, alice = world.ledger.accounts, world.account(world.alice)
        signature = accounts.wallet(world.alice).sign_statement(SAID)
        for bit in range(8 * len(signature)):
            flipped = bytearray(signature)
            flipped[bit // 8] ^= 1 << bit % 8
            assert not accounts.verify(SAID, alice, bytes(flipped))
        for wrong in (b"", signature[:-1], signature[1:], signature + b"\0", bytes(len(signature))):
            assert not accounts.verify(SAID, alice, wrong)

    async def test_two_statements_are_never_signed_as_one(self, world: World):
        digest = world.ledger.accounts.digest

        @given(STATEMENTS, STATEMENTS)
        def compare(one: Statement, other: Statement) -> None:
            assert (digest(one) == digest(other)) == (one == other)

        @given(STATEMENTS, st.data())
        def change(one: Statement, data: st.DataObject) -> None:
            at = data.draw(st.integers(0, len(one.values) - 1))
            value = data.draw(VALUES[one.type.fields[at][1]])
            other = replace(one, values=(*one.values[:at], value, *one.values[at + 1 :]))
            assert (digest(one) == digest(other)) == (one.values[at] == value)
            assert len(digest(one)) == 32

        compare()
        change()

    async def test_what_stands_side_by_side_is_kept_apart(self, world: World):
        digest = world.ledger.accounts.digest
        domains = [StatementDomain("AB", "1"), StatementDomain("A", "B1")]
        kind = StatementType(domains[0], "T", (("a", FieldType.STRING), ("b", FieldType.STRING)))
        said = kind.state("1bstring2", "3")
        for other in (kind.state("1", "2bstring3"), kind.state("1bstring23", "")):
            assert digest(said) != digest(other)
        assert digest(said) != digest(replace(said, type=replace(kind, domain=domains[1])))

    async def test_an_account_is_named_in_one_form_with_its_ledger(self, world: World):
        accounts, alice = world.ledger.accounts, world.account(world.alice)
        name = name_of(alice, accounts)
        assert name == accounts.wallet(world.alice).name
        assert name == f"{world.ledger.id}:{accounts.text(alice)}"
        assert account_named(name, accounts) == alice
        elsewhere = f"{world.ledger.id}1:{accounts.text(alice)}"
        for wrong in (f" {name}", name.swapcase(), elsewhere, accounts.text(alice), ""):
            with pytest.raises((InvalidAccountId, InvalidLedgerId)):
                account_named(wrong, accounts)
