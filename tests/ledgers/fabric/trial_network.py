"""A real network with the trial chaincode, run by a thread of its own for a whole session."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import caimi
from caimi.ledgers.fabric.lifecycle.definitions import ChaincodeDefinition
from caimi.ledgers.fabric.local.building import build_programs
from caimi.ledgers.fabric.local.chaincodes import LocalChaincode, put_on_channel, start_chaincode
from caimi.ledgers.fabric.local.layout import LocalOrganisation
from caimi.ledgers.fabric.local.network import LocalNetwork, running_network
from caimi.ledgers.fabric.local.programs import find_sources
from caimi.ledgers.fabric.msp.identity import MspSigner
from caimi.ledgers.fabric.rpc.connection import CallPatience, PeerConnection
from caimi.ledgers.fabric.rpc.deliver import BlockReader
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.verification.chain import ChannelChain
from caimi.ledgers.fabric.verification.headers import header_hash, ledger_name

SOURCE = Path(caimi.__file__).parents[1]
PROGRAM = Path(__file__).with_name("trial_chaincode.py")
CHANNEL = "caimi"
TRIAL = "trial"


def trial_chaincode(*options: str, version: str = "1", sequence: int = 1) -> LocalChaincode:
    definition = ChaincodeDefinition(TRIAL, version, sequence)
    return LocalChaincode(definition, [str(PROGRAM), *options], [SOURCE])


def needs_programs() -> None:
    """Build Fabric's programs where they never were: minutes, once on a machine."""
    sources = find_sources()
    assert sources is not None
    build_programs(sources)


class TrialNetwork:
    """What tests hold: `network` is run by another thread's loop, which `run` reaches."""

    def __init__(self, network: LocalNetwork, loop: asyncio.AbstractEventLoop) -> None:
        self.network = network
        self.layout = network.layout
        self._loop = loop

    @property
    def first(self) -> LocalOrganisation:
        return self.layout.organisations[0]

    @property
    def second(self) -> LocalOrganisation:
        return self.layout.organisations[1]

    def run(self, work: Coroutine[Any, Any, Any], seconds: float = 60) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def kill(self, name: str) -> None:
        self.run(self.network.nodes[name].kill())

    def start(self, name: str) -> None:
        self.run(self.network.start_node(name))

    def start_chaincode(self, of: LocalOrganisation) -> None:
        self.run(start_chaincode(self.network, trial_chaincode(), of))

    def connection(self, of: LocalOrganisation | None = None, reach: float = 20) -> PeerConnection:
        return self.network.connection(of or self.first, CallPatience(reach=reach))

    def gateway(self, connection: PeerConnection, signer: MspSigner | None = None) -> GatewayClient:
        return GatewayClient(connection, signer or self.first.user.signer(), CHANNEL)

    def reader(self, connection: PeerConnection, signer: MspSigner | None = None) -> BlockReader:
        return BlockReader(connection, signer or self.first.user.signer(), CHANNEL)

    @property
    def ledger(self) -> str:
        return name_of(self.layout.genesis.read_bytes())

    def chain(self) -> ChannelChain:
        return ChannelChain.begin(self.ledger, self.layout.genesis.read_bytes())


def name_of(genesis: bytes) -> str:
    from caimi.ledgers.fabric.protos.common.common_pb2 import Block  # noqa: PLC0415

    return ledger_name(header_hash(0, b"", Block.FromString(genesis).header.data_hash))


@contextmanager
def trial_network(root: Path) -> Iterator[TrialNetwork]:
    needs_programs()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fabric", daemon=True)
    thread.start()
    stack = AsyncExitStack()

    async def begin() -> LocalNetwork:
        network = await stack.enter_async_context(running_network(root, channel=CHANNEL))
        await put_on_channel(network, trial_chaincode())
        return network

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(120)

    try:
        yield TrialNetwork(run(begin()), loop)
    finally:
        run(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
