"""Proofs for an endorsed reads client: what organisations of the source sign when they read."""

from __future__ import annotations

from collections.abc import Sequence

from caimi.errors.ledgers import LedgerBehind
from caimi.errors.messaging import UnprovableClient
from caimi.ibc.path import Path
from caimi.ledgers.client_proofs import EndorsedReads
from caimi.messaging.proof import Proof
from caimi.messaging.provers.prover import Name, ProofRequest, Prove


class EndorsedReadsProver:
    """Proves with what the source's organisations sign now: it asks for no block."""

    async def membership(
        self, case: ProofRequest, paths: Sequence[Path], blocks: tuple[int, int]
    ) -> Prove[Path]:
        """Have the commitments read.

        Raises:
            LedgerBehind: a peer lags, or nothing was written yet in the last of the blocks.
            LedgerRefused: the source's organisations sign no reads.
        """
        reads = await case.source.gateway.endorsed_reads(paths)
        if reads.height < blocks[1] or None in reads.values:
            raise LedgerBehind(
                f"What organisations of {case.source.id} read is of block {reads.height}, not of "
                f"block {blocks[1]}."
            )
        return lambda part: _prove(reads, part)

    async def absence(self, case: ProofRequest, names: Sequence[Name]) -> Prove[Name]:
        """Have it read that the receipts are not there; raises as `membership`."""
        reads = await case.source.gateway.endorsed_reads([Path.receipt(*name) for name in names])
        if reads.time < case.final.time:
            raise LedgerBehind(
                f"What organisations of {case.source.id} read is of {reads.time}, not of "
                f"{case.final.time}."
            )
        return lambda part: _prove(reads, [Path.receipt(*name) for name in part])

    async def block(self, case: ProofRequest, blocks: tuple[int, int]) -> tuple[int, bytes]:
        """Refuse: no block is read.

        Raises:
            UnprovableClient: always.
        """
        raise UnprovableClient("An endorsed reads client cannot vouch for the hash of a block.")


def _prove(reads: EndorsedReads, part: Sequence[Path]) -> Proof:
    return Proof(reads.prove([path.key for path in part]), tuple(range(len(part))))
