"""Proofs for a committee client: what a threshold of its validators signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caimi.errors.messaging import NotEnoughAttestations
from caimi.ibc.path import Path
from caimi.ledgers.port import Account
from caimi.messaging.proof import Proof, block_key
from caimi.messaging.provers.prover import Name, ProofRequest, Prove
from caimi.messaging.validator import MAX_BLOCKS


@dataclass(frozen=True, slots=True)
class CommitteeProver:
    """Proves to the committee client at the account `client`."""

    client: Account

    async def membership(
        self, case: ProofRequest, paths: Sequence[Path], blocks: tuple[int, int]
    ) -> Prove[Path]:
        """Have the blocks attested, and further ones where a validator once signed otherwise.

        It had left something out, and signs the truth only in a range that it did not sign before.
        """
        try:
            signed, tree = await case.checkpoint(self.client, blocks)
        except NotEnoughAttestations as error:
            further = (blocks[0], case.final.height)
            if not error.contradicted or not blocks[1] < further[1] <= further[0] + MAX_BLOCKS:
                raise
            signed, tree = await case.checkpoint(self.client, further)
        return lambda part: signed.prove(tree, [path.key for path in part])

    async def absence(self, case: ProofRequest, names: Sequence[Name]) -> Prove[Name]:
        """Have the absence attested."""
        signed, tree = await case.absence(self.client, names)

        def prove(part: Sequence[Name]) -> Proof:
            return signed.prove(tree, [Path.receipt(*name).key for name in part])

        return prove

    async def block(self, case: ProofRequest, blocks: tuple[int, int]) -> tuple[int, bytes]:
        """Have the blocks attested: a checkpoint states its last block's hash."""
        signed, tree = await case.checkpoint(self.client, blocks)
        return blocks[1], signed.prove(tree, [block_key(blocks[1])]).data
