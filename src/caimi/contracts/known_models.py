"""What a registry knows of models, their versions and aliases, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from caimi.contracts.bounds import number
from caimi.contracts.execution import refuse, require
from caimi.contracts.identifiers import (
    Account,
    InteroperableAccount,
    InteroperableLedger,
    TokenId,
    VersionId,
)
from caimi.contracts.naming import version_id
from caimi.contracts.records import Table
from caimi.contracts.state import State
from caimi.contracts.visiting import ModelStatement, VisitingModel


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model as the registry knows it.

    `publisher` is an account of the home ledger, which is this one where `home` is empty.
    """

    publisher: Account
    name: str
    home: bytes
    version_count: int


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version; `published_at` in seconds."""

    manifest: bytes
    published_at: int
    deprecated: bool


@dataclass(frozen=True, slots=True)
class AliasEntry:
    """What an alias meant from `time` on, in seconds."""

    version: str
    time: int


@dataclass(frozen=True, slots=True)
class KnownVoyage:
    """How a model of another ledger came here, last time it came."""

    path: tuple[bytes, ...]
    stated: ModelStatement


_MODELS: Final[Table[tuple[TokenId], KnownModel]] = Table("registry/models", KnownModel)
_VERSIONS: Final[Table[tuple[TokenId, VersionId], KnownVersion]] = Table(
    "registry/versions", KnownVersion
)
_ORDER: Final[Table[tuple[TokenId, int], str]] = Table("registry/version-names", str)
_ALIASES: Final[Table[tuple[TokenId, str, int], AliasEntry]] = Table("registry/aliases", AliasEntry)
_LENGTHS: Final[Table[tuple[TokenId, str], int]] = Table("registry/alias-lengths", int)
_VOYAGES: Final[Table[tuple[TokenId], KnownVoyage]] = Table("registry/voyages", KnownVoyage)


class KnownModels:
    """The models of one registry, its own and visitors."""

    def find(self, state: State, token: TokenId) -> KnownModel | None:
        """Give a model, or None."""
        return _MODELS.get(state, (token,))

    def is_home(self, state: State, token: TokenId) -> bool:
        """Whether this registry is the model's home; refuses ``UnknownModel``."""
        return not self.model(state, token).home

    def model(self, state: State, token: TokenId) -> KnownModel:
        """Give a model, also one that has left again; refuses ``UnknownModel``."""
        known = self.find(state, token)
        if known is None:
            refuse("UnknownModel", model_id=token)
        return known

    def visiting(self, state: State, token: TokenId) -> VisitingModel:
        """Give what came with a model, last time it came; refuses ``ModelIsNotForeign``."""
        require(not self.is_home(state, token), "ModelIsNotForeign", model_id=token)
        known, voyage = self.model(state, token), _VOYAGES.get(state, (token,))
        assert voyage is not None, "A visitor came by a voyage."
        return VisitingModel(
            InteroperableAccount(known.home),
            known.publisher,
            known.name,
            tuple(InteroperableLedger(hop) for hop in voyage.path),
            voyage.stated,
        )

    def version_at(self, state: State, token: TokenId, index: int) -> str:
        """Give the version published as number `index`, from 0; refuses ``IndexOutOfBounds``."""
        length = self.model(state, token).version_count
        found = _ORDER.get(state, (token, number(index, 256, "index")))
        if found is None:
            refuse("IndexOutOfBounds", index=index, length=length)
        return found

    def version(self, state: State, token: TokenId, version: VersionId) -> KnownVersion | None:
        """Give a version, or None."""
        return _VERSIONS.get(state, (token, version))

    def alias(self, state: State, token: TokenId, name: str) -> str:
        """Give the version that an alias means now; refuses ``UnknownAlias``."""
        length = self.alias_length(state, token, name)
        require(length > 0, "UnknownAlias", model_id=token, name=name)
        return self.alias_at(state, token, name, length - 1).version

    def alias_length(self, state: State, token: TokenId, name: str) -> int:
        """Give how often an alias was set."""
        return _LENGTHS.get(state, (token, name)) or 0

    def alias_at(self, state: State, token: TokenId, name: str, index: int) -> AliasEntry:
        """Give an entry of an alias's history, from 0; refuses ``IndexOutOfBounds``."""
        found = _ALIASES.get(state, (token, name, number(index, 256, "index")))
        if found is None:
            length = self.alias_length(state, token, name)
            refuse("IndexOutOfBounds", index=index, length=length)
        return found

    def require_version(self, state: State, token: TokenId, version: VersionId) -> KnownVersion:
        """Give a version; refuses ``UnknownVersion``."""
        known = self.version(state, token, version)
        if known is None:
            refuse("UnknownVersion", model_id=token, version_id=version)
        return known

    # --- writing, for the registry ---------------------------------------------------------------

    def add(self, state: State, token: TokenId, model: KnownModel) -> None:
        """Add a model."""
        _MODELS.put(state, (token,), model)

    def arrive(self, state: State, token: TokenId, voyage: KnownVoyage) -> None:
        """Note how a visitor came."""
        _VOYAGES.put(state, (token,), voyage)

    def add_version(
        self, state: State, token: TokenId, version: str, manifest: bytes, time: int
    ) -> None:
        """Add a version to those of a model; refuses ``VersionExists``."""
        identity = version_id(version)
        exists = self.version(state, token, identity) is not None
        require(not exists, "VersionExists", model_id=token, version_id=identity)
        model = self.model(state, token)
        index = model.version_count
        _VERSIONS.put(state, (token, identity), KnownVersion(manifest, time, False))
        _ORDER.put(state, (token, index), version)
        _MODELS.put(state, (token,), replace(model, version_count=index + 1))

    def deprecate(self, state: State, token: TokenId, version: VersionId) -> None:
        """Mark a version; refuses ``UnknownVersion`` and ``VersionIsDeprecated``."""
        known = self.require_usable(state, token, version)
        _VERSIONS.put(state, (token, version), replace(known, deprecated=True))

    def require_usable(self, state: State, token: TokenId, version: VersionId) -> KnownVersion:
        """Give a version that is not deprecated; refuses as `deprecate`."""
        known = self.require_version(state, token, version)
        require(not known.deprecated, "VersionIsDeprecated", model_id=token, version_id=version)
        return known

    def add_alias(self, state: State, token: TokenId, name: str, entry: AliasEntry) -> None:
        """Add to an alias's history."""
        length = self.alias_length(state, token, name)
        _ALIASES.put(state, (token, name, length), entry)
        _LENGTHS.put(state, (token, name), length + 1)
