import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.custody.delivery import (
    RECIPIENT_PUBLIC_BYTES,
    SEALED_OVERHEAD,
    RecipientKey,
    check_recipient,
    delivery_info,
    seal,
)
from caimi.errors.custody import MalformedEncoding, UndeliverableShare

KEY = RecipientKey.generate()


@given(st.binary(max_size=300), st.binary(max_size=300))
@settings(max_examples=30, deadline=None)
def test_what_is_sealed_to_a_key_opens_with_it(plaintext, info):
    sealed = seal(KEY.public_bytes, plaintext, info)
    assert KEY.open(sealed, info) == plaintext
    assert len(sealed) == len(plaintext) + SEALED_OVERHEAD


def test_another_key_or_purpose_does_not_open_it():
    sealed = seal(KEY.public_bytes, b"share", b"purpose")
    with pytest.raises(UndeliverableShare):
        KEY.open(sealed, b"other purpose")
    with pytest.raises(UndeliverableShare):
        RecipientKey.generate().open(sealed, b"purpose")


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_sealed_message_with_any_byte_changed_does_not_open(data):
    sealed = bytearray(seal(KEY.public_bytes, b"share", b"purpose"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UndeliverableShare):
        KEY.open(bytes(sealed), b"purpose")


@pytest.mark.parametrize("sealed", [b"", b"x", bytes(SEALED_OVERHEAD - 1), bytes(SEALED_OVERHEAD)])
def test_rubbish_does_not_open(sealed):
    with pytest.raises(UndeliverableShare):
        KEY.open(sealed, b"purpose")


@pytest.mark.parametrize(
    "public",
    [b"", KEY.public_bytes[:-1], KEY.public_bytes + b"\x00", b"\xff" * RECIPIENT_PUBLIC_BYTES],
    ids=range(4),
)
def test_a_malformed_recipient_key_is_refused(public):
    with pytest.raises(MalformedEncoding):
        check_recipient(public)
    with pytest.raises(MalformedEncoding):
        seal(public, b"share", b"")


@pytest.mark.parametrize("length", [0, RECIPIENT_PUBLIC_BYTES - 1, RECIPIENT_PUBLIC_BYTES + 1])
def test_a_recipient_key_of_another_length_is_told_which_it_must_have(length):
    with pytest.raises(MalformedEncoding, match=f"must be 1216 bytes, not {length}"):
        check_recipient(bytes(length))


def test_a_recipient_key_of_small_order_is_refused():
    with pytest.raises(MalformedEncoding):
        seal(KEY.public_bytes[:-32] + bytes(32), b"share", b"")


def test_every_part_of_the_purpose_changes_it():
    base = (b"label", "eip155:1:0xabc", 1, bytes(32))
    variants = {
        delivery_info(*base),
        delivery_info(b"labe", *base[1:]),
        delivery_info(b"label", "eip155:1:0xabd", 1, bytes(32)),
        delivery_info(b"label", "eip155:1:0xabc", 2, bytes(32)),
        delivery_info(b"label", "eip155:1:0xabc", 1, b"\x01" * 32),
    }
    assert len(variants) == 5


def test_a_recipient_key_prints_nothing_private():
    assert repr(KEY) == f"RecipientKey(public_bytes={KEY.public_bytes[:8].hex()}…)"
