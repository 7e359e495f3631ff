"""Only what orderers signed, in its one order, is taken for a channel's block."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_channel import LONG_AGO, PaperChannel, change_membership, signer_of

from caimi.errors import CaimiError
from caimi.errors.fabric import (
    FabricAnswerInvalid,
    FabricConfigurationInvalid,
    FabricForked,
    FabricIdentityExpired,
    FabricIdentityRevoked,
    FabricIdentityUnknown,
    FabricPeersDisagree,
    FabricPolicyNotMet,
    FabricSignatureInvalid,
)
from caimi.ledgers.fabric.local.authorities import LocalAuthority
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.protos.common.common_pb2 import Block, Envelope, Metadata
from caimi.ledgers.fabric.protos.common.configuration_pb2 import (
    BlockDataHashingStructure,
    HashingAlgorithm,
)
from caimi.ledgers.fabric.protos.msp.msp_config_pb2 import MSPConfig
from caimi.ledgers.fabric.verification.chain import ChannelChain, check_agreement
from caimi.ledgers.fabric.verification.envelopes import read_envelope
from caimi.ledgers.fabric.verification.transactions import check_transaction


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> PaperChannel:
    return PaperChannel(tmp_path_factory.mktemp("paper"))


def test_blocks_that_follow_are_taken(paper: PaperChannel):
    first = paper.block()
    second = paper.block(after=first)
    chain = paper.begin().accept(first).accept(second)
    assert chain.head.number == 2
    assert chain.head.entries[0].valid


def test_the_first_block_is_the_one_that_the_name_vouches_for(paper: PaperChannel, tmp_path: Path):
    other = PaperChannel(tmp_path)
    with pytest.raises(FabricForked):
        ChannelChain.begin(other.name, paper.genesis)
    with pytest.raises(FabricAnswerInvalid):
        ChannelChain.begin(paper.name, paper.block())
    with pytest.raises(FabricAnswerInvalid):
        ChannelChain.begin(paper.name, b"")


@pytest.mark.parametrize(("field", "value"), [("number", 5), ("previous_hash", bytes(32))])
def test_a_first_block_is_first(paper: PaperChannel, field: str, value: object):
    block = Block.FromString(paper.genesis)
    setattr(block.header, field, value)
    with pytest.raises(FabricAnswerInvalid, match="first block is none"):
        ChannelChain.begin(paper.name, block.SerializeToString())


def test_a_first_block_has_one_entry(paper: PaperChannel):
    """An empty one more leaves the hash as it is."""
    block = Block.FromString(paper.genesis)
    block.data.data.append(b"")
    with pytest.raises(FabricAnswerInvalid, match="first block is none"):
        ChannelChain.begin(paper.name, block.SerializeToString())


def test_a_first_block_with_other_data_is_refused(paper: PaperChannel, tmp_path: Path):
    block = Block.FromString(paper.genesis)
    block.data.data[0] = Block.FromString(PaperChannel(tmp_path).genesis).data.data[0]
    with pytest.raises(FabricAnswerInvalid, match="other data"):
        ChannelChain.begin(paper.name, block.SerializeToString())


def test_a_block_after_another_one_is_a_fork(paper: PaperChannel):
    one, other = paper.block(), paper.block()
    with pytest.raises(FabricForked):
        paper.begin().accept(one).accept(paper.block(after=other))


def test_a_gap_is_refused(paper: PaperChannel):
    first = paper.block()
    with pytest.raises(FabricForked):
        paper.begin().accept(paper.block(after=first))
    with pytest.raises(FabricForked):
        paper.begin().accept(paper.block(number=2))


def test_a_block_comes_once(paper: PaperChannel):
    first = paper.block()
    with pytest.raises(FabricForked):
        paper.begin().accept(first).accept(first)


def test_other_data_than_the_headers_is_refused(paper: PaperChannel):
    block = Block.FromString(paper.block())
    block.data.data[0] = paper.transaction().envelope()
    with pytest.raises(FabricAnswerInvalid, match="other data"):
        paper.begin().accept(block.SerializeToString())


def test_a_block_without_entries_is_refused(paper: PaperChannel):
    with pytest.raises(FabricAnswerInvalid, match="other data"):
        paper.begin().accept(paper.block([]))


def test_two_entries_are_not_taken_for_one(paper: PaperChannel):
    """The data's hash is over all entries as one: where each ends is the peer's word."""
    entries = [paper.transaction().envelope() for _ in range(2)]
    block = Block.FromString(paper.block(entries))
    del block.data.data[:]
    block.data.data.append(b"".join(entries))
    block.metadata.metadata[2] = b"\0"
    with pytest.raises(FabricAnswerInvalid, match="in the form"):
        paper.begin().accept(block.SerializeToString())


def test_one_entry_is_not_taken_for_two(paper: PaperChannel):
    whole = paper.transaction().envelope()
    envelope = Envelope.FromString(whole)
    parts = [
        Envelope(payload=envelope.payload).SerializeToString(),
        Envelope(signature=envelope.signature).SerializeToString(),
    ]
    assert b"".join(parts) == whole
    block = Block.FromString(paper.block([whole]))
    del block.data.data[:]
    block.data.data.extend(parts)
    block.metadata.metadata[2] = b"\0\0"
    with pytest.raises(FabricAnswerInvalid, match="nobody signed"):
        paper.begin().accept(block.SerializeToString())


def test_a_block_that_nobody_signed_is_refused(paper: PaperChannel):
    with pytest.raises(FabricPolicyNotMet):
        paper.begin().accept(paper.block(signers=[]))


@pytest.mark.parametrize("who", ["user", "peer"])
def test_a_block_that_no_orderer_signed_is_refused(paper: PaperChannel, who: str):
    signer = paper.user if who == "user" else paper.peers[0]
    with pytest.raises(FabricPolicyNotMet):
        paper.begin().accept(paper.block(signers=[signer]))


def test_an_orderer_of_another_authority_is_refused(paper: PaperChannel):
    orderers = paper.layout.orderers.msp
    eve = signer_of(LocalAuthority.create(orderers, "ca"), orderers, MspRole.ORDERER)
    with pytest.raises(FabricIdentityUnknown):
        paper.begin().accept(paper.block(signers=[eve]))


def test_an_organisation_that_is_not_on_the_channel_orders_nothing(paper: PaperChannel):
    eve = signer_of(LocalAuthority.create("EveMSP", "ca"), "EveMSP", MspRole.ORDERER)
    with pytest.raises(FabricIdentityUnknown):
        paper.begin().accept(paper.block(signers=[eve]))


def test_the_signature_of_one_block_is_not_anothers(paper: PaperChannel):
    one, other = (Block.FromString(paper.block()) for _ in range(2))
    other.metadata.metadata[0] = one.metadata.metadata[0]
    with pytest.raises(FabricSignatureInvalid):
        paper.begin().accept(other.SerializeToString())


def test_one_valid_signature_does_not_excuse_another(paper: PaperChannel):
    block, other = (Block.FromString(paper.block()) for _ in range(2))
    signed = Metadata.FromString(block.metadata.metadata[0])
    signed.signatures.append(Metadata.FromString(other.metadata.metadata[0]).signatures[0])
    block.metadata.metadata[0] = signed.SerializeToString()
    with pytest.raises(FabricSignatureInvalid):
        paper.begin().accept(block.SerializeToString())


def test_signatures_are_as_many_as_may_be_and_no_more(paper: PaperChannel):
    paper.begin().accept(paper.block(signers=[paper.orderer] * 256))
    with pytest.raises(FabricAnswerInvalid, match="too many signatures"):
        paper.begin().accept(paper.block(signers=[paper.orderer] * 257))


@pytest.mark.parametrize("part", ["Orderer", "Application"])
def test_organisations_are_as_many_as_may_be_and_no_more(paper: PaperChannel, part: str):
    def many(count: int) -> bytes:
        def change(group: Any) -> None:
            organisations = group.groups[part].groups
            one = next(iter(organisations.values()))
            for at in range(count - len(organisations)):
                organisations[f"more-{at}"].CopyFrom(one)

        return paper.block([paper.configuration(change)], configured_at=1)

    paper.begin().accept(many(500))
    with pytest.raises(FabricConfigurationInvalid, match="too many organisations"):
        paper.begin().accept(many(501))


def test_two_organisations_of_one_name_are_refused(paper: PaperChannel):
    first = paper.layout.organisations[0].msp
    change = change_membership("Application", "Org2MSP", lambda own: setattr(own, "name", first))
    with pytest.raises(FabricConfigurationInvalid, match="Two organisations"):
        paper.begin().accept(paper.block([paper.configuration(change)], configured_at=1))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("HashingAlgorithm", HashingAlgorithm(name="SHAKE256")),
        ("BlockDataHashingStructure", BlockDataHashingStructure(width=2)),
    ],
)
def test_another_way_of_hashing_is_refused(paper: PaperChannel, value: str, said: Any):
    def change(group: Any) -> None:
        group.values[value].value = said.SerializeToString()

    with pytest.raises(FabricConfigurationInvalid, match="hashes its blocks"):
        paper.begin().accept(paper.block([paper.configuration(change)], configured_at=1))


def test_a_configuration_that_is_too_deep_is_refused(paper: PaperChannel):
    def change(group: Any) -> None:
        for at in range(6):
            group = group.groups[f"deep-{at}"]

    with pytest.raises(FabricConfigurationInvalid, match="too deep"):
        paper.begin().accept(paper.block([paper.configuration(change)], configured_at=1))


def test_a_policy_that_is_not_there_is_named(paper: PaperChannel):
    configuration = paper.begin().configuration
    for path in ("/Channel/Nothing/Writers", "/Channel/Orderer/Nothing"):
        with pytest.raises(FabricConfigurationInvalid, match="no policy"):
            configuration.require(path, [], "It")


def test_headers_have_hashes_of_one_length(paper: PaperChannel):
    for field in ("previous_hash", "data_hash"):
        block = Block.FromString(paper.block())
        setattr(block.header, field, bytes(31))
        with pytest.raises(FabricAnswerInvalid, match="another length"):
            paper.begin().accept(block.SerializeToString())


def test_a_block_without_its_metadata_is_refused(paper: PaperChannel):
    block = Block.FromString(paper.block())
    del block.metadata.metadata[:]
    with pytest.raises(FabricAnswerInvalid, match="lacks metadata"):
        paper.begin().accept(block.SerializeToString())


def test_an_orderer_whose_time_is_over_is_refused_where_the_time_is_known(paper: PaperChannel):
    orderers = paper.layout.orderers
    late = signer_of(paper.authority(), orderers.msp, MspRole.ORDERER, lasts=LONG_AGO)
    block = paper.block(signers=[late])
    with pytest.raises(FabricIdentityExpired):
        paper.begin().accept(block, datetime.now(UTC))
    assert paper.begin().accept(block).head.number == 1


def test_a_revoked_orderer_signs_until_the_configuration_that_revokes_it(paper: PaperChannel):
    lists = paper.authority().revoke(paper.orderer.identity.certificate)
    revoking = paper.configuration(
        change_membership(
            "Orderer", paper.orderer.identity.msp, lambda own: own.revocation_list.append(lists)
        )
    )
    first = paper.block()
    second = paper.block([revoking], first, configured_at=2)
    chain = paper.begin().accept(first).accept(second)
    with pytest.raises(FabricIdentityRevoked):
        chain.accept(paper.block(after=second, configured_at=2))


def test_a_revocation_list_of_another_authority_revokes_nothing(paper: PaperChannel):
    eve = LocalAuthority.create("EveMSP", "ca").revoke(paper.orderer.identity.certificate)
    change = change_membership(
        "Orderer", paper.orderer.identity.msp, lambda own: own.revocation_list.append(eve)
    )
    block = paper.block([paper.configuration(change)], configured_at=1)
    chain = paper.begin().accept(block)
    assert chain.accept(paper.block(after=block, configured_at=1)).head.number == 2


def of_another_kind(group: Any) -> None:
    value = group.groups["Application"].groups["Org2MSP"].values["MSP"]
    value.value = MSPConfig(type=1, config=b"no certificates").SerializeToString()


def without_list(own: Any) -> None:
    own.revocation_list.append(b"nothing")


@pytest.mark.parametrize(
    "change",
    [of_another_kind, change_membership("Application", "Org2MSP", without_list)],
)
def test_an_organisation_that_cannot_be_used_stops_nobody_and_has_no_members(
    paper: PaperChannel, change: Callable[[Any], None]
):
    configured = paper.block([paper.configuration(change)], configured_at=1)
    chain = paper.begin().accept(configured)
    chain = chain.accept(paper.block(after=configured, configured_at=1))
    first, second = paper.peers
    chain.configuration.member(first.identity, None)
    with pytest.raises(FabricIdentityUnknown, match="that can be used: "):
        chain.configuration.member(second.identity, None)
    assert list(chain.configuration.unusable) == ["Org2MSP"]
    with pytest.raises(FabricPolicyNotMet):
        check_transaction(read_envelope(paper.transaction().envelope()), chain.configuration)


def test_an_ordering_organisation_that_cannot_be_used_signs_nothing(paper: PaperChannel):
    change = change_membership("Orderer", paper.orderer.identity.msp, without_list)
    configured = paper.block([paper.configuration(change)], configured_at=1)
    chain = paper.begin().accept(configured)
    with pytest.raises(FabricIdentityUnknown):
        chain.accept(paper.block(after=configured, configured_at=1))


def test_a_policy_that_cannot_be_used_stops_nobody_and_is_not_met(paper: PaperChannel):
    def change(group: Any) -> None:
        own = group.groups["Application"].groups["Org2MSP"]
        own.policies["Endorsement"].policy.type = 77
        own.policies["Readers"].policy.type = 77

    configured = paper.block([paper.configuration(change)], configured_at=1)
    chain = paper.begin().accept(configured)
    assert chain.accept(paper.block(after=configured, configured_at=1)).head.number == 2
    with pytest.raises(FabricPolicyNotMet):
        check_transaction(read_envelope(paper.transaction().envelope()), chain.configuration)


def test_a_block_names_the_configuration_before_it(paper: PaperChannel):
    with pytest.raises(FabricAnswerInvalid, match="last configuration"):
        paper.begin().accept(paper.block(configured_at=1))
    configured = paper.block([paper.configuration()], configured_at=1)
    chain = paper.begin().accept(configured)
    with pytest.raises(FabricAnswerInvalid, match="last configuration"):
        chain.accept(paper.block(after=configured, configured_at=0))


@pytest.mark.parametrize("sequence", [0])
def test_a_configuration_does_not_go_back(paper: PaperChannel, sequence: int):
    block = paper.block([paper.configuration(sequence=sequence)], configured_at=1)
    with pytest.raises(FabricAnswerInvalid, match="does not follow"):
        paper.begin().accept(block)


def test_another_channels_configuration_is_refused(paper: PaperChannel):
    block = paper.block([paper.configuration(channel="elsewhere")], configured_at=1)
    with pytest.raises(FabricAnswerInvalid, match="does not follow"):
        paper.begin().accept(block)


def test_a_configuration_is_alone_in_its_block(paper: PaperChannel):
    entries = [paper.configuration(), paper.transaction().envelope()]
    with pytest.raises(FabricAnswerInvalid, match="beside transactions"):
        paper.begin().accept(paper.block(entries, configured_at=1))


def test_a_configuration_that_a_peer_calls_invalid_is_not_passed_over(paper: PaperChannel):
    """Else whoever was put off the channel could go on ordering for those who ask that peer."""
    block = paper.block([paper.configuration()], configured_at=1, codes=b"\x0b")
    with pytest.raises(FabricAnswerInvalid, match="invalid"):
        paper.begin().accept(block)


@pytest.mark.parametrize("codes", [b"", b"\0\0"])
def test_every_entry_is_judged_once(paper: PaperChannel, codes: bytes):
    with pytest.raises(FabricAnswerInvalid, match="judges"):
        paper.begin().accept(paper.block(codes=codes))


def test_peers_that_judge_differently_are_told_apart(paper: PaperChannel):
    block = Block.FromString(paper.block())
    valid = paper.begin().accept(block.SerializeToString()).head
    block.metadata.metadata[2] = b"\x0b"
    invalid = paper.begin().accept(block.SerializeToString()).head
    assert not invalid.entries[0].valid
    assert invalid.entries[0].verdict == "MVCC_READ_CONFLICT"
    with pytest.raises(FabricPeersDisagree):
        check_agreement(valid, invalid)


def test_peers_that_show_two_blocks_of_one_number_show_a_fork(paper: PaperChannel):
    one, other = (paper.begin().accept(paper.block()).head for _ in range(2))
    with pytest.raises(FabricForked):
        check_agreement(one, other)
    check_agreement(one, one)


@given(st.integers(0, 2**32), st.integers(1, 255))
def test_any_byte_that_is_changed_is_noticed_or_of_no_account(
    paper: PaperChannel, where: int, mask: int
):
    """A peer's word on validity, and what orderers keep for themselves, nobody signs."""
    block = bytearray(_one_block(paper))
    block[where % len(block)] ^= mask
    _is_the_same_or_refused(paper, bytes(block))


@given(st.randoms(use_true_random=False))
def test_any_part_that_is_cut_or_doubled_is_noticed_or_of_no_account(
    paper: PaperChannel, draw: Random
):
    block = _one_block(paper)
    begin = draw.randrange(len(block))
    end = draw.randrange(begin, min(len(block), begin + 64))
    part = b"" if draw.random() < 0.5 else block[begin:end] * 2
    _is_the_same_or_refused(paper, block[:begin] + part + block[end:])


def _is_the_same_or_refused(paper: PaperChannel, damaged: bytes) -> None:
    whole = paper.begin().accept(_one_block(paper)).head
    try:
        found = paper.begin().accept(damaged).head
    except CaimiError:
        return
    assert found.hash == whole.hash
    assert [each.signed for each in found.entries] == [each.signed for each in whole.entries]


_BLOCKS: dict[int, bytes] = {}


def _one_block(paper: PaperChannel) -> bytes:
    return _BLOCKS.setdefault(id(paper), paper.block())
