"""Where to test a ledger on a real channel: an orderer, two organisations' peers and chaincode."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from caimi.ledgers.fabric.chaincode.program import ChaincodeTerms
from caimi.ledgers.fabric.channel import Committed
from caimi.ledgers.fabric.lifecycle.definitions import ChaincodeDefinition
from caimi.ledgers.fabric.local.chaincodes import (
    LocalChaincode,
    put_on_channel,
    start_chaincode,
)
from caimi.ledgers.fabric.local.layout import LocalOrganisation
from caimi.ledgers.fabric.local.network import LocalNetwork, running_network
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.fabric.peer_channel import PeerChannel
from caimi.ledgers.fabric.protos.common.common_pb2 import Block
from caimi.ledgers.fabric.rpc.connection import CallPatience
from caimi.ledgers.fabric.rpc.endorsed_reads import EndorsedReader, ReadSource
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.setup import AccountingTerms
from caimi.ledgers.fabric.verification.headers import header_hash, ledger_name
from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.coins import MachineCoins
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, Committee, Ledger, LedgerId, Signer

T = TypeVar("T")
CHAINCODE = "caimi"
SOURCE = Path(__file__).parents[3] / "src"


class LoopThread:
    """An event loop of its own, for what outlives a test's."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class LosingChannel(PeerChannel):
    """One that loses the next answer of a transaction that took effect."""

    failure: Exception | None = None

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        done = await super().submit(function, arguments)
        if self.failure is not None and function == "acts":
            failure, self.failure = self.failure, None
            raise failure
        return done


@dataclass
class FabricSite:
    """One channel; whoever opens it does so by the peer of the one organisation or the other."""

    id: LedgerId
    network: LocalNetwork
    folder: Path
    thread: LoopThread
    chaincode: LocalChaincode
    admin: Ed25519Key
    accounting: AccountingTerms | None = None
    issuer: Ed25519Key | None = None
    shift: int = 0
    opened: int = 0
    advancing: asyncio.Lock = field(default_factory=asyncio.Lock)
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

    def channel(self, kind: type[PeerChannel] = PeerChannel) -> PeerChannel:
        organisations = self.network.layout.organisations
        organisation = organisations[self.opened % len(organisations)]
        connection = self.network.connection(organisation)
        signer = organisation.user.signer()
        gateway = GatewayClient(connection, signer, self.network.layout.channel)
        return kind(self.id, gateway, CHAINCODE)

    def machine(self, channel: PeerChannel, depth: int = 0) -> FabricMachine:
        self.opened += 1
        copy = self.folder / f"copy-{self.opened}.sqlite"
        return FabricMachine(
            self.id,
            channel,
            copy,
            accounting=self.accounting,
            reader=self.reader(),
            depth=depth,
            now=self.now,
        )

    def reader(self, patience: CallPatience | None = None) -> EndorsedReader:
        """One peer of each organisation, asked in the name of the first."""
        layout = self.network.layout
        source = ReadSource(self.id, layout.channel, CHAINCODE)
        peers = [self.network.connection(each, patience) for each in layout.organisations]
        return EndorsedReader(source, peers, layout.organisations[0].user.signer())

    def open(self, patience: float = 20.0) -> MachineLedger:
        return MachineLedger(self.machine(self.channel()), patience=patience)

    def failing(self, failure: Exception) -> MachineLedger:
        channel = self.channel(LosingChannel)
        assert isinstance(channel, LosingChannel)
        channel.failure = failure
        return MachineLedger(self.machine(channel))

    def deep(self, blocks: int) -> MachineLedger:
        return MachineLedger(self.machine(self.channel(), blocks))

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
            (self.folder / "ahead").write_text(str(self.shift))
            await machine.tick(self.now())
            await machine.refresh()
        await there.aclose()

    async def outdate(self, who: Signer) -> None:
        """Let what was signed lapse."""
        await self.advance(seconds=FabricMachine.lapses_after + 1)

    async def sent(self, who: Signer) -> int:
        there = self.open()
        machine = there.machine
        assert isinstance(machine, FabricMachine)
        await machine.refresh()
        count = machine._replica.tables.count(who.account)
        await there.aclose()
        return count

    async def add_client(self, of: Ledger, committee: Committee) -> str:
        return await MachineAdministered(self.open(), self.admin).add_client(of, committee)

    async def join(self, client_id: str, other: str, by: Signer | None = None) -> None:
        here = self.open()
        await here.submit(here.gateway.set_counterparty(client_id, other), by or self.admin)

    async def report(self, client_id: str, first: bytes, second: bytes, by: Signer) -> None:
        here = self.open()
        account = (await here.clients.of(client_id)).account
        await here.submit(here.clients.report_conflict(account, first, second), by)

    async def recover(self, client_id: str, substitute: Account, by: Signer | None = None) -> None:
        here = self.open()
        await here.submit(here.gateway.recover_client(client_id, substitute), by or self.admin)


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
        accounting = None if issuer is None else AccountingTerms(issuer.account, "EUR", 2)
        who = admin.account.decode()
        terms = ChaincodeTerms(ledger, who, who, accounting)
        ahead = folder / "ahead"
        ahead.write_text("0")
        program = ["-m", "caimi.ledgers.fabric.chaincode.program", *terms.arguments()]
        program.append(f"--clock-ahead={ahead}")
        definition = ChaincodeDefinition(CHAINCODE, "1.0", 1)
        chaincode = LocalChaincode(definition, program, [SOURCE])
        thread.run(put_on_channel(network, chaincode))
        site = FabricSite(ledger, network, folder, thread, chaincode, admin, accounting, issuer)

        async def found() -> None:
            channel = site.channel()
            await channel.submit("found", ())
            await channel.aclose()

        asyncio.run(found())
        asyncio.run(site.advance())
        yield site
    finally:
        thread.run(running.__aexit__(None, None, None))
        thread.close()
