"""The chaincode's side of its protocol, with a peer by hand, and many transactions at a time."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import grpc
import grpc.aio
import pytest
from paper_peer import CHANNEL, PACKAGE, PaperPeer, paper_peer, served
from trial_chaincode import TrialContract
from trial_network import TRIAL, TrialNetwork

from caimi.errors.fabric import (
    ChaincodeRefusal,
    FabricChaincodeMissing,
    FabricNodeFailed,
    FabricPeersMissing,
)
from caimi.ledgers.fabric.chaincode.process import ChaincodePlace, main
from caimi.ledgers.fabric.chaincode.shim import ShimLimits, serving_chaincode
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub
from caimi.ledgers.fabric.chaincode.transaction_state import TransactionLimits
from caimi.ledgers.fabric.local.layout import LocalLayout
from caimi.ledgers.fabric.local.network import lay_out
from caimi.ledgers.fabric.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from caimi.ledgers.fabric.rpc.gateway import GatewayClient

SMALL = ShimLimits(
    threads=4,
    under_way=3,
    transaction=TransactionLimits(
        key_bytes=16, value_bytes=64, writes=3, written_bytes=150, reads=3, range=4, event_bytes=64
    ),
)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> LocalLayout:
    return lay_out(tmp_path_factory.mktemp("shim"), first_port=21_100)


@pytest.fixture
async def peer(layout: LocalLayout) -> AsyncIterator[PaperPeer]:
    own = layout.organisations[0]
    async with served(TrialContract(), own) as address, paper_peer(address, own) as connected:
        assert await connected.register() == PACKAGE
        yield connected


async def test_what_is_put_is_read(peer: PaperPeer):
    assert (await peer.call(b"get", b"key")).payload == b"absent"
    assert (await peer.call(b"put", b"key", b"value")).status == 200
    assert (await peer.call(b"get", b"key")).payload == b"=value"


async def test_a_transaction_reads_what_it_wrote_and_asks_the_peer_once(peer: PaperPeer):
    assert (await peer.call(b"count", b"key")).payload == b"1"
    assert peer.asked == [("GET_STATE", "key"), ("PUT_STATE", "key")]


async def test_a_refusal_writes_nothing(peer: PaperPeer):
    response = await peer.call(b"refuse", b"because")
    assert (response.status, response.message) == (500, "because")
    assert peer.asked == []


async def test_a_failure_tells_nothing(peer: PaperPeer):
    response = await peer.call(b"fail")
    assert response.status == 500
    assert "secret" not in response.message


async def test_writes_go_to_the_peer_in_the_order_of_their_keys(peer: PaperPeer):
    peer.state = {"xc": b"3"}
    response = await peer.call(b"overlay", b"x")
    assert response.payload == b"xa,xc"
    written = [each for each in peer.asked if each[0] in ("PUT_STATE", "DEL_STATE")]
    assert written == [("PUT_STATE", "xa"), ("DEL_STATE", "xb")]


async def test_a_range_is_read_page_by_page_and_no_further_than_asked(peer: PaperPeer):
    peer.state = {f"k{at}": b"v" for at in range(9)}
    assert (await peer.call(b"range", b"k", b"l", b"3")).payload == b"k0=v,k1=v,k2=v"
    assert [kind for kind, _ in peer.asked] == [
        "GET_STATE_BY_RANGE",
        "QUERY_STATE_NEXT",
        "QUERY_STATE_CLOSE",
    ]


async def test_an_event_comes_with_its_transaction(peer: PaperPeer):
    transaction = await peer.begin(b"event", b"told", b"payload")
    message, _ = await peer.completed()
    event = message.chaincode_event
    assert (event.event_name, event.payload, event.tx_id) == ("told", b"payload", transaction)


class MeetingContract:
    """Waits until so many transactions are under way in it."""

    def __init__(self, count: int) -> None:
        self._barrier = threading.Barrier(count, timeout=20)

    def invoke(self, stub: ChaincodeStub) -> bytes:
        self._barrier.wait()
        key = stub.arguments[0].decode()
        value = stub.get(key)
        self._barrier.wait()
        return key.encode() + b":" + (value or b"")


async def test_transactions_at_a_time_get_their_own_answers(layout: LocalLayout):
    own = layout.organisations[0]
    count = 16
    async with (
        served(MeetingContract(count), own, ShimLimits(threads=count)) as address,
        paper_peer(address, own) as peer,
    ):
        await peer.register()
        peer.state = {f"k{at}": b"v%d" % at for at in range(count)}
        begun = {await peer.begin(b"k%d" % at): at for at in range(count)}
        done = [await peer.completed() for _ in range(count)]
        assert {begun[m.txid]: r.payload for m, r in done} == {
            at: b"k%d:v%d" % (at, at) for at in range(count)
        }


async def test_more_than_may_be_under_way_are_refused(layout: LocalLayout):
    own = layout.organisations[0]
    async with (
        served(MeetingContract(3), own, SMALL) as address,
        paper_peer(address, own) as peer,
    ):
        await peer.register()
        for _ in range(4):
            await peer.begin(b"key")
        responses = [(await peer.completed())[1] for _ in range(4)]
        assert sorted(each.status for each in responses) == [200, 200, 200, 503]


async def test_who_is_told_to_end_finishes_what_is_under_way_and_begins_nothing(
    layout: LocalLayout,
):
    own = layout.organisations[0]
    begun, going_on = threading.Event(), threading.Event()

    def work(stub: ChaincodeStub) -> None:
        begun.set()
        assert going_on.wait(20)

    serving = served(Bounded(work), own)
    address = await serving.__aenter__()
    async with paper_peer(address, own) as peer:
        await peer.register()
        first = await peer.begin(b"first")
        assert await asyncio.to_thread(begun.wait, 20)
        ending = asyncio.create_task(serving.__aexit__(None, None, None))
        await asyncio.sleep(0.1)
        second = await peer.begin(b"second")
        refused, response = await peer.completed()
        assert (refused.txid, response.status) == (second, 503)
        assert "ending" in response.message
        going_on.set()
        finished, response = await peer.completed()
        assert (finished.txid, response.status) == (first, 200)
        await ending


async def test_a_call_that_is_too_large_is_refused_alone(layout: LocalLayout):
    own = layout.organisations[0]
    async with (
        served(TrialContract(), own, ShimLimits(call_bytes=4_000)) as address,
        paper_peer(address, own) as peer,
    ):
        await peer.register()
        await peer.begin(b"get", b"key")
        await peer.begin(b"put", b"key", bytes(2_000))
        answers = {(answer := (await peer.completed())[1]).status: answer for _ in range(2)}
        assert set(answers) == {200, 500}
        assert "larger than the chaincode takes" in answers[500].message
        assert (await peer.call(b"put", b"key", bytes(100))).status == 200


class Bounded:
    """Does whatever the test says."""

    def __init__(self, work) -> None:
        self._work = work

    def invoke(self, stub: ChaincodeStub) -> bytes:
        self._work(stub)
        return b""


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda stub: stub.put("", b"v"), "uses a key"),
        (lambda stub: stub.put("\0key", b"v"), "uses a key"),
        (lambda stub: stub.put("k" * 17, b"v"), "uses a key"),
        (lambda stub: stub.get("\ud800"), "uses a key"),
        (lambda stub: stub.delete(""), "uses a key"),
        (lambda stub: stub.put("k", b""), "writes nothing"),
        (lambda stub: stub.put("k", bytes(65)), "writes too much"),
        (lambda stub: [stub.put(f"k{at}", b"v") for at in range(4)], "writes too many keys"),
        (lambda stub: [stub.put(f"k{at}", bytes(64)) for at in range(3)], "writes too many bytes"),
        (lambda stub: [stub.get(f"k{at}") for at in range(4)], "reads too many keys"),
        (lambda stub: stub.range("a", "b", 5), "too wide a range"),
        (lambda stub: stub.range("a", "b", 0), "too wide a range"),
        (lambda stub: stub.range("", "b", 1), "uses a key"),
        (lambda stub: stub.raise_event("", b""), "without a name"),
        (lambda stub: stub.raise_event("n", bytes(65)), "too large an event"),
    ],
)
async def test_a_transaction_keeps_within_its_bounds(layout: LocalLayout, work, words: str):
    own = layout.organisations[0]
    async with served(Bounded(work), own, SMALL) as address, paper_peer(address, own) as peer:
        await peer.register()
        response = await peer.call(b"")
        assert response.status == 500
        assert words in response.message
        assert not peer.state


async def test_what_the_peer_calls_an_error_refuses_the_transaction(peer: PaperPeer):
    transaction = await peer.begin(b"get", b"key")
    await peer.next()
    about = {"txid": transaction, "channel_id": CHANNEL}
    await peer.send(ChaincodeMessage.ERROR, b"no ledger context", **about)
    _, response = await peer.completed()
    assert response.status == 500
    assert "no ledger context" in response.message


async def test_a_proposal_of_another_transaction_is_refused(peer: PaperPeer):
    await peer.begin(b"get", b"key", txid="ab" * 32)
    _, response = await peer.completed()
    assert response.status == 500
    assert "with the proposal of" in response.message


async def test_a_peer_that_hands_over_before_it_registers_is_sent_away(layout: LocalLayout):
    own = layout.organisations[0]
    async with served(TrialContract(), own) as address, paper_peer(address, own) as peer:
        await peer.next()
        await peer.begin(b"get", b"key")
        assert await peer.ended() is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    "kind", [ChaincodeMessage.RESPONSE, ChaincodeMessage.ERROR, ChaincodeMessage.INIT, 99]
)
async def test_a_peer_that_answers_what_was_not_asked_is_sent_away(peer: PaperPeer, kind: int):
    await peer.send(kind, b"", txid="ab", channel_id=CHANNEL)
    assert await peer.ended() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_transaction_that_is_under_way_does_not_begin_again(layout: LocalLayout):
    own = layout.organisations[0]
    async with served(MeetingContract(2), own) as address, paper_peer(address, own) as peer:
        await peer.register()
        transaction = await peer.begin(b"key")
        await peer.begin(b"key", txid=transaction)
        assert await peer.ended() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_contract_whose_peer_has_gone_is_let_go(layout: LocalLayout):
    own = layout.organisations[0]
    let_go = threading.Event()

    def work(stub: ChaincodeStub) -> None:
        try:
            stub.get("key")
        except ChaincodeRefusal:
            let_go.set()
            raise

    async with served(Bounded(work), own) as address:
        async with paper_peer(address, own) as peer:
            await peer.register()
            await peer.begin(b"")
            await peer.next()
        assert await asyncio.to_thread(let_go.wait, 10)


async def test_only_the_own_organisations_peer_connects(layout: LocalLayout):
    own, other = layout.organisations
    async with (
        served(TrialContract(), own) as address,
        paper_peer(address, own, shown=other) as peer,
    ):
        with pytest.raises((grpc.aio.AioRpcError, AssertionError)):
            await peer.next()


def fresh() -> bytes:
    return uuid4().hex.encode()


async def test_many_transactions_at_a_time_are_all_right(
    fabric: TrialNetwork, gateway: GatewayClient
):
    """The peers' own, over real streams."""
    prefix = fresh()
    keys = [prefix + b"%d" % at for at in range(64)]
    await asyncio.gather(*(gateway.invoke(TRIAL, b"put", key, key[::-1]) for key in keys))
    read = await asyncio.gather(*(gateway.evaluate(TRIAL, b"get", key) for key in keys))
    assert read == [b"=" + key[::-1] for key in keys]


