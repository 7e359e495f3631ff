"""Whose a version is: the ledger names the account, and the account's key names the version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from caimi.client.catalogue import show
from caimi.client.context import Context
from caimi.client.publish import publish
from caimi.client.pull import pull
from caimi.client.resolve import fetch_manifest, resolve
from caimi.client.transfer import transfer
from caimi.client.verify import verify_version
from caimi.custody import tdh2
from caimi.custody.label import label_for
from caimi.demo.world import World, start_world
from caimi.errors.models import PublisherUnproved, SignatureMisplaced
from caimi.inference.verification import FAILED, PASSED
from caimi.models.manifest import Manifest
from caimi.models.package import Package
from caimi.models.sealed_form import Capsule
from caimi.models.sealing import seal
from caimi.uri import ModelUri

pytestmark = pytest.mark.asyncio(loop_scope="module")
PUBLISHED, SIGNED = "published by the account it names", "signed with the key it names"


@dataclass
class Market:
    """Alice has published a model; Mallory, the consumer here, has her manifest and bundle."""

    world: World
    folder: Path
    alices: Manifest

    @property
    def alice(self) -> Context:
        return self.world.publisher

    @property
    def mallory(self) -> Context:
        return self.world.consumer

    @property
    def package(self) -> Package:
        return Package.from_path(self.folder / "model.bin")

    async def seal_as_mallory(self, name: str, version: str) -> Manifest:
        """Make a version of Mallory's own of Alice's files, honestly so far."""
        ledger, identity = self.world.a, self.mallory.identity
        model_id = ledger.registry.model_id(identity.account(ledger.id), name)
        key = identity.packages.content_key(model_id, version)
        sealed = await seal(
            self.package,
            self.mallory.store,
            key=key,
            model_id=model_id,
            version=version,
            publisher=self.mallory.name(identity.account(ledger.id)),
            signer=identity.packages,
        )
        assert self.mallory.group is not None
        group = self.mallory.group.public_key
        capsule = tdh2.encrypt(group, key.secret, label_for(model_id, version))
        return replace(
            self.alices,
            name=name,
            version=version,
            model_id=model_id,
            publisher=self.mallory.name(identity.account(ledger.id)),
            sealing=sealed.form,
            signature=sealed.signature,
            capsule=Capsule(capsule.to_bytes(), group.to_bytes()),
        )

    async def anchor(self, manifest: Manifest) -> str:
        """Publish a manifest as Mallory, whatever it says."""
        ledger = self.world.a
        await self.mallory.store.put(manifest.canonical_bytes)
        call = ledger.registry.publish(manifest.name, manifest.version, manifest.digest)
        await ledger.submit(call, self.mallory.identity.signer)
        return str(ModelUri(ledger.id, manifest.model_id, manifest.version))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def market(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Market]:
    """One world for all: each test publishes under a name of its own."""
    tmp_path = tmp_path_factory.mktemp("market")
    async with start_world("embedded", tmp_path) as world:
        (tmp_path / "model.bin").write_bytes(b"weights")
        package = Package.from_path(tmp_path / "model.bin")
        done = await publish(
            world.publisher, package, ledger=world.a.id, name="alices", version="1.0.0"
        )
        resolved = await resolve(world.publisher, done.uri)
        yield Market(world, tmp_path, await fetch_manifest(world.publisher, resolved))


async def states(context: Context, uri: str) -> dict[str, str]:
    return {check.name: check.state for check in (await verify_version(context, uri, None)).checks}


async def test_alices_version_is_hers_and_mallorys_own_is_mallorys(market: Market) -> None:
    alices = ModelUri(market.world.a.id, market.alices.model_id, "1.0.0")
    uri = await market.anchor(await market.seal_as_mallory("own", "1.0.0"))
    for version in (str(alices), uri):
        found = await states(market.alice, version)
        assert (found[PUBLISHED], found[SIGNED]) == (PASSED, PASSED)
    verified = await verify_version(market.alice, uri, None)
    said = {check.name: check.detail for check in verified.checks}
    assert said[PUBLISHED] == market.mallory.name(
        market.mallory.identity.account(market.world.a.id)
    )


async def test_alices_key_and_signature_under_mallorys_version_do_not_verify(
    market: Market,
) -> None:
    made = await market.seal_as_mallory("stolen", "1.0.0")
    uri = await market.anchor(replace(made, signature=market.alices.signature))
    found = await states(market.alice, uri)
    assert (found[PUBLISHED], found[SIGNED]) == (PASSED, FAILED)
    with pytest.raises(SignatureMisplaced):
        await pull(market.mallory, uri, market.folder / "out")


async def test_alices_name_in_mallorys_manifest_is_not_believed(market: Market) -> None:
    made = await market.seal_as_mallory("named", "1.0.0")
    forged = replace(made, publisher=market.alices.publisher)
    uris = [
        await market.anchor(replace(forged, signature=market.alices.signature)),
        await _further(market, replace(forged, version="2.0.0")),
    ]
    for uri in uris:
        found = await states(market.alice, uri)
        assert (found[PUBLISHED], found[SIGNED]) == (FAILED, FAILED)
        with pytest.raises(PublisherUnproved, match=market.alices.publisher):
            await pull(market.mallory, uri, market.folder / "out")
        with pytest.raises(PublisherUnproved):
            await show(market.alice, uri)


async def test_the_signature_of_one_version_does_not_verify_in_the_next(market: Market) -> None:
    first = await market.seal_as_mallory("twice", "1.0.0")
    await market.anchor(first)
    second = await market.seal_as_mallory("twice", "2.0.0")
    uri = await _further(market, replace(second, signature=first.signature))
    found = await states(market.alice, uri)
    assert (found[PUBLISHED], found[SIGNED]) == (PASSED, FAILED)


async def _further(market: Market, manifest: Manifest) -> str:
    await market.mallory.store.put(manifest.canonical_bytes)
    ledger = market.world.a
    call = ledger.registry.publish_version(manifest.model_id, manifest.version, manifest.digest)
    await ledger.submit(call, market.mallory.identity.signer)
    return str(ModelUri(ledger.id, manifest.model_id, manifest.version))


async def test_a_version_of_a_later_owner_is_that_owners(market: Market) -> None:
    world = market.world
    first = ModelUri(world.a.id, market.alices.model_id, "1.0.0")
    account = market.mallory.identity.account(market.world.a.id)
    await transfer(market.alice, first, to=world.a.id, recipient=account)
    done = await publish(
        market.mallory,
        market.package,
        ledger=world.a.id,
        name="alices",
        version="2.0.0",
        model=first,
    )
    for uri, publisher in ((str(first), market.alice), (done.uri, market.mallory)):
        verified = await verify_version(market.mallory, uri, None)
        assert verified.ok
        said = {check.name: check.detail for check in verified.checks}
        assert said[PUBLISHED] == publisher.name(publisher.identity.account(world.a.id))
    await pull(market.mallory, done.uri, market.folder / "out")
