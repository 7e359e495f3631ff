"""A key share at rest: one file, encrypted with a passphrase, never in plain.

It is a tag, and behind it the share in the form of `caimi.passphrases`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag

from caimi.custody.keys import KeyShare
from caimi.errors.custody import KeyShareFileError, WrongPassphrase
from caimi.passphrases import COST, seal, unseal
from caimi.whole_files import write_whole

_TAG: Final = b"caimi/key-share-file/v1"
_MAX_FILE_BYTES: Final = 8_192


def save_key_share(path: Path, share: KeyShare, passphrase: bytes, *, cost: int = COST) -> None:
    """Write `share` to `path` (mode 0600), whole or not at all, durable when this returns.

    `cost` is log2 of scrypt's cost, 14 to 20; 17 takes about 128 MiB and 0.4 s. Blocking.

    Raises:
        KeyShareFileError: the passphrase is empty, `cost` is out of range, or writing failed.
    """
    try:
        sealed = seal(_TAG, share.to_bytes(), passphrase, cost)
    except ValueError as error:
        raise KeyShareFileError(f"A key share is not saved so: {error}.") from error
    try:
        write_whole(path, sealed)
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
        plain = _unsealed(data, passphrase)
    except ValueError as error:
        raise KeyShareFileError(f"{path} is not a key share file: {error}.") from error
    except InvalidTag as error:
        raise WrongPassphrase(f"The key share in {path} does not open.") from error
    return KeyShare.from_bytes(plain)


def _unsealed(data: bytes, passphrase: bytes) -> bytes:
    if len(data) > _MAX_FILE_BYTES:
        raise ValueError(f"it is longer than {_MAX_FILE_BYTES} bytes")
    if not data.startswith(_TAG):
        raise ValueError("it is of another format or version")
    return unseal(data, len(_TAG), passphrase)
