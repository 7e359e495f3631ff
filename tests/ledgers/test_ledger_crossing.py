"""Receiving, acknowledging and timing out between two deployed ledgers, signed by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from random import Random

import pytest
from leaving_out import LeavingOut
from ledger_site import COIN, IMPATIENT, MemoryOutbox
from load_balanced import LoadBalanced
from subprocess_anvil import anvil_process

from caimi.composition.joining import join_ledgers
from caimi.errors.ledgers import (
    AlreadyBought,
    DeadlineRefused,
    LedgerBehind,
    ProofRefused,
    TransactionReverted,
)
from caimi.errors.messaging import EventsMissing
from caimi.hashing import keccak256
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.anvil import AnvilOptions
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import Rpc
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.evm.rpc.provider import RpcProvider
from caimi.ledgers.port import Account, Asset, Exactly, Price, PurchaseState
from caimi.loopback import free_port
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.proof import Proof, SignedStatement, Tree, absence_facts, statement_of
from caimi.messaging.validator import read_tree

A, B = 31501, 31502


class Pair:
    """Two joined ledgers, five committee members of whom three sign."""

    def __init__(self, reach, rich: LocalSigner) -> None:
        self.reach = reach
        self.rich = rich
        self.members = sorted((LocalSigner.generate() for _ in range(5)), key=lambda m: m.account)
        self.outbox = MemoryOutbox()
        self.deployments = {}
        self.routes: tuple[str, str] = ("", "")

    async def build(self) -> None:
        for number in (A, B):
            chain = self.reach(number)
            self.deployments[number] = await deploy(chain, self.rich, outbox=self.outbox)
            await chain.rpc.aclose()
        a, b = self.ledger(A), self.ledger(B)
        committee = make_committee(1, 3, [m.account for m in self.members])
        self.routes = await join_ledgers(
            EvmAdministered(a, self.rich),
            EvmAdministered(b, self.rich),
            committee,
            outbox=self.outbox,
        )
        await a.aclose()
        await b.aclose()

    def ledger(self, number: int) -> EvmLedger:
        return EvmLedger(self.reach(number), self.deployments[number], patience=IMPATIENT)

    async def prove(
        self, of: EvmLedger, at: EvmLedger, client: str, kind: Kind, tree: Tree, blocks, keys
    ) -> Proof:
        committee = await at.gateway.committee(client)
        time = (await of.block(blocks[1])).time
        said = statement_of(kind, keccak256(of.gateway.address), committee, blocks, time, tree)
        signatures = {n: self.members[n].sign_digest(said.digest) for n in (0, 2, 4)}
        return SignedStatement(said, signatures).prove(tree, keys)


@pytest.fixture(scope="module", params=["embedded", pytest.param("anvil", marks=pytest.mark.anvil)])
def pair(request) -> Iterator[Pair]:
    rich = LocalSigner.generate()
    coins = {rich.account: 1_000_000 * COIN}
    with ExitStack() as stack:
        if request.param == "embedded":
            chains = {number: EmbeddedChain(number, coins) for number in (A, B)}
            made = Pair(lambda number: embedded_chain(chains[number]), rich)
        else:
            options = {number: AnvilOptions(number, free_port()) for number in (A, B)}
            for each in options.values():
                stack.enter_context(anvil_process(each, coins))
            made = Pair(
                lambda number: http_chain(f"eip155:{number}", options[number].url, Depth(0)), rich
            )
        asyncio.run(made.build())
        yield made


class Crossing:
    """A fresh model on A with a price on B, and a buyer on B."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.a, self.b = pair.ledger(A), pair.ledger(B)
        self.on_a, self.on_b = pair.routes
        self.alice, self.bob = LocalSigner.generate(), LocalSigner.generate()
        self.payee = Account(self.b.id, LocalSigner.generate().account)
        self.model_id = self.a.registry.model_id(Account(self.a.id, self.alice.account), "m")

    async def prepare(self) -> None:
        rich = self.pair.rich
        for ledger in (self.a, self.b):
            for account in (self.alice, self.bob):
                await ledger.submit(
                    ledger.coins.transfer(
                        Account(ledger.id, account.account), ledger.coins.asset.of(COIN)
                    ),
                    rich,
                )
        await self.a.submit(self.a.registry.publish("m", "1.0.0", b"\1" * 32), self.alice)
        await self.a.submit(
            self.a.market.set_prices(
                self.model_id, [Price(Asset(self.b.id, b"").of(500), self.payee)]
            ),
            self.alice,
        )

    async def buy(
        self,
        amount: int = 500,
        seconds: int = 3600,
        buyer: LocalSigner | None = None,
        reader: Account | None = None,
    ) -> tuple[bytes, Packet, int]:
        timeout = (await self.b.head()).time + seconds
        receipt = await self.b.submit(
            await self.b.market.buy_remote(
                self.on_b, self.model_id, "1.0.0", Asset(self.b.id, b"").of(amount), timeout, reader
            ),
            buyer or self.bob,
        )
        (sent,) = await self.b.gateway.sent(receipt.height - 1, receipt.height)
        assert sent.packet.source_client == self.on_b
        return receipt.effect, sent.packet, receipt.height

    async def deliver(self, packets: Sequence[Packet], height: int, first: int | None = None):
        blocks = (height - 1 if first is None else first, height)
        tree = await read_tree(self.b.gateway, blocks[0], await self.b.block(height))
        keys = [Path.commitment(p.source_client, p.sequence).key for p in packets]
        proof = await self.pair.prove(
            self.b, self.a, self.on_a, Kind.CHECKPOINT, tree, blocks, keys
        )
        ordered = [packets[place] for place in proof.order]
        call = self.a.gateway.receive(self.on_a, ordered, proof.data)
        return await self.a.submit(call.giving(lambda included: included.events), self.pair.rich)

    async def acknowledge(self, packet: Packet, height: int):
        _, (written,) = await self.a.gateway.traffic(height - 1, height)
        tree = await read_tree(self.a.gateway, height - 1, await self.a.block(height))
        proof = await self.pair.prove(
            self.a,
            self.b,
            self.on_b,
            Kind.CHECKPOINT,
            tree,
            (height - 1, height),
            [Path.acknowledgement(packet.dest_client, packet.sequence).key],
        )
        return await self.b.submit(
            self.b.gateway.acknowledge(self.on_b, [packet], [written.acknowledgements], proof.data),
            self.pair.rich,
        )


