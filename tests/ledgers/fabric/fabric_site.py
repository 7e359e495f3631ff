"""Where to test a ledger on a real channel: an orderer, two organisations' peers and chaincode."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from copied_acts import count_acts
from machine_site import MachineSite

from caimi.ledgers.fabric.channel import Committed, TransactionConflict
from caimi.ledgers.fabric.lifecycle.definitions import ChaincodeDefinition
from caimi.ledgers.fabric.local.chaincodes import LocalChaincode, put_on_channel, start_chaincode
from caimi.ledgers.fabric.local.layout import LocalOrganisation
from caimi.ledgers.fabric.local.network import LocalNetwork, running_network
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.fabric.peer_channel import PeerChannel
from caimi.ledgers.fabric.protos.common.common_pb2 import Block
from caimi.ledgers.fabric.rpc.connection import CallPatience
from caimi.ledgers.fabric.rpc.endorsed_reads import EndorsedReader, ReadSource
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.terms import AccountingTerms, FoundingTerms
from caimi.ledgers.fabric.verification.headers import header_hash, ledger_name
from caimi.ledgers.machine.coins import MachineCoins
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, LedgerId, Signer

T = TypeVar("T")
CHAINCODE = "caimi"
DEFINITION = ChaincodeDefinition(CHAINCODE, "1.0", 1)
SOURCE = Path(__file__).parents[3] / "src"


class LoopThread:
    """An event loop of its own, for what outlives a test's."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@dataclass
class Seen:
    """How many blocks any connection of a site was shown, and how often one was too late."""

    height: int = 0
    conflicts: int = 0


class SiteChannel(PeerChannel):
    """One that is never behind another of its site: peers get a block one after the other."""

    seen: Seen
    gateway: GatewayClient
    failure: Exception | None = None
    """What it loses the next answer by, of a transaction that took effect."""

    async def height(self) -> int:
        while (there := await super().height()) < self.seen.height:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        self.seen.height = there
        return there

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        try:
            done = await super().submit(function, arguments)
        except TransactionConflict:
            self.seen.conflicts += 1
            raise
        self.seen.height = max(self.seen.height, done.block + 1)
        if self.failure is not None and function == "acts":
            failure, self.failure = self.failure, None
            raise failure
        return done


