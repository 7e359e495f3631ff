"""One form of signature is taken, and key services' other forms become it."""

from __future__ import annotations

import pytest
from coincurve import PrivateKey, PublicKey
from hypothesis import given
from hypothesis import strategies as st

from caimi.signatures import (
    HALF_ORDER,
    ORDER,
    MalformedSignature,
    account_of,
    completed,
    recover_account,
)

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
    ("wrong", "refusal"),
    [
        (b"", "65 bytes"),
        (signature()[:64], "65 bytes"),
        (signature() + b"\x00", "65 bytes"),
        (signature()[:64] + b"\x00", "v 27 or 28"),
        (signature()[:64] + b"\x1a", "v 27 or 28"),
        (signature()[:64] + b"\x1d", "v 27 or 28"),
        (high(signature()), "upper half"),
        (bytes(64) + b"\x1b", "of no key"),
        (b"\xff" * 32 + signature()[32:], "of no key"),
    ],
)
def test_every_other_form_is_refused(wrong: bytes, refusal: str) -> None:
    with pytest.raises(MalformedSignature, match=refusal):
        recover_account(DIGEST, wrong)


def test_a_signature_whose_r_is_beyond_the_order_is_refused_although_a_key_made_it() -> None:
    # Where the x coordinate is r + ORDER, libsecp256k1 recovers a key with v 29.
    body = (2).to_bytes(32) + (1).to_bytes(32)
    assert PublicKey.from_signature_and_message(body + b"\x02", DIGEST, hasher=None)
    with pytest.raises(MalformedSignature, match="v 27 or 28"):
        recover_account(DIGEST, body + b"\x1d")


def test_the_largest_low_s_is_half_the_order() -> None:
    made = signature()
    assert len(recover_account(DIGEST, made[:32] + HALF_ORDER.to_bytes(32) + made[64:])) == 20
    with pytest.raises(MalformedSignature, match="upper half"):
        recover_account(DIGEST, made[:32] + (HALF_ORDER + 1).to_bytes(32) + made[64:])


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


NEITHER = "neither DER nor r and s"
RANGE = "from 1 to the order"
NO_INTEGER = "is no DER integer"
NOT_POSITIVE = "no positive integer in DER"


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (b"", NEITHER),
        (b"\x30", NEITHER),
        (bytes.fromhex("3005 020101 0201"), NEITHER),
        (der(R, S) + b"\x00", NEITHER),
        (der(R, S)[:-1], NEITHER),
        (b"\x31" + der(R, S)[1:], NEITHER),
        (bytes.fromhex("308106 020101 020101"), NEITHER),  # long form of the length
        (der(0, S), RANGE),
        (der(R, 0), RANGE),
        (der(ORDER, S), RANGE),
        (der(R, ORDER), RANGE),
        (der(R, ORDER + S), RANGE),
        (bytes(64), RANGE),
        (R.to_bytes(32) + bytes(32), RANGE),
        (ORDER.to_bytes(32) + S.to_bytes(32), RANGE),
        (bytes.fromhex("3007 020101 020101 00"), "Something follows"),
        (b"\x30\x80" + bytes.fromhex("020101 020101") + bytes(122), "Something follows"),
        (bytes.fromhex("3006 030101 020101"), NO_INTEGER),
        (bytes.fromhex("3006 0200 02020101"), NO_INTEGER),
        (bytes.fromhex("3006 020401010101"), NO_INTEGER),  # and no second one
        (bytes.fromhex("3006 020301010102"), NO_INTEGER),
        (bytes.fromhex("3006 020101 020201"), NO_INTEGER),
        (bytes.fromhex("3027 0222 01") + bytes(33) + bytes.fromhex("020101"), NO_INTEGER),
        (bytes.fromhex("3006 020181 020101"), NOT_POSITIVE),
        (bytes.fromhex("3008 02020001 02020001"), NOT_POSITIVE),  # longer than it must be
        # What can be read, and nobody made.
        (bytes.fromhex("3006 020101 020101"), "did not make"),
        (bytes.fromhex("3007 02020080 020101"), "did not make"),
        (der(ORDER - 1, ORDER - 1), "did not make"),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else "",
)
def test_malformed_answers_are_refused(answer: bytes, refusal: str) -> None:
    with pytest.raises(MalformedSignature, match=refusal):
        completed(DIGEST, answer, ACCOUNT)


@given(st.binary(max_size=80))
def test_no_answer_breaks_the_reader(answer: bytes) -> None:
    with pytest.raises(MalformedSignature):
        completed(DIGEST, answer, ACCOUNT)
