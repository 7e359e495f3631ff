"""The scenarios of the simulated schedules, fewer, on real processes: anvils, nodes, relayers."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from test_devnet_kills import MortalNetwork

from caimi.client.keyring import Keyring
from caimi.composition.ledgers import open_ledgers
from caimi.config import load_config
from caimi.devnet import processes
from caimi.errors.base import CaimiError
from caimi.hashing import keccak256
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.port import Account, Asset, LedgerId, Price, PurchaseState

pytestmark = [pytest.mark.e2e, pytest.mark.anvil, pytest.mark.timeout(600)]
VERSION, PRICE = "1.0.0", 10**6
MODELS = 20
WITHIN_SECONDS = 150.0


@pytest.fixture
def net(tmp_path: Path) -> Iterator[MortalNetwork]:
    network = MortalNetwork(tmp_path)
    network.run("devnet", "up")
    network.end("supervisor")  # which would start again what is ended here
    try:
        yield network
    finally:
        for name in ("ledger-a", "ledger-b", "ledger-c"):
            os.killpg(network.named(name).pid, signal.SIGCONT)
        network.run("devnet", "down")


@dataclass
class Traffic:
    """Users who buy and move models of ledger a, and the law over all that ever happened."""

    net: MortalNetwork
    ledgers: list[EvmLedger]
    alice: LocalSigner
    bob: LocalSigner
    carriers: tuple[LocalSigner, ...]
    models: list[bytes] = field(default_factory=list)
    bought: list[tuple[EvmLedger, bytes]] = field(default_factory=list)
    sent: int = 0

    async def publish(self) -> None:
        home = self.ledgers[0]
        prices = [
            Price(Asset(ledger.id, b"").of(PRICE), Account(ledger.id, self.alice.account))
            for ledger in self.ledgers
        ]
        names = [f"m-{number}" for number in range(MODELS)]
        self.models = [
            home.registry.model_id(Account(home.id, self.alice.account), name) for name in names
        ]
        calls = [home.registry.publish(name, VERSION, keccak256(name.encode())) for name in names]
        await asyncio.gather(*(home.submit(call, self.alice) for call in calls))
        calls = [home.market.set_prices(model, prices) for model in self.models]
        await asyncio.gather(*(home.submit(call, self.alice) for call in calls))

    async def client(self, here: EvmLedger, there: EvmLedger) -> str:
        return next(r.client_id for r in await here.gateway.routes() if r.counterparty == there.id)

    async def buy(self, here: EvmLedger, model: bytes, lasts: int = 3_600) -> None:
        timeout = (await here.head()).time + lasts
        client = await self.client(here, self.ledgers[0])
        call = await here.market.buy_remote(
            client, model, VERSION, Asset(here.id, b"").of(PRICE), timeout
        )
        await here.submit(call, self.bob)
        self.bought.append((here, model))

    async def move(self, model: bytes, there: EvmLedger) -> None:
        home = self.ledgers[0]
        await home.submit(home.registry.approve(model, home.bridge.account), self.alice)
        timeout = (await home.head()).time + 3_600
        client, bob = await self.client(home, there), Account(there.id, self.bob.account)
        await home.submit(home.bridge.send(client, model, bob, timeout), self.alice)

    async def some(self, lasts: int = 3_600) -> None:
        """Two purchases and a transfer, over three routes."""
        _, b, c = self.ledgers
        sold, moved = self.models[self.sent], self.models[self.sent + 1]
        self.sent += 2
        await asyncio.gather(self.buy(b, sold, lasts), self.buy(c, sold), self.move(moved, b))

    # --- the law ----------------------------------------------------------------------------------

    async def events(self, ledger: EvmLedger) -> tuple[set[Any], Counter[Any], Counter[Any]]:
        """What was sent from here, how often each of it ended, and how often what was received."""
        start, head = ledger.deployed_at - 1, (await ledger.head()).height
        sent = await ledger.gateway.sent(start, head)
        ended = await ledger.watching.ended(start, head)
        delivered = await ledger.watching.delivered(start, head)
        return (
            {(e.packet.source_client, e.packet.sequence) for e in sent},
            Counter((e.source_client, e.sequence, e.acknowledged) for e in ended),
            Counter((e.dest_client, e.sequence) for e in delivered),
        )

    async def all_ended(self) -> None:
        """Wait until every packet has ended on its source."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while True:
            open_packets = []
            for ledger in self.ledgers:
                try:
                    sent, ended, _ = await self.events(ledger)
                except CaimiError as error:
                    open_packets.append(str(error))
                    continue
                open_packets += sorted(sent - {each[:2] for each in ended})
            if not open_packets:
                return
            assert time.monotonic() < deadline, open_packets
            await asyncio.sleep(0.5)

    async def check(self) -> None:
        """Each packet took effect once or not at all, and no model or coin is lost or doubled."""
        seen = {ledger.id: await self.events(ledger) for ledger in self.ledgers}
        for ledger in self.ledgers:
            sent, ended, received = seen[ledger.id]
            assert set(received.values()) <= {1}
            assert Counter(each[:2] for each in ended.elements()) == Counter(sent)
            for route in await ledger.gateway.routes():
                there = seen[route.counterparty][2]
                for client, number, acknowledged in ended:
                    if client == route.client_id:
                        name = (route.counterparty_client_id, number)
                        assert there[name] == acknowledged, (client, number)
            await self.check_money(ledger)
        for model in self.models:
            assert len(await self.holders(model)) == 1
        await self.check_licences()

    async def check_money(self, ledger: EvmLedger) -> None:
        address = ledger.deployment.contracts["market"]
        market = Contract(ledger.chain, address, artifact("LicenceMarket").interface)
        (held,) = await market.read("held", bytes(20))
        # Whoever brings the end of a purchase is owed its deposit.
        owed = [
            (await ledger.market.owed(Account(ledger.id, account))).units
            for account in (who.account for who in (self.alice, self.bob, *self.carriers))
        ]
        assert (held, (await ledger.coins.balance(Account(ledger.id, address))).units) == (
            0,
            sum(owed),
        )

    async def check_licences(self) -> None:
        """A purchase that was paid for has a licence; a refunded one has neither."""
        home = self.ledgers[0]
        paid = Counter[LedgerId]()
        for here, model in self.bought:
            client = await self.client(here, home)
            found = await here.market.purchase_of(
                client, model, VERSION, Account(here.id, self.bob.account)
            )
            licence = await home.market.licence(model, VERSION, Account(here.id, self.bob.account))
            assert licence.live == (found is not None)
            if found is not None:
                assert found.state is PurchaseState.COMPLETED
                paid[here.id] += 1
        for here in self.ledgers[1:]:
            assert (await here.market.owed(Account(here.id, self.alice.account))).units == paid[
                here.id
            ] * PRICE
        assert paid.total() > len(self.bought) // 2

    async def holders(self, model: bytes) -> list[LedgerId]:
        found = []
        for ledger in self.ledgers:
            record = await ledger.registry.find(model)
            if record is not None and record.owner not in (None, ledger.bridge.account):
                found.append(ledger.id)
        return found


