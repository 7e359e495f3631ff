"""A user's keys by name: an own key, one for each other kind of ledgers, and one for packages.

The own key of a name under `[keys.remote]` is in another machine; what else it has is in files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from caimi.chains import AccountId
from caimi.client.bindings import Binding
from caimi.client.renaming import rename_files
from caimi.composition.keys import kinds_of_keys
from caimi.composition.remote_keys import RemoteKeys
from caimi.config import Config
from caimi.credentials import given_passphrase, read_secret_file
from caimi.errors.operations import KeyExists, KeyLocked, KeyMissing, KeysUnusable
from caimi.keystore import KEYSTORES, LocalSigner
from caimi.ledgers.port import (
    Account,
    AttestationKey,
    KeyFiles,
    LedgerId,
    Signer,
    StoredKey,
)
from caimi.models.signing import PackageSigner
from caimi.names import check_name, is_name
from caimi.places import write_result
from caimi.signatures import account_text


@dataclass(frozen=True, slots=True)
class Identity:
    """A name with its account keys and its package-signing key.

    `signer` is its own key: it attests, and is its account on every ledger that takes such keys.
    """

    name: str
    signer: AttestationKey
    signing: PackageSigner | None = field(repr=False)
    contract: str | None = None
    """A contract account (CAIP-10) that holds licences, and takes this key's signatures."""
    elsewhere: Mapping[LedgerId, Signer | None] = field(default_factory=dict)
    """Its keys on ledgers that do not take `signer`; None where it has none."""

    @property
    def packages(self) -> PackageSigner:
        """Give its key for packages.

        Raises:
            KeyMissing: it has none, which names of remote keys may lack.
        """
        if self.signing is None:
            raise KeyMissing(
                f"{self.name} has no key for packages.",
                why="A package is signed by a key of its own, which no remote signer keeps.",
                next_step=f"Run `caimi keys new {self.name}`.",
            )
        return self.signing

    def holds(self, ledger: LedgerId) -> bool:
        """Tell whether it has a key on a ledger."""
        return self.elsewhere.get(ledger, self.signer) is not None

    def signer_on(self, ledger: LedgerId) -> Signer:
        """Give its key on a ledger.

        Raises:
            KeyMissing: it has none there.
        """
        found = self.elsewhere.get(ledger, self.signer)
        if found is None:
            raise _lacking(self.name, ledger)
        return found

    def signers(self, ledgers: Iterable[LedgerId]) -> dict[LedgerId, Signer]:
        """Give its key on each of some ledgers; raises as `signer_on`."""
        return {ledger: self.signer_on(ledger) for ledger in ledgers}

    def account(self, ledger: LedgerId) -> Account:
        """Give its account on a ledger; raises as `signer_on`."""
        return Account(ledger, self.signer_on(ledger).account)


