"""A key share at rest: one file, encrypted with a passphrase, never in plain.

scrypt (RFC 7914) derives the key, AES-256-GCM encrypts; the header is authenticated. Layout: tag,
log2 of scrypt's cost (one byte; block size 8, parallelisation 1), salt (16), nonce (12), ciphertext
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from caimi.custody.encoding import Reader
from caimi.custody.keys import KeyShare
from caimi.custody.tombstones import sync_directory
from caimi.errors.custody import KeyShareFileError, MalformedEncoding, WrongPassphrase

_TAG: Final = b"caimi/key-share-file/v1"
_COST: Final = 17
_MIN_COST: Final = 14
_MAX_COST: Final = 20
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_MAX_FILE_BYTES: Final = 8_192


def save_key_share(path: Path, share: KeyShare, passphrase: bytes, *, cost: int = _COST) -> None:
    """Write `share` to `path` (mode 0600), whole or not at all, durable when this returns.

    `cost` is log2 of scrypt's cost, 14 to 20; 17 takes about 128 MiB and 0.4 s. Blocking.

    Raises:
        KeyShareFileError: the passphrase is empty, `cost` is out of range, or writing failed.
    """
    if not passphrase:
        raise KeyShareFileError("A key share is not saved with an empty passphrase.")
    if not _MIN_COST <= cost <= _MAX_COST:
        raise KeyShareFileError(f"Scrypt's cost must be {_MIN_COST} to {_MAX_COST}, not {cost}.")
    salt = secrets.token_bytes(_SALT_BYTES)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    header = _TAG + bytes([cost]) + salt + nonce
    key = _derive(passphrase, salt, cost)
    try:
        _write_atomically(path, header + AESGCM(key).encrypt(nonce, share.to_bytes(), header))
    except OSError as error:
        raise KeyShareFileError(f"The key share cannot be written to {path}: {error}.") from error


def load_key_share(path: Path, passphrase: bytes) -> KeyShare:
    """Read and decrypt what `save_key_share` wrote. Blocking.

    Raises:
        KeyShareFileError: the file cannot be read, is no key share file, or others may read it.
        WrongPassphrase: the passphrase is wrong, or the file was altered.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeyShareFileError(f"The key share in {path} cannot be read: {error}.") from error
    if mode & 0o077:
        raise KeyShareFileError(
            f"The key share in {path} is open to other users (mode {mode:04o}).",
            next_step=f"Run `chmod 600 {path}`.",
        )
    try:
        header, sealed = _split(data)
    except MalformedEncoding as error:
        raise KeyShareFileError(f"{path} is not a key share file: {error.what}") from error
    cost = header[len(_TAG)]
    salt, nonce = header[len(_TAG) + 1 : -_NONCE_BYTES], header[-_NONCE_BYTES:]
    try:
        plain = AESGCM(_derive(passphrase, salt, cost)).decrypt(nonce, sealed, header)
    except InvalidTag as error:
        raise WrongPassphrase(f"The key share in {path} does not open.") from error
    return KeyShare.from_bytes(plain)


def _split(data: bytes) -> tuple[bytes, bytes]:
    reader = Reader(data, "the file")
    if len(data) > _MAX_FILE_BYTES:
        reader.refuse(f"is longer than {_MAX_FILE_BYTES} bytes")
    reader.expect(_TAG)
    if reader.number(1, _MAX_COST) < _MIN_COST:
        reader.refuse("asks for too weak a key derivation")
    reader.take(_SALT_BYTES + _NONCE_BYTES)
    length = len(_TAG) + 1 + _SALT_BYTES + _NONCE_BYTES
    if len(data) <= length + 16:
        reader.refuse("ends before its ciphertext")
    return data[:length], data[length:]


def _derive(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**cost, r=8, p=1).derive(passphrase)


def _write_atomically(path: Path, data: bytes) -> None:
    # mkstemp creates the file with mode 0600.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