async def test_every_packet_ends_once_whatever_happens_to_processes(net: MortalNetwork) -> None:
    config = load_config(net.folder / "caimi.toml")
    keyring = Keyring(config)
    async with AsyncExitStack() as stack:
        ledgers = list((await open_ledgers(stack, config.ledgers)).values())
        alice, bob = (keyring.open(name).signer for name in ("alice", "bob"))
        carriers = tuple(keyring.open(name).signer for name in ("relayer", "worker"))
        traffic = Traffic(net, ledgers, alice, bob, carriers)
        await traffic.publish()
        await _validators_are_down(traffic)
        await _two_relayers(traffic)
        await _relayer_killed_between_sending_and_receipt(traffic)
        await _reorganisations(traffic)
        await _halted_ledger(traffic)
        await _lying_node(traffic)
        await traffic.check()


async def _validators_are_down(traffic: Traffic) -> None:
    """Too few validators answer: packets wait, one whose time passes is refunded later."""
    dead = [traffic.net.end(name) for name in ("node-1", "node-2", "node-3")]
    await traffic.some(lasts=5)
    await asyncio.sleep(6)
    _, _, received = await traffic.events(traffic.ledgers[0])
    assert not received
    for each in dead:
        traffic.net.start_again(*each)
    await traffic.all_ended()
    _, ended, _ = await traffic.events(traffic.ledgers[1])
    assert any(not acknowledged for _, _, acknowledged in ended)


