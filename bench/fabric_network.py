"""A Fabric network for benchmarks: an orderer, two organisations' peers, and their chaincode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import caimi
from caimi.ledgers.fabric.lifecycle.definitions import ChaincodeDefinition
from caimi.ledgers.fabric.local.building import build_programs
from caimi.ledgers.fabric.local.chaincodes import LocalChaincode, put_on_channel
from caimi.ledgers.fabric.local.network import LocalNetwork, running_network
from caimi.ledgers.fabric.local.programs import find_sources
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.fabric.peer_channel import PeerChannel
from caimi.ledgers.fabric.protos.common.common_pb2 import Block
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.terms import FoundingTerms
from caimi.ledgers.fabric.verification.headers import header_hash, ledger_name
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import LedgerId

CHAINCODE, PLAIN = "caimi", "plain"
SOURCE = Path(caimi.__file__).parents[1]
PATIENCE = 60.0  # seconds


@dataclass
class FabricPlace:
    """One channel with CAIMI on it; each connection has a copy of the blocks of its own."""

    id: LedgerId
    network: LocalNetwork
    folder: Path
    admin: Ed25519Key
    opened: int = 0

    def gateway(self, organisation: int = 0) -> GatewayClient:
        """Connect to an organisation's peer as its user."""
        which = self.network.layout.organisations[organisation]
        connection = self.network.connection(which)
        return GatewayClient(connection, which.user.signer(), self.network.layout.channel)

    def open(self, organisation: int = 0) -> MachineLedger:
        """Connect to the ledger by way of an organisation's peer."""
        self.opened += 1
        channel = PeerChannel(self.id, self.gateway(organisation), CHAINCODE)
        copy = self.folder / f"copy-{self.opened}.sqlite"
        return MachineLedger(FabricMachine(self.id, channel, copy), patience=PATIENCE)


def caimi_chaincode(ledger: LedgerId) -> LocalChaincode:
    """Give CAIMI's chaincode for a channel, whoever founds the ledger."""
    program = ["-m", "caimi.ledgers.fabric.chaincode.program", f"--any-founder={ledger}"]
    return LocalChaincode(ChaincodeDefinition(CHAINCODE, "1.0", 1), program, [SOURCE])


def ledger_of(network: LocalNetwork) -> LedgerId:
    """Name a network's ledger, by its channel's first block."""
    genesis = Block.FromString(network.layout.genesis.read_bytes())
    return LedgerId(ledger_name(header_hash(0, b"", genesis.header.data_hash)))


def plain_chaincode() -> LocalChaincode:
    """Give a chaincode without CAIMI's contracts, which counts."""
    program = [str(Path(__file__).with_name("fabric_plain.py"))]
    return LocalChaincode(ChaincodeDefinition(PLAIN, "1.0", 1), program, [SOURCE])


@asynccontextmanager
async def fabric_place(folder: Path) -> AsyncIterator[FabricPlace]:
    """Run the network in a folder with CAIMI's chaincode on it, founded if it was not."""
    needs_programs()
    async with running_network(folder / "network") as network:
        ledger = ledger_of(network)
        await put_on_channel(network, caimi_chaincode(ledger))
        place = FabricPlace(ledger, network, folder, Ed25519Key())
        here = place.open()
        assert isinstance(here.machine, FabricMachine)
        if await here.machine.terms() is None:
            who = place.admin.account.decode()
            await here.machine.found(FoundingTerms(ledger, who, who))
        await here.machine.ready()
        await here.aclose()
        yield place


@asynccontextmanager
async def plain_network(folder: Path) -> AsyncIterator[FabricPlace]:
    """Run a network with the chaincode that counts."""
    needs_programs()
    async with running_network(folder / "network") as network:
        await put_on_channel(network, plain_chaincode())
        yield FabricPlace(ledger_of(network), network, folder, Ed25519Key())


def needs_programs() -> None:
    """Build Fabric's programs where they never were: minutes, once on a machine."""
    sources = find_sources()
    assert sources is not None
    build_programs(sources)
