"""A transaction is its creator's, and what it does is what peers signed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from paper_channel import LONG_AGO, PaperChannel, change_membership, signer_of, with_chain
from test_chain import paper  # noqa: F401 - a fixture

from caimi.errors import CaimiError
from caimi.errors.fabric import (
    FabricAnswerInvalid,
    FabricIdentityInvalid,
    FabricPolicyNotMet,
)
from caimi.ledgers.fabric.local.authorities import LocalAuthority
from caimi.ledgers.fabric.msp.identity import MspIdentity, MspSigner
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.msp.signing import ORDER
from caimi.ledgers.fabric.protos.common.common_pb2 import Envelope, Payload
from caimi.ledgers.fabric.protos.common.policies_pb2 import (
    SignaturePolicy,
    SignaturePolicyEnvelope,
)
from caimi.ledgers.fabric.protos.ledger.rwset.rwset_pb2 import NsReadWriteSet
from caimi.ledgers.fabric.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole
from caimi.ledgers.fabric.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import Endorsement
from caimi.ledgers.fabric.verification.envelopes import (
    StateWrite,
    read_envelope,
    read_outcome,
    writes_to,
)
from caimi.ledgers.fabric.verification.policies import CheckedSigner, SignatureTree
from caimi.ledgers.fabric.verification.transactions import check_transaction, endorsers_of


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
    with pytest.raises(FabricPolicyNotMet):
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


def junk(paper: PaperChannel, what: str) -> list[Endorsement]:  # noqa: F811
    """What one member, who sends a transaction, can put among its endorsements."""
    eve = signer_of(LocalAuthority.create("EveMSP", "ca"), "EveMSP", MspRole.PEER)
    posing = signer_of(LocalAuthority.create("Org2MSP", "ca"), "Org2MSP", MspRole.PEER)
    return {
        "nothing": [Endorsement()],
        "bytes": [Endorsement(endorser=b"\xff", signature=b"\xff")],
        "an unknown organisation": [Endorsement(endorser=eve.encoded, signature=eve.sign(b""))],
        "another authority": [Endorsement(endorser=posing.encoded, signature=posing.sign(b""))],
        "other signatures": [
            Endorsement(endorser=each.encoded, signature=each.sign(b"something else"))
            for each in paper.peers
        ],
        "no signatures": [
            Endorsement(endorser=each.encoded, signature=b"0\x82\xff\xff\2") for each in paper.peers
        ],
        "too large": [Endorsement(endorser=bytes(20_000), signature=b"1")],
        "many": [Endorsement(endorser=bytes(at), signature=b"1") for at in range(400)],
    }[what]


@pytest.mark.parametrize(
    "what",
    [
        "nothing",
        "bytes",
        "an unknown organisation",
        "another authority",
        "other signatures",
        "no signatures",
        "too large",
        "many",
    ],
)
def test_endorsements_that_count_for_nothing_are_passed_over(
    paper: PaperChannel,  # noqa: F811
    what: str,
):
    """Peers call it valid: their policy is met by what else there is."""
    added = junk(paper, what)
    endorse_check(paper, paper.transaction(added=added).envelope())
    for missing in ([], paper.peers[:1]):
        with pytest.raises(FabricPolicyNotMet):
            endorse_check(paper, paper.transaction(added=added, endorsers=missing).envelope())


def test_endorsements_may_be_many_and_count_once(paper: PaperChannel):  # noqa: F811
    envelope = read_envelope(paper.transaction(endorsers=paper.peers * 160).envelope())
    checked = check_transaction(envelope, paper.begin().configuration)
    assert [each.identity.msp for each in checked.endorsers] == ["Org1MSP", "Org2MSP"]


def test_an_endorser_that_was_revoked_meanwhile_is_passed_over(paper: PaperChannel):  # noqa: F811
    own = paper.layout.organisations[0]
    gone = signer_of(paper.authority(own), own.msp, MspRole.PEER)
    lists = [paper.authority(own).revoke(gone.identity.certificate)]
    changed = change_membership(
        "Application", own.msp, lambda config: config.revocation_list.extend(lists)
    )
    chain = paper.begin().accept(paper.block([paper.configuration(changed)], configured_at=1))
    for endorsers, met in (([gone, *paper.peers], True), ([gone, paper.peers[1]], False)):
        signed = read_envelope(paper.transaction(endorsers=endorsers).envelope())
        with contextlib.nullcontext() if met else pytest.raises(FabricPolicyNotMet):
            check_transaction(signed, chain.configuration)


@pytest.mark.parametrize(
    "spelled",
    [
        lambda signature: signature + b"behind",
        lambda signature: b"0" + bytes([signature[1] + 3]) + signature[2:] + b"\2\1\1",
    ],
)
def test_a_signature_that_something_was_put_behind_counts_as_peers_count_it(
    paper: PaperChannel,  # noqa: F811
    spelled: Callable[[bytes], bytes],
):
    """Go reads two numbers of it, and on no further."""
    endorse_check(paper, paper.transaction(spelled=spelled).envelope())
    with pytest.raises(FabricPolicyNotMet):
        endorse_check(
            paper, paper.transaction(spelled=spelled, endorsers=paper.peers[:1]).envelope()
        )


def other_form(certificate: x509.Certificate) -> bytes:
    """Write a certificate's signature in its other form, which anybody can make of it."""
    r, s = decode_dss_signature(certificate.signature)
    inner = _der(
        0x30,
        certificate.tbs_certificate_bytes
        + _P256_SHA256
        + _der(3, b"\0" + encode_dss_signature(r, ORDER - s)),
    )
    return x509.load_der_x509_certificate(inner).public_bytes(Encoding.PEM)


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    return bytes([tag, 0x82]) + length.to_bytes(2) + content