async def test_a_chaincode_that_was_killed_comes_back(fabric: TrialNetwork, gateway: GatewayClient):
    key = fresh()
    await gateway.invoke(TRIAL, b"put", key, b"value")
    fabric.kill(f"{fabric.first.msp}-chaincode")
    with pytest.raises((FabricChaincodeMissing, FabricPeersMissing)):
        await gateway.endorse(TRIAL, b"count", key)
    await asyncio.to_thread(fabric.start_chaincode, fabric.first)
    async with asyncio.timeout(30):
        while True:
            try:
                assert await gateway.evaluate(TRIAL, b"get", key) == b"=value"
                break
            except (FabricChaincodeMissing, FabricPeersMissing):
                await asyncio.sleep(0.1)


async def test_an_address_that_is_taken_is_named(layout: LocalLayout):
    own = layout.organisations[0]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        end = own.end("chaincode")
        options = ["--package-id=a", f"--address=127.0.0.1:{taken.getsockname()[1]}"]
        options += [f"--certificate={end.certificate}", f"--key={end.key}"]
        place = ChaincodePlace.read([*options, f"--client-roots={own.tls_root}"])
        with pytest.raises(FabricNodeFailed, match="cannot listen"):
            async with serving_chaincode(
                place.package_id, TrialContract(), place.address, place.tls()
            ):
                pass


def test_the_program_says_what_it_lacks(tmp_path: Path):
    missing = str(tmp_path / "nothing")
    options = ["--package-id=a", "--address=127.0.0.1:0", f"--certificate={missing}"]
    options += [f"--key={missing}", f"--client-roots={missing}"]
    assert main(TrialContract(), options) == 1
