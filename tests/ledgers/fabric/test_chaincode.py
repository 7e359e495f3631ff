"""What the chaincode endorses, and what a peer's rule about reads makes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from site_of_stand_in import FabricSite
from stand_in import StandIn, StandInChannel

from caimi.errors.fabric import FabricChaincodeRefused, FabricEndorsersDisagree
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric.chaincode.contract import (
    MAX_ACTS,
    TICK_SECONDS,
    ActStatus,
    Chaincode,
)
from caimi.ledgers.fabric.channel import TransactionConflict
from caimi.ledgers.fabric.terms import AccountingTerms, FoundingTerms
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.values import decode_value, encode_value
from caimi.ledgers.port import LedgerId, SignedCall

HERE = LedgerId("fabric:near")
ASSET = AccountingTerms(issuer="a" * 52, symbol="E", decimals=0)


@pytest.fixture
async def site(tmp_path: Path) -> FabricSite:
    return await FabricSite.named("near", tmp_path)


async def signed(site: FabricSite, number: int = 1) -> SignedCall:
    ledger = site.open()
    call = ledger.receipts.anchor(bytes([number]) * 32, 1)
    try:
        return await ledger.sign(call, Ed25519Key())
    finally:
        await ledger.aclose()


def statuses(answer: bytes) -> list[str]:
    return [row[0] for row in decode_value(answer)]


async def test_what_was_endorsed_before_a_tick_and_is_ordered_after_it_does_not_count(site):
    tried = site.there.endorse("acts", ((await signed(site)).raw,))
    await site.advance(seconds=3600)
    with pytest.raises(TransactionConflict):
        site.there.commit(tried)


async def test_one_act_in_two_transactions_counts_once(site):
    raw = (await signed(site)).raw
    first, second = (site.there.endorse("acts", (raw,)) for _ in range(2))
    site.there.commit(first)
    with pytest.raises(TransactionConflict):
        site.there.commit(second)
    again = await StandInChannel(site.there).submit("acts", (raw,))
    assert statuses(again.answer) == [ActStatus.KNOWN]
    assert site.there.blocks[-1].transactions[0].writes == ()


async def test_one_act_twice_in_a_transaction_is_done_once(site):
    raw = (await signed(site)).raw
    done = await StandInChannel(site.there).submit("acts", (raw, raw))
    assert statuses(done.answer) == [ActStatus.DONE, ActStatus.KNOWN]


async def test_an_act_that_nobody_signed_is_left_out_and_the_others_are_done(site):
    good, bad = [(await signed(site, number)).raw for number in (1, 2)]
    spoilt = bad[:-1] + bytes([bad[-1] ^ 1])
    done = await StandInChannel(site.there).submit("acts", (spoilt, b"", good))
    assert statuses(done.answer) == [ActStatus.INVALID, ActStatus.INVALID, ActStatus.DONE]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("acts", ()),
        ("acts", [b""] * (MAX_ACTS + 1)),
        ("tick", ()),
        ("tick", (b"1_0",)),
        ("found", (b"",)),
        ("found", ()),
        ("found", (encode_value(("x", "y", "z", None)),)),
        ("about", (b"",)),
        ("no such function", ()),
        ("\ud800", ()),
    ],
)
async def test_what_is_no_transaction_of_ours_is_not_endorsed(site, function, arguments):
    with pytest.raises(FabricChaincodeRefused):
        site.there.endorse(function, arguments)


@pytest.mark.parametrize("text", [b"", b"01", b"-1", b"1_0", b" 1", b"9" * 19, b"1" * 21])
async def test_a_time_has_one_spelling(site, text):
    with pytest.raises(FabricChaincodeRefused, match="is no number"):
        site.there.endorse("tick", (text,))


async def test_who_carries_an_act_names_no_height_for_it(site):
    """What is no act is none, and changes nothing in those beside it."""
    raw = (await signed(site)).raw
    done = await StandInChannel(site.there).submit("acts", (b"9223372036854775807", raw))
    assert statuses(done.answer) == [ActStatus.INVALID, ActStatus.DONE]


async def test_a_tick_is_neither_soon_after_another_nor_ahead_of_any_organisations_clock(site):
    clock = int.from_bytes(site.there.values["clock"][0])
    for time in (clock, clock + TICK_SECONDS - 1, site.now() + TICK_SECONDS + 6):
        with pytest.raises(FabricChaincodeRefused):
            site.there.endorse("tick", (str(time).encode(),))
    site.shift += 60
    site.there.endorse("tick", (str(site.now()).encode(),))


def terms_of(who: str, asset: AccountingTerms | None = None) -> FoundingTerms:
    account = f"{who * 51}a"
    return FoundingTerms(HERE, account, account, asset)


def both(*terms: FoundingTerms | None) -> StandIn:
    return StandIn([Chaincode(HERE, each, lambda: 100) for each in terms])


@pytest.mark.parametrize(
    "other",
    [terms_of("b"), terms_of("a", ASSET)],
)
async def test_organisations_that_agreed_to_other_terms_found_nothing(other):
    ours = terms_of("a")
    there = both(ours, other)
    for each in (ours, other):
        with pytest.raises((FabricChaincodeRefused, FabricEndorsersDisagree)):
            await StandInChannel(there).submit("found", (each.encode(),))
    assert there.values == {}


async def test_terms_of_another_ledger_found_nothing_even_where_anybody_may():
    there = both(None, None)
    who = "a" * 52
    elsewhere = FoundingTerms(LedgerId("fabric:far"), who, who)
    with pytest.raises(FabricChaincodeRefused, match="not fabric:far"):
        await StandInChannel(there).submit("found", (elsewhere.encode(),))
    await StandInChannel(there).submit("found", (terms_of("a").encode(),))


async def test_a_ledger_is_founded_once():
    there = both(None, None)
    await StandInChannel(there).submit("found", (terms_of("a").encode(),))
    with pytest.raises(FabricChaincodeRefused, match="founded before"):
        await StandInChannel(there).submit("found", (terms_of("b").encode(),))


async def test_acts_before_the_founding_are_not_endorsed(site):
    raw = (await signed(site)).raw
    there = StandIn(site.there.organisations)
    with pytest.raises(FabricChaincodeRefused, match="not founded"):
        there.endorse("acts", (raw,))


async def test_acts_of_a_transaction_are_told_in_their_order(site):
    ledger = site.open()
    key = Ed25519Key()
    raws = [(await ledger.sign(ledger.receipts.anchor(bytes([n]) * 32, 1), key)) for n in (3, 1, 2)]
    done = await StandInChannel(site.there).submit("acts", [each.raw for each in raws])
    (block,) = await ledger.recent(done.block - 1)
    assert [fact.tx for fact in block.facts] == [each.tx for each in raws]
    assert [fact.fact.root for fact in block.facts] == [bytes([n]) * 32 for n in (3, 1, 2)]
    await ledger.aclose()


async def test_whoever_asked_before_a_pull_that_failed_pulls_again(site, monkeypatch):
    machine = site.machine(StandInChannel(site.there))
    first, second, third = (asyncio.create_task(machine.refresh()) for _ in range(3))
    ask, asked = StandInChannel.height, 0

    async def failing(channel):
        nonlocal asked
        asked += 1
        if asked == 2:
            raise LedgerUnavailable("No peer answers.")
        return await ask(channel)

    monkeypatch.setattr(StandInChannel, "height", failing)
    await first
    with pytest.raises(LedgerUnavailable):
        await second
    site.there.close_block(())
    await third
    assert (machine.head.height, asked) == (len(site.there.blocks) - 1, 3)
    await machine.aclose()
