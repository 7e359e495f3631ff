"""A Fabric network on this machine: an orderer (etcdraft) and organisations with a peer each.

All that lasts is in one folder: who was started there before goes on where it was, however the
programs ended. Every connection is TLS with certificates at both ends, and nothing listens but on
loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from caimi.errors.fabric import FabricNetworkDamaged, FabricNodeFailed, FabricRefused
from caimi.ledgers.fabric.local.genesis import genesis_block
from caimi.ledgers.fabric.local.layout import (
    ORDERER_MSP,
    PORTS_A_PEER,
    PORTS_OF_ORDERER,
    LocalLayout,
    LocalOrganisation,
)
from caimi.ledgers.fabric.local.material import make_material
from caimi.ledgers.fabric.local.node_process import NodeCommand, NodeProcess
from caimi.ledgers.fabric.local.node_settings import orderer_folder, peer_folder, write_settings
from caimi.ledgers.fabric.local.programs import FabricPrograms, find_programs
from caimi.ledgers.fabric.rpc.connection import CallPatience, PeerConnection, PeerEndpoint
from caimi.ledgers.fabric.rpc.endorser import ask_peer
from caimi.ledgers.fabric.rpc.proposals import ChaincodeCallArguments
from caimi.loopback import free_ports
from caimi.whole_files import write_whole

DEFAULT_MSPS: Final = ("Org1MSP", "Org2MSP")
_PLAN: Final = "network.json"
_MAX_PLAN_BYTES: Final = 100_000
_VERSION: Final = 1
_START_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.5
_HTTP_OK: Final = 200
_HTTP_CREATED: Final = 201
ORDERER: Final = "orderer"


class LocalNetwork:
    """The processes of a network. Nodes are called `orderer`, and by their organisation's MSP."""

    def __init__(self, layout: LocalLayout, programs: FabricPrograms) -> None:
        self.layout = layout
        self._programs = programs
        self.nodes: dict[str, NodeProcess] = {}

    async def start(self) -> None:
        """Start all, and join them to the channel where they are not on it yet.

        Raises:
            FabricNodeFailed: one cannot be started, or does not answer.
        """
        try:
            await asyncio.gather(
                self.start_node(ORDERER),
                *(self.start_node(each.msp) for each in self.layout.organisations),
            )
            await self._join_orderer()
            await asyncio.gather(*map(self._join_peer, self.layout.organisations))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all processes."""
        await asyncio.gather(*(node.stop() for node in self.nodes.values()))

    async def start_node(self, name: str) -> None:
        """Start one, or start it again after it has ended; it listens then.

        Raises:
            FabricNodeFailed: it does not.
        """
        node = await NodeProcess.start(self._command(name))
        self.nodes[name] = node
        layout = self.layout
        ports = (
            [layout.orderer_port, layout.participation_port]
            if name == ORDERER
            else [self.organisation(name).peer_port]
        )
        await node.listening(*ports, seconds=_START_SECONDS)

    def organisation(self, msp: str) -> LocalOrganisation:
        """Give an organisation by its MSP's name."""
        (found,) = (each for each in self.layout.organisations if each.msp == msp)
        return found

    def endpoint(self, organisation: LocalOrganisation) -> PeerEndpoint:
        """Give where an organisation's peer is asked, with a client's certificate of its own."""
        client = organisation.end("client")
        return PeerEndpoint.load(
            organisation.peer_address, organisation.tls_root, client.certificate, client.key
        )

    def orderer_endpoint(self, organisation: LocalOrganisation) -> PeerEndpoint:
        """Give where the orderer is asked, with an organisation's client certificate."""
        client = organisation.end("client")
        layout = self.layout
        return PeerEndpoint.load(
            layout.orderer_address, layout.orderers.tls_root, client.certificate, client.key
        )

    async def ended(self) -> None:
        """Wait until a process of the network ends that nobody told to.

        Raises:
            FabricNodeFailed: which one did, with its last words.
        """
        while True:
            for node in self.nodes.values():
                if node.failed:
                    node.check()
            await asyncio.sleep(_LOOK_SECONDS)

    def connection(
        self, organisation: LocalOrganisation, patience: CallPatience | None = None
    ) -> PeerConnection:
        """Connect to an organisation's peer."""
        return PeerConnection(self.endpoint(organisation), patience)

    def _command(self, name: str) -> NodeCommand:
        if name == ORDERER:
            folder = orderer_folder(self.layout)
            arguments = [str(self._programs.orderer)]
        else:
            folder = peer_folder(self.organisation(name))
            arguments = [str(self._programs.peer), "node", "start"]
        environment = {
            "HOME": str(folder),
            "FABRIC_CFG_PATH": str(folder),
            "FABRIC_LOGGING_SPEC": "info",
            "GOMAXPROCS": "2",
        }
        log = self.layout.root / f"{name}.log"
        return NodeCommand(f"Fabric's {name}", arguments, folder, environment, log)

    async def _join_orderer(self) -> None:
        """Give the orderer the channel's first block, if it does not serve the channel yet."""
        layout = self.layout
        end = layout.orderers.end("orderer")
        context = ssl.create_default_context(cafile=str(layout.orderers.tls_root))
        context.load_cert_chain(str(end.certificate), str(end.key))
        base = f"https://127.0.0.1:{layout.participation_port}/participation/v1/channels"
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=20) as client:
            there = await client.get(f"{base}/{layout.channel}")
            if there.status_code == _HTTP_OK:
                return
            block = {"config-block": ("config.block", layout.genesis.read_bytes())}
            joined = await client.post(base, files=block)
        if joined.status_code != _HTTP_CREATED:
            raise FabricNodeFailed(
                f"The orderer did not take the channel ({joined.status_code}): {joined.text[:500]}"
            )

    async def _join_peer(self, organisation: LocalOrganisation) -> None:
        """Give a peer the channel's first block, if it is not on the channel yet."""
        join = ChaincodeCallArguments("", "cscc", [b"JoinChain", self.layout.genesis.read_bytes()])
        async with self.connection(organisation) as connection:
            try:
                await ask_peer(connection, organisation.admin.signer(), join)
            except FabricRefused as refused:
                if "already exists" not in refused.what:
                    raise


