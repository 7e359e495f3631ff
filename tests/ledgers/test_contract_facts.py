"""What contracts' events tell as facts, and what a feed does on nodes that are odd or behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import chain, repeat
from typing import Any

import pytest
from leaving_out import LeavingOut
from ledger_site import COIN
from load_balanced import LoadBalanced
from test_ledger_crossing import Crossing, Pair, over

from caimi.errors.ledgers import EventInvalid, LedgerBehind
from caimi.errors.messaging import EventsMissing
from caimi.hashing import keccak256
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.evm.rpc.contract import Contract, word
from caimi.ledgers.evm.rpc.logs import parse_log
from caimi.ledgers.evm.rpc.provider import RpcProvider
from caimi.ledgers.port import (
    Account,
    Asset,
    ChangedPrices,
    CompletedPurchase,
    DeferredPacket,
    DeprecatedVersion,
    EndedPacket,
    Fact,
    GrantedLicence,
    OpenedPurchase,
    Price,
    RefundedPurchase,
    RegisteredModel,
    RelayFee,
    SentPacket,
    WrittenAcknowledgement,
)
from caimi.messaging.proof import Tree, absence_facts

A, B = 31501, 31502
AN_ACCOUNT_OF_NO_KNOWN_KIND = bytes.fromhex("00017f7f01610162")


@pytest.fixture(scope="module")
def pair() -> Pair:
    rich = LocalSigner.generate()
    chains = {number: EmbeddedChain(number, {rich.account: 1_000_000 * COIN}) for number in (A, B)}
    made = Pair(lambda number: embedded_chain(chains[number]), rich)
    asyncio.run(made.build())
    return made


@pytest.fixture
async def crossing(pair: Pair) -> AsyncIterator[Crossing]:
    made = Crossing(pair)
    await made.prepare()
    yield made
    await made.a.aclose()
    await made.b.aclose()


async def told(ledger: EvmLedger, after: int, *kinds: type[Fact]) -> list[Fact]:
    return [fact.fact async for block in ledger.feed(after, kinds=kinds) for fact in block.facts]


async def heights(c: Crossing) -> tuple[int, int]:
    return (await c.a.head()).height, (await c.b.head()).height


async def test_prices_purchases_and_their_ends_are_told_on_both_ledgers(crossing: Crossing):
    c = crossing
    on_a, on_b = await heights(c)
    done, packet, height = await c.buy()
    delivered = await c.deliver([packet], height)
    await c.acknowledge(packet, delivered.height)
    consumer = Account(c.b.id, c.bob.account)
    licence = (await c.a.market.licence(c.model_id, "1.0.0", consumer)).licence_id
    (granted,) = await told(c.a, on_a, GrantedLicence)
    assert granted == GrantedLicence(
        licence, c.model_id, "1.0.0", consumer.interoperable, c.payee.interoperable
    )
    paid = coin_of(c.b.id).of(500)
    opened = OpenedPurchase(
        done, c.model_id, consumer, consumer, "1.0.0", c.on_b, packet.sequence, paid
    )
    ended = CompletedPurchase(done, licence, c.payee)
    assert await told(c.b, on_b, OpenedPurchase, CompletedPurchase) == [opened, ended]
    priced = (await told(c.a, 0, ChangedPrices))[-1]
    assert priced == ChangedPrices(
        c.model_id, Account(c.a.id, c.alice.account), (Price(coin_of(c.b.id).of(500), c.payee),)
    )


async def test_a_purchase_that_came_too_late_is_told_as_refunded(crossing: Crossing):
    c = crossing
    _, on_b = await heights(c)
    done, packet, _ = await c.buy(seconds=60)
    for ledger in (c.a, c.b):
        await ledger.chain.rpc.ask("evm_increaseTime", 120)
        await ledger.chain.rpc.ask("evm_mine")
    at, name = (await c.a.head()).height, (packet.dest_client, packet.sequence)
    tree = Tree.of(absence_facts([name]))
    proof = await c.pair.prove(
        c.a, c.b, c.on_b, Kind.ABSENCE, tree, (at, at), [Path.receipt(*name).key]
    )
    await c.b.submit(c.b.gateway.time_out(c.on_b, [packet], proof.data), c.pair.rich)
    assert await told(c.b, on_b, RefundedPurchase, EndedPacket) == [
        RefundedPurchase(done, Account(c.b.id, c.bob.account)),
        EndedPacket(c.on_b, packet.sequence, acknowledged=False),
    ]


async def test_packets_are_those_that_relayers_and_watchers_read(crossing: Crossing):
    c = crossing
    on_a, on_b = await heights(c)
    _, packet, height = await c.buy()
    relayer = Account(c.b.id, c.alice.account)
    fee = c.b.fees.escrow(packet, relayer, c.b.coins.asset.of(7))
    await c.b.submit(fee, c.bob)
    delivered = await c.deliver([packet], height)
    await c.acknowledge(packet, delivered.height)
    top_a, top_b = await heights(c)
    for ledger, low, top in ((c.a, on_a, top_a), (c.b, on_b, top_b)):
        sent, written = await ledger.gateway.traffic(low, top)
        assert await told(ledger, low, SentPacket) == sent
        assert await told(ledger, low, WrittenAcknowledgement) == written
        received = [(each.dest_client, each.sequence) for each in written]
        delivered_ = await ledger.watching.delivered(low, top)
        assert received == [(each.dest_client, each.sequence) for each in delivered_]
        ended = await ledger.watching.ended(low, top)
        assert await told(ledger, low, EndedPacket) == [
            EndedPacket(each.source_client, each.sequence, each.acknowledged) for each in ended
        ]
    assert await told(c.b, on_b, RelayFee) == await c.b.fees.escrowed(relayer, on_b, top_b)
    assert len(await told(c.b, on_b, RelayFee)) == 1


def _log(interface: str, event: str, address: bytes, topics: list[bytes], body: str = "") -> Any:
    shown = [artifact(interface).interface.events[event].topic, *topics]
    return parse_log(
        {
            "address": f"0x{address.hex()}",
            "topics": [f"0x{topic.hex()}" for topic in shown],
            "data": f"0x{body}",
            "transactionHash": f"0x{'aa' * 32}",
            "blockNumber": "0x5",
            "logIndex": "0x0",
        }
    )


async def test_a_packet_that_is_answered_later_is_told_and_one_of_no_client_is_refused(
    crossing: Crossing,
):
    c = crossing
    decoder, gateway = c.a._feed._decoder, c.a.deployment.contracts["gateway"]
    for name, topic in ((c.on_a, keccak256(c.on_a.encode())), ("", b"\1" * 32)):
        log = _log("Gateway", "AcknowledgementDeferred", gateway, [topic, (9).to_bytes(32)])
        if name:
            ((_, fact),) = await decoder.decode([log], {DeferredPacket})
            assert fact == DeferredPacket(name, 9)
        else:
            with pytest.raises(EventInvalid, match="client that there is not"):
                await decoder.decode([log], {DeferredPacket})


async def test_what_one_owner_wrote_that_is_no_text_stops_nobody(crossing: Crossing):
    c = crossing
    on_a, _ = await heights(c)
    registry = artifact("ModelRegistry").interface
    arguments = (int.from_bytes(c.model_id), b"1.0.0", b"no \xff\xfe text")
    data = registry["deprecate"].selector + encode(("uint256", "bytes", "bytes"), arguments)
    target = c.a.deployment.contracts["registry"]
    with pytest.raises(EventInvalid):  # who wrote it cannot read it back
        await c.a.submit(EvmCall(c.a.id, "Deprecating", target, data, 0, nothing), c.alice)
    said = DeprecatedVersion(c.model_id, "1.0.0", "no \ufffd\ufffd text")
    assert await told(c.a, on_a, DeprecatedVersion) == [said]
    assert (await c.a.registry.history(c.model_id))[-1].fact == said


async def test_a_price_on_a_ledger_of_no_known_kind_is_left_out(crossing: Crossing):
    c = crossing
    on_a, _ = await heights(c)
    interface = artifact("LicenceMarket").interface
    market = Contract(c.a.chain, c.a.deployment.contracts["market"], interface)
    entries = [
        (AN_ACCOUNT_OF_NO_KNOWN_KIND, b"", 3, True),
        (c.payee.interoperable, b"\7" * 20, 4, False),
    ]
    await c.a.submit(market.call("Pricing", "setPrices", word(c.model_id), entries), c.alice)
    prices = (Price(Asset(c.b.id, b"\7" * 20).of(4), c.payee, offered=False),)
    assert await told(c.a, on_a) == []
    assert await told(c.a, on_a, ChangedPrices) == [
        ChangedPrices(c.model_id, Account(c.a.id, c.alice.account), prices)
    ]


class Counting:
    """Counts requests by method; answers for at most `most` blocks of logs at a time."""

    def __init__(self, inner: RpcProvider, most: int = 1 << 60, *, timed: bool = False):
        self.inner, self.most, self.timed = inner, most, timed
        self.asked: list[str] = []

    async def make_request(self, method: Any, params: Any) -> Any:
        self.asked.append(str(method))
        if method == "eth_getLogs":
            first, last = (int(params[0][name], 16) for name in ("fromBlock", "toBlock"))
            if last - first + 1 > self.most:
                return {"id": 1, "error": {"code": -32005, "message": "query exceeds limit"}}
        answer = await self.inner.make_request(method, params)
        if method == "eth_getLogs" and self.timed:
            logs = [{**each, "blockTimestamp": "0x7"} for each in answer["result"]]
            return {**answer, "result": logs}
        return answer

    async def make_batch_request(self, requests: Any) -> Any:
        return [await self.make_request(method, params) for method, params in requests]


async def test_one_query_of_logs_reads_all_contracts_whatever_the_range(crossing: Crossing):
    c = crossing
    node = Counting(c.b.chain.rpc.provider, timed=True)
    blocks = [block async for block in over(node, c.b).feed(0)]
    assert node.asked.count("eth_getLogs") == 1
    assert [m for m in node.asked if m == "eth_getBlockByNumber"] == ["eth_getBlockByNumber"] * 2
    assert {block.time for block in blocks[:-1]} == {7}
    assert len({type(fact.fact) for block in blocks for fact in block.facts}) > 3


@pytest.mark.parametrize("most", [1, 2, 5])
async def test_a_node_that_answers_for_few_blocks_tells_the_same(crossing: Crossing, most: int):
    c = crossing
    low = (await c.a.head()).height - 9
    whole = [block async for block in c.a.feed(low)]
    small = [block async for block in over(Counting(c.a.chain.rpc.provider, most), c.a).feed(low)]
    assert [block for block in small if block.facts] == [block for block in whole if block.facts]
    assert small[-1] == whole[-1]
    reached = [block.height for block in small]
    assert max(b - a for a, b in zip([low, *reached], reached, strict=False)) <= most


async def test_a_log_that_a_node_leaves_out_is_missed_alone_and_found_out_by_who_asks_for_all(
    crossing: Crossing,
):
    c = crossing
    _, on_b = await heights(c)
    await c.buy()
    top = (await c.b.head()).height
    sent = artifact("Gateway").interface.events["PacketSent"].topic
    lossy = LeavingOut(
        c.b.chain.rpc.provider, lambda log: log["topics"][0] == f"0x{sent.hex()}", receipts=True
    )
    looked = over(lossy, c.b)
    whole = [fact async for block in c.b.feed(on_b) for fact in block.facts]
    shown = [fact async for block in looked.feed(on_b) for fact in block.facts]
    assert shown == [each for each in whole if not isinstance(each.fact, SentPacket)]
    assert len(whole) == len(shown) + 1
    with pytest.raises(EventsMissing):
        await looked.gateway.whole_traffic(on_b, top)


@pytest.mark.parametrize("lag", [0, 1, 4])
async def test_a_node_that_is_behind_tells_a_beginning_and_never_of_blocks_that_it_lacks(
    crossing: Crossing, lag: int
):
    c = crossing
    head = (await c.a.head()).height
    whole = [block async for block in c.a.feed(0, kinds={RegisteredModel})]
    behind = over(LoadBalanced(c.a.chain.rpc.provider, lambda: lag), c.a)
    shown = [block async for block in behind.feed(0, kinds={RegisteredModel})]
    assert shown[-1].height == head - lag
    rest = [block async for block in c.a.feed(head - lag, kinds={RegisteredModel})]
    facts = [block for block in (*shown, *rest) if block.facts]
    assert facts == [block for block in whole if block.facts]
    # The node that says how far the ledger is may not be the one that shows its logs.
    answers = chain([0], repeat(4))
    uneven = over(LoadBalanced(c.a.chain.rpc.provider, lambda: next(answers)), c.a)
    with pytest.raises(LedgerBehind):
        _ = [block async for block in uneven.feed(0)]