async def _two_relayers(traffic: Traffic) -> None:
    """Another relayer with a key of its own carries the same packets."""
    net = traffic.net
    dead, command = net.end("relayer")
    net.start_again(dead, command)
    command = list(command)
    command[command.index("--key") + 1] = "worker"
    second = processes.start("relayer-2", command, net.folder / ".caimi")
    processes.save(net.listed, [*processes.load(net.listed), second])
    await traffic.some()
    await traffic.some()
    await traffic.all_ended()
    net.end("relayer-2")


async def _relayer_killed_between_sending_and_receipt(traffic: Traffic) -> None:
    """Killed as soon as a node has its transaction, before the block; and again a little later."""
    net = traffic.net
    for delay in (0.0, 0.4, 1.1):
        await traffic.some()
        await asyncio.to_thread(_wait_for_a_transaction, net)
        await asyncio.sleep(delay)
        net.kill_and_start("relayer")
    await traffic.all_ended()


def _wait_for_a_transaction(net: MortalNetwork) -> None:
    urls = [net.named(f"ledger-{name}").url or "" for name in "abc"]
    asked = {"jsonrpc": "2.0", "id": 1, "method": "txpool_status", "params": []}
    deadline = time.monotonic() + 60
    with httpx.Client(timeout=20) as client:  # one that stays: a block comes within 0.3 s
        for url in itertools.cycle(urls):
            if client.post(url, json=asked).json()["result"]["pending"] != "0x0":
                return
            assert time.monotonic() < deadline


async def _reorganisations(traffic: Traffic) -> None:
    """Blocks that are not final yet are replaced, with what was sent and delivered in them."""
    for _ in range(2):
        await traffic.some()
        for ledger in traffic.ledgers:
            await ledger.chain.rpc.ask("anvil_reorg", 1, [])
            await asyncio.sleep(0.3)
    await traffic.all_ended()


async def _halted_ledger(traffic: Traffic) -> None:
    """A ledger's process stands still with packets towards it, and goes on."""
    await traffic.some()
    halted = traffic.net.named("ledger-a").pid
    os.killpg(halted, signal.SIGSTOP)
    await asyncio.sleep(6)
    os.killpg(halted, signal.SIGCONT)
    await traffic.all_ended()


async def _lying_node(traffic: Traffic) -> None:
    """One validator's node tells of other buyers; what it tells gets no true signature."""
    net = traffic.net
    url = net.named("ledger-b").url
    assert url is not None
    with _liar(url, traffic.bob.account, traffic.alice.account) as proxy:
        settings = net.folder / ".caimi" / "node-1" / "node.toml"
        text = settings.read_text("utf-8")
        assert url in text
        settings.write_text(text.replace(url, proxy.url), "utf-8")
        net.kill_and_start("node-1")
        await asyncio.to_thread(_wait_for_node, net.named("node-1").url or "")
        await traffic.some()
        await traffic.all_ended()
        assert proxy.lies > 0


def _wait_for_node(url: str) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)


class _Liar(ThreadingHTTPServer):
    """A node that answers as another does, but names one account for another in event logs."""

    lies = 0
    upstream = ""
    swap = ("", "")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Liar
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"]))
        kind = {"Content-Type": "application/json"}
        upstream = self.server.upstream
        answer = httpx.post(upstream, content=request, headers=kind, timeout=20).content
        if b"eth_getLogs" in request:
            true, false = (each.encode() for each in self.server.swap)
            self.server.lies += true in answer
            answer = answer.replace(true, false)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _liar(upstream: str, true: bytes, false: bytes) -> Iterator[_Liar]:
    server = _Liar(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.upstream, server.swap = upstream, (true.hex(), false.hex())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
