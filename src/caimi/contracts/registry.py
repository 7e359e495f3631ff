"""Versions and aliases of models; a model's token is the right to publish under its name.

- A published version keeps its manifest and its time for ever; the lists of versions and of what an
  alias meant only grow; deprecation is final.
- Only the present owner adds to a model, and only on the model's home ledger.
- A model's id commits to its home, publisher and name, and a token's id also to the ledgers that
  the model came over, so that no other ledger can make it under another history.

A signature for `publish_from_batch` has no expiry: it holds while its signer owns the model, and
can take effect once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.contracts.bounds import utf8, word
from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.identifiers import Account, TokenId
from caimi.contracts.known_models import AliasEntry, KnownModel, KnownModels
from caimi.contracts.naming import version_id
from caimi.contracts.ownership import Ownership
from caimi.contracts.publications import PublicationBatches
from caimi.contracts.site import Accounts, SignedPublication, Site
from caimi.contracts.visitors import Visitors
from caimi.names import is_model_name
from caimi.uri import is_alias, is_version

MAX_REASON_LENGTH: Final = 256


@dataclass(frozen=True, slots=True)
class ModelRegistered(Effect):
    """A model was published for the first time."""

    token: TokenId
    publisher: Account
    name: str


@dataclass(frozen=True, slots=True)
class VersionPublished(Effect):
    """A version was published, by the model's owner at that time."""

    token: TokenId
    publisher: Account
    version: str
    manifest: bytes


@dataclass(frozen=True, slots=True)
class AliasSet(Effect):
    """An alias means a version from now on."""

    token: TokenId
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class VersionDeprecated(Effect):
    """A version should not be used any more."""

    token: TokenId
    version: str
    reason: str


class ModelRegistry:
    """The registry of one ledger.

    `known` is what it knows of models, `ownership` has their tokens, `publications` the batches,
    and `visitors` the models of other ledgers.
    """

    def __init__(self, site: Site, accounts: Accounts) -> None:
        self._accounts = accounts
        self.ownership = Ownership(site, accounts)
        self.publications = PublicationBatches(site)
        self.known = KnownModels()
        self.visitors = Visitors(site, self.known, self.ownership)

    # --- publishing -----------------------------------------------------------------------------

    def publish(self, call: Execution, name: str, version: str, manifest: bytes) -> TokenId:
        """Publish a version; the first one of a name gives the caller the model."""
        return self._publish(
            call, self.publications.sign(call.caller, name, version, word(manifest, "manifest"))
        )

    def publish_version(
        self, call: Execution, token: TokenId, version: str, manifest: bytes
    ) -> None:
        """Publish a further version of a model that the caller owns."""
        self._require_home_owner(call, token)
        self._add_version(call, token, call.caller, version, word(manifest, "manifest"))

    def publish_from_batch(
        self,
        call: Execution,
        batch: int,
        publication: SignedPublication,
        proof: Sequence[bytes],
        signature: bytes,
    ) -> TokenId:
        """Publish from an anchored batch what its publisher signed. Open to anyone, once."""
        named, account = publication, publication.publisher
        require(self._accounts.is_account(account), "InvalidAccount", account=account)
        require(
            self.publications.is_anchored(call.state, batch, named, proof),
            "NotInBatch",
            batch_id=batch,
            model_id=self.publications.model_id(named.publisher, named.name),
            version_id=version_id(named.version),
        )
        signed = self._accounts.signed(named, signature)
        require(signed, "InvalidSignature", publisher=named.publisher)
        return self._publish(call, named)

    def set_alias(self, call: Execution, token: TokenId, name: str, version: str) -> None:
        """Let an alias mean a version."""
        self._require_home_owner(call, token)
        require(is_alias(name), "InvalidAlias", name=name)
        self.known.require_usable(call.state, token, version_id(version))
        self.known.add_alias(call.state, token, name, AliasEntry(version, call.time))
        call.emit(AliasSet(token, name, version))

    def deprecate(self, call: Execution, token: TokenId, version: str, reason: str) -> None:
        """Say that a version should not be used; aliases that mean it keep meaning it."""
        self._require_home_owner(call, token)
        length = len(utf8(reason, "reason"))
        require(length <= MAX_REASON_LENGTH, "ReasonTooLong", length=length)
        self.known.deprecate(call.state, token, version_id(version))
        call.emit(VersionDeprecated(token, version, reason))

    # --- checks ---------------------------------------------------------------------------------

    def _publish(self, call: Execution, named: SignedPublication) -> TokenId:
        publisher = named.publisher
        token = TokenId(self.publications.model_id(publisher, named.name))
        if self.known.find(call.state, token) is None:
            require(is_model_name(named.name), "InvalidName", name=named.name)
            self.known.add(call.state, token, KnownModel(publisher, named.name, b"", 0))
            self.ownership.mint(call, publisher, token)
            call.emit(ModelRegistered(token, publisher, named.name))
        else:
            self._require_owner(call.by(publisher), token)
        self._add_version(call, token, publisher, named.version, named.manifest)
        return token

    def _add_version(
        self, call: Execution, token: TokenId, publisher: Account, version: str, manifest: bytes
    ) -> None:
        require(is_version(version), "InvalidVersion", version=version)
        require(any(manifest), "ZeroManifest")
        self.known.add_version(call.state, token, version, manifest, call.time)
        call.emit(VersionPublished(token, publisher, version, manifest))

    def _require_home_owner(self, call: Execution, token: TokenId) -> None:
        require(self.known.is_home(call.state, token), "ModelIsForeign", model_id=token)
        self._require_owner(call, token)

    def _require_owner(self, call: Execution, token: TokenId) -> None:
        owner = self.ownership.owner(call.state, token)
        require(owner == call.caller, "NotModelOwner", model_id=token, account=call.caller)
