"""The content key of one publication, and the cipher that it gives to each file.

Each file is cut into chunks; each chunk is sealed by AES-256-GCM under a key of the file alone,
with nonces laid out as in STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated
Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015): prefix (7 bytes), counter (4), last
flag (1). Dropped, reordered, cut off and swapped chunks therefore fail to authenticate.

The prefix is a keyed hash of the file up to the end of its chunk, and is stored before the chunk's
ciphertext. Sealing the same file again gives the same bytes, so an interrupted sealing is simply
run again; a file that changed in between gets other nonces: no nonce ever meets two plaintexts.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from caimi.errors.storage import ChunkMisplaced, ChunkTampered, InvalidSealingTerms

KEY_BYTES: Final = 32
PREFIX_BYTES: Final = 7
TAG_BYTES: Final = 16
OVERHEAD: Final = PREFIX_BYTES + TAG_BYTES
"""A sealed chunk is this many bytes longer than the plain one."""

_DOMAIN: Final = b"caimi/seal/v1"
_MAX_VERSION_BYTES: Final = 64


class ContentKey:
    """32 secret bytes that open one version of one model. Never shown by `repr`."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        """Take the key's bytes.

        Raises:
            InvalidSealingTerms: not 32 bytes.
        """
        if len(secret) != KEY_BYTES:
            raise InvalidSealingTerms(f"A content key has {KEY_BYTES} bytes, not {len(secret)}.")
        self._secret = bytes(secret)

    @classmethod
    def generate(cls) -> ContentKey:
        """Make a fresh random key."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def derive(cls, secret: bytes, model_id: bytes, version: str) -> ContentKey:
        """Give the key that `secret` always gives for this version (HKDF-SHA-256, RFC 5869).

        A publisher who derives it need not store it, and a restart finds it again.
        """
        info = b"caimi/content-key/v1" + _context(model_id, version)
        return cls(_hkdf(secret, info, KEY_BYTES))

    @property
    def secret(self) -> bytes:
        """The key's bytes, to be encrypted to custodians and nowhere else."""
        return self._secret

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that tell keys apart and reveal nothing of them."""
        return _hkdf(self._secret, _DOMAIN + b" fingerprint", 16)

    def binding(self, terms: bytes) -> bytes:
        """Give a keyed hash (32 bytes) of the terms under which this key is being used."""
        return hmac.digest(_hkdf(self._secret, _DOMAIN + b" binding", 32), terms, "sha256")

    def for_file(self, model_id: bytes, version: str, index: int, chunk_bytes: int) -> FileCipher:
        """Give the cipher of the file at `index` in the order of the manifest's files.

        Raises:
            InvalidSealingTerms: a model id of other than 32 bytes, or a version over 64 bytes.
        """
        context = _DOMAIN + _context(model_id, version) + index.to_bytes(4)
        keys = _hkdf(self._secret, context, 2 * KEY_BYTES)
        return FileCipher(
            keys[:KEY_BYTES], keys[KEY_BYTES:], context + chunk_bytes.to_bytes(4), index
        )

    def __repr__(self) -> str:
        return f"ContentKey(fingerprint={self.fingerprint.hex()})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ContentKey):
            return NotImplemented
        return hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(self.fingerprint)


class FileCipher:
    """Seals and opens the chunks of one file. Safe to use from several threads."""

    __slots__ = ("_aead", "_associated", "_index", "_nonce_key")

    def __init__(self, key: bytes, nonce_key: bytes, associated: bytes, index: int) -> None:
        self._aead = AESGCM(key)
        self._nonce_key = nonce_key
        self._associated = associated
        self._index = index

    def seal_into(
        self, plain: memoryview, counter: int, *, last: bool, so_far: bytes, sealed: memoryview
    ) -> int:
        """Seal a chunk into a buffer that has room for `OVERHEAD` bytes more; give the length.

        `so_far` is the SHA-256 of the file up to and including this chunk.
        """
        place = _place(counter, last)
        prefix = hmac.digest(self._nonce_key, place + so_far, "sha256")[:PREFIX_BYTES]
        sealed[:PREFIX_BYTES] = prefix
        length = len(plain) + OVERHEAD
        self._aead.encrypt_into(
            prefix + place, plain, self._associated, sealed[PREFIX_BYTES:length]
        )
        return length

    def open_into(self, sealed: memoryview, counter: int, *, last: bool, plain: memoryview) -> None:
        """Open a chunk into a buffer of exactly its plain length.

        Raises:
            ChunkTampered: its length is wrong.
            ChunkMisplaced: it does not authenticate in this place.
        """
        if len(sealed) != len(plain) + OVERHEAD:
            raise ChunkTampered(
                f"Chunk {counter} of file {self._index} has {len(sealed)} bytes, "
                f"not {len(plain) + OVERHEAD}."
            )
        nonce = bytes(sealed[:PREFIX_BYTES]) + _place(counter, last)
        try:
            self._aead.decrypt_into(nonce, sealed[PREFIX_BYTES:], self._associated, plain)
        except InvalidTag:
            raise ChunkMisplaced(
                f"Chunk {counter} of file {self._index} does not belong there."
            ) from None


def _place(counter: int, last: bool) -> bytes:
    return counter.to_bytes(4) + bytes([last])


def _context(model_id: bytes, version: str) -> bytes:
    raw = version.encode()
    if len(model_id) != 32 or not 0 < len(raw) <= _MAX_VERSION_BYTES:
        raise InvalidSealingTerms(
            f"A model id of {len(model_id)} bytes and a version of {len(raw)} cannot be sealed for."
        )
    return model_id + len(raw).to_bytes(2) + raw


def _hkdf(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(secret)