@pytest.fixture
async def crossing(pair: Pair):
    made = Crossing(pair)
    await made.prepare()
    yield made
    await made.a.aclose()
    await made.b.aclose()


async def test_routes_name_each_other_and_their_committee(crossing: Crossing):
    (route,) = await crossing.a.gateway.routes()
    assert (route.client_id, route.counterparty_client_id) == crossing.pair.routes
    assert route.counterparty == crossing.b.id
    committee = await crossing.a.gateway.committee(route.client_id)
    assert committee.members == tuple(m.account for m in crossing.pair.members)
    assert (committee.epoch, committee.threshold) == (1, 3)


async def test_deploying_again_with_the_same_outbox_changes_nothing(pair: Pair):
    before = dict(pair.outbox.entries)
    deployments, routes = dict(pair.deployments), pair.routes
    await pair.build()
    assert (pair.deployments, pair.routes) == (deployments, routes)
    assert pair.outbox.entries == before


async def test_a_remote_purchase_ends_in_a_licence_at_home(crossing: Crossing):
    c = crossing
    purchase_id, packet, height = await c.buy()
    path = Path.commitment(packet.source_client, packet.sequence)
    assert any((await c.b.gateway.commitments([path]))[0])
    assert (await c.b.market.purchase(purchase_id)).state is PurchaseState.PENDING
    delivered = await c.deliver([packet], height)
    consumer = Account(c.b.id, c.bob.account)
    assert (await c.a.market.licence(c.model_id, "1.0.0", consumer)).live
    assert await c.a.gateway.receipts([(c.on_a, packet.sequence), (c.on_a, 999)]) == [True, False]
    await c.acknowledge(packet, delivered.height)
    found = await c.b.market.purchase_of(
        c.on_b, c.model_id, "1.0.0", Account(c.b.id, c.bob.account)
    )
    assert found is not None
    assert (found.purchase_id, found.state) == (purchase_id, PurchaseState.COMPLETED)
    assert (await c.b.market.owed(c.payee)).units == 500
    assert await c.b.gateway.commitments([path]) == [bytes(32)]
    with pytest.raises(AlreadyBought):
        await c.buy()


