"""Proofs for a storage proof client: the source's own state, in a block others vouch for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from caimi.errors.ledgers import LedgerRefused
from caimi.errors.messaging import UnprovableClient
from caimi.ibc.path import Path
from caimi.ledgers.client_proofs import StateProof
from caimi.messaging.proof import Proof
from caimi.messaging.provers.prover import Fact, Name, ProofRequest, Prove, Prover


@dataclass(frozen=True, slots=True)
class StorageProofProver:
    """Proves to a client that asks `inner`'s for the hash of the block."""

    inner: Prover

    async def membership(
        self, case: ProofRequest, paths: Sequence[Path], blocks: tuple[int, int]
    ) -> Prove[Path]:
        """Read the commitments' proofs in the last block, or where that state is gone a newer one.

        A commitment of an open packet, and an acknowledgement's, is there in every later block.

        Raises:
            LedgerRefused: the source's node gives no proofs.
        """
        try:
            state, trusted = await self._read(case, paths, blocks)
        except LedgerRefused:
            final = case.final.height
            if final <= blocks[1]:
                raise
            state, trusted = await self._read(case, paths, (final - 1, final))
        return _prove(state, paths, lambda part, proof: proof.membership(trusted))

    async def absence(self, case: ProofRequest, names: Sequence[Name]) -> Prove[Name]:
        """Read in the final block that the packets' acknowledgements are not there.

        Raises:
            LedgerRefused: the source's node gives no proofs.
        """
        answers = [Path.acknowledgement(*name) for name in names]
        final = case.final.height
        state, trusted = await self._read(case, answers, (final - 1, final))

        def encode(part: Sequence[Name], proof: StateProof) -> bytes:
            return proof.absence(trusted, part[0][0], [sequence for _, sequence in part])

        return _prove(state, names, encode)

    async def block(self, case: ProofRequest, blocks: tuple[int, int]) -> tuple[int, bytes]:
        """Refuse: a state tells nothing of its block's hash.

        Raises:
            UnprovableClient: always.
        """
        raise UnprovableClient("A storage proof client cannot vouch for the hash of a block.")

    async def _read(
        self, case: ProofRequest, paths: Sequence[Path], blocks: tuple[int, int]
    ) -> tuple[StateProof, bytes]:
        height, trusted = await self.inner.block(case, blocks)
        return await case.source.gateway.state_proof(paths, height), trusted


def _prove(
    state: StateProof,
    facts: Sequence[Fact],
    encode: Callable[[Sequence[Fact], StateProof], bytes],
) -> Prove[Fact]:
    slots: Mapping[Fact, tuple[bytes, ...]] = dict(zip(facts, state.slots, strict=True))

    def prove(part: Sequence[Fact]) -> Proof:
        proof = replace(state, slots=tuple(slots[fact] for fact in part))
        return Proof(encode(part, proof), tuple(range(len(part))))

    return prove
