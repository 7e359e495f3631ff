"""Whose signatures together fulfil a policy."""

from __future__ import annotations

import pytest

from caimi.errors.fabric import FabricConfigurationInvalid
from caimi.ledgers.fabric.local.authorities import LocalAuthority
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
from caimi.ledgers.fabric.verification.policies import (
    CheckedSigner,
    ImplicitMeta,
    SignatureTree,
    read_policy,
)

ONE, TWO = "OneMSP", "TwoMSP"


def signer(msp: str, role: MspRole) -> CheckedSigner:
    pem = LocalAuthority.create(msp, "ca").member("somebody", role).pem
    return CheckedSigner(MspIdentity.of(msp, pem), role)


PEERS = {ONE: signer(ONE, MspRole.PEER), TWO: signer(TWO, MspRole.PEER)}
ADMIN = signer(ONE, MspRole.ADMIN)


def role(msp: str, of: int = MSPRole.PEER) -> MSPPrincipal:
    return MSPPrincipal(
        principal=MSPRole(msp_identifier=msp, role=of).SerializeToString(),  # type: ignore[arg-type]
    )


def by(at: int) -> SignaturePolicy:
    return SignaturePolicy(signed_by=at)


def among(count: int, *rules: SignaturePolicy) -> SignaturePolicy:
    return SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=count, rules=rules))


def tree(rule: SignaturePolicy, *principals: MSPPrincipal, version: int = 0) -> SignatureTree:
    envelope = SignaturePolicyEnvelope(version=version, rule=rule, identities=principals)
    return SignatureTree.read(envelope.SerializeToString())


def test_all_of_two_needs_both():
    policy = tree(among(2, by(0), by(1)), role(ONE), role(TWO))
    assert policy.fulfilled(list(PEERS.values()))
    assert not policy.fulfilled([PEERS[ONE]])
    assert not policy.fulfilled([])


def test_one_of_two_needs_either():
    policy = tree(among(1, by(0), by(1)), role(ONE), role(TWO))
    assert all(policy.fulfilled([each]) for each in PEERS.values())


def test_a_role_is_that_role_alone_and_every_member_is_a_member():
    assert not tree(by(0), role(ONE)).fulfilled([ADMIN])
    assert tree(by(0), role(ONE, MSPRole.MEMBER)).fulfilled([ADMIN])
    assert not tree(by(0), role(TWO, MSPRole.MEMBER)).fulfilled([ADMIN])


def test_a_signature_counts_once():
    twice = tree(among(2, by(0), by(0)), role(ONE, MSPRole.MEMBER))
    assert not twice.fulfilled([PEERS[ONE], PEERS[ONE]])
    assert twice.fulfilled([PEERS[ONE], ADMIN])


def test_what_a_branch_that_failed_counted_counts_elsewhere():
    policy = tree(among(1, among(2, by(0), by(1)), by(0)), role(ONE), role(TWO))
    assert policy.fulfilled([PEERS[ONE]])


def test_a_unit_and_an_identity_are_principals_too():
    unit = OrganizationUnit(msp_identifier=ONE, organizational_unit_identifier="peer")
    of_unit = MSPPrincipal(
        principal_classification=MSPPrincipal.ORGANIZATION_UNIT,
        principal=unit.SerializeToString(),
    )
    assert tree(by(0), of_unit).fulfilled([PEERS[ONE]])
    assert not tree(by(0), of_unit).fulfilled([PEERS[TWO], ADMIN])
    itself = MSPPrincipal(
        principal_classification=MSPPrincipal.IDENTITY, principal=ADMIN.identity.encoded
    )
    assert tree(by(0), itself).fulfilled([ADMIN])
    assert not tree(by(0), itself).fulfilled([PEERS[ONE]])


@pytest.mark.parametrize(
    ("rule", "principals"),
    [
        (SignaturePolicy(), [role(ONE)]),
        (by(1), [role(ONE)]),
        (by(-1), [role(ONE)]),
        (among(0, by(0)), [role(ONE)]),
        (among(-1), []),
        (by(0), [MSPPrincipal(principal_classification=MSPPrincipal.ANONYMITY)]),
        (by(0), [role(ONE, 77)]),
        (among(1, *[by(0)] * 501), [role(ONE)]),
        (by(0), [role(ONE)] * 501),
    ],
)
def test_what_is_not_understood_is_refused(rule: SignaturePolicy, principals: list[MSPPrincipal]):
    with pytest.raises(FabricConfigurationInvalid):
        tree(rule, *principals)


def test_a_policy_that_is_too_deep_is_refused():
    rule = by(0)
    for _ in range(9):
        rule = among(1, rule)
    with pytest.raises(FabricConfigurationInvalid):
        tree(rule, role(ONE))


def test_a_policy_is_as_deep_and_wide_as_it_may_be():
    rule = by(0)
    for _ in range(8):
        rule = among(1, rule)
    assert tree(rule, role(ONE)).fulfilled([PEERS[ONE]])
    wide = tree(among(1, *[by(0)] * 500), *[role(ONE)] * 500)
    assert wide.fulfilled([PEERS[ONE]])


def test_another_version_is_refused():
    with pytest.raises(FabricConfigurationInvalid):
        tree(by(0), role(ONE), version=1)


@pytest.mark.parametrize(
    ("rule", "groups", "needed"),
    [
        (ImplicitMetaPolicy.ANY, 3, 1),
        (ImplicitMetaPolicy.ALL, 3, 3),
        (ImplicitMetaPolicy.MAJORITY, 2, 2),
        (ImplicitMetaPolicy.MAJORITY, 3, 2),
        (ImplicitMetaPolicy.MAJORITY, 4, 3),
        (ImplicitMetaPolicy.ALL, 0, 1),
        (ImplicitMetaPolicy.MAJORITY, 0, 1),
    ],
)
def test_organisations_are_counted_as_fabric_counts_them(rule: int, groups: int, needed: int):
    assert ImplicitMeta(rule, "Endorsement").needed(groups) == needed


@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        Policy(type=Policy.MSP),
        Policy(type=Policy.IMPLICIT_META, value=b"\xff"),
        Policy(type=Policy.IMPLICIT_META),
        Policy(
            type=Policy.IMPLICIT_META,
            value=ImplicitMetaPolicy(sub_policy="a", rule=9).SerializeToString(),  # type: ignore[arg-type]
        ),
        Policy(type=Policy.SIGNATURE, value=b"\xff"),
    ],
)
def test_a_policy_of_another_kind_is_refused(policy: Policy):
    with pytest.raises(FabricConfigurationInvalid):
        read_policy(policy)
