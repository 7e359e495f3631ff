"""Policies of a channel: whose signatures together allow something.

As Fabric's own (docs, "Policies"): signature policies count signers in a tree, each signature once;
implicit meta policies count organisations whose policy of a name is fulfilled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.x509.oid import NameOID

from caimi.errors.fabric import FabricConfigurationInvalid
from caimi.ledgers.fabric.msp.identity import MspIdentity
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.protos.common.policies_pb2 import (
    ImplicitMetaPolicy,
    Policy,
    SignaturePolicy,
    SignaturePolicyEnvelope,
)
from caimi.ledgers.fabric.protos.msp.msp_principal_pb2 import (
    MSPPrincipal,
    MSPRole,
    OrganizationUnit,
)
from caimi.ledgers.fabric.wire import read_message

_MAX_DEPTH: Final = 8
_MAX_RULES: Final = 500
_ROLES: Final[Mapping[int, MspRole]] = {
    MSPRole.CLIENT: MspRole.CLIENT,
    MSPRole.PEER: MspRole.PEER,
    MSPRole.ADMIN: MspRole.ADMIN,
    MSPRole.ORDERER: MspRole.ORDERER,
}


@dataclass(frozen=True, slots=True)
class CheckedSigner:
    """A member whose signature was checked."""

    identity: MspIdentity
    role: MspRole | None


Principal: TypeAlias = Callable[[CheckedSigner], bool]
Rule: TypeAlias = "SignedBy | Among"


@dataclass(frozen=True, slots=True)
class SignedBy:
    """Fulfilled by a signature of a principal that counted nowhere else."""

    principal: int


@dataclass(frozen=True, slots=True)
class Among:
    """Fulfilled where enough of the rules are."""

    count: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class SignatureTree:
    """A signature policy."""

    rule: Rule
    principals: tuple[Principal, ...]

    @classmethod
    def read(cls, encoded: bytes) -> SignatureTree:
        """Read a SignaturePolicyEnvelope.

        Raises:
            FabricConfigurationInvalid: it is none, or counts in a way that is not known here.
        """
        envelope = read_message(SignaturePolicyEnvelope, encoded, FabricConfigurationInvalid)
        if envelope.version or len(envelope.identities) > _MAX_RULES:
            raise FabricConfigurationInvalid("A signature policy is of another version, or long.")
        principals = tuple(map(_principal, envelope.identities))
        return cls(_rule(envelope.rule, len(principals), _MAX_DEPTH), principals)

    def fulfilled(self, signers: Sequence[CheckedSigner]) -> bool:
        """Tell whether these signatures together fulfil it."""
        once: dict[tuple[str, bytes], CheckedSigner] = {}
        for each in signers:
            once.setdefault(each.identity.holder, each)
        return self._holds(self.rule, list(once.values()), [False] * len(once))

    def _holds(self, rule: Rule, signers: Sequence[CheckedSigner], used: list[bool]) -> bool:
        if isinstance(rule, SignedBy):
            for at, signer in enumerate(signers):
                if not used[at] and self.principals[rule.principal](signer):
                    used[at] = True
                    return True
            return False
        held = 0
        for each in rule.rules:
            tried = used.copy()
            if self._holds(each, signers, tried):
                held += 1
                used[:] = tried
        return held >= rule.count


@dataclass(frozen=True, slots=True)
class ImplicitMeta:
    """Fulfilled where enough of the groups below have a policy of that name fulfilled."""

    rule: int
    sub_policy: str

    @classmethod
    def read(cls, encoded: bytes) -> ImplicitMeta:
        """Read an ImplicitMetaPolicy.

        Raises:
            FabricConfigurationInvalid: it is none.
        """
        policy = read_message(ImplicitMetaPolicy, encoded, FabricConfigurationInvalid)
        if policy.rule not in ImplicitMetaPolicy.Rule.values() or not policy.sub_policy:
            raise FabricConfigurationInvalid("An implicit policy counts in an unknown way.")
        return cls(policy.rule, policy.sub_policy)

    def needed(self, groups: int) -> int:
        """Tell how many of so many groups are enough; nothing is where there are none."""
        if self.rule == ImplicitMetaPolicy.ANY or not groups:
            return 1
        return groups if self.rule == ImplicitMetaPolicy.ALL else groups // 2 + 1


ChannelPolicy: TypeAlias = SignatureTree | ImplicitMeta


def read_policy(policy: Policy) -> ChannelPolicy:
    """Read a policy of either kind.

    Raises:
        FabricConfigurationInvalid: it is of another kind, or damaged.
    """
    if policy.type == Policy.SIGNATURE:
        return SignatureTree.read(policy.value)
    if policy.type == Policy.IMPLICIT_META:
        return ImplicitMeta.read(policy.value)
    raise FabricConfigurationInvalid(f"A policy is of type {policy.type}, which is not known.")


def _rule(rule: SignaturePolicy, principals: int, depth: int) -> Rule:
    kind = rule.WhichOneof("Type")
    if kind == "signed_by":
        if not 0 <= rule.signed_by < principals:
            raise FabricConfigurationInvalid("A signature policy names a principal it lacks.")
        return SignedBy(rule.signed_by)
    if kind != "n_out_of" or not depth or len(rule.n_out_of.rules) > _MAX_RULES:
        raise FabricConfigurationInvalid("A signature policy is empty, or too deep or wide.")
    if rule.n_out_of.n < 1:
        raise FabricConfigurationInvalid("A signature policy is fulfilled by nobody's signature.")
    rules = tuple(_rule(each, principals, depth - 1) for each in rule.n_out_of.rules)
    return Among(rule.n_out_of.n, rules)


def _principal(principal: MSPPrincipal) -> Principal:
    kind = principal.principal_classification
    if kind == MSPPrincipal.ROLE:
        wanted = read_message(MSPRole, principal.principal, FabricConfigurationInvalid)
        role = _ROLES.get(wanted.role)
        if role is None and wanted.role != MSPRole.MEMBER:
            raise FabricConfigurationInvalid("A policy asks for a role that is not known.")
        return _in_role(wanted.msp_identifier, role)
    if kind == MSPPrincipal.ORGANIZATION_UNIT:
        unit = read_message(OrganizationUnit, principal.principal, FabricConfigurationInvalid)
        return _in_unit(unit.msp_identifier, unit.organizational_unit_identifier)
    if kind == MSPPrincipal.IDENTITY:
        return _itself(principal.principal)
    raise FabricConfigurationInvalid("A policy asks for a principal of a kind that is not known.")


def _in_role(msp: str, role: MspRole | None) -> Principal:
    return lambda signer: signer.identity.msp == msp and role in (None, signer.role)


def _in_unit(msp: str, unit: str) -> Principal:
    def holds(signer: CheckedSigner) -> bool:
        subject = signer.identity.certificate.subject
        units = subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        return signer.identity.msp == msp and unit in {each.value for each in units}

    return holds


def _itself(encoded: bytes) -> Principal:
    return lambda signer: signer.identity.encoded == encoded
