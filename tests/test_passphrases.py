"""Secrets under a passphrase: their form, what authenticates them, and what work opens them."""

from __future__ import annotations

from hashlib import scrypt

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caimi.passphrases import OVERHEAD, seal, unseal

HEAD = b"a head"
SALT, NONCE = b"\6" * 16, b"\7" * 12


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return seal(HEAD, b"secret", b"correct horse", 14)


def test_the_form_is_the_one_that_is_told():
    header = HEAD + bytes([14]) + SALT + NONCE
    key = scrypt(b"correct horse", salt=SALT, n=1 << 14, r=8, p=1, maxmem=1 << 26, dklen=32)
    by_hand = header + AESGCM(key).encrypt(NONCE, b"secret", header)
    assert unseal(by_hand, len(HEAD), b"correct horse") == b"secret"


def test_only_the_passphrase_opens_it(sealed: bytes):
    assert len(sealed) == len(HEAD) + OVERHEAD + len(b"secret")
    assert sealed.startswith(HEAD + bytes([14]))
    assert unseal(sealed, len(HEAD), b"correct horse") == b"secret"
    for wrong in (b"", b"Correct horse"):
        with pytest.raises(InvalidTag):
            unseal(sealed, len(HEAD), wrong)


@pytest.mark.parametrize("at", [0, len(HEAD), len(HEAD) + 1, len(HEAD) + 17, len(HEAD) + 29, -1])
def test_head_cost_salt_nonce_ciphertext_and_tag_are_authenticated(sealed: bytes, at: int):
    changed = bytearray(sealed)
    changed[at] ^= 1
    with pytest.raises(InvalidTag):
        unseal(bytes(changed), len(HEAD), b"correct horse")


def test_salt_and_nonce_are_new_each_time(sealed: bytes):
    again = seal(HEAD, b"secret", b"correct horse", 14)
    salted, end = len(HEAD) + 17, len(HEAD) + 29
    assert again[len(HEAD) + 1 : salted] != sealed[len(HEAD) + 1 : salted]
    assert again[salted:end] != sealed[salted:end]


@pytest.mark.parametrize("cost", [-1, 0, 13, 21, 255, 256])
def test_no_weak_or_endless_derivation_is_done(sealed: bytes, cost: int):
    with pytest.raises(ValueError, match="not 14 to 20"):
        seal(HEAD, b"secret", b"correct horse", cost)
    if cost in range(256):
        asking = HEAD + bytes([cost]) + sealed[len(HEAD) + 1 :]
        with pytest.raises(ValueError, match="not 14 to 20"):
            unseal(asking, len(HEAD), b"correct horse")


def test_an_empty_passphrase_seals_nothing():
    with pytest.raises(ValueError, match="empty"):
        seal(HEAD, b"secret", b"", 14)


def test_what_ends_before_its_ciphertext_is_told_so(sealed: bytes):
    for length in (0, len(HEAD), len(HEAD) + OVERHEAD):
        with pytest.raises(ValueError, match="ends before"):
            unseal(sealed[:length], len(HEAD), b"correct horse")
    with pytest.raises(InvalidTag):
        unseal(sealed[: len(HEAD) + OVERHEAD + 1], len(HEAD), b"correct horse")