class Keyring:
    """The key directory. `ask` is called for a passphrase that is given nowhere else."""

    def __init__(self, config: Config, ask: Callable[[str], str] | None = None) -> None:
        self._directory = config.path(config.keys.directory)
        self._default = config.keys.default
        file = config.keys.passphrase_file
        self._passphrase_file = config.path(file) if file else None
        self._ask = ask
        self._remote = RemoteKeys(config)
        contract = config.keys.contract
        self._contract = None if contract is None else str(AccountId.parse(contract))
        self._kinds = kinds_of_keys(config.ledgers)
        self._known = {**self._kinds, **kinds_of_keys(config.places)}

    def names(self) -> list[str]:
        """List the names there are.

        Raises:
            KeysUnusable: the directory cannot be read.
        """
        try:
            found = [Path(name) for name in os.listdir(self._directory)]  # noqa: PTH208 - see below
        except FileNotFoundError:
            found = []
        except OSError as error:  # which `glob` would hide
            raise self._unusable(error) from error
        own = [path.stem for path in found if path.suffix == KEYSTORES.ending]
        return sorted({name for name in own if is_name(name)} | {*self._remote.names})

    def new(self, name: str, own: LocalSigner | None = None) -> Identity:
        """Make new keys: an `own` one unless given, one for packages, and what ledgers ask besides.

        No own key is made for a name whose own one is remote.

        Raises:
            InvalidName: it is no name for a key.
            KeyExists: the name is taken.
            KeyLocked: there is no passphrase to protect them with.
            KeysUnusable: the directory or a key cannot be written; then none of them is left.
        """
        remote = name in self._remote.names
        if remote and own is not None:
            raise KeyExists(f"The key {name!r} is in another machine: see [keys.remote.{name}].")
        local, packages = own or LocalSigner.generate(), PackageSigner.generate()
        signer = self._remote.signer(name) if remote else local
        others = {kind.ending: kind.generate(name) for kind in self._others().values()}
        keys = {self.file(name, ending): key for ending, key in others.items()}
        if not remote:
            keys[self.file(name, KEYSTORES.ending)] = local
        signing = self._signing_file(name)
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            if any(file.is_symlink() or file.exists() for file in (signing, *keys)):
                raise KeyExists(f"There is already a key {name!r} in {self._directory}.")
        except OSError as error:
            raise self._unusable(error) from error
        passphrase = self.passphrase(f"New passphrase for key {name}")
        packages.save(signing, passphrase)
        written = [signing]
        try:
            for file, key in keys.items():
                key.save(file, passphrase)
                written.append(file)
        except BaseException as error:
            for file in written:
                file.unlink(missing_ok=True)  # half a key would take the name
            if isinstance(error, OSError):
                raise self._unusable(error) from error
            raise
        elsewhere = {ledger: others[kind.ending] for ledger, kind in self._others().items()}
        return Identity(name, signer, packages, self._contract, elsewhere)

    def add(self, name: str, kind: KeyFiles, key: StoredKey | None = None) -> StoredKey:
        """Make a name's key of one more kind, or keep the one that is given.

        Raises:
            KeyMissing: there is no such name.
            KeyExists: it has a key of that kind.
            KeyLocked: there is no passphrase to protect it with.
            KeysUnusable: it cannot be written.
        """
        self._check_there(name)
        made = key or kind.generate(name)
        passphrase = self.passphrase(f"Passphrase for key {name}")
        self._check_opens(name, passphrase)
        try:
            made.save(self.file(name, kind.ending), passphrase)
        except OSError as error:
            raise self._unusable(error) from error
        return made

    def export(
        self, name: str, kind: KeyFiles, place: Path, passphrase: bytes | None = None
    ) -> Signer:
        """Write a name's key of one kind to a new file, which `passphrase` opens, or else its own.

        Raises:
            KeyMissing: there is no such name, or it has no key of that kind.
            KeyExists: something is at the place.
            KeyLocked: the passphrase does not open it.
        """
        self._check_there(name)
        if kind.ending == KEYSTORES.ending:
            self._check_here(name)
        own = self.passphrase(f"Passphrase for key {name}")
        key = kind.load(self.file(name, kind.ending), own)
        key.save(place, own if passphrase is None else passphrase)
        return key

    def rename(self, name: str, new: str) -> None:
        """Give all that is kept under a name another one; run again, it finishes what was killed.

        Raises:
            InvalidName: one of them is no name for a key.
            KeyMissing: there is no such name.
            KeyExists: the new one is taken.
            KeysUnusable: the directory cannot be written, or takes no hard links.
        """
        for each in (name, new):
            check_name(each, "a key")
            self._check_here(each)
        try:
            rename_files(self._directory, name, new, KEYSTORES.ending)
        except OSError as error:
            raise self._unusable(error) from error

    def open(self, name: str | None = None) -> Identity:
        """Open the named key, or the default one, or the only one.

        Raises:
            InvalidName: it is no name for a key.
            KeyMissing: there is no such key, or none could be chosen.
            KeyLocked: the passphrase does not open it.
        """
        chosen = self.chosen(name)
        self._check_there(chosen)
        remote = chosen in self._remote.names
        kinds = {kind.ending: kind for kind in self._others().values()}
        there = [ending for ending in kinds if self._is_there(self.file(chosen, ending))]
        signing = not remote or self._is_there(self._signing_file(chosen))
        passphrase = b""
        if there or signing:
            passphrase = self.passphrase(f"Passphrase for key {chosen}")
        others = {
            ending: kinds[ending].load(self.file(chosen, ending), passphrase) for ending in there
        }
        return Identity(
            chosen,
            self._remote.signer(chosen)
            if remote
            else LocalSigner.load(self.file(chosen, KEYSTORES.ending), passphrase),
            PackageSigner.load(self._signing_file(chosen), passphrase) if signing else None,
            self._contract,
            {ledger: others.get(kind.ending) for ledger, kind in self._others().items()},
        )

    def chosen(self, name: str | None = None) -> str:
        """Give the name, or the default one, or the only one.

        Raises:
            KeyMissing: none could be chosen.
        """
        return name if name is not None else self._default or self._only()

    def account(self, name: str) -> str:
        """Read the account of a name's own key without opening it.

        Raises:
            InvalidName: it is no name for a key.
            KeyMissing: there is no such key.
            KeyLocked: its file is damaged.
        """
        self._check_there(name)
        if name in self._remote.names:
            return account_text(self._remote.account(name))
        return account_text(LocalSigner.address_in(self.file(name, KEYSTORES.ending)))

    def account_on(self, ledger: LedgerId, name: str) -> Account:
        """Read a name's account on a configured ledger without opening its key.

        Raises:
            InvalidName: it is no name for a key.
            KeyMissing: there is no such key, or it has none on that ledger.
            KeyLocked: its file is damaged.
        """
        self._check_there(name)
        found = self._account(name, self._known[ledger])
        if found is None:
            raise _lacking(name, ledger)
        return Account(ledger, found)

    def accounts(self, name: str) -> list[Account]:
        """Read a name's account on each configured ledger where it has one; opens no key.

        Raises:
            InvalidName: it is no name for a key.
            KeyMissing: there is no such key.
            KeyLocked: a file of it is damaged.
        """
        self._check_there(name)
        return [
            Account(ledger, found)
            for ledger, kind in self._kinds.items()
            if (found := self._account(name, kind)) is not None
        ]

    def _account(self, name: str, kind: KeyFiles) -> bytes | None:
        if name in self._remote.names and kind.ending == KEYSTORES.ending:
            return self._remote.account(name)
        file = self.file(name, kind.ending)
        return kind.account_in(file) if self._is_there(file) else None

    def bindings(self, name: str) -> list[Binding]:
        """Read what binds a name's accounts together, as `save_bindings` left it.

        Raises:
            InvalidName: it is no name for a key.
            BindingInvalid: its file is damaged.
            KeysUnusable: it cannot be read.
        """
        try:
            return [
                Binding.from_json(line) for line in self._bindings(name).read_bytes().splitlines()
            ]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error) from error

    def save_bindings(self, name: str, bindings: Iterable[Binding]) -> Path:
        """Keep what binds a name's accounts together, a line each, in place of what was before.

        Raises:
            InvalidName: it is no name for a key.
            KeysUnusable: it cannot be written.
        """
        file = self._bindings(name)
        try:
            write_result(file, "".join(f"{each.to_json()}\n" for each in bindings).encode())
        except OSError as error:
            raise self._unusable(error) from error
        return file

    def _bindings(self, name: str) -> Path:
        return self.file(name, ".bindings.json")

    def _others(self) -> dict[LedgerId, KeyFiles]:
        """Give the kinds of keys of those ledgers that do not take a name's own."""
        return {
            ledger: kind for ledger, kind in self._known.items() if kind.ending != KEYSTORES.ending
        }

    def _only(self) -> str:
        names = self.names()
        if len(names) != 1:
            known = ", ".join(names) or "none"
            raise KeyMissing(f"No key was named and there is no default; there are: {known}.")
        return names[0]

    def passphrase(self, prompt: str) -> bytes:
        """Find the passphrase: what `given_passphrase` gives, the configured file, or a prompt.

        Raises:
            KeyLocked: none is given, or others can read the file.
        """
        given = given_passphrase()
        if given is not None:
            return given
        if self._passphrase_file is not None:
            return read_secret_file(self._passphrase_file)
        if self._ask is None:
            raise KeyLocked("No passphrase was given, and there is nobody to ask.")
        return self._ask(prompt).encode()

    def file(self, name: str, ending: str) -> Path:
        """Give where what belongs to a name is kept; raises `InvalidName` when it is no name."""
        return self._directory / f"{check_name(name, 'a key')}{ending}"

    def _check_opens(self, name: str, passphrase: bytes) -> None:
        """Check that a new key's passphrase is the one that opens a name's others."""
        if name not in self._remote.names:
            LocalSigner.load(self.file(name, KEYSTORES.ending), passphrase)
        elif self._is_there(self._signing_file(name)):
            PackageSigner.load(self._signing_file(name), passphrase)

    def _check_here(self, name: str) -> None:
        if name in self._remote.names:
            raise KeyMissing(
                f"The key {name!r} is in another machine, not in {self._directory}.",
                why="A signing service keeps it, and no file of this machine.",
                next_step="Ask who runs that service; docs/signing.md says how it is named here.",
            )

    def _check_there(self, name: str) -> None:
        if name not in self._remote.names and not self._is_there(self.file(name, KEYSTORES.ending)):
            raise KeyMissing(f"There is no key {name!r} in {self._directory}.")

    def _is_there(self, file: Path) -> bool:
        try:
            return stat.S_ISREG(file.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> KeysUnusable:
        return KeysUnusable(f"{error.filename or self._directory}: {error.strerror or error}.")

    def _signing_file(self, name: str) -> Path:
        return self.file(name, ".signing.pem")


def _lacking(name: str, ledger: LedgerId) -> KeyMissing:
    return KeyMissing(
        f"{name} has no key on {ledger}.",
        why="Ledgers of that kind do not take its other keys.",
        next_step=f"Run `caimi keys new {name} --ledger {ledger}`.",
    )
