"""A chaincode's definition on a channel, asked for and made by Fabric's own chaincode `_lifecycle`.

Each step looks first whether it has been done, so that all of them may be done again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from caimi.errors.fabric import (
    FabricAnswerInvalid,
    FabricChaincodeMissing,
    FabricChaincodeRefused,
    FabricEndorsersDisagree,
    FabricPeersMissing,
    FabricReadConflict,
    FabricRefused,
)
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric.lifecycle.packages import ChaincodePackage, hash_of_package
from caimi.ledgers.fabric.msp.identity import MspSigner
from caimi.ledgers.fabric.protos.common.policies_pb2 import ApplicationPolicy
from caimi.ledgers.fabric.protos.peer.lifecycle import lifecycle_pb2 as messages
from caimi.ledgers.fabric.rpc.connection import PeerConnection
from caimi.ledgers.fabric.rpc.endorser import ask_peer
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.rpc.proposals import ChaincodeCallArguments
from caimi.ledgers.fabric.verification.configuration import ENDORSEMENT
from caimi.ledgers.fabric.wire import read_message
from caimi.line_text import one_line

LIFECYCLE: Final = "_lifecycle"


def policy_named(path: str) -> bytes:
    """Give the ApplicationPolicy that names one of the channel's policies."""
    return bytes(ApplicationPolicy(channel_config_policy_reference=path).SerializeToString())


CHANNEL_POLICY: Final = policy_named(ENDORSEMENT)
"""The channel's own policy: a majority of its organisations, unless they agreed on another."""
_ENDORSE: Final = "escc"
_VALIDATE: Final = "vscc"
_PATIENCE: Final = 30.0
_PAUSE: Final = 0.1
_SOON: Final = (
    FabricChaincodeMissing,
    FabricPeersMissing,
    FabricEndorsersDisagree,
    FabricReadConflict,
    LedgerUnavailable,
)
"""What passes by itself, once peers know of each other and none lags."""
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class ChaincodeDefinition:
    """What organisations agree on. `policy` is an ApplicationPolicy: whose endorsements count."""

    name: str
    version: str
    sequence: int
    policy: bytes = CHANNEL_POLICY


async def install(connection: PeerConnection, admin: MspSigner, package: ChaincodePackage) -> str:
    """Put a package on a peer, if it is not there; give its id.

    Raises:
        FabricAccessDenied: this is no administrator of the peer's organisation.
        FabricRefused: the peer refuses the package.
    """
    found = await install_file(connection, admin, package.content)
    if found != package.id:
        raise FabricAnswerInvalid(
            f"{connection.endpoint.address} calls package {package.id} {found}."
        )
    return found


async def install_file(connection: PeerConnection, admin: MspSigner, content: bytes) -> str:
    """Put a package file on a peer, if it is not there; give the id that the peer calls it by.

    Raises as `install`.
    """
    known = await installed_as(connection, admin, content)
    if known is not None:
        return known
    arguments = messages.InstallChaincodeArgs(chaincode_install_package=content)
    result = await _of_peer(
        connection, admin, "InstallChaincode", arguments, messages.InstallChaincodeResult
    )
    return _checked_id(connection, result.package_id, content)


async def installed_as(connection: PeerConnection, admin: MspSigner, content: bytes) -> str | None:
    """Give the id by which a package file is installed on a peer, if it is.

    Raises:
        FabricAccessDenied: this is no administrator of the peer's organisation.
    """
    there = await _of_peer(
        connection,
        admin,
        "QueryInstalledChaincodes",
        messages.QueryInstalledChaincodesArgs(),
        messages.QueryInstalledChaincodesResult,
    )
    ending = f":{hash_of_package(content)}"
    known = [str(each.package_id) for each in there.installed_chaincodes]
    return next((each for each in known if each.endswith(ending)), None)


def _checked_id(connection: PeerConnection, found: str, content: bytes) -> str:
    if not found.endswith(f":{hash_of_package(content)}"):
        raise FabricAnswerInvalid(
            f"{connection.endpoint.address} installed another package: {one_line(found)[:100]}."
        )
    return found


async def approve(gateway: GatewayClient, definition: ChaincodeDefinition, package_id: str) -> None:
    """Approve a definition for the organisation of the gateway's identity, its administrator.

    Raises:
        FabricAccessDenied: it is none.
        FabricRefused: the peer refuses; a definition with a sequence that is not next, say.
    """
    if await approved_package(gateway, definition) == package_id:
        return
    local = messages.ChaincodeSource.Local(package_id=package_id)
    arguments = messages.ApproveChaincodeDefinitionForMyOrgArgs(
        name=definition.name,
        version=definition.version,
        sequence=definition.sequence,
        endorsement_plugin=_ENDORSE,
        validation_plugin=_VALIDATE,
        validation_parameter=definition.policy,
        source=messages.ChaincodeSource(local_package=local),
    ).SerializeToString()
    organisation = gateway.signer.identity.msp
    try:
        await patiently(
            lambda: gateway.invoke(
                LIFECYCLE,
                b"ApproveChaincodeDefinitionForMyOrg",
                arguments,
                organisations=[organisation],
            )
        )
    except FabricRefused as refused:
        if not _says(refused, "unchanged content"):
            raise