def lay_out(
    root: Path,
    msps: tuple[str, ...] = DEFAULT_MSPS,
    channel: str = "caimi",
    first_port: int | None = None,
) -> LocalLayout:
    """Give the network that is in a folder, or make one there: certificates, settings, channel.

    Raises:
        FabricNetworkDamaged: what is there cannot be read, or is another network.
    """
    root = root.absolute()
    plan = root / _PLAN
    if plan.exists():
        layout = _read_plan(plan)
        if layout.channel != channel or tuple(each.msp for each in layout.organisations) != msps:
            raise FabricNetworkDamaged(f"{root} holds a network of other organisations.")
    else:
        for left in (ORDERER_MSP, *msps):  # of one that was not finished
            shutil.rmtree(root / left, ignore_errors=True)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        count = PORTS_OF_ORDERER + PORTS_A_PEER * len(msps)
        port = free_ports(count).start if first_port is None else first_port
        layout = LocalLayout.of(root, channel, msps, port)
        make_material(layout)
        write_whole(layout.genesis, genesis_block(layout))
        said = {"version": _VERSION, "channel": channel, "msps": list(msps), "port": port}
        write_whole(plan, json.dumps(said).encode())
    write_settings(layout)
    return layout


@asynccontextmanager
async def running_network(
    root: Path,
    msps: tuple[str, ...] = DEFAULT_MSPS,
    channel: str = "caimi",
    first_port: int | None = None,
) -> AsyncIterator[LocalNetwork]:
    """Run the network in a folder for the length of a block of code; see `lay_out`.

    Raises:
        FabricProgramsMissing, FabricProgramsDamaged: Fabric's programs are not there.
        FabricNodeFailed: one cannot be started.
        FabricNetworkDamaged: what is there is no such network, or another program runs it.
    """
    with network_in(root, msps, channel, first_port) as network:
        await network.start()
        try:
            yield network
        finally:
            await network.stop()


@contextlib.contextmanager
def network_in(
    root: Path,
    msps: tuple[str, ...] = DEFAULT_MSPS,
    channel: str = "caimi",
    first_port: int | None = None,
) -> Iterator[LocalNetwork]:
    """Give the network in a folder, not started; nobody else runs it meanwhile. See `lay_out`.

    Raises:
        FabricProgramsMissing, FabricProgramsDamaged: Fabric's programs are not there.
        FabricNetworkDamaged: what is there is no such network, or another program runs it.
    """
    programs = find_programs()
    with _alone(root):
        yield LocalNetwork(lay_out(root, msps, channel, first_port), programs)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FabricNetworkDamaged(f"Another program runs the network in {root}.") from None
        yield


def _read_plan(plan: Path) -> LocalLayout:
    try:
        with plan.open("rb") as file:
            said = json.loads(file.read(_MAX_PLAN_BYTES))
        if said["version"] != _VERSION:
            raise ValueError(said["version"])
        msps = tuple(str(msp) for msp in said["msps"])
        return LocalLayout.of(plan.parent, str(said["channel"]), msps, int(said["port"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FabricNetworkDamaged(f"{plan} cannot be read: {error}.") from error
