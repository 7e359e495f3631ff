"""The port's suite on a ledger in this process, and what only such a ledger does."""

from __future__ import annotations

import asyncio

import pytest
from conformance.site import World
from evm_conformance import EvmConformance
from evm_sites import EmbeddedSite
from ledger_site import COIN

from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain, new_embedded_chain
from caimi.ledgers.evm.rpc.client import RpcRefusal
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.evm.transactions.nonces import FEW
from caimi.ledgers.evm.transactions.outgoing import read_signed, sign_call
from caimi.ledgers.evm.transactions.sender import Sender
from conformance import (
    ContractAccountsFacet,
    FeesFacet,
    LedgerConformance,
    NoForkFacet,
    NoProofsFacet,
    NoReadsFacet,
    PastFacet,
    SellingFacet,
    WatchingFacet,
)
from memory_ledger import MemorySite


@pytest.fixture(scope="module")
def site() -> EmbeddedSite:
    rich = LocalSigner.generate()
    chain = EmbeddedChain(31337, {rich.account: 1_000_000 * COIN})
    deployment = asyncio.run(deploy(embedded_chain(chain), rich))
    return EmbeddedSite(lambda: embedded_chain(chain), rich, deployment, chain)


@pytest.fixture
def far() -> MemorySite:
    return MemorySite.named("far")


class TestEmbeddedLedger(
    LedgerConformance,
    SellingFacet,
    PastFacet,
    ContractAccountsFacet,
    FeesFacet,
    WatchingFacet,
    NoForkFacet,
    NoProofsFacet,
    NoReadsFacet,
    EvmConformance,
):
    async def test_time_moves_forward_on_request(self, world: World):
        before = await world.ledger.head()
        await world.ledger.chain.rpc.ask("evm_increaseTime", 3600)
        after = await world.ledger.head()
        assert after.time >= before.time + 3600
        with pytest.raises(RpcRefusal, match="forward"):
            await world.ledger.chain.rpc.ask("evm_increaseTime", -1)

    async def test_blocks_of_one_second_share_it(self):
        rich = LocalSigner.generate()
        chain = EmbeddedChain(5, {rich.account: COIN}, clock=lambda: 1000.0)
        for _ in range(3):
            chain.mine()
        assert [chain.header(h).timestamp for h in range(4)] == [1000] * 4

    async def test_a_nonce_ahead_waits_for_its_turn(self, world: World):
        first = await world.ledger.sign(
            world.ledger.registry.publish("a", "1.0.0", b"\x01" * 32), world.alice
        )
        rpc = world.ledger.chain.rpc
        # The second is signed as if the first had been sent.
        attempt = read_signed(first, 31337)
        second = sign_call(
            world.ledger.registry.publish("b", "1.0.0", b"\x01" * 32),
            world.alice,
            number=31337,
            nonce=attempt.nonce + 1,
            gas=attempt.gas,
            fees=attempt.fees,
        )
        await rpc.ask("eth_sendRawTransaction", f"0x{second.signed.raw.hex()}")
        assert await world.site.sent(world.alice) == 0
        waiting = await rpc.ask("eth_getTransactionByHash", second.tx)
        assert waiting["blockNumber"] is None
        await rpc.ask("eth_sendRawTransaction", f"0x{first.raw.hex()}")
        assert await world.site.sent(world.alice) == 2

    @pytest.mark.parametrize(
        "raw", ["0x", "0x02", "0xc0", "0x02c0", "0xff", "0x02f8", "0x" + "00" * 200]
    )
    async def test_a_malformed_transaction_is_refused(self, world: World, raw: str):
        with pytest.raises(RpcRefusal, match="malformed"):
            await world.ledger.chain.rpc.ask("eth_sendRawTransaction", raw)

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("eth_noSuchMethod", []),
            ("eth_getBalance", ["nothex", "latest"]),
            ("eth_getBalance", ["0x" + "11" * 20, "0xffffff"]),
            ("eth_call", [{"to": 5}, "latest"]),
        ],
    )
    async def test_a_bad_request_is_refused(self, world: World, method: str, params: list):
        with pytest.raises(RpcRefusal):
            await world.ledger.chain.rpc.ask(method, *params)


async def test_transactions_that_are_final_are_not_kept():
    rich = LocalSigner.generate()
    chain = new_embedded_chain(7, {rich.account: 10**20})
    sender = Sender(chain, EventReader(chain, {}))
    for _ in range(2 * FEW):
        await sender.submit(EvmCall(chain.ledger, "Paying", b"\x01" * 20, b"", 1, nothing), rich)
        assert len(sender._nonces.earlier(rich.account, 0, 1_000)) <= FEW + 1
    assert sender._nonces.earlier(rich.account, 0, 1_000)
