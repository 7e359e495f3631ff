"""Ownership, versions and aliases (port `Registry`)."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.chains import InteroperableAddress
from caimi.contracts.identifiers import InteroperableLedger, ModelId, TokenId
from caimi.contracts.naming import token_id, version_id
from caimi.contracts.registry import ModelRegistered, VersionPublished
from caimi.contracts.site import SignedPublication
from caimi.errors.ledgers import UnknownModel, UnknownVersion
from caimi.ledgers.machine.calls import MachineCall, nothing, same
from caimi.ledgers.machine.feed import history_of
from caimi.ledgers.machine.fresh import answering_freshly
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.machine.refusing import named
from caimi.ledgers.port import (
    NEWEST,
    Account,
    AliasChange,
    At,
    ForeignModel,
    HistoryEntry,
    HomeStatement,
    LedgerId,
    ModelRecord,
    Publication,
    PublicationBatch,
    VersionRecord,
)


@answering_freshly
class MachineRegistry:
    """The registry of one ledger."""

    def __init__(self, chain: Machine) -> None:
        self._chain = chain
        self._registry = chain.contracts.registry
        self.address = chain.site.here(chain.site.registry)

    def model_id(self, publisher: Account, name: str) -> bytes:
        return self._registry.publications.model_id(self._chain.native(publisher), name)

    def token_id(self, model_id: bytes, path: Sequence[LedgerId]) -> bytes:
        hops = (InteroperableAddress.from_caip(each).to_bytes() for each in path)
        return token_id(ModelId(model_id), tuple(InteroperableLedger(hop) for hop in hops))

    # --- reading --------------------------------------------------------------------------------

    async def foreign(self, token_id: bytes, at: At = NEWEST) -> ForeignModel:
        await self.model(token_id, at)
        with named("Reading a foreign model"):
            found = self._registry.known.visiting(self._chain.at(at), TokenId(token_id))
        path = (LedgerId(InteroperableAddress.from_bytes(hop).ledger) for hop in found.path)
        said = found.stated
        stated = HomeStatement(
            said.time,
            said.version_count,
            said.version,
            said.manifest,
            said.licence_count,
            said.licence_digest,
        )
        return ForeignModel(found.home, found.publisher, found.name, tuple(path), stated)

    async def model(self, model_id: bytes, at: At = NEWEST) -> ModelRecord:
        found = await self.find(model_id, at)
        if found is None:
            raise UnknownModel(
                f"{self._chain.id} knows no model 0x{model_id.hex()}.", error="UnknownModel"
            )
        return found

    async def find(self, model_id: bytes, at: At = NEWEST) -> ModelRecord | None:
        state, token = self._chain.at(at), TokenId(model_id)
        known = self._registry.known.find(state, token)
        if known is None:
            return None
        owner = self._registry.ownership.owner(state, token)
        named = self._chain.account
        publisher = None if known.home else named(known.publisher)
        holder = named(owner) if owner else None
        return ModelRecord(model_id, known.name, publisher, holder, known.home, known.version_count)

    async def models(self, from_height: int, to_height: int) -> list[ModelRecord]:
        told = self._chain.told_of(ModelRegistered, from_height, to_height)
        return [await self.model(effect.token) for effect, _, _ in told]

    async def versions(self, model_id: bytes, at: At = NEWEST) -> list[VersionRecord]:
        count = (await self.model(model_id, at)).version_count
        known, state = self._registry.known, self._chain.at(at)
        names = [known.version_at(state, TokenId(model_id), index) for index in range(count)]
        return [await self.version(model_id, name, at) for name in names]

    async def version(self, model_id: bytes, version: str, at: At = NEWEST) -> VersionRecord:
        state, identity = self._chain.at(at), version_id(version)
        found = self._registry.known.version(state, TokenId(model_id), identity)
        if found is None:
            raise UnknownVersion(f"{self._chain.id} knows no version {version!r} of the model.")
        return VersionRecord(version, found.manifest, found.published_at, found.deprecated)

    async def publisher_of(self, model_id: bytes, version: str) -> Account:
        await self.version(model_id, version)
        return next(
            self._chain.account(effect.publisher)
            for effect, _, _ in self._chain.ever(VersionPublished)
            if (effect.token, effect.version) == (model_id, version)
        )

    async def alias(self, model_id: bytes, name: str, at: At = NEWEST) -> str | None:
        entries = await self.alias_history(model_id, name, at)
        return entries[-1].version if entries else None

    async def alias_history(self, model_id: bytes, name: str, at: At = NEWEST) -> list[AliasChange]:
        known, state, token = self._registry.known, self._chain.at(at), TokenId(model_id)
        count = known.alias_length(state, token, name)
        entries = [known.alias_at(state, token, name, index) for index in range(count)]
        return [AliasChange(entry.version, entry.time) for entry in entries]

    async def history(self, model_id: bytes) -> list[HistoryEntry]:
        return history_of(self._chain, model_id)

    async def approved(self, model_id: bytes) -> Account | None:
        with named("Reading who may move the model"):
            found = self._registry.ownership.approved(self._chain.state, TokenId(model_id))
        return self._chain.account(found) if found else None

    async def batch(self, batch_id: int, at: At = NEWEST) -> PublicationBatch:
        with named(f"Reading batch {batch_id}"):
            found = self._registry.publications.get(self._chain.at(at), batch_id)
        return PublicationBatch(
            batch_id,
            found.root,
            found.anchored_at,
            found.count,
            self._chain.account(found.anchorer),
        )

    # --- writing --------------------------------------------------------------------------------

    def publish(self, name: str, version: str, manifest: bytes) -> MachineCall[None]:
        return self._call(f"Publishing {name} {version}", "publish", name, version, manifest)

    def publish_version(self, model_id: bytes, version: str, manifest: bytes) -> MachineCall[None]:
        what = f"Publishing version {version}"
        return self._call(what, "publish version", model_id, version, manifest)

    def set_alias(self, model_id: bytes, name: str, version: str) -> MachineCall[None]:
        return self._call(f"Setting alias {name}", "set alias", model_id, name, version)

    def deprecate(self, model_id: bytes, version: str, reason: str) -> MachineCall[None]:
        return self._call(f"Deprecating {version}", "deprecate", model_id, version, reason)

    def transfer(self, model_id: bytes, sender: Account, recipient: Account) -> MachineCall[None]:
        parties = self._chain.native(sender), self._chain.native(recipient)
        return self._call("Transferring the model", "transfer", *parties, model_id)

    def approve(self, model_id: bytes, operator: Account) -> MachineCall[None]:
        return self._call("Approving", "approve", self._chain.native(operator), model_id)

    def anchor_batch(self, root: bytes, count: int) -> MachineCall[int]:
        what = f"Anchoring {count} publications"
        return MachineCall(self._chain.id, what, "anchor batch", (root, count), same)

    def publish_from_batch(
        self, batch_id: int, publication: Publication, proof: Sequence[bytes], signature: bytes
    ) -> MachineCall[None]:
        said = self._signed(publication)
        what = f"Publishing {publication.name} from batch {batch_id}"
        return self._call(what, "publish from batch", batch_id, said, tuple(proof), signature)

    def _signed(self, publication: Publication) -> SignedPublication:
        return SignedPublication(
            self.address,
            self._chain.native(publication.publisher),
            publication.name,
            publication.version,
            publication.manifest,
        )

    def _call(self, what: str, act: str, *arguments: object) -> MachineCall[None]:
        return MachineCall(self._chain.id, what, act, arguments, nothing)
