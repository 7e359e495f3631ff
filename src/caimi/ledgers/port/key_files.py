"""Files in which a family of ledgers keeps people's keys."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from caimi.ledgers.port.keys import Signer


class StoredKey(Signer, Protocol):
    """A key in this process that can be written to a file."""

    def save(self, path: Path, passphrase: bytes) -> None:
        """Write it so that only `passphrase` opens it, for its owner alone (mode 0600).

        Raises:
            KeyExists: something is there already.
        """


class KeyFiles(Protocol):
    """How a family keeps keys: a file each."""

    @property
    def ending(self) -> str:
        """What follows a key's name in the name of its file, from a dot on.

        Families that take the same keys have the same; two that do not never have.
        """

    def generate(self, name: str) -> StoredKey:
        """Make a new key; what its account is called may follow from `name`."""

    def load(self, path: Path, passphrase: bytes) -> StoredKey:
        """Open a key's file.

        Raises:
            KeyMissing: there is no such file.
            KeyLocked: the passphrase is wrong, or the file is damaged.
        """

    def account_in(self, path: Path) -> bytes:
        """Read the native bytes of a key's account without opening it; raises as `load`."""