@dataclass
class FabricSite(MachineSite):
    """One channel; whoever opens it does so by the peer of the one organisation or the other."""

    id: LedgerId
    network: LocalNetwork
    thread: LoopThread
    folder: Path
    admin: Ed25519Key
    accounting: AccountingTerms | None = None
    issuer: Ed25519Key | None = None
    shift: int = 0
    opened: int = 0
    seen: Seen = field(default_factory=Seen)
    keeps_past = True
    fork = None

    @property
    def has_coin(self) -> bool:
        return self.accounting is not None

    @property
    def guardian(self) -> Ed25519Key:
        return self.admin

    def now(self) -> int:
        return int(time.time()) + self.shift

    @property
    def next(self) -> LocalOrganisation:
        """By whose peer whoever comes next opens the channel."""
        organisations = self.network.layout.organisations
        return organisations[self.opened % len(organisations)]

    def channel(self) -> SiteChannel:
        return self.channel_of(self.next)

    def channel_of(self, organisation: LocalOrganisation) -> SiteChannel:
        """Reach the channel by an organisation's peer."""
        connection = self.network.connection(organisation, CallPatience(agree=2))
        signer = organisation.user.signer()
        gateway = GatewayClient(connection, signer, self.network.layout.channel)
        channel = SiteChannel(self.id, gateway, CHAINCODE)
        channel.gateway = gateway
        channel.seen = self.seen
        return channel

    def machine(self, channel: PeerChannel, depth: int = 0) -> FabricMachine:
        copy = self.copy
        self.opened += 1
        return FabricMachine(
            self.id,
            channel,
            copy,
            accounting=self.accounting,
            reader=self.reader,
            depth=depth,
            now=self.now,
        )

    @property
    def copy(self) -> Path:
        """Where the machine that comes next has its copy: an organisation's programs share one."""
        return self.folder / f"{self.next.msp}.sqlite"

    def reader(self, patience: CallPatience | None = None) -> EndorsedReader:
        """One peer of each organisation, asked in the name of the first."""
        layout = self.network.layout
        source = ReadSource(self.id, layout.channel, CHAINCODE)
        peers = [self.network.connection(each, patience) for each in layout.organisations]
        return EndorsedReader(source, peers, layout.organisations[0].user.signer())

    def open(self, patience: float = 20.0) -> MachineLedger:
        return MachineLedger(self.machine(self.channel()), patience=patience)

    def failing(self, failure: Exception) -> MachineLedger:
        channel = self.channel()
        channel.failure = failure
        return MachineLedger(self.machine(channel))

    def deep(self, blocks: int) -> MachineLedger:
        return MachineLedger(self.machine(self.channel(), blocks))

    async def kill(self, name: str) -> None:
        """End one of the network's processes at whatever instruction it is."""
        await self.thread.do(self.network.nodes[name].kill())

    async def start(self, name: str) -> None:
        """Start a node again."""
        await self.thread.do(self.network.start_node(name))

    async def start_chaincode(self, of: LocalOrganisation, *, bent: Path | None = None) -> None:
        """Start an organisation's process of the chaincode again; `bent` says how it lies."""
        chaincode = self.chaincode
        if bent is not None:
            script = Path(__file__).with_name("bent_chaincode.py")
            program = [*map(str, (script, self.terms, self.ahead(of), bent))]
            chaincode = replace(chaincode, program=program)
        await self.thread.do(start_chaincode(self.network, chaincode, of))

    @property
    def chaincode(self) -> LocalChaincode:
        """What each organisation runs in its folder, where its clock is."""
        program = ["-m", "caimi.ledgers.fabric.chaincode.program"]
        program += [f"--terms={self.terms}", "--clock-ahead=ahead"]
        return LocalChaincode(DEFINITION, program, [SOURCE])

    @property
    def terms(self) -> Path:
        """What both organisations agreed to."""
        return self.folder / "terms.toml"

    def ahead(self, of: LocalOrganisation) -> Path:
        """Where it says how far an organisation's clock is ahead."""
        return of.folder / "ahead"

    def set_clocks(self) -> None:
        """Let the organisations' clocks be as far ahead as the site's is."""
        for each in self.network.layout.organisations:
            self.ahead(each).write_text(str(self.shift))

    @asynccontextmanager
    async def halted(self) -> AsyncIterator[None]:
        """Have the orderer hang."""
        orderer = self.network.nodes["orderer"]
        os.kill(orderer.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(orderer.pid, signal.SIGCONT)

    def run_instead(self, chaincode: LocalChaincode, of: LocalOrganisation) -> None:
        """Have an organisation run other chaincode than it does."""
        self.thread.run(self.network.nodes[f"{of.msp}-chaincode"].stop())
        self.thread.run(start_chaincode(self.network, chaincode, of))

    async def wallet(self, name: str) -> Ed25519Key:
        key = Ed25519Key()
        if self.issuer is not None:
            there = self.open()
            coins = there.coins
            assert isinstance(coins, MachineCoins)
            minted = coins.mint(Account(self.id, key.account), coins.asset.of(1_000_000))
            await there.submit(minted, self.issuer)
            await there.aclose()
        return key

    async def advance(self, seconds: int = 0, blocks: int = 1) -> None:
        """Move both organisations' clocks, and make blocks of ticks, each five seconds."""
        self.shift += seconds
        there = self.open()
        machine = there.machine
        assert isinstance(machine, FabricMachine)
        await machine.refresh()
        for _ in range(blocks):
            self.shift += max(0, machine.clock + 5 - self.now())
            self.set_clocks()
            await machine.tick(self.now())
            await machine.refresh()
        await there.aclose()

    async def outdate(self, who: Signer) -> None:
        """Let what was signed lapse."""
        await self.advance(seconds=FabricMachine.lapses_after + 1)

    async def sent(self, who: Signer) -> int:
        copy, there = self.copy, self.open()
        machine = there.machine
        assert isinstance(machine, FabricMachine)
        await machine.refresh()
        await there.aclose()
        return count_acts(copy, who)


@contextmanager
def fabric_site(folder: Path, *, with_asset: bool) -> Iterator[FabricSite]:
    """Run a network with CAIMI's chaincode on it, founded."""
    thread = LoopThread()
    running = running_network(folder / "network")
    network = thread.run(running.__aenter__())
    try:
        genesis = Block.FromString(network.layout.genesis.read_bytes())
        ledger = LedgerId(ledger_name(header_hash(0, b"", genesis.header.data_hash)))
        admin, issuer = Ed25519Key(), Ed25519Key() if with_asset else None
        accounting = None
        if issuer is not None:
            accounting = AccountingTerms(issuer=issuer.account.decode(), symbol="EUR", decimals=2)
        who = admin.account.decode()
        terms = FoundingTerms(ledger, who, who, accounting)
        site = FabricSite(ledger, network, thread, folder, admin, accounting, issuer)
        site.terms.write_text(terms.text())
        site.set_clocks()
        thread.run(put_on_channel(network, site.chaincode))

        async def found() -> None:
            channel = site.channel()
            await channel.submit("found", (terms.encode(),))
            await channel.aclose()

        asyncio.run(found())
        asyncio.run(site.advance())
        yield site
    finally:
        thread.run(running.__aexit__(None, None, None))
        thread.close()
