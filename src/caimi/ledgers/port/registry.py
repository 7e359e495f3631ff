"""Ownership, versions and aliases of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.blocks import LedgerId
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.facts import ModelFact
from caimi.ledgers.port.heights import NEWEST, At


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model as a registry knows it.

    `home` is the home registry (ERC-7930), empty at home. A model of another ledger has no
    `publisher` here (`Registry.foreign` tells what came with it); what nobody holds has no `owner`.
    """

    model_id: bytes
    name: str
    publisher: Account | None
    owner: Account | None
    home: bytes
    version_count: int


@dataclass(frozen=True, slots=True)
class HomeStatement:
    """What a model's home ledger said of it at `time`, when the model left: no newer than that.

    `version` is the one published last, `manifest` its digest. `licences` are those granted and not
    revoked; `licence_digest` (24 bytes) is over the grants and revocations, in order.
    """

    time: int
    version_count: int
    version: str
    manifest: bytes
    licences: int
    licence_digest: bytes


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A model of another ledger, and how it came.

    `path` are the ledgers between its home and here, in the order of the voyage. `publisher` is an
    account of the home ledger, in its native bytes. Each ledger, and the home, can have lied about
    all of this; nobody else can.
    """

    home: bytes
    publisher: bytes
    name: str
    path: tuple[LedgerId, ...]
    stated: HomeStatement


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One release. `manifest` is the SHA-256 of its canonical manifest."""

    version: str
    manifest: bytes
    published_at: int
    deprecated: bool


@dataclass(frozen=True, slots=True)
class AliasChange:
    """One entry of an alias's append-only history."""

    version: str
    time: int


@dataclass(frozen=True, slots=True)
class Publication:
    """A release that its publisher signs, for a batch and whoever brings it to the registry.

    `caimi.ledgers.publications` has the leaf and the statement.
    """

    publisher: Account
    name: str
    version: str
    manifest: bytes


@dataclass(frozen=True, slots=True)
class PublicationBatch:
    """An anchored Merkle root over publications."""

    batch_id: int
    root: bytes
    anchored_at: int
    count: int
    anchorer: Account


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Something that happened to a model, and the transaction and height it came about in."""

    fact: ModelFact
    tx: str
    height: int


class Registry(Protocol):
    """Ownership, versions and aliases of models on one ledger."""

    @property
    def address(self) -> bytes:
        """ERC-7930 interoperable address of the registry."""
        ...

    def model_id(self, publisher: Account, name: str) -> bytes:
        """Give the id of a model of this registry (`caimi.contracts.naming.model_id`)."""
        ...

    def token_id(self, model_id: bytes, path: Sequence[LedgerId]) -> bytes:
        """Give the id under which a model is known here after it came over `path`."""
        ...

    async def foreign(self, token_id: bytes, at: At = NEWEST) -> ForeignModel:
        """Give what came with a foreign model, last time it came; raises `ModelAway` at home."""
        ...

    async def model(self, model_id: bytes, at: At = NEWEST) -> ModelRecord:
        """Give the model; raises `UnknownModel` when this ledger has none of that id."""
        ...

    async def find(self, model_id: bytes, at: At = NEWEST) -> ModelRecord | None:
        """Give the model, or None."""
        ...

    async def models(self, from_height: int, to_height: int) -> list[ModelRecord]:
        """Models registered in blocks (from_height, to_height], with their present owners."""
        ...

    async def versions(self, model_id: bytes, at: At = NEWEST) -> list[VersionRecord]: ...
    async def version(self, model_id: bytes, version: str, at: At = NEWEST) -> VersionRecord: ...
    async def publisher_of(self, model_id: bytes, version: str) -> Account:
        """Give the account that published a version; raises `UnknownVersion` when none did.

        A model's later owners publish versions as well.
        """
        ...

    async def alias(self, model_id: bytes, name: str, at: At = NEWEST) -> str | None:
        """Give the version that an alias points at; None when it was never set."""
        ...

    async def alias_history(
        self, model_id: bytes, name: str, at: At = NEWEST
    ) -> list[AliasChange]: ...
    async def history(self, model_id: bytes) -> list[HistoryEntry]:
        """Everything that happened to the model on this ledger, oldest first."""
        ...

    def publish(self, name: str, version: str, manifest: bytes) -> Call[None]: ...
    def publish_version(self, model_id: bytes, version: str, manifest: bytes) -> Call[None]: ...
    def set_alias(self, model_id: bytes, name: str, version: str) -> Call[None]: ...
    def deprecate(self, model_id: bytes, version: str, reason: str) -> Call[None]: ...
    def transfer(self, model_id: bytes, sender: Account, recipient: Account) -> Call[None]: ...
    def approve(self, model_id: bytes, operator: Account) -> Call[None]: ...
    async def approved(self, model_id: bytes) -> Account | None:
        """Give the account that may move the model; None when there is none."""
        ...

    def anchor_batch(self, root: bytes, count: int) -> Call[int]:
        """Anchor a root over `count` publications; its effect is the batch's id."""
        ...

    async def batch(self, batch_id: int, at: At = NEWEST) -> PublicationBatch: ...
    def publish_from_batch(
        self, batch_id: int, publication: Publication, proof: Sequence[bytes], signature: bytes
    ) -> Call[None]:
        """Publish from a batch, with the publisher's signature of the statement; open to anyone."""
        ...
