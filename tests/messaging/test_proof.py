"""Proofs hold for what was signed, and no changed byte of one does."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from independent_client import IndependentClient
from member_keys import KeySigner

from caimi.errors.ledgers import ProofRefused
from caimi.errors.messaging import InvalidProof, NothingToAttest
from caimi.ibc.statements import Kind
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.proof import Proof, SignedStatement, Tree, statement_of

ORIGIN = b"\x0a" * 32
SIGNERS = sorted((KeySigner(50 + n) for n in range(5)), key=lambda signer: signer.account)
COMMITTEE = make_committee(4, 3, [signer.account for signer in SIGNERS])
CLIENT = IndependentClient(ORIGIN, COMMITTEE, valid_until=20_000)
NOW = 10_000
FACTS = [(bytes([place]) * 32, bytes([100 + place]) * 32) for place in range(1, 8)]


def signed(
    facts: list[tuple[bytes, bytes]] = FACTS,
    kind: Kind = Kind.CHECKPOINT,
    places: tuple[int, ...] = (0, 2, 4),
    **changes: object,
) -> tuple[SignedStatement, Tree]:
    tree = Tree.of(facts)
    blocks = (5, 9) if kind is Kind.CHECKPOINT else (9, 9)
    said = statement_of(kind, ORIGIN, COMMITTEE, blocks, NOW, tree)
    said = replace(said, **changes)  # type: ignore[arg-type]
    return SignedStatement(
        said, {place: SIGNERS[place].sign_digest(said.digest) for place in places}
    ), tree


def prove(
    chosen: list[int], statement: SignedStatement, tree: Tree, facts: list[tuple[bytes, bytes]]
) -> tuple[list[bytes], list[bytes], Proof]:
    proof = statement.prove(tree, [facts[place][0] for place in chosen])
    ordered = [facts[chosen[place]] for place in proof.order]
    return [key for key, _ in ordered], [value for _, value in ordered], proof


@given(st.sets(st.integers(0, 6), min_size=1), st.integers(1, 7))
def test_any_facts_of_any_tree_are_proved(chosen: set[int], size: int) -> None:
    facts = FACTS[:size]
    picked = [place for place in chosen if place < size] or [0]
    keys, values, proof = prove(picked, *signed(facts), facts)
    assert CLIENT.verify(Kind.CHECKPOINT, keys, values, proof.data, NOW) == NOW


def test_absences_are_proved() -> None:
    facts = [(key, bytes(32)) for key, _ in FACTS]
    keys, values, proof = prove([1, 3], *signed(facts, Kind.ABSENCE), facts)
    assert CLIENT.verify(Kind.ABSENCE, keys, values, proof.data, NOW) == NOW


KEYS, VALUES, PROOF = prove([0, 3, 5], *signed(), FACTS)


@given(st.integers(0, len(PROOF.data) - 1), st.integers(1, 255))
@settings(max_examples=100)
def test_no_changed_byte_of_a_proof_is_accepted(place: int, difference: int) -> None:
    changed = bytearray(PROOF.data)
    changed[place] ^= difference
    with pytest.raises(ProofRefused):
        CLIENT.verify(Kind.CHECKPOINT, KEYS, VALUES, bytes(changed), NOW)


@given(st.integers(0, len(PROOF.data) - 1))
def test_no_shortened_proof_is_accepted(length: int) -> None:
    with pytest.raises(ProofRefused):
        CLIENT.verify(Kind.CHECKPOINT, KEYS, VALUES, PROOF.data[:length], NOW)


@given(st.integers(0, 2), st.booleans(), st.integers(0, 255))
def test_no_changed_fact_is_accepted(place: int, is_key: bool, bit: int) -> None:
    keys, values = list(KEYS), list(VALUES)
    changed = keys if is_key else values
    fact = bytearray(changed[place])
    fact[bit // 8] ^= 1 << bit % 8
    changed[place] = bytes(fact)
    with pytest.raises(ProofRefused):
        CLIENT.verify(Kind.CHECKPOINT, keys, values, PROOF.data, NOW)


def test_a_checkpoint_is_no_absence_and_the_reverse() -> None:
    facts = [(key, bytes(32)) for key, _ in FACTS]
    keys, values, proof = prove([1], *signed(facts, Kind.ABSENCE), facts)
    with pytest.raises(ProofRefused):
        CLIENT.verify(Kind.CHECKPOINT, keys, values, proof.data, NOW)
    with pytest.raises(ProofRefused):
        CLIENT.verify(Kind.ABSENCE, KEYS, VALUES, PROOF.data, NOW)


@pytest.mark.parametrize(
    ("error", "client", "now"),
    [
        ("WrongOrigin", replace(CLIENT, origin=b"\x0b" * 32), NOW),
        (
            "UnknownCommittee",
            replace(CLIENT, committee=make_committee(5, 3, COMMITTEE.members)),
            NOW,
        ),
        ("FutureTime", CLIENT, NOW - 601),
        ("CommitteeExpired", CLIENT, 20_001),
    ],
)
def test_a_proof_counts_only_where_and_when_it_was_meant(
    error: str, client: IndependentClient, now: int
) -> None:
    with pytest.raises(ProofRefused, match=error):
        client.verify(Kind.CHECKPOINT, KEYS, VALUES, PROOF.data, now)


def test_too_few_signatures_prove_nothing() -> None:
    statement, tree = signed(places=(1, 2))
    keys, values, proof = prove([0], statement, tree, FACTS)
    with pytest.raises(ProofRefused, match="TooFewSignatures"):
        CLIENT.verify(Kind.CHECKPOINT, keys, values, proof.data, NOW)


def test_a_signature_counts_for_its_own_member_only() -> None:
    statement, tree = signed()
    signature = statement.signatures[0]
    doubled = SignedStatement(statement.statement, {0: signature, 1: signature, 2: signature})
    keys, values, proof = prove([0], doubled, tree, FACTS)
    with pytest.raises(ProofRefused, match="InvalidSignature"):
        CLIENT.verify(Kind.CHECKPOINT, keys, values, proof.data, NOW)


def test_a_signature_of_nobody_in_the_committee_is_refused() -> None:
    statement, tree = signed()
    more = SignedStatement(
        statement.statement, {**statement.signatures, 9: statement.signatures[0]}
    )
    keys, values, proof = prove([0], more, tree, FACTS)
    with pytest.raises(ProofRefused, match="UnknownSigner"):
        CLIENT.verify(Kind.CHECKPOINT, keys, values, proof.data, NOW)


def test_only_the_signed_trees_facts_can_be_proved() -> None:
    statement, tree = signed()
    with pytest.raises(InvalidProof):
        statement.prove(Tree.of(FACTS[:3]), [FACTS[0][0]])
    with pytest.raises(InvalidProof):
        statement.prove(tree, [b"\xee" * 32])


def test_no_facts_make_no_tree() -> None:
    with pytest.raises(NothingToAttest):
        Tree.of([])
