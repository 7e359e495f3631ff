"""Statements bind every field, and their JSON has one form."""

import contextlib
import json
from dataclasses import replace

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st
from independent_client import HALF_ORDER, typed_data
from member_keys import KeySigner

from caimi.errors.messaging import InvalidCheckpoint
from caimi.hashing import keccak256
from caimi.ibc.statements import Kind, committee_hash
from caimi.messaging.checkpoint import Attestation, LedgerStatement, make_committee, recover

SIGNER = KeySigner(3)
uint64 = st.integers(0, (1 << 64) - 1)
bytes32 = st.binary(min_size=32, max_size=32)
roots = bytes32.filter(lambda root: root != bytes(32))
sizes = st.integers(1, (1 << 32) - 1)
checkpoints = (
    st.tuples(uint64, uint64)
    .filter(lambda pair: pair[0] < pair[1])
    .flatmap(
        lambda pair: st.builds(
            LedgerStatement,
            st.just(Kind.CHECKPOINT),
            bytes32,
            bytes32,
            st.just(pair[0]),
            st.just(pair[1]),
            uint64,
            roots,
            sizes,
        )
    )
)
absences = uint64.flatmap(
    lambda at: st.builds(
        LedgerStatement,
        st.just(Kind.ABSENCE),
        bytes32,
        bytes32,
        st.just(at),
        st.just(at),
        uint64,
        roots,
        sizes,
    )
)
statements = checkpoints | absences
SAID = LedgerStatement(Kind.CHECKPOINT, b"\x01" * 32, b"\x02" * 32, 3, 9, 100, b"\x04" * 32, 5)


def attest(said: LedgerStatement) -> Attestation:
    return Attestation(said, SIGNER.sign_digest(said.digest))


@given(statements)
def test_json_round_trips(said: LedgerStatement) -> None:
    attestation = attest(said)
    assert Attestation.from_document(json.loads(attestation.to_json())) == attestation
    assert attestation.signer() == SIGNER.account


@given(statements, statements)
def test_different_statements_have_different_digests(
    one: LedgerStatement, other: LedgerStatement
) -> None:
    assert (one.digest == other.digest) == (one == other)


@given(statements)
def test_the_digest_is_that_of_eip_712(said: LedgerStatement) -> None:
    _, domain, message = typed_data(said.kind, said.fields)
    assert said.digest == keccak256(b"\x19\x01" + domain + message)


@given(statements, st.data())
@settings(max_examples=100)
def test_no_changed_character_of_an_attestation_is_signed(
    said: LedgerStatement, data: st.DataObject
) -> None:
    attestation = attest(said)
    text = attestation.to_json()
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(codec="ascii").filter(lambda c: c != text[place]))
    changed = text[:place] + character + text[place + 1 :]
    try:
        document = json.loads(changed)
    except json.JSONDecodeError:
        return
    if document == json.loads(text) and "true" not in changed:
        return  # white space, or an escape for the same text
    with contextlib.suppress(InvalidCheckpoint):
        assert Attestation.from_document(document).signer() != SIGNER.account


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Rotation"},
        {"kind": 1},
        {"kind": "Absence"},
        {"origin": "0x" + "0" * 63},
        {"origin": "0x" + "0" * 66},
        {"origin": "0x" + "0g" * 32},
        {"origin": "0x" + "0A" * 32},
        {"origin": "0x" + "0 " * 32},
        {"origin": "00" + "00" * 32},
        {"from": -1},
        {"from": 9},
        {"from": True},
        {"from": 3.0},
        {"from": "3"},
        {"height": 1 << 64},
        {"time": None},
        {"time": False},
        {"root": "0x" + "00" * 32},
        {"size": 0},
        {"size": True},
        {"size": 1 << 32},
        {"signature": "0x" + "00" * 64},
        {"signature": "0x" + "00" * 66},
        {"more": 1},
    ],
)
def test_a_malformed_attestation_is_refused(change: dict[str, object]) -> None:
    document = json.loads(attest(SAID).to_json())
    with pytest.raises(InvalidCheckpoint):
        Attestation.from_document({**document, **change})


@pytest.mark.parametrize("name", list(json.loads(attest(SAID).to_json())))
def test_an_attestation_that_lacks_a_field_is_refused(name: str) -> None:
    document = json.loads(attest(SAID).to_json())
    del document[name]
    with pytest.raises(InvalidCheckpoint):
        Attestation.from_document(document)


@pytest.mark.parametrize("document", [None, [], "text", 1, {}])
def test_something_else_is_no_attestation(document: object) -> None:
    with pytest.raises(InvalidCheckpoint):
        Attestation.from_document(document)


