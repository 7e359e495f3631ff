"""Accounts: their writing, their one form for other ledgers, and whose they are."""

from __future__ import annotations

import pytest

from caimi.errors.ids import InvalidAccountId
from caimi.errors.ledgers import CallInvalid, NotOffered
from caimi.ledgers.port import Account, offered
from conformance.facet import ELSEWHERE, Facet
from conformance.site import World

DIGEST = b"\x07" * 32


class AccountsFacet(Facet):
    """The port's `AccountCodec`, and what takes accounts."""

    async def test_an_account_is_written_and_read_again(self, world: World):
        accounts, alice = world.ledger.accounts, world.account(world.alice)
        assert accounts.parse(accounts.text(alice)) == alice
        assert accounts.text(alice) != accounts.text(world.account(world.bob))
        assert Account.from_interoperable(alice.interoperable) == alice

    @pytest.mark.parametrize("text", ["", "nobody at all", "\x00", "local:elsewhere:alice"])
    async def test_what_is_no_account_is_not_read_as_one(self, world: World, text: str):
        with pytest.raises(InvalidAccountId):
            world.ledger.accounts.parse(text)

    async def test_an_account_of_another_ledger_is_refused(self, world: World):
        ledger, registry = world.ledger, world.ledger.registry
        model_id, mine = await world.published(), world.account(world.alice)
        foreign = Account(ELSEWHERE, mine.native)
        for build in (
            lambda: registry.transfer(model_id, mine, foreign),
            lambda: registry.approve(model_id, foreign),
            lambda: registry.model_id(foreign, "m"),
            lambda: ledger.market.withdraw(foreign),
        ):
            with pytest.raises(CallInvalid):
                build()
        with pytest.raises(CallInvalid):
            await ledger.receipts.anchored(foreign, DIGEST)


class ContractAccountsFacet(Facet):
    """What ledgers do on which an account can be a contract."""

    async def test_an_account_that_is_no_contract_approves_nothing(self, world: World):
        asked = offered(world.ledger.contract_accounts, world.ledger.id, "contract accounts")
        signature = world.alice.sign_digest(DIGEST)
        assert not await asked.approves(world.account(world.alice), DIGEST, signature)


class KeyAccountsFacet(Facet):
    """What ledgers do on which each account has a key."""

    async def test_no_account_is_a_contract(self, world: World):
        with pytest.raises(NotOffered):
            offered(world.ledger.contract_accounts, world.ledger.id, "contract accounts")
