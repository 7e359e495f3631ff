"""Models, versions, aliases, and who owns them."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import (
    AlreadyPublished,
    ModelAway,
    NotAllowed,
    UnknownModel,
    UnknownVersion,
)
from caimi.ledgers.port import (
    AliasChange,
    ChangedAlias,
    ChangedOwner,
    GrantedLicence,
    PublishedVersion,
    RegisteredModel,
    RevokedLicence,
)
from conformance.facet import Facet
from conformance.site import World


class RegistryFacet(Facet):
    """The port's `Registry`."""

    async def test_a_published_model_is_found_with_its_version(self, world: World):
        registry = world.ledger.registry
        done = await world.ledger.submit(
            registry.publish("tumour-mlp", "1.0.0", b"\x11" * 32), world.alice
        )
        model_id = registry.model_id(world.account(world.alice), "tumour-mlp")
        model = await registry.model(model_id)
        assert (model.name, model.version_count, model.home) == ("tumour-mlp", 1, b"")
        assert model.publisher == model.owner == world.account(world.alice)
        version = await registry.version(model_id, "1.0.0")
        assert version.manifest == b"\x11" * 32
        assert version.published_at == done.time
        assert await registry.versions(model_id) == [version]
        assert await registry.models(done.height - 1, done.height) == [model]
        assert await registry.models(done.height, done.height) == []

    async def test_the_same_version_twice_is_refused(self, world: World):
        await world.published()
        again = world.ledger.registry.publish("tumour-mlp", "1.0.0", b"\x22" * 32)
        with pytest.raises(AlreadyPublished):
            await world.ledger.submit(again, world.alice)
        assert await world.site.sent(world.alice) == 1

    async def test_unknown_models_versions_and_aliases_are_named(self, world: World):
        registry = world.ledger.registry
        with pytest.raises(UnknownModel):
            await registry.model(b"\x01" * 32)
        assert await registry.find(b"\x01" * 32) is None
        model_id = await world.published()
        with pytest.raises(UnknownVersion):
            await registry.version(model_id, "9.9.9")
        assert await registry.alias(model_id, "production") is None
        unknown = registry.set_alias(model_id, "production", "9.9.9")
        with pytest.raises(UnknownVersion):
            await world.ledger.submit(unknown, world.alice)

    async def test_a_model_at_home_is_not_foreign(self, world: World):
        model_id = await world.published()
        with pytest.raises(ModelAway):
            await world.ledger.registry.foreign(model_id)
        with pytest.raises(UnknownModel):
            await world.ledger.registry.foreign(b"\x01" * 32)

    async def test_an_alias_keeps_its_history_through_a_rollback(self, world: World):
        registry = world.ledger.registry
        model_id = await world.published()
        await world.ledger.submit(
            registry.publish_version(model_id, "1.1.0", b"\x12" * 32), world.alice
        )
        times = []
        for version in ("1.0.0", "1.1.0", "1.0.0"):
            done = await world.ledger.submit(
                registry.set_alias(model_id, "production", version), world.alice
            )
            times.append(done.time)
            assert await registry.alias(model_id, "production") == version
        assert await registry.alias_history(model_id, "production") == [
            AliasChange(version, time)
            for version, time in zip(("1.0.0", "1.1.0", "1.0.0"), times, strict=True)
        ]

    async def test_only_the_owner_may_change_a_model(self, world: World):
        registry = world.ledger.registry
        model_id = await world.published()
        with pytest.raises(NotAllowed):
            await world.ledger.submit(registry.deprecate(model_id, "1.0.0", "not mine"), world.bob)
        await world.ledger.submit(registry.deprecate(model_id, "1.0.0", "superseded"), world.alice)
        assert (await registry.version(model_id, "1.0.0")).deprecated

    async def test_a_model_changes_hands_and_can_be_entrusted(self, world: World):
        registry = world.ledger.registry
        model_id = await world.published()
        assert await registry.approved(model_id) is None
        bridge = world.ledger.bridge.account
        await world.ledger.submit(registry.approve(model_id, bridge), world.alice)
        assert await registry.approved(model_id) == bridge
        with pytest.raises(NotAllowed):
            await world.ledger.submit(
                registry.transfer(model_id, world.account(world.alice), world.account(world.bob)),
                world.bob,
            )
        await world.ledger.submit(
            registry.transfer(model_id, world.account(world.alice), world.account(world.bob)),
            world.alice,
        )
        assert (await registry.model(model_id)).owner == world.account(world.bob)
        assert await registry.approved(model_id) is None
        assert await world.ledger.bridge.lock(model_id) is None

    async def test_each_version_has_the_publisher_that_the_ledger_saw(self, world: World):
        registry = world.ledger.registry
        model_id = await world.published()
        assert await registry.publisher_of(model_id, "1.0.0") == world.account(world.alice)
        sold = registry.transfer(model_id, world.account(world.alice), world.account(world.bob))
        await world.ledger.submit(sold, world.alice)
        further = registry.publish_version(model_id, "2.0.0", b"\2" * 32)
        await world.ledger.submit(further, world.bob)
        assert await registry.publisher_of(model_id, "2.0.0") == world.account(world.bob)
        assert await registry.publisher_of(model_id, "1.0.0") == world.account(world.alice)
        with pytest.raises(UnknownVersion):
            await registry.publisher_of(model_id, "3.0.0")

    async def test_history_tells_of_versions_aliases_and_licences_in_order(self, world: World):
        market, registry = world.ledger.market, world.ledger.registry
        model_id = await world.published()
        consumer = world.account(world.bob)
        granted = await world.ledger.submit(market.grant(model_id, "1.0.0", consumer), world.alice)
        await world.ledger.submit(registry.set_alias(model_id, "stable", "1.0.0"), world.alice)
        revoked = await world.ledger.submit(market.revoke(granted.effect), world.alice)
        told = await registry.history(model_id)
        assert [type(entry.fact) for entry in told] == [
            ChangedOwner,
            RegisteredModel,
            PublishedVersion,
            GrantedLicence,
            ChangedAlias,
            RevokedLicence,
        ]
        assert told[2].fact.version == "1.0.0"
        assert (told[-1].tx, told[-1].height) == (revoked.tx, revoked.height)