async def approved_package(gateway: GatewayClient, definition: ChaincodeDefinition) -> str | None:
    """Give the package that the organisation approved for this very definition, if it did.

    Raises:
        FabricUnavailable: no peer was reached.
    """
    asked = messages.QueryApprovedChaincodeDefinitionArgs(
        name=definition.name, sequence=definition.sequence
    ).SerializeToString()
    organisation = gateway.signer.identity.msp
    try:
        encoded = await patiently(
            lambda: gateway.evaluate(
                LIFECYCLE,
                b"QueryApprovedChaincodeDefinition",
                asked,
                organisations=[organisation],
            )
        )
    except FabricRefused as refused:
        if _is_absent(refused):
            return None
        raise
    kind = messages.QueryApprovedChaincodeDefinitionResult
    found = read_message(kind, encoded, FabricAnswerInvalid)
    if found.version != definition.version or found.validation_parameter != definition.policy:
        return None
    return str(found.source.local_package.package_id)


async def commit(
    gateway: GatewayClient, definition: ChaincodeDefinition, organisations: Sequence[str] = ()
) -> None:
    """Make a definition that enough organisations approved the channel's.

    It is endorsed by `organisations`, or by whom the gateway finds where none is named.

    Raises:
        FabricRefused, FabricPolicyNotMet: too few did, or the sequence is not the next.
    """
    if await committed_definition(gateway, definition.name) == definition:
        return
    arguments = messages.CommitChaincodeDefinitionArgs(
        name=definition.name,
        version=definition.version,
        sequence=definition.sequence,
        endorsement_plugin=_ENDORSE,
        validation_plugin=_VALIDATE,
        validation_parameter=definition.policy,
    ).SerializeToString()
    await patiently(
        lambda: gateway.invoke(
            LIFECYCLE, b"CommitChaincodeDefinition", arguments, organisations=organisations
        )
    )


async def committed_definition(gateway: GatewayClient, name: str) -> ChaincodeDefinition | None:
    """Give the definition that a chaincode has on the channel, if it has one.

    Raises:
        FabricUnavailable: no peer was reached.
    """
    asked = messages.QueryChaincodeDefinitionArgs(name=name).SerializeToString()
    try:
        encoded = await patiently(
            lambda: gateway.evaluate(LIFECYCLE, b"QueryChaincodeDefinition", asked)
        )
    except FabricRefused as refused:
        if _is_absent(refused):
            return None
        raise
    kind = messages.QueryChaincodeDefinitionResult
    found = read_message(kind, encoded, FabricAnswerInvalid)
    return ChaincodeDefinition(name, found.version, found.sequence, found.validation_parameter)


async def approvals(gateway: GatewayClient, definition: ChaincodeDefinition) -> dict[str, bool]:
    """Tell of each organisation whether it approved this definition.

    Raises:
        FabricRefused: its sequence is not the next.
    """
    asked = messages.CheckCommitReadinessArgs(
        name=definition.name,
        version=definition.version,
        sequence=definition.sequence,
        endorsement_plugin=_ENDORSE,
        validation_plugin=_VALIDATE,
        validation_parameter=definition.policy,
    ).SerializeToString()
    encoded = await patiently(lambda: gateway.evaluate(LIFECYCLE, b"CheckCommitReadiness", asked))
    found = read_message(messages.CheckCommitReadinessResult, encoded, FabricAnswerInvalid)
    return dict(found.approvals)


async def patiently(call: Callable[[], Awaitable[Found]], patience: float = _PATIENCE) -> Found:
    """Make a call again while peers get to know of each other, or one lags behind."""
    ends = time.monotonic() + patience
    while True:
        try:
            return await call()
        except _SOON:
            if time.monotonic() > ends:
                raise
        await asyncio.sleep(_PAUSE)


async def _of_peer(
    connection: PeerConnection,
    admin: MspSigner,
    function: str,
    arguments: Any,  # noqa: ANN401 - a message
    kind: type[Found],
) -> Found:
    call = ChaincodeCallArguments("", LIFECYCLE, [function.encode(), arguments.SerializeToString()])
    return read_message(kind, await ask_peer(connection, admin, call), FabricAnswerInvalid)


def _is_absent(refused: FabricRefused) -> bool:
    return _says(refused, "is not defined", "could not fetch approved", "not found")


def _says(refused: FabricRefused, *words: str) -> bool:
    """Tell whether one of some words is in a refusal: in the chaincode's own, if it is its."""
    said = refused.said if isinstance(refused, FabricChaincodeRefused) else refused.what
    return any(each in said for each in words)
