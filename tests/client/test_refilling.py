"""Rounds of a treasury: who gets what, once, whatever is killed, lost, undone or lied about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mortal import Killed, mortal_journal
from treasury_site import COIN, LEDGER, START, TreasurySite

from caimi.client.refilling.planning import RefillPlan
from caimi.client.refilling.recipients import Recipient
from caimi.client.refilling.rounds import RefillOutcome
from caimi.errors.ledgers import (
    LedgerUnavailable,
    NotOffered,
    TransactionDisplaced,
    TransactionReverted,
)
from caimi.errors.operations import JournalBusy, JournalDamaged
from caimi.errors.treasury import ClockBehind, RefillCapped, RefillRefused, TreasuryShort
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.port import Account, Call, Done, Money, Signer
from lying_node import LyingNode

DAY = 24 * 3600


@pytest.fixture
def site(tmp_path: Path) -> TreasurySite:
    return TreasurySite(tmp_path, (LocalSigner.generate(), LocalSigner.generate()))


def units(outcome: RefillOutcome) -> list[float]:
    return [each.amount.units / COIN for each in outcome.refilled]


async def test_whoever_lacks_coins_is_filled_up_to_the_ceiling_and_then_left_alone(
    site: TreasurySite,
) -> None:
    one, two = site.services
    assert units(await site.refill()) == [4, 4]
    assert (site.coins(one), site.coins(two)) == (4, 4)
    assert await site.refill() == RefillOutcome()
    await site.drain(one, 1.1)
    assert await site.refill() == RefillOutcome()
    await site.drain(one, 0.5)
    await site.refill()
    assert 2.4 < site.coins(one) < 2.6  # what was left of the cap


async def test_a_drained_account_gets_no_more_in_a_day_than_the_cap_with_what_sending_costs(
    site: TreasurySite,
) -> None:
    thief = site.services[0]
    outcome = RefillOutcome()
    for _ in range(20):
        outcome = await site.refill()
        if site.coins(thief) > 0.01:
            await site.drain(thief)
        site.pass_time(3600)
    left = 100 - site.coins(site.treasury)
    assert 9.9 < left <= 10
    assert outcome.capped == (Account(LEDGER, thief.account),)
    (error,) = outcome.failures(site.ledger.accounts)
    assert isinstance(error, RefillCapped)
    assert site.ledger.accounts.text(outcome.capped[0]) in str(error)
    site.pass_time(4 * 3600)  # the first two payments are a day old
    assert units(await site.refill()) != []


async def test_the_cap_holds_when_the_machines_clock_goes_back_or_far_ahead(
    site: TreasurySite,
) -> None:
    await site.refill()
    for hours in (-1, 30 * 24, -1):
        for each in site.services:
            if site.coins(each) > 1:
                await site.drain(each)
        site.machine = START + hours * 3600
        await site.refill()
    assert 90 <= site.coins(site.treasury) < 90.01


async def test_a_clock_far_behind_the_ledgers_is_refused_by_name(site: TreasurySite) -> None:
    site.machine -= DAY
    with pytest.raises(ClockBehind):
        await site.refill()
    assert site.coins(site.treasury) == 100


async def test_killed_before_any_access_to_the_journal_it_pays_each_account_once(
    site: TreasurySite,
) -> None:
    for deadline in range(100):
        folder = site.folder / str(deadline)
        folder.mkdir()
        fresh = TreasurySite(folder, site.services, site.treasury)
        journal = mortal_journal(folder / "journal.sqlite", deadline)
        try:
            await fresh.refill(journal)
        except Killed:
            done = False
        else:
            done = True
        finally:
            journal.close()
        await fresh.refill()
        assert [fresh.coins(each) for each in fresh.services] == [4, 4], deadline
        assert 91.9 < fresh.coins(fresh.treasury) < 92
        sight = await fresh.opened().look(fresh.journal())
        assert (sight.open, sight.left.units < 2 * COIN) == ((), True)
        if done:
            break
    assert deadline > 10


async def test_killed_each_time_at_another_access_with_an_account_that_drains_the_cap_holds(
    site: TreasurySite,
) -> None:
    for deadline in range(60):
        journal = mortal_journal(site.folder / "journal.sqlite", deadline % 30)
        try:
            await site.refill(journal)
        except Killed:
            pass
        finally:
            journal.close()
        if site.coins(site.services[0]) > 1:
            await site.drain(site.services[0])
    assert 90 <= site.coins(site.treasury) < 90.1


class Losing(LyingNode):
    """A node whose answer is lost after it took a transaction, as often as told."""

    loses = 0

    async def submit(self, call: Call[Any], signer: Signer, **settings: Any) -> Done[Any]:
        done = await super().submit(call, signer, **settings)
        if self.loses:
            self.loses -= 1
            raise LedgerUnavailable("The line is cut.")
        return done


async def test_a_payment_whose_answer_is_lost_is_found_and_not_made_again(
    site: TreasurySite,
) -> None:
    node = Losing(site.ledger)
    site.views, node.loses = [node], 2
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            await site.refill()
    await site.refill()
    await site.refill()
    assert [site.coins(each) for each in site.services] == [4, 4]


async def test_a_decision_of_which_nothing_was_signed_is_looked_at_anew(
    site: TreasurySite,
) -> None:
    node = LyingNode(site.ledger)
    site.views = [node]

    async def die() -> None:
        raise Killed

    node.before_submit = die
    with pytest.raises(Killed):
        await site.refill()
    coins = site.ledger.coins
    for each in site.services:  # somebody fills them up by hand meanwhile
        call = coins.transfer(Account(LEDGER, each.account), coins.asset.of(2 * COIN))
        await site.ledger.submit(call, site.treasury)
    assert await site.refill() == RefillOutcome()
    assert [site.coins(each) for each in site.services] == [2, 2]


async def test_of_two_at_once_one_is_refused_and_nothing_is_paid_twice(site: TreasurySite) -> None:
    first, second = site.journal(), site.journal()
    async with site.opened().round(first) as found:
        with pytest.raises(JournalBusy):
            await site.refill(second)
        await found.carry_out(site.treasury)
    await site.refill(second)
    assert [site.coins(each) for each in site.services] == [4, 4]
    first.close()
    second.close()


def says_empty(account: Account, held: Money) -> Money:
    return held.asset.of(0)


async def test_one_node_that_lies_makes_nobody_paid_and_one_alone_no_more_than_the_cap(
    site: TreasurySite,
) -> None:
    await site.refill()
    liar = LyingNode(site.view())
    liar.tells = lambda who, held: held if who == site.terms.account else says_empty(who, held)
    site.views = [site.ledger, liar, site.view()]
    assert await site.refill() == RefillOutcome()
    site.views = [liar]
    for _ in range(5):
        await site.refill()
    assert 90 <= site.coins(site.treasury) <= 92


async def test_too_few_nodes_that_answer_pay_nobody(site: TreasurySite) -> None:
    dead = LyingNode(site.view())
    dead.down = True
    site.views = [site.ledger, site.view(), dead]
    with pytest.raises(LedgerUnavailable):
        await site.refill()
    assert site.coins(site.treasury) == 100
    site.quorum = 2
    assert units(await site.refill()) == [4, 4]


async def test_of_the_treasurys_own_coins_the_least_counts_that_a_node_tells(
    site: TreasurySite,
) -> None:
    poor = LyingNode(site.view())
    poor.tells = lambda who, held: held.asset.of(3 * COIN) if held.units > 50 * COIN else held
    site.views = [site.ledger, poor]
    sight = await site.opened().look(None)
    assert (sight.seen.treasury.units, sight.draining) == (3 * COIN, True)


async def test_what_is_not_final_makes_nobody_paid_and_is_not_paid_again(tmp_path: Path) -> None:
    site = TreasurySite(tmp_path, (LocalSigner.generate(),), finality=2)
    (one,) = site.services
    assert units(await site.refill()) == [4]
    sight = await site.opened().look(site.journal())
    assert [each.amount.units for each in sight.open] == [4 * COIN]
    await site.drain(one)
    sight = await site.opened().look(site.journal())
    assert (sight.low, sight.plan) == ((site.terms.recipients[0].account,), RefillPlan())
    assert await site.refill() == RefillOutcome()  # its payment is not final
    site.chain.mine()
    site.chain.mine()
    await site.refill()
    assert (await site.opened().look(site.journal())).open == ()
    await site.refill()
    site.chain.mine()
    site.chain.mine()
    await site.refill()
    assert site.coins(one) > 3.9
    await site.drain(one)
    assert await site.refill() == RefillOutcome()  # that it is low again is not final either
    assert site.coins(one) < 0.1


async def test_what_an_account_got_since_the_final_block_counts_whatever_one_node_says(
    tmp_path: Path,
) -> None:
    site = TreasurySite(tmp_path, (LocalSigner.generate(),), finality=2)
    coins, who = site.ledger.coins, site.terms.recipients[0].account
    await site.ledger.submit(coins.transfer(who, coins.asset.of(2 * COIN)), site.treasury)
    liar = LyingNode(site.view())
    liar.tells = lambda account, held: says_empty(account, held) if account == who else held
    site.views = [liar, site.ledger]
    assert await site.refill() == RefillOutcome()
    assert site.coins(who) == 2


async def contract_of(site: TreasurySite, code: bytes) -> Account:
    """Make a contract of some code."""
    size = f"{len(code):02x}"
    creation = bytes.fromhex(f"60{size}600c60003960{size}6000f3") + code
    call = EvmCall(LEDGER, "Creating a contract", b"", creation, 0, nothing)
    done = await site.ledger.submit(call, site.treasury)
    made = site.chain.mined(bytes.fromhex(done.tx[2:]))
    assert made is not None
    assert made.created is not None
    return Account(LEDGER, bytes(made.created))


def also_keep(site: TreasurySite, account: Account) -> None:
    kept = (Recipient(account, "test"), *site.terms.recipients)
    site.terms = replace(site.terms, recipients=kept)


async def test_an_account_whose_code_burns_what_the_treasury_pays_for_gets_nothing(
    site: TreasurySite,
) -> None:
    stores = bytes.fromhex("".join(f"60{at:02x}60{at:02x}55" for at in range(1, 7)))
    burning = await contract_of(site, stores)
    also_keep(site, burning)
    before = site.coins(site.treasury)
    outcome = await site.refill()
    assert outcome.refused == (burning,)
    assert units(outcome) == [4, 4]
    assert before - site.coins(site.treasury) < 8.001
    assert site.coins(burning) == 0


async def test_an_account_that_refuses_coins_keeps_them_from_nobody_else(
    site: TreasurySite,
) -> None:
    refusing = await contract_of(site, bytes.fromhex("60006000fd"))
    also_keep(site, refusing)
    outcome = await site.refill()
    assert outcome.refused == (refusing,)
    assert units(outcome) == [4, 4]
    assert [type(each) for each in outcome.failures(site.ledger.accounts)] == [RefillRefused]
    sight = await site.opened().look(site.journal())
    assert sight.left.units > 1.99 * COIN  # nothing of it was signed


class Refusing(LyingNode):
    """A node on whose ledger what was signed for an account is included, and fails."""

    async def submit(self, call: Call[Any], signer: Signer, **settings: Any) -> Done[Any]:
        await settings["outbox"].record(settings["key"], await self.truth.sign(call, signer))
        raise TransactionReverted("It takes no coins.", tx="0x01")


async def test_what_an_account_refuses_after_it_was_signed_counts_against_the_cap(
    site: TreasurySite,
) -> None:
    site.views = [Refusing(site.ledger)]
    outcome = await site.refill()
    assert len(outcome.refused) == 2
    for _ in range(3):
        await site.refill()
    sight = await site.opened().look(site.journal())
    assert sight.left.units < COIN  # so that what it costs has an end


class Unsent(LyingNode):
    """A node that keeps what was signed for accounts to itself, and then is gone."""

    async def submit(self, call: Call[Any], signer: Signer, **settings: Any) -> Done[Any]:
        await settings["outbox"].record(settings["key"], await self.truth.sign(call, signer))
        raise LedgerUnavailable("The line is cut.")


async def test_what_a_node_says_will_never_be_included_counts_and_is_not_signed_anew(
    tmp_path: Path,
) -> None:
    site = TreasurySite(tmp_path, (LocalSigner.generate(),))
    site.views = [Unsent(site.ledger)]
    with pytest.raises(LedgerUnavailable):
        await site.refill()
    site.views, coins = [site.ledger], site.ledger.coins
    away = coins.transfer(Account(LEDGER, b"\xdd" * 20), coins.asset.of(1))
    await site.ledger.submit(away, site.treasury)  # which has the payment's nonce
    with pytest.raises(TransactionDisplaced):
        await site.refill()
    assert site.coins(site.services[0]) == 0
    sight = await site.opened().look(site.journal())
    assert (sight.open, sight.spent.units) == ((), 4 * COIN)
    assert units(await site.refill()) == [4]
    assert (await site.opened().look(site.journal())).spent.units > 8 * COIN


async def test_a_treasury_that_cannot_pay_says_so(tmp_path: Path) -> None:
    services = tuple(LocalSigner.generate() for _ in range(3))
    site = TreasurySite(tmp_path, services, held=3 * COIN // 2)
    outcome = await site.refill()
    assert len(outcome.refilled) == 1
    assert len(outcome.short) == 2
    assert [type(each) for each in outcome.failures(site.ledger.accounts)] == [TreasuryShort]


async def test_a_record_that_is_not_whole_pays_nobody(site: TreasurySite) -> None:
    journal = site.journal()
    async with journal.operation("treasury", LEDGER, site.treasury.account.hex()) as operation:
        await operation.note(number=0, open=[], paid="nothing, believe me")
    journal.close()
    with pytest.raises(JournalDamaged):
        await site.refill()
    assert site.coins(site.treasury) == 100


async def test_a_ledger_without_a_coin_is_refused_by_name(site: TreasurySite) -> None:
    node = LyingNode(site.ledger)
    node.coins = None
    site.views = [node]
    with pytest.raises(NotOffered, match="no coin"):
        await site.refill()
