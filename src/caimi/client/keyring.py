"""A user's keys: a V3 keystore and an encrypted package-signing key for each name."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from caimi.chains import AccountId
from caimi.config import Config
from caimi.errors.operations import KeyExists, KeyLocked, KeyMissing, KeysUnusable
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.accounts import address_text
from caimi.ledgers.port import Account, LedgerId, Signer
from caimi.models.signing import PackageSigner
from caimi.names import check_name, is_name

PASSPHRASE_VARIABLE = "CAIMI_PASSPHRASE"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Identity:
    """A name with its account key and its package-signing key."""

    name: str
    signer: LocalSigner
    packages: PackageSigner = field(repr=False)
    contract: str | None = None
    """A contract account (CAIP-10) that holds licences, and takes this key's signatures."""
    elsewhere: Mapping[LedgerId, Signer] = field(default_factory=dict)
    """Its keys on ledgers that do not take `signer`."""

    def signer_on(self, ledger: LedgerId) -> Signer:
        """Give its key on a ledger."""
        return self.elsewhere.get(ledger, self.signer)

    def signers(self, ledgers: Iterable[LedgerId]) -> dict[LedgerId, Signer]:
        """Give its key on each of some ledgers."""
        return {ledger: self.signer_on(ledger) for ledger in ledgers}

    def account(self, ledger: LedgerId) -> Account:
        """Give its account on a ledger."""
        return Account(ledger, self.signer_on(ledger).account)


class Keyring:
    """The key directory. `ask` is called for a passphrase that is given nowhere else."""

    def __init__(self, config: Config, ask: Callable[[str], str] | None = None) -> None:
        self._directory = config.path(config.keys.directory)
        self._default = config.keys.default
        file = config.keys.passphrase_file
        self._passphrase_file = config.path(file) if file else None
        self._ask = ask
        contract = config.keys.contract
        self._contract = None if contract is None else str(AccountId.parse(contract))

    def names(self) -> list[str]:
        """List the names there are.

        Raises:
            KeysUnusable: the directory cannot be read.
        """
        try:
            found = [Path(name) for name in os.listdir(self._directory)]  # noqa: PTH208 - see below
        except FileNotFoundError:
            return []
        except OSError as error:  # which `glob` would hide
            raise self._unusable(error) from error
        return sorted(path.stem for path in found if path.suffix == ".json" and is_name(path.stem))

    def new(self, name: str) -> Identity:
        """Make a new account key and package-signing key.

        Raises:
            InvalidName: it is no name for a key.
            KeyExists: the name is taken.
            KeyLocked: there is no passphrase to protect them with.
            KeysUnusable: the directory or the keys cannot be written; then neither of them is left.
        """
        files = (self._signing_file(name), self._account_file(name))
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            if any(file.is_symlink() or file.exists() for file in files):
                raise KeyExists(f"There is already a key {name!r} in {self._directory}.")
        except OSError as error:
            raise self._unusable(error) from error
        passphrase = self.passphrase(f"New passphrase for key {name}")
        signer, packages = LocalSigner.generate(), PackageSigner.generate()
        packages.save(self._signing_file(name), passphrase)
        try:
            signer.save(self._account_file(name), passphrase)
        except BaseException as error:
            self._signing_file(name).unlink(missing_ok=True)  # half a key would take the name
            if isinstance(error, OSError):
                raise self._unusable(error) from error
            raise
        return Identity(name, signer, packages)

    def open(self, name: str | None = None) -> Identity:
        """Open the named key, or the default one, or the only one.

        Raises:
            InvalidName: it is no name for a key.
            KeyMissing: there is no such key, or none could be chosen.
            KeyLocked: the passphrase does not open it.
        """
        chosen = name if name is not None else self._default or self._only()
        if not self._is_there(chosen):
            raise KeyMissing(f"There is no key {chosen!r} in {self._directory}.")
        passphrase = self.passphrase(f"Passphrase for key {chosen}")
        return Identity(
            chosen,
            LocalSigner.load(self._account_file(chosen), passphrase),
            PackageSigner.load(self._signing_file(chosen), passphrase),
            self._contract,
        )

    def account(self, name: str) -> str:
        """Read an account's address without opening its key.

        Raises:
            InvalidName: it is no name for a key.
            KeyMissing: there is no such key.
            KeyLocked: its file is damaged.
        """
        if not self._is_there(name):
            raise KeyMissing(f"There is no key {name!r} in {self._directory}.")
        return address_text(LocalSigner.address_in(self._account_file(name)))

    def _only(self) -> str:
        names = self.names()
        if len(names) != 1:
            known = ", ".join(names) or "none"
            raise KeyMissing(f"No key was named and there is no default; there are: {known}.")
        return names[0]

    def passphrase(self, prompt: str) -> bytes:
        """Find the passphrase: ``$CAIMI_PASSPHRASE``, the configured file, or a prompt.

        Raises:
            KeyLocked: none is given, or others can read the file.
        """
        given = os.environ.get(PASSPHRASE_VARIABLE)
        if given:
            return given.encode()
        if self._passphrase_file is not None:
            return read_secret_file(self._passphrase_file)
        if self._ask is None:
            raise KeyLocked("No passphrase was given, and there is nobody to ask.")
        return self._ask(prompt).encode()

    def _is_there(self, name: str) -> bool:
        try:
            return stat.S_ISREG(self._account_file(name).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> KeysUnusable:
        return KeysUnusable(f"{error.filename or self._directory}: {error.strerror or error}.")

    def _account_file(self, name: str) -> Path:
        return self._directory / f"{check_name(name, 'a key')}.json"

    def _signing_file(self, name: str) -> Path:
        return self._directory / f"{check_name(name, 'a key')}.signing.pem"


def read_secret_file(path: Path) -> bytes:
    """Read a passphrase file, refusing one that others can read.

    Raises:
        KeyLocked: it is missing, empty, or its mode lets others in.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, a device has no end
            raise KeyLocked(f"The passphrase file {path} is not a plain file.")
        mode = stat.S_IMODE(found.st_mode)
        text = path.read_bytes().strip()
    except OSError as error:
        raise KeyLocked(
            f"The passphrase file {path} cannot be read: {error.strerror or error}."
        ) from error
    if mode & 0o077:
        raise KeyLocked(
            f"The passphrase file {path} has mode {mode:03o}.",
            why="Others on this machine can read it.",
            next_step=f"Run `chmod 600 {path}`.",
        )
    if not text:
        raise KeyLocked(f"The passphrase file {path} is empty.")
    return text
