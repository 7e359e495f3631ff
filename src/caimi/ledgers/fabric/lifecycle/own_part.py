"""One organisation's part of putting a chaincode on a channel, and what it waits for of others.

Each organisation installs a package of its own and approves the definition; once enough did, any of
them makes it the channel's. What is done is found on the peer and on the channel, so that whoever
was interrupted, or waits for others, does the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from caimi.errors.fabric import FabricApprovalsMissing, FabricPolicyNotMet, FabricRefused
from caimi.ledgers.fabric.lifecycle.definitions import (
    CHANNEL_POLICY,
    ChaincodeDefinition,
    approvals,
    approve,
    approved_package,
    commit,
    committed_definition,
    install_file,
    installed_as,
)
from caimi.ledgers.fabric.lifecycle.packages import hash_of_package
from caimi.ledgers.fabric.rpc.gateway import GatewayClient

_FIRST: Final = 1


@dataclass(frozen=True, slots=True)
class WantedChaincode:
    """What an organisation wants on the channel: `package` is the file that its own peer installs.

    `policy` is an ApplicationPolicy: whose endorsements count.
    """

    name: str
    version: str
    package: bytes
    policy: bytes = CHANNEL_POLICY


@dataclass(frozen=True, slots=True)
class LifecycleStanding:
    """How far it is: `package_id` if the peer has the package, `approvals` until it is committed.

    A definition with a new sequence is an upgrade of the one that is on the channel.
    """

    definition: ChaincodeDefinition
    package_id: str | None
    approved: bool
    committed: bool
    approvals: Mapping[str, bool] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """Name the organisations that have not approved it."""
        return sorted(msp for msp, said in self.approvals.items() if not said)

    @property
    def is_enough(self) -> bool:
        """Whether a majority approved it, which channels ask for unless they agreed otherwise."""
        return 2 * sum(self.approvals.values()) > len(self.approvals)


class OwnPart:
    """One organisation's steps; `gateway` is its peer's, for its administrator."""

    def __init__(self, gateway: GatewayClient, wanted: WantedChaincode) -> None:
        self._gateway = gateway
        self._wanted = wanted

    @property
    def _msp(self) -> str:
        return self._gateway.signer.identity.msp

    async def standing(self) -> LifecycleStanding:
        """Look how far it is.

        Raises:
            FabricAccessDenied: this is no administrator of the peer's organisation.
            FabricUnavailable: the peer was not reached.
        """
        wanted, gateway = self._wanted, self._gateway
        there = await committed_definition(gateway, wanted.name)
        definition = ChaincodeDefinition(wanted.name, wanted.version, _FIRST, wanted.policy)
        if there is not None:
            definition = replace(definition, sequence=there.sequence)
            if there != definition:
                definition = replace(definition, sequence=there.sequence + 1)
        committed = there == definition
        package_id = await installed_as(gateway.connection, gateway.signer, wanted.package)
        approved = await approved_package(gateway, definition)
        told = {} if committed else await approvals(gateway, definition)
        is_approved = package_id is not None and approved == package_id
        return LifecycleStanding(definition, package_id, is_approved, committed, told)

    async def steps(self) -> list[tuple[str, bool]]:
        """Name the steps, each with whether it is done; raises as `standing`."""
        standing = await self.standing()
        definition, msp = standing.definition, self._msp
        called = f"{definition.name} {definition.version}, sequence {definition.sequence}"
        digest = hash_of_package(self._wanted.package)[:12]
        return [
            (f"Installing package {digest}… on the peer of {msp}", standing.package_id is not None),
            (f"Approving {called} for {msp}", standing.approved),
            (f"Committing {called} once enough organisations approve", standing.committed),
        ]

    async def carry_out(self, tell: Callable[[str], None]) -> str:
        """Do what is left of this organisation's part; give the package's id.

        Raises:
            FabricApprovalsMissing: others have to approve the definition first.
            FabricAccessDenied, FabricRefused: the peer refuses a step.
        """
        gateway = self._gateway
        standing = await self.standing()
        definition = standing.definition
        if standing.package_id is None:
            tell(f"Installing the package on the peer of {self._msp}")
        package = await install_file(gateway.connection, gateway.signer, self._wanted.package)
        if not standing.approved:
            tell(f"Approving {definition.name} {definition.version} for {self._msp}")
            await approve(gateway, definition, package)
        if not standing.committed:
            await self._commit(tell)
        return package

    async def _commit(self, tell: Callable[[str], None]) -> None:
        standing = await self.standing()
        if standing.committed:
            return
        if not standing.is_enough:
            raise self._waits(standing)
        tell(f"Committing {standing.definition.name} {standing.definition.version}")
        agreed = [msp for msp, said in standing.approvals.items() if said]
        try:
            await commit(self._gateway, standing.definition, agreed)
        except FabricPolicyNotMet as error:  # this channel asks for more than a majority
            raise self._waits(standing) from error
        except FabricRefused:
            if not (await self.standing()).committed:  # another organisation was quicker
                raise

    def _waits(self, standing: LifecycleStanding) -> FabricApprovalsMissing:
        definition = standing.definition
        return FabricApprovalsMissing.of(
            definition.name,
            definition.version,
            definition.sequence,
            self._gateway.channel,
            standing.missing,
        )