async def test_a_purchase_for_a_reader_is_the_readers_licence(crossing: Crossing):
    c = crossing
    buyer, reader = Account(c.b.id, c.bob.account), Account(c.b.id, c.alice.account)
    purchase_id, packet, height = await c.buy(reader=reader)
    found = await c.b.market.purchase_of(c.on_b, c.model_id, "1.0.0", buyer, reader)
    assert found is not None
    assert (found.purchase_id, found.buyer, found.reader) == (purchase_id, buyer, reader)
    assert await c.b.market.purchase_of(c.on_b, c.model_id, "1.0.0", buyer) is None
    assert await c.b.market.purchase_of(c.on_b, c.model_id, "1.0.0", reader) is None
    delivered = await c.deliver([packet], height)
    assert (await c.a.market.licence(c.model_id, "1.0.0", reader)).live
    assert not (await c.a.market.licence(c.model_id, "1.0.0", buyer)).live
    await c.acknowledge(packet, delivered.height)
    assert (await c.b.market.purchase(purchase_id)).state is PurchaseState.COMPLETED
    assert (await c.b.market.owed(c.payee)).units == 500


async def test_a_replayed_packet_has_no_second_effect(crossing: Crossing):
    c = crossing
    _, packet, height = await c.buy()
    await c.deliver([packet], height)
    again = await c.deliver([packet], height)
    assert [event.name for event in again.effect] == ["PacketSkipped"]


async def test_a_wrong_amount_comes_back(crossing: Crossing):
    c = crossing
    purchase_id, packet, height = await c.buy(amount=499)
    delivered = await c.deliver([packet], height)
    await c.acknowledge(packet, delivered.height)
    assert (await c.b.market.purchase(purchase_id)).state is PurchaseState.REFUNDED
    assert (await c.b.market.owed(Account(c.b.id, c.bob.account))).units in (0, 499)


async def test_many_packets_under_one_proof_take_effect(crossing: Crossing):
    c = crossing
    first = (await c.b.head()).height
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        if version != "1.0.0":
            await c.a.submit(c.a.registry.publish_version(c.model_id, version, b"\2" * 32), c.alice)
        timeout = (await c.b.head()).time + 3600
        await c.b.submit(
            await c.b.market.buy_remote(
                c.on_b, c.model_id, version, Asset(c.b.id, b"").of(500), timeout
            ),
            c.bob,
        )
    last = (await c.b.head()).height
    packets = [sent.packet for sent in await c.b.gateway.sent(first, last)]
    assert len(packets) == 3
    await c.deliver(packets, last, first)
    consumer = Account(c.b.id, c.bob.account)
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        assert (await c.a.market.licence(c.model_id, version, consumer)).live


async def test_a_proof_with_a_forged_signature_is_refused_by_name(crossing: Crossing):
    c = crossing
    _, packet, height = await c.buy()
    c.pair.members[2], honest = LocalSigner.generate(), c.pair.members[2]
    try:
        with pytest.raises(ProofRefused) as refusal:
            await c.deliver([packet], height)
    finally:
        c.pair.members[2] = honest
    assert refusal.value.error == "InvalidSignature"


async def test_a_timeout_out_of_bounds_is_refused(crossing: Crossing):
    with pytest.raises(DeadlineRefused):
        await crossing.buy(seconds=3 * 86_400)
    with pytest.raises(DeadlineRefused):
        await crossing.buy(seconds=-1)


async def test_a_transfer_completes_and_its_outcome_is_known(crossing: Crossing):
    c = crossing
    assert await c.a.bridge.outcome(c.model_id, c.on_a, 77_777) == "unknown"
    await c.a.submit(c.a.registry.approve(c.model_id, c.a.bridge.account), c.alice)
    timeout = (await c.a.head()).time + 3600
    bob = Account(c.b.id, c.bob.account)
    sent = await c.a.submit(c.a.bridge.send(c.on_a, c.model_id, bob, timeout), c.alice)
    sequence = sent.effect
    lock = await c.a.bridge.lock(c.model_id)
    assert (lock.client_id, lock.sequence, lock.completed) == (c.on_a, sequence, False)
    assert await c.a.bridge.outcome(c.model_id, c.on_a, sequence) == "pending"
    swapped = Crossing.__new__(Crossing)
    swapped.pair, swapped.a, swapped.b = c.pair, c.b, c.a
    swapped.on_a, swapped.on_b = c.on_b, c.on_a
    (packet,) = [s.packet for s in await c.a.gateway.sent(sent.height - 1, sent.height)]
    delivered = await swapped.deliver([packet], sent.height)
    arrived = await c.b.registry.model(c.model_id)
    assert arrived.owner == bob
    assert arrived.home == c.a.registry.address
    await swapped.acknowledge(packet, delivered.height)
    assert await c.a.bridge.outcome(c.model_id, c.on_a, sequence) == "completed"
    lock = await c.a.bridge.lock(c.model_id)
    assert lock is not None
    assert lock.completed
    await known_however_uneven_the_nodes(c, sequence)


