"""Connections to a channel's peers, as a section of the configuration names them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from caimi.errors.operations import ConfigInvalid
from caimi.ledgers.fabric.channel import Channel
from caimi.ledgers.fabric.failover import FailoverChannel
from caimi.ledgers.fabric.lifecycle.definitions import committed_definition, policy_named
from caimi.ledgers.fabric.lifecycle.own_part import OwnPart, WantedChaincode
from caimi.ledgers.fabric.lifecycle.packages import package_file
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.fabric.msp.identity import MspSigner
from caimi.ledgers.fabric.peer_channel import PeerChannel
from caimi.ledgers.fabric.rpc.connection import CallPatience, PeerConnection, PeerEndpoint
from caimi.ledgers.fabric.rpc.endorsed_reads import EndorsedReader, ReadSource
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.settings import (
    FabricLifecycle,
    FabricPeer,
    FabricPlace,
    copy_of,
    path_of,
)
from caimi.ledgers.fabric.verification.configuration import ENDORSEMENT
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import LedgerId

REACH_SECONDS: Final = 10.0
"""How long a peer that cannot be reached is waited for, shared among all that may be asked."""
PATIENCE_SECONDS: Final = 30.0
"""How long whoever writes waits: for peers that are slow, conflicts, and an orderer's election."""


def machine_over(
    ledger: LedgerId,
    place: FabricPlace,
    peers: Sequence[FabricPeer],
    *,
    terms: str | None = None,
) -> FabricMachine:
    """Make a ledger ready to be asked through the first of these peers that answers.

    `terms` is the fingerprint of those that it was founded on, where that is known.

    Files of certificates and keys are read when the first question is asked.

    Raises:
        LedgerUnavailable: there can be no copy of it.
        ConfigInvalid: a path begins with a home directory that nobody knows.
    """
    patience = CallPatience(reach=REACH_SECONDS / len(peers))
    openers = [_opener(ledger, place, peer, patience) for peer in peers]
    return FabricMachine(
        ledger,
        FailoverChannel(openers),
        copy_of(ledger, place, peers),
        accounting=place.accounting,
        terms=terms,
        reader=_reader(ledger, place, peers, patience),
    )


def ledger_over(
    ledger: LedgerId,
    place: FabricPlace,
    peers: Sequence[FabricPeer],
    *,
    terms: str | None = None,
) -> MachineLedger:
    """Give the port's ledger over `machine_over`; raises as that."""
    machine = machine_over(ledger, place, peers, terms=terms)
    return MachineLedger(machine, patience=PATIENCE_SECONDS)


def member_of(place: FabricPlace) -> MspSigner:
    """Give who asks.

    Raises:
        FabricIdentityInvalid: the files are not there, or not a member's certificate and key.
        ConfigInvalid: as `path_of`.
    """
    return MspSigner.load(place.msp, path_of(place.certificate), path_of(place.key))


def connection_to(peer: FabricPeer, patience: CallPatience | None = None) -> PeerConnection:
    """Connect to a peer.

    Raises:
        FabricIdentityInvalid: a file is not there.
        ConfigInvalid: as `path_of`.
    """
    certificate, key = peer.tls_certificate, peer.tls_key
    endpoint = PeerEndpoint.load(
        peer.address,
        path_of(peer.tls_roots),
        path_of(certificate) if certificate else None,
        path_of(key) if key else None,
        peer.host,
    )
    return PeerConnection(endpoint, patience)


@asynccontextmanager
async def own_part(place: FabricPlace, lifecycle: FabricLifecycle) -> AsyncIterator[OwnPart]:
    """Connect to the first of this organisation's own peers as its administrator.

    Raises:
        FabricIdentityInvalid: the certificate or key is none.
        FabricPackageInvalid: there is no package file.
        ConfigInvalid: none of the peers is of this organisation; or as `path_of`.
    """
    ours = [peer for peer in place.peers if peer.msp == place.msp]
    if not ours:
        raise ConfigInvalid(
            f"None of the peers is of {place.msp}, which puts {place.chaincode} there.",
            why="An organisation installs its package on a peer of its own.",
            next_step="List it under the ledger's peers.",
        )
    admin = MspSigner.load(place.msp, path_of(lifecycle.certificate), path_of(lifecycle.key))
    package = package_file(path_of(lifecycle.package))
    policy = policy_named(place.policy or ENDORSEMENT)
    wanted = WantedChaincode(place.chaincode, lifecycle.version, package, policy)
    async with connection_to(ours[0]) as connection:
        yield OwnPart(GatewayClient(connection, admin, place.channel), wanted)


async def is_committed(place: FabricPlace) -> bool:
    """Tell whether the chaincode is the channel's; raises as `member_of` and `connection_to`."""
    async with connection_to(place.peers[0]) as connection:
        gateway = GatewayClient(connection, member_of(place), place.channel)
        return await committed_definition(gateway, place.chaincode) is not None


def _opener(
    ledger: LedgerId, place: FabricPlace, peer: FabricPeer, patience: CallPatience
) -> Callable[[], Channel]:
    def opened() -> Channel:
        connection = connection_to(peer, patience)
        gateway = GatewayClient(connection, member_of(place), place.channel)
        return PeerChannel(ledger, gateway, place.chaincode, place.policy or ENDORSEMENT)

    return opened


def _reader(
    ledger: LedgerId, place: FabricPlace, peers: Sequence[FabricPeer], patience: CallPatience
) -> Callable[[], EndorsedReader] | None:
    """Give what opens the first peer of each organisation, where there are several."""
    firsts = {peer.msp: peer for peer in reversed(peers)}
    if len(firsts) == 1:
        return None
    source = ReadSource(ledger, place.channel, place.chaincode)

    def opened() -> EndorsedReader:
        connections = [connection_to(peer, patience) for peer in firsts.values()]
        return EndorsedReader(source, connections, member_of(place))

    return opened
