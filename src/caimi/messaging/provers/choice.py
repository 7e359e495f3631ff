"""Which prover a light client takes."""

from __future__ import annotations

from typing import Final

from caimi.errors.messaging import UnprovableClient
from caimi.ledgers.port.clients import (
    COMMITTEE,
    COMPOSITE,
    ENDORSED_READS,
    OPTIMISTIC,
    STORAGE_PROOF,
    LightClient,
)
from caimi.messaging.provers.committee import CommitteeProver
from caimi.messaging.provers.composite import CompositeMember, CompositeProver
from caimi.messaging.provers.endorsed_reads import EndorsedReadsProver
from caimi.messaging.provers.optimistic import OptimisticProver
from caimi.messaging.provers.prover import Prover
from caimi.messaging.provers.storage_proof import StorageProofProver

# What checking a proof costs: signatures once a batch, or tries for each packet.
_COSTS: Final = {COMMITTEE: 0, OPTIMISTIC: 1, COMPOSITE: 2, ENDORSED_READS: 3, STORAGE_PROOF: 4}


def prover_for(client: LightClient) -> Prover:
    """Give what proves to `client`.

    Raises:
        UnprovableClient: no prover is known for it, or for a client that it must ask.
    """
    if client.kind == COMMITTEE:
        return CommitteeProver(client.account)
    if client.kind == OPTIMISTIC:
        return OptimisticProver(client.account)
    if client.kind == ENDORSED_READS:
        return EndorsedReadsProver()
    if client.kind == STORAGE_PROOF:
        return StorageProofProver(prover_for(client.inner[0]))
    if client.kind == COMPOSITE:
        return CompositeProver(tuple(_member(each) for each in client.inner), client.threshold)
    raise UnprovableClient(
        f"Client {client.account} is of type {client.kind!r:.80}, for which there is no prover."
    )


def _member(client: LightClient) -> CompositeMember:
    try:
        prover = prover_for(client)
    except UnprovableClient:
        prover = None  # there may be enough others
    return CompositeMember(client.account, prover, _COSTS.get(client.kind, len(_COSTS)))
