"""From a URI to the version it names, and from there to its manifest."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.client.context import Context
from caimi.errors.models import PublisherUnproved
from caimi.errors.operations import ManifestMismatch, UnknownSelector
from caimi.ledgers.home import home_model
from caimi.ledgers.port import Account, Ledger, ModelRecord, VersionRecord
from caimi.models.manifest import Manifest
from caimi.storage.cid import Cid
from caimi.uri import ModelUri


@dataclass(frozen=True, slots=True)
class Resolved:
    """A version that exists: its home ledger, model record and version record."""

    uri: ModelUri
    ledger: Ledger
    model: ModelRecord
    version: VersionRecord


def as_uri(uri: str | ModelUri) -> ModelUri:
    """Accept a URI as text or parsed."""
    return ModelUri.parse(uri) if isinstance(uri, str) else uri


async def resolve(context: Context, uri: str | ModelUri) -> Resolved:
    """Find the version a URI names: a version, an alias, or the newest one not deprecated.

    Raises:
        UnknownLedger: the URI's ledger is not configured.
        UnknownModel: the ledger has no such model.
        ForeignHome: the model's home is another ledger than the URI's.
        UnknownSelector: the model has no such version or alias.
    """
    parsed = as_uri(uri)
    ledger = context.ledger(parsed.ledger)
    model = await home_model(ledger, parsed.model_id)
    version = await _select(ledger, parsed)
    return Resolved(parsed.with_selector(version.version), ledger, model, version)


async def _select(ledger: Ledger, uri: ModelUri) -> VersionRecord:
    versions = await ledger.registry.versions(uri.model_id)
    wanted = uri.selector
    if wanted is None:
        live = [version for version in versions if not version.deprecated]
        if not live:
            raise UnknownSelector(f"{uri} has no version that is not deprecated.")
        return live[-1]
    if not wanted[0].isdigit():
        wanted = await _alias(ledger, uri, wanted)
    for version in versions:
        if version.version == wanted:
            return version
    raise UnknownSelector(f"{uri} has no version {wanted!r}.")


async def _alias(ledger: Ledger, uri: ModelUri, name: str) -> str:
    version = await ledger.registry.alias(uri.model_id, name)
    if version is None:
        raise UnknownSelector(f"{uri} has no alias {name!r}.")
    return version


async def fetch_manifest(context: Context, resolved: Resolved) -> Manifest:
    """Fetch the manifest that the ledger names by its digest, and check that it is the one meant.

    Raises:
        ObjectMissing: the store does not have it.
        ManifestMismatch: it speaks of another model or version.
        PublisherUnproved: it names another publisher than the ledger does.
    """
    manifest = await named_manifest(context, resolved)
    await check_publisher(resolved, manifest)
    return manifest


async def check_publisher(resolved: Resolved, manifest: Manifest) -> str:
    """Check that the account which a manifest names published it on its home ledger; give it.

    With that the account vouches for all that the manifest says, its signing key among it.

    Raises:
        PublisherUnproved: another account did.
        LedgerAnswerInvalid: the ledger's node does not show who did.
    """
    registry = resolved.ledger.registry
    account = await registry.publisher_of(manifest.model_id, manifest.version)
    if Account.from_caip(manifest.publisher) != account:
        raise PublisherUnproved(
            f"{resolved.uri} was published by {resolved.ledger.accounts.text(account)}; its "
            f"manifest names {manifest.publisher}."
        )
    return manifest.publisher


async def named_manifest(context: Context, resolved: Resolved) -> Manifest:
    """Fetch the manifest as `fetch_manifest` does, without asking the ledger who published it."""
    data = await context.store.get(Cid(resolved.version.manifest))
    manifest = Manifest.parse(data)
    if (manifest.model_id, manifest.version) != (
        resolved.model.model_id,
        resolved.version.version,
    ):
        raise ManifestMismatch(
            f"The manifest of {resolved.uri} says it is of 0x{manifest.model_id.hex()}"
            f"@{manifest.version}."
        )
    return manifest
