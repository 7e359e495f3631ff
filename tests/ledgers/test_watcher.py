"""A watcher pauses a route on two deployed ledgers when a committee's stolen keys forge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace

import pytest
from leaving_out import LeavingOut
from ledger_site import COIN, IMPATIENT
from subprocess_anvil import anvil_process

from caimi.composition.joining import join_ledgers
from caimi.errors.ledgers import LedgerUnavailable, TransactionReverted
from caimi.errors.messaging import MessagingError
from caimi.hashing import keccak256
from caimi.ibc.commitments import acknowledgement_commitment, packet_commitment
from caimi.ibc.packet import Packet, Payload
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import EvmCall, contract_creation, nothing
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.anvil import AnvilOptions
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.port import Account, Asset, Block, LedgerId
from caimi.loopback import free_port
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.proof import (
    SignedStatement,
    Tree,
    absence_facts,
    block_fact,
    statement_of,
)
from caimi.messaging.reading import read_tree
from caimi.messaging.watcher import Watcher
from caimi.node.metrics import WatcherMetrics

A, B = 31601, 31602
PATIENCE = 10.0
REORGANISES = pytest.mark.parametrize(
    "reach", [pytest.param("anvil", marks=pytest.mark.anvil)], indirect=True
)


@dataclass
class Heist:
    """Two joined ledgers, a watcher on connections of its own, and a thief with every key."""

    a: EvmLedger
    b: EvmLedger
    on_a: str
    on_b: str
    rich: LocalSigner
    members: list[LocalSigner]
    guardians: dict[LedgerId, LocalSigner]
    watcher: Watcher
    now: list[float]
    found: list[tuple[LedgerId, str, MessagingError]] = field(default_factory=list)

    async def send(self, name: str = "m") -> tuple[Packet, int]:
        """Send a message from B to A; gives the packet and its height."""
        timeout = (await self.b.head()).time + 3600
        model = self.a.registry.model_id(Account(self.a.id, self.rich.account), name)
        call = await self.b.market.buy_remote(
            self.on_b, model, "1.0.0", Asset(self.b.id, b"").of(500), timeout
        )
        receipt = await self.b.submit(call, self.rich)
        (sent,) = await self.b.gateway.sent(receipt.height - 1, receipt.height)
        return sent.packet, receipt.height

    async def sign(self, kind: Kind, of: EvmLedger, at: str, blocks, time: int, tree: Tree):
        verifier, client = (self.a, self.on_a) if at == "a" else (self.b, self.on_b)
        committee = await verifier.gateway.committee(client)
        origin = keccak256(of.gateway.address)
        said = statement_of(kind, origin, committee, blocks, time, tree)
        return SignedStatement(
            said, {n: self.members[n].sign_digest(said.digest) for n in range(3)}
        )

    async def deliver(
        self, packet: Packet, *, height: int | None = None, through: bytes = b""
    ) -> None:
        """Deliver to A; without a height of the true tree the proof is forged."""
        key = Path.commitment(packet.source_client, packet.sequence).key
        if height is not None:
            block = await self.b.block(height)
            tree = await read_tree(self.b.gateway, height - 1, block)
        else:
            block = await self.b.head()
            tree = Tree.of([block_fact(block), (key, packet_commitment(packet))])
        blocks = (block.height - 1, block.height)
        signed = await self.sign(Kind.CHECKPOINT, self.b, "a", blocks, block.time, tree)
        proof = signed.prove(tree, [key])
        call = self.a.gateway.receive(self.on_a, [packet], proof.data)
        await self.a.submit(replace(call, target=through or call.target), self.rich)

    async def time_out(self, packet: Packet) -> None:
        """Time `packet` out on B with a forged absence."""
        tree = Tree.of(absence_facts([(packet.dest_client, packet.sequence)]))
        height = (await self.a.head()).height
        signed = await self.sign(Kind.ABSENCE, self.a, "b", (height, height), packet.timeout, tree)
        proof = signed.prove(tree, [Path.receipt(packet.dest_client, packet.sequence).key])
        await self.b.submit(self.b.gateway.time_out(self.on_b, [packet], proof.data), self.rich)

    async def acknowledge(self, packet: Packet, acks: list[bytes]) -> None:
        """Acknowledge `packet` on B with an acknowledgement that A never wrote."""
        block: Block = await self.a.head()
        key = Path.acknowledgement(packet.dest_client, packet.sequence).key
        tree = Tree.of([block_fact(block), (key, acknowledgement_commitment(acks))])
        blocks = (block.height - 1, block.height)
        signed = await self.sign(Kind.CHECKPOINT, self.a, "b", blocks, block.time, tree)
        proof = signed.prove(tree, [key])
        call = self.b.gateway.acknowledge(self.on_b, [packet], [acks], proof.data)
        await self.b.submit(call, self.rich)

    async def paused(self) -> tuple[bool, bool]:
        return (
            await self.a.watching.route_paused(self.on_a),
            await self.b.watching.route_paused(self.on_b),
        )

    @property
    def codes(self) -> list[str]:
        return [error.code for _, _, error in self.found]


@pytest.fixture(scope="module", params=["embedded", pytest.param("anvil", marks=pytest.mark.anvil)])
def reach(request) -> Iterator[tuple]:
    rich, guardians = LocalSigner.generate(), {each: LocalSigner.generate() for each in (A, B)}
    coins = {each.account: 1_000 * COIN for each in guardians.values()}
    coins[rich.account] = 1_000_000 * COIN
    if request.param == "embedded":
        chains = {number: EmbeddedChain(number, coins) for number in (A, B)}
        yield lambda number: embedded_chain(chains[number]), rich, guardians
        return
    with ExitStack() as stack:
        options = {number: AnvilOptions(number, free_port()) for number in (A, B)}
        for each in options.values():
            stack.enter_context(anvil_process(each, coins))
        yield (
            lambda number: http_chain(f"eip155:{number}", options[number].url, Depth(0)),
            rich,
            guardians,
        )


@pytest.fixture
async def heist(reach) -> AsyncIterator[Heist]:
    connect, rich, guardians = reach
    members = sorted((LocalSigner.generate() for _ in range(4)), key=lambda m: m.account)
    async with AsyncExitStack() as stack:
        deployments = {}
        for number in (A, B):
            chain = connect(number)
            stack.push_async_callback(chain.rpc.aclose)
            deployments[number] = await deploy(chain, rich, guardian=guardians[number].account)

        def ledger(number: int) -> EvmLedger:
            made = EvmLedger(connect(number), deployments[number], patience=IMPATIENT)
            stack.push_async_callback(made.aclose)
            return made

        a, b = ledger(A), ledger(B)
        committee = make_committee(0, 3, [m.account for m in members])
        on_a, on_b = await join_ledgers(
            EvmAdministered(a, rich), EvmAdministered(b, rich), committee
        )
        acting = {a.id: guardians[A], b.id: guardians[B]}
        now = [0.0]
        found: list[tuple[LedgerId, str, MessagingError]] = []
        watcher = Watcher(
            {a.id: ledger(A), b.id: ledger(B)},
            acting,
            patience_seconds=PATIENCE,
            observe=lambda *finding: found.append(finding),
            clock=lambda: now[0],
        )
        yield Heist(a, b, on_a, on_b, rich, members, acting, watcher, now, found)


async def test_what_a_route_may_carry_is_measured(heist: Heist) -> None:
    metrics = WatcherMetrics()
    place = {"ledger": heist.a.id, "client": heist.on_a}
    value = metrics.registry.get_sample_value
    await heist.a.submit(heist.a.registry.publish("sent", "1.0.0", b"\1" * 32), heist.rich)
    model = heist.a.registry.model_id(Account(heist.a.id, heist.rich.account), "sent")
    await heist.a.submit(heist.a.registry.approve(model, heist.a.bridge.account), heist.rich)
    timeout = (await heist.a.head()).time + 600
    call = heist.a.bridge.send(heist.on_a, model, Account(heist.b.id, heist.rich.account), timeout)
    await heist.a.submit(call, heist.rich)
    await metrics.measure([heist.a])
    assert value("caimi_route_allowance", {**place, "direction": "receiving"}) == 12_000
    assert value("caimi_route_allowance", {**place, "direction": "sending"}) == 999
    assert value("caimi_route_models_out", place) == 1
    assert value("caimi_route_breaker_open", place) == 0
    open_it = artifact("ModelBridge").interface["openBreaker"].encode(heist.on_a)
    target = heist.a.bridge.account.native
    await heist.a.submit(
        EvmCall(heist.a.id, "Opening", target, open_it, 0, nothing), heist.guardians[heist.a.id]
    )
    await metrics.measure([heist.a])
    assert value("caimi_route_breaker_open", place) == 1


async def test_honest_traffic_is_left_alone(heist: Heist) -> None:
    packet, height = await heist.send()
    await heist.deliver(packet, height=height)
    for _ in range(3):
        heist.now[0] += PATIENCE
        watched = await heist.watcher.step()
        assert (watched.findings, watched.failures) == ([], [])
    assert await heist.paused() == (False, False)
    assert (heist.watcher._judged, heist.watcher._first_seen) == (set(), {})


async def test_a_delivery_that_was_never_sent_pauses_the_route_on_both_sides(heist: Heist) -> None:
    true, _ = await heist.send()
    forged = replace(true, sequence=9)
    await heist.deliver(forged)
    assert (await heist.watcher.step()).findings == []  # its node may lag
    heist.now[0] += PATIENCE
    watched = await heist.watcher.step()
    assert watched.failures == []
    assert [error.code for error in watched.findings] == ["CAIMI-M030"]
    assert await heist.paused() == (True, True)
    with pytest.raises(TransactionReverted, match="RoutePaused"):
        await heist.deliver(replace(true, sequence=10))
    assert (await heist.watcher.step()).findings == []


async def test_a_delivery_with_other_contents_than_were_sent_pauses_at_once(heist: Heist) -> None:
    true, _ = await heist.send()
    payload = true.payloads[0]
    forged = replace(true, payloads=(Payload(*_five(payload, b"stolen")),))
    await heist.deliver(forged)
    watched = await heist.watcher.step()
    assert [error.code for error in watched.findings] == ["CAIMI-M030"]
    assert "other contents" in watched.findings[0].what
    assert await heist.paused() == (True, True)


async def test_a_delivery_through_another_contract_is_seen_through_or_told_of(
    heist: Heist, request: pytest.FixtureRequest
) -> None:
    true, _ = await heist.send()
    forged = replace(true, payloads=(Payload(*_five(true.payloads[0], b"stolen")),))
    gateway = heist.a.deployment.contracts["gateway"]
    # Forwards whatever it is called with to the gateway.
    code = bytes.fromhex(f"365f5f375f5f365f5f73{gateway.hex()}5af16026575f5ffd5b00")
    runs = bytes([0x60, len(code)]) + bytes.fromhex("8060095f395ff3") + code
    made = await heist.a.submit(contract_creation(heist.a.id, "Deploying", runs), heist.rich)
    await heist.deliver(forged, through=made.effect)
    await heist.watcher.step()
    if "anvil" in request.node.name:  # it traces calls
        assert heist.codes == ["CAIMI-M030"]
        assert await heist.paused() == (True, True)
    else:
        assert heist.codes == ["CAIMI-M034"]
        assert await heist.paused() == (False, False)


async def test_a_timeout_of_what_was_received_pauses_the_route(heist: Heist) -> None:
    packet, height = await heist.send()
    await heist.deliver(packet, height=height)
    for ledger in (heist.a, heist.b):
        await _pass(ledger, 4_000)
    await heist.time_out(packet)
    await heist.watcher.step()
    assert heist.codes == ["CAIMI-M031"]
    assert await heist.paused() == (True, True)


async def test_an_acknowledgement_of_what_was_never_received_pauses_the_route(
    heist: Heist,
) -> None:
    packet, _ = await heist.send()
    await heist.acknowledge(packet, [b"\x01"])
    await heist.watcher.step()
    assert heist.codes == []
    heist.now[0] += PATIENCE
    await heist.watcher.step()
    assert heist.codes == ["CAIMI-M032"]
    assert await heist.paused() == (True, True)


async def test_another_answer_than_was_written_pauses_the_route_at_once(heist: Heist) -> None:
    """The universal error for a packet that was received would refund what is live elsewhere."""
    packet, height = await heist.send()
    await heist.deliver(packet, height=height)
    await heist.acknowledge(packet, [b"\x01"])
    await heist.watcher.step()
    assert heist.codes == ["CAIMI-M032"]
    assert "otherwise" in heist.found[0][2].what
    assert await heist.paused() == (True, True)


async def test_the_answer_that_was_written_is_left_alone(heist: Heist) -> None:
    packet, height = await heist.send()
    await heist.deliver(packet, height=height)
    head = await heist.a.head()
    _, (written,) = await heist.a.gateway.traffic(0, head.height)
    await heist.acknowledge(packet, list(written.acknowledgements))
    for _ in range(3):
        heist.now[0] += PATIENCE
        watched = await heist.watcher.step()
        assert (watched.findings, watched.failures) == ([], [])
    assert await heist.paused() == (False, False)


async def test_a_timeout_before_its_time_pauses_the_route(heist: Heist) -> None:
    packet, _ = await heist.send()
    await _pass(heist.b, 3_300)  # its own clock, so that the proof is not from its future
    await heist.time_out(packet)
    await heist.watcher.step()
    heist.now[0] += PATIENCE
    await heist.watcher.step()
    assert heist.codes == ["CAIMI-M031"]
    assert "before its time" in heist.found[0][2].what
    assert await heist.paused() == (True, True)
    await _pass(heist.a, 3_300)  # the ledgers are others' as well


async def test_a_timeout_is_no_forgery_while_its_time_is_not_final_at_a_node_that_lags(
    heist: Heist,
) -> None:
    """The watcher's node may be behind the validators' by as many blocks as make one final."""
    packet, _ = await heist.send()
    await _pass(heist.b, 3_700)
    await _pass(heist.a, 3_700)  # no block before is past the packet's time
    heist.watcher._views[heist.a.id].ledger.chain.finality = Depth(2)
    await heist.time_out(packet)
    for _ in range(3):
        await heist.watcher.step()
        heist.now[0] += PATIENCE
    assert heist.codes == []
    open_ending = (heist.on_b, packet.sequence)
    assert open_ending in heist.watcher._views[heist.b.id].endings
    for _ in range(2):
        await _pass(heist.a, 1)
    await heist.watcher.step()
    assert heist.codes == []
    await heist.watcher.step()
    assert open_ending not in heist.watcher._views[heist.b.id].endings  # judged, and read no more


@REORGANISES
async def test_a_delivery_that_a_reorganisation_moved_is_no_forgery(heist: Heist) -> None:
    packet, height = await heist.send()
    rpc = heist.a.chain.rpc
    before = await rpc.ask("evm_snapshot")
    heist.watcher._views[heist.a.id].ledger.chain.finality = Depth(2)
    await heist.deliver(packet, height=height)
    await heist.watcher.step()
    await rpc.ask("evm_revert", before)
    for _ in range(4):
        await rpc.ask("evm_mine")
    await heist.watcher.step()
    await heist.deliver(packet, height=height)
    for _ in range(3):
        await rpc.ask("evm_mine")
        heist.now[0] += PATIENCE
        await heist.watcher.step()
    assert heist.codes == []


@REORGANISES
async def test_a_pause_that_a_reorganisation_undid_is_made_again(heist: Heist) -> None:
    true, _ = await heist.send()
    await heist.deliver(replace(true, sequence=9))
    heist.watcher._views[heist.a.id].ledger.chain.finality = Depth(3)
    await heist.watcher.step()
    rpc = heist.a.chain.rpc
    before = await rpc.ask("evm_snapshot")
    heist.now[0] += PATIENCE
    await heist.watcher.step()
    assert await heist.paused() == (True, True)
    await rpc.ask("evm_revert", before)
    assert await heist.paused() == (False, True)
    for _ in range(4):
        await rpc.ask("evm_mine")
    await heist.watcher.step()
    assert await heist.paused() == (True, True)
    assert heist.codes == ["CAIMI-M030"]


async def test_a_ledger_that_does_not_take_the_pause_holds_up_no_other(
    heist: Heist, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, _ = await heist.send()
    await heist.deliver(replace(true, sequence=9))
    await heist.watcher.step()
    heist.now[0] += PATIENCE
    halted = asyncio.Event()

    async def wait(*_: object) -> None:
        await halted.wait()
        raise LedgerUnavailable("It stood still.")

    heist.watcher._patience = 0.5
    with monkeypatch.context() as patched:
        patched.setattr(heist.watcher._views[heist.a.id].ledger, "submit", wait)
        for _ in range(2):
            await heist.watcher.step()
        assert await heist.paused() == (False, True)
        halted.set()
        watched = await heist.watcher.step()
        assert [str(each.code) for each in watched.failures] == [LedgerUnavailable.code]
    await heist.watcher.step()
    assert await heist.paused() == (True, True)


async def test_two_contents_signed_for_one_range_freeze_the_client(heist: Heist) -> None:
    packet, height = await heist.send()
    await heist.deliver(packet, height=height)
    other, head = replace(packet, sequence=7), await heist.b.block(height)
    key = Path.commitment(other.source_client, 7).key
    tree = Tree.of([block_fact(head), (key, packet_commitment(other))])
    signed = await heist.sign(Kind.CHECKPOINT, heist.b, "a", (height - 1, height), head.time, tree)
    proof = signed.prove(tree, [key])
    call = heist.a.gateway.receive(heist.on_a, [other], proof.data)
    await heist.a.submit(call, heist.rich)
    watched = await heist.watcher.step()
    assert watched.failures == []
    assert heist.codes == ["CAIMI-M033"]
    with pytest.raises(TransactionReverted, match=r"ClientFrozen|RoutePaused"):
        await heist.deliver(replace(packet, sequence=8))
    assert await heist.paused() == (True, True)


async def test_two_contents_signed_of_answers_freeze_the_client(heist: Heist) -> None:
    packets = [(await heist.send(name))[0] for name in ("m", "n")]
    block = await heist.a.head()
    for packet in packets:
        key = Path.acknowledgement(packet.dest_client, packet.sequence).key
        tree = Tree.of([block_fact(block), (key, acknowledgement_commitment([b"\x01"]))])
        blocks = (block.height - 1, block.height)
        signed = await heist.sign(Kind.CHECKPOINT, heist.a, "b", blocks, block.time, tree)
        proof = signed.prove(tree, [key]).data
        call = heist.b.gateway.acknowledge(heist.on_b, [packet], [[b"\x01"]], proof)
        await heist.b.submit(call, heist.rich)
    heist.now[0] += PATIENCE
    await heist.watcher.step()
    heist.now[0] += PATIENCE
    await heist.watcher.step()
    assert "CAIMI-M033" in heist.codes
    with pytest.raises(TransactionReverted, match="ClientFrozen"):
        await heist.acknowledge(packets[1], [b"\x01"])


async def test_a_watcher_whose_node_is_down_pauses_nothing_and_says_so(
    heist: Heist, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, _ = await heist.send()
    await heist.deliver(replace(true, sequence=9))
    view = heist.watcher._views[heist.b.id].ledger

    async def down() -> Block:
        raise LedgerUnavailable("down")

    with monkeypatch.context() as patched:
        patched.setattr(view, "head", down)
        for _ in range(3):
            heist.now[0] += PATIENCE
            watched = await heist.watcher.step()
            assert watched.failures
            assert watched.findings == []
    assert await heist.paused() == (False, False)
    await heist.watcher.step()
    heist.now[0] += PATIENCE
    await heist.watcher.step()
    assert await heist.paused() == (True, True)


async def test_a_packet_whose_log_the_watchers_node_leaves_out_is_no_forgery(
    heist: Heist,
) -> None:
    rpc = heist.watcher._views[heist.b.id].ledger.chain.rpc
    rpc.provider = LeavingOut(rpc.provider, lambda log: True)
    packet, height = await heist.send()
    await heist.deliver(packet, height=height)
    for _ in range(3):
        heist.now[0] += PATIENCE
        assert (await heist.watcher.step()).findings == []
    assert rpc.provider.dropped > 0
    assert await heist.paused() == (False, False)


async def test_a_forgery_that_the_watchers_node_left_out_at_first_is_noticed(heist: Heist) -> None:
    true, _ = await heist.send()
    await heist.watcher.step()
    await heist.deliver(replace(true, sequence=9))
    rpc = heist.watcher._views[heist.a.id].ledger.chain.rpc
    rpc.provider = LeavingOut(rpc.provider, lambda log: True)
    for _ in range(2):
        heist.now[0] += PATIENCE
        assert [error.code for error in (await heist.watcher.step()).failures] == ["CAIMI-M013"]
    rpc.provider.drops = lambda log: False
    await heist.watcher.step()
    heist.now[0] += PATIENCE
    watched = await heist.watcher.step()
    assert [error.code for error in watched.findings] == ["CAIMI-M030"]
    assert await heist.paused() == (True, True)


async def _pass(ledger: EvmLedger, seconds: int) -> None:
    await ledger.chain.rpc.ask("evm_increaseTime", seconds)
    await ledger.chain.rpc.ask("evm_mine")


def _five(payload: Payload, value: bytes) -> tuple[str, str, str, str, bytes]:
    return (
        payload.source_port,
        payload.dest_port,
        payload.version,
        payload.encoding,
        value,
    )
