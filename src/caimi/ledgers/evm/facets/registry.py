"""Models, versions and aliases: the port's `Registry` over ModelRegistry (ERC-721)."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.contracts import identifiers, naming
from caimi.errors.ledgers import TransactionReverted, UnknownModel, UnknownVersion
from caimi.hashing import keccak256
from caimi.ledgers.evm.abi.calls import Event, EvmCall
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.facets.history import ModelHistory
from caimi.ledgers.evm.facets.publishers import VersionPublishers
from caimi.ledgers.evm.facets.voyages import foreign_model, token_id
from caimi.ledgers.evm.rpc.contract import Contract, word
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.port import (
    NEWEST,
    Account,
    AliasChange,
    At,
    ForeignModel,
    HistoryEntry,
    LedgerId,
    ModelRecord,
    Publication,
    PublicationBatch,
    VersionRecord,
)
from caimi.signatures import account_text


def version_id(version: str) -> bytes:
    """Give a version's id: keccak256 of its text."""
    return keccak256(version.encode())


def model_of(event: Event) -> bytes:
    """Give the model id that an event names."""
    model_id = event.values["modelId"]
    assert isinstance(model_id, bytes)
    return model_id


class EvmRegistry:
    """The model registry of one EVM ledger."""

    def __init__(
        self,
        contract: Contract,
        address: bytes,
        events: EventReader,
        history: ModelHistory,
        publishers: VersionPublishers,
    ) -> None:
        self.address = address
        self._contract = contract
        self._events = events
        self._history = history
        self._publishers = publishers

    def model_id(self, publisher: Account, name: str) -> bytes:
        """Give the id of a model of this registry."""
        home = identifiers.InteroperableAccount(self.address)
        account = identifiers.Account(self._contract.address_of(publisher))
        return naming.model_id(home, account, name)

    def token_id(self, model_id: bytes, path: Sequence[LedgerId]) -> bytes:
        """Give the id under which a model is known here after it came over `path`."""
        return token_id(model_id, path)

    async def foreign(self, token_id: bytes, at: At = NEWEST) -> ForeignModel:
        """Read what came with a foreign model, last time it came.

        Raises:
            ModelAway: the model's home is here.
            UnknownModel: this ledger has none of that id.
        """
        (found,) = await self._contract.read("foreign", word(token_id), at=at)
        return foreign_model(found)

    async def model(self, model_id: bytes, at: At = NEWEST) -> ModelRecord:
        """Read a model.

        Raises:
            UnknownModel: this ledger has none of that id.
        """
        (record,) = await self._models([model_id], at)
        return record

    async def find(self, model_id: bytes, at: At = NEWEST) -> ModelRecord | None:
        """Read a model, or give None."""
        try:
            return await self.model(model_id, at)
        except UnknownModel:
            return None

    async def models(self, from_height: int, to_height: int) -> list[ModelRecord]:
        """List models registered in blocks (from_height, to_height], with their present owners."""
        registered = await self._events.events(
            [self._contract.address],
            [self._contract.interface.events["ModelRegistered"].topic],
            from_height + 1,
            to_height,
        )
        return await self._models([model_of(event) for event in registered], NEWEST)

    async def _models(self, ids: Sequence[bytes], at: At) -> list[ModelRecord]:
        chain = self._contract.chain
        answers = await chain.try_reads(
            [
                self._contract.reading(method, word(model_id))
                for method in ("model", "ownerOf")
                for model_id in ids
            ],
            at,
        )
        return [
            self._record(model_id, found, owner)
            for model_id, found, owner in zip(
                ids, answers[: len(ids)], answers[len(ids) :], strict=True
            )
        ]

    def _record(
        self,
        model_id: bytes,
        found: tuple[Value, ...] | TransactionReverted,
        owner: tuple[Value, ...] | TransactionReverted,
    ) -> ModelRecord:
        if isinstance(found, UnknownModel):
            raise UnknownModel(
                f"{self._contract.chain.ledger} knows no model 0x{model_id.hex()}.",
                error=found.error,
                arguments=found.arguments,
            )
        if isinstance(found, TransactionReverted):
            raise found
        publisher, name, home, count = found
        at_home = home in (b"", self.address)
        named = self._contract.account
        return ModelRecord(
            model_id=model_id,
            name=name,
            publisher=named(publisher) if at_home else None,
            # A model that was here and went home has no owner here.
            owner=None if isinstance(owner, TransactionReverted) else named(owner[0]),
            home=b"" if at_home else home,
            version_count=count,
        )

    async def versions(self, model_id: bytes, at: At = NEWEST) -> list[VersionRecord]:
        """List a model's versions, oldest first."""
        chain = self._contract.chain
        (_, _, _, count) = await self._contract.read("model", word(model_id), at=at)
        texts = await chain.reads(
            [self._contract.reading("versionAt", word(model_id), i) for i in range(count)], at
        )
        return await self._versions(model_id, [text for (text,) in texts], at)

    async def version(self, model_id: bytes, version: str, at: At = NEWEST) -> VersionRecord:
        """Read one version.

        Raises:
            UnknownVersion: the model has none of that name.
        """
        (record,) = await self._versions(model_id, [version], at)
        return record

    async def _versions(
        self, model_id: bytes, versions: Sequence[str], at: At
    ) -> list[VersionRecord]:
        reads = [
            self._contract.reading("getVersion", word(model_id), version_id(version))
            for version in versions
        ]
        records = []
        for version, ((manifest, published_at, deprecated),) in zip(
            versions, await self._contract.chain.reads(reads, at), strict=True
        ):
            if not published_at:
                raise UnknownVersion(
                    f"Model 0x{model_id.hex()} has no version {version!r} on "
                    f"{self._contract.chain.ledger}."
                )
            records.append(VersionRecord(version, manifest, published_at, deprecated))
        return records

    async def publisher_of(self, model_id: bytes, version: str) -> Account:
        """Give the account that published a version.

        Raises:
            UnknownVersion: the model has none of that name.
            LedgerAnswerInvalid: the node does not show who did.
        """
        record = await self.version(model_id, version)
        publishers = self._publishers
        found = await publishers.of(model_id, version_id(version), record.published_at)
        return self._contract.account(found)

    async def alias(self, model_id: bytes, name: str, at: At = NEWEST) -> str | None:
        """Give the version an alias points at; None when it was never set."""
        try:
            (version,) = await self._contract.read("getAlias", word(model_id), name, at=at)
        except TransactionReverted as refusal:
            if refusal.error != "UnknownAlias":
                raise
            return None
        return str(version)

    async def alias_history(self, model_id: bytes, name: str, at: At = NEWEST) -> list[AliasChange]:
        """List what an alias pointed at, oldest first."""
        (length,) = await self._contract.read("aliasHistoryLength", word(model_id), name, at=at)
        entries = await self._contract.chain.reads(
            [
                self._contract.reading("aliasHistoryAt", word(model_id), name, index)
                for index in range(length)
            ],
            at,
        )
        return [AliasChange(version, time) for version, time in entries]

    async def history(self, model_id: bytes) -> list[HistoryEntry]:
        """List everything that happened to the model on this ledger, oldest first."""
        return await self._history.of(model_id)

    def publish(self, name: str, version: str, manifest: bytes) -> EvmCall[None]:
        """Publish a version under a name of the sender's own."""
        return self._contract.call(
            f"Publishing {name} {version}", "publish", name, version, manifest
        )

    def publish_version(self, model_id: bytes, version: str, manifest: bytes) -> EvmCall[None]:
        """Publish a version of a model the sender owns."""
        return self._contract.call(
            f"Publishing version {version}", "publishVersion", word(model_id), version, manifest
        )

    def set_alias(self, model_id: bytes, name: str, version: str) -> EvmCall[None]:
        """Point an alias at a version."""
        return self._contract.call(
            f"Setting alias {name} to {version}", "setAlias", word(model_id), name, version
        )

    def deprecate(self, model_id: bytes, version: str, reason: str) -> EvmCall[None]:
        """Mark a version as deprecated."""
        return self._contract.call(
            f"Deprecating version {version}", "deprecate", word(model_id), version, reason
        )

    def transfer(self, model_id: bytes, sender: Account, recipient: Account) -> EvmCall[None]:
        """Give the model to another account on this ledger."""
        return self._contract.call(
            f"Transferring the model to {account_text(recipient.native)}",
            "transferFrom",
            self._contract.address_of(sender),
            self._contract.address_of(recipient),
            word(model_id),
        )

    def approve(self, model_id: bytes, operator: Account) -> EvmCall[None]:
        """Let another account move the model."""
        return self._contract.call(
            f"Approving {account_text(operator.native)}",
            "approve",
            self._contract.address_of(operator),
            word(model_id),
        )

    async def approved(self, model_id: bytes) -> Account | None:
        """Give the account that may move the model; None when there is none."""
        (operator,) = await self._contract.read("getApproved", word(model_id))
        return self._contract.account(operator) if any(operator) else None

    def anchor_batch(self, root: bytes, count: int) -> EvmCall[int]:
        """Anchor the Merkle root of `count` publications."""
        call = self._contract.call(f"Anchoring {count} publications", "anchorBatch", root, count)
        return call.giving(lambda included: included.value("BatchAnchored", "batchId", int))

    async def batch(self, batch_id: int, at: At = NEWEST) -> PublicationBatch:
        """Read an anchored batch.

        Raises:
            TransactionReverted: there is none of that id.
        """
        root, anchored_at, count, anchorer = await self._contract.read("batch", batch_id, at=at)
        return PublicationBatch(
            batch_id, root, anchored_at, count, self._contract.account(anchorer)
        )

    def publish_from_batch(
        self, batch_id: int, publication: Publication, proof: Sequence[bytes], signature: bytes
    ) -> EvmCall[None]:
        """Publish from a batch, by proof and the publisher's signature; anyone may send it."""
        return self._contract.call(
            f"Publishing {publication.name} {publication.version} from batch {batch_id}",
            "publishFromBatch",
            batch_id,
            (
                self._contract.address_of(publication.publisher),
                publication.name,
                publication.version,
                publication.manifest,
            ),
            list(proof),
            signature,
        )
