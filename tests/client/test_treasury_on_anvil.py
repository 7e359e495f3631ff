"""A treasury on a real node (Foundry's anvil): killed, and reorganised."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mortal import Killed, mortal_journal
from treasury_site import COIN, NOWHERE

from caimi.client.refilling.looking import Viewpoints
from caimi.client.refilling.planning import RefillLimits
from caimi.client.refilling.recipients import Recipient, TreasuryTerms
from caimi.client.refilling.rounds import LedgerTreasury
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.anvil import AnvilOptions, running_anvil
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.port import Account, LedgerId
from caimi.loopback import free_port
from caimi.persistence import journal_in

pytestmark = pytest.mark.anvil
LEDGER = LedgerId("eip155:31337")
TREASURY = LocalSigner.generate()


@asynccontextmanager
async def treasury_of(
    depth: int, *services: LocalSigner
) -> AsyncIterator[tuple[EvmLedger, LedgerTreasury]]:
    options = AnvilOptions(31337, free_port())
    async with running_anvil(options, {TREASURY.account: 100 * COIN}):
        ledger = EvmLedger(http_chain(LEDGER, options.url, Depth(depth)), NOWHERE)
        await ledger.chain.rpc.ask("anvil_mine", hex(depth + 1))
        coin = ledger.coins.asset
        terms = TreasuryTerms(
            "treasury",
            Account(LEDGER, TREASURY.account),
            RefillLimits(*(coin.of(each * COIN) for each in (1, 4, 10, 10))),
            tuple(Recipient(Account(LEDGER, each.account), "test") for each in services),
        )
        yield ledger, LedgerTreasury(Viewpoints((ledger,)), terms)
        await ledger.aclose()


async def balance(ledger: EvmLedger, who: LocalSigner) -> float:
    return await ledger.chain.balance(who.account) / COIN


async def test_killed_again_and_again_it_pays_each_account_once(tmp_path: Path) -> None:
    services = [LocalSigner.generate() for _ in range(2)]
    async with treasury_of(0, *services) as (ledger, treasury):
        for deadline in range(100):
            journal = mortal_journal(tmp_path / "journal.sqlite", deadline)
            try:
                async with treasury.round(journal) as found:
                    await found.carry_out(TREASURY)
                break
            except Killed:
                continue
            finally:
                journal.close()
        assert [await balance(ledger, each) for each in services] == [4, 4]
        assert 91.9 < await balance(ledger, TREASURY) < 92


async def test_a_payment_that_a_reorganisation_took_back_is_sent_again_as_it_was(
    tmp_path: Path,
) -> None:
    service = LocalSigner.generate()
    journal = journal_in(tmp_path / "journal.sqlite")
    async with treasury_of(3, service) as (ledger, treasury):
        before = await ledger.chain.rpc.ask("evm_snapshot")
        async with treasury.round(journal) as found:
            (paid,) = (await found.carry_out(TREASURY)).refilled
        assert await balance(ledger, service) == 4
        await ledger.chain.rpc.ask("evm_revert", before)
        assert await balance(ledger, service) == 0
        async with treasury.round(journal) as found:
            outcome = await found.carry_out(TREASURY)
        assert outcome.refilled == ()
        assert await balance(ledger, service) == 4
        assert await ledger.height_of(paid.tx) is not None
        await ledger.chain.rpc.ask("anvil_mine", "0x4")
        async with treasury.round(journal) as found:
            await found.carry_out(TREASURY)
        sight = await treasury.look(journal)
        assert (sight.open, sight.left.units < 6 * COIN) == ((), True)
    journal.close()
