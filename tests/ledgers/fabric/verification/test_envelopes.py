"""A transaction is its creator's, and what it does is what peers signed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_channel import LONG_AGO, PaperChannel, signer_of
from test_chain import paper  # noqa: F401 - a fixture

from caimi.errors import CaimiError
from caimi.errors.fabric import (
    FabricAnswerInvalid,
    FabricIdentityExpired,
    FabricIdentityUnknown,
    FabricPolicyNotMet,
    FabricSignatureInvalid,
)
from caimi.ledgers.fabric.local.authorities import LocalAuthority
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.protos.common.common_pb2 import Envelope
from caimi.ledgers.fabric.protos.common.policies_pb2 import (
    SignaturePolicy,
    SignaturePolicyEnvelope,
)
from caimi.ledgers.fabric.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole
from caimi.ledgers.fabric.verification.envelopes import (
    StateWrite,
    read_envelope,
    read_outcome,
)
from caimi.ledgers.fabric.verification.policies import SignatureTree
from caimi.ledgers.fabric.verification.transactions import check_transaction


def endorse_check(paper: PaperChannel, envelope: bytes, at: datetime | None = None) -> None:  # noqa: F811
    """Check a transaction under the channel's own policy."""
    check_transaction(read_envelope(envelope), paper.begin().configuration, at=at)


def test_what_a_transaction_does_is_read(paper: PaperChannel):  # noqa: F811
    envelope = paper.transaction(writes={"a": b"1", "b": b"2"}).envelope()
    endorse_check(paper, envelope)
    outcome = read_outcome(read_envelope(envelope))
    assert outcome.writes == (StateWrite("trial", "a", b"1"), StateWrite("trial", "b", b"2"))
    assert (outcome.status, outcome.result) == (200, b"done")


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_organisations_do_nothing(paper: PaperChannel, count: int):  # noqa: F811
    envelope = paper.transaction(endorsers=paper.peers[:count]).envelope()
    with pytest.raises(FabricPolicyNotMet):
        endorse_check(paper, envelope)


def test_one_organisations_two_signatures_are_one(paper: PaperChannel):  # noqa: F811
    envelope = paper.transaction(endorsers=[paper.peers[0]] * 2).envelope()
    with pytest.raises(FabricPolicyNotMet):
        endorse_check(paper, envelope)


def test_a_chaincodes_own_policy_counts_in_the_place_of_the_channels(paper: PaperChannel):  # noqa: F811
    peer = MSPRole(msp_identifier="Org2MSP", role=MSPRole.PEER).SerializeToString()
    envelope = SignaturePolicyEnvelope(
        rule=SignaturePolicy(signed_by=0), identities=[MSPPrincipal(principal=peer)]
    )
    policy = SignatureTree.read(envelope.SerializeToString())
    configuration = paper.begin().configuration
    one, two = (
        read_envelope(paper.transaction(endorsers=[each]).envelope()) for each in paper.peers
    )
    (endorser,) = check_transaction(two, configuration, policy).endorsers
    assert endorser.identity.msp == "Org2MSP"
    with pytest.raises(FabricPolicyNotMet):
        check_transaction(one, configuration, policy)


def test_another_channels_transaction_is_refused(paper: PaperChannel):  # noqa: F811
    with pytest.raises(FabricAnswerInvalid, match="is on elsewhere"):
        endorse_check(paper, paper.transaction(channel="elsewhere").envelope())


def test_a_creator_that_is_no_member_is_refused(paper: PaperChannel):  # noqa: F811
    eve = signer_of(LocalAuthority.create("EveMSP", "ca"), "EveMSP", MspRole.CLIENT)
    with pytest.raises(FabricIdentityUnknown):
        endorse_check(paper, paper.transaction(creator=eve).envelope())


def test_a_configuration_is_no_transaction(paper: PaperChannel):  # noqa: F811
    with pytest.raises(FabricAnswerInvalid, match="is no transaction"):
        endorse_check(paper, paper.configuration())


def test_a_user_endorses_nothing(paper: PaperChannel):  # noqa: F811
    users = [each.user.signer() for each in paper.layout.organisations]
    with pytest.raises(FabricPolicyNotMet):
        endorse_check(paper, paper.transaction(endorsers=users).envelope())


def test_a_peer_whose_time_is_over_endorses_nothing_now(paper: PaperChannel):  # noqa: F811
    own = paper.layout.organisations[0]
    late = signer_of(paper.authority(own), own.msp, MspRole.PEER, lasts=LONG_AGO)
    envelope = paper.transaction(endorsers=[late, paper.peers[1]]).envelope()
    with pytest.raises(FabricIdentityExpired):
        endorse_check(paper, envelope, datetime.now(UTC))
    endorse_check(paper, envelope)


def test_an_id_that_is_not_made_of_its_creator_is_refused(paper: PaperChannel):  # noqa: F811
    envelope = paper.transaction(claimed_id="ab" * 32).envelope()
    with pytest.raises(FabricAnswerInvalid, match="The id of transaction"):
        endorse_check(paper, envelope)


def test_a_transaction_of_another_chaincode_than_proposed_is_refused(
    paper: PaperChannel,  # noqa: F811
):
    with pytest.raises(FabricAnswerInvalid, match="another chaincode"):
        endorse_check(paper, paper.transaction(proposed_to="other").envelope())


def test_who_did_not_sign_is_not_the_creator(paper: PaperChannel):  # noqa: F811
    envelope = Envelope.FromString(paper.transaction().envelope())
    envelope.signature = paper.peers[0].sign(envelope.payload)
    with pytest.raises(FabricSignatureInvalid):
        endorse_check(paper, envelope.SerializeToString())


def test_endorsements_are_as_many_as_may_be_and_no_more(paper: PaperChannel):  # noqa: F811
    endorse_check(paper, paper.transaction(endorsers=paper.peers * 128).envelope())
    with pytest.raises(FabricAnswerInvalid, match="too many endorsements"):
        endorse_check(
            paper, paper.transaction(endorsers=[*paper.peers * 128, paper.peers[0]]).envelope()
        )


@given(st.integers(0, 2**32), st.integers(1, 255))
def test_any_byte_of_an_envelope_that_is_changed_is_noticed(
    paper: PaperChannel,  # noqa: F811
    where: int,
    mask: int,
):
    whole = _ONE.setdefault(id(paper), paper.transaction().envelope())
    damaged = bytearray(whole)
    damaged[where % len(damaged)] ^= mask
    with pytest.raises(CaimiError):
        endorse_check(paper, bytes(damaged))


_ONE: dict[int, bytes] = {}
