"""Publications in batches, which their publishers sign and anybody brings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from caimi.client.batch import AnchoredPublication, PublicationBatcher, Release
from caimi.client.context import Context
from caimi.client.keyring import Identity
from caimi.errors.ledgers import ProofRefused, TransactionReverted
from caimi.hashing import sha256
from caimi.ledgers.publications import publication_leaf, publication_statement
from caimi.merkle import verify
from caimi.models.signing import PackageSigner
from caimi.persistence import journal_in
from caimi.storage.local import LocalStore
from conformance.facet import Facet
from conformance.site import World


class PublicationsFacet(Facet):
    """The half of the port's `Registry` that is about batches."""

    @pytest.fixture
    async def anchored(self, world: World, tmp_path: Path) -> list[AnchoredPublication]:
        """Give three publications of alice in one batch, which the client's code made."""
        journal = journal_in(tmp_path / "journal.sqlite")

        async def rest() -> None:
            return None

        context = Context(
            ledgers={world.ledger.id: world.ledger},
            store=LocalStore(tmp_path / "store"),
            journal=journal,
            keys=Identity("alice", world.alice, PackageSigner.generate()),
            group=None,
            custodians=[],
            carry=rest,
        )
        batcher = PublicationBatcher(context, world.ledger.id, max_batch=3)
        releases = [Release(f"model-{n}", "1.0.0", b"manifest %d" % n) for n in range(3)]
        try:
            return await asyncio.gather(*map(batcher.publish, releases))
        finally:
            journal.close()

    async def test_a_batch_is_anchored_with_what_proves_each_publication(
        self, world: World, anchored: list[AnchoredPublication]
    ):
        registry, alice = world.ledger.registry, world.account(world.alice)
        batch = await registry.batch(anchored[0].batch_id)
        assert (batch.root, batch.count, batch.anchorer) == (anchored[0].root, 3, alice)
        for number, each in enumerate(anchored):
            said = each.publication
            assert (said.publisher, said.name) == (alice, f"model-{number}")
            assert said.manifest == sha256(b"manifest %d" % number)
            leaf = publication_leaf(said, registry.model_id(alice, said.name))
            assert verify(batch.root, leaf, each.proof)

    async def test_anyone_publishes_from_a_batch_with_the_publishers_signature(
        self, world: World, anchored: list[AnchoredPublication]
    ):
        registry, alice = world.ledger.registry, world.account(world.alice)
        chosen = anchored[1]
        call = registry.publish_from_batch(
            chosen.batch_id, chosen.publication, chosen.proof, chosen.signature
        )
        await world.ledger.submit(call, world.bob)
        model_id = registry.model_id(alice, "model-1")
        assert (await registry.model(model_id)).owner == alice
        assert (await registry.version(model_id, "1.0.0")).manifest == chosen.publication.manifest
        assert await registry.publisher_of(model_id, "1.0.0") == alice

    async def test_what_its_publisher_did_not_sign_is_refused(
        self, world: World, anchored: list[AnchoredPublication]
    ):
        registry, (first, other, _) = world.ledger.registry, anchored
        said = first.publication
        model_id = registry.model_id(said.publisher, said.name)
        forger = world.ledger.accounts.wallet(world.bob)
        forged = forger.sign_statement(publication_statement(said, model_id))
        # The id of the model commits to the registry.
        alice = world.ledger.accounts.wallet(world.alice)
        elsewhere = alice.sign_statement(publication_statement(said, sha256(b"elsewhere")))
        for proof, signature in (
            (first.proof, forged),
            (first.proof, elsewhere),
            (first.proof, other.signature),
            (other.proof, first.signature),
        ):
            call = registry.publish_from_batch(first.batch_id, said, proof, signature)
            with pytest.raises(ProofRefused):
                await world.ledger.submit(call, world.bob)

    async def test_a_batch_that_nobody_anchored_is_refused(self, world: World):
        with pytest.raises(TransactionReverted):
            await world.ledger.registry.batch(999_999)
