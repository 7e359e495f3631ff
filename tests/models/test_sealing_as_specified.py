"""Sealed chunks and content keys are those of docs/protocol.md, made here from its words alone."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from sealed_world import CHUNK, MODEL_ID, SIGNER, World

from caimi.models.content_key import ContentKey
from caimi.models.sealed_form import DEFAULT_CHUNK_BYTES, MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_FILES

KEY = ContentKey(b"k" * 32)


def hkdf(secret, info, length):
    """RFC 5869 with SHA-256 and no salt."""
    pseudorandom = hmac.digest(bytes(32), secret, "sha256")
    block = output = b""
    while len(output) < length:
        counter = bytes([len(output) // 32 + 1])
        block = hmac.digest(pseudorandom, block + info + counter, "sha256")
        output += block
    return output[:length]


def chunk_of(plain, *, so_far, version, index, counter, last):
    told = version.encode()
    context = b"caimi/seal/v1" + MODEL_ID + len(told).to_bytes(2) + told + index.to_bytes(4)
    keys = hkdf(KEY.secret, context, 64)
    place = counter.to_bytes(4) + bytes([last])
    prefix = hmac.digest(keys[32:], place + so_far, "sha256")[:7]
    bound = context + CHUNK.to_bytes(4)
    return prefix + AESGCM(keys[:32]).encrypt(prefix + place, plain, bound)


@given(
    plain=st.binary(max_size=100),
    so_far=st.binary(min_size=32, max_size=32),
    version=st.text(st.characters(codec="utf-8"), min_size=1, max_size=16),
    index=st.integers(0, 9_999),
    counter=st.integers(0, 2**18 - 1),
    last=st.booleans(),
)
def test_a_chunk_has_the_bytes_that_the_protocol_gives_it(
    plain, so_far, version, index, counter, last
):
    sealed = bytearray(len(plain) + 23)
    KEY.for_file(MODEL_ID, version, index, CHUNK).seal_into(
        memoryview(plain), counter, last=last, so_far=so_far, sealed=memoryview(sealed)
    )
    expected = chunk_of(
        plain, so_far=so_far, version=version, index=index, counter=counter, last=last
    )
    assert bytes(sealed) == expected


async def test_the_chunks_of_a_file_end_where_the_protocol_says(tmp_path):
    content = b"abc" * CHUNK
    world = World(tmp_path, {"a": content}, key=KEY)
    form = (await world.seal()).form
    for counter, cid in enumerate(form.files[0]):
        end = (counter + 1) * CHUNK
        stored = await world.store.get(cid)
        assert stored == chunk_of(
            content[end - CHUNK : end],
            so_far=hashlib.sha256(content[:end]).digest(),
            version=world.version,
            index=0,
            counter=counter,
            last=end >= len(content),
        )


def test_a_fingerprint_is_the_one_that_the_protocol_gives():
    assert KEY.fingerprint == hkdf(KEY.secret, b"caimi/seal/v1 fingerprint", 16)


@pytest.mark.parametrize("version", ["1.0.0", "é" * 32])
def test_a_publishers_content_key_is_the_one_that_the_protocol_derives(tmp_path, version):
    SIGNER.save(tmp_path / "key.pem", b"passphrase")
    pem = (tmp_path / "key.pem").read_bytes()
    private = load_pem_private_key(pem, b"passphrase").private_numbers().private_value
    told = version.encode()
    info = b"caimi/content-key/v1" + MODEL_ID + len(told).to_bytes(2) + told
    assert SIGNER.content_key(MODEL_ID, version).secret == hkdf(private.to_bytes(32), info, 32)


def test_sizes_are_those_of_the_protocol():
    assert (DEFAULT_CHUNK_BYTES, MAX_CHUNK_BYTES) == (8 << 20, 16 << 20)
    assert (MAX_FILES, MAX_CHUNKS) == (10_000, 262_144)
