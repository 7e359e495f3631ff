"""Machine code, compiled ahead of time, kept between runs of the program.

Running machine code that another wrote is running their program: wasmtime checks a blob for
compatibility, not for honesty. What makes these safe to load:

- A blob is made by a child process that compiled the very module whose hash names it, and had run
  nothing before. A module that breaks wasmtime's compiler can therefore spoil its own entry only.
- It is loaded in another confined child, which runs that module only: breaking out of wasmtime by
  way of its blob gives a module no more than breaking out by running.
- The directory is the user's alone (0700, checked each time it is opened) and children can open no
  file, so that nobody else can write to it; each blob has a MAC under a key of the directory, over
  its name too, which finds damage, a half-written file, and a blob from another place or cache.

Who can write as this user is not kept out: they could replace this program.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path
from typing import Final

from caimi.errors.inference import CacheUnsafe
from caimi.storage.whole_file import read_bounded, write_whole

MAX_CODE_BYTES: Final = 256 * 1024 * 1024
DEFAULT_BYTES: Final = 1024**3
_KEY_BYTES: Final = 32
_MAC_BYTES: Final = 32
_KEY_NAME: Final = "key"
_SUFFIX: Final = ".code"
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class CodeCache:
    """Blobs by key in a directory of at most `most_bytes`; the oldest go first.

    It is made if it is missing. For threads and processes at once.

    Raises:
        CacheUnsafe: it is not the user's alone, or no directory.
    """

    def __init__(self, directory: Path, most_bytes: int = DEFAULT_BYTES) -> None:
        self._most_bytes = most_bytes
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._root = os.open(directory, _READ | os.O_DIRECTORY)
        except OSError as error:
            raise CacheUnsafe(f"{directory} cannot be used: {error.strerror}.") from error
        found = os.fstat(self._root)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            os.close(self._root)
            raise CacheUnsafe(f"{directory} is open to others.")
        try:
            self._secret = self._key()
        except OSError as error:
            os.close(self._root)
            raise CacheUnsafe(f"{directory} has no readable key: {error.strerror}.") from error

    def get(self, key: bytes) -> bytes | None:
        """Give the machine code under `key`, or None; what does not authenticate is removed."""
        name = key.hex() + _SUFFIX
        try:
            data = self._read(name, MAX_CODE_BYTES + _MAC_BYTES)
        except OSError:
            return None
        if not hmac.compare_digest(data[:_MAC_BYTES], self._mac(key, data[_MAC_BYTES:])):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._root)
            return None
        with contextlib.suppress(OSError):
            os.utime(name, dir_fd=self._root)
        return data[_MAC_BYTES:]

    def put(self, key: bytes, code: bytes) -> None:
        """Keep machine code; a full disk or a missing right means that it is not kept."""
        with contextlib.suppress(OSError):
            self._write(key.hex() + _SUFFIX, self._mac(key, code) + code)
            self._make_room()

    def close(self) -> None:
        """Close the directory."""
        os.close(self._root)

    def _mac(self, key: bytes, code: bytes) -> bytes:
        # The key has a fixed length, so that no boundary can be moved.
        return hmac.digest(self._secret, key + sha256(code).digest(), "sha256")

    def _key(self) -> bytes:
        with contextlib.suppress(FileExistsError):
            self._write(_KEY_NAME, secrets.token_bytes(_KEY_BYTES), replace=False)
        secret = self._read(_KEY_NAME, _KEY_BYTES)
        if len(secret) != _KEY_BYTES:
            raise OSError(0, "it is damaged")
        return secret

    def _read(self, name: str, limit: int) -> bytes:
        descriptor = os.open(name, _READ, dir_fd=self._root)
        try:
            return bytes(read_bounded(descriptor, limit))
        finally:
            os.close(descriptor)

    def _write(self, name: str, data: bytes, *, replace: bool = True) -> None:
        temporary = f".{os.getpid()}-{secrets.token_hex(8)}"
        descriptor = os.open(temporary, _CREATE, 0o600, dir_fd=self._root)
        try:
            try:
                write_whole(descriptor, memoryview(data))
            finally:
                os.close(descriptor)
            if replace:
                os.rename(temporary, name, src_dir_fd=self._root, dst_dir_fd=self._root)
            else:
                os.link(temporary, name, src_dir_fd=self._root, dst_dir_fd=self._root)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=self._root)

    def _make_room(self) -> None:
        with os.scandir(self._root) as entries:
            blobs = sorted(
                (found.st_mtime, found.st_size, entry.name)
                for entry in entries
                if entry.name.endswith(_SUFFIX)
                for found in [entry.stat(follow_symlinks=False)]
            )
        over = sum(size for _, size, _ in blobs) - self._most_bytes
        for _, size, name in blobs:
            if over <= 0:
                return
            os.unlink(name, dir_fd=self._root)
            over -= size
