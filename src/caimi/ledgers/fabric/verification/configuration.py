"""A channel's configuration, as its last configuration block has it: members, policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from caimi.errors.fabric import (
    FabricConfigurationInvalid,
    FabricIdentityUnknown,
    FabricPolicyNotMet,
)
from caimi.ledgers.fabric.msp.identity import MspIdentity
from caimi.ledgers.fabric.msp.membership import Membership
from caimi.ledgers.fabric.protos.common.common_pb2 import CONFIG
from caimi.ledgers.fabric.protos.common.configtx_pb2 import (
    ConfigEnvelope,
    ConfigGroup,
    ConfigPolicy,
)
from caimi.ledgers.fabric.protos.common.configuration_pb2 import (
    BlockDataHashingStructure,
    HashingAlgorithm,
)
from caimi.ledgers.fabric.verification.envelopes import SignedPayload
from caimi.ledgers.fabric.verification.policies import (
    ChannelPolicy,
    CheckedSigner,
    SignatureTree,
    read_policy,
)
from caimi.ledgers.fabric.wire import read_message

APPLICATION: Final = "Application"
ORDERING: Final = "Orderer"
BLOCK_VALIDATION: Final = "/Channel/Orderer/BlockValidation"
ENDORSEMENT: Final = "/Channel/Application/Endorsement"
_MSP: Final = "MSP"
_WHOLE_WIDTH: Final = 2**32 - 1
_MAX_ORGANISATIONS: Final = 500
_MAX_DEPTH: Final = 6


@dataclass(frozen=True, slots=True)
class PolicyGroup:
    """A part of the configuration: its policies, and the parts in it."""

    policies: Mapping[str, ChannelPolicy]
    groups: Mapping[str, PolicyGroup]


@dataclass(frozen=True, slots=True)
class ChannelConfiguration:
    """Who is on a channel, and what it takes.

    One organisation's part that cannot be used here stops nobody else: it has no members then, and
    no such policy. What cannot be met without it is not met.
    """

    channel: str
    sequence: int
    memberships: Mapping[str, Membership]
    unusable: Mapping[str, str]
    """The organisations, as the configuration names them, without a membership, and why."""
    application_msps: frozenset[str]
    root: PolicyGroup

    @classmethod
    def read(cls, signed: SignedPayload) -> ChannelConfiguration:
        """Read it from the envelope in a configuration block.

        Raises:
            FabricConfigurationInvalid: it is none, or asks for what is not known here.
        """
        if signed.kind != CONFIG:
            raise FabricConfigurationInvalid("What should be a configuration is none.")
        config = read_message(ConfigEnvelope, signed.data, FabricConfigurationInvalid).config
        group = config.channel_group
        _check_hashing(group)
        memberships: dict[str, Membership] = {}
        unusable: dict[str, str] = {}
        of_application: list[str] = []
        for part in (ORDERING, APPLICATION):
            organisations = group.groups[part].groups if part in group.groups else {}
            if len(organisations) > _MAX_ORGANISATIONS:
                raise FabricConfigurationInvalid("A channel has too many organisations.")
            for name, organisation in organisations.items():
                try:
                    membership = Membership.read(organisation.values[_MSP].value)
                except FabricConfigurationInvalid as error:
                    unusable[name] = error.what
                    continue
                known = memberships.setdefault(membership.msp, membership)
                if known != membership:
                    raise FabricConfigurationInvalid(f"Two organisations are {membership.msp}.")
                if part == APPLICATION:
                    of_application.append(membership.msp)
        return cls(
            signed.channel,
            config.sequence,
            memberships,
            unusable,
            frozenset(of_application),
            _policies(group, _MAX_DEPTH),
        )

    def member(self, identity: MspIdentity, at: datetime | None) -> CheckedSigner:
        """Check that somebody is a member of an organisation of the channel.

        Raises:
            FabricIdentityUnknown, FabricIdentityRevoked, FabricIdentityExpired,
            FabricIdentityInvalid: as `Membership.check`.
        """
        membership = self.memberships.get(identity.msp)
        if membership is None:
            unusable = self.unusable.get(identity.msp)
            raise FabricIdentityUnknown(
                f"{identity} is of no organisation on {self.channel}"
                + (f" that can be used: {unusable}" if unusable else ".")
            )
        return CheckedSigner(identity, membership.check(identity, at))

    def require(self, path: str, signers: Iterable[CheckedSigner], what: str) -> None:
        """See that signatures fulfil a policy, named by its path from /Channel.

        Raises:
            FabricPolicyNotMet: they do not.
            FabricConfigurationInvalid: there is no such policy.
        """
        *parts, name = path.removeprefix("/Channel/").split("/")
        group = self.root
        for part in parts:
            if part not in group.groups:
                raise FabricConfigurationInvalid(
                    f"{self.channel} has no policy {path} that can be used."
                )
            group = group.groups[part]
        policy = group.policies.get(name)
        if policy is None:
            raise FabricConfigurationInvalid(
                f"{self.channel} has no policy {path} that can be used."
            )
        given = list(signers)
        if not _fulfilled(group, policy, given, _MAX_DEPTH):
            raise FabricPolicyNotMet(f"{what} does not meet {path}: signed by {_shown(given)}.")

    def require_signers(
        self, policy: SignatureTree, signers: Sequence[CheckedSigner], what: str
    ) -> None:
        """See that signatures fulfil a policy that a chaincode brings itself.

        Raises:
            FabricPolicyNotMet: they do not.
        """
        if not policy.fulfilled(signers):
            raise FabricPolicyNotMet(f"{what} does not meet its policy: by {_shown(signers)}.")


def _fulfilled(
    group: PolicyGroup, policy: ChannelPolicy, signers: Sequence[CheckedSigner], depth: int
) -> bool:
    if isinstance(policy, SignatureTree):
        return policy.fulfilled(signers)
    if not depth:
        return False
    held = 0
    for below in group.groups.values():
        of_below = below.policies.get(policy.sub_policy)
        held += of_below is not None and _fulfilled(below, of_below, signers, depth - 1)
    return held >= policy.needed(len(group.groups))


def _policies(group: ConfigGroup, depth: int) -> PolicyGroup:
    if not depth:
        raise FabricConfigurationInvalid("A configuration is too deep.")
    return PolicyGroup(
        dict(_usable(group.policies.items())),
        {name: _policies(each, depth - 1) for name, each in group.groups.items()},
    )


def _usable(policies: Iterable[tuple[str, ConfigPolicy]]) -> Iterator[tuple[str, ChannelPolicy]]:
    for name, each in policies:
        with suppress(FabricConfigurationInvalid):
            yield name, read_policy(each.policy)


def _check_hashing(group: ConfigGroup) -> None:
    algorithm = read_message(
        HashingAlgorithm, group.values["HashingAlgorithm"].value, FabricConfigurationInvalid
    )
    structure = read_message(
        BlockDataHashingStructure,
        group.values["BlockDataHashingStructure"].value,
        FabricConfigurationInvalid,
    )
    if algorithm.name != "SHA256" or structure.width != _WHOLE_WIDTH:
        raise FabricConfigurationInvalid("A channel hashes its blocks in a way that is not known.")


def _shown(signers: Sequence[CheckedSigner]) -> str:
    return ", ".join(sorted({each.identity.msp for each in signers})) or "nobody"
