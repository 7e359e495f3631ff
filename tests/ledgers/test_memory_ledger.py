"""The port's suite on a ledger that is as unlike EVM as can be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conformance.site import Killed, MemoryOutbox, World

from caimi.errors.ledgers import CallInvalid, LedgerBehind, TransactionReverted, TransactionStuck
from caimi.ledgers.machine.machine import LAPSES_AFTER
from caimi.ledgers.port import Exactly, SignedCall
from conformance import (
    CoinlessFacet,
    FeesFacet,
    ForkingFacet,
    KeyAccountsFacet,
    LedgerConformance,
    NoFeesFacet,
    NoPastFacet,
    NoProofsFacet,
    NoReadsFacet,
    NoWatchingFacet,
    PastFacet,
)
from memory_ledger import MemoryChain, MemorySite, Wallet


@pytest.fixture
def site() -> MemorySite:
    return MemorySite.named("near")


@pytest.fixture
def far() -> MemorySite:
    return MemorySite.named("far")


class TestMemoryLedger(
    LedgerConformance,
    CoinlessFacet,
    NoPastFacet,
    KeyAccountsFacet,
    NoFeesFacet,
    NoWatchingFacet,
    ForkingFacet,
    NoProofsFacet,
    NoReadsFacet,
):
    """The whole suite in memory, and what only such a ledger does."""

    async def test_what_lapsed_is_not_made_anew_before_that_is_final(
        self, world: World, site: MemorySite
    ):
        outbox, call = (
            MemoryOutbox(die_after_record=True),
            world.ledger.receipts.anchor(b"\1" * 32, 1),
        )
        with pytest.raises(Killed):
            await world.ledger.submit(call, world.alice, outbox=outbox, key="k")
        deep = site.deep(3)
        await site.advance(blocks=LAPSES_AFTER)
        with pytest.raises(TransactionStuck, match="lapsed"):
            await deep.submit(call, world.alice, outbox=outbox, key="k")
        await site.advance(blocks=3)
        done = await deep.submit(call, world.alice, outbox=outbox, key="k")
        assert done.tx == outbox.entries["k#1"].tx
        with pytest.raises(CallInvalid, match="lapsed"):
            await deep.broadcast(outbox.entries["k"])
        assert await site.sent(world.alice) == 1

    async def test_an_outbox_that_runs_out_of_time_is_not_taken_for_the_ledger(self, world: World):
        class Slow(MemoryOutbox):
            async def record(self, key: str, call: SignedCall) -> None:
                raise TimeoutError

        call = world.ledger.receipts.anchor(b"\1" * 32, 1)
        with pytest.raises(TimeoutError):
            await world.ledger.submit(call, world.alice, outbox=Slow(), key="k")

    async def test_a_word_is_only_its_own_keys(self, world: World):
        call = world.ledger.registry.publish("m", "1.0.0", b"\1" * 32)
        with pytest.raises(CallInvalid, match="did not sign"):
            await world.ledger.submit(call, Wallet(b"alice"))
        with pytest.raises(CallInvalid, match="did not sign"):
            await world.ledger.submit(call, Wallet(b"nobody"))

    async def test_nobody_acts_as_a_contract(self, world: World, site: MemorySite):
        bridge = await site.wallet("bridge")
        call = world.ledger.registry.publish("m", "1.0.0", b"\1" * 32)
        with pytest.raises(TransactionReverted) as refusal:
            await world.ledger.submit(call, bridge)
        assert refusal.value.error == "ContractAccount"

    async def test_a_call_signed_for_one_ledger_is_none_of_anothers(
        self, world: World, site: MemorySite, far: MemorySite
    ):
        signed = await world.ledger.sign(
            world.ledger.registry.publish("m", "1.0.0", b"\1" * 32), world.alice
        )
        far.chain.book.enrol(world.alice)
        with pytest.raises(CallInvalid, match="is for local:near"):
            await far.open().broadcast(replace(signed, ledger=far.chain.id))

    async def test_a_height_that_is_to_come_is_not_gone(self, world: World):
        head = await world.ledger.head()
        with pytest.raises(LedgerBehind):
            await world.ledger.registry.find(b"\1" * 32, Exactly(head.height + 1))

    async def test_it_forks_within_its_finality_and_no_deeper(self, site: MemorySite):
        deep, alice = site.deep(3), await site.wallet("alice")
        done = await deep.submit(deep.receipts.anchor(b"\1" * 32, 1), alice)
        await site.advance(blocks=2)
        undone = await deep.block(done.height)
        site.chain.undo(3)
        assert (await deep.head()).height == done.height - 1
        assert await deep.receipts.anchored(site.chain.account(alice.account), b"\1" * 32) is None
        assert await site.sent(alice) == 0
        await site.advance()
        assert (await deep.block(done.height)).hash != undone.hash
        await site.advance(blocks=2)
        with pytest.raises(AssertionError, match="is gone"):
            site.chain.undo(4)


class TestMemoryLedgerWithMore(
    LedgerConformance,
    CoinlessFacet,
    PastFacet,
    FeesFacet,
    NoWatchingFacet,
    KeyAccountsFacet,
    ForkingFacet,
    NoProofsFacet,
    NoReadsFacet,
):
    """One that keeps its past, and has points to pay relayers with."""

    @pytest.fixture
    def site(self) -> MemorySite:
        return MemorySite(MemoryChain("near", keeps_past=True, work_price=1))