_P256_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def test_one_certificate_in_several_spellings_is_one_endorser(paper: PaperChannel):  # noqa: F811
    """A peer that alone would fulfil a policy that asks for two of its organisation."""
    own = paper.layout.organisations[0]
    keyed = paper.authority(own).member("some-peer", MspRole.PEER)
    spellings = [keyed.pem, keyed.pem + b"\n", b"\n" + keyed.pem, other_form(keyed.certificate)]
    signers = [MspSigner(MspIdentity.of(own.msp, pem), keyed.key) for pem in spellings]
    peer = MSPRole(msp_identifier=own.msp, role=MSPRole.PEER).SerializeToString()
    both = SignaturePolicy.NOutOf(n=2, rules=[SignaturePolicy(signed_by=0)] * 2)
    policy = SignatureTree.read(
        SignaturePolicyEnvelope(
            rule=SignaturePolicy(n_out_of=both), identities=[MSPPrincipal(principal=peer)]
        ).SerializeToString()
    )
    configuration = paper.begin().configuration
    alone = read_envelope(paper.transaction(endorsers=signers).envelope())
    assert len(endorsers_of(read_outcome(alone), configuration)) == 1
    for endorsers, met in (([signers[0], paper.peers[0]], True), (signers, False)):
        signed = read_envelope(paper.transaction(endorsers=endorsers).envelope())
        with contextlib.nullcontext() if met else pytest.raises(FabricPolicyNotMet):
            check_transaction(signed, configuration, policy)
    assert not policy.fulfilled([CheckedSigner(each.identity, MspRole.PEER) for each in signers])


def test_whoever_creates_a_transaction_stops_no_reader(paper: PaperChannel):  # noqa: F811
    """Peers saw who it is before they endorsed, and may read what this program does not."""
    creator = with_chain(paper.layout.organisations[0].user.signer())
    with pytest.raises(FabricIdentityInvalid):
        MspIdentity.read(creator.encoded)
    endorse_check(paper, paper.transaction(creator=creator).envelope())


def test_a_header_that_is_spelled_otherwise_stops_no_reader(paper: PaperChannel):  # noqa: F811
    """Peers hold the proposal against the call's own header alone."""
    spelled = paper.transaction(proposer=lambda header: header + b"\x78\1")
    endorse_check(paper, spelled.envelope())


def test_anothers_proposal_is_not_the_transactions(paper: PaperChannel):  # noqa: F811
    envelope = Envelope.FromString(paper.transaction().envelope())
    payload = Payload.FromString(envelope.payload)
    other = read_envelope(paper.transaction().envelope())
    payload.header.channel_header = other.channel_header
    payload.header.signature_header = other.signature_header
    envelope.payload = payload.SerializeToString()
    with pytest.raises(FabricAnswerInvalid, match="another proposal"):
        endorse_check(paper, envelope.SerializeToString())


def test_an_event_that_names_another_transaction_stops_no_reader(paper: PaperChannel):  # noqa: F811
    """Peers do not hold it against the transaction's id."""
    event = ChaincodeEvent(chaincode_id="trial", tx_id="ab" * 32, event_name="told")
    endorse_check(paper, paper.transaction(event=event).envelope())


def test_what_another_chaincode_wrote_is_not_looked_at(paper: PaperChannel):  # noqa: F811
    broken = NsReadWriteSet(namespace="other", rwset=b"\xff")
    signed = read_envelope(paper.transaction(written_by_others=[broken]).envelope())
    assert writes_to(signed, "trial")
    assert not writes_to(signed, "another")
    with pytest.raises(FabricAnswerInvalid):
        writes_to(signed, "other")
    assert not writes_to(read_envelope(paper.transaction(writes={}).envelope()), "trial")


@given(st.integers(0, 2**32), st.integers(1, 255))
def test_any_byte_of_an_envelope_that_is_changed_is_noticed_or_of_no_account(
    paper: PaperChannel,  # noqa: F811
    where: int,
    mask: int,
):
    """What of it nobody endorsed, such as how its creator signed it, is its block's to hold."""
    whole = _ONE.setdefault(id(paper), paper.transaction().envelope())
    damaged = bytearray(whole)
    damaged[where % len(damaged)] ^= mask
    configuration = paper.begin().configuration
    true = check_transaction(read_envelope(whole), configuration)
    with contextlib.suppress(CaimiError):
        found = check_transaction(read_envelope(bytes(damaged)), configuration)
        assert found.id == true.id
        assert found.outcome.response == true.outcome.response
        assert found.outcome.proposed == true.outcome.proposed


_ONE: dict[int, bytes] = {}
