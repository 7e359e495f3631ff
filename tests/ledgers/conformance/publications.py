"""Publications in batches, which their publishers sign and anybody brings."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import ProofRefused, TransactionReverted
from caimi.ledgers.port import Publication
from caimi.merkle import MerkleTree
from conformance.facet import Facet
from conformance.site import World


class PublicationsFacet(Facet):
    """The half of the port's `Registry` that is about batches."""

    async def test_anyone_publishes_from_a_batch_with_the_publishers_signature(self, world: World):
        registry = world.ledger.registry
        publications = [
            Publication(world.account(world.alice), f"model-{n}", "1.0.0", bytes([n + 1]) * 32)
            for n in range(3)
        ]
        tree = MerkleTree([registry.publication_leaf(item) for item in publications])
        done = await world.ledger.submit(registry.anchor_batch(tree.root, 3), world.bob)
        batch = await registry.batch(done.effect)
        assert (batch.root, batch.count, batch.anchorer) == (tree.root, 3, world.account(world.bob))
        assert batch.anchored_at == done.time
        chosen = publications[1]
        signature = world.alice.sign_digest(registry.publication_digest(chosen))
        await world.ledger.submit(
            registry.publish_from_batch(batch.batch_id, chosen, tree.proof(1), signature), world.bob
        )
        model = await registry.model(registry.model_id(world.account(world.alice), "model-1"))
        assert model.owner == world.account(world.alice)
        forged = world.bob.sign_digest(registry.publication_digest(publications[0]))
        misplaced = world.alice.sign_digest(registry.publication_digest(publications[0]))
        for proof, signed in ((tree.proof(0), forged), (tree.proof(2), misplaced)):
            with pytest.raises(ProofRefused):
                await world.ledger.submit(
                    registry.publish_from_batch(batch.batch_id, publications[0], proof, signed),
                    world.bob,
                )

    async def test_a_batch_that_nobody_anchored_is_refused(self, world: World):
        with pytest.raises(TransactionReverted):
            await world.ledger.registry.batch(999_999)
