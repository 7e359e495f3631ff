"""A family whose accounts are words, and whose keys no other family takes.

Its ledgers are those in `CHAINS`, which live in this process.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import BaseModel, ConfigDict

from caimi.config import LedgerSection, PlaceSection
from caimi.errors.operations import KeyExists, KeyLocked, KeyMissing
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Ledger, LedgerId, LedgerPlace
from memory_ledger.chain import MemoryChain
from memory_ledger.words import MemoryAccounts, Wallet, WordBook

BOOK = WordBook()
"""Whose word is whose key, for whoever asks no ledger."""
CHAINS: dict[LedgerId, MemoryChain] = {}


class WordKey(Wallet):
    """A word's key that can be written to a file."""

    def __init__(self, word: bytes, secret: Ed25519PrivateKey) -> None:
        super().__init__(word, secret)
        BOOK.keys[word] = self.public

    def save(self, path: Path, passphrase: bytes) -> None:
        if path.exists():
            raise KeyExists(f"There is already a key {path}.")
        pem = self._secret.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase)
        )
        path.touch(mode=0o600)
        path.write_bytes(self.account + b"\n" + pem)


class WordKeys:
    """Files of them (port `KeyFiles`)."""

    ending = ".word"

    def generate(self, name: str) -> WordKey:
        return WordKey(name.encode(), Ed25519PrivateKey.generate())

    def load(self, path: Path, passphrase: bytes) -> WordKey:
        pem = self._read(path)[1]
        try:
            secret = load_pem_private_key(pem, passphrase)
        except ValueError as error:
            raise KeyLocked(f"The key {path} does not open with this passphrase.") from error
        assert isinstance(secret, Ed25519PrivateKey)
        return WordKey(self.account_in(path), secret)

    def account_in(self, path: Path) -> bytes:
        return self._read(path)[0]

    def _read(self, path: Path) -> tuple[bytes, bytes]:
        try:
            word, _, pem = path.read_bytes().partition(b"\n")
        except OSError as error:
            raise KeyMissing(f"The key {path} cannot be read.") from error
        return word, pem


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WordFamily:
    """Offers keys, accounts, and the ledgers there are (port `Family`)."""

    settings: type[BaseModel] = Nothing
    places = None
    keys = WordKeys()
    administration = None

    def accounts(self, section: LedgerSection | PlaceSection | LedgerPlace) -> MemoryAccounts:
        return MemoryAccounts(LedgerId(section.id), BOOK)

    def prepare(self, section: LedgerSection, *, price_cap: int | None = None) -> MachineLedger:
        return MachineLedger(CHAINS[LedgerId(section.id)])

    def views(self, section: LedgerSection) -> dict[str, Ledger]:
        raise NotImplementedError

    def quorum(self, section: LedgerSection) -> int | None:
        return None


WORDS = WordFamily()


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a distribution in `folder` offer it as the family `word`."""
    about = folder / "word_family-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: word-family\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[caimi.families]\nword = word_family:WORDS\n")
    monkeypatch.syspath_prepend(str(folder))