def over(provider: RpcProvider, ledger: EvmLedger) -> EvmLedger:
    chain = Chain(Rpc(provider, "the node"), ledger.id, ledger.chain.finality)
    return EvmLedger(chain, ledger.deployment)


async def test_a_node_that_leaves_out_any_logs_at_all_is_found_out(crossing: Crossing):
    c = crossing
    before = [(each, (await each.head()).height) for each in (c.a, c.b)]
    _, one, first = await c.buy()
    _, two, height = await c.buy(buyer=c.alice)
    await c.deliver([one, two], height, first - 1)  # two answers in one block
    for ledger, low in before:
        top = (await ledger.head()).height
        shown = await ledger.gateway.traffic(low, top)
        assert sum(map(len, shown)) == 2
        assert await ledger.gateway.whole_traffic(low, top) == shown
        noticed = 0
        for seed in range(32):
            rng = Random(seed)
            chances = {}
            lossy = LeavingOut(
                ledger.chain.rpc.provider,
                # The same logs wherever they are asked for: they are not there.
                lambda log, chances=chances, rng=rng: (
                    chances.setdefault((log["transactionHash"], log["logIndex"]), rng.random())
                    < 0.3
                ),
                index=seed % 4 != 3,
                receipts=seed % 4 >= 2,
                one_by_one=seed % 8 >= 4,
            )
            looked = over(lossy, ledger).gateway
            try:
                assert await looked.whole_traffic(low, top) == shown
                assert lossy.dropped == 0
            except EventsMissing:
                assert lossy.dropped > 0
                noticed += 1
        assert noticed > 8


async def known_however_uneven_the_nodes(c: Crossing, sequence: int) -> None:
    """One of several nodes may lag at each look: none makes an end of what is not one."""
    seen = set()
    for seed in range(60):
        rng = Random(seed)
        pool = LoadBalanced(c.a.chain.rpc.provider, lambda rng=rng: rng.choice([0, 0, 1, 6]))
        try:
            seen.add(await over(pool, c.a).bridge.outcome(c.model_id, c.on_a, sequence))
        except LedgerBehind:
            seen.add("behind")
    assert seen == {"completed", "pending", "unknown", "behind"}


async def test_an_expired_purchase_is_refunded_on_proof_of_absence(crossing: Crossing):
    c = crossing
    purchase_id, packet, _ = await c.buy(seconds=60)
    for ledger in (c.a, c.b):
        await ledger.chain.rpc.ask("evm_increaseTime", 120)
        await ledger.chain.rpc.ask("evm_mine")
    height = (await c.a.head()).height
    names = [(packet.dest_client, packet.sequence)]
    assert await c.a.gateway.receipts(names, at=Exactly(height)) == [False]
    tree = Tree.of(absence_facts(names))
    proof = await c.pair.prove(
        c.a, c.b, c.on_b, Kind.ABSENCE, tree, (height, height), [Path.receipt(*names[0]).key]
    )
    call = c.b.gateway.time_out(c.on_b, [packet], proof.data)
    ended = await c.b.submit(call.giving(lambda included: included.events), c.pair.rich)
    assert "PacketTimedOut" in {event.name for event in ended.effect}
    assert (await c.b.market.purchase(purchase_id)).state is PurchaseState.REFUNDED


async def test_only_an_administrator_adds_routes(crossing: Crossing):
    call = crossing.a.gateway.set_counterparty(crossing.on_a, "caimi-1-0")
    with pytest.raises(TransactionReverted) as refusal:
        await crossing.a.submit(call, crossing.alice)
    assert refusal.value.error == "AccessManagedUnauthorized"
