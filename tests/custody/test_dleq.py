from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.custody.dleq import EqualityProof, EqualityStatement, holds, prove
from caimi.custody.group import ORDER, SECOND_GENERATOR, generator_times, hash_to_scalar


def statement(secret):
    return EqualityStatement(
        b"domain",
        (b"one", b"two"),
        SECOND_GENERATOR,
        generator_times(secret),
        SECOND_GENERATOR.times(secret),
    )


@given(st.integers(0, ORDER - 1))
@settings(max_examples=20, deadline=None)
def test_a_proof_of_a_true_statement_holds(secret):
    proof = prove(secret, statement(secret))
    assert holds(EqualityProof.from_bytes(proof.to_bytes()), statement(secret))


@given(st.integers(1, ORDER - 2), st.integers(1, ORDER - 1))
@settings(max_examples=20, deadline=None)
def test_no_secret_proves_two_points_of_different_logarithms(secret, shift):
    false = replace(statement(secret), base_image=SECOND_GENERATOR.times(secret + shift))
    assert not holds(prove(secret, false), false)
    assert not holds(prove(secret + shift, false), false)


def test_a_proof_holds_for_its_own_statement_only():
    proof = prove(7, statement(7))
    for change in (
        {"domain": b"other"},
        {"context": (b"one",)},
        {"context": (b"onetwo",)},
        {"base": generator_times(3)},
        {"image": generator_times(8)},
        {"base_image": SECOND_GENERATOR},
    ):
        assert not holds(proof, replace(statement(7), **change))


def test_the_challenge_hashes_the_whole_statement_and_both_commitments():
    proven = statement(7)
    proof = prove(7, proven)
    nonce = (proof.response - 7 * proof.challenge) % ORDER
    points = (
        proven.base,
        proven.image,
        proven.base_image,
        generator_times(nonce),
        SECOND_GENERATOR.times(nonce),
    )
    assert proof.challenge == hash_to_scalar(
        b"domain", b"one", b"two", *(point.to_bytes() for point in points)
    )
