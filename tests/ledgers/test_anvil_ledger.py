"""The port's suite on a real node process (Foundry's anvil), and what only a mempool shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise

import pytest
from evm_conformance import EvmConformance
from evm_sites import AnvilSite, SilentAnvilSite
from ledger_site import COIN, EvmSite, Killed, MemoryOutbox
from subprocess_anvil import anvil_process

from caimi.errors.ledgers import (
    AnvilFailed,
    AnvilMissing,
    LedgerUnavailable,
    TransactionFailed,
    TransactionStuck,
)
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.anvil import AnvilOptions, find_anvil, running_anvil
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RetryPolicy
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.evm.transactions.outgoing import read_signed, sign_call
from caimi.ledgers.evm.transactions.sender import Patience
from caimi.ledgers.port import Account, Call
from caimi.loopback import free_port
from conformance import (
    ContractAccountsFacet,
    FeesFacet,
    ForkingFacet,
    HaltingFacet,
    LedgerConformance,
    NoReadsFacet,
    PastFacet,
    ProofsFacet,
    SellingFacet,
    WatchingFacet,
)
from memory_ledger import MemorySite

pytestmark = pytest.mark.anvil

HASTY = Patience(stuck_after=0.3, give_up_after=8.0, longest_look=0.1)


@contextmanager
def anvil_site(number: int) -> Iterator[AnvilSite]:
    rich = LocalSigner.generate()
    options = AnvilOptions(number, free_port())

    def reach() -> Chain:
        return http_chain(f"eip155:{number}", options.url, Depth(0))

    async def prepare() -> Deployment:
        chain = reach()
        deployment = await deploy(chain, rich)
        await chain.rpc.aclose()
        return deployment

    with anvil_process(options, {rich.account: 1_000_000 * COIN}, group=0) as process:
        yield AnvilSite(reach, rich, asyncio.run(prepare()), process)


@pytest.fixture(scope="module")
def site() -> Iterator[AnvilSite]:
    with anvil_site(31338) as place:
        yield place


@pytest.fixture
def far() -> MemorySite:
    return MemorySite.named("far")


class TestAnvilLedger(
    LedgerConformance,
    SellingFacet,
    PastFacet,
    ContractAccountsFacet,
    FeesFacet,
    WatchingFacet,
    ForkingFacet,
    ProofsFacet,
    NoReadsFacet,
    EvmConformance,
):
    """The whole suite over HTTP."""


class TestSilentAnvil(HaltingFacet):
    """A node that hangs."""

    @pytest.fixture
    def site(self, site: AnvilSite) -> SilentAnvilSite:
        return SilentAnvilSite(site.reach, site.rich, site.deployment, site.process)


@asynccontextmanager
async def unmined(
    site: EvmSite, patience: Patience = HASTY
) -> AsyncIterator[tuple[EvmLedger, LocalSigner]]:
    """A ledger whose node has stopped mining, and an account with coins."""
    ledger = site.ledger(patience)
    alice = LocalSigner.generate()
    await ledger.submit(
        ledger.coins.transfer(Account(ledger.id, alice.account), ledger.coins.asset.of(10 * COIN)),
        site.rich,
    )
    await ledger.chain.rpc.ask("evm_setAutomine", False)
    try:
        yield ledger, alice
    finally:
        await ledger.chain.rpc.ask("anvil_dropAllTransactions")
        await ledger.chain.rpc.ask("evm_setAutomine", True)
        await ledger.aclose()


async def pool(ledger: EvmLedger) -> dict[int, str]:
    """The pending transactions: nonce to hash."""
    content = await ledger.chain.rpc.ask("txpool_content")
    return {
        int(entry["nonce"], 16): entry["hash"]
        for sender in content["pending"].values()
        for entry in sender.values()
    }


async def two_wait(ledger: EvmLedger) -> bool:
    return len(await pool(ledger)) == 2


async def _seen(fact: bool) -> bool:
    return fact


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


async def sent(ledger: EvmLedger, who: LocalSigner) -> int:
    count = await ledger.chain.rpc.ask(
        "eth_getTransactionCount", f"0x{who.account.hex()}", "latest"
    )
    return int(count, 16)


def publishing(ledger: EvmLedger, name: str = "m") -> Call[None]:
    return ledger.registry.publish(name, "1.0.0", b"\x01" * 32)


async def test_a_stuck_transaction_is_replaced_under_its_nonce_for_an_eighth_more(site: EvmSite):
    async with unmined(site) as (ledger, alice):
        outbox = MemoryOutbox()
        task = asyncio.create_task(ledger.submit(publishing(ledger), alice, outbox=outbox, key="k"))
        await until(lambda: _seen("k#2" in outbox.entries))
        attempts = [read_signed(outbox.entries[key], 31338) for key in ("k", "k#1", "k#2")]
        assert len({attempt.nonce for attempt in attempts}) == 1
        for earlier, later in pairwise(attempts):
            assert 8 * later.fees.most >= 9 * earlier.fees.most
            assert 8 * later.fees.tip >= 9 * earlier.fees.tip
        await asyncio.sleep(0.1)
        assert (await pool(ledger))[attempts[0].nonce] == outbox.entries["k#2"].tx
        await ledger.chain.rpc.ask("evm_mine")
        receipt = await task
        assert receipt.tx == outbox.entries[max(outbox.entries)].tx
        assert await sent(ledger, alice) == 1


async def test_a_replaced_transaction_is_found_by_a_later_process(site: EvmSite):
    async with unmined(site) as (ledger, alice):
        outbox = MemoryOutbox()
        brief = site.ledger(Patience(stuck_after=0.2, give_up_after=0.7, longest_look=0.1))
        with pytest.raises(TransactionStuck):
            await brief.submit(publishing(ledger), alice, outbox=outbox, key="k")
        await brief.aclose()
        assert len(outbox.entries) > 1
        await ledger.chain.rpc.ask("evm_mine")
        before = dict(outbox.entries)
        receipt = await ledger.submit(publishing(ledger), alice, outbox=outbox, key="k")
        assert receipt.tx in {entry.tx for entry in before.values()}
        assert outbox.entries == before
        assert await sent(ledger, alice) == 1


async def test_a_transaction_the_node_has_lost_is_sent_again(site: EvmSite):
    async with unmined(site) as (ledger, alice):
        outbox = MemoryOutbox()
        brief = site.ledger(Patience(give_up_after=0.2))
        with pytest.raises(TransactionStuck):
            await brief.submit(publishing(ledger), alice, outbox=outbox, key="k")
        await brief.aclose()
        await ledger.chain.rpc.ask("anvil_dropAllTransactions")
        task = asyncio.create_task(ledger.submit(publishing(ledger), alice, outbox=outbox, key="k"))
        await until(lambda: pool(ledger))
        await ledger.chain.rpc.ask("evm_mine")
        assert (await task).tx == outbox.entries["k"].tx


async def test_transactions_behind_a_lost_one_move_again(site: EvmSite):
    async with unmined(site, Patience(stuck_after=1.0, give_up_after=10.0)) as (ledger, alice):
        first = asyncio.create_task(ledger.submit(publishing(ledger, "a"), alice))
        await until(lambda: pool(ledger))
        (lost,) = (await pool(ledger)).values()
        second = asyncio.create_task(ledger.submit(publishing(ledger, "b"), alice))
        await until(lambda: two_wait(ledger))
        first.cancel()
        await ledger.chain.rpc.ask("anvil_dropTransaction", lost)
        await ledger.chain.rpc.ask("evm_setAutomine", True)
        await second
        assert await sent(ledger, alice) == 2


async def test_a_restarted_sender_replaces_what_its_predecessor_left_below_the_base_fee(
    site: EvmSite,
):
    async with unmined(site) as (ledger, alice):
        rpc = ledger.chain.rpc
        before = site.ledger(Patience(give_up_after=0.2))
        with pytest.raises(TransactionStuck):
            await before.submit(publishing(before, "before"), alice)
        await before.aclose()
        (stuck,) = (await pool(ledger)).values()
        after = asyncio.create_task(ledger.submit(publishing(ledger, "after"), alice))
        await until(lambda: two_wait(ledger))
        # No block takes the first any more, and nobody alive knows it.
        await rpc.ask("anvil_setNextBlockBaseFeePerGas", hex(100 * 10**9))
        await rpc.ask("evm_mine")
        await rpc.ask("evm_setAutomine", True)
        receipt = await after
        await rpc.ask("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        assert receipt.height
        assert await sent(ledger, alice) == 2
        assert await rpc.ask("eth_getTransactionReceipt", stuck) is None


async def test_what_a_reorganisation_undid_and_the_node_lost_holds_up_nothing(site: EvmSite):
    ledger = site.ledger(Patience(stuck_after=0.5, give_up_after=10.0))
    alice = LocalSigner.generate()
    await ledger.submit(
        ledger.coins.transfer(Account(ledger.id, alice.account), ledger.coins.asset.of(10 * COIN)),
        site.rich,
    )
    before = await ledger.chain.rpc.ask("evm_snapshot")
    for name in ("a", "b"):
        await ledger.submit(publishing(ledger, name), alice)
    assert await ledger.chain.rpc.ask("evm_revert", before)
    assert await sent(ledger, alice) == 0
    await ledger.submit(publishing(ledger, "c"), alice)
    assert await sent(ledger, alice) == 3
    await ledger.aclose()


async def test_an_old_failure_does_not_end_the_attempt_made_after_it(site: EvmSite):
    async with unmined(site, Patience(give_up_after=5.0)) as (ledger, alice):
        rpc = ledger.chain.rpc
        outbox = MemoryOutbox()
        signed = await ledger.sign(publishing(ledger, "m"), alice)
        await outbox.record("k", signed)
        await rpc.ask("evm_setAutomine", True)
        short = read_signed(signed, 31338)
        failing = sign_call(
            short.call, alice, number=31338, nonce=short.nonce, gas=60_000, fees=short.fees
        )
        await outbox.record("k", failing.signed)
        await rpc.ask("eth_sendRawTransaction", f"0x{failing.signed.raw.hex()}")
        await until(lambda: rpc.ask("eth_getTransactionReceipt", failing.tx))
        await rpc.ask("evm_setAutomine", False)
        task = asyncio.create_task(
            ledger.submit(publishing(ledger, "m"), alice, outbox=outbox, key="k")
        )
        await until(lambda: pool(ledger))
        await asyncio.sleep(0.3)
        assert not task.done()
        await rpc.ask("evm_mine")
        assert (await task).tx == outbox.entries["k#1"].tx


async def test_a_transaction_out_of_gas_fails_by_name(site: EvmSite):
    ledger = site.ledger()
    priced = read_signed(await ledger.sign(publishing(ledger, "gasless"), site.rich), 31338)
    short = sign_call(
        priced.call, site.rich, number=31338, nonce=priced.nonce, gas=60_000, fees=priced.fees
    )
    with pytest.raises(TransactionFailed, match="gas used 60000 of 60000"):
        await ledger.broadcast(short.signed)
    await ledger.aclose()


async def test_a_kill_while_replacing_leaves_one_effect(site: EvmSite):
    async with unmined(site) as (ledger, alice):
        outbox = MemoryOutbox()
        task = asyncio.create_task(ledger.submit(publishing(ledger), alice, outbox=outbox, key="k"))
        await until(lambda: pool(ledger))
        outbox.die_after_record = True
        with pytest.raises(Killed):
            await task
        await ledger.chain.rpc.ask("evm_mine")
        receipt = await ledger.submit(publishing(ledger), alice, outbox=outbox, key="k")
        assert receipt.tx == outbox.entries["k"].tx
        assert await sent(ledger, alice) == 1


async def test_an_anvil_that_was_stopped_is_unavailable():
    rich = LocalSigner.generate()
    options = AnvilOptions(31400, free_port())
    async with running_anvil(options, {rich.account: COIN}):
        chain = http_chain("eip155:31400", options.url, Depth(0))
        await chain.verify()
        assert await chain.balance(rich.account) == COIN
        await chain.rpc.aclose()
    gone = http_chain(
        "eip155:31400", options.url, Depth(0), retries=RetryPolicy(attempts=2, first=0.01)
    )
    with pytest.raises(LedgerUnavailable, match="2 attempts"):
        await gone.verify()
    await gone.rpc.aclose()


async def test_interval_mining_confirms_after_a_while():
    rich = LocalSigner.generate()
    options = AnvilOptions(31401, free_port(), block_time=1)
    async with running_anvil(options, {rich.account: 10 * COIN}):
        chain = http_chain("eip155:31401", options.url, Depth(0))
        deployment = await deploy(chain, rich)
        ledger = EvmLedger(chain, deployment)
        await ledger.check()
        await ledger.aclose()


async def test_a_taken_port_is_an_error_with_anvils_words():
    rich = LocalSigner.generate()
    options = AnvilOptions(31402, free_port())
    listener = await asyncio.start_server(lambda _, __: None, "127.0.0.1", options.port)
    async with listener:
        with pytest.raises((AnvilFailed, LedgerUnavailable)):
            async with running_anvil(options, {rich.account: COIN}):
                pass


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CAIMI_ANVIL", "/nowhere/anvil")
    with pytest.raises(AnvilMissing, match="/nowhere/anvil"):
        find_anvil()