@pytest.mark.parametrize(
    "change",
    [
        {"origin": b""},
        {"committee": bytes(31)},
        {"root": bytes(32)},
        {"root": bytes(33)},
        {"size": 0},
        {"time": -1},
        {"from_height": 9},
        {"from_height": 10},
        {"kind": Kind.ABSENCE},
    ],
)
def test_a_statement_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidCheckpoint):
        replace(SAID, **change)  # type: ignore[arg-type]


def test_a_committees_hash_is_that_of_its_abi_encoding() -> None:
    members = [bytes([place]) * 20 for place in (1, 2, 3)]
    names = ["0x" + member.hex() for member in members]
    expected = keccak256(
        encode(("uint64", "uint16", "address[]", "bytes"), (7, 2, names, b"\0\1\2"))
    )
    assert committee_hash(7, 2, members, b"\0\1\2") == expected
    assert make_committee(7, 2, members[::-1]).hash == expected
    assert make_committee(7, 2, members[::-1]).members == tuple(members)


@pytest.mark.parametrize(
    ("threshold", "count"), [(0, 3), (1, 1), (1, 2), (2, 4), (4, 3), (2, 1), (2, 5)]
)
def test_a_threshold_below_two_or_no_majority_is_refused(threshold: int, count: int) -> None:
    with pytest.raises(InvalidCheckpoint):
        make_committee(1, threshold, [bytes([place]) * 20 for place in range(count)])


def test_no_operator_alone_reaches_the_threshold() -> None:
    members = [bytes([place]) * 20 for place in (3, 1, 2)]
    grouped = make_committee(1, 3, members, dict(zip(members, (7, 7, 9), strict=True)))
    assert grouped.operators == bytes([7, 9, 7])
    assert grouped.hash != make_committee(1, 3, members).hash
    with pytest.raises(InvalidCheckpoint, match="Operator 7 runs 2"):
        make_committee(1, 2, members, dict(zip(members, (7, 7, 9), strict=True)))


@pytest.mark.parametrize("numbers", [(0, 1), (0, 1, 256), (0, 1, -1)])
def test_each_member_has_one_operator(numbers: tuple[int, ...]) -> None:
    members = [bytes([place]) * 20 for place in (1, 2, 3)]
    with pytest.raises(InvalidCheckpoint):
        make_committee(1, 2, members, dict(zip(members, numbers, strict=False)))


def test_a_committee_has_at_most_256_members() -> None:
    members = [place.to_bytes(20) for place in range(1, 258)]
    assert len(make_committee(1, 129, members[:256]).members) == 256
    with pytest.raises(InvalidCheckpoint, match="257 members are more than 256"):
        make_committee(1, 129, members)


ONE, TWO, THREE = (bytes([place]) * 20 for place in (1, 2, 3))


@pytest.mark.parametrize(
    "members",
    [[ONE, ONE, TWO], [ONE, TWO, THREE, ONE, TWO], [ONE[1:], TWO, THREE], [ONE, TWO, THREE + ONE]],
    ids=range(4),
)
def test_a_member_listed_twice_or_malformed_is_refused(members: list[bytes]) -> None:
    with pytest.raises(InvalidCheckpoint, match="different members of 20 bytes each"):
        make_committee(1, 1 + len(members) // 2, members)


@given(st.binary(min_size=0, max_size=70))
def test_no_bytes_make_recovery_fail_without_a_name(signature: bytes) -> None:
    with contextlib.suppress(InvalidCheckpoint):
        assert len(recover(bytes(32), signature)) == 20


@given(st.integers(0, 65 * 8 - 1))
def test_a_signature_with_a_flipped_bit_is_not_the_signers(bit: int) -> None:
    signature = bytearray(SIGNER.sign_digest(SAID.digest))
    signature[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(InvalidCheckpoint):
        assert recover(SAID.digest, bytes(signature)) != SIGNER.account


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_a_recovery_id_of_another_form_is_refused(v: int) -> None:
    signature = SIGNER.sign_digest(SAID.digest)
    with pytest.raises(InvalidCheckpoint, match="v 27 or 28"):
        recover(SAID.digest, signature[:64] + bytes([v]))


def test_signatures_in_the_upper_half_are_refused() -> None:
    signature = SIGNER.sign_digest(SAID.digest)
    s = 2 * HALF_ORDER + 1 - int.from_bytes(signature[32:64])
    with pytest.raises(InvalidCheckpoint, match="upper half"):
        recover(SAID.digest, signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]]))
