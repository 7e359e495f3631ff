"""An attestor signs in ibc-go's format what one ledger shows, and what is final."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from eth_abi.abi import decode
from hypothesis import given
from hypothesis import strategies as st
from world import World

from caimi.errors.messaging import (
    InvalidProof,
    LedgerReorganised,
    NotFinal,
    NothingToAttest,
    RangeTooLarge,
    ReceivedAfterAll,
)
from caimi.hashing import keccak256
from caimi.ibc.commitments import packet_commitment
from caimi.ibc.path import Path, PathKind
from caimi.messaging.ibc_attestations import (
    IbcAttestation,
    PacketAttestation,
    StateAttestation,
    attestation_proof,
    path_document,
    read_path,
)
from caimi.messaging.ibc_attestor import IbcAttestor
from caimi.messaging.witnesses import Witnesses


@pytest.fixture
def world(archived: World) -> World:
    """An attestor reads what was stored at the very height that it signs."""
    return archived


@pytest.fixture
def attestor(world: World) -> IbcAttestor:
    a, b = world.chains
    a.send(b)
    world.finalize()
    return IbcAttestor(world.signers[0], Witnesses.of(world.node(a)), world.stores[0])


async def test_a_block_s_time_is_signed_as_ibc_go_has_it(
    attestor: IbcAttestor, world: World
) -> None:
    height = world.chains[0].final_height
    said = await attestor.attest_state(height)
    data = height.to_bytes(32) + world.chains[0].blocks[height].time.to_bytes(32)
    assert said.statement.data == data
    assert said.statement.digest == sha256(b"\x01" + sha256(data).digest()).digest()
    assert said.signer() == attestor.account


async def test_a_packet_s_commitment_is_signed_under_the_hash_of_its_path(
    attestor: IbcAttestor, world: World
) -> None:
    chain = world.chains[0]
    (sent,) = chain.state.sent
    packet = sent.packet
    path = Path.commitment(packet.source_client, 1)
    said = await attestor.attest_packets(chain.final_height, [path])
    ((height, packets),) = decode(("(uint64,(bytes32,bytes32)[])",), said.statement.data)
    assert height == chain.final_height
    key = keccak256(path.raw)
    assert packets == ((key, packet_commitment(packet)),)
    assert said.statement.digest == sha256(b"\x02" + sha256(said.statement.data).digest()).digest()
    assert said.signer() == attestor.account


async def test_absence_is_signed_of_receipts_only(attestor: IbcAttestor, world: World) -> None:
    a, b = world.chains
    client = a.routes[0].client_id
    here = a.final_height
    said = await attestor.attest_packets(here, [Path.receipt(client, 7)])
    assert said.statement.packets[0][1] == bytes(32)
    for path in (Path.commitment(client, 7), Path.acknowledgement(client, 7)):
        with pytest.raises(NothingToAttest):
            await attestor.attest_packets(here, [path])
    b.send(a)
    await world.settle(world.relayer())
    with pytest.raises(ReceivedAfterAll):
        await attestor.attest_packets(a.final_height, [Path.receipt(client, 1)])


async def test_nothing_is_signed_before_it_is_final(attestor: IbcAttestor, world: World) -> None:
    with pytest.raises(NotFinal):
        await attestor.attest_state(world.chains[0].final_height + 1)


async def test_a_ledger_that_changes_below_its_finality_is_signed_no_more(
    attestor: IbcAttestor, world: World
) -> None:
    chain = world.chains[0]
    height = chain.final_height
    await attestor.attest_state(height)
    chain.reorg(4)
    world.finalize()
    with pytest.raises(LedgerReorganised):
        await attestor.attest_state(chain.final_height)


async def test_as_many_paths_as_one_statement_may_have(attestor: IbcAttestor) -> None:
    with pytest.raises(RangeTooLarge):
        await attestor.attest_packets(1, [])
    path = Path.receipt("client-0", 1)
    with pytest.raises(RangeTooLarge):
        await attestor.attest_packets(1, [path, path])
    many = [Path.receipt("client-0", n) for n in range(1, 1_002)]
    with pytest.raises(RangeTooLarge):
        await attestor.attest_packets(1, many)


def test_a_proof_counts_each_attestor_once_and_says_one_thing(world: World) -> None:
    one, other = StateAttestation(1, 2), StateAttestation(1, 3)
    said = [IbcAttestation(one, key.sign_digest(one.digest)) for key in world.signers[:2]]
    ((data, signatures),) = decode(("(bytes,bytes[])",), attestation_proof(said))
    assert (data, list(signatures)) == (one.data, [each.signature for each in said])
    with pytest.raises(InvalidProof, match="counts once"):
        attestation_proof([said[0], said[0]])
    with pytest.raises(InvalidProof, match="one statement"):
        attestation_proof(
            [said[0], IbcAttestation(other, world.signers[1].sign_digest(other.digest))]
        )
    with pytest.raises(InvalidProof):
        attestation_proof([])


numbers = st.integers(0, (1 << 64) - 1)
words = st.binary(min_size=32, max_size=32)


@given(
    st.one_of(
        st.builds(StateAttestation, numbers, numbers),
        st.builds(
            PacketAttestation, numbers, st.lists(st.tuples(words, words), max_size=4).map(tuple)
        ),
    ),
    st.binary(min_size=65, max_size=65),
)
def test_the_json_form_keeps_everything(statement, signature: bytes) -> None:
    said = IbcAttestation(statement, signature)
    assert IbcAttestation.from_document(json.loads(said.to_json())) == said


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"height": 1, "time": 2},
        {"height": True, "time": 2, "signature": "0x" + "00" * 65},
        {"height": 1, "time": 1 << 64, "signature": "0x" + "00" * 65},
        {"height": 1, "time": 2, "signature": "0x" + "00" * 64},
        {"height": 1, "time": 2, "signature": "0x" + "AA" * 65},
        {"height": 1, "time": 2, "more": 1, "signature": "0x" + "00" * 65},
        {"height": 1, "packets": [["0x", "0x"]], "signature": "0x" + "00" * 65},
        {"height": 1, "packets": [["0x" + "00" * 32]], "signature": "0x" + "00" * 65},
    ],
)
def test_another_document_is_refused(document: object) -> None:
    with pytest.raises(InvalidProof):
        IbcAttestation.from_document(document)


@given(
    st.builds(
        Path,
        st.text(alphabet="caimi-7[]<>", min_size=1, max_size=128),
        st.sampled_from(PathKind),
        st.integers(1, (1 << 64) - 1),
    )
)
def test_a_path_s_json_form_keeps_everything(path: Path) -> None:
    assert read_path(json.loads(json.dumps(path_document(path)))) == path


@pytest.mark.parametrize(
    "document",
    [None, [], [1, "c"], [0, "c", 1], [4, "c", 1], [True, "c", 1], [1, "", 1], [1, "c", 0],
     [1, "c" * 129, 1],
     [1, "c", True], [1, "c", 1 << 64], [1, 5, 1], [1, "\ud800", 1], [1, "é", 1]],
)  # fmt: skip
def test_another_path_is_refused(document: object) -> None:
    with pytest.raises(InvalidProof):
        read_path(document)
