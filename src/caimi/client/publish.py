"""Publishing: seal, sign, store, put on a ledger, offer.

A journalled operation. The steps before the manifest are deterministic or resumable; the manifest
is written to the journal as soon as it exists, since its capsule and signature are random; from
there on every step is idempotent.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from caimi.client.context import Context, Progress, no_progress
from caimi.client.pricing import asked_prices, offer, priced_in
from caimi.client.resolve import as_uri, resolve
from caimi.custody import tdh2
from caimi.custody.label import label_for
from caimi.errors.operations import BegunOtherwise, ConfigInvalid, NotTheOwner, VersionTaken
from caimi.journal import Operation
from caimi.ledgers.home import find_home_model
from caimi.ledgers.port import Account, Done, Ledger
from caimi.models.ancestry import Ancestry, Contributor
from caimi.models.card import Dataset, ModelCard
from caimi.models.licence import check_licence
from caimi.models.manifest import Manifest
from caimi.models.package import Package
from caimi.models.publication import build_manifest
from caimi.models.sealing import seal
from caimi.names import check_model_name, check_version
from caimi.uri import ModelUri

_PUBLISH = "publish"


@dataclass(frozen=True, slots=True)
class Description:
    """What a publisher says about a version, beyond its files.

    `parents` are the versions that it was made from (URIs); None for the model's newest one.
    """

    licence: str = "Apache-2.0"
    datasets: Sequence[Dataset] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    card: ModelCard = field(default_factory=ModelCard)
    parents: Sequence[str | ModelUri] | None = None
    contributors: Sequence[Contributor] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """A description, with its parents found: their digests, or None for the newest version."""

    description: Description
    parents: tuple[bytes, ...] | None

    @classmethod
    async def of(cls, context: Context, said: Description) -> _Said:
        """Find the parents, and look at all that can be wrong with them and the contributors."""
        if said.parents is None:
            Ancestry((), said.contributors)
            return cls(said, None)
        found = [(await resolve(context, uri)).version.manifest for uri in said.parents]
        return cls(said, tuple(Ancestry(found, said.contributors).parents))


@dataclass(frozen=True, slots=True)
class Published:
    """A version that is on a ledger. `warnings` are for people: NaN-filled weights, for example."""

    uri: str
    model_id: str
    version: str
    manifest: str
    cid: str
    tx: str
    work: int
    warnings: tuple[str, ...]


async def publish(
    context: Context,
    package: Package,
    *,
    ledger: str,
    name: str,
    version: str,
    price: str | None = None,
    asset: str | None = None,
    payees: Sequence[Account] = (),
    model: str | ModelUri | None = None,
    description: Description | None = None,
    progress: Progress = no_progress,
) -> Published:
    """Publish a version; running it again after a crash finishes it.

    `price`, in coins or in the token whose symbol is `asset`, is asked on every configured ledger
    that has it, and paid to the payee there, or to the account of one's own key. `model` names an
    existing model whose owner, though not its publisher, releases a further version.

    Raises:
        InvalidName, UsageError, ManifestMalformed: the name, version, price, licence, parents or
            contributors are none; all of it is looked at before anything is sealed.
        UnknownLedger, UnknownModel, UnknownSelector: there is no such parent.
        NotOffered, AssetUnknown, AssetMismatch, TokenUnusable: the price is in nothing that is
            paid in; see `caimi.client.pricing.priced_in`.
        VersionTaken: the version exists with other content.
        BegunOtherwise: an interrupted run may have published it with another description.
        NotTheOwner: the model exists and belongs to somebody else.
        ForeignHome: the model's home is another ledger.
        StoreFull, RpcUnavailable, InsufficientFunds…: as the store and the ledger say.
    """
    described = description or Description()
    check_model_name(name)
    check_version(version)
    check_licence(described.licence)
    asked = []
    if price is not None:
        asked = asked_prices(context, price, await priced_in(context, asset), payees)
    said = await _Said.of(context, described)
    where = context.ledger(ledger)
    account = context.identity.account(where.id)
    model_id = (
        as_uri(model).model_id if model is not None else where.registry.model_id(account, name)
    )
    await _check_owner(context, where, model_id)
    async with context.journal.operation("publish", ledger, model_id.hex(), version) as operation:
        manifest = await _manifest(
            context, operation, package, model_id, where, name, version, said, progress
        )
        progress("publish", 0, 1)
        receipt = await _anchor(context, operation, where, manifest)
        if asked:
            await offer(context, operation, where, model_id, asked)
        await operation.finish()
        progress("publish", 1, 1)
    uri = ModelUri(ledger, model_id, version)
    return Published(
        uri=str(uri),
        model_id=f"0x{model_id.hex()}",
        version=version,
        manifest=manifest.digest.hex(),
        cid=str(manifest.cid),
        tx=receipt.tx if receipt else str(operation.facts.get("tx", "")),
        work=receipt.work if receipt else 0,
        warnings=tuple(str(warning) for warning in package.warnings),
    )


async def _check_owner(context: Context, ledger: Ledger, model_id: bytes) -> None:
    account = context.identity.account(ledger.id)
    existing = await find_home_model(ledger, model_id)
    if existing is not None and existing.owner != account:
        raise NotTheOwner(
            f"Model 0x{model_id.hex()} on {ledger.id} belongs to {context.text(existing.owner)}, "
            f"not to {context.text(account)}."
        )


async def _manifest(
    context: Context,
    operation: Operation,
    package: Package,
    model_id: bytes,
    ledger: Ledger,
    name: str,
    version: str,
    said: _Said,
    progress: Progress,
) -> Manifest:
    """Seal, upload and describe the package, or take up the manifest an earlier run wrote down."""
    manifest = _recorded(operation)
    if manifest is not None:
        await asyncio.to_thread(_check_same, package, manifest)
        if not _says(manifest, name, said):
            if await operation.sent(_PUBLISH) or await _has(ledger, manifest):
                raise BegunOtherwise(
                    f"A publication of {manifest.name} {version} with another name, licence or "
                    "description was begun, and may be on the ledger.",
                    next_step="Run it with what it was begun with, or publish a new version.",
                )
            manifest = None  # nobody has seen it yet: it is described anew
    if manifest is None:
        manifest = await _seal(
            context,
            package,
            model_id,
            ledger,
            name,
            version,
            said,
            progress,
        )
        await operation.note(manifest=base64.b64encode(manifest.canonical_bytes).decode())
    await context.store.put(manifest.canonical_bytes)
    return manifest


async def _seal(
    context: Context,
    package: Package,
    model_id: bytes,
    ledger: Ledger,
    name: str,
    version: str,
    said: _Said,
    progress: Progress,
) -> Manifest:
    if context.group is None:
        raise ConfigInvalid("There is no [committee] to seal the model's key to.")
    signer = context.identity.packages
    key = signer.content_key(model_id, version)
    sealed = await seal(
        package,
        context.store,
        key=key,
        model_id=model_id,
        version=version,
        publisher=context.name(context.identity.account(ledger.id)),
        signer=signer,
        journal=context.journal.beside(f"seal-{model_id.hex()}-{version}"),
        progress=lambda done, total: progress("seal", done, total),
    )
    description, parents = said.description, said.parents
    if parents is None:
        parents = await _newest(ledger, model_id)
    public_key = context.group.public_key
    capsule = tdh2.encrypt(public_key, key.secret, label_for(model_id, version))
    return build_manifest(
        sealed,
        name=name,
        publisher=context.name(context.identity.account(ledger.id)),
        capsule=capsule.to_bytes(),
        group_key=public_key.to_bytes(),
        licence=description.licence,
        ancestry=Ancestry(parents, description.contributors),
        datasets=description.datasets,
        metrics=description.metrics,
        card=description.card,
    )


def _recorded(operation: Operation) -> Manifest | None:
    recorded = operation.facts.get("manifest")
    return Manifest.parse(base64.b64decode(recorded)) if isinstance(recorded, str) else None


def _says(manifest: Manifest, name: str, said: _Said) -> bool:
    """Whether a manifest says of its version what the publisher says now."""
    description = said.description
    return (
        (manifest.name, manifest.licence, manifest.datasets, manifest.card, manifest.contributors)
        == (
            name,
            description.licence,
            tuple(description.datasets),
            description.card,
            tuple(description.contributors),
        )
        and dict(manifest.metrics or {}) == dict(description.metrics)
        and said.parents in (None, manifest.parents)
    )


async def _has(ledger: Ledger, manifest: Manifest) -> bool:
    if await ledger.registry.find(manifest.model_id) is None:
        return False
    versions = await ledger.registry.versions(manifest.model_id)
    return any(each.version == manifest.version for each in versions)


def _check_same(package: Package, manifest: Manifest) -> None:
    """Refuse to go on with a publication whose files have changed since it began."""
    now = {}
    for file in package.files:
        digest = hashlib.sha256()
        with file.open() as content:
            while part := content.read(1 << 20):
                digest.update(part)
        now[file.path] = digest.digest()
    if now != {entry.path: entry.sha256 for entry in manifest.files}:
        raise VersionTaken(
            f"A publication of {manifest.name} {manifest.version} with other files was begun.",
            why="It was interrupted, and may already be on the ledger.",
            next_step="Run it again with the files it was begun with, or use a new version.",
        )


async def _newest(ledger: Ledger, model_id: bytes) -> tuple[bytes, ...]:
    """Give the model's newest version, to follow it; nothing where it has none."""
    if await find_home_model(ledger, model_id) is None:
        return ()
    versions = await ledger.registry.versions(model_id)
    return (versions[-1].manifest,) if versions else ()


async def _anchor(
    context: Context, operation: Operation, ledger: Ledger, manifest: Manifest
) -> Done[None] | None:
    """Put the manifest's digest on the ledger unless it is there; None when it already was."""
    registry = ledger.registry
    model = await registry.find(manifest.model_id)
    versions = await registry.versions(manifest.model_id) if model is not None else []
    for existing in versions:
        if existing.version == manifest.version:
            if existing.manifest != manifest.digest:
                raise VersionTaken(
                    f"{manifest.name} {manifest.version} is on {ledger.id} with other content."
                )
            return None
    call = (
        registry.publish(manifest.name, manifest.version, manifest.digest)
        if model is None
        else registry.publish_version(manifest.model_id, manifest.version, manifest.digest)
    )
    receipt = await context.submit(operation, _PUBLISH, call)
    await operation.note(tx=receipt.tx)
    return receipt


def package_from(path: str | Path) -> Package:
    """Read a file or directory as a package.

    Raises:
        CodeExecutingFormat, UnsafePath…: as `caimi.models.package` says.
    """
    return Package.from_path(Path(path))
