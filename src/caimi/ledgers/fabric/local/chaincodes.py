"""Chaincode on a local network: a process for each organisation, and a definition all approve."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.errors.fabric import FabricChaincodeRefused
from caimi.ledgers.fabric.chaincode.process import ChaincodePlace
from caimi.ledgers.fabric.lifecycle.definitions import (
    ChaincodeDefinition,
    approve,
    commit,
    install,
    patiently,
)
from caimi.ledgers.fabric.lifecycle.packages import (
    ChaincodePackage,
    ChaincodeService,
    package_service,
)
from caimi.ledgers.fabric.local.layout import LocalOrganisation
from caimi.ledgers.fabric.local.network import LocalNetwork
from caimi.ledgers.fabric.local.node_process import NodeCommand, NodeProcess
from caimi.ledgers.fabric.rpc.gateway import GatewayClient

_START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class LocalChaincode:
    """A chaincode as a Python program: what comes after the interpreter, and where it is found.

    The program takes the options of `ChaincodePlace`.
    """

    definition: ChaincodeDefinition
    program: Sequence[str]
    paths: Sequence[Path] = ()


def package_for(chaincode: LocalChaincode, organisation: LocalOrganisation) -> ChaincodePackage:
    """Give the package that tells an organisation's peer of its process."""
    definition = chaincode.definition
    peer = organisation.end("peer")
    service = ChaincodeService(
        organisation.chaincode_address,
        organisation.tls_root.read_bytes(),
        peer.certificate.read_bytes(),
        peer.key.read_bytes(),
    )
    return package_service(f"{definition.name}_{definition.version}", service)


async def start_chaincode(
    network: LocalNetwork, chaincode: LocalChaincode, organisation: LocalOrganisation
) -> NodeProcess:
    """Start, or start again, an organisation's process of a chaincode; it listens then.

    Raises:
        FabricNodeFailed: it does not.
    """
    end = organisation.end("chaincode")
    place = ChaincodePlace(
        package_for(chaincode, organisation).id,
        organisation.chaincode_address,
        end.certificate,
        end.key,
        organisation.tls_root,
    )
    name = _name(organisation)
    command = NodeCommand(
        f"The chaincode of {organisation.msp}",
        [sys.executable, *chaincode.program, *place.arguments()],
        organisation.folder,
        {"PYTHONPATH": ":".join(map(str, chaincode.paths))} if chaincode.paths else {},
        network.layout.root / f"{name}.log",
    )
    process = await NodeProcess.start(command)
    network.nodes[name] = process
    await process.listening(organisation.chaincode_port, seconds=_START_SECONDS)
    return process


async def put_on_channel(network: LocalNetwork, chaincode: LocalChaincode) -> None:
    """Run a chaincode for every organisation, unless it runs, and make it the channel's.

    Raises:
        FabricError: a process or a step fails; all may be done again.
    """
    await asyncio.gather(*(_put(network, chaincode, each) for each in network.layout.organisations))
    first = network.layout.organisations[0]
    async with network.connection(first) as connection:
        gateway = GatewayClient(connection, first.admin.signer(), network.layout.channel)
        await commit(gateway, chaincode.definition)
    await asyncio.gather(
        *(_known(network, chaincode, each) for each in network.layout.organisations)
    )


async def _known(
    network: LocalNetwork, chaincode: LocalChaincode, organisation: LocalOrganisation
) -> None:
    """Wait until an organisation's peer finds all whose endorsement a call needs.

    They are asked for nothing, which any contract refuses.
    """
    async with network.connection(organisation) as connection:
        gateway = GatewayClient(connection, organisation.user.signer(), network.layout.channel)
        with contextlib.suppress(FabricChaincodeRefused):
            await patiently(lambda: gateway.endorse(chaincode.definition.name))


async def _put(
    network: LocalNetwork, chaincode: LocalChaincode, organisation: LocalOrganisation
) -> None:
    admin = organisation.admin.signer()
    async with network.connection(organisation) as connection:
        package = package_for(chaincode, organisation)
        steps: list[Awaitable[object]] = [install(connection, admin, package)]
        if _name(organisation) not in network.nodes:
            steps.append(start_chaincode(network, chaincode, organisation))
        await asyncio.gather(*steps)
        gateway = GatewayClient(connection, admin, network.layout.channel)
        await approve(gateway, chaincode.definition, package.id)


def _name(organisation: LocalOrganisation) -> str:
    """Name an organisation's process among the network's."""
    return f"{organisation.msp}-chaincode"
