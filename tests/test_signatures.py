"""One form of signature is taken, and key services' other forms become it."""

from __future__ import annotations

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from caimi.signatures import ORDER, MalformedSignature, account_of, completed, recover_account

KEY = PrivateKey(b"\x07" * 32)
ACCOUNT = account_of(KEY.public_key)
DIGEST = b"\x21" * 32


def signature(digest: bytes = DIGEST) -> bytes:
    made = KEY.sign_recoverable(digest, hasher=None)
    return made[:64] + bytes([27 + made[64]])


def high(made: bytes) -> bytes:
    return made[:32] + (ORDER - int.from_bytes(made[32:64])).to_bytes(32) + made[64:]


def der(r: int, s: int) -> bytes:
    def integer(value: int) -> bytes:
        body = value.to_bytes(value.bit_length() // 8 + 1)
        return bytes([2, len(body)]) + body

    body = integer(r) + integer(s)
    return bytes([0x30, len(body)]) + body


def scalars(made: bytes) -> tuple[int, int]:
    return int.from_bytes(made[:32]), int.from_bytes(made[32:64])


def test_a_signature_names_its_account() -> None:
    assert recover_account(DIGEST, signature()) == ACCOUNT


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        signature()[:64],
        signature() + b"\x00",
        signature()[:64] + b"\x00",
        signature()[:64] + b"\x1d",
        high(signature()),
        bytes(64) + b"\x1b",
        b"\xff" * 32 + signature()[32:],
    ],
)
def test_every_other_form_is_refused(wrong: bytes) -> None:
    with pytest.raises(MalformedSignature):
        recover_account(DIGEST, wrong)


@given(st.binary(min_size=32, max_size=32))
def test_whatever_form_a_service_answers_in_becomes_the_one(digest: bytes) -> None:
    made = signature(digest)
    for answer in (made, made[:64], high(made)[:64], high(made)):
        assert completed(digest, answer, ACCOUNT) == made
    assert completed(digest, der(*scalars(made)), ACCOUNT) == made
    assert completed(digest, der(*scalars(high(made))), ACCOUNT) == made
    # OpenSSL-made DER as well as ours.
    assert completed(digest, KEY.sign(digest, hasher=None), ACCOUNT) is not None


def test_the_answer_of_another_key_or_for_another_digest_is_refused() -> None:
    with pytest.raises(MalformedSignature, match="did not make"):
        completed(DIGEST, signature(), b"\x01" * 20)
    with pytest.raises(MalformedSignature, match="did not make"):
        completed(b"\x22" * 32, signature(), ACCOUNT)


R, S = scalars(signature())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x30",
        der(R, S) + b"\x00",
        der(R, S)[:-1],
        der(R, 0),
        der(R, ORDER),
        der(R, ORDER + S),
        b"\x31" + der(R, S)[1:],
        bytes(64),
        b"\x30\x06\x02\x01\x81\x02\x01\x01",  # negative
        b"\x30\x08\x02\x02\x00\x01\x02\x02\x00\x01",  # longer than it must be
        b"\x30\x06\x03\x01\x01\x02\x01\x01",  # no integer
        b"\x30\x81\x06\x02\x01\x01\x02\x01\x01",  # long form of the length
    ],
)
def test_malformed_answers_are_refused(answer: bytes) -> None:
    with pytest.raises(MalformedSignature):
        completed(DIGEST, answer, ACCOUNT)


@given(st.binary(max_size=80))
def test_no_answer_breaks_the_reader(answer: bytes) -> None:
    with pytest.raises(MalformedSignature):
        completed(DIGEST, answer, ACCOUNT)
